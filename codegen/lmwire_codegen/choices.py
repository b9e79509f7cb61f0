"""How alternatives are told apart: objects by the value of a tag, scalars by their JSON type."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from lmwire_codegen.shapes import Limits, Scalar

__all__ = ["discriminator_of", "merged", "overlap"]

_DISCRIMINATORS: Final = ("type", "code", "role", "success", "kind", "op")
"""Tags that tell the arms of a union apart, the one to prefer first; any other will do if none of these does."""


def overlap(first: Scalar, second: Scalar) -> bool:
    numbers = ("integer", "number")
    return first.kind == second.kind or (first.kind in numbers and second.kind in numbers)


def merged(first: Scalar, second: Scalar) -> Scalar:
    """Return the scalar that admits both; limits that only one of them has do not hold for the other."""
    kind = first.kind if first.kind == second.kind else "number"
    both = bool(first.limits.choices) and bool(second.limits.choices)
    return Scalar(kind, Limits(choices=first.limits.choices + second.limits.choices) if both else Limits())


def discriminator_of(bodies: Sequence[Mapping[str, Any]]) -> str | None:
    """Return the field whose constant value tells the objects apart."""

    def constants(body: Mapping[str, Any]) -> dict[str, Any]:
        required = body.get("required", ())
        return {
            name: child["const"]
            for name, child in body.get("properties", {}).items()
            if isinstance(child, Mapping) and isinstance(child.get("const"), (str, bool)) and name in required
        }

    tables = [constants(body) for body in bodies]
    shared = [name for name in tables[0] if all(name in table for table in tables)] if tables else []
    ranked = sorted(
        shared, key=lambda n: _DISCRIMINATORS.index(n) if n in _DISCRIMINATORS else len(_DISCRIMINATORS)
    )
    for name in ranked:
        values = [table[name] for table in tables]
        if (
            len({(type(value), value) for value in values}) == len(values)
            and len({type(v) for v in values}) == 1
        ):
            return name
    return None
