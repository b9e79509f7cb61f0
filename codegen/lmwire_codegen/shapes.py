"""What a schema says, as values: types of data, definitions that become Python classes and aliases, endpoints.

These values are what ``normalise`` makes and every later stage reads. A ``Named`` type points at a definition by its
key, which says where in the schema it stands (``LlmInfo``, ``llm/channel/predict/toClient[success]``).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Literal, TypeAlias

import attrs

from lmwire_codegen.problems import Location

__all__ = [
    "AnyType",
    "ArrayType",
    "Choice",
    "Definition",
    "EnumDefinition",
    "Field",
    "Limits",
    "MapType",
    "MessageDefinition",
    "Named",
    "NormalEndpoint",
    "NormalPart",
    "NormalSchema",
    "Nullable",
    "Presence",
    "Scalar",
    "ScalarKind",
    "Tag",
    "TagField",
    "TupleType",
    "Type",
    "UnionDefinition",
    "named_in",
]

Presence: TypeAlias = Literal["required", "optional", "void"]
ScalarKind: TypeAlias = Literal["string", "integer", "number", "boolean"]
Tag: TypeAlias = "str | bool | int"


@attrs.frozen(kw_only=True)
class Limits:
    """What strict decoding checks of a scalar beyond its kind; None where there is no limit."""

    minimum: float | None = None
    maximum: float | None = None
    exclusive_minimum: float | None = None
    exclusive_maximum: float | None = None
    min_length: int | None = None
    max_length: int | None = None
    pattern: str | None = None
    """A regular expression of Python's ``re``, for ``search`` with ``re.ASCII`` unless it needs Unicode."""
    choices: tuple[str | int, ...] = ()
    """Values known to this revision; others are kept in lenient mode."""


@attrs.frozen
class Scalar:
    """A string, number or boolean."""

    kind: ScalarKind
    limits: Limits = Limits()
    format: str | None = None
    """The schema's word for what the value stands for; superjson endpoints need it."""


@attrs.frozen
class AnyType:
    """Any JSON value, kept as it is."""


@attrs.frozen
class Nullable:
    """Null, or the inner type."""

    inner: Type


@attrs.frozen
class ArrayType:
    """An array of equal elements."""

    item: Type
    min_items: int | None = None
    max_items: int | None = None
    unique: bool = False


@attrs.frozen
class TupleType:
    """An array of fixed length."""

    items: tuple[Type, ...]


@attrs.frozen
class MapType:
    """An object with arbitrary keys."""

    value: Type


@attrs.frozen
class Choice:
    """Alternatives that the JSON type tells apart."""

    members: tuple[Type, ...]


@attrs.frozen
class Named:
    """A message, union or enum that has a name."""

    key: str


Type: TypeAlias = Scalar | AnyType | Nullable | ArrayType | TupleType | MapType | Choice | Named


@attrs.frozen(kw_only=True)
class Definition:
    """Something that gets a Python name.

    Attributes:
        key: Where in the schema it stands; the lock file keeps its name under this.
        place: File and JSON pointer, for problems.
        root: What it belongs to: a shared type's name, ``envelope/Name``, or an endpoint's key.
        names: Candidates for its Python name, the one to prefer first.
        description: Words for its docstring; empty if there are none.
    """

    key: str
    place: Location
    root: str
    names: tuple[str, ...]
    description: str = ""


@attrs.frozen(kw_only=True)
class Field:
    """A field of a message."""

    wire_name: str
    type: Type
    required: bool
    description: str = ""
    secret: bool = False


@attrs.frozen(kw_only=True)
class TagField:
    """A required field that has only one legal value."""

    wire_name: str
    value: Tag
    description: str = ""


@attrs.frozen(kw_only=True)
class MessageDefinition(Definition):
    """An object with known fields. ``order`` lists the wire names of fields and tags as the schema has them."""

    fields: tuple[Field, ...]
    tags: tuple[TagField, ...] = ()
    order: tuple[str, ...] = ()
    tolerant: bool = False

    @property
    def parts(self) -> list[Field | TagField]:
        """Fields and tags in their order."""
        by_name: dict[str, Field | TagField] = {field.wire_name: field for field in self.fields}
        by_name |= {tag.wire_name: tag for tag in self.tags}
        return [by_name[name] for name in self.order]


@attrs.frozen(kw_only=True)
class UnionDefinition(Definition):
    """Messages told apart by the value of one tag; ``arms`` maps each value to a message."""

    discriminator: str
    arms: tuple[tuple[Tag, Named], ...]


@attrs.frozen(kw_only=True)
class EnumDefinition(Definition):
    """An open set of strings; ``words`` describes each of its members, empty text where nothing is said."""

    members: tuple[str, ...]
    words: tuple[str, ...]


@attrs.frozen
class NormalPart:
    """A part of an endpoint; void parts have no type."""

    type: Type | None
    presence: Presence


@attrs.frozen(kw_only=True)
class NormalEndpoint:
    """An endpoint. ``parts`` has every part of its kind, by our name of it."""

    namespace: str
    kind: str
    name: str
    key: str
    place: Location
    parts: Mapping[str, NormalPart]
    serialization: str = "raw"
    writable: bool = False
    description: str = ""


@attrs.frozen(kw_only=True)
class NormalSchema:
    """Everything the schema says.

    Attributes:
        revision: Name of the protocol revision.
        definitions: All definitions by key, in the order of the files.
        files: Shared type (or ``envelope/Name``) -> the file that defines it.
        endpoints: All endpoints, by namespace.
        described: Keys of ``descriptions/`` that something used.
        notices: What was not compiled faithfully (patterns that Python does not know), in words.
    """

    revision: str
    definitions: Mapping[str, Definition]
    files: Mapping[str, str]
    endpoints: Mapping[str, tuple[NormalEndpoint, ...]]
    described: frozenset[str]
    notices: tuple[str, ...] = ()


def named_in(type_: Type) -> Iterator[str]:
    """Yield the keys of the definitions that ``type_`` mentions itself, in order."""
    if isinstance(type_, Named):
        yield type_.key
    elif isinstance(type_, Nullable):
        yield from named_in(type_.inner)
    elif isinstance(type_, ArrayType):
        yield from named_in(type_.item)
    elif isinstance(type_, MapType):
        yield from named_in(type_.value)
    elif isinstance(type_, TupleType):
        for item in type_.items:
            yield from named_in(item)
    elif isinstance(type_, Choice):
        for member in type_.members:
            yield from named_in(member)
