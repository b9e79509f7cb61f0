"""One WebSocket for many threads: leader and followers.

Theory of operation
-------------------
* No thread of ours stands between the socket and a waiting caller. The thread that waits for an exchange becomes the *leader*, if
  there is none: it reads the socket, and what it reads ends up in the inboxes of all exchanges. It never decodes for others and
  never runs their callbacks.
* Other waiting threads are *followers*: each sleeps on a gate of its own, opened when its exchange changes, or when the leader, its
  own exchange served, hands leadership on.
* ``_lock`` guards session, transport and outgoing bytes; nobody waits for anything while holding it. The socket never blocks; the
  leader waits in ``poll`` until the nearest deadline, on the socket and on a wake-up socket by which other threads interrupt it.
* Whoever sends writes as much as the socket takes; the leader, or the client's housekeeping thread, drains the rest.
* While nobody waits, the housekeeping thread calls ``tick`` about once a second, so that pings are answered, a close is noticed and
  stalled channels are given up.
* An exception that hits a thread while it feeds bytes to the session (Ctrl-C between two bytecodes) leaves the frames in an unknown
  state: the link is lost, with that reason, rather than left hanging.
"""

from __future__ import annotations

import os
import select
import socket
import threading
import weakref
from collections import deque
from collections.abc import Callable
from typing import Any, Final

from lmwire_runtime.addresses import Address
from lmwire_runtime.byte_stream import ByteStream, open_stream
from lmwire_runtime.connection import LinkCore, Settings
from lmwire_runtime.errors import (
    ClosedError,
    ConnectError,
    ConnectionLostError,
    LMWireError,
    RequestTimeoutError,
    UsageError,
)
from lmwire_runtime.session import Channel, Exchange
from lmwire_runtime.transport import ClientTransport
from lmwire_runtime.wire import UNSET

__all__ = ["SyncLink"]

READ_SIZE: Final = 256 * 1024
# A follower wakes this often to see Ctrl-C where the platform cannot interrupt a lock.
FOLLOWER_SLICE: Final = 0.5
# A thread that sends waits once this many bytes have not been taken by the peer.
SEND_BACKLOG: Final = 8 * 1024 * 1024
# The housekeeping thread reads at most this many chunks at a time.
TICK_READS: Final = 64


class SyncLink:
    """An established, authenticated WebSocket. Made by ``SyncLink.connect``."""

    def __init__(self, stream: ByteStream, core: LinkCore, address: Address, settings: Settings) -> None:
        self.core = core
        self.session = core.session
        self.address = address
        self._stream = stream
        self._settings = settings
        self._clock = settings.clock
        self._lock = threading.Lock()
        self._leading = False
        self._followers: list[threading.Lock] = []
        self._backlog = bytearray()
        self._abandoned: deque[tuple[Exchange, LMWireError]] = deque()
        self._poller = _Poller(stream)
        self._owner_pid = os.getpid()
        # Which channel has kept reading paused, how much of it had been taken, and since when.
        self._stall: tuple[Channel, int, float] | None = None
        self._closed = False

    @classmethod
    def connect(cls, address: Address, namespace: str, settings: Settings) -> SyncLink:
        """Connect, shake hands and authenticate.

        Raises:
            ConnectError: The server cannot be reached, or is no WebSocket server.
            AuthenticationError: It refused the credentials.
            RequestTimeoutError: All of it together took longer than ``timeouts.connect``.
        """
        limit = settings.timeouts.connect
        deadline = None if limit is None else settings.clock.monotonic() + limit
        url = address.url(namespace)
        transport = ClientTransport(url, message_bytes=settings.limits.message_bytes)
        stream = open_stream(address, settings.ssl_context, limit)
        link = cls(stream, LinkCore(transport, namespace, settings), address, settings)
        try:
            with link._lock:
                link._write()
            link._until(lambda: link.core.check_handshake(url), deadline)
            with link._lock:
                link.session.authenticate(settings.credentials.identifier, settings.credentials.passkey)
                link._write()
            link._until(lambda: link.session.authenticated or link.session.lost is not None, deadline)
            if link.session.lost is not None:
                raise link.session.lost
        except TimeoutError as error:
            link.discard()
            step = "authentication" if transport.open else "WebSocket handshake"
            raise RequestTimeoutError(f"{url} did not answer the {step} within {limit:g} s", seconds=limit or 0.0) from error
        except BaseException:
            link.discard()
            raise
        return link

    # What callers do.

    @property
    def usable(self) -> bool:
        """Whether a new exchange may start here: not lost, not closed, and the peer not mute."""
        return self.session.lost is None and not self._closed and not self.session.mute

    def refresh(self) -> bool:
        """Take in what has arrived while nobody waited, a close above all; returns ``usable``.

        Raises:
            UsageError: The process was forked after connecting.
        """
        if os.getpid() != self._owner_pid:
            raise UsageError(
                "this client was connected before a fork; two processes cannot share its connection: create a new Client"
                " in the child process"
            )
        if self.usable and self._try_lead():
            try:
                self._pump()
            finally:
                self._hand_over()
        return self.usable

    def start(self, begin: Callable[[], Exchange]) -> Exchange:
        """Queue a request by ``begin`` (which calls the session) and send it.

        Raises:
            ConnectionLostError: The link had been lost.
            UsageError: The request cannot be expressed on the wire.
        """
        with self._lock:
            if self.session.lost is not None:
                raise self._lost_error()
            exchange = begin()
            try:
                self._write()
            except LMWireError as error:
                self.session.abandon(exchange, error)
                raise
        self._relieve()
        return exchange

    def send(self, channel: Channel, message: Any = UNSET) -> bool:
        """Send a packet; returns False if the channel has ended."""
        with self._lock:
            sent = self.session.send(channel, message)
            self._write()
        self._relieve()
        return sent

    def abandon(self, exchange: Exchange, error: LMWireError) -> None:
        """End an exchange from this side, with its cancel packet if it has one. Never waits.

        Finalizers come here too, and the garbage collector may run one while this very thread holds the lock: then the lock's
        holder, the leader or the next tick does it.
        """
        self._abandoned.append((exchange, error))
        if self._lock.acquire(blocking=False):
            try:
                self._write()
            finally:
                self._lock.release()
        self._poller.wake()

    def release(self, channel: Channel) -> None:
        """Stop following a channel whose result has arrived."""
        with self._lock:
            self.session.release(channel)
            if self.session.paused is not None:
                self.session.check_budgets()

    def resume(self) -> None:
        """Look again whether reading has to stay paused; called after packets were taken while it was."""
        with self._lock:
            self.session.check_budgets()
            resumed = self.session.paused is None
        if resumed:
            self._poller.wake()

    def wait(self, exchange: Exchange, timeout: float | None) -> bool:
        """Wait until the exchange has a payload or has ended; returns False if ``timeout`` seconds passed in silence."""
        deadline = None if timeout is None else self._clock.monotonic() + timeout
        try:
            self._until(lambda: bool(exchange.inbox) or exchange.ended, deadline, exchange)
        except TimeoutError:
            return False
        return True

    def close(self, reason: LMWireError | None = None) -> None:
        """Close: what is in flight ends with ``reason`` (by default ClosedError); the closing handshake is brief."""
        with self._lock:
            if self._closed:
                return
            self._closed = True
            self.session.lose(reason or ClosedError("the client was closed"))
            self.core.transport.close()
            self._write()
        self._poller.wake()
        try:
            deadline = self._clock.monotonic() + self._settings.timeouts.close
            self._until(lambda: self.core.transport.closed, deadline)
        except TimeoutError:
            pass  # the peer does not answer the closing handshake: it is not needed
        finally:
            self.discard()

    def discard(self) -> None:
        """Drop the socket at once."""
        self._closed = True
        self.session.lose(ClosedError("the connection was dropped"))
        self._open_gates()
        self._poller.wake()
        self._stream.close()

    def tick(self) -> bool:
        """Housekeeping: read while nobody waits, give up stalled channels; returns whether bytes still wait to be sent."""
        if os.getpid() != self._owner_pid or self._closed:
            return False
        if self._try_lead():
            try:
                for _ in range(TICK_READS):
                    if not self._pump():
                        break
            finally:
                self._hand_over()
        self._give_up_stalled()
        if self._backlog or self._abandoned:
            with self._lock:
                self._write()
        return bool(self._backlog)

    # Leader and followers.

    def _until(self, done: Callable[[], bool], deadline: float | None, exchange: Exchange | None = None) -> None:
        """Wait until ``done``, as leader or follower. Raises TimeoutError at the deadline."""
        while not done():
            if self._try_lead():
                try:
                    self._lead(done, deadline)
                finally:
                    self._hand_over()
            else:
                self._follow(done, deadline, exchange)

    def _try_lead(self) -> bool:
        with self._lock:
            if self._leading:
                return False
            self._leading = True
            return True

    def _lead(self, done: Callable[[], bool], deadline: float | None) -> None:
        while not done():
            if self._pump():
                continue
            if self._stream.closed:
                raise self._lost_error()
            remaining = None if deadline is None else deadline - self._clock.monotonic()
            if remaining is not None and remaining <= 0:
                raise TimeoutError
            with self._poller as poller:
                # Armed first: whatever another thread changes from here on wakes the poll.
                if done():
                    return
                poller.wait(remaining, read=self.session.paused is None, write=bool(self._backlog))
            if self._backlog or self._abandoned:
                with self._lock:
                    self._write()
            if self.session.paused is not None:
                self._give_up_stalled()

    def _hand_over(self) -> None:
        with self._lock:
            self._leading = False
            self._call_follower()

    def _call_follower(self) -> None:
        if not self._leading and self._followers:
            _open(self._followers[0])

    def _follow(self, done: Callable[[], bool], deadline: float | None, exchange: Exchange | None) -> None:
        gate = threading.Lock()
        gate.acquire()
        with self._lock:
            if done() or not self._leading:
                return
            self._followers.append(gate)
            if exchange is not None:
                exchange.on_change = lambda: _open(gate)
        try:
            remaining = FOLLOWER_SLICE if deadline is None else min(FOLLOWER_SLICE, deadline - self._clock.monotonic())
            if remaining <= 0:
                raise TimeoutError
            gate.acquire(timeout=remaining)
        finally:
            with self._lock:
                self._followers.remove(gate)
                if exchange is not None:
                    exchange.on_change = None
                self._call_follower()

    def _open_gates(self) -> None:
        for gate in list(self._followers):
            _open(gate)

    # Bytes. Only the leader reads; whoever holds the lock writes.

    def _pump(self) -> bool:
        """Read once without blocking and feed it; returns False if there was nothing to read."""
        if self.session.paused is not None or self._stream.closed:
            return False
        try:
            data = self._stream.receive(READ_SIZE)
        except OSError as error:
            self._lose(error)
            return True
        if data is None:
            return False
        fed = False
        try:
            with self._lock:
                if data:
                    self.core.feed(data)
                else:
                    self.core.transport.receive_eof()
                self.core.check_ended()
                self._write()
                if self.core.transport.closed:
                    self._end(ConnectionLostError(f"the connection was lost: {self.core.transport.close_reason}"))
            fed = True
        finally:
            if not fed:
                self._lose(ConnectionLostError("the connection was given up: its reader was interrupted"))
        return True

    def _write(self) -> None:
        """End what was abandoned and write what can be written without blocking; the lock is held."""
        while self._abandoned:
            self.session.abandon(*self._abandoned.popleft())
            if self.session.paused is not None:
                self.session.check_budgets()
        data = self.core.flush()
        if data:
            self._backlog += data
        if not self._backlog or self._stream.closed:
            return
        try:
            while self._backlog:
                written = self._stream.send(self._backlog)
                if not written:
                    break
                del self._backlog[:written]
        except OSError as error:
            self._lose(error, locked=True)

    def _relieve(self) -> None:
        """Hold back a thread that sends faster than the peer takes."""
        if len(self._backlog) > SEND_BACKLOG:
            limit = self._settings.timeouts.channel
            deadline = None if limit is None else self._clock.monotonic() + limit
            try:
                self._until(lambda: len(self._backlog) <= SEND_BACKLOG or self.session.lost is not None, deadline)
            except TimeoutError:
                message = f"the peer has taken nothing of {len(self._backlog)} bytes for {limit:g} s"
                self._lose(ConnectionLostError(message))
        elif self._backlog:
            self._poller.wake()

    def _lose(self, error: Exception, *, locked: bool = False) -> None:
        if not isinstance(error, LMWireError):
            cause, error = error, ConnectionLostError(f"the connection was lost: {error}")
            error.__cause__ = cause
        if locked:
            self._end(error)
        else:
            with self._lock:
                self._end(error)

    def _end(self, error: LMWireError) -> None:
        """The network is gone: end everything; the lock is held."""
        self._backlog.clear()
        self.core.transport.abort()
        self.session.lose(error)
        self._stream.close()

    def _lost_error(self) -> LMWireError:
        lost = self.session.lost
        return ConnectionLostError("the connection was lost" if lost is None else lost.message)

    def _give_up_stalled(self) -> None:
        limit = self._settings.timeouts.stall
        with self._lock:
            channel = self.session.paused
            if channel is None or limit is None:
                self._stall = None
                return
            now = self._clock.monotonic()
            if self._stall is None or self._stall[0] is not channel or self._stall[1] != channel.taken:
                self._stall = (channel, channel.taken, now)
            elif now - self._stall[2] >= limit:
                self._stall = None
                self.session.drop_stalled(limit)
                self._write()

    def __del__(self) -> None:
        stream = getattr(self, "_stream", None)
        if stream is not None:
            stream.close()


def _open(gate: threading.Lock) -> None:
    if gate.locked():
        gate.release()


class _Poller:
    """Waits for the socket and for ``wake``, by whichever of poll and select the platform has.

    Used as a context manager that is entered before the last look at what other threads may change.
    """

    def __init__(self, stream: ByteStream) -> None:
        self._stream = stream
        self._reader, self._writer = socket.socketpair()
        self._reader.setblocking(False)
        self._writer.setblocking(False)
        self._waiting = False
        self._finalizer = weakref.finalize(self, _close_both, self._reader, self._writer)

    def wake(self) -> None:
        """Interrupt ``wait`` in another thread; cheap if nobody is in it."""
        if self._waiting:
            try:
                self._writer.send(b"\0")
            except OSError:
                pass  # full of wake-ups already, or closed: either way the waiter returns

    def __enter__(self) -> _Poller:
        self._waiting = True
        return self

    def __exit__(self, *_: object) -> None:
        self._waiting = False
        self._drain()

    def wait(self, timeout: float | None, *, read: bool, write: bool) -> None:
        """Return when the socket is ready, after ``timeout`` seconds, or on ``wake``."""
        # While reading is paused a stalled channel may have to be given up: look again soon.
        limit = timeout if read else min(1.0, timeout if timeout is not None else 1.0)
        _wait_for(self._stream.fileno(), self._reader.fileno(), limit, read, write)

    def _drain(self) -> None:
        try:
            while len(self._reader.recv(4096)) == 4096:
                pass
        except OSError:
            pass  # nothing to drain


def _close_both(reader: socket.socket, writer: socket.socket) -> None:
    reader.close()
    writer.close()


def _wait_for(fd: int, wake_fd: int, timeout: float | None, read: bool, write: bool) -> None:
    if fd < 0:
        return
    if hasattr(select, "poll"):
        poller = select.poll()
        poller.register(wake_fd, select.POLLIN)
        poller.register(fd, (select.POLLIN if read else 0) | (select.POLLOUT if write else 0))
        poller.poll(None if timeout is None else max(0, int(timeout * 1000) + 1))
    else:
        select.select([wake_fd, fd] if read else [wake_fd], [fd] if write else [], [], timeout)
