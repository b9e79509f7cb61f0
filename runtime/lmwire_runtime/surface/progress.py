"""Progress as callers see it: from 0.0 to 1.0, rising only, whatever a server sends."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

__all__ = ["ProgressMeter"]


class ProgressMeter:
    """Filters progress values, for a callback if there is one; ``last`` is below zero before the first of them."""

    def __init__(self, callback: Callable[[float], Any] | None) -> None:
        self._callback = callback
        self.last = -1.0

    def report(self, value: float) -> bool:
        """Pass on a value if it is above the last one, limited to 0.0 .. 1.0; returns whether it is."""
        value = min(1.0, max(0.0, float(value)))
        if value <= self.last:
            return False
        self.last = value
        if self._callback is not None:
            self._callback(value)
        return True

    def begin(self) -> bool:
        """Report 0.0 unless something was reported."""
        return self.report(0.0)

    def finish(self) -> bool:
        """Report 1.0 unless it was reported."""
        return self.report(1.0)
