"""The official SDKs make the second list of calls (``namespace_calls``): what passes, and what their users see.

What users see is data beside the tests, the same for all SDKs but where it says otherwise.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

import pytest

from lmwire_emulator import Generation
from lmwire_emulator.endpoints import ENDPOINTS
from tests.interop.calls import EMBEDDING, MODEL, OTHER
from tests.interop.frames import same
from tests.interop.generations import OMISSIONS
from tests.interop.matrix import OFFICIAL, Run, run_namespaces
from tests.interop.namespace_calls import (
    ENGINE,
    NAMESPACE_CALLS,
    NAMESPACE_OMISSIONS,
    NOTE,
    namespace_calls_of,
)
from tests.support import requires

GENERATIONS: Final[tuple[Generation, ...]] = ("2026", "2025")
CELLS: Final = [
    pytest.param(
        (client.name, generation), id=f"{client.name}-{generation}", marks=requires(client.requirement)
    )
    for client in OFFICIAL
    for generation in GENERATIONS
    if client.requirement is not None
]

# What the judge of frames hears of no SDK here: calls that only the first list has, or that no SDK has.
ELSEWHERE: Final = {
    "llm.completeRawText",
    "embedding.tokenize",
    "embedding.getBasePredictionConfig",
}

ADA: Final = " Ada Lovelace"
TENTHS: Final = [step / 10 for step in range(11)]
LOADING: Final = [0, 0.25, 0.5, 0.75, 1]
DOWNLOADED: Final = {"progress": TENTHS, "finalizing": 1}
BEGUN: Final = {"downloadedBytes": 1, "totalBytes": 10, "speedBytesPerSecond": 0.5}
GIVEN_UP: Final = {"error": "AbortError"}
PARSER: Final = {"library": "emulator-text", "version": "1.0.0"}
FACTS: Final = ["llm", MODEL, 32768]
SMALL: Final = ["embedding", EMBEDDING, 2048]
USER: Final = "emulated-user"
FILES: Final = [["manifest.json", 94], ["src/index.js", 30]]
STEPS: Final = [
    told
    for step in ("loading", "chunking", "embedding")
    for told in (
        ["onFileProcessingStepStart", step],
        ["onFileProcessingStepProgress", step, 0],
        ["onFileProcessingStepProgress", step, 1],
        ["onFileProcessingStepEnd", step],
    )
]
BY_HASHING: Final = ["MLX", "hashing-linux-x86_64", "1.0.0"]


def _engines(selected: str, *versions: str) -> dict[str, Any]:
    return {
        "engines": [
            [ENGINE, "1.0.0"],
            ["hashing-linux-x86_64", "1.0.0"],
            *([ENGINE, version] for version in versions),
        ],
        "selections": [["GGUF", ENGINE, selected], BY_HASHING],
    }


def _plan(version: int, state: str, size: int, *kinds: str) -> dict[str, Any]:
    return {"version": version, "nodes": [[kind, state] for kind in kinds], "size": size}


def _memory(model: int, context: int) -> dict[str, Any]:
    total = model + context
    return {
        "memory": {
            "confidence": "high",
            "modelVramBytes": model,
            "contextVramBytes": context,
            "totalVramBytes": total,
            "modelBytes": model,
            "contextBytes": context,
            "totalBytes": total,
        },
        "passesGuardrails": True,
    }


SEEN: Final[Mapping[str, Mapping[str, Any]]] = {
    # Chats.
    "act": {
        "called": [[1, 2]],
        "messages": [["assistant", "Let me see."], ["tool", ""], ["assistant", " It is 3."]],
        "fragments": [["Let me see.", 0], [" It is", 1], [" 3.", 1]],
        "rounds_told": [0, 1],
        "rounds": 2,
    },
    "prepare an image": {"name": "dot.png", "type": "image", "size": 70},
    "prepare an image in memory": {"name": "x.png", "type": "image", "size": 70},
    "respond to an image": {"content": ADA},
    "respond to data": {
        "content": ADA,
        "prompt": "Instruct: Be brief.\nHuman: Look: \nAI: Hm.\nHuman: three\nAI: ",
    },
    # Models.
    **{
        f"{begin} and cancel, {namespace}": {"told": [0.25], **GIVEN_UP}
        for begin in ("load", "get")
        for namespace in ("llm", "embedding")
    },
    "life of a language model": {
        "progress": LOADING,
        "identifier": "mine",
        "info": ["llm", OTHER, 8192],
        "context_length": 512,
        "tokens": 3,
        "loaded": [MODEL, "mine"],
        "left": [MODEL],
    },
    "life of an embedding model": {
        "progress": LOADING,
        "identifier": "mine",
        "info": SMALL,
        "context_length": 256,
        "tokens": 3,
        "size": 384,
        "loaded": ["mine"],
        "left": [],
    },
    "use any model of a path": {"tokens": 3},
    "downloaded embedding models": {"models": [SMALL]},
    "use what is downloaded, llm": {"identifiers": [OTHER, "another"]},
    "use what is downloaded, embedding": {"identifiers": [EMBEDDING, "another"]},
    "variants of a model": {"models": [FACTS, ["llm", f"{MODEL}@q4_k_m", 32768]]},
    "state of a model": {"state": {"status": "idle", "queued": 0}},
    "state of an embedding model": {"state": {"status": "idle", "queued": 0}},
    "estimate": _memory(3_000_000, 2_097_152),
    "estimate of an embedding model": _memory(4_000_000, 4_194_304),
    "preload a draft model": {"loaded": [MODEL, OTHER]},
    "unload the draft model": {},
    # Files.
    "prepare a file": {"name": "note.txt", "type": "text/plain", "size": len(NOTE)},
    "prepare a file in memory": {"name": "x.pdf", "type": "application/pdf", "size": 9},
    "parser of a file": {"parser": PARSER},
    "parse and cancel": {"told": [0.5], **GIVEN_UP},
    "parse": {"progress": [0, 0.5, 1], "loaded": PARSER, "content": NOTE, "parser": PARSER},
    "retrieve and cancel": GIVEN_UP,
    "retrieve": {
        "told": [
            ["onFileProcessList"],
            ["onFileProcessingStart", 0],
            *STEPS,
            ["onFileProcessingEnd", 0],
            ["onSearchingStart"],
            ["onSearchingEnd"],
        ],
    },
    # The repository.
    "search": {"models": [["emulator/ngram-large", False, True], ["emulator/ngram-mlx", False, False]]},
    "search for one": {"models": [["emulator/ngram-mlx", True, False]]},
    "search for a format": {"models": [["emulator/ngram-mlx", False, False]]},
    "download options": {
        "options": [
            ["Q4_K_M", 12_000_000, "fullGPUOffload", True],
            ["Q8_0", 20_000_000, "fullGPUOffload", False],
            ["F16", 90_000_000, "willNotFit", False],
        ]
    },
    "download and cancel": {"told": [BEGUN], **GIVEN_UP},
    "download": {**DOWNLOADED, "key": "emulator/ngram-large@q8_0", "is_there": True},
    "download artifact and cancel": {"told": [BEGUN], **GIVEN_UP},
    "download artifact": {"finalizing": 1, "files": FILES},
    "install dependencies": {},
    "install plugin": {},
    "account of nobody": {"signed_in": False, "status": {"type": "none"}, "owners": []},
    "account": {
        "signed_in": True,
        "status": {"type": "loggedInUser", "userName": USER},
        "owners": [USER, "emulated-organization"],
    },
    "sign out": {},
    "become a compute device": {
        "status": {"type": "computeDevice", "ownerUsername": USER, "ownerIsOrganization": False}
    },
    "sign in by keys": {"user": USER},
    "sign in again": {"codes": []},
    "push artifact": {"messages": ["Uploading 2 files", f"Published {USER}/calculator"]},
    "catalogue": {
        "models": [
            ["emulator/ngram-large", "model", "llm"],
            ["emulator/ngram-mlx", "model", "llm"],
            ["emulator/embed-large", "model", "embedding"],
        ]
    },
    "staff picks": {"models": [["emulator/ngram-large", False]]},
    "link": {
        "before": ["online", [], 1, "Emulator", None],
        "renamed": ["online", [], 1, "Attic", "emulated-desktop"],
        "disabled": ["offline", ["deviceDisabled"], 0, "Attic", "emulated-desktop"],
    },
    "plan a model": {
        "ready_at_first": False,
        "plans": [
            _plan(0, "pending", 0, "model"),
            _plan(0, "fetching", 0, "model"),
            _plan(1, "satisfied", 12_000_000, "model"),
        ],
        "plan": _plan(1, "satisfied", 12_000_000, "model"),
        **DOWNLOADED,
    },
    "plan given up": {"plan": _plan(0, "satisfied", 9_000_000, "model")},
    "plan an artifact": {"plan": _plan(0, "satisfied", 124, "artifact", "model"), "finalizing": 1},
    # The application.
    "application": {"isDaemon": True, "version": "0.4.99"},
    "notify": {},
    "flags": {"on": ["a", "b"], "left": ["b"]},
    "HTTP server": {},
    # Logs.
    "logs of servers of 2026": {
        "texts": {"llm.prediction.input": "Human: My name is\nAI: ", "llm.prediction.output": ADA},
        "stamped": True,
    },
    "logs of servers of 2025": {
        "texts": {"llm.prediction.input": "Human: My name is\nAI: "},
        "stamped": True,
    },
    # Engines.
    "engines": _engines("1.0.0"),
    "search engines": {"engines": [[ENGINE, version, ["1.0.0"]] for version in ("1.0.0", "1.1.0")]},
    "search engines of a channel": {
        "engines": [[ENGINE, version, ["1.0.0"]] for version in ("1.0.0", "1.1.0", "1.2.0-beta.1")]
    },
    "download engine and cancel": {"told": [BEGUN], **GIVEN_UP},
    "download engine": DOWNLOADED,
    "engines now": _engines("1.1.0", "1.1.0"),
    "select engine": {},
    "engines selected": _engines("1.0.0", "1.1.0"),
    "remove engine": {},
    "engines at the end": _engines("1.0.0"),
    "hardware": {"status": "ok"},
    "hardware for all engines": {"status": "ok"},
}

_CODE: Final = {
    "code": "EMUL-ATED",
    "manualUrl": "https://hub.invalid/activate",
    "filledUrl": "https://hub.invalid/activate?code=EMUL-ATED",
}
BY_GENERATION: Final[Mapping[str, Mapping[Generation, Mapping[str, Any]]]] = {
    "version": {"2026": {"version": "0.4.99", "build": 1}, "2025": {"version": "0.3.22", "build": 1}},
    "wait for the end": {"2026": {"version": "0.4.99"}, "2025": {"version": "0.3.22"}},
    # Codes came in 2026; addresses, which servers showed before, are none of today's packets.
    "sign in": {"2026": {"codes": [_CODE]}, "2025": {"codes": []}},
}

# Failures, whose text each SDK lays out in its own way.
ERRORS: Final[Mapping[str, tuple[str, ...]]] = {
    "use an embedding model that is gone": ("gone",),
    "use a language model that is gone": ("gone", MODEL),
    "use any model of no such path": ("no/such", MODEL),
    "unknown embedding model": ("nobody/nothing",),
    "language model for embedding": (MODEL, "embedding"),
    "unload an unknown embedding model": ("nonesuch",),
    "parser of a file that none reads": ("x.pdf", "application/pdf"),
    "parse what nothing reads": ("x.pdf", "application/pdf"),
    "download an unknown artifact": ("emulator/nonesuch", "emulator/calculator"),
    "files of an unknown artifact": ("/nowhere",),
    "push an artifact of nobody": ("not signed in", "ensureAuthenticated"),
    "stop the HTTP server": ("not running",),
    "shut down": ("may not",),
    "download an unknown engine": ("nonesuch", ENGINE),
    "select an engine that is not there": ("is not installed", ENGINE),
}

# What a test of its own looks at.
OTHERWISE: Final = {"downloaded", "downloaded language models", "base prediction config", "path of a file"}

# What the JavaScript SDKs log of a server that is gone.
LOST: Final = "WebSocket connection closed"


@pytest.fixture
def cell(request: pytest.FixtureRequest) -> Run:
    name, generation = request.param
    return run_namespaces(name, generation)


in_every_cell: Final = pytest.mark.parametrize("cell", CELLS, indirect=True)


def _cells_of(*names: str) -> Iterator[tuple[Any, str]]:
    for cell in CELLS:
        ((client, generation),) = cell.values  # type: ignore[misc]  # one parameter
        made = {call.name for call in namespace_calls_of(client.removesuffix("-async"), generation)}
        yield from ((cell, name) for name in names if name in made)


def made(*names: str) -> pytest.MarkDecorator:
    """Run a test for each of these calls and each cell that has it."""
    rows = [
        pytest.param(*cell.values, name, id=f"{name}-{cell.id}", marks=cell.marks)
        for cell, name in _cells_of(*names)
    ]
    return pytest.mark.parametrize(("cell", "name"), rows, indirect=["cell"])


# What passes.


@in_every_cell
def test_every_frame_decodes_strictly_and_nobody_warns(cell: Run) -> None:
    cell.traffic.check()


@in_every_cell
def test_the_program_ran_to_its_end_and_logged_nothing_else(cell: Run) -> None:
    *names, last = cell.saw
    assert (names, last) == ([call.name for call in cell.calls], "warnings")
    lost = "wait for the end" in names
    assert [LOST in line for line in cell.saw["warnings"]] == [True] * lost


@in_every_cell
def test_an_older_server_leaves_out_what_the_tables_say(cell: Run) -> None:
    lacking = OMISSIONS[cell.generation] | NAMESPACE_OMISSIONS[cell.generation]
    assert cell.traffic.omitted <= lacking
    if "download options" in cell.saw:
        assert cell.traffic.omitted >= NAMESPACE_OMISSIONS[cell.generation]


@requires("official-node")
def test_no_endpoint_is_left_out() -> None:
    heard = set(run_namespaces("js-1.5.0", "2025").traffic.endpoints())
    heard.update(run_namespaces("js-2.0.0", "2026").traffic.endpoints())
    ours = {name for name in ENDPOINTS if not name.startswith("plugins.")}
    assert ours - {name.replace("/", ".") for name in heard} == ELSEWHERE


# What users see.


def test_each_call_is_looked_at() -> None:
    assert {call.name for call in NAMESPACE_CALLS} == {*SEEN, *BY_GENERATION, *ERRORS, *OTHERWISE}


@made(*SEEN, *BY_GENERATION)
def test_what_is_seen(cell: Run, name: str) -> None:
    seen = cell.saw[name]
    expected = SEEN[name] if name in SEEN else BY_GENERATION[name][cell.generation]
    assert "error" in expected or "error" not in seen, seen
    assert same({key: seen.get(key, "nothing") for key in expected}, dict(expected)), seen


@made(*ERRORS)
def test_failures(cell: Run, name: str) -> None:
    failure = cell.saw[name]
    assert "error" in failure, failure
    # JavaScript 1.5.0 draws a box around its lines, which it breaks.
    text = " ".join(failure["text"].replace("│", " ").split())
    for part in ERRORS[name]:
        assert part in text
    if cell.client.is_python:
        assert "LMStudioServerError" in failure["classes"]


@made("life of a language model", "life of an embedding model")
def test_a_model_that_was_unloaded_is_gone(cell: Run, name: str) -> None:
    seen = cell.saw[name]
    if cell.client.is_python:
        assert seen["info_afterwards"] == "LMStudioModelNotFoundError"
    else:
        assert seen["info_afterwards"] is None
        assert seen["by_reference"] == seen["tokens"]
        assert seen["again"] == seen["identifier"]
    if "batch_size" in seen:
        assert seen["batch_size"] == {"2026": 2048, "2025": 512}[cell.generation]


@made("downloaded", "downloaded language models")
def test_all_that_is_downloaded_is_listed(cell: Run, name: str) -> None:
    models = cell.saw[name]["models"]
    assert FACTS in models
    assert (SMALL in models) is (name == "downloaded")
    assert {kind for kind, *_ in models} == ({"llm", "embedding"} if name == "downloaded" else {"llm"})


@made("base prediction config")
def test_the_base_prediction_config_has_the_defaults(cell: Run, name: str) -> None:
    config = cell.saw[name]["config"]
    assert (config["temperature"], config["topKSampling"], config["maxTokens"]) == (0.8, 40, False)


@made("prepare an image", "prepare an image in memory", "prepare a file", "prepare a file in memory")
def test_files_keep_their_names(cell: Run, name: str) -> None:
    seen = cell.saw[name]
    assert seen["identifier"].endswith(seen["name"].partition(".")[2])


@made("path of a file")
def test_the_path_of_a_file_is_that_of_its_identifier(cell: Run, name: str) -> None:
    assert cell.saw[name]["path"].endswith(f"/{cell.saw['prepare a file']['identifier']}")


@made("retrieve")
def test_the_passage_that_the_question_is_about_is_found(cell: Run, name: str) -> None:
    ((text, score, file),) = cell.saw[name]["entries"]
    assert (text, file) == ("The cat sat on the mat.", "note.txt")
    assert 0 < score <= 1


@made("download artifact")
def test_progress_of_a_download_goes_from_nothing_to_all(cell: Run, name: str) -> None:
    progress = cell.saw[name]["progress"]
    assert progress == sorted(progress)
    assert (progress[0], progress[-1]) == (0, 1)


@made("hardware", "hardware for all engines")
def test_the_survey_speaks_of_installed_engines(cell: Run, name: str) -> None:
    assert [ENGINE, "compatible"] in cell.saw[name]["engines"]
