"""Asking many addresses at once whether LM Studio answers there.

Theory of operation. A ``Round`` asks all its addresses in parallel, on non-blocking sockets and one selector. Each
address is an ``_Attempt``; it has one ``_Connection`` for each IP address of its host, and the first of them to be
greeted speaks for it. A connection goes through the stages connect, handshake (TLS only), send, receive, and ends
in a ``ProbeResult``. The whole round has one deadline, and nothing in it blocks: names, which the system can only
look up blockingly, are looked up in daemon threads that end when the resolver does. These threads, and a caller who
gives up, wake the selector through a socket pair. Sockets never outlive the round.
"""

from __future__ import annotations

import contextlib
import errno
import math
import os
import selectors
import socket
import threading
import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias, cast

from lmwire_runtime.addresses import Address
from lmwire_runtime.errors import UsageError
from lmwire_runtime.greeting import GreetingReader, ProbeResult, greeting_request, most_telling
from lmwire_runtime.poller import LONGEST

if TYPE_CHECKING:
    import ssl

__all__ = ["Round"]

# When one loopback address has greeted, better ones that did not even accept a connection get this much longer.
# Windows needs two seconds to find a loopback port closed; an open one accepts at once, however busy its server.
_LOOPBACK_SECONDS: Final = 0.1
_READ_SIZE: Final = 16 * 1024
_IP_ADDRESSES_LIMIT: Final = 8
_CONNECTING: Final = frozenset({0, errno.EINPROGRESS, getattr(errno, "WSAEWOULDBLOCK", errno.EINPROGRESS)})

_Stage: TypeAlias = Literal["connect", "handshake", "send", "receive"]
_SocketAddress: TypeAlias = "tuple[socket.AddressFamily, Any]"


class _Connection:
    """One connection to one IP address, from connecting to a result; never blocks."""

    def __init__(self, address: Address, target: _SocketAddress, ssl_context: ssl.SSLContext | None) -> None:
        family, self._socket_address = target
        self.result: ProbeResult | None = None
        self.stage: _Stage = "connect"
        # What the selector shall wait for, and under which number it knows the socket. TLS exchanges the socket
        # object, the number stays.
        self._interest = selectors.EVENT_WRITE
        self._descriptor: int | None = None
        self._address = address
        self._ssl_context = ssl_context if address.secure else None
        self._unsent = greeting_request(address)
        self._reader = GreetingReader()
        self._socket = socket.socket(family, socket.SOCK_STREAM)
        self._socket.setblocking(False)

    def start(self) -> None:
        """Ask for the connection."""
        code = self._socket.connect_ex(self._socket_address)
        if code not in _CONNECTING:
            self.result = _describe_connect_failure(self._address, code)

    def watch(self, selector: selectors.BaseSelector, data: Any) -> None:
        """Have the selector wait for what comes next; not any longer, and close, if there is a result."""
        if self.result is not None:
            self.close(selector)
        elif self._descriptor is None:
            self._descriptor = self._socket.fileno()
            selector.register(self._descriptor, self._interest, data)
        else:
            selector.modify(self._descriptor, self._interest, data)

    def close(self, selector: selectors.BaseSelector) -> None:
        if self._descriptor is not None:
            with contextlib.suppress(KeyError):  # Ctrl-C may have come in the middle of registering
                selector.unregister(self._descriptor)
            self._descriptor = None
        self._socket.close()

    def advance(self) -> None:
        """Go on as far as the socket allows, now that it is ready."""
        try:
            self._advance()
        except BlockingIOError:
            self._interest = selectors.EVENT_READ if self.stage == "receive" else selectors.EVENT_WRITE
        except OSError as error:
            if self._ssl_context is None or not self._take_tls_error(error):
                ending = f"it ended the connection ({error.strerror or error})"
                self.result = self._reader.verdict(self._address, ending=ending)

    def _take_tls_error(self, error: OSError) -> bool:
        """Note what TLS waits for, or its failure; returns False if the error is none of TLS."""
        import ssl

        if isinstance(error, ssl.SSLWantReadError):
            self._interest = selectors.EVENT_READ
        elif isinstance(error, ssl.SSLWantWriteError):
            self._interest = selectors.EVENT_READ if self.stage == "receive" else selectors.EVENT_WRITE
        elif isinstance(error, ssl.SSLError) or self.stage == "handshake":
            self.result = ProbeResult(self._address, "tls", _describe_tls(error))
        else:
            return False
        return True

    def expire(self, seconds: float) -> ProbeResult:
        """Return the result for the end of the time."""
        if self.stage == "connect":
            return ProbeResult(self._address, "timeout", f"no connection within {seconds:g} s")
        if self.stage == "handshake":
            return ProbeResult(
                self._address, "timeout", f"connected, but no TLS handshake within {seconds:g} s"
            )
        result = self._reader.verdict(self._address, ending=f"no more came within {seconds:g} s")
        if result.outcome != "closed":
            return result
        return ProbeResult(self._address, "timeout", f"connected, but no reply within {seconds:g} s")

    def _advance(self) -> None:
        if self.stage == "connect":
            code = self._socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
            if code:
                self.result = _describe_connect_failure(self._address, code)
                return
            self.stage = "send"
            if self._ssl_context is not None:
                self._begin_tls(self._ssl_context)
        if self.stage == "handshake":
            cast("ssl.SSLSocket", self._socket).do_handshake()
            self.stage = "send"
        if self.stage == "send":
            while self._unsent:
                self._unsent = self._unsent[self._socket.send(self._unsent) :]
            self.stage = "receive"
            self._interest = selectors.EVENT_READ
            return
        data = self._socket.recv(_READ_SIZE)
        self._interest = selectors.EVENT_READ
        if not data:
            self.result = self._reader.verdict(self._address, ending="it ended the connection")
        elif self._reader.feed(data):
            self.result = self._reader.verdict(self._address)

    def _begin_tls(self, context: ssl.SSLContext) -> None:
        self._socket = context.wrap_socket(
            self._socket, server_hostname=self._address.server_name, do_handshake_on_connect=False
        )
        self.stage = "handshake"


def _describe_connect_failure(address: Address, code: int) -> ProbeResult:
    if code == errno.ECONNREFUSED:
        return ProbeResult(address, "refused", "connection refused, nothing listens there")
    if code == errno.ETIMEDOUT:
        return ProbeResult(address, "timeout", "no connection, the system gave up waiting")
    # Windows' own table, which os.strerror does not know.
    table: Mapping[int, str] = getattr(socket, "errorTab", {})
    return ProbeResult(address, "unreachable", f"cannot be reached: {table.get(code) or os.strerror(code)}")


def _describe_tls(error: OSError) -> str:
    import ssl

    if isinstance(error, ssl.SSLCertVerificationError):
        return (
            f"its TLS certificate is refused ({error.verify_message}); a client trusts more with"
            " ssl_context=ssl.create_default_context(cafile=...)"
        )
    reason = getattr(error, "reason", None) or error.strerror or error
    return f"the TLS handshake failed ({reason}); for a server without TLS give a ws:// or http:// address"


class _Attempt:
    """All that is done about one address, until it has a result."""

    def __init__(self, address: Address) -> None:
        self.address = address
        self.result: ProbeResult | None = None
        # What IP addresses have come to without a connection, and the connections; none while the name is looked up.
        self.failures: list[ProbeResult] = []
        self.connections: list[_Connection] = []

    @property
    def accepted(self) -> bool:
        """Whether some server has accepted a connection."""
        return any(connection.stage != "connect" for connection in self.connections)

    def settle(self) -> bool:
        """Set the result if it can be told already; whether there is one."""
        results = [*self.failures, *(connection.result for connection in self.connections)]
        known = [result for result in results if result is not None]
        if any(result.found for result in known) or (known and len(known) == len(results)):
            self.result = most_telling(known)
        return self.result is not None

    def expire(self, seconds: float) -> None:
        """Set the result when the time, so many seconds, is over."""
        if self.result is None:
            late = [connection.result or connection.expire(seconds) for connection in self.connections]
            missing = ProbeResult(
                self.address, "unresolved", f"its name could not be looked up within {seconds:g} s"
            )
            self.result = most_telling([*self.failures, *late] or [missing])

    def close(self, selector: selectors.BaseSelector) -> None:
        for connection in self.connections:
            connection.close(selector)


class Round:
    """Asks several addresses at once; the module docstring has the theory."""

    def __init__(
        self,
        addresses: Sequence[Address],
        timeout: float,
        ssl_context: ssl.SSLContext | None,
        *,
        first_only: bool = False,
    ) -> None:
        if isinstance(timeout, bool) or not isinstance(timeout, (int, float)) or not 0 < timeout < math.inf:
            raise UsageError(f"timeout must be a number of seconds greater than 0, got {timeout!r}")
        self._attempts = [_Attempt(address) for address in addresses]
        self._timeout = timeout
        self._ssl_context = ssl_context
        self._first_only = first_only
        # Until when better loopback addresses may still accept a connection; None before some address has greeted.
        self._patience: float | None = None
        # The lock guards what other threads touch: the waker, the order to stop, and finished look-ups.
        self._lock = threading.Lock()
        self._waker: socket.socket | None = None
        self._stopped = False
        self._looked_up: list[tuple[_Attempt, list[_SocketAddress] | ProbeResult]] = []

    def run(self) -> list[ProbeResult]:
        """Return the results in the order of the addresses; call it once.

        A round for the first server only ends when that is known, and leaves out what it did not wait for.
        """
        if self._ssl_context is None and any(attempt.address.secure for attempt in self._attempts):
            from lmwire_runtime.tls_stream import default_ssl_context

            self._ssl_context = default_ssl_context()
        bell, waker = socket.socketpair()
        with bell, waker, selectors.DefaultSelector() as selector:
            bell.setblocking(False)
            waker.setblocking(False)
            selector.register(bell, selectors.EVENT_READ)
            with self._lock:
                self._waker = waker
            try:
                self._ask_all(selector, bell)
            finally:
                with self._lock:
                    self._waker = None
                for attempt in self._attempts:
                    attempt.close(selector)
        return [attempt.result for attempt in self._attempts if attempt.result is not None]

    async def run_in_thread(self) -> list[ProbeResult]:
        """Like ``run``, for callers on asyncio; cancelling it ends the round and its thread."""
        # Callers on asyncio have loaded both; others need not.
        import asyncio
        from concurrent.futures import Future

        outcome: Future[list[ProbeResult]] = Future()
        # From now on cancelling the task does not settle this future, so the thread can.
        outcome.set_running_or_notify_cancel()

        def work() -> None:
            try:
                results = self.run()
            except BaseException as error:  # noqa: BLE001 - the awaiting caller gets it
                outcome.set_exception(error)
            else:
                outcome.set_result(results)

        # Not the event loop's executor, which may be full of others' work.
        threading.Thread(target=work, name="lmwire-probe", daemon=True).start()
        try:
            return await asyncio.wrap_future(outcome)
        finally:
            self.stop()

    def stop(self) -> None:
        """End the round soon, whatever is missing; for other threads."""
        with self._lock:
            self._stopped = True
            self._wake()

    def _ask_all(self, selector: selectors.BaseSelector, bell: socket.socket) -> None:
        deadline = time.monotonic() + self._timeout
        for attempt in self._attempts:
            self._begin(attempt, selector)
        while not self._is_over():
            now = time.monotonic()
            if now >= deadline:
                for attempt in self._attempts:
                    attempt.expire(self._timeout)
                return
            until = deadline if self._patience is None or self._patience <= now else self._patience
            for key, _ in selector.select(min(until - now, deadline - now, LONGEST)):
                if key.fileobj is bell:
                    bell.recv(_READ_SIZE)
                    self._take_look_ups(selector)
                else:
                    self._advance(selector, *key.data)

    def _is_over(self) -> bool:
        results = [attempt.result for attempt in self._attempts]
        if self._stopped or None not in results:
            return True
        found = [place for place, result in enumerate(results) if result is not None and result.found]
        if not self._first_only or not found:
            return False
        now = time.monotonic()
        if self._patience is None:
            self._patience = now + _LOOPBACK_SECONDS
        impatient = now >= self._patience
        return all(
            attempt.result is not None or (impatient and attempt.address.is_loopback and not attempt.accepted)
            for attempt in self._attempts[: found[0]]
        )

    def _begin(self, attempt: _Attempt, selector: selectors.BaseSelector) -> None:
        try:
            targets = _socket_addresses(attempt.address, flags=socket.AI_NUMERICHOST)
        except socket.gaierror:
            thread = threading.Thread(
                target=self._look_up, args=(attempt,), name="lmwire-lookup", daemon=True
            )
            try:
                thread.start()
            except RuntimeError:
                # No new threads, as in an atexit handler.
                self._look_up(attempt)
        else:
            self._connect(attempt, targets, selector)

    def _look_up(self, attempt: _Attempt) -> None:
        """Look up the attempt's name; runs in a thread of its own, and may come too late."""
        outcome: list[_SocketAddress] | ProbeResult
        try:
            outcome = _socket_addresses(attempt.address)
        except (OSError, UnicodeError) as error:
            reason = f"its name cannot be looked up: {getattr(error, 'strerror', None) or error}"
            outcome = ProbeResult(attempt.address, "unresolved", reason)
        with self._lock:
            self._looked_up.append((attempt, outcome))
            self._wake()

    def _wake(self) -> None:
        if self._waker is not None:
            self._waker.send(b"!")

    def _take_look_ups(self, selector: selectors.BaseSelector) -> None:
        with self._lock:
            looked_up, self._looked_up = self._looked_up, []
        for attempt, outcome in looked_up:
            if isinstance(outcome, ProbeResult):
                attempt.result = outcome
            else:
                self._connect(attempt, outcome, selector)

    def _connect(
        self, attempt: _Attempt, targets: list[_SocketAddress], selector: selectors.BaseSelector
    ) -> None:
        for target in targets:
            try:
                connection = _Connection(attempt.address, target, self._ssl_context)
            except OSError as error:
                # Too many open files, or no such address family here.
                attempt.failures.append(_describe_connect_failure(attempt.address, error.errno or 0))
                continue
            attempt.connections.append(connection)
            connection.start()
            connection.watch(selector, (attempt, connection))
        attempt.settle()

    def _advance(self, selector: selectors.BaseSelector, attempt: _Attempt, connection: _Connection) -> None:
        # Of several connections that are ready at once, one may already have settled the attempt.
        if attempt.result is None:
            connection.advance()
            connection.watch(selector, (attempt, connection))
            if attempt.settle():
                attempt.close(selector)


def _socket_addresses(address: Address, flags: int = 0) -> list[_SocketAddress]:
    """Look up where to connect to, without repetitions; blocks, except with the flag for numeric hosts."""
    found = socket.getaddrinfo(address.connect_host, address.port, type=socket.SOCK_STREAM, flags=flags)
    targets: dict[_SocketAddress, None] = dict.fromkeys(
        (family, socket_address) for family, _, _, _, socket_address in found
    )
    return list(targets)[:_IP_ADDRESSES_LIMIT]
