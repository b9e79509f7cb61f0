"""Finding servers among whatever may listen on a port. All peers are real sockets on loopback."""

from __future__ import annotations

import asyncio
import contextlib
import http.server
import os
import selectors
import socket
import ssl
import struct
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from lmwire_runtime.addresses import Address, parse_address
from lmwire_runtime.discovery import (
    LOCAL_ADDRESSES,
    find_server,
    find_server_async,
    probe,
    probe_async,
)
from lmwire_runtime.errors import ConnectError, ServerNotFoundError, UsageError
from lmwire_runtime.greeting import GreetingReader, ProbeOutcome, ProbeResult

LONG = 3600.0
"""A time limit that no passing test waits for."""
SHORT = 0.2
"""A time limit for tests in which nothing but the end of the time happens."""
# Windows takes two seconds to refuse a connection to a loopback port.
ENOUGH = 4.0 if os.name == "nt" else 1.5
"""A time limit for tests in which some peers answer in time and others never do."""

BODY = b'{"lmstudio":true}'
GREETING = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%s" % (len(BODY), BODY)

Handler = Callable[[socket.socket], None]
Listen = Callable[..., Address]


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


@pytest.fixture
def listen() -> Iterator[Listen]:
    """Start servers that run a handler for each connection; all are ended with the test."""
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


@pytest.fixture
def refused() -> Iterator[Address]:
    """An address where nothing listens, and nothing else can."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        yield Address("ws", "127.0.0.1", bound.getsockname()[1])


@pytest.fixture(params=["sync", "asyncio"])
def ask(request: pytest.FixtureRequest) -> Callable[..., list[ProbeResult]]:
    """``probe``, in both its forms."""
    if request.param == "sync":
        return probe

    def ask_with_asyncio(addresses: Sequence[Address], **options: Any) -> list[ProbeResult]:
        return asyncio.run(probe_async(addresses, **options))

    return ask_with_asyncio


@pytest.fixture(params=["sync", "asyncio"])
def find(request: pytest.FixtureRequest) -> Callable[..., Address]:
    """``find_server``, in both its forms, with an empty environment."""

    def find_it(api_host: str | Address | None = None, **options: Any) -> Address:
        options = {"environ": {}, **options}
        if request.param == "sync":
            return find_server(api_host, **options)
        return asyncio.run(find_server_async(api_host, **options))

    return find_it


class TestProbe:
    def test_a_greeting(self, listen: Listen, ask: Callable[..., list[ProbeResult]]) -> None:
        address = listen(answering(GREETING))
        assert ask([address], timeout=LONG) == [ProbeResult(address, "found", "LM Studio answers", 200)]

    def test_the_request(self, listen: Listen) -> None:
        requests: list[bytes] = []

        def handle(connection: socket.socket) -> None:
            requests.append(read_request(connection))
            connection.sendall(GREETING)

        port = listen(handle).port
        assert probe([parse_address(f"http://localhost:{port}/tools/lm/")], timeout=LONG)[0].found
        first, *headers = requests[0].decode("ascii").split("\r\n")
        assert first == "GET /tools/lm/lmstudio-greeting HTTP/1.1"
        assert f"Host: localhost:{port}" in headers
        assert "Connection: close" in headers

    def test_every_address_has_its_result_in_order(
        self, listen: Listen, refused: Address, ask: Callable[..., list[ProbeResult]]
    ) -> None:
        silent = listen(until_closed)
        studio = listen(answering(GREETING))
        other = listen(answering(b"220 mail.example ready\r\n"))
        results = ask([refused, studio, silent, other, studio], timeout=ENOUGH)
        assert [result.address for result in results] == [refused, studio, silent, other, studio]
        assert [result.outcome for result in results] == [
            "refused",
            "found",
            "timeout",
            "not_lm_studio",
            "found",
        ]
        assert "connection refused" in results[0].reason
        assert f"no reply within {ENOUGH:g} s" in results[2].reason
        assert "220 mail.example" in results[3].reason

    def test_no_addresses(self) -> None:
        assert probe([]) == []

    @pytest.mark.parametrize("timeout", [0, -1, float("nan"), float("inf"), None, "1", True])
    def test_a_timeout_must_be_finite(self, timeout: Any) -> None:
        with pytest.raises(UsageError, match="greater than 0"):
            probe([], timeout=timeout)

    def test_a_server_that_never_accepts(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as listener:
            result = probe([Address("ws", "127.0.0.1", listener.getsockname()[1])], timeout=SHORT)[0]
        assert result.outcome == "timeout"

    def test_a_server_that_resets_the_connection(self, listen: Listen) -> None:
        def handle(connection: socket.socket) -> None:
            read_request(connection)
            connection.setsockopt(
                socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("hh" if os.name == "nt" else "ii", 1, 0)
            )

        result = probe([listen(handle)], timeout=LONG)[0]
        assert result.outcome == "closed"
        assert "it ended the connection" in result.reason

    @pytest.mark.parametrize(
        ("beginning", "crumb", "reason"),
        [
            (b"HTTP/1.1 200 OK\r\n\r\n", b"x" * 1000, "longer than 65536 bytes"),
            (b"HTTP/1.1 200 OK\r\nContent-Length: 999999999\r\n\r\n", b"x" * 1000, "longer than 65536 bytes"),
            (
                b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
                b"1\r\nx\r\n",
                "longer than 65536 bytes",
            ),
            (b"HTTP/1.1 200 OK\r\n", b"X-Header: 1\r\n", "not HTTP"),
            (b"", b"\x00" * 1000, "not HTTP"),
        ],
    )
    def test_a_reply_without_end(self, listen: Listen, beginning: bytes, crumb: bytes, reason: str) -> None:
        def handle(connection: socket.socket) -> None:
            read_request(connection)
            connection.sendall(beginning)
            while True:
                connection.sendall(crumb * 10)

        result = probe([listen(handle)], timeout=LONG)[0]
        assert result.outcome == "not_lm_studio"
        assert reason in result.reason

    @pytest.mark.parametrize(
        ("beginning", "crumb"),
        [
            (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"1\r\nx\r\n"),
            (b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
            (b"HTTP/1.1 200 OK\r\nX-Header: ", b"x"),
        ],
    )
    def test_a_reply_in_crumbs_ends_with_the_time(
        self, listen: Listen, beginning: bytes, crumb: bytes
    ) -> None:
        pause = threading.Event()

        def handle(connection: socket.socket) -> None:
            read_request(connection)
            connection.sendall(beginning)
            while True:
                connection.sendall(crumb)
                pause.wait(0.01)

        assert probe([listen(handle)], timeout=ENOUGH)[0].outcome == "not_lm_studio"

    def test_a_greeting_on_a_connection_that_stays_open(self, listen: Listen) -> None:
        def handle(connection: socket.socket) -> None:
            read_request(connection)
            connection.sendall(GREETING)
            until_closed(connection)

        assert probe([listen(handle)], timeout=LONG)[0].found

    def test_the_standard_library_s_web_server(self) -> None:
        class Quiet(http.server.SimpleHTTPRequestHandler):
            def log_message(self, format: str, *args: Any) -> None:
                pass

        with http.server.HTTPServer(("127.0.0.1", 0), Quiet) as server:
            thread = threading.Thread(target=server.handle_request)
            thread.start()
            result = probe([Address("ws", "127.0.0.1", server.server_port)], timeout=LONG)[0]
            thread.join()
        assert (result.outcome, result.status) == ("not_lm_studio", 404)

    def test_ipv6(self, listen: Listen) -> None:
        try:
            address = listen(answering(GREETING), host="::1")
        except OSError:
            pytest.skip("this machine has no IPv6 loopback")
        assert probe([address], timeout=LONG)[0].found

    def test_a_name_is_looked_up_and_all_its_addresses_tried(self, listen: Listen) -> None:
        # Addresses that were not parsed keep their capitals, so this one goes to the system's resolver, where it has
        # 127.0.0.1 and, on many machines, ::1.
        address = Address("ws", "LOCALHOST", listen(answering(GREETING)).port)
        assert probe([address], timeout=LONG)[0].found

    def test_an_unknown_name(self, ask: Callable[..., list[ProbeResult]]) -> None:
        result = ask([Address("ws", "nowhere.invalid", 1234)], timeout=SHORT)[0]
        assert result.outcome == "unresolved"
        assert "looked up" in result.reason

    def test_nothing_is_left_behind(self, listen: Listen, refused: Address) -> None:
        closed = threading.Event()

        def handle(connection: socket.socket) -> None:
            until_closed(connection)
            closed.set()

        addresses = [listen(handle), refused, listen(answering(GREETING))]
        before = set(threading.enumerate())
        probe(addresses, timeout=SHORT)
        assert set(threading.enumerate()) == before
        assert closed.wait(30)


REPLIES: list[tuple[bytes, ProbeOutcome, str]] = [
    (GREETING, "found", "LM Studio"),
    (b"HTTP/1.0 200 OK\r\n\r\n" + BODY, "found", "LM Studio"),
    (b"HTTP/1.1 200\r\ncontent-LENGTH:17\r\n\r\n" + BODY, "found", "LM Studio"),
    (
        b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" + GREETING,
        "found",
        "LM Studio",
    ),
    (
        b'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n8;note=1\r\n{"lmstud\r\n9\r\nio":true}\r\n0\r\n\r\n',
        "found",
        "LM Studio",
    ),
    (
        b'HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n11\r\n{"lmstudio":true}\r\n0\r\nT: x\r\n\r\n',
        "found",
        "LM Studio",
    ),
    (b'HTTP/1.1 200 OK\r\n\r\n{"lmstudio": true, "more": [1]}', "found", "LM Studio"),
    (b'HTTP/1.1 200 OK\r\n\r\n{"lmstudio": 1}', "not_lm_studio", "does not say so"),
    (b'HTTP/1.1 200 OK\r\n\r\n{"lmstudio": "true"}', "not_lm_studio", "does not say so"),
    (b'HTTP/1.1 200 OK\r\n\r\n{"lmstudio": false}', "not_lm_studio", "does not say so"),
    (b"HTTP/1.1 200 OK\r\n\r\n[true]", "not_lm_studio", "does not say so"),
    (b"HTTP/1.1 200 OK\r\n\r\nnull", "not_lm_studio", "does not say so"),
    (b"HTTP/1.1 200 OK\r\n\r\n<html>Hi</html>", "not_lm_studio", "not JSON: '<html>Hi</html>'"),
    (b"HTTP/1.1 200 OK\r\n\r\n", "not_lm_studio", "not JSON: ''"),
    (b"HTTP/1.1 200 OK\r\n\r\n\xff\xfe", "not_lm_studio", "not JSON"),
    (b"HTTP/1.1 200 OK\r\n\r\n" + b"[" * 50_000, "not_lm_studio", "not JSON"),
    (b"HTTP/1.1 200 OK\r\nContent-Length: 18\r\n\r\n" + BODY, "not_lm_studio", "incomplete (it hung up)"),
    (b"HTTP/1.1 200 OK\r\nContent-Length: many\r\n\r\n" + BODY, "not_lm_studio", "incomplete (it hung up)"),
    (b"HTTP/1.1 200 OK\r\nContent-Length: " + b"9" * 5000 + b"\r\n\r\n", "not_lm_studio", "incomplete"),
    (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n\r\n", "not_lm_studio", "incomplete"),
    (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n-5\r\n\r\n", "not_lm_studio", "incomplete"),
    (b"HTTP/1.1 200 OK\r\nContent-", "not_lm_studio", "incomplete (it hung up)"),
    (b"HTT", "not_lm_studio", "incomplete (it hung up)"),
    (b"HTTP/1.1 abc OK\r\n\r\n", "not_lm_studio", "not HTTP"),
    (b"HTTP/1.1\r\n\r\n", "not_lm_studio", "not HTTP"),
    (
        b"HTTP/1.1 404 Not Found\r\nContent-Length: 4\r\n\r\nnope",
        "not_lm_studio",
        "HTTP status 404, body 'nope'",
    ),
    (b"HTTP/1.1 204 No Content\r\n\r\n", "not_lm_studio", "HTTP status 204, body ''"),
    (b"HTTP/1.1 500 Oh\r\nContent-Length: 9\r\n\r\nnope", "not_lm_studio", "HTTP status 500, body 'nope'"),
    (
        b"HTTP/1.1 308 Moved\r\nLocation: https://example.org/\r\nContent-Length: 0\r\n\r\n",
        "not_lm_studio",
        "HTTP status 308, location 'https://example.org/'",
    ),
    (b"HTTP/1.1 101 Switching\r\n\r\n", "not_lm_studio", "HTTP status 101"),
    (b"SSH-2.0-OpenSSH_9.6\r\n", "not_lm_studio", "not HTTP: 'SSH-2.0-OpenSSH_9.6\\r\\n'"),
    (b"\x1b[31mred" + b"." * 100, "not_lm_studio", "'\\x1b[31mred" + "." * 72 + "'..."),
    (b"\x15\x03\x01\x00\x02\x02\x16", "tls", "wss://"),
    (b"", "closed", "it hung up"),
]


class TestReplies:
    @pytest.mark.parametrize("size", [1, 7, 1_000_000], ids=["byte by byte", "in pieces", "at once"])
    @pytest.mark.parametrize(("reply", "outcome", "reason"), REPLIES)
    def test_the_verdict(self, reply: bytes, outcome: ProbeOutcome, reason: str, size: int) -> None:
        address = Address("ws", "127.0.0.1", 1234)
        reader = GreetingReader()
        for start in range(0, len(reply), size):
            if reader.feed(reply[start : start + size]):
                result = reader.verdict(address)
                break
        else:
            result = reader.verdict(address, ending="it hung up")
        assert result.outcome == outcome
        # What is quoted of a reply that can be told from its beginning depends on how much of it came.
        assert reason in result.reason or (size < 10 and "not HTTP" in result.reason)

    @pytest.mark.parametrize(("reply", "outcome", "reason"), REPLIES)
    def test_the_verdict_over_a_socket(
        self, listen: Listen, reply: bytes, outcome: ProbeOutcome, reason: str
    ) -> None:
        result = probe([listen(answering(reply))], timeout=LONG)[0]
        assert result.outcome == outcome
        assert reason.replace("it hung up", "it ended the connection") in result.reason


class TestTls:
    @pytest.fixture
    def authority(self) -> Any:
        return pytest.importorskip("trustme").CA()

    @pytest.fixture
    def server_context(self, authority: Any) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.issue_cert("localhost", "127.0.0.1").configure_cert(context)
        return context

    @pytest.fixture
    def trusting(self, authority: Any) -> ssl.SSLContext:
        context = ssl.create_default_context()
        authority.configure_trust(context)
        return context

    @pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
    def test_a_greeting(
        self,
        listen: Listen,
        server_context: ssl.SSLContext,
        trusting: ssl.SSLContext,
        find: Callable[..., Address],
        host: str,
    ) -> None:
        port = listen(answering(GREETING), context=server_context).port
        expected = Address("wss", host, port)
        assert find(f"https://{host}:{port}", timeout=LONG, ssl_context=trusting) == expected

    def test_plain_and_tls_in_one_round(
        self, listen: Listen, server_context: ssl.SSLContext, trusting: ssl.SSLContext
    ) -> None:
        addresses = [listen(answering(GREETING)), listen(answering(GREETING), context=server_context)]
        results = probe(addresses, timeout=LONG, ssl_context=trusting)
        assert [result.outcome for result in results] == ["found", "found"]

    def test_a_certificate_that_is_not_trusted(self, listen: Listen, server_context: ssl.SSLContext) -> None:
        result = probe([listen(answering(GREETING), context=server_context)], timeout=LONG)[0]
        assert result.outcome == "tls"
        assert "certificate is refused" in result.reason
        assert "ssl_context" in result.reason

    def test_a_certificate_for_another_name(
        self, listen: Listen, server_context: ssl.SSLContext, trusting: ssl.SSLContext
    ) -> None:
        port = listen(answering(GREETING), context=server_context).port
        result = probe([Address("wss", "lm.localhost", port)], timeout=LONG, ssl_context=trusting)[0]
        assert result.outcome == "tls"
        assert "lm.localhost" in result.reason

    def test_a_plain_address_of_a_tls_server(self, listen: Listen, server_context: ssl.SSLContext) -> None:
        port = listen(answering(GREETING), context=server_context).port
        assert not probe([Address("ws", "127.0.0.1", port)], timeout=LONG)[0].found

    def test_a_tls_address_of_a_plain_server(self, listen: Listen) -> None:
        def handle(connection: socket.socket) -> None:
            connection.recv(4096)
            connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")

        result = probe([Address("wss", "127.0.0.1", listen(handle).port)], timeout=LONG)[0]
        assert result.outcome == "tls"
        assert "give a ws:// or http:// address" in result.reason

    def test_a_server_that_ends_the_handshake(self, listen: Listen) -> None:
        port = listen(lambda connection: None).port
        assert probe([Address("wss", "127.0.0.1", port)], timeout=LONG)[0].outcome == "tls"

    def test_a_server_that_is_silent_in_the_handshake(self, listen: Listen) -> None:
        result = probe([Address("wss", "127.0.0.1", listen(until_closed).port)], timeout=SHORT)[0]
        assert result.outcome == "timeout"
        assert "TLS handshake" in result.reason


class TestFindServer:
    def test_where_it_looks_by_default(self) -> None:
        ports = (41343, 52993, 16141, 39414, 22931, 1234)
        assert tuple(str(address) for address in LOCAL_ADDRESSES) == tuple(
            f"127.0.0.1:{port}" for port in ports
        )

    def test_the_first_that_answers(
        self, listen: Listen, refused: Address, find: Callable[..., Address]
    ) -> None:
        other = listen(answering(b"220 mail.example ready\r\n"))
        first, second = listen(answering(GREETING)), listen(answering(GREETING))
        assert find(local_addresses=[refused, other, first, second], timeout=LONG) == first

    def test_list_order_goes_before_speed(self, listen: Listen, find: Callable[..., Address]) -> None:
        fast_is_done = threading.Event()

        def answer_fast(connection: socket.socket) -> None:
            answering(GREETING)(connection)
            fast_is_done.set()

        def answer_slowly(connection: socket.socket) -> None:
            assert fast_is_done.wait(30)
            # Longer than a better address without a connection is waited for.
            assert not threading.Event().wait(0.3)
            answering(GREETING)(connection)

        slow, fast = listen(answer_slowly), listen(answer_fast)
        assert find(local_addresses=[slow, fast], timeout=LONG) == slow

    def test_a_port_that_accepts_nothing_is_not_waited_for(
        self, listen: Listen, find: Callable[..., Address]
    ) -> None:
        with full_listener() as full:
            studio = listen(answering(GREETING))
            # With a better address that is waited for, this would take an hour.
            assert find(local_addresses=[full, studio], timeout=LONG) == studio

    def test_a_slow_worse_address_is_not_waited_for(
        self, listen: Listen, find: Callable[..., Address]
    ) -> None:
        studio, silent = listen(answering(GREETING)), listen(until_closed)
        assert find(local_addresses=[studio, silent], timeout=LONG) == studio

    def test_a_named_server(self, listen: Listen, refused: Address, find: Callable[..., Address]) -> None:
        studio = listen(answering(GREETING))
        other = {"LM_API_HOST": str(refused)}
        assert find(f"ws://127.0.0.1:{studio.port}/", environ=other, timeout=LONG) == studio
        assert find(studio, environ=other, timeout=LONG) == studio

    @pytest.mark.parametrize("variable", ["LMSTUDIO_API_HOST", "LM_API_HOST"])
    def test_the_environment_goes_before_local_addresses(
        self, listen: Listen, find: Callable[..., Address], variable: str
    ) -> None:
        named, local = listen(answering(GREETING)), listen(answering(GREETING))
        assert find(environ={variable: str(named)}, local_addresses=[local], timeout=LONG) == named

    def test_nobody_answers(self, listen: Listen, refused: Address, find: Callable[..., Address]) -> None:
        silent = listen(until_closed)
        other = listen(answering(b"HTTP/1.1 404 Not Found\r\nContent-Length: 4\r\n\r\nnope"))
        with pytest.raises(ServerNotFoundError) as caught:
            find(local_addresses=[refused, silent, other], timeout=ENOUGH)
        assert isinstance(caught.value, ConnectError)
        assert [address for address, _ in caught.value.attempts] == [str(refused), str(silent), str(other)]
        lines = str(caught.value).splitlines()
        assert f"  {refused}: connection refused, nothing listens there" in lines
        assert f"  {silent}: connected, but no reply within {ENOUGH:g} s" in lines
        assert f"  {other}: not LM Studio: HTTP status 404, body 'nope'" in lines
        assert "Start LM Studio" in lines[-1]
        assert "lmwire serve" in lines[-1]
        assert "LMSTUDIO_API_HOST" in lines[-1]

    def test_a_named_server_does_not_answer(
        self, listen: Listen, refused: Address, find: Callable[..., Address]
    ) -> None:
        studio = listen(answering(GREETING))
        with pytest.raises(ServerNotFoundError) as caught:
            find(refused, local_addresses=[studio], timeout=LONG)
        assert [address for address, _ in caught.value.attempts] == [str(refused)]
        assert "lmwire serve" in str(caught.value)
        assert "1234 unless changed" in str(caught.value)

    def test_the_environment_s_server_does_not_answer(
        self, refused: Address, find: Callable[..., Address]
    ) -> None:
        with pytest.raises(ServerNotFoundError, match="environment variable LM_API_HOST"):
            find(environ={"LM_API_HOST": str(refused)}, timeout=LONG)

    def test_a_remote_server_does_not_answer(self, find: Callable[..., Address]) -> None:
        with pytest.raises(
            ServerNotFoundError, match=r"runs on nowhere\.invalid, that 'Serve on Local Network'"
        ):
            find("nowhere.invalid", timeout=SHORT)

    def test_a_malformed_address(self, find: Callable[..., Address]) -> None:
        with pytest.raises(UsageError, match="HTTP API"):
            find("http://127.0.0.1:1234/v1")


class TestAsyncio:
    async def test_the_event_loop_goes_on(self, listen: Listen) -> None:
        asked, go_on = threading.Event(), threading.Event()

        def handle(connection: socket.socket) -> None:
            asked.set()
            assert go_on.wait(30)
            answering(GREETING)(connection)

        address = listen(handle)
        task = asyncio.create_task(find_server_async(address, timeout=LONG))
        assert await asyncio.to_thread(asked.wait, 30)
        go_on.set()
        assert await task == address

    async def test_cancelling_ends_thread_and_connection(self, listen: Listen) -> None:
        asked, hung_up = threading.Event(), threading.Event()

        def handle(connection: socket.socket) -> None:
            asked.set()
            until_closed(connection)
            hung_up.set()

        task = asyncio.create_task(find_server_async(listen(handle), timeout=LONG))
        assert await asyncio.to_thread(asked.wait, 30)
        threads = [thread for thread in threading.enumerate() if thread.name == "lmwire-probe"]
        assert len(threads) == 1
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert hung_up.wait(30)
        threads[0].join(30)
        assert not threads[0].is_alive()

    async def test_a_busy_executor_does_not_matter(self, listen: Listen) -> None:
        address = listen(answering(GREETING))
        over = threading.Event()
        loop = asyncio.get_running_loop()
        loop.set_default_executor(ThreadPoolExecutor(max_workers=1))
        blocked = loop.run_in_executor(None, over.wait)
        try:
            assert await find_server_async(address, timeout=LONG) == address
        finally:
            over.set()
            await blocked

    async def test_many_rounds_at_once(self, listen: Listen, refused: Address) -> None:
        studio = listen(answering(GREETING))
        found = await asyncio.gather(
            *(find_server_async(environ={}, local_addresses=[refused, studio], timeout=30) for _ in range(20))
        )
        assert found == [studio] * 20


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
