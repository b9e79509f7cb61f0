"""Time as the shells see it; tests inject a clock of their own."""

from __future__ import annotations

import time
from typing import Protocol

__all__ = ["SYSTEM_CLOCK", "Clock", "SystemClock"]


class Clock(Protocol):
    """A source of time. Differences of ``monotonic`` measure durations in seconds; ``unix`` is for recordings."""

    def monotonic(self) -> float:
        """Seconds that never run backwards."""
        ...

    def unix(self) -> float:
        """Seconds since 1970."""
        ...


class SystemClock:
    """The machine's own clock."""

    monotonic = staticmethod(time.monotonic)
    unix = staticmethod(time.time)


SYSTEM_CLOCK = SystemClock()
