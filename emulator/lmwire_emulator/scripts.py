"""Scripts: what the emulator does on which request, and what goes wrong then.

A script is a list of rules of three kinds: replies to prompts, courses of loads, and answers to requests of any
endpoint. Of the rules of the kind that is asked for, the first one that fits and is not used up counts.
``script_reader`` makes scripts of YAML and JSON files; tests may write them with the classes below.
"""

from __future__ import annotations

import collections
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Generic, Literal, TypeAlias, TypeVar

import attrs

from lmwire import UNSET
from lmwire_emulator.engines.base import ReasoningType, StopReason, Token
from lmwire_emulator.faults import CloseWithoutResult, DropTheConnection, Fail, Fault, Hang
from lmwire_emulator.models import LoadPlan

__all__ = [
    "Answer",
    "AnswerEnd",
    "EndpointRule",
    "Ending",
    "LoadRule",
    "Playlist",
    "Refuse",
    "Reply",
    "Rule",
    "Script",
    "ScriptRule",
    "ScriptedFragment",
    "Stop",
]


# Replies to prompts.


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


Ending: TypeAlias = Stop | Fault


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
        return self.model in (None, model_key) and _fits(self.prompt, prompt)


# Loads.


@attrs.frozen(kw_only=True)
class LoadRule:
    """How a load goes, and of which models.

    Attributes:
        load: The exact model key, a pattern that is searched in it, or None for any model.
        times: How often the rule can be used, None for ever.
        reply: How the load goes.
    """

    load: str | re.Pattern[str] | None = None
    times: int | None = None
    reply: LoadPlan = attrs.field(factory=LoadPlan)

    def fits(self, model_key: str) -> bool:
        """Whether the rule is meant for this model."""
        return _fits(self.load, model_key)


# Any endpoint.


@attrs.frozen
class Refuse:
    """The request gets one of the warnings without an id that servers send to a bad request, and nothing else."""

    why: Literal["unknown", "unhandled", "bad_parameter"]


AnswerEnd: TypeAlias = Refuse | Fail | CloseWithoutResult | Hang | DropTheConnection


@attrs.frozen(kw_only=True)
class Answer:
    """What a request of an endpoint gets, whatever the emulator knows of that endpoint.

    Attributes:
        delay: Seconds to wait first.
        result: Of a call: what is returned, plain JSON, sent as it is; UNSET for void.
        packets: Of a channel: its packets, plain JSON, sent as they are.
        end: What comes after that; None for the result of a call, and for the close of a channel.
    """

    delay: float = 0.0
    result: Any = UNSET
    packets: Sequence[Any] = ()
    end: AnswerEnd | None = None


@attrs.frozen(kw_only=True)
class EndpointRule:
    """An answer and the endpoint that gives it.

    Attributes:
        endpoint: ``namespace.name``, as the wire has them.
        times: How often the rule can be used, None for ever.
        reply: The answer.
    """

    endpoint: str
    times: int | None = None
    reply: Answer = attrs.field(factory=Answer)


Rule: TypeAlias = ScriptRule | LoadRule | EndpointRule
R = TypeVar("R", bound=Rule)


@attrs.frozen
class Script:
    """Rules; of those of a kind, the first one that fits counts. More may be added at the end while it is played."""

    rules: Sequence[Rule]


class Playlist(Generic[R]):
    """The rules of one kind of a script that is being played: knows which of them are used up."""

    def __init__(self, script: Script, kind: type[R]) -> None:
        self._script = script
        self._kind = kind
        self._used: collections.Counter[int] = collections.Counter()

    def __len__(self) -> int:
        return sum(1 for _ in self._rules())

    def take(self, fits: Callable[[R], bool]) -> R | None:
        """Return the first rule that fits and is not used up, and count it as used; None if there is none."""
        for number, rule in self._rules():
            used_up = rule.times is not None and self._used[number] >= rule.times
            if not used_up and fits(rule):
                self._used[number] += 1
                return rule
        return None

    def mentions(self, fits: Callable[[R], bool]) -> bool:
        """Whether there is a rule that fits, used up or not."""
        return any(fits(rule) for _, rule in self._rules())

    def _rules(self) -> Iterator[tuple[int, R]]:
        return (
            (number, rule) for number, rule in enumerate(self._script.rules) if isinstance(rule, self._kind)
        )


def _fits(wanted: str | re.Pattern[str] | None, text: str) -> bool:
    if isinstance(wanted, re.Pattern):
        return wanted.search(text) is not None
    return wanted in (None, text)
