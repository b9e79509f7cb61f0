"""The official SDK's exceptions: names, hierarchy, and which situation raises which."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, cast

import pytest

import lmstudio
import lmwire
from lmstudio.exceptions import translate
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


# Every error that lmwire has, and what the drop-in makes of it.
TRANSLATIONS: dict[type[lmwire.LMWireError], type[lmstudio.LMStudioError]] = {
    lmwire.LMWireError: lmstudio.LMStudioClientError,
    lmwire.UsageError: lmstudio.LMStudioValueError,
    lmwire.StateError: lmstudio.LMStudioRuntimeError,
    lmwire.ClosedError: lmstudio.LMStudioRuntimeError,
    lmwire.ProtocolError: lmstudio.LMStudioClientError,
    lmwire.ProtocolMismatchError: lmstudio.LMStudioClientError,
    lmwire.UnsupportedEndpointError: lmstudio.LMStudioServerError,
    lmwire.RefusedRequestError: lmstudio.LMStudioServerError,
    lmwire.RemoteError: lmstudio.LMStudioServerError,
    lmwire.RpcError: lmstudio.LMStudioServerError,
    lmwire.ChannelError: lmstudio.LMStudioServerError,
    lmwire.SignalError: lmstudio.LMStudioServerError,
    lmwire.NoModelLoadedError: lmstudio.LMStudioClientError,
    lmwire.IncompleteError: lmstudio.LMStudioChannelClosedError,
    lmwire.AuthenticationError: lmstudio.LMStudioServerError,
    lmwire.ConnectError: lmstudio.LMStudioWebsocketError,
    lmwire.ServerNotFoundError: lmstudio.LMStudioClientError,
    lmwire.ConnectionLostError: lmstudio.LMStudioWebsocketError,
    lmwire.RequestTimeoutError: lmstudio.LMStudioTimeoutError,
    lmwire.CancelledError: lmstudio.LMStudioCancelledError,
    lmwire.SlowConsumerError: lmstudio.LMStudioClientError,
}
FACTS: dict[type[lmwire.LMWireError], tuple[tuple[Any, ...], dict[str, Any]]] = {
    lmwire.ProtocolMismatchError: (
        (lmwire.DecodeError("/x", "text", "5"),),
        {"revision": "today", "raw": {}},
    ),
    lmwire.RemoteError: (({"title": "words"},), {}),
    lmwire.RpcError: (({"title": "words"},), {}),
    lmwire.ChannelError: (({"title": "words"},), {}),
    lmwire.SignalError: (({"title": "words"},), {}),
    lmwire.ServerNotFoundError: (([("host:1", "words")],), {"hint": "none"}),
    lmwire.RequestTimeoutError: (("words",), {"seconds": 1.0}),
    lmwire.SlowConsumerError: ((), {"buffered_bytes": 1, "stall_seconds": 1.0}),
}


def _all_kinds(kind: type[lmwire.LMWireError]) -> set[type[lmwire.LMWireError]]:
    return {kind, *(found for below in kind.__subclasses__() for found in _all_kinds(below))}


def test_no_error_is_without_a_translation() -> None:
    assert _all_kinds(lmwire.LMWireError) == set(TRANSLATIONS)


@pytest.mark.parametrize(("ours", "theirs"), TRANSLATIONS.items())
def test_translation(ours: type[lmwire.LMWireError], theirs: type[lmstudio.LMStudioError]) -> None:
    arguments, facts = FACTS.get(ours, (("words",), {}))
    error = ours(*arguments, **facts)
    translated = translate(error)

    assert type(translated) is theirs
    assert str(translated) == str(error)


CODES = {
    "generic.identifierNotFound": lmstudio.LMStudioModelNotFoundError,
    "generic.noModelMatchingQuery": lmstudio.LMStudioModelNotFoundError,
    "generic.pathNotFound": lmstudio.LMStudioModelNotFoundError,
    "generic.presetNotFound": lmstudio.LMStudioPresetNotFoundError,
    "generic.somethingElse": lmstudio.LMStudioServerError,
}


@pytest.mark.parametrize(("code", "theirs"), CODES.items())
def test_codes_decide(code: str, theirs: type[lmstudio.LMStudioServerError]) -> None:
    error = translate(lmwire.RpcError({"title": "words", "displayData": {"code": code}}))

    assert type(error) is theirs


@pytest.mark.parametrize("raw", [None, "words", {}, {"title": None, "displayData": 5}, 5])
def test_errors_in_any_shape_are_understood(raw: Any) -> None:
    error = translate(lmwire.ChannelError(raw))

    assert isinstance(error, lmstudio.LMStudioServerError)
    assert error.server_error is not None
    assert error.server_error.title == ("words" if raw == "words" else "Unknown error")
    assert error.server_error.display_data is None


def test_an_answer_that_does_not_fit_is_translated(model: LLM) -> None:
    result = model.complete("y")
    with pytest.raises(lmstudio.ValidationError, match="the text does not fit Shape"):
        result.parse_as(Shape)


class Shape(lmstudio.BaseModel):
    sides: int


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


async def test_an_error_in_an_asynchronous_loop_is_translated() -> None:
    rules = [{"reply": {"fragments": [" a"], "end": {"error": {"title": "broke"}}}}]
    with EmulatorThread(script=parse_script({"rules": rules})) as emulator:
        client = lmstudio.AsyncClient(emulator.api_host)
        stream = (await client.llm.model()).complete_stream("x")
        fragments: list[str] = []

        async def read() -> None:
            async for fragment in stream:
                fragments.append(str(fragment))

        with pytest.raises(lmstudio.LMStudioPredictionError, match="broke"):
            await read()
        with pytest.raises(lmstudio.LMStudioPredictionError, match="broke"):
            stream.result()
        with pytest.raises(lmstudio.LMStudioRuntimeError, match="has ended"):
            await read()
        await client.aclose()

    assert fragments == [" a"]


@pytest.mark.parametrize(
    ("name", "group"), [("ActResult", "agents"), ("ToolFunctionDef", "agents"), ("plugin", "plugins")]
)
def test_later_work_says_so(name: str, group: str) -> None:
    with pytest.raises(AttributeError, match=rf"no attribute '{name}': {group} are later work in lmwire"):
        getattr(lmstudio, name)


def test_agents_are_later_work_and_say_what_there_is_instead(model: LLM) -> None:
    with pytest.raises(AttributeError, match=r"'LLM' object has no attribute 'act': .*on_tool_call"):
        _ = model.act  # type: ignore[attr-defined]
    for missing in (lmstudio, model):
        with pytest.raises(AttributeError, match=r"no attribute 'nonsense'$"):
            _ = missing.nonsense  # type: ignore[union-attr]


def test_unloading_what_is_not_loaded(model: LLM) -> None:
    with pytest.raises(lmstudio.LMStudioModelNotFoundError):
        model._namespace.unload("no")
    model.unload()
    with pytest.raises(lmstudio.LMStudioModelNotFoundError):
        model.unload()


def test_a_namespace_that_has_no_models_is_refused() -> None:
    with pytest.raises(lmstudio.LMStudioValueError, match="namespace must be 'llm', 'embedding'"):
        lmstudio.Client("127.0.0.1:9").list_downloaded_models("lmm")


def test_a_channel_closed_without_a_result_is_caught_as_officially() -> None:
    error = translate(lmwire.IncompleteError("the server closed the channel without a result"))
    assert isinstance(error, lmstudio.LMStudioRuntimeError)
    assert isinstance(error, lmstudio.LMStudioChannelClosedError)
