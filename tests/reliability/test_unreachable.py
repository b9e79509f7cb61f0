"""Ports that nobody listens on, and ports whose queue of connections is full so that not even TCP answers."""

from __future__ import annotations

import contextlib
import select
import socket
import sys
import threading
from collections.abc import Iterator

import pytest

from lmwire_runtime.errors import RequestTimeoutError, ServerNotFoundError
from lmwire_runtime.limits import Timeouts
from tests.reliability.leftovers import nothing_left
from tests.reliability.table import SOON
from tests.runtime.arithmetic import DOUBLE
from tests.runtime.scripted_peers import ScriptedPeers, serve_once
from tests.runtime.shells import KINDS, shells_of


@pytest.mark.parametrize("kind", KINDS)
def test_a_refused_port(kind: str) -> None:
    with nothing_left():
        _call_refused(kind)


def _call_refused(kind: str) -> None:
    with socket.socket() as sock, shells_of(kind) as shells:
        sock.bind(("127.0.0.1", 0))
        shell = shells.make("127.0.0.1:{}".format(*sock.getsockname()[1:]))
        for _ in range(3):
            with pytest.raises(ServerNotFoundError, match="refused, nothing listens there\nStart LM Studio"):
                shell.call(DOUBLE, 1)


@pytest.mark.parametrize("kind", KINDS)
def test_a_port_that_begins_to_listen(kind: str) -> None:
    with ScriptedPeers() as peers, shells_of(kind) as shells:
        with socket.socket() as sock:
            sock.bind(("127.0.0.1", 0))
            port = sock.getsockname()[1]
        shell = shells.make(f"127.0.0.1:{port}")
        with pytest.raises(ServerNotFoundError):
            shell.call(DOUBLE, 1)
        peer = peers.serve(serve_once)
        with _forwarding(port, peer.port):
            assert shell.call(DOUBLE, 1) == 2
            shell.close()


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere a full queue refuses, or grows")
@pytest.mark.parametrize("host", ["", "wss://"])
@pytest.mark.parametrize("kind", KINDS)
def test_a_port_with_a_full_queue(kind: str, host: str) -> None:
    with _full_queue() as port, nothing_left():
        _call_unanswered(kind, f"{host}127.0.0.1:{port}")


def _call_unanswered(kind: str, host: str) -> None:
    with shells_of(kind) as shells:
        shell = shells.make(host, timeouts=Timeouts(connect=SOON))
        for _ in range(2):
            with pytest.raises(RequestTimeoutError, match="did not accept a connection") as caught:
                shell.call(DOUBLE, 1)
            assert caught.value.seconds == SOON
        with pytest.raises(RequestTimeoutError, match="did not accept a connection") as caught:
            shell.call(DOUBLE, 1, timeout=SOON / 2)  # the request's own limit is a limit for connecting, too
        assert caught.value.seconds == SOON / 2


@contextlib.contextmanager
def _full_queue() -> Iterator[int]:
    """A listener that accepts nothing, with as many connections waiting as the system queues."""
    with contextlib.ExitStack() as sockets:
        listener = sockets.enter_context(socket.socket())
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        while True:
            sock = sockets.enter_context(socket.socket())
            sock.setblocking(False)
            sock.connect_ex(listener.getsockname())
            if not select.select([], [sock], [], 0.3)[1]:
                break  # this one was not answered, and nor will the next ones be
        yield listener.getsockname()[1]


@contextlib.contextmanager
def _forwarding(port: int, to: int) -> Iterator[None]:
    """Listen on a port, and pass one connection on."""

    def copy(source: socket.socket, target: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                target.sendall(data)
            target.shutdown(socket.SHUT_WR)

    with (
        socket.create_server(("127.0.0.1", port)) as listener,
        socket.create_connection(("127.0.0.1", to)) as server,
    ):

        def serve() -> None:
            client, _ = listener.accept()
            with client:
                back = threading.Thread(target=copy, args=(server, client))
                back.start()
                copy(client, server)
                back.join()

        thread = threading.Thread(target=serve)
        thread.start()
        yield
        thread.join()
