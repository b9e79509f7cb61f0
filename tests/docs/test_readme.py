"""Every Python snippet of the documents runs as it stands, against an emulator that the environment names."""

from __future__ import annotations

import re

import pytest

from lmwire_emulator import EmulatorThread
from tests.support.emulators import ROOT, run_program

_SNIPPET = re.compile(r"^```python\n(.*?)^```", re.MULTILINE | re.DOTALL)


def _snippets(document: str) -> list[object]:
    text = (ROOT / document).read_text(encoding="utf-8")
    return [
        pytest.param(match[1], id=f"{document}:{text.count(chr(10), 0, match.start()) + 1}")
        for match in _SNIPPET.finditer(text)
    ]


def test_the_readme_has_snippets_for_both_shells_and_all_three_uses() -> None:
    assert len(_snippets("README.md")) >= 4


_DOCUMENTS = (
    "README.md",
    "docs/chat.md",
    "docs/completion.md",
    "docs/lmstudio.md",
    "docs/models.md",
    "docs/namespaces.md",
)


@pytest.mark.parametrize("snippet", [snippet for document in _DOCUMENTS for snippet in _snippets(document)])
def test_snippet_runs_and_prints(snippet: str, emulator: EmulatorThread) -> None:
    done = run_program(["-c", snippet], emulator.api_host)

    assert done.stdout.strip()
    assert done.stderr == ""
