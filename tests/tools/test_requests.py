"""``lmwire call`` and ``lmwire watch``: any endpoint from the shell."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from lmwire_emulator import EmulatorThread, parse_script
from lmwire_runtime.server import Namespace, Server
from lmwire_tools import analysis
from lmwire_tools.cli import COMMANDS, main
from tests.codegen.support import Package
from tests.runtime.arithmetic import ENOUGH, RunningServer
from tests.signals.conftest import package as package  # a fixture
from tests.signals.lab import lab_handlers
from tests.support.emulators import run_program

MODEL = {"type": "query", "query": {"identifier": "emulator/ngram-small"}}
TOKENIZE = json.dumps({"specifier": MODEL, "inputString": "Hello"})
COMPLETION = json.dumps(
    {"modelSpecifier": MODEL, "rawPrompt": "Count", "predictionConfigStack": {"layers": []}}
)
RULES = {
    "rules": [
        {
            "endpoint": "runtime.getEngineSelections",
            "reply": {"result": {"json": [["gguf", {"name": "x", "version": "1"}]]}},
        },
        {"endpoint": "embedding.tokenize", "reply": {"result": {"tokens": ["wrong"]}}},
        {"match": {"exact": "Count"}, "reply": {"progress": [], "fragments": [" 1", " 2"]}},
        {"match": {"any": True}, "reply": {"progress": [], "fragments": [" 1", " 2"], "end": "hang"}},
    ]
}
HANGING = COMPLETION.replace("Count", "Count for ever")


@pytest.fixture(scope="module")
def host() -> Iterator[str]:
    with EmulatorThread(script=parse_script(RULES)) as emulator:
        yield emulator.api_host


def lmwire(*arguments: str, given: str | None = None, host: str | None = None) -> Result:
    return CliRunner().invoke(main, [*arguments, *(("--api-host", host) if host else ())], input=given)


# call


def test_a_call_prints_its_result_as_json(host: str) -> None:
    done = lmwire("call", "llm", "tokenize", TOKENIZE, host=host)

    assert (done.exit_code, done.stderr) == (0, "")
    assert done.stdout.count("\n") == 1
    assert isinstance(json.loads(done.stdout)["tokens"][0], int)


def test_pretty_output_is_the_same_json(host: str) -> None:
    plain, pretty = (
        lmwire("call", "llm", "listLoaded", "--output", output, host=host) for output in ("json", "pretty")
    )

    assert json.loads(plain.stdout) == json.loads(pretty.stdout)
    assert pretty.stdout.startswith("[\n  {\n")


def test_json_comes_from_the_standard_input_or_a_file(host: str, tmp_path: Path) -> None:
    file = tmp_path / "parameter.json"
    file.write_text(TOKENIZE, encoding="utf-8")

    ways = [
        lmwire("call", "llm", "tokenize", TOKENIZE, host=host),
        lmwire("call", "llm", "tokenize", "-", given=TOKENIZE, host=host),
        lmwire("call", "llm", "tokenize", f"@{file}", host=host),
    ]

    assert [(way.exit_code, way.stderr) for way in ways] == [(0, "")] * 3
    assert len({way.stdout for way in ways}) == 1


def test_superjson_needs_no_envelope(host: str) -> None:
    done = lmwire("call", "runtime", "getEngineSelections", host=host)

    assert json.loads(done.stdout) == [["gguf", {"name": "x", "version": "1"}]]


def test_void_results_print_nothing(host: str) -> None:
    done = lmwire("call", "llm", "unloadModel", '{"identifier": "nobody"}', host=host)
    assert done.exit_code == 1

    with EmulatorThread() as emulator:
        done = lmwire(
            "call", "llm", "unloadModel", '{"identifier": "emulator/ngram-small"}', host=emulator.api_host
        )
    assert (done.exit_code, done.stdout) == (0, "")


@pytest.mark.parametrize(
    ("arguments", "texts"),
    [
        (["call", "llm", "tokenize"], ["the parameter of tokenize is missing"]),
        (["call", "llm", "tokenize", "{"], ["the parameter of tokenize is no JSON"]),
        (
            ["call", "llm", "tokenize", '{"specifier": 3, "inputString": 1}'],
            [
                "at /specifier: expected a member of ModelSpecifier",
                "at /inputString: expected ",
                "found an integer (1)",
                "--unchecked",
            ],
        ),
        (["call", "llm", "listLoaded", "{}"], ["it takes none"]),
        (["call", "llm", "tokenise"], ["did you mean tokenize?"]),
        (["call", "lllm", "tokenize"], ["did you mean llm?"]),
        (["call", "llm", "predict"], ["llm predict is for `lmwire watch`"]),
        (["watch", "llm", "tokenize"], ["llm tokenize is for `lmwire call`"]),
        (["call", "llm", "zzz"], ["there is: ", "listLoaded"]),
        (["call", "llm", "tokenize", "@nowhere.json"], ["nowhere.json cannot be read"]),
        (
            ["watch", "llm", "completeRawText", COMPLETION, "--send", '{"type":"stop"}'],
            ["at (root)", "cancel"],
        ),
        (
            ["watch", "llm", "completeRawText", "{}"],
            ["the creation parameter of completeRawText", "/rawPrompt"],
        ),
        (["call", "llm"], ["ENDPOINT"]),
        (["wach"], ["Did you mean watch?"]),
        (["zzz"], ["The commands are ", "complete"]),
    ],
)
def test_wrong_usage_exits_with_2_and_says_what_is_right(arguments: list[str], texts: list[str]) -> None:
    done = lmwire(*arguments)

    assert (done.exit_code, done.stdout) == (2, "")
    for text in texts:
        assert text in done.stderr
    assert "Traceback" not in done.stderr


def test_what_does_not_fit_is_sent_if_that_is_wanted(host: str) -> None:
    done = lmwire("call", "llm", "tokenize", '{"specifier": 3}', "--unchecked", host=host)

    assert done.exit_code == 1
    assert "the server refused" in done.stderr or "Received invalid parameter" in done.stderr


def test_an_error_of_the_server_is_one_paragraph(host: str) -> None:
    specifier = {"type": "query", "query": {"identifier": "nobody"}}
    done = lmwire(
        "call", "llm", "getLoadConfig", json.dumps({"specifier": specifier}), "--output", "json", host=host
    )

    assert done.exit_code == 1
    assert done.stderr.startswith("Error: ")
    assert "nobody" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_server_that_deviates_is_told_of(host: str) -> None:
    arguments = ["call", "embedding", "tokenize", TOKENIZE]

    lenient, strict = lmwire(*arguments, host=host), lmwire(*arguments, "--strict", host=host)

    assert (lenient.exit_code, strict.exit_code) == (0, 1)
    assert json.loads(lenient.stdout) == {"tokens": ["wrong"]}
    assert "deviates at /result/tokens/0" in lenient.stderr


def test_frames_are_shown_on_request(host: str) -> None:
    done = lmwire("call", "llm", "tokenize", TOKENIZE, "--frames", host=host)

    assert "-> /llm tokenize #1 rpcCall" in done.stderr
    assert "<- /llm tokenize #1 rpcResult +" in done.stderr
    assert "authentication" in done.stderr
    assert "<redacted>" in done.stderr
    assert json.loads(done.stdout)


# watch


def packets(done: Result | subprocess.CompletedProcess[str]) -> list[dict[str, Any]]:
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_packets_of_a_channel_are_printed_until_it_ends(host: str) -> None:
    done = lmwire("watch", "llm", "completeRawText", COMPLETION, host=host)

    assert (done.exit_code, done.stderr) == (0, "")
    told = packets(done)
    assert [each["fragment"]["content"] for each in told if each["type"] == "fragment"] == [" 1", " 2"]
    assert told[-1]["type"] == "success"


def test_packets_are_sent(host: str) -> None:
    done = lmwire("watch", "llm", "completeRawText", HANGING, "--send", '{"type":"cancel"}', host=host)

    assert done.exit_code == 0
    assert packets(done)[-1]["stats"]["stopReason"] == "userStopped"


def test_count_ends_early(host: str) -> None:
    done = lmwire("watch", "llm", "completeRawText", HANGING, "--count", "2", host=host)

    assert done.exit_code == 0
    assert len(packets(done)) == 2


@pytest.mark.skipif(os.name == "nt", reason="no process group to send Ctrl-C to")
def test_ctrl_c_cancels_and_prints_what_still_comes(host: str) -> None:
    command = [
        sys.executable,
        "-W",
        "error",
        "-m",
        "lmwire_tools",
        "watch",
        "llm",
        "completeRawText",
        HANGING,
    ]
    process = subprocess.Popen(
        [*command, "--api-host", host], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    seen = [json.loads(process.stdout.readline()) for _ in range(2)]
    process.send_signal(signal.SIGINT)
    rest, errors = process.communicate(timeout=ENOUGH)

    assert [each["fragment"]["content"] for each in seen] == [" 1", " 2"]
    assert json.loads(rest.splitlines()[-1])["stats"]["stopReason"] == "userStopped"
    assert (process.returncode, "Traceback" in errors) == (130, False)


def test_values_of_a_signal_are_printed(package: Package, monkeypatch: pytest.MonkeyPatch) -> None:
    lab = package.module("lab")
    monkeypatch.setattr(analysis, "NAMESPACES", {"lab": lab.NAMESPACE})
    handlers = lab_handlers(lab)
    running = RunningServer(lambda **hooks: Server([Namespace(lab.NAMESPACE, handlers)], **hooks))
    try:
        counter = lmwire("watch", "lab", "counter", "--count", "1", host=running.host)
        refused = lmwire("watch", "lab", "counter", "--count", "1", "--send", "{}", host=running.host)
        room = lmwire("watch", "lab", "room", '{"name": "red"}', "--count", "1", host=running.host)
    finally:
        running.close()

    assert json.loads(counter.stdout) == {"count": 0, "items": []}
    assert json.loads(room.stdout) == ["host of red"]
    assert refused.exit_code == 2


# completion, help


def completions(words: str) -> set[str]:
    """What a shell would offer for the last word."""
    environment = {
        "_LMWIRE_COMPLETE": "bash_complete",
        "COMP_WORDS": words,
        "COMP_CWORD": str(words.count(" ")),
    }
    done = CliRunner().invoke(main, [], prog_name="lmwire", env=environment)
    return {line.removeprefix("plain,") for line in done.stdout.splitlines() if line}


@pytest.mark.parametrize(
    ("words", "offered"),
    [
        ("lmwire c", {"call", "complete", "conformance"}),
        ("lmwire call l", {"llm"}),
        ("lmwire watch sy", {"system"}),
        ("lmwire call llm tok", {"tokenize"}),
        ("lmwire watch llm comp", {"completeRawText"}),
        ("lmwire call nowhere x", set()),
        ("lmwire validate --dir", {"--direction"}),
    ],
)
def test_names_are_completed(words: str, offered: set[str]) -> None:
    assert completions(words) == offered


def test_the_list_of_commands_is_what_the_commands_say() -> None:
    for name, place in COMMANDS.items():
        command = main.get_command(main.make_context("lmwire", ["serve"], resilient_parsing=True), name)
        assert command is not None
        assert command.help is not None
        assert " ".join(command.help.split("\n\n")[0].split()).startswith(place.help), name


def test_help_names_every_command_and_needs_none_of_the_protocol() -> None:
    program = (
        "import sys; from lmwire_tools.launcher import main\n"
        "try: main()\nfinally: assert not {'lmwire.llm.descriptor', 'lmwire_emulator'} & sys.modules.keys()"
    )
    done = run_program(["-c", program, "--help"])

    for name, place in COMMANDS.items():
        assert f"  {name} " in done.stdout
        assert place.help.split()[0] in done.stdout
