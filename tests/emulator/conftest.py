"""Fixtures of the emulator's tests."""

from __future__ import annotations

import pytest

from lmwire_emulator.registry import ModelRegistry
from tests.emulator.catalogues import CATALOGUE
from tests.emulator.clocks import JumpingClock


@pytest.fixture
def clock() -> JumpingClock:
    return JumpingClock()


@pytest.fixture
def registry(clock: JumpingClock) -> ModelRegistry:
    return ModelRegistry(CATALOGUE, clock=clock)
