"""The recorder: what clients and servers take as ``on_frame`` to write a recording.

::

    with Recorder("session.jsonl") as recorder, Client(on_frame=recorder) as client:
        ...

One recorder may serve any number of clients and servers, of any number of threads; each of their connections gets a
number of its own. The file's format is described in ``recordings``.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, BinaryIO

from lmwire_runtime.taps import Direction as Way
from lmwire_runtime.taps import End
from lmwire_tools.recordings import Closed, Direction, Opened, RecordedFrame, RecordingWriter

if TYPE_CHECKING:
    from typing_extensions import Self

__all__ = ["Recorder"]


class Recorder:
    """Records all connections of the clients and servers that have it as ``on_frame``. A context manager.

    Args:
        target: A path, whose file is replaced, or an open binary file, which stays open.
        elide: Cut strings of more characters and arrays of more plain values than this; by default nothing is cut.
        now: Tells the seconds since 1970.

    Raises:
        OSError: The file cannot be written.
    """

    def __init__(
        self, target: str | Path | BinaryIO, *, elide: int | None = None, now: Callable[[], float] = time.time
    ) -> None:
        self._writer = RecordingWriter(target, elide=elide)
        self._numbers = itertools.count(1)
        self._now = now

    def opened(self, namespace: str, end: End) -> _ConnectionRecorder:
        """Begin a connection; clients and servers call this."""
        number = next(self._numbers)
        self._writer.write(Opened(time=self._now(), connection=number, namespace=namespace))
        return _ConnectionRecorder(self._writer, self._now, number, namespace, end)

    def close(self) -> None:
        """Close the file. What passes afterwards is not recorded."""
        self._writer.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()


class _ConnectionRecorder:
    """Records one connection."""

    def __init__(
        self, writer: RecordingWriter, now: Callable[[], float], number: int, namespace: str, end: End
    ) -> None:
        self._writer = writer
        self._now = now
        self._number = number
        self._namespace = namespace
        self._to_server: Way = "sent" if end == "client" else "received"

    def frame(self, direction: Way, text: bytes) -> None:
        way: Direction = "to_server" if direction == self._to_server else "to_client"
        self._writer.write(
            RecordedFrame(
                time=self._now(),
                connection=self._number,
                namespace=self._namespace,
                direction=way,
                text=text,
            )
        )

    def closed(self, reason: str) -> None:
        self._writer.write(
            Closed(
                time=self._now(), connection=self._number, namespace=self._namespace, code=None, reason=reason
            )
        )
