"""Each option of sampling reaches the n-gram engine from a client, and changes what it would change in a real model."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from lmwire import Client
from lmwire.llm import LLM
from lmwire_emulator import EmulatorThread
from lmwire_emulator.presets import Preset

PROMPT = "My name is"
OFF: dict[str, Any] = {
    "temperature": 1.0,
    "topKSampling": 0,
    "topPSampling": False,
    "minPSampling": False,
    "repeatPenalty": False,
}
# There are no options for these two.
PENALTIES = [
    Preset(
        identifier=f"test/{name}",
        name=name.title(),
        fields=({"key": f"llm.prediction.llama.{name}Penalty", "value": {"checked": True, "value": 9.0}},),
    )
    for name in ("frequency", "presence")
]


@pytest.fixture(scope="module")
def client() -> Iterator[Client]:
    with EmulatorThread(presets=PENALTIES) as emulator, Client(emulator.api_host) as client:
        yield client


@pytest.fixture
def model(client: Client) -> LLM:
    return client.llm.model()


def texts(model: LLM, count: int = 12, **options: Any) -> set[str]:
    config: Any = {**OFF, "maxTokens": 6, **options}
    return {model.complete(PROMPT, config=config).content for _ in range(count)}


def test_nothing_restricts_the_choice_unless_asked_to(model: LLM) -> None:
    assert len(texts(model)) > 2


@pytest.mark.parametrize(
    "options", [{"temperature": 0}, {"topKSampling": 1}, {"topPSampling": 0.001}, {"minPSampling": 1.0}]
)
def test_options_that_leave_the_likeliest_token_only(model: LLM, options: dict[str, Any]) -> None:
    assert len(texts(model, **options)) == 1


def test_temperature_lets_unlikely_tokens_in(model: LLM) -> None:
    def surprise(temperature: float) -> float:
        config: Any = {**OFF, "temperature": temperature, "maxTokens": 60, "logProbs": 0}
        stream = model.complete_stream(PROMPT, config=config)
        logs = [token.log_prob for one in stream for token in one.tokens or ()]
        return -sum(log for log in logs if isinstance(log, float)) / len(logs)

    assert surprise(0.2) < surprise(5.0)


@pytest.mark.parametrize(
    ("options", "preset"), [({"repeatPenalty": 200.0}, None), ({}, "frequency"), ({}, "presence")]
)
def test_penalties_avoid_what_was_there(model: LLM, options: dict[str, Any], preset: str | None) -> None:
    def word(prompt: str, *, preset: str | None = None, **options: Any) -> str:
        config: Any = {**OFF, "temperature": 0, "maxTokens": 1, **options}
        return model.complete(prompt, config=config, preset=preset).content

    usual = word("Hello. My name is")
    again = f"{usual}. My name is"

    assert word(again) == usual
    assert word("Hello. My name is", preset=preset, **options) == usual
    assert word(again, preset=preset, **options) != usual


@pytest.mark.parametrize("count", [0, 3])
def test_log_probabilities_come_with_as_many_candidates(model: LLM, count: int) -> None:
    config: Any = {**OFF, "maxTokens": 6, "logProbs": count}
    fragments = list(model.complete_stream(PROMPT, config=config))
    tokens = [token for one in fragments for token in one.tokens or ()]

    assert "".join(token.text for token in tokens) == "".join(one.content for one in fragments)
    assert all(isinstance(token.log_prob, float) and token.log_prob <= 0 for token in tokens)
    assert {len(token.candidates or ()) for token in tokens} == {count}


def test_log_probabilities_come_only_if_asked_for(model: LLM) -> None:
    assert not any(one.tokens for one in model.complete_stream(PROMPT, config={"maxTokens": 3}))


def test_stop_strings_and_limits_end_the_text(model: LLM) -> None:
    stopped = model.complete(PROMPT, config={"stopStrings": [" "]})
    limited = model.complete(PROMPT, config={"maxTokens": 2})

    assert (stopped.stats.stop_reason, stopped.stats.stop_string) == ("stopStringFound", " ")
    assert stopped.content == ""
    assert limited.stats.stop_reason == "maxPredictedTokensReached"
    assert limited.stats.predicted_tokens_count == 2


def test_the_seed_of_the_load_fixes_the_text(client: Client) -> None:
    seeded = client.llm.load_new_instance("emulator/ngram-small", config={"seed": 7})
    try:
        assert len(texts(seeded, 4)) == 1
    finally:
        seeded.unload()


def test_a_preset_lies_below_the_options() -> None:
    with EmulatorThread() as emulator, Client(emulator.api_host) as client:
        model = client.llm.model()

        steady = model.complete(PROMPT, preset="steady").content
        limited = model.complete(PROMPT, preset="steady", config={"maxTokens": 2})

        assert {model.complete(PROMPT, preset="steady").content for _ in range(5)} == {steady}
        assert limited.stats.predicted_tokens_count == 2
        assert steady.startswith(limited.content)
