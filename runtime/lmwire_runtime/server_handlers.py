"""What handlers of a server have to do with: their channels, who asks, and how they report a failure."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator, Callable, Mapping
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import attrs

from lmwire_runtime.descriptors import EndpointDescriptor, NamespaceDescriptor

if TYPE_CHECKING:
    from lmwire_runtime.server_connection import ServerConnection

__all__ = ["ErrorReply", "Namespace", "RequestContext", "ServerChannel", "WarningReply", "unhandled"]

S = TypeVar("S")
T = TypeVar("T")
F = TypeVar("F", bound=Callable[..., Any])


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
        self.error: Any = {key: value for key, value in fields.items() if value is not None}

    @classmethod
    def verbatim(cls, error: Any) -> ErrorReply:
        """Make a reply that sends ``error`` as it is: an error object in wire spelling, or what an odd server sends."""
        reply = cls(str(error))
        reply.error = error
        return reply


class WarningReply(Exception):
    """Raised by a handler: the request gets a ``communicationWarning`` and no answer, as bad requests do.

    Args:
        kind: The wire's machine-readable kind, such as ``rpcEndpointUnhandled``.
        text: English text; names the endpoint, because the warning has no id.
    """

    def __init__(self, kind: str, text: str) -> None:
        super().__init__(text)
        self.kind = kind
        self.text = text


@attrs.frozen
class RequestContext:
    """Who asks: the connection's namespace and the identifier that its client authenticated with."""

    namespace: str
    client_identifier: str
    abort: Callable[[], None] = attrs.field(repr=False)
    """Drops the connection without a closing handshake."""


class ServerChannel(Generic[S, T]):
    """A handler's end of a channel: iterate to receive the client's packets, ``send`` to send. Returning closes it."""

    def __init__(self, connection: ServerConnection, channel_id: int) -> None:
        self.context = connection.context
        self._connection = connection
        self._channel_id = channel_id
        self._packets: asyncio.Queue[tuple[S, int]] = asyncio.Queue()
        self._ack_ids = itertools.count()
        self._unacknowledged: dict[int, asyncio.Future[None]] = {}

    async def send(self, packet: T) -> bool:
        """Send a packet; returns False if the channel has ended.

        Waits while the client does not take what was sent before.
        """
        sent = self._connection.session.send_packet(self._channel_id, packet)
        await self._connection.flush()
        return sent

    async def send_acknowledged(self, packet: T) -> bool:
        """Send a packet and wait until the client has acknowledged it (wire: ``ackId``); returns False if the channel
        has ended.

        Clients made with this package acknowledge; upstream's do not, so that this waits until the connection ends.
        """
        ack_id = next(self._ack_ids)
        waiting = self._unacknowledged[ack_id] = asyncio.get_running_loop().create_future()
        try:
            sent = self._connection.session.send_packet(self._channel_id, packet, ack_id)
            await self._connection.flush()
            if sent:
                await waiting
        finally:
            del self._unacknowledged[ack_id]
        return sent

    async def receive(self) -> S:
        """Wait for the next packet of the client; cancelled when the connection ends."""
        packet, size = await self._packets.get()
        self._connection.budgets.taken(self._channel_id, size)
        return packet

    def __aiter__(self) -> AsyncIterator[S]:
        return self

    async def __anext__(self) -> S:
        return await self.receive()

    def acknowledged(self, ack_id: int) -> None:
        """For the connection only: the client has acknowledged a packet."""
        waiting = self._unacknowledged.get(ack_id)
        if waiting is not None and not waiting.done():
            waiting.set_result(None)

    def deliver(self, packet: S, size: int) -> None:
        """For the connection only: hand over a received packet, which had so many bytes on the wire."""
        self._packets.put_nowait((packet, size))
        self._connection.budgets.arrived(self._channel_id, size)


@attrs.frozen
class Namespace:
    """A namespace that a server offers: its descriptor, and the handlers, None where every endpoint is unhandled."""

    descriptor: NamespaceDescriptor
    handlers: object | None = None

    def handled(self, endpoint: EndpointDescriptor) -> bool:
        """Whether the handlers have overridden this endpoint's method."""
        method = getattr(self.handlers, endpoint.method, None)
        return method is not None and not getattr(method, "lmwire_unhandled", False)
