"""One definition for both shells.

An operation that takes several steps is written once, as a coroutine over a ``Caller``. The asyncio shell
awaits it. The synchronous shell runs it with a caller whose steps block the thread and therefore never
suspend, so that ``run`` gets the result from the first step of the coroutine.
"""

from __future__ import annotations

from collections.abc import Coroutine
from typing import Any, Generic, Protocol, TypeVar

from lmwire_runtime.async_shell import AsyncChannel, AsyncConnection
from lmwire_runtime.descriptors import ChannelDescriptor, RpcDescriptor
from lmwire_runtime.limits import Timeout, resolve_timeout
from lmwire_runtime.sync_shell import SyncChannel, SyncConnection

__all__ = ["AsyncCaller", "Caller", "Packets", "SyncCaller", "run"]

P = TypeVar("P")
R = TypeVar("R")
T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)


class Packets(Protocol[T_co]):
    """The packets of one channel, for an operation that follows it to its end."""

    async def receive(self) -> T_co:
        """Return the next packet; raises as ``SyncChannel.receive`` does."""
        ...

    def close_now(self) -> None:
        """Give the channel up, asking the server to stop if it has not ended."""
        ...

    def release(self) -> None:
        """Stop following the channel after its result: the server is not asked to stop."""
        ...


class Caller(Protocol):
    """What an operation needs of a connection."""

    async def call(self, descriptor: RpcDescriptor[P, R], parameter: P, timeout: Timeout) -> R:
        """Call an endpoint."""
        ...

    def open(self, descriptor: ChannelDescriptor[Any, Any, T], creation: Any, timeout: Timeout) -> Packets[T]:
        """Make a channel; ``creation`` is plain JSON."""
        ...

    def warn(self, kind: tuple[str, ...], text: str) -> None:
        """Log a warning, once for each kind."""
        ...


class AsyncCaller:
    """Calls that suspend the task."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection
        self.warn = connection.core.settings.sink.warn

    async def call(self, descriptor: RpcDescriptor[P, R], parameter: P, timeout: Timeout) -> R:
        return await self._connection.call(descriptor, parameter, timeout=timeout)

    def open(
        self, descriptor: ChannelDescriptor[Any, Any, T], creation: Any, timeout: Timeout
    ) -> AsyncChannel[Any, T]:
        limit = resolve_timeout(timeout, self._connection.core.settings.timeouts.channel)
        return AsyncChannel(self._connection, descriptor, creation, limit)


class SyncCaller:
    """Calls that block the thread."""

    def __init__(self, connection: SyncConnection) -> None:
        self._connection = connection
        self.warn = connection.core.settings.sink.warn

    async def call(self, descriptor: RpcDescriptor[P, R], parameter: P, timeout: Timeout) -> R:
        return self._connection.call(descriptor, parameter, timeout=timeout)

    def open(
        self, descriptor: ChannelDescriptor[Any, Any, T], creation: Any, timeout: Timeout
    ) -> _BlockingPackets[T]:
        limit = resolve_timeout(timeout, self._connection.core.settings.timeouts.channel)
        return _BlockingPackets(SyncChannel(self._connection, descriptor, creation, limit))


class _BlockingPackets(Generic[T]):
    def __init__(self, channel: SyncChannel[Any, T]) -> None:
        self._channel = channel

    async def receive(self) -> T:
        return self._channel.receive()

    def close_now(self) -> None:
        self._channel.close()

    def release(self) -> None:
        self._channel.release()


def run(operation: Coroutine[Any, Any, T]) -> T:
    """Run an operation whose caller is a ``SyncCaller``, and return its result."""
    try:
        operation.send(None)
    except StopIteration as stop:
        result: T = stop.value
        return result
    operation.close()
    raise RuntimeError("an operation suspended although its caller blocks")
