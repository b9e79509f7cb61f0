"""How a server says over HTTP that it is LM Studio: the question, and a reader of answers. No I/O.

``GET /lmstudio-greeting`` gives status 200 and a JSON object whose ``lmstudio`` is true. The question goes to
addresses where anything may listen, so the reader takes whatever comes: other protocols, broken and endless replies.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, Literal, TypeAlias

import attrs

from lmwire_runtime import json_codec
from lmwire_runtime.addresses import Address

__all__ = [
    "GREETING_NAME",
    "GreetingReader",
    "ProbeOutcome",
    "ProbeResult",
    "greeting_request",
    "most_telling",
]

GREETING_NAME: Final = "lmstudio-greeting"
"""The HTTP resource by which a server says that it is LM Studio."""

ProbeOutcome: TypeAlias = Literal[
    "found", "not_lm_studio", "closed", "tls", "timeout", "refused", "unreachable", "unresolved"
]

# What tells most comes first.
_TELLING: Final[Sequence[ProbeOutcome]] = (
    "found",
    "not_lm_studio",
    "tls",
    "closed",
    "timeout",
    "refused",
    "unreachable",
    "unresolved",
)
_REPLY_LIMIT: Final = 64 * 1024
_EXCERPT_LENGTH: Final = 80
_HTTP: Final = b"HTTP/1."
_TLS_ALERT: Final = b"\x15\x03"


@attrs.frozen
class ProbeResult:
    """What one address answered.

    Attributes:
        address: Who was asked.
        outcome: ``found`` if LM Studio answered; ``not_lm_studio`` something else did; ``closed`` the connection
            ended without an answer; ``tls`` the TLS handshake failed; ``timeout`` no answer in time; ``refused``
            nothing listens there; ``unreachable`` no way leads there; ``unresolved`` no such name.
        reason: The outcome in one line, with what helps to understand it.
        status: The HTTP status, if the answer had one.
    """

    address: Address
    outcome: ProbeOutcome
    reason: str
    status: int | None = None

    @property
    def found(self) -> bool:
        """Whether LM Studio answered."""
        return self.outcome == "found"


def greeting_request(address: Address) -> bytes:
    """Return the HTTP request that asks a server whether it is LM Studio."""
    lines = (
        f"GET {address.path(GREETING_NAME)} HTTP/1.1",
        f"Host: {address.host_header}",
        "Accept: application/json",
        "Accept-Encoding: identity",
        "User-Agent: lmwire",
        "Connection: close",
        "",
        "",
    )
    return "\r\n".join(lines).encode("ascii")


def most_telling(results: Sequence[ProbeResult]) -> ProbeResult:
    """Return the result that speaks for a host whose IP addresses fared differently."""
    return min(results, key=lambda result: _TELLING.index(result.outcome))


class GreetingReader:
    """Reads an HTTP reply as it arrives, no more of it than a verdict needs; see RFC 9112."""

    def __init__(self) -> None:
        # What has arrived, heads that were read taken off.
        self._data = bytearray()
        self._status: int | None = None
        self._headers: dict[bytes, bytes] = {}

    def feed(self, data: bytes) -> bool:
        """Take what has arrived; whether a verdict can be given without waiting for more."""
        self._data += data
        if len(self._data) > _REPLY_LIMIT:
            return True
        # Interim replies, 1xx, precede the reply proper.
        while self._status is None or 100 <= self._status < 200:
            if not self._resembles_http():
                # The first byte of a TLS alert is not enough to know it by.
                return self._data != _TLS_ALERT[:1]
            head, end, rest = self._data.partition(b"\r\n\r\n")
            if not end:
                return False
            if not self._read_head(head):
                return True
            self._data = rest
        return self._read_body(ended=False) is not None

    def verdict(self, address: Address, *, ending: str | None = None) -> ProbeResult:
        """Judge by what has arrived; ``ending`` says why no more does, None if what has arrived is enough."""
        if self._status is None:
            return self._judge_without_head(address, ending)
        body = self._read_body(ended=ending is not None)
        excerpt = _excerpt(self._data if body is None else body)
        if self._status != 200:
            target = self._headers.get(b"location")
            where = f", location {_excerpt(target)}" if target else ""
            return self._not_lm_studio(address, f"HTTP status {self._status}{where}, body {excerpt}")
        if body is None:
            why = f"longer than {_REPLY_LIMIT} bytes" if ending is None else f"incomplete ({ending})"
            return self._not_lm_studio(address, f"its reply is {why}: {excerpt}")
        try:
            greeting = json_codec.loads(body)
        except ValueError:
            return self._not_lm_studio(address, f"its greeting is not JSON: {excerpt}")
        if not isinstance(greeting, dict) or greeting.get("lmstudio") is not True:
            return self._not_lm_studio(address, f"its greeting does not say so: {excerpt}")
        return ProbeResult(address, "found", "LM Studio answers", self._status)

    def _judge_without_head(self, address: Address, ending: str | None) -> ProbeResult:
        if self._data.startswith(_TLS_ALERT):
            return ProbeResult(address, "tls", "it speaks TLS; give a wss:// or https:// address")
        if ending is None or not self._resembles_http():
            return self._not_lm_studio(address, f"its reply is not HTTP: {_excerpt(self._data)}")
        if not self._data:
            return ProbeResult(address, "closed", f"no reply, {ending}")
        return self._not_lm_studio(address, f"its reply is incomplete ({ending}): {_excerpt(self._data)}")

    def _not_lm_studio(self, address: Address, why: str) -> ProbeResult:
        return ProbeResult(address, "not_lm_studio", f"not LM Studio: {why}", self._status)

    def _resembles_http(self) -> bool:
        return self._data[: len(_HTTP)] == _HTTP[: len(self._data)]

    def _read_head(self, head: bytes | bytearray) -> bool:
        """Take over status and headers; False if there is no status."""
        first, *fields = bytes(head).split(b"\r\n")
        status = first.split(b" ", 2)[1:2]
        if not status or len(status[0]) != 3 or not status[0].isdigit():
            return False
        self._status = int(status[0])
        named = (field.partition(b":") for field in fields)
        self._headers = {name.strip().lower(): value.strip() for name, _, value in named}
        return True

    def _read_body(self, *, ended: bool) -> bytes | None:
        """Return the body if it is whole, None if not; ``ended`` if no more data will come."""
        if self._status is None or len(self._data) > _REPLY_LIMIT:
            return None
        if self._headers.get(b"transfer-encoding", b"").lower().endswith(b"chunked"):
            # The test is cheap, and so keeps the cost linear for a reply that comes in crumbs.
            return _join_chunks(self._data) if self._data.endswith(b"\r\n\r\n") else None
        length = self._headers.get(b"content-length")
        if length is None:
            return bytes(self._data) if ended else None
        if not length.isdigit() or len(length) > 9 or int(length) > len(self._data):
            return None
        return bytes(self._data[: int(length)])


def _join_chunks(data: bytes | bytearray) -> bytes | None:
    """Return the body of a chunked message, None if it is not whole."""
    body = bytearray()
    start = 0
    while (end := data.find(b"\r\n", start)) >= 0:
        try:
            size = int(data[start:end].partition(b";")[0], 16)
        except ValueError:
            return None
        if size == 0:
            return bytes(body)
        start = end + 2 + size + 2
        if size < 0 or start > len(data):
            return None
        body += data[end + 2 : end + 2 + size]
    return None


def _excerpt(data: bytes | bytearray) -> str:
    """Quote the beginning of what somebody sent, as one line that is safe to print."""
    text = bytes(data[:_EXCERPT_LENGTH]).decode("utf-8", "replace")
    return f"{text!r}..." if len(data) > _EXCERPT_LENGTH else repr(text)
