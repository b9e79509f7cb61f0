"""Values that JavaScript has and JSON has not, as Python values: what superjson carries, and what signals may hold.

==================  =====================================================================================
JavaScript          Python
==================  =====================================================================================
undefined           ``UNSET``
null, boolean       None, bool
number              int or float; NaN, the infinities and -0 are floats
bigint              ``BigInt``, which is an int (an int that no number can hold is sent as one too)
string              str
Array               list (a tuple is sent as an array)
plain object        dict with str keys
Map                 ``Map``: ordered, takes keys of any kind; compare dict, which is an object
Set                 ``Set``: ordered, takes members of any kind (a set or frozenset is sent as a Set)
Date                datetime with a timezone, in UTC, of milliseconds (finer ones are cut off when sent)
RegExp              ``RegExp``: source and flags as JavaScript spells them
URL                 ``Url``
Error               ``ErrorValue``
Uint8Array, ...     ``TypedArray``
==================  =====================================================================================

They compare by content, and all but list, dict, ``Map`` and ``Set`` are immutable. Two keys of a ``Map``, or members of
a ``Set``, are one if JavaScript takes them for one: ``1`` and ``1.0`` are, ``1`` and ``True`` are not, and objects only
if they are the same object.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Iterator, Mapping, MutableMapping
from datetime import datetime, timezone
from typing import Any, Final, Generic, TypeAlias, TypeVar, cast

import attrs

from lmwire_runtime.wire import UNSET

__all__ = [
    "TYPED_ARRAYS",
    "BigInt",
    "ErrorValue",
    "Map",
    "RegExp",
    "Set",
    "TypedArray",
    "Url",
    "date_text",
    "same",
]

K = TypeVar("K")
V = TypeVar("V")

Token: TypeAlias = "tuple[str, Any]"

TYPED_ARRAYS: Final = frozenset(
    f"{kind}Array"
    for kind in ("Int8", "Uint8", "Uint8Clamped", "Int16", "Uint16", "Int32", "Uint32", "Float32", "Float64")
)
"""Names of the typed arrays that superjson knows."""


class BigInt(int):
    """JavaScript's bigint: an int that is sent as one, however small it is."""

    __slots__ = ()

    def __repr__(self) -> str:
        return f"BigInt({int(self)})"


@attrs.frozen
class RegExp:
    """A regular expression, in JavaScript's spelling of ``source`` and ``flags``."""

    source: str
    flags: str = ""


@attrs.frozen
class Url:
    """JavaScript's URL object."""

    href: str


@attrs.frozen
class ErrorValue:
    """JavaScript's Error object; ``details`` are further properties that the peer chose to send."""

    name: str
    message: str
    details: Mapping[str, Any] = attrs.field(factory=dict)


def _numbers(values: Iterable[float]) -> tuple[float, ...]:
    return tuple(values)


@attrs.frozen
class TypedArray:
    """An array of numbers of one machine type; ``kind`` is one of ``TYPED_ARRAYS``."""

    kind: str = attrs.field(validator=attrs.validators.in_(TYPED_ARRAYS))
    values: tuple[float, ...] = attrs.field(converter=_numbers)


def token_of(value: Any) -> Token:
    """Return what stands for ``value`` as a key: equal for what JavaScript takes for one key."""
    kind = type(value)
    if kind is int or kind is float:
        return ("number", "NaN" if value != value else value)
    if kind in (str, bool, BigInt) or value is None or value is UNSET:
        return (kind.__name__, value)
    return ("object", id(value))


class Map(MutableMapping[K, V], Generic[K, V]):
    """JavaScript's Map. Of several entries with one key the last one counts, at the place of the first."""

    __slots__ = ("_entries",)
    __hash__ = None  # type: ignore[assignment]

    def __init__(self, entries: Mapping[K, V] | Iterable[tuple[K, V]] = ()) -> None:
        pairs = cast("Iterable[tuple[K, V]]", entries.items() if isinstance(entries, Mapping) else entries)
        self._entries: dict[Token, tuple[K, V]] = {}
        for key, value in pairs:
            self[key] = value

    def __getitem__(self, key: Any) -> V:
        try:
            return self._entries[token_of(key)][1]
        except KeyError:
            raise KeyError(key) from None

    def __setitem__(self, key: K, value: V) -> None:
        self._entries[token_of(key)] = (key, value)

    def __delitem__(self, key: Any) -> None:
        try:
            del self._entries[token_of(key)]
        except KeyError:
            raise KeyError(key) from None

    def __iter__(self) -> Iterator[K]:
        return (key for key, _ in self._entries.values())

    def __len__(self) -> int:
        return len(self._entries)

    def pairs(self) -> list[tuple[K, V]]:
        """Return all entries in order."""
        return list(self._entries.values())

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Map) and same(self, other)

    def __repr__(self) -> str:
        return f"Map({self.pairs()!r})"


class Set(Collection[V], Generic[V]):
    """JavaScript's Set."""

    __slots__ = ("_members",)
    __hash__ = None  # type: ignore[assignment]

    def __init__(self, members: Iterable[V] = ()) -> None:
        self._members: dict[Token, V] = {}
        for member in members:
            self.add(member)

    def __contains__(self, member: object) -> bool:
        return token_of(member) in self._members

    def __iter__(self) -> Iterator[V]:
        return iter(self._members.values())

    def __len__(self) -> int:
        return len(self._members)

    def add(self, member: V) -> None:
        """Add a member, unless it is one."""
        self._members.setdefault(token_of(member), member)

    def has(self, member: Any) -> bool:
        """Whether there is a member of the same content; ``in`` wants the same object, as JavaScript does."""
        return member in self or any(same(member, other) for other in self._objects())

    def discard(self, member: Any) -> None:
        """Remove the member of this content, if there is one: what came over the wire is never the same object."""
        found = next((other for other in self._objects() if same(member, other)), member)
        self._members.pop(token_of(found), None)

    def _objects(self) -> list[V]:
        return [member for token, member in self._members.items() if token[0] == "object"]

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Set) and same(self, other)

    def __repr__(self) -> str:
        return f"Set({list(self)!r})"


def date_text(date: datetime) -> str:
    """Return a date as JavaScript writes it: in UTC, with three digits of milliseconds and ``Z``.

    Raises:
        ValueError: The date has no timezone.
    """
    if date.tzinfo is None:
        raise ValueError("a date without a timezone cannot be sent: add tzinfo, for example timezone.utc")
    utc = date.astimezone(timezone.utc).replace(tzinfo=None)
    return f"{utc.isoformat(timespec='milliseconds')}Z"


def same(first: Any, second: Any) -> bool:
    """Whether two values are one value to JavaScript, by content: ``1`` is ``1.0``, but not ``True``; NaN is NaN.

    Maps and sets are compared in order, as they are sent.
    """
    if first is second:
        return True
    if isinstance(first, dict):
        return (
            isinstance(second, dict)
            and len(first) == len(second)
            and all(key in second and same(value, second[key]) for key, value in first.items())
        )
    parts, others = _parts(first), _parts(second)
    if parts is not None or others is not None:
        return (
            parts is not None
            and others is not None
            and _container(first) is _container(second)
            and len(parts) == len(others)
            and all(map(same, parts, others))
        )
    if isinstance(second, dict):
        return False
    return _same_scalar(first, second)


def _container(value: Any) -> type:
    return list if isinstance(value, tuple) else type(value)


def _parts(value: Any) -> list[Any] | tuple[Any, ...] | None:
    """Return the parts of an ordered container, None for anything else."""
    if isinstance(value, (list, tuple)):
        return value
    if isinstance(value, Map):
        return [part for pair in value.pairs() for part in pair]
    if isinstance(value, Set):
        return list(value)
    return None


def _same_scalar(first: Any, second: Any) -> bool:
    kinds = [float if type(value) in (int, float) else type(value) for value in (first, second)]
    if kinds[0] is not kinds[1]:
        return False
    if kinds[0] is float:
        if first == 0 and second == 0:
            return math.copysign(1, first) == math.copysign(1, second)
        return bool(first == second or (first != first and second != second))
    return bool(first == second)
