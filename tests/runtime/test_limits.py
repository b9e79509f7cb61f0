"""Limits are checked where they are given, not where they would first hurt."""

from __future__ import annotations

import math
from typing import Any

import attrs
import pytest

from lmwire_runtime.errors import UsageError
from lmwire_runtime.limits import Limits, Timeouts, resolve_timeout
from lmwire_runtime.wire import UNSET

TIMEOUTS = [field.name for field in attrs.fields(Timeouts)]


@pytest.mark.parametrize("name", TIMEOUTS)
@pytest.mark.parametrize("value", [-1, math.nan, "10", True])
def test_a_timeout_that_is_no_duration_is_refused_by_name(name: str, value: Any) -> None:
    with pytest.raises(UsageError, match=rf"timeouts\.{name} must be a number of seconds"):
        Timeouts(**{name: value})


@pytest.mark.parametrize("name", [name for name in TIMEOUTS if name != "close"])
def test_none_and_infinity_mean_no_limit(name: str) -> None:
    assert getattr(Timeouts(**{name: None}), name) is None
    assert getattr(Timeouts(**{name: math.inf}), name) is None


def test_the_closing_handshake_has_a_limit() -> None:
    with pytest.raises(UsageError, match=r"timeouts\.close"):
        Timeouts(close=math.inf)


@pytest.mark.parametrize(
    "name", [field.name for field in attrs.fields(Limits) if field.name.endswith("_bytes")]
)
@pytest.mark.parametrize("value", [0, -1, 1.5, None, True])
def test_a_size_that_is_none_is_refused_by_name(name: str, value: Any) -> None:
    with pytest.raises(UsageError, match=rf"limits\.{name} must be a number of bytes"):
        Limits(**{name: value})


@pytest.mark.parametrize(
    ("given", "resolved"), [(UNSET, 60.0), (None, None), (0, 0.0), (2, 2.0), (0.5, 0.5), (math.inf, None)]
)
def test_a_request_has_its_own_timeout_or_the_clients(given: Any, resolved: float | None) -> None:
    assert resolve_timeout(given, 60.0) == resolved


@pytest.mark.parametrize("given", [-0.1, math.nan, "1", True, -math.inf])
def test_a_request_with_no_duration_is_refused(given: Any) -> None:
    with pytest.raises(UsageError, match="timeout must be a number of seconds"):
        resolve_timeout(given, 60.0)
