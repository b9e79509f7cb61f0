"""A tap for the emulator, and a judge of what it heard: every frame strictly decoded, encoded back, unchanged.

``FrameTap`` only notes: the server swallows what a tap raises. ``FrameTap.traffic`` then goes through each connection:
the handshake first, then the envelope of every frame, then what the envelope carries, by the codecs of the endpoint
that the frame's id belongs to. What does not fit is in ``Traffic.problems``.

What an older generation of servers lawfully leaves out is given as data; the judge also says what of it was left out.
Warnings are no problems by themselves: who expects some says which.

A tap is not told about connections. A new one begins where a namespace sees an authentication packet, so one namespace
must not have two connections at a time: clients that live at the same time need an emulator each.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterable, Sequence
from typing import Any, Final, TypeAlias

import attrs

from lmwire import diagnostics, embedding, envelope, files, llm, plugins, repository, runtime, system
from lmwire_runtime.descriptors import ChannelDescriptor, Codec, NamespaceDescriptor, RpcDescriptor
from lmwire_runtime.wire import STRICT, UNSET, DecodeError, Decoding, Message, Path, Unknown

__all__ = ["Connection", "Frame", "FrameTap", "Omission", "Problem", "Traffic", "same"]

Omission: TypeAlias = "tuple[str, str]"
"""A required field that may be absent: the class that has it, and its wire name."""

NAMESPACES: Final = tuple(
    module.NAMESPACE for module in (diagnostics, embedding, files, llm, plugins, repository, runtime, system)
)


def same(one: Any, other: Any) -> bool:
    """Whether two JSON values are equal, numbers by value: 10 is 10.0, but 1 is not true."""
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(same(value, other[key]) for key, value in one.items())
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    return bool(one == other)


@attrs.frozen
class Frame:
    """One frame: whether the client sent it (else the server), and its parsed JSON."""

    from_client: bool
    data: Any

    @property
    def type(self) -> str:
        """The frame's type; the two frames of the handshake have none."""
        return str(self.data.get("type", "")) if isinstance(self.data, dict) else ""


@attrs.define(eq=False)
class Connection:
    """What passed on one connection.

    Attributes:
        namespace: Its name.
        frames: All frames in order, those of the handshake included.
        calls: The endpoint of each open call.
        channels: The endpoint of each open channel.
    """

    namespace: NamespaceDescriptor
    frames: list[Frame] = attrs.field(factory=list)
    calls: dict[int, RpcDescriptor[Any, Any]] = attrs.field(factory=dict)
    channels: dict[int, ChannelDescriptor[Any, Any, Any]] = attrs.field(factory=dict)

    def sent_by_client(self) -> list[dict[str, Any]]:
        """The client's frames after its authentication packet."""
        return [frame.data for frame in self.frames if frame.from_client][1:]


class FrameTap:
    """A tap (``Emulator(on_frame=...)``) that keeps what passes."""

    def __init__(self) -> None:
        self._heard: list[tuple[str, str, bytes]] = []

    def __call__(self, direction: str, namespace: str, text: bytes) -> None:
        """Take a frame as the server's tap gives it: ``received`` is the client's."""
        self._heard.append((direction, namespace, text))

    def traffic(
        self,
        omissions: Collection[Omission] = (),
        *,
        namespaces: Iterable[NamespaceDescriptor] = NAMESPACES,
    ) -> Traffic:
        """Judge what was heard so far; ``omissions`` are what the server may leave out."""
        traffic = Traffic()
        from_server = _Older(omissions, traffic.omitted)
        known = {namespace.name: namespace for namespace in namespaces}
        current: dict[str, Connection] = {}
        for direction, name, text in list(self._heard):
            frame = Frame(direction == "received", json.loads(text))
            if frame.from_client and isinstance(frame.data, dict) and "authVersion" in frame.data:
                current[name] = Connection(known[name])
                traffic.connections.append(current[name])
            connection = current.get(name)
            if connection is None:
                fault: str | None = "came before any authentication packet"
            else:
                connection.frames.append(frame)
                traffic.passed.append((connection, frame))
                fault = _fault(connection, frame, STRICT if frame.from_client else from_server)
            if fault is not None:
                traffic.problems.append(Problem(name, frame, fault))
        return traffic


@attrs.frozen
class Problem:
    """A frame that does not fit; ``str`` of it is one line."""

    namespace: str
    frame: Frame
    fault: str

    def __str__(self) -> str:
        text = json.dumps(self.frame.data, ensure_ascii=False)
        shown = text if len(text) <= 2000 else text[:2000] + "..."
        return f"/{self.namespace}, from the {'client' if self.frame.from_client else 'server'}: {self.fault}: {shown}"


@attrs.frozen(repr=False)
class Traffic:
    """What passed between clients and the server.

    Attributes:
        connections: In the order in which clients authenticated.
        passed: All frames with their connections, in the order in which they were heard.
        problems: What does not fit the schema.
        omitted: What the server left out of what it may leave out.
    """

    connections: list[Connection] = attrs.field(factory=list)
    passed: list[tuple[Connection, Frame]] = attrs.field(factory=list)
    problems: list[Problem] = attrs.field(factory=list)
    omitted: set[Omission] = attrs.field(factory=set)

    def check(self, warnings: Sequence[str] = ()) -> None:
        """Fail unless frames passed in both directions, each fits, and warnings are those, each with such a text."""
        directions = {frame.from_client for _, frame in self.passed}
        assert directions == {True, False}, "no frames passed"
        assert not self.problems, "\n".join(map(str, self.problems))
        told = self.warnings()
        assert len(told) == len(warnings), told
        for expected, warning in zip(warnings, told, strict=True):
            assert expected in warning

    def warnings(self) -> list[str]:
        """The warnings of both sides, each with the side that it is from in front."""
        return [
            f"{'client' if frame.from_client else 'server'}: {frame.data.get('warning')}"
            for _, frame in self.passed
            if frame.type == "communicationWarning"
        ]

    def namespaces(self) -> list[str]:
        """The namespaces of the connections, in order."""
        return [connection.namespace.name for connection in self.connections]

    def endpoints(self) -> list[str]:
        """The endpoints that clients asked for, as ``namespace/endpoint``, in order of connections."""
        return [
            f"{connection.namespace.name}/{frame['endpoint']}"
            for connection in self.connections
            for frame in connection.sent_by_client()
            if "endpoint" in frame
        ]


class _Older(Decoding):
    """Strict, but for required fields that an older server may leave out, whose slots stay empty."""

    def __init__(self, omissions: Collection[Omission], met: set[Omission]) -> None:
        super().__init__(strict=True)
        self._omissions = omissions
        self._met = met

    def absent(self, path: Path, owner: str, expected: str, value: Any) -> None:
        field = "" if path is None else str(path[1])
        if value is not UNSET or (owner, field) not in self._omissions:
            super().absent(path, owner, expected, value)
        self._met.add((owner, field))


def _fault(connection: Connection, frame: Frame, decoding: Decoding) -> str | None:
    """Say what is wrong with the newest frame of a connection; None if nothing is."""
    if len(connection.frames) <= 2:
        return _handshake_fault(connection.frames)
    decode = envelope.decode_client_frame if frame.from_client else envelope.decode_server_frame
    fault = _round_trip(lambda: decode(frame.data, decoding), _encode, frame.data)
    return fault if fault is not None else _content_fault(connection, frame, decoding)


def _encode(message: Message | Unknown) -> Any:
    return message.to_wire()


def _handshake_fault(frames: list[Frame]) -> str | None:
    first = len(frames) == 1
    if frames[-1].from_client is not first:
        return "is out of turn: the client authenticates, then waits for the server's answer"
    data = frames[-1].data
    if first:
        return _round_trip(lambda: envelope.AuthenticationPacket.from_wire(data, STRICT), _encode, data)
    return _round_trip(lambda: envelope.decode_authentication_result(data, STRICT), _encode, data)


def _content_fault(connection: Connection, frame: Frame, decoding: Decoding) -> str | None:
    """Check what the envelope carries; remember which endpoint an id belongs to."""
    if frame.type in ("rpcCall", "rpcResult", "rpcError"):
        return _call_fault(connection, frame, decoding)
    if frame.type in ("channelCreate", "channelSend", "channelClose", "channelError"):
        return _channel_fault(connection, frame, decoding)
    return (
        None
        if frame.type in ("keepAlive", "keepAliveAck", "communicationWarning")
        else "is of a type that no public endpoint uses"
    )


def _call_fault(connection: Connection, frame: Frame, decoding: Decoding) -> str | None:
    data, number = frame.data, frame.data["callId"]
    if frame.type == "rpcCall":
        asked = connection.namespace.rpc.get(data["endpoint"])
        if asked is None:
            return "asks for a call that the schema does not have"
        if number in connection.calls:
            return "has the id of a call that is still open"
        connection.calls[number] = asked
        return _opaque_fault(asked, asked.parameter, data, "parameter", decoding)
    answered = connection.calls.pop(number, None)
    if answered is None:
        return "answers no open call"
    return (
        _opaque_fault(answered, answered.result, data, "result", decoding)
        if frame.type == "rpcResult"
        else None
    )


def _channel_fault(connection: Connection, frame: Frame, decoding: Decoding) -> str | None:
    data, number = frame.data, frame.data["channelId"]
    if frame.type == "channelCreate":
        asked = connection.namespace.channel.get(data["endpoint"])
        if asked is None:
            return "asks for a channel that the schema does not have"
        if number in connection.channels:
            return "has the id of a channel that is still open"
        connection.channels[number] = asked
        return _opaque_fault(asked, asked.creation, data, "creationParameter", decoding)
    opened = connection.channels.get(number)
    if opened is None:
        return "belongs to no open channel"
    if frame.type == "channelSend":
        packets = opened.to_server if frame.from_client else opened.to_client
        return _opaque_fault(opened, packets, data, "message", decoding)
    del connection.channels[number]
    return None


def _opaque_fault(
    endpoint: RpcDescriptor[Any, Any] | ChannelDescriptor[Any, Any, Any],
    codec: Codec[Any],
    data: dict[str, Any],
    field: str,
    decoding: Decoding,
) -> str | None:
    value = data.get(field, UNSET)
    fault = _round_trip(lambda: codec.decode(value, decoding), codec.encode, value)
    return None if fault is None else f"{field} of {endpoint.name} {fault}"


def _round_trip(decode: Callable[[], Any], encode: Callable[[Any], Any], value: Any) -> str | None:
    """Say how a value fails to be decoded and to be encoded as it was; None if it does not."""
    try:
        decoded = decode()
    except DecodeError as error:
        return f"does not decode: {error}"
    again = encode(decoded)
    if same(again, value):
        return None
    return f"is changed by decoding and encoding, into {again!r}"
