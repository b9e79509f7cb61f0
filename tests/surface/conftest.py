"""Fixtures: a shell, a scripted emulator with a record of its frames, and a model's handle."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from typing import Any

import attrs
import pytest

from lmwire_emulator import EmulatorThread, Generation, parse_script
from tests.surface.refusals import Make, make_benches
from tests.surface.shells import AsyncShell, Shell, SyncShell

KEY = "emulator/ngram-small"


class Frames:
    """The frames that an emulator received and sent, and a way to wait for one."""

    def __init__(self) -> None:
        self.seen: list[tuple[str, dict[str, Any]]] = []
        self._changed = threading.Condition()

    def __call__(self, direction: str, namespace: str, text: bytes) -> None:
        with self._changed:
            self.seen.append((direction, json.loads(text)))
            self._changed.notify_all()

    def received(self, **wanted: Any) -> list[dict[str, Any]]:
        """Frames from the client that have all these members."""
        return self._matching("received", wanted)

    def sent(self, **wanted: Any) -> list[dict[str, Any]]:
        """Frames to the client that have all these members."""
        return self._matching("sent", wanted)

    def wait_received(self, wanted: dict[str, Any], count: int = 1) -> None:
        """Wait until the client has sent so many such frames; fails after 30 s."""
        self._wait("received", wanted, count)

    def wait_sent(self, wanted: dict[str, Any]) -> None:
        """Wait until the emulator has sent such a frame; fails after 30 s."""
        self._wait("sent", wanted, 1)

    def _wait(self, direction: str, wanted: dict[str, Any], count: int) -> None:
        with self._changed:
            if not self._changed.wait_for(lambda: len(self._matching(direction, wanted)) >= count, 30):
                pytest.fail(f"no {count} frames {direction} with {wanted} among {self.seen}")

    def _matching(self, direction: str, wanted: dict[str, Any]) -> list[dict[str, Any]]:
        return [
            frame
            for way, frame in self.seen
            if way == direction and all(frame.get(key) == value for key, value in wanted.items())
        ]


@pytest.fixture(params=["sync", "async"])
def shell(request: pytest.FixtureRequest) -> Iterator[Shell]:
    driver: Shell = SyncShell() if request.param == "sync" else AsyncShell()
    yield driver
    driver.stop()


@attrs.define
class Scripted:
    """A model that replies by script, seen through one client."""

    shell: Shell
    emulator: EmulatorThread
    client: Any
    model: Any
    frames: Frames

    def stream(self, prompt: str = "x", **options: Any) -> Any:
        return self.shell.call(self.model.complete_stream, prompt, **options)


@pytest.fixture
def scripted(shell: Shell) -> Iterator[Callable[..., Scripted]]:
    """Makes a ``Scripted`` of rules; ``generation`` chooses the generation of servers."""
    made: list[Scripted] = []

    def make(*rules: dict[str, Any], generation: str = "2026", **client_options: Any) -> Scripted:
        frames = Frames()
        script = parse_script({"rules": list(rules)})
        emulator = EmulatorThread(script=script, on_frame=frames, generation=generation)
        emulator.start()
        client = shell.client(emulator.api_host, **client_options)
        made.append(Scripted(shell, emulator, client, None, frames))
        made[-1].model = shell.call(client.llm.model)
        return made[-1]

    yield make
    for one in made:
        shell.call(one.client.close)
        one.emulator.close()


@pytest.fixture(params=["2026", "2025"])
def generation(request: pytest.FixtureRequest) -> Generation:
    found: Generation = request.param
    return found


@pytest.fixture
def bench(shell: Shell, generation: Generation) -> Iterator[Make]:
    """Makes a ``Bench``: a client of an emulator of either generation, behind one of the shells."""
    yield from make_benches(shell, generation)
