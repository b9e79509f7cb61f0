"""Time as the emulator sees it. Everything that waits or measures asks a ``Clock``, so that tests need no real time."""

from __future__ import annotations

import asyncio
import time
from typing import Protocol

__all__ = ["SYSTEM_CLOCK", "Clock", "SystemClock"]


class Clock(Protocol):
    """A source of time that can also wait."""

    def monotonic(self) -> float:
        """Seconds that never run backwards; only differences mean something."""
        ...

    def unix_ms(self) -> int:
        """Milliseconds since 1970, as the wire has them (``lastUsedTime``)."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Wait; 0 lets other tasks run once."""
        ...


class SystemClock:
    """The machine's own clock."""

    def monotonic(self) -> float:
        # time.monotonic has steps of 16 ms on Windows, longer than a whole completion here.
        return time.perf_counter()

    def unix_ms(self) -> int:
        return time.time_ns() // 1_000_000

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


SYSTEM_CLOCK = SystemClock()
