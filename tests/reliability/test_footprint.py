"""What peers can make a client hold on to, and what a client says about itself: memory, sockets, secrets in logs."""

from __future__ import annotations

import gc
import logging
import socket
import threading
import tracemalloc

import pytest
from websockets.frames import Frame, Opcode

from lmwire_runtime.errors import CancelledError, ConnectionLostError
from lmwire_runtime.exchanges import Exchange
from lmwire_runtime.limits import DEFAULT_LIMITS, Timeouts
from lmwire_runtime.session import ClientSession
from lmwire_runtime.wire import WarningSink
from tests.reliability.test_deaf_peers import SWALLOW, TOO_MUCH, unsent, wait_until
from tests.runtime.arithmetic import ANYTHING, DOUBLE, ENOUGH, ArithmeticHandlers, rpc, serve_arithmetic
from tests.runtime.scripted_peers import ScriptedConnection, ScriptedPeers
from tests.runtime.shells import KINDS, shells_of

TOKEN = "sk-lm-abcdefgh:0123456789abcdefghij"
SECRET = "0123456789abcdefghij"
MIB = 1024 * 1024


@pytest.mark.parametrize("kind", KINDS)
def test_a_message_in_countless_fragments_costs_what_its_bytes_cost(kind: str) -> None:
    """Fifty thousand fragments, empty ones most of them, would be a hundred times as much as objects."""
    peaks: list[int] = []

    def script(connection: ScriptedConnection) -> None:
        connection.authenticate()
        call = connection.receive()
        text = b'{"type":"rpcResult","callId":%d,"result":"%s"}' % (call["callId"], b"x" * 10_000)
        connection.sock.sendall(Frame(Opcode.TEXT, b"", False).serialize(mask=False))
        empty = Frame(Opcode.CONT, b"", False).serialize(mask=False) * 4
        for start in range(0, len(text), 1000):
            parts = [
                Frame(Opcode.CONT, text[place : place + 1], False)
                for place in range(start, min(start + 1000, len(text)))
            ]
            connection.sock.sendall(b"".join(empty + part.serialize(mask=False) for part in parts))
        connection.ping_pong()
        peaks.append(tracemalloc.get_traced_memory()[0])
        connection.sock.sendall(Frame(Opcode.CONT, b"").serialize(mask=False))
        connection.until_gone()

    with ScriptedPeers() as peers, shells_of(kind) as shells:
        shell = shells.make(peers.serve(script).host)
        tracemalloc.start()
        try:
            before = tracemalloc.get_traced_memory()[0]
            assert shell.call(rpc("x", ANYTHING, ANYTHING), 1) == "x" * 10_000
        finally:
            tracemalloc.stop()
        shell.close()
    assert peaks[0] - before < MIB // 2


def test_requests_that_were_given_up_are_not_kept() -> None:
    """A server need never answer a cancel; a connection of weeks must not remember every one."""
    session = ClientSession("arithmetic", limits=DEFAULT_LIMITS, sink=WarningSink())
    session.authenticate("me", "secret")
    session.receive([{"success": True}], [16])
    for _ in range(500):
        session.abandon(session.open("count", {}, {"type": "cancel"}), CancelledError("enough"))
        session.abandon(session.call("double", 1), CancelledError("enough"))
        session.release(session.open("count", {}))
        session.outgoing.clear()
    gc.collect()
    assert sum(isinstance(item, Exchange) and item.draining for item in gc.get_objects()) < 200
    assert session.idle


@pytest.mark.parametrize("kind", KINDS)
def test_a_connection_that_ended_is_let_go_with_all_that_was_unsent(kind: str) -> None:
    """The peer ends its half and reads no more; nobody uses the client any more either."""
    done = threading.Event()

    def script(connection: ScriptedConnection) -> None:
        connection.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
        connection.authenticate()
        connection.sock.shutdown(socket.SHUT_WR)
        assert done.wait(ENOUGH)

    with ScriptedPeers() as peers, shells_of(kind) as shells:
        shell = shells.make(peers.serve(script).host, timeouts=Timeouts(close=0.1))
        with pytest.raises(ConnectionLostError):
            shell.call(SWALLOW, "x" * TOO_MUCH)
        wait_until(lambda: unsent(shell) == 0)
        done.set()


@pytest.mark.parametrize("kind", KINDS)
def test_the_passkey_is_in_no_log(
    kind: str, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    """Not even with every logger at DEBUG, as a program has it that calls ``logging.basicConfig(level=DEBUG)``."""
    caplog.set_level(logging.DEBUG)
    server = serve_arithmetic(ArithmeticHandlers())
    with shells_of(kind) as shells:
        shell = shells.make(server.host, api_token=TOKEN)
        assert shell.call(DOUBLE, 1) == 2
        shell.close()
    server.close()
    assert {record.name for record in caplog.records} <= {"asyncio"}
    assert SECRET not in caplog.text + "".join(capfd.readouterr())
