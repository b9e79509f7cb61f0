"""The graph that a schema is compiled to: what a value may be, and how high the lowest one is.

The height of a value is 1 for what holds no other value, and one more than the highest thing inside for arrays and
objects. ``Node.height`` is that of the lowest value that the node allows, infinite if there is none: because it allows
nothing, or because each of its values would have to hold another one without end. Whoever always goes for the lowest
value comes to an end, which is how recursive schemas are left again.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import ClassVar, Final, TypeAlias

import attrs

from lmwire_emulator.engines.structured.problems import InvalidSchemaError, Path

__all__ = ["Array", "Either", "Leaf", "Literals", "Member", "Node", "Object", "String", "measure"]


@attrs.define(eq=False, kw_only=True)
class _Value:
    """What nodes for values have in common.

    Attributes:
        at: Where the schema is.
        inferred: Whether the schema names no type, so that it allows values of other types as well.
    """

    at: Path
    inferred: bool = False
    height: float = math.inf


@attrs.define(eq=False, kw_only=True)
class Literals(_Value):
    """One of these texts, each of them JSON of a whole value.

    Attributes:
        listed: Whether they are all values that the schema allows; otherwise they are a choice of them.
    """

    texts: Sequence[str]
    listed: bool

    @property
    def kinds(self) -> frozenset[str]:
        """The types of the values."""
        return frozenset(_KINDS.get(text[0], "number") for text in self.texts)


_KINDS: Final = {'"': "string", "[": "array", "{": "object", "t": "boolean", "f": "boolean", "n": "null"}


@attrs.define(eq=False, kw_only=True)
class String(_Value):
    """A string of the model's words; lengths in code points."""

    kinds: ClassVar = frozenset({"string"})

    shortest: int = 0
    longest: float = math.inf


@attrs.define(eq=False, kw_only=True)
class Array(_Value):
    """An array that begins with ``first``, one node for each element, and goes on with ``rest``."""

    kinds: ClassVar = frozenset({"array"})

    first: Sequence[Node]
    rest: Node
    shortest: int = 0
    longest: float = math.inf

    def element(self, index: int) -> Node:
        """What the element at this place may be."""
        return self.first[index] if index < len(self.first) else self.rest

    def needed(self) -> Iterable[Node]:
        """The elements that each such array has."""
        yield from self.first[: self.shortest]
        if self.shortest > len(self.first):
            yield self.rest


@attrs.define(eq=False)
class Member:
    """A named member of an object; one that is ``required`` is always there."""

    name: str
    value: Node
    required: bool


@attrs.define(eq=False, kw_only=True)
class Object(_Value):
    """An object with these members, in this order.

    Attributes:
        others: What members with other names may be; None if there shall be none.
    """

    kinds: ClassVar = frozenset({"object"})

    members: Sequence[Member]
    others: Node | None

    def needed(self) -> Iterable[Node]:
        """The values that each such object has."""
        return (member.value for member in self.members if member.required)


@attrs.define(eq=False, kw_only=True)
class Either:
    """What any one of the arms allows; without arms, nothing.

    References are such nodes too: their only arm is filled in when it is known.

    Attributes:
        because: Why there may be no arms, for the error that says so.
    """

    at: Path
    arms: list[Node] = attrs.field(factory=list)
    because: str = "false allows no value"
    height: float = math.inf
    _leaves: tuple[Leaf, ...] | None = None

    def leaves(self) -> tuple[Leaf, ...]:
        """The possible nodes behind all arms, and behind the arms of arms; only after ``measure``."""
        if self._leaves is None:
            self._leaves = tuple(node for node in self.all_leaves() if node.height < math.inf)
        return self._leaves

    def all_leaves(self) -> Iterable[Leaf]:
        """Like ``leaves``, with those that are impossible."""
        seen: set[int] = set()
        pending: list[Node] = [self]
        while pending:
            node = pending.pop()
            if id(node) in seen:
                continue
            seen.add(id(node))
            if isinstance(node, Either):
                pending.extend(reversed(node.arms))
            else:
                yield node


Leaf: TypeAlias = Literals | String | Array | Object
Node: TypeAlias = Leaf | Either


def measure(root: Node, nodes: Iterable[Node]) -> None:
    """Work out the height of each node.

    Raises:
        InvalidSchemaError: No value satisfies the root.
    """
    unsettled = list(nodes)
    level = 1
    # Heights come out in ascending order, so that the first one found for a node is its lowest.
    while True:
        settled = [node for node in unsettled if _is_possible(node)]
        if not settled:
            break
        for node in settled:
            node.height = level
        # An arm's height is that of its Either: settle these to the end before the next level begins.
        unsettled = [node for node in unsettled if node.height == math.inf]
        while eithers := [node for node in unsettled if isinstance(node, Either) and _is_possible(node)]:
            for node in eithers:
                node.height = level
            unsettled = [node for node in unsettled if node.height == math.inf]
        level += 1
    if root.height == math.inf:
        raise _reason(root)


def _is_possible(node: Node) -> bool:
    if isinstance(node, (Literals, String)):
        return True
    if isinstance(node, Either):
        return any(arm.height < math.inf for arm in node.arms)
    return all(value.height < math.inf for value in node.needed())


def _reason(root: Node) -> InvalidSchemaError:
    """Walk down what is needed and impossible: the end of the way, or the place where it closes, is the reason."""
    seen: set[int] = set()
    node = root
    while id(node) not in seen:
        seen.add(id(node))
        needed = node.arms if isinstance(node, Either) else [*_needed(node)]
        impossible = [one for one in needed if one.height == math.inf]
        if not impossible:
            because = node.because if isinstance(node, Either) else "no value is possible"
            return InvalidSchemaError(f"{because}, and without one nothing satisfies the schema", node.at)
        node = impossible[0]
    return InvalidSchemaError("each value would have to hold another one like it, without end", node.at)


def _needed(node: Leaf) -> Iterable[Node]:
    return node.needed() if isinstance(node, (Array, Object)) else ()
