"""What the official SDK shows is here under the same names, with the same parameters; or a table says why not."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from lmstudio._later import LATER_NAMES
from tests.support.requirements import requires

pytestmark = requires("official-python")

PROGRAM = Path(__file__).with_name("surface_of_lmstudio.py")

# Names of the official module that are no part of its documented use, and why.
UNNEEDED = {
    "AnyLMStudioStruct": "the base of msgspec structs, which lmwire's messages are not",
    "ModelLoadResult": "what one of its internal functions returns",
}
# Methods of the official classes that are how it works inside.
PLUMBING = {"API_NAMESPACE", "client", "connect", "connected", "disconnect", "remote_call", "__init__"}
LATER_METHODS = {"act"}
# How the official sessions are entered and left; ours are opened and closed by their client.
SESSION = {"__aenter__", "__enter__", "aclose", "close"}


def _shown_by(interpreter: Path | str) -> dict[str, Any]:
    done = subprocess.run(
        [interpreter, PROGRAM], capture_output=True, text=True, encoding="utf-8", timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr
    shown: dict[str, Any] = json.loads(done.stdout)
    return shown


@pytest.fixture(scope="module")
def official(official_python: Path) -> dict[str, Any]:
    return _shown_by(official_python)


@pytest.fixture(scope="module")
def ours() -> dict[str, Any]:
    return _shown_by(sys.executable)


def test_every_name_is_here_or_later_work(official: dict[str, Any], ours: dict[str, Any]) -> None:
    missing = set(official["names"]) - set(ours["names"]) - set(UNNEEDED)

    assert missing - set(LATER_NAMES) == set()
    assert set(LATER_NAMES) & set(ours["names"]) == set()
    assert set(UNNEEDED) <= set(official["names"])


def test_later_names_are_official_ones(official: dict[str, Any]) -> None:
    modules = {"plugin"}

    assert set(LATER_NAMES) - modules <= set(official["names"])


def test_functions_take_the_same(official: dict[str, Any], ours: dict[str, Any]) -> None:
    problems = [
        problem
        for name, wanted in official["functions"].items()
        if name not in LATER_NAMES and not name.startswith("_")
        for problem in _differences(name, wanted, ours["functions"].get(name))
    ]

    assert problems == []


def test_methods_take_the_same(official: dict[str, Any], ours: dict[str, Any]) -> None:
    problems: list[str] = []
    for kind, methods in official["classes"].items():
        excused = PLUMBING | LATER_METHODS | (SESSION if "client." in kind else set())
        if kind.endswith("Client"):
            excused -= {"__init__"}
        for name, wanted in methods.items():
            if name in excused:
                continue
            if name not in ours["classes"][kind]:
                problems.append(f"{kind}.{name} is missing")
            elif wanted is not None:
                problems += _differences(f"{kind}.{name}", wanted, ours["classes"][kind][name])

    assert problems == []


def test_records_have_the_same_fields(official: dict[str, Any], ours: dict[str, Any]) -> None:
    missing = {
        record: sorted(set(wanted) - set(ours["records"][record]))
        for record, wanted in official["records"].items()
    }

    assert {record: names for record, names in missing.items() if names} == {}


def test_errors_have_the_same_bases(official: dict[str, Any], ours: dict[str, Any]) -> None:
    missing = {name: set(bases) - set(ours["errors"][name]) for name, bases in official["errors"].items()}

    assert len(missing) > 10
    assert {name: bases for name, bases in missing.items() if bases} == {}


def _differences(where: str, wanted: list[list[str]], given: list[list[str]] | None) -> list[str]:
    """What a call in the official manner would stumble over."""
    if given is None:
        return [f"{where} is missing"]
    ours = {name: (kind, need) for name, kind, need in given}
    problems: list[str] = []
    for name, kind, need in wanted:
        if name not in ours:
            problems.append(f"{where} has no parameter {name}")
            continue
        our_kind, our_need = ours[name]
        if our_kind != kind and our_kind != "POSITIONAL_OR_KEYWORD":
            problems.append(f"{where}: {name} is {our_kind}, not {kind}")
        if need == "optional" and our_need == "required":
            problems.append(f"{where}: {name} is required")
    official_names = [name for name, *_ in wanted]
    problems += [
        f"{where} requires {name}"
        for name, _, need in given
        if need == "required" and name not in official_names and not _.startswith("VAR")
    ]
    positional = [name for name, kind, _ in wanted if kind.startswith("POSITIONAL")]
    if [name for name, kind, _ in given if kind.startswith("POSITIONAL")][: len(positional)] != positional:
        problems.append(f"{where}: other order than {positional}")
    return problems
