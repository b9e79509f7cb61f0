"""Beside the fourth stage: ``schema/surface/*.yaml``, resolved against the model.

The files say which endpoints become friendly methods. Here every name in them is looked up: endpoints,
packets by their tag, fields by their wire name, types. Templates get Python names only.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from importlib import resources
from typing import Any, Protocol, TypeVar

import attrs
import jsonschema

from lmwire_codegen.model import Endpoint, Model
from lmwire_codegen.namespace_model import NamespaceSurface
from lmwire_codegen.namespace_surface import NamespaceResolver
from lmwire_codegen.problems import Location, Problems
from lmwire_codegen.shapes import Named
from lmwire_codegen.surface_lookup import Lookup, names_in
from lmwire_codegen.surface_model import (
    CallPlan,
    ChatShape,
    ClassRef,
    Downloaded,
    Input,
    LoadPlan,
    Method,
    Surface,
)
from lmwire_codegen.surface_names import SurfaceNames
from lmwire_codegen.surface_streams import stream_of, text_of, with_results

__all__ = ["build_namespaces", "build_surfaces"]

Resolved = TypeVar("Resolved")
Built = TypeVar("Built", covariant=True)


def build_surfaces(
    model: Model, documents: Mapping[str, Any], names: SurfaceNames | None = None
) -> tuple[Surface, ...]:
    """Resolve the surface files that have a handle against the model.

    Args:
        model: The package.
        documents: Parsed YAML below ``surface/``, by path relative to the schema folder.
        names: Takes what was looked up and left out, and knows what other revisions have.

    Raises:
        SchemaProblems: A file has the wrong shape, or names what the schema does not have.
    """
    chosen = {file: document for file, document in documents.items() if not _is_bare(document)}
    return _build(_Resolver, "surface.schema.json", model, chosen, names or SurfaceNames())


def build_namespaces(
    model: Model, documents: Mapping[str, Any], names: SurfaceNames | None = None
) -> tuple[NamespaceSurface, ...]:
    """Resolve those that have none; everything else is as for ``build_surfaces``."""
    chosen = {file: document for file, document in documents.items() if _is_bare(document)}
    return _build(NamespaceResolver, "namespace_surface.schema.json", model, chosen, names or SurfaceNames())


def _is_bare(document: Any) -> bool:
    """Return whether a surface is that of a namespace alone, without handles."""
    return isinstance(document, Mapping) and not document.keys() & {"handle", "methods", "loads"}


class _Resolving(Protocol[Built]):
    """Makes something of one file."""

    def __init__(
        self,
        model: Model,
        file: str,
        problems: Problems,
        names: SurfaceNames,
        tables: Mapping[str, Mapping[str, str]],
    ) -> None: ...

    def surface(self, document: Mapping[str, Any]) -> Built | None: ...


def _build(
    resolver: type[_Resolving[Built]],
    schema_file: str,
    model: Model,
    documents: Mapping[str, Any],
    names: SurfaceNames,
) -> tuple[Built, ...]:
    problems = Problems()
    schema = json.loads(resources.files("lmwire_codegen").joinpath(schema_file).read_text(encoding="utf-8"))
    validator = jsonschema.Draft202012Validator(schema)
    surfaces: list[Built] = []
    for file, document in sorted(documents.items()):
        faults = list(validator.iter_errors(document))
        for fault in faults:
            problems.add(Location(file).child(*fault.absolute_path), fault.message)
        if not faults:
            tables = document.get("options", {})
            surface = resolver(model, file, problems, names, tables).surface(document)
            if surface is not None:
                surfaces.append(surface)
    problems.raise_if_any()
    return tuple(surfaces)


class _Resolver(Lookup):
    """Looks up the names of one file."""

    def surface(self, document: Mapping[str, Any]) -> Surface | None:
        return self.whole(lambda: self._surface(document))

    def _surface(self, document: Mapping[str, Any]) -> Surface:
        name = document["namespace"]
        found = next((namespace for namespace in self.model.namespaces if namespace.name == name), None)
        self.namespace = self.known(
            found, self.place.child("namespace"), f"the schema has no namespace {name!r}", name
        )
        self.variables |= set(_inputs_in(document))
        handle, loaded, place = document["handle"], document["loaded"], self.place
        self.check_template(handle["specifier"], place.child("handle", "specifier"))
        specifier = self.type(handle["specifier_type"], place.child("handle", "specifier_type"))
        listing = self.endpoint("rpc", loaded["list"], place.child("loaded", "list"))
        unload = self.endpoint("rpc", loaded["unload"], place.child("loaded", "unload"))
        streams = self.fitting(
            lambda *named: stream_of(self, *named), document.get("streams", {}), place.child("streams")
        )
        text = None
        if streams:
            entry, where = document["text"], place.child("text")
            text = text_of(self, entry, where)
            text = with_results(self, text, streams, entry["results"], where.child("results"))
        return Surface(
            source=self.place.file,
            namespace=self.namespace,
            handle=handle["name"],
            handle_description=handle["description"],
            specifier=handle["specifier"],
            specifier_type=specifier,
            specifier_decoder=self.decoder(specifier),
            options=self.tables,
            chat=_only(
                self.present(lambda _, entry, where: self._chat(entry, where), _part(document, "chat"), place)
            ),
            methods=self._methods(document["methods"], place.child("methods"), specifier),
            calls=self._methods(document.get("calls", {}), place.child("calls"), None),
            downloaded=_only(
                self.fitting(
                    lambda _, entry, where: self._downloaded(entry, where),
                    _part(document, "downloaded"),
                    place,
                )
            ),
            list_method=listing.method,
            list_item=self.item_of(listing, place.child("loaded", "list")),
            unload_method=unload.method,
            loads=[
                self._load(key, entry, place.child("loads", key)) for key, entry in document["loads"].items()
            ],
            text=text,
            streams=streams,
        )

    def _chat(self, entry: Mapping[str, Any], place: Location) -> ChatShape:
        type_ = self.type(entry["type"], place.child("type"))
        self.attribute(Named(self.key(type_)), entry["messages"], place.child("messages"))
        shape = {"texts": {}, "wraps": {}, **entry}
        return ChatShape(**{**shape, "type": type_})

    def _downloaded(self, entry: Mapping[str, Any], place: Location) -> Downloaded:
        endpoint = self.endpoint_of(entry["namespace"], "rpc", entry["endpoint"], place.child("endpoint"))
        package = next(known.package for known in self.model.namespaces if known.name == entry["namespace"])
        return Downloaded(
            namespace=package, stub=endpoint.method, type=self.type(entry["type"], place.child("type"))
        )

    def _methods(
        self, entries: Mapping[str, Any], place: Location, specifier: ClassRef | None
    ) -> list[Method]:
        return self.fitting(
            lambda name, entry, where: self._method(name, entry, where, specifier), entries, place
        )

    def _method(
        self, name: str, entry: Mapping[str, Any], place: Location, specifier: ClassRef | None
    ) -> Method:
        endpoint = self.endpoint("rpc", entry["endpoint"], place.child("endpoint"))
        result = endpoint.source.parts["result"]
        returns, hint_type = None, result.type
        if "returns" in entry:
            returns = self.attribute(result.type, entry["returns"], place.child("returns"))
            hint_type = self.field_type(result.type, entry["returns"])
        shown = Method(
            name=name,
            description=entry["description"],
            stub=endpoint.method,
            specifier=None,
            arguments={},
            each=entry.get("each"),
            fixed={},
            call=None,
            returns=returns,
            hint=self.model.hint(hint_type),
            result_hint=self.model.hint(result.type),
            uses=[self.ref(key) for key in (*names_in(hint_type), *names_in(result.type))],
            reads=entry.get("reads"),
            optional=result.presence == "optional",
        )
        if "template" in entry:
            return attrs.evolve(shown, call=self._call(endpoint, entry, place))
        return attrs.evolve(shown, **self._arguments(endpoint, entry, place, specifier))

    def _arguments(
        self, endpoint: Endpoint, entry: Mapping[str, Any], place: Location, specifier: ClassRef | None
    ) -> dict[str, Any]:
        """Return what a call through a stub is given."""
        parameters = {parameter.attribute: parameter.name for parameter in endpoint.parameters or ()}
        request = endpoint.request.type
        arguments = {
            parameter: parameters[self.attribute(request, wire_name, place.child("arguments", parameter))]
            for parameter, wire_name in entry.get("arguments", {}).items()
        }
        fixed = {
            parameters[self.attribute(request, wire_name, place.child("fixed", wire_name))]: value
            for wire_name, value in entry.get("fixed", {}).items()
        }
        wanted = None if specifier is None else Named(self.key(specifier))
        naming = next((known.name for known in endpoint.parameters or () if known.type == wanted), None)
        if specifier is not None:
            self.known(naming, place, f"{endpoint.source.name} takes no {specifier.name}")
        if isinstance(request, Named):
            filled = {
                *entry.get("arguments", {}).values(),
                *entry.get("fixed", {}),
                "specifier",
                "modelSpecifier",
            }
            self.names.refer(place, request.key, frozenset(filled))
        return {"arguments": arguments, "fixed": fixed, "specifier": naming}

    def _call(self, endpoint: Endpoint, entry: Mapping[str, Any], place: Location) -> CallPlan:
        self.check_template(entry.get("layer"), place.child("layer"))
        return CallPlan(
            descriptor=ClassRef(name=endpoint.constant, module=endpoint.module),
            template=self.template(entry["template"], place.child("template"), endpoint.request.type),
            inputs=[
                Input(
                    name=name,
                    kind=value["kind"],
                    description=value["description"],
                    type=self.type(value["type"], place.child("parameters", name))
                    if "type" in value
                    else None,
                )
                for name, value in entry.get("parameters", {}).items()
            ],
            options=self.table(entry, place) if "options" in entry else None,
            layer=entry.get("layer"),
        )

    def _load(self, name: str, entry: Mapping[str, Any], place: Location) -> LoadPlan:
        endpoint = self.endpoint("channel", entry["endpoint"], place.child("endpoint"))
        template = self.template(entry["template"], place.child("template"), endpoint.request.type)
        return LoadPlan(
            name=name,
            descriptor=ClassRef(name=endpoint.constant, module=endpoint.module),
            options=self.table(entry, place),
            template=template,
            begins=[self.packet(endpoint, tag, place.child("begins")) for tag in entry["begins"]],
            ambiguous=self.packet_fields(endpoint, entry.get("ambiguous", {}), place.child("ambiguous")),
            progress=self.progress(endpoint, entry["progress"], place.child("progress")),
            results=self.packet_fields(endpoint, entry["results"], place.child("results")),
        )


def _part(document: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    """Return a part of a document that need not be there, under its key."""
    return {key: document[key]} if key in document else {}


def _only(found: Sequence[Resolved]) -> Resolved | None:
    return found[0] if found else None


def _inputs_in(document: Mapping[str, Any]) -> Iterator[str]:
    """Yield the names of all parameters that templates may name."""
    for method in (*document["methods"].values(), *document.get("calls", {}).values()):
        yield from method.get("parameters", {})
    for stream in document.get("streams", {}).values():
        yield stream["input"]["name"]
