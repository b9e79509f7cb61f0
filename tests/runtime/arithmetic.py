"""A small namespace of our own, served by the real server, for tests of the runtime without generated code."""

from __future__ import annotations

import asyncio
import ssl
import threading
from collections import Counter
from collections.abc import Awaitable, Callable, Coroutine
from concurrent.futures import Future
from typing import Any, TypeVar

from lmwire_runtime.descriptors import VOID, ChannelDescriptor, Codec, NamespaceDescriptor, RpcDescriptor
from lmwire_runtime.server import ErrorReply, Namespace, RequestContext, Server, ServerChannel
from lmwire_runtime.wire import Decoding, Path

T = TypeVar("T")

# Longer than anything here takes, shorter than a test may: what exceeds it is a hang.
ENOUGH = 30.0


def _integer(value: Any, decoding: Decoding, path: Path) -> int:
    if type(value) is not int:
        decoding.deviation(path, "an integer", value)
    return int(value)


def _table(value: Any, decoding: Decoding, path: Path) -> dict[str, Any]:
    if type(value) is not dict:
        decoding.deviation(path, "an object", value)
    return dict(value)


def _anything(value: Any, decoding: Decoding, path: Path) -> Any:
    return value


def _same(value: T) -> T:
    return value


INTEGER: Codec[int] = Codec(_integer, _same, type_name="an integer")
TABLE: Codec[dict[str, Any]] = Codec(_table, _same, type_name="an object")
ANYTHING: Codec[Any] = Codec(_anything, _same, type_name="anything")


def rpc(
    name: str, parameter: Codec[Any], result: Codec[Any], *, namespace: str = "arithmetic"
) -> RpcDescriptor[Any, Any]:
    return RpcDescriptor(namespace=namespace, name=name, method=name, parameter=parameter, result=result)


def channel(
    name: str, creation: Codec[Any], packets: Codec[Any], cancel: dict[str, Any] | None = None
) -> ChannelDescriptor[Any, Any, Any]:
    return ChannelDescriptor(
        namespace="arithmetic",
        name=name,
        method=name,
        creation=creation,
        to_server=packets,
        to_client=packets,
        cancel=cancel,
    )


DOUBLE: RpcDescriptor[int, int] = rpc("double", INTEGER, INTEGER)
PING: RpcDescriptor[None, None] = rpc("ping", VOID, VOID)
SIZE: RpcDescriptor[str, int] = rpc("size", ANYTHING, INTEGER)
FAIL: RpcDescriptor[None, None] = rpc("fail", VOID, VOID)
CRASH: RpcDescriptor[None, None] = rpc("crash", VOID, VOID)
HANG: RpcDescriptor[None, None] = rpc("hang", VOID, VOID)
WAIT: RpcDescriptor[None, int] = rpc("wait", VOID, INTEGER)
UNHANDLED: RpcDescriptor[None, None] = rpc("unhandled", VOID, VOID)
LIE: RpcDescriptor[None, int] = rpc("lie", VOID, INTEGER)
UNSPEAKABLE: RpcDescriptor[None, Any] = rpc("unspeakable", VOID, ANYTHING)
COUNT: ChannelDescriptor[dict[str, Any], dict[str, Any], dict[str, Any]] = channel(
    "count", TABLE, TABLE, {"type": "cancel"}
)
ECHO: ChannelDescriptor[None, Any, Any] = channel("echo", VOID, ANYTHING)
SILENT: ChannelDescriptor[None, Any, Any] = channel("silent", VOID, ANYTHING, {"type": "cancel"})

ARITHMETIC = NamespaceDescriptor(
    name="arithmetic",
    revision="test",
    rpc={
        endpoint.name: endpoint
        for endpoint in (DOUBLE, PING, SIZE, FAIL, CRASH, HANG, WAIT, UNHANDLED, LIE, UNSPEAKABLE)
    },
    channel={endpoint.name: endpoint for endpoint in (COUNT, ECHO, SILENT)},
)


class ArithmeticHandlers:
    """Handlers of the namespace. What happens in them can be waited for from any thread, see ``until``."""

    def __init__(self) -> None:
        self.seen: Counter[str] = Counter()
        """How often: ``cancelled`` (a cancel packet ended a channel), ``dropped`` (its connection did), ``hanging``,
        ``waiting``, ``silent``.
        """
        self._changed = threading.Condition()
        self._released: list[tuple[asyncio.AbstractEventLoop, asyncio.Event]] = []

    def note(self, what: str) -> None:
        with self._changed:
            self.seen[what] += 1
            self._changed.notify_all()

    def until(self, what: str, count: int = 1) -> None:
        """Wait until this has happened so often."""
        with self._changed:
            assert self._changed.wait_for(lambda: self.seen[what] >= count, ENOUGH), (what, self.seen)

    def release(self) -> None:
        """Let every ``wait`` that has begun go on."""
        released, self._released = self._released, []
        for loop, event in released:
            loop.call_soon_threadsafe(event.set)

    async def double(self, parameter: int, context: RequestContext) -> Any:
        return parameter * 2

    async def ping(self, context: RequestContext) -> None:
        return None

    async def size(self, parameter: str, context: RequestContext) -> int:
        return len(parameter)

    async def fail(self, context: RequestContext) -> None:
        raise ErrorReply(
            "it failed", cause="it had to", suggestion="try again", display_data={"code": "test.failed"}
        )

    async def crash(self, context: RequestContext) -> None:
        raise ZeroDivisionError("division by zero")

    async def hang(self, context: RequestContext) -> None:
        self.note("hanging")
        await asyncio.Event().wait()

    async def wait(self, context: RequestContext) -> int:
        event = asyncio.Event()
        self._released.append((asyncio.get_running_loop(), event))
        self.note("waiting")
        await event.wait()
        return 1

    async def lie(self, context: RequestContext) -> Any:
        return "not an integer"

    async def unspeakable(self, context: RequestContext) -> Any:
        return {"a set": {1, 2}}

    async def count(self, creation: dict[str, Any], channel: ServerChannel[Any, Any]) -> None:
        """Send the numbers below ``upTo``.

        Options: ``delay`` (seconds between two), ``padding`` (characters), ``failAt``, ``dropAt``, ``lieAt``,
        ``speechlessAt``, ``waitForCancel`` (the end).
        """
        watcher = asyncio.ensure_future(channel.receive())
        try:
            for number in range(creation["upTo"]):
                if watcher.done():
                    await channel.send({"cancelledAt": number})
                    self.note("cancelled")
                    return
                if number == creation.get("failAt"):
                    raise ErrorReply("the count failed")
                if number == creation.get("dropAt"):
                    channel.context.abort()
                if number == creation.get("lieAt"):
                    await channel.send("not an object")
                if number == creation.get("speechlessAt"):
                    await channel.send({"a set": {1, 2}})
                await channel.send({"number": number, "padding": "x" * creation.get("padding", 0)})
                await asyncio.sleep(creation.get("delay", 0))
            if creation.get("waitForCancel"):
                self.note("waiting")
                await watcher
                await channel.send({"cancelledAt": creation["upTo"]})
                self.note("cancelled")
        except asyncio.CancelledError:
            self.note("dropped")
            raise
        finally:
            watcher.cancel()

    async def echo(self, channel: ServerChannel[Any, Any]) -> None:
        """Send every packet back, until one is "stop"."""
        async for packet in channel:
            if packet == "stop":
                return
            await channel.send(packet)

    async def silent(self, channel: ServerChannel[Any, Any]) -> None:
        self.note("silent")
        await channel.receive()
        self.note("cancelled")


class LoopThread:
    """An event loop in a thread of its own."""

    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self.loop.run_forever, daemon=True)
        self._thread.start()

    def submit(self, work: Coroutine[Any, Any, T]) -> Future[T]:
        return asyncio.run_coroutine_threadsafe(work, self.loop)

    def run(self, work: Coroutine[Any, Any, T], timeout: float = ENOUGH) -> T:
        return self.submit(work).result(timeout)

    def stop(self) -> None:
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join(ENOUGH)
        self.loop.close()


class RunningServer:
    """A real server on loopback, in a thread of its own; it can be stopped and started again on the same port."""

    def __init__(self, make: Callable[..., Server], tls: ssl.SSLContext | None = None) -> None:
        self._make = make
        self._tls = tls
        self._thread = LoopThread()
        self._ended = threading.Condition()
        self.ended = 0
        """How many authenticated connections have ended."""
        self.accepted = 0
        """How many connections have authenticated."""
        self.port = 0
        self.server = self.start()

    @property
    def host(self) -> str:
        return f"127.0.0.1:{self.port}"

    def start(self) -> Server:
        """Serve, on the same port as before."""

        async def begin() -> Server:
            self.server = self._make(authenticate=self._authenticate, released=self._released)
            _, self.port = await self.server.start(port=self.port, tls=self._tls)
            return self.server

        return self._thread.run(begin())

    def stop(self) -> None:
        self._thread.run(self.server.close())

    def run(self, work: Callable[[], Awaitable[T]]) -> T:
        async def wrapper() -> T:
            return await work()

        return self._thread.run(wrapper())

    def drop_connections(self) -> None:
        """Cut every connection without a closing handshake."""

        async def drop() -> None:
            for connection in list(self.server.connections):
                connection.abort()

        self._thread.run(drop())

    def until_ended(self, count: int) -> None:
        """Wait until so many authenticated connections have ended."""
        with self._ended:
            assert self._ended.wait_for(lambda: self.ended >= count, ENOUGH), (count, self.ended)

    def close(self) -> None:
        self.stop()
        self._thread.stop()

    async def _authenticate(self, identifier: str, passkey: str) -> str | None:
        self.accepted += 1
        return None

    def _released(self, identifier: str) -> None:
        with self._ended:
            self.ended += 1
            self._ended.notify_all()


def serve_arithmetic(
    handlers: ArithmeticHandlers, *, tls: ssl.SSLContext | None = None, **options: Any
) -> RunningServer:
    def make(**hooks: Any) -> Server:
        return Server([Namespace(ARITHMETIC, handlers)], **{**hooks, **options})

    return RunningServer(make, tls)
