"""The official Python SDK 1.5.0, unmodified, in an environment and a process of its own, against the emulator."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import attrs
import pytest

from lmwire_emulator import EmulatorThread
from tests.interop import programs
from tests.interop.frames import FrameTap, Traffic
from tests.interop.scripts import SCRIPT
from tests.support import requires

pytestmark = requires("official-python")

TEXT = " Ada Lovelace"


@attrs.frozen
class Run:
    """One run of a group of the program: what its user saw, and what passed on the wire."""

    group: str
    saw: dict[str, Any]
    traffic: Traffic


@pytest.fixture(scope="module", params=["sync", "async"])
def run(request: pytest.FixtureRequest, official_python: Path) -> Run:
    tap = FrameTap()
    with EmulatorThread(script=SCRIPT, on_frame=tap) as emulator:
        saw = programs.run_python(official_python, request.param, emulator.api_host)
    return Run(request.param, saw, tap.traffic())


def test_every_frame_decodes_strictly_and_encodes_back(run: Run) -> None:
    run.traffic.check()
    assert run.saw["warnings"] == []


def test_which_connections_it_opens(run: Run) -> None:
    # Two more clients follow in the synchronous program.
    expected = {
        "sync": ["llm", "system", "llm", "llm"],
        "async": ["embedding", "files", "llm", "repository", "system"],
    }
    assert run.traffic.namespaces() == expected[run.group]


def test_it_takes_a_model_that_is_loaded(run: Run) -> None:
    assert run.saw["loaded at first"] == ["emulator/ngram-small"]
    assert run.saw["any model"] == "emulator/ngram-small"


def test_it_completes(run: Run) -> None:
    result = run.saw["complete"]
    assert result["content"] == result["text"] == result["parsed"] == TEXT
    assert (result["stop_reason"], result["structured"]) == ("eosFound", False)
    assert result["prompt_tokens"] == run.saw["count tokens"]
    assert (result["predicted_tokens"], result["total_tokens"]) == (3, 3 + result["prompt_tokens"])
    assert result["tokens_per_second"] > 0 <= result["time_to_first_token"]
    assert result["model"] == "emulator/ngram-small"


def test_its_options_reach_the_server_and_come_back(run: Run) -> None:
    result = run.saw["complete with options"]["result"]
    assert (result["content"], result["temperature"], result["max_tokens"]) == (TEXT, 0.5, 30)
    assert (run.saw["complete"]["temperature"], run.saw["complete"]["max_tokens"]) == (0.8, None)


def test_its_callbacks_are_called_in_order(run: Run) -> None:
    assert run.saw["complete with options"]["callbacks"] == [
        ["progress", 0],
        ["progress", 0.5],
        ["progress", 1],
        ["first token"],
        ["fragment", " Ada"],
        ["fragment", " Lovelace"],
        ["message", TEXT],
    ]


def test_it_streams(run: Run) -> None:
    stream = run.saw["stream"]
    assert stream["fragments"] == [[" Ada", 1, False, "none"], [" Lovelace", 2, False, "none"]]
    assert stream["result"]["content"] == TEXT
    assert run.saw["stream in a context"] == {"text": TEXT, "stop_reason": "eosFound"}


def test_it_cancels(run: Run) -> None:
    cancelled = run.saw["cancel"]
    assert cancelled["fragments"] == [" 1", " 2"]
    assert cancelled["result"]["content"] == " 1 2"
    assert cancelled["result"]["stop_reason"] == "userStopped"


def test_it_parses_structured_output(run: Run) -> None:
    result = run.saw["structured"]
    assert (result["content"], result["parsed"], result["structured"]) == ('{"x": 7}', {"x": 7}, True)


def test_it_uses_presets(run: Run) -> None:
    assert (run.saw["preset"]["content"], run.saw["preset"]["max_tokens"]) == (TEXT, 12)
    unknown = run.saw["unknown preset"]
    assert unknown["error"] == "LMStudioPresetNotFoundError"
    assert "nonesuch" in unknown["text"]
    assert "emulator/concise" in unknown["text"]


def test_it_understands_a_failure_in_mid_stream(run: Run) -> None:
    failed = run.saw["failure in mid-stream"]
    assert failed["error"] == "LMStudioServerError"
    for told in ("The engine broke", "It was asked to.", "Ask again."):
        assert told in failed["text"]


def test_it_tokenizes(run: Run) -> None:
    tokens = run.saw["tokenize"]
    assert len(tokens) == run.saw["count tokens"] > 1
    assert all(type(token) is int for token in tokens)
    assert run.saw["tokenize several"][:2] == [tokens, []]
    assert len(run.saw["tokenize several"][2]) > 1


def test_it_loads_models_with_progress(run: Run) -> None:
    assert run.saw["load"] == {"identifier": "emulator/ngram-vision", "progress": [0, 0.25, 0.5, 0.75, 1]}
    assert run.saw["loaded model"] == {
        "context_length": 512,
        "config": [512, 0.5, True, 7],
        "info": ["emulator/ngram-vision", "emulator/ngram-vision", 512, True],
    }
    assert run.saw["load again"] == {"identifier": "emulator/ngram-vision", "progress": [1]}
    assert run.saw["load new instance"] == {"identifier": "second", "progress": [0, 0.25, 0.5, 0.75, 1]}


def test_it_lists_models(run: Run) -> None:
    assert run.saw["loaded now"] == ["emulator/ngram-small", "emulator/ngram-vision", "second"]
    assert {"emulator/ngram-small", "emulator/fails-to-load", "emulator/embed-small"} <= set(
        run.saw["downloaded"]
    )


def test_it_understands_why_a_model_cannot_be_loaded(run: Run) -> None:
    unknown, broken = run.saw["unknown key"], run.saw["load failure"]
    # 1.5.0 has no class of its own for a path that is not found.
    assert unknown["error"] == broken["error"] == "LMStudioServerError"
    assert "nobody/nothing" in unknown["text"]
    assert "This model is made to fail half way." in broken["text"]


def test_it_understands_that_a_model_is_gone(run: Run) -> None:
    for step in ("unloaded model", "unloaded model counts"):
        assert run.saw[step]["error"] == "LMStudioModelNotFoundError"
        assert "second" in run.saw[step]["text"]


def test_it_goes_on_after_failures(run: Run) -> None:
    assert run.saw["complete after failures"] == TEXT
    if run.group == "async":
        assert run.saw["at the same time"] == [TEXT] * 8
    else:
        assert run.saw["break"] == " 1"
        assert run.saw["valid host"] is True
        assert run.saw["without a context"] == TEXT
        assert run.saw["module functions"] == ["emulator/ngram-small", TEXT]
        assert "emulator/ngram-small" in run.saw["module list"]


def _check_story(saw: dict[str, Any]) -> None:
    story = saw["story"]
    assert "".join(story["fragments"]) == story["result"]["content"]
    assert len(story["fragments"]) > 1
    assert story["result"]["stop_reason"] in ("maxPredictedTokensReached", "eosFound")
    assert 1 <= story["result"]["predicted_tokens"] <= 20
    assert saw["warnings"] == []


def test_it_streams_what_a_language_model_makes(official_python: Path) -> None:
    tap = FrameTap()
    with EmulatorThread(on_frame=tap) as emulator:
        _check_story(programs.run_python(official_python, "story", emulator.api_host))
    tap.traffic().check()


def test_it_finds_the_emulator_on_lm_studios_port(official_python: Path) -> None:
    emulator = EmulatorThread(port=41343)
    try:
        emulator.start()
    except OSError:
        pytest.skip("something else listens on LM Studio's first local port, 41343")
    try:
        _check_story(programs.run_python(official_python, "story"))
    finally:
        emulator.close()


def test_it_notices_that_it_is_refused(official_python: Path) -> None:
    tap = FrameTap()
    with EmulatorThread(on_frame=tap, api_tokens=["sk-lm-AbCd1234:0123456789abcdefghij"]) as emulator:
        saw = programs.run_python(official_python, "refused", emulator.api_host)
    assert saw["refused"]["error"] == "ValueError"
    traffic = tap.traffic()
    traffic.check()
    assert [frame.data.get("success") for frame in traffic.connections[0].frames] == [None, False]
