"""The limits of a client or server, in one place: sizes in bytes, times in seconds, None for no limit."""

from __future__ import annotations

from typing import Final, TypeAlias

import attrs

from lmwire_runtime.errors import UsageError
from lmwire_runtime.wire import UNSET, Unset

__all__ = ["DEFAULT_LIMITS", "DEFAULT_TIMEOUTS", "Limits", "Timeout", "Timeouts", "resolve_timeout"]

MIB: Final = 1024 * 1024

Timeout: TypeAlias = "float | None | Unset"
"""Seconds of silence that one request may take, None for no limit, UNSET for the client's own setting."""


@attrs.frozen(kw_only=True)
class Timeouts:
    """How long to wait for what. There is no limit on the total time of a stream.

    Attributes:
        connect: TCP, TLS, WebSocket handshake and authentication together.
        rpc: Silence before the answer to a call.
        channel: Silence before each packet of a channel (prompt processing can be silent for minutes).
        close: The WebSocket's closing handshake.
        stall: How long a full buffer may go unread before its stream is given up.
    """

    connect: float | None = 10.0
    rpc: float | None = 60.0
    channel: float | None = 600.0
    close: float = 2.0
    stall: float | None = 30.0


@attrs.frozen(kw_only=True)
class Limits:
    """How much may be held in memory.

    Attributes:
        message_bytes: One WebSocket message, in either direction.
        channel_bytes: Received but unread packets of one channel.
        connection_bytes: Received but unread packets of all channels of one connection.
    """

    message_bytes: int = 128 * MIB
    channel_bytes: int = 16 * MIB
    connection_bytes: int = 64 * MIB


DEFAULT_TIMEOUTS: Final = Timeouts()
DEFAULT_LIMITS: Final = Limits()


def resolve_timeout(timeout: Timeout, default: float | None) -> float | None:
    """Return the timeout of one request: the caller's own if given, else the client's ``default``.

    Raises:
        UsageError: The timeout is negative or no number.
    """
    if timeout is UNSET:
        return default
    if timeout is None:
        return None
    if isinstance(timeout, bool) or not isinstance(timeout, (int, float)) or not timeout >= 0:
        raise UsageError(f"timeout must be a number of seconds >= 0, or None for no limit; got {timeout!r}")
    return float(timeout)
