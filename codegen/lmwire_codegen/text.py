"""Text of the schema on its way into Python source: every value through ``repr``, every description through
``docstring``.

Schema text is hostile: a quote, a newline or a backslash in it must never end the literal it stands in. Templates get
their environment from here, so undefined names fail and these filters are the only way in.
"""

from __future__ import annotations

import json
import textwrap
from pathlib import Path
from typing import Any, Final

import jinja2

__all__ = ["docstring", "environment", "literal", "sentence"]

_WIDTH: Final = 110


def literal(value: Any) -> str:
    """Return the Python expression of a value; sets come out sorted, never in the order of their hashes."""
    if isinstance(value, (set, frozenset)):
        value = tuple(sorted(value))
    if isinstance(value, dict):
        return "{" + ", ".join(f"{literal(key)}: {literal(item)}" for key, item in value.items()) + "}"
    if isinstance(value, tuple):
        return "(" + ", ".join(map(literal, value)) + ("," if len(value) == 1 else "") + ")"
    if isinstance(value, str):
        return _ascii_safe(repr(value))
    return repr(value)


def _ascii_safe(text: str) -> str:
    """Escape what an editor would not show (``str.isprintable`` knows less in older Pythons, so only ASCII decides)."""
    return "".join(character if " " <= character <= "~" else _escape(character) for character in text)


def _escape(character: str) -> str:
    code = ord(character)
    if code < 0x100:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def sentence(text: str) -> str:
    """Escape text so that it can stand inside a triple-quoted literal."""
    escaped = text.replace("\\", "\\\\").replace('"""', '\\"\\"\\"')
    return "".join(
        character if " " <= character <= "~" or character == "\n" else _escape(character)
        for character in escaped
    )


def docstring(text: str, indent: int = 0) -> str:
    """Return a docstring literal for ``text``, wrapped, the lines after the first indented by ``indent`` spaces.

    Paragraphs are parted by empty lines. One whose lines after the first are indented is a section; its lines stay.
    """
    width = _WIDTH - indent - 6
    paragraphs = [_wrapped(paragraph, width) for paragraph in text.replace("\r", "\n").split("\n\n")]
    body = sentence("\n\n".join(filter(None, paragraphs)))
    quotes = len(body) - len(body.rstrip('"'))
    backslashes = len(body) - quotes - len(body[: len(body) - quotes].rstrip("\\"))
    if quotes and not (quotes == 1 and backslashes % 2):  # or else it would end the literal
        body = body[:-1] + '\\"'
    if "\n" in body:
        body += "\n"
    margin = " " * indent
    lines = f'"""{body}"""'.split("\n")
    return "\n".join([lines[0], *(f"{margin}{line}" if line else "" for line in lines[1:])])


def _wrapped(paragraph: str, width: int) -> str:
    lines = paragraph.strip("\n").split("\n")
    is_section = len(lines) > 1 and all(line.startswith("    ") for line in lines[1:])
    pieces = lines if is_section else [" ".join(paragraph.split())]
    wrapped: list[str] = []
    for number, piece in enumerate(pieces):
        margin = "    " if number else ""
        wrapped += textwrap.wrap(
            " ".join(piece.split()),
            width,
            initial_indent=margin,
            subsequent_indent=margin * 2,
            break_long_words=False,
            break_on_hyphens=False,
        )
    return "\n".join(wrapped)


def environment() -> jinja2.Environment:
    """Return the environment of all templates."""
    loader = jinja2.FileSystemLoader(Path(__file__).resolve().parent / "templates", encoding="utf-8")
    result = jinja2.Environment(
        loader=loader,
        undefined=jinja2.StrictUndefined,
        autoescape=False,
        keep_trailing_newline=True,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    result.filters |= {"repr": literal, "docstring": docstring, "word": sentence, "json": json.dumps}
    return result
