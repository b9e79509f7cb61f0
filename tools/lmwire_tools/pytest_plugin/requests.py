"""What the client under test has sent, for assertions."""

from __future__ import annotations

import difflib
import json
import threading
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final, Literal, TypeAlias, overload

import attrs

from lmwire import UNSET
from lmwire_emulator.endpoints import ENDPOINTS
from lmwire_runtime.taps import Direction, End

__all__ = ["Request", "Requests"]

Kind: TypeAlias = Literal["call", "channel"]

_ENOUGH: Final = 30.0
_SHOWN: Final = 200
_REQUESTS: Final[dict[str, tuple[Kind, str, str]]] = {
    "rpcCall": ("call", "callId", "parameter"),
    "channelCreate": ("channel", "channelId", "creationParameter"),
}


@attrs.define(eq=False)
class Request:
    """A call, or a channel that was opened.

    Attributes:
        endpoint: ``namespace.name``, as the wire has them.
        kind: ``call`` or ``channel``.
        parameter: What was sent with it, plain JSON; ``lmwire.UNSET`` for nothing.
        connection: The number of the connection, from 1; one client has one for each namespace.
        packets: What was sent into the channel since, plain JSON.
    """

    endpoint: str
    kind: Kind
    parameter: Any
    connection: int
    packets: list[Any] = attrs.field(factory=list)

    @property
    def config(self) -> dict[str, Any]:
        """The options of a prediction or a load, as KV config: ``llm.prediction.temperature`` -> 0.5.

        The layers of the config stack are put together, the last one on top.
        """
        fields: dict[str, Any] = {}
        parameter = self.parameter if isinstance(self.parameter, dict) else {}
        for name in ("predictionConfigStack", "loadConfigStack"):
            for layer in parameter.get(name, {}).get("layers", ()):
                for field in layer["config"]["fields"]:
                    fields[field["key"]] = field.get("value")
        return fields

    @property
    def cancelled(self) -> bool:
        """Whether the client has asked for an early end."""
        return any(isinstance(packet, dict) and packet.get("type") == "cancel" for packet in self.packets)

    def __str__(self) -> str:
        if self.parameter is UNSET:
            return self.endpoint
        text = json.dumps(self.parameter, ensure_ascii=False)
        return f"{self.endpoint} {text if len(text) <= _SHOWN else text[:_SHOWN] + '...'}"


class Requests(Sequence[Request]):
    """All requests that have arrived, in order. Grows while the client talks."""

    def __init__(self) -> None:
        self._arrived = threading.Condition()
        self._requests: list[Request] = []
        self._connections = 0
        self._warnings: list[str] = []

    @overload
    def __getitem__(self, index: int) -> Request: ...

    @overload
    def __getitem__(self, index: slice) -> list[Request]: ...

    def __getitem__(self, index: int | slice) -> Request | list[Request]:
        return self._requests[index]

    def __len__(self) -> int:
        return len(self._requests)

    def __iter__(self) -> Iterator[Request]:
        return iter(list(self._requests))

    def __repr__(self) -> str:
        return "\n".join(["<requests:", *(f"  {request}" for request in self), ">"])

    @property
    def endpoints(self) -> list[str]:
        """The endpoints of all requests, in order."""
        return [request.endpoint for request in self]

    def sent(self, endpoint: str) -> list[Request]:
        """The requests of an endpoint, such as ``llm.completeRawText``; empty if there was none.

        Raises:
            ValueError: There is no such endpoint.
        """
        _check_endpoint(endpoint)
        return [request for request in self if request.endpoint == endpoint]

    def one(self, endpoint: str) -> Request:
        """The only request of an endpoint.

        Raises:
            AssertionError: There were more, or none.
            ValueError: There is no such endpoint.
        """
        found = self.sent(endpoint)
        if len(found) != 1:
            raise AssertionError(f"{len(found)} requests of {endpoint} were sent, not one; {self._told()}")
        return found[0]

    def wait_for(
        self,
        endpoint: str,
        *,
        count: int = 1,
        that: Callable[[Request], bool] = lambda request: True,
        timeout: float = _ENOUGH,
    ) -> Request:
        """Wait for a request of an endpoint, and return the last one of so many.

        Args:
            endpoint: As in ``sent``.
            count: How many there have to be.
            that: Which of them count; looked at again whenever something arrives, so that it may ask for packets.
            timeout: Seconds to wait at most.

        Raises:
            AssertionError: They did not come in time.
            ValueError: There is no such endpoint.
        """

        def fitting() -> list[Request]:
            return [request for request in self.sent(endpoint) if that(request)]

        with self._arrived:
            if not self._arrived.wait_for(lambda: len(fitting()) >= count, timeout):
                raise AssertionError(
                    f"{len(fitting())} requests of {endpoint} within {timeout:g} s, not {count}; {self._told()}"
                )
            return fitting()[count - 1]

    @property
    def warnings(self) -> list[str]:
        """The texts of the warnings that the server answered bad requests with."""
        return list(self._warnings)

    def clear(self) -> None:
        """Forget what has arrived so far."""
        with self._arrived:
            self._requests.clear()
            self._warnings.clear()

    def _told(self) -> str:
        return f"all that came: {', '.join(self.endpoints) or 'nothing'}"

    # The emulator's side: a tap.

    def opened(self, namespace: str, end: End) -> _Connection:
        """Begin a connection; the server calls this."""
        with self._arrived:
            self._connections += 1
            return _Connection(self, namespace, self._connections)

    def note(self, what: Request | str) -> None:
        """Add a request, or the text of a warning."""
        with self._arrived:
            if isinstance(what, str):
                self._warnings.append(what)
            else:
                self._requests.append(what)
            self._arrived.notify_all()

    def note_packet(self, request: Request, packet: Any) -> None:
        """Add what was sent into a channel."""
        with self._arrived:
            request.packets.append(packet)
            self._arrived.notify_all()


class _Connection:
    """Reads what passes on one connection."""

    def __init__(self, requests: Requests, namespace: str, number: int) -> None:
        self._requests = requests
        self._namespace = namespace
        self._number = number
        self._channels: dict[Any, Request] = {}

    def frame(self, direction: Direction, text: bytes) -> None:
        try:
            frame = json.loads(text)
        except ValueError:
            return  # the server drops it too
        if not isinstance(frame, dict):
            return
        kind = frame.get("type")
        if direction == "sent":
            if kind == "communicationWarning":
                self._requests.note(str(frame["warning"]))
        elif kind in _REQUESTS:
            self._note_request(frame, *_REQUESTS[kind])
        elif kind == "channelSend" and frame.get("channelId") in self._channels:
            self._requests.note_packet(self._channels[frame["channelId"]], frame.get("message", UNSET))

    def _note_request(self, frame: dict[str, Any], kind: Kind, id_key: str, parameter_key: str) -> None:
        endpoint = f"{self._namespace}.{frame.get('endpoint')}"
        request = Request(endpoint, kind, frame.get(parameter_key, UNSET), self._number)
        if kind == "channel":
            self._channels[frame.get(id_key)] = request
        self._requests.note(request)

    def closed(self, reason: str) -> None:
        self._channels.clear()


def _check_endpoint(endpoint: str) -> None:
    if endpoint not in ENDPOINTS:
        near = difflib.get_close_matches(endpoint, ENDPOINTS, n=1)
        hint = f"did you mean {near[0]}?" if near else "they are called namespace.name, such as llm.tokenize"
        raise ValueError(f"there is no endpoint {endpoint!r}; {hint}")
