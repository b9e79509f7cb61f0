"""What a user waits for on a client's connection: a call's answer, or a channel's packets."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any, TypeGuard

from lmwire_runtime.errors import LMWireError

__all__ = ["Call", "Channel", "Exchange", "StallWatch", "is_id"]


class Exchange:
    """What a user waits for. Shells read ``inbox``, ``ended`` and ``error``; only the session writes them.

    ``received`` and ``taken`` count bytes on the wire. Two threads touch them, each has one writer: whoever feeds
    the session, and the reader.
    """

    __slots__ = (
        "draining",
        "ended",
        "endpoint",
        "error",
        "id",
        "inbox",
        "on_change",
        "received",
        "request",
        "request_end",
        "taken",
    )

    def __init__(self, endpoint: str, identity: int, request: dict[str, Any]) -> None:
        self.endpoint = endpoint
        self.id = identity
        self.inbox: deque[tuple[Any, int]] = deque()
        """Payloads not yet taken, each with its size on the wire."""
        self.ended = False
        """Nothing will be added to ``inbox`` any more."""
        self.error: LMWireError | None = None
        """Why it ended, if not well; raised once the inbox is empty."""
        self.draining = False
        """Its user waits no more; what the server still sends for it is dropped."""
        self.on_change: Callable[[], None] | None = None
        """Set by a shell while somebody waits; called once, by ``changed``."""
        self.request: dict[str, Any] | None = request
        """The frame that opened it, until the peer has answered; warnings are matched against it."""
        self.request_end = 0
        """Set by a shell if the peer did not take the request at once: where it ends in all that was ever sent."""
        self.received = 0
        self.taken = 0

    def changed(self) -> None:
        """Wake who waits for this exchange, if anybody does."""
        wake, self.on_change = self.on_change, None
        if wake is not None:
            wake()

    def take(self) -> Any:
        """Remove and return the oldest payload.

        Raises:
            IndexError: There is none; also if another thread has just given the exchange up.
        """
        payload, size = self.inbox.popleft()
        self.taken += size
        return payload


class Call(Exchange):
    """One ``rpcCall``; its inbox gets exactly one payload, the raw result (UNSET for void)."""

    __slots__ = ()


class Channel(Exchange):
    """One channel; its inbox gets the raw packets."""

    __slots__ = ("cancel_packet", "cancelled")

    def __init__(self, endpoint: str, identity: int, request: dict[str, Any], cancel: Any) -> None:
        super().__init__(endpoint, identity, request)
        self.cancel_packet = cancel
        """Asks the server to stop; None where the endpoint has no such packet."""
        self.cancelled = False
        """The cancel packet was sent."""


class StallWatch:
    """For how long the same channel has kept reading paused, while nothing was taken from it."""

    def __init__(self) -> None:
        self.channel: Channel | None = None
        """The one that is watched."""
        self._taken = 0
        self._since = 0.0

    def seconds_left(self, paused: Channel | None, limit: float | None, now: float) -> float | None:
        """Return after how many seconds the channel ``paused`` has to be given up, not above 0 if now.

        None if there is nothing to watch: reading is not paused, or may be for ever.
        """
        if paused is not self.channel or (paused is not None and paused.taken != self._taken):
            self.channel, self._since = paused, now
            self._taken = 0 if paused is None else paused.taken
        return None if paused is None or limit is None else self._since + limit - now


def is_id(value: Any) -> TypeGuard[int | float]:
    """Whether a JSON value is an id: a number with an integer value; 3.0 is one."""
    return type(value) is int or (type(value) is float and value.is_integer())
