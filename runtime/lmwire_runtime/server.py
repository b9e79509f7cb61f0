"""The asyncio server: greeting over HTTP, one WebSocket path for each namespace, authentication, typed handlers.

Each call and each channel runs its handler in a task of its own; all of a connection's tasks are cancelled
when it ends. A handler reports a failure by raising ``ErrorReply``; any other exception is logged and
reported with its text.
"""

from __future__ import annotations

import asyncio
import json
import logging
import socket
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from typing import Any, Final, Generic, TypeAlias, TypeVar, cast
from urllib.parse import urlsplit

import attrs

from lmwire_runtime import json_codec
from lmwire_runtime.connection import INVALID_DATA, Direction, Tap
from lmwire_runtime.credentials import redact_text
from lmwire_runtime.descriptors import EndpointDescriptor, NamespaceDescriptor
from lmwire_runtime.limits import DEFAULT_LIMITS, Limits
from lmwire_runtime.server_session import (
    AuthenticationAttempt,
    CallReceived,
    ChannelCreated,
    ChannelEvent,
    ServerEvent,
    ServerSession,
)
from lmwire_runtime.transport import Payload, ServerTransport

__all__ = [
    "Authenticator",
    "ErrorReply",
    "Namespace",
    "RequestContext",
    "Server",
    "ServerChannel",
    "unhandled",
]

S = TypeVar("S")
T = TypeVar("T")
F = TypeVar("F", bound=Callable[..., Any])

logger = logging.getLogger("lmwire.server")

AUTHENTICATION_SECONDS: Final = 10.0
# What a client gets whose request was under way when the server stopped, or whose handler cancelled itself.
CANCELLED: Final = {
    "title": "the server cancelled the request",
    "rootTitle": "the server cancelled the request",
}

Authenticator: TypeAlias = Callable[[str, str], Awaitable["str | None"]]
"""Takes identifier and passkey; returns None to accept, or the reason of the refusal, which the client sees."""


def unhandled(function: F) -> F:
    """Mark a generated handler method that nobody has overridden: its endpoint is answered as unhandled."""
    function.__dict__["lmwire_unhandled"] = True
    return function


class ErrorReply(Exception):
    """Raised by a handler: becomes ``rpcError`` or ``channelError`` with this error object.

    Args:
        title: What went wrong, in one line.
        cause, suggestion: Longer texts, left out if None.
        display_data: The machine-readable reason with its ``code``, left out if None.
    """

    def __init__(
        self,
        title: str,
        *,
        cause: str | None = None,
        suggestion: str | None = None,
        display_data: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(title)
        fields = {
            "title": title,
            "cause": cause,
            "suggestion": suggestion,
            "displayData": display_data,
            "rootTitle": title,
        }
        self.error = {key: value for key, value in fields.items() if value is not None}


@attrs.frozen
class RequestContext:
    """Who asks: the connection's namespace and the identifier that its client authenticated with."""

    namespace: str
    client_identifier: str
    abort: Callable[[], None] = attrs.field(repr=False)
    """Drops the connection without a closing handshake."""


class ServerChannel(Generic[S, T]):
    """A handler's end of a channel: iterate to receive the client's packets, ``send`` to send. Returning closes it."""

    def __init__(self, connection: _Connection, created: ChannelCreated) -> None:
        self.context = connection.context
        self._connection = connection
        self._channel_id = created.channel_id
        self._packets: asyncio.Queue[S] = asyncio.Queue()

    async def send(self, packet: T) -> bool:
        """Send a packet; waits while the client does not take what was sent before. Returns False if the
        channel has ended.
        """
        sent = self._connection.session.send_packet(self._channel_id, packet)
        await self._connection.flush()
        return sent

    async def receive(self) -> S:
        """Wait for the next packet of the client; cancelled when the connection ends."""
        return await self._packets.get()

    def __aiter__(self) -> AsyncIterator[S]:
        return self

    async def __anext__(self) -> S:
        return await self.receive()

    def deliver(self, packet: S) -> None:
        """For the connection only: hand over a received packet."""
        self._packets.put_nowait(packet)


@attrs.frozen
class Namespace:
    """A namespace that a server offers: its descriptor, and the handlers, None where every endpoint is unhandled."""

    descriptor: NamespaceDescriptor
    handlers: object | None = None

    def handled(self, endpoint: EndpointDescriptor) -> bool:
        """Whether the handlers have overridden this endpoint's method."""
        method = getattr(self.handlers, endpoint.method, None)
        return method is not None and not getattr(method, "lmwire_unhandled", False)


async def accept_everybody(identifier: str, passkey: str) -> str | None:
    """The authenticator of an open server."""
    return None


class Server:
    """Serves namespaces on one TCP port; used as an asynchronous context manager, or by ``start`` and ``close``.

    Args:
        namespaces: What is offered; each namespace's path is its bare name.
        authenticate: Judges identifier and passkey; everybody is accepted by default.
        released: Called with the identifier when a connection ends that had authenticated with it.
        status: The JSON object of ``GET /lms-status``.
        warning_kinds: Send ``kind`` with warnings (servers before March 2026 did not).
        authentication_seconds: How long a client may take to authenticate.
        on_frame: A tap: called with direction, namespace and JSON text of every frame, secrets redacted.
        limits: Size limits; ``message_bytes`` is the largest message taken.
    """

    def __init__(
        self,
        namespaces: Sequence[Namespace],
        *,
        authenticate: Authenticator = accept_everybody,
        released: Callable[[str], None] | None = None,
        status: Mapping[str, Any] | None = None,
        warning_kinds: bool = True,
        authentication_seconds: float = AUTHENTICATION_SECONDS,
        on_frame: Tap | None = None,
        limits: Limits = DEFAULT_LIMITS,
    ) -> None:
        self.namespaces = {namespace.descriptor.name: namespace for namespace in namespaces}
        self.authenticate = authenticate
        self.released = released
        self.warning_kinds = warning_kinds
        self.authentication_seconds = authentication_seconds
        self.on_frame = on_frame
        self.limits = limits
        self._pages: dict[str, Mapping[str, Any]] = {"/lmstudio-greeting": {"lmstudio": True}}
        if status is not None:
            self._pages["/lms-status"] = status
        self.connections: set[_Connection] = set()
        self._server: asyncio.Server | None = None

    async def start(
        self, host: str = "127.0.0.1", port: int = 0, *, tls: ssl.SSLContext | None = None
    ) -> tuple[str, int]:
        """Listen; returns host and port, which is free and chosen by the system if 0 was given.

        Raises:
            OSError: The address cannot be used.
        """
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(lambda: _Connection(self), host, port, ssl=tls)
        address = self._server.sockets[0].getsockname()
        return str(address[0]), int(address[1])

    async def close(self) -> None:
        """Stop listening, drop all connections and wait for their handlers."""
        if self._server is not None:
            self._server.close()
            self._server = None
        connections = list(self.connections)
        for connection in connections:
            connection.close()
        await asyncio.gather(*(connection.ended() for connection in connections))

    async def __aenter__(self) -> Server:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    def page(self, path: str) -> Mapping[str, Any] | None:
        """Return the JSON object that a plain HTTP request to ``path`` gets, None for no such page."""
        return self._pages.get(path)


class _Connection(asyncio.Protocol):
    """One TCP connection: an HTTP request, or a WebSocket of one namespace."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._websocket = ServerTransport(message_bytes=server.limits.message_bytes)
        self._transport: asyncio.Transport | None = None
        self._namespace: Namespace | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._channels: dict[int, ServerChannel[Any, Any]] = {}
        self._writable = asyncio.Event()
        self._writable.set()
        self._deadline: asyncio.TimerHandle | None = None
        self._judged = False
        self.session: ServerSession
        self.context = RequestContext("", "", self.abort)

    # What the event loop calls.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        sock = transport.get_extra_info("socket")
        if sock is not None:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._server.connections.add(self)
        seconds = self._server.authentication_seconds
        self._deadline = asyncio.get_running_loop().call_later(seconds, self._authentication_timed_out)

    def data_received(self, data: bytes) -> None:
        messages = self._websocket.receive(data)
        if self._namespace is None and self._websocket.request is not None:
            self._answer_request()
        for message in messages:
            if self._namespace is not None and not self._take(message):
                break
        self._write()

    def _take(self, message: Payload) -> bool:
        """Take a message; returns False if the connection cannot go on after it."""
        self._tapped("received", message)
        try:
            frame = json_codec.loads(message)
        except UnicodeDecodeError:
            self._websocket.fail(INVALID_DATA, "a message was not UTF-8")
            return False
        except ValueError:
            logger.debug("a message that is no JSON was dropped")
            return True
        event = self.session.receive(frame)
        if event is not None:
            self._act(event)
        return True

    def eof_received(self) -> bool:
        self._websocket.receive_eof()
        self._write()
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        self._server.connections.discard(self)
        self._writable.set()
        if self._deadline is not None:
            self._deadline.cancel()
        for task in self._tasks:
            task.cancel()
        if self.context.client_identifier and self._server.released is not None:
            self._server.released(self.context.client_identifier)

    def pause_writing(self) -> None:
        self._writable.clear()

    def resume_writing(self) -> None:
        self._writable.set()

    # The opening.

    def _answer_request(self) -> None:
        request = self._websocket.request
        assert request is not None
        path = request.path.partition("?")[0]
        page = self._server.page(path)
        namespace = self._server.namespaces.get(path.removeprefix("/"))
        if getattr(request, "method", "GET") != "GET":  # older websockets refuse the others by themselves
            self._websocket.respond(405, "only GET is answered here\n")
        elif not all(map(_is_local, request.headers.get_all("Origin"))):
            self._websocket.respond(403, "requests from web pages are refused\n")
        elif page is not None:
            self._websocket.respond(200, json.dumps(page), "application/json; charset=utf-8")
        elif namespace is None:
            self._websocket.respond(404, f"nothing at {path}\n")
        elif self._websocket.accept():
            self._namespace = namespace
            self.session = ServerSession(
                namespace.descriptor, handled=namespace.handled, warning_kinds=self._server.warning_kinds
            )

    def _authentication_timed_out(self) -> None:
        if self._namespace is None:
            self.abort()
        elif not self.session.authenticated:
            self.session.refuse("Authentication timed out")
            self._write()
            self.close()

    async def _judge(self, attempt: AuthenticationAttempt) -> None:
        # One judgement for each connection: what follows an attempt before its answer is lost, as upstream's is.
        if self._judged:
            return
        self._judged = True
        try:
            reason = await self._server.authenticate(attempt.identifier, attempt.passkey)
        except Exception:
            logger.exception("the authenticator failed")
            reason = "the server could not check the credentials"
        if reason is None:
            self.context = RequestContext(self.session.namespace.name, attempt.identifier, self.abort)
            if self.session.refused:
                return  # it took too long
            self.session.accept()
            self._write()
        else:
            self.session.refuse(reason)
            self._write()
            self.close()

    # Requests.

    def _act(self, event: ServerEvent) -> None:
        if isinstance(event, ChannelEvent):
            self._channels[event.channel_id].deliver(event.packet)
            return
        if isinstance(event, ChannelCreated):
            self._channels[event.channel_id] = ServerChannel(self, event)
            work = self._serve_channel(event)
        elif isinstance(event, CallReceived):
            work = self._serve_call(event)
        else:
            work = self._judge(event)
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _method(self, endpoint: EndpointDescriptor) -> Callable[..., Awaitable[Any]]:
        assert self._namespace is not None
        return cast("Callable[..., Awaitable[Any]]", getattr(self._namespace.handlers, endpoint.method))

    async def _serve_call(self, call: CallReceived) -> None:
        arguments = () if call.descriptor.parameter.presence == "void" else (call.parameter,)
        try:
            result = await self._method(call.descriptor)(*arguments, self.context)
            self.session.answer_call(call, result)
        except Exception as error:  # noqa: BLE001  # whatever it is, the client has to hear of it
            self.session.fail_call(call, _error_object(error))
        except asyncio.CancelledError:
            self.session.fail_call(call, CANCELLED)
            self._write()
            raise
        await self.flush()

    async def _serve_channel(self, created: ChannelCreated) -> None:
        channel = self._channels[created.channel_id]
        arguments = () if created.descriptor.creation.presence == "void" else (created.creation,)
        try:
            await self._method(created.descriptor)(*arguments, channel)
        except Exception as error:  # noqa: BLE001  # whatever it is, the client has to hear of it
            self.session.fail_channel(created.channel_id, _error_object(error))
        except asyncio.CancelledError:
            self.session.fail_channel(created.channel_id, CANCELLED)
            raise
        finally:
            del self._channels[created.channel_id]
            self.session.close_channel(created.channel_id)
            self._write()
        await self.flush()

    # Output and end.

    async def flush(self) -> None:
        """Send what is queued, and wait while the client takes nothing."""
        self._write()
        if not self._writable.is_set():
            await self._writable.wait()

    def _write(self) -> None:
        if self._transport is None or self._transport.is_closing():
            return
        if self._namespace is not None:
            while self.session.outgoing:
                frames, self.session.outgoing = self.session.outgoing, []
                if self._websocket.open:
                    for frame in frames:
                        self._send(frame)
        data, ended = self._websocket.output()
        if data:
            self._transport.write(data)
        if ended:
            self._transport.close()

    def _send(self, frame: dict[str, Any]) -> None:
        try:
            text = json_codec.dumps(frame)
        except (TypeError, ValueError) as error:
            logger.exception("a handler's data cannot be expressed in JSON")
            self.session.replace(frame, error)
            return
        self._tapped("sent", text)
        self._websocket.send(text)

    def _tapped(self, direction: Direction, text: Payload) -> None:
        tap = self._server.on_frame
        if tap is not None:
            try:
                tap(direction, self.session.namespace.name, redact_text(text))
            except Exception:
                # A tester's tap must not fail the request of somebody else.
                logger.exception("the frame tap failed")

    def close(self) -> None:
        """Begin the closing handshake; a connection that is no WebSocket is dropped."""
        if self._namespace is None:
            self.abort()
            return
        self._websocket.close(None)
        self._write()
        loop = asyncio.get_running_loop()
        loop.call_later(1.0, self.abort)

    def abort(self) -> None:
        """Drop the TCP connection."""
        if self._transport is not None:
            self._transport.abort()

    async def ended(self) -> None:
        """Wait until the connection's handlers have ended."""
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self.abort()


def _error_object(error: Exception) -> dict[str, Any]:
    if isinstance(error, ErrorReply):
        return error.error
    logger.exception("a handler failed", exc_info=error)
    title = str(error) or type(error).__name__
    return {"title": title, "rootTitle": title}


def _is_local(origin: str) -> bool:
    try:
        return urlsplit(origin).hostname in ("127.0.0.1", "::1", "localhost")
    except ValueError:
        return False
