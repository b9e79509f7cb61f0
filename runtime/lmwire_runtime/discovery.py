"""Finding a server: asking addresses, all at once, whether LM Studio answers there.

LM Studio's application always listens on one of five loopback ports; its switchable server has 1234.

It is one of two neighbours that do the work: ``greeting`` knows what is asked and answered, ``probing`` asks many
addresses at once. Callers on asyncio get the same, run in a thread of its own.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Final

from lmwire_runtime.addresses import (
    DEFAULT_PORT,
    HOST_VARIABLES,
    Address,
    HostSetting,
    configured_host,
    parse_address,
)
from lmwire_runtime.errors import ServerNotFoundError, UsageError
from lmwire_runtime.greeting import ProbeOutcome, ProbeResult
from lmwire_runtime.probing import Round

if TYPE_CHECKING:
    import ssl

__all__ = [
    "APPLICATION_PORTS",
    "LOCAL_ADDRESSES",
    "PROBE_SECONDS",
    "ProbeOutcome",
    "ProbeResult",
    "find_default_local_api_host",
    "find_default_local_api_host_async",
    "find_server",
    "find_server_async",
    "is_valid_api_host",
    "is_valid_api_host_async",
    "probe",
    "probe_async",
]

APPLICATION_PORTS: Final = (41343, 52993, 16141, 39414, 22931)
"""The loopback ports of LM Studio's application, in the order in which every client searches them."""

LOCAL_ADDRESSES: Final = tuple(
    Address("ws", "127.0.0.1", port) for port in (*APPLICATION_PORTS, DEFAULT_PORT)
)
"""Where a server is looked for that nobody named, best first."""

PROBE_SECONDS: Final = 1.0
"""How long an address has for its answer, unless the caller says otherwise."""


def probe(
    addresses: Sequence[Address], *, timeout: float = PROBE_SECONDS, ssl_context: ssl.SSLContext | None = None
) -> list[ProbeResult]:
    """Ask all addresses at once whether LM Studio answers there; one result each, in the same order.

    Args:
        addresses: Whom to ask.
        timeout: Seconds that each has for its whole answer, name look-up included; more than 0.
        ssl_context: For ``wss`` addresses; the platform's trusted certificates by default.

    Raises:
        UsageError: The timeout is no such number. What goes wrong with an address is a result.
    """
    return Round(addresses, timeout, ssl_context).run()


async def probe_async(
    addresses: Sequence[Address], *, timeout: float = PROBE_SECONDS, ssl_context: ssl.SSLContext | None = None
) -> list[ProbeResult]:
    """Like ``probe``, for callers on asyncio: does not block the event loop."""
    return await Round(addresses, timeout, ssl_context).run_in_thread()


def find_server(
    api_host: str | Address | HostSetting | None = None,
    *,
    timeout: float = PROBE_SECONDS,
    ssl_context: ssl.SSLContext | None = None,
    environ: Mapping[str, str] | None = None,
    local_addresses: Sequence[Address] = LOCAL_ADDRESSES,
) -> Address:
    """Return the address of a server that answers: the one that is named, else the first local one in list order.

    Args:
        api_host: A server, as ``parse_address`` reads it; None for the one that the environment names, if any.
        timeout: Seconds that each address has for its answer; more than 0.
        ssl_context: For a ``wss`` address; the platform's trusted certificates by default.
        environ: Read instead of ``os.environ`` (see ``HOST_VARIABLES``).
        local_addresses: Where to look if no server is named.

    Raises:
        ServerNotFoundError: None answered; it lists every address tried, why each failed, and what to do.
        UsageError: The address is malformed, or the timeout is no such number.
    """
    setting = api_host if isinstance(api_host, HostSetting) else configured_host(api_host, environ)
    addresses = local_addresses if setting is None else (setting.address,)
    return _first_found(Round(addresses, timeout, ssl_context, first_only=True).run(), setting)


async def find_server_async(
    api_host: str | Address | HostSetting | None = None,
    *,
    timeout: float = PROBE_SECONDS,
    ssl_context: ssl.SSLContext | None = None,
    environ: Mapping[str, str] | None = None,
    local_addresses: Sequence[Address] = LOCAL_ADDRESSES,
) -> Address:
    """Like ``find_server``, for callers on asyncio: does not block the event loop."""
    setting = api_host if isinstance(api_host, HostSetting) else configured_host(api_host, environ)
    addresses = local_addresses if setting is None else (setting.address,)
    return _first_found(
        await Round(addresses, timeout, ssl_context, first_only=True).run_in_thread(), setting
    )


def find_default_local_api_host(*, timeout: float = PROBE_SECONDS) -> str | None:
    """Return the address of LM Studio on this machine, such as ``127.0.0.1:41343``; None if it runs on none of its
    ports.

    The environment is not asked: this finds out what runs here.

    Args:
        timeout: Seconds that each port has for its answer; more than 0. All are asked at once.
    """
    return _first_host(Round(LOCAL_ADDRESSES, timeout, None, first_only=True).run())


async def find_default_local_api_host_async(*, timeout: float = PROBE_SECONDS) -> str | None:
    """Like ``find_default_local_api_host``, for callers on asyncio: does not block the event loop."""
    return _first_host(await Round(LOCAL_ADDRESSES, timeout, None, first_only=True).run_in_thread())


def is_valid_api_host(
    api_host: str | Address, *, timeout: float = PROBE_SECONDS, ssl_context: ssl.SSLContext | None = None
) -> bool:
    """Return whether LM Studio answers at an address; False also for what is no address at all.

    Args:
        api_host: As for a client: ``host``, ``host:port``, or a URL.
        timeout: Seconds that it has for its answer; more than 0.
        ssl_context: For ``wss`` and ``https``; by default the platform's trusted certificates.

    Raises:
        UsageError: The timeout is no such number.
    """
    address = _readable(api_host)
    return address is not None and probe([address], timeout=timeout, ssl_context=ssl_context)[0].found


async def is_valid_api_host_async(
    api_host: str | Address, *, timeout: float = PROBE_SECONDS, ssl_context: ssl.SSLContext | None = None
) -> bool:
    """Like ``is_valid_api_host``, for callers on asyncio: does not block the event loop."""
    address = _readable(api_host)
    if address is None:
        return False
    return (await probe_async([address], timeout=timeout, ssl_context=ssl_context))[0].found


def _readable(api_host: str | Address) -> Address | None:
    if isinstance(api_host, Address):
        return api_host
    try:
        return parse_address(api_host)
    except UsageError:
        return None


def _first_host(results: Sequence[ProbeResult]) -> str | None:
    return next((str(result.address) for result in results if result.found), None)


def _first_found(results: Sequence[ProbeResult], setting: HostSetting | None) -> Address:
    for result in results:
        if result.found:
            return result.address
    hint = _hint(setting, {result.outcome for result in results})
    raise ServerNotFoundError([(str(result.address), result.reason) for result in results], hint=hint)


def _hint(setting: HostSetting | None, outcomes: Collection[ProbeOutcome]) -> str:
    """Say what to do about a server that was not found."""
    start = "Start LM Studio, or its server alone (lms server start), or a stand-in for it (lmwire serve)."
    if setting is None:
        return (
            f"{start} If it runs elsewhere (another machine; outside of this container or WSL), give its address,"
            f" as api_host or in the environment variable {HOST_VARIABLES[0]}."
        )
    if "tls" in outcomes:
        hint = "A server runs there; what failed is TLS."
    elif "not_lm_studio" in outcomes:
        place = "port and path" if setting.address.prefix else "port"
        hint = f"Something runs there, but it is not LM Studio: see to the {place}."
    elif setting.address.is_loopback:
        hint = f"{start} Its port is {DEFAULT_PORT} unless changed."
    else:
        hint = (
            f"See that LM Studio's server runs on {setting.address.host}, that 'Serve on Local Network' is switched on"
            f" there, and that no firewall keeps port {setting.address.port} shut."
        )
    return (
        f"{hint} The address comes from the environment variable {setting.variable}."
        if setting.variable
        else hint
    )
