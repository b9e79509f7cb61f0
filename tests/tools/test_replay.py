"""`lmwire replay`: recordings as servers and as clients."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect
from websockets.typing import Origin

import lmwire
from lmwire import Client
from lmwire_emulator import EmulatorThread, parse_script
from lmwire_runtime.addresses import parse_address
from lmwire_tools.cli import main
from lmwire_tools.conformance.raw import Server
from lmwire_tools.recorder import Recorder
from lmwire_tools.recordings import Opened, RecordedFrame, RecordingWriter
from lmwire_tools.replay_client import Compared, drive
from lmwire_tools.replay_comparing import VOLATILE, differences, same
from lmwire_tools.replay_server import ReplayServer
from lmwire_tools.replay_stories import Story, UnusableRecordingError, stories_of_file
from tests.support.emulators import run_program
from tests.tools.transcripts import TRANSCRIPTS

ENOUGH = 30.0
PROMPTS = ("My name is", "The sky is")


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What two completions, a cancelled one, a failure and a few calls look like."""
    path = tmp_path_factory.mktemp("recorded") / "session.jsonl"
    rules = [
        *({"match": {"exact": prompt}, "reply": {"fragments": list(prompt.split())}} for prompt in PROMPTS),
        {"match": {"exact": "Count"}, "reply": {"fragments": [" 1", " 2"], "end": "hang"}},
    ]
    with (
        EmulatorThread(script=parse_script({"rules": rules})) as emulator,
        Recorder(path) as recorder,
        Client(emulator.api_host, on_frame=recorder) as client,
    ):
        use(client)
    return path


def use(client: Client, prompts: tuple[str, ...] = PROMPTS) -> list[str]:
    """Do what is recorded; returns what came of it."""
    model = client.llm.model()
    told = [model.complete(prompt, config={"temperature": 0.5}).content for prompt in prompts]
    stream = model.complete_stream("Count")
    fragments = iter(stream)
    told += [str(next(fragments)), str(next(fragments))]
    stream.cancel()
    told += [str(fragment) for fragment in fragments]
    told.append(str(stream.result().stats.stop_reason))
    told.append(str(model.count_tokens("Hello") > 0))
    with pytest.raises(lmwire.LMWireError):
        client.llm.model("nobody/nothing")
    told.append(str(client.system.rpc.version().version))
    return told


@pytest.fixture
def server(recording: Path) -> Iterator[ReplayServer]:
    with ReplayServer(stories_of_file(recording)) as server:
        yield server


def driven(api_host: str, stories: list[Story], *ignore: str) -> list[Compared]:
    return list(drive(Server.at(parse_address(api_host), timeout=ENOUGH), stories, ignore=ignore))


# As a server.


def test_a_client_gets_what_was_recorded(server: ReplayServer) -> None:
    with Client(server.api_host) as client:
        told = use(client)
    assert told[:6] == ["Mynameis", "Theskyis", " 1", " 2", "userStopped", "True"]
    assert (server.mismatches, server.unused) == ([], [])


def test_requests_may_come_in_another_order_and_again(server: ReplayServer) -> None:
    with Client(server.api_host) as client:
        told = use(client, (*reversed(PROMPTS), PROMPTS[0]))
    assert told[:3] == ["Theskyis", "Mynameis", "Mynameis"]
    assert server.mismatches == []


def test_a_request_that_was_not_recorded_fails_and_is_told(server: ReplayServer) -> None:
    with Client(server.api_host) as client:
        with pytest.raises(lmwire.ChannelError, match="the recording has no such request") as raised:
            client.llm.model().complete("My name is", config={"temperature": 0.75})
        with pytest.raises(lmwire.RpcError, match="no such request"):
            client.llm.rpc.get_model_info(
                specifier=lmwire.llm.ModelSpecifierInstanceReference(instance_reference="x"),
                throw_if_not_found=True,
            )
    assert "temperature: recorded 0.5, now 0.75" in str(raised.value)
    first, second = server.mismatches
    assert first.startswith('the recording has no such request: llm.completeRawText {"modelSpecifier"')
    assert "no request of that endpoint was recorded; it has llm.completeRawText, llm.countTokens" in second
    assert len(server.unused) > 1


def test_a_packet_that_was_not_recorded_is_told(recording: Path) -> None:
    stories = stories_of_file(recording)
    (cancelled,) = (story for story in stories if story.said("to_server"))
    (step,) = (step for step in cancelled.steps if step.direction == "to_server")
    cancelled.steps[cancelled.steps.index(step)] = type(step)(
        "to_server", {**step.frame, "message": {"type": "x"}}
    )
    with ReplayServer(stories) as server, Client(server.api_host) as client:
        use(client)
    (told,) = server.mismatches
    assert told.endswith('/type: recorded "x", now "cancel"')


def test_web_pages_are_refused(server: ReplayServer) -> None:
    url = f"ws://{server.api_host}/llm"
    with connect(url, origin=Origin("http://localhost:3000"), proxy=None):
        pass
    with (
        pytest.raises(InvalidStatus) as raised,
        connect(url, origin=Origin("https://example.org"), proxy=None),
    ):
        pass
    assert raised.value.response.status_code == 403


# As a client.


def test_a_server_answers_as_it_was_recorded(recording: Path) -> None:
    stories = stories_of_file(recording)
    with ReplayServer(stories) as server:
        compared = driven(server.api_host, stories)
    assert [one.name for one in compared][:4] == [
        "llm.listLoaded",
        "llm.completeRawText",
        "llm.completeRawText #2",
        "llm.completeRawText #3",
    ]
    assert [(one.differences, one.aside) for one in compared] == [([], 0)] * len(stories)


def test_what_another_server_says_is_compared(recording: Path) -> None:
    stories = stories_of_file(recording)
    rules = [
        {"match": {"exact": PROMPTS[0]}, "reply": {"fragments": ["Mynam", "eis"]}},
        {"match": {"any": True}, "reply": {"fragments": ["other"], "end": "maxPredictedTokensReached"}},
    ]
    with EmulatorThread(script=parse_script({"rules": rules})) as emulator:
        compared = driven(emulator.api_host, stories)
        ignored = driven(
            emulator.api_host, stories, r"/text|.*/(stopReason|predictedTokensCount|totalTokensCount)"
        )
    found = {one.name: [difference.pointer for difference in one.differences] for one in compared}
    # Instances have another name here, and nothing takes as long as it took; where the text is cut, is not compared.
    assert all(one.aside for one in compared if one.name.startswith("llm.completeRawText"))
    assert found.pop("llm.completeRawText") == [
        "/packets/0/stats/predictedTokensCount",
        "/packets/0/stats/totalTokensCount",
    ]
    assert "/text" in found.pop("llm.completeRawText #2")
    assert "/packets/0/stats/stopReason" in found.pop("llm.completeRawText #3")
    assert set(map(str, found.values())) == {"[]"}
    assert [one.differences for one in ignored] == [[]] * len(stories)


@pytest.mark.parametrize("path", TRANSCRIPTS, ids=lambda path: path.stem)
def test_transcripts_of_real_clients_are_replayed(path: Path) -> None:
    stories = stories_of_file(path)
    with ReplayServer(stories) as server:
        compared = driven(server.api_host, stories)
        assert (server.mismatches, server.unused) == ([], [])
    assert [(one.name, one.differences) for one in compared if one.differences] == []
    assert compared


# What means the same.


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (10, 10.0),
        ({"a": 1, "b": 2}, {"b": 2, "a": 1}),
        (
            [{"key": "x", "value": 1}, {"key": "y", "value": 2}],
            [{"key": "y", "value": 2}, {"key": "x", "value": 1}],
        ),
    ],
)
def test_the_same_in_other_words(one: object, other: object) -> None:
    assert same(one, other)


@pytest.mark.parametrize(
    ("one", "other", "told"),
    [
        (1, True, "/: recorded 1, now true"),
        ({"a": None}, {}, "/a: recorded null, now nothing"),
        ([1, 2], [2, 1], "/0: recorded 1, now 2"),
        ([{"key": "x", "value": 1}], [{"key": "x", "value": 2}], "/x: recorded 1, now 2"),
        ({"a": {}}, {"a": []}, "/a: recorded {}, now []"),
    ],
)
def test_what_differs(one: object, other: object, told: str) -> None:
    assert str(next(differences(one, other))) == told


def test_volatile_things_are_said_why() -> None:
    for pattern, reason in VOLATILE.items():
        re.compile(pattern)
        assert reason


# The command.


def test_the_command_compares(recording: Path, tmp_path: Path) -> None:
    with EmulatorThread(script=parse_script({"rules": [{"reply": {"fragments": ["other"]}}]})) as emulator:
        done = run_program(
            ["-m", "lmwire_tools", "replay", str(recording), "--to", emulator.api_host], check=False
        )
        again = CliRunner().invoke(main, ["replay", str(recording), "--to", emulator.api_host, "--json"])
    assert (done.returncode, again.exit_code) == (1, 1)
    assert '      - "Mynameis"\n      + "other"\n' in done.stdout
    assert "same  llm.listLoaded" in done.stdout
    requests = json.loads(again.stdout)["requests"]
    assert {"pointer": "/text", "recorded": '"Mynameis"', "actual": '"other"'} in requests[1]["differences"]


@pytest.mark.skipif(sys.platform == "win32", reason="Ctrl-C cannot be sent to one process there")
def test_the_command_serves(recording: Path) -> None:
    command = [sys.executable, "-m", "lmwire_tools", "replay", str(recording)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        line = process.stdout.readline()
        found = re.search(r"ws://([\d.:]+);", line)
        assert found is not None, line
        done = run_program(["-m", "lmwire_tools", "replay", str(recording), "--to", found[1]])
        assert "0 answered otherwise than recorded" in done.stdout
        with Client(found[1]) as client, pytest.raises(lmwire.ChannelError):
            client.llm.model().complete("never asked")
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=ENOUGH)
    assert process.returncode == 1
    assert "the recording has no such request: llm.completeRawText" in said
    assert "Traceback" not in said


def test_a_recording_that_was_cut_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "cut.jsonl"
    with RecordingWriter(path, elide=4) as writer:
        call = {
            "type": "rpcCall",
            "endpoint": "countTokens",
            "callId": 1,
            "parameter": {"inputString": "long text"},
        }
        writer.write(Opened(time=0, connection=1, namespace="llm"))
        writer.write(
            RecordedFrame(
                time=0, connection=1, namespace="llm", direction="to_server", text=json.dumps(call).encode()
            )
        )
    with pytest.raises(UnusableRecordingError, match="was cut"):
        stories_of_file(path)


@pytest.mark.parametrize(
    ("content", "told"), [("{}\n", "line 1: not a record"), ("", "there is no request in it")]
)
def test_a_file_that_is_no_recording_is_said_in_a_line(tmp_path: Path, content: str, told: str) -> None:
    path = tmp_path / "no.jsonl"
    path.write_text(content, encoding="utf-8")
    done = CliRunner().invoke(main, ["replay", str(path)])

    assert done.exit_code == 1
    assert done.output.startswith("Error: ")
    assert told in done.output


def test_nobody_elsewhere_gets_a_recording(recording: Path) -> None:
    done = CliRunner().invoke(main, ["replay", str(recording), "--host", "0.0.0.0"])

    assert done.exit_code == 2
    assert "0.0.0.0: recordings are replayed on this machine alone" in done.output
