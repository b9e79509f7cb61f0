"""One WebSocket for many threads: leader and followers.

Theory of operation
-------------------
* No thread of ours stands between the socket and a waiting caller. The thread that waits for an exchange becomes
  the *leader*, if there is none: it reads the socket, and what it reads ends up in the inboxes of all exchanges.
  It never decodes for others and never runs their callbacks.
* Other waiting threads are *followers*: each sleeps on a gate of its own, opened when its exchange changes, or
  when the leader, its own exchange served, hands leadership on.
* ``_lock`` guards session, transport and outgoing bytes; nobody waits for anything while holding it. The socket
  never blocks; the leader waits in a poll until the nearest deadline, on the socket and on a wake-up socket by
  which other threads interrupt it.
* Whoever sends writes as much as the socket takes; the leader, or the client's housekeeping thread, drains the
  rest.
* ``abandon`` and ``cancel`` may run anywhere, in a finalizer or a signal handler of a thread that holds the lock
  at that moment: they are *deferred* to whoever holds the lock, or has it next.
* While nobody waits, the housekeeping thread calls ``tick`` about once a second, so that pings are answered, a
  close is noticed and stalled channels are given up.
* A connection that has ended is *dropped*: nobody starts to use its socket any more, and whoever leads, or else
  whoever drops it, closes it. No thread closes a socket that another one reads.
* Ctrl-C may hit the main thread between any two bytecodes. Behind a system call it does no harm, for which
  ``byte_stream`` cares. While bytes become frames, or frames bytes, it leaves both in an unknown state: the link is
  lost, with that reason, rather than left hanging.
"""

from __future__ import annotations

import os
import threading
import weakref
from collections import deque
from collections.abc import Callable
from typing import Any, Final, TypeVar

from lmwire_runtime.addresses import Address
from lmwire_runtime.byte_stream import ByteStream, open_stream
from lmwire_runtime.connection import READ_SIZE, LinkCore, Settings, backlog_error, lost_error
from lmwire_runtime.errors import (
    CancelledError,
    ClosedError,
    LMWireError,
    RequestTimeoutError,
    UsageError,
)
from lmwire_runtime.exchanges import StallWatch
from lmwire_runtime.leadership import Leadership
from lmwire_runtime.poller import Poller
from lmwire_runtime.session import Channel, Exchange
from lmwire_runtime.transport import ClientTransport

__all__ = ["SyncLink"]

E = TypeVar("E", bound=Exchange)

# A thread that sends waits once this many bytes have not been taken by the peer.
SEND_BACKLOG: Final = 8 * 1024 * 1024
# The housekeeping thread reads at most this many chunks at a time, and a thread that is about to send so many.
TICK_READS: Final = 512
REFRESH_READS: Final = 32


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
        self._leadership = Leadership(self._lock, settings.clock)
        # Bytes that have arrived but were not fed yet, and bytes that wait to be sent.
        self._arrived: deque[bytes] = deque()
        self._backlog = bytearray()
        self._deferred: deque[Callable[[], object]] = deque()
        self._poller = Poller(stream)
        self._owner_pid = os.getpid()
        self._stall = StallWatch()
        # Closed or discarded by its user; dropped: the socket is of no more use, whoever ended it.
        self._closed = self._dropped = False
        # How many bytes the peer has taken, and whether it has stopped to take any.
        self._taken = 0
        self._stuck = False
        self._ticked_after_loss = False
        self._close_sockets = weakref.finalize(self, _close_both, stream, self._poller)

    @classmethod
    def connect(
        cls, address: Address, namespace: str, settings: Settings, begun: Callable[[SyncLink], None]
    ) -> SyncLink:
        """Connect, shake hands and authenticate.

        ``begun`` gets the link as soon as there is one, so that another thread can discard it.

        Raises:
            ConnectError: The server cannot be reached, or is no WebSocket server.
            AuthenticationError: It refused the credentials.
            ConnectionLostError: It ended the connection instead of answering the credentials.
            RequestTimeoutError: All of it together took longer than ``timeouts.connect``.
        """
        limit = settings.timeouts.connect
        deadline = None if limit is None else settings.clock.monotonic() + limit
        url = address.url(namespace)
        transport = ClientTransport(url, message_bytes=settings.limits.message_bytes)
        stream = open_stream(address, settings.ssl_context, limit)
        link = cls(stream, LinkCore(transport, namespace, settings), address, settings)
        try:
            begun(link)
            with link._lock:
                link._write()
            link._until(lambda: link.core.check_handshake(url), deadline)
            with link._lock:
                link.session.authenticate(settings.credentials.identifier, settings.credentials.passkey)
                link._write()
            link._until(lambda: link.core.check_authentication(url), deadline)
        except TimeoutError as error:
            link.discard()
            step = "authentication" if transport.open else "WebSocket handshake"
            message = f"{url} did not answer the {step} within {limit:g} s"
            raise RequestTimeoutError(message, seconds=limit or 0.0) from error
        except BaseException:
            link.discard()
            raise
        return link

    # What callers do.

    @property
    def usable(self) -> bool:
        """Whether a new exchange may start here: not lost, not closed, and the peer neither mute nor deaf."""
        return not (self.session.lost is not None or self._closed or self._stuck or self.session.mute)

    @property
    def _exiting(self) -> bool:
        """Whether it was the interpreter's exit that closed the sockets, under whoever still waits."""
        return self._stream.closed and not self._dropped

    @property
    def unsent(self) -> int:
        """How many bytes wait for the peer to take them."""
        return len(self._backlog)

    def refresh(self) -> bool:
        """Take in what has arrived while nobody waited, a close above all; returns ``usable``.

        Raises:
            UsageError: The process was forked after connecting.
        """
        self._check_process()
        if not self.usable:
            return False
        if not (self._stream.buffered or self._poller.readable()):
            return True
        self._sweep(REFRESH_READS)
        return self.usable

    def start(self, begin: Callable[[], E], limit: float | None) -> E:
        """Queue a request by ``begin`` (which calls the session) and send it.

        Raises:
            RequestTimeoutError: The peer has taken nothing of it for ``limit`` seconds.
            ConnectionLostError: The link had been lost; nothing was sent.
            ClosedError: The client was closed.
            UsageError: The request cannot be expressed on the wire.
        """
        exchange: E | None = None
        try:
            with self._lock:
                if self.session.lost is not None:
                    raise self._lost_error()
                exchange = begin()
                try:
                    self.core.encode_outgoing()
                except UsageError as error:
                    self.session.retract(exchange, error)
                    raise error.at(
                        self.session.namespace, exchange.endpoint, exchange.id
                    ) from error.__cause__
                self._write()
                exchange.request_end = self._taken + len(self._backlog)
            if self._backlog:
                self._relieve(exchange, limit)
        except BaseException:
            if exchange is not None:
                self.abandon(exchange, CancelledError("the request was interrupted"))
            raise
        return exchange

    def send(self, channel: Channel, message: Any, limit: float | None) -> bool:
        """Send a packet; returns False if the channel has ended.

        Raises:
            RequestTimeoutError: The peer has taken nothing for ``limit`` seconds; the channel was given up.
            UsageError: The packet cannot be expressed on the wire.
        """
        self._check_process()
        with self._lock:
            sent = self.session.send(channel, message)
            if sent:
                self.core.encode_outgoing()
            self._write()
        if self._backlog:
            self._relieve(channel, limit)
        return sent

    def cancel(self, channel: Channel) -> bool:
        """Ask the server to stop; returns False if the channel has ended or cannot be stopped. Never waits."""
        if channel.ended or channel.cancel_packet is None:
            return False
        self._defer(lambda: self.session.cancel(channel))
        return True

    def abandon(self, exchange: Exchange, error: LMWireError) -> None:
        """End an exchange from this side, with its cancel packet if it has one. Never waits."""
        self._defer(lambda: self.session.abandon(exchange, error))

    def apply(self, action: Callable[[], object]) -> None:
        """Do something with the session: now, or when whoever is at it has done. Never waits."""
        self._defer(action)

    def release(self, channel: Channel) -> None:
        """Stop following a channel whose result has arrived."""
        with self._lock:
            self.session.release(channel)
        self._poller.wake()

    def resume(self) -> None:
        """Look again whether reading has to stay paused; called after packets were taken while it was."""
        with self._lock:
            self.session.check_budgets()
            resumed = self.session.paused is None
        if resumed:
            self._poller.wake()

    def wait(self, exchange: Exchange, timeout: float | None) -> bool:
        """Wait until the exchange has a payload or has ended; returns False after ``timeout`` seconds of silence.

        A peer that goes on taking the request is not silent.
        """
        while True:
            taken, reads = self._taken, self.core.transport.reads
            deadline = None if timeout is None else self._clock.monotonic() + timeout
            try:
                self._until(lambda: bool(exchange.inbox) or exchange.ended, deadline, exchange)
                return True
            except TimeoutError:
                if not taken < min(exchange.request_end, self._taken):
                    self._stuck = self._stuck or bool(self._backlog) or self.core.lifeless(reads, timeout)
                    return False

    def close(self, reason: LMWireError | None = None) -> None:
        """Close: what is in flight ends with ``reason`` (by default ClosedError); the closing handshake is brief."""
        if os.getpid() != self._owner_pid:
            self._closed = self._dropped = True
            self._close_sockets()  # this process' copies of them; the connection is the parent's
            return
        if self._closed:
            return
        try:  # from the first step on: Ctrl-C must not leave half of it
            with self._lock:
                self._closed = True
                self.session.lose(reason or ClosedError("the client was closed"))
                self.core.transport.close()
                self._write()
            self._poller.wake()
            deadline = self._clock.monotonic() + self._settings.timeouts.close
            self._until(lambda: self.core.transport.closed or self._dropped, deadline)
        except TimeoutError:
            pass  # the peer does not answer the closing handshake: it is not needed
        finally:
            self.discard()

    def discard(self, reason: LMWireError | None = None) -> None:
        """Drop the connection at once; what is in flight ends with ``reason``."""
        with self._lock:
            self._closed = True
            self.session.lose(reason or ClosedError("the connection was dropped"))
            self._drop()

    def tick(self) -> bool:
        """Housekeeping: read while nobody waits, give up stalled channels.

        Returns whether bytes still wait to be sent, so that it should come again soon.
        """
        if os.getpid() != self._owner_pid or self._dropped:
            return False
        self._sweep(TICK_READS)
        self._check_stall()
        if self._backlog or self._deferred:
            with self._lock:
                self._write()
        if self.session.lost is not None:
            if self._ticked_after_loss:
                self.discard()  # the peer had its time to end a connection that it has closed
            self._ticked_after_loss = True
        return bool(self._backlog)

    # Leader and followers.

    def _until(
        self, done: Callable[[], bool], deadline: float | None, exchange: Exchange | None = None
    ) -> None:
        """Wait until ``done``, as leader or follower. Raises TimeoutError at the deadline."""
        self._check_process()
        try:
            while not done():
                if self._leadership.take():
                    self._lead(done, deadline)
                    return
                self._leadership.follow(done, deadline, exchange)
        finally:
            if self._leadership.mine:
                self._hand_over()

    def _sweep(self, reads: int) -> None:
        """Lead, if nobody does, for up to so many reads of what has arrived."""
        try:
            if self._leadership.take():
                while reads and self._pump():
                    reads -= 1
        finally:
            if self._leadership.mine:
                self._hand_over()

    def _lead(self, done: Callable[[], bool], deadline: float | None) -> None:
        while True:
            remaining = None if deadline is None else deadline - self._clock.monotonic()
            if self.session.paused is not None or not (self._arrived or self._stream.buffered):
                self._await_bytes(done, remaining)
            self._pump()
            if done():
                return
            if self._dropped:
                raise self._lost_error()
            if remaining is not None and remaining <= 0:
                raise TimeoutError  # though other exchanges may be served all the time

    def _await_bytes(self, done: Callable[[], bool], remaining: float | None) -> None:
        """Wait until there is something to do for the leader, for at most ``remaining`` seconds."""
        stall = self._check_stall()
        if stall is not None:
            remaining = stall if remaining is None else min(stall, remaining)
        with self._poller as poller:
            # Armed first: whatever another thread changes from here on wakes the poll.
            if not done() and not self._deferred:
                poller.wait(remaining, read=self.session.paused is None, write=bool(self._backlog))
        if self._backlog or self._deferred:
            with self._lock:
                self._write()

    def _hand_over(self) -> None:
        with self._lock:
            self._leadership.give_up()
            if self._dropped:
                self._close_sockets()
            elif self._deferred:
                self._write()

    # Bytes. Only the leader reads; whoever holds the lock writes.

    def _pump(self) -> bool:
        """Read once without blocking and feed it; returns False if there was nothing to read."""
        if self.session.paused is not None or self._dropped:
            return False
        try:
            if not self._arrived and (self._stream.buffered or self._poller.readable()):
                self._stream.receive(READ_SIZE, self._arrived)
        except OSError as error:
            if self._exiting and threading.current_thread() is not threading.main_thread():
                self._hand_over()
                threading.Event().wait()  # daemon threads end with the process; an error would only be printed
            with self._lock:
                self._end(lost_error(str(error), error))
            return True
        if not self._arrived:
            return False
        with self._lock:
            self._feed()
            self._write()
        return True

    def _feed(self) -> None:
        """Bring what has arrived to the exchanges; the lock is held."""
        transport = self.core.transport
        try:
            data = self._arrived.popleft()
            if data:
                self.core.feed(data)
            else:
                transport.receive_eof()
            self.core.check_ended()
        except BaseException:
            self._end(lost_error("its reader was interrupted"))
            raise
        if transport.closed:
            self._end(lost_error(transport.close_reason))

    def _defer(self, action: Callable[[], object]) -> None:
        """Do something that needs the lock: now, or by whoever holds it, perhaps this very thread further up."""
        self._deferred.append(action)
        if self._lock.acquire(blocking=False):
            try:
                self._write()
            finally:
                self._lock.release()
        self._poller.wake()

    def _write(self) -> None:
        """Do what was deferred, and write what can be written without blocking; the lock is held."""
        try:
            while self._deferred:
                self._deferred.popleft()()
            self._backlog += self.core.flush()
        except BaseException:
            self._end(lost_error("its writer was interrupted"))
            raise
        if not self._backlog or self._dropped:
            return
        if os.getpid() != self._owner_pid:
            self._backlog.clear()  # a forked process has no say in its parent's connection
            return
        unsent = len(self._backlog)
        try:
            while self._backlog and self._stream.send(self._backlog):
                pass
        except OSError as error:
            if not self._exiting:  # else reading finds it out
                self._end(lost_error(str(error), error))
        self._taken += unsent - len(self._backlog)

    def _relieve(self, exchange: Exchange, limit: float | None) -> None:
        """Hold back a thread that sends faster than the peer takes, as long as it takes something every now and then.

        Raises:
            RequestTimeoutError: It has taken nothing for ``limit`` seconds; the exchange was given up.
        """
        self._poller.wake()  # whoever leads has to write, too
        while len(self._backlog) > SEND_BACKLOG and not exchange.ended:
            taken = self._taken
            deadline = None if limit is None else self._clock.monotonic() + limit
            try:
                self._until(lambda: len(self._backlog) <= SEND_BACKLOG or exchange.ended, deadline)
            except TimeoutError:
                if self._taken == taken:
                    self._stuck = True
                    error = backlog_error(self.session, exchange, limit or 0.0, len(self._backlog))
                    self.abandon(exchange, error)
                    raise error from None

    def _end(self, error: LMWireError) -> None:
        """The network is gone: end everything; the lock is held."""
        self.core.transport.abort()
        self.session.lose(error)
        self._drop()

    def _drop(self) -> None:
        """Let go of the socket; the lock is held."""
        self._dropped = True
        self._backlog.clear()
        self._leadership.wake_all()
        if self._leadership.vacant:
            self._close_sockets()
        else:
            self._poller.wake()

    def _lost_error(self) -> LMWireError:
        return self.session.lost.copied() if self.session.lost else lost_error("it is no longer used")

    def _check_process(self) -> None:
        if os.getpid() != self._owner_pid:
            raise UsageError(
                "this client was connected before a fork; two processes cannot share its connection: create a new"
                " Client in the child process (a default client is made anew once it was closed)"
            )

    def _check_stall(self) -> float | None:
        """Give up the channel that has kept reading paused for too long.

        Returns after how many seconds to look again, None if there is nothing to look for.
        """
        if self.session.paused is None:
            self._stall.channel = None
            return None
        limit = self._settings.timeouts.stall
        with self._lock:
            left = self._stall.seconds_left(self.session.paused, limit, self._clock.monotonic())
            if limit is None or left is None or left > 0:
                return left
            self.session.drop_stalled(limit)
            self._write()
        self._poller.wake()
        return 0.0


def _close_both(stream: ByteStream, poller: Poller) -> None:
    stream.close()
    poller.close()
