"""What frames mean: each frame of a connection named, timed and held against the schema. No I/O, no clock.

``ConnectionAnalysis`` follows one connection. It takes the text of each frame with its direction and time, and makes a
``FrameEvent`` of it: endpoint, kind of packet, time since the request, deviations. To know which endpoint a frame
belongs to, it keeps a table of open exchanges for each of the wire's four spaces of ids (calls, channels, signals,
writable signals); which frame opens, continues or ends what, is the table ``_RULES``. The proxy, ``validate`` and the
live page all show these events.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any, Final, Literal, TypeAlias

import attrs

from lmwire import diagnostics, embedding, envelope, files, llm, plugins, repository, runtime, system
from lmwire_runtime import json_codec, patches, signal_values
from lmwire_runtime.descriptors import Codec, EndpointDescriptor, NamespaceDescriptor, SignalDescriptor
from lmwire_runtime.wire import ROOT, UNSET, DecodeError, Decoding, describe
from lmwire_tools.deviations import Decode, Deviation, deviations_of
from lmwire_tools.recordings import Direction

__all__ = ["NAMESPACES", "ConnectionAnalysis", "FrameEvent", "Kind"]

Kind: TypeAlias = Literal["rpc", "channel", "signal", "writableSignal"]

NAMESPACES: Final[Mapping[str, NamespaceDescriptor]] = {
    module.NAMESPACE.name: module.NAMESPACE
    for module in (diagnostics, embedding, files, llm, plugins, repository, runtime, system)
}
"""All namespaces of the protocol by name."""

# Channels that have ended and are remembered, so that a late frame is told from one for a channel that never was.
_REMEMBERED: Final = 1000


@attrs.frozen(kw_only=True)
class FrameEvent:
    """A frame, and what it means.

    Attributes:
        time: When it passed, in the seconds that the analysis was told.
        connection: The number of its connection.
        namespace: The connection's namespace.
        direction: Which way it went.
        text: The frame itself.
        data: The frame, parsed; UNSET if it is no JSON.
        type: The wire's frame type; ``authentication`` and ``authenticationResult`` for the two that have none.
        kind: What it belongs to, None for frames that belong to nothing.
        endpoint: The wire's name of the endpoint; None if the frame has none, or nobody knows.
        id: The call's, channel's or subscription's id.
        packet: The packet's own type (``fragment``, ``cancel``, ...), where it has one.
        latency: Seconds since the request that it answers or belongs to; None for requests themselves.
        deviations: Where it is not what the schema, or the order of frames, demands.
        late: It crossed the end of what it belongs to, which is lawful.
    """

    time: float
    connection: int
    namespace: str
    direction: Direction
    text: bytes
    data: Any
    type: str = ""
    kind: Kind | None = None
    endpoint: str | None = None
    id: int | None = None
    packet: str | None = None
    latency: float | None = None
    deviations: tuple[Deviation, ...] = ()
    late: bool = False


@attrs.frozen
class _Rule:
    """What a type of frame does.

    Attributes:
        kind: Which space its id is of.
        id_key: The key that holds the id.
        step: Whether it opens, continues or ends an exchange.
        payload: The key of the opaque value that it carries, if any.
        codec: Which codec of the endpoint's descriptor that value has; for packets it depends on the direction.
    """

    kind: Kind
    id_key: str
    step: Literal["opens", "continues", "ends"]
    payload: str = ""
    codec: str = ""


_RULES: Final[Mapping[str, _Rule]] = {
    "rpcCall": _Rule("rpc", "callId", "opens", "parameter", "parameter"),
    "rpcResult": _Rule("rpc", "callId", "ends", "result", "result"),
    "rpcError": _Rule("rpc", "callId", "ends"),
    "channelCreate": _Rule("channel", "channelId", "opens", "creationParameter", "creation"),
    "channelSend": _Rule("channel", "channelId", "continues", "message", "packet"),
    "channelAck": _Rule("channel", "channelId", "continues"),
    "channelClose": _Rule("channel", "channelId", "ends"),
    "channelError": _Rule("channel", "channelId", "ends"),
    "signalSubscribe": _Rule("signal", "subscribeId", "opens", "creationParameter", "creation"),
    "signalUnsubscribe": _Rule("signal", "subscribeId", "ends"),
    "signalUpdate": _Rule("signal", "subscribeId", "continues", "patches", "patches"),
    "signalError": _Rule("signal", "subscribeId", "ends"),
    "writableSignalSubscribe": _Rule(
        "writableSignal", "subscribeId", "opens", "creationParameter", "creation"
    ),
    "writableSignalUnsubscribe": _Rule("writableSignal", "subscribeId", "ends"),
    "writableSignalUpdate": _Rule("writableSignal", "subscribeId", "continues", "patches", "patches"),
    "writableSignalError": _Rule("writableSignal", "subscribeId", "ends"),
}


@attrs.define
class _Exchange:
    """A call, channel or subscription that is open, or has ended."""

    endpoint: str | None
    descriptor: EndpointDescriptor | None
    since: float
    ended: bool = False
    value: Any = UNSET


class ConnectionAnalysis:
    """Follows one connection; see the module docstring.

    Args:
        connection: Its number, which the events repeat.
        namespace: Its namespace. Of one that the schema does not have, only the envelope is checked.
        loose: Whether nobody knows what came before or between: then no id is a deviation.
        endpoint: Which endpoint the frames of a loose connection belong to whose request was not seen.
        namespaces: The schema.
    """

    def __init__(
        self,
        connection: int,
        namespace: str,
        *,
        loose: bool = False,
        endpoint: str | None = None,
        namespaces: Mapping[str, NamespaceDescriptor] = NAMESPACES,
    ) -> None:
        self.connection = connection
        self.namespace = namespace
        self._descriptor = namespaces.get(namespace)
        self._loose = loose
        self._endpoint = endpoint
        self._authenticated = loose
        self._known = self._descriptor is not None or loose
        self._asked_at: float | None = None
        self._open: dict[tuple[Kind, int], _Exchange] = {}
        self._ended: dict[tuple[Kind, int], _Exchange] = {}

    def frame(self, direction: Direction, text: bytes, time: float) -> FrameEvent:
        """Take the next frame."""
        event = FrameEvent(
            time=time,
            connection=self.connection,
            namespace=self.namespace,
            direction=direction,
            text=text,
            data=UNSET,
        )
        try:
            data = json_codec.loads(text)
        except UnicodeDecodeError:
            return attrs.evolve(event, deviations=(Deviation("", "text in UTF-8", "other bytes"),))
        except ValueError:
            return attrs.evolve(event, deviations=(Deviation("", "JSON", "other text"),))
        event = attrs.evolve(event, data=data)
        handshake = None
        if not self._authenticated or (self._loose and _is_handshake(data)):
            handshake = self._handshake(event)
        return self._with_namespace(handshake or self._ordinary(event))

    def _with_namespace(self, event: FrameEvent) -> FrameEvent:
        """Note once that the schema has no such namespace."""
        if self._known:
            return event
        self._known = True
        unknown = Deviation(
            "", f"a namespace of the protocol ({', '.join(NAMESPACES)})", describe(self.namespace)
        )
        return attrs.evolve(event, deviations=(unknown, *event.deviations))

    # The handshake.

    def _handshake(self, event: FrameEvent) -> FrameEvent | None:
        """Judge a frame of the authentication; None if it is none."""
        data = event.data
        if event.direction == "to_server":
            if isinstance(data, dict) and "type" in data and "authVersion" not in data:
                return None
            self._asked_at = event.time
            found = deviations_of(data, envelope.AuthenticationPacket.from_wire)
            return attrs.evolve(event, type="authentication", deviations=tuple(found))
        if isinstance(data, dict) and "type" in data and "success" not in data:
            return None
        if isinstance(data, dict) and data.get("success") is True:
            self._authenticated = True
        found = deviations_of(data, envelope.decode_authentication_result)
        latency = None if self._asked_at is None else event.time - self._asked_at
        return attrs.evolve(event, type="authenticationResult", latency=latency, deviations=tuple(found))

    # Frames behind the handshake.

    def _ordinary(self, event: FrameEvent) -> FrameEvent:
        data = event.data
        decode = (
            envelope.decode_client_frame if event.direction == "to_server" else envelope.decode_server_frame
        )
        found = deviations_of(data, decode)
        if not self._authenticated:
            found.append(Deviation("", "no frame before the authentication is answered", "one"))
        kind = data.get("type") if isinstance(data, dict) else None
        event = attrs.evolve(event, type=kind if isinstance(kind, str) else "")
        rule = _RULES.get(event.type)
        if rule is not None and not any(deviation.pointer == "" for deviation in found):
            event, more = self._exchanged(event, rule)
            found += more
        return attrs.evolve(event, deviations=tuple(found))

    def _exchanged(self, event: FrameEvent, rule: _Rule) -> tuple[FrameEvent, list[Deviation]]:
        """Say what a frame with an id belongs to, and judge what it carries."""
        number = event.data.get(rule.id_key)
        if isinstance(number, float) and number.is_integer():
            number = int(number)
        if not isinstance(number, int) or isinstance(number, bool):
            return attrs.evolve(event, kind=rule.kind), []  # a deviation of the envelope already
        key = (rule.kind, number)
        exchange = self._open.get(key)
        found: list[Deviation] = []
        if rule.step == "opens":
            if exchange is not None and not self._loose:
                found.append(Deviation(f"/{rule.id_key}", "an id that is not in use", describe(number)))
            exchange, fault = self._opened(event, rule)
            self._open[key] = exchange
            self._ended.pop(key, None)
            if fault is not None:
                found.append(fault)
        elif exchange is None:
            exchange, late = self._ended.get(key), False
            if exchange is not None:
                # The client's frames may cross the server's last one; what the server has ended, it has ended.
                late = event.direction == "to_server" or rule.kind in ("signal", "writableSignal")
            elif self._loose:
                exchange = self._guessed(rule, event)
                self._open[key] = exchange
            if not late and not self._loose:
                words = "an open call" if rule.kind == "rpc" else f"an open {rule.kind}"
                found.append(Deviation(f"/{rule.id_key}", f"the id of {words}", describe(number)))
            event = attrs.evolve(event, late=late)
        event = attrs.evolve(
            event,
            kind=rule.kind,
            id=number,
            endpoint=None if exchange is None else exchange.endpoint,
            latency=None if exchange is None or rule.step == "opens" else event.time - exchange.since,
            packet=_packet_type(event.data.get(rule.payload)) if rule.codec == "packet" else None,
        )
        if exchange is not None:
            found += self._judged(event, rule, exchange)
        if rule.step == "ends" and key in self._open:
            self._end(key)
        return event, found

    def _opened(self, event: FrameEvent, rule: _Rule) -> tuple[_Exchange, Deviation | None]:
        name = event.data.get("endpoint")
        exchange = _Exchange(name if isinstance(name, str) else None, None, event.time)
        if self._descriptor is None or exchange.endpoint is None:
            return exchange, None
        exchange.descriptor = self._table(rule.kind).get(exchange.endpoint)
        if isinstance(exchange.descriptor, SignalDescriptor) and rule.kind == "signal":
            exchange.descriptor = None if exchange.descriptor.writable else exchange.descriptor
        if exchange.descriptor is None:
            words = f"one of the {rule.kind} endpoints of {self.namespace}"
            return exchange, Deviation("/endpoint", words, describe(exchange.endpoint))
        return exchange, None

    def _guessed(self, rule: _Rule, event: FrameEvent) -> _Exchange:
        """An exchange whose request was not seen."""
        if self._endpoint is None:
            return _Exchange(None, None, event.time)
        return _Exchange(self._endpoint, self._table(rule.kind).get(self._endpoint), event.time)

    def _table(self, kind: Kind) -> Mapping[str, EndpointDescriptor]:
        if self._descriptor is None:
            return {}
        tables: Mapping[str, Mapping[str, EndpointDescriptor]] = {
            "rpc": self._descriptor.rpc,
            "channel": self._descriptor.channel,
        }
        return tables.get(kind, self._descriptor.signal)

    def _end(self, key: tuple[Kind, int]) -> None:
        self._ended[key] = self._open.pop(key)
        self._ended[key].value = UNSET
        if len(self._ended) > _REMEMBERED:
            del self._ended[next(iter(self._ended))]

    def _judged(self, event: FrameEvent, rule: _Rule, exchange: _Exchange) -> list[Deviation]:
        """Hold the opaque value of a frame against the endpoint's schema."""
        descriptor = exchange.descriptor
        if not rule.payload or descriptor is None:
            return []
        if rule.codec == "patches":
            assert isinstance(descriptor, SignalDescriptor)
            return self._judged_patches(event, descriptor, exchange)
        name = event.direction if rule.codec == "packet" else rule.codec
        return deviations_of(event.data, _payload_decoder(getattr(descriptor, name), rule.payload))

    def _judged_patches(
        self, event: FrameEvent, descriptor: SignalDescriptor[Any, Any], exchange: _Exchange
    ) -> list[Deviation]:
        raw = event.data.get("patches")
        if not isinstance(raw, list):
            return []  # a deviation of the envelope already
        try:
            decoded = signal_values.patches_from_wire(descriptor, raw)
        except DecodeError as error:
            return [Deviation(f"/patches{error.pointer}", error.expected, error.found)]
        if event.direction == "to_server" or event.late:
            return []  # what it applies to, only the client knows
        try:
            exchange.value = patches.apply(exchange.value, decoded)
        except patches.PatchError as error:
            return [Deviation("/patches", "patches that apply to the signal's value", str(error))]
        value = exchange.value
        found = deviations_of(value, partial(signal_values.to_typed, descriptor))
        return [
            Deviation(
                "/patches", f"a value that has {deviation.expected} at {deviation.pointer}", deviation.found
            )
            for deviation in found
        ]


def _is_handshake(data: Any) -> bool:
    return isinstance(data, dict) and "type" not in data and bool({"authVersion", "success"} & data.keys())


def _payload_decoder(codec: Codec[Any], key: str) -> Decode:
    def decode(frame: Any, decoding: Decoding) -> object:
        return codec.decode(frame.get(key, UNSET), decoding, (ROOT, key))

    return decode


def _packet_type(packet: Any) -> str | None:
    """The packet's own type; at superjson endpoints it is inside the envelope."""
    if isinstance(packet, dict) and "type" not in packet and isinstance(packet.get("json"), dict):
        packet = packet["json"]
    kind = packet.get("type") if isinstance(packet, dict) else None
    return kind if isinstance(kind, str) else None
