"""Looks up what ``schema/surface`` names: endpoints, packets by their tag, fields by their wire name, types.

Each look-up records a problem and gives up the file if it fails, or gives up what needs a name that only other
revisions have.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, TypeVar

import attrs

from lmwire_codegen.model import Endpoint, Model, Namespace
from lmwire_codegen.naming import snake_case
from lmwire_codegen.problems import Location, Problems
from lmwire_codegen.shapes import ArrayType, MessageDefinition, Named, Type, UnionDefinition, named_in
from lmwire_codegen.surface_model import ClassRef, OptionTable
from lmwire_codegen.surface_names import AbsentError, LeftOut, SurfaceNames

__all__ = ["VARIABLES", "Lookup", "UnresolvedError", "names_in"]

Resolved = TypeVar("Resolved")

VARIABLES: Final = frozenset(
    {
        "identifier",
        "instance_identifier",
        "layers",
        "model_key",
        "options",
        "preset",
        "specifier",
        "ttl_ms",
    }
)
"""What templates may name, beside the parameters of their method."""


class UnresolvedError(Exception):
    """Something that a surface file names is not in the schema; the problem has been recorded."""


class Lookup:
    """The names of one file.

    Attributes:
        variables: What its templates may name.
        tables: The tables of options that it names, by the alias that its methods use.
        namespace: Set as soon as it is known.
    """

    def __init__(
        self,
        model: Model,
        file: str,
        problems: Problems,
        names: SurfaceNames,
        tables: Mapping[str, Mapping[str, str]],
    ) -> None:
        self.model = model
        self.names = names
        self.place = Location(file)
        self.problems = problems
        self.variables = VARIABLES
        self.tables = {
            alias: OptionTable(constant=entry["table"], config_class=entry["class"], dict_class=entry["dict"])
            for alias, entry in tables.items()
        }
        self.namespace: Namespace

    def present(
        self, resolve: Callable[[Any, Any, Location], Resolved], entries: Mapping[Any, Any], place: Location
    ) -> list[Resolved]:
        """Resolve entries one by one, and leave out those that need what this revision has not."""
        found: list[Resolved] = []
        for key, entry in entries.items():
            try:
                found.append(resolve(key, entry, place.child(key)))
            except AbsentError as absent:
                self.names.left_out.append(attrs.evolve(absent.left_out, place=place.child(key)))
        return found

    def fitting(
        self, resolve: Callable[[Any, Any, Location], Resolved], entries: Mapping[Any, Any], place: Location
    ) -> list[Resolved]:
        """The same for what is a method, or can be left out like one: it may also not fit this revision."""
        return self.present(
            lambda key, entry, where: self.excusing(lambda: resolve(key, entry, where), where), entries, place
        )

    def excusing(self, resolve: Callable[[], Resolved], place: Location) -> Resolved:
        """Resolve something whose problems, if it is excused, are that it does not fit this revision.

        Raises:
            AbsentError: It does not.
        """
        before = len(self.problems)
        resolved: list[Resolved] = []
        try:
            resolved.append(resolve())
        except UnresolvedError:
            if not self.names.excuses(place):
                raise
        if len(self.problems) > before and self.names.excuses(place):
            problem, *_ = self.problems.withdraw(before)
            self.names.unfit.append(place)
            raise AbsentError(LeftOut(place, problem.message))
        return resolved[0]

    def whole(self, resolve: Callable[[], Resolved]) -> Resolved | None:
        """Resolve a file; None if it has problems, or needs what this revision has not."""
        try:
            return self.excusing(resolve, self.place)
        except UnresolvedError:
            return None
        except AbsentError as absent:
            self.names.left_out.append(attrs.evolve(absent.left_out, place=self.place))
            return None

    def known(self, value: Any, place: Location, message: str, key: str = "") -> Any:
        if key:
            self.names.refer(place, key)
        if value is None:
            if self.names.history.knows(key):
                raise AbsentError(LeftOut(place, message))
            self.problems.add(place, message)
            raise UnresolvedError
        return value

    def table(self, entry: Mapping[str, Any], place: Location) -> str:
        alias: str = entry["options"]
        if alias not in self.tables:
            self.problems.add(place.child("options"), f"there is no table {alias!r} under `options`")
            raise UnresolvedError
        return alias

    def endpoint(self, kind: str, name: str, place: Location) -> Endpoint:
        return self.endpoint_of(self.namespace.name, kind, name, place)

    def endpoint_of(self, namespace: str, kind: str, name: str, place: Location) -> Endpoint:
        found = next((known for known in self.model.namespaces if known.name == namespace), None)
        endpoints = () if found is None else found.of_kind(kind)
        wanted = next((endpoint for endpoint in endpoints if endpoint.source.name == name), None)
        message = f"{namespace} has no {kind} endpoint {name!r}"
        endpoint: Endpoint = self.known(wanted, place, message, f"{namespace}/{kind}/{name}")
        return endpoint

    def packets(self, endpoint: Endpoint) -> tuple[str, Mapping[Any, Named]]:
        """Return what tells the packets that an endpoint sends apart, and each packet by its tag."""
        type_ = endpoint.source.parts["toClient"].type
        definition = self.model.definition(type_.key) if isinstance(type_, Named) else None
        if isinstance(definition, UnionDefinition):
            return definition.discriminator, dict(definition.arms)
        return "", {}

    def packet(self, endpoint: Endpoint, tag: str, place: Location) -> ClassRef:
        type_ = endpoint.source.parts["toClient"].type
        _, arms = self.packets(endpoint)
        union = type_.key if isinstance(type_, Named) else f"{endpoint.source.key}/toClient"
        message = f"{endpoint.source.name} sends no packet {tag!r}"
        arm = self.known(arms.get(tag), place, message, f"{union}[{tag}]")
        return self.ref(arm.key)

    def progress(
        self, endpoint: Endpoint, entries: Mapping[str, str], place: Location
    ) -> list[tuple[ClassRef, str]]:
        return self.present(
            lambda tag, name, _: self.packet_fields(endpoint, {tag: name}, place)[0], entries, place
        )

    def packet_fields(
        self, endpoint: Endpoint, entries: Mapping[str, str], place: Location
    ) -> list[tuple[ClassRef, str]]:
        refs = [
            (self.packet(endpoint, tag, place.child(tag)), tag, wire_name)
            for tag, wire_name in entries.items()
        ]
        return [
            (ref, self.attribute(Named(self.key(ref)), wire_name, place.child(tag)))
            for ref, tag, wire_name in refs
        ]

    def type(self, name: str, place: Location) -> ClassRef:
        found = next((key for key, known in self.model.names.items() if known == name), None)
        message = f"the schema has no type {name!r}"
        if found is None and name in self.model.lock.values():
            raise AbsentError(LeftOut(place, message))
        return self.ref(self.known(found, place, message, found or ""))

    def ref(self, key: str) -> ClassRef:
        return ClassRef(name=self.model.names[key], module=self.model.module_of[key])

    def key(self, ref: ClassRef) -> str:
        return next(
            key
            for key, name in self.model.names.items()
            if name == ref.name and self.model.module_of[key] == ref.module
        )

    def attribute(self, type_: Type | None, wire_name: str, place: Location) -> str:
        attributes = self.model.attributes.get(type_.key, {}) if isinstance(type_, Named) else {}
        key = f"{type_.key}.{wire_name}" if isinstance(type_, Named) else ""
        message = f"there is no field {wire_name!r}"
        if not self.is_message(type_):
            message = f"what should have the field {wire_name!r} is {self.model.hint(type_)}"
        attribute: str = self.known(attributes.get(wire_name), place, message, key)
        return attribute

    def field_type(self, type_: Type | None, wire_name: str) -> Type | None:
        definition = self.model.definition(type_.key) if isinstance(type_, Named) else None
        fields = definition.fields if isinstance(definition, MessageDefinition) else ()
        return next((field.type for field in fields if field.wire_name == wire_name), None)

    def is_message(self, type_: Type | None) -> bool:
        return isinstance(type_, Named) and isinstance(self.model.definition(type_.key), MessageDefinition)

    def item_of(self, endpoint: Endpoint, place: Location) -> ClassRef:
        type_ = endpoint.source.parts["result"].type
        keys = list(names_in(type_.item)) if isinstance(type_, ArrayType) else []
        return self.ref(self.known(keys[0] if keys else None, place, "does not return a list of objects"))

    def decoder(self, ref: ClassRef) -> str:
        definition = self.model.definition(self.key(ref))
        if isinstance(definition, MessageDefinition):
            return f"{ref.name}.from_wire"
        return f"decode_{snake_case(ref.name)}"

    def template(self, template: Mapping[str, Any], place: Location, type_: Type | None) -> dict[str, Any]:
        """Check a template's variables, and its keys against the request's fields; return those that there are."""
        if not isinstance(type_, Named) or not self.is_message(type_):
            self.problems.add(place, "what it is for is no object in the schema")
            raise UnresolvedError
        self.names.refer(place, type_.key, frozenset(template))
        present = self.present(
            lambda key, value, where: (self.attribute(type_, key, where), key, value), template, place
        )
        self.check_template(template, place)
        return {key: value for _, key, value in present}

    def check_template(self, template: Any, place: Location) -> None:
        """Check a template's variables."""
        if isinstance(template, str):
            if (
                template.startswith("$")
                and not template.startswith("$$")
                and template[1:] not in self.variables
            ):
                known = ", ".join(sorted(self.variables))
                self.problems.add(place, f"no such variable {template!r}; there are {known}")
        elif isinstance(template, Mapping):
            for key, value in template.items():
                self.check_template(value, place.child(key))
        elif isinstance(template, list):
            for number, value in enumerate(template):
                self.check_template(value, place.child(number))


def names_in(type_: Type | None) -> Sequence[str]:
    """Return the keys of the definitions that a type mentions."""
    return [] if type_ is None else list(named_in(type_))
