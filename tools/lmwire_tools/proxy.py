"""The man in the middle: passes on every byte between clients and a server, and tells watchers what passes.

Each TCP connection is a ``_Passage``. The head of the client's HTTP request is read and passed on with the server's
name in ``Host`` and without the offer of compression (LM Studio takes none); from then on bytes go through as they
are, both ways, so that fragments, pings, close codes and their order stay what they were. A ``Wiretap`` for each
direction reads along, and ``ConnectionAnalysis`` says what the frames mean. An event is told right after its bytes
were handed on.

Who may use it: pages of other machines may not (``Origin``). With a token, a connection's first message has to be an
authentication with that token; until then nothing of it but the request for a WebSocket reaches the server. Plain HTTP
has no way to present one: only the two pages by which clients find a server pass.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import ssl
import time
from collections.abc import Callable, Iterator
from functools import partial
from typing import Final

import attrs
from websockets.frames import Close, Frame, Opcode

from lmwire import envelope
from lmwire_emulator.authentication import Gatekeeper
from lmwire_runtime import json_codec
from lmwire_runtime.access import DEFAULT_ACCESS, AccessRule, check_listening, is_loopback
from lmwire_runtime.addresses import Address
from lmwire_runtime.limits import DEFAULT_LIMITS
from lmwire_runtime.server import AUTHENTICATION_SECONDS
from lmwire_tools.analysis import ConnectionAnalysis
from lmwire_tools.deviations import Decode, Deviation, deviations_of
from lmwire_tools.http_heads import BadHead, Head
from lmwire_tools.recordings import Closed, Direction, Opened
from lmwire_tools.traffic import Faulty, HttpAnswered, TrafficEvent, Watcher
from lmwire_tools.wiretap import Message, Parting, Wiretap

__all__ = ["Proxy"]

_CHUNK: Final = 64 * 1024
_HEAD_BYTES: Final = 64 * 1024
_HEAD_SECONDS: Final = 30.0
_CONNECT_SECONDS: Final = 30.0
# What may wait for the proxy's own verdict on a token; an authentication packet is much smaller.
_HELD_BYTES: Final = 64 * 1024

_PAGE_BYTES: Final = 64 * 1024

_PAGES: Final[dict[str, Decode]] = {
    "/lmstudio-greeting": envelope.Greeting.from_wire,
    "/lms-status": envelope.ServerStatus.from_wire,
}


class Proxy:
    """Listens, and passes on. An asynchronous context manager.

    Args:
        server: Where to pass on to.
        watch: Told of everything that passes, in order, in the event loop's thread.
        token: The API token that clients have to present; None for all clients that reach it.
        access: Which web pages may use it, and under which names it may be asked for.
        message_bytes: The largest message that is read along; larger ones pass unread.
        connections: TCP connections at a time; those beyond get HTTP status 503.
        authentication_seconds: How long a client may take to present its token.
        now: Tells the seconds since 1970.

    Raises:
        UsageError: The token is malformed.
    """

    def __init__(
        self,
        server: Address,
        watch: Watcher,
        *,
        token: str | None = None,
        access: AccessRule = DEFAULT_ACCESS,
        message_bytes: int = DEFAULT_LIMITS.message_bytes,
        connections: int = DEFAULT_LIMITS.connections,
        authentication_seconds: float = AUTHENTICATION_SECONDS,
        now: Callable[[], float] = time.time,
    ) -> None:
        self.server = server
        self.watch = watch
        self.gatekeeper = None if token is None else Gatekeeper([token])
        self.access = access
        self.loopback = True
        self.message_bytes = message_bytes
        self.authentication_seconds = authentication_seconds
        self.now = now
        self.tls = ssl.create_default_context() if server.secure else None
        self._numbers = itertools.count(1)
        self._listener: asyncio.Server | None = None
        self._connections = connections
        self._passages: set[asyncio.Task[None]] = set()

    async def start(self, host: str = "127.0.0.1", port: int = 0) -> tuple[str, int]:
        """Listen; returns host and port, which is free and chosen by the system if 0 was given.

        Raises:
            UsageError: Other machines could use it, and no token is demanded.
            OSError: The address cannot be used.
        """
        check_listening(host, guarded=self.gatekeeper is not None)
        self.loopback = is_loopback(host)
        self._listener = await asyncio.start_server(self._accept, host, port, limit=_HEAD_BYTES)
        address = self._listener.sockets[0].getsockname()
        return str(address[0]), int(address[1])

    async def close(self) -> None:
        """Stop listening and drop all connections."""
        if self._listener is not None:
            self._listener.close()
            self._listener = None
        for task in list(self._passages):
            task.cancel()
        await asyncio.gather(*self._passages, return_exceptions=True)

    async def __aenter__(self) -> Proxy:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._passages.add(task)
        crowded = len(self._passages) > self._connections
        try:
            await _Passage(self, next(self._numbers), reader, writer).serve(crowded=crowded)
        except asyncio.CancelledError:
            pass  # the proxy closes; nobody waits for this task but its close
        finally:
            self._passages.discard(task)


@attrs.define
class _Way:
    """One direction of a WebSocket."""

    direction: Direction
    tap: Wiretap
    told_fault: bool = False


class _Refused(Exception):
    """The proxy itself refuses the client, with this HTTP status and reason."""

    def __init__(self, status: int, title: str, reason: str) -> None:
        super().__init__(reason)
        self.status = status
        self.title = title


class _Passage:
    """One TCP connection of a client, and the one to the server that belongs to it."""

    def __init__(
        self, proxy: Proxy, number: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self._proxy = proxy
        self._number = number
        self._client_reader, self._client_writer = reader, writer
        self._writers = [writer]
        self._analysis: ConnectionAnalysis
        self._parting: tuple[Direction, Parting] | None = None

    async def serve(self, *, crowded: bool) -> None:
        """Serve it to its end; if the proxy is ``crowded``, that is a refusal."""
        try:
            head = await self._request()
            if crowded:
                raise _Refused(503, "Service Unavailable", "it has too many connections already")
            self._check_guarded(head)
            reader, writer = await self._connect()
            await self._exchange(head, reader, writer)
        except _Refused as refusal:
            await self._respond(refusal)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass  # one of them has gone; so goes the other
        except asyncio.CancelledError:
            for writer in self._writers:
                writer.transport.abort()
            raise
        finally:
            for writer in self._writers:
                writer.close()

    async def _request(self) -> Head:
        try:
            data = await asyncio.wait_for(self._client_reader.readuntil(b"\r\n\r\n"), _HEAD_SECONDS)
            head = Head.parse(data)
        except (asyncio.LimitOverrunError, BadHead, asyncio.TimeoutError, TimeoutError):
            raise _Refused(400, "Bad Request", "what it sent is no HTTP request") from None
        refusal = self._proxy.access.refusal(
            head.all("origin"), head.all("host"), loopback=self._proxy.loopback
        )
        if refusal is not None:
            said = ", ".join((*head.all("origin"), *head.all("host")))
            raise _Refused(403, "Forbidden", f"{refusal}, this one says {said!r}")
        return head

    def _check_guarded(self, head: Head) -> None:
        """Refuse what would pass a proxy that demands a token without presenting one."""
        harmless = head.method in ("GET", "HEAD") and (head.upgrades or head.path in _PAGES)
        if self._proxy.gatekeeper is not None and (head.has_body or not harmless):
            passing, body = " and ".join(_PAGES), " with a body" if head.has_body else ""
            raise _Refused(
                403,
                "Forbidden",
                f"with a token it passes on WebSockets, {passing}; not {head.method} {head.path}{body}",
            )

    async def _connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        server = self._proxy.server
        connecting = asyncio.open_connection(
            server.connect_host,
            server.port,
            ssl=self._proxy.tls,
            server_hostname=server.server_name if self._proxy.tls else None,
            limit=_HEAD_BYTES,
        )
        try:
            reader, writer = await asyncio.wait_for(connecting, _CONNECT_SECONDS)
        except (asyncio.TimeoutError, TimeoutError):
            raise _Refused(504, "Gateway Timeout", f"the server {server} does not answer") from None
        except OSError as error:
            raise _Refused(502, "Bad Gateway", f"the server {server} cannot be reached: {error}") from None
        self._writers.append(writer)
        return reader, writer

    async def _exchange(self, head: Head, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Pass on the request and its answer, and what follows."""
        server = self._proxy.server
        own = {"host": server.host_header, "sec_websocket_extensions": None}
        if not head.upgrades:
            own["connection"] = "close"  # so that one connection is one request
        writer.write(head.changed(prefix=server.prefix, **own).to_bytes())
        await writer.drain()
        # With a token nothing follows: it might be another request.
        alone = head.upgrades or self._proxy.gatekeeper is not None
        with contextlib.nullcontext() if alone else _passing_body(self._client_reader, writer):
            await self._answer(head, reader, writer)

    async def _answer(self, head: Head, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            answered = await reader.readuntil(b"\r\n\r\n")
            answer = Head.parse(answered)
        except (asyncio.LimitOverrunError, BadHead, asyncio.IncompleteReadError):
            server = self._proxy.server
            raise _Refused(502, "Bad Gateway", f"what answers at {server} is no HTTP server") from None
        becomes_websocket = head.upgrades and answer.status == 101
        if head.upgrades and not becomes_websocket and self._proxy.gatekeeper is not None:
            said = f"the server answers the request for a WebSocket with status {answer.status}"
            raise _Refused(502, "Bad Gateway", said)
        self._client_writer.write(answered)
        await self._client_writer.drain()
        if becomes_websocket:
            await self._websocket(head.path.removeprefix("/"), reader, writer)
        else:
            await self._page(head, answer, reader)

    # Plain HTTP.

    async def _page(self, head: Head, answer: Head, reader: asyncio.StreamReader) -> None:
        body = bytearray()
        while data := await reader.read(_CHUNK):
            self._client_writer.write(data)
            await self._client_writer.drain()
            body += data[: max(0, _PAGE_BYTES - len(body))]
        decode = _PAGES.get(head.path)
        chunked = any(value.lower() == "chunked" for value in answer.all("transfer-encoding"))
        found: list[Deviation] = []
        if decode is not None and answer.status == 200 and not chunked:
            try:
                found = deviations_of(json_codec.loads(bytes(body)), decode)
            except ValueError:
                found = [Deviation("", "JSON", "other text")]
        self._tell(
            HttpAnswered(
                time=self._proxy.now(),
                connection=self._number,
                method=head.method,
                path=head.path,
                status=answer.status,
                deviations=tuple(found),
            )
        )

    # WebSockets.

    async def _websocket(
        self, namespace: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        limit = self._proxy.message_bytes
        to_server = _Way("to_server", Wiretap("client", limit))
        to_client = _Way("to_client", Wiretap("server", limit))
        self._analysis = ConnectionAnalysis(self._number, namespace)
        self._tell(Opened(time=self._proxy.now(), connection=self._number, namespace=namespace))
        tasks = [
            asyncio.ensure_future(self._pass_on(self._client_reader, writer, to_server)),
            asyncio.ensure_future(self._pass_on(reader, self._client_writer, to_client)),
        ]
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_EXCEPTION)
            failed = [task.exception() for task in done]
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            self._tell(self._closed(namespace))
        for error in failed:
            if error is not None and not isinstance(error, (ConnectionError, _Unauthorized)):
                raise error

    async def _pass_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, way: _Way) -> None:
        """Pass on one direction to its end."""
        if way.direction == "to_server" and self._proxy.gatekeeper is not None:
            admitting = self._admit(self._proxy.gatekeeper, reader, writer, way)
            try:
                await asyncio.wait_for(admitting, self._proxy.authentication_seconds)
            except (asyncio.TimeoutError, TimeoutError):
                self._tell_refused("it did not present a token in time")
                raise _Unauthorized from None
        while data := await _received(reader):
            writer.write(data)
            self._listen(way, data)
            with _network():
                await writer.drain()
        with _network():
            if writer.can_write_eof():
                writer.write_eof()
            else:
                writer.close()

    def _listen(self, way: _Way, data: bytes) -> None:
        for heard in way.tap.feed(data):
            if isinstance(heard, Parting):
                self._parting = self._parting or (way.direction, heard)
            else:
                self._heard(way, heard)
        if way.tap.fault is not None and not way.told_fault:
            way.told_fault = True
            side = "client" if way.direction == "to_server" else "server"
            text = f"the {side}'s bytes are no WebSocket frames that can be read: {way.tap.fault}"
            self._tell(Faulty(time=self._proxy.now(), connection=self._number, fault=text, deviates=True))

    def _heard(self, way: _Way, message: Message) -> None:
        event = self._analysis.frame(way.direction, message.data, self._proxy.now())
        if message.binary:
            binary = Deviation("", "a text message", "a binary one")
            event = attrs.evolve(event, deviations=(binary, *event.deviations))
        self._tell(event)

    def _closed(self, namespace: str) -> Closed:
        closed = partial(Closed, time=self._proxy.now(), connection=self._number, namespace=namespace)
        if self._parting is None:
            return closed(reason="without a closing handshake")
        direction, parting = self._parting
        side = "client" if direction == "to_server" else "server"
        return closed(code=parting.code, reason=parting.reason or f"by the {side}")

    # The proxy's own words.

    async def _admit(
        self, gatekeeper: Gatekeeper, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, way: _Way
    ) -> None:
        """Hold back what the client sends until its token was judged."""
        tap = Wiretap("client", _HELD_BYTES)
        held, message = bytearray(), None
        while message is None:
            data = await _received(reader)
            held += data
            messages = [heard for heard in tap.feed(data) if isinstance(heard, Message)]
            message = messages[0] if messages else None
            if not data or tap.fault is not None or (message is None and len(held) > _HELD_BYTES):
                raise _Unauthorized
        reason = await _judge(gatekeeper, message.data)
        if reason is not None:
            self._tell_refused(reason)
            refusal = json_codec.dumps({"success": False, "error": reason})
            for frame in (Frame(Opcode.TEXT, refusal), Frame(Opcode.CLOSE, Close(1000, "").serialize())):
                self._client_writer.write(frame.serialize(mask=False))
            await self._client_writer.drain()
            raise _Unauthorized
        writer.write(bytes(held))
        self._listen(way, bytes(held))
        await writer.drain()

    def _tell_refused(self, reason: str) -> None:
        fault = f"the proxy refused a client: {reason}"
        self._tell(Faulty(time=self._proxy.now(), connection=self._number, fault=fault))

    async def _respond(self, refusal: _Refused) -> None:
        self._tell(Faulty(time=self._proxy.now(), connection=self._number, fault=str(refusal)))
        body = f"lmwire proxy: {refusal}\n".encode()
        head = Head(
            f"HTTP/1.1 {refusal.status} {refusal.title}",
            (
                ("Content-Type", "text/plain; charset=utf-8"),
                ("Content-Length", str(len(body))),
                ("Connection", "close"),
            ),
        )
        with contextlib.suppress(ConnectionError):
            self._client_writer.write(head.to_bytes() + body)
            await self._client_writer.drain()

    def _tell(self, event: TrafficEvent) -> None:
        self._proxy.watch(event)


@contextlib.contextmanager
def _network() -> Iterator[None]:
    """Turn whatever the network fails with into a ConnectionError; a watcher's OSError is none."""
    try:
        yield
    except ConnectionError:
        raise
    except OSError as error:
        raise ConnectionAbortedError(*error.args) from error


async def _received(reader: asyncio.StreamReader) -> bytes:
    with _network():
        return await reader.read(_CHUNK)


@contextlib.contextmanager
def _passing_body(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> Iterator[None]:
    """Pass on the body of a plain request while it is answered."""

    async def pass_on() -> None:
        while data := await _received(reader):
            writer.write(data)
            with _network():
                await writer.drain()

    passing = asyncio.ensure_future(pass_on())
    # The answer says what has become of it: what the network failed with is told there.
    passing.add_done_callback(lambda done: done.cancelled() or done.exception())
    try:
        yield
    finally:
        passing.cancel()


class _Unauthorized(Exception):
    """The client did not present the token."""


async def _judge(gatekeeper: Gatekeeper, message: bytes) -> str | None:
    """Say why a client is refused; None to admit it."""
    try:
        packet = json_codec.loads(message)
    except ValueError:
        packet = None
    match packet:
        case {"clientIdentifier": str() as identifier, "clientPasskey": str() as passkey}:
            return await gatekeeper.authenticate(identifier, passkey)
    return "This proxy wants an API token, and the first message is no authentication"
