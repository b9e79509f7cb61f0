"""Typed values of plain JSON: what ``json_schemas`` describes, built again from a model's answer.

Types are exact (true is no integer, text no number), except that JSON does not tell 3 and 3.0 apart. Keys that a
class does not have are ignored.
"""

from __future__ import annotations

import enum
import math
import operator
import re
import types
import typing
from collections.abc import Callable, Mapping, Sized
from datetime import date, datetime, time
from typing import Any, Final
from uuid import UUID

from lmwire_runtime.surface.class_fields import fields_of, hints_of, unwrapped
from lmwire_runtime.surface.json_schemas import ARRAYS, MAPPINGS, SCALARS, constraints_of

__all__ = ["Misfit", "build"]

_JSON_NAMES: Final[Mapping[type, str]] = {
    dict: "an object",
    list: "an array",
    str: "text",
    bool: "a boolean",
    int: "an integer",
    float: "a number",
    type(None): "null",
}


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(re.sub("[Zz]$", "+00:00", text))


_READERS: Final[Mapping[Any, Callable[[str], Any]]] = {
    datetime: _moment,
    date: date.fromisoformat,
    time: time.fromisoformat,
    UUID: UUID,
}
_COMPARISONS: Final[Mapping[str, tuple[Callable[[Any, Any], bool], str]]] = {
    "gt": (operator.gt, "more than"),
    "ge": (operator.ge, "at least"),
    "lt": (operator.lt, "less than"),
    "le": (operator.le, "at most"),
}
_LENGTHS: Final[Mapping[str, tuple[Callable[[Any, Any], bool], str]]] = {
    "min_length": (operator.ge, "at least"),
    "max_length": (operator.le, "at most"),
}


class Misfit(Exception):
    """Why a value does not fit, and where: ``Book.author.name: expected text, found 5``."""

    def __init__(self, where: str, why: str) -> None:
        super().__init__(f"{where}: {why}")


def build(hint: Any, value: Any, where: str) -> Any:
    """Make what ``hint`` says of plain JSON.

    Raises:
        Misfit: The value does not fit; ``where`` is what the message calls its place.
        UsageError: An annotation cannot be resolved.
    """
    hint = unwrapped(hint)
    if hint is Any or hint is object:
        return value
    if hint in SCALARS:
        return _scalar(hint, value, where)
    if hint in _READERS:
        return _read(hint, _READERS[hint], _of_kind(str, value, where), where)
    if isinstance(hint, type) and issubclass(hint, enum.Enum):
        return _read(hint, hint, value, where)
    if fields_of(hint) is not None:
        return _build_object(hint, _of_kind(dict, value, where))
    own = _own_builder(hint)
    if own is not None:
        return _read(hint, own, value, where)
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    kind = origin or hint
    if kind is tuple or kind in ARRAYS:
        return _build_array(kind, arguments, _of_kind(list, value, where), where)
    if kind in MAPPINGS:
        inner = arguments[1] if arguments else Any
        found = _of_kind(dict, value, where)
        return {key: build(inner, item, f"{where}[{key!r}]") for key, item in found.items()}
    if kind is typing.Annotated:
        return _constrained(build(arguments[0], value, where), arguments[1:], where)
    if kind in (typing.Union, types.UnionType):
        return _build_union(arguments, value, where)
    if kind is typing.Literal:
        return _literal(arguments, value, where)
    raise Misfit(where, f"nothing can be made for the annotation {hint!r}")


def _build_object(cls: type, value: dict[str, Any]) -> Any:
    hints = hints_of(cls)
    fields = fields_of(cls) or ()
    missing = [field.key for field in fields if field.required and field.key not in value]
    if missing:
        raise Misfit(cls.__name__, f"{', '.join(missing)} missing")
    return cls(
        **{
            field.key: build(hints[field.name], value[field.key], f"{cls.__name__}.{field.name}")
            for field in fields
            if field.key in value
        }
    )


def _build_array(kind: Any, arguments: tuple[Any, ...], value: list[Any], where: str) -> Any:
    if kind is tuple and arguments and arguments[1:] != (Ellipsis,):
        if len(value) != len(arguments):
            raise Misfit(where, f"expected {len(arguments)} items, found {len(value)}")
        inner: tuple[Any, ...] = arguments
    else:
        inner = (arguments[0] if arguments else Any,) * len(value)
    items = [
        build(hint, item, f"{where}[{index}]")
        for index, (hint, item) in enumerate(zip(inner, value, strict=True))
    ]
    if kind is tuple:
        return tuple(items)
    if kind is frozenset:
        return frozenset(items)
    return set(items) if kind is set or kind.__name__ == "Set" else items


def _build_union(arguments: tuple[Any, ...], value: Any, where: str) -> Any:
    plain = [unwrapped(argument) for argument in arguments]
    if type(value) in plain and type(value) in SCALARS:
        return value
    reasons = []
    for argument in arguments:
        try:
            return build(argument, value, where)
        except Misfit as error:
            reasons.append(str(error))
    raise Misfit(where, f"{value!r} fits none of its types ({'; '.join(reasons)})")


def _scalar(hint: Any, value: Any, where: str) -> Any:
    kind = type(None) if hint is None else hint
    if type(value) is kind:
        return value
    if kind is float and type(value) is int:
        return float(value)
    if kind is int and type(value) is float and value.is_integer():
        return int(value)
    raise _unexpected(kind, value, where)


def _literal(allowed: tuple[Any, ...], value: Any, where: str) -> Any:
    for choice in allowed:
        plain = choice.value if isinstance(choice, enum.Enum) else choice
        # 1 is equal to True, which JSON tells apart.
        if plain == value and isinstance(plain, bool) == isinstance(value, bool):
            return choice
    raise Misfit(where, f"expected one of {list(allowed)}, found {value!r}")


def _of_kind(kind: type, value: Any, where: str) -> Any:
    if type(value) is not kind:
        raise _unexpected(kind, value, where)
    return value


def _unexpected(kind: type, value: Any, where: str) -> Misfit:
    found = f"{_JSON_NAMES[type(value)]}, {value!r}" if value is not None else "null"
    return Misfit(where, f"expected {_JSON_NAMES[kind]}, found {found}")


def _own_builder(hint: Any) -> Callable[[Any], Any] | None:
    """Return how a class of another library makes its own objects."""
    validate: Callable[[Any], Any] | None = getattr(hint, "model_validate", None)
    if callable(validate):
        return validate
    if hasattr(hint, "__struct_fields__"):
        import msgspec

        return lambda value: msgspec.convert(value, hint)
    return None


def _read(hint: Any, reader: Callable[[Any], Any], value: Any, where: str) -> Any:
    try:
        return reader(value)
    except (ValueError, TypeError) as error:
        raise Misfit(where, f"{value!r} is no {hint.__name__} ({error})") from error


def _constrained(value: Any, extras: tuple[Any, ...], where: str) -> Any:
    found = constraints_of(extras)
    for name, (fits, words) in _COMPARISONS.items():
        if name in found and isinstance(value, (int, float)) and not fits(value, found[name]):
            raise Misfit(where, f"expected {words} {found[name]}, found {value!r}")
    for name, (fits, words) in _LENGTHS.items():
        if name in found and isinstance(value, Sized) and not fits(len(value), found[name]):
            raise Misfit(where, f"expected a length of {words} {found[name]}, found {len(value)}")
    if "pattern" in found and isinstance(value, str) and not re.search(found["pattern"], value):
        raise Misfit(where, f"expected text like {found['pattern']!r}, found {value!r}")
    divisor = found.get("multiple_of")
    if divisor is not None and isinstance(value, (int, float)) and not _divides(divisor, value):
        raise Misfit(where, f"expected a multiple of {divisor}, found {value!r}")
    return value


def _divides(divisor: float, value: float) -> bool:
    quotient = value / divisor
    return math.isclose(quotient, round(quotient), rel_tol=1e-9, abs_tol=1e-9)
