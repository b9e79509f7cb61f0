"""Waiting for a socket, and for other threads, by whichever of poll and select the platform has."""

from __future__ import annotations

import contextlib
import select
import socket
from typing import Final, Protocol

__all__ = ["Poller", "is_readable"]

# Longest single wait, in seconds; whoever waits looks again. A signal that comes between the interpreter's look for
# signals and the system call interrupts nothing, and on Windows Ctrl-C does not interrupt ``select`` at all.
LONGEST: Final = 0.5


def is_readable(descriptor: int) -> bool:
    """Say whether something has arrived on a socket, or its end; does not wait. A closed one, -1, has nothing."""
    if descriptor < 0:
        return False
    if hasattr(select, "poll"):
        poller = select.poll()
        poller.register(descriptor, select.POLLIN)
        return bool(poller.poll(0))
    return bool(select.select([descriptor], [], [], 0)[0])


class HasDescriptor(Protocol):
    """Something with a descriptor to wait for, -1 once it is closed."""

    def fileno(self) -> int: ...


class Poller:
    """Waits for one socket and for ``wake``.

    Used as a context manager that is entered before the last look at what other threads may change. Only one
    thread at a time waits or looks: the leader.
    """

    def __init__(self, stream: HasDescriptor) -> None:
        self._stream = stream
        self._reader, self._writer = socket.socketpair()
        self._reader.setblocking(False)
        self._writer.setblocking(False)
        self._waiting = False
        # Whether a wake-up may lie in the pair, and whether the last wait has seen something to read.
        self._woken = False
        self._seen = False
        self._polls = self._probe = None
        if hasattr(select, "poll"):
            self._polls = _Polls(stream, self._reader.fileno())
            self._probe = select.poll()
            self._probe.register(stream.fileno(), select.POLLIN)

    def wake(self) -> None:
        """Interrupt ``wait`` in another thread; cheap if nobody is in it."""
        if self._waiting:
            # An error means: full of wake-ups already, or closed. Either way the waiter returns.
            with contextlib.suppress(OSError):
                self._writer.send(b"\0")

    def __enter__(self) -> Poller:
        self._waiting = True
        return self

    def __exit__(self, *_: object) -> None:
        self._waiting = False
        if self._woken:
            self._woken = False
            with contextlib.suppress(OSError):  # nothing to drain
                while len(self._reader.recv(4096)) == 4096:
                    pass

    def wait(self, timeout: float | None, *, read: bool, write: bool) -> None:
        """Return when the socket is ready, after at most ``timeout`` seconds, or on ``wake``; perhaps earlier."""
        descriptor = self._stream.fileno()
        if descriptor < 0:
            return
        limit = LONGEST if timeout is None else min(max(timeout, 0.0), LONGEST)
        # Whatever ends the wait, Ctrl-C too: looking for a wake-up that is not there does no harm.
        self._woken = True
        if self._polls is not None:
            events = self._polls.wait(int(limit * 1000) + 1, read=read, write=write)
            self._woken = self._reader.fileno() in events
            self._seen = read and descriptor in events
        else:
            wake = self._reader.fileno()
            reading = [wake, descriptor] if read else [wake]
            ready, _, _ = select.select(reading, [descriptor] if write else [], [], limit)
            self._woken = wake in ready
            self._seen = descriptor in ready

    def readable(self) -> bool:
        """Say whether something has arrived on the socket, its end or an error included; does not wait."""
        if self._seen:
            self._seen = False
            return True
        descriptor = self._stream.fileno()
        if descriptor < 0:
            return True
        if self._probe is None:
            return is_readable(descriptor)
        try:
            return bool(self._probe.poll(0))
        except RuntimeError:  # another thread is at it
            return is_readable(descriptor)

    def close(self) -> None:
        """Close the wake-up sockets; nobody may be waiting."""
        self._reader.close()
        self._writer.close()


class _Polls:
    """A poll object that is made once; what it waits for changes rarely."""

    def __init__(self, stream: HasDescriptor, wake: int) -> None:
        self._stream = stream
        self._poll = select.poll()
        self._poll.register(wake, select.POLLIN)
        self._mask = 0

    def wait(self, milliseconds: int, *, read: bool, write: bool) -> dict[int, int]:
        mask = (select.POLLIN if read else 0) | (select.POLLOUT if write else 0)
        if mask != self._mask:
            descriptor = self._stream.fileno()
            if mask:
                self._poll.register(descriptor, mask)
            elif self._mask:  # registered for nothing, it would still report a hang-up, over and over
                self._poll.unregister(descriptor)
            self._mask = mask
        return dict(self._poll.poll(milliseconds))
