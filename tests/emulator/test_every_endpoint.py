"""Every endpoint but those of plugins answers lmwire's own client in strict mode, and all its frames fit the schema.

The requests are one table, made in its order by one client: plain JSON as on the wire, in which ``$FILE`` is the file
that has been uploaded. Of channels the table also says what the client sends, each packet after the packet that it
waits for, and the types of the packets that come.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator, Mapping
from typing import Any, Final

import attrs
import pytest

import lmwire
from lmwire_emulator import EmulatorThread, Generation
from lmwire_emulator.endpoints import ENDPOINTS, NAMESPACES
from lmwire_emulator.generations import GENERATIONS
from lmwire_runtime.descriptors import ChannelDescriptor, RpcDescriptor
from lmwire_runtime.wire import UNSET, Decoding
from tests.interop.frames import FrameTap

MODEL: Final = "emulator/ngram-small"
OTHER: Final = "emulator/ngram-vision"
EMBEDDING: Final = "emulator/embed-small"
FOLDER: Final = "/artifacts/calculator"
ENGINE: Final = {"name": "ngram-linux-x86_64-avx2", "version": "1.1.0"}


def _query(identifier: str) -> dict[str, Any]:
    return {"type": "query", "query": {"identifier": identifier}}


SHORT: Final = {
    "layers": [
        {
            "layerName": "apiOverride",
            "config": {
                "fields": [
                    {"key": "llm.prediction.maxPredictedTokens", "value": {"checked": True, "value": 3}}
                ]
            },
        }
    ]
}
CHAT: Final = {"messages": [{"role": "user", "content": [{"type": "text", "text": "Hi"}]}]}
NOTHING: Final[dict[str, Any]] = {"layers": []}
PREDICTED: Final = ["promptProcessingProgress", "fragment", "success"]
DOWNLOADED: Final = ["downloadProgress", "startFinalizing", "success"]


@attrs.frozen(eq=False)
class Row:
    """A request.

    Attributes:
        endpoint: ``namespace.name``.
        request: The parameter; UNSET for void ones.
        told: Of channels, the types of packets, each as often as it comes in a row.
        sent: Of channels, what is sent after the first packet of a type.
        refused: Whether it is refused by design.
    """

    endpoint: str
    request: Any = UNSET
    told: tuple[str, ...] = ()
    sent: Mapping[str, Any] = attrs.field(factory=dict)
    refused: bool = False


def _of_models(namespace: str, key: str, *told: str) -> Iterator[Row]:
    """The endpoints that both kinds of models have, on an instance that the second request loads."""
    specifier = {"specifier": _query("mine")}
    text = {**specifier, "inputString": "My name is"}
    yield Row(f"{namespace}.getOrLoad", {"identifier": key, "loadConfigStack": NOTHING}, told)
    yield Row(
        f"{namespace}.loadModel",
        {"modelKey": key, "identifier": "mine", "loadConfigStack": NOTHING},
        ("resolved", "progress", "success"),
    )
    yield Row(f"{namespace}.listLoaded")
    yield Row(f"{namespace}.getModelInfo", {**specifier, "throwIfNotFound": True})
    yield Row(f"{namespace}.getLoadConfig", specifier)
    yield Row(f"{namespace}.getBasePredictionConfig", specifier)
    yield Row(f"{namespace}.getInstanceProcessingState", {**specifier, "throwIfNotFound": True})
    yield Row(f"{namespace}.estimateModelUsage", {"modelKey": key, "loadConfigStack": NOTHING})
    yield Row(f"{namespace}.tokenize", text)
    yield Row(f"{namespace}.countTokens", text)
    yield Row(f"{namespace}.unloadModel", {"identifier": "mine"})
    yield Row(f"{namespace}.getModelInfo", {**specifier, "throwIfNotFound": False})


ROWS: Final = (
    *_of_models("llm", MODEL, "alreadyLoaded"),
    Row(
        "llm.applyPromptTemplate",
        {"specifier": _query(MODEL), "history": CHAT, "predictionConfigStack": NOTHING, "opts": {}},
    ),
    Row("llm.preloadDraftModel", {"specifier": _query(MODEL), "draftModelKey": OTHER}),
    Row(
        "llm.completeRawText",
        {"modelSpecifier": _query(MODEL), "rawPrompt": "My name is", "predictionConfigStack": SHORT},
        (*PREDICTED,),
    ),
    Row(
        "llm.predict",
        {"modelSpecifier": _query(MODEL), "history": CHAT, "predictionConfigStack": SHORT},
        (*PREDICTED,),
    ),
    # The draft model was loaded just in time, and gives way.
    *_of_models(
        "embedding", EMBEDDING, "unloadingOtherJITModel", "startLoading", "loadProgress", "loadSuccess"
    ),
    Row("embedding.embedString", {"modelSpecifier": _query(EMBEDDING), "inputString": "My name is"}),
    Row("files.uploadFileBase64", {"name": "note.txt", "contentBase64": "VGhlIGNhdCBzYXQu"}),
    Row("files.getLocalFileAbsolutePath", {"fileName": "$FILE"}),
    Row("files.getDocumentParsingLibrary", {"fileIdentifier": "$FILE"}),
    Row(
        "files.parseDocument",
        {"fileIdentifier": "$FILE", "parseOpts": {}},
        ("parserLoaded", "progress", "result"),
    ),
    Row(
        "files.retrieve",
        {"query": "cat", "fileIdentifiers": ["$FILE"], "config": {"fields": []}},
        (
            "onFileProcessList",
            "onFileProcessingStart",
            *["onFileProcessingStepStart", "onFileProcessingStepProgress", "onFileProcessingStepEnd"] * 3,
            "onFileProcessingEnd",
            "onSearchingStart",
            "onSearchingEnd",
            "result",
        ),
    ),
    Row("repository.searchModels", {"opts": {"searchTerm": "ngram"}}),
    Row(
        "repository.getModelDownloadOptions",
        {"modelSearchResultIdentifier": {"type": "catalog", "identifier": "emulator/ngram-large"}},
    ),
    Row("repository.getModelCatalog"),
    Row("repository.fuzzyFindStaffPicks", {"searchTerm": "ngram"}),
    Row("repository.downloadModel", {"downloadIdentifier": "emulator/ngram-large@f16"}, (*DOWNLOADED,)),
    Row(
        "repository.createDownloadPlan",
        {
            "target": {
                "type": "model",
                "source": {"type": "huggingface", "user": "emulator", "repo": "ngram-large"},
            }
        },
        ("planUpdated", "planReady", "planUpdated", *DOWNLOADED),
        {
            "planReady": [
                {
                    "type": "setSelectedDownloadOptionIndex",
                    "nodeIndex": 0,
                    "selectedDownloadOptionIndex": 1,
                    "requestedPlanVersion": 1,
                },
                {"type": "commit"},
            ]
        },
    ),
    Row(
        "repository.downloadArtifact",
        {"artifactOwner": "emulator", "artifactName": "calculator", "revisionNumber": None, "path": FOLDER},
        (*DOWNLOADED,),
    ),
    Row("repository.getLocalArtifactFiles", {"path": FOLDER}),
    Row("repository.installPluginDependencies", {"pluginFolder": FOLDER}),
    Row("repository.installLocalPlugin", {"pluginPath": FOLDER}),
    Row("repository.isAuthenticated"),
    Row("repository.lmLinkStatus"),
    Row("repository.ensureAuthenticated", told=("authenticationCode", "authenticated")),
    Row("repository.getWritableArtifactOwners"),
    Row("repository.pushArtifact", {"path": FOLDER}, ("message",)),
    Row("repository.getAuthenticationStatus"),
    Row("repository.lmLinkUpdateDeviceName", {"deviceName": "Attic"}),
    Row("repository.lmLinkSetPreferredDevice", {"deviceIdentifier": "emulated-desktop"}),
    Row("repository.lmLinkSetDisabled", {"disabled": False}),
    Row("repository.lmLinkStatus"),
    Row("repository.deauthenticate"),
    Row("repository.getAuthenticationStatus"),
    Row("repository.loginAsComputeDevice", {"token": "token"}),
    Row("repository.getAuthenticationStatus"),
    Row("repository.loginWithPreAuthenticatedKeys", {"keyId": "i", "publicKey": "p", "privateKey": "q"}),
    Row("runtime.listEngines"),
    Row("runtime.getEngineSelections"),
    Row("runtime.searchRuntimeExtensions", {"query": "", "includeIncompatible": True}),
    Row("runtime.downloadRuntimeExtension", {**ENGINE, "updateSelections": False}, (*DOWNLOADED,)),
    Row("runtime.selectEngine", {"engine": ENGINE, "modelFormatName": "GGUF"}),
    Row("runtime.surveyHardware"),
    Row("runtime.surveyHardware", {"type": "all"}),
    Row("runtime.removeEngine", ENGINE),
    Row("runtime.getEngineSelections"),
    Row("system.listDownloadedModels"),
    Row("system.listDownloadedModelVariants", {"modelKey": MODEL}),
    Row("system.notify", {"title": "Done"}),
    Row("system.version"),
    Row("system.info"),
    Row("system.setExperimentFlag", {"code": "a", "value": True}),
    Row("system.getExperimentFlags"),
    Row("system.stopHttpServer", refused=True),
    Row("system.startHttpServer", {"cors": True}),
    Row("system.stopHttpServer"),
    Row("system.requestShutdown", refused=True),
    Row("system.alive"),
    Row("diagnostics.streamLogs", told=("log",), sent={"log": [{"type": "stop"}]}),
)


@attrs.define
class _Caller:
    """Makes the requests of the table."""

    client: Any
    file: str = ""

    def make(self, row: Row) -> Any:
        """Make one; returns the result, or the packets, in plain JSON."""
        descriptor = ENDPOINTS[row.endpoint]
        text = UNSET if row.request is UNSET else json.dumps(row.request).replace("$FILE", self.file)
        request = text if text is UNSET else json.loads(str(text))
        connection = self.client.connection(descriptor.namespace)
        if isinstance(descriptor, RpcDescriptor):
            result = connection.call(descriptor, _decoded(descriptor.parameter, request))
            answer: Any = UNSET if result is None else descriptor.result.encode(result)
            if row.endpoint == "files.uploadFileBase64":
                self.file = answer["identifier"]
            return answer
        assert isinstance(descriptor, ChannelDescriptor)
        with connection.open(descriptor, _decoded(descriptor.creation, request)) as channel:
            return self._packets(row, descriptor, channel)

    def _packets(self, row: Row, descriptor: ChannelDescriptor[Any, Any, Any], channel: Any) -> list[Any]:
        if row.endpoint == "system.alive":
            return []  # nothing ever comes
        if row.endpoint == "diagnostics.streamLogs":
            self.client.connection("diagnostics").keep_alive()  # when that is answered, the server listens
            self.client.llm.model(MODEL).complete("My name is", config={"maxTokens": 2})
        waiting = {kind: list(packets) for kind, packets in row.sent.items()}
        told = []
        for packet in channel:
            told.append(descriptor.to_client.encode(packet))
            for answer in waiting.pop(told[-1]["type"], ()):
                channel.send(_decoded(descriptor.to_server, answer))
        return told


def _decoded(codec: Any, value: Any) -> Any:
    return None if value is UNSET else codec.decode(value, Decoding(strict=True))


def _answers(emulator: EmulatorThread, **options: Any) -> dict[Row, Any]:
    """What came of each request: its answer, or the error."""
    found: dict[Row, Any] = {}
    with lmwire.Client(emulator.api_host, **options) as client:
        caller = _Caller(client)
        for row in ROWS:
            try:
                found[row] = caller.make(row)
            except lmwire.LMWireError as error:
                found[row] = error
    return found


@pytest.fixture(scope="module")
def answers() -> dict[Row, Any]:
    tap = FrameTap()
    with EmulatorThread(on_frame=tap) as emulator:
        found = _answers(emulator, strict=True)
    tap.traffic().check()
    return found


def test_no_endpoint_is_left_out() -> None:
    handled = {name for name in ENDPOINTS if not name.startswith("plugins.")}
    assert {row.endpoint for row in ROWS} == handled


@pytest.mark.parametrize("row", [pytest.param(row, id=f"{row.endpoint}-{n}") for n, row in enumerate(ROWS)])
def test_answers_fit_the_schema(row: Row, answers: dict[Row, Any]) -> None:
    answer = answers[row]
    if row.refused:
        assert isinstance(answer, lmwire.RpcError)
        return
    assert not isinstance(answer, Exception), answer
    descriptor = ENDPOINTS[row.endpoint]
    if isinstance(descriptor, ChannelDescriptor):
        kinds = [packet["type"] for packet in answer]
        assert [kind for kind, _ in itertools.groupby(kinds)] == list(row.told)
    elif isinstance(descriptor, RpcDescriptor):
        assert (answer is UNSET) == (descriptor.result.presence == "void" or _finds_nothing(row))


def _finds_nothing(row: Row) -> bool:
    return row.endpoint.endswith(".getModelInfo") and not row.request["throwIfNotFound"]


@pytest.mark.parametrize("generation", ["2025", "2025-07"])
def test_what_older_servers_lack_breaks_no_call(generation: Generation) -> None:
    servers = GENERATIONS[generation]
    with EmulatorThread(generation=generation) as emulator:
        found = _answers(emulator)
    for row, answer in found.items():
        namespace, _, name = row.endpoint.partition(".")
        there = servers.namespace(NAMESPACES[namespace])
        if not servers.has(there):
            assert isinstance(answer, lmwire.ConnectError), (row, answer)
        elif name not in {*there.rpc, *there.channel}:
            assert isinstance(answer, lmwire.UnsupportedEndpointError), (row, answer)
        else:
            assert isinstance(answer, Exception) is row.refused, (row, answer)
