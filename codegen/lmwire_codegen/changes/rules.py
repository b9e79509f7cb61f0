"""Which changes break whom: one table.

*Breaks clients*: a client made for the old revision, doing nothing but what it did, no longer works with a server of
the new one. *Breaks servers*: a server made for the old revision no longer works with a client of the new one that uses
nothing new. Both read as lenient peers do: unknown fields, packets and words are passed over. So the direction
decides: a field that is required towards the server breaks the clients that do not send it, towards the client the
servers that do not.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final, Literal, TypeAlias

import attrs

__all__ = ["RULES", "Direction", "Rule", "Verdict", "judge"]

Direction: TypeAlias = Literal["to server", "to client"]


@attrs.frozen
class Verdict:
    """Whether a change breaks one side, and why."""

    breaking: bool
    reason: str


def _fine(reason: str) -> Verdict:
    return Verdict(False, reason)


def _breaks(reason: str) -> Verdict:
    return Verdict(True, reason)


@attrs.frozen
class Rule:
    """What a kind of change means; each pair is for clients and for servers.

    Attributes:
        words: What happened, after the name of the thing.
        group: Heading under which a changelog has it.
        to_server, to_client: Verdicts by the direction in which the data goes.
    """

    words: str
    group: Literal["added", "removed", "changed"]
    to_server: tuple[Verdict, Verdict]
    to_client: tuple[Verdict, Verdict]


def _either_way(words: str, group: Literal["added", "removed", "changed"], *verdicts: Verdict) -> Rule:
    clients, servers = verdicts
    return Rule(words, group, (clients, servers), (clients, servers))


_UNUSED: Final = _fine("older clients do not use it")
_OPT_IN: Final = _fine("only a client that uses it meets an older server's refusal")
_PASSED_OVER: Final = _fine("older clients pass over what they do not know")
_IGNORED: Final = _fine("servers ignore what they do not know")
_UNSENT: Final = _fine("older servers never send it")
_EXPECTED_NOT: Final = _fine("newer clients do not expect it")
_NOT_ON_THE_WIRE: Final = _fine("nothing changes on the wire")

RULES: Final[Mapping[str, Rule]] = {
    "namespace-added": _either_way("added", "added", _UNUSED, _OPT_IN),
    "namespace-removed": _either_way(
        "removed", "removed", _breaks("older clients connect to it"), _fine("newer clients never connect to it")
    ),
    "endpoint-added": _either_way("added", "added", _UNUSED, _OPT_IN),
    "endpoint-removed": _either_way(
        "removed", "removed", _breaks("older clients call it"), _fine("newer clients never call it")
    ),
    "serialization-changed": _either_way(
        "serializes differently", "changed",
        _breaks("older clients write and read the other form"), _breaks("older servers write and read the other form"),
    ),
    "made-writable": _either_way("made writable", "changed", _UNUSED, _OPT_IN),
    "made-read-only": _either_way(
        "made read-only", "changed", _breaks("older clients write to it"), _fine("newer clients never write to it")
    ),
    "added-required": Rule(
        "added, required", "added",
        (_breaks("older clients do not send it"), _IGNORED),
        (_PASSED_OVER, _breaks("older servers do not send it")),
    ),
    "added-optional": Rule(
        "added, optional", "added",
        (_fine("it may be left out"), _IGNORED), (_PASSED_OVER, _fine("it may be left out")),
    ),
    "removed-required": Rule(
        "removed, was required", "removed",
        (_IGNORED, _breaks("newer clients do not send what older servers require")),
        (_breaks("newer servers do not send what older clients require"), _EXPECTED_NOT),
    ),
    "removed-optional": Rule(
        "removed, was optional", "removed",
        (_IGNORED, _fine("older servers do not require it")), (_fine("older clients do not require it"), _EXPECTED_NOT),
    ),
    "made-required": Rule(
        "made required", "changed",
        (_breaks("older clients may leave it out"), _fine("newer clients always send it")),
        (_fine("newer servers always send it"), _breaks("older servers may leave it out")),
    ),
    "made-optional": Rule(
        "made optional", "changed",
        (_fine("older clients always send it"), _breaks("newer clients may leave it out")),
        (_breaks("newer servers may leave it out"), _fine("older servers always send it")),
    ),
    "widened": Rule(
        "admits more values", "changed",
        (_fine("newer servers take all that older clients send"), _breaks("older servers refuse the new values")),
        (_breaks("older clients refuse the new values"), _fine("newer clients take all that older servers send")),
    ),
    "narrowed": Rule(
        "admits fewer values", "changed",
        (_breaks("newer servers refuse some values"), _fine("older servers take all that newer clients send")),
        (_fine("older clients take all that newer servers send"), _breaks("newer clients refuse some values")),
    ),
    "retyped": _either_way(
        "has another type", "changed",
        _breaks("values of one type are none of the other"), _breaks("values of one type are none of the other"),
    ),
    "retagged": _either_way(
        "told apart by another field", "changed",
        _breaks("older clients look at the old field"), _breaks("older servers look at the old field"),
    ),
    "packet-added": Rule("added", "added", (_UNUSED, _OPT_IN), (_PASSED_OVER, _UNSENT)),
    "packet-removed": Rule(
        "removed", "removed",
        (_breaks("older clients send it"), _fine("newer clients never send it")),
        (_breaks("older clients wait for it"), _breaks("older servers send what newer clients do not know")),
    ),
    "member-added": Rule("added", "added", (_UNUSED, _OPT_IN), (_PASSED_OVER, _UNSENT)),
    "member-removed": Rule(
        "removed", "removed",
        (_breaks("older clients send it, and newer servers refuse it"), _fine("newer clients never send it")),
        (_fine("newer servers never send it"), _fine("newer clients pass over what they do not know")),
    ),
    "type-added": _either_way("added", "added", _NOT_ON_THE_WIRE, _NOT_ON_THE_WIRE),
    "type-removed": _either_way("removed", "removed", _NOT_ON_THE_WIRE, _NOT_ON_THE_WIRE),
    "type-renamed": _either_way("renamed", "changed", _NOT_ON_THE_WIRE, _NOT_ON_THE_WIRE),
    "type-split": _either_way("parted from another", "changed", _NOT_ON_THE_WIRE, _NOT_ON_THE_WIRE),
}  # fmt: skip
"""Kind of change -> what it means. Types alone mean nothing on the wire; what is in them is a change of its own."""


def judge(kind: str, directions: Iterable[Direction]) -> tuple[Verdict, Verdict]:
    """Return the verdicts for clients and for servers on data that goes in ``directions``; breaking ones win."""
    rule = RULES[kind]
    pairs = [rule.to_server if direction == "to server" else rule.to_client for direction in directions]
    sides = list(zip(*(pairs or [rule.to_client]), strict=True))
    clients, servers = (max(verdicts, key=lambda verdict: verdict.breaking) for verdicts in sides)
    return clients, servers
