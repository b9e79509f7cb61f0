"""Plain HTTP through the proxy: it passes with its body, and not at all where a token is demanded."""

from __future__ import annotations

import contextlib
import http.client
import json
import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from websockets.sync.client import connect

from lmwire_emulator import EmulatorThread
from lmwire_tools.traffic import Faulty, HttpAnswered
from tests.runtime.arithmetic import ENOUGH
from tests.tools.proxies import ProxyThread, proxied

TOKEN = "sk-lm-AbCd1234:0123456789abcdefghij"


class RestServer(ThreadingHTTPServer):
    """Answers every request with what it got, and keeps that."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Echo)
        self.got: list[tuple[str, str, bytes]] = []


class Echo(BaseHTTPRequestHandler):
    def answer(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        assert isinstance(self.server, RestServer)
        self.server.got.append((self.command, self.path, body))
        said = json.dumps([self.command, body.decode()]).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(said)))
        self.end_headers()
        self.wfile.write(said)

    do_GET = do_POST = do_DELETE = do_PATCH = answer

    def log_message(self, format: str, *arguments: object) -> None:
        pass


@pytest.fixture
def rest() -> Iterator[RestServer]:
    server = RestServer()
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield server
    server.shutdown()
    thread.join(ENOUGH)
    server.server_close()


def address(server: RestServer) -> str:
    return f"127.0.0.1:{server.server_port}"


def ask(
    proxy: ProxyThread, method: str, path: str, body: bytes | None = None, **headers: str
) -> tuple[int, bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", proxy.port, timeout=ENOUGH)
    connection.request(method, path, body, headers)
    answer = connection.getresponse()
    with answer:
        return answer.status, answer.read()


@pytest.mark.parametrize("size", [0, 7, 3_000_000])
def test_the_body_of_a_request_passes(rest: RestServer, size: int) -> None:
    body = b"x" * size
    with proxied(address(rest)) as proxy:
        status, said = ask(proxy, "POST", "/v1/chat/completions", body)
        (answered,) = proxy.until(lambda event: isinstance(event, HttpAnswered))

    assert (status, json.loads(said)) == (200, ["POST", body.decode()])
    assert rest.got == [("POST", "/v1/chat/completions", body)]
    assert isinstance(answered, HttpAnswered)
    assert (answered.method, answered.path, answered.status) == ("POST", "/v1/chat/completions", 200)


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/v1/models"),
        ("POST", "/v1/models/unload"),
        ("DELETE", "/x"),
        ("PATCH", "/x"),
        ("POST", "/lms-status"),
    ],
)
def test_with_a_token_no_other_page_passes(rest: RestServer, method: str, path: str) -> None:
    with proxied(address(rest), token=TOKEN) as proxy:
        status, said = ask(proxy, method, path)
        (fault,) = proxy.until(lambda event: isinstance(event, Faulty))

    assert status == 403
    assert f"not {method} {path}" in said.decode()
    assert f"not {method} {path}" in str(fault)
    assert rest.got == []


class Listener(threading.Thread):
    """A server that answers a request once it has listened for a while, and keeps all that came by then."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.host = f"127.0.0.1:{self._socket.getsockname()[1]}"
        self.got = b""
        self.start()

    def run(self) -> None:
        connection, _ = self._socket.accept()
        with self._socket, connection:
            connection.settimeout(0.3)
            with contextlib.suppress(TimeoutError):
                while data := connection.recv(65536):
                    self.got += data
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}")


def test_with_a_token_no_second_request_follows_the_first() -> None:
    second = b"POST /v1/models/unload HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
    server = Listener()
    with proxied(server.host, token=TOKEN) as proxy:
        with socket.create_connection(("127.0.0.1", proxy.port), ENOUGH) as client:
            client.sendall(b"GET /lms-status HTTP/1.1\r\nHost: %b\r\n\r\n" % proxy.host.encode() + second)
            assert client.recv(65536).startswith(b"HTTP/1.1 200")
        server.join(ENOUGH)

    assert server.got.startswith(b"GET /lms-status")
    assert b"POST" not in server.got


@pytest.mark.parametrize("headers", [{"Content-Length": "4"}, {"Transfer-Encoding": "chunked"}])
def test_with_a_token_no_body_passes(rest: RestServer, headers: dict[str, str]) -> None:
    with proxied(address(rest), token=TOKEN) as proxy:
        status, said = ask(proxy, "GET", "/lms-status", b"POST", **headers)

    assert (status, rest.got) == (403, [])
    assert "with a body" in said.decode()


def test_with_a_token_what_only_looks_like_a_websocket_gives_nothing_away(rest: RestServer) -> None:
    with proxied(address(rest), token=TOKEN) as proxy:
        status, said = ask(proxy, "GET", "/v1/models", Upgrade="websocket", Connection="Upgrade")

    assert (status, b"GET" in said) == (502, False)


def test_with_a_token_clients_still_find_the_server() -> None:
    with EmulatorThread() as emulator, proxied(emulator.api_host, token=TOKEN) as proxy:
        for path in ("/lmstudio-greeting", "/lms-status"):
            assert ask(proxy, "GET", path)[0] == 200


def test_a_first_message_that_is_no_authentication_is_nobody_elses_fault(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with EmulatorThread() as emulator, proxied(emulator.api_host, token=TOKEN) as proxy:
        with connect(f"ws://{proxy.host}/llm", proxy=None) as connection:
            connection.send('{"type": "rpcCall", "endpoint": "listLoaded", "callId": 1}')
            answer = json.loads(connection.recv(ENOUGH))
        proxy.until_closed()

    assert "no authentication" in answer["error"]
    assert caplog.messages == []
