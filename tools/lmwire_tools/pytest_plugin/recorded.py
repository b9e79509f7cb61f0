"""The fixture ``lmstudio_recording``: record once, replay for ever.

The recording of a test lies beside its file: ``recordings/<file>/<class>.<test>.jsonl``. With ``--lmstudio-record
HOST`` the client talks to that server, through a relay that writes the recording; without, the recording answers.
"""

from __future__ import annotations

import hashlib
import re
import socket
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import attrs
import pytest

from lmwire import UsageError
from lmwire_runtime.addresses import parse_address
from lmwire_tools.conformance.relay import Line, Message, Relay, Twist
from lmwire_tools.pytest_plugin.environment import variables
from lmwire_tools.recordings import Closed, Direction, Opened, RecordedFrame, RecordingWriter
from lmwire_tools.replay_server import ReplayServer
from lmwire_tools.replay_stories import UnusableRecordingError, stories_of_file

__all__ = ["Recording", "recording_of"]

_SECONDS = 10.0
# Of a file's name: file systems take 255 bytes.
_LONGEST_NAME = 200


@attrs.frozen
class Recording:
    """A server that answers from a recording, or that makes one.

    Attributes:
        host: ``HOST:PORT``, what Python SDKs take as ``api_host``.
        path: The file.
        is_new: Whether it is being recorded.
    """

    host: str
    path: Path
    is_new: bool

    @property
    def url(self) -> str:
        """``ws://HOST:PORT``, what the JavaScript SDK takes as ``baseUrl``."""
        return f"ws://{self.host}"

    @property
    def environment(self) -> Mapping[str, str]:
        """The environment variables that name it; this process and those that it starts have them already."""
        return variables(self.host)


@contextmanager
def recording_of(request: pytest.FixtureRequest) -> Iterator[Recording]:
    """Serve the recording of a test, or make it; fails the test if it asks for what was not recorded."""
    path = _path_of(request.node)
    target: str | None = request.config.getoption("--lmstudio-record")
    served = _replayed(path) if target is None else _recorded(path, target)
    with served as recording:
        yield recording


def _path_of(node: Any) -> Path:
    file: Path = node.path
    whole = node.nodeid.partition("::")[2].replace("::", ".")
    name = re.sub(r"[^\w.\[\]-]+", "_", whole, flags=re.ASCII)[:_LONGEST_NAME]
    if name != whole:  # so that no two tests share a file
        name += "-" + hashlib.sha256(whole.encode()).hexdigest()[:8]
    return file.parent / "recordings" / file.stem / f"{name}.jsonl"


@contextmanager
def _replayed(path: Path) -> Iterator[Recording]:
    if not path.exists():
        pytest.fail(
            f"there is no recording of this test at {path}; run it once with --lmstudio-record HOST:PORT, where an LM"
            " Studio answers, and keep the file",
            pytrace=False,
        )
    try:
        stories = stories_of_file(path)
    except UnusableRecordingError as error:
        pytest.fail(f"{error}; record it anew with --lmstudio-record HOST:PORT", pytrace=False)
    with ReplayServer(stories) as server:
        yield Recording(server.api_host, path, is_new=False)
    if server.mismatches:
        told = "\n".join(server.mismatches)
        pytest.fail(
            f"{told}\nThe recording is {path}. If the test has changed, record it anew with --lmstudio-record"
            " HOST:PORT.",
            pytrace=False,
        )


@contextmanager
def _recorded(path: Path, target: str) -> Iterator[Recording]:
    try:
        address = parse_address(target)
        if address.secure:
            raise UsageError(f"--lmstudio-record takes no TLS address yet, as {target} is")
        socket.create_connection((address.connect_host, address.port), _SECONDS).close()
    except (UsageError, OSError) as error:
        pytest.fail(f"nothing to record at {target}: {error}", pytrace=False)
    path.parent.mkdir(parents=True, exist_ok=True)
    with RecordingWriter(path) as writer, Relay(str(address), _Recorder(writer)) as relay:
        yield Recording(relay.api_host, path, is_new=True)
    try:
        stories_of_file(path)
    except UnusableRecordingError as error:
        path.unlink()
        pytest.fail(
            f"nothing that could be replayed was recorded ({error}); does the test talk to lmstudio_recording.host?",
            pytrace=False,
        )


class _Recorder(Twist):
    """Writes down what a relay passes on."""

    def __init__(self, writer: RecordingWriter) -> None:
        self._writer = writer

    async def opened(self, line: Line) -> None:
        self._writer.write(Opened(time=time.time(), connection=line.number, namespace=line.namespace))

    async def from_client(self, line: Line, message: Message) -> None:
        self._note(line, "to_server", message)
        await line.to_server(message)

    async def from_server(self, line: Line, message: Message) -> None:
        self._note(line, "to_client", message)
        await line.to_client(message)

    async def ended(self, line: Line) -> None:
        self._writer.write(Closed(time=time.time(), connection=line.number, namespace=line.namespace))

    def _note(self, line: Line, direction: Direction, message: Message) -> None:
        text = message if isinstance(message, bytes) else message.encode("utf-8", "surrogatepass")
        self._writer.write(
            RecordedFrame(
                time=time.time(),
                connection=line.number,
                namespace=line.namespace,
                direction=direction,
                text=text,
            )
        )
