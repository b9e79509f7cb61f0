"""``lmwire validate``: frames, recordings and transcripts against the schema, for people and for CI."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, BinaryIO, Final, get_args

import attrs
import click

from lmwire import envelope
from lmwire_runtime import json_codec
from lmwire_runtime.wire import Unknown
from lmwire_tools.analysis import NAMESPACES, ConnectionAnalysis, FrameEvent
from lmwire_tools.deviations import Deviation
from lmwire_tools.recordings import Direction, Opened, RecordedFrame, is_record, record_of
from lmwire_tools.traffic_text import counted, printable

__all__ = ["Finding", "judged_lines", "validate"]

_FRAMES: Final[Mapping[Direction, Any]] = {
    "to_server": envelope.ClientFrame,
    "to_client": envelope.ServerFrame,
}
_TYPES: Final[Mapping[Direction, Sequence[str]]] = {
    way: [member.type for member in get_args(union) if member is not Unknown]
    for way, union in _FRAMES.items()
}


@attrs.frozen
class Finding:
    """A judged line.

    Attributes:
        line: Its number, from 1; frames of a document that is no JSON lines are counted instead.
        event: The frame; None for a line that has none.
        deviations: What deviates in it.
    """

    line: int
    event: FrameEvent | None
    deviations: tuple[Deviation, ...]

    def to_json(self) -> list[dict[str, Any]]:
        """Return an object for each deviation."""
        event = self.event
        place: dict[str, Any] = {"line": self.line}
        if event is not None:
            place.update(
                connection=event.connection,
                namespace=event.namespace,
                direction=event.direction,
                type=event.type,
                endpoint=event.endpoint,
                id=event.id,
                packet=event.packet,
            )
        return [{**place, **attrs.asdict(deviation)} for deviation in self.deviations]

    def to_text(self) -> list[str]:
        """Return a line for each deviation."""
        event = self.event
        where = f"line {self.line}"
        if event is not None:
            endpoint = "" if event.endpoint is None else f"/{event.endpoint}"
            number = "" if event.id is None else f" #{event.id}"
            name = event.packet or event.type
            words = (event.direction, f"{event.namespace}{endpoint}{number}", name)
            where += ", " + " ".join(filter(None, words))
        return [f"{printable(where)}: {printable(str(deviation))}" for deviation in self.deviations]


def judged_lines(
    lines: Iterable[bytes],
    *,
    namespace: str | None = None,
    endpoint: str | None = None,
    direction: Direction | None = None,
) -> Iterator[Finding]:
    """Judge a recording, a transcript or loose frames, a line each.

    Args:
        lines: JSON, one document a line; empty lines are skipped.
        namespace: Where loose frames belong; without it only their envelopes are judged.
        endpoint: Which endpoint loose frames belong to that follow no request.
        direction: Which way loose frames go; by default the way in which they fit.
    """
    connections: dict[int, ConnectionAnalysis] = {}
    loose = _LooseFrames(namespace, endpoint, direction)
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            data = json_codec.loads(line)
            record = record_of(data) if is_record(data) else loose.frame(line)
        except UnicodeDecodeError:
            yield Finding(number, None, (Deviation("", "text in UTF-8", "other bytes"),))
        except ValueError as error:
            yield Finding(number, None, (Deviation("", "a record, or a frame in JSON", str(error)),))
        else:
            if isinstance(record, FrameEvent):
                yield Finding(number, record, record.deviations)
            elif isinstance(record, RecordedFrame):
                event = _recorded(connections, record)
                yield Finding(number, event, event.deviations)
            elif isinstance(record, Opened):
                connections.pop(record.connection, None)  # files may be joined: its number may be used again


def _recorded(connections: dict[int, ConnectionAnalysis], record: RecordedFrame) -> FrameEvent:
    if record.connection not in connections:
        connections[record.connection] = ConnectionAnalysis(record.connection, record.namespace)
    event = connections[record.connection].frame(record.direction, record.text, record.time)
    # What was cut when it was recorded is nobody's deviation.
    cut = tuple(record.elided)
    return attrs.evolve(event, deviations=tuple(each for each in event.deviations if each.pointer not in cut))


class _LooseFrames:
    """Frames of which nobody knows what came before, nor which way they went."""

    def __init__(self, namespace: str | None, endpoint: str | None, direction: Direction | None) -> None:
        self._analysis = ConnectionAnalysis(0, namespace or "", loose=True, endpoint=endpoint)
        self._direction: Direction | None = direction

    def frame(self, line: bytes) -> FrameEvent:
        """Judge a frame, in the direction in which it fits best unless that is known."""
        way: Direction | None = self._direction or _only_way(json_codec.loads(line))
        if way is not None:
            return self._analysis.frame(way, line.strip(), 0.0)
        ways: tuple[Direction, Direction] = ("to_client", "to_server")
        return min((self._analysis.frame(way, line.strip(), 0.0) for way in ways), key=_misfit)


def _only_way(data: Any) -> Direction | None:
    """The direction of a frame that only one side sends; None for frames that both send, or nobody knows."""
    if not isinstance(data, dict):
        return None
    if "authVersion" in data:
        return "to_server"
    if "type" not in data and "success" in data:
        return "to_client"
    ways: list[Direction] = [way for way, types in _TYPES.items() if data.get("type") in types]
    return ways[0] if len(ways) == 1 else None


def _misfit(event: FrameEvent) -> tuple[int, int]:
    """How badly a frame fits: what deviates near its root weighs more, for there it is taken for something else."""
    depths = [each.pointer.count("/") for each in event.deviations]
    return (-min(depths, default=99), len(depths))


def _documents(file: BinaryIO) -> list[bytes]:
    """The lines of a file; of one that is a single document over many lines, or a list of frames, each frame."""
    data = file.read()
    lines = data.splitlines()
    first = next((line for line in lines if line.strip()), b"")
    try:
        if not isinstance(json_codec.loads(first), list):
            return lines
    except ValueError:
        pass
    try:
        document = json_codec.loads(data)
    except ValueError:
        return lines
    frames = document if isinstance(document, list) else [document]
    return [json_codec.dumps(frame) for frame in frames]


@click.command()
@click.argument("file", type=click.File("rb"))
@click.option(
    "--namespace",
    type=click.Choice(list(NAMESPACES)),
    help="Where loose frames belong; without it only their envelopes are judged.",
)
@click.option("--endpoint", metavar="NAME", help="The endpoint of loose frames that follow no request.")
@click.option(
    "--direction",
    type=click.Choice(["to_server", "to_client"]),
    help="Which way loose frames go; by default the way in which they fit.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object with all deviations.")
def validate(
    file: BinaryIO, namespace: str | None, endpoint: str | None, direction: Direction | None, as_json: bool
) -> None:
    """Hold the frames of FILE against the schema.

    FILE is a recording of `lmwire proxy` or of a recorder, a transcript, or loose frames in JSON: one a line, a list,
    or a single one; - is the standard input. Of recordings the order of frames is checked too.

    \b
    Exit codes: 0 if everything fits, 1 if anything deviates, 2 for wrong usage
    or a file that cannot be read, or holds no frame.
    """
    if endpoint is not None:
        _check_endpoint(namespace, endpoint)
    frames = broken = 0
    found: list[Finding] = []
    for finding in judged_lines(
        _documents(file), namespace=namespace, endpoint=endpoint, direction=direction
    ):
        frames += finding.event is not None
        broken += finding.event is None
        if finding.deviations:
            found.append(finding)
            if not as_json:
                for line in finding.to_text():
                    click.echo(click.style(line, fg="red"))
    if not frames and not found:  # a check of nothing must not look as if all were well
        raise click.UsageError("FILE holds no frame: there is nothing to validate")
    deviations = [each for finding in found for each in finding.to_json()]
    if as_json:
        click.echo(
            json.dumps({"valid": not deviations, "frames": frames, "deviations": deviations}, indent=2)
        )
    elif deviations:
        told = counted(len(deviations), "deviation")
        click.echo(f"{told} in {len(found)} of {counted(frames + broken, 'line' if broken else 'frame')}")
    else:
        click.echo(f"{counted(frames, 'frame')}, no deviation")
    if deviations:
        sys.exit(1)


def _check_endpoint(namespace: str | None, endpoint: str) -> None:
    if namespace is None:
        raise click.UsageError("--endpoint goes with --namespace")
    descriptor = NAMESPACES[namespace]
    if not any(endpoint in table for table in (descriptor.rpc, descriptor.channel, descriptor.signal)):
        raise click.UsageError(f"{namespace} has no endpoint {endpoint!r}")
