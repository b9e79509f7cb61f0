"""A small language model: how often which token followed which, up to three tokens back.

The probability of a token is interpolated over all orders by the rule of Witten and Bell: a context counts the more,
the more often and the less variedly it was seen; the rest of the weight goes to the context that is one token
shorter. The shortest one, no context at all, is cut down to the most frequent tokens, so that a distribution stays
small. It always sums up to 1.

The model goes on from any prompt by one token at least. Its texts are short, so it ends by itself; greedy decoding
too, which runs in circles: beyond a length that no text has, the end becomes ever more likely.
"""

from __future__ import annotations

import collections
import functools
import itertools
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Final, TypeAlias

from lmwire_emulator.engines.corpus import documents
from lmwire_emulator.engines.tokenizer import END_OF_TEXT, Tokenizer, split_words

__all__ = ["Distribution", "NgramModel", "default_model"]

Distribution: TypeAlias = Mapping[int, float]
"""Natural logarithms of probabilities, by token."""

_LONGEST_CONTEXT: Final = 3
# The weight of shorter contexts for each kind of token that was seen; Witten and Bell have 1, and much more text.
_CAUTION: Final = 0.4
_MOST_FREQUENT: Final = 64
_USUAL_LENGTH: Final = 256
_PATIENCE: Final = 16.0
"""Beyond the usual length, so many tokens make the end of the text e times likelier."""


class NgramModel:
    """Predicts the next token.

    Args:
        texts: What the model learns from; each is one whole text.
        longest_context: How many tokens it looks back.
    """

    def __init__(self, texts: Iterable[str], *, longest_context: int = _LONGEST_CONTEXT) -> None:
        words = [split_words(text) for text in texts]
        self.tokenizer = Tokenizer.from_words(list(itertools.chain.from_iterable(words)))
        self._longest_context = longest_context
        self._followers: dict[tuple[int, ...], dict[int, int]] = {}
        frequencies: collections.Counter[int] = collections.Counter()
        for text in words:
            tokens = [END_OF_TEXT, *self.tokenizer.tokenize_words(text), END_OF_TEXT]
            frequencies.update(tokens[1:])
            self._learn(tokens)
        common = sorted(frequencies, key=lambda token: (-frequencies[token], token))[:_MOST_FREQUENT]
        chosen = {token: frequencies[token] for token in (*common, END_OF_TEXT)} or {END_OF_TEXT: 1}
        total = sum(chosen.values()) or 1
        self._base = {token: max(count, 1) / total for token, count in chosen.items()}

    def _learn(self, tokens: Sequence[int]) -> None:
        followers = self._followers
        for length in range(1, self._longest_context + 1):
            contexts = zip(*(tokens[offset:] for offset in range(length)), strict=False)
            for context, token in zip(contexts, tokens[length:], strict=False):
                counts = followers.get(context)
                if counts is None:
                    followers[context] = {token: 1}
                else:
                    counts[token] = counts.get(token, 0) + 1

    def distribution(self, context: Sequence[int], *, length: int = 0) -> Distribution:
        """Return what may come next.

        Args:
            context: The tokens so far; only the last few count, none at all is the beginning of a text.
            length: How many of them the model has predicted itself.
        """
        seen = tuple(context[-self._longest_context :]) or (END_OF_TEXT,)
        probabilities = dict(self._base)
        for start in range(len(seen) - 1, -1, -1):
            counts = self._followers.get(seen[start:])
            if counts is None:
                break
            caution = _CAUTION * len(counts)
            total = sum(counts.values()) + caution
            for token in probabilities:
                probabilities[token] *= caution / total
            for token, count in counts.items():
                probabilities[token] = probabilities.get(token, 0.0) + count / total
        logs = {token: math.log(probability) for token, probability in probabilities.items()}
        if length == 0 and len(logs) > 1:
            del logs[END_OF_TEXT]
        elif length > _USUAL_LENGTH:
            logs[END_OF_TEXT] += (length - _USUAL_LENGTH) / _PATIENCE
        else:
            return logs
        return _normalized(logs)


def _normalized(logs: Mapping[int, float]) -> dict[int, float]:
    top = max(logs.values())
    total = top + math.log(sum(math.exp(log - top) for log in logs.values()))
    return {token: log - total for token, log in logs.items()}


@functools.cache
def default_model() -> NgramModel:
    """The model of the text that Python ships with; made at the first call, which takes about a tenth of a second."""
    return NgramModel(documents())
