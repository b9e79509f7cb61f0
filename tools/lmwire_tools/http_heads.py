"""The heads of HTTP messages, as far as a proxy and a page for this machine need them. No I/O."""

from __future__ import annotations

import attrs

__all__ = ["BadHead", "Head"]


class BadHead(ValueError):
    """Bytes that are no head of an HTTP message."""


@attrs.frozen
class Head:
    """The head of a request or an answer: the first line, and the headers in order."""

    first: str
    headers: tuple[tuple[str, str], ...]

    @classmethod
    def parse(cls, data: bytes) -> Head:
        """Read a head, with the empty line at its end.

        Raises:
            BadHead: It is none.
        """
        first, *lines = data.decode("latin-1").removesuffix("\r\n\r\n").split("\r\n")
        if len(first.split(" ", 2)) < 2:
            raise BadHead(f"not the first line of an HTTP message: {first[:80]!r}")
        headers = []
        for line in lines:
            name, colon, value = line.partition(":")
            if not colon or not name or name != name.strip():
                raise BadHead(f"not a header of HTTP: {line[:80]!r}")
            headers.append((name, value.strip()))
        return cls(first, tuple(headers))

    def all(self, name: str) -> list[str]:
        """The values of a header, in order; the name in lower case."""
        return [value for given, value in self.headers if given.lower() == name]

    @property
    def method(self) -> str:
        """The request's method."""
        return self.first.split(" ", 1)[0]

    @property
    def path(self) -> str:
        """The request's path, without its query."""
        return self.first.split(" ", 2)[1].partition("?")[0]

    @property
    def status(self) -> int | None:
        """The answer's status, None if it has none."""
        word = self.first.split(" ", 2)[1]
        return int(word) if word.isdigit() and len(word) == 3 else None

    @property
    def upgrades(self) -> bool:
        """Whether it asks for, or grants, a WebSocket."""
        return any(value.lower() == "websocket" for value in self.all("upgrade"))

    @property
    def has_body(self) -> bool:
        """Whether it says that a body follows."""
        return bool(self.all("transfer-encoding")) or any(
            value != "0" for value in self.all("content-length")
        )

    def changed(self, *, prefix: str = "", **values: str | None) -> Head:
        """Return a head with another path prefix and other values of headers.

        Args:
            prefix: What to put in front of a request's path.
            values: Header names in lower case, ``_`` for ``-``; None leaves the header out.
        """
        named = {name.replace("_", "-"): value for name, value in values.items()}
        kept = [(name, value) for name, value in self.headers if name.lower() not in named]
        added = [(name.title(), value) for name, value in named.items() if value is not None]
        method, target, *rest = self.first.split(" ", 2)
        return Head(" ".join([method, prefix + target, *rest]), (*added, *kept))

    def to_bytes(self) -> bytes:
        """Write it, with the empty line at its end."""
        lines = [self.first, *(f"{name}: {value}" for name, value in self.headers), "", ""]
        return "\r\n".join(lines).encode("latin-1")
