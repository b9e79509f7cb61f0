"""Recordings: what passed on WebSocket connections, one JSON object a line. The format, its writer and its reader.

The first line names the format, the others tell what happened, in order::

    {"time": 1795377660.9, "event": "recording", "format": 1, "revision": "2026-08-21"}
    {"time": 1795377660.9, "event": "open", "connection": 1, "namespace": "llm"}
    {"time": 1795377661.0, "connection": 1, "namespace": "llm", "direction": "to_server", "frame": {...}}
    {"time": 1795377661.2, "connection": 1, "namespace": "llm", "direction": "to_client", "frame": {...}}
    {"time": 1795377669.5, "event": "close", "connection": 1, "namespace": "llm", "code": 1000, "reason": ""}

==============  =====================================================================================================
``time``        seconds since 1970 (UTC), with fractions
``connection``  a number that no other connection of the recording has
``namespace``   the path of the WebSocket, without its slash
``direction``   ``to_server`` (the client sent the frame) or ``to_client``
``frame``       the frame, parsed; the two frames of the authentication are frames too
``text``        instead of ``frame``: the text of a frame that is no JSON
``bytes``       instead of ``frame``: base64 of a frame that is not even UTF-8
``elided``      what was cut, if anything: JSON pointer -> the length it had (characters of a string, items of an array)
``code``        of a ``close``: the WebSocket close code, null or absent if nobody knows it
``reason``      of a ``close``: why, for people
==============  =====================================================================================================

Secrets never get into a file: passkeys, private keys and API tokens are replaced by ``<redacted>`` when a line is
written, whoever writes. Keys that a reader does not know are ignored, and so are events, so that later versions can
add some; ``format`` changes only when older readers would misread.

The reader also takes the transcripts of ``shared/transcripts``, which say it in other words: ``t`` (milliseconds),
``dir`` (``in`` is to the server, ``out`` to the client), ``conn``, ``path``, ``raw`` (the frame's text).
"""

from __future__ import annotations

import base64
import re
import threading
import time
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from types import MappingProxyType, TracebackType
from typing import TYPE_CHECKING, Any, BinaryIO, Final, Literal, TypeAlias

import attrs

from lmwire.revision import REVISION
from lmwire_runtime import json_codec
from lmwire_runtime.credentials import REDACTED, redact_text
from lmwire_runtime.wire import pointer_of

if TYPE_CHECKING:
    from typing_extensions import Self

__all__ = [
    "FORMAT",
    "Closed",
    "Direction",
    "Opened",
    "Record",
    "RecordedFrame",
    "RecordingError",
    "RecordingWriter",
    "elided",
    "is_record",
    "read_recording",
    "record_of",
    "without_secrets",
]

FORMAT: Final = 1
"""The version of the format that is written, and the newest that is read."""

Direction: TypeAlias = Literal["to_server", "to_client"]
"""Which way a frame goes; ``to_server`` frames are the client's."""

_TOKEN: Final = re.compile(rb"sk-lm-[A-Za-z0-9]{8}:[A-Za-z0-9]{20}")
_HIDDEN_TOKEN: Final = b"sk-lm-" + REDACTED.encode()
_NOTHING: Final[Mapping[str, int]] = MappingProxyType({})


class RecordingError(ValueError):
    """A line that is no record, with its number (from 1)."""

    def __init__(self, line: int, fault: str) -> None:
        super().__init__(line, fault)
        self.line = line
        self.fault = fault

    def __str__(self) -> str:
        return f"line {self.line}: {self.fault}"


@attrs.frozen(kw_only=True)
class Opened:
    """A WebSocket connection was established.

    Attributes:
        time: Seconds since 1970.
        connection: Its number.
        namespace: Its path, without the slash.
    """

    time: float
    connection: int
    namespace: str


@attrs.frozen(kw_only=True)
class RecordedFrame:
    """A frame passed.

    Attributes:
        time: Seconds since 1970.
        connection: The number of its connection.
        namespace: The connection's namespace.
        direction: Which way it went.
        text: The frame itself, as it passed; JSON in UTF-8 if the sender kept to the protocol.
        elided: What was cut out of it: JSON pointer -> the length it had.
    """

    time: float
    connection: int
    namespace: str
    direction: Direction
    text: bytes
    elided: Mapping[str, int] = _NOTHING

    @property
    def data(self) -> Any:
        """The frame, parsed anew at each call.

        Raises:
            ValueError: It is no JSON.
        """
        return json_codec.loads(self.text)


@attrs.frozen(kw_only=True)
class Closed:
    """A WebSocket connection has ended.

    Attributes:
        time: Seconds since 1970.
        connection: Its number.
        namespace: Its namespace.
        code: The close code of RFC 6455, None if nobody knows it.
        reason: Why, for people.
    """

    time: float
    connection: int
    namespace: str
    code: int | None = None
    reason: str = ""


Record: TypeAlias = "Opened | RecordedFrame | Closed"


def without_secrets(text: bytes) -> bytes:
    """Return a frame's text with passkeys, private keys and API tokens replaced."""
    return _TOKEN.sub(_HIDDEN_TOKEN, redact_text(text))


def elided(frame: Any, longest: int) -> tuple[Any, dict[str, int]]:
    """Return a copy of a parsed frame whose long parts are cut, and what was cut: JSON pointer -> former length.

    Strings keep their first ``longest`` characters, arrays of plain values (vectors, tokens) their first ``longest``
    items, so that a cut frame still fits the schema. Arrays of objects and arrays keep all their items.
    """
    cut: dict[str, int] = {}
    holder: list[Any] = [frame]
    pending: list[tuple[Any, Any, Any]] = [(holder, 0, None)]
    while pending:  # no recursion: frames may be nested as deep as they like
        container, place, path = pending.pop()
        value = container[place]
        if isinstance(value, str) and len(value) > longest:
            cut[pointer_of(path)] = len(value)
            container[place] = value[:longest]
        elif isinstance(value, dict):
            container[place] = copied = dict(value)
            pending.extend((copied, key, (path, key)) for key in copied)
        elif isinstance(value, list):
            short = len(value) <= longest or any(isinstance(item, (dict, list)) for item in value)
            if not short:
                cut[pointer_of(path)] = len(value)
            container[place] = kept = value[: None if short else longest]
            pending.extend((kept, index, (path, index)) for index in range(len(kept)))
    return holder[0], cut


class RecordingWriter:
    """Writes a recording; may be shared between threads. A context manager, which closes the file that it opened.

    Args:
        target: A path, whose file is replaced, or an open binary file, which stays open.
        elide: Cut strings and arrays of plain values that are longer, see ``elided``; by default nothing is cut.

    Raises:
        OSError: The file cannot be written.
    """

    def __init__(self, target: str | Path | BinaryIO, *, elide: int | None = None) -> None:
        self._owned = isinstance(target, (str, Path))
        self._file: BinaryIO = open(target, "wb") if isinstance(target, (str, Path)) else target  # noqa: SIM115
        self._elide = elide
        self._lock = threading.Lock()
        self._write({"time": time.time(), "event": "recording", "format": FORMAT, "revision": REVISION})

    def write(self, record: Record) -> None:
        """Write a record, without the secrets that it has. After ``close`` nothing is written any more."""
        head = {"time": record.time, "connection": record.connection, "namespace": record.namespace}
        if isinstance(record, RecordedFrame):
            self._write_frame(head, record)
        elif isinstance(record, Opened):
            self._write({**head, "event": "open"})
        else:
            reason = without_secrets(record.reason.encode("utf-8", "replace")).decode()
            self._write({**head, "event": "close", "code": record.code, "reason": reason})

    def close(self) -> None:
        """Close the file if this writer opened it. May be called again."""
        with self._lock:
            if self._owned:
                self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def _write_frame(self, head: dict[str, Any], record: RecordedFrame) -> None:
        head["direction"] = record.direction
        text = without_secrets(record.text)
        cut = dict(record.elided)
        try:
            frame = json_codec.loads(text)
            if self._elide is not None:
                frame, newly_cut = elided(frame, self._elide)
                if newly_cut:
                    text, cut = json_codec.dumps(frame), {**newly_cut, **cut}
        except UnicodeDecodeError:
            self._write({**head, "bytes": base64.b64encode(text).decode()})
        except ValueError:
            self._write({**head, "text": text.decode()})
        else:
            if cut:
                head["elided"] = cut
            # As it was sent: 3.0 stays 3.0, and large integers stay whole. Line breaks can only stand between tokens.
            text = text.replace(b"\n", b" ").replace(b"\r", b" ")
            self._put(json_codec.dumps(head)[:-1] + b',"frame":' + text + b"}\n")

    def _write(self, line: Mapping[str, Any]) -> None:
        self._put(json_codec.dumps(line) + b"\n")

    def _put(self, line: bytes) -> None:
        with self._lock:
            if not self._file.closed:
                self._file.write(line)
                self._file.flush()


def is_record(line: Any) -> bool:
    """Whether a parsed line is one of a recording or transcript, rather than a bare frame."""
    return isinstance(line, dict) and ("event" in line or {"connection", "conn"} & line.keys() != set())


def read_recording(lines: Iterable[str | bytes]) -> Iterator[Record]:
    """Read a recording or a transcript, line by line; empty lines are skipped.

    Raises:
        RecordingError: A line is no record.
    """
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            record = record_of(json_codec.loads(line))
        except (ValueError, TypeError) as error:
            raise RecordingError(number, str(error)) from None
        if record is not None:
            yield record


def record_of(line: Any) -> Record | None:
    """Make a record of a parsed line; None for a line that only says what the file is, or an event of later versions.

    Raises:
        ValueError: It is none.
    """
    if not is_record(line):
        raise ValueError("not a record: it names neither an event nor a connection")
    event = line.get("event", "frame")
    if event == "recording":
        version = line.get("format")
        if not isinstance(version, int) or version > FORMAT:
            raise ValueError(f"a recording of format {version!r}; this reader knows formats up to {FORMAT}")
        return None
    if event not in ("frame", "open", "close"):
        return None
    head = {
        "time": _time(line),
        "connection": _field(line, ("connection", "conn"), int),
        "namespace": _field(line, ("namespace", "path"), str).removeprefix("/"),
    }
    if event == "open":
        return Opened(**head)
    if event == "close":
        code, reason = line.get("code"), line.get("reason")
        return Closed(
            **head,
            code=code if isinstance(code, int) else None,
            reason=reason if isinstance(reason, str) else "",
        )
    cut = line.get("elided", _NOTHING)
    if not isinstance(cut, Mapping):
        raise ValueError("elided is no object")
    return RecordedFrame(**head, direction=_direction(line), text=_text(line), elided=cut)


def _field(line: Mapping[str, Any], names: tuple[str, str], kind: type) -> Any:
    for name in names:
        value = line.get(name)
        if isinstance(value, kind) and not isinstance(value, bool):
            return value
    raise ValueError(f"{names[0]} is missing, or of a wrong type")


def _time(line: Mapping[str, Any]) -> float:
    for name, unit in (("time", 1.0), ("t", 0.001)):
        value = line.get(name)
        if isinstance(value, (int, float)) and not isinstance(value, bool):
            return value * unit
    raise ValueError("time is missing, or no number")


def _direction(line: Mapping[str, Any]) -> Direction:
    word = line.get("direction", line.get("dir"))
    if word in ("to_server", "in"):
        return "to_server"
    if word in ("to_client", "out"):
        return "to_client"
    raise ValueError(f"direction is neither to_server nor to_client: {word!r}")


def _text(line: Mapping[str, Any]) -> bytes:
    raw = line.get("raw", line.get("text"))
    if isinstance(raw, str):
        return raw.encode("utf-8", "surrogatepass")
    if isinstance(line.get("bytes"), str):
        return base64.b64decode(line["bytes"], validate=True)
    if "frame" in line:
        return json_codec.dumps(line["frame"])
    raise ValueError("it has no frame")
