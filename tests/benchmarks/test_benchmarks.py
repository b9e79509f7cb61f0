"""``python -m benchmarks``: it measures every peer that this machine has, judges, and says what was missed."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.figures import FIGURES, Figure, Goal
from benchmarks.report import verdicts
from benchmarks.running import PEERS, unavailable
from tests.support.emulators import ROOT

# One of each kind of scenario: streams and calls over sockets, packets in memory, a program as a whole.
TRIED = ("stream", "stream-async", "rpc", "latency-p50", "threads-8", "decode-fragment", "import")


def test_a_quick_run_measures_every_peer(tmp_path: Path) -> None:
    report, table = tmp_path / "all.json", tmp_path / "all.md"
    written = ["--json", str(report), "--markdown", str(table)]
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks", "--quick", *TRIED, *written],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    figures = json.loads(report.read_text("utf-8"))["figures"]
    assert set(figures) == set(TRIED)
    for name, found in figures.items():
        wanted = {peer for peer in FIGURES[name].scenarios if unavailable(peer) is None}
        assert set(found["numbers"]) == wanted
        assert all(number > 0 for number in found["numbers"].values())
    rows = table.read_text("utf-8").splitlines()[2:]
    assert {len(row.split(" | ")) for row in rows} == {6}
    assert [row.split(" | ")[0] for row in rows if FIGURES["rpc"].title in row] == [
        f"| {FIGURES['rpc'].title}"
    ]
    for peer in {peer for name in TRIED for peer in FIGURES[name].scenarios}:
        assert PEERS[peer].title in done.stdout


def test_a_figure_that_does_not_exist() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks", "streem"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert "streem" in done.stderr


@pytest.mark.parametrize(
    ("own", "met"), [(10.0, True), (14.0, True), (15.0, False)], ids=["faster", "just", "too slow"]
)
def test_verdicts(monkeypatch: pytest.MonkeyPatch, own: float, met: bool) -> None:
    """At most 1 / 0.7 of the floor, once what both stand on is taken off."""
    figure = Figure(
        title="a figure",
        unit="us",
        scenarios={},
        reading=lambda samples, options: 0.0,
        goals=[Goal("floor", 0.7, above="bare-python")],
    )
    monkeypatch.setitem(FIGURES, "tried", figure)
    # Another program slowed the second round: what is judged is the ratio within each.
    rounds = {"lmwire": [own + 2, 3 * own + 2], "floor": [12.0, 32.0], "bare-python": [2.0, 2.0]}
    [verdict] = verdicts("tried", {"tried": rounds})
    assert verdict.met is met


def test_what_is_compared_is_measured_in_the_same_rounds() -> None:
    for name, figure in FIGURES.items():
        for goal in figure.goals:
            if goal.other in FIGURES:
                assert FIGURES[goal.other].family == figure.family != "", name
