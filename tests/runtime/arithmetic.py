"""A small namespace of our own, served by the real server, for tests of the runtime without generated code."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable, Coroutine
from concurrent.futures import Future
from typing import Any, TypeVar

from lmwire_runtime.descriptors import VOID, ChannelDescriptor, Codec, NamespaceDescriptor, RpcDescriptor
from lmwire_runtime.server import ErrorReply, Namespace, RequestContext, Server, ServerChannel
from lmwire_runtime.wire import Decoding, Path

T = TypeVar("T")


def _integer(value: Any, decoding: Decoding, path: Path) -> int:
    if type(value) is not int:
        decoding.deviation(path, "an integer", value)
    return int(value)


def _table(value: Any, decoding: Decoding, path: Path) -> dict[str, Any]:
    if type(value) is not dict:
        decoding.deviation(path, "an object", value)
    return dict(value)


def _same(value: T) -> T:
    return value


INTEGER: Codec[int] = Codec(_integer, _same, type_name="an integer")
TABLE: Codec[dict[str, Any]] = Codec(_table, _same, type_name="an object")

DOUBLE: RpcDescriptor[int, int] = RpcDescriptor(
    namespace="arithmetic", name="double", method="double", parameter=INTEGER, result=INTEGER
)
PING: RpcDescriptor[None, None] = RpcDescriptor(
    namespace="arithmetic", name="ping", method="ping", parameter=VOID, result=VOID
)
FAIL: RpcDescriptor[None, None] = RpcDescriptor(
    namespace="arithmetic", name="fail", method="fail", parameter=VOID, result=VOID
)
HANG: RpcDescriptor[None, None] = RpcDescriptor(
    namespace="arithmetic", name="hang", method="hang", parameter=VOID, result=VOID
)
UNHANDLED: RpcDescriptor[None, None] = RpcDescriptor(
    namespace="arithmetic", name="unhandled", method="unhandled", parameter=VOID, result=VOID
)
LIE: RpcDescriptor[None, Any] = RpcDescriptor(
    namespace="arithmetic", name="lie", method="lie", parameter=VOID, result=INTEGER
)
COUNT: ChannelDescriptor[dict[str, Any], dict[str, Any], dict[str, Any]] = ChannelDescriptor(
    namespace="arithmetic",
    name="count",
    method="count",
    creation=TABLE,
    to_server=TABLE,
    to_client=TABLE,
    cancel={"type": "cancel"},
)

ARITHMETIC = NamespaceDescriptor(
    name="arithmetic",
    revision="test",
    rpc={endpoint.name: endpoint for endpoint in (DOUBLE, PING, FAIL, HANG, UNHANDLED, LIE)},
    channel={COUNT.name: COUNT},
)


class ArithmeticHandlers:
    """Handlers of the namespace; ``cancelled`` counts the cancel packets that arrived in time."""

    def __init__(self) -> None:
        self.cancelled = 0
        self.dropped = 0

    async def double(self, parameter: int, context: RequestContext) -> Any:
        return parameter * 2

    async def ping(self, context: RequestContext) -> None:
        return None

    async def fail(self, context: RequestContext) -> None:
        raise ErrorReply(
            "it failed", cause="it had to", suggestion="try again", display_data={"code": "test.failed"}
        )

    async def hang(self, context: RequestContext) -> None:
        await asyncio.Event().wait()

    async def lie(self, context: RequestContext) -> Any:
        return "not an integer"

    async def count(
        self, creation: dict[str, Any], channel: ServerChannel[dict[str, Any], dict[str, Any]]
    ) -> None:
        """Send the numbers below ``upTo``.

        Options: ``delay``, ``failAt``, ``dropAt``, ``padding``, ``waitForCancel``.
        """
        watcher = asyncio.ensure_future(channel.receive())
        try:
            for number in range(creation["upTo"]):
                if watcher.done():
                    self.cancelled += 1
                    await channel.send({"cancelledAt": number})
                    return
                if number == creation.get("failAt"):
                    raise ErrorReply("the count failed")
                if number == creation.get("dropAt"):
                    channel.context.abort()
                await channel.send({"number": number, "padding": "x" * creation.get("padding", 0)})
                await asyncio.sleep(creation.get("delay", 0))
            if creation.get("waitForCancel"):
                await watcher
                self.cancelled += 1
        except asyncio.CancelledError:
            self.dropped += 1
            raise
        finally:
            watcher.cancel()


class LoopThread:
    """An event loop in a thread of its own."""

    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self.loop.run_forever, daemon=True)
        self._thread.start()

    def submit(self, work: Coroutine[Any, Any, T]) -> Future[T]:
        return asyncio.run_coroutine_threadsafe(work, self.loop)

    def run(self, work: Coroutine[Any, Any, T], timeout: float = 30) -> T:
        return self.submit(work).result(timeout)

    def stop(self) -> None:
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join(10)
        self.loop.close()


class RunningServer:
    """A real server on loopback, in a thread of its own; it can be stopped and started again on the same port."""

    def __init__(self, make: Callable[[], Server]) -> None:
        self._make = make
        self._thread = LoopThread()
        self.port = 0
        self.start()

    @property
    def host(self) -> str:
        return f"127.0.0.1:{self.port}"

    def start(self) -> None:
        async def begin() -> None:
            self.server = self._make()
            _, self.port = await self.server.start(port=self.port)

        self._thread.run(begin())

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

    def close(self) -> None:
        self.stop()
        self._thread.stop()


def serve_arithmetic(handlers: ArithmeticHandlers, **options: Any) -> RunningServer:
    return RunningServer(lambda: Server([Namespace(ARITHMETIC, handlers)], **options))
