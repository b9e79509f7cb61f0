"""``generate --package NAME --out DIR --only NAMESPACE``: a copy for an SDK that vendors, and no more than it wants."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from lmwire_codegen.cli import main
from tests.codegen.support import CHECKOUT

PACKAGE = "vendor_sdk._wire"


def run(*arguments: object) -> Result:
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


@pytest.fixture(scope="module")
def vendored(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy with two namespaces; the folder that its import name starts from."""
    root = tmp_path_factory.mktemp("vendored")
    out = root / "vendor_sdk" / "_wire"
    done = run("generate", "--package", PACKAGE, "--out", out, "--only", "llm", "--only", "system")
    assert done.exit_code == 0, done.output
    (root / "vendor_sdk" / "__init__.py").write_text("", encoding="utf-8")
    return root


def imports_of(path: Path) -> Iterator[str]:
    """The modules that a file imports when it runs; what only type checkers see is left out."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    hidden = {
        id(node)
        for test in ast.walk(tree)
        if isinstance(test, ast.If) and isinstance(test.test, ast.Name) and test.test.id == "TYPE_CHECKING"
        for statement in test.body
        for node in ast.walk(statement)
    }
    for node in ast.walk(tree):
        if id(node) in hidden:
            continue
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0
            yield node.module or ""


def test_it_has_these_namespaces_and_no_others(vendored: Path) -> None:
    folder = vendored / "vendor_sdk" / "_wire"
    packages = {path.parent.name for path in folder.glob("*/stubs.py")}
    assert packages == {"llm", "system"}
    assert not (folder / "types" / "plugins.py").exists()
    assert not (folder / "types" / "engines.py").exists()
    text = "\n".join(path.read_text("utf-8") for path in folder.rglob("*.py"))
    assert "PluginManifest" not in text


def test_it_imports_nothing_but_attrs_and_the_runtime(vendored: Path) -> None:
    found = {
        name.partition(".")[0] for path in vendored.rglob("*.py") for name in imports_of(path)
    } - sys.stdlib_module_names
    assert found == {"attr", "attrs", "lmwire_runtime", "vendor_sdk"} & found
    assert {"attrs", "lmwire_runtime"} <= found


PROGRAM = """
import importlib, pkgutil, sys
class Refuse:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in ("lmwire", "lmwire_codegen", "lmwire_emulator", "typing_extensions", "yaml"):
            raise ImportError(f"{name} is not to be imported")
sys.meta_path.insert(0, Refuse())
sys.path.insert(0, sys.argv[1])
import vendor_sdk._wire as wire
for info in pkgutil.walk_packages(wire.__path__, "vendor_sdk._wire."):
    importlib.import_module(info.name)
with wire.Client("127.0.0.1:1") as client:
    client.llm.rpc, client.system.rpc
    try:
        client.llm.rpc.list_loaded()
    except wire.LMWireError as error:
        print(type(error).__name__)
print(hasattr(client, "plugins"), sorted(name for name in sys.modules if name.partition(".")[0] == "lmwire"))
"""


def test_it_runs_where_lmwire_cannot_be_imported(vendored: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(vendored)], capture_output=True, text=True, check=False
    )
    assert done.stderr == ""
    error, last = done.stdout.splitlines()
    assert error.endswith("Error")
    assert last == "False []"


def test_check_and_selftest_know_of_it(vendored: Path) -> None:
    out = vendored / "vendor_sdk" / "_wire"
    arguments = ("--package", PACKAGE, "--out", out, "--only", "system", "--only", "llm")
    assert run("check", *arguments).exit_code == 0
    tried = run("selftest", *arguments)
    assert tried.exit_code == 0, tried.output


@pytest.mark.parametrize("command", ["generate", "check", "selftest"])
def test_an_unknown_namespace_is_named_with_those_that_there_are(command: str, tmp_path: Path) -> None:
    out = tmp_path / "x"
    done = run(command, "--package", "x", "--out", out, "--only", "llm", "--only", "lmm")
    assert done.exit_code == 1
    assert "the schema has no namespace 'lmm'; it has diagnostics, embedding, files, llm" in done.stderr
    assert not out.exists()


def test_the_schema_is_not_touched(vendored: Path, tmp_path: Path) -> None:
    """An installed schema folder may be read-only, and names of a part are no names of the whole."""
    schema: Any = tmp_path / "schema"
    ours = CHECKOUT / "schema"
    (schema / "wire" / "namespaces").mkdir(parents=True)
    for name in ("revision.json", "wire/namespaces/diagnostics.json"):
        (schema / name).write_bytes((ours / name).read_bytes())
    (schema / "wire" / "types").mkdir()
    for path in (ours / "wire" / "types").glob("*.json"):
        (schema / "wire" / "types" / path.name).write_bytes(path.read_bytes())
    done = run(
        "generate", "--schema", schema, "--package", "x", "--out", tmp_path / "x", "--only", "diagnostics"
    )
    assert done.exit_code == 0, done.output
    assert not (schema / "names.lock.json").exists()
