"""A server that leaves all to whoever subclasses it: WebSockets and pages on loopback, in a thread of its own."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Coroutine, Mapping
from http import HTTPStatus
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final, TypeVar

from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.http11 import Request, Response

from lmwire_emulator.endpoints import NAMESPACES
from lmwire_runtime.access import DEFAULT_ACCESS, AccessRule, check_listening

if TYPE_CHECKING:
    from typing_extensions import Self

__all__ = ["CLOSE_SECONDS", "RawServer"]

T = TypeVar("T")

CLOSE_SECONDS: Final = 1.0
"""How long a peer may take for the closing handshake; many just leave."""

_PAGES: Final[Mapping[str, Any]] = {
    "/lmstudio-greeting": {"lmstudio": True},
    "/lms-status": {"package": "lmwire-tools", "version": "1"},
}


class RawServer:
    """A context manager, which listens as long as it lasts. What subclasses do is ``serve``.

    Attributes:
        api_host: Where it listens, ``HOST:PORT``.

    Raises:
        UsageError: Other machines could reach it; nothing here asks for a token.
    """

    max_size: int | None = 100 * 1024 * 1024
    """The largest message that is taken, in bytes."""

    def __init__(
        self, host: str = "127.0.0.1", port: int = 0, *, access: AccessRule = DEFAULT_ACCESS
    ) -> None:
        check_listening(host, guarded=False)
        self._access = access
        self.api_host = ""
        self._listen = (host, port)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="lmwire-raw-server", daemon=True)
        self._server: Server | None = None

    # For subclasses.

    async def serve(self, client: ServerConnection, namespace: str) -> None:
        """Serve a WebSocket; when this returns, it is closed."""
        raise NotImplementedError

    def page(self, path: str) -> tuple[int, Any] | None:
        """Status and JSON of a page, None for no such page."""
        return (200, _PAGES[path]) if path in _PAGES else None

    def namespace(self, path: str) -> str | None:
        """Which namespace is at a path; None refuses the WebSocket."""
        name = path.removeprefix("/")
        return name if name in NAMESPACES else None

    # What users call.

    def start(self) -> None:
        """Listen.

        Raises:
            OSError: The address cannot be used.
        """
        self._thread.start()
        try:
            server = self._run(self._start())
        except BaseException:
            self._end_thread()
            raise
        self._server = server
        host, port = next(iter(server.sockets)).getsockname()[:2]
        self.api_host = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"

    def close(self) -> None:
        """Drop all connections, and stop listening."""
        if self._server is not None:
            self._run(self._stop(self._server))
            self._server = None
            self._end_thread()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def _end_thread(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def _run(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result()

    async def _start(self) -> Server:
        host, port = self._listen
        server: Server = await serve(
            self._serve,
            host,
            port,
            process_request=self._answered,
            compression=None,
            max_size=self.max_size,
            ping_interval=None,
            close_timeout=CLOSE_SECONDS,
        )
        return server

    async def _stop(self, server: Server) -> None:
        for connection in list(server.connections):
            connection.transport.abort()
        server.close()
        await server.wait_closed()

    async def _serve(self, client: ServerConnection) -> None:
        assert client.request is not None
        namespace = self.namespace(client.request.path.partition("?")[0])
        assert namespace is not None, "others have been refused"
        await self.serve(client, namespace)

    def _answered(self, connection: ServerConnection, request: Request) -> Response | None:
        headers = request.headers
        refusal = self._access.refusal(headers.get_all("Origin"), headers.get_all("Host"), loopback=True)
        if refusal is not None:
            return connection.respond(HTTPStatus.FORBIDDEN, f"{refusal}\n")
        path = request.path.partition("?")[0]
        if "upgrade" in request.headers.get("Connection", "").lower():
            if self.namespace(path) is not None:
                return None
            return connection.respond(HTTPStatus.NOT_FOUND, "nothing here\n")
        page = self.page(path)
        if page is None:
            return connection.respond(HTTPStatus.NOT_FOUND, "nothing here\n")
        response = connection.respond(HTTPStatus(page[0]), json.dumps(page[1]))
        del response.headers["Content-Type"]
        response.headers["Content-Type"] = "application/json"
        return response
