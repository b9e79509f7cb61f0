"""Structured output: what callers may ask for, as the wire's setting, and the answer read back.

``response_format`` may be

* a JSON Schema (a dict without ``type``, or with a JSON type as its ``type``),
* a setting as the wire has it: ``{"type": "json", "jsonSchema": ...}``, ``{"type": "gbnf", "gbnfGrammar":
  ...}``, ``{"type": "json"}`` (any valid JSON) or ``{"type": "none"}``,
* a class that has ``model_json_schema()`` (pydantic, our ``BaseModel``), an attrs class, a dataclass, a
  TypedDict or a msgspec Struct.
"""

from __future__ import annotations

import typing
from collections.abc import Callable, Mapping
from typing import Any, Final, TypeVar

from lmwire_runtime import json_codec
from lmwire_runtime.errors import UsageError
from lmwire_runtime.surface.json_schemas import schema_of
from lmwire_runtime.surface.typed_values import build

__all__ = ["as_setting", "parse_as", "parse_structured"]

T = TypeVar("T")

_SETTING_KEYS: Final[Mapping[str, frozenset[str]]] = {
    "none": frozenset({"type"}),
    "json": frozenset({"type", "jsonSchema"}),
    "gbnf": frozenset({"type", "gbnfGrammar"}),
}


def as_setting(response_format: Any) -> dict[str, Any]:
    """Return the wire's setting (the value of the config key for structured output).

    Raises:
        UsageError: It is none of the accepted forms.
    """
    if isinstance(response_format, Mapping):
        return _setting_of_mapping(response_format)
    # Python 3.10 takes list[int] for a class.
    if isinstance(response_format, type) and typing.get_origin(response_format) is None:
        return {"type": "json", "jsonSchema": schema_of(response_format)}
    to_wire: Callable[[], Any] | None = getattr(response_format, "to_wire", None)
    if callable(to_wire):
        return _setting_of_mapping(to_wire())
    raise UsageError(
        "response_format must be a JSON Schema (dict), a setting such as {'type': 'gbnf', 'gbnfGrammar': ...},"
        f" or a class with fields (BaseModel, pydantic, attrs, dataclass, msgspec); got {response_format!r}"
    )


def _setting_of_mapping(given: Mapping[str, Any]) -> dict[str, Any]:
    kind = given.get("type")
    keys = _SETTING_KEYS.get(kind) if isinstance(kind, str) else None
    if keys is None:
        return {"type": "json", "jsonSchema": dict(given)}
    strange = sorted(set(given) - keys)
    if strange:
        unknown = ", ".join(map(repr, strange))
        raise UsageError(f"response_format of type {kind!r} has no {unknown}; it takes {sorted(keys)}")
    if kind == "gbnf" and not isinstance(given.get("gbnfGrammar"), str):
        raise UsageError("response_format of type 'gbnf' needs the grammar as text in 'gbnfGrammar'")
    return dict(given)


def parse_structured(text: str) -> dict[str, Any] | None:
    """Return the JSON object that ``text`` is, None if it is none (an array or scalar counts as none, as in
    the official SDK).
    """
    try:
        value = json_codec.loads(text)
    except (ValueError, UnicodeEncodeError):
        return None
    return value if isinstance(value, dict) else None


def parse_as(text: str, cls: type[T]) -> T:
    """Make an object of ``cls`` of JSON text.

    Raises:
        UsageError: The text is no JSON, or does not fit the class; the message says where, and keeps the text.
    """
    made: T
    name = getattr(cls, "__name__", str(cls))
    try:
        validate: Callable[[str], Any] | None = getattr(cls, "model_validate_json", None)
        made = validate(text) if callable(validate) else build(cls, json_codec.loads(text), name)
    except Exception as error:
        if isinstance(error, UsageError):
            raise
        raise UsageError(f"the text does not fit {name}: {error}\nThe text: {text}") from error
    return made
