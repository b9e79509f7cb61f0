"""Runs targets on inputs, for a number of rounds or for a time, and keeps what fails."""

from __future__ import annotations

import hashlib
import itertools
import time
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

import attrs

from tests.fuzzing.mutation import Mutator
from tests.fuzzing.targets import FuzzTarget

__all__ = ["CORPUS", "Finding", "corpus_of", "fuzz"]

CORPUS: Final = Path(__file__).with_name("corpus")
"""Inputs that once failed, in a folder for each target; every run tries them first."""


@attrs.frozen
class Finding:
    """An input that failed."""

    target: str
    data: bytes
    report: str

    def save(self, folder: Path) -> Path:
        """Write the input to a file whose name is made of what it holds; returns that."""
        place = folder / self.target
        place.mkdir(parents=True, exist_ok=True)
        file = place / f"{hashlib.sha256(self.data).hexdigest()[:16]}.bin"
        file.write_bytes(self.data)
        return file


def corpus_of(target: FuzzTarget, folder: Path = CORPUS) -> list[bytes]:
    """The inputs that are kept for a target."""
    return [file.read_bytes() for file in sorted((folder / target.name).glob("*.bin"))]


def fuzz(
    target: FuzzTarget, *, seed: int | str, rounds: int | None = None, seconds: float | None = None
) -> Iterator[Finding]:
    """Yield the inputs that fail; at most one for each place in the code.

    Args:
        target: What to call.
        seed: Equal seeds make equal inputs.
        rounds: How many inputs to try, besides seeds and corpus; None for no limit.
        seconds: For how long; None for no limit.
    """
    seeds = [*corpus_of(target), *target.seeds()]
    mutator = Mutator(seeds, f"{target.name} {seed}")
    end = None if seconds is None else time.monotonic() + seconds
    told: set[str] = set()
    with target.opened() as run:
        made = (mutator.next() for _ in (itertools.count() if rounds is None else range(rounds)))
        for data in itertools.chain(seeds, made):
            if end is not None and time.monotonic() > end:
                return
            report = _tried(run, data)
            if report is not None and (place := _place(report)) not in told:
                told.add(place)
                yield Finding(target.name, data, report)


def _tried(run: Callable[[bytes], None], data: bytes) -> str | None:
    try:
        run(data)
    except Exception:  # noqa: BLE001  # any that is not expected is a finding
        return traceback.format_exc()
    return None


def _place(report: str) -> str:
    """The innermost line of code."""
    return [line for line in report.splitlines() if line.lstrip().startswith("File ")][-1]
