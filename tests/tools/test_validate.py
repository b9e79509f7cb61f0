"""``lmwire validate`` on recordings, transcripts and loose frames."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from lmwire import Client
from lmwire_emulator import EmulatorThread
from lmwire_tools.cli import main
from lmwire_tools.recorder import Recorder
from lmwire_tools.recordings import RecordedFrame, RecordingWriter
from tests.interop.scripts import SCRIPT
from tests.support.emulators import run_program
from tests.tools.transcripts import TRANSCRIPTS

GOOD = {"type": "rpcCall", "callId": 1, "endpoint": "listLoaded"}
BAD = {"type": "rpcCall", "callId": "x", "endpoint": "listLoaded", "more": 1}


def validate(*arguments: str, given: str | bytes | None = None) -> Result:
    return CliRunner().invoke(main, ["validate", *arguments], input=given)


def frames(*data: Any) -> str:
    return "".join(json.dumps(each) + "\n" for each in data)


@pytest.fixture
def recording(tmp_path: Path) -> Path:
    """A completion, recorded at the server."""
    path = tmp_path / "recording.jsonl"
    with (
        Recorder(path) as recorder,
        EmulatorThread(script=SCRIPT, on_frame=recorder) as emulator,
        Client(emulator.api_host) as client,
    ):
        client.llm.model().complete("My name is")
        client.system.rpc.list_downloaded_models()
    return path


def test_a_recording_without_deviations(recording: Path) -> None:
    done = validate(str(recording))

    assert done.exit_code == 0
    assert done.stdout.endswith(" frames, no deviation\n")
    assert int(done.stdout.split()[0]) > 10


@pytest.mark.parametrize("path", TRANSCRIPTS, ids=lambda path: path.stem)
def test_transcripts(path: Path) -> None:
    assert validate(str(path)).exit_code == 0


def test_a_recording_with_deviations_names_lines_and_places(recording: Path) -> None:
    lines = recording.read_text(encoding="utf-8").splitlines()
    number, line = next((number, line) for number, line in enumerate(lines) if '"fragment":' in line)
    lines[number] = line.replace('"tokensCount":1', '"tokensCount":"1","odd":true')
    recording.write_text("\n".join(lines), encoding="utf-8")

    done = validate(str(recording))

    assert done.exit_code == 1
    where = rf"line {number + 1}, to_client llm/completeRawText #2 fragment: at /message/fragment"
    assert f"{where}/tokensCount: expected an integer, found a string ('1')" in done.stdout
    assert f"{where}/odd: expected no such key, found an unknown key" in done.stdout
    assert "2 deviations in 1 of " in done.stdout


def test_the_order_of_frames_is_checked_in_recordings(recording: Path) -> None:
    lines = [
        line for line in recording.read_text(encoding="utf-8").splitlines() if "channelCreate" not in line
    ]
    recording.write_text("\n".join(lines), encoding="utf-8")

    done = validate(str(recording))

    assert done.exit_code == 1
    assert "expected the id of an open channel" in done.stdout


def test_two_recordings_in_one_file_are_two_histories(recording: Path) -> None:
    done = validate("-", given=recording.read_bytes() * 2)

    assert (done.exit_code, done.stdout.endswith(" frames, no deviation\n")) == (0, True), done.stdout


def test_a_frame_without_a_type_is_told_as_it_is() -> None:
    done = validate("-", given=frames({"callId": 1}))

    assert done.exit_code == 1
    assert "found an object" in done.stdout


def test_what_was_elided_does_not_deviate(tmp_path: Path) -> None:
    path = tmp_path / "recording.jsonl"
    endless = json.dumps({"success": False, "error": "x" * 500}).encode()
    with RecordingWriter(path, elide=100) as writer:
        writer.write(
            RecordedFrame(time=1, connection=1, namespace="llm", direction="to_client", text=endless)
        )

    assert '"elided"' in path.read_text(encoding="utf-8")
    assert validate(str(path)).exit_code == 0


@pytest.mark.parametrize(
    "given",
    [
        frames(GOOD),
        frames(GOOD, GOOD),
        json.dumps(GOOD, indent=2),
        json.dumps([GOOD, {"type": "rpcResult", "callId": 1, "result": []}]),
        "\n\n" + frames(GOOD) + "\n",
        frames({"authVersion": 1, "clientIdentifier": "a", "clientPasskey": "b"}, {"success": True}),
        frames({"type": "channelSend", "channelId": 1, "message": {"type": "cancel"}}),
        frames({"type": "keepAlive"}, {"type": "keepAliveAck"}),
    ],
)
def test_loose_frames_that_fit(given: str) -> None:
    done = validate("-", given=given)

    assert (done.exit_code, "no deviation" in done.stdout) == (0, True), done.stdout


@pytest.mark.parametrize("given", ["", "\n \n", "[]"])
def test_a_check_of_nothing_does_not_pass(given: str) -> None:
    done = validate("-", given=given)

    assert (done.exit_code, done.stdout) == (2, "")
    assert "holds no frame: there is nothing to validate" in done.stderr


def test_loose_frames_with_deviations() -> None:
    done = validate("-", given=frames(GOOD, BAD))

    assert done.exit_code == 1
    assert "line 2, to_server rpcCall: at /callId: expected an integer, found a string ('x')" in done.stdout
    assert "at /more: expected no such key" in done.stdout


def test_payloads_of_loose_frames_are_judged_where_their_endpoint_is_known() -> None:
    call = {"type": "rpcCall", "callId": 1, "endpoint": "tokenize", "parameter": {}}
    packet = {"type": "channelSend", "channelId": 4, "message": {"type": "fragment", "fragment": {}}}

    assert validate("-", given=frames(call)).exit_code == 0
    assert "at /parameter/specifier" in validate("-", "--namespace", "llm", given=frames(call)).stdout
    assert validate("-", "--namespace", "llm", given=frames(packet)).exit_code == 0
    known = validate("-", "--namespace", "llm", "--endpoint", "predict", given=frames(packet))
    assert (
        "to_client llm/predict #4 fragment: at /message/fragment/content: expected a string" in known.stdout
    )


def test_the_direction_of_loose_frames_can_be_told() -> None:
    cancel = frames({"type": "channelSend", "channelId": 4, "message": {"type": "cancel"}})
    place = ["--namespace", "llm", "--endpoint", "predict"]

    assert validate("-", *place, given=cancel).exit_code == 0
    assert validate("-", *place, "--direction", "to_client", given=cancel).exit_code == 1


def test_json_for_programs() -> None:
    done = validate("-", "--json", "--namespace", "llm", given=frames(GOOD, BAD))
    printed = json.loads(done.stdout)

    assert done.exit_code == 1
    assert (printed["valid"], printed["frames"]) == (False, 2)
    first = printed["deviations"][0]
    assert (first["line"], first["direction"], first["type"]) == (2, "to_server", "rpcCall")
    assert (first["pointer"], first["expected"], first["found"]) == (
        "/callId",
        "an integer",
        "a string ('x')",
    )
    assert json.loads(validate("-", "--json", given=frames(GOOD)).stdout) == {
        "valid": True,
        "frames": 1,
        "deviations": [],
    }


@pytest.mark.parametrize("given", [b"no JSON\n", b"\xff\xfe\n", b'{"event":"open"}\n', b'{"connection":1}\n'])
def test_lines_that_are_neither_records_nor_frames_deviate(given: bytes) -> None:
    done = validate("-", given=given)

    assert done.exit_code == 1
    assert done.stdout.startswith("line 1: at (root): expected ")


def test_hostile_text_does_not_reach_the_terminal() -> None:
    done = validate("-", given=frames({"type": "\x1b[2J\x9b1m\nline 9", "\x1b]0;x\x07": 1}))

    assert done.exit_code == 1
    assert all(letter.isprintable() for letter in done.stdout.replace("\n", ""))


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["nowhere.jsonl"], "nowhere.jsonl"),
        ([], "FILE"),
        (["-", "--namespace", "nowhere"], "nowhere"),
        (["-", "--endpoint", "predict"], "--namespace"),
        (["-", "--namespace", "llm", "--endpoint", "nonesuch"], "nonesuch"),
    ],
)
def test_wrong_usage_exits_with_2(arguments: list[str], text: str) -> None:
    done = validate(*arguments, given="")

    assert done.exit_code == 2
    assert text in done.stderr


def test_in_a_process_of_its_own() -> None:
    done = run_program(["-m", "lmwire_tools", "validate", "-"], check=False, stdin=frames(BAD))

    assert (done.returncode, done.stderr) == (1, "")
