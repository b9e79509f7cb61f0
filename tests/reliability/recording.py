"""A completion as a server sent it, byte by byte, and a peer that repeats it up to a given byte."""

from __future__ import annotations

import contextlib
import itertools
import json
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import attrs
from websockets.frames import Frame, Opcode
from websockets.http11 import Request
from websockets.server import ServerProtocol

import lmwire
from lmwire_emulator import EmulatorThread
from tests.runtime.arithmetic import ENOUGH

__all__ = ["CuttingPeer", "Recording", "complete", "record"]

GREETING = b'{"lmstudio": true}'


@attrs.frozen
class Recording:
    """What one connection sent and received, frame by frame.

    ``steps`` are the frames of the server; None stands for a frame of the client, which is waited for.
    """

    steps: tuple[bytes | None, ...]
    fragments: tuple[str, ...]

    def reached(self, cut: int) -> list[dict[str, Any]]:
        """Return the frames of the server that are complete in the first ``cut`` bytes behind the handshake."""
        frames: list[dict[str, Any]] = []
        for step in self.steps:
            if step is not None:
                cut -= len(_framed(step))
                if cut < 0:
                    break
                frames.append(json.loads(step))
        return frames

    @property
    def boundaries(self) -> list[int]:
        """After how many bytes behind the handshake a frame ends, the beginning included."""
        sizes = [len(_framed(step)) for step in self.steps if step is not None]
        return list(itertools.accumulate(sizes, initial=0))

    @property
    def size(self) -> int:
        """How many bytes there are behind the handshake."""
        return sum(len(_framed(step)) for step in self.steps if step is not None)


def complete(client: lmwire.Client) -> Iterator[str]:
    """Complete text as users do; yields the fragments, and ends only if there is a result."""
    stream = client.llm.model().complete_stream("My name is", config={"maxTokens": 3})
    for fragment in stream:
        yield fragment.content
    stream.result()


def record() -> Recording:
    """Have the emulator complete a text."""
    steps: list[bytes | None] = []
    closed = threading.Event()

    def tap(direction: str, namespace: str, text: bytes) -> None:
        steps.append(None if direction == "sent" else _shortened(text))
        if b'"channelClose"' in text:
            closed.set()

    with EmulatorThread() as emulator, lmwire.Client(emulator.api_host, on_frame=tap) as client:
        fragments = tuple(complete(client))
        assert closed.wait(ENOUGH)  # nobody needs that frame, so the client reads it in its own time
    assert len(fragments) == 3
    return Recording(tuple(steps), fragments)


def _shortened(text: bytes) -> bytes:
    """Leave the settings out of a result: they are most of its bytes, and say nothing that others do not."""
    frame = json.loads(text)
    message = frame.get("message", {})
    for key in ("loadModelConfig", "predictionConfig"):
        if key in message:
            message[key] = {"fields": []}
    return json.dumps(frame, separators=(",", ":")).encode()


def _framed(text: bytes) -> bytes:
    return Frame(Opcode.TEXT, text).serialize(mask=False)


class CuttingPeer:
    """Repeats a recording on every connection, until it has sent ``cut`` bytes; then it ends the connection.

    The bytes count from the beginning of the HTTP response. Connections are served one after the other: there is
    one client, and it has one connection at a time.
    """

    def __init__(self, recording: Recording) -> None:
        self.cut = 10**9
        self.farewell = b""
        """What is sent before the end, beyond ``cut``."""
        self.handshake = 0
        """How many bytes the HTTP response has."""
        self.errors: list[Exception] = []
        self._ended = 0
        self._changed = threading.Condition()
        self._recording = recording
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.host = "127.0.0.1:{}".format(*self._listener.getsockname()[1:])
        self._closing = False
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def until_ended(self, count: int) -> None:
        """Wait until so many connections were cut."""
        with self._changed:
            assert self._changed.wait_for(lambda: self._ended >= count, ENOUGH)

    def close(self) -> None:
        self._closing = True
        socket.create_connection(self._listener.getsockname()).close()
        self._thread.join(ENOUGH)
        assert not self._thread.is_alive()
        self._listener.close()
        for error in self.errors:
            raise error

    def _serve(self) -> None:
        while True:
            sock, _ = self._listener.accept()
            with sock:
                if self._closing:
                    return
                sock.settimeout(ENOUGH)
                cut = False
                try:
                    cut = self._follow(sock)
                except Exception as error:  # noqa: BLE001  # raised again in the test's own thread
                    self.errors.append(error)
            if cut:
                with self._changed:
                    self._ended += 1
                    self._changed.notify_all()

    def _follow(self, sock: socket.socket) -> bool:
        """Serve one connection; returns whether it is to be cut now."""
        protocol = ServerProtocol(max_size=None)
        budget = self.cut
        while not (request := next(iter(protocol.events_received()), None)):
            protocol.receive_data(_some(sock))
        assert isinstance(request, Request)
        if request.path.endswith("greeting"):
            head = f"HTTP/1.1 200 OK\r\nContent-Length: {len(GREETING)}\r\n\r\n"
            sock.sendall(head.encode() + GREETING)
            return False
        protocol.send_response(protocol.accept(request))
        response = b"".join(protocol.data_to_send())
        self.handshake = len(response)
        waiting = [response, *(None if step is None else _framed(step) for step in self._recording.steps)]
        received = 0
        for step in waiting:
            if step is None:
                while not received:
                    protocol.receive_data(_some(sock))
                    received += len(protocol.events_received())
                received -= 1
                continue
            sock.sendall(step[:budget])
            budget -= len(step)
            if budget < 0:
                sock.sendall(self.farewell)
                return True
        with contextlib.suppress(ConnectionError):
            while True:
                _some(sock)
        return False


def _some(sock: socket.socket) -> bytes:
    data = sock.recv(65536)
    if not data:
        raise ConnectionError("the client has gone")
    return data


@contextmanager
def cutting(recording: Recording) -> Iterator[CuttingPeer]:
    """A cutting peer for one test."""
    peer = CuttingPeer(recording)
    yield peer
    peer.close()
