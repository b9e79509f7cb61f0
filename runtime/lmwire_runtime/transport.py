"""WebSocket without I/O: bytes in, whole messages out, and back.

A thin layer over the sans-I/O protocols of ``websockets``. Ours is what those leave to the caller: the
opening handshake's verdict, reassembly of fragmented messages, and one sentence that says why a connection
ended. The shells own the socket: they feed ``receive``, and write what ``output`` returns after every call.
"""

from __future__ import annotations

import logging
from typing import Final, TypeAlias

from websockets.client import ClientProtocol
from websockets.frames import Frame, Opcode
from websockets.http11 import Request, Response
from websockets.protocol import State
from websockets.server import ServerProtocol
from websockets.uri import parse_uri

__all__ = ["ClientTransport", "Payload", "ServerTransport", "Transport"]

# What stands for a close frame without a code.
NO_CODE: Final = 1005

# Looked up once: an enum's class finds its members slowly, and these are asked for with every frame.
_TEXT, _BINARY, _CONT = Opcode.TEXT, Opcode.BINARY, Opcode.CONT
_OPEN, _CLOSING, _CLOSED = State.OPEN, State.CLOSING, State.CLOSED

# The library would log every frame at DEBUG, the passkey's too.
_LOGGER: Final = logging.getLogger("lmwire.websocket")
_LOGGER.setLevel(logging.WARNING)

Payload: TypeAlias = "bytes | bytearray | memoryview"


class Transport:
    """What both ends share; see the module docstring for the contract."""

    def __init__(self, protocol: ClientProtocol | ServerProtocol) -> None:
        self._protocol = protocol
        # The beginning of a fragmented message, None between messages. One buffer and no list: a peer that sends a byte
        # at a time, or none, must not cost more memory than the message limit.
        self._beginning: bytearray | None = None
        self._peer_ended = False
        self._fault = ""
        self.reads = 0
        """How often something has arrived: a sign of life."""

    @property
    def open(self) -> bool:
        """Whether messages can be sent."""
        return self._protocol.state is _OPEN

    @property
    def closed(self) -> bool:
        """Whether the connection has ended, so that the socket can be closed."""
        return self._protocol.state is _CLOSED or self._peer_ended

    @property
    def closing(self) -> bool:
        """Whether the closing handshake has begun, or is over."""
        return self._protocol.state in (_CLOSING, _CLOSED)

    def receive(self, data: bytes | bytearray) -> list[Payload]:
        """Take bytes from the network; return the messages that they complete, in order."""
        protocol = self._protocol
        self.reads += 1
        protocol.receive_data(data)
        messages: list[Payload] = []
        for event in protocol.events_received():
            if type(event) is not Frame:
                self._handshake_event(event)
                continue
            opcode = event.opcode
            if opcode is _TEXT or opcode is _BINARY:
                if event.fin:
                    messages.append(event.data)
                else:
                    self._beginning = bytearray(event.data)
            elif opcode is _CONT and self._beginning is not None:
                self._beginning += event.data
                if event.fin:
                    messages.append(self._beginning)
                    self._beginning = None
        return messages

    def abort(self) -> None:
        """Forget the peer: the network has failed, nothing more can come or go."""
        self._peer_ended = True

    def receive_eof(self) -> None:
        """Take the end of the network's byte stream."""
        self._peer_ended = True
        if self._protocol.state is not _CLOSED:
            self._protocol.receive_eof()

    def send(self, message: bytes) -> None:
        """Queue one text message (UTF-8) for ``output``."""
        self._protocol.send_text(message)

    def ping(self) -> None:
        """Queue a ping; the peer's answer needs no attention, its failure shows as a lost connection."""
        self._protocol.send_ping(b"")

    def close(self, code: int | None = 1000, reason: str = "") -> None:
        """Begin the closing handshake, unless it has begun."""
        if self._protocol.state is _OPEN:
            self._protocol.send_close(code, reason)

    def fail(self, code: int, fault: str) -> None:
        """End the connection because of what the peer sent; ``fault`` says what, in at most 123 bytes."""
        if not self._fault:
            self._fault = fault
            self._protocol.fail(code, fault)

    def output(self) -> tuple[bytes, bool]:
        """Return the bytes that have to be written now, and whether the stream's own end follows them."""
        writes = self._protocol.data_to_send()
        if not writes:
            return b"", False
        if writes[-1] == b"":
            return b"".join(writes), True
        return (writes[0] if len(writes) == 1 else b"".join(writes)), False

    @property
    def close_reason(self) -> str:
        """Say why the connection ended, as part of a sentence."""
        protocol = self._protocol
        fault: object = self._fault
        if protocol.parser_exc is not None and not isinstance(protocol.parser_exc, EOFError):
            fault = protocol.parser_exc
        if fault:
            return f"the peer broke the WebSocket protocol or a limit: {fault}"
        if protocol.close_rcvd is not None:
            reason = f" ({protocol.close_rcvd.reason})" if protocol.close_rcvd.reason else ""
            code = int(protocol.close_rcvd.code)
            told = "without a code" if code == NO_CODE else f"with code {code}"
            return f"the peer closed it {told}{reason}"
        return "the peer ended it without a closing handshake"

    def _handshake_event(self, event: Request | Response | Frame) -> None:
        raise NotImplementedError(type(self).__name__)


class ClientTransport(Transport):
    """The client's end. ``output`` holds the handshake request from the start."""

    def __init__(self, url: str, *, message_bytes: int | None) -> None:
        """Prepare to connect to ``url`` (``ws://`` or ``wss://``); larger messages than ``message_bytes`` end
        the link.
        """
        self._client = ClientProtocol(parse_uri(url), max_size=message_bytes, logger=_LOGGER)
        super().__init__(self._client)
        # The name of the HTTP client is all that servers log of us.
        request = self._client.connect()
        request.headers["User-Agent"] = "lmwire"
        self._client.send_request(request)

    @property
    def handshake_error(self) -> str | None:
        """Why the opening handshake failed, None while it has not."""
        error = self._client.handshake_exc
        if error is None:
            return None
        cause = f" ({error.__cause__})" if error.__cause__ is not None else ""
        return f"{error}{cause}"

    def _handshake_event(self, event: Request | Response | Frame) -> None:
        # A good response changed the state to OPEN already, a bad one is handshake_error.
        return None


class ServerTransport(Transport):
    """The server's end. ``request`` is set once the client's HTTP request has arrived; answer it with
    ``accept`` or ``reject``.
    """

    def __init__(self, *, message_bytes: int | None) -> None:
        self._server = ServerProtocol(max_size=message_bytes, logger=_LOGGER)
        super().__init__(self._server)
        self.request: Request | None = None

    def accept(self) -> bool:
        """Answer the request with the WebSocket handshake; returns False, and answers why, if it is none."""
        assert self.request is not None
        response = self._server.accept(self.request)
        self._server.send_response(response)
        return response.status_code == 101

    def respond(self, status: int, body: str, content_type: str = "text/plain; charset=utf-8") -> None:
        """Answer the request with plain HTTP and end the connection."""
        response = self._server.reject(status, body)
        del response.headers["Content-Type"]
        response.headers["Content-Type"] = content_type
        self._server.send_response(response)

    def _handshake_event(self, event: Request | Response | Frame) -> None:
        if isinstance(event, Request):
            self.request = event
