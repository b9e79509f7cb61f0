"""The live page: a page on this machine that shows connections, streams and frames as they pass.

A small HTTP server of its own. All it has lies below a path that begins with a random key, because other users of the
machine can reach the port too; and it answers only requests that were meant for this machine (``Host``) and come from
no other page (``Origin``), because web pages can. The page is one file, ``live_page.html``; what peers sent gets into
it as text and never as markup, and a content security policy forbids it everything but its own script.

``events`` is a stream of server-sent events, each a batch of rows; a page that comes late, or again, asks for what it
lacks by number. Rows are kept up to a number and an amount of bytes, then the oldest are forgotten. A frame itself is
fetched when somebody clicks on it.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import hashlib
import json
import re
import secrets
from collections import deque
from importlib.resources import files
from typing import Any, Final
from urllib.parse import parse_qs, urlsplit

import attrs

from lmwire_runtime import json_codec
from lmwire_runtime.access import is_local_host, is_local_origin
from lmwire_tools.analysis import FrameEvent
from lmwire_tools.deviations import Deviation
from lmwire_tools.http_heads import BadHead, Head
from lmwire_tools.recordings import Opened, without_secrets
from lmwire_tools.traffic import Faulty, HttpAnswered, TrafficEvent

__all__ = ["LivePage"]

_HEAD_BYTES: Final = 16 * 1024
_HEAD_SECONDS: Final = 30.0
_ROWS: Final = 20_000
_BYTES: Final = 64 * 1024 * 1024
_BATCH: Final = 500
_READERS: Final = 16
# A page redraws no more often than that.
_PAUSE_SECONDS: Final = 0.05

_HEADERS: Final = (
    ("Cache-Control", "no-store"),
    ("Connection", "close"),
    ("Cross-Origin-Resource-Policy", "same-origin"),
    ("Referrer-Policy", "no-referrer"),
    ("X-Content-Type-Options", "nosniff"),
)


@attrs.frozen
class _Row:
    """One event: what the list shows of it, and the frame that a click shows."""

    shown: dict[str, Any]
    text: bytes


class LivePage:
    """Serves the page; a watcher of traffic, and an asynchronous context manager.

    Args:
        rows: How many events are kept.
        bytes_kept: How many bytes of frames are kept.
    """

    def __init__(self, *, rows: int = _ROWS, bytes_kept: int = _BYTES) -> None:
        self._rows: deque[_Row] = deque()
        self._limits = (rows, bytes_kept)
        self._bytes = 0
        self._next = 1
        self._arrived = asyncio.Event()
        self._key = secrets.token_urlsafe(18)
        self._listener: asyncio.Server | None = None
        self._readers: set[asyncio.Task[None]] = set()
        self._page, self._policy = _page()

    async def start(self, port: int = 0) -> str:
        """Listen on loopback; returns the page's address, which is the key to it.

        Raises:
            OSError: The port cannot be used.
        """
        self._listener = await asyncio.start_server(self._accept, "127.0.0.1", port, limit=_HEAD_BYTES)
        bound = self._listener.sockets[0].getsockname()[1]
        return f"http://127.0.0.1:{bound}/{self._key}/"

    async def close(self) -> None:
        """Stop listening, and end the streams."""
        if self._listener is not None:
            self._listener.close()
            self._listener = None
        for task in list(self._readers):
            task.cancel()
        await asyncio.gather(*self._readers, return_exceptions=True)

    async def __aenter__(self) -> LivePage:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    def __call__(self, event: TrafficEvent) -> None:
        """Take an event."""
        text = without_secrets(event.text) if isinstance(event, FrameEvent) else b""
        self._rows.append(_Row({"n": self._next, **_shown(event)}, text))
        self._next += 1
        self._bytes += len(text)
        rows, bytes_kept = self._limits
        while len(self._rows) > rows or self._bytes > bytes_kept:
            self._bytes -= len(self._rows.popleft().text)
        self._arrived.set()
        self._arrived = asyncio.Event()

    # Requests.

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._readers.add(task)
        try:
            if len(self._readers) > _READERS:
                await _answer(writer, 503, b"too many readers", "text/plain")
            else:
                await self._serve(reader, writer)
        except asyncio.CancelledError:
            writer.transport.abort()  # the page closes; nobody waits for this task but its close
        except (ConnectionError, asyncio.IncompleteReadError):
            pass  # the browser has gone
        finally:
            self._readers.discard(task)
            writer.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = Head.parse(await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), _HEAD_SECONDS))
            target = urlsplit(head.first.split(" ", 2)[1])
        except (asyncio.LimitOverrunError, BadHead, asyncio.TimeoutError, TimeoutError, ValueError):
            await _answer(writer, 400, b"not an HTTP request", "text/plain")
            return
        if not is_local_host(head.all("host")) or not is_local_origin(head.all("origin")):
            await _answer(writer, 403, b"only for pages of this machine", "text/plain")
            return
        if head.method != "GET":
            await _answer(writer, 405, b"only GET is answered here", "text/plain")
            return
        key, _, what = target.path.removeprefix("/").partition("/")
        if not secrets.compare_digest(key.encode(), self._key.encode()):
            await _answer(writer, 404, b"nothing here; the address has a key in it", "text/plain")
        elif what == "":
            await _answer(writer, 200, self._page, "text/html; charset=utf-8", self._policy)
        elif what == "events":
            await self._stream(writer, _number(parse_qs(target.query).get("after", ["0"])[0]))
        elif what.startswith("frames/"):
            await self._frame(writer, _number(what.removeprefix("frames/")))
        else:
            await _answer(writer, 404, b"nothing here", "text/plain")

    async def _frame(self, writer: asyncio.StreamWriter, number: int) -> None:
        index = number - (self._next - len(self._rows))
        if not 0 <= index < len(self._rows):
            await _answer(writer, 404, b"forgotten", "text/plain")
            return
        text = self._rows[index].text
        try:
            json_codec.loads(text)
        except ValueError:
            text = json.dumps(text.decode("utf-8", "replace")).encode()
        await _answer(writer, 200, text, "application/json")

    async def _stream(self, writer: asyncio.StreamWriter, after: int) -> None:
        await _begin(writer, 200, "text/event-stream", ())
        while True:
            arrived = self._arrived
            first = self._next - len(self._rows)
            skipped = max(0, min(after + 1, self._next) - first)
            batch = [row.shown for row in list(self._rows)[skipped : skipped + _BATCH]]
            if not batch:
                await arrived.wait()
                continue
            after = batch[-1]["n"]
            told = json.dumps({"first": first, "rows": batch})
            writer.write(f"id: {after}\ndata: {told}\n\n".encode())
            await writer.drain()
            await asyncio.sleep(_PAUSE_SECONDS)


def _number(text: str) -> int:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 16 else 0


async def _begin(
    writer: asyncio.StreamWriter, status: int, content_type: str, more: tuple[tuple[str, str], ...]
) -> None:
    head = Head(f"HTTP/1.1 {status} -", (("Content-Type", content_type), *_HEADERS, *more))
    writer.write(head.to_bytes())
    await writer.drain()


async def _answer(
    writer: asyncio.StreamWriter,
    status: int,
    body: bytes,
    content_type: str,
    policy: str = "default-src 'none'",
) -> None:
    more = (("Content-Length", str(len(body))), ("Content-Security-Policy", policy))
    with contextlib.suppress(ConnectionError):
        await _begin(writer, status, content_type, more)
        writer.write(body)
        await writer.drain()


def _page() -> tuple[bytes, str]:
    """The page, and the policy that allows its one script and its one style by their hashes."""
    text = files("lmwire_tools").joinpath("live_page.html").read_text(encoding="utf-8").replace("\r\n", "\n")
    hashes = {}
    for tag in ("script", "style"):
        found = re.search(rf"<{tag}>(.*?)</{tag}>", text, re.DOTALL)
        assert found is not None
        digest = hashlib.sha256(found[1].encode()).digest()
        hashes[tag] = f"{tag}-src 'sha256-{base64.b64encode(digest).decode()}'"
    rules = (
        "default-src 'none'",
        *hashes.values(),
        "connect-src 'self'",
        "img-src data:",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
    )
    return text.encode(), "; ".join(rules)


def _shown(event: TrafficEvent) -> dict[str, Any]:
    """What the list shows of an event, as JSON data."""
    head = {"time": event.time, "connection": event.connection}
    if isinstance(event, FrameEvent):
        return {
            **head,
            "what": "frame",
            "namespace": event.namespace,
            "direction": event.direction,
            "type": event.type,
            "kind": event.kind,
            "endpoint": event.endpoint,
            "id": event.id,
            "packet": event.packet,
            "latency": event.latency,
            "size": len(event.text),
            "late": event.late,
            "deviations": _deviations(event.deviations),
        }
    if isinstance(event, HttpAnswered):
        told = f"{event.method} {event.path} {event.status}"
        return {**head, "what": "http", "text": told, "deviations": _deviations(event.deviations)}
    if isinstance(event, Faulty):
        return {**head, "what": "fault", "text": event.fault, "deviations": []}
    if isinstance(event, Opened):
        return {**head, "what": "open", "namespace": event.namespace, "text": "", "deviations": []}
    text = event.reason if event.code is None else f"{event.code} {event.reason}".strip()
    return {**head, "what": "close", "namespace": event.namespace, "text": text, "deviations": []}


def _deviations(deviations: tuple[Deviation, ...]) -> list[str]:
    return [str(deviation) for deviation in deviations]
