"""Finding stop strings in text that arrives in pieces, without ever letting out a part of one.

The stop string that is complete first ends the text, whatever the pieces: of several that end at the same place, the
one that begins first. Text that might be the beginning of a stop string is held back until it is decided.
"""

from __future__ import annotations

from collections.abc import Sequence

import attrs

__all__ = ["Found", "StopStringFilter", "undecided"]


@attrs.frozen
class Found:
    """A stop string is complete; ``text`` is what may still be let out in front of it."""

    text: str
    stop_string: str


class StopStringFilter:
    """Passes text on up to the first stop string.

    Args:
        stop_strings: None of them empty; none at all lets everything pass at once.
    """

    def __init__(self, stop_strings: Sequence[str]) -> None:
        self._stop_strings = tuple(dict.fromkeys(stop_strings))
        self._held = ""

    @property
    def held(self) -> str:
        """The text that is held back; at the end of the generation it is let out."""
        return self._held

    def feed(self, piece: str) -> str | Found:
        """Take the next piece of text; returns the text that may be let out now, or what was found."""
        text = self._held + piece
        found = self._first_complete(text)
        if found is not None:
            self._held = ""
            return found
        kept = undecided(text, self._stop_strings)
        self._held = text[len(text) - kept :]
        return text[: len(text) - kept]

    def flush(self) -> str:
        """End of text: return what was held back."""
        held, self._held = self._held, ""
        return held

    def _first_complete(self, text: str) -> Found | None:
        places = [
            (start + len(stop_string), start, stop_string)
            for stop_string in self._stop_strings
            if (start := text.find(stop_string)) >= 0
        ]
        if not places:
            return None
        _, start, stop_string = min(places)
        return Found(text[:start], stop_string)


def undecided(text: str, wanted: Sequence[str]) -> int:
    """Return the length of the longest end of ``text`` that begins one of the strings, but is not all of it."""
    longest = max(map(len, wanted), default=0)
    for length in range(min(len(text), longest - 1), 0, -1):
        end = text[len(text) - length :]
        if any(string.startswith(end) for string in wanted):
            return length
    return 0
