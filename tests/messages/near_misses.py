"""Values that are valid but for one change: what a slip, an older or a newer peer would send."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import attrs

from tests.messages.reference import Segments, discriminator, objects_of
from tests.messages.samples import KEYS, alternatives, full, some
from tests.messages.schemas import PATTERN_MISFITS, Schema

PROBES: Final[tuple[Any, ...]] = (
    None, True, False, 0, 1, -1, 2.5, 3.0, 1e300, 10**30, "", "a value that nobody knows", "1", [], [None], [1, 2], {},
    {"type": "a tag that nobody knows", "code": 1}, [[]],
)  # fmt: skip
"""What is put into each place, whatever belongs there; some of it is valid there."""

ODD_TAGS: Final[tuple[Any, ...]] = (
    None,
    0,
    1,
    True,
    False,
    "a tag that nobody knows",
    "",
    [],
    {},
    ["a"],
    1.0,
    1e300,
)

_REMOVED: Final = object()


@attrs.frozen
class NearMiss:
    """A changed value, and in words what was changed."""

    title: str
    value: Any = attrs.field(repr=False)


def near_misses(schema: Schema, *, fields: bool) -> Iterator[NearMiss]:
    """Every change of a full instance, and of its variants.

    ``fields`` goes into the fields of the first objects; those inside of them are types of their own.
    """
    for base in _bases(schema):
        for at, child in _places(schema, base, (), 1 if fields else 0):
            yield from changes(base, at, child)


def changes(base: Any, at: Segments, schema: Schema) -> Iterator[NearMiss]:
    """Every change of ``base`` at one place, which is a ``schema``."""
    for probe in (*PROBES, *_misfits(schema)):
        yield NearMiss(f"{probe!r:.60} at {at}", _changed(base, at, probe))
    objects = objects_of(schema) or [one for one in alternatives(schema) if "properties" in one]
    value = _at(base, at)
    if not objects or not isinstance(value, dict):
        return
    for key in (*KEYS, *(_misspelt(name) for name in value)):
        if key not in value:
            yield NearMiss(f"extra key {key!r} in {at}", _changed(base, (*at, key), 1))
    for name, item in value.items():
        yield NearMiss(f"{name!r} absent from {at}", _changed(base, (*at, name), _REMOVED))
        others = {key: other for key, other in value.items() if key != name}
        yield NearMiss(f"{name!r} misspelt in {at}", _changed(base, at, {**others, _misspelt(name): item}))
    if len(objects) > 1:
        tag = discriminator(objects)
        for odd in ODD_TAGS:
            yield NearMiss(f"tag {odd!r} at {at}", _changed(base, (*at, tag), odd))


def _bases(schema: Schema) -> Iterator[Any]:
    """A full instance; with each other alternative of its fields; of a union, one of each arm."""
    for one in alternatives(schema):
        if "properties" not in one:
            yield from some(one)[:1]
            continue
        base = full(one)
        yield base
        for name, child in one["properties"].items():
            if "anyOf" in child and not objects_of(child):
                yield from ({**base, name: some(arm)[0]} for arm in alternatives(child)[1:])


def _places(schema: Schema, value: Any, at: Segments, depth: int) -> Iterator[tuple[Segments, Schema]]:
    """The places of ``value`` with their schemas, as far as ``depth`` objects inside each other."""
    yield at, schema
    for one in alternatives(schema):
        if isinstance(value, dict) and "properties" in one and _is_member(one, value) and depth:
            for name, child in one["properties"].items():
                if name in value:
                    yield from _places(child, value[name], (*at, name), depth - 1)
        elif isinstance(value, dict) and one.get("type") == "object" and "properties" not in one:
            for key in list(value)[:3]:
                yield from _places(one["additionalProperties"], value[key], (*at, key), depth)
        elif isinstance(value, list) and "prefixItems" in one:
            for index, child in enumerate(one["prefixItems"]):
                yield from _places(child, value[index], (*at, index), depth)
        elif isinstance(value, list) and one.get("type") == "array":
            for index in sorted({0, len(value) - 1} & set(range(len(value)))):
                yield from _places(one["items"], value[index], (*at, index), depth)


def _is_member(schema: Schema, value: dict[str, Any]) -> bool:
    constants = {name: child["const"] for name, child in schema["properties"].items() if "const" in child}
    return value.keys() <= schema["properties"].keys() and all(
        value.get(name, constant) is constant or value.get(name) == constant
        for name, constant in constants.items()
    )


def _misfits(schema: Schema) -> Iterator[Any]:
    """Values of the right type that a limit of ``schema`` forbids."""
    for one in alternatives(schema):
        if "pattern" in one:
            yield from PATTERN_MISFITS
        yield from (
            "x" * (one[key] + step) for key, step in (("minLength", -1), ("maxLength", 1)) if key in one
        )
        for key, step in (("minimum", -1), ("maximum", 1), ("exclusiveMinimum", 0)):
            if key in one:
                yield from (one[key] + step, float(one[key] + step))
        if "maxItems" in one:
            yield some(one)[0][:1] * (one["maxItems"] + 1)


def _misspelt(name: str) -> str:
    return name[:-1] + name[-1].swapcase() if name[-1:].isalpha() else name + "_"


def _at(value: Any, at: Segments) -> Any:
    for segment in at:
        value = value[segment]
    return value


def _changed(value: Any, at: Segments, new: Any) -> Any:
    """Return a copy of ``value`` that has ``new`` at a place; what is beside the place is shared."""
    if not at:
        return new
    copied = value.copy()
    if new is _REMOVED and len(at) == 1:
        del copied[at[0]]
    else:
        inside = copied.get(at[0]) if isinstance(copied, dict) else copied[at[0]]
        copied[at[0]] = _changed(inside, at[1:], new)
    return copied


def places_of(schema: Schema, value: Any) -> list[tuple[Segments, Schema]]:
    """All places of ``value``, at any depth."""
    return list(_places(schema, value, (), 100))
