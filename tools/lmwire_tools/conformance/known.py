"""What official SDKs are known to do otherwise than the protocol wants, as data: check by check, and why it fails."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Final

import attrs

from lmwire_tools.conformance.checks import Outcome, Result

__all__ = ["KNOWN", "with_known"]

_FATAL: Final = "takes every frame that it does not know for the end of the connection"
_UNSETTLED: Final = "its promise never settles"
_DROPPED: Final = "drops the result with a warning, and its promise never settles"

_JAVASCRIPT: Final[Mapping[str, str]] = {
    "unknown-enum-value": _DROPPED,
    "text-as-error": "drops the frame, and its promise never settles",
    "close-without-result": _UNSETTLED,
    "unknown-endpoint": _UNSETTLED,
}

KNOWN: Final[Mapping[str, Mapping[str, str]]] = {
    "python-1.5.0": {
        "unknown-frame-type": _FATAL,
        "keep-alive-ack": _FATAL,
        "not-json": _FATAL,
        "not-an-object": _FATAL,
        "unknown-enum-value": "raises msgspec.ValidationError from the user's call",
        "refused": "raises a bare ValueError, and loses what the server said",
        "unknown-endpoint": "waits for its timeout of a minute",
    },
    "js-1.5.0": _JAVASCRIPT,
    "js-2.0.0": {
        **_JAVASCRIPT,
        "older-server": "knows completeRawText alone, which servers of 2025 do not have, and waits for ever",
    },
}
"""By client, by the name of the check."""


def with_known(results: Iterable[Result], known: Mapping[str, str]) -> Iterator[Result]:
    """Tell expected failures from others, and notice those that do not come any more."""
    for result in results:
        why = known.get(result.name)
        if why is not None and result.outcome is Outcome.FAIL:
            yield attrs.evolve(result, outcome=Outcome.KNOWN, reason=f"{why}: {result.reason}")
        elif why is not None and result.outcome is Outcome.PASS:
            yield attrs.evolve(result, outcome=Outcome.UNEXPECTED, reason=f"was known to fail: {why}")
        else:
            yield result
