"""A client session under test, and what a server sends it."""

from __future__ import annotations

from typing import Any

from lmwire_runtime.limits import Limits
from lmwire_runtime.session import Channel, ClientSession, Exchange
from lmwire_runtime.wire import WarningSink

CANCEL = {"type": "cancel"}


class Peer:
    """A session under test: what it sent, what it warned of, and the frames that a server sends it."""

    def __init__(self, limits: Limits | None = None, *, authenticated: bool = True) -> None:
        self.lines: list[str] = []
        self.session = ClientSession("llm", limits=limits or Limits(), sink=WarningSink(self.lines.append))
        if authenticated:
            self.session.authenticate("me", "secret")
            self.feed({"success": True})
            self.sent()

    def feed(self, *frames: Any, size: int = 10) -> None:
        for frame in frames:
            self.session.receive((frame,), (size,))

    def sent(self) -> list[dict[str, Any]]:
        frames, self.session.outgoing = self.session.outgoing, []
        return frames

    def paused(self) -> Channel | None:
        return self.session.paused

    def packet(self, channel: Channel, message: Any, size: int = 10) -> None:
        self.feed({"type": "channelSend", "channelId": channel.id, "message": message}, size=size)

    def warning(self, text: str, kind: str | None = None) -> None:
        frame = {"type": "communicationWarning", "warning": text}
        self.feed(frame if kind is None else {**frame, "kind": kind})


def read(exchange: Exchange) -> list[Any]:
    """Take what has arrived."""
    return [exchange.take() for _ in range(len(exchange.inbox))]


def has_ended(exchange: Exchange) -> bool:
    return exchange.ended
