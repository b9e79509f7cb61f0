"""What happens on the server, told to whoever listens: predictions, engines, the server itself."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterator
from typing import Final, TypeAlias

from lmwire.types.diagnostics import (
    DiagnosticsLogEvent,
    DiagnosticsLogEventData,
    DiagnosticsLogEventDataServerLog,
    LogLevel,
)
from lmwire_emulator.clock import Clock

__all__ = ["MOST_UNREAD", "Listener", "LogBook"]

MOST_UNREAD: Final = 10_000
"""How many events wait for a listener at most; then the oldest one is dropped for each new one."""

Listener: TypeAlias = "asyncio.Queue[DiagnosticsLogEvent]"


class LogBook:
    """Events for listeners of one event loop; nothing is kept for those who come later.

    ``unknown`` are kinds of events, by message class, that servers of this generation do not have.
    """

    def __init__(self, clock: Clock, unknown: frozenset[str] = frozenset()) -> None:
        self._clock = clock
        self._unknown = unknown
        self._listeners: set[Listener] = set()

    @contextlib.contextmanager
    def listening(self) -> Iterator[Listener]:
        """Give the events that come from now on."""
        listener: Listener = asyncio.Queue(MOST_UNREAD)
        self._listeners.add(listener)
        try:
            yield listener
        finally:
            self._listeners.discard(listener)

    def note(self, data: DiagnosticsLogEventData) -> None:
        """Tell an event, now."""
        if type(data).__name__ in self._unknown:
            return
        event = DiagnosticsLogEvent(timestamp=self._clock.unix_ms(), data=data)
        for listener in self._listeners:
            if listener.full():
                listener.get_nowait()
            listener.put_nowait(event)

    def say(self, content: str, level: LogLevel = "info") -> None:
        """Tell something about the server itself, for people."""
        self.note(DiagnosticsLogEventDataServerLog(content=content, level=level))
