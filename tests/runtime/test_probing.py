"""Asking addresses: every kind of peer, TLS, and nothing left behind."""

from __future__ import annotations

import asyncio
import http.server
import os
import socket
import ssl
import struct
import threading
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pytest

from lmwire_runtime.addresses import Address, parse_address
from lmwire_runtime.discovery import ProbeResult, find_server, probe, probe_async
from lmwire_runtime.errors import UsageError
from tests.runtime.probe_peers import (
    ENOUGH,
    GREETING,
    LONG,
    SHORT,
    Listen,
    answering,
    peers,
    read_request,
    refusing,
    until_closed,
)


@pytest.fixture
def listen() -> Iterator[Listen]:
    with peers() as start:
        yield start


@pytest.fixture
def refused() -> Iterator[Address]:
    with refusing() as address:
        yield address


@pytest.fixture(params=["sync", "asyncio"])
def ask(request: pytest.FixtureRequest) -> Callable[..., list[ProbeResult]]:
    """``probe``, in both its forms."""
    if request.param == "sync":
        return probe

    def ask_with_asyncio(addresses: Sequence[Address], **options: Any) -> list[ProbeResult]:
        return asyncio.run(probe_async(addresses, **options))

    return ask_with_asyncio


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
        host: str,
    ) -> None:
        port = listen(answering(GREETING), context=server_context).port
        expected = Address("wss", host, port)
        assert find_server(f"https://{host}:{port}", timeout=LONG, ssl_context=trusting) == expected

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
