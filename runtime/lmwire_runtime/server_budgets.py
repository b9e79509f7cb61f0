"""What one client can make a server hold: answers that it does not take, packets that no handler takes.

Over a budget the server reads nothing more from that client, until there is room again: whoever sends faster than
it reads slows itself down, and nobody else. A channel whose handler leaves a full inbox alone for too long fails, so
that the others of its connection go on.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from lmwire_runtime.limits import Limits

__all__ = ["Budgets"]


class Budgets:
    """The budgets of one connection. Its shell reports what changes, and is told to stop and to go on reading."""

    def __init__(
        self,
        limits: Limits,
        stall_seconds: float | None,
        unsent: Callable[[], int],
        stalled: Callable[[int], None],
    ) -> None:
        """``unsent`` tells how many bytes the client has not taken; ``stalled`` is called with the id of a channel to
        give up.
        """
        self._limits = limits
        self._stall_seconds = stall_seconds
        self._unsent = unsent
        self._stalled = stalled
        self._transport: asyncio.Transport | None = None
        # Of each channel: bytes that its handler has not taken, and how many packets it has.
        self._unread: dict[int, int] = {}
        self._taken: dict[int, int] = {}
        self._paused = False
        self._timer: asyncio.TimerHandle | None = None

    def begin(self, transport: asyncio.Transport) -> None:
        """The connection is there."""
        self._transport = transport

    def end(self) -> None:
        """It has ended."""
        self._transport = None
        self._stop_watching()

    def arrived(self, channel_id: int, size: int) -> None:
        """A packet of ``size`` bytes waits for a handler."""
        self._unread[channel_id] = self._unread.get(channel_id, 0) + size
        self.check()

    def taken(self, channel_id: int, size: int) -> None:
        """The handler has taken it."""
        if channel_id in self._unread:  # else the channel has ended
            self._unread[channel_id] -= size
            self._taken[channel_id] = self._taken.get(channel_id, 0) + 1
            self.check()

    def forget(self, channel_id: int) -> None:
        """A channel has ended."""
        self._taken.pop(channel_id, None)
        if self._unread.pop(channel_id, 0):
            self.check()

    def check(self) -> None:
        """Stop or go on reading."""
        transport = self._transport
        if transport is None or transport.is_closing():
            return
        full = self._fullest()
        over = full is not None or self._unsent() > self._limits.unsent_bytes
        if over and not self._paused:
            self._paused = True
            transport.pause_reading()
        elif self._paused and not over:
            self._paused = False
            transport.resume_reading()
        if full is None:
            self._stop_watching()
        elif self._timer is None and self._stall_seconds is not None:
            self._timer = asyncio.get_running_loop().call_later(
                self._stall_seconds, self._judge, full, self._taken.get(full, 0)
            )

    def _fullest(self) -> int | None:
        """Return the channel that is to blame for a full inbox, if one is."""
        if not self._unread:
            return None
        fullest = max(self._unread, key=self._unread.__getitem__)
        limits = self._limits
        over = (
            self._unread[fullest] > limits.channel_bytes
            or sum(self._unread.values()) > limits.connection_bytes
        )
        return fullest if over else None

    def _judge(self, channel_id: int, taken: int) -> None:
        self._timer = None
        if self._fullest() == channel_id and self._taken.get(channel_id, 0) == taken:
            self._stalled(channel_id)
        self.check()

    def _stop_watching(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
