"""Text completion as its users see it: fragments, results, callbacks, ends of every kind. Each test runs over
both shells.
"""

from __future__ import annotations

import _thread
import asyncio
import socket
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from lmwire import (
    AsyncClient,
    CancelledError,
    ChannelError,
    Client,
    ConnectionLostError,
    IncompleteError,
    NoModelLoadedError,
    RequestTimeoutError,
    StateError,
    UsageError,
)
from lmwire_emulator import EmulatorThread
from lmwire_runtime.limits import Timeouts
from tests.surface.conftest import KEY, Scripted
from tests.surface.shells import Shell

Make = Callable[..., Scripted]

HELLO = {"reply": {"fragments": [" Anna", ".", " Hello"], "progress": [0.25, 0.75, 0.5]}}
SLOW = {"reply": {"fragments": [{"text": " word", "delay": 0.005}] * 3000}}
HANGS = "emulator/hangs-in-mid-stream"
CANCEL = {"type": "channelSend", "message": {"type": "cancel"}}


def test_fragments_and_result_print_as_their_text(scripted: Make) -> None:
    one = scripted(HELLO)
    stream = one.stream("My name is")

    assert [str(fragment) for fragment in one.shell.iterate(stream)] == [" Anna", ".", " Hello"]
    result = stream.result()
    assert str(result) == result.content == result.parsed == " Anna. Hello"
    assert not result.structured
    assert result.stats.stop_reason == "eosFound"
    assert result.stats.predicted_tokens_count == 3
    assert result.model_info.identifier == one.model.identifier == KEY
    assert stream.stats == result.stats
    assert stream.model_info == result.model_info


def test_complete_returns_the_result(scripted: Make) -> None:
    one = scripted(HELLO)

    assert str(one.shell.call(one.model.complete, "x")) == " Anna. Hello"


def test_nothing_is_sent_before_the_first_use(scripted: Make) -> None:
    one = scripted(HELLO)
    stream = one.stream()

    with pytest.raises(UsageError, match="not started"):
        stream.result()
    assert stream.stats is None
    assert one.frames.received(type="channelCreate") == []


def test_callbacks_come_in_order_with_rising_progress(scripted: Make) -> None:
    one = scripted(HELLO)
    seen: list[Any] = []
    stream = one.stream(
        on_prompt_processing_progress=lambda value: seen.append(value),
        on_first_token=lambda: seen.append("first"),
        on_prediction_fragment=lambda fragment: seen.append(fragment.content),
        on_message=lambda message: seen.append(message.content[0].text),
    )
    for fragment in one.shell.iterate(stream):
        seen.append(f"yielded {fragment}")

    assert seen == [
        0.0, 0.25, 0.75, 1.0, "first",
        " Anna", "yielded  Anna", ".", "yielded .", " Hello", "yielded  Hello", " Anna. Hello",
    ]  # fmt: skip


def test_an_emoji_in_two_halves_becomes_whole(scripted: Make) -> None:
    one = scripted({"reply": {"fragments": [" a", "\ud83d", "\ude00", "b"]}})

    assert one.shell.call(one.model.complete, "x").content == " a\N{GRINNING FACE}b"


def test_a_reply_without_text_has_an_empty_result(scripted: Make) -> None:
    one = scripted({"reply": {"fragments": []}})

    assert one.shell.call(one.model.complete, "x").content == ""


@pytest.mark.parametrize("way", ["leave_after", "leave_context_after"])
def test_leaving_early_cancels_on_the_server_and_the_next_call_works(scripted: Make, way: str) -> None:
    one = scripted({"match": {"exact": "x"}, **SLOW}, HELLO)
    stream = one.stream("x")

    assert len(getattr(one.shell, way)(stream, 2)) == 2
    one.frames.wait_received(CANCEL)
    assert str(one.shell.call(one.model.complete, "y")) == " Anna. Hello"
    with pytest.raises(CancelledError):
        stream.result()
    assert stream.text_so_far == " word word"


def test_cancel_ends_the_stream_with_a_result(scripted: Make) -> None:
    one = scripted(SLOW)
    stream = one.stream()
    fragments = one.shell.iterate(stream)

    first = next(fragments)
    one.shell.call(stream.cancel)
    one.shell.call(stream.cancel)
    result = (
        one.shell.call(stream.wait_for_result) if one.shell.name == "async" else _drained(stream, fragments)
    )

    assert result.content == first.content
    assert result.stats.stop_reason == "userStopped"
    assert len(one.frames.received(**CANCEL)) == 1


def _drained(stream: Any, fragments: Any) -> Any:
    assert list(fragments) == []  # what comes after a cancel is dropped
    return stream.result()


def test_cancel_before_the_first_use_sends_nothing(scripted: Make) -> None:
    one = scripted(HELLO)
    stream = one.stream()

    one.shell.call(stream.cancel)

    with pytest.raises(CancelledError):
        stream.result()
    assert one.frames.received(type="channelCreate") == []


def test_a_hundred_cancels_in_a_row_leave_the_connection_usable(scripted: Make) -> None:
    one = scripted({"match": {"exact": "x"}, **SLOW}, HELLO)

    for _ in range(100):
        one.shell.leave_after(one.stream("x"), 1)

    assert str(one.shell.call(one.model.complete, "y")) == " Anna. Hello"
    one.frames.wait_received(CANCEL, 100)
    assert one.frames.sent(type="communicationWarning") == []
    assert len({frame["channelId"] for frame in one.frames.received(type="channelCreate")}) == 101


@pytest.mark.parametrize(
    "callback", ["on_prediction_fragment", "on_first_token", "on_prompt_processing_progress"]
)
def test_a_callback_that_raises_ends_the_stream_with_its_exception(scripted: Make, callback: str) -> None:
    one = scripted({"match": {"exact": "x"}, **SLOW}, HELLO)

    def fail(*_: Any) -> None:
        raise ZeroDivisionError("mine")

    with pytest.raises(ZeroDivisionError, match="mine"):
        one.shell.call(one.model.complete, "x", **{callback: fail})
    one.frames.wait_received(CANCEL)
    assert str(one.shell.call(one.model.complete, "y")) == " Anna. Hello"


def test_a_failure_in_mid_stream_keeps_the_text(scripted: Make) -> None:
    failure = {"error": {"title": "the engine broke", "cause": "heat", "suggestion": "cool it"}}
    one = scripted({"reply": {"fragments": [" one", " two"], "end": failure}})
    stream = one.stream()

    with pytest.raises(ChannelError) as caught:
        list(one.shell.iterate(stream))

    assert (caught.value.title, caught.value.cause, caught.value.suggestion) == (
        "the engine broke",
        "heat",
        "cool it",
    )
    assert caught.value.endpoint == "completeRawText"
    assert stream.text_so_far == " one two"
    with pytest.raises(ChannelError):
        stream.result()


@pytest.mark.parametrize(
    ("end", "error"),
    [("close", IncompleteError), ("drop", ConnectionLostError), ("hang", RequestTimeoutError)],
)
def test_other_ends_are_typed_errors_and_the_next_call_works(
    scripted: Make, end: str, error: type[Exception]
) -> None:
    one = scripted({"match": {"exact": "x"}, "reply": {"fragments": [" one"], "end": end}}, HELLO)

    with pytest.raises(error):
        one.shell.call(one.model.complete, "x", timeout=0.3)
    assert str(one.shell.call(one.model.complete, "y")) == " Anna. Hello"


def test_a_stream_is_read_once(scripted: Make) -> None:
    one = scripted(HELLO)
    stream = one.stream("My name is")
    assert "".join(map(str, one.shell.iterate(stream))) == " Anna. Hello"

    with pytest.raises(StateError, match="has ended"):
        list(one.shell.iterate(stream))
    assert str(one.shell.call(stream.wait_for_result)) == " Anna. Hello"


def test_a_second_reader_is_refused_and_the_first_gets_everything(scripted: Make) -> None:
    one = scripted({"reply": {"fragments": [{"text": " word", "delay": 0.01}] * 30}})
    attempts: list[Any] = []

    def interfere(fragment: Any) -> None:
        if attempts:
            return
        if one.shell.name == "async":
            attempts.append(asyncio.get_running_loop().create_task(stream.wait_for_result()))
        else:
            with ThreadPoolExecutor(1) as pool:
                attempts.append(pool.submit(stream.wait_for_result))

    stream = one.stream(on_prediction_fragment=interfere)

    assert one.shell.call(stream.wait_for_result).content == " word" * 30
    with pytest.raises(StateError, match="read by another"):
        attempts[0].result()


@pytest.mark.parametrize("shell", ["sync"], indirect=True)  # an asynchronous stream's callbacks cannot wait
@pytest.mark.parametrize("callback", ["on_message", "on_prediction_fragment", "on_first_token"])
def test_a_callback_cannot_read_its_own_stream(scripted: Make, callback: str) -> None:
    one = scripted(HELLO)
    streams: list[Any] = []
    options: dict[str, Any] = {callback: lambda *_: streams[0].wait_for_result()}
    streams.append(one.stream(**options))

    with pytest.raises(StateError, match="callback of this stream"):
        one.shell.call(streams[0].wait_for_result)
    assert str(one.shell.call(one.model.complete, "y")) == " Anna. Hello"


def test_a_timeout_cancels_on_the_server(scripted: Make) -> None:
    one = scripted({"reply": {"fragments": [], "end": "hang"}})

    with pytest.raises(RequestTimeoutError):
        one.shell.call(one.model.complete, "x", timeout=0.05)
    one.frames.wait_received(CANCEL)


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"config": {"maxTokenz": 5}}, "maxTokens"),
        ({"config": {"temperature": -1}}, "temperature"),
        ({"config": {"rawTools": {"type": "toolArray", "tools": []}}}, "rawTools"),
        ({"preset": 5}, "preset"),
        ({"timeout": -1}, "timeout"),
        ({"on_first_token": 5}, "on_first_token"),
        ({"on_prompt_processing_progress": 5}, "on_prompt_processing_progress"),
        ({"config": {"temperature": 10**400}}, "temperature"),
        ({"response_format": 5}, "response_format"),
        ({"response_format": {"type": "object"}, "config": {"structured": {"type": "json"}}}, "not both"),
    ],
)
def test_misuse_is_refused_before_anything_is_sent(
    scripted: Make, options: dict[str, Any], text: str
) -> None:
    one = scripted(HELLO)

    with pytest.raises(UsageError, match=text):
        one.shell.call(one.model.complete, "x", **options)
    assert one.frames.received(type="channelCreate") == []


def test_structured_output_is_parsed(scripted: Make) -> None:
    one = scripted({"reply": {"fragments": ['{"x":', " 7}"]}})
    schema = {"type": "object", "properties": {"x": {"type": "integer"}}, "required": ["x"]}

    result = one.shell.call(one.model.complete, "x", response_format=schema)

    assert result.structured
    assert result.parsed == {"x": 7}
    assert str(result) == '{\n  "x": 7\n}'
    (created,) = one.frames.received(type="channelCreate")
    fields = created["creationParameter"]["predictionConfigStack"]["layers"][0]["config"]["fields"]
    assert {"key": "llm.prediction.structured", "value": {"type": "json", "jsonSchema": schema}} in fields


def test_what_is_sent_is_what_the_official_sdk_sends(scripted: Make) -> None:
    one = scripted(HELLO)

    one.shell.call(
        one.model.complete, "My name is", config={"temperature": 0.2, "max_tokens": 32}, preset="steady"
    )

    (created,) = one.frames.received(type="channelCreate")
    assert created["endpoint"] == "completeRawText"
    parameter = created["creationParameter"]
    fields = parameter.pop("predictionConfigStack")["layers"][0]["config"]["fields"]
    assert parameter == {
        "modelSpecifier": {"type": "query", "query": {"identifier": KEY}},
        "rawPrompt": "My name is",
        "fuzzyPresetIdentifier": "steady",
    }
    assert {field["key"]: field["value"] for field in fields} == {
        "llm.prediction.temperature": 0.2,
        "llm.prediction.maxPredictedTokens": {"checked": True, "value": 32},
        "llm.prediction.stopStrings": [],
    }


def test_an_older_server_is_asked_the_older_way_and_remembered(scripted: Make) -> None:
    one = scripted(HELLO, generation="2025")

    for _ in range(8):
        assert str(one.shell.call(one.model.complete, "My name is")) == " Anna. Hello"

    created = [frame["endpoint"] for frame in one.frames.received(type="channelCreate")]
    assert created == ["completeRawText", *["predict"] * 8]
    assert len(one.frames.sent(type="communicationWarning")) == 1


def test_the_timeout_of_a_call_limits_connecting_too(shell: Shell) -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        client = shell.client(f"127.0.0.1:{silent.getsockname()[1]}", timeouts=Timeouts(connect=60))
        with pytest.raises(RequestTimeoutError) as caught:
            shell.call(client.llm.list_loaded, timeout=0.1)
        shell.call(client.close)

    assert caught.value.seconds == 0.1


@pytest.mark.parametrize("options", [{"timeouts": 5}, {"limits": 5}, {"strict": "false"}, {"on_frame": 5}])
def test_settings_of_a_wrong_kind_are_refused(shell: Shell, options: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match=next(iter(options))):
        shell.client("127.0.0.1:9", **options)


def test_a_tap_that_uses_its_client_is_told_so(caplog: pytest.LogCaptureFixture) -> None:
    with EmulatorThread() as emulator:
        client: Client = Client(emulator.api_host, on_frame=lambda *frame: client.llm.list_loaded())
        assert client.llm.list_loaded()
        client.close()

    assert "a frame tap must not use a client" in caplog.text


def test_models(shell: Shell) -> None:
    with EmulatorThread(loaded=()) as emulator:
        client = shell.client(emulator.api_host)
        try:
            with pytest.raises(NoModelLoadedError, match="no model is loaded"):
                shell.call(client.llm.model)
            progress: list[float] = []
            model = shell.call(client.llm.model, KEY, on_load_progress=progress.append)
            assert model.identifier == KEY
            assert progress[0] == 0.0
            assert progress[-1] == 1.0
            assert progress == sorted(set(progress))
            again: list[float] = []
            shell.call(client.llm.model, KEY, on_load_progress=again.append)
            assert again == [1.0]
            second = shell.call(
                client.llm.load_new_instance, KEY, "mine", config={"contextLength": 128}, ttl=None
            )
            assert shell.call(second.get_context_length) == 128
            assert [handle.identifier for handle in shell.call(client.llm.list_loaded)] == [KEY, "mine"]
            shell.call(second.unload)
            assert [handle.identifier for handle in shell.call(client.llm.list_loaded)] == [KEY]
            with pytest.raises(ChannelError) as caught:
                shell.call(client.llm.model, "nobody/nothing")
            assert caught.value.code == "generic.pathNotFound"
            with pytest.raises(UsageError, match="ttl"):
                shell.call(client.llm.model, KEY, ttl=0)
        finally:
            shell.call(client.close)


def test_tokens(scripted: Make) -> None:
    one = scripted(HELLO)

    single = one.shell.call(one.model.tokenize, "hello world")
    assert one.shell.call(one.model.tokenize, ["hello world", "x"]) == [
        single,
        one.shell.call(one.model.tokenize, "x"),
    ]
    assert one.shell.call(one.model.count_tokens, "hello world") == len(single)


def test_a_stream_closed_while_its_request_is_being_sent_is_cancelled_on_the_server(
    scripted: Make, shell: Shell
) -> None:
    one = scripted(SLOW)
    streams: list[Any] = []

    def close(direction: str, namespace: str, text: bytes) -> None:
        if b'"channelCreate"' in text:
            stream = streams[0]
            (stream.close if isinstance(one.client, Client) else stream.close_now)()

    client = shell.client(one.emulator.api_host, on_frame=close)
    model = shell.call(client.llm.model, KEY)
    streams.append(shell.call(model.complete_stream, "x"))
    assert list(shell.iterate(streams[0])) == []
    with pytest.raises(CancelledError):
        streams[0].result()
    one.frames.wait_received(CANCEL)
    shell.call(client.close)


def test_ctrl_c_is_not_raised_again_by_who_asks_for_the_result() -> None:
    with EmulatorThread() as emulator, Client(emulator.api_host) as client:
        stream = client.llm.load_new_instance(HANGS).complete_stream(
            "My name is", on_prediction_fragment=lambda _: _thread.interrupt_main()
        )
        with pytest.raises(KeyboardInterrupt):
            stream.wait_for_result()
        for ask in (stream.result, stream.wait_for_result):
            with pytest.raises(CancelledError, match="the text up to then is in text_so_far") as raised:
                ask()
            assert isinstance(raised.value.__cause__, KeyboardInterrupt)
        assert stream.text_so_far


async def test_a_cancelled_reader_does_not_cancel_who_asks_for_the_result() -> None:
    with EmulatorThread() as emulator:
        async with AsyncClient(emulator.api_host) as client:
            stream = (await client.llm.load_new_instance(HANGS)).complete_stream("My name is")
            begun = asyncio.Event()

            async def read() -> None:
                async for _ in stream:
                    begun.set()

            reader = asyncio.create_task(read())
            await begun.wait()
            reader.cancel()
            await asyncio.wait((reader,))
            assert reader.cancelled()
            with pytest.raises(CancelledError, match="the text up to then is in text_so_far"):
                stream.result()
            with pytest.raises(CancelledError):
                await stream.wait_for_result()
