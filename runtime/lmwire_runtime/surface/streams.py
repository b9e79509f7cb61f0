"""Streams of text: what a completion means, driven by plans that the compiler makes of schema/surface.

A ``StreamPlan`` says which endpoints can serve a stream, best first, and what each of their packets means:
it yields, it is progress, or it is the result. ``stream_core`` has the state of one stream without any
waiting; ``SyncStream`` and ``AsyncStream`` add that, for whatever streams: ``SyncTextStream`` and ``AsyncTextStream``
are those of text.

* The request is sent by ``start``, by entering the context, or by the first wait, and only then.
* An endpoint that the server does not have gives way to the next attempt; the session remembers it, so that
  this costs one exchange for each connection.
* Whatever ends a stream early (leaving the loop or the context, a callback that raises, Ctrl-C, task
  cancellation, ``close``) asks the server to stop and drops what it still sends; the connection stays
  usable.
* ``cancel`` asks the server to stop and goes on to the regular end: a result with the text up to then.
* Packets that are no text and yet part of the answer are events: iterating ``events()`` gives them among the
  fragments, in order; what they carry is kept for the result. Iterating the stream itself gives fragments alone.
"""

from __future__ import annotations

import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Generator, Iterable, Iterator, Sequence
from types import GeneratorType, TracebackType
from typing import Any, TypeVar, cast
from weakref import ref

from lmwire_runtime.async_shell import AsyncChannel, AsyncConnection
from lmwire_runtime.errors import StateError, UnsupportedEndpointError
from lmwire_runtime.limits import resolve_timeout
from lmwire_runtime.surface.stream_core import StreamCore, TextCore
from lmwire_runtime.surface.stream_plans import Callbacks, Opening, Request, StreamPlan
from lmwire_runtime.sync_shell import SyncChannel, SyncConnection

__all__ = ["AsyncStream", "AsyncTextStream", "SyncStream", "SyncTextStream"]

F = TypeVar("F")
R = TypeVar("R")

SelfSync = TypeVar("SelfSync", bound="SyncStream[Any, Any]")
SelfAsync = TypeVar("SelfAsync", bound="AsyncStream[Any, Any]")


class SyncStream(StreamCore[F, R]):
    """A stream read by a thread: iterable, and a context manager."""

    def __init__(self, connection: SyncConnection, attempts: Sequence[Opening], request: Request) -> None:
        super().__init__(attempts, request)
        self._connection = connection
        self._timeout = resolve_timeout(request.timeout, connection.core.settings.timeouts.channel)
        self._channel: SyncChannel[Any, Any] | None = None
        # The thread that reads: two of them would tear the text apart. ``setdefault`` is one step.
        self._readers: dict[str, int] = {}
        # Weak, so that a loop that is left drops its generator, which cancels.
        self._reading: ref[GeneratorType[Any, None, None]] | None = None

    def start(self) -> None:
        """Send the request, unless it was sent.

        Raises:
            StateError: The stream has ended.
            ConnectError, AuthenticationError, ConnectionLostError: See there.
        """
        if self._channel is None:
            self._check_startable()
            self._open()

    def _open(self) -> SyncChannel[Any, Any]:
        opening = self._begin_attempt()
        creation = self._request.creation(opening)
        channel = SyncChannel(
            self._connection, opening.descriptor, creation, self._timeout, opening.decoder()
        )
        try:
            channel.start()
        except BaseException as error:
            self._fail(error)
            raise
        self._channel = channel
        self._started = True
        if self.finished:  # by another thread, to whom there was nothing to close yet
            channel.close()
        return channel

    def __iter__(self) -> Iterator[F]:
        """Yield the fragments; leaving the loop early asks the server to stop.

        Raises:
            StateError: Another thread reads the stream, one of its own callbacks asks for more, or it has ended.
        """
        return self._read(self._fragments_of)

    def events(self) -> Iterator[Any]:
        """Yield fragments and events in their order; everything else is as in iterating the stream itself."""
        return self._read(self._events_of)

    def _read(
        self, yielded: Callable[[Iterable[Any]], Generator[Any, None, None]]
    ) -> Generator[Any, None, None]:
        self._check_startable()
        if self._readers.setdefault("reader", threading.get_ident()) != threading.get_ident():
            raise self.second_reader()
        reading = None if self._reading is None else self._reading()
        if reading is not None and reading.gi_running:
            raise StateError("a callback of this stream cannot read it; return from the callback first")
        self.start()
        fragments = cast("GeneratorType[Any, None, None]", self._fragments(yielded))
        self._reading = ref(fragments)
        return fragments

    def _fragments(
        self, yielded: Callable[[Iterable[Any]], Generator[Any, None, None]]
    ) -> Generator[Any, None, None]:
        channel = self._channel
        assert channel is not None
        try:
            while not self.finished:
                try:
                    if not channel.wait():
                        self._take_close(channel)
                except UnsupportedEndpointError as error:
                    self._next_attempt(error)
                    channel = self._open()
                # All that has arrived at a time, with as few generators in between as can be.
                yield from yielded(channel.ready())
        except GeneratorExit:
            self.close()
            raise
        except BaseException as error:
            self._fail(error)
            channel.close()
            raise
        channel.release()

    def wait_for_result(self) -> R:
        """Read the stream to its end and return its result; raises what ended it, if it has none."""
        if not self.finished:
            for _ in self:
                pass
        return self.result()

    def cancel(self) -> None:
        """Ask the server to stop; the stream then ends regularly, with the text up to now. Does not wait.

        Before the request was sent, this makes sure that it never is: ``result`` then raises CancelledError.
        """
        if self.finished or self._cancelled:
            return
        self._cancelled = True
        if self._channel is None:
            self._fail(self._abandoned())
        else:
            self._channel.cancel()

    def close(self) -> None:
        """Give the stream up: the server is asked to stop, what it still sends is dropped. Harmless after the
        end.
        """
        self._fail(self._abandoned())
        if self._channel is not None:
            self._channel.close()

    def __enter__(self: SelfSync) -> SelfSync:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if error is not None:
            self._fail(error)
        self.close()

    def __del__(self) -> None:
        # Forgotten half-way, by a reference that was never iterated to its end.
        if getattr(self, "_channel", None) is not None and not self.finished:
            self.close()


class AsyncStream(StreamCore[F, R]):
    """A stream read by a task: asynchronously iterable, an asynchronous context manager, and awaitable
    (giving itself).
    """

    def __init__(self, connection: AsyncConnection, attempts: Sequence[Opening], request: Request) -> None:
        super().__init__(attempts, request)
        self._connection = connection
        self._timeout = resolve_timeout(request.timeout, connection.core.settings.timeouts.channel)
        self._channel: AsyncChannel[Any, Any] | None = None
        self.waiting = False
        """Whether a task waits for the next fragment; a second one would tear the text apart."""
        self.arrived: Iterator[F] = iter(())
        """What the last wait brought, as far as it has not been taken."""
        self._with_events = False

    def __await__(self: SelfAsync) -> Generator[Any, None, SelfAsync]:
        """Both ``async for x in f()`` and ``async for x in await f()`` are documented spellings."""
        return _itself(self).__await__()

    async def start(self) -> None:
        """Send the request, unless it was sent; raises as ``SyncStream.start`` does."""
        if self._channel is None:
            self._check_startable()
            await self._open()

    async def _open(self) -> AsyncChannel[Any, Any]:
        opening = self._begin_attempt()
        creation = self._request.creation(opening)
        channel = AsyncChannel(
            self._connection, opening.descriptor, creation, self._timeout, opening.decoder()
        )
        try:
            await channel.start()
        except BaseException as error:
            self._fail(error)
            raise
        self._channel = channel
        self._started = True
        if self.finished:  # by another task, to whom there was nothing to close yet
            channel.close_now()
        return channel

    def __aiter__(self) -> AsyncIterator[F]:
        """Yield the fragments; leaving the loop early asks the server to stop.

        Raises:
            StateError: The stream has ended.
        """
        self._check_startable()
        self._with_events = False
        return _Fragments(self)

    def events(self) -> AsyncIterator[Any]:
        """Yield fragments and events in their order; everything else is as in iterating the stream itself."""
        self._check_startable()
        self._with_events = True
        return _Fragments(self)

    async def wait_for_fragment(self) -> F:
        """Wait for the next fragment; raises StopAsyncIteration after the last one."""
        self.waiting = True
        try:
            channel = self._channel
            if channel is None:
                await self.start()
                channel = self._channel
                assert channel is not None
            while not self.finished:
                try:
                    more = channel.waited(await channel.arrival())
                except UnsupportedEndpointError as error:
                    self._next_attempt(error)
                    channel = await self._open()
                    continue
                if not more:
                    self._take_close(channel)
                ready = channel.ready()
                self.arrived = self._events_of(ready) if self._with_events else self._fragments_of(ready)
                for fragment in self.arrived:
                    return fragment
        except BaseException as error:
            self.give_up(error)
            raise
        finally:
            self.waiting = False
        channel.release()
        raise StopAsyncIteration

    def give_up(self, error: BaseException) -> None:
        """End the stream because of an error of its reader, and ask the server to stop."""
        self._fail(error)
        if self._channel is not None:
            self._channel.close_now()

    async def wait_for_result(self) -> R:
        """Read the stream to its end and return its result; raises what ended it, if it has none."""
        if not self.finished:
            async for _ in self:
                pass
        return self.result()

    async def cancel(self) -> None:
        """Ask the server to stop; see ``SyncStream.cancel``."""
        if self.finished or self._cancelled:
            return
        self._cancelled = True
        if self._channel is None:
            self._fail(self._abandoned())
        else:
            await self._channel.cancel()

    def close_now(self) -> None:
        """Give the stream up, without waiting for anything."""
        self._fail(self._abandoned())
        if self._channel is not None:
            self._channel.close_now()

    async def close(self) -> None:
        """Give the stream up: the server is asked to stop, what it still sends is dropped. Harmless after the
        end.
        """
        self.close_now()

    async def aclose(self) -> None:
        """Same as ``close``, under the name that ``contextlib.aclosing`` calls."""
        self.close_now()

    async def __aenter__(self: SelfAsync) -> SelfAsync:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if error is not None:
            self._fail(error)
        self.close_now()


class SyncTextStream(TextCore[F, R], SyncStream[F, R]):
    """A stream of text read by a thread."""

    def __init__(
        self, connection: SyncConnection, plan: StreamPlan, request: Request, callbacks: Callbacks[F]
    ) -> None:
        super().__init__(connection, plan.attempts, request)
        self._begin(plan, callbacks)


class AsyncTextStream(TextCore[F, R], AsyncStream[F, R]):
    """A stream of text read by a task."""

    def __init__(
        self, connection: AsyncConnection, plan: StreamPlan, request: Request, callbacks: Callbacks[F]
    ) -> None:
        super().__init__(connection, plan.attempts, request)
        self._begin(plan, callbacks)


async def _given(fragment: F) -> F:
    return fragment


async def _itself(stream: SelfAsync) -> SelfAsync:
    return stream


class _Fragments(AsyncIterator[F]):
    """The iterator of one ``async for``; leaving the loop drops it, which closes the stream."""

    __slots__ = ("_reading", "_stream")

    def __init__(self, stream: AsyncStream[F, Any]) -> None:
        self._stream = stream
        # Not if somebody else was found reading: then the end of this iterator means nothing.
        self._reading = False

    def __aiter__(self) -> AsyncIterator[F]:
        return self

    def __anext__(self) -> Awaitable[F]:
        stream = self._stream
        if stream.waiting:
            raise stream.second_reader()
        self._reading = True
        try:
            fragment = next(stream.arrived, None)
        except BaseException as error:
            stream.give_up(error)
            raise
        return stream.wait_for_fragment() if fragment is None else _given(fragment)

    def __del__(self) -> None:
        if self._reading and not self._stream.finished:
            self._stream.close_now()
