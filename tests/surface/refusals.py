"""Calls that are refused or fail, and what is looked at then: the exception, its facts, whether the client goes on."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

import attrs
import pytest

from lmstudio import exceptions as official
from lmwire import LMWireError, RemoteError, llm
from lmwire_emulator import EmulatorThread, Generation, parse_script
from tests.surface.shells import Shell

__all__ = [
    "ANYTHING",
    "SMALL",
    "Bench",
    "Make",
    "Refusal",
    "any_model",
    "check",
    "make_benches",
    "model_under",
    "unknown_layer",
]

SMALL: Final = "emulator/ngram-small"
ANYTHING: Final = object()
"""Stands for any fact but None."""

_COMPLETION: Final[Mapping[Generation, str]] = {"2026": "llm.completeRawText", "2025": "llm.predict"}


@attrs.define
class Bench:
    """A client of an emulator, behind one of the shells."""

    shell: Shell
    generation: Generation
    emulator: EmulatorThread
    client: Any

    def model(self, key: str = SMALL, **options: Any) -> Any:
        return self.shell.call(self.client.llm.model, key, **options)

    def load(self, key: str = SMALL, **options: Any) -> Any:
        return self.shell.call(self.client.llm.load_new_instance, key, **options)

    def complete(self, key: str = SMALL, prompt: str = "My name is", **options: Any) -> Any:
        return self.shell.call(self.model(key).complete, prompt, **options)

    def rpc(self, name: str, **parameter: Any) -> Any:
        namespace, _, method = name.partition(".")
        return self.shell.call(getattr(getattr(self.client, namespace).rpc, method), **parameter)

    def packets(self, name: str, **creation: Any) -> list[Any]:
        namespace, _, method = name.partition(".")
        channel = self.shell.call(getattr(getattr(self.client, namespace).channel, method), **creation)
        return list(self.shell.iterate(channel))

    def goes_on(self) -> None:
        """Fail unless the same client can still do everything."""
        text = self.complete(prompt="and now", config={"maxTokens": 2})
        assert text.stats.predicted_tokens_count >= 1
        assert [one.identifier for one in self.shell.call(self.client.llm.list_loaded)].count(SMALL) == 1


Make = Callable[..., Bench]


def make_benches(shell: Shell, generation: Generation) -> Iterator[Make]:
    """Give what makes a ``Bench`` of a script's rules, and options of the emulator and the client; then close all."""
    made: list[Bench] = []

    def make(*rules: dict[str, Any], client: Mapping[str, Any] | None = None, **options: Any) -> Bench:
        emulator = EmulatorThread(
            script=parse_script({"rules": list(rules)}), generation=generation, **options
        )
        emulator.start()
        made.append(Bench(shell, generation, emulator, shell.client(emulator.api_host, **(client or {}))))
        return made[-1]

    yield make
    for one in made:
        shell.call(one.client.close)
        one.emulator.close()


def any_model() -> Any:
    return llm.ModelSpecifierQuery(query=llm.ModelQuery())


def model_under(identifier: str) -> Any:
    return llm.ModelSpecifierQuery(query=llm.ModelQuery(identifier=identifier))


def unknown_layer() -> Any:
    """What a server refuses: names of layers are a closed list."""
    return llm.KvConfigStack(
        layers=[llm.KvConfigStackLayer(layer_name="mine", config=llm.KvConfig(fields=[]))]
    )


@attrs.frozen(kw_only=True)
class Refusal:
    """A call that is refused, and the exception that it raises; facts that are None must be None."""

    call: Callable[[Bench], Any]
    error: type[LMWireError]
    endpoint: str
    official: type[official.LMStudioError] = official.LMStudioServerError
    title: Any = None
    cause: Any = None
    suggestion: Any = None
    display_data: Mapping[str, Any] | None = None
    says: str = ""
    """What the message has to have in it."""


def check(refusal: Refusal, bench: Bench) -> None:
    """Make the call, look at what it raises, and go on with the same client."""
    bench.model()
    with pytest.raises(LMWireError) as caught:
        refusal.call(bench)

    error = caught.value
    assert type(error) is refusal.error, error
    endpoint = refusal.endpoint or _COMPLETION[bench.generation]
    assert f"{error.namespace}.{error.endpoint}" == endpoint
    assert error.request_id is not None
    assert endpoint in str(error)
    assert refusal.says in str(error)
    if isinstance(error, RemoteError):
        assert same(error.title, refusal.title)
        assert same(error.cause, refusal.cause)
        assert same(error.suggestion, refusal.suggestion)
        assert same(error.display_data, refusal.display_data)
        for fact in (error.title, error.cause, error.suggestion):
            assert fact is None or fact in str(error)
    translated = official.translate(error)
    assert isinstance(translated, refusal.official)
    assert str(translated) == str(error)
    bench.goes_on()


def same(found: Any, wanted: Any) -> bool:
    """Whether a fact is what it should be; ``ANYTHING`` stands for any but None."""
    if wanted is ANYTHING:
        return found is not None
    if isinstance(wanted, Mapping):
        return (
            isinstance(found, dict)
            and found.keys() == wanted.keys()
            and all(same(found[key], wanted[key]) for key in wanted)
        )
    return bool(found == wanted)
