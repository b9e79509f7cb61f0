"""The limits of a client or server, in one place: sizes in bytes, times in seconds, None for no limit.

What stands elsewhere: how long a client may take to authenticate is ``authentication_seconds`` of ``server.Server``, 10
seconds from its TCP connection on, in which its HTTP request has to be whole as well. That request may have 128 headers
of 8 KiB each, which is the limit of ``websockets``. Five warnings are sent over one connection, as upstream does.
"""

from __future__ import annotations

import math
from typing import Any, Final, TypeAlias

import attrs

from lmwire_runtime.errors import UsageError
from lmwire_runtime.wire import UNSET, Unset

__all__ = ["DEFAULT_LIMITS", "DEFAULT_TIMEOUTS", "Limits", "Timeout", "Timeouts", "resolve_timeout"]

MIB: Final = 1024 * 1024

Timeout: TypeAlias = "float | None | Unset"
"""Seconds of silence that one request may take, None for no limit, UNSET for the client's own setting."""


def _finite(value: Any) -> Any:
    # The platforms' waits take no infinity.
    return None if value == math.inf else value


def _check_seconds(_: Any, field: attrs.Attribute[Any], value: Any) -> None:
    # The closing handshake alone has to be limited: a peer that never answers would hold the program back for ever.
    if value is not None or field.name == "close":
        _check_number(f"timeouts.{field.name}", value)


def _check_number(name: str, value: Any) -> None:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not value >= 0:
        raise UsageError(f"{name} must be a number of seconds >= 0, or None for no limit; got {value!r}")


def _check_bytes(_: Any, field: attrs.Attribute[Any], value: Any) -> None:
    if type(value) is not int or value <= 0:
        raise UsageError(f"limits.{field.name} must be a number of bytes > 0; got {value!r}")


def _check_count(_: Any, field: attrs.Attribute[Any], value: Any) -> None:
    if type(value) is not int or value <= 0:
        raise UsageError(f"limits.{field.name} must be a number > 0; got {value!r}")


@attrs.frozen(kw_only=True)
class Timeouts:
    """How long to wait for what, in seconds >= 0. There is no limit on the total time of a stream.

    Attributes:
        connect: TCP, TLS, WebSocket handshake and authentication together.
        rpc: Silence before the answer to a call.
        channel: Silence before each packet of a channel (prompt processing can be silent for minutes).
        close: The WebSocket's closing handshake; this one cannot be None.
        stall: How long a full buffer may go unread before its stream is given up.

    Raises:
        UsageError: A limit is negative or no number.
    """

    connect: float | None = attrs.field(default=10.0, converter=_finite, validator=_check_seconds)
    rpc: float | None = attrs.field(default=60.0, converter=_finite, validator=_check_seconds)
    channel: float | None = attrs.field(default=600.0, converter=_finite, validator=_check_seconds)
    close: float = attrs.field(default=2.0, converter=_finite, validator=_check_seconds)
    stall: float | None = attrs.field(default=30.0, converter=_finite, validator=_check_seconds)


@attrs.frozen(kw_only=True)
class Limits:
    """How much may be held in memory: bytes, and numbers of things, all > 0.

    Bytes are counted as on the wire. Parsed packets that wait to be read take about five times as much memory.

    Attributes:
        message_bytes: One WebSocket message, in either direction.
        channel_bytes: Received but unread packets of one channel.
        connection_bytes: Received but unread packets of all channels of one connection.
        unsent_bytes: Of a server: what one client has not taken yet; above it nothing more is read from that client.
        open_requests: Of a server: unanswered requests of one connection (calls, channels, subscriptions); a client
            that goes beyond is disconnected.
        connections: Of a server: TCP connections at a time; those beyond get HTTP status 503.
        depth: Of a server: levels of nesting in one frame; a client that goes beyond is disconnected.

    Raises:
        UsageError: A limit is not positive, or no integer.
    """

    message_bytes: int = attrs.field(default=128 * MIB, validator=_check_bytes)
    channel_bytes: int = attrs.field(default=16 * MIB, validator=_check_bytes)
    connection_bytes: int = attrs.field(default=64 * MIB, validator=_check_bytes)
    unsent_bytes: int = attrs.field(default=16 * MIB, validator=_check_bytes)
    open_requests: int = attrs.field(default=10_000, validator=_check_count)
    connections: int = attrs.field(default=4_096, validator=_check_count)
    depth: int = attrs.field(default=500, validator=_check_count)


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
    _check_number("timeout", timeout)
    return None if timeout == math.inf else float(timeout)
