"""The matrix: every client makes the calls of the one list, against both generations of the emulator.

A cell is one process of a client, on an emulator of its own; it runs when a test first asks, and once. ``Run`` has what
the client's user saw of each call and the frames of each call: clients mark where the next one begins.
"""

from __future__ import annotations

import functools
import json
import re
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, Literal, TypeAlias

import attrs
import pytest

from lmwire_emulator import EmulatorThread, Generation
from tests.interop import environments, programs
from tests.interop.calls import CALLS, Call
from tests.interop.frames import FrameTap, Traffic
from tests.interop.generations import OMISSIONS, why_impossible
from tests.interop.namespace_calls import NAMESPACE_OMISSIONS, namespace_calls_of, namespace_script
from tests.interop.slips import SLIPS

__all__ = [
    "CELLS",
    "CLIENTS",
    "OFFICIAL",
    "OURS",
    "Client",
    "Run",
    "calls_of",
    "run",
    "run_namespaces",
    "run_slips",
]

Table: TypeAlias = Literal["calls", "slips", "namespaces"]


@attrs.frozen(kw_only=True)
class Client:
    """A client: what runs in a process.

    Attributes:
        name: What it is called in the tests.
        sdk: What decides which calls it can make; ``ours`` for all that stands on lmwire.
        module: What a Python program imports; None for JavaScript.
        shell: Of Python SDKs.
        requirement: The row of ``tests.support.requirements`` that it needs.
    """

    name: str
    sdk: str
    module: str | None = None
    shell: str = "sync"
    requirement: str | None = None

    @property
    def is_python(self) -> bool:
        """Whether it has the shape of the official Python SDK."""
        return self.module is not None


OFFICIAL: Final = (
    Client(name="python-1.5.0", sdk="python-1.5.0", module="lmstudio", requirement="official-python"),
    Client(
        name="python-1.5.0-async",
        sdk="python-1.5.0",
        module="lmstudio",
        shell="async",
        requirement="official-python",
    ),
    Client(name="js-1.5.0", sdk="js-1.5.0", requirement="official-node"),
    Client(name="js-2.0.0", sdk="js-2.0.0", requirement="official-node"),
)
OURS: Final = (
    Client(name="lmwire", sdk="ours", module="lmwire"),
    Client(name="lmwire-async", sdk="ours", module="lmwire", shell="async"),
    Client(name="lmstudio", sdk="ours", module="lmstudio"),
    Client(name="lmstudio-async", sdk="ours", module="lmstudio", shell="async"),
)
CLIENTS: Final[Mapping[str, Client]] = {client.name: client for client in (*OFFICIAL, *OURS)}

# Who is run against which generation. Servers of July 2025 differ from those of August by one field of fragments.
CELLS: Final[Sequence[tuple[Client, Generation]]] = (
    *((client, "2026") for client in CLIENTS.values()),
    *((client, "2025") for client in CLIENTS.values()),
    *((CLIENTS[name], "2025-07") for name in ("python-1.5.0", "lmwire", "lmwire-async")),
)

_MARK: Final = re.compile(r"call (\d+)")


@attrs.frozen(repr=False)
class Run:
    """A cell of the matrix.

    Attributes:
        client: Who.
        generation: Of the emulator.
        calls: Those that it made.
        saw: What its user saw, by the name of the call; ``warnings`` are those that the SDK logged.
        frames: What it sent, by the name of the call.
        traffic: All that passed.
    """

    client: Client
    generation: Generation
    calls: Sequence[Call]
    saw: Mapping[str, Any]
    frames: Mapping[str, Sequence[Any]]
    traffic: Traffic

    def __repr__(self) -> str:
        return f"<{self.client.name} on {self.generation}>"


def calls_of(client: Client, generation: Generation) -> list[Call]:
    """The calls that a client makes against a generation."""
    return [
        call
        for call in CALLS
        if call.made_by(client.sdk) and why_impossible(client.sdk, generation, call) is None
    ]


def run(name: str, generation: Generation) -> Run:
    """The cell of a client, by its name, and a generation."""
    return _once(name, generation, "calls")


def run_slips(name: str) -> Run:
    """A client's calls of the table of slips, on the current generation."""
    return _once(name, "2026", "slips")


def run_namespaces(name: str, generation: Generation) -> Run:
    """A client's calls of the second list."""
    return _once(name, generation, "namespaces")


def _once(name: str, generation: Generation, table: Table) -> Run:
    ran = _ran(name, generation, table)
    if isinstance(ran, str):
        pytest.fail(ran)
    return ran


@functools.cache
def _ran(name: str, generation: Generation, table: Table) -> Run | str:
    """What failed once is not tried again: it may have taken long."""
    client = CLIENTS[name]
    calls = _TABLES[table](client, generation)
    try:
        return _run(client, generation, calls)
    except pytest.fail.Exception as failure:
        return str(failure)


def _calls_of_slips(client: Client, generation: Generation) -> list[Call]:
    return [slip.call for slip in SLIPS if client.sdk in ("ours", slip.sdk)]


_TABLES: Final[Mapping[Table, Callable[[Client, Generation], Sequence[Call]]]] = {
    "calls": calls_of,
    "slips": _calls_of_slips,
    "namespaces": lambda client, generation: namespace_calls_of(client.sdk, generation),
}


def _run(client: Client, generation: Generation, calls: Sequence[Call]) -> Run:
    tap = FrameTap()
    with EmulatorThread(script=namespace_script(calls), on_frame=tap, generation=generation) as emulator:
        saw = _run_program(client, emulator.api_host, calls)
    traffic = tap.traffic(OMISSIONS[generation] | NAMESPACE_OMISSIONS.get(generation, frozenset()))
    return Run(client, generation, calls, saw, _frames_of_calls(traffic, calls), traffic)


def _run_program(client: Client, api_host: str, calls: Sequence[Call]) -> dict[str, Any]:
    table = [{"name": call.name, "do": call.do, "given": call.given} for call in calls]
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory, "calls.json")
        path.write_text(json.dumps(table), encoding="utf-8")
        if client.module is None:
            project = environments.node_project(client.sdk.removeprefix("js-"))
            return programs.run_node_calls(project, api_host, str(path))
        interpreter = Path(sys.executable) if client.sdk == "ours" else environments.python_interpreter()
        return programs.run_python_calls(interpreter, client.module, client.shell, api_host, str(path))


def _frames_of_calls(traffic: Traffic, calls: Sequence[Call]) -> dict[str, list[Any]]:
    """What the client sent, cut at the marks."""
    frames: dict[str, list[Any]] = {}
    current: list[Any] = []
    for _, frame in traffic.passed:
        if not frame.from_client or not frame.type:
            continue
        mark = _marked(frame.data)
        if mark is None:
            current.append(frame.data)
        else:
            assert mark == len(frames), "calls are made in order"
            current = frames[calls[mark].name] = []
    assert len(frames) == len(calls)
    return frames


def _marked(data: Mapping[str, Any]) -> int | None:
    if data.get("endpoint") != "countTokens":
        return None
    found = _MARK.fullmatch(data["parameter"]["inputString"])
    return None if found is None else int(found[1])
