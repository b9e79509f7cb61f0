"""A server that cannot be the bottleneck: ``python -m benchmarks.blast`` prints its port and serves until it is killed.

Frames are prepared as bytes before they are sent and written in large chunks; a thread for each connection, blocking
sockets, no JSON writing on the way. What a completion sends is said by its prompt:

* ``blast N``: N fragments, in one go
* ``paced N SECONDS``: N fragments, one every so often; each one's text is the time at which it was sent
* ``burst N SIZE ROUNDS``: as soon as N such completions wait on the connection, ROUNDS times SIZE fragments for each
  of them, in turn
* ``hold``: nothing, until the connection ends

Everything else that clients ask for on the way (greeting, authentication, model look-up, token counts) is answered with
constants.
"""

from __future__ import annotations

import json
import socket
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from websockets.frames import Frame, Opcode
from websockets.http11 import Request
from websockets.server import ServerProtocol

PACKETS: Final = json.loads((Path(__file__).parent / "packets.json").read_text(encoding="utf-8"))
INFO: Final = PACKETS["success"]["modelInfo"]
RESULTS: Final = {**PACKETS["rpc"], "listLoaded": [INFO], "getModelInfo": INFO}
GREETING: Final = (
    b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 17\r\nConnection: close\r\n\r\n"
    b'{"lmstudio":true}'
)
CHUNK: Final = 1 << 20


def frame(message: Any) -> bytes:
    """Return one unmasked WebSocket text frame."""
    payload = json.dumps(message, separators=(",", ":")).encode()
    if len(payload) < 126:
        head = bytes([0x81, len(payload)])
    elif len(payload) < 1 << 16:
        head = bytes([0x81, 126]) + len(payload).to_bytes(2, "big")
    else:
        head = bytes([0x81, 127]) + len(payload).to_bytes(8, "big")
    return head + payload


def packet(channel: int, message: Any) -> bytes:
    """Return the frame of one packet."""
    return frame({"type": "channelSend", "channelId": channel, "message": message})


def fragment(channel: int, text: str = " word") -> bytes:
    """Return the frame of one fragment."""
    fields = {**PACKETS["fragment"]["fragment"], "content": text}
    return packet(channel, {"type": "fragment", "fragment": fields})


def ending(channel: int) -> bytes:
    """Return the frames that end a completion."""
    return packet(channel, PACKETS["success"]) + frame({"type": "channelClose", "channelId": channel})


class Connection:
    """One client's connection to one namespace."""

    def __init__(self, sock: socket.socket) -> None:
        self._socket = sock
        self._protocol = ServerProtocol()
        self._bursting: list[int] = []

    def serve(self) -> None:
        """Answer until the client has gone."""
        for text in self._messages():
            self._answer(json.loads(text))

    def _messages(self) -> Iterator[bytes]:
        protocol: Any = self._protocol  # whose events are a union that type checkers cannot narrow
        while data := self._socket.recv(1 << 16):
            if data.startswith(b"GET /lmstudio-greeting"):
                self._socket.sendall(GREETING)
                return
            protocol.receive_data(data)
            for event in protocol.events_received():
                if isinstance(event, Request):
                    protocol.send_response(protocol.accept(event))
                elif isinstance(event, Frame) and event.opcode is Opcode.TEXT:
                    yield bytes(event.data)
            for written in protocol.data_to_send():
                if not written:
                    return
                self._socket.sendall(written)

    def _answer(self, message: dict[str, Any]) -> None:
        kind = message.get("type")
        if "authVersion" in message:
            self._socket.sendall(frame({"success": True}))
        elif kind == "rpcCall":
            answer = {"type": "rpcResult", "callId": message["callId"]}
            result = RESULTS.get(message["endpoint"])
            self._socket.sendall(frame(answer if result is None else {**answer, "result": result}))
        elif kind == "channelCreate":
            self._create(message["channelId"], message["endpoint"], message["creationParameter"])

    def _create(self, channel: int, endpoint: str, creation: dict[str, Any]) -> None:
        if endpoint == "getOrLoad":
            loaded = {"type": "alreadyLoaded", "info": INFO}
            close = frame({"type": "channelClose", "channelId": channel})
            self._socket.sendall(packet(channel, loaded) + close)
            return
        prompt = creation.get("rawPrompt")
        if prompt is None:
            prompt = creation["history"]["messages"][0]["content"][0]["text"]
        plan, *numbers = prompt.split()
        if plan == "blast":
            self._send(fragment(channel), int(numbers[0]), ending(channel))
        elif plan == "paced":
            self._pace(channel, int(numbers[0]), float(numbers[1]))
        elif plan == "burst":
            self._burst(channel, *map(int, numbers))

    def _send(self, repeated: bytes, count: int, last: bytes) -> None:
        each = max(1, CHUNK // len(repeated))
        chunk = repeated * each
        for _ in range(count // each):
            self._socket.sendall(chunk)
        self._socket.sendall(repeated * (count % each) + last)

    def _pace(self, channel: int, count: int, seconds: float) -> None:
        due = time.perf_counter()
        for _ in range(count):
            due += seconds
            time.sleep(max(0.0, due - time.perf_counter()))
            self._socket.sendall(fragment(channel, str(time.monotonic_ns())))
        self._socket.sendall(ending(channel))

    def _burst(self, channel: int, count: int, size: int, rounds: int) -> None:
        self._bursting.append(channel)
        if len(self._bursting) < count:
            return
        channels, self._bursting = self._bursting, []
        once = b"".join(fragment(number) * size for number in channels)
        self._send(once, rounds, b"".join(map(ending, channels)))


def _serve(sock: socket.socket) -> None:
    try:
        Connection(sock).serve()
    except OSError:
        pass  # the client has gone in the middle, as clients do
    finally:
        sock.close()


def main() -> None:
    """Listen on a free port of loopback, print it, and serve for ever."""
    listener = socket.create_server(("127.0.0.1", 0), backlog=128)
    print(listener.getsockname()[1], flush=True)
    sys.setswitchinterval(0.0005)
    while True:
        sock, _ = listener.accept()
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        threading.Thread(target=_serve, args=(sock,), daemon=True).start()


if __name__ == "__main__":
    main()
