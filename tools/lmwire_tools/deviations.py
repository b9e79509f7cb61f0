"""The deviations of a value from the schema, not only the first one.

Generated decoders stop at what they cannot go on from. ``deviations_of`` therefore decodes strictly, with a
``Decoding`` that notes deviations instead of raising them wherever the decoder can go on (keys, enums, bounds, missing
fields, unknown members); where it cannot (a wrong type), the deviating member is left out of a copy of the value, and
the copy is decoded again.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final, NoReturn, TypeAlias

import attrs

from lmwire_runtime.wire import (
    STRICT,
    UNSET,
    DecodeError,
    Decoding,
    Path,
    Unknown,
    Unset,
    WarningSink,
    describe,
    pointer_of,
)

__all__ = ["Decode", "Deviation", "deviations_of"]

Decode: TypeAlias = Callable[[Any, Decoding], object]
"""Decodes a whole frame, or the part of it that it is about; pointers begin at the frame."""

# A value that has more than this is no attempt at the schema, and each costs another decoding.
_ROUNDS: Final = 50
_SILENT: Final = WarningSink(lambda text: None)


@attrs.frozen
class Deviation:
    """One place where a frame is not what the schema, or the order of frames, demands.

    Attributes:
        pointer: JSON pointer into the frame; empty for the frame as a whole.
        expected: What the schema wants there, in words.
        found: What is there, in words.
    """

    pointer: str
    expected: str
    found: str

    def __str__(self) -> str:
        # Keys and values are the peer's; ``DecodeError`` makes them printable.
        return str(DecodeError(self.pointer, self.expected, self.found))


class _Noting(Decoding):
    """Notes deviations; raises only where the decoder cannot go on."""

    def __init__(self, *, strict: bool, noted: dict[tuple[str, str], Deviation], cut: set[str]) -> None:
        super().__init__(strict=strict, sink=_SILENT)
        self._noted = noted
        self._cut = cut
        self.last: Path = None

    def _note(self, pointer: str, expected: str, found: str) -> None:
        if pointer not in self._cut:
            self._noted.setdefault((pointer, expected), Deviation(pointer, expected, found))

    def deviation(self, path: Path, expected: str, value: Any) -> NoReturn:
        self.last = path
        try:
            super().deviation(path, expected, value)
        except DecodeError as error:
            self._note(error.pointer, error.expected, error.found)
            raise

    def absent(self, path: Path, owner: str, expected: str, value: Any) -> None:
        if value is not UNSET and value is not None:
            self.deviation(path, expected, value)
        self._note(pointer_of(path), expected, describe(value))

    def unset(self, path: Path, owner: str, expected: str, value: Any) -> Unset:
        if value is not None:
            self.deviation(path, expected, value)
        self._note(pointer_of(path), expected, describe(value))
        return UNSET

    def dropped(self, path: Path, owner: str, error: DecodeError) -> Unset:
        return UNSET  # noted when it was raised

    def unknown_member(self, path: Path, union: str, tag: Any, value: Any, known: Iterable[Any]) -> Unknown:
        names = ", ".join(sorted(map(str, known)))
        expected = f"a member of {union} ({names})"
        if type(value) is not dict:
            self.deviation(path, expected, value)
        self._note(pointer_of(path), expected, describe(value if tag is None else tag))
        return Unknown(union, tag, value)

    def check_keys(self, path: Path, data: Mapping[str, Any], known: frozenset[str]) -> None:
        for key in data:
            if key not in known:
                self._note(pointer_of(path, key), "no such key", "an unknown key")

    def check_enum(self, path: Path, value: str, members: frozenset[str]) -> None:
        self._going_on(super().check_enum, path, value, members)

    def check_bounds(self, path: Path, value: float, **bounds: Any) -> None:
        self._going_on(super().check_bounds, path, value, **bounds)

    def check_text(self, path: Path, value: str, **bounds: Any) -> None:
        self._going_on(super().check_text, path, value, **bounds)

    def _going_on(self, check: Callable[..., None], *arguments: Any, **bounds: Any) -> None:
        with contextlib.suppress(DecodeError):  # noted when it was raised
            check(*arguments, **bounds)


def deviations_of(frame: Any, decode: Decode) -> list[Deviation]:
    """Return all deviations that ``decode`` meets in a frame, none if it fits the schema."""
    try:
        decode(frame, STRICT)
    except (DecodeError, RecursionError):
        pass
    else:
        return []
    noted: dict[tuple[str, str], Deviation] = {}
    cut: set[str] = set()
    for _ in range(_ROUNDS):
        obstacles = [_decoded(frame, decode, strict=strict, noted=noted, cut=cut) for strict in (True, False)]
        found = {obstacle for obstacle in obstacles if obstacle is not None}
        for obstacle in found:
            frame, pointer = _without(frame, obstacle)
            if pointer is None:
                return list(noted.values())
            cut.add(pointer)
        if not found:
            break
    return list(noted.values())


def _decoded(
    frame: Any, decode: Decode, *, strict: bool, noted: dict[tuple[str, str], Deviation], cut: set[str]
) -> tuple[str | int, ...] | None:
    """Decode once; returns the way to the value that the decoder could not go on from, None if it could."""
    decoding = _Noting(strict=strict, noted=noted, cut=cut)
    try:
        decode(frame, decoding)
    except RecursionError:
        noted.setdefault(
            ("", ""), Deviation("", "a value of some reasonable depth", "one that is nested deeper")
        )
        return None
    except DecodeError as error:
        if not noted:  # raised by other means, such as superjson's
            noted[error.pointer, error.expected] = Deviation(error.pointer, error.expected, error.found)
            return ()
        return _steps(decoding.last)
    return None


def _steps(path: Path) -> tuple[str | int, ...]:
    steps: list[str | int] = []
    while path is not None:
        path, step = path
        steps.append(step)
    return tuple(reversed(steps))


def _without(frame: Any, steps: tuple[str | int, ...]) -> tuple[Any, str | None]:
    """Return a copy of the frame without the innermost member on the way, and its pointer; None if there is none."""
    while steps and not isinstance(steps[-1], str):
        steps = steps[:-1]
    if not steps:
        return frame, None
    copied = _replaced(frame, steps)
    if copied is None:
        return frame, None
    return copied, pointer_of(None, *steps)


def _replaced(value: Any, steps: tuple[str | int, ...]) -> Any:
    """Copy what leads to a member, and leave the member out; None if nothing leads there."""
    step, rest = steps[0], steps[1:]
    if isinstance(value, dict) and step in value:
        if not rest:
            return {key: item for key, item in value.items() if key != step}
        inner = _replaced(value[step], rest)
        return None if inner is None else {**value, step: inner}
    if isinstance(value, list) and isinstance(step, int) and step < len(value) and rest:
        inner = _replaced(value[step], rest)
        return None if inner is None else [*value[:step], inner, *value[step + 1 :]]
    return None
