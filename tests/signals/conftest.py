"""Fixtures of the tests of signals: the compiled namespace, its server, and clients of either shell."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from lmwire_runtime.server import Namespace, Server
from tests.codegen.support import Package, compiler_in
from tests.runtime.arithmetic import RunningServer
from tests.runtime.scripted_peers import ScriptedPeers
from tests.runtime.shells import KINDS, shells_of
from tests.signals.lab import Lab, LabClient, LabClients, lab_handlers

SCHEMA = Path(__file__).with_name("schema")


@pytest.fixture(scope="session")
def package(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Package]:
    """What the compiler makes of the schema beside this file."""
    with pytest.MonkeyPatch.context() as monkeypatch:
        for compiler in compiler_in(tmp_path_factory.mktemp("signals"), monkeypatch):
            yield compiler.compile(SCHEMA)


@pytest.fixture
def lab(package: Package) -> Any:
    """The namespace's module: messages, descriptors, handlers."""
    return package.module("lab")


@pytest.fixture
def served(lab: Any) -> Iterator[Lab]:
    """A running server of the namespace."""
    handlers = lab_handlers(lab)
    running = RunningServer(lambda **hooks: Server([Namespace(lab.NAMESPACE, handlers)], **hooks))
    yield Lab(lab, running, handlers)
    running.close()


@pytest.fixture(params=KINDS)
def clients(package: Package, request: pytest.FixtureRequest) -> Iterator[LabClients]:
    """Makes clients of either kind."""
    with shells_of(request.param) as shells:
        clients = LabClients(package.module(), request.param, shells)
        yield clients
        clients.close()


@pytest.fixture
def client(clients: LabClients, served: Lab) -> LabClient:
    """A client of the server, of either kind."""
    return clients.make(served.host)


@pytest.fixture
def peers() -> Iterator[ScriptedPeers]:
    """Servers that do exactly what a test says, and nothing else."""
    with ScriptedPeers() as peers:
        yield peers
