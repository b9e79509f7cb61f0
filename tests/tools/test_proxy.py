"""The proxy: nothing that passes is changed, everything is named and judged, and not everybody may use it."""

from __future__ import annotations

import json
import socket
import ssl
import threading
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import trustme
from websockets.exceptions import ConnectionClosed, ConnectionClosedOK, InvalidStatus
from websockets.frames import Close, Frame, Opcode
from websockets.sync.client import connect
from websockets.sync.server import ServerConnection, serve

import lmwire
from lmwire import Client
from lmwire_emulator import EmulatorThread
from lmwire_runtime.access import AccessRule
from lmwire_tools.analysis import FrameEvent
from lmwire_tools.recordings import Closed, Opened
from lmwire_tools.traffic import Faulty, HttpAnswered, TrafficEvent
from tests.interop import programs
from tests.interop.environments import NODE_SDKS, NodeProject
from tests.interop.frames import FrameTap
from tests.interop.scripts import SCRIPT
from tests.runtime.arithmetic import ENOUGH
from tests.support import requires
from tests.tools.proxies import BytePeer, ProxyThread, proxied

TOKEN = "sk-lm-AbCd1234:0123456789abcdefghij"
AUTHENTICATION = {"authVersion": 1, "clientIdentifier": "guest:test", "clientPasskey": "passkey"}


@pytest.fixture
def proxy() -> Iterator[ProxyThread]:
    """A proxy in front of an emulator."""
    with EmulatorThread(script=SCRIPT) as emulator, proxied(emulator.api_host) as running:
        yield running


# Whom it serves.


@requires("official-python")
@pytest.mark.parametrize("group", ["sync", "async"])
def test_the_official_python_sdk_talks_through_it(group: str, official_python: Path) -> None:
    tap = FrameTap()
    with (
        EmulatorThread(script=SCRIPT, on_frame=tap) as emulator,
        proxied(emulator.api_host) as proxy,
    ):
        saw = programs.run_python(official_python, group, proxy.host)

    assert saw["warnings"] == []
    check_interop(tap, proxy)


@requires("official-node")
@pytest.mark.parametrize("version", NODE_SDKS)
def test_the_official_javascript_sdk_talks_through_it(
    version: str, official_node: Callable[[str], NodeProject]
) -> None:
    tap = FrameTap()
    with (
        EmulatorThread(script=SCRIPT, on_frame=tap) as emulator,
        proxied(emulator.api_host) as proxy,
    ):
        saw = programs.run_node(official_node(version), "users", proxy.host)

    assert saw["complete"]["content"] == " Ada Lovelace"
    check_interop(tap, proxy)


def check_interop(tap: FrameTap, proxy: ProxyThread) -> None:
    """The proxy saw what the server saw, knew all of it, and found nothing to object to."""
    traffic = tap.traffic()
    traffic.check()
    assert proxy.summary.deviations == {}
    assert proxy.summary.faults == []
    assert sorted(proxy.summary.endpoints.elements()) == sorted(traffic.endpoints())
    assert sum(proxy.summary.frames.values()) == len(traffic.passed)
    assert all(frame.endpoint for frame in proxy.frames if frame.kind is not None)


def test_our_own_client_talks_through_it(proxy: ProxyThread) -> None:
    with Client(proxy.host) as client:
        client.check_server()
        assert client.llm.model().complete("My name is").content == " Ada Lovelace"
        with pytest.raises(lmwire.LMWireError, match="nobody/nothing"):
            client.llm.model("nobody/nothing")

    (closed,) = proxy.until_closed()
    assert (closed.code, closed.namespace) == (1000, "llm")
    kinds = [type(event) for event in proxy.events]
    assert kinds.count(Opened) == 1
    greeted = [event for event in proxy.events if isinstance(event, HttpAnswered)]
    assert {(event.method, event.path, event.status) for event in greeted} == {
        ("GET", "/lmstudio-greeting", 200)
    }
    assert proxy.summary.deviations == {}


def test_frames_are_named_and_timed(proxy: ProxyThread) -> None:
    with Client(proxy.host) as client:
        client.llm.model().complete("My name is")
    proxy.until_closed()

    def line(event: FrameEvent) -> tuple[Any, ...]:
        return event.direction, event.kind, event.endpoint, event.packet or event.type, event.latency is None

    told = [line(event) for event in proxy.frames]
    assert told[:4] == [
        ("to_server", None, None, "authentication", True),
        ("to_client", None, None, "authenticationResult", False),
        ("to_server", "rpc", "listLoaded", "rpcCall", True),
        ("to_client", "rpc", "listLoaded", "rpcResult", False),
    ]
    assert ("to_client", "channel", "completeRawText", "fragment", False) in told
    assert told[-1][2:4] == ("completeRawText", "channelClose")
    assert all(event.latency is None or event.latency >= 0 for event in proxy.frames)


def test_it_passes_pages_on(proxy: ProxyThread) -> None:
    for path, key in (("lmstudio-greeting", "lmstudio"), ("lms-status", "version")):
        with urllib.request.urlopen(f"http://{proxy.host}/{path}", timeout=ENOUGH) as answer:
            assert key in json.loads(answer.read())

    with pytest.raises(urllib.error.HTTPError, match="404"):
        urllib.request.urlopen(f"http://{proxy.host}/nowhere", timeout=ENOUGH)


def test_it_reaches_a_server_by_tls_and_below_a_prefix() -> None:
    authority = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    paths = []

    def handle(connection: ServerConnection) -> None:
        assert connection.request is not None
        paths.append((connection.request.path, connection.request.headers["Host"]))
        connection.send('{"success":true}')
        connection.recv(ENOUGH)

    trusting = ssl.create_default_context()
    authority.configure_trust(trusting)
    with websocket_server(handle, ssl=context) as host, proxied(f"wss://{host}/lm") as proxy:
        proxy._proxy.tls = trusting
        with connect(f"ws://{proxy.host}/llm", proxy=None) as connection:
            assert connection.recv(ENOUGH) == '{"success":true}'
            connection.send("{}")
        proxy.until_closed()

    assert paths == [("/lm/llm", host)]


# What it leaves as it is.


def client_bytes() -> bytes:
    """Frames of every kind, as a client may send them: masked, in pieces, with pings between."""
    authentication = json.dumps(AUTHENTICATION, indent=1).encode()
    frames = [
        Frame(Opcode.TEXT, authentication[:20], fin=False),
        Frame(Opcode.PING, b"are you there"),
        Frame(Opcode.CONT, authentication[20:50], fin=False),
        Frame(Opcode.CONT, authentication[50:]),
        Frame(Opcode.TEXT, '{"type":"keepAlive","ä":1e0}'.encode()),
        Frame(Opcode.BINARY, b'{"type":"keepAlive"}'),
        Frame(Opcode.PONG, b"unasked"),
        Frame(Opcode.CLOSE, Close(4001, "enough").serialize()),
    ]
    return b"".join(frame.serialize(mask=True) for frame in frames)


def server_bytes() -> bytes:
    frames = [
        Frame(Opcode.PING, b""),
        Frame(Opcode.TEXT, b'{ "success" : true }'),
        Frame(Opcode.TEXT, b'{"type":"keepAlive', fin=False),
        Frame(Opcode.CONT, b'Ack"}'),
        Frame(Opcode.TEXT, b"no JSON"),
    ]
    return b"".join(frame.serialize(mask=False) for frame in frames)


HANDSHAKE = (
    b"GET /llm HTTP/1.1\r\nHost: localhost:1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nX-Odd:  kept \r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n"
    b"Sec-WebSocket-Extensions: permessage-deflate\r\nUser-Agent: raw\r\n\r\n"
)


@pytest.mark.parametrize("piece", [1, 7, 100_000])
def test_every_byte_behind_the_handshake_passes_unchanged(piece: int) -> None:
    sent, answered = client_bytes(), server_bytes()
    peer = BytePeer(answered, expect=len(sent))
    with proxied(peer.host) as proxy, socket.create_connection(("127.0.0.1", proxy.port), ENOUGH) as sock:
        sock.sendall(HANDSHAKE)
        for start in range(0, len(sent), piece):
            sock.sendall(sent[start : start + piece])
        got = b""
        while data := sock.recv(65536):
            got += data
        sock.close()
        peer.finish()
        (closed,) = proxy.until_closed()

    assert peer.received == sent
    assert got.partition(b"\r\n\r\n")[2] == answered
    assert peer.request is not None
    assert peer.request.headers["Host"] == peer.host  # the server's own name, and no offer of compression
    assert "Sec-WebSocket-Extensions" not in peer.request.headers
    assert (peer.request.headers["X-Odd"], peer.request.headers["User-Agent"]) == ("kept", "raw")
    assert (closed.code, closed.reason) == (4001, "enough")
    assert [event.type for event in proxy.frames if event.direction == "to_server"] == [
        "authentication",
        "keepAlive",
        "keepAlive",
    ]
    assert told(proxy) == {
        ("client", "/ä", "no such key"),
        ("client", "", "a text message"),
        ("client", "", "no frame before the authentication is answered"),
        ("server", "", "JSON"),
    }


def told(proxy: ProxyThread) -> set[tuple[str, str, str]]:
    return {(side, deviation.pointer, deviation.expected) for side, _, deviation in proxy.summary.deviations}


def test_bytes_that_are_no_websocket_pass_too_and_are_told() -> None:
    sent = Frame(Opcode.TEXT, b"{}").serialize(mask=False) + b"\xff" * 100  # a client has to mask
    peer = BytePeer(b"", expect=len(sent))
    with proxied(peer.host) as proxy, socket.create_connection(("127.0.0.1", proxy.port), ENOUGH) as sock:
        sock.sendall(HANDSHAKE)
        sock.recv(65536)
        sock.sendall(sent)
        peer.finish()
        proxy.until(is_deviating_fault)

    assert peer.received == sent
    assert proxy.summary.deviates


def is_deviating_fault(event: TrafficEvent) -> bool:
    return isinstance(event, Faulty) and event.deviates


def test_messages_beyond_its_limit_pass_unread() -> None:
    large = Frame(Opcode.TEXT, b'"' + b"x" * 5000 + b'"').serialize(mask=True)
    peer = BytePeer(b"", expect=len(large))
    with (
        proxied(peer.host, message_bytes=1000) as proxy,
        socket.create_connection(("127.0.0.1", proxy.port), ENOUGH) as sock,
    ):
        sock.sendall(HANDSHAKE)
        sock.recv(65536)
        sock.sendall(large)
        peer.finish()
        (fault,) = proxy.until(is_deviating_fault)

    assert peer.received == large
    assert "1000" in str(fault)


def test_a_lost_client_is_lost_for_the_server_too(proxy: ProxyThread) -> None:
    with connect(f"ws://{proxy.host}/llm", proxy=None) as connection:
        connection.send(json.dumps(AUTHENTICATION))
        connection.recv(ENOUGH)
        connection.socket.shutdown(socket.SHUT_RDWR)
        (closed,) = proxy.until_closed()

    assert (closed.code, closed.reason) == (None, "without a closing handshake")


# What it objects to.


@contextmanager
def websocket_server(handle: Callable[[ServerConnection], None], **options: Any) -> Iterator[str]:
    """A server whose connections a function handles; gives its address."""
    server = serve(handle, "127.0.0.1", 0, **options)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield "127.0.0.1:{}".format(*server.socket.getsockname()[1:])
    server.shutdown()
    thread.join(ENOUGH)


Exchange = tuple[dict[str, Any], list[Any]]

ACCEPTED: Exchange = (AUTHENTICATION, [{"success": True}])


def asked(*exchanges: Exchange) -> ProxyThread:
    """Send frames through a proxy to a server, which answers each of them as told."""

    def handle(connection: ServerConnection) -> None:
        for _, answers in exchanges:
            connection.recv(ENOUGH)
            for answer in answers:
                connection.send(answer if isinstance(answer, str) else json.dumps(answer))

    with websocket_server(handle) as host, proxied(host) as proxy:
        with connect(f"ws://{proxy.host}/llm", proxy=None) as connection:
            for frame, answers in exchanges:
                connection.send(json.dumps(frame))
                for _ in answers:
                    connection.recv(ENOUGH)
        proxy.until_closed()
    return proxy


def test_both_sides_are_judged_and_every_deviation_is_told() -> None:
    proxy = asked(
        ACCEPTED,
        (
            {
                "type": "rpcCall",
                "callId": 1,
                "endpoint": "tokenize",
                "parameter": {"specifier": 3, "more": 1},
            },
            [
                {"type": "rpcResult", "callId": 1, "result": {"tokens": ["a", 2], "more": 1}},
                {"type": "rpcResult", "callId": 1, "result": {"tokens": []}},
                {"type": "channelSend", "channelId": 9, "message": {}},
                {"type": "news"},
                "no JSON",
            ],
        ),
    )

    found = told(proxy)
    assert {
        ("client", "/parameter/inputString", "a string"),
        ("client", "/parameter/more", "no such key"),
        ("server", "/result/more", "no such key"),
        ("server", "/callId", "the id of an open call"),
        ("server", "/channelId", "the id of an open channel"),
        ("server", "", "JSON"),
    } <= found
    places = {(side, pointer) for side, pointer, _ in found}
    assert {("client", "/parameter/specifier"), ("server", "/result/tokens/0")} <= places
    assert any(expected.startswith("a member of ServerFrame") for _, _, expected in found)


def test_an_unknown_endpoint_is_told() -> None:
    proxy = asked(
        ACCEPTED,
        (
            {"type": "rpcCall", "callId": 1, "endpoint": "nonesuch"},
            [{"type": "communicationWarning", "warning": "unknown"}],
        ),
    )

    assert told(proxy) == {("client", "/endpoint", "one of the rpc endpoints of llm")}
    assert proxy.summary.warnings == 1


def test_frames_before_the_authentication_are_told() -> None:
    proxy = asked(({"type": "keepAlive"}, [{"type": "keepAliveAck"}]))

    assert ("client", "", "no frame before the authentication is answered") in told(proxy)


# Whom it refuses.


@pytest.mark.parametrize("origin", ["https://example.com", "null", "http://127.0.0.1.example.com"])
def test_web_pages_of_elsewhere_are_refused(proxy: ProxyThread, origin: str) -> None:
    with (
        pytest.raises(InvalidStatus, match="403"),
        connect(f"ws://{proxy.host}/llm", proxy=None, additional_headers={"Origin": origin}),
    ):
        pass

    assert proxy.summary.connections == 0
    assert "web pages are refused" in str(proxy.summary.faults[0])


@pytest.mark.parametrize("origin", ["http://localhost:3000", "http://127.0.0.1", "http://[::1]:8080"])
def test_pages_of_this_machine_are_served(proxy: ProxyThread, origin: str) -> None:
    with connect(f"ws://{proxy.host}/llm", proxy=None, additional_headers={"Origin": origin}) as connection:
        connection.send(json.dumps(AUTHENTICATION))
        assert json.loads(connection.recv(ENOUGH)) == {"success": True}


def test_pages_of_elsewhere_can_be_let_in() -> None:
    access = AccessRule(origins=["https://example.org"])
    headers = {"Origin": "https://example.org"}
    with (
        EmulatorThread(access=access) as emulator,
        proxied(emulator.api_host, access=access) as proxy,
        connect(f"ws://{proxy.host}/llm", proxy=None, additional_headers=headers) as connection,
    ):
        connection.send(json.dumps(AUTHENTICATION))
        assert json.loads(connection.recv(ENOUGH)) == {"success": True}


def test_connections_beyond_its_limit_are_refused_and_others_go_on() -> None:
    with EmulatorThread() as emulator, proxied(emulator.api_host, connections=1) as proxy:
        with connect(f"ws://{proxy.host}/llm", proxy=None) as first:
            with pytest.raises(InvalidStatus, match="503"), connect(f"ws://{proxy.host}/llm", proxy=None):
                pass
            first.send(json.dumps(AUTHENTICATION))
            assert json.loads(first.recv(ENOUGH)) == {"success": True}
        proxy.until_closed()
        with Client(proxy.host) as client:
            assert client.system.list_downloaded()
    assert "too many connections" in str(proxy.summary.faults[0])


def test_a_token_has_to_come_in_time() -> None:
    with (
        EmulatorThread() as emulator,
        proxied(emulator.api_host, token=TOKEN, authentication_seconds=0.1) as proxy,
        connect(f"ws://{proxy.host}/llm", proxy=None) as silent,
        pytest.raises(ConnectionClosed),
    ):
        silent.recv(ENOUGH)
    assert "did not present a token in time" in str(proxy.summary.faults[0])


def test_a_server_that_is_not_there_is_named(unused_port: int) -> None:
    with proxied(f"127.0.0.1:{unused_port}") as proxy:
        with pytest.raises(InvalidStatus, match="502"), connect(f"ws://{proxy.host}/llm", proxy=None):
            pass
        assert str(unused_port) in proxy.summary.faults[0].fault


def test_what_is_no_http_is_refused(proxy: ProxyThread) -> None:
    with socket.create_connection(("127.0.0.1", proxy.port), ENOUGH) as sock:
        sock.sendall(b"hello\r\n\r\n")
        assert sock.recv(65536).startswith(b"HTTP/1.1 400 ")


@pytest.mark.parametrize(
    "packet",
    [
        AUTHENTICATION,
        {**AUTHENTICATION, "clientIdentifier": "AbCd1234"},
        {**AUTHENTICATION, "clientIdentifier": "AbCd1234", "clientPasskey": "0123456789abcdefghiJ"},
        {"type": "keepAlive"},
        [],
    ],
)
def test_with_a_token_it_lets_nobody_else_in(packet: Any) -> None:
    tap = FrameTap()
    with EmulatorThread(on_frame=tap) as emulator, proxied(emulator.api_host, token=TOKEN) as proxy:
        with connect(f"ws://{proxy.host}/llm", proxy=None) as connection:
            connection.send(json.dumps(packet))
            answer = json.loads(connection.recv(ENOUGH))
            with pytest.raises(ConnectionClosedOK):
                connection.recv(ENOUGH)
        (closed,) = proxy.until_closed()

    assert answer["success"] is False
    assert "token" in answer["error"]
    assert tap.traffic().passed == []  # nothing of it reached the server
    assert isinstance(closed, Closed)
    assert proxy.summary.faults


def test_with_a_token_it_lets_its_holder_in() -> None:
    with EmulatorThread(script=SCRIPT) as emulator, proxied(emulator.api_host, token=TOKEN) as proxy:
        with Client(proxy.host, api_token=TOKEN) as client:
            assert client.llm.model().complete("My name is").content == " Ada Lovelace"
        proxy.until_closed()
    assert proxy.summary.deviations == {}
