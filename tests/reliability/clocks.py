"""A clock that only a test turns, and waiting for what it makes happen."""

from __future__ import annotations

import threading
import time
from concurrent.futures import Future
from concurrent.futures import wait as wait_for_any
from typing import Any

from tests.runtime.arithmetic import ENOUGH

__all__ = ["HOURS", "ManualClock"]

HOURS = 8 * 3600.0
"""A laptop's night, in seconds."""


class ManualClock:
    """Stands still but for ``advance``. Clients look at it about twice a second."""

    def __init__(self) -> None:
        self._now = 1000.0
        self._lock = threading.Lock()

    def monotonic(self) -> float:
        return self._now

    def unix(self) -> float:
        return 1_700_000_000.0 + self._now

    def advance(self, seconds: float) -> None:
        with self._lock:
            self._now += seconds

    def until_done(self, future: Future[Any], step: float) -> float:
        """Turn the clock by ``step`` seconds again and again until another thread has done; returns by how much.

        Nobody tells when a thread begins to wait, and when it looks at the clock; so the clock goes on until it has
        seen enough.
        """
        begun, guard = self._now, time.monotonic() + ENOUGH
        while not future.done():
            assert time.monotonic() < guard, f"still waiting after {self._now - begun:g} s"
            self.advance(step)
            wait_for_any([future], timeout=0.05)
        return self._now - begun
