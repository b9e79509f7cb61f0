"""mypy --strict and pyright over stubs and handlers of signals, and over what users write with them."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from lmwire_codegen import pipeline
from tests.codegen.test_typing import MARK, mypy, pyright

HERE = Path(__file__).resolve().parent


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the example and the compiled package."""
    folder = tmp_path_factory.mktemp("typing")
    shutil.copy(HERE / "signals_typed.py.txt", folder / "signals_typed.py")
    pipeline.generate(HERE / "schema", folder / "labkit", "labkit")
    return folder


@pytest.mark.timeout(300)
@pytest.mark.parametrize("checker", [mypy, pyright])
def test_a_type_checker_refuses_the_mistakes_and_nothing_else(
    place: Path, checker: Callable[..., set[tuple[str, int]]]
) -> None:
    lines = (place / "signals_typed.py").read_text(encoding="utf-8").splitlines()
    expected = {("signals_typed.py", number) for number, line in enumerate(lines, 1) if MARK in line}
    targets = ["signals_typed.py", "labkit"]
    found = checker(place, targets) if checker is mypy else checker(place)
    assert found == expected
