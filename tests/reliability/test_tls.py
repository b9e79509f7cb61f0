"""``wss://`` over both shells: certificates, many users of one connection, cuts, records of any size, a polite end."""

from __future__ import annotations

import contextlib
import datetime
import gc
import re
import ssl
import sys
import threading
from collections.abc import Iterator

import pytest
import trustme

import lmwire
from lmwire_runtime.addresses import HOST_VARIABLES
from lmwire_runtime.errors import ConnectionLostError, LMWireError, RequestTimeoutError, ServerNotFoundError
from lmwire_runtime.limits import Timeouts
from tests.reliability.leftovers import nothing_left
from tests.reliability.relays import relaying
from tests.runtime.arithmetic import (
    COUNT,
    DOUBLE,
    ECHO,
    SIZE,
    ArithmeticHandlers,
    RunningServer,
    serve_arithmetic,
)
from tests.runtime.scripted_peers import ScriptedConnection, ScriptedPeers
from tests.runtime.shells import KINDS, Shell, Shells, result_of, shells_of

USERS = 16

# Before Python 3.11, asyncio forgets transports whose TLS handshake was cut, and does not answer a close_notify.
OLD_ASYNCIO = sys.version_info < (3, 11)


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    """An authority that this machine does not trust of itself."""
    return trustme.CA()


@pytest.fixture(scope="module")
def trusting(authority: trustme.CA) -> ssl.SSLContext:
    context = ssl.create_default_context()
    authority.configure_trust(context)
    return context


def context_of(certificate: trustme.LeafCert) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    certificate.configure_cert(context)
    return context


@pytest.fixture(scope="module")
def server_context(authority: trustme.CA) -> ssl.SSLContext:
    return context_of(authority.issue_cert("localhost"))


@pytest.fixture(scope="module")
def server(server_context: ssl.SSLContext) -> Iterator[RunningServer]:
    running = serve_arithmetic(ArithmeticHandlers(), tls=server_context)
    yield running
    running.close()


@pytest.fixture(params=KINDS)
def shells(request: pytest.FixtureRequest) -> Iterator[Shells]:
    with shells_of(request.param) as shells:
        yield shells


@pytest.fixture
def shell(shells: Shells, server: RunningServer, trusting: ssl.SSLContext) -> Shell:
    return shells.make(f"wss://localhost:{server.port}", ssl_context=trusting)


class TestVerification:
    def test_a_certificate_of_a_stranger_is_refused(self, shells: Shells, server: RunningServer) -> None:
        with pytest.raises(ServerNotFoundError) as caught:
            shells.make(f"wss://localhost:{server.port}").call(DOUBLE, 1)
        assert re.search(
            r"its TLS certificate is refused \(.*\); .*ssl_context=ssl\.create_default_context\(cafile=",
            str(caught.value),
        )
        assert "Start LM Studio" not in str(caught.value)  # it runs

    def test_a_certificate_for_another_host_is_refused(
        self, authority: trustme.CA, trusting: ssl.SSLContext, shells: Shells
    ) -> None:
        with _serving(context_of(authority.issue_cert("elsewhere.test"))) as port:
            shell = shells.make(f"wss://localhost:{port}", ssl_context=trusting)
            with pytest.raises(ServerNotFoundError, match="certificate is not valid for 'localhost'"):
                shell.call(DOUBLE, 1)

    def test_a_certificate_of_yesterday_is_refused(
        self, authority: trustme.CA, trusting: ssl.SSLContext, shells: Shells
    ) -> None:
        yesterday = datetime.datetime.now(datetime.timezone.utc) - datetime.timedelta(days=1)
        with _serving(context_of(authority.issue_cert("localhost", not_after=yesterday))) as port:
            shell = shells.make(f"wss://localhost:{port}", ssl_context=trusting)
            with pytest.raises(ServerNotFoundError, match=r"certificate is refused .*expired"):
                shell.call(DOUBLE, 1)

    def test_a_context_of_the_users_own_decides(self, shells: Shells, server: RunningServer) -> None:
        careless = ssl.create_default_context()
        careless.check_hostname = False
        careless.verify_mode = ssl.CERT_NONE
        assert shells.make(f"wss://127.0.0.1:{server.port}", ssl_context=careless).call(DOUBLE, 1) == 2

    def test_a_server_that_wants_a_certificate_of_ours(
        self, authority: trustme.CA, trusting: ssl.SSLContext, shells: Shells
    ) -> None:
        demanding = context_of(authority.issue_cert("localhost"))
        demanding.verify_mode = ssl.CERT_REQUIRED
        authority.configure_trust(demanding)
        with _serving(demanding) as port:
            with pytest.raises(LMWireError):
                shells.make(f"wss://localhost:{port}", ssl_context=trusting).call(DOUBLE, 1)
            context = ssl.create_default_context()
            authority.configure_trust(context)
            authority.issue_cert("client.test").configure_cert(context)
            assert shells.make(f"wss://localhost:{port}", ssl_context=context).call(DOUBLE, 1) == 2


@contextlib.contextmanager
def _serving(context: ssl.SSLContext) -> Iterator[int]:
    running = serve_arithmetic(ArithmeticHandlers(), tls=context)
    yield running.port
    running.close()


class TestMany:
    def test_many_users_stream_over_one_connection(
        self, shell: Shell, shells: Shells, server: RunningServer
    ) -> None:
        before, start = server.accepted, threading.Barrier(USERS)

        def stream(user: int) -> list[int]:
            start.wait()
            with shell.open(COUNT, {"upTo": 200 + user, "padding": user * 100}) as channel:
                numbers = [packet["number"] for packet in channel]
            assert shell.call(DOUBLE, user) == user * 2
            return numbers

        streams = [shells.submit(stream, user) for user in range(USERS)]
        assert [result_of(future) for future in streams] == [list(range(200 + user)) for user in range(USERS)]
        assert server.accepted - before == 1

    def test_much_in_both_directions_at_once(self, shell: Shell, shells: Shells) -> None:
        """Server and clients send more than all buffers hold, before either has read it."""
        texts = [f"{user}" * 3_000_000 for user in range(4)]

        def echo(text: str) -> bool:
            with shell.open(ECHO) as channel:
                for _ in range(3):
                    channel.send(text)
                return all(channel.receive() == text for _ in range(3))

        echoes = [shells.submit(echo, text) for text in texts]
        sizes = [shells.submit(shell.call, SIZE, text) for text in texts]
        assert [result_of(future) for future in echoes] == [True] * 4
        assert [result_of(future) for future in sizes] == [3_000_000] * 4

    def test_records_in_crumbs(self, shells: Shells, server: RunningServer, trusting: ssl.SSLContext) -> None:
        """A few bytes at a time, so that no record and no message arrives whole."""
        with relaying(server.port) as relay:
            relay.crumb = 7
            shell = shells.make(f"wss://localhost:{relay.port}", ssl_context=trusting)
            with shell.open(COUNT, {"upTo": 50, "padding": 300}) as channel:
                assert [packet["number"] for packet in channel] == list(range(50))
            shell.close()

    def test_messages_over_many_records_and_records_of_many_messages(self, shell: Shell) -> None:
        with shell.open(COUNT, {"upTo": 20, "padding": 100_000}) as channel:
            assert [len(packet["padding"]) for packet in channel] == [100_000] * 20
        with shell.open(COUNT, {"upTo": 3000}) as channel:
            assert len(list(channel)) == 3000


class TestEnds:
    @pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning" if OLD_ASYNCIO else "error")
    def test_a_cut_anywhere_in_the_records(
        self, shells: Shells, server: RunningServer, trusting: ssl.SSLContext
    ) -> None:
        """From the first byte of the TLS handshake to the last packet; one client meets them all."""
        with relaying(server.port) as relay:
            shell = shells.make(
                f"wss://localhost:{relay.port}", ssl_context=trusting, timeouts=Timeouts(close=0.1)
            )
            assert _numbers(shell, []) == list(range(9))
            size = relay.passed
            shell.close()
            shell = shells.make(
                f"wss://localhost:{relay.port}", ssl_context=trusting, timeouts=Timeouts(close=0.1)
            )
            seen = set()
            for cut in [*range(0, size - 900, 97), *range(size - 900, size - 60, 13)]:
                relay.cut = cut
                arrived: list[int] = []
                with pytest.raises(LMWireError) as caught:
                    _numbers(shell, arrived)
                assert arrived == list(range(len(arrived)))
                seen.add(type(caught.value))
                assert isinstance(caught.value, (ServerNotFoundError, ConnectionLostError)), caught.value
            assert seen == {ServerNotFoundError, ConnectionLostError}
            relay.cut = None
            assert _numbers(shell, []) == list(range(9))
            shell.close()
        gc.collect()

    def test_a_handshake_in_crumbs_is_limited_as_a_whole(
        self, shells: Shells, server: RunningServer, trusting: ssl.SSLContext
    ) -> None:
        """Not each step of it: a byte now and then would keep a client waiting for ever."""
        with relaying(server.port) as relay:
            relay.crumb, relay.pause = 1, 0.02
            shell = shells.make(
                f"wss://localhost:{relay.port}", ssl_context=trusting, timeouts=Timeouts(connect=0.4)
            )
            with pytest.raises(RequestTimeoutError):
                shell.call(DOUBLE, 1)
            relay.cut = 0

    def test_a_close_notify_without_a_closing_handshake(
        self, shells: Shells, server_context: ssl.SSLContext, trusting: ssl.SSLContext
    ) -> None:
        def script(connection: ScriptedConnection) -> None:
            secure = _secured(connection, server_context)
            connection.authenticate()
            connection.receive()
            with contextlib.suppress(OSError):
                secure.unwrap()
            secure.close()

        with ScriptedPeers() as peers:
            peer = peers.serve(script)
            shell = shells.make(f"wss://localhost:{peer.port}", ssl_context=trusting)
            with pytest.raises(ConnectionLostError, match="ended it without a closing handshake"):
                shell.call(DOUBLE, 1)
            shell.close()

    def test_closing_a_client_is_no_cut(
        self, shells: Shells, server_context: ssl.SSLContext, trusting: ssl.SSLContext
    ) -> None:
        """The server gets our close_notify; otherwise its library would report an attack."""
        if OLD_ASYNCIO and shells.kind == "asyncio":
            pytest.skip("before Python 3.11, asyncio does not answer a close_notify")
        notified = threading.Event()

        def script(connection: ScriptedConnection) -> None:
            secure = _secured(connection, server_context)
            connection.authenticate()
            call = connection.receive()
            connection.send({"type": "rpcResult", "callId": call["callId"], "result": 2})
            with pytest.raises(ConnectionError, match="has closed"):
                connection.receive()
            secure.unwrap()  # raises if the other end is a mere end of the stream
            notified.set()

        with ScriptedPeers() as peers:
            shell = shells.make(f"wss://localhost:{peers.serve(script).port}", ssl_context=trusting)
            assert shell.call(DOUBLE, 1) == 2
            shell.close()
        assert notified.is_set()

    @pytest.mark.parametrize("kind", KINDS)
    def test_nothing_is_left_behind(self, kind: str, server: RunningServer, trusting: ssl.SSLContext) -> None:
        def use() -> None:
            with shells_of(kind) as shells:
                shell = shells.make(f"wss://localhost:{server.port}", ssl_context=trusting)
                assert _numbers(shell, []) == list(range(9))
                stranger = shells.make(f"wss://localhost:{server.port}")
                with pytest.raises(ServerNotFoundError):
                    stranger.call(DOUBLE, 1)

        before = server.ended
        with nothing_left():
            use()
            server.until_ended(before + 1)


def _secured(connection: ScriptedConnection, context: ssl.SSLContext) -> ssl.SSLSocket:
    secure = context.wrap_socket(connection.sock, server_side=True, suppress_ragged_eofs=False)
    connection.sock = secure
    return secure


def _numbers(shell: Shell, arrived: list[int]) -> list[int]:
    with shell.open(COUNT, {"upTo": 9, "padding": 50}) as channel:
        for packet in channel:
            arrived.append(packet["number"])
    return arrived


@pytest.mark.parametrize(
    ("host", "words"),
    [
        ("localhost:1234", r"localhost:1234 is an address without TLS; write wss://localhost:1234, or"),
        ("http://example.org/lm", r"write wss://example\.org:80/lm, or"),
        (None, r"name it as wss://host:port"),
    ],
)
def test_a_context_without_tls_is_refused(
    host: str | None, words: str, trusting: ssl.SSLContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    for variable in HOST_VARIABLES:
        monkeypatch.delenv(variable, raising=False)
    for kind in (lmwire.Client, lmwire.AsyncClient):
        with pytest.raises(lmwire.UsageError, match=words):
            kind(host, ssl_context=trusting)
