"""Can a value satisfy two alternatives at once? For ``oneOf``, of which exactly one must be satisfied."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterable, Sequence

from lmwire_emulator.engines.structured.checks import canonical
from lmwire_emulator.engines.structured.nodes import Either, Leaf, Literals, Node, Object

__all__ = ["are_disjoint"]

_DEEPEST = 4


def are_disjoint(arms: Sequence[Node]) -> bool:
    """Whether no value that is written for one arm satisfies another one.

    Optional members that tell arms apart become required: pydantic writes its tags like that, which have defaults.
    """
    return all(_apart(one, other, _DEEPEST) for one, other in itertools.combinations(arms, 2))


def _leaves(node: Node) -> Iterable[Leaf]:
    return node.all_leaves() if isinstance(node, Either) else (node,)


def _apart(one: Node, other: Node, depth: int) -> bool:
    pairs = itertools.product(_leaves(one), _leaves(other))
    return depth > 0 and all(_leaves_apart(left, right, depth) for left, right in pairs)


def _leaves_apart(left: Leaf, right: Leaf, depth: int) -> bool:
    if left.inferred or right.inferred:
        return False
    if not left.kinds & right.kinds:
        return True
    if isinstance(left, Literals) and isinstance(right, Literals):
        return left.listed and right.listed and not _values(left) & _values(right)
    if isinstance(left, Object) and isinstance(right, Object):
        return _objects_apart(left, right, depth)
    return False


def _values(leaf: Literals) -> set[str]:
    return {canonical(json.loads(text)) for text in leaf.texts}


def _objects_apart(left: Object, right: Object, depth: int) -> bool:
    others = {member.name: member for member in right.members}
    for member in left.members:
        other = others.get(member.name)
        if other is None or not _apart(member.value, other.value, depth - 1):
            continue
        if all(one.required or _is_tag(one.value) for one in (member, other)):
            member.required = other.required = True
            return True
    return False


def _is_tag(value: Node) -> bool:
    return all(isinstance(leaf, Literals) for leaf in _leaves(value))
