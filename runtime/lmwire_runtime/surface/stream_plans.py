"""What a stream of text is asked for, and what its packets mean: values that the compiler and callers fill in."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Generic, TypeVar, overload

import attrs

from lmwire_runtime.connection import packet_decoder
from lmwire_runtime.descriptors import ChannelDescriptor, Decoder
from lmwire_runtime.limits import Timeout
from lmwire_runtime.surface.templates import fill
from lmwire_runtime.wire import ROOT, Decoding, Path

__all__ = [
    "Attempt",
    "Attempts",
    "Callbacks",
    "Collected",
    "MessagePlan",
    "Opening",
    "Request",
    "StreamPlan",
    "Yields",
]

F = TypeVar("F")


@attrs.frozen(kw_only=True, eq=False)
class Collected:
    """Something that a packet carries and a stream keeps.

    Attributes:
        name: Under which it is kept, in a list.
        attribute: Of the packet.
        callback: The parameter with the function that is called with it, if there is one.
    """

    name: str
    attribute: str
    callback: str | None = None


@attrs.frozen(kw_only=True, eq=False)
class Yields:
    """The packets that carry a fragment.

    Attributes:
        packet: Their class.
        attribute: Of the packet, the fragment.
        tag: On the wire, the member that tells them from others, and its value.
        field: On the wire, the member that is the fragment.
        fragment: The fragment's class.
    """

    packet: type
    attribute: str
    tag: tuple[str, str]
    field: str
    fragment: type[Any]

    def decoder(self, decode_packet: Decoder[Any]) -> Decoder[Any]:
        """Return what decodes packets, but gives fragments instead of the packets that carry them."""
        (key, tag), field, decode_fragment = self.tag, self.field, self.fragment.from_wire
        place = (ROOT, field)

        def decode(raw: Any, decoding: Decoding, path: Path) -> Any:
            try:
                value = raw[field] if raw[key] == tag else None
            except (KeyError, TypeError):
                value = None
            # Nearly all packets are these: no object is made of what is around the fragment.
            if type(value) is dict and not decoding.strict:
                return decode_fragment(value, decoding, place if path is ROOT else (path, field))
            packet = decode_packet(raw, decoding, path)
            return getattr(packet, self.attribute) if type(packet) is self.packet else packet

        return decode


@attrs.frozen(kw_only=True, eq=False)
class Opening:
    """How a channel is opened.

    Attributes:
        descriptor: The endpoint.
        template: Its creation parameter, see ``surface.templates``.
        default_fields: Config fields that are sent where the caller has not set their key.
    """

    descriptor: ChannelDescriptor[Any, Any, Any]
    template: Mapping[str, Any]
    default_fields: Sequence[Mapping[str, Any]] = ()

    def decoder(self) -> Decoder[Any]:
        """Return what a stream reads its packets with."""
        return packet_decoder(self.descriptor)


@attrs.frozen(kw_only=True, eq=False)
class Attempt(Opening):
    """One endpoint that can serve a stream of text.

    Attributes:
        yields: The packets that carry what is yielded.
        progress: Packet classes that report progress, and the attribute that holds it (0.0 to 1.0).
        result: The packet class that ends the stream with its result.
        events: The packet classes that ``events()`` yields beside the fragments.
        collects: Packet classes, all of them events too, that carry something to keep.
    """

    yields: Yields
    progress: Mapping[type, str]
    result: type
    events: frozenset[type] = frozenset()
    collects: Mapping[type, Collected] = attrs.field(factory=dict)

    def decoder(self) -> Decoder[Any]:
        """Return what reads fragments and packets of the other kinds."""
        return self.yields.decoder(super().decoder())


class Attempts(Sequence[Attempt]):
    """The endpoints that can serve a stream, best first; each is made, and imports its classes, when it is tried."""

    def __init__(self, *makers: Callable[[], Attempt]) -> None:
        self._makers = makers
        self._made: dict[int, Attempt] = {}

    def __len__(self) -> int:
        return len(self._makers)

    @overload
    def __getitem__(self, index: int) -> Attempt: ...

    @overload
    def __getitem__(self, index: slice) -> Sequence[Attempt]: ...

    def __getitem__(self, index: int | slice) -> Attempt | Sequence[Attempt]:
        if isinstance(index, slice):
            return [self[place] for place in range(len(self))[index]]
        if index not in self._made:
            self._made[index] = self._makers[index]()
        return self._made[index]


@attrs.frozen(kw_only=True, eq=False)
class MessagePlan:
    """How the whole of a stream becomes a message.

    Attributes:
        template: The message, with ``$content`` for the list of its parts.
        text: The part that is the text, with ``$text``.
        items: Names under which something is kept -> the part that each of them is, with ``$item``.
        decode: Makes the message of plain JSON.
    """

    template: Mapping[str, Any]
    text: Mapping[str, Any]
    items: Mapping[str, Mapping[str, Any]] = attrs.field(factory=dict)
    decode: Callable[[Any], Any]

    def make(self, text: str, collected: Mapping[str, Sequence[Any]]) -> Any:
        """Return the message: its text, unless there are only other parts, then those."""
        parts = [
            fill(template, {"item": item.to_wire()})
            for name, template in self.items.items()
            for item in collected.get(name, ())
        ]
        if text or not parts:
            parts.insert(0, fill(self.text, {"text": text}))
        return self.decode(fill(self.template, {"content": parts}))


@attrs.frozen(kw_only=True, eq=False)
class StreamPlan:
    """How a stream is asked for and what becomes of it.

    Attributes:
        attempts: The endpoints, best first.
        text: The attribute of a fragment that holds its text.
        message: Returns the plan of what ``on_message`` gets, and the result has; asked only if somebody wants it.
    """

    attempts: Sequence[Attempt]
    text: str
    message: Callable[[], MessagePlan]


@attrs.frozen(kw_only=True, eq=False)
class Request:
    """What a caller asked for.

    Attributes:
        variables: The templates' variables.
        fields: The config fields, plain JSON.
        structured: Whether the text is to be read as JSON.
    """

    variables: Mapping[str, Any]
    fields: Sequence[Mapping[str, Any]] = ()
    structured: bool = False
    timeout: Timeout = attrs.field(kw_only=True)

    def creation(self, opening: Opening) -> Any:
        """Return the creation parameter with which one channel is opened."""
        given = {field["key"] for field in self.fields}
        defaults = [dict(field) for field in opening.default_fields if field["key"] not in given]
        return fill(opening.template, {**self.variables, "options": [*self.fields, *defaults]})


@attrs.frozen(kw_only=True, eq=False)
class Callbacks(Generic[F]):
    """What a caller wants to be told, in the thread or task that reads the stream.

    A callback that raises ends the stream with its exception, and the server is asked to stop. ``on_collected`` has
    those for what a stream keeps, by the name of the parameter.
    """

    on_prediction_fragment: Callable[[F], Any] | None = None
    on_first_token: Callable[[], Any] | None = None
    on_prompt_processing_progress: Callable[[float], Any] | None = None
    on_message: Callable[[Any], Any] | None = None
    on_collected: Mapping[str, Callable[[Any], Any] | None] = attrs.field(factory=dict)

    def by_parameter(self) -> dict[str, Callable[..., Any] | None]:
        """Return each callback by the name of the parameter that it was given as."""
        named = attrs.asdict(self, recurse=False)
        named.update(named.pop("on_collected"))
        return named
