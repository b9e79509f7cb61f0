"""The pytest plugin: fixtures for tests of programs that talk to LM Studio, whichever SDK they use.

Each pytest run where lmwire is installed loads this module, so it imports nothing but pytest; what the fixtures need is
imported when a test asks for one.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

import pytest

if TYPE_CHECKING:
    from lmwire_tools.pytest_plugin.recorded import Recording
    from lmwire_tools.pytest_plugin.server import LMStudioServer

__all__ = ["lmstudio_recording", "lmstudio_server", "pytest_addoption", "pytest_configure"]

_MARK: Final = "lmstudio(**options): how lmstudio_server is made: generation, loaded, api_tokens, script, ..."


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the option that makes recordings."""
    parser.getgroup("lmwire", "tests with LM Studio").addoption(
        "--lmstudio-record",
        metavar="HOST[:PORT]",
        help="let the tests with lmstudio_recording talk to this server, and record that for later runs",
    )


def pytest_configure(config: pytest.Config) -> None:
    """Make the mark known."""
    config.addinivalue_line("markers", _MARK)


@pytest.fixture
def lmstudio_server(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> Iterator[LMStudioServer]:
    """An emulated LM Studio of the test's own, which does what the test tells it; see docs/testing.md."""
    from lmwire_tools.pytest_plugin.environment import pointing_at
    from lmwire_tools.pytest_plugin.server import LMStudioServer

    mark = request.node.get_closest_marker("lmstudio")
    with LMStudioServer(**(mark.kwargs if mark else {})) as server, pointing_at(server.host, monkeypatch):
        yield server


@pytest.fixture
def lmstudio_recording(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Recording]:
    """A server that answers from the test's recording; with --lmstudio-record one that makes it."""
    from lmwire_tools.pytest_plugin.environment import pointing_at
    from lmwire_tools.pytest_plugin.recorded import recording_of

    with recording_of(request) as recording, pointing_at(recording.host, monkeypatch):
        yield recording
