"""Reads along with one direction of a WebSocket that others speak: bytes in, messages and the close frame out. No I/O.

It answers nothing and changes nothing; a fault of the peer's ends the reading and is told once.
"""

from __future__ import annotations

import logging
from typing import Final, Literal, TypeAlias

import attrs
from websockets.frames import Close, Frame, Opcode
from websockets.protocol import Protocol, Side, State

__all__ = ["Message", "Parting", "Wiretap"]

_LOGGER: Final = logging.getLogger("lmwire.websocket")


@attrs.frozen
class Message:
    """A whole message, put together of its fragments."""

    data: bytes
    binary: bool


@attrs.frozen
class Parting:
    """A close frame; without a code it counts as 1005, as RFC 6455 has it."""

    code: int
    reason: str


Heard: TypeAlias = "Message | Parting"


class Wiretap:
    """Reads one direction.

    Args:
        sender: Whose bytes they are; those of clients are masked.
        message_bytes: The largest message that is put together; a larger one is a fault.
    """

    def __init__(self, sender: Literal["client", "server"], message_bytes: int) -> None:
        receiver = Side.SERVER if sender == "client" else Side.CLIENT
        self._protocol = Protocol(receiver, state=State.OPEN, max_size=message_bytes, logger=_LOGGER)
        self._message: bytearray | None = None
        self._binary = False
        self.fault: str | None = None
        """What broke the WebSocket protocol or the limit; nothing is read any more."""

    def feed(self, data: bytes) -> list[Heard]:
        """Take bytes; return what they complete."""
        if self.fault is not None:
            return []
        self._protocol.receive_data(data)
        self._protocol.data_to_send()  # what it would answer is the other end's business
        heard: list[Heard] = []
        for event in self._protocol.events_received():
            if isinstance(event, Frame):
                self._take(event, heard)
        if self._protocol.parser_exc is not None:
            self.fault = str(self._protocol.parser_exc) or type(self._protocol.parser_exc).__name__
        return heard

    def _take(self, frame: Frame, heard: list[Heard]) -> None:
        if frame.opcode in (Opcode.TEXT, Opcode.BINARY):
            self._message = bytearray(frame.data)
            self._binary = frame.opcode is Opcode.BINARY
        elif frame.opcode is Opcode.CONT and self._message is not None:
            self._message += frame.data
        elif frame.opcode is Opcode.CLOSE:
            close = Close.parse(bytes(frame.data))
            heard.append(Parting(int(close.code), close.reason))
            return
        else:
            return
        if frame.fin:
            heard.append(Message(bytes(self._message), self._binary))
            self._message = None
