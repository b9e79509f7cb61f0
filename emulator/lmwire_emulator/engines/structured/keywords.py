"""The keywords of JSON Schema: what may be their argument, which are heeded, which refused, which say nothing.

Keywords that no vocabulary knows are annotations, as the specification has it: they restrict nothing.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import attrs

from lmwire_emulator.engines.structured.problems import InvalidSchemaError, Path, UnsupportedKeywordError

__all__ = ["COMBINERS", "KEYWORDS_OF_TYPE", "LISTINGS", "TYPES", "check_keywords"]

TYPES: Final = ("string", "number", "integer", "boolean", "null", "object", "array")

LISTINGS: Final = ("const", "enum")
"""Keywords that say all values there are."""

COMBINERS: Final = ("$ref", "allOf", "anyOf", "oneOf")
"""Keywords that leave it to other schemas."""

KEYWORDS_OF_TYPE: Final[Mapping[str, Sequence[str]]] = {
    "object": ("properties", "required", "additionalProperties"),
    "array": ("items", "prefixItems", "minItems", "maxItems"),
    "string": ("minLength", "maxLength", "format"),
    "number": ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"),
}
"""Keywords that restrict values of one type, and tell the type where none is given."""

_REFUSED: Final[Mapping[str, Sequence[Any]]] = {
    "pattern": (),
    "not": (False,),
    "if": (),
    "then": (),
    "else": (),
    "patternProperties": ({},),
    "propertyNames": (True, {}, {"type": "string"}),
    "minProperties": (0,),
    "maxProperties": (),
    "dependencies": ({},),
    "dependentRequired": ({},),
    "dependentSchemas": ({},),
    "unevaluatedProperties": (True, {}),
    "unevaluatedItems": (True, {}),
    "uniqueItems": (False,),
    "contains": (),
    "minContains": (),
    "maxContains": (),
    "contentSchema": (),
    "$dynamicRef": (),
    "$recursiveRef": (),
}
"""Keywords that restrict values and are not heeded, with the arguments that restrict nothing."""


@attrs.frozen
class _Argument:
    """What the argument of a keyword must be; ``fits`` says whether it is."""

    wanted: str
    fits: Callable[[Any], bool]


def _is_number(value: Any) -> bool:
    return (
        not isinstance(value, bool)
        and isinstance(value, (int, float))
        and (isinstance(value, int) or math.isfinite(value))
    )


def _is_count(value: Any) -> bool:
    return _is_number(value) and value >= 0 and value == int(value)


def _is_schema(value: Any) -> bool:
    return isinstance(value, (bool, Mapping))


def _is_list_of(fits: Callable[[Any], bool]) -> Callable[[Any], bool]:
    return lambda value: isinstance(value, list) and all(map(fits, value))


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


_NUMBER: Final = _Argument("a number", _is_number)
_COUNT: Final = _Argument("an integer, at least 0", _is_count)
_SCHEMA: Final = _Argument("a schema: an object, true or false", _is_schema)
_SCHEMAS: Final = _Argument("an array of schemas", _is_list_of(_is_schema))
_ARMS: Final = _Argument(
    "an array of schemas, at least one", lambda value: bool(value) and _is_list_of(_is_schema)(value)
)
_ARGUMENTS: Final[Mapping[str, _Argument]] = {
    "type": _Argument(
        f"one of {', '.join(TYPES)}, or an array of some of them",
        lambda value: value in TYPES if isinstance(value, str) else bool(value) and _is_types(value),
    ),
    "enum": _Argument("an array, not empty", lambda value: isinstance(value, list) and bool(value)),
    "$ref": _Argument("a string", _is_text),
    "allOf": _ARMS,
    "anyOf": _ARMS,
    "oneOf": _ARMS,
    "properties": _Argument("an object of schemas", lambda value: isinstance(value, Mapping)),
    "required": _Argument("an array of strings", _is_list_of(_is_text)),
    "additionalProperties": _SCHEMA,
    "items": _Argument(
        "a schema, or an array of schemas", lambda value: _is_schema(value) or _SCHEMAS.fits(value)
    ),
    "prefixItems": _SCHEMAS,
    "additionalItems": _SCHEMA,
    "minItems": _COUNT,
    "maxItems": _COUNT,
    "minLength": _COUNT,
    "maxLength": _COUNT,
    "minimum": _NUMBER,
    "maximum": _NUMBER,
    "exclusiveMinimum": _NUMBER,
    "exclusiveMaximum": _NUMBER,
    "multipleOf": _Argument("a number above 0", lambda value: _is_number(value) and value > 0),
}


def _is_types(value: Any) -> bool:
    return _is_list_of(lambda word: isinstance(word, str) and word in TYPES)(value)


def check_keywords(schema: Mapping[str, Any], at: Path) -> None:
    """Look at the keywords of one schema, not at the schemas in it.

    Raises:
        UnsupportedKeywordError: One restricts values in a way that is not heeded.
        InvalidSchemaError: One has an argument that it cannot have.
    """
    for keyword, value in schema.items():
        harmless = _REFUSED.get(keyword)
        if harmless is not None and not any(value == one and type(value) is type(one) for one in harmless):
            raise UnsupportedKeywordError(keyword, (*at, keyword))
        argument = _ARGUMENTS.get(keyword)
        if argument is not None and not argument.fits(value):
            raise InvalidSchemaError(f"must be {argument.wanted}, not {value!r:.60}", (*at, keyword))
