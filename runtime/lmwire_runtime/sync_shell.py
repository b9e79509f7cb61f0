"""The synchronous shell: what stubs of threads hold. ``async_shell`` has the same names for tasks.

A ``SyncClient`` has one ``SyncConnection`` for each namespace, and one housekeeping thread for all of them.
Everything here may be shared between threads; a ``SyncChannel`` is meant for one reader at a time.
"""

from __future__ import annotations

import threading
import weakref
from collections.abc import Callable, Iterator
from functools import partial
from types import TracebackType
from typing import Any, Final, TypeVar

from lmwire_runtime.channel_core import ChannelCore
from lmwire_runtime.client_core import ClientCore
from lmwire_runtime.connection import (
    encode,
    ended_error,
    finish_call,
    hurried,
    silence_error,
)
from lmwire_runtime.descriptors import ChannelDescriptor, Decoder, RpcDescriptor
from lmwire_runtime.errors import CancelledError, ClosedError, ConnectError, ConnectionLostError, LMWireError
from lmwire_runtime.limits import Timeout, resolve_timeout
from lmwire_runtime.session import Channel, ClientSession, Exchange, Lacking
from lmwire_runtime.sync_link import SyncLink
from lmwire_runtime.taps import check_not_tapping
from lmwire_runtime.wire import UNSET

__all__ = ["SyncChannel", "SyncClient", "SyncConnection", "SyncNamespace"]

P = TypeVar("P")
R = TypeVar("R")
C = TypeVar("C")
S = TypeVar("S")
T = TypeVar("T")
E = TypeVar("E", bound=Exchange)

# How many links a request tries that end before it could be sent.
BEGINNINGS: Final = 3
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
        wait_for_answer(link, call, limit)
        return finish_call(link, call, descriptor, settings)

    def keep_alive(self, *, timeout: Timeout = UNSET) -> None:
        """Make sure that the server answers: connects if need be, sends a ``keepAlive`` frame and waits for its answer.

        Raises:
            RequestTimeoutError: It did not answer within ``timeout`` seconds, by default ``timeouts.rpc``.
            ConnectError, ConnectionLostError, AuthenticationError: See there.
        """
        limit = resolve_timeout(timeout, self.core.settings.timeouts.rpc)
        link, call = self.begin(lambda session: session.receipts.keep_alive(), limit)
        wait_for_answer(link, call, limit)
        if call.error is not None:
            raise call.error

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
        for _ in range(BEGINNINGS - 1):
            link = self.link(limit)
            try:
                return link, link.start(partial(request, link.session), limit)
            except ConnectionLostError:
                pass  # it was lost, or replaced by another thread, a moment ago: nothing was sent yet
        link = self.link(limit)
        return link, link.start(partial(request, link.session), limit)

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
            link.discard(ConnectionLostError("the connection was replaced by another one"))

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

    def discard(self) -> None:
        """Drop all links at once."""
        for link in self._links():
            link.discard(ClosedError("the client was closed"))


class SyncChannel(ChannelCore[S, T, SyncLink]):
    """A typed channel: a context manager, and an iterator of packets until the server closes it.

    Leaving the ``with`` block early asks the server to stop, with the endpoint's cancel packet.
    """

    def __init__(
        self,
        connection: SyncConnection,
        descriptor: ChannelDescriptor[C, S, T],
        creation: Any,
        timeout: float | None,
        decode: Decoder[T] | None = None,
    ) -> None:
        super().__init__(descriptor, creation, timeout, connection.core.settings, decode)
        self._connection = connection

    def start(self) -> Channel:
        """Open the channel unless it is; returns its exchange."""
        if self._channel is None:
            descriptor, creation = self.descriptor, self._creation
            self._link, self._channel = self._connection.begin(
                lambda session: session.open(descriptor.name, creation, descriptor.cancel), self._timeout
            )
            self._creation = UNSET
        return self._channel

    def __iter__(self) -> Iterator[T]:
        """Yield packets until the server closes the channel; raises as ``receive`` does."""
        while True:
            yield from self.ready()
            if not self.wait():
                return

    def wait(self) -> bool:
        """Wait until there is a packet to take; returns False if there will be none.

        Raises:
            LMWireError: As ``receive``.
        """
        if self._channel is None:
            self.start()
        return self.waited(self.arrival())

    def arrival(self) -> bool:
        """Wait, on an open channel, for a packet or the end; returns what ``waited`` takes."""
        assert self._link is not None
        assert self._channel is not None
        return self._link.wait(self._channel, self._timeout)

    def __next__(self) -> T:
        return next(iter(self))

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
        for packet in self:
            return packet
        raise ended_error(self.start(), self.descriptor)

    def send(self, packet: S) -> bool:
        """Send a packet; returns False if the channel has ended, which is a normal race.

        Waits while the server does not take what was sent before.

        Raises:
            RequestTimeoutError: It has taken nothing for the channel's timeout; the channel was cancelled.
            UsageError: The packet cannot be expressed on the wire.
        """
        channel = self.start()
        assert self._link is not None
        return self._link.send(
            channel, encode(self.descriptor, self.descriptor.to_server, packet), self._timeout
        )

    def send_acknowledged(self, packet: S) -> None:
        """Send a packet and wait until the server has acknowledged its receipt (wire: ``ackId``, ``channelAck``).

        Servers of upstream's own making never do that; those made with this package do.

        Raises:
            RequestTimeoutError: It did not within the channel's timeout.
            IncompleteError: The channel had ended, or has ended instead.
            LMWireError: What else ended the channel.
        """
        channel, raw = self.start(), encode(self.descriptor, self.descriptor.to_server, packet)
        link = self._link
        assert link is not None
        sent = link.start(lambda: link.session.receipts.send(channel, raw), self._timeout)
        wait_for_answer(link, sent, self._timeout)
        if sent.error is not None:
            raise sent.error

    def cancel(self) -> bool:
        """Ask the server to stop, and go on receiving what it still sends; returns False if it has ended already.

        Endpoints without a cancel packet cannot be stopped; there this changes nothing and returns False.
        """
        channel = self.start()
        assert self._link is not None
        return self._link.cancel(channel)

    def close(self) -> None:
        """Give the channel up, as ``close_now``."""
        self.close_now()

    def __enter__(self) -> SyncChannel[S, T]:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close_now()


def wait_for_answer(link: SyncLink, exchange: Exchange, limit: float | None) -> None:
    """Wait until an exchange has a payload or has ended.

    Raises:
        RequestTimeoutError: Nothing arrived within ``limit`` seconds; the exchange was given up.
    """
    try:
        answered = link.wait(exchange, limit)
    except BaseException:
        link.abandon(exchange, CancelledError("the call was interrupted"))
        raise
    if not answered:
        error = silence_error(link.session, exchange, limit or 0.0, link.unsent)
        link.abandon(exchange, error)
        raise error


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
        try:
            for connection in connections:
                connection.close()
        except BaseException:  # Ctrl-C
            for connection in connections:
                connection.discard()
            raise

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
