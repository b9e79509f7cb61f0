"""JSON in and out of messages: orjson where it can be had, the standard library where not, and where orjson refuses.

orjson refuses half a surrogate pair (servers split emoji between two fragments), deep nesting, and to write integers
beyond 64 bit; the standard library takes all three, so it has the second word before the peer, or the caller, is
blamed. Reading an integer beyond 64 bit, orjson gives a float, as JavaScript does.

NaN and infinity are no JSON: text that has them is refused, and they are never written (orjson would make nulls of
them).
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from typing import Any, Final, NoReturn, TypeAlias

__all__ = ["dumps", "is_nested_deeper", "loads", "loads_first", "shown"]

Text: TypeAlias = "bytes | bytearray | memoryview | str"


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON")


_DECODER: Final = json.JSONDecoder(parse_constant=_refuse_constant)


def _loads_slowly(data: Text) -> Any:
    text = data if isinstance(data, str) else str(data, "utf-8")
    try:
        return _DECODER.decode(text)
    except RecursionError:
        raise ValueError("nested too deeply") from None


def _dumps_slowly(value: Any) -> bytes:
    try:
        # ASCII escapes carry lone surrogates through.
        text = json.dumps(value, separators=(",", ":"), ensure_ascii=True, allow_nan=False)
    except RecursionError:
        raise ValueError("nested too deeply") from None
    return text.encode("ascii")


def _refuse_nan(value: Any) -> None:
    pending = [value]
    while pending:
        item = pending.pop()
        if isinstance(item, dict):
            pending.extend(item.values())
        elif isinstance(item, (list, tuple)):
            pending.extend(item)
        elif isinstance(item, float) and not math.isfinite(item):
            raise ValueError(f"{item} cannot be expressed in JSON")


loads: Callable[[Text], Any]
"""Parse one JSON document.

Raises:
    UnicodeDecodeError: It is not UTF-8 (this is a ValueError too).
    ValueError: It is no JSON, or nested beyond reason.
"""

dumps: Callable[[Any], bytes]
"""Write plain JSON data as compact UTF-8.

Raises:
    TypeError, ValueError: The value holds something that JSON cannot express.
"""

loads_first: Callable[[Text], Any]
"""Parse one JSON document without the second word: a ValueError means that ``loads`` has to be asked."""

try:
    import orjson
except ImportError:
    loads, dumps = _loads_slowly, _dumps_slowly
    loads_first = _loads_slowly
else:
    # Without its extras, so that both implementations take the same values.
    _OPTIONS: Final = orjson.OPT_PASSTHROUGH_DATACLASS | orjson.OPT_PASSTHROUGH_DATETIME

    def _loads_quickly(data: Text) -> Any:
        try:
            return orjson.loads(data)
        except orjson.JSONDecodeError:
            return _loads_slowly(data)

    def _dumps_quickly(value: Any) -> bytes:
        try:
            data = orjson.dumps(value, None, _OPTIONS)
        except TypeError:
            return _dumps_slowly(value)
        if b"null" in data:
            _refuse_nan(value)
        return data

    loads, dumps = _loads_quickly, _dumps_quickly
    loads_first = orjson.loads


def is_nested_deeper(value: Any, depth: int) -> bool:
    """Whether parsed JSON has more than ``depth`` levels of arrays and objects."""
    # A level at a time: the values themselves may be nested as deep as they like.
    level = [value]
    for _ in range(depth):
        inner: list[Any] = []
        for item in level:
            if type(item) is dict:
                inner.extend(child for child in item.values() if type(child) in (dict, list))
            elif type(item) is list:
                inner.extend(child for child in item if type(child) in (dict, list))
        if not inner:
            return False
        level = inner
    return True


def shown(value: Any) -> str:
    """Return a value as JSON text for a human; an ellipsis if it is none that can be written."""
    try:
        return dumps(value).decode("utf-8", "replace")
    except (
        TypeError,
        ValueError,
    ):  # JSON may come in that does not go out: infinity, or what is nested too deeply
        return "..."
