"""What was measured, as a table of ratios, JSON, or a picture."""

from __future__ import annotations

import importlib
import json
import os
import platform
import statistics
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import attrs
from rich.console import Console
from rich.table import Table

from benchmarks.figures import FIGURES, Goal
from benchmarks.measuring import Measured
from benchmarks.running import PEERS
from tests.interop.environments import NODE_SDKS, PYTHON_SDK

__all__ = ["Verdict", "as_json", "as_markdown", "draw", "print_table", "verdicts"]


@attrs.frozen
class Verdict:
    """One reach of one figure: what was wanted, and what came out."""

    wanted: str
    got: str
    met: bool


def verdicts(name: str, measured: Measured) -> list[Verdict]:
    """Judge one figure."""
    figure, numbers = FIGURES[name], measured[name]
    if "lmwire" not in numbers:
        return []
    found = [verdict for goal in figure.goals if (verdict := _judge(goal, numbers, measured)) is not None]
    if figure.limit is not None:
        own = statistics.median(numbers["lmwire"])
        found.append(Verdict(f"at most {figure.limit:g}", f"{own:.3g}", own <= figure.limit))
    return found


def _judge(goal: Goal, numbers: Mapping[str, Sequence[float]], measured: Measured) -> Verdict | None:
    """Judge by the median of the rounds' ratios: what was slow in one round was slow for both."""
    own = numbers["lmwire"]
    other = numbers.get(goal.other, measured.get(goal.other, {}).get("lmwire"))
    if other is None:
        return None
    grounds = numbers.get(goal.above or "", [0.0] * len(own))
    ratios = [_ratio(*three) for three in zip(own, other, grounds, strict=True)]
    ratio = statistics.median(ratios)
    title = PEERS[goal.other].title if goal.other in PEERS else FIGURES[goal.other].title
    got = f"{ratio:.2f} x" + (f" ({min(ratios):.2f} to {max(ratios):.2f})" if len(ratios) > 1 else "")
    return Verdict(f"{goal.factor:.2f} x {title}", got, ratio >= goal.factor)


def _ratio(own: float, other: float, ground: float) -> float:
    # What is not above the ground at all is a thousand times better than anything.
    return (other - ground) / max(own - ground, (other - ground) / 1000, 1e-9)


def _medians(numbers: Mapping[str, Sequence[float]]) -> dict[str, float]:
    return {peer: statistics.median(all_of) for peer, all_of in numbers.items()}


def print_table(measured: Measured, console: Console) -> None:
    """Print all figures, and how far each reaches."""
    table = Table("figure", "unit", "peer", "number", "reach", "wanted", "")
    for name, numbers in measured.items():
        figure = FIGURES[name]
        judged = verdicts(name, measured)
        lines = [(PEERS[peer].title, f"{number:.3g}") for peer, number in _medians(numbers).items()]
        for row in range(max(len(lines), len(judged))):
            peer, number = lines[row] if row < len(lines) else ("", "")
            verdict = judged[row] if row < len(judged) else None
            cells = (
                ("", "", "")
                if verdict is None
                else (verdict.got, verdict.wanted, "met" if verdict.met else "missed")
            )
            head = (figure.title, figure.unit) if row == 0 else ("", "")
            table.add_row(*head, peer, number, *cells)
        table.add_section()
    console.print(table)


def machine() -> dict[str, Any]:
    """What the figures were measured on."""
    return {
        "python": platform.python_version(),
        "platform": platform.platform(terse=True),
        "processor": platform.machine(),
        "versions": {
            name: version(name) for name in ("lmwire", "websockets", "orjson", "attrs", "msgspec", "cattrs")
        },
        "peers": {"lmstudio": PYTHON_SDK, "@lmstudio/sdk": list(NODE_SDKS)},
    }


def as_json(measured: Measured) -> str:
    """Return everything, for machines."""
    figures = {
        name: {
            "title": FIGURES[name].title,
            "unit": FIGURES[name].unit,
            "numbers": _medians(numbers),
            "rounds": numbers,
            "reaches": [attrs.asdict(verdict) for verdict in verdicts(name, measured)],
        }
        for name, numbers in measured.items()
    }
    return json.dumps({"machine": machine(), "figures": figures}, indent=2) + "\n"


def as_markdown(measured: Measured) -> str:
    """Return the table for ``README.md``, under a line that says what it was measured on."""
    on = machine()
    versions = ", ".join(f"{name} {number}" for name, number in on["versions"].items())
    lines = [
        f"Python {on['python']}, {on['platform']}, {os.cpu_count()} processors; {versions}.",
        "",
        "| figure | lmwire | others | reach | wanted | |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for name in measured:
        figure, judged = FIGURES[name], verdicts(name, measured)
        numbers = _medians(measured[name])
        others = "; ".join(
            f"{PEERS[peer].title} {number:.3g}" for peer, number in numbers.items() if peer != "lmwire"
        )
        own = f"{numbers['lmwire']:.3g} {figure.unit}" if "lmwire" in numbers else ""
        first = [figure.title, own, others]
        for verdict in judged or [Verdict("", "", True)]:
            met = "" if not verdict.wanted else "met" if verdict.met else "**missed**"
            lines.append("| " + " | ".join([*first, verdict.got, verdict.wanted, met]) + " |")
            first = ["", "", ""]
    return "\n".join(lines) + "\n"


def draw(measured: Measured, path: Path) -> None:
    """Draw the figures that have more than one peer, each as bars in units of lmwire's number."""
    # Of the extra "bench", which type checkers need not have.
    importlib.import_module("matplotlib").use("agg")
    pyplot: Any = importlib.import_module("matplotlib.pyplot")

    shown = {name: _medians(numbers) for name, numbers in measured.items() if {"lmwire"} < numbers.keys()}
    figure, axes = pyplot.subplots(len(shown), 1, figsize=(9, 1.4 * len(shown)), squeeze=False)
    for axis, (name, numbers) in zip(axes[:, 0], shown.items(), strict=True):
        ratios = [number / numbers["lmwire"] for number in numbers.values()]
        bars = axis.barh([PEERS[peer].title for peer in numbers], ratios, color="tab:gray")
        bars[list(numbers).index("lmwire")].set_color("tab:blue")
        axis.set_title(
            f"{FIGURES[name].title} (lmwire: {numbers['lmwire']:.3g} {FIGURES[name].unit})", fontsize=8
        )
        axis.tick_params(labelsize=7)
        axis.invert_yaxis()
    figure.tight_layout()
    figure.savefig(path, dpi=120)
