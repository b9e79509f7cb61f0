"""What ``schema/surface/*.yaml`` says once every name in it is looked up: Python names only, for templates."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import attrs

from lmwire_codegen.model import ModulePath, Namespace

__all__ = [
    "AttemptPlan",
    "ClassRef",
    "LoadPlan",
    "Method",
    "OptionTable",
    "ResultField",
    "StreamPlan",
    "Surface",
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
class Method:
    """A method of a handle: one call through a stub.

    Attributes:
        name, description: Of the method.
        stub: Name of the stub's method.
        arguments: Text parameter of the method -> parameter of the stub.
        each: The parameter that may be a list, or None.
        fixed: Parameter of the stub -> its value.
        returns: Attribute of the result that is returned, or None.
        hint: Type hint of what one call returns.
        uses: Classes that the hint mentions.
        reads: Option table that reads the result, or None.
        optional: Whether the server may answer with nothing.
    """

    name: str
    description: str
    stub: str
    arguments: Mapping[str, str]
    each: str | None
    fixed: Mapping[str, Any]
    returns: str | None
    hint: str
    uses: Sequence[ClassRef]
    reads: str | None
    optional: bool


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
class AttemptPlan:
    """One endpoint of a stream with its classes."""

    descriptor: ClassRef
    template: Any
    default_fields: Any
    fragment: tuple[ClassRef, str]
    progress: Sequence[tuple[ClassRef, str]]
    result: ClassRef

    @property
    def classes(self) -> list[ClassRef]:
        """All that its module imports."""
        return [self.descriptor, self.fragment[0], *(ref for ref, _ in self.progress), self.result]


@attrs.frozen(kw_only=True)
class ResultField:
    """A property of a result class."""

    name: str
    attribute: str
    hint: ClassRef
    reads: str | None
    description: str


@attrs.frozen(kw_only=True)
class StreamPlan:
    """A stream of text with its classes."""

    name: str
    description: str
    stream_class: str
    result_class: str
    fragment: ClassRef
    text: str
    options: str
    structured_option: str
    refuses: Sequence[str]
    message: Any
    message_type: ClassRef
    message_decoder: str
    results: Sequence[ResultField]
    attempts: Sequence[AttemptPlan]


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
    methods: Sequence[Method]
    list_method: str
    list_item: ClassRef
    unload_method: str
    loads: Sequence[LoadPlan]
    streams: Sequence[StreamPlan]

    @property
    def texts(self) -> Mapping[str, str]:
        """Message class -> the attribute that is its text, for ``str``."""
        return {stream.fragment.name: stream.text for stream in self.streams}
