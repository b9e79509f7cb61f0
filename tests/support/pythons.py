"""The Python interpreters of this machine that lmwire supports."""

from __future__ import annotations

import functools
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

SUPPORTED = ("3.10", "3.11", "3.12", "3.13", "3.14")
_TELL = "import platform, sys; print(platform.python_implementation(), '%d.%d' % sys.version_info[:2])"


def _candidates(version: str) -> Iterator[Path]:
    found = shutil.which(f"python{version}")
    if found:
        yield Path(found)
    home = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv")
    yield from sorted(home.glob(f"versions/{version}.*/bin/python{version}"))


def _runs(path: Path, version: str) -> bool:
    # A launcher on the path may exist for a version that is not installed: only running it tells.
    try:
        told = subprocess.run(
            [path, "-I", "-c", _TELL], capture_output=True, text=True, timeout=30, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return False
    return told.returncode == 0 and told.stdout.split() == ["CPython", version]


@functools.cache
def others() -> dict[str, Path]:
    """Interpreters of supported versions other than the running one, oldest first: version -> path."""
    running = f"{sys.version_info.major}.{sys.version_info.minor}"
    found: dict[str, Path] = {}
    for version in SUPPORTED:
        if version != running:
            working = next((path for path in _candidates(version) if _runs(path, version)), None)
            if working is not None:
                found[version] = working
    return found


def missing() -> str | None:
    """Why there is no second Python, or None."""
    return None if others() else "no other CPython of 3.10 to 3.14 found"
