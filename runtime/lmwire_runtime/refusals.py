"""What a peer's ``communicationWarning`` means for the requests that wait.

A server answers a bad request with a warning and nothing else. The warning has no callId; it names the endpoint
and quotes the parameter, in English text, with a machine-readable ``kind`` from servers since March 2026::

    Received rpcCall for unknown endpoint, endpoint = nonesuch
    Received invalid parameter for rpcCall, endpointName = tokenize, parameter = {...}. Zod error: ...
    Received channelSend for unknown channel, channelId = 1

Text after the first `` = `` may quote anything that a user has sent, so only what precedes it is believed.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from typing import Any, Final, TypeVar

import attrs

from lmwire_runtime.errors import LMWireError, RefusedRequestError, UnsupportedEndpointError
from lmwire_runtime.exchanges import Call, Channel, Exchange
from lmwire_runtime.wire import UNSET

__all__ = ["PeerWarning"]

E = TypeVar("E", bound=Exchange)

_CALL_KINDS: Final = frozenset({"rpcEndpointUnknown", "rpcEndpointUnhandled", "rpcParameterTypeError"})
_CHANNEL_KINDS: Final = frozenset(
    {"channelEndpointUnknown", "channelEndpointUnhandled", "channelCreationParameterTypeError"}
)
_ID_KINDS: Final = frozenset({"channelUnknown", "channelAlreadyOpen"})
_WRITE_KINDS: Final = frozenset(
    {"writableSignalUnknown", "writableSignalPatchApplyError", "writableSignalDataTypeError"}
)

_ID_HEAD: Final = re.compile(r"unknown channel\b|already open channel\b")
_UNSUPPORTED_HEAD: Final = re.compile(r"\bun(known|handled)\b", re.IGNORECASE)
_SIGNAL_HEAD: Final = re.compile(r"signal", re.IGNORECASE)
_WRITE_HEAD: Final = re.compile(r"\b(receivedPatches|invalid data|writableSignalUpdate)\b")
_SUBSCRIBE_ID: Final = re.compile(r"\bsubscribeId = (-?\d{1,15})\b")
_CHANNEL_ID: Final = re.compile(r"\bchannelId = (-?\d{1,15})\b")
_QUOTATION: Final = re.compile(r"\b(?:p|creationP)arameter = ")
_DECODER: Final = json.JSONDecoder()
_ENDPOINT: Final = re.compile(r"\bendpoint(?:Name)?\s*[=:]?\s*[\"']?([A-Za-z0-9_]+)[\"']?\s*(?:,|$)")


@attrs.frozen
class PeerWarning:
    """A received warning.

    Attributes:
        text: English text.
        kind: The machine-readable kind; None from servers that send none, or the wire's ``unknown``.
        head: The part of the text that quotes nothing.
    """

    text: str
    kind: str | None
    head: str

    @classmethod
    def of(cls, frame: Mapping[str, Any]) -> PeerWarning:
        """Read a ``communicationWarning``, however odd its fields are."""
        text, kind = frame.get("warning"), frame.get("kind")
        text = text if isinstance(text, str) else "(no text)"
        kind = kind if isinstance(kind, str) and kind != "unknown" else None
        return cls(text, kind, text[:300].partition(" = ")[0])

    @property
    def tells_channel_id(self) -> bool:
        """Whether it is about a channel's id.

        Mostly about one that has ended: something of ours crossed its end, which is a normal race.
        """
        return self.kind in _ID_KINDS if self.kind is not None else _ID_HEAD.search(self.head) is not None

    @property
    def is_about_signals(self) -> bool:
        """Whether it is about a subscription, or a change of a writable signal."""
        return _SIGNAL_HEAD.search(self.kind if self.kind is not None else self.head) is not None

    @property
    def is_about_write(self) -> bool:
        """Whether it is about a change of a writable signal."""
        return (
            self.kind in _WRITE_KINDS if self.kind is not None else _WRITE_HEAD.search(self.head) is not None
        )

    @property
    def subscription_id(self) -> int | None:
        """The id that the server knows no subscription by, where that is what it tells."""
        found = _SUBSCRIBE_ID.search(self.text[:300]) if "unknown subscription" in self.head else None
        return None if found is None else int(found[1])

    def find(self, calls: Iterable[Call], channels: Mapping[int, Channel]) -> Exchange | None:
        """Return the unanswered request that the warning is about, None if there is none such."""
        if self.tells_channel_id:
            found = _CHANNEL_ID.search(self.text[:300])
            return None if found is None else channels.get(int(found[1]))
        pending: list[Exchange] = []
        if self.kind in _CALL_KINDS or (self.kind is None and "channel" not in self.head):
            pending += calls
        if self.kind in _CHANNEL_KINDS or (self.kind is None and "rpcCall" not in self.head):
            pending += channels.values()
        return self.named_in(exchange for exchange in pending if exchange.request is not None)

    def names(self, endpoints: Iterable[tuple[type[Exchange], str]]) -> bool:
        """Whether it says of one of these endpoints, again, that the server lacks it."""
        named = _ENDPOINT.search(self.text[:300])
        return (
            named is not None
            and isinstance(self.error(), UnsupportedEndpointError)
            and any(name == named[1] for _, name in endpoints)
        )

    def error(self) -> LMWireError:
        """Make the error of the request that the warning is about."""
        unsupported = (
            self.kind.endswith(("EndpointUnknown", "EndpointUnhandled"))
            if self.kind is not None
            else not self.tells_channel_id and _UNSUPPORTED_HEAD.search(self.head) is not None
        )
        if unsupported:
            return UnsupportedEndpointError(
                f"the server has no such endpoint: {self.text[:500]}", kind=self.kind
            )
        return RefusedRequestError(f"the server refused the request: {self.text[:2000]}", kind=self.kind)

    def named_in(self, pending: Iterable[E]) -> E | None:
        """Return the oldest of several requests whose endpoint, and best whose parameter, it names."""
        named = _ENDPOINT.search(self.text[:300])
        words = {named[1]} if named is not None else set(re.findall(r"\w+", self.head))
        candidates = [exchange for exchange in pending if exchange.endpoint in words]
        if len(candidates) > 1:
            # Several requests to one endpoint wait: the quoted parameter tells them apart.
            quoted = _quoted_in(self.text)
            candidates = [
                exchange for exchange in candidates if _parameter_of(exchange) == quoted
            ] or candidates
        # The oldest: warnings arrive in the order of the requests.
        return candidates[0] if candidates else None


def _parameter_of(exchange: Exchange) -> Any:
    request = exchange.request or {}
    return request.get("parameter", request.get("creationParameter", UNSET))


def _quoted_in(text: str) -> Any:
    """Return the parameter that a refusal quotes, UNSET if it quotes none that can be read."""
    found = _QUOTATION.search(text[:400])
    if found is None:
        return UNSET
    try:
        return _DECODER.raw_decode(text, found.end())[0]
    except (ValueError, RecursionError):
        return UNSET
