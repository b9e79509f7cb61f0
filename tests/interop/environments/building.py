"""Directories that are either whole or absent: how an environment is built once and kept.

An environment lives in ``.interop/NAME-HASH`` of the checkout, where the hash covers all that it is made from, so a new
pin is a new directory. It is built beside its place and renamed into it when it is whole: a run that is cut short
leaves at most a building directory, which no run uses and a later one sweeps. Two runs that build the same at the same
time do no harm; the first to finish wins.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

PLACE = Path(__file__).resolve().parents[3] / ".interop"
_PREFIX = ".building-"
_ABANDONED = 3600  # seconds; no build takes that long
_TOO_LONG = 600  # seconds, for one command of a build


_failed: dict[Path, str] = {}


class NotBuilt(Exception):
    """An environment could not be made here; the text is the reason, one line."""


def run(
    command: Sequence[str | Path], *, cwd: Path | None = None, env: Mapping[str, str] | None = None
) -> None:
    """Run one step of a build.

    Raises:
        NotBuilt: It failed, took too long or could not be started; with its last word.
    """
    try:
        done = subprocess.run(
            [str(part) for part in command],
            cwd=cwd,
            env=env,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            timeout=_TOO_LONG,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise NotBuilt(f"{Path(command[0]).name} took longer than {_TOO_LONG} s") from None
    except OSError as error:
        raise NotBuilt(f"{Path(command[0]).name} did not start: {error}") from error
    if done.returncode != 0:
        raise NotBuilt(_last_word(done.stdout) or f"{Path(command[0]).name} failed with {done.returncode}")


def _last_word(output: str) -> str:
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    telling = [line for line in lines if "error" in line.lower() and "complete log" not in line]
    return (telling or lines or [""])[-1]


def fingerprint(*parts: str | bytes) -> str:
    """Twelve hexadecimal digits that stand for these parts in this order."""
    digest = hashlib.sha256()
    for part in parts:
        data = part.encode() if isinstance(part, str) else part
        digest.update(len(data).to_bytes(8, "big") + data)
    return digest.hexdigest()[:12]


def ensure(name: str, build: Callable[[Path], None], *, place: Path = PLACE) -> Path:
    """The directory ``name``, built by ``build(empty directory)`` where it does not exist yet.

    Raises:
        NotBuilt: The build failed, now or earlier in this process, which does not try twice; nothing of it is left.
    """
    target = place / name
    if target.is_dir():
        return target
    if target in _failed:
        raise NotBuilt(_failed[target])
    place.mkdir(parents=True, exist_ok=True)
    _sweep(place)
    building = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=place))
    try:
        build(building)
        _move(building, target)
    except NotBuilt as error:
        _failed[target] = str(error)
        raise
    finally:
        shutil.rmtree(building, ignore_errors=True)
    return target


def _move(building: Path, target: Path) -> None:
    try:
        os.rename(building, target)
    except OSError:
        # A directory that is not empty cannot be renamed over: another run was first, and its result is as good.
        if not target.is_dir():
            raise


def _sweep(place: Path) -> None:
    for left in place.glob(f"{_PREFIX}*"):
        if time.time() - left.stat().st_mtime > _ABANDONED:
            shutil.rmtree(left, ignore_errors=True)
