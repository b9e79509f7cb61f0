"""Signals of the synchronous shell; ``async_signals`` has the same names for tasks.

A signal may be shared between threads, each with a loop of its own. It is subscribed to once for all of them.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from types import TracebackType
from typing import Any, Generic, TypeVar

from lmwire_runtime.connection import silence_error
from lmwire_runtime.descriptors import SignalDescriptor
from lmwire_runtime.errors import CancelledError, ConnectionLostError, LMWireError
from lmwire_runtime.js_values import same
from lmwire_runtime.limits import Timeout
from lmwire_runtime.signal_core import CLOSED, RECOVERIES, SignalCore, SignalUpdate, checked_tags
from lmwire_runtime.signal_session import MISSING, Snapshot, Subscription, Watch
from lmwire_runtime.sync_link import SyncLink
from lmwire_runtime.sync_shell import SyncConnection, wait_for_answer
from lmwire_runtime.wire import UNSET

__all__ = ["SignalUpdate", "SyncSignal", "SyncSignalUpdates", "SyncSignalValues", "SyncWritableSignal"]

C = TypeVar("C")
T = TypeVar("T")


class SyncSignal(SignalCore[T, SyncLink]):
    """A value that the server keeps up to date: a context manager, and iterable: the current value, then each change.

    It is subscribed to by its first use, and unsubscribed by ``close`` or by leaving the ``with`` block. A reader that
    is slower than the changes gets the newest value and misses those between. After a lost connection readers go on
    with the value that the server has then.

    Args:
        connection: The namespace's connection.
        descriptor: The endpoint.
        creation: Its creation parameter; None for void ones.
        timeout: Seconds to wait for the first value, None for no limit; by default the client's ``timeouts.rpc``.
    """

    def __init__(
        self,
        connection: SyncConnection,
        descriptor: SignalDescriptor[C, T],
        creation: C,
        *,
        timeout: Timeout = UNSET,
    ) -> None:
        super().__init__(descriptor, creation, timeout, connection.core.settings)
        self._connection = connection
        self._opening = threading.Lock()

    def start(self) -> Subscription:
        """Subscribe, unless it is."""
        return self._live()[1]

    def get(self) -> T:
        """Return the current value; waits for the first one.

        Raises:
            SignalError: The server has ended the signal with an error.
            UnsupportedEndpointError, RefusedRequestError: It does not have it, or refused the creation parameter.
            ProtocolMismatchError: The value does not fit the schema.
            RequestTimeoutError, ConnectError, ConnectionLostError, AuthenticationError: See there.
        """
        return self._current()[2]

    def pull(self) -> T:
        """Fetch the value anew, by a subscription for this purpose; raises as ``get`` does."""
        link, subscription = self._connection.begin(self._subscribe, self.limit)
        try:
            watch = link.start(partial(link.session.signals.watch, subscription), self.limit)
            return self.next_of(link, watch, self.limit)[0]
        finally:
            link.abandon(subscription, CLOSED.copied())

    def updates(self, *, timeout: float | None = None) -> SyncSignalUpdates[T]:
        """Iterate over values and their tags, the current value first.

        Args:
            timeout: Seconds to wait for each change, None for no limit. The iterator can go on after a timeout.
        """
        return SyncSignalUpdates(self, timeout)

    def __iter__(self) -> Iterator[T]:
        return SyncSignalValues(self, None)

    def close(self) -> None:
        """Unsubscribe, as ``close_now``."""
        self.close_now()

    def __enter__(self) -> SyncSignal[T]:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close_now()

    # For readers and writers.

    def watch(self) -> tuple[SyncLink, Watch]:
        """Begin to wait for snapshots, subscribing if need be."""
        for _ in range(RECOVERIES - 1):
            link, subscription = self._live()
            try:
                return link, self._watch(link, subscription)
            except ConnectionLostError:
                pass  # a moment ago
        link, subscription = self._live()
        return link, self._watch(link, subscription)

    def _watch(self, link: SyncLink, subscription: Subscription) -> Watch:
        return link.start(lambda: link.session.signals.watch(subscription), self.limit)

    def _live(self) -> tuple[SyncLink, Subscription]:
        with self._opening:
            link, subscription = self._link, self._subscription
            if link is not None and subscription is not None:
                link.refresh()
                if not subscription.ended:
                    return link, subscription
            link, subscription = self._connection.begin(self._subscribe, self.limit)
            self._link, self._subscription = link, subscription
            return link, subscription

    def next_of(self, link: SyncLink, watch: Watch, limit: float | None) -> tuple[T, Snapshot]:
        """Wait for the next snapshot of a watch.

        Raises:
            RequestTimeoutError: There was none within ``limit`` seconds; the watch goes on.
            LMWireError: What ended the watch.
        """
        while True:
            if not link.wait(watch, limit):
                raise silence_error(link.session, watch, limit or 0.0, link.unsent)
            if watch.inbox:
                taken = self._taken(link, watch)
                if taken is not None:
                    return taken
            elif watch.ended:
                raise watch.error or CLOSED.copied()

    def _current(self) -> tuple[SyncLink, Watch, T, Snapshot]:
        link, watch = self.watch()
        try:
            return link, watch, *self.next_of(link, watch, self.limit)
        finally:
            link.abandon(watch, CLOSED.copied())


class SyncWritableSignal(SyncSignal[T]):
    """A signal whose value clients may change. Changes of one such object are sent one after the other."""

    def __init__(
        self,
        connection: SyncConnection,
        descriptor: SignalDescriptor[C, T],
        creation: C,
        *,
        timeout: Timeout = UNSET,
    ) -> None:
        super().__init__(connection, descriptor, creation, timeout=timeout)
        self._writing = threading.Lock()

    def set(self, value: T, *, tags: Sequence[str] = ()) -> None:
        """Change the value, and wait until the server has confirmed it; readers of this object see it at once.

        Args:
            value: The new value.
            tags: What everybody who observes the signal is told with the change.

        Raises:
            RefusedRequestError: The server did not take the change; readers see the old value again.
            RequestTimeoutError: It did not answer. The change may have been made all the same.
            ConnectionLostError: The connection was lost meanwhile. The change may have been made all the same.
            UsageError: The value cannot be sent.
            LMWireError: What ``get`` raises.
        """
        self.update(lambda _: value, tags=tags)

    def update(self, change: Callable[[T], T], *, tags: Sequence[str] = ()) -> T:
        """Change the value to what ``change`` makes of the current one, and return that; otherwise as ``set``.

        ``change`` may alter what it is given and return it. It is called again if the value has changed meanwhile, and
        must not write to this signal itself.
        """
        checked = checked_tags(tags)
        with self._writing:
            while True:
                link, watch, value, snapshot = self._current()
                work = self._change(value, snapshot, change)
                begin = partial(self._write, link.session, watch.subscription, work, checked)
                write = link.start(begin, self.limit)
                if not write.stale:
                    break
            wait_for_answer(link, write, self.limit)
        if write.error is not None:
            raise write.error
        return work.value

    def __enter__(self) -> SyncWritableSignal[T]:
        self.start()
        return self


class _Reader(Generic[T]):
    """Somebody who reads a signal, over lost connections."""

    def __init__(self, signal: SyncSignal[T], timeout: float | None) -> None:
        self._signal = signal
        self._timeout = timeout
        self._link: SyncLink | None = None
        self._watch: Watch | None = None
        self._last: Any = MISSING
        self._ended = False

    def _next(self) -> tuple[T, Snapshot]:
        """Return the next value; raises StopIteration once the signal was closed by its user."""
        if self._ended:
            raise StopIteration
        for attempt in range(RECOVERIES):
            if self._watch is None:
                self._last = MISSING
                self._link, self._watch = self._signal.watch()
            link, watch = self._link, self._watch
            assert link is not None
            limit = self._timeout if self._last is not MISSING else self._signal.limit
            try:
                return self._read(link, watch, limit)
            except ConnectionLostError:
                if attempt == RECOVERIES - 1:
                    raise
            except CancelledError:
                self._ended = True
                raise StopIteration from None
        raise AssertionError("the last attempt returns or raises")

    def _read(self, link: SyncLink, watch: Watch, limit: float | None) -> tuple[T, Snapshot]:
        try:
            return self._signal.next_of(link, watch, limit)
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


class SyncSignalUpdates(_Reader[T], Iterator[SignalUpdate[T]]):
    """Values of a signal with their tags."""

    def __next__(self) -> SignalUpdate[T]:
        value, snapshot = self._next()
        self._last = snapshot.value
        return SignalUpdate(value, snapshot.tags)


class SyncSignalValues(_Reader[T], Iterator[T]):
    """Values of a signal, each another than the one before it."""

    def __next__(self) -> T:
        while True:
            value, snapshot = self._next()
            last, self._last = self._last, snapshot.value
            if last is MISSING or not same(last, snapshot.value):
                return value
