"""The client's end of one connection, without I/O: parsed frames in, exchanges changed and frames out.

Rules
-----
* All state of a connection lives here: ids, open exchanges, warnings, what is buffered. No socket, thread,
  clock or event loop.
* An *exchange* is one thing a user waits for: a ``Call`` or a ``Channel``. ``receive`` puts raw payloads into
  its ``inbox``; the shell takes them out in the user's own thread or task and decodes them there.
* An exchange ends exactly once, through ``_finish``: with its result, its error or its close. Nothing is
  delivered after that.
* Ids are never used again on a connection. What has ended, or was never open, gets no frames: one that comes all the
  same is dropped, and the peer is told so by a ``communicationWarning``, five times at most.
* A packet that asks for it is acknowledged when it arrives, whether or not anybody reads it.
* Frames that the session cannot place cost one warning line, never the connection. A peer's
  ``communicationWarning`` has no id; it is matched to the pending exchange that it names, and ends that one.

States of an exchange: open -> (result | error | close | refusal | loss | abandon) -> settled. An abandoned one
stays in its table as *draining*: what the server still sends for it is dropped quietly, and a late refusal does
not hit another request to the same endpoint.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from lmwire_runtime.credentials import REDACTED, redact, redact_quoted
from lmwire_runtime.errors import (
    AuthenticationError,
    ChannelError,
    LMWireError,
    RpcError,
    SlowConsumerError,
    UnsupportedEndpointError,
)
from lmwire_runtime.exchanges import Call, Channel, Exchange, is_id
from lmwire_runtime.limits import Limits
from lmwire_runtime.receipts import Receipts
from lmwire_runtime.refusals import PeerWarning
from lmwire_runtime.wire import UNSET, WarningSink, describe

if TYPE_CHECKING:
    from lmwire_runtime.signal_session import ClientSignals

__all__ = ["WARNING_LIMIT", "Call", "Channel", "ClientSession", "Exchange", "Lacking"]

Lacking: TypeAlias = frozenset[tuple[type[Exchange], str]]

WARNING_LIMIT: Final = 5
"""A peer sends at most this many warnings over one connection and is mute about bad requests from then on."""

# Abandoned calls, and as many channels, that a late warning may still be about.
_REMEMBERED: Final = 64
# Ids begin at 1.
_NO_ID: Final = 0
_REFUSED_HINT: Final = (
    "see the client's api_token, or the environment variable LMSTUDIO_API_TOKEN or LM_API_TOKEN"
)


class ClientSession:
    """See the module docstring. Outgoing frames are appended to ``outgoing``; the shell sends and clears them."""

    def __init__(self, namespace: str, *, limits: Limits, sink: WarningSink) -> None:
        self.namespace = namespace
        self.authenticated = False
        self.lost: LMWireError | None = None
        """Why the connection ended; set once, never cleared."""
        self.on_lost: Callable[[LMWireError], object] | None = None
        self.outgoing: list[dict[str, Any]] = []
        self.warnings_received = 0
        self.warnings_sent = 0
        self.paused: Channel | None = None
        """The channel whose unread packets stop the reading of the socket, None while all budgets hold."""
        self.lacking: Lacking = frozenset()
        """Endpoints, with their kind, that the server has said it does not have."""
        self.calls: dict[int, Call] = {}
        self._channels: dict[int, Channel] = {}
        self.others: dict[int, Exchange] = {}
        """Exchanges that are neither calls nor channels."""
        self.receipts = Receipts(self)
        self._next_id = 0
        self._forgotten = 0
        self._passkey = ""
        self._limits = limits
        self._sink = sink
        self._headroom = min(limits.channel_bytes, limits.connection_bytes)
        self._handlers: dict[str, Callable[[dict[str, Any], int], None]] = {
            "channelSend": self._on_channel_send,
            "channelClose": self._on_channel_close,
            "channelError": self._on_channel_error,
            "channelAck": self.receipts.on_channel_ack,
            "rpcResult": self._on_rpc_result,
            "rpcError": self._on_rpc_error,
            "communicationWarning": self._on_warning,
            "keepAliveAck": self.receipts.on_keep_alive_ack,
            "signalUpdate": self._on_signal,
            "signalError": self._on_signal,
            "writableSignalUpdate": self._on_signal,
            "writableSignalError": self._on_signal,
        }

    # What the user does.

    @cached_property
    def signals(self) -> ClientSignals:
        """The signals of this connection."""
        from lmwire_runtime.signal_session import ClientSignals  # few programs use any

        return ClientSignals(self)

    @property
    def mute(self) -> bool:
        """Whether the peer has used up its warnings, so that a bad request would go unanswered."""
        return self.warnings_received >= WARNING_LIMIT

    @property
    def idle(self) -> bool:
        """Whether nobody waits for anything; draining exchanges do not count."""
        return all(exchange.draining for exchange in self._exchanges())

    def authenticate(self, identifier: str, passkey: str) -> None:
        """Queue the authentication packet, which has to be the first thing sent, and alone until the answer."""
        self._passkey = passkey
        self.outgoing.append({"authVersion": 1, "clientIdentifier": identifier, "clientPasskey": passkey})

    def call(self, endpoint: str, parameter: Any = UNSET) -> Call:
        """Queue an ``rpcCall``; ``parameter`` is plain JSON, UNSET for void."""
        identity = self.new_id()
        frame = {"type": "rpcCall", "endpoint": endpoint, "callId": identity}
        if parameter is not UNSET:
            frame["parameter"] = parameter
        call = Call(endpoint, identity, frame)
        self.begin(call, self.calls, frame)
        return call

    def open(self, endpoint: str, creation: Any = UNSET, cancel: Any = None) -> Channel:
        """Queue a ``channelCreate``; ``creation`` is plain JSON, UNSET for void.

        ``cancel`` is the packet by which the server can be asked to stop, None where the endpoint has none.
        """
        identity = self.new_id()
        frame = {"type": "channelCreate", "endpoint": endpoint, "channelId": identity}
        if creation is not UNSET:
            frame["creationParameter"] = creation
        channel = Channel(endpoint, identity, frame, cancel)
        self.begin(channel, self._channels, frame)
        return channel

    def send(self, channel: Channel, message: Any = UNSET) -> bool:
        """Queue a packet for an open channel; returns False, queueing nothing, if it has ended."""
        if channel.ended:
            return False
        frame = {"type": "channelSend", "channelId": channel.id}
        if message is not UNSET:
            frame["message"] = message
        self.outgoing.append(frame)
        return True

    def cancel(self, channel: Channel) -> bool:
        """Queue the packet that asks the server to stop, once for each channel.

        Returns False if the channel has ended, or its endpoint has no such packet.
        """
        if channel.ended or channel.cancel_packet is None:
            return False
        if not channel.cancelled:
            channel.cancelled = True
            self.send(channel, channel.cancel_packet)
        return True

    def release(self, channel: Channel) -> None:
        """Stop following a channel whose result has arrived: its remaining frames, the close above all, are dropped."""
        if not channel.ended:
            channel.draining = True
            self.finish(channel, None)
            self._forget_oldest(self._channels)
        self._forget_unread(channel)

    def abandon(self, exchange: Exchange, error: LMWireError) -> None:
        """End an exchange from this side; the server is asked to stop a channel that is still open."""
        if isinstance(exchange, Channel):
            self.cancel(exchange)
        elif not isinstance(exchange, Call):
            self.signals.withdraw(exchange)
        exchange.draining = True
        self.finish(exchange, error)
        self._forget_oldest(self._table(exchange))
        self._forget_unread(exchange)

    def retract(self, exchange: Exchange, error: LMWireError) -> None:
        """End an exchange whose request was never sent, so that the server is not bothered with it."""
        self._table(exchange).pop(exchange.id, None)
        if not isinstance(exchange, (Call, Channel)):
            self.signals.withdraw(exchange, sent=False)
        self.finish(exchange, error)

    def lose(self, error: LMWireError) -> None:
        """End every exchange, because the connection has ended; later calls change nothing."""
        if self.lost is not None:
            return
        self.lost = error
        if self.on_lost is not None:
            self.on_lost(error)
        self.paused = None
        self.outgoing.clear()
        pending = self._exchanges()
        for table in (self.calls, self._channels, self.others):
            table.clear()
        for exchange in pending:
            self.finish(exchange, self.copy_for(exchange, error))

    # What the peer sends.

    def receive(self, frames: Iterable[Any], sizes: Iterable[int]) -> None:
        """Take parsed frames; ``sizes`` are their lengths in bytes on the wire."""
        channels, taken_in = self._channels, 0
        for frame, size in zip(frames, sizes, strict=False):
            channel = message = None
            try:
                # Nearly all frames of a busy connection are these: the straight way.
                if (
                    frame["type"] == "channelSend"
                    and (identity := frame["channelId"]) is not True  # which is 1
                    and len(frame) == 3  # without an ackId
                ):
                    channel, message = channels[identity], frame["message"]
            except (KeyError, TypeError):
                pass  # an unusual one: what is wrong with it is found out below
            if channel is None or channel.request is not None or channel.draining:
                self._receive(frame, size)
                continue
            channel.inbox.append((message, size))
            channel.received += size
            if channel.on_change is not None:
                channel.changed()
            taken_in += size
        self._spend(taken_in)

    def _spend(self, size: int) -> None:
        """Note that so many bytes more wait to be read; look at the budgets once they may be exceeded."""
        self._headroom -= size
        if self._headroom < 0:
            self.check_budgets()

    def _receive(self, frame: Any, size: int) -> None:
        try:
            handler = self._handlers[frame["type"]]
        except (KeyError, TypeError):
            self._receive_odd(frame)
            return
        handler(frame, size)

    def _receive_odd(self, frame: Any) -> None:
        if not self.authenticated:
            self._on_authentication(frame)
            return
        kind = frame.get("type") if type(frame) is dict else None
        what = f"type {kind[:100]!r}" if isinstance(kind, str) else f"no type ({type(frame).__name__})"
        self.warn(("frame", what), f"{self.namespace}: a frame of {what} was received and dropped")

    def warn(self, kind: tuple[str, ...], text: str) -> None:
        """Report an oddity of the peer, once for each kind."""
        self._sink.warn(kind, self._without_secret(text))

    def complain(self, kind: str, text: str) -> None:
        """Queue a ``communicationWarning`` about a frame of the peer's, unless this connection has had its five."""
        if self.warnings_sent < WARNING_LIMIT and self.authenticated and self.lost is None:
            self.warnings_sent += 1
            self.outgoing.append({"type": "communicationWarning", "warning": text, "kind": kind})

    def complain_of_unknown(self, frame: dict[str, Any], what: str, key: str) -> None:
        """Complain about a frame for a ``channel`` or ``rpc`` that nobody waits for; ``key`` is where its id is."""
        # A frame without a usable id was reported before, and one for what was given up and forgotten is no mistake.
        if is_id(frame.get(key)) and not 0 < frame[key] <= self._forgotten:
            text = f"Received {frame['type']} for unknown {what}, {key} = {frame[key]}"
            self.complain(f"{what}Unknown", text)

    def _on_authentication(self, frame: Any) -> None:
        success = frame.get("success") if type(frame) is dict else None
        if success is True:
            self.authenticated = True
        elif success is False:
            reason = frame.get("error")
            told = self._without_secret(reason[:500]) if isinstance(reason, str) else "no reason given"
            self.lose(AuthenticationError(f"the server refused the credentials: {told} ({_REFUSED_HINT})"))
        else:
            self.refuse_authentication(describe(frame))

    def refuse_authentication(self, reply: str) -> None:
        """End the connection because the authentication was answered with ``reply``, which is no answer to it."""
        self.lose(
            AuthenticationError(
                "the server did not answer the authentication as LM Studio does, but with"
                f" {self._without_secret(reply)}; is it an LM Studio server?"
            )
        )

    def _without_secret(self, text: str) -> str:
        # A server may quote what it was sent.
        return redact_quoted(text.replace(self._passkey, REDACTED) if self._passkey else text)

    def _on_channel_send(self, frame: dict[str, Any], size: int) -> None:
        channel = self._channels.get(self.id_in(frame, "channelId"))
        if channel is None:
            self.complain_of_unknown(frame, "channel", "channelId")
            return
        channel.request = None
        if is_id(frame.get("ackId")):
            self.outgoing.append({"type": "channelAck", "channelId": channel.id, "ackId": frame["ackId"]})
        if channel.draining:
            return
        channel.received += size
        channel.inbox.append((frame.get("message", UNSET), size))
        channel.changed()
        self._spend(size)

    def _on_channel_close(self, frame: dict[str, Any], size: int) -> None:
        channel = self._pop(self._channels, frame, "channelId")
        if channel is None:
            self.complain_of_unknown(frame, "channel", "channelId")
        else:
            self.finish(channel, None)
            self._recheck(channel)

    def _on_channel_error(self, frame: dict[str, Any], size: int) -> None:
        channel = self._pop(self._channels, frame, "channelId")
        if channel is None:
            self.complain_of_unknown(frame, "channel", "channelId")
        else:
            self.finish(channel, self.copy_for(channel, ChannelError(redact(frame.get("error")))))
            self._recheck(channel)

    def _on_rpc_result(self, frame: dict[str, Any], size: int) -> None:
        call = self._pop(self.calls, frame, "callId")
        if call is None:
            self.complain_of_unknown(frame, "rpc", "callId")
        elif not call.draining:
            call.inbox.append((frame.get("result", UNSET), size))
            self.finish(call, None)

    def _on_rpc_error(self, frame: dict[str, Any], size: int) -> None:
        call = self._pop(self.calls, frame, "callId")
        if call is None:
            self.complain_of_unknown(frame, "rpc", "callId")
        else:
            self.finish(call, self.copy_for(call, RpcError(redact(frame.get("error")))))

    def _on_signal(self, frame: dict[str, Any], size: int) -> None:
        self.signals.receive(frame)

    def _on_warning(self, frame: dict[str, Any], size: int) -> None:
        self.warnings_received += 1
        text = frame.get("warning")
        if isinstance(text, str):
            frame = {**frame, "warning": self._without_secret(text)}
        warning = PeerWarning.of(frame)
        place = self.signals.place_warning if warning.is_about_signals else self._place_warning
        if not place(warning) and not warning.tells_channel_id and not warning.names(self.lacking):
            self.warn(
                ("warning", warning.kind or warning.text),
                f"{self.namespace}: the server warns: {warning.text[:500]}",
            )

    def _place_warning(self, warning: PeerWarning) -> bool:
        """End the request that a warning is about; returns False if there is none such."""
        exchange = warning.find(self.calls.values(), self._channels)
        if exchange is None:
            return False
        error = warning.error()
        self._refuse(exchange, error)
        if isinstance(error, UnsupportedEndpointError):
            self.lacking |= {(type(exchange), exchange.endpoint)}
            # The others that wait for this endpoint might wait for ever: a sixth warning is never sent.
            for other in list(self._table(exchange).values()):
                if other.endpoint == exchange.endpoint and other.request is not None:
                    self._refuse(other, error)
        return True

    def _refuse(self, exchange: Exchange, error: LMWireError) -> None:
        self._table(exchange).pop(exchange.id, None)
        self.finish(exchange, self.copy_for(exchange, error))

    def has_channel(self, identity: int) -> bool:
        """Whether there is such a channel that has not ended, or that was given up and may still get frames."""
        return identity in self._channels

    def was_issued(self, identity: int) -> bool:
        """Whether this session has used an id."""
        return 0 < identity <= self._next_id

    # Budgets.

    def buffered(self, exchange: Exchange) -> int:
        """Bytes received but not yet taken."""
        return exchange.received - exchange.taken

    def check_budgets(self) -> None:
        """Find out whether reading has to pause, and how many bytes may arrive until the next look."""
        unread = {channel: self.buffered(channel) for channel in self._channels.values() if channel.inbox}
        largest = max(unread, key=unread.__getitem__, default=None)
        total = sum(unread.values())
        highest = 0 if largest is None else unread[largest]
        self._headroom = min(self._limits.channel_bytes - highest, self._limits.connection_bytes - total)
        self.paused = largest if self._headroom < 0 else None

    def drop_stalled(self, stall_seconds: float) -> None:
        """Give up the channel that has kept reading paused, so that the others go on."""
        self.check_budgets()
        channel = self.paused
        if channel is not None:
            error = SlowConsumerError(buffered_bytes=self.buffered(channel), stall_seconds=stall_seconds)
            self.abandon(channel, self.copy_for(channel, error))

    def _recheck(self, exchange: Exchange) -> None:
        # What has ended cannot grow: it does not keep the others waiting.
        if self.paused is exchange:
            self.check_budgets()

    def _forget_oldest(self, table: dict[int, Any]) -> None:
        # A server need never end what was given up; what it still sends for a forgotten one is dropped just the same.
        draining = [exchange for exchange in table.values() if exchange.draining]
        if len(draining) > _REMEMBERED:
            self._forgotten = max(self._forgotten, draining[0].id)
            del table[draining[0].id]

    def _forget_unread(self, exchange: Exchange) -> None:
        exchange.inbox.clear()
        self._recheck(exchange)

    # Helpers.

    def new_id(self) -> int:
        self._next_id += 1
        return self._next_id

    def begin(self, exchange: Exchange, table: dict[int, Any], frame: dict[str, Any]) -> None:
        if (type(exchange), exchange.endpoint) in self.lacking:
            # Asking again would cost one of the server's five warnings.
            known = UnsupportedEndpointError("the server has said before that it has no such endpoint")
            self.finish(exchange, self.copy_for(exchange, known))
            return
        table[exchange.id] = exchange
        self.outgoing.append(frame)

    def _table(self, exchange: Exchange) -> dict[int, Any]:
        if isinstance(exchange, Call):
            return self.calls
        return self._channels if isinstance(exchange, Channel) else self.others

    def _exchanges(self) -> list[Exchange]:
        return [*self.calls.values(), *self._channels.values(), *self.others.values()]

    def _pop(self, table: dict[int, Any], frame: dict[str, Any], key: str) -> Any:
        return table.pop(self.id_in(frame, key), None)

    def id_in(self, frame: dict[str, Any], key: str) -> int:
        """Return a frame's id, one that is never open if it has none that can be used."""
        identity = frame.get(key)
        if is_id(identity):
            return int(identity)  # 3.0 is an integer
        kind = frame["type"]
        self.warn(("malformed", kind), f"{self.namespace}: a {kind} frame without a usable id was dropped")
        return _NO_ID

    def finish(self, exchange: Exchange, error: LMWireError | None) -> None:
        """The one way in which an exchange ends."""
        if exchange.ended:
            return
        if not exchange.draining:
            exchange.request = None
        exchange.error = error
        exchange.ended = True
        exchange.changed()
        if isinstance(exchange, Channel):
            self.receipts.end(exchange)

    def copy_for(self, exchange: Exchange, error: LMWireError) -> LMWireError:
        """Make the exception that this exchange raises."""
        return error.copied().at(self.namespace, exchange.endpoint, exchange.id)
