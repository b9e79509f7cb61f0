"""Bindings of every real revision that lies beside the checkout, each compiled once in a run of the tests."""

from __future__ import annotations

import importlib
import shutil
from pathlib import Path
from typing import Any

import attrs
from click.testing import CliRunner, Result

from lmwire_codegen.cli import main
from tests.codegen.support import CHECKOUT
from tests.support.requirements import REVISIONS

__all__ = ["NAMES", "Revision", "make_revision", "run"]

NAMES = [path.stem for path in REVISIONS]


def run(*arguments: object) -> Result:
    """Run ``lmwire-codegen``."""
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


@attrs.frozen
class Revision:
    """A revision that went through ``sync`` and ``generate``, and what the commands said."""

    name: str
    schema: Path
    folder: Path
    package: str
    synced: Result
    generated: Result

    def module(self, path: str = "") -> Any:
        """Import a module of its bindings, typed as anything because no type checker has seen it."""
        return importlib.import_module(".".join(filter(None, (self.package, path))))


def make_revision(name: str, place: Path) -> Revision:
    """Sync a copy of the checkout's schema to a revision and compile it below ``place``."""
    (export,) = [path for path in REVISIONS if path.stem == name]
    schema = Path(shutil.copytree(CHECKOUT / "schema", place / name / "schema"))
    package = f"bindings_{name.replace('-', '_')}"
    folder = place / package
    synced = run("sync", export, "--schema", schema)
    generated = run("generate", "--schema", schema, "--out", folder, "--package", package)
    return Revision(name, schema, folder, package, synced, generated)
