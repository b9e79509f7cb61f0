"""A relay in front of a server that does one thing otherwise: it makes bad servers of good ones.

``Twist`` says what; each of its methods passes on what it gets, and those that a subclass overrides do not, or do more.
The relay opens a connection to the server for each one that it takes.
"""

from __future__ import annotations

import asyncio
import json
from typing import Any, TypeAlias

from websockets.asyncio.client import ClientConnection, connect
from websockets.asyncio.server import ServerConnection
from websockets.exceptions import ConnectionClosed

from lmwire_tools.raw_server import CLOSE_SECONDS, RawServer

__all__ = ["Line", "Message", "Relay", "Twist"]

Message: TypeAlias = "str | bytes"


class Line:
    """One client's connection and the relay's own to the server.

    Attributes:
        number: From 0, in the order in which clients connected.
        namespace: The path, without its slash.
        memory: For the twist: what it has to remember of this connection.
        client: The client's end.
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

    max_size: int | None = RawServer.max_size
    """The largest message that is taken, in bytes."""

    def page(self, path: str, usual: tuple[int, Any] | None) -> tuple[int, Any] | None:
        """Status and JSON of a page, None for no such page."""
        return usual

    def namespace(self, path: str, usual: str | None) -> str | None:
        """Which namespace is at a path; None refuses the WebSocket."""
        return usual

    async def opened(self, line: Line) -> None:
        """A client has connected."""

    async def from_client(self, line: Line, message: Message) -> None:
        """A client has sent a message."""
        await line.to_server(message)

    async def from_server(self, line: Line, message: Message) -> None:
        """The server has sent a message."""
        await line.to_client(message)

    async def ended(self, line: Line) -> None:
        """A client's connection has ended."""


class Relay(RawServer):
    """A relay to the server at ``api_host``, on a free port of loopback."""

    def __init__(self, api_host: str, twist: Twist) -> None:
        super().__init__()
        self.max_size = twist.max_size
        self._target = api_host
        self._twist = twist
        self._count = 0

    def page(self, path: str) -> tuple[int, Any] | None:
        return self._twist.page(path, super().page(path))

    def namespace(self, path: str) -> str | None:
        return self._twist.namespace(path, super().namespace(path))

    async def serve(self, client: ServerConnection, namespace: str) -> None:
        url = f"ws://{self._target}/{namespace}"
        options: Any = {"compression": None, "max_size": None, "proxy": None, "ping_interval": None}
        async with connect(url, close_timeout=CLOSE_SECONDS, **options) as server:
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
                await self._twist.from_server(line, message)
        except ConnectionClosed:
            return


def _text(message: Any) -> Message:
    return message if isinstance(message, (str, bytes)) else json.dumps(message)
