"""What generated message classes stand on: absence, unknown values, decoding rules for deviations, warnings.

This module is a leaf: it imports nothing of lmwire and nothing but typing-level modules, because every generated module
imports it. The rules for well-formed data are written out in the generated classes; what happens to data that deviates
from the schema is decided here, in ``Decoding``, and nowhere else:

=================================  ============================================  ==================
deviation                          lenient (default)                             strict
=================================  ============================================  ==================
required field absent or null      slot stays empty, one warning; reading it     DecodeError
                                   raises MissingFieldError
optional field null                UNSET, one warning                            DecodeError
wrong type, wrong length of a      DecodeError                                   DecodeError
tuple, another value of a tag
ill-typed field of an error        UNSET, one warning                            DecodeError
object (fault tolerant types)
unknown key                        ignored                                       DecodeError
unknown union member               Unknown with the raw data, one warning        DecodeError
unknown string of an enum          kept as it is                                 DecodeError
outside a bound or pattern         kept as it is                                 DecodeError
3.0 for an integer                 3                                             3
=================================  ============================================  ==================

A path is a linked tuple, ``(parent, segment)``, so that valid data pays one small tuple for each nested
value; it becomes a JSON pointer only when something deviates.
"""

from __future__ import annotations

import enum
import logging
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Final, Literal, NoReturn, TypeAlias

__all__ = [
    "GENERATED_CODE_VERSION",
    "LENIENT",
    "ROOT",
    "STRICT",
    "UNSET",
    "DecodeError",
    "Decoding",
    "Message",
    "MissingFieldError",
    "Path",
    "Secret",
    "Unknown",
    "Unset",
    "WarningSink",
    "blank",
    "encode_list",
    "encode_map",
    "pointer_of",
]


GENERATED_CODE_VERSION: Final = 1
"""The newest layout of generated code that this runtime supports; raised when generated code needs more of it."""


class Unset(enum.Enum):
    """The type of ``UNSET``; an enum, so that type checkers narrow ``value is UNSET``."""

    UNSET = "UNSET"

    def __bool__(self) -> Literal[False]:
        return False

    def __repr__(self) -> str:
        return "UNSET"


UNSET: Final = Unset.UNSET
"""Absent from the wire. Falsy. Never the same as None, which is the wire's null."""

Path: TypeAlias = "tuple[Any, str | int] | None"
ROOT: Final[Path] = None


def pointer_of(path: Path, *segments: str | int) -> str:
    """Return the JSON pointer (RFC 6901) of ``path`` followed by ``segments``; the root is the empty string."""
    reversed_segments: list[str | int] = list(reversed(segments))
    while path is not None:
        path, segment = path
        reversed_segments.append(segment)
    return "".join(
        "/" + str(segment).replace("~", "~0").replace("/", "~1") for segment in reversed(reversed_segments)
    )


class Secret(str):
    """The wire name of a field whose value is in no ``repr`` and no error message."""

    __slots__ = ()


class DecodeError(ValueError):
    """A received value deviates from the schema.

    ``pointer`` is the JSON pointer of the deviating value, ``expected`` and ``found`` say what the schema
    wants and what arrived, in words.
    """

    def __init__(self, pointer: str, expected: str, found: str) -> None:
        super().__init__(pointer, expected, found)
        self.pointer = pointer
        self.expected = expected
        self.found = found

    def __str__(self) -> str:
        # Keys are the peer's: half a surrogate pair could not even be printed, a line break would forge a line.
        place = self.pointer if self.pointer.isprintable() else repr(self.pointer)[1:-1]
        return f"at {place or '(root)'}: expected {self.expected}, found {self.found}"


class MissingFieldError(AttributeError):
    """A required field was read that the server had left out (lenient decoding leaves its slot empty)."""

    def __init__(self, type_name: str, field: str, wire_name: str, revision: str) -> None:
        super().__init__(type_name, field, wire_name, revision)
        self.type_name = type_name
        self.field = field
        self.wire_name = wire_name
        self.revision = revision

    def __str__(self) -> str:
        return (
            f"{self.type_name}.{self.field} was not sent by the server (wire name {self.wire_name!r}, required since"
            f" protocol revision {self.revision} or earlier); the server may be older or newer than these bindings"
        )


KINDS_REPORTED: Final = 1000


class WarningSink:
    """Reports each kind of deviation once, so that a stream of a million odd packets costs one line.

    A peer that invents kinds gets ``KINDS_REPORTED`` of them and no more.
    """

    def __init__(self, emit: Callable[[str], None] | None = None) -> None:
        """``emit`` takes one line of text; by default it is logged at WARNING on the logger ``lmwire``."""
        self._emit = emit or logging.getLogger("lmwire").warning
        self._seen: set[tuple[str, ...]] = set()

    def warn(self, kind: tuple[str, ...], text: str, *more: tuple[str, ...]) -> None:
        """Emit ``text`` unless something of the same ``kind`` was emitted before; it speaks for ``more`` kinds too."""
        if kind in self._seen or len(self._seen) >= KINDS_REPORTED:
            return
        self._seen.update((kind, *more))
        self._emit(text)
        if len(self._seen) >= KINDS_REPORTED:
            self._emit("the peer deviates in too many ways to report more of them")


class Unknown:
    """A union member that this revision does not know: what a newer server sent, with all its data.

    Attributes:
        union: Name of the union that was being decoded.
        tag: Its discriminator as received, None if there was none.
        raw: The value exactly as received.
    """

    __slots__ = ("raw", "tag", "union")
    __match_args__ = ("tag", "raw")

    def __init__(self, union: str, tag: Any, raw: Any) -> None:
        self.union = union
        self.tag = tag
        self.raw = raw

    def to_wire(self) -> Any:
        """Return the value as it was received."""
        return self.raw

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Unknown) and (self.union, self.raw) == (other.union, other.raw)

    __hash__ = None  # type: ignore[assignment]  # the raw value is mutable

    def __repr__(self) -> str:
        return f"Unknown(union={self.union!r}, tag={self.tag!r}, raw={self.raw!r})"


_WORDS: Final[Mapping[type, str]] = {
    str: "a string",
    int: "an integer",
    float: "a number",
    bool: "a boolean",
    list: "an array",
    dict: "an object",
    type(None): "null",
    Unset: "nothing",
}
_LETTERS_SHOWN: Final = 60
_BITS_SHOWN: Final = 1024  # Python refuses to write integers of some thousand digits


def describe(value: Any) -> str:
    """Say in words what a received value is, short enough for an error message, however large the value is."""
    word = _WORDS.get(type(value), type(value).__name__)
    if isinstance(value, bool):
        return f"a boolean ({str(value).lower()})"
    if isinstance(value, int) and value.bit_length() > _BITS_SHOWN:
        return f"{word} (of {value.bit_length()} bits)"
    if isinstance(value, (str, int, float)):
        text = repr(value[:_LETTERS_SHOWN]) if isinstance(value, str) else repr(value)
        return f"{word} ({text if len(text) <= _LETTERS_SHOWN else text[: _LETTERS_SHOWN - 3] + '...'})"
    return word


class Decoding:
    """How deviations are treated while decoding: the table at the head of this module, as methods.

    Generated code calls these only for data that is not plainly valid, so none of them is on the hot path.
    """

    __slots__ = ("extra_keys", "sink", "strict")

    def __init__(
        self, *, strict: bool = False, extra_keys: bool = False, sink: WarningSink | None = None
    ) -> None:
        """``extra_keys`` lets a strict decoder ignore unknown keys, as upstream's own server judges requests."""
        self.strict = strict
        self.extra_keys = extra_keys
        self.sink = sink or WarningSink()

    def deviation(self, path: Path, expected: str, value: Any) -> NoReturn:
        """Refuse ``value`` in both modes."""
        secret = path is not None and type(path[1]) is Secret
        found = _WORDS.get(type(value), "something else") if secret else describe(value)
        raise DecodeError(pointer_of(path), expected, found)

    def completed(self, data: dict[str, Any], demanded: Sequence[str], owner: str) -> dict[str, Any]:
        """Return a copy of ``data`` that has UNSET for what it lacks of ``demanded``; one warning names all of that.

        For decoders that take a message for complete, until a KeyError tells them better; called while one is handled.
        """
        complete = {**dict.fromkeys(demanded, UNSET), **data}
        if len(complete) == len(data):
            raise  # the KeyError: nothing is lacking, so that it is a bug, and would come again
        lacking = [name for name in demanded if name not in data]
        if len(lacking) > 1 and not self.strict:
            kinds = [_field_kind(owner, name, "left out") for name in lacking]
            names = ", ".join(map(repr, lacking))
            self.sink.warn(
                kinds[0],
                f"{owner}: the fields {names} are left out, though the schema says they are required; an older or newer"
                " server?",
                *kinds,
            )
        return complete

    def absent(self, path: Path, owner: str, expected: str, value: Any) -> None:
        """Judge a *required* field whose value is not of the ``expected`` kind: absent or null may pass, else raise.

        ``path`` is the path of the field, ``owner`` the class that has it.
        """
        if self.strict or (value is not UNSET and value is not None):
            self.deviation(path, expected, value)
        self._warn_field(path, owner, "left out" if value is UNSET else "null", "required")

    def unset(self, path: Path, owner: str, expected: str, value: Any) -> Unset:
        """Judge an *optional* field that is present but not of the ``expected`` kind: null counts as absent."""
        if self.strict or value is not None:
            self.deviation(path, expected, value)
        self._warn_field(path, owner, "null", "optional, not nullable")
        return UNSET

    def dropped(self, path: Path, owner: str, error: DecodeError) -> Unset:
        """Judge an ill-typed field of a *fault tolerant* type (error objects): the field alone is dropped."""
        if self.strict:
            raise error
        field = "" if path is None else str(path[1])
        self.sink.warn(("dropped", owner, field), f"{owner}: field {field!r} is dropped: {error}")
        return UNSET

    def integer(self, path: Path, value: Any) -> int | None:
        """Return an integral float as an integer, None for anything else (3.0 is an integer on this wire)."""
        if type(value) is float and value.is_integer():
            return int(value)
        return None

    def unknown_member(self, path: Path, union: str, tag: Any, value: Any, known: Iterable[Any]) -> Unknown:
        """Judge a union member whose discriminator is not in the schema."""
        if self.strict or type(value) is not dict:
            names = ", ".join(sorted(map(str, known)))
            self.deviation(path, f"a member of {union} ({names})", value if tag is None else tag)
        # Only strings are repeated: writing out nested data may exceed the recursion limit.
        name = repr(tag[:100]) if type(tag) is str else f"with {describe(tag)} for its tag"
        self.sink.warn(
            ("member", union, name), f"unknown {union} {name} received; a newer server? It is kept raw"
        )
        return Unknown(union, tag, value)

    def check_keys(self, path: Path, data: Mapping[str, Any], known: frozenset[str]) -> None:
        """Strict mode only: refuse keys that the schema does not have."""
        if self.extra_keys:
            return
        for key in data:
            if key not in known:
                raise DecodeError(pointer_of(path, key), "no such key", "an unknown key")

    def check_enum(self, path: Path, value: str, members: frozenset[str]) -> None:
        """Strict mode only: refuse strings that the enum does not list."""
        if value not in members:
            self.deviation(path, "one of " + ", ".join(sorted(members)), value)

    def check_bounds(
        self, path: Path, value: float, *, minimum: float | None = None, maximum: float | None = None,
        exclusive_minimum: float | None = None, exclusive_maximum: float | None = None,
    ) -> None:  # fmt: skip
        """Strict mode only: refuse numbers outside the schema's bounds."""
        if minimum is not None and value < minimum:
            self.deviation(path, f"at least {minimum}", value)
        if maximum is not None and value > maximum:
            self.deviation(path, f"at most {maximum}", value)
        if exclusive_minimum is not None and value <= exclusive_minimum:
            self.deviation(path, f"more than {exclusive_minimum}", value)
        if exclusive_maximum is not None and value >= exclusive_maximum:
            self.deviation(path, f"less than {exclusive_maximum}", value)

    def check_text(
        self, path: Path, value: str, *, minimum: int | None = None, maximum: int | None = None,
        pattern: re.Pattern[str] | None = None,
    ) -> None:  # fmt: skip
        """Strict mode only: refuse strings whose length (characters) or shape the schema does not allow."""
        if minimum is not None and len(value) < minimum:
            self.deviation(path, f"a string of at least {minimum} characters", value)
        if maximum is not None and len(value) > maximum:
            self.deviation(path, f"a string of at most {maximum} characters", value)
        if pattern is not None and pattern.search(value) is None:
            self.deviation(path, f"a string that matches {pattern.pattern}", value)

    def _warn_field(self, path: Path, owner: str, what: str, rule: str) -> None:
        field = "" if path is None else str(path[1])
        self.sink.warn(
            _field_kind(owner, field, what),
            f"{owner}: field {field!r} is {what}, though the schema says it is {rule}; an older or newer server?",
        )


def _field_kind(owner: str, field: str, what: str) -> tuple[str, ...]:
    return ("field", owner, field, what)


LENIENT: Final = Decoding()
STRICT: Final = Decoding(strict=True)


class Message:
    """Base of every generated message class.

    Subclasses are attrs classes with slots. ``wire_names`` maps each attribute to its wire name, in the schema's order.
    A slot is empty only after lenient decoding of a message that lacked a required field. Messages can be copied and
    pickled, empty slots included, and not be hashed, because they are mutable.
    """

    __slots__ = ()

    wire_names: ClassVar[Mapping[str, str]] = {}
    wire_revision: ClassVar[str] = "unknown"

    text_field: ClassVar[str | None] = None
    """The attribute that ``str`` of the message is; None for messages that are no text."""

    def to_wire(self) -> dict[str, Any]:
        """Return the message as plain JSON data; absent and missing fields are left out."""
        raise NotImplementedError(type(self).__name__)

    if not TYPE_CHECKING:  # or else type checkers would take any attribute for one

        def __getattr__(self, name: str) -> Any:
            # Reached only when normal lookup fails: the slot is empty, or there is no such attribute.
            wire_name = type(self).wire_names.get(name)
            if wire_name is None:
                raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")
            raise MissingFieldError(type(self).__name__, name, wire_name, type(self).wire_revision)

    def __eq__(self, other: object) -> bool:
        if type(other) is not type(self):
            return NotImplemented
        return all(getattr(self, name, UNSET) == getattr(other, name, UNSET) for name in self.wire_names)

    __hash__ = None  # type: ignore[assignment]  # messages are mutable

    def __reduce__(self) -> Any:
        # Copying and pickling leave empty slots empty; attrs' own way would read them.
        return _restore, (
            type(self),
            {name: getattr(self, name) for name in self.wire_names if hasattr(self, name)},
        )

    def __str__(self) -> str:
        return repr(self) if self.text_field is None else str(getattr(self, self.text_field))

    def __repr__(self) -> str:
        values = ((name, getattr(self, name, UNSET)) for name in self.wire_names)
        shown = ", ".join(
            f"{name}={self._shown(name, value)}" for name, value in values if value is not UNSET
        )
        return f"{type(self).__name__}({shown})"

    def _shown(self, name: str, value: Any) -> str:
        return "<redacted>" if type(self.wire_names[name]) is Secret else repr(value)


def _restore(kind: type[Message], values: Mapping[str, Any]) -> Message:
    message = kind.__new__(kind)
    for name, value in values.items():
        setattr(message, name, value)
    return message


blank: Final = object.__new__
"""Makes an empty message for its decoder to fill; a global is found faster than an attribute of ``object``."""


def encode_list(values: Iterable[Any]) -> list[Any]:
    """Encode a list of messages (or of anything with ``to_wire``)."""
    return [value.to_wire() for value in values]


def encode_map(values: Mapping[str, Any]) -> dict[str, Any]:
    """Encode a string-keyed map of messages."""
    return {key: value.to_wire() for key, value in values.items()}
