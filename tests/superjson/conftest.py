"""Fixtures of the tests of superjson."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.codegen.support import Compiler, compiler_in


@pytest.fixture
def compiler(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Compiler]:
    """Compiles snippets into packages that this test can import."""
    yield from compiler_in(tmp_path, monkeypatch)
