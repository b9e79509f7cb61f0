"""The index of the documents has every page, and leads nowhere else."""

from __future__ import annotations

import re

from tests.support.emulators import ROOT


def test_the_index_has_every_document() -> None:
    text = (ROOT / "docs" / "README.md").read_text(encoding="utf-8")
    links = set(re.findall(r"\]\(([^)]+)\)", text))
    pages = {path.name for path in (ROOT / "docs").glob("*.*")} - {"README.md"}
    assert links == pages | {"reference/README.md"}
