"""lmwire, threads and asyncio."""

from __future__ import annotations

import asyncio
import resource
import tempfile
import time
import tracemalloc
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from timing import Stopwatch, expect, main

from lmwire import AsyncClient, Client

MODEL = "bench/model"


def stream(host: str, *, count: int, runs: int) -> list[dict[str, float]]:
    """One stream of ``count`` fragments, ``runs`` times."""
    times = []
    with Client(host) as client:
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
    async with AsyncClient(host) as client:
        model = await client.llm.model()
        for _ in range(runs):
            prediction = model.complete_stream(f"blast {count}")
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
    with Client(host) as client:
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
    async with AsyncClient(host) as client:
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
    with Client(host) as client:
        for fragment in client.llm.model().complete_stream(f"paced {count} {seconds}"):
            now = time.monotonic_ns()
            latencies.append(now - int(fragment.content))
    return latencies


async def paced_async(host: str, *, count: int, seconds: float) -> list[int]:
    """The same, awaited."""
    latencies = []
    async with AsyncClient(host) as client:
        model = await client.llm.model()
        async for fragment in model.complete_stream(f"paced {count} {seconds}"):
            now = time.monotonic_ns()
            latencies.append(now - int(fragment.content))
    return latencies


def _count(items: Iterable[Any]) -> int:
    return sum(1 for _ in items)


def streams(host: str, *, streams: int, size: int, rounds: int, runs: int) -> list[dict[str, float]]:
    """So many streams on one connection, a thread for each; from the first fragment to the last."""
    times = []
    with Client(host) as client:
        model = client.llm.model()
        for _ in range(runs):
            predictions = [model.complete_stream(f"burst {streams} {size} {rounds}") for _ in range(streams)]
            for prediction in predictions:
                prediction.start()
            with ThreadPoolExecutor(streams) as pool:
                watch = Stopwatch()
                got = sum(pool.map(_count, predictions))
                times.append(watch.read())
            expect(got, streams * size * rounds)
    return times


async def streams_async(
    host: str, *, streams: int, size: int, rounds: int, runs: int
) -> list[dict[str, float]]:
    """So many streams on one connection, a task for each."""

    async def read(prediction: Any) -> int:
        got = 0
        async for _ in prediction:
            got += 1
        return got

    times = []
    async with AsyncClient(host) as client:
        model = await client.llm.model()
        for _ in range(runs):
            predictions = [model.complete_stream(f"burst {streams} {size} {rounds}") for _ in range(streams)]
            for prediction in predictions:
                await prediction.start()
            watch = Stopwatch()
            got = await asyncio.gather(*map(read, predictions))
            times.append(watch.read())
            expect(sum(got), streams * size * rounds)
    return times


async def idle_async(host: str, *, streams: int) -> dict[str, float]:
    """Bytes of Python memory for each open channel on which nothing arrives, tasks aside."""
    async with AsyncClient(host) as client:
        model = await client.llm.model()
        first = model.complete_stream("hold")
        await first.start()
        tracemalloc.start()
        before = tracemalloc.get_traced_memory()[0]
        held = [model.complete_stream("hold") for _ in range(streams)]
        for prediction in held:
            await prediction.start()
        after = tracemalloc.get_traced_memory()[0]
        tracemalloc.stop()
    return {"bytes": (after - before) / streams}


def slow(host: str, *, count: int, pause: float) -> dict[str, float]:
    """Peak memory, in MiB, of a reader that rests after every thousandth fragment."""
    with Client(host) as client:
        got = 0
        for _ in client.llm.model().complete_stream(f"blast {count}"):
            got += 1
            if got % 1000 == 0:
                time.sleep(pause)
    expect(got, count)
    return {"mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024}


def first(host: str) -> dict[str, float]:
    """Nothing but one completion, for the time from the start of the program until it could be sent."""
    with Client(host) as client:
        got = _count(client.llm.model(MODEL).complete_stream("blast 1"))
    expect(got, 1)
    return {"mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024}


def generate(host: str) -> dict[str, float]:
    """The compiler's run over the whole protocol."""
    from lmwire_codegen import pipeline

    with tempfile.TemporaryDirectory() as folder:
        start = time.perf_counter()
        pipeline.generate(Path(__file__).parents[2] / "schema", Path(folder) / "lmwire", "lmwire")
        return {"seconds": time.perf_counter() - start}


if __name__ == "__main__":
    main(
        {
            "stream": stream,
            "stream-async": stream_async,
            "rpc": rpc,
            "rpc-async": rpc_async,
            "paced": paced,
            "paced-async": paced_async,
            "streams": streams,
            "streams-async": streams_async,
            "idle-async": idle_async,
            "slow": slow,
            "first": first,
            "generate": generate,
        }
    )
