"""Programs that run in the real clients' environments, and how to run them.

A program writes a line of JSON for each step, ``{"step": ..., "saw": ...}``: what its user would see.
"""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import pytest

from tests.interop.environments import NodeProject

__all__ = ["run_node", "run_node_calls", "run_python", "run_python_calls"]

_PYTHON_PROGRAM: Final = Path(__file__).with_name("official_python.py")
_NODE_PROGRAM: Final = Path(__file__).with_name("official_node.cjs")
_PYTHON_CALLS: Final = Path(__file__).with_name("calls_python.py")
_NODE_CALLS: Final = Path(__file__).with_name("calls_node.cjs")

_SECONDS: Final = 45


def run_python(interpreter: Path, *arguments: str) -> dict[str, Any]:
    """Run ``official_python.py ARGUMENTS...`` to its end; returns what each step saw.

    Fails, showing all output, unless it exits with 0 and its output is nothing but steps.
    """
    return _run([interpreter, "-I", "-W", "error", _PYTHON_PROGRAM, *arguments], None)


def run_node(project: NodeProject, *arguments: str) -> dict[str, Any]:
    """Run ``official_node.cjs ARGUMENTS...`` with the SDK of a project; see ``run_python``."""
    return _run([project.node.node, _NODE_PROGRAM, *arguments], project.directory)


def run_python_calls(interpreter: Path, *arguments: str) -> dict[str, Any]:
    """Run ``calls_python.py ARGUMENTS...``; see ``run_python``."""
    return _run([interpreter, "-I", "-W", "error", _PYTHON_CALLS, *arguments], None)


def run_node_calls(project: NodeProject, *arguments: str) -> dict[str, Any]:
    """Run ``calls_node.cjs ARGUMENTS...`` with the SDK of a project; see ``run_python``."""
    return _run([project.node.node, _NODE_CALLS, *arguments], project.directory)


def _run(command: Sequence[str | Path], cwd: Path | None) -> dict[str, Any]:
    environment = {
        key: value for key, value in os.environ.items() if not key.startswith(("LM_", "LMSTUDIO_"))
    }
    environment["PYTHONIOENCODING"] = "utf-8"
    output, exit_code = _output(command, cwd, environment)
    if exit_code != 0:
        pytest.fail(f"{Path(command[0]).name} ended with {exit_code}\n{output}")
    steps: dict[str, Any] = {}
    for line in output.splitlines():
        try:
            told = json.loads(line)
        except ValueError:
            pytest.fail(f"{Path(command[0]).name} wrote {line!r}\n{output}")
        assert told["step"] not in steps, f"two steps are called {told['step']!r}"
        steps[told["step"]] = told["saw"]
    return steps


def _output(
    command: Sequence[str | Path], cwd: Path | None, environment: dict[str, str]
) -> tuple[str, str | int]:
    try:
        done = subprocess.run(
            [str(part) for part in command],
            cwd=cwd,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
            timeout=_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        said = error.stdout.decode(errors="replace") if isinstance(error.stdout, bytes) else error.stdout
        return said or "", f"nothing: it hung for {_SECONDS} s"
    return done.stdout, done.returncode
