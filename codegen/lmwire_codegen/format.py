"""Sixth stage: ruff drops the imports that a module does not use, sorts the rest, and lays the text out.

The settings are given here in full, so that no configuration file on the machine has a say.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Final

__all__ = ["LINE_LENGTH", "FormatError", "format_tree"]

LINE_LENGTH: Final = 110

_COMMON: Final = (
    "--isolated",
    "--no-cache",
    "--quiet",
    "--target-version",
    "py310",
    "--line-length",
    str(LINE_LENGTH),
)


class FormatError(RuntimeError):
    """ruff refused the rendered text: a defect of the compiler, not of the schema."""


def format_tree(folder: Path, package: str) -> None:
    """Format every Python file below ``folder`` in place; ``package`` is the import name of what is there.

    Raises:
        FormatError: A file is no valid Python.
    """
    first_party = f'lint.isort.known-first-party = ["lmwire_runtime", "{package.split(".")[0]}"]'
    _ruff(
        "check",
        *_COMMON,
        "--select",
        "F401,I001",
        "--fix",
        "--output-format",
        "concise",
        "--config",
        first_party,
        str(folder),
    )
    _ruff("format", *_COMMON, str(folder))


def _ruff(*arguments: str) -> None:
    command = [sys.executable, "-m", "ruff", *arguments]
    result = subprocess.run(command, capture_output=True, text=True, encoding="utf-8", check=False)
    if result.returncode:
        shown = "\n".join((result.stdout + result.stderr).splitlines()[:20])
        raise FormatError(f"ruff failed on generated code:\n{shown}")
