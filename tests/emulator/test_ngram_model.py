"""The small model: what it is made of, and that it is a model."""

from __future__ import annotations

import math
import os
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lmwire_emulator.engines.corpus import documents
from lmwire_emulator.engines.ngram_model import Distribution, NgramModel, default_model
from lmwire_emulator.engines.tokenizer import END_OF_TEXT


def likeliest(model: NgramModel, text: str) -> str:
    distribution = model.distribution(model.tokenizer.tokenize(text), length=1)
    return model.tokenizer.piece(max(distribution, key=lambda token: distribution[token]))


def total(distribution: Distribution) -> float:
    return math.fsum(math.exp(log) for log in distribution.values())


def test_it_says_what_it_has_read() -> None:
    model = NgramModel(["the cat sat", "the cat sat", "the cat ran", "a dog ran"])

    assert likeliest(model, "the cat") == " sat"
    assert likeliest(model, "a dog") == " ran"


def test_a_longer_context_counts_more() -> None:
    model = NgramModel(["red cat sat", "big cat ran", "big cat ran", "old cat ran"])

    assert likeliest(model, "one cat") == " ran"
    assert likeliest(model, "red cat") == " sat"


def test_an_unknown_context_falls_back_to_a_shorter_one() -> None:
    model = NgramModel(["the cat sat", "the dog ran"])

    assert likeliest(model, "green cat") == " sat"
    assert likeliest(model, "green") in {"the", " cat", " dog", " sat", " ran", ""}


@pytest.mark.parametrize("length", [0, 1, 256, 300, 10_000])
@given(prompt=st.sampled_from(["", "My name is", "The object", "€", "x = [1, 2]\n", "It is the"]))
def test_probabilities_sum_up_to_one(length: int, prompt: str) -> None:
    model = default_model()
    distribution = model.distribution(model.tokenizer.tokenize(prompt), length=length)

    assert total(distribution) == pytest.approx(1.0)
    assert all(0 <= token < model.tokenizer.size for token in distribution)


def test_a_prompt_is_never_the_whole_text() -> None:
    model = default_model()

    assert END_OF_TEXT not in model.distribution(model.tokenizer.tokenize("Once upon a time."), length=0)


def test_the_end_gets_likelier_beyond_all_measure() -> None:
    model = default_model()
    context = model.tokenizer.tokenize("in the middle of the")

    assert math.exp(model.distribution(context, length=2000)[END_OF_TEXT]) > 0.99


def test_a_model_of_nothing_ends_at_once() -> None:
    assert set(NgramModel([]).distribution([])) == {END_OF_TEXT}


def test_the_text_is_plain_english() -> None:
    texts = documents()

    assert len(texts) > 50
    assert all("\n" not in text and text.isascii() for text in texts)
    assert any(text.startswith("My name is") for text in texts)


@pytest.mark.parametrize("stripped", ["no topics", "no docstrings", "neither"])
def test_stripped_pythons_have_a_model_too(stripped: str) -> None:
    program = (
        "import sys\n"
        f"if {stripped != 'no docstrings'}: sys.modules['pydoc_data.topics'] = None\n"
        "from lmwire_emulator.engines.ngram_model import default_model\n"
        "model = default_model()\n"
        "tokens = model.tokenizer.tokenize('My name is')\n"
        "print(len(tokens), len(model.distribution(tokens)))"
    )
    flags = [] if stripped == "no topics" else ["-OO"]
    told = subprocess.run(
        [sys.executable, "-W", "error", *flags, "-c", program],
        env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split()

    assert told[0] == "3"
    assert int(told[1]) > 10
