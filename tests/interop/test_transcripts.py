"""Transcripts of the real clients with upstream's own server code: held against the schema, and against the emulator.

They are no part of the project: they lie beside the checkout of who has them.
"""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import pytest

from lmwire_tools.replay_comparing import differences
from tests.interop.frames import FrameTap
from tests.interop.replay import Lines, emulator_like, frames_of, played

TRANSCRIPTS: Final = Path(__file__).resolve().parents[3] / "shared" / "transcripts"

# In what the emulator's answers lawfully differ from the recorded ones: the pointer, and why.
ASIDE: Final[Mapping[str, str]] = {
    r".*/instanceReference": "every server has names of its own for instances",
    r".*/lastUsedTime": "the time of day",
    r"/message/stats/(tokensPerSecond|timeToFirstTokenSec|totalTimeSec)": "measured",
    r"/result/tokens/\d+": "another tokenizer",
    r"/error/suggestion": "said in other words",
    r"/error/stack": "where in upstream's source the error was made",
    r"/error/displayData/(availablePathsSample/\d+|totalModels)": "not all downloaded models are in the transcripts",
    r".*/llm\.load\.promptTemplate/jinjaPromptTemplate/template": "another template that does the same",
}


@functools.cache
def _transcripts() -> Mapping[str, Lines]:
    return {path.stem: frames_of(path) for path in sorted(TRANSCRIPTS.glob("*.jsonl"))}


def _names() -> list[Any]:
    if _transcripts():
        return list(_transcripts())
    return [pytest.param("", marks=pytest.mark.skip("there are no transcripts beside this checkout"))]


@pytest.mark.parametrize("name", _names())
def test_every_frame_of_a_transcript_fits(name: str) -> None:
    lines = _transcripts()[name]
    tap = FrameTap()
    for line in lines:
        direction = "received" if line["dir"] == "in" else "sent"
        tap(direction, line["path"].removeprefix("/"), json.dumps(line["frame"]).encode())
    traffic = tap.traffic()
    traffic.check()
    assert len(traffic.passed) == len(lines) > 2


@functools.cache
def _all_differences(name: str) -> frozenset[str]:
    lines = _transcripts()[name]
    with emulator_like(_transcripts().values(), lines) as emulator:
        answers = list(played(lines, emulator))
    assert len(answers) == sum(line["dir"] == "out" for line in lines)
    return frozenset(
        difference.pointer for recorded, ours in answers for difference in differences(recorded, ours)
    )


@pytest.mark.parametrize("name", _names())
def test_the_emulator_answers_as_upstream_does(name: str) -> None:
    unlike = {
        pointer
        for pointer in _all_differences(name)
        if not any(re.fullmatch(aside, pointer) for aside in ASIDE)
    }
    assert unlike == set()


@pytest.mark.skipif(not _transcripts(), reason="there are no transcripts beside this checkout")
@pytest.mark.parametrize("aside", ASIDE)
def test_nothing_is_set_aside_for_nothing(aside: str) -> None:
    assert any(re.fullmatch(aside, pointer) for name in _transcripts() for pointer in _all_differences(name))
