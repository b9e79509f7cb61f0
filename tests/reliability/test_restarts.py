"""A server that is killed and started again on the same port, whatever its clients were waiting for then."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from typing import Any

import pytest

from lmwire import AsyncClient, Client
from lmwire_emulator import EmulatorThread
from lmwire_runtime import client_core
from lmwire_runtime.addresses import HOST_VARIABLES, parse_address
from lmwire_runtime.connection import Tap
from lmwire_runtime.discovery import find_server, find_server_async
from lmwire_runtime.errors import ConnectionLostError, ServerNotFoundError
from tests.reliability.leftovers import nothing_left
from tests.reliability.stages import ROWS, Row, staged
from tests.runtime.arithmetic import ENOUGH, LoopThread

KINDS = ("sync", "asyncio")
WHILE = [row for row in ROWS if row.name in ("rpc", "load", "channel", "stream", "complete")]


class User:
    """One client of either shell, driven from a thread."""

    def __init__(self, kind: str, host: str | None) -> None:
        self._loop = None if kind == "sync" else LoopThread()
        self._threads = ThreadPoolExecutor(1)
        self.sync = Client(host) if self._loop is None else None
        self.asyncio = None if self._loop is None else AsyncClient(host)

    def begin(self, row: Row) -> Future[Any]:
        """Make a row's request, in another thread."""
        if self.sync is not None:
            return self._threads.submit(row.sync, self.sync)
        client = self.asyncio
        assert client is not None
        assert self._loop is not None

        async def use() -> None:
            await row.asyncio(client)

        return self._loop.submit(use())

    def loaded(self) -> int:
        """Make a call: how many models the server has."""
        if self.sync is not None:
            return len(self.sync.llm.list_loaded())
        assert self.asyncio is not None
        assert self._loop is not None
        return len(self._loop.run(self.asyncio.llm.list_loaded()))

    def close(self) -> None:
        if self.sync is not None:
            self.sync.close()
        if self.asyncio is not None and self._loop is not None:
            self._loop.run(self.asyncio.close())
            self._loop.stop()
        self._threads.shutdown()


def _again(host: str, tap: Tap | None = None) -> EmulatorThread:
    """Start an emulator where another one was."""
    return EmulatorThread(port=int(host.rpartition(":")[2]), on_frame=tap)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("row", WHILE, ids=[row.name for row in WHILE])
def test_in_the_middle(row: Row, kind: str) -> None:
    """What was in flight fails once and is not sent again."""
    with nothing_left():
        _kill_in_the_middle(row, kind)


def _kill_in_the_middle(row: Row, kind: str) -> None:
    with staged(row) as stage:
        user = User(kind, stage.host)
        waiting = user.begin(row)
        stage.until(row.reached)
        sent = stage.count()
    with pytest.raises(ConnectionLostError):
        waiting.result(ENOUGH)
    with _again(stage.host, stage.tap):
        assert user.loaded() == 1
        user.close()
    assert stage.count() == sent + 1


@pytest.mark.parametrize("kind", KINDS)
def test_between_calls(kind: str) -> None:
    with nothing_left():
        _kill_between_calls(kind)


def _kill_between_calls(kind: str) -> None:
    with EmulatorThread() as emulator:
        host = emulator.api_host
        user = User(kind, host)
        assert user.loaded() == 1
    for _ in range(3):
        with _again(host):
            assert user.loaded() == 1
    with pytest.raises(ServerNotFoundError):
        user.loaded()
    with _again(host):
        assert user.loaded() == 1
        user.close()


class Dying:
    """Something that listens, lets a client get so far, and dies; afterwards its port is free."""

    def __init__(self, answer: bytes) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.host = f"127.0.0.1:{self._listener.getsockname()[1]}"
        self._answer = answer
        self.reached = threading.Event()
        self._die = threading.Event()
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def _serve(self) -> None:
        with self._listener, self._listener.accept()[0] as connection:
            connection.settimeout(ENOUGH)
            data = b""
            while b"\r\n\r\n" not in data:
                data += connection.recv(4096)
            connection.sendall(self._answer)
            self.reached.set()
            assert self._die.wait(ENOUGH)

    def die(self) -> None:
        self._die.set()
        self._thread.join(ENOUGH)


@pytest.mark.parametrize("kind", KINDS)
def test_during_the_handshake(kind: str) -> None:
    """Half of the answer to the WebSocket's request has come."""
    with nothing_left():
        _kill_while_connecting(kind, lambda host: User(kind, host), b"HTTP/1.1 101 Switching")


@pytest.mark.parametrize("kind", KINDS)
def test_while_the_usual_ports_are_asked(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The client was given no address; it looks for the server anew."""
    for variable in HOST_VARIABLES:
        monkeypatch.delenv(variable, raising=False)

    def user_of(host: str) -> User:
        for name, find in (("find_server", find_server), ("find_server_async", find_server_async)):
            look = partial(find, local_addresses=[parse_address(host)], timeout=ENOUGH)
            monkeypatch.setattr(client_core, name, look)
        return User(kind, None)

    with nothing_left():
        _kill_while_connecting(kind, user_of, b"HTTP/1.1 200 OK\r\n")


def _kill_while_connecting(kind: str, user_of: Callable[[str], User], answer: bytes) -> None:
    dying = Dying(answer)
    user = user_of(dying.host)
    row = next(row for row in ROWS if row.name == "handshake")
    waiting = user.begin(row)
    assert dying.reached.wait(ENOUGH)
    dying.die()
    with pytest.raises(ServerNotFoundError):
        waiting.result(ENOUGH)
    with _again(dying.host):
        assert user.loaded() == 1
        user.close()
