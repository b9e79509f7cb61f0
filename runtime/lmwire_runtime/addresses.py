"""Where a server is: addresses as users write them, and the URLs and headers that are made of them.

An ``Address`` says where one server listens; the client adds the namespace. What users may write (whitespace
around it is ignored):

=======================================  ============  =====================  ==============
written                                  scheme        port, if none is given  path prefix
=======================================  ============  =====================  ==============
``host``, ``host:port``, ``host/prefix``  ws            1234, LM Studio's own   allowed
``ws://...``, ``http://...``              ws            80                      allowed
``wss://...``, ``https://...``            wss (TLS)     443                     allowed
=======================================  ============  =====================  ==============

IPv6 addresses stand in brackets, or bare where no port follows. A path prefix is for servers behind a reverse
proxy; slashes at its end are dropped. Paths that are known mistakes (``/v1`` of the HTTP API, ``/llm`` of a
namespace) are refused rather than dropped, because what they say is not what is meant. A namespace's name can
be a prefix all the same: a slash at its end, ``wss://example.org/llm/``, says that it is meant.

``localhost`` stays in URLs and headers, but connections go to 127.0.0.1 (``connect_host``): LM Studio listens
there, and Windows takes two seconds to find out that nobody listens on ``::1``. Who wants ``::1`` writes
``[::1]``.
"""

from __future__ import annotations

import ipaddress
import os
import re
from collections.abc import Mapping, Sequence
from typing import Final, Literal, TypeAlias
from urllib.parse import quote

import attrs

from lmwire_runtime.errors import UsageError

__all__ = [
    "DEFAULT_PORT",
    "HOST_VARIABLES",
    "Address",
    "HostSetting",
    "Scheme",
    "configured_host",
    "environment_settings",
    "parse_address",
]

Scheme: TypeAlias = Literal["ws", "wss"]

DEFAULT_PORT: Final = 1234
"""The port of LM Studio's switchable server, and so of a host that is given without one."""

HOST_VARIABLES: Final = ("LMSTUDIO_API_HOST", "LM_API_HOST")
"""The environment variables that name a server; both mean the same."""

_SCHEMES: Final[Mapping[str, Scheme]] = {"ws": "ws", "http": "ws", "wss": "wss", "https": "wss"}
_SCHEME_PORTS: Final[Mapping[Scheme, int]] = {"ws": 80, "wss": 443}
_EXAMPLE: Final = f"127.0.0.1:{DEFAULT_PORT}"
_LONGEST_QUOTE: Final = 100

# The wire's URL paths, one for each namespace. Only for a kinder error: one that is missing here still works.
_NAMESPACE_PATHS: Final = frozenset(
    {"diagnostics", "embedding", "files", "llm", "plugins", "repository", "runtime", "system"}
)
_HTTP_PATH: Final = re.compile(
    r"/(?:v1(?:/(?:chat/completions|completions|embeddings|messages|models|responses))?"
    r"|api/v[01](?:/.*)?|lmstudio-greeting|lms-status)$"
)
_SCHEME: Final = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://")
_BROKEN_SCHEME: Final = re.compile(r"(wss?|https?)(?::/(?!/)|:(?=[^/0-9]|[0-9]+[.:])|//)", re.IGNORECASE)
_LABEL: Final = re.compile(r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?")
_ZONE: Final = re.compile(r"[A-Za-z0-9._~-]+")


@attrs.frozen
class Address:
    """Where one server listens. Make it with ``parse_address``, which checks what it is given.

    Attributes:
        scheme: ``ws``, or ``wss`` for TLS.
        host: A name in lower case, or an IP address without brackets.
        port: 1 to 65535.
        prefix: What precedes the namespace in the URL's path: empty, or with a slash in front but not behind.
    """

    scheme: Scheme
    host: str
    port: int
    prefix: str = ""

    @property
    def secure(self) -> bool:
        """Whether connections use TLS."""
        return self.scheme == "wss"

    @property
    def host_header(self) -> str:
        """The value of the HTTP header ``Host``: without the scheme's default port, without an IPv6 zone."""
        host = self.host.partition("%")[0]
        return self._with_port(f"[{host}]" if ":" in host else host)

    @property
    def server_name(self) -> str:
        """The name or IP address that the server's TLS certificate must be made out for."""
        return self.host.partition("%")[0].rstrip(".")

    @property
    def connect_host(self) -> str:
        """What to connect to: 127.0.0.1 for ``localhost``, loopback for "all interfaces", else the host."""
        if _is_localhost(self.host) or self.host == "0.0.0.0":
            return "127.0.0.1"
        return "::1" if self.host == "::" else self.host

    @property
    def is_loopback(self) -> bool:
        """Whether the server can only be on this machine."""
        try:
            found = ipaddress.ip_address(self.connect_host)
        except ValueError:
            return False
        mapped = found.ipv4_mapped if isinstance(found, ipaddress.IPv6Address) else None
        return (mapped or found).is_loopback

    def path(self, name: str) -> str:
        """Return the URL path of a namespace, or of an HTTP resource of the server."""
        return f"{self.prefix}/{name}"

    def url(self, namespace: str) -> str:
        """Return the WebSocket URL of a namespace, such as ``ws://127.0.0.1:1234/llm``."""
        return f"{self._base}{self.path(namespace)}"

    def __str__(self) -> str:
        """The shortest form that users recognise, and that ``parse_address`` reads as the same address."""
        if not self.secure and not self.prefix:
            return f"{self._url_host}:{self.port}"
        slash = "/" if self.prefix.rpartition("/")[2] in _NAMESPACE_PATHS else ""
        return f"{self._base}{self.prefix}{slash}"

    @property
    def _url_host(self) -> str:
        return f"[{self.host.replace('%', '%25')}]" if ":" in self.host else self.host

    @property
    def _base(self) -> str:
        return f"{self.scheme}://{self._with_port(self._url_host)}"

    def _with_port(self, host: str) -> str:
        return host if self.port == _SCHEME_PORTS[self.scheme] else f"{host}:{self.port}"


@attrs.frozen
class HostSetting:
    """A server that the user named, and the environment variable that did it (None for an argument)."""

    address: Address
    variable: str | None = None


def parse_address(text: str) -> Address:
    """Read a server's address as users write it; the module docstring has the accepted forms.

    Raises:
        UsageError: It is none. The message says what is wrong and what to write, without any secret.
    """
    if not isinstance(text, str):
        raise UsageError(f"a server address is text such as {_EXAMPLE!r}, not {type(text).__name__}")
    text = text.strip()
    try:
        return _parse(text)
    except _Fault as fault:
        raise UsageError(f"{_quoted(text)} is no server address: {fault}") from None


def configured_host(
    api_host: str | Address | None = None, environ: Mapping[str, str] | None = None
) -> HostSetting | None:
    """Return the server that the user named: ``api_host``, else the environment's; None if there is neither.

    Args:
        api_host: An address, or its text.
        environ: Read instead of ``os.environ``. Empty variables count as not set.

    Raises:
        UsageError: The address is none, or ``HOST_VARIABLES`` name two different servers.
    """
    if isinstance(api_host, Address):
        return HostSetting(api_host)
    if api_host is not None:
        return HostSetting(parse_address(api_host))
    found: list[HostSetting] = []
    for variable, text in environment_settings(HOST_VARIABLES, environ):
        try:
            found.append(HostSetting(parse_address(text), variable))
        except UsageError as error:
            raise UsageError(f"environment variable {variable}: {error}") from None
    if len({setting.address for setting in found}) > 1:
        named = " and ".join(f"{setting.variable}={setting.address}" for setting in found)
        raise UsageError(f"{named} in the environment name different servers; unset one of them")
    return found[0] if found else None


def environment_settings(
    variables: Sequence[str], environ: Mapping[str, str] | None = None
) -> list[tuple[str, str]]:
    """Return those of ``variables`` that are set, each with its trimmed value; blank counts as not set."""
    source = os.environ if environ is None else environ
    return [(name, value) for name in variables if (value := source.get(name, "").strip())]


class _Fault(Exception):
    """Why a text is no address, and what to do."""


def _parse(text: str) -> Address:
    _refuse_foreign_text(text)
    match = _SCHEME.match(text)
    scheme = _SCHEMES.get(match[1].lower() if match else "ws")
    if scheme is None:
        raise _Fault("its scheme is none of ours; use ws:// or http://, or wss:// or https:// for TLS")
    default_port = _SCHEME_PORTS[scheme] if match else DEFAULT_PORT
    authority, slash, path = text[match.end() if match else 0 :].partition("/")
    if "@" in authority:
        raise _Fault(
            "it has user information before an @; leave that out, and give an API token as api_token"
        )
    host, port_text = _split(authority)
    address = Address(
        scheme=scheme,
        host=_check_host(host, port_text),
        port=default_port if port_text is None else _check_port(port_text),
        prefix=quote(f"{slash}{path}".rstrip("/"), safe="/%:@!$&'()*+,;=~"),
    )
    _refuse_mistaken_path(address, is_meant=path.endswith("/"))
    return address


def _refuse_foreign_text(text: str) -> None:
    """Refuse what can be told before the text is taken apart."""
    if not text:
        raise _Fault(
            f"it is empty; give one such as {_EXAMPLE}, or none at all to have the local ports searched"
        )
    if "sk-lm-" in text:
        raise _Fault("it holds an API token; give that as api_token")
    if any(character.isspace() or not character.isprintable() for character in text):
        raise _Fault("it has whitespace or invisible characters in it; give one address")
    for mark, name in ("#", "fragment"), ("?", "query"):
        if mark in text:
            raise _Fault(f"it has a {name}; leave out the {mark!r} and what follows")
    broken = _BROKEN_SCHEME.match(text)
    if broken is not None and not _SCHEME.match(text):
        rest = _without_secrets(text[broken.end() :].lstrip("/"))
        raise _Fault(f"its scheme is not followed by '://'; write {broken[1]}://{rest}")


def _split(authority: str) -> tuple[str, str | None]:
    """Part host and port; the host keeps no brackets, the port is None where none is given."""
    if authority.startswith("["):
        host, closed, rest = authority[1:].partition("]")
        if not closed or (rest and not rest.startswith(":")):
            raise _Fault(
                "an IPv6 address stands between [ and ], and only :port may follow; write [::1]:1234"
            )
        if ":" not in host:
            raise _Fault("what stands in brackets is no IPv6 address; names and IPv4 addresses have none")
        return host, rest[1:] if rest else None
    if authority.count(":") < 2:
        host, colon, port = authority.partition(":")
        return host, port if colon else None
    before, _, last = authority.rpartition(":")
    if last == str(DEFAULT_PORT) or not _is_ip_address(authority):
        raise _Fault(f"it has several colons; {_untangled(authority, before, last)}")
    return authority, None


def _untangled(authority: str, before: str, last: str) -> str:
    """Say how to write an authority with too many colons: it is a bare IPv6 address with a port, or has two ports."""
    if _is_ip_address(before):
        return f"an IPv6 address stands in brackets before its port; write [{before}]:{last}"
    host, *rest = authority.split(":")
    port = next((part for part in rest if part.isascii() and part.isdigit()), DEFAULT_PORT)
    if _LABEL.fullmatch(host.rpartition(".")[2].lower()):
        return f"write host:port, such as {host}:{port}"
    return f"write host:port, such as {_EXAMPLE}, or [::1]:{DEFAULT_PORT} for an IPv6 address"


def _check_host(host: str, port: str | None) -> str:
    if not host:
        raise _Fault(f"the host is missing; write {f'127.0.0.1:{port}' if port else _EXAMPLE}")
    if ":" in host:
        return _check_ipv6(host)
    if port is None and host.isascii() and host.isdigit():
        raise _Fault(f"it is a port without a host; write 127.0.0.1:{host}")
    try:
        host = (host if host.isascii() else host.encode("idna").decode("ascii")).lower()
    except UnicodeError:
        raise _Fault("its host is no host name") from None
    labels = host.removesuffix(".").split(".")
    for label in labels:
        if not _LABEL.fullmatch(label):
            raise _Fault("its host is no host name: between dots stand 1 to 63 letters, digits and hyphens")
    # As browsers have it: a name whose last part is a number is meant as an IPv4 address.
    if len(host) > 253 or (labels[-1].isdigit() and not _is_ip_address(host)):
        raise _Fault("its host is neither a host name nor an IPv4 address")
    return host


def _check_ipv6(host: str) -> str:
    # URLs write the zone of a link-local address after %25, everybody else after %.
    numeric, percent, zone = host.partition("%")
    if zone.startswith("25") and len(zone) > 2:
        zone = zone[2:]
    try:
        if percent and not _ZONE.fullmatch(zone):
            raise ValueError
        return str(ipaddress.IPv6Address(f"{numeric}{percent}{zone}"))
    except ValueError:
        raise _Fault("its host is no IPv6 address") from None


def _check_port(text: str) -> int:
    if not text:
        raise _Fault("nothing follows the colon; give a port, or leave out the colon")
    # The length first: Python refuses to convert thousands of digits.
    if not (text.isascii() and text.isdigit()) or len(text) > 5 or not 1 <= int(text) <= 65535:
        raise _Fault(f"the port {text[:20]!r} is no number from 1 to 65535")
    return int(text)


def _refuse_mistaken_path(address: Address, *, is_meant: bool) -> None:
    http = _HTTP_PATH.search(address.prefix)
    if http is not None:
        base = attrs.evolve(address, prefix=address.prefix[: http.start()])
        raise _Fault(f"{http[0]} belongs to the HTTP API, which is not what this library speaks; give {base}")
    before, _, last = address.prefix.rpartition("/")
    if last in _NAMESPACE_PATHS and not is_meant:
        raise _Fault(
            f"the client adds namespaces such as /{last} itself; give {attrs.evolve(address, prefix=before)}"
            f" (if a reverse proxy serves LM Studio under this path, end it with a slash: {address})"
        )


def _is_localhost(host: str) -> bool:
    name = host.removesuffix(".")
    return name == "localhost" or name.endswith(".localhost")


def _is_ip_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def _quoted(text: str) -> str:
    if "sk-lm-" in text:
        return "the given text"
    shown = _without_secrets(text)
    return repr(shown if len(shown) <= _LONGEST_QUOTE else f"{shown[:_LONGEST_QUOTE]}...")


def _without_secrets(text: str) -> str:
    """Hide user information and query, where users keep passwords and tokens."""
    scheme = _SCHEME.match(text)
    start = scheme.end() if scheme else 0
    secret, at, rest = text[start:].rpartition("@")
    head, mark, _ = (f"{text[:start]}***@{rest}" if at and secret else text).partition("?")
    return f"{head}?..." if mark else head
