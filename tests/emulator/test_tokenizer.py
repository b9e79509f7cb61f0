"""Texts become token ids and come back as they were."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from lmwire_emulator.engines.ngram_model import default_model
from lmwire_emulator.engines.tokenizer import END_OF_TEXT, Tokenizer, primer_tokenizer, split_words

any_text = st.text(st.characters(exclude_categories=())) | st.text()


@pytest.fixture(scope="module", params=["primer", "model"])
def tokenizer(request: pytest.FixtureRequest) -> Tokenizer:
    return primer_tokenizer() if request.param == "primer" else default_model().tokenizer


@given(text=any_text)
@example(text="")
@example(text="My name is  Ada,\n\n\tand I'm 1815 years_old!  ")
@example(text="emoji 👩‍🔬 and 🇫🇷, both in pieces")
@example(text="half pairs: \ud83d and \ude00, and both: \ud83d\ude00")
@example(text="\x00\x7f\x80\uffff\U0010ffff")
def test_every_text_comes_back(tokenizer: Tokenizer, text: str) -> None:
    tokens = tokenizer.tokenize(text)

    assert tokenizer.detokenize(tokens) == text
    assert all(0 <= token < tokenizer.size and token != END_OF_TEXT for token in tokens)


@given(any_text)
def test_words_put_together_are_the_text(text: str) -> None:
    assert "".join(split_words(text)) == text


@given(text=any_text, cut=st.integers(0, 50))
def test_tokens_of_pieces_are_tokens_of_the_text(tokenizer: Tokenizer, text: str, cut: int) -> None:
    tokens = tokenizer.tokenize(text[:cut]) + tokenizer.tokenize(text[cut:])

    assert tokenizer.detokenize(tokens) == text


def test_words_that_are_known_are_one_token_each(tokenizer: Tokenizer) -> None:
    assert len(tokenizer.tokenize("My name is")) == 3
    assert len(tokenizer.tokenize("a")) == 1


def test_words_that_are_unknown_are_cut(tokenizer: Tokenizer) -> None:
    assert 1 < len(tokenizer.tokenize("Rumpelstiltskin")) < len("Rumpelstiltskin")
    assert len(tokenizer.tokenize("€")) == len("€".encode())


@given(tokens=st.lists(st.integers(0, 300)))
def test_any_token_ids_are_some_text(tokenizer: Tokenizer, tokens: list[int]) -> None:
    assert isinstance(tokenizer.detokenize(tokens), str)


@pytest.mark.parametrize("token", [-1, 10**6])
def test_ids_that_do_not_exist_are_refused(tokenizer: Tokenizer, token: int) -> None:
    with pytest.raises(ValueError, match="there is no token"):
        tokenizer.detokenize([token])
    with pytest.raises(ValueError, match="there is no token"):
        tokenizer.piece(token)


def test_the_end_of_text_has_no_text(tokenizer: Tokenizer) -> None:
    assert tokenizer.detokenize([END_OF_TEXT]) == tokenizer.piece(END_OF_TEXT) == ""


def test_ids_are_the_same_in_every_process() -> None:
    program = (
        "from lmwire_emulator.engines.ngram_model import default_model as m\n"
        "from lmwire_emulator.engines.tokenizer import primer_tokenizer as p\n"
        "text = 'My name is Ada: Rumpelstiltskin!'\n"
        "print(m().tokenizer.tokenize(text), p().tokenize(text))"
    )
    told = {
        subprocess.run(
            [sys.executable, "-c", program],
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    }

    assert len(told) == 1


def test_ids_of_the_primer_never_change() -> None:
    """Exact tests of the scripted engine may rely on them."""
    assert primer_tokenizer().tokenize("My name is") == [728, 363, 356]
    assert primer_tokenizer().tokenize("Hello, world!") == [297, 952, 269, 723, 258]
