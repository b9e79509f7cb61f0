"""The asyncio shell: what stubs of tasks hold. ``sync_shell`` has the same names for threads; the docstrings
there hold here.

A client may be shared by all tasks of one event loop, with or without ``async with``. A later event loop (a second
``asyncio.run``) gets connections of its own.
"""

from __future__ import annotations

import weakref
from collections.abc import AsyncIterator, Coroutine
from types import TracebackType
from typing import TYPE_CHECKING, Any, TypeVar

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
from lmwire_runtime.errors import CancelledError, ClosedError, ConnectError, LMWireError, UsageError
from lmwire_runtime.limits import Timeout, resolve_timeout
from lmwire_runtime.session import Channel, Exchange, Lacking
from lmwire_runtime.wire import UNSET

if TYPE_CHECKING:
    # Loaded by the first connection: whoever uses threads alone never pays for asyncio.
    import asyncio

    from lmwire_runtime.async_link import AsyncLink

__all__ = ["AsyncChannel", "AsyncClient", "AsyncConnection", "AsyncNamespace"]

P = TypeVar("P")
R = TypeVar("R")
C = TypeVar("C")
S = TypeVar("S")
T = TypeVar("T")


class AsyncConnection:
    """One namespace of one server: opens a WebSocket on first use, and another one after a loss or once the
    peer is mute.
    """

    def __init__(self, client: AsyncClient, namespace: str) -> None:
        self._client = client
        self.core: ClientCore = client.core
        self.namespace = namespace
        self._locks: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Lock] = (
            weakref.WeakKeyDictionary()
        )
        self._link: AsyncLink | None = None
        self._making: AsyncLink | None = None
        self._retired: list[AsyncLink] = []
        # What the last server lacked, as long as it is the same one: a loss forgets it.
        self._lacking: Lacking = frozenset()

    async def call(self, descriptor: RpcDescriptor[P, R], parameter: P, *, timeout: Timeout = UNSET) -> R:
        """Call an endpoint and wait for its answer; see ``SyncConnection.call``."""
        settings = self.core.settings
        limit = resolve_timeout(timeout, settings.timeouts.rpc)
        raw = encode(descriptor, descriptor.parameter, parameter)
        link = await self.link(limit)
        call = await link.start(lambda: link.session.call(descriptor.name, raw), limit)
        await wait_for_answer(link, call, limit)
        return finish_call(link, call, descriptor, settings)

    async def keep_alive(self, *, timeout: Timeout = UNSET) -> None:
        """Make sure that the server answers; see ``SyncConnection.keep_alive``."""
        limit = resolve_timeout(timeout, self.core.settings.timeouts.rpc)
        link = await self.link(limit)
        call = await link.start(link.session.receipts.keep_alive, limit)
        await wait_for_answer(link, call, limit)
        if call.error is not None:
            raise call.error

    def open(
        self, descriptor: ChannelDescriptor[C, S, T], creation: C, *, timeout: Timeout = UNSET
    ) -> AsyncChannel[S, T]:
        """Make a channel; it is opened by ``async with``, or by its first use. See ``SyncConnection.open``."""
        limit = resolve_timeout(timeout, self.core.settings.timeouts.channel)
        return AsyncChannel(self, descriptor, encode(descriptor, descriptor.creation, creation), limit)

    async def link(self, limit: float | None = None) -> AsyncLink:
        """Return a usable link, connecting if there is none, within ``limit`` seconds if that is less than usual."""
        link = self._link
        if link is not None and link.in_its_loop and await link.refresh():
            return link
        self._client.check_open()
        import asyncio

        from lmwire_runtime.async_link import AsyncLink

        loop = asyncio.get_running_loop()
        async with self._locks.setdefault(loop, asyncio.Lock()):
            link = self._link
            if link is not None:
                if link.loop is not loop and not link.loop.is_closed() and link.usable:
                    raise UsageError(
                        "this client is in use by another event loop that is still open; create one AsyncClient for"
                        " each event loop"
                    )
                if link.loop is loop and link.usable:
                    return link
                self._retire(link)
            address = await self.core.find_address_async()
            try:
                link = self._link = await AsyncLink.connect(
                    address, self.namespace, hurried(self.core.settings, limit), self._set_making
                )
            except ConnectError:
                await self.core.not_reached_async(address)
                raise
            except LMWireError:
                self.core.forget_address()
                raise
            finally:
                self._making = None
            if self._client.closed:
                await link.close()  # by another task, which did not see this link any more, or not yet
            self._client.check_open()
            link.session.lacking |= self._lacking
            return link

    def _set_making(self, link: AsyncLink) -> None:
        self._making = link
        self._client.check_open()

    def _retire(self, link: AsyncLink) -> None:
        self._link = None
        self._lacking = frozenset() if link.session.lost is not None else link.session.lacking
        self._retired = [old for old in self._retired if not self._discard_idle(old)]
        if not self._discard_idle(link):
            self._retired.append(link)  # mute, but still serving what is in flight

    def _discard_idle(self, link: AsyncLink) -> bool:
        if link.session.lost is None and not link.session.idle and not link.loop.is_closed():
            return False
        link.discard()
        return True

    def _links(self) -> list[AsyncLink]:
        return [*self._retired, *([self._link] if self._link is not None else [])]

    async def close(self) -> None:
        """Close all links."""
        for link in self._links():
            if link.in_its_loop:
                await link.close()
            else:
                link.discard()
        if self._making is not None:
            self._making.discard(ClosedError("the client was closed"))

    def discard(self) -> None:
        """Drop all links at once."""
        for link in self._links():
            link.discard(ClosedError("the client was closed"))

    def __del__(self) -> None:
        # A forgotten client: its event loop, if it still runs, would keep the sockets open.
        self.discard()


class AsyncChannel(ChannelCore[S, T, "AsyncLink"]):
    """A typed channel: an asynchronous context manager, and an iterator of packets until the server closes it.

    Leaving the ``async with`` block early asks the server to stop, with the endpoint's cancel packet.
    """

    def __init__(
        self,
        connection: AsyncConnection,
        descriptor: ChannelDescriptor[C, S, T],
        creation: Any,
        timeout: float | None,
        decode: Decoder[T] | None = None,
    ) -> None:
        super().__init__(descriptor, creation, timeout, connection.core.settings, decode)
        self._connection = connection

    async def start(self) -> Channel:
        """Open the channel unless it is; returns its exchange."""
        if self._channel is None:
            link = await self._connection.link(self._timeout)
            descriptor, creation = self.descriptor, self._creation
            begun = await link.start(
                lambda: link.session.open(descriptor.name, creation, descriptor.cancel), self._timeout
            )
            self._link, self._channel = link, begun
            self._creation = UNSET
        return self._channel

    def __aiter__(self) -> AsyncIterator[T]:
        return self

    async def __anext__(self) -> T:
        while True:
            for packet in self.ready():
                return packet
            if not await self.wait():
                raise StopAsyncIteration

    async def wait(self) -> bool:
        """Wait until there is a packet to take; see ``SyncChannel.wait``."""
        if self._channel is None:
            await self.start()
        return self.waited(await self.arrival())

    def arrival(self) -> Coroutine[Any, Any, bool]:
        """Wait, on an open channel, for a packet or the end; see ``SyncChannel.arrival``."""
        assert self._link is not None
        assert self._channel is not None
        return self._link.wait(self._channel, self._timeout)

    async def receive(self) -> T:
        """Return the next packet; raises as ``SyncChannel.receive`` does."""
        async for packet in self:
            return packet
        raise ended_error(await self.start(), self.descriptor)

    async def send(self, packet: S) -> bool:
        """Send a packet; see ``SyncChannel.send``."""
        channel = await self.start()
        assert self._link is not None
        return await self._link.send(
            channel, encode(self.descriptor, self.descriptor.to_server, packet), self._timeout
        )

    async def send_acknowledged(self, packet: S) -> None:
        """Send a packet and wait until the server has acknowledged it; see ``SyncChannel.send_acknowledged``."""
        channel, raw = await self.start(), encode(self.descriptor, self.descriptor.to_server, packet)
        link = self._link
        assert link is not None
        sent = await link.start(lambda: link.session.receipts.send(channel, raw), self._timeout)
        await wait_for_answer(link, sent, self._timeout)
        if sent.error is not None:
            raise sent.error

    async def cancel(self) -> bool:
        """Ask the server to stop, and go on receiving what it still sends; see ``SyncChannel.cancel``."""
        channel = await self.start()
        assert self._link is not None
        return self._link.cancel(channel)

    async def close(self) -> None:
        """Give the channel up, as ``close_now``; a coroutine for symmetry with other closers."""
        self.close_now()

    async def __aenter__(self) -> AsyncChannel[S, T]:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close_now()


async def wait_for_answer(link: AsyncLink, exchange: Exchange, limit: float | None) -> None:
    """Wait until an exchange has a payload or has ended; see ``sync_shell.wait_for_answer``."""
    try:
        answered = await link.wait(exchange, limit)
    except BaseException:
        link.abandon(exchange, CancelledError("the call was interrupted"))
        raise
    if not answered:
        error = silence_error(link.session, exchange, limit or 0.0, link.unsent)
        link.abandon(exchange, error)
        raise error


class AsyncNamespace:
    """Base of the generated namespaces: holds the connection that their stubs share."""

    def __init__(self, client: AsyncClient, name: str) -> None:
        self.client = client
        self.connection = client.connection(name)


class AsyncClient:
    """Base of the generated ``AsyncClient``: addresses, credentials, one connection for each namespace."""

    def __init__(self, core: ClientCore) -> None:
        self.core = core
        self._connections: dict[str, AsyncConnection] = {}
        self._closed = False

    def connection(self, namespace: str) -> AsyncConnection:
        """Return the connection of a namespace; nothing is opened yet."""
        if namespace not in self._connections:
            self._connections[namespace] = AsyncConnection(self, namespace)
        return self._connections[namespace]

    def check_open(self) -> None:
        """Raise ClosedError if the client was closed."""
        if self._closed:
            raise ClosedError("this client was closed; create a new one")

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.core.api_host!r}{', closed' if self._closed else ''})"

    @property
    def closed(self) -> bool:
        """Whether ``close`` was called."""
        return self._closed

    async def close(self) -> None:
        """Close all connections; what is in flight in other tasks fails with ClosedError. May be called again."""
        self._closed = True
        connections = list(self._connections.values())
        try:
            for connection in connections:
                await connection.close()
        except BaseException:  # task cancellation
            for connection in connections:
                connection.discard()
            raise

    async def aclose(self) -> None:
        """Same as ``close``, under the name that ``contextlib.aclosing`` calls."""
        await self.close()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.close()
