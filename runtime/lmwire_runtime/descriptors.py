"""Endpoints as data: what a stub, a server handler, a tool and a test need to know of one.

Generated code makes one frozen descriptor for each endpoint and one ``NamespaceDescriptor`` for each
namespace; everything else in lmwire takes descriptors as arguments and knows no endpoint by name.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, ClassVar, Final, Generic, Literal, TypeAlias, TypeVar

import attrs

from lmwire_runtime.wire import LENIENT, ROOT, UNSET, Decoding, Path

__all__ = [
    "VOID",
    "ChannelDescriptor",
    "Codec",
    "Decoder",
    "EndpointDescriptor",
    "NamespaceDescriptor",
    "Presence",
    "RpcDescriptor",
    "Serialization",
    "SignalDescriptor",
]

T = TypeVar("T")
Parameter = TypeVar("Parameter")
Result = TypeVar("Result")
Creation = TypeVar("Creation")
ToServer = TypeVar("ToServer")
ToClient = TypeVar("ToClient")

Serialization: TypeAlias = Literal["raw", "superjson"]
Presence: TypeAlias = Literal["required", "optional", "void"]
Decoder: TypeAlias = Callable[[Any, Decoding, Path], T]
"""Makes a typed value of parsed JSON, which stands at that path."""


@attrs.frozen(eq=False)
class Codec(Generic[T]):
    """How one opaque value of the envelope (parameter, result, packet, ...) is decoded and encoded.

    Attributes:
        decoder: Makes the typed value.
        encoder: Makes plain JSON data of the typed value.
        presence: ``void`` values have no key on the wire, ``optional`` ones may lack it; both are None in Python.
        type_name: What a reader calls the value; for messages and documentation.
        annotations: Which parts are no plain JSON at a superjson endpoint (see ``superjson.Annotations``).
    """

    decoder: Decoder[T]
    encoder: Callable[[T], Any]
    presence: Presence = "required"
    type_name: str = ""
    annotations: tuple[tuple[tuple[str | int | None, ...], str], ...] = ()

    def decode(self, value: Any, decoding: Decoding = LENIENT, path: Path = ROOT) -> T:
        """Decode a received value; ``value`` is UNSET where the wire had no key.

        Raises:
            DecodeError: The value does not fit the schema (see ``Decoding`` for what lenient mode lets pass).
        """
        if value is UNSET or value is None:
            if self.presence == "required":
                if value is None:  # null is a legal value of some types
                    return self.decoder(value, decoding, path)
                decoding.deviation(path, self.type_name or "a value", value)
            if value is None and decoding.strict:
                decoding.deviation(path, "no key at all", value)
            return None  # type: ignore[return-value]  # optional and void codecs have None in T
        if self.presence == "void":
            if decoding.strict:
                decoding.deviation(path, "no key at all", value)
            return None  # type: ignore[return-value]  # a void value that was sent carries nothing
        return self.decoder(value, decoding, path)

    def encode(self, value: T) -> Any:
        """Encode a value for sending; returns UNSET where the key has to be left out."""
        if self.presence != "required" and value is None:
            return UNSET
        return self.encoder(value)


def _decode_nothing(value: Any, decoding: Decoding, path: Path) -> None:
    decoding.deviation(path, "no key at all", value)


VOID: Final[Codec[None]] = Codec(
    decoder=_decode_nothing, encoder=lambda value: UNSET, presence="void", type_name="void"
)
"""The codec of values that are never sent."""


@attrs.frozen(eq=False)
class _EnvelopeCodec(Codec[T]):
    """The same values inside superjson's envelope, void ones too; pointers of errors begin at the envelope."""

    def decode(self, value: Any, decoding: Decoding = LENIENT, path: Path = ROOT) -> T:
        return self.decoder(value, decoding, path)

    def encode(self, value: T) -> Any:
        return self.encoder(value)


def _in_envelope(codec: Codec[T]) -> Codec[T]:
    if isinstance(codec, _EnvelopeCodec):
        return codec
    return _EnvelopeCodec(
        decoder=partial(_decode_envelope, codec),
        encoder=partial(_encode_envelope, codec),
        presence=codec.presence,
        type_name=codec.type_name,
        annotations=codec.annotations,
    )


def _decode_envelope(codec: Codec[T], value: Any, decoding: Decoding, path: Path) -> T:
    from lmwire_runtime import superjson  # few programs use such an endpoint

    return codec.decode(superjson.opened(value, path), decoding, (path, "json"))


def _encode_envelope(codec: Codec[T], value: T) -> Any:
    from lmwire_runtime import superjson

    return superjson.enveloped(codec.encode(value), codec.annotations)


@attrs.frozen(kw_only=True, eq=False)
class EndpointDescriptor:
    """What all kinds of endpoints have.

    Attributes:
        namespace: The wire's name of the namespace, which is also the path of its WebSocket.
        name: The wire's name of the endpoint.
        method: Name of the stub method and of the server's handler method.
        serialization: ``raw`` JSON, or ``superjson`` (a static property of the endpoint, never signalled on the wire):
            then all that is sent is wrapped in superjson's envelope, by codecs that the descriptor makes of those that
            it is given.
        description: One or more sentences for documentation and help.
    """

    namespace: str
    name: str
    method: str
    serialization: Serialization = "raw"
    description: str = ""

    _enveloped: ClassVar[tuple[str, ...]] = ()

    def __attrs_post_init__(self) -> None:
        if self.serialization == "superjson":
            for part in self._enveloped:
                object.__setattr__(self, part, _in_envelope(getattr(self, part)))


@attrs.frozen(kw_only=True, eq=False)
class RpcDescriptor(EndpointDescriptor, Generic[Parameter, Result]):
    """One call and its answer (frames ``rpcCall``, ``rpcResult``, ``rpcError``)."""

    _enveloped: ClassVar[tuple[str, ...]] = ("parameter", "result")

    parameter: Codec[Parameter]
    result: Codec[Result]


@attrs.frozen(kw_only=True, eq=False)
class ChannelDescriptor(EndpointDescriptor, Generic[Creation, ToServer, ToClient]):
    """One stream of packets in both directions (frames ``channelCreate``, ``channelSend``, ``channelClose``, ...).

    ``cancel`` is the packet, as plain JSON, by which a client asks the server to end this channel early; None where the
    endpoint has no such packet, so that only closing the connection ends it.
    """

    _enveloped: ClassVar[tuple[str, ...]] = ("creation", "to_server", "to_client")

    creation: Codec[Creation]
    to_server: Codec[ToServer]
    to_client: Codec[ToClient]
    cancel: Mapping[str, Any] | None = None

    def __attrs_post_init__(self) -> None:
        super().__attrs_post_init__()
        if self.serialization == "superjson" and self.cancel is not None and self.cancel.keys() != {"json"}:
            object.__setattr__(self, "cancel", {"json": self.cancel})


@attrs.frozen(kw_only=True, eq=False)
class SignalDescriptor(EndpointDescriptor, Generic[Creation, T]):
    """One observed value (frames ``signalSubscribe``, ``signalUpdate``, ...).

    ``writable`` ones take updates from clients. At a superjson endpoint each patch has an envelope, the value has none.
    """

    _enveloped: ClassVar[tuple[str, ...]] = ("creation",)

    creation: Codec[Creation]
    value: Codec[T]
    writable: bool = False


@attrs.frozen(kw_only=True, eq=False)
class NamespaceDescriptor:
    """All endpoints of one namespace, keyed by wire name.

    ``revision`` is the protocol revision of the schema that the descriptors were generated from.
    """

    name: str
    revision: str
    rpc: Mapping[str, RpcDescriptor[Any, Any]] = attrs.field(factory=dict)
    channel: Mapping[str, ChannelDescriptor[Any, Any, Any]] = attrs.field(factory=dict)
    signal: Mapping[str, SignalDescriptor[Any, Any]] = attrs.field(factory=dict)
