"""What a terminal shows of frames that are no JSON, yet hold a secret."""

from __future__ import annotations

import pytest

from lmwire_tools.analysis import ConnectionAnalysis
from lmwire_tools.traffic_text import event_lines


@pytest.mark.parametrize("full", [False, True])
def test_broken_json_with_a_passkey_is_not_shown(full: bool) -> None:
    analysis = ConnectionAnalysis(1, "llm")
    event = analysis.frame("to_server", b'{"authVersion": 1, "clientPasskey": "geheim",}', 0.0)

    shown = "\n".join(event_lines(event, full=full, width=None))
    assert "geheim" not in shown
    assert "<redacted>" in shown
