"""Tries a generated package: imports every module, looks for every endpoint, sends samples of every message both ways.

It runs in an interpreter of its own, in which the package is mounted under its name wherever it lies: so neither what
this interpreter has imported nor where it looks for modules plays a part. ``python -m lmwire_codegen.selftest`` is that
interpreter's end; it answers in a file.
"""

from __future__ import annotations

import importlib
import importlib.util
import json
import pkgutil
import subprocess
import sys
import tempfile
import traceback
from collections.abc import Callable, Collection
from pathlib import Path
from types import ModuleType
from typing import Any, Final

import attrs

from lmwire_codegen.annotations import annotations_of
from lmwire_codegen.model import Endpoint, Namespace
from lmwire_codegen.naming import snake_case
from lmwire_codegen.pipeline import compile_model
from lmwire_codegen.problems import Location
from lmwire_codegen.samples import NoSampleError, Sampler
from lmwire_codegen.shapes import MessageDefinition

__all__ = ["SelfTest", "selftest"]

_ERROR_LINES: Final = 12


@attrs.define(kw_only=True)
class SelfTest:
    """What was tried, and what failed.

    Attributes:
        modules, endpoints, messages, samples: How many there were.
        failures: Where and what.
        untried: Of what no sample was found.
    """

    modules: int = 0
    endpoints: int = 0
    messages: int = 0
    samples: int = 0
    failures: list[str] = attrs.field(factory=list)
    untried: list[str] = attrs.field(factory=list)


def selftest(schema: Path, out: Path, package: str, only: Collection[str] = ()) -> SelfTest:
    """Try the package ``package`` in the folder ``out``.

    Args:
        schema: The schema folder that it was made from.
        out: Its folder.
        package: Its import name.
        only: The namespaces that it has, by default all.

    Raises:
        SchemaProblems: The schema cannot be compiled.
    """
    compile_model(schema, package, only)  # problems of the schema are the caller's, not the package's
    with tempfile.TemporaryDirectory(prefix="lmwire-selftest-") as folder:
        answer = Path(folder) / "answer.json"
        arguments = [str(schema.resolve()), str(out.resolve()), package, str(answer), *only]
        run = subprocess.run(
            [sys.executable, "-m", "lmwire_codegen.selftest", *arguments],
            capture_output=True, text=True, encoding="utf-8", errors="replace", check=False,
        )  # fmt: skip
        if run.returncode == 0 and answer.is_file():
            return SelfTest(**json.loads(answer.read_text(encoding="utf-8")))
    tail = "\n".join((run.stdout + run.stderr).splitlines()[-_ERROR_LINES:])
    return SelfTest(failures=[f"the interpreter ended with code {run.returncode}:\n{tail}"])


class _Trial:
    """The other interpreter's work."""

    def __init__(self, schema: Path, out: Path, package: str, only: Collection[str]) -> None:
        self._model, folder = compile_model(schema, package, only)
        self._sampler = Sampler(folder.documents, folder.repairs)
        self._out = out
        self._package = package
        self.result: Final = SelfTest()

    def run(self) -> None:
        if not self._mount() or not self._import_all():
            return
        for namespace in self._model.namespaces:
            for endpoint in namespace.endpoints:
                self.result.endpoints += 1
                self._endpoint(namespace, endpoint)
        for key, definition in self._model.schema.definitions.items():
            if isinstance(definition, MessageDefinition):
                self.result.messages += 1
                self._message(key, definition)

    def _fail(self, place: object, words: str) -> None:
        self.result.failures.append(f"{place}: {words}")

    def _mount(self) -> bool:
        """Import the package from its folder, its parents being empty."""
        start = self._out / "__init__.py"
        if not start.is_file():
            self._fail(self._out, "there is no package here; run `lmwire-codegen generate`")
            return False
        *parents, _ = self._package.split(".")
        for count in range(1, len(parents) + 1):
            parent = ModuleType(".".join(parents[:count]))
            parent.__path__ = []
            sys.modules[parent.__name__] = parent
        spec = importlib.util.spec_from_file_location(
            self._package, start, submodule_search_locations=[str(self._out)]
        )
        if spec is None or spec.loader is None:
            raise AssertionError(f"{start} is no Python file")
        module = importlib.util.module_from_spec(spec)
        sys.modules[self._package] = module
        try:
            spec.loader.exec_module(module)
        except Exception as error:  # noqa: BLE001  # whatever a module raises is what is looked for
            self._fail(self._package, _words(error))
            return False
        self.result.modules += 1
        return True

    def _import_all(self) -> bool:
        before = len(self.result.failures)
        prefix = f"{self._package}."
        found = pkgutil.walk_packages([str(self._out)], prefix, onerror=lambda name: None)
        for name in [info.name for info in found]:
            self.result.modules += 1
            try:
                importlib.import_module(name)
            except Exception as error:  # noqa: BLE001  # whatever a module raises is what is looked for
                self._fail(name, _words(error))
        return len(self.result.failures) == before

    def _endpoint(self, namespace: Namespace, endpoint: Endpoint) -> None:
        source = endpoint.source
        facade = importlib.import_module(f"{self._package}.{namespace.package}")
        descriptor = getattr(facade.NAMESPACE, source.kind).get(source.name)
        if descriptor is None:
            self._fail(source.place, f"{facade.__name__} has no descriptor of {source.key}")
            return
        for part, value in source.parts.items():
            codec = getattr(descriptor, snake_case(part))
            place = source.place.child(part)
            if codec.presence != value.presence:
                self._fail(place, f"is {codec.presence} in the package, {value.presence} in the schema")
            elif value.type is not None:
                self._there_and_back(place, codec.decode, codec.encode, self._wire_form(endpoint, part))

    def _wire_form(self, endpoint: Endpoint, part: str) -> Callable[[Any], Any]:
        """Return what makes the endpoint's form of plain JSON."""
        type_ = endpoint.source.parts[part].type
        if endpoint.source.serialization == "raw" or type_ is None:
            return lambda sample: sample
        from lmwire_runtime import superjson

        annotations = annotations_of(self._model, type_)
        return lambda sample: superjson.enveloped(sample, annotations)

    def _message(self, key: str, definition: MessageDefinition) -> None:
        module = importlib.import_module(".".join((self._package, *self._model.module_of[key])))
        kind = getattr(module, self._model.names[key], None)
        if kind is None:
            self._fail(definition.place, f"{module.__name__} has no class {self._model.names[key]}")
            return
        self._there_and_back(definition.place, kind.from_wire, kind.to_wire, lambda sample: sample)

    def _there_and_back(
        self, place: Location, decode: Any, encode: Any, wire_form: Callable[[Any], Any]
    ) -> None:
        from lmwire_runtime.wire import LENIENT, STRICT

        try:
            samples = self._sampler.samples(place)
        except NoSampleError as error:
            self.result.untried.append(f"{place}: no sample was found of {error}")
            return
        for sample in map(wire_form, samples):
            self.result.samples += 1
            for mode, decoding in (("strict", STRICT), ("lenient", LENIENT)):
                try:
                    back = encode(decode(sample, decoding))
                except Exception as error:  # noqa: BLE001  # whatever a codec raises is what is looked for
                    self._fail(place, f"{mode} decoding of {_shown(sample)}: {_words(error)}")
                    return
                if not _equal(back, sample):
                    self._fail(place, f"{mode} decoding made {_shown(back)} of {_shown(sample)}")
                    return


def _equal(first: Any, second: Any) -> bool:
    return json.dumps(first, sort_keys=True) == json.dumps(second, sort_keys=True)


def _shown(value: Any) -> str:
    text = json.dumps(value, default=repr)
    return text if len(text) <= 200 else f"{text[:197]}..."


def _words(error: BaseException) -> str:
    return " ".join("".join(traceback.format_exception_only(type(error), error)).split())


def _main(arguments: list[str]) -> None:
    schema, out, package, answer, *only = arguments
    trial = _Trial(Path(schema), Path(out), package, only)
    trial.run()
    Path(answer).write_text(json.dumps(attrs.asdict(trial.result)), encoding="utf-8")


if __name__ == "__main__":
    _main(sys.argv[1:])
