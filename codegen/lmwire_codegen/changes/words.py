"""Words for types and values in reports: short, on one line, whatever the schema says."""

from __future__ import annotations

from typing import Final

from lmwire_codegen.model import Model, hint_of
from lmwire_codegen.shapes import Scalar, Type

__all__ = ["one_line", "type_words"]

_LONGEST: Final = 160
_LIMITS: Final = {
    "minimum": "at least {}", "maximum": "at most {}", "exclusive_minimum": "above {}", "exclusive_maximum": "below {}",
    "min_length": "length at least {}", "max_length": "length at most {}", "pattern": "matches {!r}",
}  # fmt: skip


def type_words(model: Model, type_: Type) -> str:
    """Return what a reader calls a type: its Python hint, and the limits of a scalar."""
    words = hint_of(type_, lambda key: model.names[key])
    if isinstance(type_, Scalar):
        limits = [
            text.format(value)
            for name, text in _LIMITS.items()
            if (value := getattr(type_.limits, name)) is not None
        ]
        words += f" ({', '.join(limits)})" if limits else ""
    return one_line(words)


def one_line(text: str, longest: int = _LONGEST) -> str:
    """Return ``text`` on one line without control characters, cut if it is long."""
    plain = "".join(character if character.isprintable() else " " for character in text)
    plain = " ".join(plain.split())
    return plain if len(plain) <= longest else plain[: longest - 3] + "..."
