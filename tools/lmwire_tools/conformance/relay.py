"""A relay in front of a server that does one thing otherwise: it makes bad servers of good ones.

``Twist`` says what; each of its methods passes on what it gets, and those that a subclass overrides do not, or do more.
The relay runs in a thread of its own, and opens a connection to the server for each one that it takes.
"""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Callable, Coroutine, Mapping
from http import HTTPStatus
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final, TypeAlias, TypeVar

from websockets.asyncio.client import ClientConnection, connect
from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response

if TYPE_CHECKING:
    from typing_extensions import Self

__all__ = ["NAMESPACES", "Line", "Message", "Relay", "Twist"]

Message: TypeAlias = "str | bytes"
T = TypeVar("T")

NAMESPACES: Final = (
    "diagnostics",
    "embedding",
    "files",
    "llm",
    "plugins",
    "repository",
    "runtime",
    "system",
)
_CLOSE_SECONDS: Final = 1.0  # clients of the kit just leave
_GREETING: Final = {"lmstudio": True}
_STATUS: Final = {"package": "lmwire-relay", "version": "1"}


class Line:
    """One client's connection and the relay's own to the server.

    Attributes:
        number: From 0, in the order in which clients connected.
        namespace: The path, without its slash.
        memory: For the twist: what it has to remember of this connection.
    """

    def __init__(
        self, number: int, client: ServerConnection, server: ClientConnection, namespace: str
    ) -> None:
        self.number = number
        self.namespace = namespace
        self.memory: dict[str, Any] = {}
        self.client = client
        self._server = server

    async def to_server(self, message: Any) -> None:
        """Send to the server: text, bytes, or a frame."""
        await self._server.send(_text(message))

    async def to_client(self, message: Any) -> None:
        """Send to the client: text, bytes, or a frame."""
        await self.client.send(_text(message))

    def drop(self) -> None:
        """Cut the client's connection."""
        self.client.transport.abort()

    async def close(self) -> None:
        """Close the client's WebSocket."""
        await self.client.close()


class Twist:
    """What a relay does otherwise: by default nothing."""

    max_size: int | None = 100 * 1024 * 1024
    """The largest message that is taken."""

    def page(self, path: str) -> tuple[int, Any] | None:
        """Status and JSON of a page, None for no such page."""
        known: Mapping[str, Any] = {"/lmstudio-greeting": _GREETING, "/lms-status": _STATUS}
        return (200, known[path]) if path in known else None

    def namespace(self, path: str) -> str | None:
        """Which namespace is at a path; None refuses the WebSocket."""
        name = path.removeprefix("/")
        return name if name in NAMESPACES else None

    async def opened(self, line: Line) -> None:
        """A client has connected."""

    async def from_client(self, line: Line, message: Message) -> None:
        """A client has sent a message."""
        await line.to_server(message)

    async def from_server(self, line: Line, frame: Any) -> None:
        """The server has sent a frame."""
        await line.to_client(frame)

    async def ended(self, line: Line) -> None:
        """A client's connection has ended."""


class Relay:
    """A relay to the server at ``api_host``; a context manager, which listens on a free port of loopback."""

    def __init__(self, api_host: str, twist: Twist) -> None:
        self._target = api_host
        self._twist = twist
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="lmwire-relay", daemon=True)
        self._server: Server | None = None
        self._count = 0
        self.api_host = ""

    def __enter__(self) -> Self:
        self._thread.start()
        server = self._run(self._start())
        self._server = server
        host, port = next(iter(server.sockets)).getsockname()[:2]
        self.api_host = f"{host}:{port}"
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        assert self._server is not None
        self._run(self._stop(self._server))
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def call(self, function: Callable[[], Any]) -> None:
        """Have the relay's thread call a function."""
        self._loop.call_soon_threadsafe(function)

    def _run(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result()

    async def _start(self) -> Server:
        server: Server = await serve(
            self._serve,
            "127.0.0.1",
            0,
            process_request=self._answered,
            compression=None,
            max_size=self._twist.max_size,
            ping_interval=None,
            close_timeout=_CLOSE_SECONDS,
        )
        return server

    async def _stop(self, server: Server) -> None:
        for connection in list(server.connections):
            connection.transport.abort()
        server.close()
        await server.wait_closed()

    def _answered(self, connection: ServerConnection, request: Request) -> Response | None:
        path = request.path.partition("?")[0]
        if "upgrade" in request.headers.get("Connection", "").lower():
            if self._twist.namespace(path) is not None:
                return None
            return connection.respond(HTTPStatus.NOT_FOUND, "nothing here\n")
        page = self._twist.page(path)
        if page is None:
            return connection.respond(HTTPStatus.NOT_FOUND, "nothing here\n")
        response = connection.respond(HTTPStatus(page[0]), json.dumps(page[1]))
        del response.headers["Content-Type"]
        response.headers["Content-Type"] = "application/json"
        return response

    async def _serve(self, client: ServerConnection) -> None:
        assert client.request is not None
        namespace = self._twist.namespace(client.request.path.partition("?")[0])
        assert namespace is not None, "others have been refused"
        url = f"ws://{self._target}/{namespace}"
        options: Any = {"compression": None, "max_size": None, "proxy": None, "ping_interval": None}
        async with connect(url, close_timeout=_CLOSE_SECONDS, **options) as server:
            line = Line(self._count, client, server, namespace)
            self._count += 1
            await self._twist.opened(line)
            ways = [
                asyncio.ensure_future(way) for way in (self._upwards(line), self._downwards(line, server))
            ]
            try:
                # The client's messages tell when it is over; what the server says last still has to get through.
                ended, _ = await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
                for way in ended:
                    way.result()  # a twist's own mistake is logged by the library
                if ways[1].done():
                    await line.close()
            finally:
                for way in ways:
                    way.cancel()
                await asyncio.gather(*ways, return_exceptions=True)
                await self._twist.ended(line)

    async def _upwards(self, line: Line) -> None:
        try:
            async for message in line.client:
                await self._twist.from_client(line, message)
        except ConnectionClosed:
            return

    async def _downwards(self, line: Line, server: ClientConnection) -> None:
        try:
            async for message in server:
                await self._twist.from_server(line, json.loads(message))
        except ConnectionClosed:
            return


def _text(message: Any) -> Message:
    return message if isinstance(message, (str, bytes)) else json.dumps(message)
