"""The bounded run of every target, always with the same inputs; and whether fuzzing finds anything at all."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from lmwire_runtime import json_codec
from tests.fuzzing.fuzzing import Finding, corpus_of, fuzz
from tests.fuzzing.mutation import Mutator
from tests.fuzzing.targets import TARGETS, FuzzTarget


@pytest.mark.parametrize("target", TARGETS.values(), ids=lambda target: target.name)
def test_nothing_is_found(target: FuzzTarget) -> None:
    for finding in fuzz(target, seed="ci", rounds=target.rounds):
        pytest.fail(f"{finding.data[:2000]!r}\n{finding.report}")


def planted(data: bytes) -> None:
    """Fails where a frame lacks what it always has, and where bytes are no text."""
    frames: Any = json_codec.loads(data) if data[:1] == b"[" else data.decode()
    if isinstance(frames, list):
        assert all(isinstance(frame["callId"], int) for frame in frames)


@contextmanager
def _planted() -> Iterator[Any]:
    yield planted


PLANTED = FuzzTarget("planted", lambda: [b'[{"callId":1},{"callId":2,"a":[1]}]'], _planted, 300)


def test_planted_faults_are_found_and_kept(tmp_path: Path) -> None:
    found = list(fuzz(PLANTED, seed=1, rounds=PLANTED.rounds))
    told = "".join(finding.report for finding in found)
    assert all(f"{name}:" in told for name in ("KeyError", "AssertionError", "UnicodeDecodeError"))
    for finding in found:
        finding.save(tmp_path)
    assert sorted(corpus_of(PLANTED, tmp_path)) == sorted({finding.data for finding in found})


def test_equal_seeds_make_equal_inputs() -> None:
    def inputs(seed: int) -> list[bytes]:
        mutator = Mutator(PLANTED.seeds(), seed)
        return [mutator.next() for _ in range(50)]

    assert inputs(1) == inputs(1) != inputs(2)


def test_a_finding_is_told_once(tmp_path: Path) -> None:
    assert len(list(fuzz(PLANTED, seed=1, rounds=1000))) < 12
    assert Finding("x", b"1", "").save(tmp_path) == Finding("x", b"1", "other").save(tmp_path)
