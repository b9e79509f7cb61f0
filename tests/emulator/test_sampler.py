"""Each sampling parameter does what it says."""

from __future__ import annotations

import collections
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lmwire_emulator.engines.ngram_model import Distribution
from lmwire_emulator.engines.sampler import Sampler
from lmwire_emulator.engines.tokenizer import END_OF_TEXT
from lmwire_emulator.sampling import SamplingParameters

OFF = {"temperature": 1.0, "top_k": None, "top_p": None, "min_p": None, "repeat_penalty": None}
A, B, C, D = 301, 302, 303, 304


def logs(**probabilities: float) -> Distribution:
    names = {"a": A, "b": B, "c": C, "d": D, "end": END_OF_TEXT}
    return {names[name]: math.log(probability) for name, probability in probabilities.items()}


SKEWED = logs(a=0.5, b=0.3, c=0.15, d=0.05)


def sampler(seed: int | None = 1, prompt: list[int] | None = None, **parameters: Any) -> Sampler:
    return Sampler(SamplingParameters(**{**OFF, **parameters}), seed=seed, prompt=prompt or [])


def frequencies(distribution: Distribution, **parameters: Any) -> dict[int, float]:
    """How often each token is chosen, each time by a fresh sampler."""
    chosen = collections.Counter(sampler(seed, **parameters).choose(distribution) for seed in range(2000))
    return {token: count / 2000 for token, count in chosen.items()}


def test_tokens_are_chosen_as_often_as_they_are_likely() -> None:
    found = frequencies(SKEWED)

    assert found == {
        A: pytest.approx(0.5, abs=0.05),
        B: pytest.approx(0.3, abs=0.05),
        C: pytest.approx(0.15, abs=0.05),
        D: pytest.approx(0.05, abs=0.03),
    }


def test_no_temperature_takes_the_likeliest() -> None:
    assert frequencies(SKEWED, temperature=0) == {A: 1.0}


def test_no_temperature_and_equal_tokens_take_the_same_one_always() -> None:
    assert frequencies(logs(b=0.5, a=0.5), temperature=0) == {A: 1.0}


def test_low_temperature_sharpens_and_high_temperature_flattens() -> None:
    assert frequencies(SKEWED, temperature=0.5)[A] > 0.6
    assert frequencies(SKEWED, temperature=5.0)[D] > 0.15
    assert frequencies(SKEWED, temperature=1e-9) == {A: 1.0}


@pytest.mark.parametrize(
    ("parameters", "possible"),
    [
        ({"top_k": 1}, {A}),
        ({"top_k": 2}, {A, B}),
        ({"top_k": 9}, {A, B, C, D}),
        ({"top_p": 0.4}, {A}),
        ({"top_p": 0.6}, {A, B}),
        ({"top_p": 0.81}, {A, B, C}),
        ({"top_p": 1.0}, {A, B, C, D}),
        ({"min_p": 0.59}, {A, B}),
        ({"min_p": 0.2}, {A, B, C}),
        ({"min_p": 1.0}, {A}),
        ({"top_k": 3, "top_p": 0.9}, {A, B, C}),
        ({"top_k": 3, "min_p": 0.5}, {A, B}),
        ({"top_k": 2, "top_p": 0.62}, {A}),  # of what top-k leaves
    ],
)
def test_unlikely_tokens_are_left_out(parameters: dict[str, Any], possible: set[int]) -> None:
    assert set(frequencies(SKEWED, **parameters)) == possible


def test_the_temperature_comes_last() -> None:
    assert set(frequencies(SKEWED, min_p=0.5, temperature=100.0)) == {A, B}


def test_repetition_is_penalized_in_prompt_and_prediction() -> None:
    close = logs(a=0.51, b=0.49)

    assert sampler(temperature=0, repeat_penalty=1.5).choose(close) == A
    assert sampler(temperature=0, repeat_penalty=1.5, prompt=[A]).choose(close) == B
    twice = sampler(temperature=0, repeat_penalty=1.5)
    assert [twice.choose(close), twice.choose(close)] == [A, B]
    assert sampler(temperature=0, repeat_penalty=1.0, prompt=[A]).choose(close) == A


def test_only_late_repetitions_count() -> None:
    assert sampler(temperature=0, repeat_penalty=9.0, prompt=[A] + [C] * 64).choose(logs(a=0.51, b=0.49)) == A


def test_presence_counts_once_and_frequency_each_time() -> None:
    uneven = logs(a=0.7, b=0.3)

    assert sampler(temperature=0, presence_penalty=0.5, prompt=[A] * 9).choose(uneven) == A
    assert sampler(temperature=0, presence_penalty=1.0, prompt=[A]).choose(uneven) == B
    assert sampler(temperature=0, frequency_penalty=0.5, prompt=[A]).choose(uneven) == A
    assert sampler(temperature=0, frequency_penalty=0.5, prompt=[A] * 2).choose(uneven) == B


def test_the_end_of_text_is_never_penalized() -> None:
    distribution = logs(end=0.51, b=0.49)

    assert (
        sampler(temperature=0, repeat_penalty=9.0, prompt=[END_OF_TEXT]).choose(distribution) == END_OF_TEXT
    )


def test_same_seed_same_choices() -> None:
    def choices(seed: int | None) -> list[int]:
        chooser = sampler(seed)
        return [chooser.choose(SKEWED) for _ in range(50)]

    assert choices(7) == choices(7)
    assert choices(7) != choices(8)
    assert choices(None) != choices(None)


@given(
    st.dictionaries(st.integers(300, 320), st.floats(-30, 0), min_size=1),
    st.floats(0, 10),
    st.none() | st.integers(1, 500),
    st.none() | st.floats(0.001, 1),
    st.none() | st.floats(0.001, 1),
    st.none() | st.floats(0.001, 5),
)
def test_some_token_is_always_chosen(
    distribution: Distribution,
    temperature: float,
    top_k: int | None,
    top_p: float | None,
    min_p: float | None,
    repeat_penalty: float | None,
) -> None:
    chooser = sampler(
        temperature=temperature,
        top_k=top_k,
        top_p=top_p,
        min_p=min_p,
        repeat_penalty=repeat_penalty,
        prompt=[300],
    )

    assert chooser.choose(distribution) in distribution
