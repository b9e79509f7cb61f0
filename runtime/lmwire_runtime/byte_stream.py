"""A non-blocking stream of bytes over TCP, plain or TLS, for the synchronous shell.

Ctrl-C may raise between any two bytecodes of the main thread, and most of all behind a system call. So that no byte
is lost or sent twice by it, each system call and the note of its result are one call of C code:
``extend(map(call, arguments))``.

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
from typing import Final, Protocol

from lmwire_runtime.addresses import Address
from lmwire_runtime.errors import ConnectError, RequestTimeoutError

__all__ = ["ByteStream", "PlainStream", "TlsStream", "default_ssl_context", "open_stream", "tune"]

TLS_RECORD: Final = 16 * 1024

# After a minute of silence the peer is asked every 15 seconds, and is gone after four of them without an answer. The
# second name is macOS' for the first.
KEEP_ALIVE: Final = {"TCP_KEEPIDLE": 60, "TCP_KEEPALIVE": 60, "TCP_KEEPINTVL": 15, "TCP_KEEPCNT": 4}


class ByteStream(Protocol):
    """What a link needs of a socket.

    It never blocks. One thread receives at a time; sends are serialised by the link's lock.
    """

    @property
    def closed(self) -> bool:
        """Whether ``close`` was called."""
        ...

    @property
    def buffered(self) -> bool:
        """Whether there may be something to receive though the socket is not readable."""
        ...

    def fileno(self) -> int:
        """The socket's descriptor for polling, -1 once closed."""
        ...

    def receive(self, size: int, arrived: deque[bytes]) -> None:
        """Append what has arrived, at most ``size`` bytes; empty bytes at the end of the stream. Raises OSError."""
        ...

    def send(self, data: bytearray) -> bool:
        """Send from the start of ``data`` and remove that; returns False if the peer takes no more now. Raises OSError.

        What was not taken has to be at the start of ``data`` the next time too.
        """
        ...

    def close(self) -> None:
        """Close; what another thread does with it then fails or returns nothing."""
        ...


class PlainStream:
    """Bytes as they are."""

    def __init__(self, sock: socket.socket) -> None:
        sock.setblocking(False)
        self._socket = sock
        self.buffered = False
        self.closed = False

    def fileno(self) -> int:
        return self._socket.fileno()

    def receive(self, size: int, arrived: deque[bytes]) -> None:
        with contextlib.suppress(BlockingIOError, InterruptedError):
            arrived.extend(map(self._socket.recv, (size,)))

    def send(self, data: bytearray) -> bool:
        taken: list[int] = []
        try:
            taken.extend(map(self._socket.send, (data,)))
        except (BlockingIOError, InterruptedError):
            return False
        finally:
            if taken:
                del data[: taken[0]]
        return True

    def close(self) -> None:
        if not self.closed:
            self.closed = True
            self._socket.close()


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


def tune(sock: socket.socket) -> None:
    """Send small messages at once, and have the system look now and then whether a silent peer is still there."""
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, value in KEEP_ALIVE.items():
        if hasattr(socket, name):
            with contextlib.suppress(OSError):  # an old Windows knows the name, and not the option
                sock.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)


def default_ssl_context() -> ssl.SSLContext:
    """The platform's trusted certificates, verification on."""
    return ssl.create_default_context()


def open_stream(address: Address, context: ssl.SSLContext | None, timeout: float | None) -> ByteStream:
    """Connect over TCP, and TLS for ``wss`` addresses.

    Raises:
        ConnectError: Refused, unreachable, or the TLS handshake failed.
        RequestTimeoutError: It took longer than ``timeout`` seconds.
    """
    sock: socket.socket | None = None
    deadline = None if timeout is None else time.monotonic() + timeout
    try:
        if timeout is not None and timeout <= 0:
            raise TimeoutError  # which a socket would take for "do not block"
        sock = socket.create_connection((address.connect_host, address.port), timeout)
        tune(sock)
        if address.secure:
            return TlsStream(sock, context or default_ssl_context(), address.server_name, deadline)
        return PlainStream(sock)
    except TimeoutError as error:
        _discard(sock)
        raise RequestTimeoutError(
            f"{address} did not accept a connection in time", seconds=timeout or 0.0
        ) from error
    except (OSError, ValueError) as error:
        _discard(sock)
        raise ConnectError(f"{address} cannot be reached: {error}", address=str(address)) from error
    except BaseException:
        _discard(sock)
        raise


def _limit(sock: socket.socket, deadline: float | None) -> None:
    if deadline is not None:
        remaining = deadline - time.monotonic()
        if remaining <= 0:
            raise TimeoutError
        sock.settimeout(remaining)


def _discard(sock: socket.socket | None) -> None:
    if sock is not None:
        sock.close()
