"""Events that go on until somebody ends them: each is told once and in order, and leaving is no error."""

from __future__ import annotations

import _thread
import asyncio
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from lmwire import AsyncClient, ChannelError, Client, ConnectionLostError, RequestTimeoutError, StateError
from lmwire_emulator import EmulatorThread
from tests.surface.namespace_lab import CLOSE, ERROR, HANG, LOSE, STOPPED, Lab
from tests.surface.shells import Shell, SyncShell

STOP = {"type": "channelSend", "message": {"type": "stop"}}


def log(number: int) -> dict[str, Any]:
    data = {"type": "llm.prediction.input", "input": str(number), "modelPath": "p", "modelIdentifier": "m"}
    return {"type": "log", "log": {"timestamp": number, "data": data}}


@pytest.fixture
def lab(shell: Shell) -> Iterator[Lab]:
    made = Lab(shell)
    yield made
    made.close()


def inputs(events: list[Any]) -> list[int]:
    return [int(event.data.input) for event in events]


def test_all_that_was_sent_is_told_in_order_until_the_server_closes(lab: Lab) -> None:
    lab.plays["streamLogs"] = [*map(log, range(2000)), CLOSE]
    logs = lab.call("diagnostics.stream_logs")
    assert lab.frames.seen == []

    events = list(lab.shell.iterate(logs))

    assert inputs(events) == list(range(2000))
    assert events[7].timestamp == 7
    assert events[7].data.model_identifier == "m"
    assert logs.finished
    with pytest.raises(StateError, match="has ended"):
        list(lab.shell.iterate(logs))


@pytest.mark.parametrize("way", ["leave_after", "leave_context_after"])
def test_leaving_asks_the_server_to_stop(lab: Lab, way: str) -> None:
    lab.plays["streamLogs"] = [*map(log, range(5)), HANG]
    logs = lab.call("diagnostics.stream_logs")

    assert inputs(getattr(lab.shell, way)(logs, 3)) == [0, 1, 2]
    lab.frames.wait_received(STOP)
    assert logs.finished
    lab.shell.call(logs.close)  # harmless
    again = lab.call("diagnostics.stream_logs")
    assert inputs(lab.shell.leave_after(again, 2)) == [0, 1]


def test_after_a_cancel_the_rest_is_told(lab: Lab) -> None:
    lab.plays["streamLogs"] = [*map(log, range(3)), STOPPED]
    logs = lab.call("diagnostics.stream_logs")
    told = []
    for event in lab.shell.iterate(logs):
        told.append(event)
        if len(told) == 1:
            lab.shell.call(logs.cancel)

    assert inputs(told) == [0, 1, 2]
    assert lab.frames.received(**STOP) != []


def test_closing_ends_the_loop_of_who_waits(lab: Lab) -> None:
    lab.plays["streamLogs"] = [log(0), HANG]
    logs = lab.call("diagnostics.stream_logs")
    told: list[Any] = []
    ended = threading.Event()

    def read() -> None:
        told.extend(lab.shell.iterate(logs))
        ended.set()

    reader = threading.Thread(target=read)
    reader.start()
    lab.frames.wait_received({"endpoint": "streamLogs"})
    lab.shell.call(logs.close)
    assert ended.wait(30)
    reader.join()
    assert inputs(told) in ([0], [])
    lab.frames.wait_received(STOP)


def test_what_is_closed_before_its_first_use_is_never_sent(lab: Lab) -> None:
    logs = lab.call("diagnostics.stream_logs")
    lab.shell.call(logs.close)

    with pytest.raises(StateError):
        list(lab.shell.iterate(logs))
    assert lab.frames.seen == []


@pytest.mark.parametrize(("end", "error"), [(ERROR, ChannelError), (LOSE, ConnectionLostError)])
def test_other_ends_are_errors_after_all_events(lab: Lab, end: str, error: type[Exception]) -> None:
    lab.plays["streamLogs"] = [log(0), log(1), end]
    told: list[Any] = []

    with pytest.raises(error):
        told.extend(lab.shell.iterate(lab.call("diagnostics.stream_logs")))
    if end == ERROR:
        assert inputs(told) == [0, 1]


def test_silence_is_an_error_only_if_the_caller_says_so(lab: Lab) -> None:
    lab.plays["streamLogs"] = [HANG]

    with pytest.raises(RequestTimeoutError):
        list(lab.shell.iterate(lab.call("diagnostics.stream_logs", timeout=0.2)))
    lab.frames.wait_received(STOP)


def test_ctrl_c_asks_the_server_to_stop() -> None:
    lab = Lab(SyncShell())
    lab.plays["streamLogs"] = [log(0), HANG]

    def follow() -> None:
        with lab.client.diagnostics.stream_logs() as logs:
            for _ in logs:
                _thread.interrupt_main()

    try:
        with pytest.raises(KeyboardInterrupt):
            follow()
        lab.frames.wait_received(STOP)
    finally:
        lab.close()


async def test_a_task_that_is_cancelled_asks_the_server_to_stop() -> None:
    lab = Lab(SyncShell())
    lab.plays["streamLogs"] = [log(0), HANG]
    begun = asyncio.Event()

    async def follow(client: AsyncClient) -> None:
        async for _ in client.diagnostics.stream_logs():
            begun.set()

    try:
        async with AsyncClient(lab.host) as client:
            task = asyncio.create_task(follow(client))
            await asyncio.wait_for(begun.wait(), 30)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            await asyncio.to_thread(lab.frames.wait_received, STOP)
    finally:
        lab.close()


def test_the_emulator_logs_what_models_read_and_write() -> None:
    with EmulatorThread() as emulator, Client(emulator.api_host) as client:
        model = client.llm.model("emulator/ngram-small")
        with client.diagnostics.stream_logs() as logs:
            client.diagnostics.connection.keep_alive()  # by now the server listens
            text = model.complete("My name is", config={"maxTokens": 3}).content
            events = [next(iter(logs))]
        assert events[0].data.to_wire()["input"] == "My name is"
        assert text
