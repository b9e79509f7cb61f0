"""Comparing what two clients sent: the same JSON, ids aside, numbers by value."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.interop.frames import same

__all__ = ["assert_same", "comparable"]


def comparable(value: Any) -> Any:
    """Drop ids; order config fields, whose order says nothing as long as no key is there twice."""
    if isinstance(value, list):
        return [comparable(item) for item in value]
    if not isinstance(value, dict):
        return value
    kept = {key: comparable(item) for key, item in value.items() if key not in ("callId", "channelId")}
    if kept.keys() == {"fields"}:
        keys = [field["key"] for field in kept["fields"]]
        assert len(set(keys)) == len(keys)
        kept["fields"].sort(key=lambda field: field["key"])
    return kept


def assert_same(ours: Any, theirs: Any) -> None:
    """Fail, showing both, unless two JSON values are the same."""
    if not same(ours, theirs):
        assert json.dumps(ours, indent=1, sort_keys=True) == json.dumps(theirs, indent=1, sort_keys=True)
        pytest.fail("they differ in the type of a value")
