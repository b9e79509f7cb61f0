"""Generations of servers, as clients on the wire see them, and the history that they are made of."""

from __future__ import annotations

import http.client
import json
from typing import Any, Final, get_args

import pytest

import lmwire.types.models
from lmwire import embedding, llm, repository
from lmwire_emulator import EmulatorThread, Generation
from lmwire_emulator.endpoints import ENDPOINTS, NAMESPACES
from lmwire_emulator.generations import GENERATIONS
from lmwire_emulator.history import HISTORY
from lmwire_emulator.kv_rules import EMBEDDING_LOAD_RULES, LLM_LOAD_RULES, PREDICTION_RULES
from tests.runtime.raw_clients import RawClient

LAYERS: Final[dict[str, Any]] = {"layers": []}
ANY_MODEL: Final[dict[str, Any]] = {"type": "query", "query": {}}
KEYS: Final = {**PREDICTION_RULES, **LLM_LOAD_RULES, **EMBEDDING_LOAD_RULES}


class Raw:
    """Requests of a client that takes whatever comes."""

    def __init__(self, generation: Generation, namespace: str = "llm") -> None:
        self.emulator = EmulatorThread(generation=generation)
        self.emulator.start()
        port = int(self.emulator.api_host.rpartition(":")[2])
        self.port = port
        self.client = RawClient(port, f"/{namespace}").authenticate()

    def call(self, endpoint: str, **parameter: Any) -> Any:
        frame = {"type": "rpcCall", "endpoint": endpoint, "callId": 1}
        return self.client.ask({**frame, **({"parameter": parameter} if parameter else {})})

    def channel(self, endpoint: str, **creation: Any) -> list[Any]:
        """Frames to the last one."""
        request = {"type": "channelCreate", "endpoint": endpoint, "channelId": 1}
        frames = [self.client.ask({**request, "creationParameter": creation})]
        while frames[-1]["type"] == "channelSend":
            frames.append(self.client.receive())
        return frames

    def __enter__(self) -> Raw:
        return self

    def __exit__(self, *_: object) -> None:
        self.client.close()
        self.emulator.close()


def predicted(raw: Raw) -> dict[str, dict[str, Any]]:
    """The last packet of each type of a short prediction."""
    option = {"key": "llm.prediction.maxPredictedTokens", "value": {"checked": True, "value": 3}}
    frames = raw.channel(
        "predict",
        modelSpecifier=ANY_MODEL,
        history={"messages": [{"role": "user", "content": [{"type": "text", "text": "My name is"}]}]},
        predictionConfigStack={"layers": [{"layerName": "apiOverride", "config": {"fields": [option]}}]},
    )
    return {frame["message"]["type"]: frame["message"] for frame in frames if "message" in frame}


def keys(config: dict[str, Any]) -> set[str]:
    return {field["key"] for field in config["fields"]}


@pytest.mark.parametrize(
    ("generation", "missing"),
    [
        ("2026", set()),
        ("2025", {"publisher", "deviceIdentifier", "indexedModelIdentifier", "ttlMs", "lastUsedTime"}),
        (
            "2025-07",
            {
                "publisher",
                "deviceIdentifier",
                "indexedModelIdentifier",
                "ttlMs",
                "lastUsedTime",
                "quantization",
            },
        ),
    ],
)
def test_infos(generation: Generation, missing: set[str]) -> None:
    everything = {
        "type", "modelKey", "format", "displayName", "publisher", "path", "sizeBytes", "indexedModelIdentifier",
        "deviceIdentifier", "paramsString", "architecture", "quantization", "vision", "trainedForToolUse",
        "maxContextLength", "identifier", "instanceReference", "ttlMs", "lastUsedTime", "contextLength",
    }  # fmt: skip
    with Raw(generation) as raw:
        listed = raw.call("listLoaded")["result"][0]
        found = raw.call("getModelInfo", specifier=ANY_MODEL, throwIfNotFound=True)["result"]
        finished = predicted(raw)["success"]["modelInfo"]
        loading = raw.channel("loadModel", modelKey="emulator/ngram-vision", loadConfigStack=LAYERS)

    assert set(listed) == set(found) == set(finished) == everything - missing
    resolved, loaded = loading[0]["message"]["info"], loading[-2]["message"]["info"]
    assert missing.isdisjoint(resolved)
    assert missing.isdisjoint(loaded)


def test_predictions_of_the_generations() -> None:
    seen: dict[Generation, Any] = {}
    for generation in GENERATIONS:
        with Raw(generation) as raw:
            packets = predicted(raw)
        seen[generation] = {
            "details": "details" in packets["promptProcessingProgress"],
            "structural": "isStructural" in packets["fragment"]["fragment"],
            "total time": "totalTimeSec" in packets["success"]["stats"],
            "tool choice": "llm.prediction.toolChoice" in keys(packets["success"]["predictionConfig"]),
            "mmap": "llm.load.llama.tryMmap" in keys(packets["success"]["loadModelConfig"]),
            "direct I/O": "llm.load.llama.tryDirectIO" in keys(packets["success"]["loadModelConfig"]),
        }

    today = dict.fromkeys(seen["2026"], True)
    assert seen["2026"] == today
    assert seen["2025"] == {**today, "details": False, "tool choice": False, "direct I/O": False}
    assert seen["2025-07"] == {**seen["2025"], "structural": False, "total time": False}


@pytest.mark.parametrize(("generation", "number"), [("2026", 90), ("2025", 63), ("2025-07", 63)])
def test_number_of_config_keys(generation: Generation, number: int) -> None:
    """So many keys the registry had, of which four are none of predictions and loads."""
    assert len(set(KEYS) - GENERATIONS[generation].lacking_keys) == number - 4


@pytest.mark.parametrize(("generation", "size"), [("2026", 2048), ("2025", 512)])
def test_defaults(generation: Generation, size: int) -> None:
    with Raw(generation) as raw:
        config = raw.call("getLoadConfig", specifier=ANY_MODEL)["result"]

    assert {"key": "llm.load.llama.evalBatchSize", "value": size} in config["fields"]


def test_an_old_default_gives_way_to_what_is_asked_for() -> None:
    field = {"key": "llm.load.llama.evalBatchSize", "value": 99}
    stack = {"layers": [{"layerName": "apiOverride", "config": {"fields": [field]}}]}
    with Raw("2025") as raw:
        raw.channel("loadModel", modelKey="emulator/ngram-vision", identifier="mine", loadConfigStack=stack)
        specifier = {"type": "query", "query": {"identifier": "mine"}}
        config = raw.call("getLoadConfig", specifier=specifier)["result"]

    assert field in config["fields"]


@pytest.mark.parametrize(
    ("endpoint", "since"),
    [
        ("system.startHttpServer", "2025"),
        ("system.version", "2025-07"),
        ("system.info", "2026"),
        ("system.listDownloadedModelVariants", "2026"),
        ("system.requestShutdown", "2026"),
        ("llm.getInstanceProcessingState", "2026"),
        ("embedding.estimateModelUsage", "2026"),
        ("repository.getModelCatalog", "2026"),
        ("plugins.reportError", "2026"),
    ],
)
@pytest.mark.parametrize("generation", get_args(Generation))
def test_endpoints_that_came_later_are_unknown(
    generation: Generation, endpoint: str, since: Generation
) -> None:
    namespace, _, name = endpoint.partition(".")
    with Raw(generation, namespace) as raw:
        text = str(raw.call(name, odd="parameter").get("warning"))

    generations = get_args(Generation)
    is_known = generations.index(generation) >= generations.index(since)
    assert ("for unknown endpoint" in text) is not is_known


@pytest.mark.parametrize("generation", get_args(Generation))
def test_complete_raw_text_and_kinds(generation: Generation) -> None:
    with Raw(generation) as raw:
        (frame,) = raw.channel("completeRawText", odd="parameter")

    assert frame["type"] == "communicationWarning"
    assert ("unknown endpoint" in frame["warning"]) is (generation != "2026")
    assert ("kind" in frame) is (generation == "2026")


@pytest.mark.parametrize("generation", get_args(Generation))
def test_what_is_not_known_yet_is_ignored(generation: Generation) -> None:
    """A remote device is an error for a server that knows of devices."""
    with Raw(generation) as raw:
        last = raw.channel(
            "getOrLoad",
            identifier="emulator/ngram-small",
            deviceIdentifier="attic",
            loadConfigStack=LAYERS,
        )[-1]
        query = {"type": "query", "query": {"deviceIdentifier": "attic"}}
        counted = raw.call("countTokens", specifier=query, inputString="x")

    assert last["type"] == ("channelError" if generation == "2026" else "channelClose")
    assert counted["type"] == ("rpcError" if generation == "2026" else "rpcResult")


@pytest.mark.parametrize("generation", get_args(Generation))
def test_pages_and_namespaces(generation: Generation) -> None:
    with Raw(generation) as raw:
        connection = http.client.HTTPConnection("127.0.0.1", raw.port, timeout=10)
        connection.request("GET", "/lms-status")
        response = connection.getresponse()
        body = response.read()
        connection.close()
        with RawClient(raw.port, "/runtime") as runtime:
            status = runtime.shake_hands()

    assert status == (101 if generation == "2026" else 404)
    assert response.status == (200 if generation == "2026" else 404)
    if generation == "2026":
        assert json.loads(body)["version"].startswith(GENERATIONS[generation].version)


@pytest.mark.parametrize("generation", get_args(Generation))
def test_embedding_models(generation: Generation) -> None:
    with Raw(generation, "embedding") as raw:
        frames = raw.channel("getOrLoad", identifier="emulator/embed-small", loadConfigStack=LAYERS)

    info = frames[-2]["message"]["info"]
    assert (info["type"], info["identifier"]) == ("embedding", "emulator/embed-small")
    assert ("ttlMs" in info) is (generation == "2026")


class TestHistory:
    """Names in it are names of today's protocol, or a slip of the pen would go unnoticed."""

    def test_endpoints(self) -> None:
        assert {name for change in HISTORY for name in change.endpoints} <= set(ENDPOINTS)

    def test_namespaces(self) -> None:
        assert {name for change in HISTORY for name in change.namespaces} <= set(NAMESPACES)

    def test_keys(self) -> None:
        assert {key for change in HISTORY for key in (*change.keys, *change.defaults)} <= set(KEYS)

    def test_fields(self) -> None:
        modules = (llm, embedding, repository, lmwire.types.models)
        for change in HISTORY:
            for kind, names in change.fields.items():
                classes = [getattr(module, kind) for module in modules if hasattr(module, kind)]
                assert classes, kind
                for cls in classes:
                    assert set(names) <= set(cls.wire_names.values()), kind

    def test_days_are_in_order(self) -> None:
        days = [change.day for change in HISTORY]

        assert days == sorted(set(days))
        assert max(days) <= GENERATIONS["2026"].day

    def test_there_is_an_end_to_it(self) -> None:
        assert GENERATIONS["2026"].to_come == ()
