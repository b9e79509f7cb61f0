"""A load or a prediction is told to stop, and why."""

from __future__ import annotations

import asyncio

import pytest

from lmwire_emulator.cancellation import Cancellation
from lmwire_emulator.clock import SYSTEM_CLOCK
from tests.emulator.clocks import JumpingClock, StandingClock


def test_nothing_is_requested_at_first() -> None:
    cancellation = Cancellation()

    assert not cancellation.requested
    assert cancellation.reason is None


def test_the_first_reason_counts() -> None:
    cancellation = Cancellation()
    cancellation.cancel("modelUnloaded")
    cancellation.cancel("userStopped")

    assert cancellation.reason == "modelUnloaded"


async def test_a_pause_lasts_as_long_as_asked() -> None:
    clock = JumpingClock()

    assert await Cancellation().pause(clock, 1.5)
    assert clock.slept == [1.5]


async def test_cancelling_ends_a_pause() -> None:
    cancellation, clock = Cancellation(), StandingClock()
    pause = asyncio.create_task(cancellation.pause(clock, 3600))
    await clock.sleeping.wait()
    cancellation.cancel()

    assert not await pause


@pytest.mark.parametrize("seconds", [0, 1])
async def test_no_pause_after_cancelling(seconds: float) -> None:
    cancellation, clock = Cancellation(), JumpingClock()
    cancellation.cancel()

    assert not await cancellation.pause(clock, seconds)
    assert clock.slept == []


async def test_a_pause_of_nothing_lets_others_run() -> None:
    cancellation = Cancellation()
    asyncio.get_running_loop().call_soon(cancellation.cancel)

    assert not await cancellation.pause(SYSTEM_CLOCK, 0)


async def test_a_pause_leaves_no_task_behind() -> None:
    await Cancellation().pause(JumpingClock(), 1)
    await asyncio.sleep(0)

    assert asyncio.all_tasks() == {asyncio.current_task()}
