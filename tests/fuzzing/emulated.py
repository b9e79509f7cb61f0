"""A whole emulator with a client that sends whatever it is given, and another that is served all the same."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any

from lmwire_emulator import EmulatorThread
from lmwire_runtime import json_codec
from tests.runtime.raw_clients import CREDENTIALS, RawClient

if TYPE_CHECKING:
    from typing_extensions import Self

__all__ = ["Emulated"]


class _Faults(logging.Handler):
    """Keeps what the server says of handlers that failed by an error of no known type."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.found: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.found.append(self.format(record))


class Emulated:
    """A context manager; see the module docstring."""

    def __init__(self) -> None:
        self._stack = ExitStack()
        self._faults = _Faults()

    def __enter__(self) -> Self:
        emulator = self._stack.enter_context(EmulatorThread())
        host = self._stack.enter_context(self._reached(emulator.api_host))
        self._port = int(host.rpartition(":")[2])
        self._other = self._stack.enter_context(RawClient(self._port, "/llm").authenticate())
        for name in ("lmwire.server", "asyncio"):
            logger = logging.getLogger(name)
            logger.addHandler(self._faults)
            self._stack.callback(logger.removeHandler, self._faults)
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    @contextmanager
    def _reached(self, api_host: str) -> Iterator[str]:
        """Give the address at which clients reach it."""
        yield api_host

    def play(self, frames: list[Any]) -> None:
        """Send these over a connection of their own; bytes as they are, all else as JSON."""
        with RawClient(self._port, "/llm") as client:
            assert client.shake_hands() == 101
            client.send({**CREDENTIALS, "clientIdentifier": "fuzz"})
            assert client.receive() == {"success": True}
            with contextlib.suppress(ConnectionError):  # the server may end it while there is more to say
                for frame in frames:
                    client.protocol.send_text(frame if isinstance(frame, bytes) else json_codec.dumps(frame))
                client.flush()
                client.send({"type": "keepAlive"})
                while (answer := client.receive()) is not None and answer != {"type": "keepAliveAck"}:
                    assert isinstance(answer, dict), answer
        self.check_others()

    def check_others(self) -> None:
        """Fail unless another client is served, and nothing failed by an error of no known type."""
        answer = self._other.ask({"type": "rpcCall", "endpoint": "listLoaded", "callId": 1})
        assert answer["type"] == "rpcResult", "another client was not served"
        found, self._faults.found = self._faults.found, []
        assert not found, found[0]
