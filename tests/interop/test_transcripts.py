"""Transcripts of the real clients with upstream's own server code, frame by frame held against the schema.

They are no part of the project: they lie beside the checkout of who has them.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.interop.frames import FrameTap

TRANSCRIPTS = Path(__file__).resolve().parents[3] / "shared" / "transcripts"


def _lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def test_every_frame_of_the_transcripts_fits() -> None:
    paths = sorted(TRANSCRIPTS.glob("*.jsonl"))
    if not paths:
        pytest.skip("there are no transcripts beside this checkout")
    problems = []
    for path in paths:
        frames = [line for line in _lines(path) if "frame" in line]
        tap = FrameTap()
        for line in frames:
            direction = "received" if line["dir"] == "in" else "sent"
            tap(direction, line["path"].removeprefix("/"), json.dumps(line["frame"]).encode())
        traffic = tap.traffic()
        assert sum(len(connection.frames) for connection in traffic.connections) == len(frames) > 2
        problems += [f"{path.name}: {problem}" for problem in traffic.problems]
    assert not problems, "\n".join(problems)
