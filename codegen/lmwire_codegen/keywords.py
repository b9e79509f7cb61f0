"""What the keywords of JSON Schema have to hold: one table, for upstream's exports and for ``schema/wire`` alike."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final, TypeAlias

__all__ = ["KEYWORDS", "Check"]

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
