"""Embedding models: vectors, tokens, and what the namespaces of models say of instances and of loads to come."""

from __future__ import annotations

import math
from collections.abc import Iterator

import pytest

import lmwire
from lmwire import Client, llm
from lmwire.types.kv_config import KvConfig, KvConfigField, KvConfigStack, KvConfigStackLayer
from lmwire_emulator import EmulatorThread
from lmwire_emulator.engines.embedding import DIMENSION

KEY = "emulator/embed-small"
MODEL = llm.ModelSpecifierQuery(query=llm.ModelQuery())
NOTHING = KvConfigStack(layers=[])


@pytest.fixture(scope="module")
def client() -> Iterator[Client]:
    with EmulatorThread() as emulator, Client(emulator.api_host) as connected:
        connected.embedding.model(KEY)
        yield connected


def vector(client: Client, text: str) -> list[float]:
    return client.embedding.rpc.embed_string(model_specifier=MODEL, input_string=text).embedding


def likeness(one: list[float], other: list[float]) -> float:
    return math.fsum(a * b for a, b in zip(one, other, strict=True))


@pytest.mark.parametrize("text", ["My name is", "", " ", "\U0001f600", "word " * 5000], ids=len)
def test_vectors_have_one_length_and_one_dimension(client: Client, text: str) -> None:
    made = vector(client, text)
    assert len(made) == DIMENSION
    assert likeness(made, made) == pytest.approx(1.0)
    assert vector(client, text) == made


def test_vectors_of_similar_texts_are_similar(client: Client) -> None:
    cats, more_cats, ships = (
        vector(client, text)
        for text in ("a cat sat on the mat", "The cat sat on a mat.", "ships sail across wide oceans")
    )
    assert likeness(cats, more_cats) > 0.7 > 0.3 > likeness(cats, ships)


def test_what_lies_beyond_the_context_does_not_count(client: Client) -> None:
    long = "word " * 5000
    assert vector(client, long) == vector(client, long + "and one more thing")


def test_tokens_and_their_number_agree(client: Client) -> None:
    text = "The first sentence."
    tokens = client.embedding.rpc.tokenize(specifier=MODEL, input_string=text).tokens
    counted = client.embedding.rpc.count_tokens(specifier=MODEL, input_string=text).token_count
    assert counted == len(tokens) > 3


def test_a_language_model_embeds_nothing(client: Client) -> None:
    specifier = llm.ModelSpecifierQuery(query=llm.ModelQuery(identifier=EmulatorThread.default_model_key))
    with pytest.raises(lmwire.RpcError) as raised:
        client.embedding.rpc.embed_string(model_specifier=specifier, input_string="x")
    assert raised.value.code == "generic.domainMismatch"


@pytest.mark.parametrize("namespace", ["llm", "embedding"])
def test_an_idle_instance(client: Client, namespace: str) -> None:
    state = getattr(client, namespace).rpc.get_instance_processing_state(
        specifier=MODEL, throw_if_not_found=True
    )
    assert (state.status, state.queued) == ("idle", 0)


def test_a_busy_instance(client: Client) -> None:
    busy = client.llm.load_new_instance("emulator/hangs-in-mid-stream")
    with busy.complete_stream("My name is") as stream:
        fragments = iter(stream)  # kept: an iterator that is dropped cancels
        next(fragments)
        state = busy.get_processing_state()
    busy.unload()
    assert (state.status, state.queued) == ("generating", 1)


@pytest.mark.parametrize(("namespace", "empty"), [("llm", False), ("embedding", True)])
def test_what_holds_for_predictions_where_nothing_is_asked_for(
    client: Client, namespace: str, empty: bool
) -> None:
    config = getattr(client, namespace).rpc.get_base_prediction_config(specifier=MODEL)
    assert (config.fields == []) is empty
    temperatures = [field.value for field in config.fields if field.key == "llm.prediction.temperature"]
    assert temperatures == ([] if empty else [0.8])


def layer(key: str, value: object) -> KvConfigStack:
    config = KvConfig(fields=[KvConfigField(key=key, value=value)])
    return KvConfigStack(layers=[KvConfigStackLayer(layer_name="apiOverride", config=config)])


def test_an_estimate_grows_with_the_context(client: Client) -> None:
    small, large = (
        client.llm.rpc.estimate_model_usage(
            model_key=EmulatorThread.default_model_key,
            load_config_stack=layer("llm.load.contextLength", length),
        )
        for length in (512, 32_768)
    )
    assert small.memory.model_bytes == large.memory.model_bytes
    assert small.memory.context_bytes < large.memory.context_bytes
    assert small.memory.total_bytes == small.memory.model_bytes + small.memory.context_bytes
    assert (small.passes_guardrails, large.passes_guardrails) == (True, False)


def test_an_estimate_of_nothing(client: Client) -> None:
    with pytest.raises(lmwire.RpcError) as raised:
        client.embedding.rpc.estimate_model_usage(model_key="no/such-model", load_config_stack=NOTHING)
    assert raised.value.code == "generic.pathNotFound"


def test_a_draft_model_is_loaded_ahead_of_time() -> None:
    with EmulatorThread() as emulator, Client(emulator.api_host) as client:
        for _ in range(2):
            client.llm.rpc.preload_draft_model(specifier=MODEL, draft_model_key="emulator/ngram-small@q4_k_m")
        assert [info.model_key for info in client.llm.rpc.list_loaded()] == [
            EmulatorThread.default_model_key,
            "emulator/ngram-small@q4_k_m",
        ]
        with pytest.raises(lmwire.RpcError, match="no/such-model"):
            client.llm.rpc.preload_draft_model(specifier=MODEL, draft_model_key="no/such-model")


def test_embedding_models_can_be_loaded_from_the_start() -> None:
    with (
        EmulatorThread(loaded=[KEY, "emulator/ngram-small"]) as emulator,
        Client(emulator.api_host) as connected,
    ):
        assert [model.identifier for model in connected.embedding.list_loaded()] == [KEY]
        assert [model.identifier for model in connected.llm.list_loaded()] == ["emulator/ngram-small"]
