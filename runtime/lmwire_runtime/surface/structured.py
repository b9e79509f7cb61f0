"""Structured output: what callers may ask for, as the wire's setting, and the answer read back.

``response_format`` may be

* a JSON Schema (a dict without ``type``, or with a JSON type as its ``type``),
* a setting as the wire has it: ``{"type": "json", "jsonSchema": ...}``, ``{"type": "gbnf", "gbnfGrammar":
  ...}``, ``{"type": "json"}`` (any valid JSON) or ``{"type": "none"}``,
* a class that has ``model_json_schema()`` (pydantic, the drop-in's ``BaseModel``), an attrs class, a
  dataclass or a msgspec Struct.
"""

from __future__ import annotations

import dataclasses
import types
import typing
from collections.abc import Callable, Mapping
from typing import Any, Final, TypeVar

from lmwire_runtime import json_codec
from lmwire_runtime.errors import UsageError

__all__ = ["as_setting", "parse_structured", "schema_of"]

T = TypeVar("T")

_SETTING_KEYS: Final[Mapping[str, frozenset[str]]] = {
    "none": frozenset({"type"}),
    "json": frozenset({"type", "jsonSchema"}),
    "gbnf": frozenset({"type", "gbnfGrammar"}),
}
_SCALARS: Final[Mapping[Any, str]] = {
    str: "string",
    int: "integer",
    float: "number",
    bool: "boolean",
    type(None): "null",
}


def as_setting(response_format: Any) -> dict[str, Any]:
    """Return the wire's setting (the value of the config key for structured output).

    Raises:
        UsageError: It is none of the accepted forms.
    """
    if isinstance(response_format, Mapping):
        return _setting_of_mapping(response_format)
    if isinstance(response_format, type):
        return {"type": "json", "jsonSchema": schema_of(response_format)}
    to_wire: Callable[[], Any] | None = getattr(response_format, "to_wire", None)
    if callable(to_wire):
        return _setting_of_mapping(to_wire())
    raise UsageError(
        "response_format must be a JSON Schema (dict), a setting such as {'type': 'gbnf', 'gbnfGrammar': ...},"
        f" or a class with fields (pydantic, attrs, dataclass, msgspec); got {response_format!r}"
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


def schema_of(cls: type) -> dict[str, Any]:
    """Return the JSON Schema of a class with fields.

    Raises:
        UsageError: The class is of no kind whose fields can be read, or a field has a type that JSON has no
            word for.
    """
    maker: Callable[[], Any] | None = getattr(cls, "model_json_schema", None)
    if callable(maker):
        schema: dict[str, Any] = maker()
        return schema
    if hasattr(cls, "__struct_fields__"):
        return _schema_of_struct(cls)
    fields = _fields_of(cls)
    if fields is None:
        raise UsageError(
            f"{cls.__name__} cannot be used as a response format: it is no pydantic model, attrs class, dataclass or"
            " msgspec Struct"
        )
    hints = typing.get_type_hints(cls)
    return {
        "type": "object",
        "title": cls.__name__,
        "properties": {name: _schema_of_type(hints[name], f"{cls.__name__}.{name}") for name in fields},
        "required": [name for name, required in fields.items() if required],
    }


def _schema_of_struct(cls: type) -> dict[str, Any]:
    import msgspec

    (schema,), components = msgspec.json.schema_components([cls], ref_template="#/$defs/{name}")
    return {**schema, "$defs": components}


def _fields_of(cls: type) -> dict[str, bool] | None:
    """Return the names of a class's fields, each with whether it is required; None for other classes."""
    if dataclasses.is_dataclass(cls):
        missing = dataclasses.MISSING
        return {
            field.name: field.default is missing and field.default_factory is missing
            for field in dataclasses.fields(cls)
        }
    attributes = getattr(cls, "__attrs_attrs__", None)
    if attributes is not None:
        import attrs

        return {attribute.alias: attribute.default is attrs.NOTHING for attribute in attributes}
    return None


def _schema_of_type(hint: Any, where: str) -> dict[str, Any]:
    if hint is Any:
        return {}
    if hint in _SCALARS:
        return {"type": _SCALARS[hint]}
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin in (typing.Union, types.UnionType):
        return {"anyOf": [_schema_of_type(argument, where) for argument in arguments]}
    if origin is typing.Literal:
        return {"enum": list(arguments)}
    if origin in (list, set, frozenset) or (origin is tuple and arguments[1:] == (Ellipsis,)):
        return {"type": "array", "items": _schema_of_type(arguments[0], where)}
    if hint in (list, tuple, set):
        return {"type": "array"}
    if origin is dict and arguments[0] is str:
        return {"type": "object", "additionalProperties": _schema_of_type(arguments[1], where)}
    if hint is dict:
        return {"type": "object"}
    if isinstance(hint, type):
        return schema_of(hint)
    raise UsageError(f"{where} has a type that JSON Schema has no word for: {hint!r}")


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
        UsageError: The text is no JSON, or does not fit the class; the message keeps the text.
    """
    made: T
    try:
        validate: Callable[[str], Any] | None = getattr(cls, "model_validate_json", None)
        if callable(validate):
            made = validate(text)
        elif hasattr(cls, "__struct_fields__"):
            import msgspec

            made = msgspec.convert(json_codec.loads(text), cls)
        else:
            made = _build(cls, json_codec.loads(text))
        return made
    except Exception as error:
        raise UsageError(f"the text does not fit {cls.__name__}: {error}\nThe text: {text}") from error


def _build(hint: Any, value: Any) -> Any:
    """Make a typed value of plain JSON, for dataclasses and attrs classes."""
    if isinstance(hint, type) and _fields_of(hint) is not None:
        if not isinstance(value, dict):
            raise TypeError(f"expected an object for {hint.__name__}, found {type(value).__name__}")
        hints = typing.get_type_hints(hint)
        fields = _fields_of(hint) or {}
        missing = [name for name, required in fields.items() if required and name not in value]
        if missing:
            raise TypeError(f"{hint.__name__} lacks {', '.join(missing)}")
        return hint(**{name: _build(hints[name], value[name]) for name in fields if name in value})
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin in (list, set, frozenset, tuple) and isinstance(value, list):
        return origin(_build(arguments[0], item) for item in value)
    if origin is dict and isinstance(value, dict):
        return {key: _build(arguments[1], item) for key, item in value.items()}
    if origin in (typing.Union, types.UnionType):
        for argument in arguments:
            try:
                return _build(argument, value)
            except TypeError:
                continue
        raise TypeError(f"{value!r} fits none of {arguments}")
    if origin is typing.Literal:
        if value not in arguments:
            raise TypeError(f"{value!r} is none of {arguments}")
        return value
    if hint in _SCALARS and not (isinstance(value, hint) or (hint is float and isinstance(value, int))):
        raise TypeError(f"expected {hint.__name__}, found {value!r}")
    return value
