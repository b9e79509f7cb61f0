"""Ctrl-C in every wait of a thread, task cancellation in every await; over the generated clients.

The server is asked to stop, the connection goes on being used or is replaced, nothing is left behind.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import CancelledError as FutureCancelledError
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import pytest

from lmwire import AsyncClient, Client
from lmwire_runtime import client_core
from lmwire_runtime.addresses import HOST_VARIABLES, parse_address
from lmwire_runtime.async_shell import AsyncChannel, AsyncConnection
from lmwire_runtime.async_shell import AsyncClient as PlainAsyncClient
from lmwire_runtime.client_core import ClientCore
from lmwire_runtime.discovery import find_server, find_server_async
from lmwire_runtime.errors import ClosedError
from lmwire_runtime.limits import Timeouts
from tests.reliability.leftovers import nothing_left
from tests.reliability.stages import PROMPT, ROWS, Row, Stage, staged
from tests.reliability.test_deaf_peers import TOO_MUCH, DeafPeer, wait_until
from tests.runtime.arithmetic import COUNT, ECHO, ENOUGH, LoopThread
from tests.runtime.scripted_peers import ScriptedPeers, serve_once
from tests.runtime.test_interrupts import after, press_ctrl_c

# Nothing here ends by itself.
PATIENCE = Timeouts(connect=None, rpc=None, channel=None, close=600.0)
NAMES = [row.name for row in ROWS]


@pytest.fixture(autouse=True)
def ctrl_c_raises() -> Iterator[None]:
    """A run that was started in the background ignores Ctrl-C."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.parametrize("row", ROWS, ids=NAMES)
def test_ctrl_c(row: Row) -> None:
    with nothing_left(), staged(row) as stage:
        _interrupt(row, stage)


def _interrupt(row: Row, stage: Stage) -> None:
    with Client(stage.host, timeouts=PATIENCE) as client:
        presser = after(partial(stage.until, row.reached), press_ctrl_c)
        with pytest.raises(KeyboardInterrupt):
            row.sync(client)
        presser.join()
        _check(row, client, stage)


def _check(row: Row, client: Client, stage: Stage) -> None:
    if row.cancels:
        stage.until_cancelled()
    if not row.goes_on:
        with pytest.raises(ClosedError):
            client.llm.list_loaded()
    else:
        assert len(client.llm.list_loaded()) == row.loaded


@pytest.mark.parametrize("row", ROWS, ids=NAMES)
def test_a_task_is_cancelled(row: Row) -> None:
    with nothing_left(), staged(row) as stage:
        _cancel(row, stage)


def _cancel(row: Row, stage: Stage) -> None:
    ended = threading.Event()

    async def use(client: AsyncClient) -> None:
        try:
            await row.asyncio(client)
        finally:
            ended.set()

    async def go_on(client: AsyncClient) -> None:
        if not row.goes_on:
            with pytest.raises(ClosedError):
                await client.llm.list_loaded()
        else:
            assert len(await client.llm.list_loaded()) == row.loaded
        await client.close()

    loop = LoopThread()
    try:
        client = AsyncClient(stage.host, timeouts=PATIENCE)
        using = loop.submit(use(client))
        stage.until(row.reached)
        using.cancel()
        with pytest.raises(FutureCancelledError):
            using.result(ENOUGH)
        assert ended.wait(ENOUGH)
        if row.cancels:
            stage.until_cancelled()
        loop.run(go_on(client))
        del client, using
    finally:
        loop.stop()


def test_ctrl_c_in_a_stream_that_follows_another_threads() -> None:
    """The other thread reads the socket for both; it goes on."""
    row = next(row for row in ROWS if row.name == "stream")
    with nothing_left(), staged(row) as stage, ThreadPoolExecutor(1) as threads:
        _follow(row, stage, threads)


def _follow(row: Row, stage: Stage, threads: ThreadPoolExecutor) -> None:
    with Client(stage.host, timeouts=PATIENCE) as client:
        leader = threads.submit(lambda: client.llm.model().count_tokens(PROMPT))
        stage.until(lambda way, frame: frame.get("endpoint") == "countTokens")
        presser = after(partial(stage.until, row.reached), press_ctrl_c)
        with pytest.raises(KeyboardInterrupt):
            row.sync(client)
        presser.join()
        stage.until_cancelled()
        assert len(client.llm.list_loaded()) == 1
        assert not leader.done()
        client.close()
        assert isinstance(leader.exception(ENOUGH), ClosedError)


@pytest.mark.parametrize("way", ["Ctrl-C", "task cancellation"])
def test_while_the_usual_ports_are_asked(way: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """No address was given; something listens on one of LM Studio's ports, and does not answer."""
    row = next(row for row in ROWS if row.name == "greeting")
    for variable in HOST_VARIABLES:
        monkeypatch.delenv(variable, raising=False)
    with nothing_left(), staged(row) as stage:
        usual = [parse_address(stage.host)]
        for name, find in (("find_server", find_server), ("find_server_async", find_server_async)):
            monkeypatch.setattr(client_core, name, partial(find, local_addresses=usual, timeout=600))
        if way == "Ctrl-C":
            _interrupt_while_asking(row, stage)
        else:
            _cancel_while_asking(stage)


def _interrupt_while_asking(row: Row, stage: Stage) -> None:
    presser = after(partial(stage.until, row.reached), press_ctrl_c)
    with Client() as client, pytest.raises(KeyboardInterrupt):
        client.llm.list_loaded()
    presser.join()


def _cancel_while_asking(stage: Stage) -> None:
    ended = threading.Event()

    async def use() -> None:
        try:
            async with AsyncClient() as client:
                await client.llm.list_loaded()
        finally:
            ended.set()

    loop = LoopThread()
    try:
        using = loop.submit(use())
        stage.until(lambda way, frame: False)
        using.cancel()
        with pytest.raises(FutureCancelledError):
            using.result(ENOUGH)
        assert ended.wait(ENOUGH)
    finally:
        loop.stop()


async def _keep_alive(connection: AsyncConnection, channel: AsyncChannel[Any, Any]) -> None:
    await connection.keep_alive(timeout=None)


async def _send(connection: AsyncConnection, channel: AsyncChannel[Any, Any]) -> None:
    await channel.send("x" * TOO_MUCH)


async def _send_acknowledged(connection: AsyncConnection, channel: AsyncChannel[Any, Any]) -> None:
    await channel.send_acknowledged("x")


async def _open(connection: AsyncConnection, channel: AsyncChannel[Any, Any]) -> None:
    await connection.open(COUNT, {"padding": "x" * TOO_MUCH}, timeout=None).start()


@pytest.mark.parametrize("wait", [_keep_alive, _send, _send_acknowledged, _open])
def test_a_task_is_cancelled_in_a_wait_of_the_stubs(
    wait: Callable[[AsyncConnection, AsyncChannel[Any, Any]], Awaitable[None]],
) -> None:
    """A peer that takes nothing; what is beside it on the connection goes on."""
    with nothing_left():
        _cancel_beside_a_neighbour(wait)


def _cancel_beside_a_neighbour(
    wait: Callable[[AsyncConnection, AsyncChannel[Any, Any]], Awaitable[None]],
) -> None:
    deaf, loop = DeafPeer(), LoopThread()

    async def begin() -> tuple[PlainAsyncClient, AsyncChannel[Any, Any]]:
        client = PlainAsyncClient(ClientCore(revision="test", api_host=host, timeouts=Timeouts(close=0.1)))
        neighbour = client.connection("arithmetic").open(COUNT, {})
        assert await neighbour.receive() == {"number": 1}
        return client, neighbour

    async def use(connection: AsyncConnection) -> None:
        channel = connection.open(ECHO, None, timeout=None)
        await channel.start()
        await wait(connection, channel)

    def waits() -> bool:
        link = client.connection("arithmetic")._link
        return link is not None and any(
            exchange.on_change is not None for exchange in link.session._exchanges()
        )

    with ScriptedPeers() as peers:
        host = peers.serve(deaf.script, serve_once).host
        client, neighbour = loop.run(begin())
        using = loop.submit(use(client.connection("arithmetic")))
        wait_until(waits)
        using.cancel()
        with pytest.raises(FutureCancelledError):
            using.result(ENOUGH)
        deaf.hear()
        assert loop.run(neighbour.receive()) == {"number": 2}
        loop.run(client.close())
    loop.stop()
