"""SECURITY.md: each promise has a test, which exists."""

from __future__ import annotations

import ast
import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
TEXT = (ROOT / "SECURITY.md").read_text(encoding="utf-8")
PROMISES = TEXT.partition("## What you can rely on")[2].partition("## What is not promised")[0]


def test_every_promise_names_a_test_that_exists() -> None:
    promises = PROMISES.split("\n- **")[1:]
    assert len(promises) >= 7
    for promise in promises:
        named = re.findall(r"`(tests/[\w/]+\.py)(?:::(\w+))?`", promise)
        assert named, promise
        for path, name in named:
            tree = ast.parse((ROOT / path).read_text(encoding="utf-8"))
            assert not name or name in {getattr(node, "name", None) for node in tree.body}, (path, name)
