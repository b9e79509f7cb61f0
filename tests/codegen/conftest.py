"""Fixtures of the compiler's tests, and ``--regen``, which rewrites the golden tree."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.codegen.revisions import Revision, make_revision
from tests.codegen.support import Compiler, compiler_in
from tests.support.requirements import require


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


@pytest.fixture(scope="session")
def revisions(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str], Revision]]:
    """Gives the bindings of a real revision, compiled when they are first asked for."""
    require("revisions")
    place = tmp_path_factory.mktemp("revisions")
    made: dict[str, Revision] = {}

    def get(name: str) -> Revision:
        if name not in made:
            made[name] = make_revision(name, place)
            importlib.invalidate_caches()
        return made[name]

    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.syspath_prepend(str(place))
        yield get
