"""Wrong usage of the commands: one paragraph that says what is wrong, and the exit code 2."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from lmwire import UsageError
from lmwire_emulator import EmulatorThread
from lmwire_tools.cli import main
from lmwire_tools.recorder import Recorder


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["call", "llm", "listLoaded", "--timeout", "nan"], "nan"),
        (["call", "llm", "listLoaded", "--api-token", "short"], "does not begin with sk-lm-"),
        (["call", "llm", "listLoaded", "--api-host", ""], "it is empty"),
        (["complete", "x", "--api-host", "ftp://127.0.0.1"], "its scheme is none of ours"),
        (["proxy", "--listen", "0", "--to", "127.0.0.1:9", "--token", "bad"], "does not begin with sk-lm-"),
        (["conformance", "127.0.0.1:9:9"], "several colons"),
    ],
)
def test_what_makes_no_sense_exits_with_two(arguments: list[str], told: str) -> None:
    done = CliRunner().invoke(main, arguments)

    assert done.exit_code == 2
    assert told in done.stderr
    assert "Traceback" not in done.output


def test_a_pattern_that_is_none_is_refused_before_anything_is_sent(tmp_path: Path) -> None:
    path = tmp_path / "recording.jsonl"
    with Recorder(path) as recorder, EmulatorThread(on_frame=recorder) as emulator:
        CliRunner().invoke(main, ["complete", "My name is", "--api-host", emulator.api_host])
    done = CliRunner().invoke(main, ["replay", str(path), "--to", "127.0.0.1:9", "--ignore", "("])

    assert done.exit_code == 2
    assert "'(' is no regular expression" in done.stderr


def test_a_generation_that_never_was() -> None:
    with pytest.raises(UsageError, match=r"no generation '1999' of servers; there are .*2026"):
        EmulatorThread(generation="1999").__enter__()
