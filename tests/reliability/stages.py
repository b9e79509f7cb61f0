"""All that a user of the generated clients can wait for, as rows: what the server does, and each shell's request.

A row's server holds its client in that one wait, says so (``Stage.reached``), and serves whatever comes next.
"""

from __future__ import annotations

import threading
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Any

import attrs

from lmwire import AsyncClient, Client
from lmwire_emulator import EmulatorThread
from lmwire_emulator.script_reader import parse_script
from lmwire_runtime import json_codec
from tests.runtime.arithmetic import ENOUGH
from tests.runtime.scripted_peers import ScriptedConnection, ScriptedPeers

__all__ = ["ROWS", "Row", "Stage", "staged"]

PROMPT = "My name is"
# Once each: what comes next is served.
SCRIPT = {
    "rules": [
        {"match": {"any": True}, "times": 1, "reply": {"fragments": [" Ada"], "end": "hang"}},
        {"match": {"any": True}, "reply": {"fragments": [" Ada", " Lovelace"]}},
        {
            "load": {"exact": "emulator/ngram-reasoning"},
            "times": 1,
            "reply": {"progress": [0, 0.5], "end": "hang"},
        },
        {"endpoint": "llm.countTokens", "times": 1, "reply": {"end": "hang"}},
    ]
}


class Stage:
    """Where a server has its client; frames are those that it received."""

    def __init__(self) -> None:
        self.host = ""
        self._changed = threading.Condition()
        self._frames: list[Any] = []
        self._reached = False

    def tap(self, direction: str, namespace: str, text: bytes) -> None:
        with self._changed:
            self._frames.append((direction, json_codec.loads(text)))
            self._changed.notify_all()

    def reach(self) -> None:
        with self._changed:
            self._reached = True
            self._changed.notify_all()

    def until(self, happened: Callable[[str, Any], bool]) -> None:
        """Wait until the server has received, or sent, such a frame."""
        with self._changed:
            assert self._changed.wait_for(
                lambda: self._reached or any(happened(*frame) for frame in self._frames), ENOUGH
            ), self._frames

    def count(self) -> int:
        """Return how many requests the server has received."""
        return sum(way == "received" and "endpoint" in frame for way, frame in self._frames)

    def until_cancelled(self) -> None:
        """Wait until a client has asked the server to stop."""
        self._reached = False
        self.until(lambda way, frame: way == "received" and _tag(frame) in ("cancel", "cancelPlan"))


def _tag(frame: Any) -> Any:
    message = frame.get("message")
    return message.get("type") if isinstance(message, dict) else None


@attrs.frozen(kw_only=True)
class Row:
    """One wait.

    Attributes:
        name: What a reader calls it.
        sync, asyncio: The request.
        reached: Whether a frame shows that the client waits, for the emulator's rows.
        cancels: Whether the server is asked to stop.
        script: What a scripted peer does with the first connection; None for the emulator.
        goes_on: Whether the client can be used afterwards.
    """

    name: str
    sync: Callable[[Client], Any]
    asyncio: Callable[[AsyncClient], Awaitable[Any]]
    reached: Callable[[str, Any], bool] = lambda way, frame: False
    cancels: bool = False
    script: Callable[[ScriptedConnection, Stage], None] | None = None
    goes_on: bool = True

    @property
    def loaded(self) -> int:
        """How many models the server has."""
        return 1 if self.script is None else 0


def _silent(connection: ScriptedConnection, stage: Stage) -> None:
    connection.read_request()
    stage.reach()
    connection.until_cut()


def _unauthenticated(connection: ScriptedConnection, stage: Stage) -> None:
    connection.shake_hands()
    connection.receive()
    stage.reach()
    connection.until_cut()


def _never_closes(connection: ScriptedConnection, stage: Stage) -> None:
    connection.authenticate()
    call = connection.receive()
    connection.send({"type": "rpcResult", "callId": call["callId"], "result": []})
    assert connection.sock.recv(1)  # of the close frame
    stage.reach()
    connection.until_cut()


def _serve(connection: ScriptedConnection) -> None:
    """Greet, or list what is loaded, nothing."""
    connection.authenticate()
    while True:
        try:
            call = connection.receive()
        except ConnectionError:
            return
        connection.send({"type": "rpcResult", "callId": call["callId"], "result": []})


async def _close(client: AsyncClient) -> None:
    await client.llm.list_loaded()
    await client.close()


def _close_sync(client: Client) -> None:
    client.llm.list_loaded()
    client.close()


def _read(client: Client) -> None:
    for _ in client.llm.model().complete_stream(PROMPT):
        pass


async def _read_async(client: AsyncClient) -> None:
    async for _ in (await client.llm.model()).complete_stream(PROMPT):
        pass


def _result(client: Client) -> None:
    with client.llm.model().complete_stream(PROMPT) as stream:
        stream.wait_for_result()


async def _result_async(client: AsyncClient) -> None:
    async with (await client.llm.model()).complete_stream(PROMPT) as stream:
        await stream.wait_for_result()


async def _complete_async(client: AsyncClient) -> None:
    await (await client.llm.model()).complete(PROMPT)


async def _count_async(client: AsyncClient) -> None:
    await (await client.llm.model()).count_tokens(PROMPT)


def _raw(client: Client) -> None:
    with client.llm.channel.load_model(
        model_key="emulator/ngram-reasoning", load_config_stack=_stack()
    ) as channel:
        for _ in channel:
            pass


async def _raw_async(client: AsyncClient) -> None:
    async with client.llm.channel.load_model(
        model_key="emulator/ngram-reasoning", load_config_stack=_stack()
    ) as channel:
        async for _ in channel:
            pass


def _stack() -> Any:
    from lmwire import llm

    return llm.KvConfigStack(layers=[])


def _fragment(way: str, frame: Any) -> bool:
    return way == "sent" and _tag(frame) == "fragment"


def _progress(way: str, frame: Any) -> bool:
    message = frame.get("message")
    return way == "sent" and isinstance(message, dict) and message.get("progress") == 0.5


def _counting(way: str, frame: Any) -> bool:
    return way == "received" and frame.get("endpoint") == "countTokens"


_REASONING = "emulator/ngram-reasoning"

ROWS = (
    Row(
        name="greeting",
        script=_silent,
        sync=lambda client: client.check_server(),
        asyncio=lambda client: client.check_server(),
    ),
    Row(
        name="handshake",
        script=_silent,
        sync=lambda client: client.llm.list_loaded(),
        asyncio=lambda client: client.llm.list_loaded(),
    ),
    Row(
        name="authentication",
        script=_unauthenticated,
        sync=lambda client: client.llm.list_loaded(),
        asyncio=lambda client: client.llm.list_loaded(),
    ),
    Row(
        name="rpc",
        reached=_counting,
        sync=lambda client: client.llm.model().count_tokens(PROMPT),
        asyncio=_count_async,
    ),
    Row(
        name="load",
        reached=_progress,
        cancels=True,
        sync=lambda client: client.llm.load_new_instance(_REASONING),
        asyncio=lambda client: client.llm.load_new_instance(_REASONING),
    ),
    Row(name="channel", reached=_progress, cancels=True, sync=_raw, asyncio=_raw_async),
    Row(name="stream", reached=_fragment, cancels=True, sync=_read, asyncio=_read_async),
    Row(name="wait-for-result", reached=_fragment, cancels=True, sync=_result, asyncio=_result_async),
    Row(
        name="complete",
        reached=_fragment,
        cancels=True,
        sync=lambda client: client.llm.model().complete(PROMPT),
        asyncio=_complete_async,
    ),
    Row(name="closing", script=_never_closes, goes_on=False, sync=_close_sync, asyncio=_close),
)


@contextmanager
def staged(row: Row) -> Iterator[Stage]:
    """Serve a row."""
    stage = Stage()
    if row.script is None:
        with EmulatorThread(script=parse_script(SCRIPT), on_frame=stage.tap) as emulator:
            stage.host = emulator.api_host
            yield stage
        return
    script = row.script
    with ScriptedPeers() as peers:
        stage.host = peers.serve(lambda connection: script(connection, stage), _serve).host
        yield stage
