"""mypy --strict and pyright over generated code, over what users write, and over mistakes that they have to refuse."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from lmwire_codegen import pipeline
from tests.codegen.support import CHECKOUT

HERE = Path(__file__).resolve().parent
ROOTS = [str(CHECKOUT / root) for root in ("generated", "runtime")]
MARK = "# refused:"


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the examples and with the package of the golden schema."""
    folder = tmp_path_factory.mktemp("typing")
    for name in ("accepted", "refused"):
        shutil.copy(HERE / "typing" / f"{name}.py.txt", folder / f"{name}.py")
    schema = folder / "schema"
    shutil.copytree(HERE / "golden" / "schema", schema)
    pipeline.generate(schema, folder / "shopkit", "shopkit")
    return folder


def expected() -> set[tuple[str, int]]:
    lines = (HERE / "typing" / "refused.py.txt").read_text(encoding="utf-8").splitlines()
    return {("refused.py", number) for number, line in enumerate(lines, 1) if MARK in line}


TARGETS = ("accepted.py", "refused.py", "shopkit")


def mypy(place: Path, targets: Sequence[str] = TARGETS) -> set[tuple[str, int]]:
    command = [
        "mypy",
        "--strict",
        "--python-version",
        "3.10",
        "--config-file",
        os.devnull,
        "--hide-error-context",
    ]
    done = subprocess.run(
        [sys.executable, "-m", *command, *targets],
        cwd=place,
        env={**os.environ, "MYPYPATH": os.pathsep.join(ROOTS)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode in (0, 1), done.stderr
    return {
        (match[1].replace("\\", "/"), int(match[2]))
        for match in re.finditer(r"^(.+?):(\d+): error:", done.stdout, re.MULTILINE)
    }


def pyright(place: Path) -> set[tuple[str, int]]:
    settings = {
        "typeCheckingMode": "standard",
        "pythonVersion": "3.10",
        "extraPaths": ROOTS,
    }
    (place / "pyrightconfig.json").write_text(json.dumps(settings), encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-m", "pyright", "--outputjson", "--pythonpath", sys.executable, "."],
        cwd=place,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode in (0, 1), done.stderr
    return {
        (
            Path(item["file"]).resolve().relative_to(place.resolve()).as_posix(),
            item["range"]["start"]["line"] + 1,
        )
        for item in json.loads(done.stdout)["generalDiagnostics"]
        if item["severity"] == "error"
    }


@pytest.mark.timeout(300)
@pytest.mark.parametrize("checker", [mypy, pyright])
def test_a_type_checker_refuses_the_mistakes_and_nothing_else(
    place: Path, checker: Callable[[Path], set[tuple[str, int]]]
) -> None:
    assert checker(place) == expected()
