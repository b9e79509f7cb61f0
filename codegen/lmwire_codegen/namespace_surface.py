"""Resolves surface files without a handle: calls, operations and events that are methods of their namespace.

``surface`` has those with one; ``surface_lookup`` says how names are looked up, and what an older revision lacks.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final, TypeVar

from lmwire_codegen.model import Endpoint
from lmwire_codegen.namespace_model import (
    Events,
    Made,
    NamespaceCall,
    NamespaceSurface,
    Operation,
    Parameter,
    Told,
)
from lmwire_codegen.naming import pascal_case
from lmwire_codegen.problems import Location
from lmwire_codegen.shapes import ArrayType, Named, Nullable, Scalar, TupleType, Type
from lmwire_codegen.surface_lookup import Lookup, UnresolvedError, names_in
from lmwire_codegen.surface_model import ClassRef

__all__ = ["NamespaceResolver"]

M = TypeVar("M")

_HINTS: Final[Mapping[str, str]] = {
    "text": "str",
    "texts": "Iterable[str]",
    "integer": "int",
    "flag": "bool",
    "json": "Any",
    "path": "str | os.PathLike[str]",
    "content": "Content",
    "name": "str",
}
_TAKEN: Final = frozenset({"rpc", "channel", "signal", "client", "connection"})
"""What every namespace has."""
_NO_OBJECTS: Final = (Scalar, ArrayType, TupleType, type(None))


class NamespaceResolver(Lookup):
    """Looks up the names of one file."""

    def surface(self, document: Mapping[str, Any]) -> NamespaceSurface | None:
        """Return what the file says; None if it has problems, or is about a namespace that is not there."""
        return self.whole(lambda: self._surface(document))

    def _surface(self, document: Mapping[str, Any]) -> NamespaceSurface:
        name = document["namespace"]
        found = next((namespace for namespace in self.model.namespaces if namespace.name == name), None)
        self.namespace = self.known(
            found, self.place.child("namespace"), f"the schema has no namespace {name!r}", name
        )
        surface = NamespaceSurface(
            source=self.place.file,
            namespace=self.namespace,
            options=self.tables,
            calls=self._methods(self._call, document, "calls"),
            operations=self._methods(self._operation, document, "operations"),
            events=self._methods(self._events, document, "events"),
        )
        self._check_names(surface)
        return surface

    def _methods(
        self, resolve: Callable[[str, Any, Location], M], document: Mapping[str, Any], kind: str
    ) -> list[M]:
        return self.fitting(resolve, document.get(kind, {}), self.place.child(kind))

    def _check_names(self, surface: NamespaceSurface) -> None:
        """Report methods and classes that would be called like something that is there already."""
        taken = set(_TAKEN)
        for kind, methods in (
            ("calls", surface.calls), ("operations", surface.operations), ("events", surface.events)
        ):  # fmt: skip
            for method in methods:
                names = {method.name} | ({f"{method.name}_stream"} if kind == "operations" else set())
                for name in sorted(names & taken):
                    self.problems.add(
                        self.place.child(kind, method.name), f"the namespace has {name!r} already"
                    )
                taken |= names
        shown = [surface.class_name, f"Async{surface.class_name}"]
        shown += [operation.event_type for operation in surface.operations]
        for name in sorted(
            {name for name in shown if name in self.namespace.exports or shown.count(name) > 1}
        ):
            self.problems.add(self.place, f"{self.namespace.package} has something called {name!r} already")

    def _common(
        self, name: str, entry: Mapping[str, Any], endpoint: Endpoint, place: Location
    ) -> dict[str, Any]:
        """Return what all kinds of methods have, but for the hint."""
        given = entry.get("parameters", {})
        self.variables = frozenset({*given, *(("options",) if "options" in entry else ())})
        template = None
        if "template" in entry:
            if isinstance(entry["template"], Mapping) and isinstance(endpoint.request.type, _NO_OBJECTS):
                self.problems.add(place, f"{endpoint.source.name} takes no object")
                raise UnresolvedError
            template = self._filled(entry["template"], place.child("template"), endpoint.request.type)
        elif endpoint.request.presence == "required":
            self.problems.add(place, f"{endpoint.source.name} needs a parameter, so a template")
            raise UnresolvedError
        made = entry.get("makes", {}).get("template")
        used = {*_variables_in(template), *_variables_in(made)}
        parameters = [
            self._parameter(key, value, place.child("parameters", key))
            for key, value in given.items()
            if key in used
        ]
        unused = given.keys() - {*_variables_in(entry.get("template")), *_variables_in(made)}
        for key in sorted(unused):
            self.problems.add(place.child("parameters", key), "nothing is made of this parameter")
        source = endpoint.source
        return {
            "name": name,
            "description": entry["description"],
            "wire": f"{source.kind} ``{source.name}`` of ``{source.namespace}``",
            "descriptor": ClassRef(name=endpoint.constant, module=endpoint.module),
            "parameters": sorted(parameters, key=lambda parameter: parameter.default is not None),
            "template": template,
        }

    def _filled(self, template: Any, place: Location, type_: Type | None) -> Any:
        """Check a template as ``template`` does, in the objects inside it too."""
        if not isinstance(template, Mapping) or not self.is_message(type_):
            self.check_template(template, place)
            return template
        kept = self.template(template, place, type_)
        return {
            key: self._filled(value, place.child(key), self.field_type(type_, key))
            for key, value in kept.items()
        }

    def _parameter(self, name: str, entry: Mapping[str, Any], place: Location) -> Parameter:
        kind, hint = entry["kind"], _HINTS.get(entry["kind"], "")
        classes: Sequence[ClassRef] = []
        uses: list[ClassRef] = []
        attribute = ""
        if "type" in entry:
            uses = [self.type(entry["type"], place.child("type"))]
            hint = {"object": "{} | Mapping[str, Any]", "texts": "Iterable[{}]", "text": "{}"}[kind].format(
                uses[0].name
            )
        elif "types" in entry:
            classes, attribute, inner = self._referred(entry, place)
            uses = [*classes, *(self.ref(key) for key in names_in(inner))]
            hints = [ref.name for ref in classes] + [self.model.hint(inner)]
            hint = " | ".join([*hints, *(["Mapping[str, Any]"] if names_in(inner) else [])])
            hint = f"Iterable[{hint}]" if kind == "references" else hint
        default = None
        if "optional" in entry or kind == "name" or ("default" in entry and entry["default"] is None):
            default = "None"
            hint = hint if hint == "Any" else f"{hint} | None"
        elif "default" in entry:
            default = repr(entry["default"])
        return Parameter(
            name=name,
            kind=kind,
            description=entry["description"],
            hint=hint,
            default=default,
            positional=default is None or "positional" in entry,
            classes=classes,
            attribute=attribute,
            sent=repr(entry["default"]) if "default" in entry else "",
            of=entry.get("of", ""),
            uses=uses,
        )

    def _referred(self, entry: Mapping[str, Any], place: Location) -> tuple[list[ClassRef], str, Type | None]:
        """Return the classes that a reference takes, their attribute, and what it holds."""
        found = self.present(
            lambda _, name, where: self.type(name, where),
            dict(enumerate(entry["types"])),
            place.child("types"),
        )
        fields = [
            (
                self.attribute(Named(self.key(ref)), entry["field"], place.child("field")),
                self.field_type(Named(self.key(ref)), entry["field"]),
            )
            for ref in found
        ]
        if not fields:
            self.problems.add(place.child("types"), "none of these types is there")
            raise UnresolvedError
        if any(field != fields[0] for field in fields):
            self.problems.add(place.child("field"), "the types do not agree what this field is")
        return found, *fields[0]

    def _hint(self, type_: Type | None, presence: str = "required") -> tuple[str, list[ClassRef]]:
        optional = presence == "optional" and not isinstance(type_, Nullable)
        hint = self.model.hint(type_)
        return (f"{hint} | None" if optional and type_ is not None else hint), [
            self.ref(key) for key in names_in(type_)
        ]

    def _call(self, name: str, entry: Mapping[str, Any], place: Location) -> NamespaceCall:
        endpoint = self.endpoint("rpc", entry["endpoint"], place.child("endpoint"))
        common = self._common(name, entry, endpoint, place)
        part = endpoint.source.parts["result"]
        hint, uses = self._hint(part.type, part.presence)
        returns, made = None, None
        if "returns" in entry:
            returns = self.attribute(part.type, entry["returns"], place.child("returns"))
            hint, uses = self._hint(self.field_type(part.type, entry["returns"]))
        elif "makes" in entry:
            made = self._made(entry["makes"], part.type, place.child("makes"))
            hint, uses = made.type.name, [made.type]
        return NamespaceCall(**common, hint=hint, uses=uses, returns=returns, made=made)

    def _made(self, entry: Mapping[str, Any], result: Type | None, place: Location) -> Made:
        type_ = self.type(entry["type"], place.child("type"))
        fields = self.model.attributes.get(result.key, {}) if isinstance(result, Named) else {}
        self.variables |= frozenset(fields)
        self.check_template(entry["template"], place.child("template"))
        return Made(type=type_, decoder=self.decoder(type_), template=entry["template"])

    def _operation(self, name: str, entry: Mapping[str, Any], place: Location) -> Operation:
        endpoint = self.endpoint("channel", entry["endpoint"], place.child("endpoint"))
        common = self._common(name, entry, endpoint, place)
        result, attribute, hint, uses = None, None, "None", list[ClassRef]()
        if entry["result"] != "close":
            where, tag = place.child("result"), entry["result"]["packet"]
            result = self.packet(endpoint, tag, where.child("packet"))
            if "field" in entry["result"]:
                type_ = Named(self.key(result))
                attribute = self.attribute(type_, entry["result"]["field"], where.child("field"))
                hint, uses = self._hint(self.field_type(type_, entry["result"]["field"]))
            elif "nothing" not in entry["result"]:
                attribute, hint, uses = "", result.name, [result]
        return Operation(
            **common,
            hint=hint,
            uses=uses,
            event_type=f"{pascal_case(name)}Event",
            options=self.table(entry, place) if "options" in entry else None,
            patient=entry.get("patient", False),
            tells=self.present(
                lambda key, value, where: self._told(endpoint, key, value, where),
                entry["tells"],
                place.child("tells"),
            ),
            result=result,
            attribute=attribute,
            cancellable=endpoint.cancel is not None,
        )

    def _told(self, endpoint: Endpoint, callback: str, entry: Mapping[str, Any], place: Location) -> Told:
        packet = self.packet(endpoint, entry["packet"], place.child("packet"))
        type_ = Named(self.key(packet))
        attributes: tuple[str, ...] | None = None
        hints, uses = [packet.name], [packet]
        if entry["gives"] != "packet":
            where = place.child("gives")
            attributes = tuple(self.attribute(type_, name, where) for name in entry["gives"])
            found = [self._hint(self.field_type(type_, name)) for name in entry["gives"]]
            hints = [hint for hint, _ in found]
            uses = [ref for _, refs in found for ref in refs]
        return Told(
            callback=callback,
            description=entry["description"],
            packet=packet,
            attributes=attributes,
            hints=hints,
            rising=entry.get("rising", False),
            uses=uses,
        )

    def _events(self, name: str, entry: Mapping[str, Any], place: Location) -> Events:
        endpoint = self.endpoint("channel", entry["endpoint"], place.child("endpoint"))
        common = self._common(name, entry, endpoint, place)
        packet, attribute = self.packet_fields(endpoint, entry["yields"], place.child("yields"))[0]
        (wire_name,) = entry["yields"].values()
        hint, uses = self._hint(self.field_type(Named(self.key(packet)), wire_name))
        return Events(**common, hint=hint, uses=uses, packet=packet, attribute=attribute)


def _variables_in(template: Any) -> Iterator[str]:
    """Yield the names of the variables of a template."""
    if isinstance(template, str) and template.startswith("$") and not template.startswith("$$"):
        yield template[1:]
    elif isinstance(template, Mapping):
        for value in template.values():
            yield from _variables_in(value)
    elif isinstance(template, list):
        for value in template:
            yield from _variables_in(value)
