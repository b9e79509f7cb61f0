"""The pytest plugin behind ``requires``: skips and records what a machine cannot run, and closes the run with a table.

``LMWIRE_REQUIRE`` (rows of ``tests.support.requirements``, separated by commas, or ``all``) names what must not be
skipped: a test that misses such a row fails. What it takes is decided in one place, where reports are made, whichever
way a test asked: mark, fixture or call.
"""

from __future__ import annotations

import os
import textwrap
from collections.abc import Generator, Sequence
from typing import Any

import pytest

from tests.support import requirements
from tests.support.requirements import FIXTURES, Unmet

VARIABLE = "LMWIRE_REQUIRE"


class Requirements:
    """What one run demands, and what it had to leave out: (what, why, how to enable) -> number of tests."""

    def __init__(self, demanded: frozenset[str]) -> None:
        self.demanded = demanded
        self.left_out: dict[tuple[str, str, str], int] = {}

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        """Find out ahead of the first test: an installation takes longer than one test may."""
        if session.config.option.collectonly:
            return
        for item in session.items:
            names = [name for mark in item.iter_markers("requires") for name in mark.args]
            names += [FIXTURES[name] for name in getattr(item, "fixturenames", ()) if name in FIXTURES]
            for name in names:
                requirements.why_unmet(name)

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_setup(self, item: pytest.Item) -> None:
        for mark in item.iter_markers("requires"):
            for name in mark.args:
                requirements.require(name)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(
        self, item: pytest.Item, call: pytest.CallInfo[None]
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        report = yield
        self._judge(report, call)
        return report

    @pytest.hookimpl(wrapper=True)
    def pytest_make_collect_report(self) -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
        report = yield
        call = getattr(report, "call", None)  # set on the report until collection has looked at it
        if call is not None:
            self._judge(report, call)
        return report

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_terminal_summary(
        self, terminalreporter: pytest.TerminalReporter
    ) -> Generator[None, None, None]:
        yield
        if self.left_out:
            terminalreporter.section("could not run")
            rows = [(what, str(count), why, how) for (what, why, how), count in sorted(self.left_out.items())]
            terminalreporter.write_line(table(("what", "tests", "why", "how to enable"), rows))

    def _judge(self, report: pytest.TestReport | pytest.CollectReport, call: pytest.CallInfo[Any]) -> None:
        """Count a skip, and make a failure of it where its requirement is demanded."""
        skip = call.excinfo.value if call.excinfo is not None else None
        if isinstance(skip, Unmet):
            row = requirements.row(skip.name)
            self._leave_out(row.what, skip.why, row.how)
            if skip.name in self.demanded:
                report.outcome = "failed"
                report.longrepr = f"{report.nodeid}: {VARIABLE} demands {skip.name}, but: {skip.why}"
        elif isinstance(skip, pytest.skip.Exception) and report.skipped:
            self._leave_out(report.nodeid.partition("::")[0], str(skip.msg), "")

    def _leave_out(self, what: str, why: str, how: str) -> None:
        key = (what, why, how)
        self.left_out[key] = self.left_out.get(key, 0) + 1


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line(
        "markers", "requires(*names): what the test needs; rows of tests/support/requirements.py"
    )
    config.pluginmanager.register(Requirements(demanded(os.environ.get(VARIABLE, ""))))


def demanded(text: str) -> frozenset[str]:
    """The rows that this value of ``LMWIRE_REQUIRE`` names.

    Raises:
        pytest.UsageError: One of them is not in the table.
    """
    names = {name.strip() for name in text.split(",")} - {""}
    if "all" in names:
        names = names - {"all"} | set(requirements.TABLE)
    for name in sorted(names):
        try:
            requirements.row(name)
        except ValueError as error:
            raise pytest.UsageError(f"{VARIABLE}: {error}") from None
    return frozenset(names)


def table(head: Sequence[str], rows: Sequence[Sequence[str]], *, widest: int = 44) -> str:
    """Rows in columns, each column as wide as it needs up to ``widest`` characters; longer cells are wrapped."""
    cells = [[textwrap.wrap(cell, widest) or [""] for cell in row] for row in (head, *rows)]
    widths = [max(len(line) for row in cells for line in row[column]) for column in range(len(head))]
    lines = []
    for row in cells:
        for number in range(max(map(len, row))):
            parts = (cell[number] if number < len(cell) else "" for cell in row)
            lines.append(
                "  ".join(part.ljust(width) for part, width in zip(parts, widths, strict=True)).rstrip()
            )
    return "\n".join(lines)
