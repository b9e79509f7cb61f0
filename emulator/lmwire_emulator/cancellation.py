"""Cooperative cancellation of a load or a prediction: whoever works looks, whoever waits is woken."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, Literal, TypeAlias

from lmwire_emulator.clock import Clock

__all__ = ["CancelReason", "Cancellation", "first_of"]

CancelReason: TypeAlias = Literal["userStopped", "modelUnloaded"]


class Cancellation:
    """Tells a running load or prediction to stop, and why. Belongs to one event loop."""

    def __init__(self) -> None:
        self._requested = asyncio.Event()
        self._reason: CancelReason | None = None

    @property
    def reason(self) -> CancelReason | None:
        """The stop reason that the one who cancelled gave (``userStopped``, ``modelUnloaded``); None: go on."""
        return self._reason

    @property
    def requested(self) -> bool:
        """Whether to stop."""
        return self._requested.is_set()

    def cancel(self, reason: CancelReason = "userStopped") -> None:
        """Ask to stop. The first reason counts; asking again changes nothing."""
        if self._reason is None:
            self._reason = reason
            self._requested.set()

    async def wait(self) -> None:
        """Return when cancellation is requested, at once if it was."""
        await self._requested.wait()

    async def pause(self, clock: Clock, seconds: float) -> bool:
        """Wait for ``seconds``, or until cancelled. Returns whether to go on."""
        if self.requested:
            return False
        if seconds <= 0:
            await clock.sleep(0)
            return not self.requested
        await first_of(clock.sleep(seconds), self.wait())
        return not self.requested


async def first_of(*waits: Coroutine[Any, Any, object]) -> None:
    """Wait until the first of these coroutines is done, cancel the others; an exception of the first is raised."""
    tasks = [asyncio.ensure_future(wait) for wait in waits]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
    for task in done:
        task.result()
