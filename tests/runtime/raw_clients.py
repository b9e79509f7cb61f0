"""A client on a raw socket that does exactly what a test says, and nothing else."""

from __future__ import annotations

import socket
from typing import Any

from websockets.client import ClientProtocol
from websockets.frames import Frame, Opcode
from websockets.http11 import Response
from websockets.uri import parse_uri

from lmwire_runtime import json_codec
from tests.runtime.arithmetic import ENOUGH

CREDENTIALS = {"authVersion": 1, "clientIdentifier": "me", "clientPasskey": "secret"}


class RawClient:
    """A WebSocket of one namespace; used as a context manager."""

    def __init__(self, port: int, path: str = "/arithmetic", headers: dict[str, str] | None = None) -> None:
        self.sock = socket.create_connection(("127.0.0.1", port), ENOUGH)
        self.protocol = ClientProtocol(parse_uri(f"ws://127.0.0.1:{port}{path}"), max_size=None)
        self.response: Response | None = None
        self.close_code: int | None = None
        self._messages: list[Any] = []
        self._ended = False
        self._headers = headers or {}

    def request(self) -> bytes:
        """Return the handshake request."""
        request = self.protocol.connect()
        for name, value in self._headers.items():
            request.headers[name] = value
        self.protocol.send_request(request)
        return b"".join(self.protocol.data_to_send())

    def shake_hands(self, and_also: bytes = b"") -> int:
        """Open the WebSocket; returns the HTTP status. ``and_also`` follows the request in the same segment."""
        self.sock.sendall(self.request() + and_also)
        while self.response is None and not self._ended:
            self._read()
        return 0 if self.response is None else self.response.status_code

    def authenticate(self) -> RawClient:
        """Open and authenticate; returns itself."""
        assert self.shake_hands() == 101
        self.send(CREDENTIALS)
        assert self.receive() == {"success": True}
        return self

    def send(self, *frames: Any) -> None:
        """Send frames, in one segment."""
        for frame in frames:
            self.protocol.send_text(json_codec.dumps(frame))
        self.flush()

    def flush(self) -> None:
        data = b"".join(self.protocol.data_to_send())
        if data:  # sending nothing would wait for the peer to take it
            self.sock.sendall(data)

    def receive(self) -> Any:
        """Wait for the next frame; None at the end of the connection."""
        while not self._messages and not self._ended:
            self._read()
        return self._messages.pop(0) if self._messages else None

    def ask(self, frame: Any) -> Any:
        """Send a frame and wait for the next one."""
        self.send(frame)
        return self.receive()

    def rest(self) -> list[Any]:
        """Return all frames up to the end of the connection."""
        while not self._ended:
            self._read()
        messages, self._messages = self._messages, []
        return messages

    def exchange(self, *frames: Any) -> list[Any]:
        """Send frames and a keepAlive; returns what comes back before its answer."""
        self.send(*frames, {"type": "keepAlive"})
        received: list[Any] = []
        while True:
            frame = self.receive()
            if frame is None or frame == {"type": "keepAliveAck"}:
                return received
            received.append(frame)

    def close(self) -> None:
        self.sock.close()

    def __enter__(self) -> RawClient:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _read(self) -> None:
        try:
            data = self.sock.recv(65536)
        except ConnectionError:
            data = b""
        if not data:
            self._ended = True
            self.protocol.receive_eof()
            self.close_code = self.protocol.close_code
            return
        self.protocol.receive_data(data)
        for event in self.protocol.events_received():
            if isinstance(event, Response):
                self.response = event
            elif isinstance(event, Frame) and event.opcode is Opcode.TEXT:
                self._messages.append(json_codec.loads(event.data))
        self.flush()
