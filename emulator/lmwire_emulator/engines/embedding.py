"""The engine ``hashing``: vectors of texts without any training.

A text becomes the bag of its tokens and of its pairs of tokens. Each of these adds to a few places of the vector that
its hash names, with signs that its hash names too, so that texts with words in common point in similar directions,
and others do not. Same text, same vector, on every machine.
"""

from __future__ import annotations

import hashlib
import itertools
import math
from collections.abc import Iterator, Sequence
from typing import Final

from lmwire_emulator.engines.tokenizer import Tokenizer, primer_tokenizer

__all__ = ["DIMENSION", "HashingEngine"]

DIMENSION: Final = 384
"""How many numbers a vector has."""

_PLACES: Final = 4
_PAIR_WEIGHT: Final = 0.5


class HashingEngine:
    """Makes vectors of length 1."""

    def __init__(self, tokenizer: Tokenizer | None = None) -> None:
        self._tokenizer = tokenizer or primer_tokenizer()

    def tokenize(self, text: str) -> Sequence[int]:
        """Return the token ids of a text."""
        return self._tokenizer.tokenize(text)

    def embed(self, text: str, context_length: int) -> list[float]:
        """Return the vector of a text; tokens beyond the context do not count."""
        # Blanks and capitals are no difference that a reader would see.
        tokens = self.tokenize(" " + text.strip().lower())[:context_length]
        vector = [0.0] * DIMENSION
        vector[0] = 1e-3  # so that no text at all has a direction, too
        for token in tokens:
            _add(vector, f"{token}", 1.0)
        for pair in itertools.pairwise(tokens):
            _add(vector, f"{pair[0]} {pair[1]}", _PAIR_WEIGHT)
        length = math.sqrt(math.fsum(number * number for number in vector))
        return [number / length for number in vector]


def _add(vector: list[float], feature: str, weight: float) -> None:
    for place, sign in _places(feature):
        vector[place] += sign * weight


def _places(feature: str) -> Iterator[tuple[int, float]]:
    digest = hashlib.blake2b(feature.encode(), digest_size=4 * _PLACES).digest()
    for start in range(0, len(digest), 4):
        number = int.from_bytes(digest[start : start + 4], "big")
        yield (number >> 1) % DIMENSION, 1.0 if number & 1 else -1.0
