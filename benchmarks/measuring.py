"""Measures figures: in rounds, so that what is compared was measured side by side, whatever else the machine does."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

import attrs
from rich.progress import Progress

from benchmarks.figures import FIGURES
from benchmarks.running import PEERS, run_peer, unavailable

__all__ = ["Measured", "measure"]

Measured: TypeAlias = Mapping[str, Mapping[str, Sequence[float]]]
"""For each figure each peer's numbers, one of each round."""


@attrs.frozen
class _Part:
    """What one peer does for one figure."""

    figure: str
    peer: str
    scenario: str
    options: Mapping[str, Any]

    @property
    def work(self) -> tuple[str, str, str]:
        """What is run; figures that differ only in how they read it share it."""
        return self.peer, self.scenario, json.dumps(self.options)


def measure(names: Sequence[str], host: str, *, quick: bool, progress: Progress) -> Measured:
    """Run the peers of each family of figures in turn; every other round goes the other way, so that no place is
    the better one.
    """
    absent = {name: why for name in PEERS if (why := unavailable(name)) is not None}
    for name, why in absent.items():
        progress.console.print(f"without {PEERS[name].title}: {why}")
    families: dict[str, list[str]] = {}
    for name in names:
        families.setdefault(FIGURES[name].family or name, []).append(name)
    measured: dict[str, dict[str, list[float]]] = {}
    for members in progress.track(list(families.values()), description="measuring"):
        parts = [
            _Part(name, peer, scenario, FIGURES[name].options_of(peer, quick=quick))
            for name in members
            for peer, scenario in FIGURES[name].scenarios.items()
            if peer not in absent
        ]
        for part in parts:
            measured.setdefault(part.figure, {})[part.peer] = []
        for number in range(1 if quick else max(FIGURES[name].rounds for name in members)):
            _round(parts if number % 2 == 0 else parts[::-1], host, measured)
    return measured


def _round(parts: Sequence[_Part], host: str, measured: Mapping[str, Mapping[str, list[float]]]) -> None:
    told: dict[tuple[str, str, str], Any] = {}
    for part in parts:
        if part.work not in told:
            told[part.work] = run_peer(part.peer, part.scenario, host, part.options)
        number = FIGURES[part.figure].reading(told[part.work], part.options)
        measured[part.figure][part.peer].append(number)
