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
    ConnectError,
    ConnectionLostError,
    LMWireError,
    RequestTimeoutError,
    ServerNotFoundError,
)
from lmwire_runtime.limits import Timeouts
from tests.runtime.arithmetic import (
    ANYTHING,
    COUNT,
    DOUBLE,
    ECHO,
    SIZE,
    ArithmeticHandlers,
    RunningServer,
    rpc,
    serve_arithmetic,
)
from tests.runtime.scripted_peers import ScriptedConnection, ScriptedPeers, serve_once
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
