"""Servers that follow a script on a raw socket, for what a proper server never does."""

from __future__ import annotations

import contextlib
import socket
import struct
import sys
import threading
from collections.abc import Callable
from types import TracebackType
from typing import Any

from websockets.frames import Frame, Opcode
from websockets.http11 import Request
from websockets.protocol import State
from websockets.server import ServerProtocol

from lmwire_runtime import json_codec
from tests.runtime.arithmetic import ENOUGH


class ScriptedConnection:
    """One accepted connection; the script runs in a thread of its own and blocks."""

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self.protocol = ServerProtocol(max_size=None)
        self.request: Request | None = None
        self.pongs: list[bytes] = []
        self._messages: list[Any] = []
        sock.settimeout(ENOUGH)

    # WebSocket.

    def shake_hands(self) -> None:
        """Read the client's request and accept it."""
        while self.request is None:
            self._read()
        self.protocol.send_response(self.protocol.accept(self.request))
        self.flush()

    def authenticate(self, reply: Any = None) -> dict[str, Any]:
        """Read the authentication packet and answer it, by default well; returns the packet."""
        self.shake_hands()
        packet: dict[str, Any] = self.receive()
        self.send({"success": True} if reply is None else reply)
        return packet

    def receive(self) -> Any:
        """Wait for the next frame of the client."""
        while not self._messages:
            self._read()
        return self._messages.pop(0)

    def send(self, *frames: Any) -> None:
        for frame in frames:
            self.send_text(json_codec.dumps(frame))

    def send_text(self, text: bytes) -> None:
        self.protocol.send_text(text)
        self.flush()

    def flush(self) -> None:
        self.sock.sendall(b"".join(self.protocol.data_to_send()))

    def ping_pong(self) -> None:
        """Wait until the client has answered a ping: everything that it sent before has arrived then."""
        mark = b"%d" % len(self.pongs)
        self.protocol.send_ping(mark)
        self.flush()
        while mark not in self.pongs:
            self._read()

    def pending(self) -> list[Any]:
        """Frames that have arrived and were not yet taken."""
        return list(self._messages)

    def close(self, code: int | None = 1000) -> None:
        self.protocol.send_close(code)
        self.flush()

    # TCP.

    def read_request(self) -> bytes:
        """Read an HTTP request, unparsed."""
        data = b""
        while b"\r\n\r\n" not in data:
            more = self.sock.recv(65536)
            if not more:
                break
            data += more
        return data

    def read_some(self) -> None:
        """Read what has arrived, or wait for something."""
        self._read()

    def until_gone(self) -> None:
        """Wait until the client closes the connection, and take part in that."""
        with contextlib.suppress(ConnectionError):
            while True:
                self._read()

    def until_cut(self) -> None:
        """Wait until the client ends the connection, without a word."""
        with contextlib.suppress(ConnectionError):
            while self.sock.recv(65536):
                pass

    def reset(self) -> None:
        """Drop the connection in the rudest way."""
        form = "hh" if sys.platform == "win32" else "ii"
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack(form, 1, 0))
        self.sock.close()

    def _read(self) -> None:
        data = self.sock.recv(65536)
        if not data:
            raise ConnectionError("the client has gone")
        self.protocol.receive_data(data)
        for event in self.protocol.events_received():
            if isinstance(event, Request):
                self.request = event
            elif isinstance(event, Frame) and event.opcode is Opcode.PONG:
                self.pongs.append(bytes(event.data))
            elif isinstance(event, Frame) and event.opcode is Opcode.TEXT:
                self._messages.append(json_codec.loads(event.data))
        self.flush()
        if self.protocol.state is State.CLOSING:
            raise ConnectionError("the client has closed the connection")


Script = Callable[[ScriptedConnection], None]


class ScriptedPeer:
    """A listening server: the n-th connection follows the n-th script, later ones the last."""

    def __init__(self, scripts: tuple[Script, ...]) -> None:
        self._scripts = scripts
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._threads: list[threading.Thread] = []
        self.connections: list[ScriptedConnection] = []
        self.errors: list[Exception] = []
        self.port: int = self._listener.getsockname()[1]
        self.host = f"127.0.0.1:{self.port}"
        self._closing = False
        self._acceptor = threading.Thread(target=self._accept, daemon=True)
        self._acceptor.start()

    def _accept(self) -> None:
        while True:
            sock, _ = self._listener.accept()
            if self._closing:
                sock.close()
                return
            connection = ScriptedConnection(sock)
            script = self._scripts[min(len(self.connections), len(self._scripts) - 1)]
            self.connections.append(connection)
            thread = threading.Thread(target=self._follow, args=(script, connection), daemon=True)
            self._threads.append(thread)
            thread.start()

    def _follow(self, script: Script, connection: ScriptedConnection) -> None:
        try:
            script(connection)
        except Exception as error:  # noqa: BLE001  # raised again in the test's own thread
            self.errors.append(error)
        finally:
            connection.sock.close()

    def close(self) -> None:
        """Wait for all scripts to end; raises what one of them raised."""
        self._closing = True
        socket.create_connection(("127.0.0.1", self.port)).close()  # wakes the acceptor
        self._acceptor.join(ENOUGH)
        self._listener.close()
        for thread in self._threads:
            thread.join(ENOUGH)
            assert not thread.is_alive(), "a script did not end"
        for error in self.errors:
            raise error


class ScriptedPeers:
    """Makes scripted peers; at its end all scripts have ended, and none has failed."""

    def __init__(self) -> None:
        self._peers: list[ScriptedPeer] = []

    def serve(self, *scripts: Script) -> ScriptedPeer:
        peer = ScriptedPeer(scripts)
        self._peers.append(peer)
        return peer

    def __enter__(self) -> ScriptedPeers:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if error is None:
            for peer in self._peers:
                peer.close()


def serve_once(connection: ScriptedConnection) -> None:
    """Authenticate and double numbers until the client closes."""
    connection.authenticate()
    while True:
        try:
            call = connection.receive()
        except ConnectionError:
            return
        connection.send({"type": "rpcResult", "callId": call["callId"], "result": call["parameter"] * 2})
