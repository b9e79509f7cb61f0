"""The official JavaScript SDK, 1.5.0 and 2.0.0, unmodified, on Node.js, against the emulator."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import attrs
import pytest

from lmwire_emulator import EmulatorThread
from tests.interop import programs
from tests.interop.environments import NODE_SDKS, NodeProject
from tests.interop.frames import FrameTap, Traffic
from tests.interop.scripts import SCRIPT
from tests.support import requires

pytestmark = requires("official-node")

TEXT = " Ada Lovelace"
TOKEN = "sk-lm-AbCd1234:0123456789abcdefghij"


@attrs.frozen
class Run:
    """One run of the program: what its user saw, and what passed on the wire."""

    version: str
    saw: dict[str, Any]
    traffic: Traffic


@pytest.fixture(scope="module", params=NODE_SDKS)
def run(request: pytest.FixtureRequest, official_node: Callable[[str], NodeProject]) -> Run:
    project = official_node(request.param)
    tap = FrameTap()
    with EmulatorThread(script=SCRIPT, on_frame=tap) as emulator:
        saw = programs.run_node(project, "users", emulator.api_host)
    return Run(request.param, saw, tap.traffic())


def test_every_frame_decodes_strictly_and_encodes_back(run: Run) -> None:
    run.traffic.check()
    assert run.saw["warnings"] == []


def test_each_version_completes_in_its_way(run: Run) -> None:
    assert run.traffic.namespaces() == ["llm", "system"]
    used = {endpoint.partition("/")[2] for endpoint in run.traffic.endpoints()}
    way, other = ("predict", "completeRawText")[:: 1 if run.version == "1.5.0" else -1]
    assert way in used
    assert other not in used


def test_it_takes_a_model_that_is_loaded(run: Run) -> None:
    assert run.saw["loaded at first"] == ["emulator/ngram-small"]
    assert run.saw["any model"] == "emulator/ngram-small"


def test_it_completes(run: Run) -> None:
    result = run.saw["complete"]
    assert result["content"] == result["nonReasoningContent"] == TEXT
    assert result["stop_reason"] == "eosFound"
    assert result["prompt_tokens"] == run.saw["count tokens"]
    assert (result["predicted_tokens"], result["total_tokens"]) == (3, 3 + result["prompt_tokens"])
    assert result["tokens_per_second"] > 0 <= result["time_to_first_token"]
    assert result["model"] == "emulator/ngram-small"
    assert result["context_length"] == 4096


def test_its_options_reach_the_server_and_come_back(run: Run) -> None:
    result = run.saw["complete with options"]["result"]
    assert (result["content"], result["temperature"]) == (TEXT, 0.5)
    assert result["max_tokens"] == {"checked": True, "value": 30}
    assert run.saw["complete"]["temperature"] == 0.8
    assert run.saw["complete"]["max_tokens"]["checked"] is False


def test_its_callbacks_are_called_in_order(run: Run) -> None:
    assert run.saw["complete with options"]["callbacks"] == [
        ["progress", 0],
        ["progress", 0.5],
        ["progress", 1],
        ["first token"],
        ["fragment", " Ada"],
        ["fragment", " Lovelace"],
    ]


def test_it_streams(run: Run) -> None:
    stream = run.saw["stream"]
    assert stream["fragments"] == [[" Ada", 1, False, "none"], [" Lovelace", 2, False, "none"]]
    assert stream["result"]["content"] == TEXT


def test_it_cancels(run: Run) -> None:
    cancelled = run.saw["cancel"]
    assert cancelled["fragments"] == [" 1", " 2"]
    assert cancelled["result"]["content"] == " 1 2"
    assert cancelled["result"]["stop_reason"] == "userStopped"
    assert run.saw["abort"] == "userStopped"


def test_it_asks_for_structured_output(run: Run) -> None:
    assert run.saw["structured"]["content"] == '{"x": 7}'


def test_it_uses_presets(run: Run) -> None:
    assert run.saw["preset"]["max_tokens"] == {"checked": True, "value": 12}
    # Only error data that it understands makes this text.
    assert "Here are your available presets:" in run.saw["unknown preset"]["text"]
    assert "Concise (emulator/concise)" in run.saw["unknown preset"]["text"]


def test_it_understands_a_failure_in_mid_stream(run: Run) -> None:
    for told in ("The engine broke", "It was asked to.", "Ask again."):
        assert told in run.saw["failure in mid-stream"]["text"]


def test_it_tokenizes(run: Run) -> None:
    tokens = run.saw["tokenize"]
    assert len(tokens) == run.saw["count tokens"] > 1
    assert run.saw["tokenize several"][:2] == [tokens, []]
    assert len(run.saw["tokenize several"][2]) > 1


def test_it_loads_models_with_progress(run: Run) -> None:
    assert run.saw["load"] == {"identifier": "emulator/ngram-vision", "progress": [0, 0.25, 0.5, 0.75, 1]}
    assert run.saw["loaded model"] == {
        "context_length": 512,
        "info": ["emulator/ngram-vision", "emulator/ngram-vision", 512, True],
    }
    assert run.saw["load again"] == {"identifier": "emulator/ngram-vision", "progress": []}
    assert run.saw["load new instance"] == {"identifier": "second", "progress": [0, 0.25, 0.5, 0.75, 1]}
    assert run.saw["load config"] == [512, 0.5, True, 7]


def test_it_lists_models(run: Run) -> None:
    assert run.saw["loaded now"] == ["emulator/ngram-small", "emulator/ngram-vision", "second"]
    assert {"emulator/ngram-small", "emulator/fails-to-load", "emulator/embed-small"} <= set(
        run.saw["downloaded"]
    )


def test_it_understands_why_a_model_cannot_be_loaded(run: Run) -> None:
    assert 'Cannot find a model with path "nobody/nothing"' in run.saw["unknown key"]["text"]
    assert "emulator/ngram-small-GGUF/ngram-small-Q8_0.gguf" in run.saw["unknown key"]["text"]
    assert "This model is made to fail half way." in run.saw["load failure"]["text"]


def test_it_understands_that_a_model_is_gone(run: Run) -> None:
    for step in ("unloaded model", "unloaded model counts"):
        assert "This model has already been unloaded." in run.saw[step]["text"]
    assert 'The identifier must be exactly "second"' in run.saw["unloaded identifier"]["text"]
    assert run.saw["no model info"] is True


def test_it_goes_on_after_failures(run: Run) -> None:
    assert run.saw["at the same time"] == [TEXT] * 8
    assert run.saw["complete after failures"] == TEXT


def test_2_0_0_authenticates_with_an_api_token(official_node: Callable[[str], NodeProject]) -> None:
    tap = FrameTap()
    with EmulatorThread(script=SCRIPT, on_frame=tap, api_tokens=[TOKEN]) as emulator:
        saw = programs.run_node(official_node("2.0.0"), "token", emulator.api_host, TOKEN)
    tap.traffic().check()
    assert saw["with a token"] == TEXT
    assert "token" in saw["without a token"]["text"]
