"""Fragments from tokens: stop strings are cut out, what may begin one waits, tokens are counted as they come out."""

from __future__ import annotations

import collections

from lmwire_emulator.engines.base import Fragment, Token
from lmwire_emulator.engines.stop_strings import Found, StopStringFilter

__all__ = ["FragmentAssembler"]


class FragmentAssembler:
    """Makes the fragments of one generation.

    A token belongs to the fragment that its last character comes out with; one whose text is cut by a stop string, to
    the last fragment. Tokens of which nothing comes out belong to none.

    Args:
        stop_strings: Texts that end the generation.
        with_tokens: Put the tokens into the fragments, for log-probabilities.
    """

    def __init__(self, stop_strings: tuple[str, ...], *, with_tokens: bool = False) -> None:
        self._filter = StopStringFilter(stop_strings)
        self._with_tokens = with_tokens
        # Tokens of which some text has not come out yet, with the length of that text.
        self._waiting: collections.deque[tuple[int, Token]] = collections.deque()
        self.stop_string: str | None = None
        """The stop string that was found; the generation is over then."""

    def add(self, token: Token) -> Fragment | None:
        """Take a predicted token; returns the fragment that is due now, if there is one."""
        self._waiting.append((len(token.text), token))
        text = self._filter.feed(token.text)
        if isinstance(text, Found):
            self.stop_string = text.stop_string
            return self._fragment(text.text, last=True)
        return self._fragment(text)

    def flush(self) -> Fragment | None:
        """End of the generation without a stop string: returns what was held back."""
        return self._fragment(self._filter.flush())

    def _fragment(self, text: str, *, last: bool = False) -> Fragment | None:
        if not text:
            return None
        tokens: list[Token] = []
        left = len(text)
        while self._waiting and self._waiting[0][0] <= left:
            length, token = self._waiting.popleft()
            left -= length
            tokens.append(token)
        if left:
            length, token = self._waiting.popleft()
            if last:
                tokens.append(token)
            else:
                self._waiting.appendleft((length - left, token))
        return Fragment(
            content=text, tokens_count=len(tokens), tokens=tuple(tokens) if self._with_tokens else None
        )
