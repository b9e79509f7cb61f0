"""The asyncio server: greeting over HTTP, one WebSocket path for each namespace, authentication, typed handlers.

Each call and each channel runs its handler in a task of its own; all of a connection's tasks are cancelled
when it ends. A handler reports a failure by raising ``ErrorReply``, and refuses a request as a bad one by raising
``WarningReply``; any other exception is logged and reported with its text.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Final, TypeAlias

from lmwire_runtime.access import DEFAULT_ACCESS, AccessRule, check_listening, is_loopback
from lmwire_runtime.connection import Tap
from lmwire_runtime.limits import DEFAULT_LIMITS, DEFAULT_TIMEOUTS, Limits
from lmwire_runtime.server_connection import ServerConnection
from lmwire_runtime.server_handlers import (
    ErrorReply,
    Namespace,
    RequestContext,
    ServerChannel,
    WarningReply,
    unhandled,
)
from lmwire_runtime.server_signals import ServerSignal

__all__ = [
    "Authenticator",
    "ErrorReply",
    "Namespace",
    "RequestContext",
    "Server",
    "ServerChannel",
    "ServerSignal",
    "WarningReply",
    "unhandled",
]

AUTHENTICATION_SECONDS: Final = 10.0

Authenticator: TypeAlias = Callable[[str, str], Awaitable["str | None"]]
"""Takes identifier and passkey; returns None to accept, or the reason of the refusal, which the client sees."""


async def accept_everybody(identifier: str, passkey: str) -> str | None:
    """The authenticator of an open server."""
    return None


class Server:
    """Serves namespaces on one TCP port; used as an asynchronous context manager, or by ``start`` and ``close``.

    Args:
        namespaces: What is offered; each namespace's path is its bare name.
        authenticate: Judges identifier and passkey; everybody is accepted by default, which is for this machine only.
        guarded: Whether ``authenticate`` keeps strangers out, so that the server may listen beyond this machine; by
            default if one is given.
        access: Which web pages may use the server, and under which names it may be asked for.
        released: Called with the identifier when a connection ends that had authenticated with it.
        status: The JSON object of ``GET /lms-status``.
        warning_kinds: Send ``kind`` with warnings (servers before March 2026 did not).
        authentication_seconds: How long a client may take to authenticate.
        on_frame: A tap: called with direction, namespace and JSON text of every frame, secrets redacted; or an
            object that makes a tap for each connection, see ``taps``.
        limits: What one client may make the server hold; over a budget nothing more is read from that client.
        stall_seconds: How long a handler may leave a full inbox alone before its channel fails, None for ever.
    """

    def __init__(
        self,
        namespaces: Sequence[Namespace],
        *,
        authenticate: Authenticator = accept_everybody,
        guarded: bool | None = None,
        access: AccessRule = DEFAULT_ACCESS,
        released: Callable[[str], None] | None = None,
        status: Mapping[str, Any] | None = None,
        warning_kinds: bool = True,
        authentication_seconds: float = AUTHENTICATION_SECONDS,
        on_frame: Tap | None = None,
        limits: Limits = DEFAULT_LIMITS,
        stall_seconds: float | None = DEFAULT_TIMEOUTS.stall,
    ) -> None:
        self.namespaces = {namespace.descriptor.name: namespace for namespace in namespaces}
        self.authenticate = authenticate
        self.guarded = authenticate is not accept_everybody if guarded is None else guarded
        self.access = access
        self.loopback = True
        self.released = released
        self.warning_kinds = warning_kinds
        self.authentication_seconds = authentication_seconds
        self.on_frame = on_frame
        self.limits = limits
        self.stall_seconds = stall_seconds
        self._pages: dict[str, Mapping[str, Any]] = {"/lmstudio-greeting": {"lmstudio": True}}
        if status is not None:
            self._pages["/lms-status"] = status
        self.connections: set[ServerConnection] = set()
        self._server: asyncio.Server | None = None

    async def start(
        self, host: str = "127.0.0.1", port: int = 0, *, tls: ssl.SSLContext | None = None
    ) -> tuple[str, int]:
        """Listen; returns host and port, which is free and chosen by the system if 0 was given.

        Raises:
            UsageError: Other machines could use the server, and no authenticator keeps strangers out.
            OSError: The address cannot be used.
        """
        check_listening(host, guarded=self.guarded)
        self.loopback = is_loopback(host)
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(lambda: ServerConnection(self), host, port, ssl=tls)
        address = self._server.sockets[0].getsockname()
        return str(address[0]), int(address[1])

    async def close(self) -> None:
        """Stop listening, drop all connections and wait for their handlers."""
        if self._server is not None:
            self._server.close()
            self._server = None
        connections = list(self.connections)
        for connection in connections:
            connection.close()
        await asyncio.gather(*(connection.ended() for connection in connections))

    async def __aenter__(self) -> Server:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    def page(self, path: str) -> Mapping[str, Any] | None:
        """Return the JSON object that a plain HTTP request to ``path`` gets, None for no such page."""
        return self._pages.get(path)
