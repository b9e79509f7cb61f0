"""What no committed file may have in it: a path or a host of somebody's machine, or too many lines."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterable
from pathlib import Path

LONGEST = 500  # lines of a Python file written by hand
GENERATED = "generated/"

# Put together from pieces, so that this file does not break its own rule.
MACHINE_PATHS = tuple(f"/{folder}/" for folder in ("work", "root", "farm", "tmp/work"))
REGISTRIES = (r"pypi\.org", r"files\.python" + "hosted", r"registry\.npm" + "js", r"deb\.deb" + "ian")
_FORBIDDEN = re.compile("(?<![A-Za-z0-9_.~-])(?:" + "|".join(MACHINE_PATHS) + ")|" + "|".join(REGISTRIES))


def committed(root: Path) -> list[str]:
    """The paths that git tracks below ``root`` and that are there."""
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=root, capture_output=True, text=True, check=True)
    return [name for name in listed.stdout.split("\0") if name and (root / name).is_file()]


def too_long(root: Path, names: Iterable[str], *, longest: int = LONGEST) -> list[str]:
    """Python files written by hand with more lines than that, one line each."""
    found: list[str] = []
    for name in names:
        if name.endswith(".py") and not name.startswith(GENERATED):
            lines = len((root / name).read_bytes().splitlines())
            if lines > longest:
                found.append(f"{name} has {lines} lines")
    return found


def machine_bound(root: Path, names: Iterable[str]) -> list[str]:
    """Lines that name a path of a machine or the host of a package registry, one line each."""
    found: list[str] = []
    for name in names:
        data = (root / name).read_bytes()
        if b"\0" in data:
            continue
        for number, line in enumerate(data.decode("utf-8", "replace").splitlines(), start=1):
            hit = _FORBIDDEN.search(line)
            if hit:
                found.append(f"{name}:{number} has {hit.group()}")
    return found
