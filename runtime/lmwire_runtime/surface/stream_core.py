"""The state of one stream without any waiting: what packets mean, callbacks, the result or what failed.

``StreamCore`` is what all streams have, ``TextCore`` adds what a stream of text is; ``loading`` has that of a load.
"""

from __future__ import annotations

import io
from collections.abc import Generator, Iterable, Sequence
from typing import Any, ClassVar, Generic, TypeVar, cast

from lmwire_runtime.channel_core import ChannelCore
from lmwire_runtime.errors import (
    CancelledError,
    IncompleteError,
    LMWireError,
    StateError,
    UnsupportedEndpointError,
)
from lmwire_runtime.surface.handles import check_callback
from lmwire_runtime.surface.progress import ProgressMeter
from lmwire_runtime.surface.results import TextResult
from lmwire_runtime.surface.stream_plans import Attempt, Callbacks, Opening, Request, StreamPlan
from lmwire_runtime.wire import UNSET, Unset

__all__ = ["StreamCore", "TextCore"]

F = TypeVar("F")
R = TypeVar("R")


class StreamCore(Generic[F, R]):
    """The state of one stream: ``attempts`` are the endpoints that can serve it, best first."""

    def __init__(self, attempts: Sequence[Opening], request: Request) -> None:
        self._attempts = attempts
        self._request = request
        self._attempt_number = 0
        self._started = False
        self._cancelled = False
        self._result: R | Unset = UNSET
        self._error: Exception | None = None

    def __repr__(self) -> str:
        state = "finished" if self.finished else "started" if self._started else "not started"
        return f"<{type(self).__name__} {state}>"

    @property
    def finished(self) -> bool:
        """Whether the stream has its result, or has failed."""
        return self._result is not UNSET or self._error is not None

    def result(self) -> R:
        """Return the result of a finished stream, without waiting.

        Raises:
            StateError: The stream is not finished.
            LMWireError: What ended the stream, if it has no result.
        """
        if self._result is not UNSET:
            return self._result
        if self._error is not None:
            raise self._error
        state = "has not finished" if self._started else "was not started"
        raise StateError(f"this stream {state}; iterate it to its end, or call wait_for_result()")

    def _begin_attempt(self) -> Opening:
        """Return the endpoint to be tried now."""
        return self._attempts[self._attempt_number]

    @staticmethod
    def second_reader() -> StateError:
        """Make the error of somebody who wants to read while another one does."""
        return StateError(
            "this stream is being read by another thread or task; wait for that one, then call result()"
        )

    def _check_startable(self) -> None:
        if self._result is not UNSET:
            raise StateError("this stream has ended; result() has its result, a new one needs a new call")
        if self._error is not None:
            error = StateError(
                f"this stream has ended without a result, a new one needs a new call: {self._error}"
            )
            raise error from self._error

    def _next_attempt(self, error: UnsupportedEndpointError) -> None:
        """Go on to the next endpoint, or raise if there is none."""
        if self._attempt_number + 1 >= len(self._attempts):
            raise error
        self._attempt_number += 1

    def _fragments_of(self, packets: Iterable[Any]) -> Generator[F, None, None]:
        """Note packets and yield what is to be yielded, until the packets end or one of them ends the stream."""
        raise NotImplementedError

    def _events_of(self, packets: Iterable[Any]) -> Generator[Any, None, None]:
        """Do the same, and yield events too, in their order."""
        return self._fragments_of(packets)

    def _fail(self, error: BaseException) -> None:
        if self.finished:
            return
        if isinstance(error, Exception):
            self._error = error
        else:
            # Ctrl-C or a task's cancellation concerns its reader. Who asks for the result later is not interrupted.
            self._error = self._abandoned()
            self._error.__cause__ = error

    def _take_close(self, channel: ChannelCore[Any, Any, Any]) -> None:
        """Note that the server has closed the channel with no result; raises, unless that is the end meant."""
        raise self._without_result(channel)

    def _without_result(self, channel: ChannelCore[Any, Any, Any]) -> LMWireError:
        error = IncompleteError(f"the server closed the channel without a result{self._lost()}")
        return error.at(channel.descriptor.namespace, channel.descriptor.name, channel.request_id)

    def _abandoned(self) -> CancelledError:
        if not self._started:
            return CancelledError("the stream was cancelled before it was started; nothing was sent")
        return CancelledError(f"the stream was closed before its end{self._lost()}")

    def _lost(self) -> str:
        """Say what that means for the user, as the end of a sentence."""
        return ""


class TextCore(StreamCore[F, R]):
    """The state of one stream of text."""

    result_class: ClassVar[Any] = TextResult
    """What the result is made as."""

    def _begin(self, plan: StreamPlan, callbacks: Callbacks[F]) -> None:
        """Set what only streams of text have.

        Raises:
            UsageError: A callback is none.
        """
        for name, callback in callbacks.by_parameter().items():
            check_callback(callback, name)
        self._plan = plan
        self._callbacks = callbacks
        self._text = plan.text
        self._on_fragment = callbacks.on_prediction_fragment
        self._meter = ProgressMeter(callbacks.on_prompt_processing_progress)
        # Not a list: a million small texts would take ten times the memory of the whole.
        self._received = io.StringIO(newline="")
        self._text_begun = False
        self._collected: dict[str, list[Any]] = {}

    def __repr__(self) -> str:
        return f"{super().__repr__()[:-1]}, {self._received.tell()} characters>"

    @property
    def text_so_far(self) -> str:
        """The text of all fragments received until now; all there is after a failure."""
        text = self._received.getvalue()
        try:
            text.encode()
        except (
            UnicodeEncodeError
        ):  # a server split an emoji between two fragments, so that each has half of it
            text = text.encode("utf-16", "surrogatepass").decode("utf-16", "surrogatepass")
        return text

    def _begin_attempt(self) -> Opening:
        self._attempt: Attempt = self._plan.attempts[self._attempt_number]
        return self._attempt

    def _next_attempt(self, error: UnsupportedEndpointError) -> None:
        if self._text_begun:
            raise error
        super()._next_attempt(error)

    def _fragments_of(self, packets: Iterable[Any]) -> Generator[F, None, None]:
        """Note packets and yield their fragments, until the packets end or one of them ends the stream.

        Fragments that come after a cancel are dropped.
        """
        fragment_class = self._attempt.yields.fragment
        keep, text, on_fragment = self._received.write, self._text, self._on_fragment
        for packet in packets:
            if type(packet) is not fragment_class:
                if self._take_other(packet):
                    return
            elif not self._cancelled:
                if not self._text_begun:
                    self._begin_text()
                keep(getattr(packet, text))
                if on_fragment is not None:
                    on_fragment(packet)
                yield packet

    def _events_of(self, packets: Iterable[Any]) -> Generator[Any, None, None]:
        """Do the same, and yield events too, in their order."""
        events = self._attempt.events
        for packet in packets:
            yield from self._fragments_of((packet,))
            if self.finished:
                return
            if type(packet) in events and not self._cancelled:
                yield packet

    def _begin_answer(self) -> None:
        """The prompt is processed: say so."""
        self._meter.begin()
        self._meter.finish()

    def _begin_text(self) -> None:
        """The first fragment is about to be told."""
        self._text_begun = True
        self._begin_answer()
        if self._callbacks.on_first_token is not None:
            self._callbacks.on_first_token()

    def _take_other(self, packet: Any) -> bool:
        """Note a packet that is no fragment; returns True if it ends the stream."""
        attempt = self._attempt
        if isinstance(packet, attempt.result):
            text, message, collected = self.text_so_far, self._plan.message, self._collected
            structured = self._request.structured
            result = self.result_class(
                text, packet, structured=structured, message=message, collected=collected
            )
            if self._callbacks.on_message is not None:
                self._callbacks.on_message(message().make(text, collected))
            self._result = cast("R", result)
            return True
        attribute = attempt.progress.get(type(packet))
        if attribute is not None:
            self._meter.begin()
            self._meter.report(getattr(packet, attribute))
        elif type(packet) in attempt.events and not self._cancelled:
            self._begin_answer()
            self._collect(packet)
        return False

    def _collect(self, packet: Any) -> None:
        """Keep what an event carries, and tell it."""
        collected = self._attempt.collects.get(type(packet))
        if collected is not None:
            item = getattr(packet, collected.attribute)
            self._collected.setdefault(collected.name, []).append(item)
            callback = self._callbacks.on_collected.get(collected.callback or "")
            if callback is not None:
                callback(item)

    def _lost(self) -> str:
        return "; the text up to then is in text_so_far" if self._text_begun else ""
