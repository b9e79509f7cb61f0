"""What a recording tells, request by request: who asked for what, and what came of it.

Frames are sorted by the ids that they carry; a warning has none, and is taken for an answer to the request before it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import attrs

from lmwire_tools.recordings import Direction, RecordedFrame, RecordingError, read_recording

__all__ = ["Step", "Story", "UnusableRecordingError", "named", "stories_of", "stories_of_file"]

# Frames that make a request: their id, and what they carry.
_BEGINNINGS: Final = {
    "rpcCall": ("callId", "parameter"),
    "channelCreate": ("channelId", "creationParameter"),
    "signalSubscribe": ("subscribeId", "creationParameter"),
    "writableSignalSubscribe": ("subscribeId", "creationParameter"),
}
_ENDS: Final = ("rpcResult", "rpcError", "channelClose", "channelError", "signalError", "writableSignalError")
_WARNING: Final = "communicationWarning"


class UnusableRecordingError(ValueError):
    """A recording that cannot be replayed; the text says why."""


@attrs.frozen
class Step:
    """A frame of a request after its first one."""

    direction: Direction
    frame: Mapping[str, Any]


@attrs.define(eq=False)
class Story:
    """A request, and what followed.

    Attributes:
        namespace: Of its connection.
        connection: The number of its connection in the recording.
        request: The frame that made it.
        steps: What was said about it since, in both directions, in order.
    """

    namespace: str
    connection: int
    request: Mapping[str, Any]
    steps: list[Step] = attrs.field(factory=list)

    @property
    def endpoint(self) -> str:
        """``namespace.name``."""
        return f"{self.namespace}.{self.request['endpoint']}"

    @property
    def id_key(self) -> str:
        """The key that holds the request's id."""
        return _BEGINNINGS[self.request["type"]][0]

    @property
    def parameter_key(self) -> str:
        """The key that holds what was sent with the request."""
        return _BEGINNINGS[self.request["type"]][1]

    @property
    def ended(self) -> bool:
        """Whether nothing more can follow."""
        return any(step.frame.get("type") in _ENDS for step in self.steps if step.direction == "to_client")

    def said(self, direction: Direction) -> list[Mapping[str, Any]]:
        """The steps of one direction."""
        return [step.frame for step in self.steps if step.direction == direction]


def stories_of_file(path: Path) -> list[Story]:
    """The stories of a recording or transcript.

    Raises:
        OSError: The file cannot be read.
        UnusableRecordingError: It is no recording, or it cannot be replayed.
    """
    with path.open("rb") as lines:
        try:
            frames = [record for record in read_recording(lines) if isinstance(record, RecordedFrame)]
        except RecordingError as error:
            raise UnusableRecordingError(f"{path}: {error}") from None
    stories = stories_of(frames, source=str(path))
    if not stories:
        raise UnusableRecordingError(f"{path}: there is no request in it")
    return stories


def stories_of(frames: Iterable[RecordedFrame], *, source: str = "recording") -> list[Story]:
    """Sort frames into stories, in the order of their requests.

    Raises:
        UnusableRecordingError: A request was cut.
    """
    stories: list[Story] = []
    connections: dict[int, _Connection] = {}
    for record in frames:
        if record.elided and record.direction == "to_server":
            raise UnusableRecordingError(
                f"{source}: what a client sent was cut ({', '.join(record.elided)}); record without eliding to replay"
            )
        frame = _parsed(record)
        if frame is None:
            continue
        connection = connections.setdefault(record.connection, _Connection())
        if record.direction == "to_server" and frame.get("type") in _BEGINNINGS:
            story = Story(record.namespace, record.connection, frame)
            stories.append(story)
            connection.begin(story)
        else:
            connection.go_on(record.direction, frame)
    return [story for story in stories if isinstance(story.request.get("endpoint"), str)]


def _parsed(record: RecordedFrame) -> dict[str, Any] | None:
    try:
        frame = record.data
    except ValueError:
        return None  # neither side makes anything of it
    return frame if isinstance(frame, dict) and isinstance(frame.get("type"), str) else None


class _Connection:
    """The stories of a connection that may go on, by the key and the value of their ids."""

    def __init__(self) -> None:
        self._open: dict[tuple[str, Any], Story] = {}
        self._latest: Story | None = None

    def begin(self, story: Story) -> None:
        self._open[story.id_key, story.request.get(story.id_key)] = story
        self._latest = story

    def go_on(self, direction: Direction, frame: Mapping[str, Any]) -> None:
        if frame["type"] == _WARNING:
            if direction == "to_client" and self._latest is not None:
                self._latest.steps.append(Step(direction, frame))
            return
        for key in ("callId", "channelId", "subscribeId"):
            if key in frame and isinstance(frame[key], (int, float)):
                story = self._open.get((key, frame[key]))
                if story is not None:
                    story.steps.append(Step(direction, frame))


def named(stories: Sequence[Story]) -> list[str]:
    """A name for each story: its endpoint, numbered where it comes several times."""
    seen: dict[str, int] = {}
    names = []
    for story in stories:
        seen[story.endpoint] = seen.get(story.endpoint, 0) + 1
        names.append(
            story.endpoint if seen[story.endpoint] == 1 else f"{story.endpoint} #{seen[story.endpoint]}"
        )
    return names
