"""What a check is, and what can come of it."""

from __future__ import annotations

import enum
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, Generic, TypeVar

import attrs

__all__ = ["Check", "Failed", "NotApplicable", "Outcome", "Result", "judged", "run_all"]

T = TypeVar("T")


class Failed(Exception):
    """The peer does otherwise than the protocol says; the text says what it did."""


class NotApplicable(Exception):
    """The check says nothing about this peer; the text says why."""


class Outcome(enum.Enum):
    """What came of a check; ``known`` is a failure that was expected, ``unexpected`` one that did not come."""

    PASS = "pass"
    FAIL = "fail"
    NOT_APPLICABLE = "not applicable"
    KNOWN = "known deviation"
    UNEXPECTED = "unexpected pass"

    @property
    def is_bad(self) -> bool:
        """Whether the command has to end with an error because of it."""
        return self in (Outcome.FAIL, Outcome.UNEXPECTED)


@attrs.frozen
class Check(Generic[T]):
    """A check of a peer.

    Attributes:
        name: What users call it.
        section: Which section of the protocol's description it is about.
        does: What is done, and what has to come of it.
        run: Does it; raises ``Failed`` or ``NotApplicable``.
        needs: Checks that have to pass first, because this one stands on what they check.
    """

    name: str
    section: str
    does: str
    run: Callable[[T], Any]
    needs: Sequence[str] = ()


@attrs.frozen
class Result:
    """What came of a check, and why; ``reason`` is empty where it passed."""

    name: str
    section: str
    does: str
    outcome: Outcome
    reason: str = ""

    def to_json(self) -> dict[str, str]:
        """The result as plain data."""
        return {
            "check": self.name,
            "section": self.section,
            "does": self.does,
            "outcome": self.outcome.value,
            "reason": self.reason,
        }


def judged(check: Check[T], peer: T) -> Result:
    """Run one check."""
    outcome, reason = Outcome.PASS, ""
    try:
        check.run(peer)
    except Failed as failure:
        outcome, reason = Outcome.FAIL, str(failure)
    except NotApplicable as excuse:
        outcome, reason = Outcome.NOT_APPLICABLE, str(excuse)
    return Result(check.name, check.section, check.does, outcome, reason)


def run_all(
    checks: Sequence[Check[T]], peer: T, wanted: Sequence[str] = (), *, jobs: int = 1
) -> Iterator[Result]:
    """Run checks, and those that they need; yields the results in the order of the checks.

    A check of which a needed one did not pass is not applicable.

    Args:
        checks: All that there are, each behind those that it needs.
        peer: What is checked.
        wanted: The names of those to run; all if there are none.
        jobs: How many to run at the same time.
    """
    table = {check.name: check for check in checks}
    needed = set(_with_needs(table, wanted or list(table)))
    results: dict[str, Future[Result]] = {}

    def run(check: Check[T]) -> Result:
        for name in check.needs:
            if results[name].result().outcome is not Outcome.PASS:
                why = f"needs {name}, which did not pass"
                return Result(check.name, check.section, check.does, Outcome.NOT_APPLICABLE, why)
        return judged(check, peer)

    # Checks are begun in their order, so that what one waits for is under way, or done.
    with ThreadPoolExecutor(jobs, thread_name_prefix="lmwire-check") as pool:
        for check in checks:
            if check.name in needed:
                results[check.name] = pool.submit(run, check)
        try:
            for result in results.values():
                yield result.result()
        finally:
            pool.shutdown(wait=False, cancel_futures=True)


def _with_needs(table: dict[str, Check[T]], names: Sequence[str]) -> Iterator[str]:
    for name in names:
        yield name
        yield from _with_needs(table, table[name].needs)
