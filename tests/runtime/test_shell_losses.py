"""Connections that end: lost, mute, idle, closed; over both shells."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from lmwire_runtime.errors import (
    ClosedError,
    ConnectionLostError,
    LMWireError,
    RefusedRequestError,
    ServerNotFoundError,
)
from lmwire_runtime.limits import Limits, Timeouts
from tests.runtime.arithmetic import (
    ANYTHING,
    COUNT,
    DOUBLE,
    ENOUGH,
    HANG,
    WAIT,
    ArithmeticHandlers,
    RunningServer,
    rpc,
)
from tests.runtime.scripted_peers import ScriptedConnection, ScriptedPeers, serve_once
from tests.runtime.shells import Shell, Shells, result_of

TOKEN = "sk-lm-abcdefgh:0123456789abcdefghij"
SHORT = Timeouts(connect=0.2)


class TestLoss:
    def test_a_connection_dropped_while_nobody_waits(self, shell: Shell, server: RunningServer) -> None:
        for number in range(5):
            assert shell.call(DOUBLE, number) == number * 2
            server.drop_connections()
            server.until_ended(number + 1)
        assert server.accepted == 5

    def test_a_server_that_restarts_between_calls(self, shell: Shell, server: RunningServer) -> None:
        assert shell.call(DOUBLE, 1) == 2
        server.stop()
        with pytest.raises(LMWireError):
            shell.call(DOUBLE, 1)
        with pytest.raises(ServerNotFoundError):
            shell.call(DOUBLE, 1)
        server.start()
        assert shell.call(DOUBLE, 1) == 2

    def test_everything_in_flight_fails_at_once_and_is_not_sent_again(
        self, shell: Shell, shells: Shells, server: RunningServer, handlers: ArithmeticHandlers
    ) -> None:
        calls = [shells.submit(shell.call, HANG) for _ in range(6)]
        streams = [shell.open(COUNT, {"upTo": 1, "waitForCancel": True}) for _ in range(6)]
        reading = [shells.submit(shells.read, stream) for stream in streams]
        handlers.until("hanging", 6)
        handlers.until("waiting", 6)
        server.drop_connections()
        errors = [future.exception(ENOUGH) for future in [*calls, *reading]]
        assert {type(error) for error in errors} == {ConnectionLostError}
        assert len(set(map(id, errors))) == 12
        assert shell.call(DOUBLE, 1) == 2
        assert handlers.seen["hanging"] == 6

    @pytest.mark.parametrize("code", [1000, 1001, 1011, None])
    def test_a_server_that_closes(self, code: int | None, peers: ScriptedPeers, shells: Shells) -> None:
        def script(connection: ScriptedConnection) -> None:
            connection.authenticate()
            connection.receive()
            connection.close(code)
            connection.until_cut()

        shell = shells.make(peers.serve(script, serve_once).host)
        with pytest.raises(ConnectionLostError, match=f"with code {code}" if code else "without a code"):
            shell.call(DOUBLE, 1)
        assert shell.call(DOUBLE, 2) == 4
        shell.close()

    def test_a_reset(self, peers: ScriptedPeers, shells: Shells) -> None:
        def script(connection: ScriptedConnection) -> None:
            connection.authenticate()
            connection.receive()
            connection.reset()

        shell = shells.make(peers.serve(script, serve_once).host)
        with pytest.raises(ConnectionLostError):
            shell.call(DOUBLE, 1)
        assert shell.call(DOUBLE, 2) == 4
        shell.close()

    @pytest.mark.parametrize(
        ("data", "reason"),
        [
            (b"\x83\x00", "broke the WebSocket protocol"),
            (b'\x81\x03"\xff"', "not UTF-8"),
            (b"\x81\x7f\x00\x00\x00\x01\x00\x00\x00\x00", "limit"),
        ],
    )
    def test_a_server_that_breaks_the_rules(
        self, data: bytes, reason: str, peers: ScriptedPeers, shells: Shells
    ) -> None:
        def script(connection: ScriptedConnection) -> None:
            connection.authenticate()
            connection.receive()
            connection.sock.sendall(data)
            connection.until_cut()

        shell = shells.make(peers.serve(script, serve_once).host, timeouts=Timeouts(close=0.1))
        with pytest.raises(ConnectionLostError, match=reason):
            shell.call(DOUBLE, 1)
        assert shell.call(DOUBLE, 2) == 4
        shell.close()

    def test_what_was_received_before_the_loss_can_be_read(
        self, peers: ScriptedPeers, shells: Shells
    ) -> None:
        def script(connection: ScriptedConnection) -> None:
            connection.authenticate()
            identity = connection.receive()["channelId"]
            for number in range(3):
                connection.send({"type": "channelSend", "channelId": identity, "message": {"number": number}})

        with shells.make(peers.serve(script).host).open(COUNT, {}) as stream:
            arrived: list[Any] = []
            with pytest.raises(ConnectionLostError):
                arrived.extend(stream)
        assert [packet["number"] for packet in arrived] == [0, 1, 2]


class TestMutePeers:
    """A server is mute about bad requests after five warnings: the next request takes a new connection."""

    def test_a_mute_connection_is_replaced_and_serves_what_is_in_flight(
        self, shell: Shell, shells: Shells, server: RunningServer, handlers: ArithmeticHandlers
    ) -> None:
        waiting = shells.submit(shell.call, WAIT)
        handlers.until("waiting")
        for _ in range(5):
            with pytest.raises(RefusedRequestError):
                shell.call(rpc("double", ANYTHING, ANYTHING), "x")
        assert server.accepted == 1
        with pytest.raises(RefusedRequestError):
            shell.call(rpc("double", ANYTHING, ANYTHING), "x")
        assert server.accepted == 2
        handlers.release()
        assert result_of(waiting) == 1
        shell.close()
        server.until_ended(2)

    def test_many_bad_requests_are_all_refused(self, shell: Shell, server: RunningServer) -> None:
        for _ in range(23):
            with pytest.raises(RefusedRequestError):
                shell.call(rpc("double", ANYTHING, ANYTHING), "x")
        assert shell.call(DOUBLE, 1) == 2
        assert server.accepted == 5


class TestWhileNobodyWaits:
    def test_pings_are_answered(self, peers: ScriptedPeers, shells: Shells) -> None:
        answered = threading.Event()

        def script(connection: ScriptedConnection) -> None:
            connection.authenticate()
            call = connection.receive()
            connection.send({"type": "rpcResult", "callId": call["callId"], "result": 0})
            connection.ping_pong()
            answered.set()
            connection.until_gone()

        shell = shells.make(peers.serve(script).host)
        shell.call(DOUBLE, 1)
        assert answered.wait(ENOUGH)
        shell.close()

    def test_a_broken_connection_is_let_go(self, peers: ScriptedPeers, shells: Shells) -> None:
        """Also if the server closes the WebSocket and then never the TCP connection."""
        let_go = threading.Event()

        def script(connection: ScriptedConnection) -> None:
            connection.authenticate()
            call = connection.receive()
            connection.send({"type": "rpcResult", "callId": call["callId"], "result": 0})
            connection.close(1001)
            connection.until_cut()
            let_go.set()

        shell = shells.make(peers.serve(script).host, timeouts=Timeouts(close=0.1))
        shell.call(DOUBLE, 1)
        assert let_go.wait(ENOUGH)


class TestClosing:
    def test_a_polite_end(self, shell: Shell, server: RunningServer) -> None:
        shell.call(DOUBLE, 1)
        shell.close()
        shell.close()
        server.until_ended(1)
        for _ in range(2):
            with pytest.raises(ClosedError, match="this client was closed"):
                shell.call(DOUBLE, 1)
        with pytest.raises(ClosedError):
            shell.open(COUNT, {"upTo": 1}).start()

    def test_a_client_that_was_never_used(self, shell: Shell) -> None:
        shell.close()
        with pytest.raises(ClosedError):
            shell.call(DOUBLE, 1)

    def test_what_is_in_flight_elsewhere_fails(
        self, shell: Shell, shells: Shells, handlers: ArithmeticHandlers
    ) -> None:
        calls = [shells.submit(shell.call, HANG) for _ in range(4)]
        stream = shell.open(COUNT, {"upTo": 1, "waitForCancel": True})
        reading = shells.submit(shells.read, stream)
        handlers.until("hanging", 4)
        handlers.until("waiting")
        shell.close()
        errors = [future.exception(ENOUGH) for future in [*calls, reading]]
        assert {type(error) for error in errors} == {ClosedError}
        assert stream.ended
        assert not stream.send(1)
        handlers.until("dropped")

    @pytest.mark.parametrize("stage", ["handshake", "authentication"])
    def test_closing_while_another_thread_connects(
        self, stage: str, peers: ScriptedPeers, shells: Shells
    ) -> None:
        reached = threading.Event()

        def script(connection: ScriptedConnection) -> None:
            if stage == "handshake":
                connection.read_request()
            else:
                connection.shake_hands()
                connection.receive()
            reached.set()
            connection.until_cut()

        shell = shells.make(peers.serve(script).host)
        calls = [shells.submit(shell.call, DOUBLE, 1) for _ in range(3)]
        assert reached.wait(ENOUGH)
        shell.close()
        assert {type(future.exception(5)) for future in calls} == {ClosedError}

    def test_a_peer_that_does_not_answer_the_close(self, peers: ScriptedPeers, shells: Shells) -> None:
        def script(connection: ScriptedConnection) -> None:
            connection.authenticate()
            call = connection.receive()
            connection.send({"type": "rpcResult", "callId": call["callId"], "result": 0})
            connection.until_cut()

        shell = shells.make(peers.serve(script).host, timeouts=Timeouts(close=0.05))
        shell.call(DOUBLE, 1)
        shell.close()

    def test_closing_with_a_full_stream(self, server: RunningServer, shells: Shells) -> None:
        shell = shells.make(server.host, limits=Limits(channel_bytes=1000))
        stream = shell.open(COUNT, {"upTo": 10**9, "padding": 500})
        next(stream)
        shell.close()
        server.until_ended(1)
