"""The synchronous shell: what stubs of threads hold. ``async_shell`` has the same names for tasks.

A ``SyncClient`` has one ``SyncConnection`` for each namespace, and one housekeeping thread for all of them.
Everything here may be shared between threads; a ``SyncChannel`` is meant for one reader at a time.
"""

from __future__ import annotations

import threading
import weakref
from collections.abc import Callable, Iterator
from types import TracebackType
from typing import Any, Final, Generic, TypeVar, cast

from lmwire_runtime.client_core import ClientCore
from lmwire_runtime.connection import (
    check_not_tapping,
    encode,
    ended_error,
    finish_call,
    hurried,
    packet_decoder,
    raise_mismatch,
    silence_error,
)
from lmwire_runtime.descriptors import ChannelDescriptor, RpcDescriptor
from lmwire_runtime.errors import CancelledError, ClosedError, ConnectError, ConnectionLostError, LMWireError
from lmwire_runtime.limits import Timeout, resolve_timeout
from lmwire_runtime.session import Channel, ClientSession, Exchange, Lacking
from lmwire_runtime.sync_link import SyncLink
from lmwire_runtime.wire import ROOT, UNSET, DecodeError

__all__ = ["SyncChannel", "SyncClient", "SyncConnection", "SyncNamespace"]

P = TypeVar("P")
R = TypeVar("R")
C = TypeVar("C")
S = TypeVar("S")
T = TypeVar("T")
E = TypeVar("E", bound=Exchange)

TICK_SECONDS: Final = 1.0
# While bytes still wait to be sent and nobody waits for anything.
BUSY_TICK_SECONDS: Final = 0.01


class SyncConnection:
    """One namespace of one server: opens a WebSocket on first use, and another one after a loss or once the
    peer is mute.
    """

    def __init__(self, client: SyncClient, namespace: str) -> None:
        self._client = client
        self.core: ClientCore = client.core
        self.namespace = namespace
        self._opening = threading.Lock()
        # Guards the list of retired links.
        self._lock = threading.Lock()
        self._link: SyncLink | None = None
        self._making: SyncLink | None = None
        self._retired: list[SyncLink] = []
        # What the last server lacked, as long as it is the same one: a loss forgets it.
        self._lacking: Lacking = frozenset()

    def call(self, descriptor: RpcDescriptor[P, R], parameter: P, *, timeout: Timeout = UNSET) -> R:
        """Call an endpoint and wait for its answer.

        Args:
            descriptor: The endpoint.
            parameter: Its parameter; None for void ones.
            timeout: Seconds without an answer, None for no limit; by default the client's ``timeouts.rpc``.

        Raises:
            RpcError: The server answered with an error.
            UnsupportedEndpointError: It has no such endpoint.
            RefusedRequestError: It refused the parameter.
            ProtocolMismatchError: Its answer does not fit the schema.
            RequestTimeoutError, ConnectError, ConnectionLostError, AuthenticationError, UsageError: See there.
        """
        settings = self.core.settings
        limit = resolve_timeout(timeout, settings.timeouts.rpc)
        raw = encode(descriptor, descriptor.parameter, parameter)
        link, call = self.begin(lambda session: session.call(descriptor.name, raw), limit)
        try:
            answered = link.wait(call, limit)
        except BaseException:
            link.abandon(call, CancelledError("the call was interrupted"))
            raise
        if not answered:
            error = silence_error(call, descriptor, limit or 0.0)
            link.abandon(call, error)
            raise error
        return finish_call(call, descriptor, settings)

    def open(
        self, descriptor: ChannelDescriptor[C, S, T], creation: C, *, timeout: Timeout = UNSET
    ) -> SyncChannel[S, T]:
        """Make a channel; it is opened by ``with``, or by its first use.

        Args:
            descriptor: The endpoint.
            creation: Its creation parameter; None for void ones.
            timeout: Seconds of silence before each packet, None for no limit; by default ``timeouts.channel``.
        """
        limit = resolve_timeout(timeout, self.core.settings.timeouts.channel)
        return SyncChannel(self, descriptor, encode(descriptor, descriptor.creation, creation), limit)

    def begin(self, request: Callable[[ClientSession], E], limit: float | None) -> tuple[SyncLink, E]:
        """Send a request over a usable link; ``request`` makes the exchange, ``limit`` also limits connecting."""
        link = self.link(limit)
        try:
            return link, cast(E, link.start(lambda: request(link.session)))
        except ConnectionLostError:
            again = self.link(limit)  # it was lost a moment ago: nothing was sent yet
            return again, cast(E, again.start(lambda: request(again.session)))

    def link(self, limit: float | None = None) -> SyncLink:
        """Return a usable link, connecting if there is none, within ``limit`` seconds if that is less than usual."""
        check_not_tapping()
        link = self._link
        if link is not None and link.refresh():
            return link
        with self._opening:
            link = self._link
            if link is not None and link.refresh():
                return link
            self._client.check_open()
            if link is not None:
                self._retire(link)
            address = self.core.find_address()
            try:
                link = self._link = SyncLink.connect(
                    address, self.namespace, hurried(self.core.settings, limit), self._set_making
                )
            except ConnectError:
                self.core.not_reached(address)
                raise
            except LMWireError:
                self.core.forget_address()
                raise
            finally:
                self._making = None
            if self._client.closed:
                link.close()  # by another thread, which did not see this link any more, or not yet
            self._client.check_open()
            link.session.lacking |= self._lacking
            self._client.start_housekeeping()
            return link

    def _set_making(self, link: SyncLink) -> None:
        self._making = link
        self._client.check_open()

    def _retire(self, link: SyncLink) -> None:
        self._link = None
        self._lacking = frozenset() if link.session.lost is not None else link.session.lacking
        if link.session.lost is None and not link.session.idle:
            with self._lock:
                self._retired.append(link)  # mute, but still serving what is in flight
        else:
            link.discard()

    def tick(self) -> bool:
        """Housekeeping; returns whether it should come again soon."""
        busy = [link.tick() for link in self._links()]
        with self._lock:
            idle = [link for link in self._retired if link.session.idle]
            self._retired = [link for link in self._retired if link not in idle]
        for link in idle:
            link.close()
        return any(busy)

    def _links(self) -> list[SyncLink]:
        with self._lock:
            return [*self._retired, *([self._link] if self._link is not None else [])]

    def close(self) -> None:
        """Close all links."""
        for link in self._links():
            link.close()
        making = self._making
        if making is not None:
            making.discard(ClosedError("the client was closed"))


class SyncChannel(Generic[S, T]):
    """A typed channel: a context manager, and an iterator of packets until the server closes it.

    Leaving the ``with`` block early asks the server to stop, with the endpoint's cancel packet.
    """

    def __init__(
        self,
        connection: SyncConnection,
        descriptor: ChannelDescriptor[C, S, T],
        creation: Any,
        timeout: float | None,
    ) -> None:
        self.descriptor = descriptor
        self._connection = connection
        self._creation = creation
        self._timeout = timeout
        self._settings = connection.core.settings
        self._decoding = self._settings.decoding
        self._decode = packet_decoder(descriptor)
        self._link: SyncLink | None = None
        self._channel: Channel | None = None

    def start(self) -> Channel:
        """Open the channel unless it is; returns its exchange."""
        if self._channel is None:
            descriptor, creation = self.descriptor, self._creation
            self._link, self._channel = self._connection.begin(
                lambda session: session.open(descriptor.name, creation, descriptor.cancel), self._timeout
            )
            self._creation = UNSET
        return self._channel

    @property
    def ended(self) -> bool:
        """Whether nothing more can arrive; packets that did arrive may still be unread."""
        return self._channel is not None and self._channel.ended

    def __iter__(self) -> Iterator[T]:
        return self

    def __next__(self) -> T:
        channel = self._channel or self.start()
        while True:
            if not channel.inbox:
                self._await(channel)
                if not channel.inbox:
                    raise StopIteration
            try:
                raw = channel.take()
            except IndexError:
                continue  # the channel was given up between two lines of this loop
            break
        link = self._link
        if link is not None and link.session.paused is not None:
            link.resume()
        try:
            return self._decode(raw, self._decoding, ROOT)
        except DecodeError as error:
            self.close()
            raise_mismatch(error, raw, channel, self.descriptor, self._settings)

    def receive(self) -> T:
        """Return the next packet.

        Raises:
            IncompleteError: The server has closed the channel.
            ChannelError: It ended the channel with an error.
            RequestTimeoutError: Nothing arrived in time; the channel was cancelled.
            ProtocolMismatchError: The packet does not fit the schema; the channel was cancelled.
            SlowConsumerError: It was read too slowly and given up.
            ConnectionLostError, UnsupportedEndpointError, RefusedRequestError: See there.
        """
        try:
            return next(self)
        except StopIteration:
            raise ended_error(self.start(), self.descriptor) from None

    def send(self, packet: S) -> bool:
        """Send a packet; returns False if the channel has ended, which is a normal race."""
        channel = self.start()
        assert self._link is not None
        return self._link.send(channel, encode(self.descriptor, self.descriptor.to_server, packet))

    def cancel(self) -> bool:
        """Ask the server to stop, and go on receiving what it still sends; returns False if it has ended already.

        Endpoints without a cancel packet cannot be stopped; there this changes nothing and returns False.
        """
        channel = self.start()
        assert self._link is not None
        return self._link.cancel(channel)

    def close(self) -> None:
        """Give the channel up: the server is asked to stop, and what it still sends is dropped."""
        channel, link = self._channel, self._link
        if channel is not None and link is not None and (not channel.ended or channel.inbox):
            link.abandon(channel, CancelledError("the channel was closed by its user"))

    def release(self) -> None:
        """Stop following the channel after its result: the server is not asked to stop, the rest is dropped."""
        if self._channel is not None and self._link is not None:
            self._link.release(self._channel)

    def __enter__(self) -> SyncChannel[S, T]:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def __del__(self) -> None:
        # Forgotten half-way, without ``with``: the server need not go on.
        if getattr(self, "_channel", None) is not None:
            self.close()

    def _await(self, channel: Channel) -> None:
        assert self._link is not None
        if not self._link.wait(channel, self._timeout):
            error = silence_error(channel, self.descriptor, self._timeout or 0.0)
            self._link.abandon(channel, error)
            raise error
        if channel.error is not None and not channel.inbox:
            raise channel.error


class SyncNamespace:
    """Base of the generated namespaces: holds the connection that their stubs share."""

    def __init__(self, client: SyncClient, name: str) -> None:
        self.client = client
        self.connection = client.connection(name)


class SyncClient:
    """Base of the generated ``Client``: addresses, credentials, one connection for each namespace, housekeeping."""

    def __init__(self, core: ClientCore) -> None:
        self.core = core
        self._lock = threading.Lock()
        self._connections: dict[str, SyncConnection] = {}
        self._closed = False
        self._housekeeper: threading.Thread | None = None
        self._wake = threading.Event()

    def connection(self, namespace: str) -> SyncConnection:
        """Return the connection of a namespace; nothing is opened yet."""
        with self._lock:
            if namespace not in self._connections:
                self._connections[namespace] = SyncConnection(self, namespace)
            return self._connections[namespace]

    def check_open(self) -> None:
        """Raise ClosedError if the client was closed."""
        if self._closed:
            raise ClosedError("this client was closed; create a new one")

    def start_housekeeping(self) -> None:
        """Start the housekeeping thread unless it runs."""
        with self._lock:
            if self._housekeeper is None or not self._housekeeper.is_alive():
                self._housekeeper = threading.Thread(
                    target=_keep_house,
                    args=(weakref.ref(self), self._wake),
                    name="lmwire-housekeeping",
                    daemon=True,
                )
                self._housekeeper.start()

    def tick(self) -> bool:
        """Do the housekeeping of all connections once; returns whether it should come again soon."""
        busy = [connection.tick() for connection in list(self._connections.values())]
        return any(busy)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.core.api_host!r}{', closed' if self._closed else ''})"

    @property
    def closed(self) -> bool:
        """Whether ``close`` was called."""
        return self._closed

    def close(self) -> None:
        """Close all connections; what is in flight in other threads fails with ClosedError. May be called again."""
        with self._lock:
            self._closed = True
            connections = list(self._connections.values())
        self._wake.set()
        for connection in connections:
            connection.close()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()


def _keep_house(reference: weakref.ref[SyncClient], wake: threading.Event) -> None:
    # Holds no client while it sleeps, so that a forgotten client is collected.
    pause = TICK_SECONDS
    while not wake.wait(pause):
        client = reference()
        if client is None or client.closed:
            return
        pause = BUSY_TICK_SECONDS if client.tick() else TICK_SECONDS
        del client
