"""What superjson's envelopes hold: from values to plain JSON and its annotations. ``superjson`` says what that is.

What comes out is what JavaScript's superjson 1.13 makes, but for keys with dots: it forgets to escape them, and cannot
read then what it has written.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from datetime import datetime
from decimal import Decimal
from typing import Any, Final

from lmwire_runtime.js_values import BigInt, ErrorValue, Map, RegExp, Set, TypedArray, Url, date_text
from lmwire_runtime.superjson_decoding import FORBIDDEN_KEYS
from lmwire_runtime.wire import UNSET

__all__ = ["encode", "encode_scalar"]

_DEPTH: Final = 300
_SAFE_INTEGER: Final = 2**53 - 1
_ANNOTATED: Final[dict[type, str]] = {Map: "map", Set: "set", set: "set", frozenset: "set"}


def encode(value: Any) -> dict[str, Any]:
    """Encode a value; see ``js_values`` for what becomes of what. Integers that no number of JavaScript
    stands for become bigints.

    Raises:
        TypeError: It holds something that JavaScript has no value for, or an object with a key that is no text.
        ValueError: It contains itself, is nested too deeply, has a date without timezone, or a key that JavaScript's
            decoder refuses (``__proto__``, ``constructor``, ``prototype``) on the way to a special value.
    """
    encoder = _Encoder()
    try:
        json, values = encoder.encode(value, ())
    except RecursionError:
        raise ValueError("the value is nested too deeply") from None
    meta = {} if values is None else {"values": values}
    equalities = encoder.equalities()
    if equalities:
        meta["referentialEqualities"] = equalities
    return {"json": json, "meta": meta} if meta else {"json": json}


class _Encoder:
    def __init__(self) -> None:
        self._open: set[int] = set()
        self._results: dict[int, tuple[Any, Any]] = {}
        self._places: dict[int, list[tuple[str, ...]]] = {}

    def encode(self, value: Any, path: tuple[str, ...]) -> tuple[Any, Any]:
        """Return the plain rendering and its annotations."""
        kind = type(value)
        if kind not in (dict, list, tuple, Map, Set, set, frozenset):
            return encode_scalar(value)
        identity = id(value)
        if kind in (dict, list, Map, Set):
            self._places.setdefault(identity, []).append(path)
        if identity in self._results:
            return self._results[identity]
        if identity in self._open:
            raise ValueError("a value that contains itself cannot be sent")
        if len(path) > _DEPTH:
            raise ValueError("the value is nested too deeply")
        self._open.add(identity)
        result = self._container(kind, value, path)
        self._open.discard(identity)
        self._results[identity] = result
        return result

    def _container(self, kind: type, value: Any, path: tuple[str, ...]) -> tuple[Any, Any]:
        own = _ANNOTATED.get(kind)
        inner: dict[str, Any] = {}
        json: Any
        if kind is dict:
            json = {}
            for key, item in value.items():
                if type(key) is not str:
                    raise TypeError(f"an object has text for keys, not {key!r}; js_values.Map takes any")
                json[key], annotations = self.encode(item, (*path, key))
                _merge(inner, key, annotations)
        else:
            parts = value.pairs() if kind is Map else value
            json = []
            for index, item in enumerate(parts):
                rendered, annotations = self.encode(item, (*path, str(index)))
                json.append(rendered)
                _merge(inner, str(index), annotations)
        if own is not None:
            return json, [own, inner] if inner else [own]
        return json, inner or None

    def equalities(self) -> Any:
        """Return the places that hold the same object, in superjson's form; None if there are none."""
        table = {}
        for places in self._places.values():
            texts = [".".join(map(_escaped, path)) for path in places if _is_expressible(path)]
            if len(texts) > 1:
                table[texts[0]] = texts[1:]
        return table or None


def _merge(inner: dict[str, Any], key: str, annotations: Any) -> None:
    if annotations is None:
        return
    if key in FORBIDDEN_KEYS:
        raise ValueError(f"JavaScript refuses special values below a key {key!r}")
    if type(annotations) is list or key.endswith("\\"):
        # A backslash before the dot that joins two segments would be read as an escape.
        inner[_escaped(key)] = annotations
    else:
        for path, tree in annotations.items():
            inner[f"{_escaped(key)}.{path}"] = tree


def _escaped(segment: str) -> str:
    return segment.replace(".", r"\.")


def _is_expressible(path: tuple[str, ...]) -> bool:
    return FORBIDDEN_KEYS.isdisjoint(path) and not any(segment.endswith("\\") for segment in path[:-1])


def encode_scalar(value: Any) -> tuple[Any, Any]:
    """Return the plain rendering of a value that has no parts, and its annotation; raises as ``encode`` does."""
    kind = type(value)
    if value is None or kind is bool or kind is str:
        return value, None
    if kind is int and (abs(value) <= _SAFE_INTEGER or _is_number(value)):
        return value, None
    if kind is float:
        return _number(value)
    if isinstance(value, datetime):
        return date_text(value), ["Date"]
    encoder = _SCALARS.get(kind)
    if encoder is None:
        raise TypeError(f"JavaScript has no value for {kind.__name__}")
    return encoder(value)


def _is_number(value: int) -> bool:
    """Whether a large integer stands for a number of JavaScript: exactly, or in the digits that JavaScript writes."""
    try:
        number = float(value)
    except OverflowError:
        return False
    return int(number) == value or int(Decimal(repr(number))) == value


def _number(value: float) -> tuple[Any, Any]:
    if value == 0 and math.copysign(1, value) < 0:
        return "-0", ["number"]
    if math.isfinite(value):
        return value, None
    return ("NaN" if value != value else "Infinity" if value > 0 else "-Infinity"), ["number"]


_SCALARS: Final[dict[type, Callable[[Any], tuple[Any, Any]]]] = {
    type(UNSET): lambda value: (None, ["undefined"]),
    int: lambda value: (str(value), ["bigint"]),
    BigInt: lambda value: (str(int(value)), ["bigint"]),
    RegExp: lambda value: (f"/{value.source}/{value.flags}", ["regexp"]),
    Url: lambda value: (value.href, ["URL"]),
    ErrorValue: lambda value: (
        {"name": value.name, "message": value.message, **value.details},
        ["Error"],
    ),
    TypedArray: lambda value: (list(value.values), [["typed-array", value.kind]]),
}
