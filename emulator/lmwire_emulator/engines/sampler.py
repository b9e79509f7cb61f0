"""Choosing a token from a distribution, in llama.cpp's order: penalties, top-k, top-p, min-p, temperature."""

from __future__ import annotations

import collections
import itertools
import math
import random
from collections.abc import Iterable, Sequence
from typing import Final, TypeAlias

from lmwire_emulator.engines.ngram_model import Distribution
from lmwire_emulator.engines.tokenizer import END_OF_TEXT
from lmwire_emulator.sampling import SamplingParameters

__all__ = ["Sampler"]

_PENALTY_WINDOW: Final = 64

_Ranked: TypeAlias = Sequence[tuple[int, float]]
"""Tokens with logarithms, the likeliest first."""


class Sampler:
    """Chooses tokens for one generation.

    Args:
        parameters: How to choose.
        seed: The same seed makes the same choices; None: different ones each time.
        prompt: Tokens of the prompt; the penalties count them like predicted ones.
    """

    def __init__(
        self, parameters: SamplingParameters, *, seed: int | None, prompt: Iterable[int] = ()
    ) -> None:
        self._parameters = parameters
        self._random = random.Random(seed)
        self._recent = collections.deque(prompt, maxlen=_PENALTY_WINDOW)

    def choose(self, distribution: Distribution) -> int:
        """Choose the next token, and remember it for the penalties."""
        ranked = self._ranked(distribution)
        token = ranked[0][0] if self._parameters.temperature == 0 else self._drawn(self._filtered(ranked))
        self._recent.append(token)
        return token

    def _ranked(self, distribution: Distribution) -> _Ranked:
        penalized = dict(distribution)
        parameters = self._parameters
        for token, count in collections.Counter(self._recent).items():
            # Penalizing the end of the text would only make texts longer.
            if token not in penalized or token == END_OF_TEXT:
                continue
            if parameters.repeat_penalty is not None:
                penalized[token] *= parameters.repeat_penalty  # logarithms of probabilities are negative
            penalized[token] -= (parameters.presence_penalty or 0) + count * (
                parameters.frequency_penalty or 0
            )
        return sorted(penalized.items(), key=lambda entry: (-entry[1], entry[0]))

    def _filtered(self, ranked: _Ranked) -> _Ranked:
        parameters = self._parameters
        if parameters.top_k is not None:
            ranked = ranked[: parameters.top_k]
        weights = _weights(ranked)
        if parameters.top_p is not None:
            wanted = parameters.top_p * sum(weights)
            sums = itertools.accumulate(weights)
            ranked = ranked[
                : next((n for n, reached in enumerate(sums, start=1) if reached >= wanted), len(ranked))
            ]
        if parameters.min_p is not None:
            floor = parameters.min_p * weights[0]
            ranked = [entry for entry, weight in zip(ranked, weights, strict=False) if weight >= floor]
        return ranked

    def _drawn(self, ranked: _Ranked) -> int:
        sums = list(itertools.accumulate(_weights(ranked, self._parameters.temperature)))
        point = self._random.random() * sums[-1]
        for (token, _), reached in zip(ranked, sums, strict=True):
            if point < reached:
                return token
        return ranked[-1][0]


def _weights(ranked: _Ranked, temperature: float = 1.0) -> list[float]:
    """Likelihoods relative to the likeliest token's, which has 1."""
    top = ranked[0][1]
    return [math.exp((log - top) / temperature) for _, log in ranked]
