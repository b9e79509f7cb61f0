"""The official SDK's exceptions: names, hierarchy, and which situation raises which."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, cast

import pytest

import lmstudio
import lmwire
from lmwire.llm import LLM
from lmwire_emulator import EmulatorThread, parse_script

HIERARCHY = {
    "LMStudioError": Exception,
    "LMStudioServerError": "LMStudioError",
    "LMStudioModelNotFoundError": "LMStudioServerError",
    "LMStudioPresetNotFoundError": "LMStudioServerError",
    "LMStudioChannelClosedError": "LMStudioServerError",
    "LMStudioPredictionError": "LMStudioServerError",
    "LMStudioClientError": "LMStudioError",
    "LMStudioUnknownMessageWarning": "LMStudioClientError",
    "LMStudioCancelledError": "LMStudioClientError",
    "LMStudioWebsocketError": "LMStudioClientError",
    "LMStudioTimeoutError": "LMStudioError",
    "LMStudioRuntimeError": "LMStudioError",
    "LMStudioValueError": "LMStudioError",
    "LMStudioOSError": "LMStudioError",
    "LMStudioFileNotFoundError": "LMStudioOSError",
}


@pytest.mark.parametrize(("name", "parent"), HIERARCHY.items())
def test_hierarchy(name: str, parent: Any) -> None:
    base = getattr(lmstudio, parent) if isinstance(parent, str) else parent

    assert issubclass(getattr(lmstudio, name), base)


def test_builtins_catch_what_they_should() -> None:
    assert issubclass(lmstudio.LMStudioTimeoutError, TimeoutError)
    assert issubclass(lmstudio.LMStudioFileNotFoundError, FileNotFoundError)


@pytest.fixture
def model() -> Iterator[LLM]:
    rules = [
        {"match": {"exact": "fail"}, "reply": {"fragments": [" a"], "end": {"error": {"title": "broke"}}}},
        {"match": {"exact": "close"}, "reply": {"fragments": [" a"], "end": "close"}},
        {"match": {"exact": "drop"}, "reply": {"fragments": [" a"], "end": "drop"}},
        {"match": {"exact": "hang"}, "reply": {"fragments": [" a"], "end": "hang"}},
        {"reply": {"fragments": [" a", " b"]}},
    ]
    script = parse_script({"rules": rules})
    with EmulatorThread(script=script) as emulator, lmstudio.Client(emulator.api_host) as client:
        yield client.llm.model()


SITUATIONS: dict[str, tuple[Callable[[LLM], Any], type[Exception]]] = {
    "failure in mid-stream": (lambda model: model.complete("fail"), lmstudio.LMStudioPredictionError),
    "closed without a result": (lambda model: model.complete("close"), lmstudio.LMStudioChannelClosedError),
    "connection dropped": (lambda model: model.complete("drop"), lmstudio.LMStudioWebsocketError),
    "silence": (lambda model: model.complete("hang", timeout=0.2), lmstudio.LMStudioTimeoutError),
    "unknown preset": (
        lambda model: model.complete("x", preset="none"),
        lmstudio.LMStudioPresetNotFoundError,
    ),
    "no text": (lambda model: model.complete(5), lmstudio.LMStudioValueError),  # type: ignore[arg-type]
    "unknown option": (
        lambda model: model.complete("x", config=cast(Any, {"maxTokenz": 1})),
        lmstudio.LMStudioValueError,
    ),
    "result too early": (lambda model: model.complete_stream("x").result(), lmstudio.LMStudioRuntimeError),
}


@pytest.mark.parametrize(("call", "error"), SITUATIONS.values(), ids=SITUATIONS)
def test_situation(model: LLM, call: Callable[[LLM], Any], error: type[lmstudio.LMStudioError]) -> None:
    with pytest.raises(error) as caught:
        call(model)

    assert type(caught.value) is error
    assert isinstance(caught.value.__cause__, lmwire.LMWireError)
    assert str(model.complete("y")) == " a b"


def test_an_error_while_iterating_is_translated(model: LLM) -> None:
    fragments: list[str] = []
    with pytest.raises(lmstudio.LMStudioServerError, match="broke"):
        fragments.extend(map(str, model.complete_stream("fail")))

    assert fragments == [" a"]


def test_unknown_models_and_servers() -> None:
    with EmulatorThread(loaded=()) as emulator, lmstudio.Client(emulator.api_host) as client:
        with pytest.raises(lmstudio.LMStudioModelNotFoundError):
            client.llm.model("nobody/nothing")
        with pytest.raises(lmstudio.LMStudioClientError, match="no model is loaded"):
            client.llm.model()
    with pytest.raises(lmstudio.LMStudioClientError, match="no LM Studio server was found"):
        lmstudio.Client("127.0.0.1:9").llm.model()
    with pytest.raises(lmstudio.LMStudioValueError):
        lmstudio.Client("ftp://x")
    with pytest.raises(lmstudio.LMStudioValueError):
        lmstudio.Client("127.0.0.1:9", "no token")


def test_server_errors_keep_the_servers_object() -> None:
    with (
        EmulatorThread() as emulator,
        lmstudio.Client(emulator.api_host) as client,
        pytest.raises(lmstudio.LMStudioServerError) as caught,
    ):
        client.llm.model("nobody/nothing")

    assert caught.value.server_error is not None
    assert caught.value.server_error.display_data["code"] == "generic.pathNotFound"


async def test_asyncio_too() -> None:
    with EmulatorThread() as emulator:
        client = lmstudio.AsyncClient(emulator.api_host)
        model = await client.llm.model()
        with pytest.raises(lmstudio.LMStudioPresetNotFoundError):
            await model.complete_stream("x", preset="none").wait_for_result()
        with pytest.raises(lmstudio.LMStudioModelNotFoundError):
            await client.llm.model("nobody/nothing")
        await client.close()
