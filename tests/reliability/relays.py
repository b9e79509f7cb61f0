"""A relay between client and server that can cut, crumble and hold back what the server sends."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from tests.runtime.arithmetic import ENOUGH

__all__ = ["Relay", "relaying"]


class Relay:
    """Passes bytes on between clients and one server, connection by connection.

    Attributes:
        cut: After so many bytes of the server, both connections end; None for never.
        crumb: At most so many bytes of the server are passed on at a time.
        pause: Seconds before each of them.
        passed: How many bytes of the server the last connection has passed on.
    """

    def __init__(self, port: int) -> None:
        self.cut: int | None = None
        self.crumb = 65536
        self.pause = 0.0
        self.passed = 0
        self._server = ("127.0.0.1", port)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._threads: list[threading.Thread] = []
        self._closing = threading.Event()
        self._begin(self._accept)

    def close(self) -> None:
        self._closing.set()
        socket.create_connection(self._listener.getsockname()).close()
        for thread in self._threads:
            thread.join(ENOUGH)
            assert not thread.is_alive(), "a relay did not end"
        self._listener.close()

    def _begin(self, work: object, *arguments: object) -> None:
        thread = threading.Thread(target=work, args=arguments, daemon=True)  # type: ignore[arg-type]
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        while True:
            client, _ = self._listener.accept()
            if self._closing.is_set():
                client.close()
                return
            server = socket.create_connection(self._server, ENOUGH)
            client.settimeout(ENOUGH)
            for sock in (client, server):
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self.passed = 0
            self._begin(self._pass_requests, client, server)
            self._begin(self._pass_answers, server, client)

    def _pass_requests(self, client: socket.socket, server: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := client.recv(65536):
                server.sendall(data)
        with contextlib.suppress(OSError):
            server.shutdown(socket.SHUT_WR)

    def _pass_answers(self, server: socket.socket, client: socket.socket) -> None:
        with server, client, contextlib.suppress(OSError):
            while data := server.recv(self.crumb):
                if self.pause:
                    self._closing.wait(self.pause)
                room = len(data) if self.cut is None else self.cut - self.passed
                client.sendall(data[:room])
                self.passed += len(data[:room])
                if room < len(data):
                    break
            for sock in (client, server):
                sock.shutdown(socket.SHUT_RDWR)


@contextmanager
def relaying(port: int) -> Iterator[Relay]:
    """A relay in front of a server, for one test."""
    relay = Relay(port)
    yield relay
    relay.close()
