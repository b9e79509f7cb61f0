"""Fixtures for tests of every part: the real clients, each installed in an environment of its own."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.interop import environments
from tests.interop.environments import NodeProject
from tests.support.requirements import Unmet, require


@pytest.fixture(scope="session")
def official_python() -> Path:
    """The interpreter of an environment that has the official Python SDK 1.5.0 and not lmwire."""
    require("official-python")
    return environments.python_interpreter()


@pytest.fixture(scope="session")
def official_node() -> Callable[[str], NodeProject]:
    """Gives the npm project of one version of the official JavaScript SDK: ``official_node("2.0.0")``."""

    def project(version: str) -> NodeProject:
        require("node")
        try:
            return environments.node_project(version)
        except environments.NotBuilt as error:
            raise Unmet("official-node", f"{version}: {error}") from None

    return project
