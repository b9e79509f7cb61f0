"""Beside the fourth stage: ``schema/surface/*.yaml``, resolved against the model.

The files say which endpoints become friendly methods. Here every name in them is looked up: endpoints,
packets by their tag, fields by their wire name, types. Templates get Python names only.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from importlib import resources
from typing import Any

import attrs
import jsonschema

from lmwire_codegen.model import Model
from lmwire_codegen.problems import Location, Problems
from lmwire_codegen.shapes import Named
from lmwire_codegen.surface_lookup import VARIABLES, Lookup, UnresolvedError, names_in
from lmwire_codegen.surface_model import (
    ClassRef,
    LoadPlan,
    Method,
    OptionTable,
    Surface,
)
from lmwire_codegen.surface_names import AbsentError, SurfaceNames
from lmwire_codegen.surface_streams import stream_of

__all__ = ["build_surfaces"]


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


class _Resolver(Lookup):
    """Looks up the names of one file."""

    def surface(self, document: Mapping[str, Any]) -> Surface | None:
        try:
            return self._surface(document)
        except UnresolvedError:
            return None
        except AbsentError as absent:
            self.names.left_out.append(attrs.evolve(absent.left_out, place=self.place))
            return None

    def _surface(self, document: Mapping[str, Any]) -> Surface:
        name = document["namespace"]
        found = next((namespace for namespace in self.model.namespaces if namespace.name == name), None)
        self.namespace = self.known(
            found, self.place.child("namespace"), f"the schema has no namespace {name!r}", name
        )
        handle, loaded, place = document["handle"], document["loaded"], self.place
        self.check_template(handle["specifier"], place.child("handle", "specifier"))
        specifier = self.type(handle["specifier_type"], place.child("handle", "specifier_type"))
        listing = self.endpoint("rpc", loaded["list"], place.child("loaded", "list"))
        unload = self.endpoint("rpc", loaded["unload"], place.child("loaded", "unload"))
        return Surface(
            source=self.place.file,
            namespace=self.namespace,
            handle=handle["name"],
            handle_description=handle["description"],
            specifier=handle["specifier"],
            specifier_type=specifier,
            specifier_decoder=self.decoder(specifier),
            options={
                key: OptionTable(
                    constant=entry["table"], config_class=entry["class"], dict_class=entry["dict"]
                )
                for key, entry in document["options"].items()
            },
            methods=self.present(self._method, document["methods"], place.child("methods")),
            list_method=listing.method,
            list_item=self.item_of(listing, place.child("loaded", "list")),
            unload_method=unload.method,
            loads=[
                self._load(key, entry, place.child("loads", key)) for key, entry in document["loads"].items()
            ],
            streams=self.present(
                lambda *named: stream_of(self, *named), document["streams"], place.child("streams")
            ),
        )

    def _method(self, name: str, entry: Mapping[str, Any], place: Location) -> Method:
        endpoint = self.endpoint("rpc", entry["endpoint"], place.child("endpoint"))
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
        if isinstance(request, Named):
            filled = {*entry.get("arguments", {}).values(), *entry.get("fixed", {}), *VARIABLES}
            self.names.refer(place, request.key, frozenset(filled))
        result = endpoint.source.parts["result"].type
        returns, hint_type = None, result
        if "returns" in entry:
            returns = self.attribute(result, entry["returns"], place.child("returns"))
            hint_type = self.field_type(result, entry["returns"])
        return Method(
            name=name,
            description=entry["description"],
            stub=endpoint.method,
            arguments=arguments,
            each=entry.get("each"),
            fixed=fixed,
            returns=returns,
            hint=self.model.hint(hint_type),
            uses=[self.ref(key) for key in names_in(hint_type)],
            reads=entry.get("reads"),
            optional=endpoint.source.parts["result"].presence == "optional",
        )

    def _load(self, name: str, entry: Mapping[str, Any], place: Location) -> LoadPlan:
        endpoint = self.endpoint("channel", entry["endpoint"], place.child("endpoint"))
        template = self.template(entry["template"], place.child("template"), endpoint.request.type)
        return LoadPlan(
            name=name,
            descriptor=ClassRef(name=endpoint.constant, module=endpoint.module),
            options=entry["options"],
            template=template,
            begins=[self.packet(endpoint, tag, place.child("begins")) for tag in entry["begins"]],
            ambiguous=self.packet_fields(endpoint, entry.get("ambiguous", {}), place.child("ambiguous")),
            progress=self.progress(endpoint, entry["progress"], place.child("progress")),
            results=self.packet_fields(endpoint, entry["results"], place.child("results")),
        )
