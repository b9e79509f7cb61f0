"""What a surface file without a handle says, once every name in it is looked up: Python names only, for templates."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import attrs

from lmwire_codegen.model import Namespace
from lmwire_codegen.surface_model import ClassRef, OptionTable

__all__ = ["Events", "Made", "NamespaceCall", "NamespaceSurface", "Operation", "Parameter", "Told"]


@attrs.frozen(kw_only=True)
class Parameter:
    """A parameter of a method.

    Attributes:
        hint: Its type hint, without a default.
        default: The Python expression of its default; None if it has to be given.
        positional: Whether it may be given without its name.
        classes, attribute: See ``lmwire_runtime.surface.inputs.Input``.
        sent: The Python expression of what is sent if it is None; empty if nothing is.
        of: The parameter with the file that it is the name of; empty if it is none.
        uses: Classes that the hint mentions.
    """

    name: str
    kind: str
    description: str
    hint: str
    default: str | None
    positional: bool
    classes: Sequence[ClassRef]
    attribute: str
    sent: str
    of: str
    uses: Sequence[ClassRef]


@attrs.frozen(kw_only=True)
class Made:
    """What a method returns in place of the endpoint's result: a type, its decoder and its template."""

    type: ClassRef
    decoder: str
    template: Any


@attrs.frozen(kw_only=True)
class _Method:
    """What all methods of a namespace have.

    Attributes:
        wire: Kind and wire name of the endpoint.
        descriptor: Of the endpoint.
        template: The request, or None if it is void.
        uses: Classes that hints mention.
    """

    name: str
    description: str
    wire: str
    descriptor: ClassRef
    parameters: Sequence[Parameter]
    template: Any
    hint: str
    uses: Sequence[ClassRef]

    @property
    def positional(self) -> list[Parameter]:
        """The parameters that may be given without their names."""
        return [parameter for parameter in self.parameters if parameter.positional]

    @property
    def named(self) -> list[Parameter]:
        """The others."""
        return [parameter for parameter in self.parameters if not parameter.positional]

    @property
    def classes(self) -> list[ClassRef]:
        """What its plan needs."""
        return [self.descriptor, *(ref for parameter in self.parameters for ref in parameter.classes)]


@attrs.frozen(kw_only=True)
class NamespaceCall(_Method):
    """One call: what of its result is returned, as an attribute, or what is made of it."""

    returns: str | None
    made: Made | None

    @property
    def reads_files(self) -> bool:
        """Whether it may wait for the disk before it sends anything."""
        return any(parameter.kind == "content" for parameter in self.parameters)

    @property
    def classes(self) -> list[ClassRef]:
        """What its plan needs."""
        made = (
            []
            if self.made is None
            else [attrs.evolve(self.made.type, name=self.made.decoder.partition(".")[0])]
        )
        return [*super().classes, *made]


@attrs.frozen(kw_only=True)
class Told:
    """A packet that an operation tells; ``attributes`` is None if the packet itself is what is told."""

    callback: str
    description: str
    packet: ClassRef
    attributes: tuple[str, ...] | None
    hints: Sequence[str]
    rising: bool
    uses: Sequence[ClassRef]


@attrs.frozen(kw_only=True)
class Operation(_Method):
    """A channel with one result.

    Attributes:
        event_type: What iterating it yields: the name of a union of packets.
        options: Table of the options that it takes as ``config``, or None.
        patient: Whether it waits for ever by default.
        result: The packet that ends it, or None if the server's close does.
        attribute: Of that packet, what is returned; empty for the packet itself, None for nothing.
        cancellable: Whether the server can be asked to stop.
    """

    event_type: str
    options: str | None
    patient: bool
    tells: Sequence[Told]
    result: ClassRef | None
    attribute: str | None
    cancellable: bool

    @property
    def classes(self) -> list[ClassRef]:
        """What its plan needs."""
        ends = [] if self.result is None else [self.result]
        return [*super().classes, *(told.packet for told in self.tells), *ends]


@attrs.frozen(kw_only=True)
class Events(_Method):
    """A channel without an end: the packet that is an event, and its attribute that is yielded."""

    packet: ClassRef
    attribute: str

    @property
    def classes(self) -> list[ClassRef]:
        """What its plan needs."""
        return [*super().classes, self.packet]


@attrs.frozen(kw_only=True)
class NamespaceSurface:
    """The friendly side of a namespace without handles; ``source`` is the file that says it."""

    source: str
    namespace: Namespace
    options: Mapping[str, OptionTable]
    calls: Sequence[NamespaceCall]
    operations: Sequence[Operation]
    events: Sequence[Events]

    @property
    def class_name(self) -> str:
        """The class of the namespace, for threads; ``Async`` in front makes the other one."""
        return self.namespace.stem

    @property
    def methods(self) -> list[NamespaceCall | Operation | Events]:
        """All of them, in order."""
        return [*self.calls, *self.operations, *self.events]
