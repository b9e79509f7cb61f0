"""Connections over both shells: opening, authentication, TLS, loss, replacement and closing."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Iterator
from typing import Any

import pytest
import trustme

from lmwire_runtime.errors import (
    AuthenticationError,
    ClosedError,
    ConnectError,
    ConnectionLostError,
    LMWireError,
    RefusedRequestError,
    RequestTimeoutError,
    ServerNotFoundError,
)
from lmwire_runtime.limits import Limits, Timeouts
from tests.runtime.arithmetic import (
    ANYTHING,
    COUNT,
    DOUBLE,
    ECHO,
    ENOUGH,
    HANG,
    SIZE,
    WAIT,
    ArithmeticHandlers,
    RunningServer,
    rpc,
    serve_arithmetic,
)
from tests.runtime.scripted_peers import ScriptedConnection, ScriptedPeers
from tests.runtime.shells import Shell, Shells, result_of

TOKEN = "sk-lm-abcdefgh:0123456789abcdefghij"
SHORT = Timeouts(connect=0.2)


@pytest.fixture
def refusing() -> Iterator[str]:
    """A port that nobody listens on."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        yield "127.0.0.1:{}".format(*sock.getsockname()[1:])


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    """An authority for certificates that this machine does not trust of itself."""
    return trustme.CA()


def serve_once(connection: ScriptedConnection) -> None:
    """Authenticate and double numbers until the client closes."""
    connection.authenticate()
    while True:
        try:
            call = connection.receive()
        except ConnectionError:
            return
        connection.send({"type": "rpcResult", "callId": call["callId"], "result": call["parameter"] * 2})


class TestOpening:
    def test_it_is_opened_on_first_use_and_shared(self, shell: Shell, server: RunningServer) -> None:
        assert server.accepted == 0
        assert [shell.call(DOUBLE, number) for number in range(10)] == [0, 2, 4, 6, 8, 10, 12, 14, 16, 18]
        with shell.open(COUNT, {"upTo": 1}) as stream:
            list(stream)
        assert server.accepted == 1

    def test_two_first_calls_at_once_share_it(
        self, shell: Shell, shells: Shells, server: RunningServer
    ) -> None:
        start = threading.Barrier(8)

        def first() -> Any:
            start.wait()
            return shell.call(DOUBLE, 1)

        assert [result_of(future) for future in [shells.submit(first) for _ in range(8)]] == [2] * 8
        assert server.accepted == 1

    def test_nothing_is_sent_before_the_authentication_is_answered(
        self, peers: ScriptedPeers, shells: Shells
    ) -> None:
        early: list[Any] = []

        def script(connection: ScriptedConnection) -> None:
            connection.shake_hands()
            packet = connection.receive()
            assert set(packet) == {"authVersion", "clientIdentifier", "clientPasskey"}
            for _ in range(3):
                connection.ping_pong()
                early.extend(connection.pending())
            connection.send({"success": True})
            for _ in range(4):
                call = connection.receive()
                connection.send({"type": "rpcResult", "callId": call["callId"], "result": 0})
            connection.until_gone()

        shell = shells.make(peers.serve(script).host)
        assert [result_of(future) for future in [shells.submit(shell.call, DOUBLE, 1) for _ in range(4)]] == [
            0
        ] * 4
        shell.close()
        assert early == []

    def test_the_request_on_the_wire(self, peers: ScriptedPeers, shells: Shells) -> None:
        requests: list[Any] = []

        def script(connection: ScriptedConnection) -> None:
            requests.append(connection.authenticate())
            requests.append(connection.request)
            call = connection.receive()
            connection.send({"type": "rpcResult", "callId": call["callId"], "result": 0})
            connection.until_gone()

        peer = peers.serve(script)
        shell = shells.make(f"http://{peer.host}/tools", api_token=TOKEN)
        shell.call(DOUBLE, 1)
        shell.close()
        packet, request = requests
        assert packet == {
            "authVersion": 1,
            "clientIdentifier": "abcdefgh",
            "clientPasskey": "0123456789abcdefghij",
        }
        assert request.path == "/tools/arithmetic"
        assert request.headers["Host"] == peer.host

    def test_namespaces_have_connections_of_their_own_and_one_identity(
        self, peers: ScriptedPeers, shells: Shells
    ) -> None:
        packets: list[Any] = []

        def script(connection: ScriptedConnection) -> None:
            packets.append(connection.authenticate())
            call = connection.receive()
            connection.send({"type": "rpcResult", "callId": call["callId"], "result": 0})
            connection.until_gone()

        shell = shells.make(peers.serve(script).host)
        shell.call(DOUBLE, 1)
        shell.call(rpc("double", ANYTHING, ANYTHING, namespace="geometry"), 1)
        shell.close()
        assert len(packets) == 2
        assert packets[0] == packets[1]
        assert packets[0]["clientIdentifier"].startswith("guest:")


class TestServersThatAreNone:
    def test_a_refused_port(self, refusing: str, shells: Shells) -> None:
        with pytest.raises(ServerNotFoundError) as caught:
            shells.make(refusing).call(DOUBLE, 1)
        assert isinstance(caught.value, ConnectError)
        assert refusing in str(caught.value)

    def test_a_web_server(self, peers: ScriptedPeers, shells: Shells) -> None:
        def script(connection: ScriptedConnection) -> None:
            connection.read_request()
            connection.sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello")
            connection.until_cut()

        peer = peers.serve(script)
        with pytest.raises(ConnectError) as caught:
            shells.make(peer.host).call(DOUBLE, 1)
        assert peer.host in str(caught.value)

    def test_another_protocol(self, peers: ScriptedPeers, shells: Shells) -> None:
        def script(connection: ScriptedConnection) -> None:
            connection.sock.sendall(b"220 mail.example.org ESMTP\r\n")
            connection.until_cut()

        with pytest.raises(ConnectError):
            shells.make(peers.serve(script).host).call(DOUBLE, 1)

    def test_a_server_that_hangs_up(self, peers: ScriptedPeers, shells: Shells) -> None:
        def script(connection: ScriptedConnection) -> None:
            connection.read_request()

        with pytest.raises(ConnectError):
            shells.make(peers.serve(script).host).call(DOUBLE, 1)

    def test_a_namespace_that_the_server_has_not(self, server: RunningServer, shells: Shells) -> None:
        """The server is LM Studio's, so that the refused path is what the error is about."""
        shell = shells.make(server.host)
        with pytest.raises(ConnectError, match="404"):
            shell.call(rpc("double", ANYTHING, ANYTHING, namespace="geometry"), 1)
        assert shell.call(DOUBLE, 1) == 2

    def test_a_port_that_never_answers(self, shells: Shells) -> None:
        with socket.create_server(("127.0.0.1", 0)) as listener:  # accepts by the kernel alone
            host = "127.0.0.1:{}".format(*listener.getsockname()[1:])
            with pytest.raises(
                RequestTimeoutError, match=r"did not answer the WebSocket handshake within 0\.2 s"
            ):
                shells.make(host, timeouts=SHORT).call(DOUBLE, 1)

    def test_no_time_at_all(self, server: RunningServer, shells: Shells) -> None:
        with pytest.raises(RequestTimeoutError):
            shells.make(server.host, timeouts=Timeouts(connect=0)).call(DOUBLE, 1)

    def test_the_next_call_tries_again(self, peers: ScriptedPeers, shells: Shells) -> None:
        def hang_up(connection: ScriptedConnection) -> None:
            connection.shake_hands()

        shell = shells.make(peers.serve(hang_up, hang_up, serve_once).host)
        for _ in range(2):
            with pytest.raises(ConnectionLostError):
                shell.call(DOUBLE, 1)
        assert shell.call(DOUBLE, 1) == 2
        shell.close()


class TestAuthentication:
    def answered(self, reply: Any, peers: ScriptedPeers, shells: Shells) -> LMWireError:
        """What a client makes of this answer to its credentials."""

        def script(connection: ScriptedConnection) -> None:
            connection.authenticate(reply)
            connection.until_gone()

        with pytest.raises(LMWireError) as caught:
            shells.make(peers.serve(script).host, api_token=TOKEN).call(DOUBLE, 1)
        assert "0123456789abcdefghij" not in str(caught.value)
        return caught.value

    def test_refused(self, peers: ScriptedPeers, shells: Shells) -> None:
        error = self.answered({"success": False, "error": "Invalid passkey for client"}, peers, shells)
        assert isinstance(error, AuthenticationError)
        assert "Invalid passkey for client" in str(error)

    @pytest.mark.parametrize("reply", [{}, [], {"success": "yes"}, {"type": "rpcResult2"}])
    def test_malformed(self, reply: Any, peers: ScriptedPeers, shells: Shells) -> None:
        error = self.answered(reply, peers, shells)
        assert isinstance(error, AuthenticationError)
        assert "did not answer the authentication as LM Studio does" in str(error)

    def test_refused_by_a_real_server(self, handlers: ArithmeticHandlers, shells: Shells) -> None:
        async def refuse(identifier: str, passkey: str) -> str | None:
            return f"no guests: {identifier[:6]}"

        server = serve_arithmetic(handlers, authenticate=refuse)
        with pytest.raises(AuthenticationError, match="no guests: guest:"):
            shells.make(server.host).call(DOUBLE, 1)
        server.close()

    def test_silent(self, peers: ScriptedPeers, shells: Shells) -> None:
        def script(connection: ScriptedConnection) -> None:
            connection.shake_hands()
            connection.receive()
            connection.until_cut()

        shell = shells.make(peers.serve(script).host, timeouts=SHORT)
        with pytest.raises(RequestTimeoutError, match=r"did not answer the authentication within 0\.2 s"):
            shell.call(DOUBLE, 1)

    def test_closed_instead(self, peers: ScriptedPeers, shells: Shells) -> None:
        def script(connection: ScriptedConnection) -> None:
            connection.shake_hands()
            connection.receive()
            connection.close(4001)

        with pytest.raises(ConnectionLostError, match="closed it with code 4001"):
            shells.make(peers.serve(script).host).call(DOUBLE, 1)

    def test_what_arrives_with_the_answer_is_not_lost(self, peers: ScriptedPeers, shells: Shells) -> None:
        def script(connection: ScriptedConnection) -> None:
            connection.shake_hands()
            connection.receive()
            for frame in (b'{"success":true}', b'{"type":"communicationWarning","warning":"welcome"}'):
                connection.protocol.send_text(frame)
            connection.flush()
            call = connection.receive()
            connection.send({"type": "rpcResult", "callId": call["callId"], "result": 7})
            connection.until_gone()

        shell = shells.make(peers.serve(script).host)
        assert shell.call(DOUBLE, 1) == 7
        shell.close()


class TestTls:
    @pytest.fixture
    def tls_server(self, handlers: ArithmeticHandlers, authority: trustme.CA) -> Iterator[RunningServer]:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.issue_cert("localhost").configure_cert(context)
        server = serve_arithmetic(handlers, tls=context)
        yield server
        server.close()

    @pytest.fixture
    def trusting(self, authority: trustme.CA) -> ssl.SSLContext:
        context = ssl.create_default_context()
        authority.configure_trust(context)
        return context

    def test_calls_and_channels(
        self, tls_server: RunningServer, trusting: ssl.SSLContext, shells: Shells
    ) -> None:
        shell = shells.make(f"wss://localhost:{tls_server.port}", ssl_context=trusting)
        assert shell.call(DOUBLE, 1) == 2
        with shell.open(COUNT, {"upTo": 2000, "padding": 50}) as stream:
            assert len(list(stream)) == 2000
        tls_server.drop_connections()
        assert shell.call(DOUBLE, 2) == 4
        shell.close()

    def test_more_than_any_buffer_holds(
        self, tls_server: RunningServer, trusting: ssl.SSLContext, shells: Shells
    ) -> None:
        """The last bytes of a request wait for the server, and nothing else makes the client write."""
        shell = shells.make(f"https://localhost:{tls_server.port}", ssl_context=trusting)
        with shell.open(ECHO) as stream:
            for size in (16 * 1024, 100_000, 3_000_017):
                stream.send("x" * size)
                assert len(stream.receive()) == size
        assert shell.call(SIZE, "x" * 12_000_000) == 12_000_000
        shell.close()

    def test_a_certificate_of_a_stranger(self, tls_server: RunningServer, shells: Shells) -> None:
        with pytest.raises(ConnectError, match="certificate"):
            shells.make(f"wss://localhost:{tls_server.port}").call(DOUBLE, 1)

    def test_a_server_without_tls(self, server: RunningServer, shells: Shells) -> None:
        with pytest.raises(ConnectError):
            shells.make(f"wss://localhost:{server.port}").call(DOUBLE, 1)

    def test_a_server_that_does_not_shake_hands(self, shells: Shells) -> None:
        with socket.create_server(("127.0.0.1", 0)) as listener:
            host = "wss://127.0.0.1:{}".format(*listener.getsockname()[1:])
            with pytest.raises(RequestTimeoutError):
                shells.make(host, timeouts=SHORT).call(DOUBLE, 1)


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
