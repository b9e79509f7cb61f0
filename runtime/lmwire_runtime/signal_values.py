"""Between what a signal's patches work on and its typed value; the same on both sides.

Patches work on the value as it is sent: JSON data, at superjson endpoints values of ``js_values``. The typed value is
what the endpoint's codec makes of its plain rendering. They share no list and no dict, so that a user who alters a
typed value in place changes nothing else.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeVar

from lmwire_runtime import patches as patching
from lmwire_runtime import superjson
from lmwire_runtime.descriptors import SignalDescriptor
from lmwire_runtime.patches import Patch
from lmwire_runtime.wire import UNSET, Decoding

__all__ = ["differences", "patches_from_wire", "patches_to_wire", "replacement", "to_typed", "to_value"]

T = TypeVar("T")


def to_typed(descriptor: SignalDescriptor[Any, T], value: Any, decoding: Decoding) -> T:
    """Return the typed value.

    Raises:
        DecodeError: It does not fit the schema.
        RecursionError: It is nested too deeply.
    """
    plain = superjson.plain(value) if descriptor.serialization == "superjson" else _copied(value)
    return descriptor.value.decode(plain, decoding)


def to_value(descriptor: SignalDescriptor[Any, T], typed: T) -> Any:
    """Return what patches work on; UNSET for an optional value that is None.

    Raises:
        AttributeError, TypeError, ValueError: It is not of the endpoint's type.
    """
    return superjson.enriched(_copied(descriptor.value.encode(typed)), descriptor.value.annotations)


def _copied(value: Any) -> Any:
    """Copy JSON data; undefined keys are left out, undefined elements become null."""
    if type(value) is dict:
        return {key: _copied(item) for key, item in value.items() if item is not UNSET}
    if type(value) in (list, tuple):
        return [None if item is UNSET else _copied(item) for item in value]
    return value


def differences(old: Any, new: Any) -> list[Patch]:
    """Return patches from one value to another; values that are nested too deeply to compare are replaced."""
    try:
        return patching.diff(old, new)
    except RecursionError:
        return [replacement(new)]


def replacement(value: Any) -> Patch:
    """Return the patch that replaces the whole value."""
    patch: Patch = {"op": "replace", "path": []}
    return patch if value is UNSET else {**patch, "value": value}


def patches_from_wire(descriptor: SignalDescriptor[Any, Any], patches: Sequence[Any]) -> list[Any]:
    """Return patches as they were received, without their envelopes.

    Raises:
        DecodeError: One of them is no envelope.
    """
    if descriptor.serialization != "superjson":
        return list(patches)
    return [superjson.decode(patch, (None, index)) for index, patch in enumerate(patches)]


def patches_to_wire(descriptor: SignalDescriptor[Any, Any], patches: Sequence[Patch]) -> list[Any]:
    """Return patches as they are sent: at superjson endpoints each has an envelope.

    Raises:
        TypeError, ValueError: A value holds what superjson cannot carry.
    """
    if descriptor.serialization != "superjson":
        return list(patches)
    return [superjson.encode(patch) for patch in patches]
