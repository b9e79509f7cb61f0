"""Checks of servers: over HTTP, the WebSocket itself, and authentication."""

from __future__ import annotations

import json
import secrets
import struct
from typing import Any, Final

from lmwire_tools.conformance.checks import Check, Failed, NotApplicable
from lmwire_tools.conformance.raw import Connection, Server, abbreviated, authentication

__all__ = ["CHECKS"]

# Both sides take at most 100 MiB by default; some allow a little more.
_OVERSIZE: Final = 1 << 30
_NAMESPACES: Final = ("llm", "embedding", "system", "files", "repository")


def _greeting(server: Server) -> None:
    status, body = server.page("lmstudio-greeting")
    if status != 200 or not isinstance(body, dict) or body.get("lmstudio") is not True:
        raise Failed(f"status {status}, {abbreviated(body)}")


def _status_page(server: Server) -> None:
    status, body = server.page("lms-status")
    if status == 404:
        raise NotApplicable("no such page: it came in November 2025")
    if status != 200 or not isinstance(body, dict):
        raise Failed(f"status {status}, {abbreviated(body)}")
    for key in ("package", "version"):
        if not isinstance(body.get(key), str):
            raise Failed(f"{key} is no text: {abbreviated(body)}")


def _handshake(server: Server) -> None:
    server.open().close()


def _namespaces(server: Server) -> None:
    for namespace in _NAMESPACES:
        server.open(namespace).close()


def _unknown_path(server: Server) -> None:
    with Connection(server, "nonesuch") as connection:
        if connection.shake_hands() is None:
            raise Failed("the WebSocket was opened")


def _ping(server: Server) -> None:
    with server.open() as connection:
        connection.ping()


def _version(number: int) -> dict[str, Any]:
    return {"type": "rpcCall", "endpoint": "version", "callId": number}


def _answered(connection: Connection, number: int) -> None:
    reply = connection.receive("the answer to the call")
    if not isinstance(reply, dict) or (reply.get("type"), reply.get("callId")) != ("rpcResult", number):
        raise Failed(f"the call got {abbreviated(reply)}")


def _call(server: Server) -> None:
    with server.open() as connection:
        connection.send(_version(3))
        _answered(connection, 3)


def _fragments(server: Server) -> None:
    text = json.dumps(_version(3)).encode()
    with server.open() as connection:
        connection.send_parts(text[:7], b"", text[7:20], text[20:])
        _answered(connection, 3)


def _binary(server: Server) -> None:
    with server.open() as connection:
        connection.send(json.dumps(_version(3)).encode())
        _answered(connection, 3)


def _large(server: Server) -> None:
    with server.open() as connection:
        connection.send({**_version(3), "padding": "x" * (1 << 20)})
        _answered(connection, 3)


def _oversize(server: Server) -> None:
    with server.open() as connection:
        connection.send_bytes(b"\x81\xff" + struct.pack("!Q", _OVERSIZE) + b"\0\0\0\0")
        connection.rest("the end of the connection")
        if connection.close_code not in (None, 1009):
            raise Failed(f"closed with code {connection.close_code}, not 1009")


def _before_authentication(server: Server) -> None:
    with server.connect() as connection:
        connection.send(_version(1), {"type": "keepAlive"})
        connection.authenticate()


_MALFORMED: Final = (
    "{oops",
    "[]",
    {"authVersion": 2, "clientIdentifier": "me", "clientPasskey": "x"},
    {"authVersion": 1, "clientIdentifier": "me"},
    {"authVersion": 1, "clientIdentifier": "m" * 257, "clientPasskey": "x"},
    {"authVersion": 1, "clientIdentifier": 5, "clientPasskey": "x"},
)


def _malformed(server: Server) -> None:
    with server.connect() as connection:
        connection.send(*_MALFORMED)
        connection.authenticate()


def _extra_keys(server: Server) -> None:
    with server.connect() as connection:
        connection.authenticate(nonesuch=True)


def _pipelined(server: Server) -> None:
    with server.connect() as connection:
        connection.send(server.credentials, _version(1))
        reply = connection.receive("the result of the authentication")
        if reply != {"success": True}:
            raise Failed(f"authentication got {abbreviated(reply)}")
        for frame in connection.settle():
            if frame.get("callId") != 1:
                raise Failed(f"the call in the same segment got {abbreviated(frame)}")


def _refusal(server: Server, packet: dict[str, Any]) -> None:
    """Demand that credentials are refused, and in which form."""
    with server.connect() as connection:
        connection.send(packet)
        reply = connection.receive("the result of the authentication")
        if not isinstance(reply, dict) or reply.get("success") is not False:
            raise Failed(f"{packet['clientIdentifier'][:8]}... got {abbreviated(reply)}")
        if not isinstance(reply.get("error"), str) or not reply["error"]:
            raise Failed(f"a refusal has a text as error: {abbreviated(reply)}")
        rest = connection.rest("the end of the refused connection")
        if rest:
            raise Failed(f"after the refusal came {abbreviated(rest[0])}")


def _identity(server: Server) -> None:
    me = f"guest:{secrets.token_hex(8)}"
    with server.connect() as first:
        first.send(authentication(me, "one"))
        if first.receive("the result of the authentication") != {"success": True}:
            raise NotApplicable("the server takes no guests")
        with server.connect() as second:
            second.send(authentication(me, "other"))
            if second.receive("the result of the authentication") == {"success": True}:
                raise NotApplicable("the server takes any passkey")
        _refusal(server, authentication(me, "other"))


def _token(server: Server) -> None:
    if not server.has_token:
        raise NotApplicable("say which token the server wants: --api-token")
    known = server.credentials["clientIdentifier"]
    _refusal(server, authentication(known, "x" * 20))
    _refusal(server, authentication("x" * 8, server.credentials["clientPasskey"]))
    _refusal(server, authentication(f"guest:{secrets.token_hex(8)}", "x"))


CHECKS: Final = (
    Check("greeting", "1.2", "GET /lmstudio-greeting is answered with {'lmstudio': true}", _greeting),
    Check("status-page", "1.2", "GET /lms-status is an object with package and version", _status_page),
    Check("handshake", "2", "the authentication packet gets {'success': true}", _handshake),
    Check("call", "6", "a call without parameter gets its result", _call, ["handshake"]),
    Check("namespaces", "1.1", "the paths that the Python SDK opens are there", _namespaces, ["handshake"]),
    Check("unknown-path", "1.5", "no WebSocket is opened at an unknown path", _unknown_path),
    Check("ping", "1.1", "a WebSocket ping gets its pong", _ping, ["handshake"]),
    Check("fragmented-message", "1.1", "a message in four WebSocket fragments is one", _fragments, ["call"]),
    Check("binary-message", "1.1", "a binary message is JSON like a text", _binary, ["call"]),
    Check("large-message", "1.1", "a message of a mebibyte is taken", _large, ["call"]),
    Check(
        "oversize-message",
        "1.1",
        "who announces a gibibyte is cut off, before it is sent",
        _oversize,
        ["handshake"],
    ),
    Check(
        "frames-before-authentication",
        "2",
        "what is sent before the authentication packet is ignored",
        _before_authentication,
        ["handshake"],
    ),
    Check(
        "malformed-authentication",
        "2",
        "authentication packets that fail the schema are ignored; a good one may follow",
        _malformed,
        ["handshake"],
    ),
    Check(
        "authentication-extra-keys",
        "2",
        "an unknown key in the authentication packet is ignored",
        _extra_keys,
        ["handshake"],
    ),
    Check(
        "pipelined-frames",
        "2",
        "a call right behind the authentication packet may be lost, and does no harm",
        _pipelined,
        ["call"],
    ),
    Check(
        "passkey-mismatch",
        "2",
        "an identifier in use is refused with another passkey, with a text, and then closed",
        _identity,
        ["handshake"],
    ),
    Check("refused-token", "2", "other tokens and guests are refused likewise", _token, ["handshake"]),
)
