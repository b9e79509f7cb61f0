"""How options are spelled: every option in camelCase and in snake_case, and what to say about any other name."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from lmwire_runtime.errors import UsageError

__all__ = ["Name", "Spellings"]

_SHORTEST_PREFIX: Final = 3


class Name:
    """The spellings of one option.

    Attributes:
        camel: As the wire and the JavaScript SDK spell it; the option's name in tables and errors.
        snake: As Python spells it; the attribute of the config class.
        keys: Keys of the KV config that the option sets, so that who knows only those is told the option.
        reported: Whether servers report it while callers cannot give it.
    """

    __slots__ = ("camel", "keys", "reported", "snake")

    def __init__(self, camel: str, snake: str, keys: tuple[str, ...] = (), reported: bool = False) -> None:
        self.camel: Final = camel
        self.snake: Final = snake
        self.keys: Final = keys
        self.reported: Final = reported


class Spellings:
    """Finds options by their names."""

    def __init__(self, names: Iterable[Name]) -> None:
        self._names = tuple(names)
        self._by_spelling = {spelling: name for name in self._names for spelling in (name.snake, name.camel)}
        self._hints: dict[str, Name] = {}
        for name in self._names:
            if not name.reported:
                tails = [key.rpartition(".")[2] for key in name.keys]
                for hint in (name.camel, *name.keys, *tails):
                    self._hints.setdefault(_flat(hint), name)

    def resolve(self, given: Mapping[Any, Any], prefix: str = "") -> dict[str, Any]:
        """Return what was given by the camelCase name of each option.

        Args:
            given: A caller's dict.
            prefix: What goes before a name in an error, such as ``gpu.``.

        Raises:
            UsageError: A name is unknown, no text, reported only, or given in both spellings.
        """
        values: dict[str, Any] = {}
        spelled: dict[str, str] = {}
        unknown: list[str] = []
        for spelling, value in given.items():
            if not isinstance(spelling, str):
                raise UsageError(f"names of options must be text (str); got {spelling!r}")
            name = self._by_spelling.get(spelling)
            if name is None:
                unknown.append(spelling)
                continue
            if name.reported:
                raise UsageError(f"{prefix + spelling!r} cannot be given; servers only report it")
            if name.camel in values:
                raise UsageError(
                    f"option {prefix + name.camel!r} is given twice, as {spelled[name.camel]!r} and as {spelling!r}"
                )
            values[name.camel] = value
            spelled[name.camel] = spelling
        if unknown:
            raise UsageError("; ".join(self._words_for(spelling, prefix) for spelling in unknown))
        return values

    def nearest(self, wrong: str) -> str | None:
        """Return the option that ``wrong`` most likely means, spelled in the same way; None if nothing is near."""
        flat = _flat(wrong)
        found = (
            self._hints.get(flat) or self._close(flat, 0.75) or self._begins(flat) or self._close(flat, 0.6)
        )
        if found is None:
            return None
        return found.snake if "_" in wrong else found.camel

    def _close(self, flat: str, cutoff: float) -> Name | None:
        import difflib  # here, because names are rarely wrong

        matches = difflib.get_close_matches(flat, self._hints, n=1, cutoff=cutoff)
        return self._hints[matches[0]] if matches else None

    def _begins(self, flat: str) -> Name | None:
        if len(flat) < _SHORTEST_PREFIX:
            return None
        return next((name for hint, name in self._hints.items() if hint.startswith(flat)), None)

    def _words_for(self, wrong: str, prefix: str) -> str:
        near = self.nearest(wrong)
        if near is not None:
            return f"unknown option {prefix + wrong!r}; did you mean {prefix + near!r}?"
        known = ", ".join(prefix + name.camel for name in self._names if not name.reported)
        return f"unknown option {prefix + wrong!r}; there are: {known}"


def _flat(spelling: str) -> str:
    return spelling.replace("_", "").replace("-", "").lower()
