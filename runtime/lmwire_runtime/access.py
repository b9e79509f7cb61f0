"""Who may reach what listens on this machine: the one rule of servers, proxy and pages. No I/O.

A server on a loopback address can be reached by this machine's programs alone; its browser is one, and so any web page
that is open there can try. Browsers tell which page asks (``Origin``), and by which name it found the machine
(``Host``). A page of elsewhere is refused. So is a request under a DNS name that is none of this machine's: by that,
such a page pretends to be of here (DNS rebinding). Programs send no ``Origin``.

Beyond loopback other machines reach it: there clients have to present a token.
"""

from __future__ import annotations

import ipaddress
import os
from collections.abc import Iterable, Sequence
from typing import Any, Final
from urllib.parse import urlsplit

import attrs

from lmwire_runtime.errors import UsageError

__all__ = [
    "DEFAULT_ACCESS",
    "AccessRule",
    "check_listening",
    "is_local_host",
    "is_local_origin",
    "is_loopback",
    "tokens_of_file",
]

# Of /etc/hosts, not of the DNS: no page can have them.
_LOCAL_SUFFIX: Final = ".localhost"
_LONGEST_TOKEN_FILE: Final = 64 * 1024


def _texts(values: Iterable[str]) -> tuple[str, ...]:
    return tuple(values)


def _check_origins(_: Any, field: attrs.Attribute[Any], value: Sequence[str]) -> None:
    for origin in value:
        if origin == "null" or "://" not in origin or origin.endswith("/"):
            raise UsageError(
                f"{origin!r} is no origin that can be let in: give scheme, host and port, such as https://example.org"
            )


@attrs.frozen(kw_only=True)
class AccessRule:
    """Which HTTP requests are taken. Pages of this machine and clients that are no pages always are.

    Attributes:
        origins: Web pages of elsewhere that are let in, each as browsers write it: ``https://example.org``,
            ``app://obsidian.md``. The origin ``null``, which any page can have, cannot be let in.
        host_names: Names by which clients may ask for a server on a loopback address, such as a reverse proxy's;
            IP addresses and ``localhost`` always are.

    Raises:
        UsageError: An origin is none.
    """

    origins: tuple[str, ...] = attrs.field(default=(), converter=_texts, validator=_check_origins)
    host_names: tuple[str, ...] = attrs.field(default=(), converter=_texts)

    def refusal(self, origins: Iterable[str], hosts: Iterable[str], *, loopback: bool) -> str | None:
        """Say why a request is refused, None to take it.

        Args:
            origins: The values of its ``Origin`` headers.
            hosts: The values of its ``Host`` headers.
            loopback: Whether the server listens on a loopback address; else a token protects it, under any name.
        """
        if not all(origin in self.origins or is_local_origin([origin]) for origin in origins):
            return "requests from web pages are refused"
        asked = [_hostname(f"//{host}") for host in hosts]
        if len(asked) > 1:
            return "the request has more than one Host"
        if loopback and not all(self._is_ours(name) for name in asked):
            return "requests for another host are refused"
        return None

    def _is_ours(self, name: str | None) -> bool:
        known = {given.lower() for given in self.host_names}
        return name is not None and (name in known or _is_localhost(name) or _address(name) is not None)


DEFAULT_ACCESS: Final = AccessRule()
"""Pages of this machine, and clients that are no pages."""


def check_listening(host: str, *, guarded: bool) -> None:
    """Refuse to listen beyond this machine without asking for a token.

    Args:
        host: The address to listen on; empty for all.
        guarded: Whether clients have to present a token, or an authenticator of the program's own judges them.

    Raises:
        UsageError: Anybody could use it from other machines.
    """
    if not guarded and not is_loopback(host):
        raise UsageError(
            f"on {host or 'all addresses'} other machines could use the server: demand an API token, or listen on"
            " 127.0.0.1"
        )


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach what listens on ``host``."""
    if _is_localhost(host.lower()):
        return True
    address = _address(host.removeprefix("[").removesuffix("]"))
    return address is not None and _is_loopback_address(address)


def is_local_origin(origins: Iterable[str]) -> bool:
    """Whether a request with these ``Origin`` headers comes from no web page, or from a page of this machine."""
    return all(_is_local_name(_hostname(origin)) for origin in origins)


def is_local_host(hosts: Iterable[str]) -> bool:
    """Whether a request with these ``Host`` headers was meant for this machine: one, and a name or IP address of it."""
    names = [_hostname(f"//{host}") for host in hosts]
    return len(names) == 1 and _is_local_name(names[0])


def tokens_of_file(path: str | os.PathLike[str]) -> list[str]:
    """Read API tokens from a file, one a line; empty lines and lines that begin with ``#`` do not count.

    Raises:
        UsageError: The file cannot be read, or holds no token. The message shows nothing of what it holds.
    """
    try:
        with open(path, encoding="utf-8") as file:
            text = file.read(_LONGEST_TOKEN_FILE + 1)
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is no UTF-8 text"
        raise UsageError(f"the token file {os.fspath(path)} cannot be read: {reason}") from None
    tokens = [line.strip() for line in text.splitlines()]
    tokens = [token for token in tokens if token and not token.startswith("#")]
    if not tokens or len(text) > _LONGEST_TOKEN_FILE:
        raise UsageError(f"the token file {os.fspath(path)} holds no tokens, one a line")
    return tokens


def _hostname(url: str) -> str | None:
    try:
        return urlsplit(url).hostname
    except ValueError:
        return None


def _is_local_name(name: str | None) -> bool:
    if name is None:
        return False
    address = _address(name)
    return _is_localhost(name) if address is None else _is_loopback_address(address)


def _is_localhost(name: str) -> bool:
    return name == "localhost" or name.endswith(_LOCAL_SUFFIX)


def _address(name: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(name)
    except ValueError:
        return None


def _is_loopback_address(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> bool:
    mapped = getattr(address, "ipv4_mapped", None)
    return address.is_loopback if mapped is None else bool(mapped.is_loopback)
