"""Loads that are followed step by step, and cancelled from wherever."""

from __future__ import annotations

import _thread
import asyncio
import threading
from collections.abc import Callable
from typing import Any

import pytest

from lmwire import AsyncClient, CancelledError, ChannelError, Client, IncompleteError, StateError, UsageError
from lmwire_emulator import EmulatorThread, parse_script
from tests.surface.conftest import KEY, Frames, Scripted

Make = Callable[..., Scripted]

VISION = "emulator/ngram-vision"
CANCEL = {"type": "channelSend", "message": {"type": "cancel"}}


def loading(*progress: float, end: Any = None) -> dict[str, Any]:
    reply = {"progress": list(progress)}
    return {"load": VISION, "times": 1, "reply": reply if end is None else {**reply, "end": end}}


@pytest.mark.parametrize("way", ["model_stream", "load_new_instance_stream"])
def test_progress_rises_to_one_and_then_there_is_a_handle(scripted: Make, way: str) -> None:
    one = scripted(loading(0, 0.5, 0.25, 0.75))
    told: list[float] = []
    load = one.shell.call(getattr(one.client.llm, way), VISION, on_load_progress=told.append)

    assert list(one.shell.iterate(load)) == told == [0.0, 0.5, 0.75, 1.0]
    assert load.finished
    assert load.progress == 1.0
    assert load.result().identifier == VISION
    assert one.shell.call(load.result().count_tokens, "a b") > 0


def test_a_model_that_is_loaded_already(scripted: Make) -> None:
    one = scripted(loading())
    load = one.shell.call(one.client.llm.model_stream, KEY)

    assert one.shell.call(load.wait_for_result).identifier == KEY
    with pytest.raises(StateError, match="has ended"):
        list(one.shell.iterate(load))


def test_nothing_is_sent_before_the_first_use(scripted: Make) -> None:
    one = scripted(loading())
    load = one.shell.call(one.client.llm.model_stream, VISION)

    assert load.progress == 0.0
    with pytest.raises(StateError, match="not started"):
        load.result()
    one.shell.call(load.cancel)
    with pytest.raises(CancelledError, match="not started"):
        load.result()
    assert one.frames.received(type="channelCreate") == []


@pytest.mark.parametrize("way", ["leave_after", "leave_context_after"])
def test_leaving_cancels_the_load(scripted: Make, way: str) -> None:
    one = scripted(loading(0, 0.25, end="hang"))
    load = one.shell.call(one.client.llm.model_stream, VISION)

    assert getattr(one.shell, way)(load, 2) == [0.0, 0.25]
    one.frames.wait_received(CANCEL)
    with pytest.raises(CancelledError, match="the load was cancelled"):
        load.result()
    assert (
        one.shell.call(one.client.llm.model, VISION).identifier == VISION
    )  # the connection is as good as ever


@pytest.mark.parametrize("way", ["leave_after", "leave_context_after"])
def test_who_leaves_a_load_that_is_over_has_the_model(scripted: Make, way: str) -> None:
    one = scripted(loading(0, 0.5))
    load = one.shell.call(one.client.llm.load_new_instance_stream, VISION, "mine")
    one.shell.call(load.start)
    create = {"type": "channelCreate", "endpoint": "loadModel"}
    one.frames.wait_received(create)
    one.frames.wait_sent({"type": "channelClose", "channelId": one.frames.received(**create)[0]["channelId"]})
    # A tap hears of a frame before it is written; by this answer, over another connection, it was.
    one.shell.call(one.client.system.rpc.list_downloaded_models)

    assert getattr(one.shell, way)(load, 1) == [0.0]
    assert load.result().identifier == "mine"
    assert "mine" in [handle.identifier for handle in one.shell.call(one.client.llm.list_loaded)]
    assert one.frames.received(**CANCEL) == []


def test_another_thread_or_task_cancels_the_load(scripted: Make) -> None:
    one = scripted(loading(0, 0.25, end="hang"))
    others: list[Any] = []

    def look_on(progress: float) -> None:
        if progress < 0.25:
            return
        if one.shell.name == "async":
            others.append(asyncio.get_running_loop().create_task(load.cancel()))
        else:
            others.append(threading.Thread(target=load.cancel))
            others[0].start()

    load = one.shell.call(one.client.llm.model_stream, VISION, on_load_progress=look_on)

    with pytest.raises(CancelledError):
        one.shell.call(load.wait_for_result)
    one.frames.wait_received(CANCEL)
    assert len(others) == 1
    assert one.shell.call(one.client.llm.list_loaded)[0].identifier == KEY


def test_ctrl_c_cancels_the_load() -> None:
    frames = Frames()
    script = parse_script({"rules": [loading(0, 0.25, end="hang")]})
    with EmulatorThread(script=script, on_frame=frames) as emulator, Client(emulator.api_host) as client:
        with pytest.raises(KeyboardInterrupt):
            client.llm.model(
                VISION, on_load_progress=lambda value: _thread.interrupt_main() if value else None
            )
        frames.wait_received(CANCEL)
        assert client.llm.model(VISION).identifier == VISION


async def test_a_task_that_is_cancelled_cancels_its_load() -> None:
    frames = Frames()
    script = parse_script({"rules": [loading(0, 0.25, end="hang")]})
    with EmulatorThread(script=script, on_frame=frames) as emulator:
        async with AsyncClient(emulator.api_host) as client:
            begun = asyncio.Event()

            def look_on(progress: float) -> None:
                if progress:
                    begun.set()

            task = asyncio.ensure_future(client.llm.model(VISION, on_load_progress=look_on))
            await asyncio.wait_for(begun.wait(), 30)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            await asyncio.to_thread(frames.wait_received, CANCEL)


@pytest.mark.parametrize(
    ("end", "error", "words"),
    [
        ({"error": {"title": "out of memory"}}, ChannelError, "out of memory"),
        ("close", IncompleteError, "nothing was loaded"),
    ],
)
def test_a_load_that_fails(scripted: Make, end: Any, error: type[Exception], words: str) -> None:
    one = scripted(loading(0, 0.5, end=end))
    load = one.shell.call(one.client.llm.model_stream, VISION)

    with pytest.raises(error, match=words):
        one.shell.call(load.wait_for_result)
    with pytest.raises(error, match=words):
        load.result()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"ttl": 0}, "ttl"),
        ({"config": {"contextLenght": 5}}, "contextLength"),
        ({"on_load_progress": 5}, "on_load_progress must be a function"),
    ],
)
def test_mistakes_are_told_at_once(scripted: Make, options: dict[str, Any], words: str) -> None:
    one = scripted(loading())

    with pytest.raises(UsageError, match=words):
        one.shell.call(one.client.llm.model_stream, VISION, **options)
    assert one.frames.received(type="channelCreate") == []
