"""Reasoning: how a model writes it, and how it is found in a text.

A model that reasons begins with a section between its own two tags, ``<think>`` and ``</think>``, and gives its answer
behind it. That is text like any other. Whoever runs the model looks for the tags that the config names
(``llm.prediction.reasoning.parsing``) and tells the sections apart; with other tags, or with parsing off, the section
is a part of the answer.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

import attrs

from lmwire_emulator.engines.base import ReasoningType
from lmwire_emulator.engines.ngram_model import NgramModel
from lmwire_emulator.engines.predictions import Prediction, free_text, told
from lmwire_emulator.engines.stop_strings import undecided
from lmwire_emulator.engines.tokenizer import END_OF_TEXT
from lmwire_emulator.sampling import ReasoningTags

__all__ = ["ReasoningParser", "Section", "reasoned_text"]

_TAGS: Final = ReasoningTags("<think>", "</think>")
_OPENING: Final = "I think"
# Reasoning is shorter than what the model writes else; see ``free_text``.
_AT_LENGTH: Final = 208


def reasoned_text(model: NgramModel, *, budget: int | None = None, message: str = "") -> Prediction:
    """Write a section of reasoning, tags included; the answer follows.

    Args:
        model: What knows the words.
        budget: The most tokens between the tags; None for as many as it takes.
        message: What to write, beyond the budget, where it is used up.
    """
    tokenize = model.tokenizer.tokenize
    opening = tokenize(_OPENING)
    yield from told(tokenize(_TAGS.start))
    text = _text(model, opening)
    spent = 0
    distribution = next(text, None)
    while distribution is not None and spent != budget:
        chosen = yield distribution
        spent += chosen != END_OF_TEXT
        try:
            distribution = text.send(chosen)
        except StopIteration:
            distribution = None
    if distribution is not None:
        yield from told(tokenize(message))
    yield from told(tokenize(f"{_TAGS.end}\n\n"))


def _text(model: NgramModel, opening: Sequence[int]) -> Prediction:
    yield from told(model.tokenizer.tokenize("\n"))
    yield from told(opening)
    yield from free_text(model, [END_OF_TEXT, *opening], at_length=_AT_LENGTH)
    yield from told(model.tokenizer.tokenize("\n"))


class Section(NamedTuple):
    """Text that lies inside or outside of reasoning as a whole, or is a tag."""

    text: str
    reasoning_type: ReasoningType

    @property
    def is_tag(self) -> bool:
        """Whether it is markup, no part of reasoning or answer."""
        return self.reasoning_type in ("reasoningStartTag", "reasoningEndTag")


@attrs.define
class ReasoningParser:
    """Tells the sections of a text apart that arrives in pieces. What might begin a tag waits until it is decided.

    Attributes:
        tags: What encloses reasoning, none of them empty; None if nothing does.
    """

    tags: ReasoningTags | None
    _inside: bool = attrs.field(default=False, init=False)
    _held: str = attrs.field(default="", init=False)

    def feed(self, piece: str) -> list[Section]:
        """Take the next piece of text; returns the sections, or parts of them, that are due."""
        if self.tags is None:
            return _sections(Section(piece, "none"))
        text = self._held + piece
        sections: list[Section] = []
        while True:
            tag = self.tags.end if self._inside else self.tags.start
            before, found, behind = text.partition(tag)
            if not found:
                break
            sections += _sections(Section(before, self._type()))
            sections.append(Section(tag, "reasoningEndTag" if self._inside else "reasoningStartTag"))
            self._inside = not self._inside
            text = behind
        kept = len(text) - undecided(text, (tag,))
        self._held = text[kept:]
        return sections + _sections(Section(text[:kept], self._type()))

    def flush(self) -> list[Section]:
        """End of text: return what was held back."""
        held, self._held = self._held, ""
        return _sections(Section(held, self._type()))

    def _type(self) -> ReasoningType:
        return "reasoning" if self._inside else "none"


def _sections(section: Section) -> list[Section]:
    return [section] if section.text else []
