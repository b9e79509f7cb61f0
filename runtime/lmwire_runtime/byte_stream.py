"""A non-blocking stream of bytes over TCP for the synchronous shell; ``tls_stream`` has that over TLS.

Ctrl-C may raise between any two bytecodes of the main thread, and most of all behind a system call. So that no byte
is lost or sent twice by it, each system call and the note of its result are one call of C code:
``extend(map(call, arguments))``.
"""

from __future__ import annotations

import contextlib
import socket
import time
from collections import deque
from typing import TYPE_CHECKING, Final, Protocol

from lmwire_runtime.addresses import Address
from lmwire_runtime.errors import ConnectError, RequestTimeoutError

if TYPE_CHECKING:
    import ssl

__all__ = ["ByteStream", "PlainStream", "open_stream", "tune"]

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
        try:
            arrived.extend(map(self._socket.recv, (size,)))
        except (BlockingIOError, InterruptedError):
            return

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


def tune(sock: socket.socket) -> None:
    """Send small messages at once, and have the system look now and then whether a silent peer is still there."""
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, value in KEEP_ALIVE.items():
        if hasattr(socket, name):
            with contextlib.suppress(OSError):  # an old Windows knows the name, and not the option
                sock.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)


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
            # Few connections are, and OpenSSL takes its time to load.
            from lmwire_runtime.tls_stream import TlsStream, default_ssl_context

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


def _discard(sock: socket.socket | None) -> None:
    if sock is not None:
        sock.close()
