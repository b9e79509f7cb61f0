"""What the keywords of JSON Schema have to hold, and where references are: in exports and in ``schema/wire`` alike."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final, TypeAlias

__all__ = ["KEYWORDS", "Check", "references_in", "with_references"]

Steps: TypeAlias = "tuple[str | int, ...]"
Check: TypeAlias = "tuple[Callable[[Any], bool], str]"
"""Tells whether a value is as it should be; what it should be, in words."""

_TYPES: Final = frozenset({"string", "integer", "number", "boolean", "object", "array", "null"})


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _is_names(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(name, str) for name in value) and _differ(value)


def _differ(names: list[str]) -> bool:
    return len(set(names)) == len(names)


def _is_type(value: Any) -> bool:
    if isinstance(value, list):
        return bool(value) and _is_names(value) and _TYPES.issuperset(value)
    return isinstance(value, str) and value in _TYPES


_TEXT: Final[Check] = (lambda value: isinstance(value, str), "text")
_COUNT: Final[Check] = (_is_count, "a whole number that is not negative")
_NUMBER: Final[Check] = (_is_number, "a number")
_FLAG: Final[Check] = (lambda value: isinstance(value, bool), "true or false")

KEYWORDS: Final[Mapping[str, Check]] = {
    "$ref": _TEXT, "format": _TEXT, "pattern": _TEXT,
    "type": (_is_type, f"one of {', '.join(sorted(_TYPES))}, or several of them"),
    "const": (lambda value: True, "anything"),
    "enum": (lambda value: isinstance(value, list) and bool(value), "an array with something in it"),
    "required": (_is_names, "an array of different names"),
    "minLength": _COUNT, "maxLength": _COUNT, "minItems": _COUNT, "maxItems": _COUNT,
    "minProperties": _COUNT, "maxProperties": _COUNT,
    "minimum": _NUMBER, "maximum": _NUMBER, "exclusiveMinimum": _NUMBER, "exclusiveMaximum": _NUMBER,
    "multipleOf": (lambda value: _is_number(value) and value > 0, "a number above zero"),
    "uniqueItems": _FLAG,
}  # fmt: skip
"""Keywords that hold no schema, and what they hold."""

_DATA: Final = frozenset({"const", "enum", "default", "examples"})
_TABLES: Final = frozenset({"properties", "definitions", "$defs", "rpc", "channel", "signal"})


def references_in(schema: Any, path: Steps = (), *, is_table: bool = False) -> Iterator[tuple[Steps, str]]:
    """Yield every ``$ref`` below ``schema`` with the path of the object that has it; what is data is no reference."""
    if isinstance(schema, Mapping):
        if not is_table and isinstance(schema.get("$ref"), str):
            yield path, schema["$ref"]
        for key, child in schema.items():
            if is_table or key not in _DATA:
                inside = not is_table and key in _TABLES
                yield from references_in(child, (*path, key), is_table=inside)
    elif isinstance(schema, list):
        for index, child in enumerate(schema):
            yield from references_in(child, (*path, index))


def with_references(schema: Any, replaced: Callable[[str], str], *, is_table: bool = False) -> Any:
    """Return a copy of ``schema`` in which every ``$ref`` is what ``replaced`` makes of it."""
    if isinstance(schema, list):
        return [with_references(child, replaced) for child in schema]
    if not isinstance(schema, Mapping):
        return schema
    copied: dict[str, Any] = {}
    for key, child in schema.items():
        if not is_table and key == "$ref" and isinstance(child, str):
            copied[key] = replaced(child)
        elif not is_table and key in _DATA:
            copied[key] = child
        else:
            copied[key] = with_references(child, replaced, is_table=not is_table and key in _TABLES)
    return copied
