"""The document against the tests: the rows are those of the table, and every test that it names exists."""

from __future__ import annotations

import re
from pathlib import Path

from tests.reliability.connecting_rows import CONNECTING_ROWS
from tests.reliability.document import DOCUMENT, between_marks, rendered
from tests.reliability.message_rows import MESSAGE_ROWS
from tests.reliability.table import ConnectingRow, Row
from tests.reliability.websocket_rows import WEBSOCKET_ROWS

ROOT = Path(__file__).resolve().parents[2]


def test_names_are_used_once_and_sentences_end() -> None:
    rows: list[Row | ConnectingRow] = [*CONNECTING_ROWS, *MESSAGE_ROWS, *WEBSOCKET_ROWS]
    assert len({row.name for row in rows}) == len(rows)
    assert len({row.what for row in rows}) == len(rows)
    assert all(row.what.endswith(".") and "|" not in row.what for row in rows)


def test_the_document_has_the_rows_of_the_table() -> None:
    written = between_marks(DOCUMENT.read_text(encoding="utf-8"))
    assert written.strip() == rendered().strip(), "run python -m tests.reliability.document"


def test_every_test_that_it_names_exists() -> None:
    text = DOCUMENT.read_text(encoding="utf-8")
    named = re.findall(r"`(tests/[\w/]+\.py)(?:::(\w+))?(?:::(\w+))?`", text)
    assert named
    for file, *names in named:
        source = (ROOT / file).read_text(encoding="utf-8")
        for name in filter(None, names):
            assert re.search(rf"^\s*(?:async )?(?:def|class) {name}\b", source, re.MULTILINE), (
                f"{file}::{name}"
            )
