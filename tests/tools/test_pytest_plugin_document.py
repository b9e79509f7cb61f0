"""The examples of docs/testing.md are tests that pass; one of them tests the official SDK."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from lmwire_emulator import EmulatorThread
from tests.support.emulators import ROOT
from tests.tools.test_pytest_plugin import WITHOUT

EXAMPLES = re.findall(
    r"```python\n(.*?)```", (ROOT / "docs" / "testing.md").read_text(encoding="utf-8"), re.DOTALL
)


def test_the_first_example_passes(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(EXAMPLES[0])
    pytester.runpytest_inprocess(*WITHOUT).assert_outcomes(passed=3)


def run_with(packages: Path, folder: Path, *arguments: str) -> str:
    """Run pytest where the packages of the official SDK's environment come first."""
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *WITHOUT, "-q", *arguments],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(packages)},
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=60,
        check=False,
    )
    return done.stdout + done.stderr


def test_the_example_of_the_official_sdk_passes(official_python: Path, tmp_path: Path) -> None:
    where = "import lmstudio; print(lmstudio.__file__)"
    found = subprocess.run([official_python, "-c", where], capture_output=True, text=True, check=True)
    packages = Path(found.stdout.strip()).parent.parent
    example = 'import lmstudio\nassert lmstudio.__version__ == "1.5.0"\n' + EXAMPLES[1]
    (tmp_path / "test_official.py").write_text(example, encoding="utf-8")

    with EmulatorThread() as emulator:
        recorded = run_with(packages, tmp_path, "--lmstudio-record", emulator.api_host)
    replayed = run_with(packages, tmp_path)

    assert "2 passed" in recorded, recorded
    assert (tmp_path / "recordings" / "test_official" / "test_the_official_sdk.jsonl").exists()
    assert "2 passed" in replayed, replayed


def test_every_example_is_tried() -> None:
    assert len(EXAMPLES) == 2
