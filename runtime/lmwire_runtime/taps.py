"""Taps: how a tester sees every frame of a client or a server as it passes, secrets redacted.

``on_frame`` takes either of two things. A function is called for each frame; it cannot tell one connection of a
namespace from the next. An object with a method ``opened`` is asked for a ``ConnectionTap`` at the first frame of each
connection, and that one hears of this connection alone, its end included; a recorder is made that way.

A tap runs on whichever thread moves the frame, while the link is locked: it has to be quick, and must not use a
client. What it raises is logged and harms nobody. Without a tap a frame costs one comparison with None.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from typing import Final, Literal, Protocol, TypeAlias, cast

from lmwire_runtime.credentials import redact_text
from lmwire_runtime.errors import StateError

__all__ = [
    "ConnectionTap",
    "Direction",
    "End",
    "LinkTap",
    "Tap",
    "Taps",
    "check_not_tapping",
    "is_tap",
    "link_tap",
]

_LOGGER: Final = logging.getLogger("lmwire")
_tapping: Final = threading.local()

Direction: TypeAlias = Literal["sent", "received"]
"""Which way a frame goes, as seen from the end that has the tap."""

End: TypeAlias = Literal["client", "server"]
"""Which end of its connections has the tap."""


class ConnectionTap(Protocol):
    """What hears of one connection."""

    def frame(self, direction: Direction, text: bytes) -> object:
        """Take the JSON text of a frame, secrets redacted."""

    def closed(self, reason: str) -> object:
        """Take the end of the connection, which is told once; no frame follows."""


class Taps(Protocol):
    """What makes a tap for each connection."""

    def opened(self, namespace: str, end: End) -> ConnectionTap:
        """Return what is to hear of a new connection; called at its first frame."""
        ...


Tap: TypeAlias = "Callable[[Direction, str, bytes], object] | Taps"
"""Called with direction, namespace and the frame's JSON text for every frame, secrets redacted; or an object whose
``opened`` makes a tap for each connection, see the module ``taps``. Keep it quick; it runs on whichever thread moves
the frame.
"""


def check_not_tapping() -> None:
    """Raise StateError in a tap: it runs while the link is locked, so that a call of its own would never end."""
    if getattr(_tapping, "active", False):
        raise StateError("a frame tap must not use a client; note what it sees, and act on it elsewhere")


def is_tap(tap: object) -> bool:
    """Whether it can be told of frames."""
    return callable(tap) or callable(getattr(tap, "opened", None))


def link_tap(tap: Tap | None, namespace: str, end: End) -> LinkTap | None:
    """Return the tap of one connection, None if there is no tap at all."""
    return None if tap is None else LinkTap(tap, namespace, end)


class LinkTap:
    """One connection's way to the user's tap: redacts, and keeps the tap's failures from the connection."""

    def __init__(self, tap: Tap, namespace: str, end: End) -> None:
        self._tap = tap
        self._namespace = namespace
        self._end: End = end
        self._connection: ConnectionTap | None = None
        self._failures: set[type[Exception]] = set()

    def frame(self, direction: Direction, text: bytes | bytearray | memoryview) -> None:
        """Tell the tap of a frame."""
        self._guarded(lambda: self._opened().frame(direction, redact_text(text)))

    def closed(self, reason: str) -> None:
        """Tell the tap that the connection has ended, if it ever heard of it."""
        connection, self._connection = self._connection, _DEAF
        if connection is not None:
            self._guarded(lambda: connection.closed(reason))

    def _opened(self) -> ConnectionTap:
        connection = self._connection
        if connection is None:
            opened = getattr(self._tap, "opened", None)
            if opened is None:
                connection = _FunctionTap(self._tap, self._namespace)
            else:
                connection = cast(ConnectionTap, opened(self._namespace, self._end))
            self._connection = connection
        return connection

    def _guarded(self, tell: Callable[[], object]) -> None:
        _tapping.active = True
        try:
            tell()
        except Exception as error:
            # A tester's tap must not fail the request of somebody else's thread, nor fill the log.
            if type(error) not in self._failures:
                self._failures.add(type(error))
                _LOGGER.exception(
                    "lmwire: the frame tap failed (said once for each connection and kind of error)"
                )
        finally:
            _tapping.active = False


class _FunctionTap:
    """A plain function as the tap of one connection."""

    def __init__(self, function: object, namespace: str) -> None:
        assert callable(function)
        self._function = function
        self._namespace = namespace

    def frame(self, direction: Direction, text: bytes) -> None:
        self._function(direction, self._namespace, text)

    def closed(self, reason: str) -> None:
        pass


class _Deaf:
    """Hears nothing any more."""

    def frame(self, direction: Direction, text: bytes) -> None:
        pass

    def closed(self, reason: str) -> None:
        pass


_DEAF: Final = _Deaf()
