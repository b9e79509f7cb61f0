"""Beside the fourth stage: ``schema/surface/*.yaml``, resolved against the model.

The files say which endpoints become friendly methods. Here every name in them is looked up: endpoints,
packets by their tag, fields by their wire name, types. Templates get Python names only.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from importlib import resources
from typing import Any, Final, TypeVar

import attrs
import jsonschema

from lmwire_codegen.model import Endpoint, Model, Namespace
from lmwire_codegen.naming import snake_case
from lmwire_codegen.problems import Location, Problems
from lmwire_codegen.shapes import ArrayType, MessageDefinition, Named, Type, UnionDefinition, named_in
from lmwire_codegen.surface_model import (
    AttemptPlan,
    ClassRef,
    LoadPlan,
    Method,
    OptionTable,
    ResultField,
    StreamPlan,
    Surface,
)
from lmwire_codegen.surface_names import AbsentError, LeftOut, SurfaceNames

__all__ = ["build_surfaces"]

_Resolved = TypeVar("_Resolved")

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


def build_surfaces(
    model: Model, documents: Mapping[str, Any], names: SurfaceNames | None = None
) -> tuple[Surface, ...]:
    """Resolve the surface files against the model.

    Args:
        model: The package.
        documents: Parsed YAML below ``surface/``, by path relative to the schema folder.
        names: Takes what was looked up and left out, and knows what other revisions have.

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
            surface = _Resolver(model, file, problems, names or SurfaceNames()).surface(document)
            if surface is not None:
                surfaces.append(surface)
    problems.raise_if_any()
    return tuple(surfaces)


class _Unresolved(Exception):
    """Something that a surface file names is not in the schema; the problem has been recorded."""


class _Resolver:
    """Looks up the names of one file."""

    def __init__(self, model: Model, file: str, problems: Problems, names: SurfaceNames) -> None:
        self._model = model
        self._names = names
        self._place = Location(file)
        self._problems = problems
        self._namespace: Namespace

    def surface(self, document: Mapping[str, Any]) -> Surface | None:
        try:
            return self._surface(document)
        except _Unresolved:
            return None
        except AbsentError as absent:
            self._names.left_out.append(attrs.evolve(absent.left_out, place=self._place))
            return None

    def _surface(self, document: Mapping[str, Any]) -> Surface:
        name = document["namespace"]
        found = next((namespace for namespace in self._model.namespaces if namespace.name == name), None)
        self._namespace = self._known(
            found, self._place.child("namespace"), f"the schema has no namespace {name!r}", name
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
            methods=self._present(self._method, document["methods"], place.child("methods")),
            list_method=listing.method,
            list_item=self._item_of(listing, place.child("loaded", "list")),
            unload_method=unload.method,
            loads=[
                self._load(key, entry, place.child("loads", key)) for key, entry in document["loads"].items()
            ],
            streams=self._present(self._stream, document["streams"], place.child("streams")),
        )

    def _present(
        self, resolve: Callable[[Any, Any, Location], _Resolved], entries: Mapping[Any, Any], place: Location
    ) -> list[_Resolved]:
        """Resolve entries one by one, and leave out those that need what this revision has not."""
        found: list[_Resolved] = []
        for key, entry in entries.items():
            try:
                found.append(resolve(key, entry, place.child(key)))
            except AbsentError as absent:
                self._names.left_out.append(attrs.evolve(absent.left_out, place=place.child(key)))
        return found

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
        if isinstance(request, Named):
            filled = {*entry.get("arguments", {}).values(), *entry.get("fixed", {}), *_VARIABLES}
            self._names.refer(place, request.key, frozenset(filled))
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
        template = self._template(entry["template"], place.child("template"), endpoint.request.type)
        return LoadPlan(
            name=name,
            descriptor=ClassRef(name=endpoint.constant, module=endpoint.module),
            options=entry["options"],
            template=template,
            begins=[self._packet(endpoint, tag, place.child("begins")) for tag in entry["begins"]],
            ambiguous=self._packet_fields(endpoint, entry.get("ambiguous", {}), place.child("ambiguous")),
            progress=self._progress(endpoint, entry["progress"], place.child("progress")),
            results=self._packet_fields(endpoint, entry["results"], place.child("results")),
        )

    def _stream(self, name: str, entry: Mapping[str, Any], place: Location) -> StreamPlan:
        fragment = self._type(entry["fragment"], place.child("fragment"))
        message_type = self._type(entry["message_type"], place.child("message_type"))
        attempts = self._present(
            lambda _, attempt, where: self._attempt(attempt, where),
            dict(enumerate(entry["attempts"])),
            place.child("attempts"),
        )
        if not attempts:
            raise AbsentError(LeftOut(place, "there is no endpoint that it could use"))
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
            results=self._present(
                lambda key, value, where: self._result_field(key, value, attempts[0].result, where),
                entry["results"],
                place.child("results"),
            ),
            attempts=attempts,
        )

    def _attempt(self, entry: Mapping[str, Any], place: Location) -> AttemptPlan:
        endpoint = self._endpoint("channel", entry["endpoint"], place.child("endpoint"))
        template = self._template(entry["template"], place.child("template"), endpoint.request.type)
        return AttemptPlan(
            descriptor=ClassRef(name=endpoint.constant, module=endpoint.module),
            template=template,
            default_fields=entry["default_fields"],
            fragment=self._packet_fields(endpoint, entry["yields"], place.child("yields"))[0],
            progress=self._progress(endpoint, entry["progress"], place.child("progress")),
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

    # Look-ups. Each records a problem and gives up this file if it fails, or gives up what needs a name that only
    # other revisions have.

    def _known(self, value: Any, place: Location, message: str, key: str = "") -> Any:
        if key:
            self._names.refer(place, key)
        if value is None:
            if self._names.history.knows(key):
                raise AbsentError(LeftOut(place, message))
            self._problems.add(place, message)
            raise _Unresolved
        return value

    def _endpoint(self, kind: str, name: str, place: Location) -> Endpoint:
        endpoints = self._namespace.of_kind(kind)
        found = next((endpoint for endpoint in endpoints if endpoint.source.name == name), None)
        endpoint: Endpoint = self._known(
            found, place, f"{self._namespace.name} has no {kind} endpoint {name!r}",
            f"{self._namespace.name}/{kind}/{name}",
        )  # fmt: skip
        return endpoint

    def _packet(self, endpoint: Endpoint, tag: str, place: Location) -> ClassRef:
        type_ = endpoint.source.parts["toClient"].type
        definition = self._model.definition(type_.key) if isinstance(type_, Named) else None
        arms = dict(definition.arms) if isinstance(definition, UnionDefinition) else {}
        union = type_.key if isinstance(type_, Named) else f"{endpoint.source.key}/toClient"
        message = f"{endpoint.source.name} sends no packet {tag!r}"
        arm = self._known(arms.get(tag), place, message, f"{union}[{tag}]")
        return self._ref(arm.key)

    def _progress(
        self, endpoint: Endpoint, entries: Mapping[str, str], place: Location
    ) -> list[tuple[ClassRef, str]]:
        return self._present(
            lambda tag, name, _: self._packet_fields(endpoint, {tag: name}, place)[0], entries, place
        )

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
        message = f"the schema has no type {name!r}"
        if found is None and name in self._model.lock.values():
            raise AbsentError(LeftOut(place, message))
        return self._ref(self._known(found, place, message, found or ""))

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
        key = f"{type_.key}.{wire_name}" if isinstance(type_, Named) else ""
        message = f"there is no field {wire_name!r}"
        attribute: str = self._known(attributes.get(wire_name), place, message, key)
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

    def _template(self, template: Mapping[str, Any], place: Location, type_: Type | None) -> dict[str, Any]:
        """Check a template's variables, and its keys against the request's fields; return those that there are."""
        if isinstance(type_, Named):
            self._names.refer(place, type_.key, frozenset(template))
        present = self._present(
            lambda key, value, where: (self._attribute(type_, key, where), key, value), template, place
        )
        self._check_template(template, place)
        return {key: value for _, key, value in present}

    def _check_template(self, template: Any, place: Location) -> None:
        """Check a template's variables."""
        if isinstance(template, str):
            if template.startswith("$") and not template.startswith("$$") and template[1:] not in _VARIABLES:
                self._problems.add(
                    place, f"no such variable {template!r}; there are {', '.join(sorted(_VARIABLES))}"
                )
        elif isinstance(template, Mapping):
            for key, value in template.items():
                self._check_template(value, place.child(key))
        elif isinstance(template, list):
            for number, value in enumerate(template):
                self._check_template(value, place.child(number))


def _named(type_: Type | None) -> Sequence[str]:
    return [] if type_ is None else list(named_in(type_))
