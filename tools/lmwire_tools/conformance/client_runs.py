"""Running a client's command against a server that misbehaves, and what came of it.

The server is an emulator behind a relay. The command has to complete one prompt with whatever model is loaded, print
the text and end with 0; if that fails, it has to say why and end with another code.
"""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final

import attrs

from lmwire_emulator import EmulatorThread, parse_script
from lmwire_runtime.addresses import HOST_VARIABLES
from lmwire_tools.conformance.checks import Failed
from lmwire_tools.conformance.relay import Line, Message, Relay, Twist

if TYPE_CHECKING:
    from typing_extensions import Self

__all__ = ["COMPLETIONS", "TEXT", "Client", "Heard", "Run", "Watching", "parts_of"]

TEXT: Final = "One two three."
"""What a good server completes every prompt with."""

COMPLETIONS: Final = ("completeRawText", "predict")
"""The endpoints of which a client uses one."""

_SCRIPT: Final = {"rules": [{"reply": {"progress": [0, 1], "fragments": ["One", " two", " three", "."]}}]}
_SHOWN: Final = 400


@attrs.define(eq=False)
class Heard:
    """What a client said on one connection.

    Attributes:
        namespace: Of the connection.
        frames: Its frames, parsed; what is no JSON is the text itself.
    """

    namespace: str
    frames: list[Any] = attrs.field(factory=list)


class Watching(Twist):
    """Passes everything on, and remembers what the client said."""

    def __init__(self) -> None:
        self.heard: list[Heard] = []

    async def opened(self, line: Line) -> None:
        """See ``Twist``; remembers the connection."""
        heard = Heard(line.namespace)
        self.heard.append(heard)
        line.memory["heard"] = heard

    async def from_client(self, line: Line, message: Message) -> None:
        """See ``Twist``; remembers the message."""
        try:
            frame = json.loads(message)
        except ValueError:
            frame = message
        line.memory["heard"].frames.append(frame)
        await self.take(line, frame, message)

    async def from_server(self, line: Line, message: Message) -> None:
        """See ``Twist``; parses the message."""
        await self.give(line, json.loads(message))

    async def take(self, line: Line, frame: Any, message: Message) -> None:
        """Take the client's frame."""
        await line.to_server(message)

    async def give(self, line: Line, frame: dict[str, Any]) -> None:
        """Take the server's frame."""
        await line.to_client(frame)


@attrs.frozen
class Run:
    """What came of running the command.

    Attributes:
        code: Its exit code, None if it did not end in time.
        output: What it wrote to standard output.
        errors: What it wrote to standard error.
        heard: What it said, connection by connection.
        seconds: How long it was given.
    """

    code: int | None
    output: str
    errors: str
    heard: Sequence[Heard]
    seconds: float

    def completed(self) -> None:
        """Raise Failed unless it has printed the text and ended well."""
        self.ended()
        if self.code != 0:
            raise Failed(f"it ended with {self.code}: {_shown(self.errors or self.output)}")
        if TEXT not in self.output:
            raise Failed(f"it printed {_shown(self.output)!r} instead of {TEXT!r}")

    def failed(self, *told: str) -> None:
        """Raise Failed unless it has ended with an error, and said ``told``."""
        self.ended()
        if self.code == 0:
            raise Failed(f"it ended well, and printed {_shown(self.output)!r}")
        for text in told:
            if text not in self.errors + self.output:
                raise Failed(f"it did not say {text!r}, but {_shown(self.errors or self.output)}")

    def ended(self) -> None:
        """Raise Failed if it did not end in time."""
        if self.code is None:
            raise Failed(f"it did not end within {self.seconds:g} s")


def _shown(text: str) -> str:
    text = text.strip()
    return text if len(text) <= _SHOWN else "..." + text[-_SHOWN:]


class Client:
    """The client that is checked: a command. A context manager, which runs its emulators.

    Args:
        command: The command with its arguments; ``{host}`` is replaced by HOST:PORT, ``{url}`` by ws://HOST:PORT.
            The environment names the server too.
        timeout: Seconds that the command may take.
        cwd: Where it runs.
    """

    def __init__(self, command: Sequence[str], *, timeout: float = 20.0, cwd: str | None = None) -> None:
        self._command = command
        self._timeout = timeout
        self._cwd = cwd
        self._today = EmulatorThread(script=parse_script(_SCRIPT))
        self._older = EmulatorThread(script=parse_script(_SCRIPT), generation="2025")

    def __enter__(self) -> Self:
        self._today.start()
        self._older.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._today.close()
        self._older.close()

    def run(self, twist: Watching | None = None, *, older: bool = False) -> Run:
        """Run the command once, against a server of 2026 (or of 2025) with a twist."""
        twist = twist or Watching()
        with Relay((self._older if older else self._today).api_host, twist) as relay:
            process = subprocess.Popen(
                [
                    part.replace("{host}", relay.api_host).replace("{url}", f"ws://{relay.api_host}")
                    for part in self._command
                ],
                cwd=self._cwd,
                env=_environment(relay.api_host),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                encoding="utf-8",
                errors="replace",
            )
            with process:
                try:
                    output, errors = process.communicate(timeout=self._timeout)
                    code: int | None = process.returncode
                except subprocess.TimeoutExpired:
                    process.kill()
                    output, errors = process.communicate()
                    code = None
        return Run(code, output, errors, twist.heard, self._timeout)


def _environment(api_host: str) -> Mapping[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("LM_", "LMSTUDIO_"))}
    return {**kept, **dict.fromkeys(HOST_VARIABLES, api_host), "PYTHONIOENCODING": "utf-8"}


def parts_of(command: str) -> list[str]:
    """Take a command apart as a shell would.

    Raises:
        ValueError: A quotation mark is missing.
    """
    return shlex.split(command, posix=sys.platform != "win32")
