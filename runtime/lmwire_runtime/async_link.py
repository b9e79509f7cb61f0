"""One WebSocket for many tasks: an ``asyncio.BufferedProtocol`` that feeds the session directly.

Theory of operation
-------------------
* The event loop calls ``buffer_updated``; what arrives ends up in the inboxes of all exchanges in that same
  call. There is no reader task and no queue of ours. A task that waits holds one future, which its exchange's
  change resolves.
* Deadlines share one timer: it is armed for the nearest one, and re-armed only when it fires or a nearer one
  appears, so that a fragment costs no timer.
* A link belongs to the event loop that made it, and is used from that loop only.
* Reading pauses while the session's budgets are exceeded; a channel that stays unread for the stall timeout
  is given up.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Callable
from functools import partial
from typing import Any, TypeAlias, TypeVar, cast

from lmwire_runtime.addresses import Address
from lmwire_runtime.async_time import LONGEST, within
from lmwire_runtime.byte_stream import tune
from lmwire_runtime.connection import READ_SIZE, LinkCore, Settings, backlog_error, lost_error
from lmwire_runtime.errors import (
    CancelledError,
    ClosedError,
    ConnectError,
    ConnectionLostError,
    LMWireError,
    RequestTimeoutError,
    StateError,
    UsageError,
)
from lmwire_runtime.exchanges import StallWatch
from lmwire_runtime.poller import is_readable
from lmwire_runtime.session import Channel, Exchange
from lmwire_runtime.transport import ClientTransport

__all__ = ["AsyncLink"]

E = TypeVar("E", bound=Exchange)

Waiter: TypeAlias = "asyncio.Future[bool]"
"""What one task waits for: True when it is woken, False after its deadline."""


class AsyncLink(asyncio.BufferedProtocol):
    """An established, authenticated WebSocket. Made by ``AsyncLink.connect``."""

    def __init__(self, core: LinkCore, address: Address, settings: Settings) -> None:
        self.core = core
        self.session = core.session
        self.address = address
        self.loop = asyncio.get_running_loop()
        self._settings = settings
        self._clock = settings.clock
        self._transport: asyncio.Transport | None = None
        self._socket: socket.socket | None = None
        self._closed = False
        # Who waits, with deadlines, and the one timer that serves them.
        self._deadlines: dict[Waiter, float] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._timer_due = 0.0
        self._buffer = memoryview(bytearray(READ_SIZE))
        # While connecting, and while closing: resolved by whatever arrives.
        self._progress: asyncio.Future[None] | None = None
        # Whether the peer takes too little, who waits for that to change, how much was ever written, and whether the
        # peer has stopped to take any.
        self._choked = False
        self._choked_waiters: set[Waiter] = set()
        self._written = 0
        self._stuck = False
        self._reading = True
        self._stall = StallWatch()
        self._stall_timer: asyncio.TimerHandle | None = None
        self._end_timer: asyncio.TimerHandle | None = None

    @classmethod
    async def connect(
        cls, address: Address, namespace: str, settings: Settings, begun: Callable[[AsyncLink], None]
    ) -> AsyncLink:
        """Connect, shake hands and authenticate; raises as ``SyncLink.connect`` does."""
        limit = settings.timeouts.connect
        url = address.url(namespace)
        core = LinkCore(
            ClientTransport(url, message_bytes=settings.limits.message_bytes), namespace, settings
        )
        link = cls(core, address, settings)
        begun(link)
        try:
            await within(link._establish(url), limit, settings.clock)
        except TimeoutError as error:
            link.discard()
            raise RequestTimeoutError(
                f"{url} {link._missing_step()} within {limit:g} s", seconds=limit or 0.0
            ) from error
        except BaseException:
            link.discard()
            raise
        return link

    async def _establish(self, url: str) -> None:
        address, settings = self.address, self._settings
        tls: dict[str, Any] = {}
        if address.secure:
            from lmwire_runtime.tls_stream import default_ssl_context

            tls = {
                "ssl": settings.ssl_context or default_ssl_context(),
                "server_hostname": address.server_name,
            }
        try:
            await self.loop.create_connection(lambda: self, address.connect_host, address.port, **tls)
        except (OSError, ValueError) as error:
            raise ConnectError(f"{address} cannot be reached: {error}", address=str(address)) from error
        self._check_open()
        self._write()
        while not self.core.check_handshake(url):
            await self._next_progress()
            self._check_open()
        self.session.authenticate(settings.credentials.identifier, settings.credentials.passkey)
        self._write()
        while not self.core.check_authentication(url):
            await self._next_progress()

    def _check_open(self) -> None:
        if self._closed:
            raise ClosedError("the client was closed")

    def _missing_step(self) -> str:
        if self._transport is None:
            return "did not accept a connection"
        return f"did not answer the {'authentication' if self.core.transport.open else 'WebSocket handshake'}"

    # What callers do.

    @property
    def in_its_loop(self) -> bool:
        """Whether the caller runs in the event loop that this link belongs to."""
        return _running_loop() is self.loop

    @property
    def usable(self) -> bool:
        """Whether a new exchange may start here: not lost, not closed, and the peer neither mute nor deaf."""
        return not (self.session.lost is not None or self._closed or self._stuck or self.session.mute)

    @property
    def unsent(self) -> int:
        """How many bytes wait for the peer to take them."""
        return 0 if self._transport is None else self._transport.get_write_buffer_size()

    @property
    def _taken(self) -> int:
        return self._written - self.unsent

    async def refresh(self) -> bool:
        """Take in what has arrived while the program kept the event loop from running; returns ``usable``."""
        if self.usable and self._socket is not None and is_readable(self._socket.fileno()):
            # The loop looks at its sockets in the first turn, and calls us back for them before the second.
            await asyncio.sleep(0)
            await asyncio.sleep(0)
        return self.usable

    async def start(self, begin: Callable[[], E], limit: float | None) -> E:
        """Queue a request by ``begin`` (which calls the session) and send it; raises as ``SyncLink.start`` does."""
        if self.session.lost is not None:
            raise self.session.lost.copied()
        exchange = begin()
        try:
            self.core.encode_outgoing()
        except UsageError as error:
            self.session.retract(exchange, error)
            raise error.at(self.session.namespace, exchange.endpoint, exchange.id) from error.__cause__
        self._write()
        exchange.request_end = self._written if self.unsent else 0
        if self._choked:
            try:
                await self._drain(exchange, limit)
            except BaseException:
                self.abandon(exchange, CancelledError("the request was interrupted"))
                raise
        return exchange

    async def send(self, channel: Channel, message: Any, limit: float | None) -> bool:
        """Send a packet; returns False if the channel has ended.

        Waits while the peer does not take what was sent before.

        Raises:
            RequestTimeoutError: The peer has taken nothing for ``limit`` seconds; the channel was given up.
            UsageError: The packet cannot be expressed on the wire.
        """
        sent = self.session.send(channel, message)
        if sent:
            self.core.encode_outgoing()
        self._write()
        await self._drain(channel, limit)
        return sent

    def cancel(self, channel: Channel) -> bool:
        """Ask the server to stop; returns False if the channel has ended or cannot be stopped. Never waits."""
        if channel.ended or channel.cancel_packet is None:
            return False
        self._in_loop(self._cancel, channel)
        return True

    async def _drain(self, exchange: Exchange, limit: float | None) -> None:
        """Wait while the peer takes too little of what was sent, as long as it takes something every now and then.

        Raises:
            RequestTimeoutError: It has taken nothing for ``limit`` seconds; the exchange was given up.
        """
        while self._choked and not exchange.ended:
            taken = self._taken
            if not await self._until_unchoked(exchange, limit) and self._taken <= taken:
                self._stuck = True
                error = backlog_error(self.session, exchange, limit or 0.0, self.unsent)
                self.abandon(exchange, error)
                raise error

    async def _until_unchoked(self, exchange: Exchange, limit: float | None) -> bool:
        """Wait until the peer takes data again, or the exchange changes; returns False after ``limit`` seconds."""
        waiter: Waiter = self.loop.create_future()
        wake = partial(_wake, waiter)
        if exchange.on_change is None:  # else another task waits for it
            exchange.on_change = wake
        self._choked_waiters.add(waiter)
        if limit is not None:
            self._watch(waiter, self._clock.monotonic() + limit)
        try:
            return await waiter
        finally:
            if exchange.on_change is wake:
                exchange.on_change = None
            self._choked_waiters.discard(waiter)
            self._deadlines.pop(waiter, None)

    def abandon(self, exchange: Exchange, error: LMWireError) -> None:
        """End an exchange from this side, with its cancel packet if it has one. Never waits.

        Finalizers come here too, perhaps after the event loop, or in another thread.
        """
        self._in_loop(self._abandon, exchange, error)

    def apply(self, action: Callable[[], object]) -> None:
        """Do something with the session: now, or as soon as the link's event loop runs. Never waits."""
        self._in_loop(self._apply, action)

    def release(self, channel: Channel) -> None:
        """Stop following a channel whose result has arrived."""
        self.session.release(channel)
        self._adjust_reading()

    def resume(self) -> None:
        """Look again whether reading has to stay paused; called after packets were taken while it was."""
        self.session.check_budgets()
        self._adjust_reading()

    async def wait(self, exchange: Exchange, timeout: float | None) -> bool:
        """Wait until the exchange has a payload or has ended; returns False if ``timeout`` seconds passed in
        silence.

        A peer that goes on taking the request is not silent.
        """
        if exchange.inbox or exchange.ended:
            return True
        taken, reads = self._taken if exchange.request_end else 0, self.core.transport.reads
        waiter: Waiter = self.loop.create_future()
        exchange.on_change = partial(_wake, waiter)
        try:
            if timeout is not None:
                self._watch(waiter, self._clock.monotonic() + timeout)
            in_time = await waiter
        except RuntimeError:  # asyncio's own, about loops; asked for when it comes, so that nobody else pays
            self._check_loop()
            raise
        finally:
            exchange.on_change = None
            self._deadlines.pop(waiter, None)
        if not in_time:
            if taken < min(exchange.request_end, self._taken):
                return await self.wait(exchange, timeout)
            self._stuck = self._stuck or self.unsent > 0 or self.core.lifeless(reads, timeout)
        return in_time

    def _check_loop(self) -> None:
        """Refuse to serve another event loop; what was in flight when the link's own one ended is lost.

        Raises:
            ConnectionLostError: The link's event loop has ended.
            StateError: It has not, but the caller runs in another one.
        """
        if self.in_its_loop:
            return
        if not self.loop.is_closed():
            raise StateError("this request was started in another event loop, and has to be read there")
        error = ConnectionLostError("the event loop in which the connection was made has ended")
        self.session.lose(error)
        raise error

    async def close(self, reason: LMWireError | None = None) -> None:
        """Close: what is in flight ends with ``reason`` (by default ClosedError); the closing handshake is brief."""
        if self._closed:
            return
        self._closed = True
        self.session.lose(reason or ClosedError("the client was closed"))
        self._adjust_reading()
        self.core.transport.close()
        try:
            self._write()
            await within(self._until_closed(), self._settings.timeouts.close, self._clock)
        except TimeoutError:
            pass  # the peer does not answer the closing handshake: it is not needed
        finally:
            self.discard()

    def discard(self, reason: LMWireError | None = None) -> None:
        """Drop the connection at once; what is in flight ends with ``reason``."""
        self._closed = True
        self._in_loop(self._discard, reason or ClosedError("the connection was dropped"))

    def _discard(self, reason: LMWireError) -> None:
        self.session.lose(reason)
        self._cancel_timers()
        if self._transport is not None:
            self._transport.abort()

    def _cancel(self, channel: Channel) -> None:
        self.session.cancel(channel)
        self._write()

    def _apply(self, action: Callable[[], object]) -> None:
        action()
        self._write()

    def _abandon(self, exchange: Exchange, error: LMWireError) -> None:
        self.session.abandon(exchange, error)
        self._adjust_reading()
        self._write()

    def _in_loop(self, action: Callable[..., None], *arguments: Any) -> None:
        """Do something now if this is the link's event loop, else as soon as that loop runs; never, if it is closed."""
        if self.in_its_loop:
            action(*arguments)
            return
        # Without its loop nobody can wait for this link, nor can it send.
        with contextlib.suppress(RuntimeError):
            self.loop.call_soon_threadsafe(action, *arguments)

    async def _until_closed(self) -> None:
        while not self.core.transport.closed:
            await self._next_progress()

    async def _next_progress(self) -> None:
        self._progress = self.loop.create_future()
        try:
            await self._progress
        finally:
            self._progress = None

    # What the event loop calls.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._socket = sock = transport.get_extra_info("socket")
        if sock is not None:
            tune(sock)

    def get_buffer(self, sizehint: int) -> memoryview:
        return self._buffer

    def buffer_updated(self, nbytes: int) -> None:
        self.core.feed(bytes(self._buffer[:nbytes]))
        self._received()

    def eof_received(self) -> bool:
        self.core.transport.receive_eof()
        self._received()
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.core.transport.closed:
            self.core.transport.abort()
        self.session.lose(lost_error(str(exc or self.core.transport.close_reason), exc))
        self._cancel_timers()
        self.resume_writing()
        self._report_progress()

    def pause_writing(self) -> None:
        self._choked = True

    def resume_writing(self) -> None:
        self._choked = False
        for waiter in self._choked_waiters:
            _wake(waiter)

    def _received(self) -> None:
        self.core.check_ended()
        self._write()
        self._report_progress()
        self._adjust_reading()
        if self.core.transport.closed and self._transport is not None:
            self._transport.close()
        if self.session.lost is not None and self._end_timer is None:
            # The peer has its time to end a connection that it has closed, and to take what was sent before.
            self._end_timer = self.loop.call_later(self._settings.timeouts.close, self.discard)

    def _report_progress(self) -> None:
        if self._progress is not None and not self._progress.done():
            self._progress.set_result(None)

    def _write(self) -> None:
        data = self.core.flush()
        if data and self._transport is not None and not self._transport.is_closing():
            self._written += len(data)
            self._transport.write(data)

    # Deadlines and budgets.

    def _watch(self, waiter: Waiter, deadline: float) -> None:
        self._deadlines[waiter] = deadline
        if self._timer is None or deadline < self._timer_due:
            self._arm(deadline)

    def _arm(self, deadline: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        left = min(max(deadline - self._clock.monotonic(), 0.0), LONGEST)
        self._timer_due = self._clock.monotonic() + left
        self._timer = self.loop.call_later(left, self._expire)

    def _expire(self) -> None:
        self._timer = None
        now = self._clock.monotonic()
        for waiter, deadline in list(self._deadlines.items()):
            if deadline <= now and not waiter.done():
                waiter.set_result(False)
                del self._deadlines[waiter]
        if self._deadlines:
            self._arm(min(self._deadlines.values()))

    def _cancel_timers(self) -> None:
        for timer in (self._timer, self._stall_timer, self._end_timer):
            if timer is not None:
                timer.cancel()
        self._timer = self._stall_timer = self._end_timer = None

    def _adjust_reading(self) -> None:
        """Read while the session's budgets hold, and watch the channel that keeps reading paused."""
        channel = self.session.paused
        if self._transport is not None and not self._transport.is_closing():
            if channel is None and not self._reading:
                self._reading = True
                self._transport.resume_reading()
            elif channel is not None and self._reading:
                self._reading = False
                self._transport.pause_reading()
        if channel is not None and self._stall_timer is None:
            self._check_stall()

    def _check_stall(self) -> None:
        """Give up the channel that has kept reading paused for too long; comes again while one does."""
        self._stall_timer = None
        limit = self._settings.timeouts.stall
        left = self._stall.seconds_left(self.session.paused, limit, self._clock.monotonic())
        if limit is None or left is None:
            return
        if left > 0:
            self._stall_timer = self.loop.call_later(min(left, LONGEST), self._check_stall)
            return
        self.session.drop_stalled(limit)
        self._write()
        self._adjust_reading()


def _running_loop() -> asyncio.AbstractEventLoop | None:
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None


def _wake(waiter: Waiter) -> None:
    if not waiter.done():
        waiter.set_result(True)
