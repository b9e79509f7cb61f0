"""Changes inputs at random, always the same for the same seed: bytes as such, and JSON by its structure."""

from __future__ import annotations

import copy
import random
from collections.abc import Callable, Sequence
from typing import Any, Final

from lmwire_runtime import json_codec

__all__ = ["Mutator"]

_ODD: Final[tuple[Any, ...]] = (
    *(None, True, False, 0, -1, 1.5, 2**53, 2**63, -(2**64), 1e308, "", "x", "\ud83d", "\x00", [], {}, [[]]),
    *(
        "__proto__",
        "constructor",
        "__class__",
        "a.b\\.c",
        {"type": "cancel"},
        {"json": None, "meta": 1},
        "x" * 5000,
    ),
)
_TOKENS: Final = (
    *(
        b"{",
        b"}",
        b"[",
        b"]",
        b'"',
        b",",
        b":",
        b"\\u0000",
        b"\\ud800",
        b"NaN",
        b"1e999",
        b"-0",
        b"\xff",
        b"\xc3",
    ),
    *(b"\x00", b"\r\n", b"\r\n\r\n", b"\x81\x7f", b"\x88\x02\x03", b"\x80\x00", b"[" * 300, b'{"a":' * 300),
)


class Mutator:
    """Makes inputs from ``seeds``, and from those that were made before."""

    def __init__(self, seeds: Sequence[bytes], seed: int | str) -> None:
        self._random = random.Random(seed)
        self._seeds = list(seeds)

    def next(self) -> bytes:
        """Return the next input."""
        data = self._random.choice(self._seeds)
        for _ in range(self._random.choice((1, 1, 2, 3, 6))):
            data = self._changed(data)
        return data

    def _changed(self, data: bytes) -> bytes:
        if self._random.random() < 0.75:
            try:
                return json_codec.dumps(self._json(json_codec.loads(data)))
            except (ValueError, TypeError):
                pass  # it is no JSON, or none any more
        return self._bytes(data)

    # Bytes.

    def _bytes(self, data: bytes) -> bytes:
        place = self._random.randrange(len(data) + 1)
        end = min(len(data), place + self._random.choice((1, 1, 2, 8, 64)))
        piece = self._random.choice(
            (
                b"",
                self._random.choice(_TOKENS),
                self._random.randbytes(end - place),
                data[place:end] * 2,
                self._random.choice(self._seeds)[place : place + 64],
                bytes(byte ^ (1 << self._random.randrange(8)) for byte in data[place:end]),
            )
        )
        return data[:place] + piece + data[end:]

    # Structure.

    def _json(self, value: Any) -> Any:
        holder = [copy.deepcopy(value)]
        container, key = self._random.choice(_places(holder))
        changes: list[Callable[[Any, Any], None]] = [self._replace, self._drop, self._nest, self._borrow]
        if isinstance(container, list) and container is not holder:
            changes += [self._double, self._swap, self._swap]
        elif isinstance(container, dict):
            changes += [self._rename]
        self._random.choice(changes)(container, key)
        return holder[0] if holder else None

    def _replace(self, container: Any, key: Any) -> None:
        container[key] = copy.deepcopy(self._random.choice(_ODD))

    def _drop(self, container: Any, key: Any) -> None:
        del container[key]

    def _nest(self, container: Any, key: Any) -> None:
        for _ in range(self._random.choice((1, 2, 150))):
            container[key] = [container[key]] if self._random.random() < 0.5 else {"a": container[key]}

    def _borrow(self, container: Any, key: Any) -> None:
        """Put in what stands elsewhere, perhaps in another input."""
        try:
            other = json_codec.loads(self._random.choice(self._seeds))
        except ValueError:
            return
        source, place = self._random.choice(_places([other]))
        container[key] = copy.deepcopy(source[place])

    def _double(self, container: list[Any], key: int) -> None:
        container.insert(self._random.randrange(len(container) + 1), copy.deepcopy(container[key]))

    def _swap(self, container: list[Any], key: int) -> None:
        other = self._random.randrange(len(container))
        container[key], container[other] = container[other], container[key]

    def _rename(self, container: dict[str, Any], key: str) -> None:
        container[self._random.choice([*container, "type", "json", "__proto__"])] = container.pop(key)


def _places(holder: list[Any]) -> list[tuple[Any, Any]]:
    """All places of a value, as container and key; the value itself is the only item of ``holder``."""
    found: list[tuple[Any, Any]] = []
    pending: list[Any] = [holder]
    while pending and len(found) < 5000:
        container = pending.pop()
        keys = list(container) if isinstance(container, dict) else range(len(container))
        for key in keys:
            found.append((container, key))
            if isinstance(container[key], (dict, list)):
                pending.append(container[key])
    return found
