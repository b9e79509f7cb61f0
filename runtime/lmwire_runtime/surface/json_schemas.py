"""JSON Schemas of Python classes and annotations, for models that have to answer in their shape.

A class becomes an object schema; classes that its fields name go to ``$defs``, so that classes may refer to
themselves and to each other. The schema never is a bare ``$ref`` at its top: LM Studio refuses that.
"""

from __future__ import annotations

import collections.abc as abc
import enum
import types
import typing
from collections.abc import Callable, Mapping
from datetime import date, datetime, time
from typing import Any, Final
from uuid import UUID

from lmwire_runtime import json_codec
from lmwire_runtime.errors import UsageError
from lmwire_runtime.surface.class_fields import fields_of, hints_of, unwrapped, written_docstring
from lmwire_runtime.wire import UNSET

__all__ = ["ARRAYS", "MAPPINGS", "SCALARS", "TEXTS", "constraints_of", "fields_schema", "schema_of"]

Schema = dict[str, Any]

SCALARS: Final[Mapping[Any, str]] = {
    str: "string",
    int: "integer",
    float: "number",
    bool: "boolean",
    None: "null",
    type(None): "null",
}
"""Types that JSON has itself."""

TEXTS: Final[Mapping[Any, str]] = {datetime: "date-time", date: "date", time: "time", UUID: "uuid"}
"""Types that JSON writes as text of a format."""

ARRAYS: Final = frozenset(
    {list, set, frozenset, abc.Sequence, abc.MutableSequence, abc.Set, abc.Collection, abc.Iterable}
)
"""What a JSON array can become; tuples are dealt with apart."""

MAPPINGS: Final = frozenset({dict, abc.Mapping, abc.MutableMapping})
"""What a JSON object without fixed keys can become."""

# Attributes of what stands in Annotated[...] -> the schema's keyword, as annotated-types, msgspec and pydantic name
# them. The keyword for a length depends on what is counted.
_BOUNDS: Final[Mapping[str, str]] = {
    "gt": "exclusiveMinimum",
    "ge": "minimum",
    "lt": "exclusiveMaximum",
    "le": "maximum",
    "multiple_of": "multipleOf",
    "pattern": "pattern",
    "title": "title",
    "description": "description",
    "documentation": "description",
}
_COUNTED: Final[Mapping[str, str]] = {"string": "Length", "array": "Items", "object": "Properties"}
_LENGTHS: Final[Mapping[str, str]] = {"min_length": "min", "max_length": "max"}


def schema_of(cls: type) -> Schema:
    """Return the JSON Schema of a class with fields.

    Raises:
        UsageError: The class is of no kind whose fields can be read, or a field has a type that JSON has no
            word for; the message names class and field.
    """
    return _with_definitions(lambda definitions: definitions.inline(cls))


def fields_schema(cls: type) -> Schema:
    """Return the JSON Schema of a class's fields, not asking the class itself for one; raises as ``schema_of``."""
    return _with_definitions(lambda definitions: definitions.of_fields(cls))


def constraints_of(extras: tuple[Any, ...]) -> dict[str, Any]:
    """Return what the extras of ``Annotated`` say: attribute -> value, such as ``{"ge": 0}``."""
    found: dict[str, Any] = {}
    for extra in extras:
        if isinstance(extra, str):
            found["description"] = extra
            continue
        # Pydantic's Field keeps its bounds in a list.
        for source in (extra, *(getattr(extra, "metadata", None) or ())):
            for name in (*_BOUNDS, *_LENGTHS):
                value = getattr(source, name, None)
                if value is not None and not callable(value):
                    found[name] = value
    return found


def _with_definitions(make: Callable[[_Definitions], Schema]) -> Schema:
    definitions = _Definitions()
    schema = make(definitions)
    if definitions.schemas:
        schema = {**schema, "$defs": definitions.schemas}
    return schema


class _Definitions:
    """The classes that one schema refers to, each under a name of its own."""

    def __init__(self) -> None:
        self.schemas: dict[str, Schema] = {}
        self._names: dict[type, str] = {}

    def inline(self, cls: type) -> Schema:
        """Return the schema of a class as it stands at the top."""
        maker = _own_maker(cls)
        if maker is not None:
            schema = maker()
            if not isinstance(schema, Mapping):
                raise UsageError(
                    f"{cls.__name__}.model_json_schema() must return a JSON Schema (dict); it returned {schema!r}"
                )
            return _without_top_reference(dict(schema))
        if hasattr(cls, "__struct_fields__"):
            return _without_top_reference(_struct_schema(cls))
        return self.of_fields(cls)

    def of_fields(self, cls: type) -> Schema:
        fields = fields_of(cls)
        if fields is None:
            raise UsageError(
                f"{cls.__name__} cannot be used as a response format: it is no pydantic model, BaseModel, attrs class,"
                " dataclass, TypedDict or msgspec Struct"
            )
        hints = hints_of(cls)
        properties = {}
        for field in fields:
            schema = self.of_hint(hints[field.name], f"{cls.__name__}.{field.name}")
            if field.default is not UNSET and _is_json(field.default):
                schema = {**schema, "default": field.default}
            properties[field.key] = schema
        described = written_docstring(cls)
        return {
            "title": cls.__name__,
            **({"description": described} if described else {}),
            "type": "object",
            "properties": properties,
            "required": [field.key for field in fields if field.required],
        }

    def of_hint(self, hint: Any, where: str) -> Schema:
        """Return the schema of an annotation; ``where`` is the class and field that it belongs to."""
        hint = unwrapped(hint)
        if hint is Any or hint is object:
            return {}
        if hint in SCALARS:
            return {"type": SCALARS[hint]}
        if hint in TEXTS:
            return {"type": "string", "format": TEXTS[hint]}
        if isinstance(hint, type) and issubclass(hint, enum.Enum):
            return self._of_values([member.value for member in hint], where)
        if hint in ARRAYS or hint is tuple:
            return {"type": "array"}
        if hint in MAPPINGS:
            return {"type": "object"}
        generic = self._of_generic(typing.get_origin(hint), typing.get_args(hint), where)
        if generic is not None:
            return generic
        if isinstance(hint, type) and typing.get_origin(hint) is None:
            return self._reference(hint, where)
        raise _no_word(where, hint)

    def _of_generic(self, origin: Any, arguments: tuple[Any, ...], where: str) -> Schema | None:
        if origin is typing.Annotated:
            return _constrained(self.of_hint(arguments[0], where), arguments[1:])
        if origin in (typing.Union, types.UnionType):
            return {"anyOf": [self.of_hint(argument, where) for argument in arguments]}
        if origin is typing.Literal:
            values = [value.value if isinstance(value, enum.Enum) else value for value in arguments]
            return self._of_values(values, where)
        if origin in ARRAYS or (origin is tuple and arguments[1:] == (Ellipsis,)):
            return {"type": "array", "items": self.of_hint(arguments[0], where)}
        if origin is tuple:
            items = [self.of_hint(argument, where) for argument in arguments]
            return {"type": "array", "prefixItems": items, "minItems": len(items), "maxItems": len(items)}
        if origin in MAPPINGS and unwrapped(arguments[0]) is str:
            return {"type": "object", "additionalProperties": self.of_hint(arguments[1], where)}
        return None

    def _of_values(self, values: list[Any], where: str) -> Schema:
        for value in values:
            if type(value) not in SCALARS:
                raise _no_word(where, value)
        return {"enum": values}

    def _reference(self, cls: type, where: str) -> Schema:
        name = self._names.get(cls)
        if name is None:
            if not _describes_itself(cls) and fields_of(cls) is None:
                raise _no_word(where, cls)
            name = self._names[cls] = self._free_name(cls.__name__)
            self.schemas[name] = {}  # keeps the name while the class's own fields refer to it
            schema = self.inline(cls)
            for inner, definition in schema.pop("$defs", {}).items():
                if self.schemas.setdefault(inner, definition) != definition and inner != name:
                    raise UsageError(f"{where}: two different classes are called {inner}; rename one")
            self.schemas[name] = schema
        return {"$ref": f"#/$defs/{name}"}

    def _free_name(self, name: str) -> str:
        number, free = 1, name
        while free in self.schemas:
            number += 1
            free = f"{name}{number}"
        return free


def _own_maker(cls: type) -> Callable[[], Mapping[str, Any]] | None:
    """Return the class's own way to make its schema, unless that is ours."""
    maker: Callable[[], Mapping[str, Any]] | None = getattr(cls, "model_json_schema", None)
    if not callable(maker) or getattr(getattr(maker, "__func__", None), "reads_fields", False):
        return None
    return maker


def _describes_itself(cls: type) -> bool:
    return _own_maker(cls) is not None or hasattr(cls, "__struct_fields__")


def _struct_schema(cls: type) -> Schema:
    import msgspec

    (schema,), components = msgspec.json.schema_components([cls], ref_template="#/$defs/{name}")
    return {**schema, "$defs": components}


def _without_top_reference(schema: Schema) -> Schema:
    """Put what a ``$ref`` at the top refers to in its place."""
    reference = schema.pop("$ref", None)
    if reference is None:
        return schema
    definitions = schema.pop("$defs", {})
    name = reference.rpartition("/")[2]
    target = definitions[name]
    # A class that refers to itself needs the definition all the same.
    if json_codec.dumps(reference) not in json_codec.dumps(definitions):
        del definitions[name]
    return {**schema, **target, **({"$defs": definitions} if definitions else {})}


def _constrained(schema: Schema, extras: tuple[Any, ...]) -> Schema:
    found = constraints_of(extras)
    added = {keyword: found[name] for name, keyword in _BOUNDS.items() if name in found}
    counted = _COUNTED.get(schema.get("type", ""))
    if counted is not None:
        added.update({f"{side}{counted}": found[name] for name, side in _LENGTHS.items() if name in found})
    return {**schema, **added}


def _is_json(value: Any) -> bool:
    return type(value) in SCALARS or value is None


def _no_word(where: str, hint: Any) -> UsageError:
    return UsageError(
        f"{where} is annotated with {hint!r}, which JSON Schema has no word for; use str, int, float, bool, None, list,"
        " dict, tuple, Literal, Enum, or a class with fields"
    )
