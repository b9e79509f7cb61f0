"""``schema/wire`` as tests read it: references resolved, objects closed, and judged by the jsonschema library.

A schema here is plain JSON Schema without references. One place of the files becomes one dictionary, however often it
is referred to, so that the identity of a dictionary tells which type it is. Objects with known fields get
``additionalProperties: false``, because an unknown key is a deviation in strict mode though JSON Schema allows it.
"""

from __future__ import annotations

import json
import posixpath
import re
import unicodedata
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final, TypeAlias

import yaml
from jsonschema import Draft202012Validator, ValidationError, validators

Schema: TypeAlias = "dict[str, Any]"

FOLDER: Final = Path(__file__).resolve().parents[2] / "schema"

TOLERANT: Final = "x-tolerant"
"""Keyword of the types whose ill-typed fields are dropped one by one (``repairs.yaml``)."""

KINDS: Final = ("rpc", "channel", "signal")
PARTS: Final = {"parameter": "parameter", "result": "result", "creation": "creation", "toServer": "to_server",
                "toClient": "to_client", "value": "value"}  # fmt: skip
"""Parts of endpoints: the schema's name -> the descriptor's."""


# --- patterns: what they mean, written by hand ------------------------------------------------------------------------


def _words(separators: str) -> Callable[[str], bool]:
    """Lower-case letters and digits of ASCII, in words with one separator between them."""
    letters = "abcdefghijklmnopqrstuvwxyz0123456789"

    def fits(text: str) -> bool:
        parts = re.split(f"[{re.escape(separators)}]", text)
        return all(part and all(letter in letters for letter in part) for part in parts)

    return fits


def _is_file_name(text: str) -> bool:
    """One segment of a path: letters and numbers of any script, some signs, spaces inside, no dot at the end."""

    def fits(letter: str) -> bool:
        return unicodedata.category(letter)[0] in "LN" or letter in "!@#$%^&()-_+=,.;'[]{}~`"

    inside = all(fits(letter) or letter == " " for letter in text)
    return bool(text) and fits(text[0]) and inside and text[-1] not in ". "


PATTERNS: Final[Mapping[str, Callable[[str], bool]]] = {
    r"^[a-z0-9]+(?:-[a-z0-9]+)*$": _words("-"),
    r"^[a-z0-9]+(?:[-.][a-z0-9]+)*$": _words("-."),
    r"^[\p{L}\p{N}!@#$%^&()\-_+=,.;'[\]{}~`][\p{L}\p{N}!@#$%^&()\-_+=,.;'[\]{}~` ]*(?<![. ])$": _is_file_name,
}
PATTERN_SAMPLES: Final[Mapping[str, tuple[str, ...]]] = dict(
    zip(
        PATTERNS,
        (("a", "a-b", "0"), ("a", "a-b.c", "9.9"), ("a", "Ünï çode.txt", "[x] y", "١٢٣", "_")),
        strict=True,
    )
)
PATTERN_MISFITS: Final = ("", "A", "a--b", "a-", "-a", "a\n", "ä ", "a/b", " a", "a.", "a\\b", "e\u0302")


# --- resolving --------------------------------------------------------------------------------------------------------


class SchemaFiles:
    """The files of one schema folder, read by nothing of the compiler."""

    def __init__(self, folder: Path) -> None:
        self.folder: Final = folder
        self.documents: Final[Mapping[str, Any]] = {
            path.relative_to(folder).as_posix(): json.loads(path.read_text(encoding="utf-8"))
            for path in sorted(folder.glob("wire/**/*.json"))
        }
        repairs = folder / "repairs.yaml"
        table = yaml.safe_load(repairs.read_text(encoding="utf-8")) if repairs.exists() else {}
        self._tolerant: Final = frozenset(table.get("tolerant", ()))
        self._made: Final[dict[tuple[str, str], Schema]] = {}

    def at(self, file: str, pointer: str) -> Schema:
        """The schema at a place, without references."""
        body: Any = self.documents[file]
        for segment in pointer.split("/")[1:]:
            key = segment.replace("~1", "/").replace("~0", "~")
            body = body[int(key)] if isinstance(body, list) else body[key]
        if not isinstance(body, dict):
            raise LookupError(f"no schema at {file}#{pointer}")
        if "$ref" in body:
            return self.at(*_target(file, body["$ref"]))
        if (file, pointer) not in self._made:
            self._made[file, pointer] = made = {}
            made.update(self._resolved(body, file, pointer))
        return self._made[file, pointer]

    def _resolved(self, body: Schema, file: str, pointer: str) -> Schema:
        made = {key: value for key, value in body.items() if key != "default"}
        if "properties" in body:
            made["properties"] = {
                name: self.at(file, f"{pointer}/properties/{escaped(name)}") for name in body["properties"]
            }
            made["additionalProperties"] = False
            if pointer.removeprefix("/$defs/") in self._tolerant:
                made[TOLERANT] = True
        for key in ("items", "additionalProperties"):
            if isinstance(body.get(key), dict):
                made[key] = self.at(file, f"{pointer}/{key}")
        for key in ("anyOf", "prefixItems"):
            if key in body:
                made[key] = [self.at(file, f"{pointer}/{key}/{index}") for index in range(len(body[key]))]
        return made

    def endpoint_parts(self) -> Iterator[tuple[str, str, str, str, str, bool]]:
        """Each part of an endpoint that is not void: namespace, kind, name, part, file, whether it may be absent."""
        for file, document in self.documents.items():
            for kind in KINDS:
                for name, endpoint in document.get(kind, {}).items():
                    for part in PARTS:
                        if endpoint.get(part, False) is not False:
                            optional = part in endpoint.get("optional", ())
                            yield document["namespace"], kind, name, part, file, optional

    def places(self) -> Iterator[tuple[str, str, Schema]]:
        """Every place that holds a schema, as the files have it: file, pointer, schema."""
        for file, document in self.documents.items():
            for name, body in document.get("$defs", {}).items():
                yield from _below(file, f"/$defs/{escaped(name)}", body)
        for _, kind, name, part, file, _ in self.endpoint_parts():
            pointer = f"/{kind}/{escaped(name)}/{part}"
            yield from _below(file, pointer, self.documents[file][kind][name][part])


def escaped(segment: str | int) -> str:
    """``segment`` as a JSON pointer has it."""
    return str(segment).replace("~", "~0").replace("/", "~1")


def _target(file: str, reference: str) -> tuple[str, str]:
    other, _, pointer = reference.partition("#")
    return (posixpath.normpath(posixpath.join(posixpath.dirname(file), other)) if other else file), pointer


def _below(file: str, pointer: str, body: Any) -> Iterator[tuple[str, str, Schema]]:
    if not isinstance(body, dict):
        return
    yield file, pointer, body
    for name, child in body.get("properties", {}).items():
        yield from _below(file, f"{pointer}/properties/{escaped(name)}", child)
    for key in ("items", "additionalProperties"):
        yield from _below(file, f"{pointer}/{key}", body.get(key))
    for key in ("anyOf", "prefixItems"):
        for index, child in enumerate(body.get(key, ())):
            yield from _below(file, f"{pointer}/{key}/{index}", child)


# --- the second opinion -----------------------------------------------------------------------------------------------


def _pattern(validator: Any, pattern: str, instance: Any, schema: Schema) -> Iterator[Any]:
    if isinstance(instance, str) and not PATTERNS[pattern](instance):
        yield ValidationError(f"{instance!r} does not match {pattern!r}")


_extend: Any = validators.extend  # untyped
_Validator: Final = _extend(Draft202012Validator, {"pattern": _pattern})


def is_valid(schema: Schema, value: Any) -> bool:
    """Whether ``value`` is a valid instance without unknown keys, as the jsonschema library sees it."""
    return bool(_Validator(schema).is_valid(value))
