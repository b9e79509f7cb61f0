"""``lmwire proxy`` as its users meet it: what it prints, records and ends with."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner

from lmwire import Client, LMWireError
from lmwire_emulator import EmulatorThread
from lmwire_tools.analysis import ConnectionAnalysis
from lmwire_tools.cli import main
from lmwire_tools.recordings import Closed, Opened
from lmwire_tools.traffic import Faulty, HttpAnswered, Summary, TrafficEvent
from lmwire_tools.traffic_text import event_lines, summary_lines
from tests.interop.scripts import SCRIPT
from tests.runtime.arithmetic import ENOUGH
from tests.support.emulators import run_program

needs_ctrl_c = pytest.mark.skipif(os.name == "nt", reason="no process group to send Ctrl-C to")


class Running:
    """The command in a process of its own."""

    def __init__(self, *arguments: str) -> None:
        command = [sys.executable, "-W", "error", "-m", "lmwire_tools", "proxy", "--listen", "0", *arguments]
        environment = {**os.environ, "PYTHONIOENCODING": "utf-8", "PYTHONUNBUFFERED": "1"}
        self.process = subprocess.Popen(
            command,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            encoding="utf-8",
        )
        self.host = self.line().removeprefix("listening on ws://").partition(",")[0]

    def line(self) -> str:
        assert self.process.stdout is not None
        return self.process.stdout.readline()

    def interrupted(self) -> tuple[str, str]:
        """End it with Ctrl-C; returns the rest of what it printed, on both streams."""
        self.process.send_signal(signal.SIGINT)
        return self.process.communicate(timeout=ENOUGH)


@pytest.fixture
def host() -> Iterator[str]:
    with EmulatorThread(script=SCRIPT) as emulator:
        yield emulator.api_host


def complete(host: str) -> str:
    with Client(host) as client:
        return client.llm.model().complete("My name is").content


@needs_ctrl_c
def test_it_prints_records_and_sums_up(host: str, tmp_path: Path) -> None:
    path = tmp_path / "recording.jsonl"
    running = Running("--to", host, "--record", str(path), "--ui", "--strict")
    page = running.line()
    text = complete(running.host)
    printed, errors = running.interrupted()

    assert text == " Ada Lovelace"
    assert page.startswith("live page: http://127.0.0.1:")
    assert (running.process.returncode, errors) == (0, "")
    for told in (
        " open /llm",
        " -> /llm authentication",
        " -> /llm listLoaded #1 rpcCall",
        " <- /llm listLoaded #1 rpcResult +",
        " <- /llm completeRawText #2 fragment +",
        '"content":" Ada"',
        " close /llm 1000",
        "1 connection; ",
        "1 x llm/completeRawText",
        "no deviation from the schema",
    ):
        assert told in printed
    assert "\x1b" not in printed  # no colours where there is no terminal
    assert "<redacted>" in printed
    done = CliRunner().invoke(main, ["validate", str(path)])
    assert (done.exit_code, "no deviation" in done.stdout) == (0, True)
    assert "<redacted>" in path.read_text(encoding="utf-8")


@needs_ctrl_c
@pytest.mark.parametrize(("strict", "code"), [([], 0), (["--strict"], 1)])
def test_deviations_are_told_and_may_fail_it(strict: list[str], code: int) -> None:
    with EmulatorThread() as emulator:
        running = Running("--to", emulator.api_host, "--quiet", *strict)
        done = CliRunner().invoke(
            main, ["call", "llm", "tokenize", "{}", "--unchecked", "--api-host", running.host]
        )
        printed, errors = running.interrupted()

    assert done.exit_code == 1
    assert (running.process.returncode, errors) == (code, "")
    assert (
        printed.startswith("    deviates at /parameter/specifier")
        or "tokenize #1 rpcCall" in printed.splitlines()[0]
    )
    assert "deviates at /parameter/inputString: expected a string, found nothing" in printed
    assert "client, llm/tokenize rpcCall: at /parameter/inputString" in printed
    assert "listLoaded" not in printed


@needs_ctrl_c
def test_a_reader_that_leaves_ends_it(host: str) -> None:
    running = Running("--to", host)
    assert running.process.stdout is not None
    running.process.stdout.close()
    with contextlib.suppress(LMWireError):  # its connection ends with the proxy
        complete(running.host)

    assert running.process.wait(ENOUGH) == 1
    assert running.process.stderr is not None
    assert "Traceback" not in running.process.stderr.read()
    running.process.stderr.close()


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ([], "--listen"),
        (["--listen", "0", "--to", "127.0.0.1:1", "--host", "0.0.0.0"], "--token"),
        (["--listen", "0", "--to", "127.0.0.1:1", "--host", "::"], "--token"),
        (["--listen", "0", "--to", "127.0.0.1:1", "--host", "example.com"], "--token"),
        (["--listen", "0", "--to", "127.0.0.1:1", "--host", ""], "--token"),
        (["--listen", "0", "--to", "127.0.0.1:1", "--elide", "100"], "--record"),
        (["--listen", "99999"], "--listen"),
    ],
)
def test_wrong_usage_exits_with_2(arguments: list[str], text: str) -> None:
    done = CliRunner().invoke(main, ["proxy", *arguments])

    assert done.exit_code == 2
    assert text in done.stderr


@pytest.mark.parametrize(
    ("arguments", "code", "text"),
    [
        (["--to", "http://[::1"], 2, "http://[::1"),
        (["--to", "127.0.0.1:1", "--token", "secret"], 2, "token"),
        (["--to", "127.0.0.1:1", "--record", "/no/such/folder/x.jsonl"], 1, "x.jsonl"),
    ],
)
def test_errors_are_one_paragraph(arguments: list[str], code: int, text: str) -> None:
    done = CliRunner().invoke(main, ["proxy", "--listen", "0", *arguments])

    assert done.exit_code == code
    assert "\nError: " in f"\n{done.stderr}"
    assert text in done.stderr
    assert "secret" not in done.stderr
    assert "Traceback" not in done.stderr


def test_a_port_that_is_taken_is_named(host: str) -> None:
    port = host.rpartition(":")[2]

    done = run_program(["-m", "lmwire_tools", "proxy", "--listen", port, "--to", host], check=False)

    assert done.returncode == 1
    assert done.stderr.startswith(f"Error: cannot listen on 127.0.0.1:{port}: ")


# Lines.


def lines(data: Any, *, direction: Any = "to_client", **options: Any) -> list[str]:
    text = data if isinstance(data, bytes) else json.dumps(data).encode()
    event = ConnectionAnalysis(1, "llm", loose=True).frame(direction, text, 1.5)
    return [click.unstyle(line) for line in event_lines(event, **options)]


def test_hostile_frames_do_not_reach_the_terminal() -> None:
    evil = "\x1b[2J\x9b1m\r\nx\N{RIGHT-TO-LEFT OVERRIDE}\ud800"
    events: list[TrafficEvent] = [
        Opened(time=1, connection=1, namespace=evil),
        Closed(time=1, connection=1, namespace=evil, code=1000, reason=evil),
        HttpAnswered(time=1, connection=1, method="GET", path=evil, status=200),
        Faulty(time=1, connection=1, fault=evil, deviates=True),
        ConnectionAnalysis(1, evil).frame("to_server", json.dumps({"type": evil, evil: evil}).encode(), 1),
        ConnectionAnalysis(1, "llm").frame("to_server", evil.encode("utf-8", "replace") + b"\xff\x1b", 1),
    ]
    summary = Summary()
    printed = []
    for event in events:
        summary(event)
        printed += [*event_lines(event), *event_lines(event, full=True)]
    printed += list(summary_lines(summary))

    for line in map(click.unstyle, printed):
        assert line.isprintable(), ascii(line)


def test_lines_are_cut_to_the_terminal() -> None:
    call = {"type": "rpcCall", "callId": 1, "endpoint": "tokenize", "parameter": {"inputString": "x" * 500}}

    first, *_ = lines(call, direction="to_server", width=80)

    assert len(first) <= 81
    assert first.endswith("...")


def test_whole_frames_are_shown_on_request() -> None:
    told = lines({"type": "keepAliveAck"}, full=True)

    assert [line.strip() for line in told[1:]] == ["{", '"type": "keepAliveAck"', "}"]


def test_colours_are_there_for_terminals() -> None:
    event = ConnectionAnalysis(1, "llm", loose=True).frame("to_client", b'{"type":"keepAliveAck"}', 1.5)

    assert "\x1b[" in "".join(event_lines(event))
