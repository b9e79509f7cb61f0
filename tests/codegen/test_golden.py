"""The whole package of one small schema, compared file by file with what lies in ``golden/expected``.

``pytest tests/codegen --regen`` writes what the compiler makes now; look at the difference before committing it. The
files end in ``.txt`` so that no tool takes them for modules of the project.
"""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from lmwire_codegen import pipeline

GOLDEN = Path(__file__).resolve().parent / "golden"
EXPECTED = GOLDEN / "expected"


def texts(folder: Path, suffix: str) -> dict[str, str]:
    """Return the files below ``folder``; ``suffix`` is taken off their names."""
    return {
        path.relative_to(folder).as_posix().removesuffix(suffix): path.read_text(encoding="utf-8")
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def test_the_golden_schema_makes_the_golden_tree(tmp_path: Path, request: pytest.FixtureRequest) -> None:
    schema = tmp_path / "schema"
    shutil.copytree(GOLDEN / "schema", schema)
    package = tmp_path / "shopkit"
    pipeline.generate(schema, package, "shopkit")
    made = texts(package, "")
    made["schema/names.lock.json"] = (schema / "names.lock.json").read_text(encoding="utf-8")
    if request.config.getoption("--regen", default=False):
        shutil.rmtree(EXPECTED, ignore_errors=True)
        for name, text in made.items():
            path = EXPECTED / f"{name}.txt"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8", newline="\n")
    expected = texts(EXPECTED, ".txt")
    assert sorted(made) == sorted(expected)
    for name, text in made.items():
        assert text == expected[name], (
            f"{name} differs from golden/expected/{name}.txt; --regen writes it anew"
        )
