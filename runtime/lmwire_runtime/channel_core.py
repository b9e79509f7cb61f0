"""What the channels of both shells share: everything but the waiting."""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import Any, Generic, Protocol, TypeVar

from lmwire_runtime.connection import Settings, packet_decoder, raise_mismatch, silence_error
from lmwire_runtime.descriptors import ChannelDescriptor, Decoder
from lmwire_runtime.errors import CancelledError, LMWireError
from lmwire_runtime.exchanges import Channel, Exchange
from lmwire_runtime.session import ClientSession
from lmwire_runtime.wire import ROOT, DecodeError

__all__ = ["ChannelCore", "ChannelLink"]

C = TypeVar("C")
S = TypeVar("S")
T = TypeVar("T")


class ChannelLink(Protocol):
    """What a channel asks of its link without waiting; see ``SyncLink`` and ``AsyncLink``."""

    session: ClientSession

    @property
    def unsent(self) -> int: ...

    def apply(self, action: Callable[[], object]) -> None: ...

    def cancel(self, channel: Channel) -> bool: ...

    def abandon(self, exchange: Exchange, error: LMWireError) -> None: ...

    def release(self, channel: Channel) -> None: ...

    def resume(self) -> None: ...


L = TypeVar("L", bound=ChannelLink)


class ChannelCore(Generic[S, T, L]):
    """The state of a typed channel. It is opened by its first use; ``_link`` and ``_channel`` are None until then.

    ``decode`` reads its packets, by default as the descriptor says.
    """

    def __init__(
        self,
        descriptor: ChannelDescriptor[C, S, T],
        creation: Any,
        timeout: float | None,
        settings: Settings,
        decode: Decoder[T] | None,
    ) -> None:
        self.descriptor = descriptor
        self._creation = creation
        self._timeout = timeout
        self._settings = settings
        self._decode = decode or packet_decoder(descriptor)
        self._link: L | None = None
        self._channel: Channel | None = None

    @property
    def ended(self) -> bool:
        """Whether nothing more can arrive; packets that did arrive may still be unread."""
        return self._channel is not None and self._channel.ended

    @property
    def request_id(self) -> int | None:
        """The wire's channelId; None before the first use."""
        return None if self._channel is None else self._channel.id

    def close_now(self) -> None:
        """Give the channel up: the server is asked to stop, and what it still sends is dropped. Does not wait."""
        channel, link = self._channel, self._link
        if channel is not None and link is not None and (not channel.ended or channel.inbox):
            link.abandon(channel, CancelledError("the channel was closed by its user"))

    def release(self) -> None:
        """Stop following the channel after its result: the server is not asked to stop, the rest is dropped."""
        if self._channel is not None and self._link is not None:
            self._link.release(self._channel)

    def __del__(self) -> None:
        # Forgotten half-way, without a context: the server need not go on.
        if getattr(self, "_channel", None) is not None:
            self.close_now()

    def ready(self) -> Generator[T, None, None]:
        """Yield the packets that have arrived, those included that arrive meanwhile; ends when there is none.

        Raises:
            ProtocolMismatchError: A packet does not fit the schema; the channel was given up.
        """
        channel, link = self._channel, self._link
        if channel is None or link is None:
            return
        session, next_payload, decode, decoding = (
            link.session,
            channel.inbox.popleft,
            self._decode,
            self._settings.decoding,
        )
        while True:
            try:
                raw, size = next_payload()
            except IndexError:
                return
            channel.taken += size
            if session.paused is not None:
                link.resume()
            try:
                packet = decode(raw, decoding, ROOT)
            except (DecodeError, RecursionError) as error:
                self.close_now()
                raise_mismatch(link, error, raw, channel, self.descriptor, self._settings)
            yield packet

    def waited(self, in_time: bool) -> bool:
        """Judge how a wait of the link's has ended; returns False if the channel has ended and nothing is unread.

        Raises:
            RequestTimeoutError: Nothing arrived in time; the channel was given up.
            LMWireError: What ended the channel.
        """
        channel, link = self._channel, self._link
        assert channel is not None
        assert link is not None
        if not in_time:
            error = silence_error(link.session, channel, self._timeout or 0.0, link.unsent)
            link.abandon(channel, error)
            raise error
        if channel.inbox:
            return True
        if channel.error is not None:
            raise channel.error
        return not channel.ended
