"""The real clients that lmwire is held against, each in an environment of its own, installed from its registry.

What they are made of is data beside this file: pip requirements in ``python/``, npm projects with lock files in
``npm/``. They are built when a test first asks and kept: ``building`` says how.
"""

from __future__ import annotations

import functools
import platform
import shutil
import sys
import tempfile
from pathlib import Path

import attrs

from tests.interop.environments import nodejs
from tests.interop.environments.building import PLACE, NotBuilt, ensure, fingerprint, run

__all__ = [
    "ASYNCAPI",
    "NODE_SDKS",
    "PYTHON_SDK",
    "SUPERJSON",
    "NodeProject",
    "NotBuilt",
    "node_project",
    "npm_project",
    "python_interpreter",
]

PYTHON_SDK = "1.5.0"
NODE_SDKS = ("1.5.0", "2.0.0")
SUPERJSON = "superjson-1.13.3"
ASYNCAPI = "asyncapi-parser-3.6.3"

_HERE = Path(__file__).resolve().parent
_PIP = (sys.executable, "-m", "pip", "--disable-pip-version-check")
_PATIENCE = ("--retries", "1", "--timeout", "20")


@attrs.frozen
class NodeProject:
    """An npm project with one official SDK, or another package of interest, in it.

    Attributes:
        directory: Where a script must lie, or run with ``cwd``, so that the package resolves.
        node: The Node.js that installed it and runs it.
    """

    directory: Path
    node: nodejs.Node


@functools.cache
def python_interpreter(*, place: Path = PLACE) -> Path:
    """The interpreter of a virtual environment that has the official Python SDK and nothing else.

    Raises:
        NotBuilt: It could not be installed here.
    """
    pins = _HERE / "python" / f"lmstudio-{PYTHON_SDK}.txt"
    key = fingerprint(pins.read_bytes(), sys.version, platform.machine(), sys.base_prefix)

    def build(directory: Path) -> None:
        run([sys.executable, "-m", "venv", "--without-pip", directory])
        interpreter = _interpreter(directory)
        run(
            [
                _PIP[0],
                *_PIP[1:],
                "--python",
                interpreter,
                "install",
                "--quiet",
                *_PATIENCE,
                "--no-deps",
                "-r",
                pins,
            ]
        )
        run([interpreter, "-c", "import lmstudio"])

    return _interpreter(ensure(f"python-lmstudio-{PYTHON_SDK}-{key}", build, place=place))


def _interpreter(directory: Path) -> Path:
    windows = directory / "Scripts" / "python.exe"
    return windows if windows.exists() else directory / "bin" / "python"


def node_project(version: str, *, place: Path = PLACE) -> NodeProject:
    """The npm project with this version of the official JavaScript SDK, one of ``NODE_SDKS``.

    Raises:
        NotBuilt: There is no Node.js, or it could not be installed here.
    """
    return npm_project(f"sdk-{version}", place=place)


@functools.cache
def npm_project(name: str, *, place: Path = PLACE) -> NodeProject:
    """The npm project whose description and lock file lie in ``npm/NAME``.

    Raises:
        NotBuilt: There is no Node.js, or it could not be installed here.
    """
    node = nodejs.find()
    if isinstance(node, str):
        raise NotBuilt(node)
    source = _HERE / "npm" / name
    files = sorted(path for path in source.iterdir() if path.is_file())
    key = fingerprint(*(path.read_bytes() for path in files), node.version.split(".")[0], platform.machine())

    def build(directory: Path) -> None:
        for path in files:
            shutil.copy(path, directory)
        run(
            [*node.npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund"],
            cwd=directory,
            env=node.environment(),
        )

    return NodeProject(ensure(f"npm-{name}-{key}", build, place=place), node)


def python_missing() -> str | None:
    """Why the official Python SDK cannot be had, or None. Installs it."""
    try:
        python_interpreter()
    except NotBuilt as error:
        return str(error)
    return None


def node_missing() -> str | None:
    """Why one of the official JavaScript SDKs cannot be had, or None. Installs them."""
    for version in NODE_SDKS:
        try:
            node_project(version)
        except NotBuilt as error:
            return f"{version}: {error}"
    return None


def superjson_missing() -> str | None:
    """Why the npm package superjson cannot be had, or None. Installs it."""
    try:
        npm_project(SUPERJSON)
    except NotBuilt as error:
        return str(error)
    return None


def asyncapi_missing() -> str | None:
    """Why the npm package @asyncapi/parser cannot be had, or None. Installs it."""
    try:
        npm_project(ASYNCAPI)
    except NotBuilt as error:
        return str(error)
    return None


def registry_missing() -> str | None:
    """Why pip cannot fetch what lmwire needs from its registry, or None. Fetches it."""
    needed = ("hatchling", "attrs", "websockets", "orjson")
    with tempfile.TemporaryDirectory() as directory:
        try:
            run(
                [
                    *_PIP,
                    "download",
                    "--quiet",
                    "--no-deps",
                    "--no-cache-dir",
                    *_PATIENCE,
                    "-d",
                    directory,
                    *needed,
                ]
            )
        except NotBuilt as error:
            return str(error)
    return None
