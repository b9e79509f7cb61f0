"""JSON in and out of messages: orjson where it can be had, the standard library where not, and where orjson refuses.

orjson refuses half a surrogate pair (servers split emoji between two fragments) and integers beyond 64 bit; the standard
library takes both, so it has the second word before the peer, or the caller, is blamed.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

__all__ = ["dumps", "loads"]


def _loads_slowly(data: bytes | bytearray | memoryview | str) -> Any:
    text = data if isinstance(data, str) else str(data, "utf-8")
    try:
        return json.loads(text)
    except RecursionError:
        raise ValueError("nested too deeply") from None


def _dumps_slowly(value: Any) -> bytes:
    # ASCII escapes carry lone surrogates through; NaN is no JSON.
    return json.dumps(value, separators=(",", ":"), ensure_ascii=True, allow_nan=False).encode("ascii")


loads: Callable[[bytes | bytearray | memoryview | str], Any]
dumps: Callable[[Any], bytes]

try:
    import orjson
except ImportError:
    loads, dumps = _loads_slowly, _dumps_slowly
else:

    def loads(data: bytes | bytearray | memoryview | str) -> Any:
        """Parse one JSON document.

        Raises:
            ValueError: It is no JSON (nor UTF-8), or nested beyond reason.
        """
        try:
            return orjson.loads(data)
        except orjson.JSONDecodeError:
            return _loads_slowly(data)

    def dumps(value: Any) -> bytes:
        """Write plain JSON data as compact UTF-8.

        Raises:
            TypeError, ValueError: The value holds something that JSON cannot express.
        """
        try:
            return orjson.dumps(value)
        except TypeError:
            return _dumps_slowly(value)
