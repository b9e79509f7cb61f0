"""What every Python peer shares: it runs the scenario that its command line names, and prints figures as JSON.

``PEER SCENARIO HOST [JSON]``. Runs under interpreters that have only that peer's packages, so it imports nothing else.
"""

from __future__ import annotations

import asyncio
import gc
import inspect
import json
import sys
import time
from collections.abc import Callable, Mapping
from typing import Any


class Stopwatch:
    """Seconds on the wall and of this process' own work, from its making on."""

    def __init__(self) -> None:
        gc.collect()
        self._wall, self._work = time.perf_counter(), time.process_time()

    def read(self) -> dict[str, float]:
        """Return both."""
        return {"wall": time.perf_counter() - self._wall, "work": time.process_time() - self._work}


def expect(got: int, wanted: int) -> None:
    """End with an error if a peer has not received everything: its time would mean nothing."""
    if got != wanted:
        raise SystemExit(f"{got} arrived, {wanted} were sent")


def main(scenarios: Mapping[str, Callable[..., Any]]) -> None:
    """Run the scenario that the command line names."""
    name, host, *rest = sys.argv[1:]
    scenario = scenarios[name]
    options = json.loads(rest[0]) if rest else {}
    if inspect.iscoroutinefunction(scenario):
        figures = asyncio.run(scenario(host, **options))
    else:
        figures = scenario(host, **options)
    print(json.dumps(figures), flush=True)
