"""Does a value satisfy a schema? Asked of values that a schema lists, and of numbers.

The schema has been checked: each keyword is a supported one and has an argument of the right type.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from fractions import Fraction
from typing import Any, Final, TypeAlias

__all__ = ["Resolve", "accepts", "canonical", "exact", "is_type", "text_of"]

Resolve: TypeAlias = Callable[[str], Any]
"""Returns the schema that a ``$ref`` refers to."""


def is_type(value: Any, word: str) -> bool:
    """Whether a JSON value is of a JSON Schema type; 3.0 is an integer, true is no number."""
    if isinstance(value, bool):
        return word == "boolean"
    if word == "integer":
        return isinstance(value, int) or (isinstance(value, float) and value.is_integer())
    return isinstance(value, _PYTHON_TYPES[word])


_PYTHON_TYPES: Final[Mapping[str, Any]] = {
    "object": Mapping,
    "array": list,
    "string": str,
    "number": (int, float),
    "boolean": bool,
    "null": type(None),
}


def exact(number: float) -> Fraction:
    """Return a number as it is written in JSON: 0.1 is a tenth."""
    return Fraction(repr(number))


def text_of(value: Any) -> str:
    """Return a value as JSON; half surrogate pairs, which have no UTF-8, are escaped.

    Raises:
        ValueError: It holds a number that JSON has not, such as infinity.
    """
    text = json.dumps(value, ensure_ascii=False, allow_nan=False)
    return "".join(f"\\u{ord(sign):04x}" if "\ud800" <= sign <= "\udfff" else sign for sign in text)


def canonical(value: Any) -> str:
    """Return a text that is the same for equal values: 1 is 1.0 in JSON, but not true."""
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    if isinstance(value, list):
        return f"[{','.join(map(canonical, value))}]"
    if isinstance(value, Mapping):
        return f"{{{','.join(f'{json.dumps(key)}:{canonical(value[key])}' for key in sorted(value))}}}"
    return json.dumps(value)


def accepts(schema: Any, value: Any, resolve: Resolve) -> bool:
    """Whether a value satisfies a schema of the supported keywords."""
    if isinstance(schema, bool):
        return schema
    return all(check(schema, value, resolve) for keyword, check in _CHECKS.items() if keyword in schema)


_Check: TypeAlias = Callable[[Mapping[str, Any], Any, Resolve], bool]


def _of_type(schema: Mapping[str, Any], value: Any, resolve: Resolve) -> bool:
    words = schema["type"]
    return any(is_type(value, word) for word in ([words] if isinstance(words, str) else words))


def _bound(keyword: str, word: str, fits: Callable[[Any, Any], bool]) -> _Check:
    """A check of values of one type only; all others satisfy it."""

    def check(schema: Mapping[str, Any], value: Any, resolve: Resolve) -> bool:
        return not is_type(value, word) or fits(value, schema[keyword])

    return check


def _is_multiple(value: float, of: float) -> bool:
    return (exact(value) / exact(of)).denominator == 1


def _members(schema: Mapping[str, Any], value: Any, resolve: Resolve) -> bool:
    if not isinstance(value, Mapping):
        return True
    members, others = schema.get("properties", {}), schema.get("additionalProperties", True)
    return all(accepts(members.get(name, others), one, resolve) for name, one in value.items())


def _elements(schema: Mapping[str, Any], value: Any, resolve: Resolve) -> bool:
    if not isinstance(value, list):
        return True
    first, rest = schema.get("prefixItems", []), schema.get("items", True)
    if isinstance(rest, list):
        first, rest = rest, schema.get("additionalItems", True)
    return all(accepts(one, element, resolve) for one, element in zip(first, value, strict=False)) and all(
        accepts(rest, element, resolve) for element in value[len(first) :]
    )


_CHECKS: Final[Mapping[str, _Check]] = {
    "type": _of_type,
    "const": lambda schema, value, resolve: canonical(value) == canonical(schema["const"]),
    "enum": lambda schema, value, resolve: canonical(value) in map(canonical, schema["enum"]),
    "minimum": _bound("minimum", "number", lambda value, bound: value >= bound),
    "maximum": _bound("maximum", "number", lambda value, bound: value <= bound),
    "exclusiveMinimum": _bound("exclusiveMinimum", "number", lambda value, bound: value > bound),
    "exclusiveMaximum": _bound("exclusiveMaximum", "number", lambda value, bound: value < bound),
    "multipleOf": _bound("multipleOf", "number", _is_multiple),
    "minLength": _bound("minLength", "string", lambda value, bound: len(value) >= bound),
    "maxLength": _bound("maxLength", "string", lambda value, bound: len(value) <= bound),
    "minItems": _bound("minItems", "array", lambda value, bound: len(value) >= bound),
    "maxItems": _bound("maxItems", "array", lambda value, bound: len(value) <= bound),
    "prefixItems": _elements,
    "items": _elements,
    "required": _bound("required", "object", lambda value, names: set(names) <= value.keys()),
    "properties": _members,
    "additionalProperties": _members,
    "$ref": lambda schema, value, resolve: accepts(resolve(schema["$ref"]), value, resolve),
    "allOf": lambda schema, value, resolve: all(accepts(arm, value, resolve) for arm in schema["allOf"]),
    "anyOf": lambda schema, value, resolve: any(accepts(arm, value, resolve) for arm in schema["anyOf"]),
    "oneOf": lambda schema, value, resolve: sum(accepts(arm, value, resolve) for arm in schema["oneOf"]) == 1,
}
