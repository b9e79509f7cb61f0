"""Channels beside those of text and loads, driven by plans of the compiler: operations, which tell packets and have one
result, and events, which go on until somebody ends them.

An operation calls the caller's functions with what its packets tell, and yields these packets to whoever iterates it.
Everything that ends it early (``cancel``, leaving the loop or the context, Ctrl-C, task cancellation, a callback that
raises) asks the server to stop, where its endpoint has a packet for that; elsewhere it only stops following.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Generator, Iterable, Iterator, Mapping, Sequence
from typing import Any, TypeVar, cast

import attrs

from lmwire_runtime.async_shell import AsyncConnection
from lmwire_runtime.channel_core import ChannelCore
from lmwire_runtime.errors import CancelledError
from lmwire_runtime.limits import Timeout
from lmwire_runtime.surface.handles import check_callback
from lmwire_runtime.surface.inputs import Input, checked, variables_of
from lmwire_runtime.surface.progress import ProgressMeter
from lmwire_runtime.surface.stream_core import StreamCore
from lmwire_runtime.surface.stream_plans import Opening, Request
from lmwire_runtime.surface.streams import AsyncStream, SyncStream
from lmwire_runtime.sync_shell import SyncConnection
from lmwire_runtime.wrong_shell import ForTasks, ForThreads

__all__ = [
    "AsyncEvents",
    "AsyncOperation",
    "EventsPlan",
    "OperationPlan",
    "SyncEvents",
    "SyncOperation",
    "Told",
]

E = TypeVar("E")
R = TypeVar("R")


@attrs.frozen(kw_only=True, eq=False)
class Told:
    """What becomes of one kind of packet that is no result.

    Attributes:
        callback: The parameter with the function that is told.
        attributes: Of the packet, what the function is called with; None for the packet itself.
        rising: Whether only numbers that rise are passed on, from 0.0 to 1.0.
    """

    callback: str
    attributes: tuple[str, ...] | None
    rising: bool = False


@attrs.frozen(kw_only=True, eq=False)
class _ChannelPlan(Opening):
    """What opens a channel: its creation parameter as a template, UNSET if it is void, and what that is filled with."""

    template: Any
    inputs: Mapping[str, Input]

    def request(
        self, given: Mapping[str, Any], timeout: Timeout, options: Sequence[Mapping[str, Any]] = ()
    ) -> Request:
        """Return the request of what a caller gave.

        Raises:
            UsageError: A value is of the wrong kind, or the request does not fit the schema.
        """
        request = Request(variables=variables_of(self.inputs, given), fields=options, timeout=timeout)
        checked(self.descriptor, self.descriptor.creation, request.creation(self))
        return request


@attrs.frozen(kw_only=True, eq=False)
class OperationPlan(_ChannelPlan):
    """What an operation takes, and what its packets mean.

    Attributes:
        tells: Packet classes that are told and yielded.
        result: The packet class that ends it; None if the server's close does.
        attribute: Of that packet, what is returned: the packet itself if empty; None for nothing at all.
    """

    tells: Mapping[type, Told]
    result: type | None
    attribute: str | None


@attrs.frozen(kw_only=True, eq=False)
class EventsPlan(_ChannelPlan):
    """What events are: a packet class, and its attribute that is yielded."""

    event: type
    attribute: str


class OperationCore(StreamCore[E, R]):
    """The state of one operation: fragments are the packets that it tells."""

    def _begin(self, plan: OperationPlan, callbacks: Mapping[str, Callable[..., Any] | None]) -> None:
        for name, callback in callbacks.items():
            check_callback(callback, name)
        self._plan = plan
        self._callbacks = callbacks
        self._meters = {
            told.callback: ProgressMeter(callbacks[told.callback])
            for told in plan.tells.values()
            if told.rising
        }

    def _fragments_of(self, packets: Iterable[Any]) -> Generator[E, None, None]:
        plan = self._plan
        for packet in packets:
            told = plan.tells.get(type(packet))
            if told is not None:
                self._tell(told, packet)
                yield packet
            elif type(packet) is plan.result:
                attribute = plan.attribute
                value = (
                    packet if attribute == "" else None if attribute is None else getattr(packet, attribute)
                )
                self._result = cast("R", value)
                return

    def _tell(self, told: Told, packet: Any) -> None:
        values = [packet] if told.attributes is None else [getattr(packet, name) for name in told.attributes]
        if told.rising:
            self._meters[told.callback].report(values[0])
            return
        callback = self._callbacks[told.callback]
        if callback is not None:
            callback(*values)

    def _take_close(self, channel: ChannelCore[Any, Any, Any]) -> None:
        if self._plan.result is not None:
            raise self._without_result(channel)
        self._result = cast("R", None)

    def _abandoned(self) -> CancelledError:
        words = "the operation was cancelled" if self._started else "the operation was not started"
        return CancelledError(words)


class SyncOperation(OperationCore[E, R], SyncStream[E, R], ForThreads):
    """An operation that a thread waits for: iterable, giving the packets that it tells, and a context manager."""

    def __init__(
        self,
        connection: SyncConnection,
        plan: OperationPlan,
        request: Request,
        callbacks: Mapping[str, Callable[..., Any] | None],
    ) -> None:
        super().__init__(connection, (plan,), request)
        self._begin(plan, callbacks)

    def cancel(self) -> None:
        """Cancel it, from whichever thread; who waits for it gets CancelledError. Harmless after the end."""
        self.close()


class AsyncOperation(OperationCore[E, R], AsyncStream[E, R], ForTasks):
    """An operation that a task waits for: asynchronously iterable, giving the packets that it tells, and a context
    manager.
    """

    def __init__(
        self,
        connection: AsyncConnection,
        plan: OperationPlan,
        request: Request,
        callbacks: Mapping[str, Callable[..., Any] | None],
    ) -> None:
        super().__init__(connection, (plan,), request)
        self._begin(plan, callbacks)

    async def cancel(self) -> None:
        """Cancel it, from whichever task; who waits for it gets CancelledError. Harmless after the end."""
        self.close_now()


class EventsCore(StreamCore[E, None]):
    """The state of a stream of events: it has no result; when its user or the server ends it, that is no error."""

    def _begin(self, plan: EventsPlan) -> None:
        self._plan = plan

    def _fragments_of(self, packets: Iterable[Any]) -> Generator[E, None, None]:
        event, attribute = self._plan.event, self._plan.attribute
        for packet in packets:
            if type(packet) is event:
                yield getattr(packet, attribute)

    def _take_close(self, channel: ChannelCore[Any, Any, Any]) -> None:
        self._result = None

    def _fail(self, error: BaseException) -> None:
        # Closing is how one ends what does not end by itself.
        if isinstance(error, CancelledError) and not self.finished:
            self._result = None
        super()._fail(error)


class SyncEvents(EventsCore[E], SyncStream[E, None], ForThreads):
    """Events read by a thread: iterable, and a context manager. Each is told once, in order, or an error is raised.

    ``cancel`` asks the server to stop and reads on until it has; ``close`` ends it at once. A thread that waits for an
    event meanwhile comes to the end of its loop.
    """

    def __init__(self, connection: SyncConnection, plan: EventsPlan, request: Request) -> None:
        super().__init__(connection, (plan,), request)
        self._begin(plan)

    def __iter__(self) -> Iterator[E]:
        """Yield the events; leaving the loop asks the server to stop.

        Raises:
            StateError: Another thread reads them, or they have ended.
            SlowConsumerError: Too many of them were not read in time.
            ConnectionLostError: The connection was lost.
        """
        return self._until_closed(super().__iter__())

    def _until_closed(self, events: Iterator[E]) -> Iterator[E]:
        try:
            yield from events
        except CancelledError:
            if not self.finished:
                raise


class AsyncEvents(EventsCore[E], AsyncStream[E, None], ForTasks):
    """Events read by a task; everything is as with ``SyncEvents``."""

    def __init__(self, connection: AsyncConnection, plan: EventsPlan, request: Request) -> None:
        super().__init__(connection, (plan,), request)
        self._begin(plan)

    def __aiter__(self) -> AsyncIterator[E]:
        """Yield the events; leaving the loop asks the server to stop; raises as ``SyncEvents.__iter__`` does."""
        return super().__aiter__()

    async def wait_for_fragment(self) -> E:
        """Wait for the next event; raises StopAsyncIteration after the last one."""
        try:
            return await super().wait_for_fragment()
        except CancelledError:
            if not self.finished:
                raise
            raise StopAsyncIteration from None
