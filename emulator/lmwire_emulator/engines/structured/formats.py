"""Examples of the formats that readers parse: a word of the model would be a string, but no date.

``format`` only describes; a schema with another format gets any string.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

__all__ = ["EXAMPLES"]

EXAMPLES: Final[Mapping[str, Sequence[str]]] = {
    "date": ("1986-04-26", "1999-12-31", "2001-01-01", "2024-02-29", "2026-08-15"),
    "time": ("00:00:00Z", "08:30:00Z", "12:15:30Z", "23:59:59Z"),
    "date-time": (
        "1999-12-31T23:59:59Z",
        "2001-01-01T00:00:00Z",
        "2024-02-29T12:30:00Z",
        "2026-08-15T08:15:30Z",
    ),
    "duration": ("P1D", "P2W", "PT15M", "PT1H30M"),
    "email": ("ada@example.com", "leo@example.org", "mira@example.net", "tom@example.com"),
    "hostname": ("example.com", "mail.example.org", "www.example.net"),
    "ipv4": ("127.0.0.1", "192.0.2.1", "198.51.100.7", "203.0.113.42"),
    "ipv6": ("::1", "2001:db8::1", "2001:db8::abcd"),
    "uri": ("https://example.com/", "https://example.org/books/1", "https://example.net/search?q=sea"),
    "uuid": (
        "0b0e7f5c-3f54-4e0a-9d3c-6a4f6c1a2b3d",
        "5a8e1c9a-7b1d-4c55-8f0e-2d9c4b7a6e10",
        "c1f2d3e4-a5b6-4789-90ab-cdef01234567",
    ),
}
