"""The layers of lmwire hold: who imports whom, where endpoints are named, and what committed files are free of."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from lmwire_emulator import EmulatorThread
from tests.layers.committed import committed, machine_bound, too_long
from tests.layers.endpoint_names import endpoint_names, mentions
from tests.layers.imports import Rule, breaches, files_of, private_breaches
from tests.layers.rules import RULES, SOURCE_ROOTS
from tests.support import requires
from tests.support.emulators import run_program

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.because)
def test_imports_go_one_way(rule: Rule) -> None:
    assert breaches(ROOT, [rule]) == []


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.because)
def test_every_pattern_of_the_table_finds_files(rule: Rule) -> None:
    assert [pattern for pattern in rule.files if not files_of(ROOT, pattern)] == []


def test_no_package_reaches_into_another() -> None:
    assert private_breaches(ROOT, SOURCE_ROOTS) == []


def test_the_runtime_names_no_endpoint() -> None:
    names = endpoint_names(ROOT / "schema")
    assert {"completeRawText", "getModelInfo"} <= names
    assert mentions(ROOT, files_of(ROOT, "runtime/**/*.py"), names) == []


@pytest.mark.parametrize("dear", ["attrs", "websockets", "orjson", "lmwire.types"])
def test_importing_lmwire_is_cheap(dear: str) -> None:
    program = f"import sys, lmwire; print(*sorted(name for name in sys.modules if (name + '.').startswith('{dear}.')))"
    told = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert told.stdout.split() == []


@pytest.mark.parametrize(
    "dear", ["asyncio", "ssl", "lmwire.config.settings", "lmwire.types.chat", "lmwire.embedding"]
)
def test_a_first_completion_of_a_thread_is_cheap(dear: str, emulator: EmulatorThread) -> None:
    program = (
        "import sys, lmwire\n"
        "with lmwire.Client() as client: assert client.llm.model().complete('My name is')\n"
        f"print(*sorted(name for name in sys.modules if (name + '.').startswith('{dear}.')))"
    )
    assert run_program(["-c", program], emulator.api_host).stdout.split() == []


@requires("git")
def test_no_file_written_by_hand_is_too_long() -> None:
    assert too_long(ROOT, committed(ROOT)) == []


@requires("git")
def test_no_committed_file_is_bound_to_a_machine() -> None:
    assert machine_bound(ROOT, committed(ROOT)) == []
