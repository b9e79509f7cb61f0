"""Predictions: generators that say, token by token, what may come next.

A prediction yields a distribution and is sent the token that was chosen of it. It is over when ``END_OF_TEXT`` is
chosen, and returns then; so predictions can be put one behind the other, and what chooses knows nothing of them.
"""

from __future__ import annotations

import itertools
from collections.abc import Generator, Iterable, Sequence
from typing import TypeAlias

from lmwire_emulator.engines.ngram_model import Distribution, NgramModel
from lmwire_emulator.engines.tokenizer import END_OF_TEXT

__all__ = ["Prediction", "free_text", "told"]

Prediction: TypeAlias = Generator[Distribution, int, None]


def free_text(model: NgramModel, context: Sequence[int], *, at_length: int = 0) -> Prediction:
    """Go on from some tokens until the model ends its text.

    Args:
        model: What knows the words.
        context: The tokens to go on from.
        at_length: As if so many tokens had been predicted already; long texts want to end.
    """
    tokens = list(context)
    for length in itertools.count(at_length):
        chosen = yield model.distribution(tokens, length=length)
        if chosen == END_OF_TEXT:
            return
        tokens.append(chosen)


def told(tokens: Iterable[int]) -> Prediction:
    """Exactly these tokens; the end is the business of whatever comes behind them."""
    for token in tokens:
        yield {token: 0.0}
