"""The commands and the program of docs/tools.md do what stands there."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path

import pytest
from click.testing import CliRunner

from lmwire_emulator import EmulatorThread
from lmwire_tools.cli import COMMANDS, main
from lmwire_tools.recordings import read_recording
from tests.support.emulators import ROOT, run_program

TEXT = (ROOT / "docs" / "tools.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", TEXT, re.DOTALL)


def console() -> list[tuple[str, str]]:
    """Each command, and what it prints."""
    return [
        (command, printed)
        for block in blocks("console")
        for command, printed in re.findall(r"^\$ lmwire (.*)\n((?:(?!\$ ).*\n)*)", block, re.MULTILINE)
    ]


def matches(expected: str, printed: str) -> bool:
    """Whether text is as expected, with anything for ``...``."""
    return re.fullmatch(".*".join(map(re.escape, expected.split("..."))), printed, re.DOTALL) is not None


def test_commands_print_what_stands_there(
    emulator: EmulatorThread, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (program,) = blocks("python")
    run_program(["-c", program])  # makes session.jsonl
    frame = {"type": "rpcError", "callId": 1, "error": "broken"}
    Path("frames.json").write_text(json.dumps(frame), encoding="utf-8")

    commands = console()
    assert len(commands) >= 5
    for command, expected in commands:
        done = CliRunner().invoke(main, shlex.split(command), env={"LMSTUDIO_API_HOST": emulator.api_host})
        assert matches(expected, done.stdout + done.stderr), (command, done.stdout, done.stderr)


def test_the_program_records(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (program,) = blocks("python")
    run_program(["-c", program])

    assert len(list(read_recording(Path("session.jsonl").read_bytes().splitlines()))) > 8


def test_the_proxy_takes_the_options_that_stand_there() -> None:
    (line,) = blocks("sh")
    command = main.get_command(main.make_context("lmwire", ["proxy"], resilient_parsing=True), "proxy")
    assert command is not None
    context = command.make_context("proxy", shlex.split(line)[2:])

    assert (context.params["port"], context.params["server"]) == (1235, "127.0.0.1:1234")


@pytest.mark.parametrize("name", ["call", "watch", "proxy", "validate"])
def test_every_option_that_is_named_exists(name: str) -> None:
    assert f"lmwire {name}" in TEXT or f"`{name}`" in TEXT
    assert name in COMMANDS
    named = set(re.findall(r"`(--[a-z-]+)", TEXT)) - {"--api-host"}
    known = set()
    for each in ("call", "watch", "proxy", "validate"):
        command = main.get_command(main.make_context("lmwire", [each], resilient_parsing=True), each)
        assert command is not None
        known |= {option for parameter in command.params for option in parameter.opts}
    assert named <= known
