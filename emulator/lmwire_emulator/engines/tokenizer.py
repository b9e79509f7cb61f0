"""A word-piece tokenizer without loss: every string, half surrogate pairs included, comes back as it was.

A text is cut into words (with the space in front of them), numbers, punctuation and blanks, and each of these into
the longest known pieces. What no piece covers is written as bytes, in UTF-8 that lets half surrogate pairs through.
Token ids 0..255 are bytes, ``END_OF_TEXT`` is 256, pieces follow.
"""

from __future__ import annotations

import collections
import functools
import itertools
import re
from collections.abc import Iterable, Sequence
from typing import Final

from lmwire_emulator.engines.primer import PRIMER

__all__ = ["END_OF_TEXT", "Tokenizer", "primer_tokenizer", "split_words"]

END_OF_TEXT: Final = 256
"""The id of the token that ends a text; it has no text itself."""

_FIRST_PIECE: Final = 257
# Together the alternatives match any character, so that nothing gets lost between two matches.
_WORD: Final = re.compile(r" ?[^\W\d_]+(?:'[a-z]+)?| ?\d{1,3}| ?[^\w\s]+| ?_+|\s+(?= )|\s+")
_ALWAYS: Final = [chr(code) for code in range(32, 127)] + ["\n", "\t"]
_LONGEST_END: Final = 5


def split_words(text: str) -> list[str]:
    """Cut a text into words, numbers, punctuation and blanks; put together they are the text again."""
    return _WORD.findall(text)


class Tokenizer:
    """Turns text into token ids and back.

    Args:
        pieces: Texts that become one token each; their order gives the ids.
    """

    def __init__(self, pieces: Iterable[str]) -> None:
        self._pieces: list[str] = list(dict.fromkeys((*_ALWAYS, *(piece for piece in pieces if piece))))
        self._ids = {piece: number for number, piece in enumerate(self._pieces, start=_FIRST_PIECE)}
        self._longest = max(map(len, self._pieces))
        self._known: dict[str, tuple[int, ...]] = {piece: (number,) for piece, number in self._ids.items()}

    @classmethod
    def from_words(cls, words: Sequence[str], *, size: int = 8000) -> Tokenizer:
        """Make a tokenizer of the words of a text: the frequent ones, and the frequent ends of words.

        Args:
            words: See ``split_words``.
            size: How many words become pieces at most.
        """
        counts = collections.Counter(words)
        # Equal counts are ordered by text: ids must not depend on where a word comes first.
        ordered = sorted(counts, key=lambda word: (-counts[word], word))
        ends: collections.Counter[str] = collections.Counter()
        for word in ordered:
            if word[-1:].isalpha():
                ends.update(word[-length:] for length in range(2, min(_LONGEST_END, len(word) - 2) + 1))
        frequent_ends = sorted(ends, key=lambda end: (-ends[end], end))[: size // 16]
        return cls([*ordered[:size], *frequent_ends])

    @property
    def size(self) -> int:
        """The number of token ids; they are below it."""
        return _FIRST_PIECE + len(self._pieces)

    def tokenize(self, text: str) -> list[int]:
        """Return the token ids of a text."""
        return self.tokenize_words(split_words(text))

    def tokenize_words(self, words: Iterable[str]) -> list[int]:
        """Return the token ids of a text that is cut into words already."""
        known = self._known
        return list(itertools.chain.from_iterable(known.get(word) or self._cut(word) for word in words))

    def detokenize(self, tokens: Iterable[int]) -> str:
        """Return the text of token ids; bytes that are no text become replacement characters.

        Raises:
            ValueError: There is no such token.
        """
        data = bytearray()
        for token in tokens:
            if 0 <= token < END_OF_TEXT:
                data.append(token)
            elif token != END_OF_TEXT:
                data += _encoded(self.piece(token))
        try:
            return data.decode("utf-8", "surrogatepass")
        except UnicodeDecodeError:
            return data.decode("utf-8", "replace")

    def piece(self, token: int) -> str:
        """Return the text of one piece; the end of text and the bytes, which are no text alone, have none.

        Raises:
            ValueError: There is no such token.
        """
        if 0 <= token < _FIRST_PIECE:
            return ""
        if not _FIRST_PIECE <= token < self.size:
            raise ValueError(f"there is no token {token}; ids go from 0 to {self.size - 1}")
        return self._pieces[token - _FIRST_PIECE]

    def _cut(self, word: str) -> tuple[int, ...]:
        tokens: list[int] = []
        start = 0
        while start < len(word):
            for end in range(min(len(word), start + self._longest), start, -1):
                number = self._ids.get(word[start:end])
                if number is not None:
                    tokens.append(number)
                    break
            else:
                end = start + 1
                tokens += _encoded(word[start])
            start = end
        return tuple(tokens)


def _encoded(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


@functools.cache
def primer_tokenizer() -> Tokenizer:
    """The tokenizer of plain English that needs nothing of the Python at hand: the same ids everywhere."""
    return Tokenizer.from_words(split_words(" ".join(PRIMER.split())))
