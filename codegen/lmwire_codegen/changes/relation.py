"""How two types relate: does every value of the one fit the other?

Two names are taken for the same here and handed on as a pair: what differs inside them is told once, where they are
defined.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Final, Literal, TypeAlias

from lmwire_codegen.shapes import (
    AnyType,
    ArrayType,
    Choice,
    Definition,
    EnumDefinition,
    Limits,
    MapType,
    Named,
    Nullable,
    Scalar,
    TupleType,
    Type,
    UnionDefinition,
)

__all__ = ["Relation", "Relator", "joined"]

Relation: TypeAlias = Literal["same", "widened", "narrowed", "retyped"]
"""``widened``: every old value is still legal, and others are too."""

_NULL: Final = Choice(())
_LOWEST: Final = ("minimum", "exclusive_minimum", "min_length", "min_items")
_HIGHEST: Final = ("maximum", "exclusive_maximum", "max_length", "max_items")


def joined(*relations: Relation) -> Relation:
    """Return the relation of things whose parts relate like this."""
    found = set(relations) - {"same"}
    if not found:
        return "same"
    return found.pop() if len(found) == 1 else "retyped"


class Relator:
    """Relates types of two schemas."""

    def __init__(
        self, old: Mapping[str, Definition], new: Mapping[str, Definition], pair: Callable[[str, str], None]
    ) -> None:
        """``pair`` is told of every two definitions that stand in the same place."""
        self._old = old
        self._new = new
        self._pair = pair

    def relate(self, old: Type, new: Type) -> Relation:
        """Return how ``new`` relates to ``old``."""
        nullable = {(True, False): "narrowed", (False, True): "widened"}.get(
            (isinstance(old, Nullable), isinstance(new, Nullable)), "same"
        )
        old = old.inner if isinstance(old, Nullable) else old
        new = new.inner if isinstance(new, Nullable) else new
        inner: Relation
        if _NULL in (old, new):
            inner = "same" if old == new else "widened" if old == _NULL else "narrowed"
        elif isinstance(old, AnyType) or isinstance(new, AnyType):
            inner = "same" if old == new else "widened" if isinstance(new, AnyType) else "narrowed"
            nullable = "same"  # null is one of any values
        elif isinstance(old, Choice) or isinstance(new, Choice):
            inner = self._choices(_members(old), _members(new))
        else:
            inner = self._plain(old, new)
        return joined(inner, _relation(nullable))

    def _choices(self, old: Sequence[Type], new: Sequence[Type]) -> Relation:
        """Compare alternatives, which their JSON types tell apart."""
        was = {self._json_type(self._old, member): member for member in old}
        now = {self._json_type(self._new, member): member for member in new}
        relations: list[Relation] = [self.relate(was[kind], now[kind]) for kind in was.keys() & now.keys()]
        if was.keys() - now.keys():
            relations.append("narrowed")
        if now.keys() - was.keys():
            relations.append("widened")
        return joined(*relations)

    @staticmethod
    def _json_type(definitions: Mapping[str, Definition], type_: Type) -> str:
        if isinstance(type_, Scalar):
            return "number" if type_.kind == "integer" else type_.kind
        if isinstance(type_, Named):
            return "string" if isinstance(definitions.get(type_.key), EnumDefinition) else "object"
        return "object" if isinstance(type_, MapType) else "array"

    def _plain(self, old: Type, new: Type) -> Relation:
        if isinstance(old, Scalar) and isinstance(new, Scalar):
            return _scalars(old, new)
        if isinstance(old, ArrayType) and isinstance(new, ArrayType):
            return joined(self.relate(old.item, new.item), *_bounds(old, new, ("min_items", "max_items")))
        if isinstance(old, MapType) and isinstance(new, MapType):
            return self.relate(old.value, new.value)
        if isinstance(old, TupleType) and isinstance(new, TupleType) and len(old.items) == len(new.items):
            return joined(*map(self.relate, old.items, new.items))
        if isinstance(old, Named) and isinstance(new, Named):
            return self._names(old.key, new.key)
        if isinstance(old, Named) and self._is_text(new) and isinstance(self._old[old.key], EnumDefinition):
            return "widened"
        if isinstance(new, Named) and self._is_text(old) and isinstance(self._new[new.key], EnumDefinition):
            return "narrowed"
        return "retyped"

    @staticmethod
    def _is_text(type_: Type) -> bool:
        return isinstance(type_, Scalar) and type_.kind == "string" and not type_.limits.choices

    def _names(self, old: str, new: str) -> Relation:
        was, now = self._old[old], self._new[new]
        if type(was) is type(now):
            self._pair(old, new)
            return "same"
        if isinstance(now, UnionDefinition) and any(arm.key == old for _, arm in now.arms):
            return "widened"
        if isinstance(was, UnionDefinition) and any(arm.key == new for _, arm in was.arms):
            return "narrowed"
        return "retyped"


def _members(type_: Type) -> Sequence[Type]:
    return type_.members if isinstance(type_, Choice) else (type_,)


def _relation(word: str) -> Relation:
    return "widened" if word == "widened" else "narrowed" if word == "narrowed" else "same"


def _scalars(old: Scalar, new: Scalar) -> Relation:
    kinds: Relation = "same"
    if old.kind != new.kind:
        if {old.kind, new.kind} != {"integer", "number"}:
            return "retyped"
        kinds = "widened" if new.kind == "number" else "narrowed"
    return joined(kinds, *_limits(old.limits, new.limits))


def _limits(old: Limits, new: Limits) -> Iterator[Relation]:
    names = [name for name in (*_LOWEST, *_HIGHEST) if hasattr(old, name)]
    yield from _bounds(old, new, names)
    if old.pattern != new.pattern:
        yield "widened" if new.pattern is None else "narrowed" if old.pattern is None else "retyped"
    was, now = set(old.choices), set(new.choices)
    if was != now:
        if not now or (was and was <= now):
            yield "widened"
        else:
            yield "narrowed" if not was or now <= was else "retyped"


def _bounds(old: object, new: object, names: Sequence[str]) -> Iterator[Relation]:
    for name in names:
        was, now = getattr(old, name), getattr(new, name)
        if was == now:
            yield "same"
        elif was is None or now is None:
            yield "narrowed" if was is None else "widened"
        else:
            yield "widened" if (now < was) == (name in _LOWEST) else "narrowed"
