"""What both clients are told, and where their server is.

The server's address is looked for on first use and remembered, until no connection to it can be made.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import attrs

from lmwire_runtime.addresses import Address, HostSetting, configured_host
from lmwire_runtime.clock import SYSTEM_CLOCK, Clock
from lmwire_runtime.connection import Settings, Tap
from lmwire_runtime.credentials import Credentials, resolve_credentials
from lmwire_runtime.discovery import PROBE_SECONDS, find_server, find_server_async
from lmwire_runtime.errors import UsageError
from lmwire_runtime.limits import DEFAULT_LIMITS, DEFAULT_TIMEOUTS, Limits, Timeouts
from lmwire_runtime.taps import is_tap
from lmwire_runtime.wire import Decoding

if TYPE_CHECKING:
    import ssl

__all__ = ["ClientCore"]


class ClientCore:
    """Settings and address of one client; may be shared between threads.

    Args:
        revision: The protocol revision that the client's stubs were generated from.
        api_host: ``host``, ``host:port``, or a ``ws``, ``wss``, ``http`` or ``https`` URL, with a path prefix
            if need be; by default the environment's, else LM Studio's own ports on this machine are tried.
        api_token: ``sk-lm-...``; by default the environment's, else the client is an anonymous guest.
        timeouts: Seconds to wait for what.
        limits: Bytes to hold in memory.
        strict: Raise on the first deviation from the schema, for testers; by default newer and older servers
            are tolerated.
        on_frame: A tap, called with direction, namespace and JSON text of every frame; or a recorder, see ``taps``.
        clock: The source of time.
        ssl_context: For ``wss`` and ``https`` addresses; by default the platform's trusted certificates.

    Raises:
        UsageError: An address or token is malformed, or an ``ssl_context`` is given for an address without TLS. Nothing
            is connected yet.
    """

    def __init__(
        self,
        *,
        revision: str,
        api_host: str | Address | None = None,
        api_token: str | Credentials | None = None,
        timeouts: Timeouts = DEFAULT_TIMEOUTS,
        limits: Limits = DEFAULT_LIMITS,
        strict: bool = False,
        on_frame: Tap | None = None,
        clock: Clock = SYSTEM_CLOCK,
        ssl_context: ssl.SSLContext | None = None,
    ) -> None:
        _check_kind("timeouts", timeouts, Timeouts)
        _check_kind("limits", limits, Limits)
        _check_kind("strict", strict, bool)
        if ssl_context is not None:
            _check_context(ssl_context)
        if on_frame is not None and not is_tap(on_frame):
            raise UsageError(
                "on_frame must be a function of direction, namespace and JSON text, or a recorder"
            )
        self.settings = Settings(
            credentials=resolve_credentials(api_token),
            revision=revision,
            timeouts=timeouts,
            limits=limits,
            decoding=Decoding(strict=strict),
            clock=clock,
            tap=on_frame,
            ssl_context=ssl_context,
        )
        self._configured = configured_host(api_host)
        if ssl_context is not None:
            self._check_secure()
        self._found: Address | None = None
        self._finding = threading.Lock()

    def _check_secure(self) -> None:
        """Refuse an address without TLS: whoever gives an SSL context does not expect a token to go in the clear."""
        if self._configured is None:
            raise UsageError(
                "an ssl_context is given, but no server; name it as wss://host:port, or leave ssl_context out"
            )
        address = self._configured.address
        if not address.secure:
            secure = attrs.evolve(address, scheme="wss")
            raise UsageError(
                f"an ssl_context is given, but {address} is an address without TLS; write {secure}, or leave"
                " ssl_context out"
            )

    @property
    def api_host(self) -> str | None:
        """The server's address as text; None while it has not been looked for."""
        address = self._configured.address if self._configured is not None else self._found
        return None if address is None else str(address)

    def set_timeouts(self, timeouts: Timeouts) -> None:
        """Wait as long as ``timeouts`` says for whatever is asked for from now on."""
        _check_kind("timeouts", timeouts, Timeouts)
        self.settings = attrs.evolve(self.settings, timeouts=timeouts)

    def check_server(self) -> None:
        """Make sure that the server answers, looking for it if no address was given.

        Raises:
            ServerNotFoundError: It does not; says what was tried, why each failed, and what to do.
        """
        if self._configured is not None:
            find_server(self._configured, timeout=self._patience, ssl_context=self.settings.ssl_context)
        else:
            self.find_address()

    async def check_server_async(self) -> None:
        """Same as ``check_server``, without blocking the event loop."""
        if self._configured is not None:
            await find_server_async(
                self._configured, timeout=self._patience, ssl_context=self.settings.ssl_context
            )
        else:
            await self.find_address_async()

    @property
    def _patience(self) -> float:
        """How long the server may take to answer a probe, if it is the one to use: it may be busy, or far away."""
        return self.settings.timeouts.connect or PROBE_SECONDS

    def find_address(self) -> Address:
        """Return the server's address, looking for it on this machine if none was given.

        Raises:
            ServerNotFoundError: None of the local ports answered as an LM Studio server.
        """
        if self._configured is not None:
            return self._configured.address
        with self._finding:
            found = self._found
            if found is None:
                found = self._found = find_server()
            return found

    async def find_address_async(self) -> Address:
        """Same as ``find_address``, without blocking the event loop."""
        if self._configured is not None:
            return self._configured.address
        if self._found is None:
            self._found = await find_server_async()
        return self._found

    def forget_address(self) -> None:
        """Look for the server anew on the next connection, unless its address was given."""
        self._found = None

    def not_reached(self, address: Address) -> None:
        """Find out why no connection could be made; afterwards the server is looked for anew.

        Raises:
            ServerNotFoundError: It does not answer, or not as LM Studio does; says why, and what to do.
        """
        self._found = None
        find_server(self._named(address), ssl_context=self.settings.ssl_context)

    async def not_reached_async(self, address: Address) -> None:
        """Same as ``not_reached``, without blocking the event loop."""
        self._found = None
        await find_server_async(self._named(address), ssl_context=self.settings.ssl_context)

    def _named(self, address: Address) -> HostSetting:
        """Return the address with who named it, so that an error can say so."""
        return self._configured if self._configured is not None else HostSetting(address)


def _check_context(value: object) -> None:
    import ssl  # few clients need it, and it takes its time to load

    if not isinstance(value, ssl.SSLContext):
        raise UsageError(f"ssl_context must be an ssl.SSLContext; got {value!r}")


def _check_kind(name: str, value: object, kind: type) -> None:
    if not isinstance(value, kind):
        raise UsageError(f"{name} must be a {kind.__name__}; got {value!r}")
