"""Every client, official and ours, makes every call against both generations: what passes, and what users see.

What an SDK shows differently from others is data beside the test; the rest is the same for all.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

import pytest

from lmwire.config import LLM_LOAD, LLM_PREDICTION
from lmwire_emulator.generations import GENERATIONS
from lmwire_runtime.surface.options import OptionTable
from tests.interop.calls import EMBEDDING, MODEL, OTHER, Call, Kind
from tests.interop.frames import same
from tests.interop.generations import GAPS, OMISSIONS, expected_warnings
from tests.interop.matrix import CELLS, Run, calls_of, run
from tests.support import requires

TEXT: Final = " Ada Lovelace"
LOADING: Final = [0, 0.25, 0.5, 0.75, 1]


def _made(*names: str) -> Iterator[Any]:
    """The cells whose client can make these calls there."""
    for client, generation in CELLS:
        calls = {call.name for call in calls_of(client, generation)}
        if calls.issuperset(names):
            marks = [requires(client.requirement)] if client.requirement else []
            yield pytest.param((client.name, generation), id=f"{client.name}-{generation}", marks=marks)


def made(*names: str) -> pytest.MarkDecorator:
    """Run a test for each cell whose client can make these calls there."""
    return pytest.mark.parametrize("cell", [*_made(*names)], indirect=True)


def made_each(*names: str) -> pytest.MarkDecorator:
    """Run a test for each of these calls and each cell whose client can make it there."""
    rows = [(cell, name) for name in names for cell in _made(name)]
    return pytest.mark.parametrize(
        ("cell", "name"),
        [pytest.param(*cell.values, name, id=f"{name}-{cell.id}", marks=cell.marks) for cell, name in rows],
        indirect=["cell"],
    )


@pytest.fixture
def cell(request: pytest.FixtureRequest) -> Run:
    name, generation = request.param
    return run(name, generation)


# What passes.


@made()
def test_every_frame_decodes_strictly_and_nobody_warns(cell: Run) -> None:
    cell.traffic.check(expected_warnings(cell.client.sdk, cell.generation))


@made()
def test_an_older_server_leaves_out_what_the_table_says(cell: Run) -> None:
    if (cell.client.sdk, cell.generation) in GAPS:
        assert cell.traffic.omitted <= OMISSIONS[cell.generation]
    else:
        assert cell.traffic.omitted == OMISSIONS[cell.generation]


@made()
def test_the_program_ran_to_its_end(cell: Run) -> None:
    assert [name for name in cell.saw if name != "warnings"] == [call.name for call in cell.calls]


@made()
def test_the_sdk_logs_no_more_than_it_should(cell: Run) -> None:
    logged = list(cell.saw["warnings"])
    if cell.client.sdk == "ours":
        # Ours name the fields that an older server left out, in one line for each kind of message.
        for owner in {owner for owner, _ in cell.traffic.omitted}:
            fields = {repr(field) for whose, field in cell.traffic.omitted if whose == owner}
            (line,) = (line for line in logged if line.startswith(f"{owner}: "))
            assert set(re.findall("'\\w+'", line)) == fields
            logged.remove(line)
    if "new instance of several that match" in cell.saw:
        assert "emulator/ngram-small@q4_k_m" in logged.pop()
    assert logged == []


# Completions.


def _check_result(cell: Run, result: Mapping[str, Any], text: str) -> None:
    assert result["content"] == text
    assert result["model_key"] == MODEL
    assert result["total_tokens"] == result["prompt_tokens"] + result["predicted_tokens"]
    assert result["tokens_per_second"] > 0 <= result["time_to_first_token"]
    if cell.client.is_python:
        assert result["context_length"] == 4096
    else:
        assert result["nonReasoningContent"] == text
        assert result["load_fields"]["llm.load.contextLength"] == 4096


@made_each("complete", "complete nothing", "complete Zürich", "complete after failures")
def test_complete(cell: Run, name: str) -> None:
    result = cell.saw[name]
    _check_result(cell, result, TEXT)
    assert (result["stop_reason"], result["predicted_tokens"]) == ("eosFound", 3)
    if cell.client.is_python:
        assert (result["parsed"], result["structured"], result["max_tokens"]) in (
            (TEXT, False, None),  # the official SDK leaves out what is off
            (TEXT, False, False),
        )


@made_each("respond", "respond to a chat", "respond with options")
def test_respond(cell: Run, name: str) -> None:
    result = cell.saw[name]
    _check_result(cell, result, TEXT)
    assert result["stop_reason"] == "eosFound"


@made("respond stream", "respond stream and cancel", "respond structured")
def test_answers_stream_and_have_a_shape(cell: Run) -> None:
    assert cell.saw["respond stream"]["fragments"] == [
        [" Ada", 1, False, "none"],
        [" Lovelace", 2, False, "none"],
    ]
    assert cell.saw["respond stream and cancel"]["stop_reason"] == "userStopped"
    assert json.loads(cell.saw["respond structured"]["content"]) == {"x": 7}


@made("apply prompt template")
def test_a_prompt_template_is_applied(cell: Run) -> None:
    assert cell.saw["apply prompt template"]["text"].endswith("Human: My name is\nAI: ")


@made("embedding model", "embed", "embed several", "embedding tokens", "embedding info", "list downloaded")
def test_embedding(cell: Run) -> None:
    saw = cell.saw
    assert saw["embedding model"]["identifier"] == EMBEDDING
    assert len(saw["embed several"]["vectors"]) == 3
    assert same(saw["embed several"]["vectors"][2], saw["embed"]["vectors"])
    assert len(saw["embedding tokens"]["tokens"]) == 2
    assert same(saw["embedding info"], {"type": "embedding", "identifier": EMBEDDING, "context_length": 256})
    assert saw["list downloaded"]["keys"] == [EMBEDDING]


@made("complete", "count tokens")
def test_prompt_tokens_are_those_that_are_counted(cell: Run) -> None:
    assert cell.saw["complete"]["prompt_tokens"] == cell.saw["count tokens"]["count"]


@made("stream")
def test_stream(cell: Run) -> None:
    stream = cell.saw["stream"]
    assert stream["fragments"] == [[" Ada", 1, False, "none"], [" Lovelace", 2, False, "none"]]
    _check_result(cell, stream, TEXT)
    assert stream["callbacks"] == [
        ["progress", 0],
        ["progress", 0.5],
        ["progress", 1],
        ["first token"],
        ["fragment", " Ada"],
        ["fragment", " Lovelace"],
        *([["message", TEXT]] if cell.client.is_python else []),
    ]


@made("stream and cancel")
def test_cancel(cell: Run) -> None:
    cancelled = cell.saw["stream and cancel"]
    assert [fragment[0] for fragment in cancelled["fragments"]] == [" 1", " 2"]
    assert (cancelled["content"], cancelled["stop_reason"]) == (" 1 2", "userStopped")


@made("preset")
def test_preset(cell: Run) -> None:
    result = cell.saw["preset"]
    _check_result(cell, result, TEXT)
    if cell.client.is_python:
        assert result["max_tokens"] == 12
    else:
        assert result["fields"]["llm.prediction.maxPredictedTokens"] == {"checked": True, "value": 12}


@made("structured")
def test_structured(cell: Run) -> None:
    result = cell.saw["structured"]
    _check_result(cell, result, '{"x": 7}')
    if cell.client.is_python:
        assert (result["parsed"], result["structured"]) == ({"x": 7}, True)


# Options reach the server, and what it reports is read back.


def _optional(cell: Run, kind: Kind) -> list[Call]:
    return [call for call in cell.calls if call.config and call.kind == kind]


def _endpoints(cell: Run, call: Call) -> set[str]:
    return {frame["endpoint"] for frame in cell.frames[call.name] if "endpoint" in frame}


def _reported(cell: Run, table: OptionTable[Any], config: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of this config that a server of this generation knows."""
    lacks = GENERATIONS[cell.generation].lacking_keys
    return {field["key"]: field["value"] for field in table.to_fields(config) if field["key"] not in lacks}


def _contains(whole: Any, part: Any) -> bool:
    """Whether a setting says what was given, and perhaps more."""
    if isinstance(part, dict) and isinstance(whole, dict):
        return all(key in whole and _contains(whole[key], value) for key, value in part.items())
    return same(whole, part)


def _check_options(
    cell: Run, call: Call, saw: Mapping[str, Any], fields: str, table: OptionTable[Any]
) -> None:
    reported = _reported(cell, table, call.config)
    if not cell.client.is_python:
        if not any(key.startswith(("llm.", "load.")) for key in saw[fields]):
            return  # 2.0.0 gives loads as options, with defaults filled in
        if "completeRawText" not in _endpoints(cell, call):
            reported.pop("llm.prediction.promptTemplate", None)
        for key, value in reported.items():
            assert same(saw[fields][key], value), (call.name, key, saw[fields][key])
        return
    # `raw` is no option of its own, and `predict` has another prompt template in force.
    unread = {"raw"} if "completeRawText" in _endpoints(cell, call) else {"raw", "promptTemplate"}
    for name, value in call.config.items():
        if name not in unread and set(table.option(name).keys) <= reported.keys():
            assert _contains(saw["config"][name], value), (call.name, name, saw["config"])


@made()
def test_prediction_options_come_back(cell: Run) -> None:
    for call in _optional(cell, "completion"):
        saw = cell.saw[call.name]
        _check_result(cell, saw, TEXT)
        _check_options(cell, call, saw, "fields", LLM_PREDICTION)


@made()
def test_load_options_come_back(cell: Run) -> None:
    for call in _optional(cell, "models"):
        saw = cell.saw[call.name]
        assert "error" not in saw, (call.name, saw)
        _check_options(cell, call, saw, "load_fields", LLM_LOAD)


# Failures: what can catch them in Python, and what their text says, whoever shows it.

_GONE: Final = ("LMStudioModelNotFoundError", ("gone",))
_UNKNOWN: Final = ("LMStudioModelNotFoundError", ("nobody/nothing",))
_HALF_WAY: Final = (
    "LMStudioServerError",
    ("Failed to load the model", "This model is made to fail half way."),
)
ERRORS: Final[Mapping[str, tuple[str, tuple[str, ...]]]] = {
    "unknown preset": ("LMStudioPresetNotFoundError", ("nonesuch", "emulator/concise")),
    "failure in mid-stream": ("LMStudioServerError", ("The engine broke", "It was asked to.", "Ask again.")),
    "count tokens of a model that is gone": _GONE,
    "info of a model that is gone": _GONE,
    "complete with a model that is gone": _GONE,
    "new instance under a name that is taken": ("LMStudioServerError", (MODEL, "is in use")),
    "unknown model": _UNKNOWN,
    "new instance of an unknown model": _UNKNOWN,
    "model of another namespace": ("LMStudioServerError", (EMBEDDING, "embedding")),
    "load failure": _HALF_WAY,
    "new instance that fails": _HALF_WAY,
    "load that is refused": ("LMStudioServerError", ("more memory than there is", "Load a smaller model.")),
    "unload what is not loaded": ("LMStudioServerError", ("nonesuch",)),
}
# 1.5.0 has no class of its own for a path that is not found.
_PLAIN: Final = {("python-1.5.0", name) for name in ("unknown model", "new instance of an unknown model")}
_WRITES_NOTHING: Final = frozenset({"info of a model that is gone"})


@made_each(*ERRORS)
def test_failures(cell: Run, name: str) -> None:
    kind, texts = ERRORS[name]
    failure = cell.saw[name]
    if not cell.client.is_python and name in _WRITES_NOTHING:
        assert failure == {"identifier": None}
        return
    assert "error" in failure, failure
    # JavaScript 1.5.0 draws a box around its lines, which it breaks.
    text = " ".join(failure["text"].replace("│", " ").split())
    for part in texts:
        assert part in text
    if not cell.client.is_python:
        assert failure["error"] == "Error"
    elif cell.client.module == "lmwire":
        assert "RemoteError" in failure["classes"]
    else:
        assert kind in failure["classes"] or (cell.client.sdk, name) in _PLAIN
        assert "LMStudioServerError" in failure["classes"]


@made("failure in mid-stream")
def test_a_failure_in_mid_stream_comes_after_what_was_said(cell: Run) -> None:
    assert cell.saw["failure in mid-stream"]["fragments"] == [[" Well,", 1, False, "none"]]


@made("closed in mid-stream")
def test_a_stream_that_closes_without_a_result_is_an_error(cell: Run) -> None:
    closed = cell.saw["closed in mid-stream"]
    assert [fragment[0] for fragment in closed["fragments"]] == [" Well,"]
    kind = {
        "lmwire": "IncompleteError",
        "lmstudio": "LMStudioRuntimeError"
        if cell.client.sdk == "python-1.5.0"
        else "LMStudioChannelClosedError",
    }
    assert kind[cell.client.module or ""] in closed["classes"]


# Tokens.


@made("tokenize", "tokenize several")
def test_tokens(cell: Run) -> None:
    tokens = cell.saw["tokenize"]["tokens"]
    assert len(tokens) == cell.saw["count tokens"]["count"] > 1
    assert all(type(token) is int for token in tokens)
    several = cell.saw["tokenize several"]["tokens"]
    assert several[:2] == [tokens, []]
    assert len(several[2]) > 1


# Models.


@made("info")
def test_info(cell: Run) -> None:
    assert cell.saw["info"] == {
        "identifier": MODEL,
        "model_key": MODEL,
        "context_length": 4096,
        "max_context_length": 32768,
        "vision": False,
        "format": "gguf",
    }
    assert cell.saw["context length"] == {"context_length": 4096}
    # 2.0.0 says nothing of the length, which it takes to be fitted to the memory by the server.
    length = None if cell.client.sdk == "js-2.0.0" else 4096
    assert cell.saw["load config"] == {"context_length": length}


@made("any model", "list loaded")
def test_lists(cell: Run) -> None:
    assert cell.saw["any model"]["identifier"] == MODEL
    assert cell.saw["list loaded"]["identifiers"] == [MODEL]
    assert cell.saw["list loaded at the end"]["identifiers"] == [MODEL]


@made_each("model", "model by its path", "model ttl=60", "model ttl=90.5", "model ttl=None")
def test_model_that_has_to_be_loaded(cell: Run, name: str) -> None:
    loaded = cell.saw[name]
    assert (loaded["identifier"], loaded["progress"]) == (OTHER, LOADING)


@made("model that is loaded")
def test_model_that_is_loaded(cell: Run) -> None:
    # JavaScript users hear of no progress where there was none, Python users that it is done.
    progress = [1] if cell.client.is_python else []
    assert cell.saw["model that is loaded"] == {"identifier": MODEL, "progress": progress}


INSTANCES: Final[Mapping[str, str]] = {
    "new instance": f"{MODEL}:2",
    "new instance with a name": "named",
    "new instance ttl=60": "named",
    "new instance of several that match": f"{MODEL}:2",
}


@made_each(*INSTANCES)
def test_new_instance(cell: Run, name: str) -> None:
    loaded = cell.saw[name]
    assert (loaded["identifier"], loaded["progress"]) == (INSTANCES[name], LOADING)
