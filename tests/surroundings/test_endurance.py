"""Weeks of use in short: connect, complete and close, over and over, and nothing grows.

``LMWIRE_CYCLES=10000`` is the long run; a run of the tests does fewer.
"""

from __future__ import annotations

import asyncio
import gc
import os
import threading
import tracemalloc
from collections.abc import Callable
from typing import Any

import attrs
import psutil
import pytest

from lmwire import AsyncClient, Client
from lmwire_emulator import EmulatorThread, parse_script

CYCLES = int(os.environ.get("LMWIRE_CYCLES", "150"))
WARM_UP = 40
# What lists and caches of Python itself take in the course of a run, whatever its length.
SLACK_BYTES = 96 * 1024

SCRIPT = {"rules": [{"reply": {"fragments": [" Anna", "."], "progress": [1.0]}}]}


@attrs.frozen
class Holdings:
    """What this process holds of the things that leak."""

    memory: int
    descriptors: int
    threads: int
    tasks: int

    @classmethod
    def now(cls, tasks: int = 0) -> Holdings:
        gc.collect()
        process: Any = psutil.Process()
        descriptors = process.num_handles() if os.name == "nt" else process.num_fds()
        return cls(tracemalloc.get_traced_memory()[0], descriptors, threading.active_count(), tasks)

    def assert_not_grown_since(self, before: Holdings) -> None:
        assert self.descriptors <= before.descriptors
        assert self.threads <= before.threads
        assert self.tasks <= before.tasks
        assert self.memory <= before.memory + SLACK_BYTES


@pytest.fixture(scope="module")
def host() -> Any:
    """A server in a process of its own would be no part of what is counted; this one's share is warmed up too."""
    with EmulatorThread(script=parse_script(SCRIPT)) as emulator:
        yield emulator.api_host


@pytest.fixture(autouse=True)
def traced() -> Any:
    tracemalloc.start()
    yield
    tracemalloc.stop()


def cycle(host: str) -> None:
    with Client(host) as client:
        assert str(client.llm.model().complete("x")) == " Anna."


def cycle_left_open(host: str) -> None:
    """The same by somebody who forgets the client half-way, in mid-stream."""
    client = Client(host)
    for _ in client.llm.model().complete_stream("x"):
        break


async def cycle_async(host: str) -> None:
    async with AsyncClient(host) as client:
        model = await client.llm.model()
        assert str(await model.complete("x")) == " Anna."


def settled(reading: Callable[[], Holdings]) -> Holdings:
    """What is held once threads and connections of the other end have had their time to go."""
    held = reading()
    for _ in range(50):
        threading.Event().wait(0.1)
        again = reading()
        if again == held:
            break
        held = again
    return held


@pytest.mark.parametrize("work", [cycle, cycle_left_open])
@pytest.mark.timeout(0)
def test_cycles_of_a_synchronous_client(work: Callable[[str], None], host: str) -> None:
    for _ in range(WARM_UP):
        work(host)
    before = settled(Holdings.now)
    for _ in range(CYCLES):
        work(host)
    settled(Holdings.now).assert_not_grown_since(before)


@pytest.mark.timeout(0)
def test_cycles_of_an_asyncio_client(host: str) -> None:
    async def run() -> None:
        for _ in range(WARM_UP):
            await cycle_async(host)
        await asyncio.sleep(0.5)
        before = Holdings.now(len(asyncio.all_tasks()))
        for _ in range(CYCLES):
            await cycle_async(host)
        await asyncio.sleep(0.5)
        Holdings.now(len(asyncio.all_tasks())).assert_not_grown_since(before)

    asyncio.run(run())


@pytest.mark.timeout(0)
def test_completions_over_one_connection(host: str) -> None:
    with Client(host) as client:
        model = client.llm.model()
        for _ in range(WARM_UP):
            model.complete("x")
        before = settled(Holdings.now)
        for _ in range(CYCLES):
            model.complete("x")
        settled(Holdings.now).assert_not_grown_since(before)
