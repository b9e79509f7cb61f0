"""Peers for the tests of discovery: real sockets on loopback, each with a handler of its own."""

from __future__ import annotations

import contextlib
import os
import selectors
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from typing import TypeAlias

import pytest

from lmwire_runtime.addresses import Address

LONG = 3600.0
"""A time limit that no passing test waits for."""
SHORT = 0.2
"""A time limit for tests in which nothing but the end of the time happens."""
# Windows takes two seconds to refuse a connection to a loopback port.
ENOUGH = 4.0 if os.name == "nt" else 1.5
"""A time limit for tests in which some peers answer in time and others never do."""

BODY = b'{"lmstudio":true}'
GREETING = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%s" % (len(BODY), BODY)

Handler: TypeAlias = Callable[[socket.socket], None]
Listen: TypeAlias = Callable[..., Address]


def read_request(connection: socket.socket) -> bytes:
    request = b""
    while not request.endswith(b"\r\n\r\n"):
        data = connection.recv(4096)
        if not data:
            break
        request += data
    return request


def answering(reply: bytes) -> Handler:
    def handle(connection: socket.socket) -> None:
        read_request(connection)
        connection.sendall(reply)

    return handle


def until_closed(connection: socket.socket) -> None:
    """Keep silent until the other side goes away."""
    while connection.recv(4096):
        pass


@contextlib.contextmanager
def peers() -> Iterator[Listen]:
    """Start servers that run a handler for each connection; all end with the context."""
    with contextlib.ExitStack() as cleanup:

        def start(
            handler: Handler, *, context: ssl.SSLContext | None = None, host: str = "127.0.0.1"
        ) -> Address:
            family = socket.AF_INET6 if ":" in host else socket.AF_INET
            listener = socket.create_server((host, 0), family=family)
            listener.settimeout(0.05)
            over = threading.Event()

            def serve() -> None:
                while not over.is_set():
                    try:
                        connection, _ = listener.accept()
                    except TimeoutError:
                        continue
                    connection.settimeout(30)
                    # Clients that hang up early, or fail a handshake on purpose, are part of these tests.
                    with contextlib.suppress(OSError):
                        if context is not None:
                            connection = context.wrap_socket(connection, server_side=True)
                        handler(connection)
                    connection.close()

            thread = threading.Thread(target=serve, name=f"peer {listener.getsockname()}")
            thread.start()
            cleanup.callback(listener.close)
            cleanup.callback(thread.join)
            cleanup.callback(over.set)
            return Address("ws" if context is None else "wss", host, listener.getsockname()[1])

        yield start


@contextlib.contextmanager
def refusing() -> Iterator[Address]:
    """An address where nothing listens, and nothing else can."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        yield Address("ws", "127.0.0.1", bound.getsockname()[1])


@contextlib.contextmanager
def full_listener() -> Iterator[Address]:
    """An address that answers a connection request neither with yes nor with no: its queue of connections is full."""
    with contextlib.ExitStack() as cleanup, selectors.DefaultSelector() as selector:
        listener = cleanup.enter_context(socket.socket())
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        for _ in range(10):
            waiting = cleanup.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(listener.getsockname())
            selector.register(waiting, selectors.EVENT_WRITE)
            if not selector.select(0.3):
                break
            selector.unregister(waiting)
        else:
            pytest.skip("this system's queues of connections do not fill up")
        yield Address("ws", "127.0.0.1", listener.getsockname()[1])
