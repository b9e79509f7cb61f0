"""Example frames of every endpoint: what goes over the wire from its beginning to its end, with ids.

Values are made of the schema's JSON by ``samples``; what usually stands in a field, so that an example can be read by
people, ``schema/examples.yaml`` says.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final, Literal, TypeAlias

import attrs

from lmwire_codegen.annotations import annotations_of
from lmwire_codegen.load import SchemaFolder
from lmwire_codegen.model import Endpoint, Model
from lmwire_codegen.problems import Location
from lmwire_codegen.samples import Sampler
from lmwire_codegen.shapes import Named, NormalEndpoint, UnionDefinition

__all__ = ["FRAMES", "ExampleFrame", "Examples", "Packet", "Side", "label_of", "packets_of"]

Side: TypeAlias = Literal["server", "client"]

_LEFT_OUT: Final = object()
_ID: Final = 1
_MOST: Final = 1600


@attrs.frozen(kw_only=True)
class ExampleFrame:
    """A frame on its way.

    Attributes:
        to: Who gets it.
        name: What it is among the frames of its endpoint: ``call``, ``toClient[success]``.
        data: The frame.
    """

    to: Side
    name: str
    data: Mapping[str, Any]


@attrs.frozen
class FrameShape:
    """What a kind of frame has beside its type: the field of its id, the one of what an endpoint says, an endpoint."""

    id: str
    opaque: str = ""
    begins: bool = False


FRAMES: Final[Mapping[str, FrameShape]] = {
    "rpcCall": FrameShape("callId", "parameter", True),
    "rpcResult": FrameShape("callId", "result"),
    "channelCreate": FrameShape("channelId", "creationParameter", True),
    "channelSend": FrameShape("channelId", "message"),
    "channelClose": FrameShape("channelId"),
    "signalSubscribe": FrameShape("subscribeId", "creationParameter", True),
    "signalUpdate": FrameShape("subscribeId", "patches"),
    "signalUnsubscribe": FrameShape("subscribeId"),
    "writableSignalSubscribe": FrameShape("subscribeId", "creationParameter", True),
    "writableSignalUpdate": FrameShape("subscribeId", "patches"),
    "writableSignalUnsubscribe": FrameShape("subscribeId"),
}
"""The frames of which endpoints are made."""


@attrs.frozen(kw_only=True)
class Packet:
    """A packet of a channel: its name, where its schema is, its definition and tag if it has them."""

    name: str
    place: Location
    key: str | None = None
    tag: str | bool | int | None = None


def packets_of(model: Model, source: NormalEndpoint, part: str) -> Iterator[Packet]:
    """Yield the packets of one direction of a channel, none if they are void."""
    type_ = source.parts[part].type
    if type_ is None:
        return
    definition = model.definition(type_.key) if isinstance(type_, Named) else None
    if not isinstance(definition, UnionDefinition):
        yield Packet(name=part, place=source.place.child(part))
        return
    for tag, arm in definition.arms:
        place = model.definition(arm.key).place
        yield Packet(name=f"{part}[{label_of(tag)}]", place=place, key=arm.key, tag=tag)


class Examples:
    """Makes the frames."""

    def __init__(self, model: Model, folder: SchemaFolder) -> None:
        self._model = model
        self._sampler = Sampler(folder.documents, folder.repairs, folder.examples)

    def of_place(self, place: Location) -> Any:
        """Return an instance of a schema.

        Raises:
            NoSampleError: None was found.
        """
        return self._sampler.example(place, _MOST)

    def of_endpoint(self, endpoint: Endpoint) -> list[ExampleFrame]:
        """Return the frames of an endpoint, in an order in which they may be sent.

        Raises:
            NoSampleError: No value was found of one of its parts.
        """
        return list(_SCRIPTS[endpoint.source.kind](self, endpoint.source))

    # --- scripts ------------------------------------------------------------------------------------------------

    def _rpc(self, source: NormalEndpoint) -> Iterator[ExampleFrame]:
        yield self._frame("server", "call", "rpcCall", source, self._part(source, "parameter"))
        yield self._frame("client", "result", "rpcResult", source, self._part(source, "result"))

    def _channel(self, source: NormalEndpoint) -> Iterator[ExampleFrame]:
        yield self._frame("server", "create", "channelCreate", source, self._part(source, "creation"))
        for to, part in _WAYS:
            for packet in packets_of(self._model, source, part):
                message = self._value(source, part, packet.place)
                yield self._frame(to, packet.name, "channelSend", source, message)
        yield self._frame("client", "close", "channelClose", source)

    def _signal(self, source: NormalEndpoint) -> Iterator[ExampleFrame]:
        kind = "writableSignal" if source.writable else "signal"
        yield self._frame("server", "subscribe", f"{kind}Subscribe", source, self._part(source, "creation"))
        value = self.of_place(source.place.child("value"))
        annotations = tuple((("value", *steps), kind) for steps, kind in self._annotations(source, "value"))
        patch = self._serialized(source, {"op": "replace", "path": [], "value": value}, annotations)
        yield self._frame("client", "update", f"{kind}Update", source, [patch], tags=[])
        if source.writable:
            for to, name in _WRITE:
                yield self._frame(to, name, f"{kind}Update", source, [patch], tags=["write-1"])
        yield self._frame("server", "unsubscribe", f"{kind}Unsubscribe", source)

    @staticmethod
    def _frame(
        to: Side, name: str, kind: str, source: NormalEndpoint, value: Any = _LEFT_OUT, **more: Any
    ) -> ExampleFrame:
        shape = FRAMES[kind]
        data: dict[str, Any] = {"type": kind}
        if shape.begins:
            data["endpoint"] = source.name
        data[shape.id] = _ID
        if value is not _LEFT_OUT:
            data[shape.opaque] = value
        return ExampleFrame(to=to, name=name, data=data | more)

    # --- parts --------------------------------------------------------------------------------------------------

    def _part(self, source: NormalEndpoint, part: str) -> Any:
        """Return the value of a part; of a void one nothing, unless superjson has a word for that."""
        if source.parts[part].type is not None:
            return self._value(source, part, source.place.child(part))
        if source.serialization == "raw":
            return _LEFT_OUT
        from lmwire_runtime.wire import UNSET

        return self._serialized(source, UNSET, ())

    def _value(self, source: NormalEndpoint, part: str, place: Location) -> Any:
        return self._serialized(source, self.of_place(place), self._annotations(source, part))

    def _annotations(self, source: NormalEndpoint, part: str) -> Any:
        type_ = source.parts[part].type
        return () if type_ is None else annotations_of(self._model, type_)

    @staticmethod
    def _serialized(source: NormalEndpoint, value: Any, annotations: Any) -> Any:
        if source.serialization == "raw":
            return value
        from lmwire_runtime import superjson

        return superjson.enveloped(value, annotations)


def label_of(tag: str | bool | int) -> str:
    """Return the value of a tag as keys have it."""
    return str(tag).lower() if isinstance(tag, bool) else str(tag)


_WAYS: Final[tuple[tuple[Side, str], ...]] = (("server", "toServer"), ("client", "toClient"))

_WRITE: Final[tuple[tuple[Side, str], ...]] = (("server", "write"), ("client", "settled"))

_SCRIPTS: Final[Mapping[str, Callable[[Examples, NormalEndpoint], Iterator[ExampleFrame]]]] = {
    "rpc": Examples._rpc, "channel": Examples._channel, "signal": Examples._signal,
}  # fmt: skip
