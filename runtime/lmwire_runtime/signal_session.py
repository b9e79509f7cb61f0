"""The signals of a client's connection, without I/O: frames in, values kept up to date, frames out.

Rules
-----
* A *subscription* is one ``signalSubscribe`` (or ``writableSignalSubscribe``) and mirrors the server's value: replaced
  by the first update, changed by the patches of later ones. The value is never changed in place.
* A *watch* is what somebody waits on. It holds at most one unread snapshot, the newest; what a slow reader has missed
  is left out, but for its tags.
* A *write* is on its way to the server. Its patches are shown at once, on top of what the server has confirmed, and
  go when the server confirms them by its tag, or refuses them.
* Patches that do not apply, and values that do not fit the schema, are never shown: the server is warned, and the
  signal is subscribed to anew, under another id. If that does not help at once, the subscription ends.
* Updates for ids that are not subscribed to are a normal race with unsubscribing: dropped.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final
from uuid import uuid4

import attrs

from lmwire_runtime import patches as patching
from lmwire_runtime.errors import (
    ClosedError,
    LMWireError,
    ProtocolError,
    RefusedRequestError,
    SignalError,
    UnsupportedEndpointError,
)
from lmwire_runtime.exchanges import Exchange, is_id
from lmwire_runtime.refusals import PeerWarning
from lmwire_runtime.wire import UNSET, DecodeError

if TYPE_CHECKING:
    from lmwire_runtime.session import ClientSession

__all__ = ["MISSING", "ClientSignals", "Snapshot", "Subscription", "Watch", "Write"]

MISSING: Final = object()
"""Stands for a value that the server has not sent yet."""

# Tags of updates that a slow reader has missed; older ones are forgotten.
_TAGS_KEPT: Final = 1000


@attrs.frozen(eq=False)
class Snapshot:
    """A value as it was at some time.

    Attributes:
        value: JSON data, or values of superjson.
        tags: Those of all updates since the last snapshot that was read.
        generation: Id of the subscription that it is from.
    """

    value: Any
    tags: tuple[str, ...]
    generation: int


class Subscription(Exchange):
    """See the module docstring. Nobody waits on it; its ``on_change`` passes its end on to its watches and writes."""

    __slots__ = ("confirmed", "frame", "frames", "shown", "superjson", "tag", "trusted", "watches", "writes")

    def __init__(self, endpoint: str, identity: int, request: dict[str, Any], superjson: bool) -> None:
        super().__init__(endpoint, identity, request)
        self.frame = request
        """What subscribes to it."""
        self.frames: str = request["type"].removesuffix("Subscribe")
        """What the types of its frames begin with."""
        self.superjson = superjson
        self.confirmed: Any = MISSING
        """The server's value."""
        self.shown: Any = MISSING
        """The same with the patches of writes that are on their way."""
        self.watches: list[Watch] = []
        self.writes: list[Write] = []
        self.trusted = True
        """Something fitted since it was last subscribed to anew."""
        self.tag = uuid4().hex
        """What the tags of its own writes begin with."""


class Watch(Exchange):
    """Somebody who waits for snapshots of a subscription."""

    __slots__ = ("subscription",)

    def __init__(self, subscription: Subscription, identity: int) -> None:
        super().__init__(subscription.endpoint, identity, {})
        self.subscription = subscription


class Write(Exchange):
    """A change of a writable signal; it ends when the server has confirmed or refused it.

    ``stale`` ones were never sent, because the value that they were made for is not the current one.
    """

    __slots__ = ("patches", "stale", "subscription", "tag")

    def __init__(self, subscription: Subscription, identity: int, patches: Sequence[Any]) -> None:
        super().__init__(subscription.endpoint, identity, {})
        self.subscription = subscription
        self.patches = patches
        self.tag = f"{subscription.tag}-{identity}"
        self.stale = False


class ClientSignals:
    """Made by its session when the first signal is used."""

    def __init__(self, session: ClientSession) -> None:
        self._session = session

    # What the user does.

    def subscribe(
        self, endpoint: str, creation: Any = UNSET, *, writable: bool = False, superjson: bool = False
    ) -> Subscription:
        """Queue the frame that subscribes; ``creation`` is plain JSON, UNSET for void."""
        kind = "writableSignalSubscribe" if writable else "signalSubscribe"
        identity = self._session.new_id()
        frame = {"type": kind, "endpoint": endpoint, "subscribeId": identity}
        if creation is not UNSET:
            frame["creationParameter"] = creation
        subscription = Subscription(endpoint, identity, frame, superjson)
        subscription.on_change = lambda: self._pass_on_end(subscription)
        self._session.begin(subscription, self._session.others, frame)
        return subscription

    def watch(self, subscription: Subscription) -> Watch:
        """Wait for snapshots; the current one, if there is one, is there at once."""
        watch = Watch(subscription, self._session.new_id())
        if subscription.shown is not MISSING:
            watch.inbox.append((Snapshot(subscription.shown, (), subscription.id), 0))
        if subscription.ended:
            self._session.finish(watch, _copied(subscription.error))
        else:
            subscription.watches.append(watch)
        return watch

    def write(
        self,
        subscription: Subscription,
        base: Any,
        patches: Sequence[Any],
        raw: Sequence[Any],
        tags: Sequence[str],
    ) -> Write:
        """Queue a change of a writable signal, and show it at once.

        ``patches`` were made for the confirmed value ``base``, ``raw`` is how they are sent.
        """
        write = Write(subscription, self._session.new_id(), patches)
        if subscription.ended:
            self._session.finish(write, _copied(subscription.error))
        elif subscription.confirmed is not base:
            write.stale = True
            self._session.finish(write, None)
        else:
            self._session.outgoing.append(
                {
                    "type": "writableSignalUpdate",
                    "subscribeId": subscription.id,
                    "patches": list(raw),
                    "tags": [write.tag, *tags],
                }
            )
            subscription.writes.append(write)
            self._show(subscription, ())
        return write

    def withdraw(self, exchange: Exchange, *, sent: bool = True) -> None:
        """Take back what its user has given up: a subscription is unsubscribed, unless it was never ``sent``."""
        if isinstance(exchange, Watch) and exchange in exchange.subscription.watches:
            exchange.subscription.watches.remove(exchange)
        elif isinstance(exchange, Write):
            self._drop_write(exchange)
        elif isinstance(exchange, Subscription) and not exchange.ended:
            if sent:
                self._session.outgoing.append(self._unsubscribe_frame(exchange))
            if not sent or exchange.request is None:
                self._session.others.pop(exchange.id, None)
            # Else it stays, draining, as long as the server might refuse it.

    def distrust(self, subscription: Subscription, generation: int, error: LMWireError) -> None:
        """A value does not fit the schema: fetch it anew, or end the subscription with ``error`` if that was tried."""
        if subscription.id == generation and not subscription.ended:
            self._start_over(subscription, "PatchTypeError", error)

    # What the server sends.

    def receive(self, frame: dict[str, Any]) -> None:
        """Take a frame whose type begins with ``signal`` or ``writableSignal``."""
        kind = frame["type"]
        writable = kind.startswith("writable")
        if kind.endswith("Update"):
            self._on_update(frame, writable)
        else:
            self._on_error(frame, writable)

    def _subscription(self, frame: dict[str, Any], writable: bool) -> Subscription | None:
        found = self._session.others.get(self._session.id_in(frame, "subscribeId"))
        prefix = "writableSignal" if writable else "signal"
        return found if isinstance(found, Subscription) and found.frames == prefix else None

    def _on_update(self, frame: dict[str, Any], writable: bool) -> None:
        subscription = self._subscription(frame, writable)
        if subscription is None:
            return
        patches, tags = frame.get("patches"), frame.get("tags")
        if type(patches) is not list or type(tags) is not list or not all(type(tag) is str for tag in tags):
            kind = frame["type"]
            text = f"{self._session.namespace}: a {kind} frame without patches or tags was dropped"
            self._session.warn(("malformed", kind), text)
            return
        if subscription.draining:
            del self._session.others[subscription.id]
            return
        subscription.request = None
        try:
            confirmed = self._applied(subscription, patches)
        except (patching.PatchError, DecodeError, RecursionError) as problem:
            told = "they are nested too deeply" if isinstance(problem, RecursionError) else str(problem)[:500]
            error = ProtocolError(f"the server's patches of a signal cannot be applied: {told}")
            self._start_over(subscription, "PatchApplyError" if writable else "UpdatePatchApplyError", error)
            return
        fresh = subscription.confirmed is MISSING and confirmed is not MISSING
        subscription.trusted = subscription.trusted or (bool(patches) and not fresh)
        subscription.confirmed = confirmed
        for write in [write for write in subscription.writes if fresh or write.tag in tags]:
            # A fresh value has all writes in it that were sent before it was asked for, unless the server refused them.
            subscription.writes.remove(write)
            self._session.finish(write, None)
        self._show(subscription, tuple(tag for tag in tags if not tag.startswith(subscription.tag)))

    def _applied(self, subscription: Subscription, patches: list[Any]) -> Any:
        if subscription.superjson:
            from lmwire_runtime import superjson

            patches = [superjson.decode(patch, (None, index)) for index, patch in enumerate(patches)]
        if subscription.confirmed is not MISSING or not patches:
            return patching.apply(subscription.confirmed, patches) if patches else subscription.confirmed
        if not any(type(patch) is dict and patch.get("path") == [] for patch in patches):
            raise patching.PatchError("they change a value that was never sent")
        return patching.apply(None, patches)

    def _on_error(self, frame: dict[str, Any], writable: bool) -> None:
        subscription = self._subscription(frame, writable)
        if subscription is not None:
            del self._session.others[subscription.id]
            error = SignalError(frame.get("error"))
            self._session.finish(subscription, self._session.copy_for(subscription, error))
        elif is_id(identity := frame.get("subscribeId")) and not self._session.was_issued(int(identity)):
            text = f"Received {frame['type']} for unknown subscription, subscribeId = {identity}"
            self._session.complain("writableSignalUnknown" if writable else "signalUnknown", text)

    def place_warning(self, warning: PeerWarning) -> bool:
        """End what a warning about signals is about; returns False if nothing such is waited for."""
        subscriptions = [item for item in self._session.others.values() if isinstance(item, Subscription)]
        if warning.is_about_write:
            return self._refuse_write(warning, subscriptions)
        waiting = [item for item in subscriptions if item.request is not None]
        refused = warning.named_in(waiting)
        if refused is None:
            return False
        refusal = warning.error()
        others: list[Exchange] = [refused]
        if isinstance(refusal, UnsupportedEndpointError):
            self._session.lacking |= {(Subscription, refused.endpoint)}
            # A sixth warning is never sent, so that the others might wait for ever.
            others = [item for item in waiting if item.endpoint == refused.endpoint]
        for item in others:
            self._session.others.pop(item.id, None)
            self._session.finish(item, self._session.copy_for(item, refusal))
        return True

    def _refuse_write(self, warning: PeerWarning, subscriptions: list[Subscription]) -> bool:
        writes = [write for item in subscriptions for write in item.writes]
        identity = warning.subscription_id
        if identity is None:
            write = warning.named_in(writes)
        else:
            write = next((write for write in writes if write.subscription.id == identity), None)
        if write is None:
            return False
        error = RefusedRequestError(
            f"the server refused the change: {warning.text[:2000]}", kind=warning.kind
        )
        self._session.finish(write, self._session.copy_for(write, error))
        self._drop_write(write)
        return True

    # Helpers.

    def _show(self, subscription: Subscription, tags: tuple[str, ...]) -> None:
        """Work out what is shown, and give it to the watches if it has changed, or has tags."""
        shown = subscription.confirmed
        for write in subscription.writes:
            # If somebody else's change has come in between, the server will say what becomes of it.
            with suppress(patching.PatchError, RecursionError):
                shown = patching.apply(shown, write.patches)
        changed = shown is not subscription.shown
        subscription.shown = shown
        if shown is MISSING or not (changed or tags):
            return
        for watch in subscription.watches:
            missed: tuple[str, ...] = ()
            with suppress(
                IndexError
            ):  # its reader may take it at this very moment, and has missed nothing then
                missed = watch.inbox.pop()[0].tags
            watch.inbox.append((Snapshot(shown, (missed + tags)[-_TAGS_KEPT:], subscription.id), 0))
            watch.changed()

    def _start_over(self, subscription: Subscription, kind: str, error: LMWireError) -> None:
        session = self._session
        text = f"{session.namespace}.{subscription.endpoint}: {error}"
        session.complain(
            f"{subscription.frames}{kind}", f"endpointName = {subscription.endpoint}. {error}"[:1000]
        )
        session.warn(("signal", subscription.endpoint), f"{text}; the signal is subscribed to anew"[:1000])
        session.outgoing.append(self._unsubscribe_frame(subscription))
        session.others.pop(subscription.id, None)
        if not subscription.trusted:
            session.finish(subscription, session.copy_for(subscription, error))
            return
        subscription.trusted = False
        identity = session.new_id()
        frame = {**subscription.frame, "subscribeId": identity}
        subscription.id, subscription.frame, subscription.request = identity, frame, frame
        subscription.confirmed = subscription.shown = MISSING
        session.others[identity] = subscription
        session.outgoing.append(frame)

    def _drop_write(self, write: Write) -> None:
        subscription = write.subscription
        if write in subscription.writes:
            subscription.writes.remove(write)
            self._show(subscription, ())

    def _pass_on_end(self, subscription: Subscription) -> None:
        watches, subscription.watches = subscription.watches, []
        writes, subscription.writes = subscription.writes, []
        for exchange in (*writes, *watches):
            error = subscription.error or ClosedError("the signal was closed")
            self._session.finish(exchange, _copied(error))

    def _unsubscribe_frame(self, subscription: Subscription) -> dict[str, Any]:
        return {"type": f"{subscription.frames}Unsubscribe", "subscribeId": subscription.id}


def _copied(error: LMWireError | None) -> LMWireError | None:
    return None if error is None else error.copied()
