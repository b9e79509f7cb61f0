"""What a proxy tells of: connections, frames, plain HTTP requests; and a summary of all that.

Whoever wants to know is a *watcher*, a function that takes each event in turn: the printer, the recording, the live
page, the summary.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

import attrs

from lmwire_tools.analysis import FrameEvent
from lmwire_tools.deviations import Deviation
from lmwire_tools.recordings import Closed, Opened, Record, RecordedFrame

__all__ = ["Faulty", "HttpAnswered", "Summary", "TrafficEvent", "Watcher", "record_of_event"]


@attrs.frozen(kw_only=True)
class HttpAnswered:
    """A plain HTTP request and its answer.

    Attributes:
        time: Seconds since 1970.
        connection: The number of the TCP connection.
        method: Such as ``GET``.
        path: The path asked for.
        status: The status of the answer, None if there was none.
        deviations: Where the JSON of the answer is not what the schema demands of this page.
    """

    time: float
    connection: int
    method: str
    path: str
    status: int | None
    deviations: tuple[Deviation, ...] = ()


@attrs.frozen(kw_only=True)
class Faulty:
    """Something went wrong beside the frames: no connection to the server, a refusal, broken WebSocket framing.

    Attributes:
        time: Seconds since 1970.
        connection: The number of the TCP connection.
        fault: What, as a sentence without its stop.
        deviates: Whether one side broke the protocol; else the proxy refused, or could not.
    """

    time: float
    connection: int
    fault: str
    deviates: bool = False


TrafficEvent: TypeAlias = "Opened | FrameEvent | Closed | HttpAnswered | Faulty"
Watcher: TypeAlias = Callable[[TrafficEvent], None]


def record_of_event(event: TrafficEvent) -> Record | None:
    """Return what a recording keeps of an event, None for nothing."""
    if isinstance(event, (Opened, Closed)):
        return event
    if isinstance(event, FrameEvent):
        return RecordedFrame(
            time=event.time,
            connection=event.connection,
            namespace=event.namespace,
            direction=event.direction,
            text=event.text,
        )
    return None


class Summary:
    """Counts what passed; a watcher.

    Attributes:
        connections: WebSocket connections.
        frames: Frames by direction.
        bytes: Bytes of frames by direction.
        endpoints: Requests by ``namespace/endpoint``.
        warnings: Frames by which one side warned the other.
        deviations: How often what deviated: side, endpoint or frame type, pointer, expected, found.
        faults: What went wrong beside the frames.
    """

    def __init__(self) -> None:
        self.connections = 0
        self.frames: Counter[str] = Counter()
        self.bytes: Counter[str] = Counter()
        self.endpoints: Counter[str] = Counter()
        self.warnings = 0
        self.deviations: Counter[tuple[str, str, Deviation]] = Counter()
        self.faults: list[Faulty] = []

    def __call__(self, event: TrafficEvent) -> None:
        """Take an event."""
        if isinstance(event, FrameEvent):
            self._frame(event)
        elif isinstance(event, Opened):
            self.connections += 1
        elif isinstance(event, HttpAnswered):
            self.deviations.update(("server", event.path, deviation) for deviation in event.deviations)
        elif isinstance(event, Faulty):
            self.faults.append(event)

    def _frame(self, event: FrameEvent) -> None:
        self.frames[event.direction] += 1
        self.bytes[event.direction] += len(event.text)
        if event.endpoint is not None and event.latency is None:
            self.endpoints[f"{event.namespace}/{event.endpoint}"] += 1
        self.warnings += event.type == "communicationWarning"
        side = "client" if event.direction == "to_server" else "server"
        where = f"{event.namespace}/{event.endpoint}" if event.endpoint else event.namespace
        what = f"{where} {event.type}".strip()
        self.deviations.update((side, what, deviation) for deviation in event.deviations)

    @property
    def deviates(self) -> bool:
        """Whether either side deviated from the protocol."""
        return bool(self.deviations) or any(fault.deviates for fault in self.faults)

    def to_json(self) -> Mapping[str, Any]:
        """Return all of it as plain JSON data."""
        return {
            "connections": self.connections,
            "frames": {"to_server": self.frames["to_server"], "to_client": self.frames["to_client"]},
            "bytes": {"to_server": self.bytes["to_server"], "to_client": self.bytes["to_client"]},
            "endpoints": dict(self.endpoints),
            "warnings": self.warnings,
            "deviations": [
                {
                    "side": side,
                    "in": what,
                    "pointer": deviation.pointer,
                    "expected": deviation.expected,
                    "found": deviation.found,
                    "times": times,
                }
                for (side, what, deviation), times in self.deviations.items()
            ],
            "faults": [fault.fault for fault in self.faults],
        }
