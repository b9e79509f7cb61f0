"""Proxies for tests, in a thread of their own, and peers behind them that send and keep plain bytes."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from websockets.http11 import Request
from websockets.server import ServerProtocol

from lmwire_runtime.addresses import parse_address
from lmwire_tools.analysis import FrameEvent
from lmwire_tools.proxy import Proxy
from lmwire_tools.recordings import Closed
from lmwire_tools.traffic import Summary, TrafficEvent, Watcher
from tests.runtime.arithmetic import ENOUGH, LoopThread

__all__ = ["BytePeer", "ProxyThread", "proxied"]


class ProxyThread:
    """A running proxy, and what it told."""

    def __init__(self, server: str, **options: Any) -> None:
        self._thread = LoopThread()
        self._told = threading.Condition()
        self.events: list[TrafficEvent] = []
        self.summary = Summary()
        self.also: Watcher | None = None
        """Told of events, too."""

        async def start() -> tuple[Proxy, int]:
            proxy = Proxy(parse_address(server), self._watch, **options)
            return proxy, (await proxy.start())[1]

        self._proxy, port = self._thread.run(start())
        self.port = port
        self.host = f"127.0.0.1:{port}"

    def _watch(self, event: TrafficEvent) -> None:
        with self._told:
            self.events.append(event)
            self.summary(event)
            if self.also is not None:
                self.also(event)
            self._told.notify_all()

    def until(self, fits: Callable[[TrafficEvent], bool], count: int = 1) -> list[TrafficEvent]:
        """Wait until so many events fit; returns those."""

        def fitting() -> list[TrafficEvent]:
            return [event for event in self.events if fits(event)]

        with self._told:
            assert self._told.wait_for(lambda: len(fitting()) >= count, ENOUGH), self.events
            return fitting()

    def until_closed(self, count: int = 1) -> list[Closed]:
        """Wait until so many WebSockets have ended."""
        found = self.until(lambda event: isinstance(event, Closed), count)
        return [event for event in found if isinstance(event, Closed)]

    @property
    def frames(self) -> list[FrameEvent]:
        """The frames that passed."""
        with self._told:
            return [event for event in self.events if isinstance(event, FrameEvent)]

    def close(self) -> None:
        self._thread.run(self._proxy.close())
        self._thread.stop()


@contextmanager
def proxied(server: str, **options: Any) -> Iterator[ProxyThread]:
    """A proxy in front of a server."""
    proxy = ProxyThread(server, **options)
    try:
        yield proxy
    finally:
        proxy.close()


class BytePeer:
    """A server that accepts one WebSocket, keeps so many bytes, sends some and ends the connection."""

    def __init__(self, to_send: bytes, *, expect: int) -> None:
        self._to_send = to_send
        self._expect = expect
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.host = "127.0.0.1:{}".format(*self._listener.getsockname()[1:])
        self.request: Request | None = None
        self.received = b""
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        sock, _ = self._listener.accept()
        with sock:
            sock.settimeout(ENOUGH)
            protocol = ServerProtocol(max_size=None)
            while not (request := next(iter(protocol.events_received()), None)):
                protocol.receive_data(sock.recv(65536))
            assert isinstance(request, Request)
            self.request = request
            protocol.send_response(protocol.accept(request))
            sock.sendall(b"".join(protocol.data_to_send()))
            while len(self.received) < self._expect and (data := sock.recv(65536)):
                self.received += data
            sock.sendall(self._to_send)

    def finish(self) -> None:
        """Wait until it has got all that it expects."""
        self._thread.join(ENOUGH)
        assert not self._thread.is_alive()
        self._listener.close()
