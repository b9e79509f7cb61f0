"""What the synchronous and the asyncio shell share: a client's settings, and the steps that do not wait.

A *link* is one established WebSocket: socket, transport and session. A *connection* is what a namespace's
stubs hold: it opens a link on first use and another one after a loss. The shells differ only in how they
wait.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from typing import TYPE_CHECKING, Any, Final, NoReturn, Protocol, TypeVar

import attrs

from lmwire_runtime import json_codec
from lmwire_runtime.clock import SYSTEM_CLOCK, Clock
from lmwire_runtime.credentials import Credentials, redact_text
from lmwire_runtime.descriptors import ChannelDescriptor, Codec, Decoder, EndpointDescriptor, RpcDescriptor
from lmwire_runtime.errors import (
    ConnectError,
    ConnectionLostError,
    IncompleteError,
    LMWireError,
    ProtocolMismatchError,
    RequestTimeoutError,
    UsageError,
)
from lmwire_runtime.limits import DEFAULT_LIMITS, DEFAULT_TIMEOUTS, Limits, Timeouts
from lmwire_runtime.session import Call, Channel, ClientSession, Exchange
from lmwire_runtime.taps import Direction, Tap, link_tap
from lmwire_runtime.transport import Payload, Transport
from lmwire_runtime.wire import UNSET, DecodeError, Decoding, Message, WarningSink

if TYPE_CHECKING:
    import ssl

__all__ = ["Direction", "LinkCore", "Settings", "Tap"]

T = TypeVar("T")

# Bytes read at a time: few enough that they stay in the processor's caches until they are used.
READ_SIZE: Final = 32 * 1024

# A shorter silence says nothing about a connection.
TRUST_SECONDS: Final = 5.0

# The close code of RFC 6455 for text that is not UTF-8.
INVALID_DATA: Final = 1007


@attrs.frozen(kw_only=True)
class Settings:
    """Everything that a client was told, handed down to its links."""

    credentials: Credentials
    revision: str
    timeouts: Timeouts = DEFAULT_TIMEOUTS
    limits: Limits = DEFAULT_LIMITS
    decoding: Decoding = attrs.field(factory=Decoding)
    clock: Clock = SYSTEM_CLOCK
    tap: Tap | None = None
    ssl_context: ssl.SSLContext | None = None

    @property
    def sink(self) -> WarningSink:
        """Where warnings of sessions and decoders go."""
        return self.decoding.sink


def hurried(settings: Settings, limit: float | None) -> Settings:
    """Return settings whose connect timeout is at most ``limit``, the timeout of the request that needs the
    connection.
    """
    connect = settings.timeouts.connect
    if limit is None or (connect is not None and connect <= limit):
        return settings
    return attrs.evolve(settings, timeouts=attrs.evolve(settings.timeouts, connect=limit))


class LinkCore:
    """The part of a link that does no I/O: bytes to frames to exchanges, and back. Not thread-safe; its shell
    locks.
    """

    def __init__(self, transport: Transport, namespace: str, settings: Settings) -> None:
        self.transport = transport
        self.session = ClientSession(namespace, limits=settings.limits, sink=settings.sink)
        self._settings = settings
        self._tap = tap = link_tap(settings.tap, namespace, "client")
        if tap is not None:
            self.session.on_lost = lambda error: tap.closed(str(error))

    def feed(self, data: bytes) -> None:
        """Take bytes from the network, down to the exchanges' inboxes."""
        messages = self.transport.receive(data)
        if self._tap is not None:
            for message in messages:
                self._tap.frame("received", message)
        try:
            frames = list(map(json_codec.loads_first, messages))
        except ValueError:
            self._feed_one_by_one(messages)
        else:
            self.session.receive(frames, map(len, messages))

    def _feed_one_by_one(self, messages: Iterable[Payload]) -> None:
        """Take messages one of which, at least, is no plain JSON."""
        for message in messages:
            try:
                frame = json_codec.loads(message)
            except UnicodeDecodeError:
                self.transport.fail(INVALID_DATA, "a message was not UTF-8")
                return
            except ValueError as error:
                self._not_json(message, error)
            else:
                self.session.receive((frame,), (len(message),))

    def encode_outgoing(self) -> None:
        """Hand the session's outgoing frames to the transport; they are dropped if it has ended.

        Raises:
            UsageError: A frame holds what JSON cannot express, or is too large. It is dropped, the others
                are not.
        """
        session, transport = self.session, self.transport
        frames, session.outgoing = session.outgoing, []
        if not transport.open:
            return
        for position, frame in enumerate(frames):
            try:
                text = self._text_of(frame)
            except UsageError:
                session.outgoing[:0] = frames[position + 1 :]
                raise
            transport.send(text)

    def flush(self) -> bytes:
        """Return the bytes that have to go to the network now; raises as ``encode_outgoing`` does."""
        if self.session.outgoing:
            self.encode_outgoing()
        data, _ = self.transport.output()
        return data

    def _text_of(self, frame: dict[str, Any]) -> bytes:
        try:
            text = json_codec.dumps(frame)
        except (TypeError, ValueError) as error:
            raise UsageError(f"the request cannot be expressed in JSON: {error}") from error
        limit = self._settings.limits.message_bytes
        if len(text) > limit:
            raise UsageError(f"the request has {len(text)} bytes, the limit for one message is {limit}")
        if self._tap is not None:
            self._tap.frame("sent", text)
        return text

    def lifeless(self, reads: int, seconds: float | None) -> bool:
        """Say whether a wait of so many seconds, in which nothing at all has arrived since ``reads``, makes the next
        request take another connection: a network that forgot this one, as while a laptop sleeps, tells nobody.
        """
        return seconds is not None and seconds >= TRUST_SECONDS and self.transport.reads == reads

    def check_ended(self) -> None:
        """End all exchanges if the peer has ended the connection."""
        if self.transport.closing and self.session.lost is None:
            self.session.lose(lost_error(self.transport.close_reason))

    def check_handshake(self, address: str) -> bool:
        """Say whether the WebSocket handshake is done.

        Raises:
            ConnectError: The peer refused it, or is no WebSocket server.
        """
        if self.transport.open:
            return True
        error = getattr(self.transport, "handshake_error", None)
        if error is not None or self.transport.closed:
            raise ConnectError(
                f"{address} did not accept a WebSocket connection: {error or 'it closed the connection'};"
                " is it an LM Studio server?",
                address=address,
            )
        return False

    def check_authentication(self, address: str) -> bool:
        """Say whether the server has accepted the credentials.

        Raises:
            AuthenticationError: It has not, or it did not answer as LM Studio does.
            ConnectionLostError: It ended the connection instead.
        """
        lost = self.session.lost
        if isinstance(lost, ConnectionLostError):
            raise ConnectionLostError(
                f"{address} ended the connection instead of answering the authentication:"
                f" {self.transport.close_reason}; is it an LM Studio server?"
            ) from lost.__cause__
        if lost is not None:
            raise lost.copied()
        return self.session.authenticated

    def _not_json(self, message: Payload, error: ValueError) -> None:
        session, start = self.session, redact_text(message)[:80]
        if not session.authenticated:
            session.refuse_authentication(f"what is no JSON: {start!r}")
        else:
            session.warn(
                ("json",), f"{session.namespace}: a message that is no JSON was dropped: {start!r} ({error})"
            )


def lost_error(why: str, cause: BaseException | None = None) -> ConnectionLostError:
    """Make the error of everything that was in flight when the connection ended."""
    error = ConnectionLostError(
        f"the connection was lost: {why}; what was in flight is not sent again, the next request connects anew"
    )
    error.__cause__ = cause
    return error


def encode(descriptor: EndpointDescriptor, codec: Codec[T], value: T) -> Any:
    """Encode what the caller wants to send; returns UNSET for void.

    Raises:
        UsageError: The value is not of the endpoint's type.
    """
    try:
        return codec.encode(value)
    except (AttributeError, TypeError, ValueError) as error:
        what = type(value).__name__ if not isinstance(value, Message) else repr(value)[:200]
        problem = UsageError(f"{what} cannot be sent as {codec.type_name or 'this value'}: {error}")
        raise problem.at(descriptor.namespace, descriptor.name) from error


def packet_decoder(descriptor: ChannelDescriptor[Any, Any, T]) -> Decoder[T]:
    """Return the shortest way from a raw packet to a typed one."""
    codec = descriptor.to_client
    return codec.decoder if codec.presence == "required" else codec.decode


class Complaining(Protocol):
    """A link, as far as warnings of ours are concerned; see ``SyncLink`` and ``AsyncLink``."""

    session: ClientSession

    def apply(self, action: Callable[[], object]) -> None: ...


def finish_call(link: Complaining, call: Call, descriptor: RpcDescriptor[Any, T], settings: Settings) -> T:
    """Return the result of a call that has ended, or raise what ended it."""
    if call.error is not None:
        raise call.error
    raw = call.take()
    try:
        return descriptor.result.decode(raw, settings.decoding)
    except (DecodeError, RecursionError) as error:
        raise_mismatch(link, error, raw, call, descriptor, settings)


def raise_mismatch(
    link: Complaining,
    error: DecodeError | RecursionError,
    raw: Any,
    exchange: Exchange,
    descriptor: EndpointDescriptor,
    settings: Settings,
) -> NoReturn:
    """Raise what a caller gets for a reply that does not fit the schema; the peer is warned."""
    if isinstance(error, RecursionError):
        error = DecodeError("", "a value of some reasonable depth", "one that is nested too deeply")
    kind, frame = (
        ("rpcResultTypeError", "rpcResult")
        if isinstance(exchange, Call)
        else ("channelMessageTypeError", "channelSend")
    )
    text = f"Received invalid data for {frame}, endpointName = {descriptor.name}. {str(error)[:500]}"
    link.apply(partial(link.session.complain, kind, text))
    mismatch = ProtocolMismatchError(error, revision=settings.revision, raw=None if raw is UNSET else raw)
    raise mismatch.at(descriptor.namespace, descriptor.name, exchange.id) from error


def silence_error(session: ClientSession, exchange: Exchange, seconds: float, unsent: int) -> LMWireError:
    """Make the error of an exchange on which nothing arrived in time.

    ``unsent`` bytes, of this or of other requests, wait for the peer to take them.
    """
    what, timeout = ("packet", "channel") if isinstance(exchange, Channel) else ("answer", "rpc")
    hint = f"if the server needs longer, raise the request's timeout or the client's timeouts.{timeout}"
    if unsent:
        hint = f"the server has not taken {unsent} bytes of what it was sent, the next request connects anew"
    error = RequestTimeoutError(f"no {what} arrived within {seconds:g} s; {hint}", seconds=seconds)
    return error.at(session.namespace, exchange.endpoint, exchange.id)


def backlog_error(session: ClientSession, exchange: Exchange, seconds: float, unsent: int) -> LMWireError:
    """Make the error of an exchange whose request, or packet, the peer does not take."""
    error = RequestTimeoutError(
        f"the server has taken nothing of {unsent} bytes for {seconds:g} s; the next request connects anew",
        seconds=seconds,
    )
    return error.at(session.namespace, exchange.endpoint, exchange.id)


def ended_error(channel: Channel, descriptor: EndpointDescriptor) -> LMWireError:
    """Make the error of a caller who wants a packet from a channel that the server has closed."""
    error = IncompleteError("the server closed the channel; there is no further packet")
    return error.at(descriptor.namespace, descriptor.name, channel.id)
