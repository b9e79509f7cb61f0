"""What ``schema/surface/*.yaml`` says once every name in it is looked up: Python names only, for templates."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import attrs

from lmwire_codegen.model import ModulePath, Namespace

__all__ = [
    "AttemptPlan",
    "CallPlan",
    "ChatShape",
    "ClassRef",
    "CollectedItems",
    "CollectedPacket",
    "Downloaded",
    "Input",
    "LoadPlan",
    "MessageShape",
    "Method",
    "OptionTable",
    "ResultField",
    "StreamPlan",
    "Surface",
    "TextShape",
    "ToolsInput",
]


@attrs.frozen(kw_only=True)
class ClassRef:
    """A class, or another name, of the generated package."""

    name: str
    module: ModulePath


@attrs.frozen(kw_only=True)
class OptionTable:
    """The generated table of options, its config class and the class of dicts that type checkers accept in
    its place.
    """

    constant: str
    config_class: str
    dict_class: str


@attrs.frozen(kw_only=True)
class Input:
    """A parameter of a method, whose value stands in a template under its name.

    Attributes:
        kind: ``text``, ``chat`` or ``object``.
        type: The class of an ``object``.
    """

    name: str
    kind: str
    description: str
    type: ClassRef | None = None


@attrs.frozen(kw_only=True)
class ChatShape:
    """How callers may write a chat; see ``lmwire_runtime.surface.chats.ChatPlan``."""

    type: ClassRef
    messages: str
    role_field: str
    role: str
    content: str
    text: Any
    texts: Any
    wraps: Any


@attrs.frozen(kw_only=True)
class CallPlan:
    """What a method sends, where it is made from a template.

    Attributes:
        descriptor: The endpoint.
        template: Its parameter.
        inputs: What the method takes.
        options: Table of the options that it takes as ``config``, or None.
        layer: What ``$layers`` consists of, if there are options; or None.
    """

    descriptor: ClassRef
    template: Any
    inputs: Sequence[Input]
    options: str | None
    layer: Any


@attrs.frozen(kw_only=True)
class Method:
    """A method of a handle or namespace: one call, through a stub or of a template.

    Attributes:
        name, description: Of the method.
        stub: Name of the stub's method.
        specifier: Parameter of the stub that says which model is meant, or None.
        arguments: Text parameter of the method -> parameter of the stub.
        each: The parameter that may be a list, or None.
        fixed: Parameter of the stub -> its value.
        call: What is sent, if it is no matter of the stub's parameters.
        returns: Attribute of the result that is returned, or None.
        hint: Type hint of what one call returns; ``None`` if it returns nothing.
        result_hint: Type hint of what the endpoint returns.
        uses: Classes that the hints mention.
        reads: Option table that reads the result, or None.
        optional: Whether the server may answer with nothing.
    """

    name: str
    description: str
    stub: str
    specifier: str | None
    arguments: Mapping[str, str]
    each: str | None
    fixed: Mapping[str, Any]
    call: CallPlan | None
    returns: str | None
    hint: str
    result_hint: str
    uses: Sequence[ClassRef]
    reads: str | None
    optional: bool


@attrs.frozen(kw_only=True)
class Downloaded:
    """The listing of models on disk, by another namespace's stub, and the class of those that are meant."""

    namespace: str
    stub: str
    type: ClassRef


@attrs.frozen(kw_only=True)
class LoadPlan:
    """A loading channel with its classes."""

    name: str
    descriptor: ClassRef
    options: str
    template: Any
    begins: Sequence[ClassRef]
    ambiguous: Sequence[tuple[ClassRef, str]]
    progress: Sequence[tuple[ClassRef, str]]
    results: Sequence[tuple[ClassRef, str]]

    @property
    def classes(self) -> list[ClassRef]:
        """All that its module imports."""
        fields = (*self.ambiguous, *self.progress, *self.results)
        return [self.descriptor, *self.begins, *(ref for ref, _ in fields)]


@attrs.frozen(kw_only=True)
class CollectedPacket:
    """A packet that carries something to keep: which, the attribute that has it, and the name to keep it under."""

    packet: ClassRef
    attribute: str
    name: str


@attrs.frozen(kw_only=True)
class YieldingPacket:
    """A packet that carries what is yielded: which, in what attribute and member, and what tells it from others."""

    packet: ClassRef
    attribute: str
    tag: tuple[str, str]
    field: str


@attrs.frozen(kw_only=True)
class AttemptPlan:
    """One endpoint of a stream with its classes."""

    descriptor: ClassRef
    template: Any
    default_fields: Any
    yields: YieldingPacket
    progress: Sequence[tuple[ClassRef, str]]
    events: Sequence[ClassRef]
    collects: Sequence[CollectedPacket]
    result: ClassRef

    @property
    def classes(self) -> list[ClassRef]:
        """All that its module imports."""
        others = [ref for ref, _ in self.progress]
        return [self.descriptor, self.yields.packet, *others, *self.events, self.result]


@attrs.frozen(kw_only=True)
class ResultField:
    """A property of a result class; ``hints`` are the types that it has in the packets that end streams."""

    name: str
    attribute: str
    hints: Sequence[ClassRef]
    reads: str | None
    description: str

    @property
    def hint(self) -> str:
        return " | ".join(ref.name for ref in self.hints)


@attrs.frozen(kw_only=True)
class CollectedItems:
    """What a stream keeps under a name, in a list of ``type``; ``callback`` is the parameter that is told each."""

    name: str
    type: ClassRef
    callback: str | None
    description: str


@attrs.frozen(kw_only=True)
class MessageShape:
    """How a whole text becomes a message; see ``lmwire_runtime.surface.stream_plans.MessagePlan``."""

    type: ClassRef
    decoder: str
    template: Any
    text: Any
    items: Any

    @property
    def decoded(self) -> ClassRef:
        """What the decoder is a part of, to be imported."""
        return ClassRef(name=self.decoder.partition(".")[0], module=self.type.module)


@attrs.frozen(kw_only=True)
class TextShape:
    """What all streams of text of a namespace have in common."""

    fragment: ClassRef
    text: str
    stream_class: str
    result_class: str
    event_type: str
    options: str
    structured_option: str
    message: MessageShape
    results: Sequence[ResultField]
    collected: Sequence[CollectedItems]


@attrs.frozen(kw_only=True)
class ToolsInput:
    """Tools as a parameter: another way to give an option."""

    option: str
    type: ClassRef
    template: Any


@attrs.frozen(kw_only=True)
class StreamPlan:
    """A stream of text with its classes."""

    name: str
    description: str
    input: Input
    tools: ToolsInput | None
    refuses: Sequence[str]
    attempts: Sequence[AttemptPlan]

    def callbacks(self, text: TextShape) -> list[CollectedItems]:
        """What the stream may keep and tell."""
        kept = {collected.name for attempt in self.attempts for collected in attempt.collects}
        return [items for items in text.collected if items.callback and items.name in kept]


@attrs.frozen(kw_only=True)
class Surface:
    """The friendly side of one namespace; ``source`` is the file that says it."""

    source: str
    namespace: Namespace
    handle: str
    handle_description: str
    specifier: Any
    specifier_type: ClassRef
    specifier_decoder: str
    options: Mapping[str, OptionTable]
    chat: ChatShape | None
    methods: Sequence[Method]
    calls: Sequence[Method]
    downloaded: Downloaded | None
    list_method: str
    list_item: ClassRef
    unload_method: str
    loads: Sequence[LoadPlan]
    text: TextShape | None
    streams: Sequence[StreamPlan]

    @property
    def plans(self) -> list[tuple[str, CallPlan]]:
        """Function -> plan of every call that is made from a template."""
        return [
            (f"{method.name}_call", method.call) for method in (*self.methods, *self.calls) if method.call
        ]

    @property
    def texts(self) -> Mapping[str, str]:
        """Message class -> the attribute that is its text, for ``str``."""
        return {} if self.text is None else {self.text.fragment.name: self.text.text}

    @property
    def events(self) -> list[ClassRef]:
        """The classes of all events of its streams."""
        return [ref for stream in self.streams for attempt in stream.attempts for ref in attempt.events]
