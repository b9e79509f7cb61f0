"""The cache of rendered modules changes nothing but the time that it takes."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.codegen.support import CHECKOUT

VARIABLE = "LMWIRE_CODEGEN_CACHE"


class Compilation:
    """Compiles the golden schema in an interpreter of its own."""

    def __init__(self, place: Path) -> None:
        self.cache = place / "cache"
        self._out = place / "goods"
        self._schema = Path(
            shutil.copytree(CHECKOUT / "tests" / "codegen" / "golden" / "schema", place / "schema")
        )

    def run(self, cache: str | None = None) -> dict[str, bytes]:
        """Return what was made."""
        shutil.rmtree(self._out, ignore_errors=True)
        arguments = ["generate", "--schema", self._schema, "--out", self._out, "--package", "goods"]
        done = subprocess.run(
            [sys.executable, "-m", "lmwire_codegen.cli", *map(str, arguments)],
            env={**os.environ, VARIABLE: cache or str(self.cache)}, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        return {
            path.relative_to(self._out).as_posix(): path.read_bytes()
            for path in self._out.rglob("*")
            if path.is_file()
        }

    def entries(self) -> dict[str, bytes]:
        return {path.name: path.read_bytes() for path in self.cache.iterdir()}


@pytest.fixture
def compilation(tmp_path: Path) -> Compilation:
    return Compilation(tmp_path)


def test_with_and_without_the_same_is_made(compilation: Compilation) -> None:
    without = compilation.run("off")
    assert not compilation.cache.exists()
    cold = compilation.run()
    entries = compilation.entries()
    assert entries
    warm = compilation.run()
    assert without == cold == warm
    assert compilation.entries() == entries


def test_what_is_in_it_is_used(compilation: Compilation) -> None:
    """Or else the other tests would try nothing: entries written by hand, checksum and all, turn up in the package."""
    import hashlib

    compilation.run()
    for path in compilation.cache.iterdir():
        content = path.read_bytes().partition(b"\n")[2] + b"\nFROM_THE_CACHE = True\n"
        path.write_bytes(hashlib.sha256(content).hexdigest().encode() + b"\n" + content)
    assert b"FROM_THE_CACHE" in b"".join(compilation.run().values())


@pytest.mark.parametrize(
    "damage", [b"", b"no checksum", b"0" * 64 + b"\nprint('not ours')\n"], ids=["empty", "odd", "false"]
)
def test_damaged_entries_are_made_anew(compilation: Compilation, damage: bytes) -> None:
    made, entries = compilation.run(), compilation.entries()
    for path in compilation.cache.iterdir():
        path.write_bytes(damage)
    assert compilation.run() == made
    assert compilation.entries() == entries


def test_where_none_can_be_there_is_none(compilation: Compilation, tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("", encoding="utf-8")
    assert compilation.run(str(file / "below")) == compilation.run("off")


def test_it_does_not_grow_for_ever(compilation: Compilation) -> None:
    compilation.cache.mkdir()
    for number in range(4100):
        (compilation.cache / f"old{number}").write_bytes(b"")
    compilation.run()
    assert len(compilation.entries()) < 2200
