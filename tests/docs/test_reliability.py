"""Each row of docs/reliability.md names a test that exists."""

from __future__ import annotations

import ast
import re

import pytest

from tests.support.emulators import ROOT

NAMED = sorted(
    set(re.findall(r"`(tests/[\w/.]+(?:::\w+)*)`", (ROOT / "docs/reliability.md").read_text("utf-8")))
)


def test_there_are_rows() -> None:
    assert len(NAMED) > 20


@pytest.mark.parametrize("named", NAMED)
def test_a_named_test_exists(named: str) -> None:
    path, *names = named.split("::")
    body = ast.parse((ROOT / path).read_text("utf-8")).body
    for name in names:
        found = [
            node
            for node in body
            if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) and node.name == name
        ]
        assert found, f"{path} has no {name}"
        body = found[0].body
