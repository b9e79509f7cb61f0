"""Waiting by a clock that need not be the event loop's: whoever waits looks at it now and then.

So a clock that a test turns, and one that a machine's sleep has turned, are noticed without anybody's help.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, Final, TypeVar

from lmwire_runtime.clock import Clock

__all__ = ["LONGEST", "within"]

T = TypeVar("T")

LONGEST: Final = 0.5
"""Longest time without a look at the clock, in seconds; as the synchronous shell's."""


async def within(work: Coroutine[Any, Any, T], seconds: float | None, clock: Clock) -> T:
    """Do ``work``, in a task of its own, for at most so many seconds of ``clock``.

    It has ended when this returns or raises.

    Raises:
        TimeoutError: It took longer, and was cancelled.
    """
    deadline = None if seconds is None else clock.monotonic() + seconds
    task = asyncio.ensure_future(work)
    try:
        while not task.done():
            left = None if deadline is None else deadline - clock.monotonic()
            if left is not None and left <= 0:
                raise TimeoutError
            await asyncio.wait((task,), timeout=None if left is None else min(left, LONGEST))
        return task.result()
    finally:
        if not task.done():
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
