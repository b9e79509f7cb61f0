"""Scripts: what the scripted engine replies to which prompt, and what goes wrong then.

A script is a list of rules; the first one that fits a prompt and is not used up gives the reply. ``script_reader``
makes scripts of YAML and JSON files; tests may write them with the classes below.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, TypeAlias

import attrs

from lmwire_emulator.engines.base import ReasoningType, StopReason, Token

__all__ = [
    "CloseWithoutResult",
    "DropTheConnection",
    "Ending",
    "Fail",
    "Hang",
    "Reply",
    "Script",
    "ScriptRule",
    "ScriptedFragment",
    "Stop",
]


@attrs.frozen(kw_only=True)
class ScriptedFragment:
    """A fragment of a reply.

    Attributes:
        text: Its content.
        tokens: How many tokens it counts for.
        reasoning: Its place in a reasoning section.
        drafted: Whether a draft model proposed tokens of it.
        structural: Whether it is markup, in neither view of the text.
        delay: Seconds to wait before it.
        details: Its tokens with log-probabilities.
    """

    text: str
    tokens: int = 1
    reasoning: ReasoningType = "none"
    drafted: bool = False
    structural: bool = False
    delay: float = 0.0
    details: tuple[Token, ...] | None = None


@attrs.frozen
class Stop:
    """The reply ends in order."""

    reason: StopReason = "eosFound"
    stop_string: str | None = None


@attrs.frozen(kw_only=True)
class Fail:
    """The reply ends with an error; ``display_data`` is in wire spelling."""

    title: str
    cause: str | None = None
    suggestion: str | None = None
    display_data: Mapping[str, Any] | None = None


@attrs.frozen
class CloseWithoutResult:
    """The channel closes without a result."""


@attrs.frozen
class Hang:
    """Nothing more comes until the client cancels."""


@attrs.frozen
class DropTheConnection:
    """The connection drops."""


Ending: TypeAlias = Stop | Fail | CloseWithoutResult | Hang | DropTheConnection


@attrs.frozen(kw_only=True)
class Reply:
    """What a prompt gets.

    Attributes:
        fragments: The text.
        end: What comes after it.
        progress: Prompt progress reported first, each 0..1, in this order.
        progress_delay: Seconds to wait before each of them.
        prompt_tokens: Token count of the prompt; counted if None.
        ignore_cancel: Go on as if the client had not cancelled.
        statistics: Fields of ``Statistics`` to report instead of the measured ones.
    """

    fragments: tuple[ScriptedFragment, ...] = ()
    end: Ending = attrs.field(factory=Stop)
    progress: tuple[float, ...] = (0.0, 1.0)
    progress_delay: float = 0.0
    prompt_tokens: int | None = None
    ignore_cancel: bool = False
    statistics: Mapping[str, Any] = attrs.field(factory=dict)


@attrs.frozen(kw_only=True)
class ScriptRule:
    """A reply and the prompts that get it.

    Attributes:
        prompt: The exact prompt, a pattern that is searched in it, or None for any prompt.
        model: The model key that must be asked, None for any.
        times: How often the rule can be used, None for ever.
        reply: The reply.
    """

    prompt: str | re.Pattern[str] | None = None
    model: str | None = None
    times: int | None = None
    reply: Reply = attrs.field(factory=Reply)

    def fits(self, prompt: str, model_key: str) -> bool:
        """Whether the rule is meant for this prompt to this model."""
        if self.model not in (None, model_key):
            return False
        if isinstance(self.prompt, re.Pattern):
            return self.prompt.search(prompt) is not None
        return self.prompt in (None, prompt)


@attrs.frozen
class Script:
    """Rules, the first of which that fits counts."""

    rules: tuple[ScriptRule, ...]
