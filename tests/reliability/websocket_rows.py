"""Rows about how messages come: fragments, pings, oversized and forbidden frames, closes and cuts."""

from __future__ import annotations

import socket
from collections.abc import Callable
from typing import Final

from websockets.frames import Frame, Opcode

from lmwire_runtime import json_codec
from lmwire_runtime.errors import ConnectionLostError
from lmwire_runtime.limits import Limits, Timeouts
from tests.reliability.table import ALL_IS_LOST, SOON, Fails, Gives, Incident, Row

ONE, TWO = {"number": 1}, {"number": 2}
LIMIT: Final = 100_000

# What a client may wait for the end of a connection that is lost already.
HURRIED: Final = {"timeouts": Timeouts(close=SOON)}


def _frame(opcode: Opcode, data: bytes, *, fin: bool = True) -> bytes:
    return Frame(opcode, data, fin).serialize(mask=False)


def _answer(incident: Incident) -> bytes:
    return json_codec.dumps(incident.result(42))


def _binary(incident: Incident) -> None:
    incident.raw(_frame(Opcode.BINARY, _answer(incident)))


def _fragmented(incident: Incident) -> None:
    """A byte for each frame, empty frames and pings in between."""
    text = _answer(incident)
    incident.raw(_frame(Opcode.TEXT, b"", fin=False))
    for place in range(len(text)):
        incident.raw(_frame(Opcode.PING, b"%d" % place) + _frame(Opcode.CONT, b"", fin=False))
        incident.raw(_frame(Opcode.CONT, text[place : place + 1], fin=False))
    incident.raw(_frame(Opcode.CONT, b""))


def _crumbs(incident: Incident) -> None:
    """Everything a byte at a time."""
    for byte in _frame(Opcode.TEXT, _answer(incident)):
        incident.raw(bytes([byte]))


def _many_in_one(incident: Incident) -> None:
    packets = [json_codec.dumps(incident.packet({"number": number})) for number in range(3000)]
    closed = json_codec.dumps(incident.close)
    incident.raw(b"".join(_frame(Opcode.TEXT, text) for text in [*packets, closed]))


def _pings(incident: Incident) -> None:
    incident.raw(b"".join(_frame(Opcode.PING, b"ping %d" % number) for number in range(1000)))
    incident.connection.ping_pong()
    assert incident.connection.pongs == [b"ping %d" % number for number in range(1000)] + [b"0"]
    incident.raw(_frame(Opcode.PONG, b"nobody asked"))
    incident.answer()


def _oversized(incident: Incident) -> None:
    incident.send(incident.result("x" * LIMIT))


def _oversized_in_fragments(incident: Incident) -> None:
    incident.raw(_frame(Opcode.TEXT, b"[" + b"1," * 1000, fin=False))
    for _ in range(LIMIT // 2000):
        incident.raw(_frame(Opcode.CONT, b"1," * 1000, fin=False))


def _closes_after_a_packet(code: int | None) -> Callable[[Incident], None]:
    def does(incident: Incident) -> None:
        incident.send(incident.packet(ONE))
        incident.connection.close(code)

    return does


def _raw(data: bytes) -> Callable[[Incident], None]:
    return lambda incident: incident.raw(data)


def _lost(name: str, what: str, data: bytes, says: str) -> Row:
    return Row(
        name=name,
        what=what,
        does=_raw(data),
        outcome=Fails(ConnectionLostError, f"the connection was lost: .*{says}"),
        neighbour=ALL_IS_LOST,
        options=HURRIED,
    )


def _cuts(incident: Incident) -> None:
    incident.send(incident.packet(ONE))
    incident.connection.sock.close()


def _cuts_in_mid_frame(incident: Incident) -> None:
    text = json_codec.dumps(incident.packet(TWO))
    incident.raw(_frame(Opcode.TEXT, json_codec.dumps(incident.packet(ONE))) + _frame(Opcode.TEXT, text)[:-1])
    incident.connection.sock.close()


def _resets(incident: Incident) -> None:
    incident.connection.reset()


def _hangs_up_half(incident: Incident) -> None:
    incident.send(incident.packet(ONE))
    incident.connection.sock.shutdown(socket.SHUT_WR)


def _closes_and_stays(incident: Incident) -> None:
    """The closing handshake, and after it never the end of the TCP connection."""
    incident.send(incident.packet(ONE))
    incident.connection.close(1001)


BROKE: Final = "the peer broke the WebSocket protocol or a limit: "

WEBSOCKET_ROWS: Final = (
    Row(name="binary", what="A binary message instead of text.", does=_binary),
    Row(
        name="fragments",
        what="A message in fragments of a byte, with empty fragments and pings between them.",
        does=_fragmented,
    ),
    Row(name="crumbs", what="A message of which every byte comes alone.", does=_crumbs),
    Row(
        name="many-in-one",
        what="3,000 packets in one write.",
        does=_many_in_one,
        request="stream",
        outcome=Gives([{"number": number} for number in range(3000)]),
    ),
    Row(
        name="pings", what="A thousand pings, all of which are answered, and a pong for nothing.", does=_pings
    ),
    Row(
        name="oversized",
        what="A message over the limit.",
        does=_oversized,
        outcome=Fails(ConnectionLostError, f"{BROKE}frame.* exceeds limit"),
        neighbour=ALL_IS_LOST,
        options={**HURRIED, "limits": Limits(message_bytes=LIMIT)},
    ),
    Row(
        name="oversized-in-fragments",
        what="A message over the limit, in fragments each of which is below it.",
        does=_oversized_in_fragments,
        outcome=Fails(ConnectionLostError, f"{BROKE}frame.* exceeds limit"),
        neighbour=ALL_IS_LOST,
        options={**HURRIED, "limits": Limits(message_bytes=LIMIT)},
    ),
    _lost(
        "announces-much",
        "A frame that announces 9 exabytes; nothing is set aside for them.",
        b"\x81\x7f\x7f\xff\xff\xff\xff\xff\xff\xff",
        BROKE,
    ),
    _lost("not-utf-8", "Text that is not UTF-8.", b'\x81\x03"\xff"', f"{BROKE}a message was not UTF-8"),
    _lost("unknown-opcode", "A frame of an unknown kind.", b"\x83\x00", BROKE),
    _lost("reserved-bits", "A frame that says it is compressed.", b"\xc1\x02{}", BROKE),
    _lost("masked", "A masked frame, which only clients send.", b"\x81\x82\0\0\0\0{}", BROKE),
    _lost("no-beginning", "The end of a fragmented message that never began.", b"\x80\x02{}", BROKE),
    _lost("no-end", "A message in the middle of another one.", b"\x01\x01{\x81\x02{}", BROKE),
    _lost("long-ping", "A ping that is longer than pings may be.", b"\x89\x7e\x00\x80" + bytes(128), BROKE),
    _lost("fragmented-ping", "A ping in fragments.", b"\x09\x01x", BROKE),
    _lost("close-of-one-byte", "A close with half a code.", b"\x88\x01\x03", BROKE),
    _lost("close-with-a-bad-code", "A close with a code that must not be sent.", b"\x88\x02\x03\xee", BROKE),
    _lost("close-with-a-bad-reason", "A close whose reason is not UTF-8.", b"\x88\x03\x03\xe8\xff", BROKE),
    *(
        Row(
            name=f"close-{code or 'without-a-code'}",
            what=f"A packet, and the closing handshake {f'with code {code}' if code else 'without a code'}.",
            does=_closes_after_a_packet(code),
            request="stream",
            outcome=Fails(
                ConnectionLostError,
                f"the peer closed it {f'with code {code}' if code else 'without a code'};.* connects anew",
                after=(ONE,),
            ),
            neighbour=ALL_IS_LOST,
            options=HURRIED,
        )
        for code in (None, 1000, 1001, 1002, 1003, 1007, 1008, 1009, 1011, 1012, 1013, 3000, 4999)
    ),
    Row(
        name="cut",
        what="A packet, and the end of the TCP connection.",
        does=_cuts,
        request="stream",
        outcome=Fails(ConnectionLostError, "the peer ended it without a closing handshake", after=(ONE,)),
        neighbour=ALL_IS_LOST,
    ),
    Row(
        name="cut-in-mid-frame",
        what="A packet, and the end of the TCP connection a byte before the end of another one.",
        does=_cuts_in_mid_frame,
        request="stream",
        outcome=Fails(ConnectionLostError, "the peer ended it without a closing handshake", after=(ONE,)),
        neighbour=ALL_IS_LOST,
    ),
    Row(
        name="reset",
        what="A reset of the TCP connection.",
        does=_resets,
        outcome=Fails(ConnectionLostError, "the connection was lost"),
        neighbour=ALL_IS_LOST,
    ),
    Row(
        name="half-closed",
        what="A packet, and the end of what the peer sends, though it would still read.",
        does=_hangs_up_half,
        request="stream",
        outcome=Fails(ConnectionLostError, "the peer ended it without a closing handshake", after=(ONE,)),
        neighbour=ALL_IS_LOST,
        options=HURRIED,
    ),
    Row(
        name="closes-and-stays",
        what="The closing handshake, and never the end of the TCP connection.",
        does=_closes_and_stays,
        request="stream",
        outcome=Fails(ConnectionLostError, "the peer closed it with code 1001", after=(ONE,)),
        neighbour=ALL_IS_LOST,
        options=HURRIED,
    ),
)
