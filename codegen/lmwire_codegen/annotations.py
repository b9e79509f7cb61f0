"""What superjson's plain rendering stands for: annotations of a type's parts, for the codecs of superjson endpoints.

Upstream's schemas are made by zod-to-json-schema, which leaves a trace of everything that is no JSON: a Map is an array
of at most 125 pairs, a Set an array of unique elements, a Date text of the format ``date-time``, a bigint an integer of
the format ``int64``.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, TypeAlias

from lmwire_codegen.model import Model
from lmwire_codegen.shapes import (
    ArrayType,
    Choice,
    MapType,
    MessageDefinition,
    Named,
    Nullable,
    Scalar,
    TupleType,
    Type,
    UnionDefinition,
)

__all__ = ["annotations_of"]

Steps: TypeAlias = "tuple[str | int | None, ...]"

_ENTRIES_OF_A_MAP: Final = 125
_FORMATS: Final = {("string", "date-time"): "Date", ("integer", "int64"): "bigint"}


def annotations_of(model: Model, type_: Type) -> tuple[tuple[Steps, str], ...]:
    """Return the annotations of a type: path -> kind, None in a path for every element or value.

    A type that contains itself is followed once.
    """
    return tuple(dict.fromkeys(_found(model, type_, (), frozenset())))


def _found(model: Model, type_: Type, path: Steps, above: frozenset[str]) -> Iterator[tuple[Steps, str]]:
    kind = _kind(type_)
    if kind is not None:
        yield path, kind
    for step, child in _children(model, type_, above):
        here = above | {type_.key} if isinstance(type_, Named) else above
        yield from _found(model, child, path + step, here)


def _kind(type_: Type) -> str | None:
    if isinstance(type_, Scalar):
        return _FORMATS.get((type_.kind, type_.format or ""))
    if not isinstance(type_, ArrayType):
        return None
    if type_.unique:
        return "set"
    pairs = isinstance(type_.item, TupleType) and len(type_.item.items) == 2
    return "map" if pairs and type_.max_items == _ENTRIES_OF_A_MAP else None


def _children(model: Model, type_: Type, above: frozenset[str]) -> Iterator[tuple[Steps, Type]]:
    """Yield the parts of a type, each with the steps that lead to it."""
    if isinstance(type_, Nullable):
        yield (), type_.inner
    elif isinstance(type_, ArrayType):
        yield (None,), type_.item
    elif isinstance(type_, MapType):
        yield (None,), type_.value
    elif isinstance(type_, TupleType):
        yield from (((index,), item) for index, item in enumerate(type_.items))
    elif isinstance(type_, Choice):
        yield from (((), member) for member in type_.members)
    elif isinstance(type_, Named) and type_.key not in above:
        definition = model.definition(type_.key)
        if isinstance(definition, MessageDefinition):
            yield from (((field.wire_name,), field.type) for field in definition.fields)
        elif isinstance(definition, UnionDefinition):
            yield from (((), arm) for _, arm in definition.arms)
