"""Reading of plain data (of YAML or JSON) that a person wrote: every mistake is found and told with its place.

A ``Node`` is a value and its path. Asked for a string, a number and so on, it returns that; or it notes a problem and
returns a stand-in, so that reading goes on and all problems come out together.
"""

from __future__ import annotations

import difflib
import json
import math
from collections.abc import Iterable, Sequence
from typing import Any, TypeVar

import attrs

__all__ = ["Node"]

_S = TypeVar("_S", bound=str)


@attrs.frozen
class Node:
    """A value, its path (``rules[2].reply[0]``), and the list that problems are noted in."""

    value: Any
    path: str
    problems: list[str]

    def problem(self, message: str) -> None:
        """Note what is wrong here."""
        self.problems.append(f"{self.path}: {message}" if self.path else message)

    def wrong(self, wanted: str) -> None:
        """Note that something else is wanted here."""
        self.problem(f"must be {wanted}, not {_shown(self.value)}")

    def members(self, allowed: Iterable[str], *, required: Iterable[str] = ()) -> dict[str, Node]:
        """The members of an object; notes unknown and missing ones."""
        if not isinstance(self.value, dict):
            self.wrong("an object")
            return {}
        names = list(allowed)
        for key in self.value:
            if key not in names:
                near = difflib.get_close_matches(str(key), names, n=1)
                hint = f"did you mean {near[0]}?" if near else f"known are {', '.join(names)}"
                self.problem(f"unknown key {_shown(key)}; {hint}")
        for name in required:
            if name not in self.value:
                self.problem(f"{name} is missing")
        return {key: self._below(f".{key}", member) for key, member in self.value.items() if key in names}

    def items(self) -> list[Node]:
        """The items of an array."""
        if not isinstance(self.value, list):
            self.wrong("an array")
            return []
        return [self._below(f"[{index}]", item) for index, item in enumerate(self.value)]

    def text(self) -> str:
        """A string."""
        if isinstance(self.value, str):
            return self.value
        self.wrong("a string")
        return ""

    def choice(self, allowed: Sequence[_S], *, also: str = "") -> _S:
        """One of some strings."""
        for option in allowed:
            if self.value == option:
                return option
        self.wrong(f"one of {', '.join(allowed)}{also}")
        return allowed[0]

    def boolean(self) -> bool:
        """True or false."""
        if isinstance(self.value, bool):
            return self.value
        self.wrong("true or false")
        return False

    def number(self, minimum: float, maximum: float = math.inf) -> float:
        """A number within bounds."""
        fits = isinstance(self.value, (int, float)) and not isinstance(self.value, bool)
        if fits and minimum <= self.value <= maximum and -math.inf < self.value < math.inf:
            return self.value  # type: ignore[no-any-return]
        self.wrong(f"a number{_bounds(minimum, maximum)}")
        return max(minimum, 0.0)

    def integer(self, minimum: int) -> int:
        """An integer of at least ``minimum``."""
        if isinstance(self.value, int) and not isinstance(self.value, bool) and self.value >= minimum:
            return self.value
        self.wrong(f"an integer, at least {minimum}")
        return minimum

    def _below(self, step: str, value: Any) -> Node:
        return Node(value, f"{self.path}{step}".removeprefix("."), self.problems)


def _bounds(minimum: float, maximum: float) -> str:
    if maximum < math.inf:
        return f" from {minimum:g} to {maximum:g}"
    return f", at least {minimum:g}" if minimum > -math.inf else ""


def _shown(value: Any) -> str:
    text = json.dumps(value, default=str, ensure_ascii=False)
    return text if len(text) <= 60 else f"{text[:57]}..."
