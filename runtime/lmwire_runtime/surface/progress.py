"""Progress as callers see it: from 0.0 to 1.0, rising only, whatever a server sends."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

__all__ = ["ProgressMeter"]


class ProgressMeter:
    """Filters progress values for a callback; without one, all methods do nothing."""

    def __init__(self, callback: Callable[[float], Any] | None) -> None:
        self._callback = callback
        self._last = -1.0

    def report(self, value: float) -> None:
        """Pass on a value if it is above the last one, limited to 0.0 .. 1.0."""
        value = min(1.0, max(0.0, float(value)))
        if self._callback is not None and value > self._last:
            self._last = value
            self._callback(value)

    def begin(self) -> None:
        """Report 0.0 unless something was reported."""
        self.report(0.0)

    def finish(self) -> None:
        """Report 1.0 unless it was reported."""
        self.report(1.0)
