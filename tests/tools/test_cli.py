"""The command `lmwire` as its users meet it: in a process of its own, against real emulators."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from lmwire import Client
from lmwire_emulator import EmulatorThread, parse_script
from lmwire_runtime.discovery import APPLICATION_PORTS
from tests.support.emulators import run_program

LMWIRE = ["-m", "lmwire_tools"]
TOKEN = "sk-lm-AbCd1234:0123456789abcdefghij"

HELLO = {"rules": [{"match": {"any": True}, "reply": {"fragments": [" Anna", ".", " Hello"]}}]}


@pytest.fixture
def hello_host() -> object:
    with EmulatorThread(script=parse_script(HELLO)) as emulator:
        yield emulator.api_host


def lmwire(
    *arguments: str, api_host: str | None = None, check: bool = True
) -> subprocess.CompletedProcess[str]:
    return run_program([*LMWIRE, *arguments], api_host, check=check)


def test_complete_prints_the_text(hello_host: str) -> None:
    assert lmwire("complete", "My name is", "--api-host", hello_host).stdout == " Anna. Hello\n"


def test_complete_finds_its_server_in_the_environment(hello_host: str) -> None:
    assert lmwire("complete", "My name is", api_host=hello_host).stdout == " Anna. Hello\n"


def test_complete_prints_an_emoji_that_came_in_two_halves() -> None:
    halves = {"rules": [{"reply": {"fragments": [" a", "\ud83d", "\ude00", "b"]}}]}
    with EmulatorThread(script=parse_script(halves)) as emulator:
        assert lmwire("complete", "x", "--api-host", emulator.api_host).stdout == " a\N{GRINNING FACE}b\n"


def test_complete_prints_json(hello_host: str) -> None:
    printed = json.loads(lmwire("complete", "x", "--api-host", hello_host, "--json").stdout)

    assert printed["text"] == " Anna. Hello"
    assert printed["stop_reason"] == "eosFound"
    assert printed["model"]


def test_options_reach_the_engine(emulator: EmulatorThread) -> None:
    options = [
        "--max-tokens",
        "5",
        "--temperature",
        "0.9",
        "--seed",
        "7",
        "--api-host",
        emulator.api_host,
        "--json",
    ]

    first, second = (json.loads(lmwire("complete", "The", *options).stdout) for _ in range(2))

    assert first["text"] == second["text"]
    assert first["predicted_tokens"] == 5
    assert first["stop_reason"] == "maxPredictedTokensReached"


def test_stop_strings_end_the_text(emulator: EmulatorThread) -> None:
    printed = json.loads(
        lmwire(
            "complete", "The", "--stop", " ", "--temperature", "0", "--api-host", emulator.api_host, "--json"
        ).stdout
    )

    assert " " not in printed["text"]
    assert printed["stop_reason"] == "stopStringFound"


def test_model_is_loaded_by_key(emulator: EmulatorThread) -> None:
    printed = json.loads(
        lmwire(
            "complete",
            "x",
            "--model",
            "emulator/ngram-vision",
            "--api-host",
            emulator.api_host,
            "--json",
            "--max-tokens",
            "2",
        ).stdout
    )

    assert printed["model"] == "emulator/ngram-vision"


def test_an_unreachable_server_is_one_paragraph(unused_port: int) -> None:
    done = lmwire("complete", "x", "--api-host", f"127.0.0.1:{unused_port}", check=False)

    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr.startswith("Error: no LM Studio server was found.")
    assert f"127.0.0.1:{unused_port}" in done.stderr
    assert "lmwire serve" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["complete", "x", "--max-tokens", "0"], "--max-tokens"),
        (["complete"], "PROMPT"),
        (["complete", "x", "--no-such-flag"], "--no-such-flag"),
        (["serve", "--engine", "scripted"], "--script"),
    ],
)
def test_wrong_usage_exits_with_2(arguments: list[str], text: str) -> None:
    done = lmwire(*arguments, check=False)

    assert done.returncode == 2
    assert text in done.stderr


def test_an_unknown_model_is_explained(emulator: EmulatorThread) -> None:
    done = lmwire("complete", "x", "--model", "nobody/nothing", "--api-host", emulator.api_host, check=False)

    assert done.returncode == 1
    assert "nobody/nothing" in done.stderr
    assert "Traceback" not in done.stderr


def test_demo_streams_and_shows_figures() -> None:
    done = lmwire("demo")

    assert done.stdout.startswith("My name is")
    for figure in (
        "model:",
        "prompt tokens:",
        "predicted tokens:",
        "time to first token",
        "tokens per second:",
        "stop reason:",
    ):
        assert figure in done.stdout


@pytest.mark.parametrize("content", ["{", "[]", '{"replies": 3}'])
def test_a_script_with_mistakes_is_explained(content: str, tmp_path: Path) -> None:
    script = tmp_path / "script.json"
    script.write_text(content, encoding="utf-8")

    done = lmwire("serve", "--port", "0", "--script", str(script), check=False)

    assert done.returncode == 1
    assert done.stderr.startswith("Error: ")
    assert "script.json" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_bad_token_of_the_environment_is_named() -> None:
    program = "import os; os.environ['LM_API_TOKEN'] = 'bad'; from lmwire_tools.launcher import main; main()"

    done = run_program(["-c", program, "complete", "x"], check=False)

    assert done.returncode == 2
    assert "LM_API_TOKEN is malformed" in done.stderr


def test_without_the_extra_it_says_what_to_install() -> None:
    hidden = "import sys; sys.modules['click'] = None; from lmwire_tools.launcher import main; main()"

    done = run_program(["-c", hidden], check=False)

    assert done.returncode == 1
    assert "pip install 'lmwire[cli]'" in done.stderr
    assert "Traceback" not in done.stderr


def test_the_compiler_without_its_extra_says_what_to_install() -> None:
    hidden = "import sys; sys.modules['yaml'] = None; from lmwire_codegen.launcher import main; main()"

    done = run_program(["-c", hidden], check=False)

    assert done.returncode == 1
    assert "pip install 'lmwire[codegen]'" in done.stderr
    assert "Traceback" not in done.stderr


def test_complete_runs_with_stdout_closed(hello_host: str) -> None:
    closed = "import sys; sys.stdout = None; from lmwire_tools.launcher import main; main()"

    assert run_program(["-c", closed, "complete", "x", "--api-host", hello_host]).stderr == ""


@pytest.fixture
def serving() -> object:
    """Starts ``lmwire serve`` with arguments; gives its host. Ends it with Ctrl-C where the platform has one."""
    started: list[subprocess.Popen[str]] = []

    def start(*arguments: str) -> str:
        command = [sys.executable, "-W", "error", *LMWIRE, "serve", "--port", "0", *arguments]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        started.append(process)
        assert process.stdout is not None
        line = process.stdout.readline()
        assert line.startswith("listening on ws://127.0.0.1:"), line
        return line.removeprefix("listening on ws://").strip()

    yield start
    for process in started:
        process.terminate() if os.name == "nt" else process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=20)
        if os.name != "nt":
            assert process.returncode == 130
            assert "Traceback" not in errors


def test_serve_says_where_it_listens_and_ends_with_ctrl_c(serving: object) -> None:
    host = serving("--model", "emulator/ngram-small")  # type: ignore[operator]

    with Client(host) as client:
        assert client.llm.model().identifier == "emulator/ngram-small"


def test_serve_has_a_model_loaded_unless_told_otherwise(serving: object) -> None:
    with Client(serving()) as client:  # type: ignore[operator]
        assert str(client.llm.model().complete("My name is", config={"maxTokens": 3}))
    with Client(serving("--model", "")) as client:  # type: ignore[operator]
        assert client.llm.list_loaded() == []


def test_serve_names_an_unknown_model() -> None:
    done = lmwire("serve", "--port", "0", "--model", "nobody/nothing", check=False)

    assert done.returncode == 1
    assert "nobody/nothing" in done.stderr
    assert "Traceback" not in done.stderr


def test_serve_demands_tokens(serving: object) -> None:
    host = serving("--api-token", TOKEN)  # type: ignore[operator]

    refused = lmwire("complete", "x", "--api-host", host, check=False)
    accepted = lmwire(
        "complete",
        "x",
        "--api-host",
        host,
        "--api-token",
        TOKEN,
        "--model",
        "emulator/ngram-small",
        "--max-tokens",
        "2",
    )

    assert refused.returncode == 1
    assert "token" in refused.stderr
    assert TOKEN not in refused.stderr
    assert accepted.returncode == 0


def test_serve_refuses_where_a_server_answers_already() -> None:
    for port in APPLICATION_PORTS:
        first = EmulatorThread(port=port)
        try:
            first.start()
        except OSError:
            continue  # something else has this port
        done = lmwire("serve", check=False)
        first.close()

        assert done.returncode == 1
        assert re.search(r"an LM Studio server answers on 127\.0\.0\.1:\d+ already", done.stderr)
        assert "--port" in done.stderr
        return
    pytest.fail(f"all of LM Studio's ports are taken on this machine: {APPLICATION_PORTS}")


@pytest.mark.skipif(os.name == "nt", reason="no process group to send Ctrl-C to")
def test_ctrl_c_cancels_on_the_server_and_exits_with_130() -> None:
    slow = {
        "rules": [{"match": {"any": True}, "reply": {"fragments": [{"text": " word", "delay": 0.05}] * 2000}}]
    }
    cancelled = threading.Event()

    def tap(direction: str, namespace: str, text: bytes) -> None:
        if direction == "received" and b'"cancel"' in text:
            cancelled.set()

    with EmulatorThread(script=parse_script(slow), on_frame=tap) as emulator:
        command = [sys.executable, *LMWIRE, "complete", "x", "--api-host", emulator.api_host]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        assert process.stdout is not None
        assert process.stdout.read(5) == b" word"  # fragments are flushed as they come
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=20)

        assert process.returncode == 130
        assert b"Traceback" not in errors
        assert cancelled.wait(10)
