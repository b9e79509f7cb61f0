"""What the tests over both shells share: a real server of a namespace of our own, and clients of either kind."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.runtime.arithmetic import ArithmeticHandlers, RunningServer, serve_arithmetic
from tests.runtime.scripted_peers import ScriptedPeers
from tests.runtime.shells import KINDS, Shell, Shells, shells_of


@pytest.fixture
def handlers() -> ArithmeticHandlers:
    return ArithmeticHandlers()


@pytest.fixture
def server(handlers: ArithmeticHandlers) -> Iterator[RunningServer]:
    running = serve_arithmetic(handlers)
    yield running
    handlers.release()
    running.close()


@pytest.fixture(params=KINDS)
def shells(request: pytest.FixtureRequest) -> Iterator[Shells]:
    """Makes clients of either kind."""
    with shells_of(request.param) as shells:
        yield shells


@pytest.fixture
def shell(server: RunningServer, shells: Shells) -> Shell:
    """A client of the server, of either kind."""
    return shells.make(server.host)


@pytest.fixture
def peers() -> Iterator[ScriptedPeers]:
    """Servers that do exactly what a test says, and nothing else."""
    with ScriptedPeers() as peers:
        yield peers
