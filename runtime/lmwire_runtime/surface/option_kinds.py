"""Kinds of values that options hold: checks on the way out, tolerant reading on the way in.

Each kind has ``words`` for error messages, ``to_wire`` for what callers give and ``from_wire`` for what servers send.
Both raise ``MisfitError``; the table makes a UsageError of it, or keeps a server's value raw. Callers get some latitude
that the wire does not have: 40.0 is an integer, a tuple is a list, a dict in either spelling is a setting. A boolean is
never a number.
"""

from __future__ import annotations

import math
import operator
import reprlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, ClassVar, Final, Protocol, SupportsIndex

import attrs

from lmwire_runtime.errors import UsageError
from lmwire_runtime.surface.option_names import Name, Spellings
from lmwire_runtime.wire import UNSET

__all__ = [
    "AnyOf",
    "Boolean",
    "Choice",
    "Integer",
    "Json",
    "Kind",
    "ListOf",
    "Member",
    "MisfitError",
    "Number",
    "Record",
    "Setting",
    "SupportsWire",
    "Text",
    "TupleOf",
    "plain_json",
]


class MisfitError(Exception):
    """A value is not of the kind that its option has; ``path`` is the option, or the place inside it."""

    def __init__(self, path: str, expected: str, value: Any) -> None:
        super().__init__(path, expected, value)
        self.path = path
        self.expected = expected
        self.value = value

    def __str__(self) -> str:
        return f"option {self.path!r} must be {self.expected}; got {reprlib.repr(self.value)}"


class SupportsWire(Protocol):
    """Has a form in plain JSON, as every generated message does."""

    def to_wire(self) -> Any:
        """Return plain JSON."""


class Kind(Protocol):
    """What every kind of value has."""

    @property
    def words(self) -> str:
        """The kind in words that follow "must be"."""
        ...

    def to_wire(self, value: Any, path: str) -> Any:
        """Return a caller's value as plain JSON; raises MisfitError."""

    def from_wire(self, value: Any, path: str) -> Any:
        """Return a server's value as callers see it; raises MisfitError."""


@attrs.define(
    eq=False, repr=False, kw_only=True, getstate_setstate=False, match_args=False, weakref_slot=False
)
class Setting:
    """Base of the generated classes of configs and of settings inside them.

    Every attribute is optional unless the wire requires it; UNSET means that nothing is said about it.

    Attributes:
        extra: What a server sent beyond the attributes, by its key as received: keys that this revision does not know,
            and values that their attribute cannot hold. It is sent again with the rest.
    """

    extra: dict[str, Any] = attrs.field(factory=dict)

    wire_form: ClassVar[Callable[[Any], dict[str, Any]]]
    """Makes the wire form of an object; set by the ``Record`` or the table of the class."""

    def to_wire(self) -> dict[str, Any]:
        """Return the setting as the plain JSON that is sent for it; a config as ``{"fields": [...]}``.

        Raises:
            UsageError: A value is of the wrong kind or out of its range.
        """
        return type(self).wire_form(self)

    def _values(self) -> dict[str, Any]:
        fields: tuple[attrs.Attribute[Any], ...] = attrs.fields(type(self))
        return {field.name: getattr(self, field.name) for field in fields}

    def __eq__(self, other: object) -> bool:
        return self._values() == other._values() if type(other) is type(self) else NotImplemented

    __hash__ = None  # type: ignore[assignment]  # settings are mutable

    def __repr__(self) -> str:
        values = self._values()
        extra = values.pop("extra")
        shown = [f"{name}={value!r}" for name, value in values.items() if value is not UNSET]
        return f"{type(self).__name__}({', '.join([*shown, f'extra={extra!r}'] if extra else shown)})"


class _Simple:
    """A kind that reads what it writes."""

    __slots__: tuple[str, ...] = ()

    def __repr__(self) -> str:
        arguments = ", ".join(f"{name}={getattr(self, name)!r}" for name in self.__slots__)
        return f"{type(self).__name__}({arguments})"

    def to_wire(self, value: Any, path: str) -> Any:
        raise NotImplementedError(type(self).__name__)

    def from_wire(self, value: Any, path: str) -> Any:
        return self.to_wire(value, path)


class Boolean(_Simple):
    """True or False."""

    __slots__ = ()

    @property
    def words(self) -> str:
        return "True or False"

    def to_wire(self, value: Any, path: str) -> bool:
        if not isinstance(value, bool):
            raise MisfitError(path, self.words, value)
        return value


class Integer(_Simple):
    """A whole number; bounds are inclusive."""

    __slots__ = ("maximum", "minimum")

    def __init__(self, *, minimum: int | None = None, maximum: int | None = None) -> None:
        self.minimum: Final = minimum
        self.maximum: Final = maximum

    @property
    def words(self) -> str:
        return "an integer" + _range_words(self.minimum, self.maximum)

    def to_wire(self, value: Any, path: str) -> int:
        number = _integer(value)
        if number is None or not _within(number, self.minimum, self.maximum):
            raise MisfitError(path, self.words, value)
        return number


class Number(_Simple):
    """A finite number; bounds are inclusive. An int stays one."""

    __slots__ = ("maximum", "minimum")

    def __init__(self, *, minimum: float | None = None, maximum: float | None = None) -> None:
        self.minimum: Final = minimum
        self.maximum: Final = maximum

    @property
    def words(self) -> str:
        return "a number" + _range_words(self.minimum, self.maximum)

    def to_wire(self, value: Any, path: str) -> float:
        is_float = isinstance(value, float)
        number = float(value) if is_float else _integer(value)
        if number is None or not _is_finite(number) or not _within(number, self.minimum, self.maximum):
            raise MisfitError(path, self.words, value)
        return number


class Text(_Simple):
    """Text of at least ``min_length`` characters."""

    __slots__ = ("min_length",)

    def __init__(self, *, min_length: int = 0) -> None:
        self.min_length: Final = min_length

    @property
    def words(self) -> str:
        return (
            "text (str)"
            if self.min_length == 0
            else f"text (str) of at least {_count(self.min_length, 'character')}"
        )

    def to_wire(self, value: Any, path: str) -> str:
        if not isinstance(value, str) or len(value) < self.min_length:
            raise MisfitError(path, self.words, value)
        return str.__str__(value)  # the text of a str enum, not its name


class Choice(_Simple):
    """One of a few words or integers."""

    __slots__ = ("members",)

    def __init__(self, members: tuple[str | int, ...]) -> None:
        self.members: Final = members

    @property
    def words(self) -> str:
        return "one of " + ", ".join(map(repr, self.members))

    def to_wire(self, value: Any, path: str) -> str | int:
        plain = str.__str__(value) if isinstance(value, str) else _integer(value)
        if plain is None or plain not in self.members:
            raise MisfitError(path, self.words, value)
        return plain


class ListOf(_Simple):
    """A list, or any other sequence, of values of one kind."""

    __slots__ = ("item",)

    def __init__(self, item: Kind) -> None:
        self.item: Final = item

    @property
    def words(self) -> str:
        return f"a list, each item {self.item.words}"

    def to_wire(self, value: Any, path: str) -> list[Any]:
        return [self.item.to_wire(item, place) for item, place in self._items(value, path)]

    def from_wire(self, value: Any, path: str) -> list[Any]:
        return [self.item.from_wire(item, place) for item, place in self._items(value, path)]

    def _items(self, value: Any, path: str) -> Iterator[tuple[Any, str]]:
        if not isinstance(value, Sequence) or isinstance(value, (str, bytes, bytearray)):
            raise MisfitError(path, self.words, value)
        return ((item, f"{path}[{number}]") for number, item in enumerate(value))


class TupleOf(_Simple):
    """A sequence of a fixed length, each place with a kind of its own."""

    __slots__ = ("items",)

    def __init__(self, items: tuple[Kind, ...]) -> None:
        self.items: Final = items

    @property
    def words(self) -> str:
        return f"a sequence of {len(self.items)}: {', '.join(item.words for item in self.items)}"

    def to_wire(self, value: Any, path: str) -> list[Any]:
        return [kind.to_wire(item, place) for kind, item, place in self._items(value, path)]

    def from_wire(self, value: Any, path: str) -> tuple[Any, ...]:
        return tuple(kind.from_wire(item, place) for kind, item, place in self._items(value, path))

    def _items(self, value: Any, path: str) -> Iterator[tuple[Kind, Any, str]]:
        if not isinstance(value, (list, tuple)) or len(value) != len(self.items):
            raise MisfitError(path, self.words, value)
        return ((kind, value[number], f"{path}[{number}]") for number, kind in enumerate(self.items))


class AnyOf(_Simple):
    """A value of any one of several simple kinds."""

    __slots__ = ("kinds",)

    def __init__(self, kinds: tuple[Kind, ...]) -> None:
        self.kinds: Final = kinds

    @property
    def words(self) -> str:
        return ", or ".join(kind.words for kind in self.kinds)

    def to_wire(self, value: Any, path: str) -> Any:
        for kind in self.kinds:
            try:
                return kind.to_wire(value, path)
            except MisfitError:
                continue
        raise MisfitError(path, self.words, value)


class Json(_Simple):
    """Any JSON value, or any dict or list if that is the ``shape``; what is in it belongs to somebody else."""

    __slots__ = ("shape",)

    def __init__(self, shape: type[dict[str, Any]] | type[list[Any]] | None = None) -> None:
        self.shape: Final = shape

    @property
    def words(self) -> str:
        return "a JSON value" if self.shape is None else f"a {self.shape.__name__} of JSON values"

    def to_wire(self, value: Any, path: str) -> Any:
        plain = plain_json(value, path)
        if self.shape is not None and not isinstance(plain, self.shape):
            raise MisfitError(path, self.words, value)
        return plain


class Member:
    """A field of a setting: its wire name, its attribute, its kind, and whether the wire requires it."""

    __slots__ = ("attribute", "kind", "name", "required")

    def __init__(self, *, name: str, attribute: str, kind: Kind, required: bool = False) -> None:
        self.name: Final = name
        self.attribute: Final = attribute
        self.kind: Final = kind
        self.required: Final = required


class Record:
    """A setting: an object of a generated class, or a dict with its members in either spelling."""

    __slots__ = ("_names", "cls", "members")

    def __init__(self, cls: type[Setting], members: Iterable[Member]) -> None:
        self.cls = cls
        self.members: Final = tuple(members)
        self._names = Spellings(Name(member.name, member.attribute) for member in self.members)
        cls.wire_form = self._wire_form

    @property
    def words(self) -> str:
        return f"a {self.cls.__name__} or a dict"

    def __repr__(self) -> str:
        return f"Record({self.cls.__name__})"

    def given(self, value: Any, path: str) -> dict[str, Any]:
        """Return the members that a caller set, as plain JSON by wire name; ``extra`` is not among them.

        Raises:
            MisfitError: The value, or a member of it, is of the wrong kind, or a required member is not set.
            UsageError: A name is unknown, or given in both spellings.
        """
        if isinstance(value, self.cls):
            values = {member.name: getattr(value, member.attribute) for member in self.members}
        elif isinstance(value, Mapping):
            values = self._names.resolve(value, f"{path}.")
        else:
            raise MisfitError(path, self.words, value)
        wired: dict[str, Any] = {}
        for member in self.members:
            part = values.get(member.name, UNSET)
            if part is not UNSET and part is not None:
                wired[member.name] = member.kind.to_wire(part, f"{path}.{member.name}")
            elif member.required:
                raise MisfitError(path, f"a {self.cls.__name__} with {member.name!r}", value)
        return wired

    def to_wire(self, value: Any, path: str) -> dict[str, Any]:
        """Return a caller's setting as plain JSON."""
        wired = self.given(value, path)
        extra = plain_json(value.extra, f"{path}.extra") if isinstance(value, Setting) else {}
        return {**extra, **wired}

    def _wire_form(self, value: Any) -> dict[str, Any]:
        try:
            return self.to_wire(value, self.cls.__name__)
        except MisfitError as error:
            raise UsageError(str(error)) from None

    def from_wire(self, value: Any, path: str) -> Setting:
        """Return a server's object as a setting; members that this revision does not know go to its ``extra``."""
        if not isinstance(value, Mapping):
            raise MisfitError(path, self.words, value)
        read: dict[str, Any] = {}
        for member in self.members:
            if member.name in value:
                read[member.attribute] = member.kind.from_wire(value[member.name], f"{path}.{member.name}")
            elif member.required:
                raise MisfitError(path, f"a {self.cls.__name__} with {member.name!r}", value)
        known = {member.name for member in self.members}
        return self.cls(**read, extra={key: item for key, item in value.items() if key not in known})


def plain_json(value: Any, path: str) -> Any:
    """Return a copy of ``value`` in plain JSON; messages and settings of other kinds are asked for their wire form.

    Raises:
        MisfitError: A part of it is no JSON.
    """
    if value is None or isinstance(value, (bool, str, int)):
        return value
    if isinstance(value, float) and math.isfinite(value):
        return value
    if isinstance(value, Mapping) and all(isinstance(key, str) for key in value):
        return {key: plain_json(item, f"{path}.{key}") for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain_json(item, f"{path}[{number}]") for number, item in enumerate(value)]
    to_wire = getattr(value, "to_wire", None)
    if callable(to_wire):
        return plain_json(to_wire(), path)
    raise MisfitError(path, "a JSON value", value)


def _is_finite(number: float) -> bool:
    """Whether a float can hold the number; integers know no bounds."""
    try:
        return math.isfinite(number)
    except OverflowError:
        return False


def _integer(value: Any) -> int | None:
    if isinstance(value, bool):
        return None
    if isinstance(value, float):
        return int(value) if value.is_integer() else None
    return operator.index(value) if isinstance(value, SupportsIndex) else None


def _within(number: float, minimum: float | None, maximum: float | None) -> bool:
    return (minimum is None or number >= minimum) and (maximum is None or number <= maximum)


def _range_words(minimum: float | None, maximum: float | None) -> str:
    if minimum is not None and maximum is not None:
        return f" from {minimum} to {maximum}"
    if minimum is not None:
        return f" of at least {minimum}"
    return "" if maximum is None else f" of at most {maximum}"


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
