"""The official Python SDK, ``lmstudio``, run by its own interpreter."""

from __future__ import annotations

import importlib
import logging
import resource
import time
from typing import Any

from timing import Stopwatch, expect, main

# Type checkers of the checkout would take this for lmwire's own package of that name.
lmstudio: Any = importlib.import_module("lmstudio")
logging.disable(logging.INFO)

MODEL = "bench/model"


def stream(host: str, *, count: int, runs: int) -> list[dict[str, float]]:
    """One stream of ``count`` fragments, ``runs`` times."""
    times = []
    with lmstudio.Client(host) as client:
        model = client.llm.model()
        for _ in range(runs):
            prediction = model.complete_stream(f"blast {count}")
            prediction.start()
            watch, got = Stopwatch(), 0
            for _ in prediction:
                got += 1
            times.append(watch.read())
            expect(got, count)
    return times


async def stream_async(host: str, *, count: int, runs: int) -> list[dict[str, float]]:
    """The same, awaited."""
    times = []
    async with lmstudio.AsyncClient(host) as client:
        model = await client.llm.model()
        for _ in range(runs):
            prediction = await model.complete_stream(f"blast {count}")
            await prediction.start()
            watch, got = Stopwatch(), 0
            async for _ in prediction:
                got += 1
            times.append(watch.read())
            expect(got, count)
    return times


def rpc(host: str, *, count: int, runs: int) -> list[dict[str, float]]:
    """``count`` calls, one after the other, ``runs`` times."""
    times = []
    with lmstudio.Client(host) as client:
        model = client.llm.model()
        for _ in range(runs):
            watch = Stopwatch()
            for _ in range(count):
                model.count_tokens("x")
            times.append(watch.read())
    return times


async def rpc_async(host: str, *, count: int, runs: int) -> list[dict[str, float]]:
    """The same, awaited."""
    times = []
    async with lmstudio.AsyncClient(host) as client:
        model = await client.llm.model()
        for _ in range(runs):
            watch = Stopwatch()
            for _ in range(count):
                await model.count_tokens("x")
            times.append(watch.read())
    return times


def paced(host: str, *, count: int, seconds: float) -> list[int]:
    """Nanoseconds between the sending of each fragment and its arrival in this loop."""
    latencies = []
    with lmstudio.Client(host) as client:
        for fragment in client.llm.model().complete_stream(f"paced {count} {seconds}"):
            now = time.monotonic_ns()
            latencies.append(now - int(fragment.content))
    return latencies


async def paced_async(host: str, *, count: int, seconds: float) -> list[int]:
    """The same, awaited."""
    latencies = []
    async with lmstudio.AsyncClient(host) as client:
        model = await client.llm.model()
        async for fragment in await model.complete_stream(f"paced {count} {seconds}"):
            now = time.monotonic_ns()
            latencies.append(now - int(fragment.content))
    return latencies


def first(host: str) -> dict[str, float]:
    """Nothing but one completion, for the time from the start of the program until it could be sent."""
    with lmstudio.Client(host) as client:
        got = sum(1 for _ in client.llm.model(MODEL).complete_stream("blast 1"))
    expect(got, 1)
    return {"mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024}


if __name__ == "__main__":
    main(
        {
            "stream": stream,
            "stream-async": stream_async,
            "rpc": rpc,
            "rpc-async": rpc_async,
            "paced": paced,
            "paced-async": paced_async,
            "first": first,
        }
    )
