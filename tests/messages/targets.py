"""What is tested: each message class and union of the package, and each part of an endpoint, beside its schema.

Only the names come from the compiler: which class stands for which place of the schema files.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator
from types import ModuleType
from typing import Any, Final

import attrs

from lmwire_codegen.pipeline import compile_model
from lmwire_codegen.shapes import EnumDefinition, MessageDefinition, UnionDefinition
from lmwire_runtime.descriptors import Codec
from lmwire_runtime.wire import ROOT, Decoding, Message
from tests.messages.reference import objects_of
from tests.messages.schemas import FOLDER, PARTS, Schema, SchemaFiles

__all__ = ["EVERYTHING", "FILES", "LMWIRE", "EnumTarget", "Target", "Targets", "targets_of"]


@attrs.frozen
class Target:
    """Something that is decoded and encoded.

    Attributes:
        name: For the reader: module and name, or endpoint and part.
        schema: What it has to hold to.
        place: File and JSON pointer of the schema.
        decode: Takes parsed JSON and a mode.
        encode: Takes what ``decode`` gave.
        kind: The class, for messages.
        codec: The descriptor's codec, for parts of endpoints.
        optional: Whether a part may be absent.
        wrapped: Whether superjson's envelope is around it; ``decode`` and ``encode`` do without.
    """

    name: str
    schema: Schema = attrs.field(repr=False)
    place: tuple[str, str]
    decode: Callable[[Any, Decoding], Any] = attrs.field(repr=False)
    encode: Callable[[Any], Any] = attrs.field(repr=False)
    kind: type[Message] | None = None
    codec: Codec[Any] | None = None
    optional: bool = False
    wrapped: bool = False

    @property
    def group(self) -> str:
        """The module that has the class or union, or the namespace and kind of the endpoint."""
        return "/".join(self.name.split("/")[:2]) if self.codec else self.name.rpartition(".")[0]


@attrs.frozen
class EnumTarget:
    """An open set of strings: its members as the package has them, and its schema."""

    name: str
    members: frozenset[str]
    schema: Schema
    place: tuple[str, str]


def _decode_by(function: Callable[[Any, Decoding, Any], Any]) -> Callable[[Any, Decoding], Any]:
    return lambda value, decoding: function(value, decoding, ROOT)


@attrs.frozen
class Targets:
    """All of one package."""

    classes: list[Target]
    unions: list[Target]
    enums: list[EnumTarget]
    parts: list[Target]


def targets_of(files: SchemaFiles, package: str) -> Targets:
    """Find what the importable ``package`` has for each place of the schema that it was compiled from."""
    model, _ = compile_model(files.folder, package)
    found = Targets([], [], [], list(_parts(files, package)))
    for key, definition in model.schema.definitions.items():
        module = importlib.import_module(".".join((package, *model.module_of[key])))
        short = model.names[key]
        name = f"{module.__name__.removeprefix(package + '.')}.{short}"
        place = (definition.place.file, definition.place.pointer)
        schema = files.at(*place)
        if isinstance(definition, MessageDefinition):
            kind = getattr(module, short)
            found.classes.append(Target(name, schema, place, _by(kind.from_wire), _to_wire, kind))
        elif isinstance(definition, UnionDefinition):
            objects = {"anyOf": objects_of(schema)}  # a union in a choice is but a part of it
            whole = schema if len(objects["anyOf"]) == len(schema["anyOf"]) else objects
            found.unions.append(Target(name, whole, place, _by(_decoder_of(module, short)), _to_wire))
        elif isinstance(definition, EnumDefinition):
            found.enums.append(EnumTarget(name, _members_of(module, short), schema, place))
    return found


def _by(function: Callable[[Any, Decoding, Any], Any]) -> Callable[[Any, Decoding], Any]:
    return lambda value, decoding: function(value, decoding, ROOT)


def _to_wire(value: Any) -> Any:
    return value.to_wire()


def _decoder_of(module: ModuleType, union: str) -> Any:
    """The public function that decodes a union: it is the one that says so."""
    (function,) = (
        value
        for name, value in vars(module).items()
        if not name.startswith("_")
        and getattr(value, "__module__", "") == module.__name__
        and getattr(value, "__annotations__", {}).get("return") == union
    )
    return function


def _members_of(module: ModuleType, enum: str) -> Any:
    """The constant that lists an enum: its name is the enum's in capitals."""
    (members,) = (
        value
        for name, value in vars(module).items()
        if name.endswith("_MEMBERS") and name.replace("_", "") == f"{enum}Members".upper()
    )
    return members


def _parts(files: SchemaFiles, package: str) -> Iterator[Target]:
    for namespace, kind, name, part, file, optional in files.endpoint_parts():
        module: Any = importlib.import_module(f"{package}.{namespace}.descriptor")
        endpoint = getattr(module.NAMESPACE, kind)[name]
        codec = getattr(endpoint, PARTS[part])
        place = (file, f"/{kind}/{name}/{part}")
        wrapped = endpoint.serialization == "superjson"
        inner = _inside_envelope(codec) if wrapped else codec
        yield Target(
            f"{namespace}/{kind}/{name}/{part}", files.at(*place), place, _by(inner.decoder), inner.encoder,
            codec=codec, optional=optional, wrapped=wrapped,
        )  # fmt: skip


def _inside_envelope(codec: Codec[Any]) -> Codec[Any]:
    """The codec of what superjson wraps: the schema describes only that, the envelope has tests of its own."""
    decoder: Any = codec.decoder
    inner = decoder.args[0]
    assert isinstance(inner, Codec)
    return inner


FILES: Final = SchemaFiles(FOLDER)
LMWIRE: Final = targets_of(FILES, "lmwire")
EVERYTHING: Final = [*LMWIRE.classes, *LMWIRE.unions, *LMWIRE.parts]
