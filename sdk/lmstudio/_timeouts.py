"""The official SDK's one timeout for all synchronous calls, on lmwire's timeouts of each client.

It is the longest silence of the server: before the answer of a call, before each packet of a stream. Until somebody
sets it, lmwire's own limits hold: 60 seconds for calls, 600 for streams, because long prompts take long. Setting it
changes every client there is, and every later one, except those that were made with ``timeouts=`` of their own.
"""

from __future__ import annotations

import math
import threading
import weakref
from typing import Any, Final, TypeAlias

from lmstudio._translation import translated
from lmwire import Client, Timeouts, Unset, UsageError

__all__ = ["Timeout", "get_sync_api_timeout", "register", "set_sync_api_timeout"]

Timeout: TypeAlias = float | None | Unset
"""Seconds that one call may wait, None for no limit, UNSET for what its client says."""

# This very object means that nothing was set; the same number from elsewhere is a setting.
_UNTOUCHED: Final = float("60")

_lock = threading.Lock()
_timeout: float | None = _UNTOUCHED
_clients: weakref.WeakSet[Client] = weakref.WeakSet()


def get_sync_api_timeout() -> float | None:
    """Return the seconds of silence after which a synchronous call fails, None for no limit.

    Until it is set this is 60, and streams have longer. Handing that back to ``set_sync_api_timeout`` restores it.
    """
    return _timeout


@translated
def set_sync_api_timeout(timeout: float | None) -> None:
    """Let synchronous calls and streams of all clients fail after so many seconds of silence.

    Asynchronous clients have no such timeout, as in the official SDK; ``timeout=`` of a single call goes first.

    Args:
        timeout: Seconds, at least 0 (which fails at once); None for no limit.

    Raises:
        LMStudioValueError: It is no such number.
    """
    global _timeout
    if timeout is not None and timeout is not _UNTOUCHED:
        timeout = _seconds(timeout)
    with _lock:
        _timeout = timeout
        for client in list(_clients):
            _apply(client)


def _seconds(timeout: Any) -> float:
    refusal = UsageError(
        "set_sync_api_timeout: timeout must be a finite number of seconds, at least 0, or None for no limit;"
        f" got {timeout!r}"
    )
    if isinstance(timeout, bool):
        raise refusal
    try:
        seconds = float(timeout)
    except (TypeError, ValueError, OverflowError):
        raise refusal from None
    if not math.isfinite(seconds) or seconds < 0:
        raise refusal
    return seconds


def register(client: Client) -> None:
    """Let a client that has no timeouts of its own follow the common one."""
    with _lock:
        _clients.add(client)
        _apply(client)


def _apply(client: Client) -> None:
    client.timeouts = Timeouts() if _timeout is _UNTOUCHED else _with_silence(client.timeouts, _timeout)


def _with_silence(timeouts: Timeouts, silence: float | None) -> Timeouts:
    return Timeouts(
        connect=timeouts.connect, rpc=silence, channel=silence, close=timeouts.close, stall=timeouts.stall
    )
