"""The client's end of one connection, without I/O: parsed frames in, exchanges changed and frames out.

Rules
-----
* All state of a connection lives here: ids, open exchanges, warnings, what is buffered. No socket, thread, clock or event loop.
* An *exchange* is one thing a user waits for: a ``Call`` or a ``Channel``. ``receive`` puts raw payloads into its ``inbox``; the
  shell takes them out in the user's own thread or task and decodes them there.
* An exchange ends exactly once, through ``_settle``: with its result, its error or its close. Nothing is delivered after that.
* Ids are never used again on a connection. Frames for an id that is no longer (or was never) open are a normal race: dropped.
* Frames that the session cannot place cost one warning line, never the connection. A peer's ``communicationWarning`` has no id;
  it is matched to the pending exchange that it names, and ends that one.

States of an exchange: open -> (result | error | close | loss | abandon) -> settled. An abandoned channel stays in the table as
*draining*, so that what the server still sends for it is dropped quietly until its close.

Counters that two threads touch have one writer each: ``received`` belongs to whoever feeds the session, ``taken`` to the reader.
"""

from __future__ import annotations

import json
import re
from collections import deque
from collections.abc import Callable, Iterator
from typing import Any, Final

from lmwire_runtime.errors import (
    AuthenticationError,
    ChannelError,
    LMWireError,
    RefusedRequestError,
    RpcError,
    SlowConsumerError,
    UnsupportedEndpointError,
)
from lmwire_runtime.limits import Limits
from lmwire_runtime.wire import UNSET, WarningSink

__all__ = ["WARNING_LIMIT", "Call", "Channel", "ClientSession", "Exchange"]

WARNING_LIMIT: Final = 5
"""A peer sends at most this many warnings over one connection and is mute about bad requests from then on."""

_CALL_WARNINGS: Final = frozenset({"rpcEndpointUnknown", "rpcEndpointUnhandled", "rpcParameterTypeError"})
_CHANNEL_WARNINGS: Final = frozenset(
    {
        "channelEndpointUnknown",
        "channelEndpointUnhandled",
        "channelCreationParameterTypeError",
        "channelAlreadyOpen",
    }
)
_UNSUPPORTED: Final = re.compile(r"EndpointUn(known|handled)$|\bun(known|handled)\b", re.IGNORECASE)
_ENDPOINT_IN_TEXT: Final = re.compile(r"\bendpoint(?:Name)?\s*[=:]?\s*[\"']?([A-Za-z0-9_]+)[\"']?\s*(?:,|$)")


class Exchange:
    """What a user waits for. Shells read ``inbox``, ``ended`` and ``error``; only the session writes them."""

    __slots__ = ("ended", "endpoint", "error", "id", "inbox", "on_change", "received", "request", "taken")

    def __init__(self, endpoint: str, identity: int, request: dict[str, Any]) -> None:
        self.endpoint = endpoint
        self.id = identity
        self.inbox: deque[tuple[Any, int]] = deque()
        """Payloads not yet taken, each with its size on the wire."""
        self.ended = False
        """Nothing will be added to ``inbox`` any more."""
        self.error: LMWireError | None = None
        """Why it ended, if not well; raised once the inbox is empty."""
        self.on_change: Callable[[], None] | None = None
        """Set by a shell while somebody waits."""
        self.request: dict[str, Any] | None = request
        """The frame that opened it, until the peer has answered; warnings are matched against it."""
        self.received = 0
        self.taken = 0

    def take(self) -> Any:
        """Remove and return the oldest payload; the inbox must not be empty."""
        payload, size = self.inbox.popleft()
        self.taken += size
        return payload


class Call(Exchange):
    """One ``rpcCall``; its inbox gets exactly one payload, the raw result (UNSET for void)."""

    __slots__ = ()


class Channel(Exchange):
    """One channel; its inbox gets the raw packets."""

    __slots__ = ("cancel", "draining")

    def __init__(self, endpoint: str, identity: int, request: dict[str, Any], cancel: Any) -> None:
        super().__init__(endpoint, identity, request)
        self.cancel = cancel
        """The packet that asks the server to stop, None where the endpoint has none."""
        self.draining = False


class ClientSession:
    """See the module docstring. Outgoing frames are appended to ``outgoing``; the shell sends and clears them."""

    def __init__(self, namespace: str, *, limits: Limits, sink: WarningSink) -> None:
        self.namespace = namespace
        self.authenticated = False
        self.lost: LMWireError | None = None
        """Why the connection ended; set once, never cleared."""
        self.outgoing: list[dict[str, Any]] = []
        self.warnings_received = 0
        self.paused: Channel | None = None
        """The channel whose unread packets stop the reading of the socket, None while all budgets hold."""
        # Endpoints, with their kind, that the server has said it does not have.
        self._unsupported: set[tuple[type[Exchange], str]] = set()
        self._calls: dict[int, Call] = {}
        self._channels: dict[int, Channel] = {}
        self._next_id = 0
        self._limits = limits
        self._sink = sink
        self._headroom = min(limits.channel_bytes, limits.connection_bytes)
        self._handlers: dict[str, Callable[[dict[str, Any], int], None]] = {
            "channelSend": self._on_channel_send,
            "channelClose": self._on_channel_close,
            "channelError": self._on_channel_error,
            "channelAck": self._on_ignored,
            "rpcResult": self._on_rpc_result,
            "rpcError": self._on_rpc_error,
            "communicationWarning": self._on_warning,
            "keepAliveAck": self._on_ignored,
        }

    # What the user does.

    @property
    def mute(self) -> bool:
        """Whether the peer has used up its warnings, so that a bad request would go unanswered."""
        return self.warnings_received >= WARNING_LIMIT

    @property
    def idle(self) -> bool:
        """Whether nobody waits for anything; draining channels do not count."""
        return not self._calls and all(channel.draining for channel in self._channels.values())

    def authenticate(self, identifier: str, passkey: str) -> None:
        """Queue the authentication packet, which has to be the first thing sent, and alone until the answer."""
        self.outgoing.append({"authVersion": 1, "clientIdentifier": identifier, "clientPasskey": passkey})

    def call(self, endpoint: str, parameter: Any = UNSET) -> Call:
        """Queue an ``rpcCall``; ``parameter`` is plain JSON, UNSET for void."""
        identity = self._new_id()
        frame = {"type": "rpcCall", "endpoint": endpoint, "callId": identity}
        if parameter is not UNSET:
            frame["parameter"] = parameter
        call = Call(endpoint, identity, frame)
        self._begin(call, self._calls, frame)
        return call

    def open(self, endpoint: str, creation: Any = UNSET, cancel: Any = None) -> Channel:
        """Queue a ``channelCreate``; ``creation`` is plain JSON, UNSET for void.

        ``cancel`` is the packet by which the server can be asked to stop, None where the endpoint has none.
        """
        identity = self._new_id()
        frame = {"type": "channelCreate", "endpoint": endpoint, "channelId": identity}
        if creation is not UNSET:
            frame["creationParameter"] = creation
        channel = Channel(endpoint, identity, frame, cancel)
        self._begin(channel, self._channels, frame)
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

    def release(self, channel: Channel) -> None:
        """Stop following a channel whose result has arrived: its remaining frames, the close above all, are dropped."""
        if not channel.ended:
            channel.draining = True
            self._finish(channel, None)
        channel.inbox.clear()

    def abandon(self, exchange: Exchange, error: LMWireError) -> None:
        """End an exchange from this side; a channel's ``cancel`` packet is queued if the channel is still open."""
        if exchange.ended:
            exchange.inbox.clear()
            return
        if isinstance(exchange, Channel):
            if exchange.cancel is not None:
                self.send(exchange, exchange.cancel)
            exchange.draining = True
            self._finish(exchange, error)
            exchange.inbox.clear()
        else:
            self._calls.pop(exchange.id, None)
            self._finish(exchange, error)

    def lose(self, error: LMWireError) -> None:
        """End every exchange, because the connection has ended; later calls change nothing."""
        if self.lost is not None:
            return
        self.lost = error
        self.outgoing.clear()
        pending: list[Exchange] = [*self._calls.values(), *self._channels.values()]
        self._calls.clear()
        self._channels.clear()
        for exchange in pending:
            self._finish(exchange, self._copy_for(exchange, error))

    # What the peer sends.

    def receive(self, frame: Any, size: int) -> None:
        """Take one parsed frame; ``size`` is its length in bytes on the wire."""
        try:
            handler = self._handlers[frame["type"]]
        except (KeyError, TypeError, IndexError):
            self._receive_odd(frame)
            return
        handler(frame, size)

    def _receive_odd(self, frame: Any) -> None:
        if not self.authenticated:
            self._on_authentication(frame)
            return
        kind = frame.get("type") if type(frame) is dict else None
        what = f"type {kind!r}" if isinstance(kind, str) else f"no type ({type(frame).__name__})"
        self.warn(("frame", what), f"{self.namespace}: a frame of {what} was received and dropped")

    def warn(self, kind: tuple[str, ...], text: str) -> None:
        """Report an oddity of the peer, once for each kind."""
        self._sink.warn(kind, text)

    def _on_authentication(self, frame: Any) -> None:
        success = frame.get("success") if type(frame) is dict else None
        if success is True:
            self.authenticated = True
        elif success is False:
            reason = frame.get("error")
            self.lose(
                AuthenticationError(
                    f"the server refused the credentials: {reason if isinstance(reason, str) else 'no reason given'}"
                )
            )
        else:
            self.lose(AuthenticationError("the server did not answer the authentication as LM Studio does"))

    def _on_channel_send(self, frame: dict[str, Any], size: int) -> None:
        try:
            channel = self._channels.get(frame["channelId"])
        except (KeyError, TypeError):
            self._malformed(frame)
            return
        if channel is None or channel.draining:
            return
        channel.request = None
        channel.received += size
        channel.inbox.append((frame.get("message", UNSET), size))
        if channel.on_change is not None:
            channel.on_change()
        self._headroom -= size
        if self._headroom < 0:
            self.check_budgets()

    def _on_channel_close(self, frame: dict[str, Any], size: int) -> None:
        channel = self._pop(self._channels, frame, "channelId")
        if channel is not None:
            self._finish(channel, None)

    def _on_channel_error(self, frame: dict[str, Any], size: int) -> None:
        channel = self._pop(self._channels, frame, "channelId")
        if channel is not None:
            self._finish(channel, self._copy_for(channel, ChannelError(frame.get("error"))))

    def _on_rpc_result(self, frame: dict[str, Any], size: int) -> None:
        call = self._pop(self._calls, frame, "callId")
        if call is not None:
            call.inbox.append((frame.get("result", UNSET), size))
            self._finish(call, None)

    def _on_rpc_error(self, frame: dict[str, Any], size: int) -> None:
        call = self._pop(self._calls, frame, "callId")
        if call is not None:
            self._finish(call, self._copy_for(call, RpcError(frame.get("error"))))

    def _on_ignored(self, frame: dict[str, Any], size: int) -> None:
        return None

    def _on_warning(self, frame: dict[str, Any], size: int) -> None:
        self.warnings_received += 1
        warning, kind = frame.get("warning"), frame.get("kind")
        text = warning if isinstance(warning, str) else "(no text)"
        kind = kind if isinstance(kind, str) else None
        exchange = self._named_by(text, kind)
        if exchange is None:
            self.warn(("warning", kind or text), f"{self.namespace}: the server warns: {text[:500]}")
            return
        if _UNSUPPORTED.search(kind or text[:120]):
            self._unsupported.add((type(exchange), exchange.endpoint))
            error: LMWireError = UnsupportedEndpointError(f"the server has no such endpoint: {text[:500]}", kind=kind)
        else:
            error = RefusedRequestError(f"the server refused the request: {text[:2000]}", kind=kind)
        table: dict[int, Any] = self._calls if isinstance(exchange, Call) else self._channels
        table.pop(exchange.id, None)
        self._finish(exchange, self._copy_for(exchange, error))

    def _named_by(self, text: str, kind: str | None) -> Exchange | None:
        """Find the pending exchange that a warning is about: it names an endpoint, never an id."""
        pending: Iterator[Exchange]
        if kind in _CALL_WARNINGS:
            pending = iter(self._calls.values())
        elif kind in _CHANNEL_WARNINGS:
            pending = iter(self._channels.values())
        elif kind is None or kind == "unknown":
            pending = iter([*self._calls.values(), *self._channels.values()])
        else:
            return None
        named = _ENDPOINT_IN_TEXT.search(text[:300])
        candidates = [exchange for exchange in pending if exchange.request is not None]
        if named is not None:
            candidates = [exchange for exchange in candidates if exchange.endpoint == named[1]]
        else:
            words = set(re.findall(r"\w+", text[:120]))
            candidates = [exchange for exchange in candidates if exchange.endpoint in words]
        if len(candidates) > 1:
            # A refusal quotes the parameter; where several calls of one endpoint wait, it tells them apart.
            quoting = [exchange for exchange in candidates if _parameter_text(exchange) in text]
            candidates = quoting or candidates
        return candidates[0] if candidates else None

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
        channel = self.paused
        if channel is None:
            return
        error = SlowConsumerError(buffered_bytes=self.buffered(channel), stall_seconds=stall_seconds)
        self.abandon(channel, self._copy_for(channel, error))
        self.check_budgets()

    # Helpers.

    def _new_id(self) -> int:
        self._next_id += 1
        return self._next_id

    def _begin(self, exchange: Exchange, table: dict[int, Any], frame: dict[str, Any]) -> None:
        if (type(exchange), exchange.endpoint) in self._unsupported:
            # Asking again would cost one of the server's five warnings.
            known = UnsupportedEndpointError("the server has said before that it has no such endpoint")
            self._finish(exchange, self._copy_for(exchange, known))
            return
        table[exchange.id] = exchange
        self.outgoing.append(frame)

    def _pop(self, table: dict[int, Any], frame: dict[str, Any], key: str) -> Any:
        try:
            return table.pop(frame[key], None)
        except (KeyError, TypeError):
            self._malformed(frame)
            return None

    def _malformed(self, frame: dict[str, Any]) -> None:
        kind = str(frame.get("type"))
        self.warn(("malformed", kind), f"{self.namespace}: a {kind} frame without a usable id was dropped")

    def _finish(self, exchange: Exchange, error: LMWireError | None) -> None:
        """The one way in which an exchange ends."""
        if exchange.ended:
            return
        exchange.request = None
        exchange.error = error
        exchange.ended = True
        if exchange.on_change is not None:
            exchange.on_change()

    def _copy_for(self, exchange: Exchange, error: LMWireError) -> LMWireError:
        """Make the exception that this exchange raises."""
        return error.copied().at(self.namespace, exchange.endpoint, exchange.id)


def _parameter_text(exchange: Exchange) -> str:
    request = exchange.request or {}
    parameter = request.get("parameter", request.get("creationParameter"))
    return json.dumps(parameter, separators=(",", ":"), ensure_ascii=False)
