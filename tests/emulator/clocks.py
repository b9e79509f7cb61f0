"""Clocks for tests: one that jumps, one that stands still."""

from __future__ import annotations

import asyncio

__all__ = ["JumpingClock", "StandingClock"]


class JumpingClock:
    """Sleeping takes no real time: it moves the clock. ``slept`` lists what was slept, zeros left out."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.slept: list[float] = []

    def monotonic(self) -> float:
        return self.now

    def unix_ms(self) -> int:
        return 1_700_000_000_000 + round(self.now * 1000)

    async def sleep(self, seconds: float) -> None:
        if seconds > 0:
            self.slept.append(seconds)
            self.now += seconds
        await asyncio.sleep(0)

    def advance(self, seconds: float) -> None:
        """Let time pass."""
        self.now += seconds


class StandingClock(JumpingClock):
    """Whoever sleeps more than nothing sleeps for ever; ``sleeping`` is set then."""

    def __init__(self) -> None:
        super().__init__()
        self.sleeping = asyncio.Event()

    async def sleep(self, seconds: float) -> None:
        if seconds > 0:
            self.sleeping.set()
            await asyncio.Event().wait()
        await asyncio.sleep(0)
