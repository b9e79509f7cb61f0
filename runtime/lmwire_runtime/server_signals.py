"""A server's signals: the values that its handlers offer, and the subscriptions of one connection, without I/O.

A handler is called for each subscription and returns a ``ServerSignal``, one of its own or one that all clients share.
The signal holds the value and tells its subscriptions of each change, as patches. A client that takes nothing at the
moment is told later, and then of all changes at once.

Writes of clients are handled as upstream's server does, but for two things: a write that is refused gets its tags back,
in an update without patches, so that no client waits for it for ever; and what is published is what was stored, so that
no client's mirror keeps keys that the schema does not have.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, Generic, TypeVar

import attrs

from lmwire_runtime import patches as patching
from lmwire_runtime.descriptors import SignalDescriptor
from lmwire_runtime.errors import StateError
from lmwire_runtime.exchanges import is_id
from lmwire_runtime.js_values import same
from lmwire_runtime.json_codec import shown
from lmwire_runtime.patches import Patch
from lmwire_runtime.signal_values import (
    differences,
    patches_from_wire,
    patches_to_wire,
    replacement,
    to_typed,
    to_value,
)
from lmwire_runtime.wire import UNSET, DecodeError, Decoding, Unset

if TYPE_CHECKING:
    from lmwire_runtime.server_session import ServerSession

__all__ = ["ServerSignal", "ServerSignals", "SubscriptionReceived"]

logger = logging.getLogger("lmwire.server")

T = TypeVar("T")

_MISSING: Final = object()
# Of a client that takes nothing: tags that it will be told, and unsubscribed ids that were never subscribed to.
_TAGS_KEPT: Final = 10_000
_EARLY_KEPT: Final = 100


class ServerSignal(Generic[T]):
    """A value that clients observe, and may change if its endpoint is writable. Use it on the server's event loop only.

    Args:
        descriptor: The endpoint.
        value: The value; without one clients wait until it is ``set``.
        on_write: Called with the new value before a client's change is stored; an exception refuses the change.
    """

    def __init__(
        self,
        descriptor: SignalDescriptor[Any, T],
        value: T | Unset = UNSET,
        *,
        on_write: Callable[[T], object] | None = None,
    ) -> None:
        self.descriptor = descriptor
        self._on_write = on_write
        self._subscriptions: list[_Subscription] = []
        self._typed: T | Unset = value
        self._raw: Any = _MISSING if value is UNSET else to_value(descriptor, value)

    @property
    def available(self) -> bool:
        """Whether there is a value."""
        return self._raw is not _MISSING

    @property
    def value(self) -> T:
        """The value. Do not change it in place: ``set`` another one.

        Raises:
            StateError: There is none yet.
        """
        if self._typed is UNSET:
            raise StateError(f"the signal {self.descriptor.name} has no value yet")
        return self._typed

    @property
    def subscribers(self) -> int:
        """How many subscriptions there are."""
        return len(self._subscriptions)

    def set(self, value: T, *, tags: Iterable[str] = ()) -> None:
        """Change the value and tell all subscriptions, with ``tags``; they are told the tags also if nothing changes.

        Raises:
            AttributeError, TypeError, ValueError: The value is not of the endpoint's type.
        """
        raw = to_value(self.descriptor, value)
        patches = differences(self._raw, raw) if self.available else [replacement(raw)]
        self._store(value, raw, patches, tuple(tags))

    def update(self, change: Callable[[T], T], *, tags: Iterable[str] = ()) -> None:
        """Set what ``change`` makes of the value."""
        self.set(change(self.value), tags=tags)

    def fail(self, error: Any) -> None:
        """End all subscriptions with an error object."""
        for subscription in list(self._subscriptions):
            subscription.fail(error)

    def _store(self, typed: T, raw: Any, patches: list[Patch], tags: tuple[str, ...]) -> None:
        self._typed, self._raw = typed, raw
        if patches or tags:
            for subscription in list(self._subscriptions):
                subscription.publish(patches, tags)

    # For subscriptions only.

    def attach(self, subscription: _Subscription) -> None:
        """Tell a subscription the value, and its changes from now on."""
        self._subscriptions.append(subscription)
        if self.available:
            subscription.publish([replacement(self._raw)], ())

    def detach(self, subscription: _Subscription) -> None:
        """Tell it no more."""
        if subscription in self._subscriptions:
            self._subscriptions.remove(subscription)

    def changes_since(self, raw: Any) -> list[Patch]:
        """Return the patches from an earlier state, or from none, to the current one."""
        return [replacement(self._raw)] if raw is _MISSING else differences(raw, self._raw)

    @property
    def raw(self) -> Any:
        """The value as patches see it."""
        return self._raw

    def take_write(
        self, wanted: Any, patches: Sequence[Any], tags: tuple[str, ...], decoding: Decoding
    ) -> None:
        """Store and publish what a client's ``patches`` make of the value.

        Raises:
            DecodeError: It does not fit the schema.
            Exception: Whatever ``on_write`` refuses the change with.
        """
        typed = to_typed(self.descriptor, wanted, decoding)
        if self._on_write is not None:
            self._on_write(typed)
        raw = to_value(self.descriptor, typed)
        published = list(patches) if same(wanted, raw) else differences(self._raw, raw)
        self._store(typed, raw, published, tags)


@attrs.define(eq=False)
class _Subscription:
    """One subscription of one connection.

    Attributes:
        sent: The value as the client has it.
        lagging: The client took nothing when there was something to tell.
    """

    signals: ServerSignals
    key: tuple[bool, int]
    signal: ServerSignal[Any]
    ready: Callable[[], bool]
    write: Callable[[], None]
    sent: Any = _MISSING
    lagging: bool = False
    tags: tuple[str, ...] = ()

    def publish(self, patches: list[Patch], tags: tuple[str, ...]) -> None:
        """Send a change, or remember to do so."""
        if self.lagging or not self.ready():
            self.lagging = True
            self.tags = (self.tags + tags)[-_TAGS_KEPT:]
            return
        try:
            frames = patches_to_wire(self.signal.descriptor, patches)
        except (TypeError, ValueError) as error:
            logger.exception("a signal's data cannot be expressed in superjson")
            self.fail({"title": "the server's data cannot be expressed in superjson", "cause": str(error)})
            return
        self.sent = self.signal.raw
        self.signals.queue_update(self.key, frames, tags)
        self.write()

    def catch_up(self) -> None:
        """Send what the client has missed."""
        if self.lagging and self.ready():
            tags, self.tags, self.lagging = self.tags, (), False
            self.publish(self.signal.changes_since(self.sent) if self.signal.available else [], tags)

    def fail(self, error: Any) -> None:
        """End the subscription."""
        self.signals.end(self.key, error)
        self.write()


@attrs.frozen(eq=False)
class SubscriptionReceived:
    """A subscription to serve; answer with ``attach``, ``fail`` or ``forget`` of ``ServerSignals``."""

    descriptor: SignalDescriptor[Any, Any]
    key: tuple[bool, int]
    creation: Any


class ServerSignals:
    """The subscriptions of one connection, by whether they are writable and by their id.

    One whose handler has not returned yet is in the table as the event that asked for it.
    """

    def __init__(self, session: ServerSession) -> None:
        self._session = session
        self._table: dict[tuple[bool, int], _Subscription | SubscriptionReceived] = {}
        # Upstream remembers what was unsubscribed before it was subscribed to, and is silent about it.
        self._early: dict[tuple[bool, int], None] = {}

    # What the client sends.

    def on_subscribe(self, frame: dict[str, Any]) -> SubscriptionReceived | None:
        """Take a frame that subscribes."""
        key = _key_in(frame)
        if key is None:
            return None
        prefix = _PREFIXES[key[0]]
        known = {
            name: item for name, item in self._session.namespace.signal.items() if item.writable == key[0]
        }
        descriptor = self._session.endpoint_in(frame, prefix, known)
        if descriptor is None:
            return None
        if key in self._table:
            text = f"Received {frame['type']} for already open subscription, subscribeId = {key[1]}"
            self._session.warn(f"{prefix}AlreadyOpen", text)
            return None
        if key in self._early:
            del self._early[key]
            return None
        valid, creation = self._session.decode_creation(descriptor, frame, prefix)
        if not valid:
            return None
        event = SubscriptionReceived(descriptor, key, creation)
        self._table[key] = event
        return event

    def on_unsubscribe(self, frame: dict[str, Any]) -> None:
        """Take a frame that unsubscribes."""
        key = _key_in(frame)
        if key is None:
            return
        if key not in self._table:
            if len(self._early) < _EARLY_KEPT:
                self._early[key] = None
            return
        self._remove(key)

    def on_update(self, frame: dict[str, Any]) -> None:
        """Take a change of a writable signal."""
        key, patches, tags = _key_in(frame), frame.get("patches"), frame.get("tags")
        if key is None or type(patches) is not list or type(tags) is not list:
            return
        if not all(type(tag) is str for tag in tags):
            return
        subscription = self._table.get(key)
        if not isinstance(subscription, _Subscription):
            text = f"Received writableSignalUpdate for unknown subscription, subscribeId = {key[1]}"
            self._session.warn("writableSignalUnknown", text)
        elif not subscription.signal.available:
            self.queue_update(key, [], tags)
        else:
            self._write(subscription, patches, tuple(tags))

    def _write(self, subscription: _Subscription, patches: list[Any], tags: tuple[str, ...]) -> None:
        signal = subscription.signal
        name = f"endpointName = {signal.descriptor.name}"
        kind = "writableSignalPatchApplyError"
        wanted: Any = _MISSING
        try:
            patches = patches_from_wire(signal.descriptor, patches)
            wanted = patching.apply(signal.raw, patches)
            signal.take_write(wanted, patches, tags, self._session.decoding)
            return
        except DecodeError as error:
            text = f"Error in receivedPatches for writable signal, {name}, error = {error}"
            if wanted is not _MISSING:
                kind = "writableSignalDataTypeError"
                text = f"Received invalid data for writable signal, {name}, data = {shown(wanted)}. {error}"
        except RecursionError:
            text = f"Error in receivedPatches for writable signal, {name}, error = nested too deeply"
        except Exception as error:  # noqa: BLE001  # whatever on_write raises, the client has to hear of it
            text = f"Error in receivedPatches for writable signal, {name}, error = {error}"
        self._session.warn(kind, text)
        self.queue_update(subscription.key, [], tags)

    # What the server does.

    def attach(
        self,
        event: SubscriptionReceived,
        signal: Any,
        *,
        ready: Callable[[], bool],
        write: Callable[[], None],
    ) -> None:
        """Answer a subscription with a signal; nothing happens if the client has unsubscribed meanwhile.

        ``ready`` tells whether the client takes data, ``write`` sends what is queued.

        Raises:
            TypeError: It is no signal, or one of another endpoint.
        """
        if not isinstance(signal, ServerSignal) or signal.descriptor != event.descriptor:
            raise TypeError(
                f"the handler of {event.descriptor.name} has to return a ServerSignal of that endpoint"
            )
        if self._table.get(event.key) is event:
            subscription = _Subscription(self, event.key, signal, ready, write)
            self._table[event.key] = subscription
            signal.attach(subscription)

    def fail(self, event: SubscriptionReceived, error: Any) -> None:
        """Answer a subscription with an error object."""
        if self._table.get(event.key) is event:
            self.end(event.key, error)

    def forget(self, event: SubscriptionReceived) -> None:
        """Go on as if it had never been asked for."""
        if self._table.get(event.key) is event:
            del self._table[event.key]

    def end(self, key: tuple[bool, int], error: Any) -> None:
        """End a subscription with an error object; does nothing if it has ended."""
        if key in self._table:
            self._remove(key)
            self._session.outgoing.append(
                {"type": f"{_PREFIXES[key[0]]}Error", "subscribeId": key[1], "error": error}
            )

    def replace(self, frame: Mapping[str, Any], error: Any) -> None:
        """End the subscription of a frame that JSON cannot express."""
        key = _key_in(frame)
        if key is not None and not frame["type"].endswith("Error"):
            self.end(key, error)

    def queue_update(self, key: tuple[bool, int], patches: Sequence[Any], tags: Sequence[str]) -> None:
        """Queue an update frame."""
        self._session.outgoing.append(
            {
                "type": f"{_PREFIXES[key[0]]}Update",
                "subscribeId": key[1],
                "patches": list(patches),
                "tags": list(tags),
            }
        )

    def catch_up(self) -> None:
        """The client takes data again: tell it what it has missed."""
        for subscription in list(self._table.values()):
            if isinstance(subscription, _Subscription):
                subscription.catch_up()

    def close(self) -> None:
        """The connection has ended."""
        for key in list(self._table):
            self._remove(key)

    def _remove(self, key: tuple[bool, int]) -> None:
        subscription = self._table.pop(key)
        if isinstance(subscription, _Subscription):
            subscription.signal.detach(subscription)


_PREFIXES: Final = {False: "signal", True: "writableSignal"}


def _key_in(frame: Mapping[str, Any]) -> tuple[bool, int] | None:
    identity = frame.get("subscribeId")
    return (frame["type"].startswith("writable"), int(identity)) if is_id(identity) else None
