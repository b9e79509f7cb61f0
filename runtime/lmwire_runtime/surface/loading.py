"""Loading a model: a stream of progress that ends with a handle of what was loaded, driven by a plan of the compiler.

Everything that ends it early (``cancel``, leaving the loop or the context, Ctrl-C, task cancellation, a callback that
raises) asks the server to cancel the load. What it had loaded by then, if anything, is the server's to clean up.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any, TypeVar

import attrs

from lmwire_runtime.async_shell import AsyncConnection
from lmwire_runtime.errors import CancelledError, ProtocolMismatchError, UsageError
from lmwire_runtime.limits import Timeout
from lmwire_runtime.surface.handles import check_callback, check_text
from lmwire_runtime.surface.progress import ProgressMeter
from lmwire_runtime.surface.stream_core import StreamCore
from lmwire_runtime.surface.stream_plans import Opening, Request
from lmwire_runtime.surface.streams import AsyncStream, SyncStream
from lmwire_runtime.sync_shell import SyncConnection
from lmwire_runtime.wire import UNSET, Unset, WarningSink

if TYPE_CHECKING:
    from lmwire_runtime.surface.options import OptionTable

__all__ = ["AsyncLoad", "LoadPlan", "LoadRequest", "SyncLoad", "load_request", "milliseconds"]

H = TypeVar("H")


@attrs.frozen(kw_only=True, eq=False)
class LoadPlan(Opening):
    """What the packets of a loading channel mean.

    Attributes:
        begins: Packet classes that count as progress 0.0.
        ambiguous: Packet classes that may name several models which match, and the attribute that holds their keys.
        progress: Packet classes that report progress, and the attribute that holds it.
        results: Packet classes that end the load, and the attribute with what was loaded.
    """

    begins: Sequence[type]
    ambiguous: Mapping[type, str] = attrs.field(factory=dict)
    progress: Mapping[type, str]
    results: Mapping[type, str]


@attrs.frozen(kw_only=True, eq=False)
class LoadRequest(Request):
    """What a caller of a load asked for, and whom it wants to tell the progress."""

    on_progress: Callable[[float], Any] | None = None


class LoadCore(StreamCore[float, H]):
    """The state of one load: fragments are rising values from 0.0 to 1.0, the result is a handle."""

    def _begin(
        self, plan: LoadPlan, request: LoadRequest, make: Callable[[Any], H], sink: WarningSink
    ) -> None:
        self._plan = plan
        self._make = make
        self._sink = sink
        self._meter = ProgressMeter(request.on_progress)

    @property
    def progress(self) -> float:
        """The last value, 0.0 if there was none yet."""
        return max(0.0, self._meter.last)

    def _fragments_of(self, packets: Iterable[Any]) -> Generator[float, None, None]:
        plan, meter = self._plan, self._meter
        for packet in packets:
            kind, rises = type(packet), False
            if kind in plan.results:
                # The callback may raise, and then nothing was loaded for the caller.
                rises = meter.finish()
                self._result = self._make(getattr(packet, plan.results[kind]))
            elif kind in plan.progress:
                rises = meter.report(getattr(packet, plan.progress[kind]))
            elif kind in plan.begins:
                rises = meter.begin()
            elif kind in plan.ambiguous:
                self._warn_of(getattr(packet, plan.ambiguous[kind]))
            if rises:
                yield meter.last
            if self._result is not UNSET:
                return

    def _take_unread(self, packets: Iterable[Any]) -> None:
        """Look for the result in what nobody has read: who gives up a load that is over has loaded the model."""
        with suppress(ProtocolMismatchError):  # given up as it is
            for packet in packets:
                if type(packet) in self._plan.results and not self.finished:
                    self._result = self._make(getattr(packet, self._plan.results[type(packet)]))

    def _warn_of(self, keys: Sequence[str] | Unset) -> None:
        if keys is not UNSET and len(keys) > 1:
            names = ", ".join(keys)
            self._sink.warn(
                ("ambiguous", names),
                f"several models match: {names}; the first is loaded. Name one of them in full",
            )

    def _abandoned(self) -> CancelledError:
        if not self._started:
            return CancelledError("the load was not started")
        return CancelledError(
            "the load was cancelled; a server that had just finished it has the model loaded all the same"
        )

    def _lost(self) -> str:
        return ": nothing was loaded"


class SyncLoad(LoadCore[H], SyncStream[float, H]):
    """A load that a thread waits for: iterable, giving its progress, and a context manager."""

    def __init__(
        self, connection: SyncConnection, plan: LoadPlan, request: LoadRequest, make: Callable[[Any], H]
    ) -> None:
        super().__init__(connection, (plan,), request)
        self._begin(plan, request, make, connection.core.settings.sink)

    def _fail(self, error: BaseException) -> None:
        if self._channel is not None:
            self._take_unread(self._channel.ready())
        super()._fail(error)

    def cancel(self) -> None:
        """Cancel the load, from whichever thread; who waits for it gets CancelledError, or the handle if the model had
        been loaded by then. Harmless after the end.
        """
        self.close()


class AsyncLoad(LoadCore[H], AsyncStream[float, H]):
    """A load that a task waits for: asynchronously iterable, giving its progress, and a context manager."""

    def __init__(
        self, connection: AsyncConnection, plan: LoadPlan, request: LoadRequest, make: Callable[[Any], H]
    ) -> None:
        super().__init__(connection, (plan,), request)
        self._begin(plan, request, make, connection.core.settings.sink)

    def _fail(self, error: BaseException) -> None:
        if self._channel is not None:
            self._take_unread(self._channel.ready())
        super()._fail(error)

    async def cancel(self) -> None:
        """Cancel the load, from whichever task; who waits for it gets CancelledError, or the handle if the model had
        been loaded by then. Harmless after the end.
        """
        self.close_now()


def milliseconds(seconds: float | None, name: str) -> int | Unset:
    """Return a time to live as the wire has it: whole milliseconds, at least 1; UNSET for None.

    Raises:
        UsageError: It is no number of seconds above zero.
    """
    if seconds is None:
        return UNSET
    if isinstance(seconds, bool) or not isinstance(seconds, (int, float)) or not 0.001 <= seconds < 1e12:
        raise UsageError(
            f"{name} must be a number of seconds of at least 0.001, or None for no limit; got {seconds!r}"
        )
    return round(seconds * 1000)


def load_request(
    *,
    table: Callable[[], OptionTable[Any]],
    model_key: Any,
    instance_identifier: Any = None,
    ttl: float | None,
    config: Any,
    on_load_progress: Any = None,
    timeout: Timeout = UNSET,
) -> LoadRequest:
    """Return the request of a load of what its caller gave.

    Raises:
        UsageError: The key is no text, the time to live no number of seconds, the callback none, or an option is
            unknown or out of range.
    """
    check_callback(on_load_progress, "on_load_progress")
    identifier = (
        UNSET if instance_identifier is None else check_text(instance_identifier, "instance_identifier")
    )
    variables = {
        "model_key": check_text(model_key, "model_key"),
        "instance_identifier": identifier,
        "ttl_ms": milliseconds(ttl, "ttl"),
    }
    fields = () if config is None else table().to_fields(config)
    return LoadRequest(variables=variables, fields=fields, timeout=timeout, on_progress=on_load_progress)
