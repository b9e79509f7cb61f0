"""One way to drive both shells: a test is written once, in blocking calls, and runs over threads and asyncio."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from types import TracebackType
from typing import Any, Protocol, TypeVar

from lmwire_runtime.async_shell import AsyncChannel, AsyncClient
from lmwire_runtime.client_core import ClientCore
from lmwire_runtime.descriptors import ChannelDescriptor, RpcDescriptor
from lmwire_runtime.limits import Timeout
from lmwire_runtime.sync_shell import SyncChannel, SyncClient
from lmwire_runtime.wire import UNSET
from tests.runtime.arithmetic import ENOUGH, LoopThread

T = TypeVar("T")

KINDS = ("sync", "asyncio")
NAMESPACE = "arithmetic"


class Stream(Protocol):
    """A channel of either shell."""

    @property
    def ended(self) -> bool: ...
    def __enter__(self) -> Stream: ...
    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None: ...
    def __iter__(self) -> Iterator[Any]: ...
    def __next__(self) -> Any: ...
    def start(self) -> Any: ...
    def receive(self) -> Any: ...
    def send(self, packet: Any) -> bool: ...
    def send_acknowledged(self, packet: Any) -> None: ...
    def cancel(self) -> bool: ...
    def close(self) -> None: ...
    def release(self) -> None: ...


class Shell(Protocol):
    """A client of either shell; all methods may be called from any thread."""

    core: ClientCore

    def call(
        self, descriptor: RpcDescriptor[Any, Any], parameter: Any = None, *, timeout: Timeout = UNSET
    ) -> Any: ...
    def open(
        self, descriptor: ChannelDescriptor[Any, Any, Any], creation: Any = None, *, timeout: Timeout = UNSET
    ) -> Stream: ...
    def keep_alive(self, *, timeout: Timeout = UNSET) -> None: ...
    def close(self) -> None: ...


class SyncShell:
    """Threads."""

    def __init__(self, core: ClientCore) -> None:
        self.core = core
        self.client = SyncClient(core)

    def call(
        self, descriptor: RpcDescriptor[Any, Any], parameter: Any = None, *, timeout: Timeout = UNSET
    ) -> Any:
        return self.client.connection(descriptor.namespace).call(descriptor, parameter, timeout=timeout)

    def open(
        self, descriptor: ChannelDescriptor[Any, Any, Any], creation: Any = None, *, timeout: Timeout = UNSET
    ) -> SyncChannel[Any, Any]:
        return self.client.connection(descriptor.namespace).open(descriptor, creation, timeout=timeout)

    def keep_alive(self, *, timeout: Timeout = UNSET) -> None:
        self.client.connection(NAMESPACE).keep_alive(timeout=timeout)

    def close(self) -> None:
        self.client.close()


class AsyncStream:
    """An asyncio channel, driven from outside its loop."""

    def __init__(
        self, channel: AsyncChannel[Any, Any], run: Callable[[Coroutine[Any, Any, Any]], Any]
    ) -> None:
        self.channel = channel
        self._run = run

    @property
    def ended(self) -> bool:
        return self.channel.ended

    def __enter__(self) -> AsyncStream:
        self._run(self.channel.__aenter__())
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._run(self.channel.__aexit__(kind, error, traceback))

    def __iter__(self) -> Iterator[Any]:
        return self

    def __next__(self) -> Any:
        try:
            return self._run(self.channel.__anext__())
        except StopAsyncIteration:
            raise StopIteration from None

    def start(self) -> Any:
        return self._run(self.channel.start())

    def receive(self) -> Any:
        return self._run(self.channel.receive())

    def send(self, packet: Any) -> bool:
        return bool(self._run(self.channel.send(packet)))

    def send_acknowledged(self, packet: Any) -> None:
        self._run(self.channel.send_acknowledged(packet))

    def cancel(self) -> bool:
        return bool(self._run(self.channel.cancel()))

    def close(self) -> None:
        self._run(self.channel.close())

    def release(self) -> None:
        async def release() -> None:
            self.channel.release()

        self._run(release())


class AsyncShell:
    """Tasks of an event loop that runs in a thread of its own."""

    def __init__(self, core: ClientCore, loop: LoopThread) -> None:
        self.core = core
        self.loop = loop
        self.client = AsyncClient(core)

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        return self.loop.run(work)

    def call(
        self, descriptor: RpcDescriptor[Any, Any], parameter: Any = None, *, timeout: Timeout = UNSET
    ) -> Any:
        return self.run(
            self.client.connection(descriptor.namespace).call(descriptor, parameter, timeout=timeout)
        )

    def open(
        self, descriptor: ChannelDescriptor[Any, Any, Any], creation: Any = None, *, timeout: Timeout = UNSET
    ) -> AsyncStream:
        channel = self.client.connection(descriptor.namespace).open(descriptor, creation, timeout=timeout)
        return AsyncStream(channel, self.run)

    def keep_alive(self, *, timeout: Timeout = UNSET) -> None:
        self.run(self.client.connection(NAMESPACE).keep_alive(timeout=timeout))

    def close(self) -> None:
        self.run(self.client.close())


class Shells:
    """Makes clients of one kind, and threads that use them."""

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self.made: list[Shell] = []
        self._loop = LoopThread() if kind == "asyncio" else None
        self._threads = ThreadPoolExecutor(70)

    def make(self, host: str, **options: Any) -> Shell:
        """Make a client of the server at ``host``; it is closed at the end of the test."""
        core = ClientCore(revision="test", api_host=host, **options)
        shell: Shell = SyncShell(core) if self._loop is None else AsyncShell(core, self._loop)
        self.made.append(shell)
        return shell

    def submit(self, work: Callable[..., T], *arguments: Any, **options: Any) -> Future[T]:
        """Do something in another thread."""
        return self._threads.submit(work, *arguments, **options)

    def read(self, stream: Stream) -> list[Any]:
        """Read a channel to its end."""
        return list(stream)

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine on the clients' loop."""
        assert self._loop is not None
        return self._loop.run(work)

    def close(self) -> None:
        for shell in self.made:
            shell.close()
        self._threads.shutdown()
        if self._loop is not None:
            self._loop.stop()


@contextmanager
def shells_of(kind: str) -> Iterator[Shells]:
    """Clients of one kind for one test."""
    shells = Shells(kind)
    try:
        yield shells
    finally:
        shells.close()


def result_of(future: Future[T]) -> T:
    """Return what another thread made, or raise what it raised."""
    return future.result(ENOUGH)
