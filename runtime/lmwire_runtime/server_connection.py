"""One TCP connection of the server: an HTTP request, or a WebSocket of one namespace with its handlers' tasks."""

from __future__ import annotations

import asyncio
import json
import logging
import socket
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, Final, cast

from lmwire_runtime import json_codec
from lmwire_runtime.connection import INVALID_DATA
from lmwire_runtime.descriptors import EndpointDescriptor
from lmwire_runtime.server_budgets import Budgets
from lmwire_runtime.server_handlers import (
    ErrorReply,
    Namespace,
    RequestContext,
    ServerChannel,
    WarningReply,
)
from lmwire_runtime.server_session import (
    AckReceived,
    AuthenticationAttempt,
    CallReceived,
    ChannelCreated,
    ChannelEvent,
    ServerEvent,
    ServerSession,
)
from lmwire_runtime.server_signals import SubscriptionReceived
from lmwire_runtime.taps import LinkTap, link_tap
from lmwire_runtime.transport import Payload, ServerTransport

if TYPE_CHECKING:
    from lmwire_runtime.server import Server

__all__ = ["ServerConnection"]

# The close code of RFC 6455 for a peer that oversteps a rule of ours.
POLICY_VIOLATION: Final = 1008

logger = logging.getLogger("lmwire.server")

# What a connection beyond the limit gets, whatever it asks for.
TOO_MANY: Final = (
    b"HTTP/1.1 503 Service Unavailable\r\nContent-Type: text/plain; charset=utf-8\r\n"
    b"Content-Length: 21\r\nConnection: close\r\n\r\ntoo many connections\n"
)

# What a client gets whose request was under way when the server stopped, or whose handler cancelled itself.
CANCELLED: Final = {
    "title": "the server cancelled the request",
    "rootTitle": "the server cancelled the request",
}

# What a client gets that sends to a handler which does not take it.
UNREAD: Final = {
    "title": "the server does not take what was sent over this channel",
    "rootTitle": "the server does not take what was sent over this channel",
}


class ServerConnection(asyncio.Protocol):
    """One TCP connection: an HTTP request, or a WebSocket of one namespace."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._websocket = ServerTransport(message_bytes=server.limits.message_bytes)
        self._transport: asyncio.Transport | None = None
        self._namespace: Namespace | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._channels: dict[int, ServerChannel[Any, Any]] = {}
        self._channel_tasks: dict[int, asyncio.Task[None]] = {}
        self.budgets = Budgets(server.limits, server.stall_seconds, self._unsent, self._give_up)
        self._writable = asyncio.Event()
        self._writable.set()
        self._deadline: asyncio.TimerHandle | None = None
        self._judged = False
        self._tap: LinkTap | None = None
        self.session: ServerSession
        self.context = RequestContext("", "", self.abort)

    # What the event loop calls.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self.budgets.begin(self._transport)
        sock = transport.get_extra_info("socket")
        if sock is not None:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if len(self._server.connections) >= self._server.limits.connections:
            logger.warning("a connection beyond the limit of %d was refused", self._server.limits.connections)
            self._transport.write(TOO_MANY)
            self._transport.close()
            return
        self._server.connections.add(self)
        seconds = self._server.authentication_seconds
        self._deadline = asyncio.get_running_loop().call_later(seconds, self._authentication_timed_out)

    def data_received(self, data: bytes) -> None:
        if self not in self._server.connections:
            return  # it was refused
        messages = self._websocket.receive(data)
        if self._namespace is None and self._websocket.request is not None:
            self._answer_request()
        for message in messages:
            if self._namespace is not None and not self._take(message):
                break
        self._write()

    def _take(self, message: Payload) -> bool:
        """Take a message; returns False if the connection cannot go on after it."""
        if self._tap is not None:
            self._tap.frame("received", message)
        try:
            frame = json_codec.loads(message)
        except UnicodeDecodeError:
            self._websocket.fail(INVALID_DATA, "a message was not UTF-8")
            return False
        except ValueError:
            logger.debug("a message that is no JSON was dropped")
            return True
        limits = self._server.limits
        if _may_be_deeper(message, limits.depth) and json_codec.is_nested_deeper(frame, limits.depth):
            self._websocket.fail(
                POLICY_VIOLATION, f"a message has more than {limits.depth} levels of nesting"
            )
            return False
        event = self.session.receive(frame)
        if event is not None:
            self._act(event, len(message))
        if len(self._tasks) > limits.open_requests:
            self._websocket.fail(POLICY_VIOLATION, f"more than {limits.open_requests} unanswered requests")
            return False
        return True

    def eof_received(self) -> bool:
        self._websocket.receive_eof()
        self._write()
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        self._server.connections.discard(self)
        self.budgets.end()
        self._writable.set()
        if self._deadline is not None:
            self._deadline.cancel()
        for task in self._tasks:
            task.cancel()
        if self._tap is not None:
            self._tap.closed(self._websocket.close_reason)
        if self._namespace is not None:
            self.session.signals.close()
        if self.context.client_identifier and self._server.released is not None:
            self._server.released(self.context.client_identifier)

    def pause_writing(self) -> None:
        self._writable.clear()

    def resume_writing(self) -> None:
        self._writable.set()
        self.budgets.check()
        if self._namespace is not None:
            self.session.signals.catch_up()

    # The opening.

    def _answer_request(self) -> None:
        request = self._websocket.request
        assert request is not None
        path = request.path.partition("?")[0]
        page = self._server.page(path)
        namespace = self._server.namespaces.get(path.removeprefix("/"))
        headers = request.headers
        refusal = self._server.access.refusal(
            headers.get_all("Origin"), headers.get_all("Host"), loopback=self._server.loopback
        )
        if getattr(request, "method", "GET") != "GET":  # older websockets refuse the others by themselves
            self._websocket.respond(405, "only GET is answered here\n")
        elif refusal is not None:
            self._websocket.respond(403, f"{refusal}\n")
        elif page is not None:
            self._websocket.respond(200, json.dumps(page), "application/json; charset=utf-8")
        elif namespace is None:
            self._websocket.respond(404, f"nothing at {path}\n")
        elif self._websocket.accept():
            self._namespace = namespace
            self._tap = link_tap(self._server.on_frame, namespace.descriptor.name, "server")
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

    def _act(self, event: ServerEvent, size: int) -> None:
        if isinstance(event, ChannelEvent):
            self._channels[event.channel_id].deliver(event.packet, size)
            return
        if isinstance(event, AckReceived):
            self._channels[event.channel_id].acknowledged(event.ack_id)
            return
        if isinstance(event, ChannelCreated):
            self._channels[event.channel_id] = ServerChannel(self, event.channel_id)
            work = self._serve_channel(event)
        elif isinstance(event, CallReceived):
            work = self._serve_call(event)
        elif isinstance(event, SubscriptionReceived):
            work = self._serve_subscription(event)
        else:
            work = self._judge(event)
        task = asyncio.get_running_loop().create_task(work)
        if isinstance(event, ChannelCreated):
            self._channel_tasks[event.channel_id] = task
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
        except WarningReply as refusal:
            self.session.warn(refusal.kind, refusal.text)
        except Exception as error:  # noqa: BLE001  # whatever it is, the client has to hear of it
            self.session.fail_call(call, _error_object(error))
        except asyncio.CancelledError:
            self.session.fail_call(call, CANCELLED)
            self._write()
            raise
        self._write()

    async def _serve_channel(self, created: ChannelCreated) -> None:
        channel_id = created.channel_id
        channel = self._channels[channel_id]
        arguments = () if created.descriptor.creation.presence == "void" else (created.creation,)
        try:
            await self._method(created.descriptor)(*arguments, channel)
        except WarningReply as refusal:
            if self._forget(channel_id, channel):
                self.session.forget_channel(channel_id)
                self.session.warn(refusal.kind, refusal.text)
        except Exception as error:  # noqa: BLE001  # whatever it is, the client has to hear of it
            told = _error_object(error)
            if self._forget(channel_id, channel):
                self.session.fail_channel(channel_id, told)
        except asyncio.CancelledError:
            if self._forget(channel_id, channel):
                self.session.fail_channel(channel_id, CANCELLED)
            raise
        finally:
            if self._forget(channel_id, channel):
                self.session.close_channel(channel_id)
            self._write()

    def _forget(self, channel_id: int, channel: ServerChannel[Any, Any]) -> bool:
        """Let go of a channel; returns False if it was given up before, and its id may be another one's."""
        if self._channels.get(channel_id) is not channel:
            return False
        del self._channels[channel_id], self._channel_tasks[channel_id]
        self.budgets.forget(channel_id)
        return True

    def _give_up(self, channel_id: int) -> None:
        """End a channel whose handler does not take what it is sent."""
        logger.warning("a handler left its channel's packets unread; the channel was ended")
        task = self._channel_tasks[channel_id]
        self._forget(channel_id, self._channels[channel_id])
        self.session.fail_channel(channel_id, UNREAD)
        task.cancel()
        self._write()

    async def _serve_subscription(self, event: SubscriptionReceived) -> None:
        arguments = () if event.descriptor.creation.presence == "void" else (event.creation,)
        signals = self.session.signals
        try:
            signal = await self._method(event.descriptor)(*arguments, self.context)
            signals.attach(event, signal, ready=self._writable.is_set, write=self._write)
        except WarningReply as refusal:
            signals.forget(event)
            self.session.warn(refusal.kind, refusal.text)
        except Exception as error:  # noqa: BLE001  # whatever it is, the client has to hear of it
            signals.fail(event, _error_object(error))
        except asyncio.CancelledError:
            signals.fail(event, CANCELLED)
            self._write()
            raise
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
            if not self._writable.is_set():
                self.budgets.check()
        if ended:
            self._transport.close()

    def _send(self, frame: dict[str, Any]) -> None:
        try:
            text = json_codec.dumps(frame)
        except (TypeError, ValueError) as error:
            logger.exception("a handler's data cannot be expressed in JSON")
            self.session.replace(frame, error)
            return
        if self._tap is not None:
            self._tap.frame("sent", text)
        self._websocket.send(text)

    def _unsent(self) -> int:
        # The event loop tells when the client has taken enough only if it told before that it takes too little.
        if self._transport is None or self._writable.is_set():
            return 0
        return self._transport.get_write_buffer_size()

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


def _error_object(error: Exception) -> Any:
    if isinstance(error, ErrorReply):
        return error.error
    logger.exception("a handler failed", exc_info=error)
    title = str(error) or type(error).__name__
    return {"title": title, "rootTitle": title}


def _may_be_deeper(message: Payload, depth: int) -> bool:
    """Whether a message has as many brackets as that takes; tells for most at the speed of a search."""
    text = bytes(message) if isinstance(message, memoryview) else message
    return text.count(b"[") + text.count(b"{") > depth
