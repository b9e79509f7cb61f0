"""Rows about peers with which no connection comes about: HTTP, the WebSocket handshake, the authentication."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Any, Final

from lmwire_runtime import json_codec
from lmwire_runtime.errors import (
    AuthenticationError,
    ConnectError,
    ConnectionLostError,
    RequestTimeoutError,
    ServerNotFoundError,
)
from tests.reliability.table import SOON, ConnectingRow, Fails, Gives
from tests.runtime.scripted_peers import ScriptedConnection

NO_LM_STUDIO: Final = r"no LM Studio server was found.*127\.0\.0\.1:\d+: not LM Studio: .*see to the port"
NO_ANSWER: Final = Fails(
    AuthenticationError, "did not answer the authentication as LM Studio does.*is it an LM Studio server"
)
ENDED: Final = "/arithmetic ended the connection instead of answering the authentication: "


def _silence(connection: ScriptedConnection) -> None:
    connection.until_cut()


def _replies(*parts: bytes) -> Callable[[ScriptedConnection], None]:
    """Send bytes, whatever was asked."""

    def does(connection: ScriptedConnection) -> None:
        connection.read_request()
        for part in parts:
            connection.sock.sendall(part)

    return does


def _replies_and_stays(reply: bytes) -> Callable[[ScriptedConnection], None]:
    def does(connection: ScriptedConnection) -> None:
        connection.read_request()
        connection.sock.sendall(reply)
        connection.until_cut()

    return does


def _page(
    status: str, body: bytes = b"<html>a page</html>", *headers: str
) -> Callable[[ScriptedConnection], None]:
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", "Connection: close", *headers, "", ""]
    return _replies("\r\n".join(lines).encode(), body)


def _greets_only(connection: ScriptedConnection) -> None:
    if b"greeting" in connection.read_request():
        body = b'{"lmstudio": true}'
        connection.sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body))
    else:
        connection.sock.sendall(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n")


def _endless_headers(connection: ScriptedConnection) -> None:
    connection.read_request()
    connection.sock.sendall(b"HTTP/1.1 101 Switching Protocols\r\n")
    for number in range(2000):
        connection.sock.sendall(b"X-%d: %s\r\n" % (number, b"x" * 1000))


def _endless_line(connection: ScriptedConnection) -> None:
    connection.read_request()
    for _ in range(2000):
        connection.sock.sendall(b"x" * 1000)


def _bad_switch(*headers: str) -> Callable[[ScriptedConnection], None]:
    return _page("101 Switching Protocols", b"", "Upgrade: websocket", "Connection: Upgrade", *headers)


def _adds_header(name: str, value: str) -> Callable[[ScriptedConnection], None]:
    """Accept, with a header that nobody asked for."""

    def does(connection: ScriptedConnection) -> None:
        request = connection.read_request()
        connection.protocol.receive_data(request)
        (parsed,) = connection.protocol.events_received()
        response = connection.protocol.accept(parsed)  # type: ignore[arg-type]
        response.headers[name] = value
        connection.protocol.send_response(response)
        connection.flush()
        connection.until_cut()

    return does


def _answers_with(reply: Any) -> Callable[[ScriptedConnection], None]:
    return _answers_with_text(json_codec.dumps(reply))


def _answers_with_text(text: bytes) -> Callable[[ScriptedConnection], None]:
    def does(connection: ScriptedConnection) -> None:
        connection.shake_hands()
        connection.receive()
        connection.send_text(text)
        connection.until_cut()

    return does


def _echoes(connection: ScriptedConnection) -> None:
    """What a WebSocket server for tests does."""
    connection.shake_hands()
    with contextlib.suppress(ConnectionError):
        while True:
            connection.send(connection.receive())


def _accepts_and_is_silent(connection: ScriptedConnection) -> None:
    connection.shake_hands()
    connection.until_cut()


def _accepts_and_closes(connection: ScriptedConnection) -> None:
    connection.shake_hands()
    connection.receive()
    connection.close(1008)
    connection.until_cut()


def _accepts_and_cuts(connection: ScriptedConnection) -> None:
    connection.shake_hands()
    connection.receive()


def _accepts_and_resets(connection: ScriptedConnection) -> None:
    connection.shake_hands()
    connection.receive()
    connection.reset()


def _accepts_and_breaks(connection: ScriptedConnection) -> None:
    connection.shake_hands()
    connection.receive()
    connection.sock.sendall(b"\x83\x00")
    connection.until_cut()


def _talks_before(connection: ScriptedConnection) -> None:
    """Frames, a ping and a fragmented answer before the authentication is accepted."""
    connection.shake_hands()
    connection.send({"type": "rpcResult", "callId": 1, "result": 7}, {"type": "channelClose", "channelId": 1})
    connection.receive()
    connection.send({"type": "keepAliveAck"}, {"type": "rpcError", "callId": 1})
    connection.ping_pong()
    connection.sock.sendall(b'\x01\x0a{"success"\x89\x00\x80\x06:true}')
    while True:
        call = connection.receive()
        connection.send({"type": "rpcResult", "callId": call["callId"], "result": call["parameter"] * 2})


def _resets(connection: ScriptedConnection) -> None:
    connection.read_request()
    connection.reset()


def _speaks_tls(connection: ScriptedConnection) -> None:
    """What a TLS server answers to plain HTTP."""
    connection.read_request()
    connection.sock.sendall(b"\x15\x03\x01\x00\x02\x02\x46")


def _plain_for_tls(connection: ScriptedConnection) -> None:
    connection.sock.recv(65536)
    connection.sock.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")


def _no_studio(name: str, what: str, does: Callable[[ScriptedConnection], None]) -> ConnectingRow:
    return ConnectingRow(name=name, what=what, does=does, outcome=Fails(ServerNotFoundError, NO_LM_STUDIO))


CONNECTING_ROWS: Final = (
    ConnectingRow(
        name="never-answers",
        what="Accepts the TCP connection and says nothing.",
        does=_silence,
        outcome=Fails(RequestTimeoutError, "did not answer the WebSocket handshake within 0.15 s"),
        connect=SOON,
    ),
    ConnectingRow(
        name="never-shakes-hands",
        what="Accepts the TCP connection of a TLS client and says nothing.",
        does=_silence,
        outcome=Fails(RequestTimeoutError, "did not accept a connection|in time"),
        host="wss://",
        connect=SOON,
    ),
    ConnectingRow(
        name="closes-at-once",
        what="Ends every connection as soon as it is made.",
        does=lambda connection: None,
        outcome=Fails(ServerNotFoundError, "no reply, it ended the connection.*Start LM Studio"),
    ),
    ConnectingRow(
        name="resets",
        what="Resets every connection after the request.",
        does=_resets,
        outcome=Fails(ServerNotFoundError, "it ended the connection.*Start LM Studio"),
    ),
    _no_studio("web-server", "An HTTP server that has pages.", _page("200 OK")),
    _no_studio("web-server-404", "An HTTP server that has not this page.", _page("404 Not Found")),
    _no_studio("web-server-403", "An HTTP server that forbids.", _page("403 Forbidden")),
    _no_studio(
        "web-server-500", "An HTTP server that is broken, at length.", _page("500 Oh", b"x" * 300_000)
    ),
    _no_studio(
        "web-server-301", "An HTTP server that redirects.", _page("301 Moved", b"", "Location: /elsewhere")
    ),
    ConnectingRow(
        name="half-a-reply",
        what="The beginning of an HTTP reply, then silence.",
        does=_replies_and_stays(b"HTTP/1.1 101 Switching Protocols\r\nUpgra"),
        outcome=Fails(RequestTimeoutError, "did not answer the WebSocket handshake within 0.15 s"),
        connect=SOON,
    ),
    ConnectingRow(
        name="greets-only",
        what="Answers LM Studio's greeting, and has no WebSocket at this path.",
        does=_greets_only,
        outcome=Fails(ConnectError, "/arithmetic did not accept a WebSocket .*HTTP 404.*is it an LM Studio"),
    ),
    _no_studio("no-http", "A server of another protocol.", _replies(b"SSH-2.0-OpenSSH_9.6\r\n")),
    _no_studio("endless-headers", "Headers without an end.", _endless_headers),
    _no_studio("endless-line", "A first line without an end.", _endless_line),
    _no_studio("no-accept", "Switches to WebSocket without the accept key.", _bad_switch()),
    _no_studio(
        "wrong-accept",
        "Switches to WebSocket with the accept key of somebody else.",
        _bad_switch("Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo="),
    ),
    _no_studio(
        "unasked-extension",
        "Switches to WebSocket with an extension that was not offered.",
        _adds_header("Sec-WebSocket-Extensions", "permessage-deflate"),
    ),
    _no_studio(
        "unasked-protocol",
        "Switches to WebSocket with a subprotocol that was not offered.",
        _adds_header("Sec-WebSocket-Protocol", "chat"),
    ),
    ConnectingRow(
        name="speaks-tls",
        what="A TLS server that is asked without TLS.",
        does=_speaks_tls,
        outcome=Fails(ServerNotFoundError, "it speaks TLS; give a wss:// or https:// address"),
    ),
    ConnectingRow(
        name="speaks-no-tls",
        what="A server without TLS that is asked with TLS.",
        does=_plain_for_tls,
        outcome=Fails(ServerNotFoundError, "the TLS handshake failed .*give a ws:// or http:// address"),
        host="wss://",
    ),
    ConnectingRow(
        name="refused",
        what="Refuses the credentials, and says why.",
        does=_answers_with({"success": False, "error": "go away"}),
        outcome=Fails(
            AuthenticationError, "the server refused the credentials: go away .*api_token.*LM_API_TOKEN"
        ),
    ),
    ConnectingRow(
        name="refused-without-a-reason",
        what="Refuses the credentials, and does not say why.",
        does=_answers_with({"success": False}),
        outcome=Fails(AuthenticationError, "the server refused the credentials: no reason given"),
    ),
    ConnectingRow(
        name="refused-with-an-odd-reason",
        what="Refuses the credentials, with an object for a reason.",
        does=_answers_with({"success": False, "error": {"title": "go away"}}),
        outcome=Fails(AuthenticationError, "the server refused the credentials: no reason given"),
    ),
    *(
        ConnectingRow(
            name=f"malformed-reply-{name}",
            what=f"Answers the authentication with {what}.",
            does=_answers_with(reply),
            outcome=NO_ANSWER,
        )
        for name, what, reply in (
            ("empty", "an empty object", {}),
            ("string", "a success that is a string", {"success": "true"}),
            ("number", "a success that is a number", {"success": 1}),
            ("null", "null", None),
            ("array", "an array", [{"success": True}]),
            ("text", "text", "success"),
            ("frame", "a frame of an unknown type", {"type": "welcome"}),
        )
    ),
    ConnectingRow(
        name="malformed-reply-no-json",
        what="Answers the authentication with text that is no JSON.",
        does=_answers_with_text(b"Welcome!"),
        outcome=Fails(
            AuthenticationError, "but with what is no JSON: b'Welcome!'; is it an LM Studio server"
        ),
    ),
    ConnectingRow(
        name="echo",
        what="A WebSocket server that sends back what it gets, the passkey too.",
        does=_echoes,
        outcome=NO_ANSWER,
    ),
    ConnectingRow(
        name="no-reply",
        what="Does not answer the authentication.",
        does=_accepts_and_is_silent,
        outcome=Fails(RequestTimeoutError, "did not answer the authentication within 0.15 s"),
        connect=SOON,
    ),
    ConnectingRow(
        name="closes-instead",
        what="Closes the WebSocket instead of answering the authentication.",
        does=_accepts_and_closes,
        outcome=Fails(
            ConnectionLostError, f"{ENDED}the peer closed it with code 1008; is it an LM Studio server"
        ),
    ),
    ConnectingRow(
        name="cuts-instead",
        what="Ends the TCP connection instead of answering the authentication.",
        does=_accepts_and_cuts,
        outcome=Fails(ConnectionLostError, f"{ENDED}the peer ended it without a closing handshake"),
    ),
    ConnectingRow(
        name="resets-instead",
        what="Resets the TCP connection instead of answering the authentication.",
        does=_accepts_and_resets,
        outcome=Fails(ConnectionLostError, ENDED),
    ),
    ConnectingRow(
        name="breaks-instead",
        what="Breaks the WebSocket protocol instead of answering the authentication.",
        does=_accepts_and_breaks,
        outcome=Fails(ConnectionLostError, f"{ENDED}the peer broke the WebSocket protocol"),
    ),
    ConnectingRow(
        name="talks-before",
        what="Sends frames before it has accepted the authentication; they are for nobody.",
        does=_talks_before,
        outcome=Gives(42),
    ),
)
