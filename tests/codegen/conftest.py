"""Fixtures of the compiler's tests, and ``--regen``, which rewrites the golden tree."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.codegen.support import Compiler, compiler_in


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--regen", action="store_true", help="write what the compiler makes now as the golden tree"
    )


@pytest.fixture
def compiler(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Compiler]:
    """Compiles snippets into packages that this test can import."""
    yield from compiler_in(tmp_path, monkeypatch)


@pytest.fixture(scope="module")
def module_compiler(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Compiler]:
    """The same for a whole module of tests."""
    with pytest.MonkeyPatch.context() as monkeypatch:
        yield from compiler_in(tmp_path_factory.mktemp("compiled"), monkeypatch)
