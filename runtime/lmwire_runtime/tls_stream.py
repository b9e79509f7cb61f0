"""A non-blocking stream of bytes over TLS, for the synchronous shell; see ``byte_stream``.

TLS runs over memory buffers, not over a shared ``SSLSocket``: two threads inside one of those deadlock on some
Pythons.
"""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
import time
from collections import deque
from typing import Final

from lmwire_runtime.byte_stream import PlainStream

__all__ = ["TlsStream", "default_ssl_context"]

TLS_RECORD: Final = 16 * 1024


class TlsStream:
    """Bytes through TLS; the handshake is done before it is handed out."""

    def __init__(
        self,
        sock: socket.socket,
        context: ssl.SSLContext,
        server_hostname: str,
        deadline: float | None = None,
    ) -> None:
        # The leader reads while another thread writes; an SSLObject must not be entered twice.
        self._lock = threading.Lock()
        self._incoming = ssl.MemoryBIO()
        self._outgoing = ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._incoming, self._outgoing, server_hostname=server_hostname)
        self._shake_hands(sock, deadline)
        self._plain = PlainStream(sock)
        # Encrypted bytes on their way in and out.
        self._received: deque[bytes] = deque()
        self._unsent = bytearray()
        # How many bytes from the start of what is being sent are encrypted already; one number at most.
        self._sealed: list[int] = []

    @property
    def closed(self) -> bool:
        return self._plain.closed

    @property
    def buffered(self) -> bool:
        return bool(self._received or self._incoming.pending or self._incoming.eof or self._tls.pending())

    def fileno(self) -> int:
        return self._plain.fileno()

    def receive(self, size: int, arrived: deque[bytes]) -> None:
        with self._lock:
            while True:
                try:
                    arrived.extend(map(self._tls.read, (size,)))
                    return
                except ssl.SSLWantReadError:
                    self._drain()
                except (ssl.SSLZeroReturnError, ssl.SSLEOFError):
                    arrived.append(b"")
                    return
                if not self._received:
                    self._plain.receive(size, self._received)
                if not self._received:
                    return
                data = self._received.popleft()
                if data:
                    self._incoming.write(data)
                else:
                    self._incoming.write_eof()

    def send(self, data: bytearray) -> bool:
        with self._lock:
            # A record counts as taken when all of it has left: until then the caller has to come again.
            if not self._sealed:
                self._sealed.extend(map(self._tls.write, (bytes(data[:TLS_RECORD]),)))
            if not self._drain():
                return False
            try:
                del data[: self._sealed[0]]
            finally:
                self._sealed.clear()
            return True

    def close(self) -> None:
        # The peer is told that this is no cut, as far as that goes without waiting.
        if not self.closed and self._lock.acquire(blocking=False):
            try:
                with contextlib.suppress(OSError, ValueError):
                    if not self._sealed:  # else the end would come in the middle of what is being sent
                        self._tls.unwrap()
            finally:
                with contextlib.suppress(OSError):
                    self._drain()
                self._lock.release()
        self._plain.close()

    def _drain(self) -> bool:
        self._unsent += self._outgoing.read()
        while self._unsent:
            if not self._plain.send(self._unsent):
                return False
        return True

    def _shake_hands(self, sock: socket.socket, deadline: float | None) -> None:
        # The socket still blocks.
        while True:
            try:
                self._tls.do_handshake()
                sock.sendall(self._outgoing.read())
                return
            except ssl.SSLWantReadError:
                _limit(sock, deadline)  # anew for every step: a peer may send a byte at a time
                sock.sendall(self._outgoing.read())
                data = sock.recv(TLS_RECORD)
                if not data:
                    raise ConnectionResetError(
                        "the peer ended the connection during the TLS handshake"
                    ) from None
                self._incoming.write(data)
            except ssl.SSLError:
                with contextlib.suppress(OSError):
                    sock.sendall(self._outgoing.read())  # tells the peer why
                raise


def default_ssl_context() -> ssl.SSLContext:
    """The platform's trusted certificates, verification on."""
    return ssl.create_default_context()


def _limit(sock: socket.socket, deadline: float | None) -> None:
    if deadline is not None:
        remaining = deadline - time.monotonic()
        if remaining <= 0:
            raise TimeoutError
        sock.settimeout(remaining)
