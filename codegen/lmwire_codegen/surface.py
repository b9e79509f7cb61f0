"""Beside the fourth stage: ``schema/surface/*.yaml``, resolved against the model.

The files say which endpoints become friendly methods. Here every name in them is looked up: endpoints,
packets by their tag, fields by their wire name, types. Templates get Python names only.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from importlib import resources
from typing import Any, Final

import attrs
import jsonschema

from lmwire_codegen.model import Endpoint, Model, ModulePath, Namespace
from lmwire_codegen.naming import snake_case
from lmwire_codegen.problems import Location, Problems
from lmwire_codegen.shapes import ArrayType, MessageDefinition, Named, Type, UnionDefinition, named_in

__all__ = [
    "AttemptPlan",
    "ClassRef",
    "LoadPlan",
    "Method",
    "OptionTable",
    "ResultField",
    "StreamPlan",
    "Surface",
    "build_surfaces",
]

_VARIABLES: Final = frozenset(
    {
        "identifier",
        "instance_identifier",
        "model_key",
        "options",
        "preset",
        "prompt",
        "specifier",
        "text",
        "ttl_ms",
    }
)


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
    progress: Sequence[tuple[ClassRef, str]]
    results: Sequence[tuple[ClassRef, str]]

    @property
    def classes(self) -> list[ClassRef]:
        """All that its module imports."""
        return [self.descriptor, *self.begins, *(ref for ref, _ in (*self.progress, *self.results))]


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


def build_surfaces(model: Model, documents: Mapping[str, Any]) -> tuple[Surface, ...]:
    """Resolve the surface files against the model.

    Args:
        model: The package.
        documents: Parsed YAML below ``surface/``, by path relative to the schema folder.

    Raises:
        SchemaProblems: A file has the wrong shape, or names what the schema does not have.
    """
    problems = Problems()
    schema = json.loads(
        resources.files("lmwire_codegen").joinpath("surface.schema.json").read_text(encoding="utf-8")
    )
    validator = jsonschema.Draft202012Validator(schema)
    surfaces: list[Surface] = []
    for file, document in sorted(documents.items()):
        faults = list(validator.iter_errors(document))
        for fault in faults:
            problems.add(Location(file).child(*fault.absolute_path), fault.message)
        if not faults:
            surface = _Resolver(model, file, problems).surface(document)
            if surface is not None:
                surfaces.append(surface)
    problems.raise_if_any()
    return tuple(surfaces)


class _Unresolved(Exception):
    """Something that a surface file names is not in the schema; the problem has been recorded."""


class _Resolver:
    """Looks up the names of one file."""

    def __init__(self, model: Model, file: str, problems: Problems) -> None:
        self._model = model
        self._place = Location(file)
        self._problems = problems
        self._namespace: Namespace

    def surface(self, document: Mapping[str, Any]) -> Surface | None:
        try:
            return self._surface(document)
        except _Unresolved:
            return None

    def _surface(self, document: Mapping[str, Any]) -> Surface:
        name = document["namespace"]
        found = next((namespace for namespace in self._model.namespaces if namespace.name == name), None)
        self._namespace = self._known(
            found, self._place.child("namespace"), f"the schema has no namespace {name!r}"
        )
        handle, loaded, place = document["handle"], document["loaded"], self._place
        self._check_template(handle["specifier"], place.child("handle", "specifier"))
        specifier = self._type(handle["specifier_type"], place.child("handle", "specifier_type"))
        listing = self._endpoint("rpc", loaded["list"], place.child("loaded", "list"))
        unload = self._endpoint("rpc", loaded["unload"], place.child("loaded", "unload"))
        return Surface(
            source=self._place.file,
            namespace=self._namespace,
            handle=handle["name"],
            handle_description=handle["description"],
            specifier=handle["specifier"],
            specifier_type=specifier,
            specifier_decoder=self._decoder(specifier),
            options={
                key: OptionTable(
                    constant=entry["table"], config_class=entry["class"], dict_class=entry["dict"]
                )
                for key, entry in document["options"].items()
            },
            methods=[
                self._method(method, entry, place.child("methods", method))
                for method, entry in document["methods"].items()
            ],
            list_method=listing.method,
            list_item=self._item_of(listing, place.child("loaded", "list")),
            unload_method=unload.method,
            loads=[
                self._load(key, entry, place.child("loads", key)) for key, entry in document["loads"].items()
            ],
            streams=[
                self._stream(key, entry, place.child("streams", key))
                for key, entry in document["streams"].items()
            ],
        )

    def _method(self, name: str, entry: Mapping[str, Any], place: Location) -> Method:
        endpoint = self._endpoint("rpc", entry["endpoint"], place.child("endpoint"))
        parameters = {parameter.attribute: parameter.name for parameter in endpoint.parameters or ()}
        request = endpoint.request.type
        arguments = {
            parameter: parameters[self._attribute(request, wire_name, place.child("arguments", parameter))]
            for parameter, wire_name in entry.get("arguments", {}).items()
        }
        fixed = {
            parameters[self._attribute(request, wire_name, place.child("fixed", wire_name))]: value
            for wire_name, value in entry.get("fixed", {}).items()
        }
        result = endpoint.source.parts["result"].type
        returns, hint_type = None, result
        if "returns" in entry:
            returns = self._attribute(result, entry["returns"], place.child("returns"))
            hint_type = self._field_type(result, entry["returns"])
        return Method(
            name=name,
            description=entry["description"],
            stub=endpoint.method,
            arguments=arguments,
            each=entry.get("each"),
            fixed=fixed,
            returns=returns,
            hint=self._model.hint(hint_type),
            uses=[self._ref(key) for key in _named(hint_type)],
            reads=entry.get("reads"),
            optional=endpoint.source.parts["result"].presence == "optional",
        )

    def _load(self, name: str, entry: Mapping[str, Any], place: Location) -> LoadPlan:
        endpoint = self._endpoint("channel", entry["endpoint"], place.child("endpoint"))
        self._check_template(entry["template"], place.child("template"), endpoint.request.type)
        return LoadPlan(
            name=name,
            descriptor=ClassRef(name=endpoint.constant, module=endpoint.module),
            options=entry["options"],
            template=entry["template"],
            begins=[self._packet(endpoint, tag, place.child("begins")) for tag in entry["begins"]],
            progress=self._packet_fields(endpoint, entry["progress"], place.child("progress")),
            results=self._packet_fields(endpoint, entry["results"], place.child("results")),
        )

    def _stream(self, name: str, entry: Mapping[str, Any], place: Location) -> StreamPlan:
        fragment = self._type(entry["fragment"], place.child("fragment"))
        message_type = self._type(entry["message_type"], place.child("message_type"))
        attempts = [
            self._attempt(attempt, place.child("attempts", number))
            for number, attempt in enumerate(entry["attempts"])
        ]
        return StreamPlan(
            name=name,
            description=entry["description"],
            stream_class=entry["stream_class"],
            result_class=entry["result_class"],
            fragment=fragment,
            text=self._attribute(Named(self._key(fragment)), entry["text"], place.child("text")),
            options=entry["options"],
            structured_option=entry["structured_option"],
            refuses=entry["refuses"],
            message=entry["message"],
            message_type=message_type,
            message_decoder=self._decoder(message_type),
            results=[
                self._result_field(key, value, attempts[0].result, place.child("results", key))
                for key, value in entry["results"].items()
            ],
            attempts=attempts,
        )

    def _attempt(self, entry: Mapping[str, Any], place: Location) -> AttemptPlan:
        endpoint = self._endpoint("channel", entry["endpoint"], place.child("endpoint"))
        self._check_template(entry["template"], place.child("template"), endpoint.request.type)
        return AttemptPlan(
            descriptor=ClassRef(name=endpoint.constant, module=endpoint.module),
            template=entry["template"],
            default_fields=entry["default_fields"],
            fragment=self._packet_fields(endpoint, entry["yields"], place.child("yields"))[0],
            progress=self._packet_fields(endpoint, entry["progress"], place.child("progress")),
            result=self._packet(endpoint, entry["result"], place.child("result")),
        )

    def _result_field(
        self, name: str, entry: Mapping[str, Any], packet: ClassRef, place: Location
    ) -> ResultField:
        type_ = Named(self._key(packet))
        keys = list(_named(self._field_type(type_, entry["field"])))
        attribute = self._attribute(type_, entry["field"], place.child("field"))
        hint = self._known(self._ref(keys[0]) if keys else None, place.child("field"), "has no named type")
        return ResultField(
            name=name,
            attribute=attribute,
            hint=hint,
            reads=entry.get("reads"),
            description=entry["description"],
        )

    # Look-ups. Each records a problem and gives up this file if it fails.

    def _known(self, value: Any, place: Location, message: str) -> Any:
        if value is None:
            self._problems.add(place, message)
            raise _Unresolved
        return value

    def _endpoint(self, kind: str, name: str, place: Location) -> Endpoint:
        endpoints = self._namespace.of_kind(kind)
        found = next((endpoint for endpoint in endpoints if endpoint.source.name == name), None)
        endpoint: Endpoint = self._known(
            found, place, f"{self._namespace.name} has no {kind} endpoint {name!r}"
        )
        return endpoint

    def _packet(self, endpoint: Endpoint, tag: str, place: Location) -> ClassRef:
        type_ = endpoint.source.parts["toClient"].type
        definition = self._model.definition(type_.key) if isinstance(type_, Named) else None
        arms = dict(definition.arms) if isinstance(definition, UnionDefinition) else {}
        arm = self._known(arms.get(tag), place, f"{endpoint.source.name} sends no packet {tag!r}")
        return self._ref(arm.key)

    def _packet_fields(
        self, endpoint: Endpoint, entries: Mapping[str, str], place: Location
    ) -> list[tuple[ClassRef, str]]:
        refs = [
            (self._packet(endpoint, tag, place.child(tag)), tag, wire_name)
            for tag, wire_name in entries.items()
        ]
        return [
            (ref, self._attribute(Named(self._key(ref)), wire_name, place.child(tag)))
            for ref, tag, wire_name in refs
        ]

    def _type(self, name: str, place: Location) -> ClassRef:
        found = next((key for key, known in self._model.names.items() if known == name), None)
        return self._ref(self._known(found, place, f"the schema has no type {name!r}"))

    def _ref(self, key: str) -> ClassRef:
        return ClassRef(name=self._model.names[key], module=self._model.module_of[key])

    def _key(self, ref: ClassRef) -> str:
        return next(
            key
            for key, name in self._model.names.items()
            if name == ref.name and self._model.module_of[key] == ref.module
        )

    def _attribute(self, type_: Type | None, wire_name: str, place: Location) -> str:
        attributes = self._model.attributes.get(type_.key, {}) if isinstance(type_, Named) else {}
        attribute: str = self._known(attributes.get(wire_name), place, f"there is no field {wire_name!r}")
        return attribute

    def _field_type(self, type_: Type | None, wire_name: str) -> Type | None:
        definition = self._model.definition(type_.key) if isinstance(type_, Named) else None
        fields = definition.fields if isinstance(definition, MessageDefinition) else ()
        return next((field.type for field in fields if field.wire_name == wire_name), None)

    def _item_of(self, endpoint: Endpoint, place: Location) -> ClassRef:
        type_ = endpoint.source.parts["result"].type
        keys = list(_named(type_.item)) if isinstance(type_, ArrayType) else []
        return self._ref(self._known(keys[0] if keys else None, place, "does not return a list of objects"))

    def _decoder(self, ref: ClassRef) -> str:
        definition = self._model.definition(self._key(ref))
        if isinstance(definition, MessageDefinition):
            return f"{ref.name}.from_wire"
        return f"decode_{snake_case(ref.name)}"

    def _check_template(self, template: Any, place: Location, type_: Type | None = None) -> None:
        """Check a template's variables, and its top-level keys against the request's fields."""
        if isinstance(template, str):
            if template.startswith("$") and not template.startswith("$$") and template[1:] not in _VARIABLES:
                self._problems.add(
                    place, f"no such variable {template!r}; there are {', '.join(sorted(_VARIABLES))}"
                )
        elif isinstance(template, Mapping):
            for key, value in template.items():
                if type_ is not None:
                    self._attribute(type_, key, place.child(key))
                self._check_template(value, place.child(key))
        elif isinstance(template, list):
            for number, value in enumerate(template):
                self._check_template(value, place.child(number))


def _named(type_: Type | None) -> Sequence[str]:
    return [] if type_ is None else list(named_in(type_))
