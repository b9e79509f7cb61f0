"""Signals of the asyncio shell: what tasks hold. ``sync_signals`` has the same names for threads, and docstrings."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from functools import partial
from types import TracebackType
from typing import Any, Generic, TypeVar

from lmwire_runtime.async_link import AsyncLink
from lmwire_runtime.async_shell import AsyncConnection, wait_for_answer
from lmwire_runtime.connection import silence_error
from lmwire_runtime.descriptors import SignalDescriptor
from lmwire_runtime.errors import CancelledError, ConnectionLostError, LMWireError
from lmwire_runtime.js_values import same
from lmwire_runtime.limits import Timeout
from lmwire_runtime.signal_core import CLOSED, RECOVERIES, SignalCore, SignalUpdate, checked_tags
from lmwire_runtime.signal_session import MISSING, Snapshot, Subscription, Watch
from lmwire_runtime.wire import UNSET

__all__ = ["AsyncSignal", "AsyncSignalUpdates", "AsyncSignalValues", "AsyncWritableSignal", "SignalUpdate"]

C = TypeVar("C")
T = TypeVar("T")


class AsyncSignal(SignalCore[T, AsyncLink]):
    """A value that the server keeps up to date, for tasks; see ``SyncSignal``."""

    def __init__(
        self,
        connection: AsyncConnection,
        descriptor: SignalDescriptor[C, T],
        creation: C,
        *,
        timeout: Timeout = UNSET,
    ) -> None:
        super().__init__(descriptor, creation, timeout, connection.core.settings)
        self._connection = connection
        self._opening = _LoopLock()

    async def start(self) -> Subscription:
        """Subscribe, unless it is."""
        return (await self._live())[1]

    async def get(self) -> T:
        """Return the current value; waits for the first one. Raises as ``SyncSignal.get`` does."""
        return (await self._current())[2]

    async def pull(self) -> T:
        """Fetch the value anew, by a subscription for this purpose; raises as ``get`` does."""
        link, subscription = await self._begin()
        try:
            return (await self.next_of(link, await self._watch(link, subscription), self.limit))[0]
        finally:
            link.abandon(subscription, CLOSED.copied())

    def updates(self, *, timeout: float | None = None) -> AsyncSignalUpdates[T]:
        """Iterate over values and their tags; see ``SyncSignal.updates``."""
        return AsyncSignalUpdates(self, timeout)

    def __aiter__(self) -> AsyncIterator[T]:
        return AsyncSignalValues(self, None)

    async def close(self) -> None:
        """Unsubscribe, as ``close_now``; a coroutine for symmetry with other closers."""
        self.close_now()

    async def __aenter__(self) -> AsyncSignal[T]:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close_now()

    # For readers and writers.

    async def watch(self) -> tuple[AsyncLink, Watch]:
        """Begin to wait for snapshots, subscribing if need be."""
        for _ in range(RECOVERIES - 1):
            try:
                link, subscription = await self._live()
                return link, await self._watch(link, subscription)
            except ConnectionLostError:
                pass  # a moment ago
        link, subscription = await self._live()
        return link, await self._watch(link, subscription)

    async def _watch(self, link: AsyncLink, subscription: Subscription) -> Watch:
        return await link.start(lambda: link.session.signals.watch(subscription), self.limit)

    async def _live(self) -> tuple[AsyncLink, Subscription]:
        async with self._opening.of_this_loop():
            link, subscription = self._link, self._subscription
            if link is not None and subscription is not None and link.loop is asyncio.get_running_loop():
                await link.refresh()
                if not subscription.ended:
                    return link, subscription
            self._link, self._subscription = link, subscription = await self._begin()
            return link, subscription

    async def _begin(self) -> tuple[AsyncLink, Subscription]:
        link = await self._connection.link(self.limit)
        begun = await link.start(lambda: self._subscribe(link.session), self.limit)
        return link, begun

    async def next_of(self, link: AsyncLink, watch: Watch, limit: float | None) -> tuple[T, Snapshot]:
        """Wait for the next snapshot of a watch; raises as ``SyncSignal.next_of`` does."""
        while True:
            if not await link.wait(watch, limit):
                raise silence_error(link.session, watch, limit or 0.0, link.unsent)
            if watch.inbox:
                taken = self._taken(link, watch)
                if taken is not None:
                    return taken
            elif watch.ended:
                raise watch.error or CLOSED.copied()

    async def _current(self) -> tuple[AsyncLink, Watch, T, Snapshot]:
        link, watch = await self.watch()
        try:
            value, snapshot = await self.next_of(link, watch, self.limit)
            return link, watch, value, snapshot
        finally:
            link.abandon(watch, CLOSED.copied())


class AsyncWritableSignal(AsyncSignal[T]):
    """A signal whose value clients may change, for tasks; see ``SyncWritableSignal``."""

    def __init__(
        self,
        connection: AsyncConnection,
        descriptor: SignalDescriptor[C, T],
        creation: C,
        *,
        timeout: Timeout = UNSET,
    ) -> None:
        super().__init__(connection, descriptor, creation, timeout=timeout)
        self._writing = _LoopLock()

    async def set(self, value: T, *, tags: Sequence[str] = ()) -> None:
        """Change the value, and wait until the server has confirmed it; see ``SyncWritableSignal.set``."""
        await self.update(lambda _: value, tags=tags)

    async def update(self, change: Callable[[T], T], *, tags: Sequence[str] = ()) -> T:
        """Change the value to what ``change`` makes of the current one; see ``SyncWritableSignal.update``."""
        checked = checked_tags(tags)
        async with self._writing.of_this_loop():
            while True:
                link, watch, value, snapshot = await self._current()
                work = self._change(value, snapshot, change)
                begin = partial(self._write, link.session, watch.subscription, work, checked)
                write = await link.start(begin, self.limit)
                if not write.stale:
                    break
            await wait_for_answer(link, write, self.limit)
        if write.error is not None:
            raise write.error
        return work.value

    async def __aenter__(self) -> AsyncWritableSignal[T]:
        await self.start()
        return self


class _LoopLock:
    """A lock for the tasks of one event loop at a time; a later loop gets another one."""

    def __init__(self) -> None:
        self._loop: asyncio.AbstractEventLoop | None = None
        self._lock = asyncio.Lock()

    def of_this_loop(self) -> asyncio.Lock:
        loop = asyncio.get_running_loop()
        if self._loop is not loop:
            self._loop, self._lock = loop, asyncio.Lock()
        return self._lock


class _Reader(Generic[T]):
    """Somebody who reads a signal, over lost connections."""

    def __init__(self, signal: AsyncSignal[T], timeout: float | None) -> None:
        self._signal = signal
        self._timeout = timeout
        self._link: AsyncLink | None = None
        self._watch: Watch | None = None
        self._last: Any = MISSING
        self._ended = False

    async def _next(self) -> tuple[T, Snapshot]:
        """Return the next value; raises StopAsyncIteration once the signal was closed by its user."""
        if self._ended:
            raise StopAsyncIteration
        for attempt in range(RECOVERIES):
            if self._watch is None:
                self._last = MISSING
                self._link, self._watch = await self._signal.watch()
            link, watch = self._link, self._watch
            assert link is not None
            limit = self._timeout if self._last is not MISSING else self._signal.limit
            try:
                return await self._read(link, watch, limit)
            except ConnectionLostError:
                if attempt == RECOVERIES - 1:
                    raise
            except CancelledError:
                self._ended = True
                raise StopAsyncIteration from None
        raise AssertionError("the last attempt returns or raises")

    async def _read(self, link: AsyncLink, watch: Watch, limit: float | None) -> tuple[T, Snapshot]:
        try:
            return await self._signal.next_of(link, watch, limit)
        except LMWireError:
            if watch.ended:
                self._watch = None
            raise

    def close(self) -> None:
        """Read no more."""
        self._ended = True
        link, watch = self._link, self._watch
        if link is not None and watch is not None and not watch.ended:
            link.abandon(watch, CLOSED.copied())

    def __del__(self) -> None:
        if getattr(self, "_watch", None) is not None:
            self.close()


class AsyncSignalUpdates(_Reader[T], AsyncIterator[SignalUpdate[T]]):
    """Values of a signal with their tags."""

    async def __anext__(self) -> SignalUpdate[T]:
        value, snapshot = await self._next()
        self._last = snapshot.value
        return SignalUpdate(value, snapshot.tags)


class AsyncSignalValues(_Reader[T], AsyncIterator[T]):
    """Values of a signal, each another than the one before it."""

    async def __anext__(self) -> T:
        while True:
            value, snapshot = await self._next()
            last, self._last = self._last, snapshot.value
            if last is MISSING or not same(last, snapshot.value):
                return value
