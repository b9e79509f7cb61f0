"""Traffic as lines for a terminal: one for each event, coloured where the terminal has colours, safe to print.

What peers send is hostile: control characters never reach the terminal.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from typing import Any, Final

import click

from lmwire_tools.analysis import FrameEvent
from lmwire_tools.recordings import Opened, without_secrets
from lmwire_tools.traffic import Faulty, HttpAnswered, Summary, TrafficEvent

__all__ = ["counted", "event_lines", "printable", "summary_lines"]

_ARROWS: Final = {"to_server": ("->", "cyan"), "to_client": ("<-", "green")}
# The keys that the line says in other words.
_SAID: Final = frozenset({"type", "endpoint", "callId", "channelId", "subscribeId"})


def printable(text: str) -> str:
    """Return text in which whatever is not printable is escaped, line breaks included."""
    if text.isprintable():
        return text
    return "".join(
        letter if letter.isprintable() else letter.encode("unicode_escape").decode() for letter in text
    )


def counted(number: int, what: str) -> str:
    """Return a number with its noun."""
    return f"{number} {what}" if number == 1 else f"{number} {what}s"


def event_lines(event: TrafficEvent, *, width: int | None = 120, full: bool = False) -> Iterator[str]:
    """Yield the lines that tell of an event.

    Args:
        event: What happened.
        width: Where to cut a line, in characters; None for nowhere.
        full: Show the whole frame, indented, under its line.
    """
    if isinstance(event, FrameEvent):
        yield from _frame_lines(event, width, full)
        return
    head = _head(event.time, event.connection)
    if isinstance(event, Opened):
        yield f"{head} {click.style('open', bold=True)} /{printable(event.namespace)}"
    elif isinstance(event, HttpAnswered):
        yield f"{head} {event.method} {printable(event.path)} {click.style(str(event.status), bold=True)}"
        yield from (_deviation_line(str(deviation)) for deviation in event.deviations)
    elif isinstance(event, Faulty):
        yield f"{head} {click.style(printable(event.fault), fg='red' if event.deviates else 'yellow')}"
    else:
        code = "" if event.code is None else f" {event.code}"
        reason = f" {printable(event.reason)}" if event.reason else ""
        yield f"{head} {click.style('close', bold=True)} /{printable(event.namespace)}{code}{reason}"


def _frame_lines(event: FrameEvent, width: int | None, full: bool) -> Iterator[str]:
    arrow, colour = _ARROWS[event.direction]
    name = printable(event.packet or event.type or "?")
    endpoint = "" if event.endpoint is None else f" {printable(event.endpoint)}"
    number = "" if event.id is None else f" #{event.id}"
    after = "" if event.latency is None else f" +{_duration(event.latency)}"
    late = " (late)" if event.late else ""
    told = f"{_head(event.time, event.connection)} {arrow} /{printable(event.namespace)}{endpoint}{number} {name}"
    payload = "" if full else _payload(event)
    plain = f"{told}{after}{late} "
    room = None if width is None else max(20, width - len(plain))
    if room is not None and len(payload) > room:
        payload = payload[: room - 3] + "..."
    styled = told.replace(f" {arrow} ", f" {click.style(arrow, fg=colour)} ", 1)
    styled = styled[: len(styled) - len(name)] + click.style(name, fg=colour, bold=True)
    yield f"{styled}{click.style(after + late, dim=True)} {click.style(payload, dim=True)}".rstrip()
    if full:
        yield from (f"    {line}" for line in _indented(event))
    yield from (_deviation_line(str(deviation)) for deviation in event.deviations)


def _deviation_line(text: str) -> str:
    return "    " + click.style(f"deviates {printable(text)}", fg="red", bold=True)


def _head(at: float, connection: int) -> str:
    clock = time.strftime("%H:%M:%S", time.localtime(at))
    return f"{clock}.{int(at % 1 * 1000):03} {connection:>3}"


def _duration(seconds: float) -> str:
    return f"{seconds * 1000:.1f} ms" if seconds < 10 else f"{seconds:.1f} s"


def _data(event: FrameEvent) -> Any:
    """The frame without secrets; text if it is no JSON."""
    text = without_secrets(event.text)
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text.decode("utf-8", "replace")


def _payload(event: FrameEvent) -> str:
    """What the frame carries beyond what its line says already, as compact JSON."""
    data = _data(event)
    if isinstance(data, dict):
        data = {key: value for key, value in data.items() if key not in _SAID}
        if len(data) == 1:
            data = next(iter(data.values()))
        if isinstance(data, dict) and event.packet is not None:
            data = {key: value for key, value in data.items() if key != "type"}
        if data == {}:
            return ""
    return printable(json.dumps(data, ensure_ascii=False, separators=(",", ":")))


def _indented(event: FrameEvent) -> list[str]:
    data = _data(event)
    return [printable(line) for line in json.dumps(data, ensure_ascii=False, indent=2).split("\n")]


def summary_lines(summary: Summary) -> Iterator[str]:
    """Yield the lines of a summary."""
    frames, size = summary.frames, summary.bytes
    yield (
        f"{counted(summary.connections, 'connection')};"
        f" {counted(frames['to_server'], 'frame')} ({size['to_server']} bytes) to the server,"
        f" {counted(frames['to_client'], 'frame')} ({size['to_client']} bytes) to clients"
    )
    for endpoint, times in sorted(summary.endpoints.items()):
        yield f"  {times:>6} x {printable(endpoint)}"
    if summary.warnings:
        told = f"{counted(summary.warnings, 'warning')} of one side to the other"
        yield click.style(told, fg="yellow")
    for fault in summary.faults:
        yield click.style(f"connection {fault.connection}: {printable(fault.fault)}", fg="yellow")
    if not summary.deviations:
        if not summary.deviates:
            yield click.style("no deviation from the schema", fg="green")
        return
    total = counted(sum(summary.deviations.values()), "deviation")
    yield click.style(f"{total} from the schema:", fg="red", bold=True)
    for (side, what, deviation), times in summary.deviations.most_common():
        yield click.style(f"  {times:>6} x {side}, {printable(what)}: {printable(str(deviation))}", fg="red")
