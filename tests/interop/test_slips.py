"""What the real clients get wrong, or do in another lawful way, they still do; ours do not."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from tests.interop.frames import same
from tests.interop.matrix import Run, run_slips
from tests.interop.slips import ABSENT, SLIPS, Slip
from tests.support import requires


def _outcome(run: Run, slip: Slip) -> dict[str, Any]:
    """What came of a call, in the words of the table."""
    frames, saw = run.frames[slip.call.name], run.saw[slip.call.name]
    creates = [frame["creationParameter"] for frame in frames if "creationParameter" in frame]
    if not creates:
        return {"refused": saw["error"]}
    parameter = creates[0]
    stack = parameter.get("predictionConfigStack") or parameter["loadConfigStack"]
    fields = stack["layers"][0]["config"]["fields"]
    return {
        "options": {field["key"]: field["value"] for field in fields},
        "ttl": parameter.get("loadTtlMs"),
        "cancels": sum(frame.get("message") == {"type": "cancel"} for frame in frames),
        "kind": type(fields[0]["value"]).__name__ if fields else None,
        "error": saw.get("error"),
    }


def _check(outcome: Mapping[str, Any], expected: Mapping[str, Any]) -> None:
    for what, value in expected.items():
        assert what in outcome, outcome
        if what == "options":
            for key, option in value.items():
                assert same(outcome[what].get(key, ABSENT), option), outcome
        else:
            assert outcome[what] == value, outcome


def _rows() -> list[Any]:
    requirement = {
        "python-1.5.0": "official-python",
        "js-1.5.0": "official-node",
        "js-2.0.0": "official-node",
    }
    return [
        pytest.param(slip, id=f"{slip.sdk} {slip.call.name}", marks=requires(requirement[slip.sdk]))
        for slip in SLIPS
    ]


@pytest.mark.parametrize("slip", _rows())
def test_they_do_it(slip: Slip) -> None:
    _check(_outcome(run_slips(slip.sdk), slip), slip.theirs)


@pytest.mark.parametrize("slip", SLIPS, ids=lambda slip: f"{slip.sdk} {slip.call.name}")
def test_we_do_not(slip: Slip) -> None:
    _check(_outcome(run_slips("lmwire"), slip), slip.ours)
