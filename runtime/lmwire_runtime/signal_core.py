"""What the signals of both shells share: everything but the waiting."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Final, Generic, Protocol, TypeVar

import attrs

from lmwire_runtime.connection import Settings, encode
from lmwire_runtime.descriptors import SignalDescriptor
from lmwire_runtime.errors import CancelledError, LMWireError, ProtocolMismatchError, UsageError
from lmwire_runtime.exchanges import Exchange
from lmwire_runtime.limits import Timeout, resolve_timeout
from lmwire_runtime.patches import Patch
from lmwire_runtime.session import ClientSession
from lmwire_runtime.signal_session import Snapshot, Subscription, Watch, Write
from lmwire_runtime.signal_values import differences, patches_to_wire, to_typed, to_value
from lmwire_runtime.wire import UNSET, DecodeError

__all__ = ["CLOSED", "RECOVERIES", "SignalCore", "SignalUpdate"]

T = TypeVar("T")

RECOVERIES: Final = 3
"""How many connections a reader tries that end before a value has come."""

CLOSED: Final = CancelledError("the signal was closed by its user")


@attrs.frozen
class SignalUpdate(Generic[T]):
    """A value of a signal.

    Attributes:
        value: The typed value.
        tags: What the server, or whoever changed the value, has to say of the changes since the last update.
    """

    value: T
    tags: tuple[str, ...] = ()


class SignalLink(Protocol):
    """What a signal asks of its link without waiting; see ``SyncLink`` and ``AsyncLink``."""

    session: ClientSession

    def apply(self, action: Callable[[], object]) -> None: ...

    def abandon(self, exchange: Exchange, error: LMWireError) -> None: ...


L = TypeVar("L", bound=SignalLink)


@attrs.frozen(eq=False)
class Change(Generic[T]):
    """A change of a writable signal, made for ``base``: its patches, and as they are sent."""

    base: Any
    value: T
    patches: list[Patch]
    raw: list[Any]


class SignalCore(Generic[T, L]):
    """The state of a typed signal. It is subscribed to by its first use; ``_link`` is None until then."""

    def __init__(
        self, descriptor: SignalDescriptor[Any, T], creation: Any, timeout: Timeout, settings: Settings
    ) -> None:
        self.descriptor = descriptor
        self._creation = encode(descriptor, descriptor.creation, creation)
        self.limit = resolve_timeout(timeout, settings.timeouts.rpc)
        """Seconds to wait for the first value, and for the answer to a write; None for no limit."""
        self._settings = settings
        self._link: L | None = None
        self._subscription: Subscription | None = None

    @property
    def subscribed(self) -> bool:
        """Whether the server has been asked for updates, and has not ended them."""
        return self._subscription is not None and not self._subscription.ended

    @property
    def request_id(self) -> int | None:
        """The wire's subscribeId; None before the first use."""
        return None if self._subscription is None else self._subscription.id

    def close_now(self) -> None:
        """Unsubscribe; loops over the signal end. Its next use subscribes anew. Does not wait."""
        subscription, link = self._subscription, self._link
        if subscription is not None and link is not None and not subscription.ended:
            link.abandon(subscription, CLOSED.copied())

    def __del__(self) -> None:
        if getattr(self, "_subscription", None) is not None:
            self.close_now()

    def _subscribe(self, session: ClientSession) -> Subscription:
        descriptor = self.descriptor
        return session.signals.subscribe(
            descriptor.name,
            self._creation,
            writable=descriptor.writable,
            superjson=descriptor.serialization == "superjson",
        )

    def _taken(self, link: L, watch: Watch) -> tuple[T, Snapshot] | None:
        """Return what a watch holds; None if that is nothing, or nothing that fits the schema."""
        try:
            snapshot: Snapshot = watch.take()
        except IndexError:
            return None  # it is being replaced by a newer one at this moment
        subscription = watch.subscription
        try:
            value = to_typed(self.descriptor, snapshot.value, self._settings.decoding)
        except (DecodeError, RecursionError) as error:
            mismatch = self._mismatch(error, subscription, snapshot)
            signals = link.session.signals
            link.apply(partial(signals.distrust, subscription, snapshot.generation, mismatch))
            return None
        subscription.trusted = True
        return value, snapshot

    def _mismatch(
        self, error: DecodeError | RecursionError, subscription: Subscription, snapshot: Snapshot
    ) -> LMWireError:
        if isinstance(error, RecursionError):
            error = DecodeError("", "a value of some reasonable depth", "one that is nested too deeply")
        raw = None if snapshot.value is UNSET else snapshot.value
        mismatch = ProtocolMismatchError(error, revision=self._settings.revision, raw=raw)
        return mismatch.at(self.descriptor.namespace, self.descriptor.name, subscription.id)

    def _change(self, value: T, snapshot: Snapshot, change: Callable[[T], T]) -> Change[T]:
        """Work out what ``change`` does to a value.

        What is compared is the typed values, encoded: keys that this revision's schema does not know stay as they are.
        """
        before = self._to_value(value)
        new = change(value)
        patches = differences(before, self._to_value(new))
        try:
            raw = patches_to_wire(self.descriptor, patches)
        except (TypeError, ValueError) as error:
            raise self._unsendable(new, error) from error
        return Change(snapshot.value, new, patches, raw)

    def _to_value(self, typed: T) -> Any:
        try:
            return to_value(self.descriptor, typed)
        except (AttributeError, TypeError, ValueError) as error:
            raise self._unsendable(typed, error) from error

    def _unsendable(self, typed: T, error: Exception) -> LMWireError:
        name = self.descriptor.value.type_name or "this value"
        problem = UsageError(f"{repr(typed)[:200]} cannot be sent as {name}: {error}")
        return problem.at(self.descriptor.namespace, self.descriptor.name)

    def _write(
        self, session: ClientSession, subscription: Subscription, change: Change[T], tags: Sequence[str]
    ) -> Write:
        return session.signals.write(subscription, change.base, change.patches, change.raw, tags)


def checked_tags(tags: Sequence[str]) -> tuple[str, ...]:
    """Return tags of a write.

    Raises:
        UsageError: They are no texts, or one text.
    """
    if isinstance(tags, str) or not all(isinstance(tag, str) for tag in tags):
        raise UsageError(f"tags have to be a list of texts; got {tags!r}")
    return tuple(tags)
