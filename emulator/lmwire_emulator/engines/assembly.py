"""Fragments from tokens: stop strings are cut out, reasoning is told apart, tokens are counted as they come out.

What may begin a stop string or a tag waits until that is decided.
"""

from __future__ import annotations

import collections

from lmwire_emulator.engines.base import Fragment, Token
from lmwire_emulator.engines.reasoning import ReasoningParser, Section
from lmwire_emulator.engines.stop_strings import Found, StopStringFilter
from lmwire_emulator.sampling import ReasoningTags

__all__ = ["FragmentAssembler"]


class FragmentAssembler:
    """Makes the fragments of one generation.

    A token belongs to the fragment that its last character comes out with; one whose text is cut by a stop string, to
    the last fragment. Tokens of which nothing comes out belong to none.

    Args:
        stop_strings: Texts that end the generation.
        reasoning_tags: What encloses reasoning; None: nothing does.
        with_tokens: Put the tokens into the fragments, for log-probabilities.
    """

    def __init__(
        self,
        stop_strings: tuple[str, ...],
        *,
        reasoning_tags: ReasoningTags | None = None,
        with_tokens: bool = False,
    ) -> None:
        self._filter = StopStringFilter(stop_strings)
        self._parser = ReasoningParser(reasoning_tags)
        self._with_tokens = with_tokens
        # Tokens of which some text has not come out yet, with the length of that text.
        self._waiting: collections.deque[tuple[int, Token]] = collections.deque()
        self.stop_string: str | None = None
        """The stop string that was found; the generation is over then."""

    def add(self, token: Token) -> list[Fragment]:
        """Take a predicted token; returns the fragments that are due now."""
        self._waiting.append((len(token.text), token))
        text = self._filter.feed(token.text)
        if isinstance(text, Found):
            self.stop_string = text.stop_string
            return self._last_fragments(text.text)
        return [self._fragment(section) for section in self._parser.feed(text)]

    def flush(self) -> list[Fragment]:
        """End of the generation without a stop string: returns what was held back."""
        return self._last_fragments(self._filter.flush())

    def _last_fragments(self, text: str) -> list[Fragment]:
        sections = self._parser.feed(text) + self._parser.flush()
        return [self._fragment(section, last=section is sections[-1]) for section in sections]

    def _fragment(self, section: Section, *, last: bool = False) -> Fragment:
        tokens: list[Token] = []
        left = len(section.text)
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
            content=section.text,
            tokens_count=len(tokens),
            reasoning_type=section.reasoning_type,
            is_structural=section.is_tag,
            tokens=tuple(tokens) if self._with_tokens else None,
        )
