"""Runs that are told to end, or that the machine does not let finish: what was there is there still."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from lmwire_codegen.cli import main
from lmwire_codegen.schema_files import replace_files
from tests.codegen.exports import STRING, an_export, an_object, write_export
from tests.codegen.support import namespace_file, write_schema

CUP = an_object("name", name=STRING)
EXPORT = an_export(
    {"cup": CUP}, rpc={"get": {"returns": {"$ref": "#/definitions/cup"}}, "put": {"parameter": CUP}}
)

STOPPED = """
import signal, sys
from pathlib import Path
from lmwire_codegen.launcher import main

method = sys.argv.pop(1)
original = getattr(Path, method)

def stopped(path, target):
    done = original(path, target)
    setattr(Path, method, original)
    signal.raise_signal(signal.SIGTERM)
    return done

setattr(Path, method, stopped)
main()
"""
"""Runs the command and tells it to end as soon as one file, or folder, has changed places."""


@pytest.fixture
def schema(tmp_path: Path) -> Path:
    shop = namespace_file("shop", rpc={"get": {"result": {"$ref": "../types/cups.json#/$defs/Cup"}}})
    return write_schema(tmp_path / "schema", types={"cups": {"Cup": CUP}}, namespaces={"shop": shop})


@pytest.fixture
def package(tmp_path: Path) -> Path:
    return tmp_path / "generated" / "bindings"


def run(*arguments: object) -> Result:
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


def generate(schema: Path, package: Path) -> list[str]:
    return ["generate", "--schema", str(schema), "--out", str(package), "--package", "bindings"]


def stopped(method: str, arguments: list[str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", STOPPED, method, *arguments],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


def tree(folder: Path) -> dict[str, Any]:
    return {
        path.relative_to(folder).as_posix(): path.is_file() and path.read_bytes()
        for path in folder.rglob("*")
    }


def test_a_bump_that_is_told_to_end_leaves_the_schema_as_it_was(schema: Path) -> None:
    export, before = write_export(schema.parent / "2031-01-02.json", EXPORT), tree(schema)
    done = stopped("replace", ["sync", str(export), "--schema", str(schema)])
    assert done.returncode == 128 + 15, done.stderr
    assert tree(schema) == before
    assert run("sync", export, "--schema", schema).exit_code == 0
    assert tree(schema) != before


def test_a_package_is_not_lost_between_the_old_and_the_new(schema: Path, package: Path) -> None:
    assert run(*generate(schema, package)).exit_code == 0
    (schema / "revision.json").write_text('{"revision": "2031-01-02"}', encoding="utf-8")
    before = tree(package.parent)
    done = stopped("rename", generate(schema, package))
    assert done.returncode == 128 + 15, done.stderr
    assert tree(package.parent) == before


def test_documents_that_cannot_be_written_leave_the_package_too(
    schema: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    generated = schema.parent / "generated" / "lmwire"
    assert run(*generate(schema, generated)).exit_code == 0
    (schema.parent / "docs" / "asyncapi.json").mkdir(parents=True)
    before = tree(schema.parent)
    done = run("generate", "--schema", schema)
    assert done.exit_code == 1
    assert isinstance(done.exception, SystemExit)
    assert "nothing was written" in done.stderr
    assert tree(schema.parent) == before


@pytest.mark.parametrize("command", ["generate", "check"])
def test_what_the_machine_refuses_is_one_line(command: str, schema: Path, package: Path) -> None:
    replace_files(schema, {"wire/namespaces/shop.json": None})
    write_schema(schema, namespaces={"shop": namespace_file("shop", rpc={"get" * 100: {"result": STRING}})})
    done = run(command, "--schema", schema, "--out", package, "--package", "bindings")
    assert done.exit_code == 1
    assert isinstance(done.exception, SystemExit)
    assert done.stderr.startswith("Error: ")
    assert done.stderr.count("\n") == 1
    assert not package.exists()


def test_a_file_where_a_folder_has_to_be_is_one_line(schema: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("", encoding="utf-8")
    done = run(*generate(schema, tmp_path / "file" / "bindings"))
    assert done.exit_code == 1
    assert isinstance(done.exception, SystemExit)
    assert done.stderr.endswith("nothing was written\n")
