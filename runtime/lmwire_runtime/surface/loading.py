"""Loading a model: a channel that reports progress and ends with what it loaded, driven by a plan of the
compiler.

Leaving it early (Ctrl-C, task cancellation, a callback that raises) asks the server to cancel the load.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import attrs

from lmwire_runtime.descriptors import ChannelDescriptor
from lmwire_runtime.errors import IncompleteError, UsageError
from lmwire_runtime.limits import Timeout
from lmwire_runtime.surface.coroutines import Caller
from lmwire_runtime.surface.handles import check_callback, check_text
from lmwire_runtime.surface.options import OptionTable
from lmwire_runtime.surface.progress import ProgressMeter
from lmwire_runtime.surface.templates import fill
from lmwire_runtime.wire import UNSET, Unset

__all__ = ["LoadPlan", "load", "load_variables", "milliseconds"]


@attrs.frozen(kw_only=True)
class LoadPlan:
    """What the packets of a loading channel mean.

    Attributes:
        descriptor: The endpoint.
        template: Its creation parameter, see ``surface.templates``.
        begins: Packet classes that count as progress 0.0.
        ambiguous: Packet classes that may name several models which match, and the attribute that holds their keys.
        progress: Packet classes that report progress, and the attribute that holds it.
        results: Packet classes that end the load, and the attribute with what was loaded.
    """

    descriptor: ChannelDescriptor[Any, Any, Any]
    template: Mapping[str, Any]
    begins: Sequence[type]
    ambiguous: Mapping[type, str] = attrs.field(factory=dict)
    progress: Mapping[type, str]
    results: Mapping[type, str]


async def load(
    caller: Caller,
    plan: LoadPlan,
    variables: Mapping[str, Any],
    on_progress: Callable[[float], Any] | None,
    timeout: Timeout,
) -> Any:
    """Run a load to its end and return what the result packet carries.

    ``on_progress`` gets rising values from 0.0 to 1.0, the last of them before the result is returned.

    Raises:
        ChannelError: The server could not load it.
        IncompleteError: The server closed the channel without a result.
        RequestTimeoutError: It was silent for too long; the load was cancelled.
    """
    check_callback(on_progress, "on_load_progress")
    try:
        return await _followed(caller, plan, variables, ProgressMeter(on_progress), timeout)
    except IncompleteError as error:
        told = IncompleteError("the server closed the channel without a result: nothing was loaded")
        raise told.at(plan.descriptor.namespace, plan.descriptor.name, error.request_id) from None


async def _followed(
    caller: Caller, plan: LoadPlan, variables: Mapping[str, Any], meter: ProgressMeter, timeout: Timeout
) -> Any:
    packets = caller.open(plan.descriptor, fill(plan.template, variables), timeout)
    try:
        while True:
            packet = await packets.receive()
            kind = type(packet)
            if kind in plan.results:
                meter.finish()
                packets.release()
                return getattr(packet, plan.results[kind])
            if kind in plan.progress:
                meter.report(getattr(packet, plan.progress[kind]))
            elif kind in plan.begins:
                meter.begin()
            elif kind in plan.ambiguous:
                _warn_of(getattr(packet, plan.ambiguous[kind]), caller)
    except BaseException:
        packets.close_now()
        raise


def _warn_of(keys: Sequence[str] | Unset, caller: Caller) -> None:
    if keys is not UNSET and len(keys) > 1:
        names = ", ".join(keys)
        caller.warn(
            ("ambiguous", names),
            f"several models match: {names}; the first is loaded. Name one of them in full",
        )


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


def load_variables(
    *,
    table: OptionTable[Any],
    model_key: Any,
    instance_identifier: Any = None,
    ttl: float | None,
    config: Any,
) -> dict[str, Any]:
    """Return the template variables of a load of what its caller gave.

    Raises:
        UsageError: The key is no text, the time to live no number of seconds, or an option is unknown or
            out of range.
    """
    identifier = (
        UNSET if instance_identifier is None else check_text(instance_identifier, "instance_identifier")
    )
    return {
        "model_key": check_text(model_key, "model_key"),
        "instance_identifier": identifier,
        "ttl_ms": milliseconds(ttl, "ttl"),
        "options": table.to_fields(config),
    }
