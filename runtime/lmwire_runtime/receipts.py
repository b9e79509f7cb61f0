"""Receipts of a client's connection: packets that the server acknowledges, and its answers to keep-alive frames.

Upstream's own ports never send an acknowledgement by themselves; a server made with this runtime does.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lmwire_runtime.errors import IncompleteError, LMWireError
from lmwire_runtime.exchanges import Call, Channel
from lmwire_runtime.wire import UNSET

if TYPE_CHECKING:
    from lmwire_runtime.session import ClientSession

__all__ = ["Acknowledgement", "KeepAlive", "Receipts"]


class KeepAlive(Call):
    """One ``keepAlive``; ended by the peer's answer."""

    __slots__ = ()


class Acknowledgement(Call):
    """One packet whose receipt the peer is asked to acknowledge; ended by its ``channelAck``, or with its channel."""

    __slots__ = ("channel",)

    def __init__(self, channel: Channel, identity: int) -> None:
        super().__init__(channel.endpoint, identity, {})
        self.channel = channel


class Receipts:
    """What waits for a receipt is one of the session's calls, with an id of its own."""

    def __init__(self, session: ClientSession) -> None:
        self._session = session
        self._acknowledgements: dict[int, Acknowledgement] = {}

    def send(self, channel: Channel, message: Any = UNSET) -> Acknowledgement:
        """Queue a packet with an ``ackId``; what is returned ends when the server has acknowledged it."""
        session = self._session
        waiting = Acknowledgement(channel, session.new_id())
        if session.send(channel, message):
            session.outgoing[-1]["ackId"] = waiting.id
            session.calls[waiting.id] = self._acknowledgements[waiting.id] = waiting
        else:
            session.finish(waiting, self._missing(channel))
        return waiting

    def keep_alive(self) -> KeepAlive:
        """Queue a ``keepAlive``; what is returned ends when the server has answered it."""
        session = self._session
        waiting = KeepAlive("keepAlive", session.new_id(), {})
        session.calls[waiting.id] = waiting
        session.outgoing.append({"type": "keepAlive"})
        return waiting

    def end(self, channel: Channel) -> None:
        """A channel has ended: nothing that it was sent will be acknowledged any more."""
        for waiting in [item for item in self._acknowledgements.values() if item.channel is channel]:
            self._settle(waiting, channel.error or self._missing(channel))

    def on_channel_ack(self, frame: dict[str, Any], size: int) -> None:
        """Take a ``channelAck`` frame."""
        session = self._session
        waiting = self._acknowledgements.get(session.id_in(frame, "ackId"))
        channel_id = session.id_in(frame, "channelId")
        if waiting is not None and waiting.channel.id == channel_id:
            self._settle(waiting, None)
        elif not session.has_channel(channel_id):
            session.complain_of_unknown(frame, "channel", "channelId")

    def on_keep_alive_ack(self, frame: dict[str, Any], size: int) -> None:
        """Take a ``keepAliveAck`` frame; answers come in the order of what they answer."""
        calls = self._session.calls
        waiting = next((call for call in calls.values() if isinstance(call, KeepAlive)), None)
        if waiting is not None:
            del calls[waiting.id]
            self._session.finish(waiting, None)

    def _settle(self, waiting: Acknowledgement, error: LMWireError | None) -> None:
        del self._acknowledgements[waiting.id]
        self._session.calls.pop(waiting.id, None)
        self._session.finish(waiting, error)

    def _missing(self, channel: Channel) -> LMWireError:
        error = IncompleteError("the channel ended before the server acknowledged the packet")
        return self._session.copy_for(channel, error)
