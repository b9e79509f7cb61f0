"""Models: those on disk, what a load would take, what an instance does; embedding models."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from lmwire import NoModelLoadedError, RpcError, UnsupportedEndpointError, UsageError, embedding, llm
from tests.surface.conftest import KEY, Scripted

Make = Callable[..., Scripted]

EMBEDDING = "emulator/embed-small"
USAGE = {
    "memory": {
        "confidence": "high",
        "modelVramBytes": 1,
        "contextVramBytes": 2,
        "totalVramBytes": 3,
        "modelBytes": 4,
        "contextBytes": 5,
        "totalBytes": 9,
    },
    "passesGuardrails": True,
}


def answering(endpoint: str, result: Any = None) -> dict[str, Any]:
    return {"endpoint": endpoint, "reply": {} if result is None else {"result": result}}


def test_models_on_disk_are_those_of_the_namespace(scripted: Make) -> None:
    one = scripted()

    texts = one.shell.call(one.client.llm.list_downloaded)
    vectors = one.shell.call(one.client.embedding.list_downloaded)

    assert all(isinstance(info, llm.LlmInfo) for info in texts)
    assert all(isinstance(info, embedding.EmbeddingModelInfo) for info in vectors)
    assert KEY in [info.model_key for info in texts]
    assert EMBEDDING in [info.model_key for info in vectors]


@pytest.mark.parametrize("namespace", ["llm", "embedding"])
def test_what_a_load_would_take(scripted: Make, namespace: str) -> None:
    one = scripted(answering(f"{namespace}.estimateModelUsage", USAGE))
    models = getattr(one.client, namespace)

    estimate = one.shell.call(models.estimate, "m", config={"context_length": 512})

    assert estimate.memory.total_bytes == 9
    assert estimate.passes_guardrails
    (called,) = one.frames.received(endpoint="estimateModelUsage")
    assert called["parameter"] == {
        "modelKey": "m",
        "loadConfigStack": {
            "layers": [
                {
                    "layerName": "apiOverride",
                    "config": {"fields": [{"key": f"{namespace}.load.contextLength", "value": 512}]},
                }
            ]
        },
    }


@pytest.mark.parametrize(
    ("arguments", "words"), [((5,), "model_key must be text"), (("m", {"contextLenght": 5}), "contextLength")]
)
def test_an_estimate_of_nonsense_is_refused(scripted: Make, arguments: Any, words: str) -> None:
    one = scripted(answering("llm.estimateModelUsage", USAGE))
    key, *config = arguments

    with pytest.raises(UsageError, match=words):
        one.shell.call(one.client.llm.estimate, key, config=next(iter(config), None))
    assert one.frames.received(endpoint="estimateModelUsage") == []


def test_what_an_instance_does(scripted: Make) -> None:
    fields = [{"key": "llm.prediction.temperature", "value": 0.5}]
    one = scripted(
        answering("llm.getInstanceProcessingState", {"status": "generating", "queued": 2}),
        answering("llm.getBasePredictionConfig", {"fields": fields}),
        answering("llm.preloadDraftModel"),
    )

    state = one.shell.call(one.model.get_processing_state)

    assert (state.status, state.queued) == ("generating", 2)
    assert one.shell.call(one.model.get_base_prediction_config).temperature == 0.5
    assert one.shell.call(one.model.preload_draft_model, "draft") is None
    (called,) = one.frames.received(endpoint="preloadDraftModel")
    assert called["parameter"] == {
        "specifier": {"type": "query", "query": {"identifier": KEY}},
        "draftModelKey": "draft",
    }


def test_what_an_older_server_lacks_is_an_error_at_once(scripted: Make) -> None:
    one = scripted(generation="2025")
    calls: list[tuple[Callable[..., Any], tuple[str, ...]]] = [
        (one.client.llm.estimate, ("m",)),
        (one.client.embedding.estimate, ("m",)),
        (one.model.get_processing_state, ()),
        (one.model.get_base_prediction_config, ()),
    ]

    for method, arguments in calls:
        with pytest.raises(UnsupportedEndpointError):
            one.shell.call(method, *arguments)
    assert one.shell.call(one.model.count_tokens, "a b") == 2


@pytest.fixture
def embedder(scripted: Make) -> tuple[Scripted, Any]:
    one = scripted(
        {"endpoint": "embedding.embedString", "times": 1, "reply": {"result": {"embedding": [0.5, -1, 2e-9]}}},
        {"endpoint": "embedding.embedString", "times": 1, "reply": {"result": {"embedding": [1]}}},
        answering("embedding.tokenize", {"tokens": [1, 2]}),
        answering("embedding.countTokens", {"tokenCount": 2}),
        answering("embedding.getInstanceProcessingState", {"status": "computingEmbedding", "queued": 1}),
    )  # fmt: skip
    return one, one.shell.call(one.client.embedding.model, EMBEDDING, config={"contextLength": 256})


def test_embedding_a_text_and_a_list(embedder: tuple[Scripted, Any]) -> None:
    one, model = embedder

    assert one.shell.call(model.embed, "a b") == [0.5, -1, 2e-9]
    assert one.shell.call(model.embed, ["c"]) == [[1]]
    assert [frame["parameter"] for frame in one.frames.received(endpoint="embedString")] == [
        {"modelSpecifier": {"type": "query", "query": {"identifier": EMBEDDING}}, "inputString": text}
        for text in ("a b", "c")
    ]
    with pytest.raises(UsageError, match="input must be text"):
        one.shell.call(model.embed, 5)


def test_a_handle_of_an_embedding_model(embedder: tuple[Scripted, Any]) -> None:
    one, model = embedder

    assert one.shell.call(model.tokenize, "a b") == [1, 2]
    assert one.shell.call(model.count_tokens, "a b") == 2
    assert one.shell.call(model.get_context_length) == 256
    assert one.shell.call(model.get_load_config).context_length == 256
    assert one.shell.call(model.get_processing_state).status == "computingEmbedding"
    info = one.shell.call(model.get_info)
    assert (info.identifier, info.type) == (EMBEDDING, "embedding")
    assert repr(model).endswith("EmbeddingModel(identifier='emulator/embed-small')")


def test_embedding_models_are_loaded_listed_and_unloaded(scripted: Make) -> None:
    one = scripted()
    models = one.client.embedding
    with pytest.raises(NoModelLoadedError):
        one.shell.call(models.model)
    told: list[float] = []

    first = one.shell.call(models.model, EMBEDDING, on_load_progress=told.append)
    second = one.shell.call(models.load_new_instance, EMBEDDING, "second", ttl=60)

    assert told[0] == 0.0
    assert told[-1] == 1.0
    assert [model.identifier for model in one.shell.call(models.list_loaded)] == [EMBEDDING, "second"]
    assert one.shell.call(models.model).identifier == first.identifier
    one.shell.call(second.unload)
    one.shell.call(models.unload, EMBEDDING)
    assert one.shell.call(models.list_loaded) == []
    with pytest.raises(RpcError):
        one.shell.call(first.get_info)
