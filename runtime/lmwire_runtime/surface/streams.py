"""Streams of text: what a completion means, driven by plans that the compiler makes of schema/surface.

A ``StreamPlan`` says which endpoints can serve a stream, best first, and what each of their packets means:
it yields, it is progress, or it is the result. ``StreamCore`` is the state of one stream without any
waiting; ``SyncStream`` and ``AsyncStream`` add that.

* The request is sent by ``start``, by entering the context, or by the first wait, and only then.
* An endpoint that the server does not have gives way to the next attempt; the session remembers it, so that
  this costs one exchange for each connection.
* Whatever ends a stream early (leaving the loop or the context, a callback that raises, Ctrl-C, task
  cancellation, ``close``) asks the server to stop and drops what it still sends; the connection stays
  usable.
* ``cancel`` asks the server to stop and goes on to the regular end: a result with the text up to then.
"""

from __future__ import annotations

import threading
from collections.abc import AsyncIterator, Generator, Iterable, Iterator
from types import TracebackType
from typing import Any, ClassVar, Generic, TypeVar, cast

import attrs

from lmwire_runtime.async_shell import AsyncChannel, AsyncConnection
from lmwire_runtime.errors import (
    CancelledError,
    IncompleteError,
    LMWireError,
    StateError,
    UnsupportedEndpointError,
)
from lmwire_runtime.limits import resolve_timeout
from lmwire_runtime.surface.handles import check_callback
from lmwire_runtime.surface.progress import ProgressMeter
from lmwire_runtime.surface.results import TextResult
from lmwire_runtime.surface.stream_plans import Attempt, Callbacks, Request, StreamPlan
from lmwire_runtime.sync_shell import SyncChannel, SyncConnection

__all__ = ["AsyncStream", "StreamCore", "SyncStream"]

F = TypeVar("F")
R = TypeVar("R")
Self = TypeVar("Self", bound="StreamCore[Any, Any]")
SelfSync = TypeVar("SelfSync", bound="SyncStream[Any, Any]")
SelfAsync = TypeVar("SelfAsync", bound="AsyncStream[Any, Any]")


class StreamCore(Generic[F, R]):
    """The state of one stream, without waiting."""

    result_class: ClassVar[Any] = TextResult
    """What the result is made as."""

    def __init__(self, plan: StreamPlan, request: Request, callbacks: Callbacks[F]) -> None:
        for name, callback in attrs.asdict(callbacks, recurse=False).items():
            check_callback(callback, name)
        self._plan = plan
        self._request = request
        self._callbacks = callbacks
        self._text = plan.text
        self._on_fragment = callbacks.on_prediction_fragment
        self._meter = ProgressMeter(callbacks.on_prompt_processing_progress)
        self._parts: list[str] = []
        self._attempt_number = 0
        self._started = False
        self._cancelled = False
        self._result: R | None = None
        self._error: BaseException | None = None

    def __repr__(self) -> str:
        state = "finished" if self.finished else "started" if self._started else "not started"
        return f"<{type(self).__name__} {state}, {len(self._parts)} fragments>"

    @property
    def finished(self) -> bool:
        """Whether the stream has its result, or has failed."""
        return self._result is not None or self._error is not None

    @property
    def text_so_far(self) -> str:
        """The text of all fragments received until now; all there is after a failure."""
        text = "".join(self._parts)
        try:
            text.encode()
        except (
            UnicodeEncodeError
        ):  # a server split an emoji between two fragments, so that each has half of it
            text = text.encode("utf-16", "surrogatepass").decode("utf-16", "surrogatepass")
        return text

    def result(self) -> R:
        """Return the result of a finished stream, without waiting.

        Raises:
            StateError: The stream is not finished.
            LMWireError: What ended the stream, if it has no result.
        """
        if self._result is not None:
            return self._result
        if self._error is not None:
            raise self._error
        state = "has not finished" if self._started else "was not started"
        raise StateError(f"this stream {state}; iterate it to its end, or call wait_for_result()")

    @property
    def _attempt(self) -> Attempt:
        return self._plan.attempts[self._attempt_number]

    @staticmethod
    def second_reader() -> StateError:
        """Make the error of somebody who wants to read while another one does."""
        return StateError(
            "this stream is being read by another thread or task; wait for that one, then call result()"
        )

    def _check_startable(self) -> None:
        if self._result is not None:
            raise StateError("this stream has ended; result() has its result, a new one needs a new call")
        if self._error is not None:
            error = StateError(
                f"this stream has ended without a result, a new one needs a new call: {self._error}"
            )
            raise error from self._error

    def _next_attempt(self, error: UnsupportedEndpointError) -> None:
        """Go on to the next endpoint, or raise: there is none, or fragments have come already."""
        if self._attempt_number + 1 >= len(self._plan.attempts) or self._parts:
            raise error
        self._attempt_number += 1

    def _fragments_of(self, packets: Iterable[Any]) -> Generator[F, None, None]:
        """Note packets and yield their fragments, until the packets end or one of them ends the stream.

        Fragments that come after a cancel are dropped.
        """
        fragment_class, attribute = self._attempt.fragment
        parts, text, on_fragment = self._parts, self._text, self._on_fragment
        for packet in packets:
            if type(packet) is not fragment_class:
                if self._take_other(packet):
                    return
            elif not self._cancelled:
                fragment: F = getattr(packet, attribute)
                if not parts:
                    self._begin_text()
                parts.append(getattr(fragment, text))
                if on_fragment is not None:
                    on_fragment(fragment)
                yield fragment

    def _begin_text(self) -> None:
        """The prompt is processed: say so, before the first fragment."""
        self._meter.begin()
        self._meter.finish()
        if self._callbacks.on_first_token is not None:
            self._callbacks.on_first_token()

    def _take_other(self, packet: Any) -> bool:
        """Note a packet that is no fragment; returns True if it ends the stream."""
        attempt = self._attempt
        if isinstance(packet, attempt.result):
            text = self.text_so_far
            result = self.result_class(text, packet, structured=self._request.structured)
            if self._callbacks.on_message is not None:
                self._callbacks.on_message(self._plan.message(text))
            self._result = cast("R", result)
            return True
        attribute = attempt.progress.get(type(packet))
        if attribute is not None:
            self._meter.begin()
            self._meter.report(getattr(packet, attribute))
        return False

    def _fail(self, error: BaseException) -> None:
        if not self.finished:
            self._error = error

    def _without_result(self, channel: SyncChannel[Any, Any] | AsyncChannel[Any, Any]) -> LMWireError:
        error = IncompleteError("the server closed the channel without a result")
        return error.at(channel.descriptor.namespace, channel.descriptor.name, channel.request_id)

    def _abandoned(self) -> CancelledError:
        if not self._started:
            return CancelledError("the stream was cancelled before it was started; nothing was sent")
        return CancelledError("the stream was closed before its end; the text up to then is in text_so_far")


class SyncStream(StreamCore[F, R]):
    """A stream read by a thread: iterable, and a context manager."""

    def __init__(
        self, connection: SyncConnection, plan: StreamPlan, request: Request, callbacks: Callbacks[F]
    ) -> None:
        super().__init__(plan, request, callbacks)
        self._connection = connection
        self._timeout = resolve_timeout(request.timeout, connection.core.settings.timeouts.channel)
        self._channel: SyncChannel[Any, Any] | None = None
        # The thread that reads: two of them would tear the text apart. ``setdefault`` is one step.
        self._readers: dict[str, int] = {}

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
        attempt = self._attempt
        creation = self._request.creation(attempt)
        channel = SyncChannel(self._connection, attempt.descriptor, creation, self._timeout)
        try:
            channel.start()
        except BaseException as error:
            self._fail(error)
            raise
        self._channel = channel
        self._started = True
        return channel

    def __iter__(self) -> Iterator[F]:
        """Yield the fragments; leaving the loop early asks the server to stop.

        Raises:
            StateError: Another thread reads the stream, or it has ended.
        """
        self._check_startable()
        if self._readers.setdefault("reader", threading.get_ident()) != threading.get_ident():
            raise self.second_reader()
        self.start()
        return self._fragments()

    def _fragments(self) -> Generator[F, None, None]:
        channel = self._channel
        assert channel is not None
        try:
            while not self.finished:
                try:
                    yield from self._read(channel)
                except UnsupportedEndpointError as error:
                    self._next_attempt(error)
                    channel = self._open()
        except GeneratorExit:
            self.close()
            raise
        except BaseException as error:
            self._fail(error)
            channel.close()
            raise

    def _read(self, channel: SyncChannel[Any, Any]) -> Generator[F, None, None]:
        yield from self._fragments_of(channel)
        if not self.finished:
            raise self._without_result(channel)
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

    def __init__(
        self, connection: AsyncConnection, plan: StreamPlan, request: Request, callbacks: Callbacks[F]
    ) -> None:
        super().__init__(plan, request, callbacks)
        self._connection = connection
        self._timeout = resolve_timeout(request.timeout, connection.core.settings.timeouts.channel)
        self._channel: AsyncChannel[Any, Any] | None = None
        self.waiting = False
        """Whether a task waits for the next fragment; a second one would tear the text apart."""
        self.arrived: Iterator[F] = iter(())
        """What the last wait brought, as far as it has not been taken."""

    def __await__(self: SelfAsync) -> Generator[Any, None, SelfAsync]:
        """Both ``async for x in f()`` and ``async for x in await f()`` are documented spellings."""
        return _itself(self).__await__()

    async def start(self) -> None:
        """Send the request, unless it was sent; raises as ``SyncStream.start`` does."""
        if self._channel is None:
            self._check_startable()
            await self._open()

    async def _open(self) -> AsyncChannel[Any, Any]:
        attempt = self._attempt
        creation = self._request.creation(attempt)
        channel = AsyncChannel(self._connection, attempt.descriptor, creation, self._timeout)
        try:
            await channel.start()
        except BaseException as error:
            self._fail(error)
            raise
        self._channel = channel
        self._started = True
        return channel

    def __aiter__(self) -> AsyncIterator[F]:
        """Yield the fragments; leaving the loop early asks the server to stop.

        Raises:
            StateError: The stream has ended.
        """
        self._check_startable()
        return _Fragments(self)

    async def wait_for_fragment(self) -> F:
        """Wait for the next fragment; raises StopAsyncIteration after the last one."""
        self.waiting = True
        try:
            return await self._next_fragment()
        finally:
            self.waiting = False

    async def _next_fragment(self) -> F:
        await self.start()
        channel = self._channel
        assert channel is not None
        try:
            while not self.finished:
                try:
                    more = await channel.wait()
                except UnsupportedEndpointError as error:
                    self._next_attempt(error)
                    channel = await self._open()
                    continue
                if not more:
                    raise self._without_result(channel)
                self.arrived = self._fragments_of(channel.ready())
                for fragment in self.arrived:
                    return fragment
        except BaseException as error:
            self.give_up(error)
            raise
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

    async def __anext__(self) -> F:
        stream = self._stream
        if stream.waiting:
            raise stream.second_reader()
        self._reading = True
        try:
            fragment = next(stream.arrived, None)
        except BaseException as error:
            stream.give_up(error)
            raise
        return await stream.wait_for_fragment() if fragment is None else fragment

    def __del__(self) -> None:
        if self._reading and not self._stream.finished:
            self._stream.close_now()
