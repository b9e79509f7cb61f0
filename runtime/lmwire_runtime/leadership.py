"""Who of a link's threads reads its socket: at most one, the leader; the others follow.

A follower sleeps on a gate of its own. The gate opens when the follower's exchange changes, or when it is the
follower's turn to lead.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from functools import partial
from typing import Final

from lmwire_runtime.clock import Clock
from lmwire_runtime.exchanges import Exchange

__all__ = ["Leadership"]

# A follower wakes this often to see Ctrl-C where the platform cannot interrupt a lock.
SLICE: Final = 0.5


class Leadership:
    """Guarded by ``lock``, which is the link's own."""

    def __init__(self, lock: threading.Lock, clock: Clock) -> None:
        self._lock = lock
        self._clock = clock
        # By identity: a thread that was interrupted while it handed over finds itself, and leads again.
        self._leader: int | None = None
        self._gates: list[threading.Lock] = []

    @property
    def vacant(self) -> bool:
        """Whether nobody leads."""
        return self._leader is None

    @property
    def mine(self) -> bool:
        """Whether the calling thread leads."""
        return self._leader == threading.get_ident()

    def take(self) -> bool:
        """Lead if nobody does; returns whether the calling thread leads now."""
        with self._lock:
            if self._leader is None:
                self._leader = threading.get_ident()
                return True
            return self.mine

    def give_up(self) -> None:
        """Stop leading, and wake a follower; the lock is held."""
        self._leader = None
        if self._gates:
            _open(self._gates[0])

    def wake_all(self) -> None:
        """Wake every follower; the lock is held."""
        for gate in self._gates:
            _open(gate)

    def follow(self, done: Callable[[], bool], deadline: float | None, exchange: Exchange | None) -> None:
        """Sleep until something may have changed.

        Raises:
            TimeoutError: The deadline has passed, and it is not ``done``.
        """
        gate = threading.Lock()
        gate.acquire()

        try:
            with self._lock:
                if done() or self._leader is None:
                    return
                self._gates.append(gate)
                if exchange is not None:
                    exchange.on_change = partial(_open, gate)
            remaining = SLICE
            if deadline is not None:
                remaining = min(remaining, deadline - self._clock.monotonic())
            if remaining <= 0:
                raise TimeoutError
            gate.acquire(timeout=remaining)
        finally:
            with self._lock:
                if gate in self._gates:
                    self._gates.remove(gate)
                if exchange is not None:
                    exchange.on_change = None
                if self._leader is None and self._gates:
                    _open(self._gates[0])  # this one was called, perhaps, and leaves


def _open(gate: threading.Lock) -> None:
    if gate.locked():
        gate.release()
