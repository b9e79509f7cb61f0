"""The methods of our namespaces send what the real clients send for the same call of the second list.

``OURS`` says each call in lmwire's words. They are made in order, by one client; a frame of theirs is compared if it is
about an endpoint that ours is about. All of ours has to be there, in the same order.
"""

from __future__ import annotations

import base64
import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import pytest

import lmwire
from lmwire_emulator import EmulatorThread
from tests.interop.calls import EMBEDDING, MODEL, OTHER
from tests.interop.comparing import assert_same, comparable
from tests.interop.frames import FrameTap
from tests.interop.matrix import run_namespaces
from tests.interop.namespace_calls import (
    ENGINE,
    FOLDER,
    IMAGE,
    NAMESPACE_CALLS,
    NOTE,
    namespace_script,
)
from tests.support import requires

Client = lmwire.Client
JS: Final = pytest.param("js-2.0.0", marks=requires("official-node"), id="js-2.0.0")
PYTHON: Final = pytest.param("python-1.5.0", marks=requires("official-python"), id="python-1.5.0")
CHUNKS: Final[Any] = {"type": "recursive-v1", "chunkSize": 8, "chunkOverlap": 0}
NEW_ENGINE: Final = (ENGINE, "1.1.0")


def _given_up(operation: Any) -> None:
    """Cancel an operation once it has told something."""
    for _ in operation:
        operation.cancel()


def _file(client: Client) -> str:
    return client.files.upload(NOTE.encode(), name="note.txt").identifier


def _embedding(client: Client) -> str:
    return client.embedding.model(EMBEDDING).identifier


def _option(client: Client) -> Any:
    (found, *_) = client.repository.search("ngram-large")
    (option,) = (each for each in client.repository.download_options(found) if each.quantization == "Q8_0")
    return option


def _link(client: Client) -> None:
    client.repository.link_status()
    client.repository.rename_link_device("Attic")
    client.repository.prefer_link_device("emulated-desktop")
    client.repository.link_status()
    client.repository.set_link_disabled(True)
    client.repository.link_status()
    client.repository.set_link_disabled(False)


def _flags(client: Client) -> None:
    client.system.set_experiment_flag("b", True)
    client.system.set_experiment_flag("a", True)
    client.system.experiment_flags()
    client.system.set_experiment_flag("a", False)
    client.system.experiment_flags()


def _account(client: Client) -> None:
    client.repository.is_authenticated()
    client.repository.authentication_status()
    client.repository.list_artifact_owners()


def _http_server(client: Client) -> None:
    client.system.start_http_server(port=4321, cors=True)
    client.system.stop_http_server()


def _engines(client: Client) -> None:
    client.runtime.engines()
    client.runtime.selections()


# A call of the list; the endpoints that are compared; who else makes it; what we do.
OURS: Final[Sequence[tuple[str, Sequence[str], Sequence[Any], Callable[[Client], Any]]]] = (
    ("variants of a model", ["listDownloadedModelVariants"], [JS], lambda c: c.system.list_variants(MODEL)),
    ("downloaded", ["listDownloadedModels"], [JS, PYTHON], lambda c: c.system.list_downloaded()),
    (
        "state of a model",
        ["getInstanceProcessingState"],
        [JS],
        lambda c: c.llm.model(MODEL).get_processing_state(),
    ),
    (
        "base prediction config",
        ["getBasePredictionConfig"],
        [JS],
        lambda c: c.llm.model(MODEL).get_base_prediction_config(),
    ),
    (
        "estimate of an embedding model",
        ["estimateModelUsage"],
        [JS],
        lambda c: c.embedding.estimate(EMBEDDING, config={}),
    ),
    (
        "preload a draft model",
        ["preloadDraftModel"],
        [JS],
        lambda c: c.llm.model(MODEL).preload_draft_model(OTHER),
    ),
    ("unload the draft model", ["unloadModel"], [JS], lambda c: c.llm.unload(OTHER)),
    (
        "prepare an image in memory",
        ["uploadFileBase64"],
        [JS, PYTHON],
        lambda c: c.files.upload(base64.b64decode(IMAGE), name="x.png"),
    ),
    ("prepare a file", ["uploadFileBase64"], [JS], _file),
    ("path of a file", ["getLocalFileAbsolutePath"], [JS], lambda c: c.files.path_of(_file(c))),
    ("parser of a file", ["getDocumentParsingLibrary"], [JS], lambda c: c.files.parsing_library(_file(c))),
    ("parse and cancel", ["parseDocument"], [JS], lambda c: _given_up(c.files.parse_stream(_file(c)))),
    ("parse", ["parseDocument"], [JS], lambda c: c.files.parse(_file(c))),
    (
        "retrieve and cancel",
        ["retrieve"],
        [JS],
        lambda c: _given_up(
            c.files.retrieve_stream("cat", [_file(c)], config={"embeddingModel": _embedding(c)})
        ),
    ),
    (
        "retrieve",
        ["retrieve"],
        [JS],
        lambda c: c.files.retrieve(
            "the cat",
            [_file(c)],
            config={"embeddingModel": _embedding(c), "limit": 1, "chunkingMethod": CHUNKS},
        ),
    ),
    ("search", ["searchModels"], [JS, PYTHON], lambda c: c.repository.search("ngram")),
    ("search for one", ["searchModels"], [JS, PYTHON], lambda c: c.repository.search("ngram-mlx", limit=1)),
    (
        "search for a format",
        ["searchModels"],
        [JS, PYTHON],
        lambda c: c.repository.search(formats=["safetensors"]),
    ),
    ("download options", ["searchModels", "getModelDownloadOptions"], [JS, PYTHON], _option),
    (
        "download and cancel",
        ["downloadModel"],
        [JS],
        lambda c: _given_up(c.repository.download_stream(_option(c))),
    ),
    ("download", ["downloadModel"], [JS, PYTHON], lambda c: c.repository.download(_option(c))),
    (
        "download artifact and cancel",
        ["downloadArtifact"],
        [JS],
        lambda c: _given_up(
            c.repository.download_artifact_stream("emulator", "calculator", FOLDER, revision=3)
        ),
    ),
    (
        "download artifact",
        ["downloadArtifact"],
        [JS],
        lambda c: c.repository.download_artifact("emulator", "calculator", FOLDER, revision=3),
    ),
    ("account of nobody", ["isAuthenticated", "getAuthenticationStatus"], [JS], _account),
    ("sign in", ["ensureAuthenticated"], [JS], lambda c: c.repository.ensure_authenticated()),
    ("account", ["isAuthenticated", "getAuthenticationStatus", "getWritableArtifactOwners"], [JS], _account),
    (
        "push artifact",
        ["pushArtifact"],
        [JS],
        lambda c: c.repository.push_artifact(FOLDER, description="Adds.", make_private=True),
    ),
    ("catalogue", ["getModelCatalog"], [JS], lambda c: c.repository.catalog()),
    (
        "staff picks",
        ["fuzzyFindStaffPicks"],
        [JS],
        lambda c: c.repository.find_staff_picks("ngram-larg", limit=1),
    ),
    (
        "link",
        ["lmLinkStatus", "lmLinkUpdateDeviceName", "lmLinkSetPreferredDevice", "lmLinkSetDisabled"],
        [JS],
        _link,
    ),
    ("sign out", ["deauthenticate"], [JS], lambda c: c.repository.sign_out()),
    ("version", ["version"], [JS], lambda c: c.system.version()),
    ("application", ["info"], [JS], lambda c: c.system.info()),
    (
        "notify",
        ["notify"],
        [JS],
        lambda c: c.system.notify("Done", description="All of it.", no_auto_dismiss=True),
    ),
    ("flags", ["setExperimentFlag", "getExperimentFlags"], [JS], _flags),
    ("HTTP server", ["startHttpServer", "stopHttpServer"], [JS], _http_server),
    ("engines", ["listEngines", "getEngineSelections"], [JS], _engines),
    (
        "search engines of a channel",
        ["searchRuntimeExtensions"],
        [JS],
        lambda c: c.runtime.search_extensions(ENGINE, channel="beta"),
    ),
    (
        "download engine and cancel",
        ["downloadRuntimeExtension"],
        [JS],
        lambda c: _given_up(c.runtime.download_extension_stream(*NEW_ENGINE, update_selections=False)),
    ),
    (
        "download engine",
        ["downloadRuntimeExtension"],
        [JS],
        lambda c: c.runtime.download_extension(*NEW_ENGINE),
    ),
    (
        "select engine",
        ["selectEngine"],
        [JS],
        lambda c: c.runtime.select({"name": ENGINE, "version": "1.0.0"}, "GGUF"),
    ),
    ("remove engine", ["removeEngine"], [JS], lambda c: c.runtime.remove(*NEW_ENGINE)),
    ("hardware", ["surveyHardware"], [JS], lambda c: c.runtime.survey_hardware()),
    (
        "hardware for all engines",
        ["surveyHardware"],
        [JS],
        lambda c: c.runtime.survey_hardware({"type": "all"}),
    ),
)


def _about(frames: Sequence[Mapping[str, Any]], endpoints: Sequence[str]) -> Any:
    """The requests to these endpoints, and what was sent on their channels."""
    opened = {
        frame["channelId"]
        for frame in frames
        if frame["type"] == "channelCreate" and frame["endpoint"] in endpoints
    }
    return comparable(
        [
            frame
            for frame in frames
            if frame.get("endpoint") in endpoints
            or (frame["type"] == "channelSend" and frame["channelId"] in opened)
        ]
    )


@functools.cache
def _sent_by_us() -> Mapping[str, Sequence[Mapping[str, Any]]]:
    """What our client sent, by the name of the call."""
    names = [name for name, *_ in OURS]
    calls = [call for call in NAMESPACE_CALLS if call.name in names]
    tap = FrameTap()
    sent: dict[str, Sequence[Mapping[str, Any]]] = {}
    with (
        EmulatorThread(script=namespace_script(calls), on_frame=tap) as emulator,
        Client(emulator.api_host) as client,
    ):
        for name, _, _, make in OURS:
            before = len(tap.traffic().passed)
            make(client)
            if name.endswith("and cancel"):
                # We do not wait for the answer; what has been sent has been heard once this is answered.
                for namespace in ("files", "repository", "runtime"):
                    client.connection(namespace).keep_alive()
            passed = tap.traffic().passed[before:]
            sent[name] = [frame.data for _, frame in passed if frame.from_client and frame.type]
    tap.traffic().check()
    return sent


@pytest.mark.parametrize(
    ("name", "endpoints", "peer"),
    [
        pytest.param(name, endpoints, *peer.values, id=f"{name}-{peer.id}", marks=peer.marks)
        for name, endpoints, peers, _ in OURS
        for peer in peers
    ],
)
def test_we_send_what_the_peer_sends(name: str, endpoints: Sequence[str], peer: str) -> None:
    ours = _about(_sent_by_us()[name], endpoints)
    assert ours
    assert_same(ours, _about(run_namespaces(peer, "2026").frames[name], endpoints))
