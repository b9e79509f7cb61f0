"""What a row of the table is: something that a peer does wrong, and what everybody concerned gets.

The rows themselves are in ``connecting_rows`` (no connection comes about), ``message_rows`` (what messages say) and
``websocket_rows`` (how they come). ``test_misbehaving_peers`` plays each of them over both shells, and
``docs/reliability.md`` lists them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final, Literal, TypeAlias

import attrs

from lmwire_runtime.descriptors import ChannelDescriptor, Codec
from lmwire_runtime.errors import ConnectionLostError, LMWireError
from lmwire_runtime.wire import Decoding, Path
from tests.runtime.arithmetic import COUNT, INTEGER
from tests.runtime.scripted_peers import ScriptedConnection

__all__ = [
    "ALL_IS_LOST",
    "DEEP",
    "GOES_ON",
    "NOTHING",
    "SOON",
    "ConnectingRow",
    "Fails",
    "Gives",
    "Incident",
    "Row",
]

# The limit of requests that are to run into it, in seconds.
SOON: Final = 0.15


@attrs.frozen
class Gives:
    """It succeeds: the call's result, or the list of the stream's packets."""

    value: Any


@attrs.frozen
class Fails:
    """It raises: which class, what the message says (a regular expression), and after which packets of a stream."""

    error: type[LMWireError]
    says: str
    after: tuple[Any, ...] = ()


Outcome: TypeAlias = "Gives | Fails"

GOES_ON: Final = Gives([{"number": 2}])
"""What a neighbour gets that is not concerned."""

ALL_IS_LOST: Final = Fails(ConnectionLostError, "the connection was lost: .*the next request connects anew")
"""What a neighbour gets whose connection had to end."""

NOTHING: Final = Gives(None)


class Incident:
    """What a row's peer does it with: the connection, and the request that is concerned."""

    def __init__(self, connection: ScriptedConnection, request: dict[str, Any]) -> None:
        self.connection = connection
        self.request = request
        self.key: str = "callId" if "callId" in request else "channelId"
        self.id: int = request[self.key]
        self.before_the_next_answer: list[Any] = []
        """Frames for somebody who does not wait any more."""

    def send(self, *frames: Any) -> None:
        self.connection.send(*frames)

    def text(self, *texts: bytes) -> None:
        for text in texts:
            self.connection.send_text(text)

    def raw(self, data: bytes) -> None:
        """Send bytes past the WebSocket."""
        self.connection.sock.sendall(data)

    def result(self, value: Any) -> dict[str, Any]:
        return {"type": "rpcResult", "callId": self.id, "result": value}

    def packet(self, value: Any) -> dict[str, Any]:
        return {"type": "channelSend", "channelId": self.id, "message": value}

    @property
    def close(self) -> dict[str, Any]:
        return {"type": "channelClose", "channelId": self.id}

    def answer(self) -> None:
        """Serve the request as a proper server would."""
        if self.key == "callId":
            self.send(self.result(42))
        else:
            self.send(self.packet({"number": 42}), self.close)


@attrs.frozen(kw_only=True)
class Row:
    """Something that a peer does while a request waits, and a stream beside it on the same connection.

    Attributes:
        name: Names the row in the document and in test ids.
        what: What the peer does, in one sentence.
        does: Does it.
        request: The kind of request that waits: a call, a stream read to its end, or a stream read packet by packet.
        outcome: What that request gets.
        neighbour: What the stream beside it gets.
        warnings: How many lines are logged.
        timeout: The request's timeout in seconds.
        result: How the call's result is decoded.
        endpoint: The stream's endpoint.
        creation: Its creation parameter.
        options: For the client.
    """

    name: str
    what: str
    does: Callable[[Incident], None]
    request: Literal["call", "stream", "receive"] = "call"
    outcome: Outcome = Gives(42)
    neighbour: Outcome = GOES_ON
    warnings: int = 0
    timeout: float | None = 30.0
    result: Codec[Any] = INTEGER
    endpoint: ChannelDescriptor[Any, Any, Any] = COUNT
    creation: Any = attrs.field(factory=dict)
    options: Mapping[str, Any] = attrs.field(factory=dict)

    @property
    def reconnects(self) -> bool:
        """Whether the connection ends, so that the next call takes a new one."""
        return self.neighbour is not GOES_ON


@attrs.frozen(kw_only=True)
class ConnectingRow:
    """Something that a peer does before there is a connection.

    Attributes:
        name: Names the row in the document and in test ids.
        what: What the peer does, in one sentence.
        does: Does it, to every connection that it accepts; afterwards the connection is closed.
        outcome: What the call gets that wanted the connection.
        host: How the address begins.
        warnings: How many lines are logged.
        connect: The client's connect timeout in seconds.
    """

    name: str
    what: str
    does: Callable[[ScriptedConnection], None]
    outcome: Outcome
    host: str = ""
    warnings: int = 0
    connect: float = 30.0


def _depth(value: Any, decoding: Decoding, path: Path) -> int:
    return 0 if not value else 1 + _depth(value[0], decoding, path)


DEEP: Final[Codec[int]] = Codec(_depth, lambda value: value, type_name="nested arrays")
"""A type that contains itself, as generated ones do; decodes to how deep it is nested."""
