"""The part of ``docs/reliability.md`` that is made of the rows of this folder.

``python -m tests.reliability.document`` writes it anew between its two marks; ``test_document`` compares.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

from tests.reliability.connecting_rows import CONNECTING_ROWS
from tests.reliability.message_rows import MESSAGE_ROWS
from tests.reliability.table import ConnectingRow, Fails, Gives, Outcome, Row
from tests.reliability.websocket_rows import WEBSOCKET_ROWS

__all__ = ["DOCUMENT", "between_marks", "rendered"]

DOCUMENT: Final = Path(__file__).resolve().parents[2] / "docs" / "reliability.md"
BEGIN: Final = "<!-- rows: made by python -m tests.reliability.document -->"
END: Final = "<!-- end of rows -->"
SECTIONS: Final[tuple[tuple[str, tuple[Row | ConnectingRow, ...]], ...]] = (
    ("No connection comes about", CONNECTING_ROWS),
    ("What messages say", MESSAGE_ROWS),
    ("How messages come", WEBSOCKET_ROWS),
)


def _told(outcome: Outcome, request: str) -> str:
    if isinstance(outcome, Gives):
        return f"the {request} succeeds"
    after = " after what had arrived" if outcome.after else ""
    return f"`{outcome.error.__name__}`{after}"


def _row(row: Row | ConnectingRow) -> str:
    if isinstance(row, ConnectingRow):
        return f"| `{row.name}` | {row.what} | {_told(row.outcome, 'call')} |"
    request = "call" if row.request == "call" else "stream"
    lines = f", {row.warnings} logged" if row.warnings else ""
    others = "`ConnectionLostError`" if isinstance(row.neighbour, Fails) else "go on"
    return f"| `{row.name}` | {row.what} | {_told(row.outcome, request)}{lines} | {others} |"


def rendered() -> str:
    """Return the tables, one for each set of rows."""
    parts: list[str] = []
    for title, rows in SECTIONS:
        connecting = isinstance(rows[0], ConnectingRow)
        head = (
            "| row | the peer | the call |" if connecting else "| row | the peer | the request | the others |"
        )
        parts += [f"### {title}", "", head, "|" + " --- |" * (head.count("|") - 1), *map(_row, rows), ""]
    return "\n".join(parts)


def between_marks(text: str) -> str:
    """Return what the document has between its marks."""
    found = re.search(re.escape(BEGIN) + r"\n\n(.*?)" + re.escape(END), text, re.DOTALL)
    assert found is not None, f"{DOCUMENT.name} has no marks"
    return found[1]


def _write() -> None:
    before, _, rest = DOCUMENT.read_text(encoding="utf-8").partition(BEGIN)
    _, _, after = rest.partition(END)
    DOCUMENT.write_text(f"{before}{BEGIN}\n\n{rendered()}\n{END}{after}", encoding="utf-8")


if __name__ == "__main__":
    _write()
