"""A peer that does not read: our requests back up, and that concerns nobody but those who send.

What was not taken is not taken back; the connection serves what is in flight, and the next request takes a new one.
"""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

from lmwire_runtime.errors import ClosedError, RequestTimeoutError
from lmwire_runtime.limits import Timeouts
from tests.reliability.leftovers import nothing_left
from tests.runtime.arithmetic import ANYTHING, COUNT, DOUBLE, ECHO, ENOUGH, rpc
from tests.runtime.scripted_peers import ScriptedConnection, ScriptedPeers, serve_once
from tests.runtime.shells import KINDS, Shell, shells_of

SWALLOW = rpc("swallow", ANYTHING, ANYTHING)
# More than the buffers of both ends of a connection hold; the second is more than the shells hold back, too.
MUCH, TOO_MUCH = 7_500_000, 30_000_000
SOON = 0.3


class DeafPeer:
    """Reads what comes before the large request, and then nothing until ``hear``; what it has to say, it says."""

    def __init__(self) -> None:
        self.listening = threading.Event()

    def script(self, connection: ScriptedConnection) -> None:
        connection.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
        connection.authenticate()
        neighbour = connection.receive()["channelId"]
        connection.send({"type": "channelSend", "channelId": neighbour, "message": {"number": 1}})
        assert self.listening.wait(ENOUGH)
        with contextlib.suppress(ConnectionError):  # the client has gone
            connection.send({"type": "channelSend", "channelId": neighbour, "message": {"number": 2}})
            connection.send({"type": "channelClose", "channelId": neighbour})
            connection.until_cut()

    def hear(self) -> None:
        self.listening.set()


def _a_call(size: int) -> Callable[[Shell], Any]:
    return lambda shell: shell.call(SWALLOW, "x" * size, timeout=SOON)


def _a_stream(size: int) -> Callable[[Shell], Any]:
    def begin(shell: Shell) -> Any:
        with shell.open(COUNT, {"padding": "x" * size}, timeout=SOON) as stream:
            return stream.receive()

    return begin


def _a_packet(size: int) -> Callable[[Shell], Any]:
    def send(shell: Shell) -> Any:
        with shell.open(ECHO, timeout=SOON) as stream:
            stream.send("x" * size)
            return stream.receive()

    return send


NOTHING_TAKEN = "the server has taken nothing of [0-9]+ bytes for 0.3 s; the next request connects anew"
NO_ANSWER = (
    "within 0.3 s; the server has not taken [0-9]+ bytes of what it was sent, the next request connects anew"
)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("endpoint", "request_with", "size", "says"),
    [
        ("swallow", _a_call, TOO_MUCH, NOTHING_TAKEN),
        ("swallow", _a_call, MUCH, f"{NO_ANSWER}|{NOTHING_TAKEN}"),
        ("count", _a_stream, TOO_MUCH, NOTHING_TAKEN),
        ("echo", _a_packet, TOO_MUCH, NOTHING_TAKEN),
    ],
)
def test_the_sender_alone_is_told(
    kind: str, endpoint: str, request_with: Callable[[int], Callable[[Shell], Any]], size: int, says: str
) -> None:
    with nothing_left():
        _tell_the_sender(kind, endpoint, request_with(size), says)


def _tell_the_sender(kind: str, endpoint: str, request: Callable[[Shell], Any], says: str) -> None:
    deaf = DeafPeer()
    with ScriptedPeers() as peers, shells_of(kind) as shells:
        peer = peers.serve(deaf.script, serve_once)
        shell = shells.make(peer.host, timeouts=Timeouts(close=0.1))
        neighbour = shell.open(COUNT, {})
        assert next(neighbour) == {"number": 1}
        with pytest.raises(RequestTimeoutError, match=says) as caught:
            request(shell)
        assert (caught.value.endpoint, caught.value.request_id) == (endpoint, 2)
        assert caught.value.seconds == SOON
        assert shell.call(DOUBLE, 2) == 4
        assert len(peer.connections) == 2
        deaf.hear()
        assert list(neighbour) == [{"number": 2}]
        shell.close()


@pytest.mark.parametrize("kind", KINDS)
def test_a_peer_that_reads_slowly_is_waited_for(kind: str) -> None:
    """The timeout limits silence, not the time that a large request takes."""

    def script(connection: ScriptedConnection) -> None:
        connection.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
        connection.authenticate()
        while not connection.pending():
            connection.read_some()
            time.sleep(0.005)
        call = connection.receive()
        connection.send({"type": "rpcResult", "callId": call["callId"], "result": len(call["parameter"])})
        connection.until_gone()

    with nothing_left(), ScriptedPeers() as peers:
        _wait_for_slow(kind, peers.serve(script).host)


def _wait_for_slow(kind: str, host: str) -> None:
    with shells_of(kind) as shells:
        assert shells.make(host).call(SWALLOW, "x" * TOO_MUCH, timeout=1.5) == TOO_MUCH


@pytest.mark.parametrize("kind", KINDS)
def test_closing_does_not_wait_for_it(kind: str) -> None:
    with nothing_left():
        _close(kind)


def _close(kind: str) -> None:
    deaf = DeafPeer()
    with ScriptedPeers() as peers, shells_of(kind) as shells:
        shell = shells.make(peers.serve(deaf.script).host, timeouts=Timeouts(close=0.1))
        neighbour = shell.open(COUNT, {})
        assert next(neighbour) == {"number": 1}
        sending = [shells.submit(shell.call, SWALLOW, "x" * TOO_MUCH) for _ in range(2)]
        wait_until(lambda: unsent(shell) > TOO_MUCH)
        shell.close()
        errors: list[Any] = [future.exception(ENOUGH) for future in sending]
        assert {type(error) for error in errors} == {ClosedError}
        with pytest.raises(ClosedError):
            next(neighbour)
        deaf.hear()


def unsent(shell: Shell) -> int:
    """Return how many bytes wait for the peer."""
    connection: Any = shell.client.connection("arithmetic")  # type: ignore[attr-defined]
    return int(connection._link.unsent)


def wait_until(condition: Callable[[], bool]) -> None:
    """Wait for what nobody tells."""
    deadline = time.monotonic() + ENOUGH
    while not condition():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.01)
