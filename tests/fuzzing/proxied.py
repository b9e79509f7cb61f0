"""A proxy before an emulator; one client sends it whatever it is given, and another is served all the same."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager

from tests.fuzzing.emulated import Emulated
from tests.runtime.arithmetic import ENOUGH
from tests.runtime.raw_clients import RawClient
from tests.tools.proxies import ProxyThread

__all__ = ["Proxied"]


class Proxied(Emulated):
    """A context manager; see the module docstring."""

    @contextmanager
    def _reached(self, api_host: str) -> Iterator[str]:
        proxy = ProxyThread(api_host)
        try:
            yield proxy.host
        finally:
            proxy.close()

    def send_raw(self, data: bytes) -> None:
        """Send bytes as they are: as a request, and behind a handshake; the proxy has to end both."""
        with socket.create_connection(("127.0.0.1", self._port), ENOUGH) as sock:
            _send_and_leave(sock, data)
        with RawClient(self._port, "/llm") as client:
            assert client.shake_hands() == 101
            _send_and_leave(client.sock, data)
        self.check_others()


def _send_and_leave(sock: socket.socket, data: bytes) -> None:
    try:
        sock.sendall(data)
        sock.shutdown(socket.SHUT_WR)
        while sock.recv(65536):
            pass
    except ConnectionError:
        pass  # the other end was faster
