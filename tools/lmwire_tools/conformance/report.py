"""What came of the checks, as a table or as JSON."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any, Final

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text

from lmwire_tools.conformance.checks import Check, Outcome, Result

__all__ = ["list_checks", "list_checks_json", "report", "report_json"]

_STYLES: Final = {
    Outcome.PASS: "green",
    Outcome.FAIL: "bold red",
    Outcome.NOT_APPLICABLE: "dim",
    Outcome.KNOWN: "yellow",
    Outcome.UNEXPECTED: "bold red",
}
# Wide enough for the reasons where the output goes to a file.
_WIDTH: Final = 160


def _console() -> Console:
    console = Console(soft_wrap=False)
    return console if console.is_terminal else Console(width=_WIDTH)


def report(title: str, results: Sequence[Result]) -> None:
    """Print a table, and a line that sums it up."""
    table = Table(title=title, title_justify="left", expand=False)
    table.add_column("check", no_wrap=True)
    table.add_column("section", no_wrap=True)
    table.add_column("outcome", no_wrap=True)
    table.add_column("what is checked, and why it did not pass", overflow="fold")
    for result in results:
        told = Text(result.does)
        if result.reason:
            told.append(f"\n{result.reason}", style=_STYLES[result.outcome])
        table.add_row(result.name, result.section, Text(result.outcome.value, _STYLES[result.outcome]), told)
    console = _console()
    console.print(table)
    console.print(summary(results), highlight=False)


def summary(results: Iterable[Result]) -> str:
    """How often which outcome was, in one line."""
    counts = Counter(result.outcome for result in results)
    return ", ".join(f"{counts[outcome]} {outcome.value}" for outcome in Outcome if counts[outcome])


def report_json(about: dict[str, Any], results: Sequence[Result]) -> None:
    """Print one JSON object."""
    counts = Counter(result.outcome.value for result in results)
    told = {**about, "summary": dict(counts), "checks": [result.to_json() for result in results]}
    click.echo(json.dumps(told, ensure_ascii=False, indent=2))


def list_checks(checks: Sequence[Check[Any]]) -> None:
    """Print what would be checked."""
    table = Table(expand=False)
    for heading in ("check", "section", "what is checked"):
        table.add_column(heading)
    for check in checks:
        table.add_row(check.name, check.section, check.does)
    _console().print(table)


def list_checks_json(checks: Sequence[Check[Any]]) -> None:
    """Print what would be checked as one JSON list."""
    listed = [{"check": check.name, "section": check.section, "does": check.does} for check in checks]
    click.echo(json.dumps(listed, ensure_ascii=False, indent=2))
