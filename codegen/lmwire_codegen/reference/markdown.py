"""Text of the schema on its way into Markdown: whatever it says, it stays one piece of text where it was put.

A page is ASCII: what else there is becomes an entity in text, and an escape in code, which looks the same everywhere.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from typing import Any, Final

__all__ = ["code", "json_block", "plain", "prose", "table"]

_WIDTH: Final = 100
_MARKUP: Final = re.compile(r"[\\`*{}\[\]<>#|~!&$]|(?<![A-Za-z0-9])_|_(?![A-Za-z0-9])")
_ENTITIES: Final = {"<": "&lt;", ">": "&gt;", "&": "&amp;", "|": "&#124;"}
_START: Final = re.compile(r"^(?:(?=[-+=])|(\d+)(?=[.)]))")
_SPAN: Final = re.compile(r"`([^`\n]+)`")
_UNSEEN: Final = re.compile(
    "[\x00-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffc\ud800-\udfff]"
)


def plain(text: str) -> str:
    """Return text on one line in which nothing is markup, not even at its beginning."""
    return _START.sub(r"\1\\", _escaped(" ".join(text.split())))


def prose(text: str) -> str:
    """Return the same, but what stands between backticks becomes code."""
    pieces = _SPAN.split(" ".join(text.split()))
    joined = "".join(code(piece) if number % 2 else _escaped(piece) for number, piece in enumerate(pieces))
    return _START.sub(r"\1\\", joined)


def _escaped(text: str) -> str:
    seen = _UNSEEN.sub("\ufffd", text)
    escaped = _MARKUP.sub(lambda match: _ENTITIES.get(match[0], f"\\{match[0]}"), seen)
    return "".join(letter if letter < "\x7f" else f"&#x{ord(letter):x};" for letter in escaped)


def code(text: str) -> str:
    """Return a span of code; line breaks and what is no ASCII are written as escapes."""
    shown = "".join(letter if " " <= letter <= "~" else json.dumps(letter)[1:-1] for letter in text)
    fence = "`" * (max((len(run) for run in re.findall("`+", shown)), default=0) + 1)
    pad = " " if shown[:1] in ("`", " ", "") or shown[-1:] in ("`", " ") else ""
    return f"{fence}{pad}{shown}{pad}{fence}"


def table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """Return a table of cells that are Markdown already, and on one line each."""
    head = list(head)
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in line)} |" for line in lines)


def json_block(value: Any) -> str:
    """Return a fenced block of JSON in ASCII, a value on one line where the page is wide enough."""
    return f"```json\n{_folded(value, 0, 0)}\n```"


def _folded(value: Any, indent: int, used: int) -> str:
    """Write a value; lines after the first are indented by ``indent``, the first has ``used`` characters already."""
    line = json.dumps(value)
    if used + len(line) <= _WIDTH or not isinstance(value, (dict, list)) or not value:
        return line
    inner = indent + 2
    if isinstance(value, dict):
        names = [f"{json.dumps(name)}: " for name in value]
        parts = [
            name + _folded(item, inner, inner + len(name))
            for name, item in zip(names, value.values(), strict=True)
        ]
    else:
        parts = [_folded(item, inner, inner) for item in value]
    opening, closing = "{}" if isinstance(value, dict) else "[]"
    body = ",\n".join(" " * inner + part for part in parts)
    return f"{opening}\n{body}\n{' ' * indent}{closing}"
