"""Third stage: from files of JSON Schema to definitions and endpoints whose types are all named or plain.

References are resolved; inline objects, arms of unions and enums are hoisted and get a key; unions are told apart by
the value of a tag or by their JSON type; ``false`` becomes void. Names of Python are only proposed here, ``model``
decides.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from lmwire_codegen.choices import discriminator_of, merged, overlap
from lmwire_codegen.descriptions import Descriptions
from lmwire_codegen.limits import limits_of
from lmwire_codegen.load import SchemaFolder
from lmwire_codegen.naming import pascal_case, pascal_part
from lmwire_codegen.problems import Location, Problems
from lmwire_codegen.shapes import (
    AnyType,
    ArrayType,
    Choice,
    Definition,
    EnumDefinition,
    Field,
    Limits,
    MapType,
    MessageDefinition,
    Named,
    NormalEndpoint,
    NormalPart,
    NormalSchema,
    Nullable,
    Scalar,
    ScalarKind,
    Tag,
    TagField,
    TupleType,
    Type,
    UnionDefinition,
)
from lmwire_codegen.validate import ENVELOPE, PARTS, is_namespace_file, is_types_file, target_of

__all__ = ["normalise"]

_SCALARS: Final[Mapping[str, ScalarKind]] = {
    "string": "string", "integer": "integer", "number": "number", "boolean": "boolean",
}  # fmt: skip


def normalise(folder: SchemaFolder) -> NormalSchema:
    """Normalise a validated schema folder.

    Raises:
        SchemaProblems: The schema uses a construct that the compiler does not support.
    """
    problems = Problems()
    work = _Normaliser(folder, problems)
    for file, document in folder.documents.items():
        if is_types_file(file) or file == ENVELOPE:
            for name in document["$defs"]:
                work.shared(file, name)
    endpoints = {
        document["namespace"]: tuple(_endpoints(work, file, document))
        for file, document in folder.documents.items()
        if is_namespace_file(file)
    }
    problems.raise_if_any()
    return NormalSchema(
        revision=folder.revision,
        definitions=work.definitions,
        files=work.files,
        endpoints=dict(sorted(endpoints.items())),
        described=frozenset(work.words.used),
        notices=tuple(work.notices),
    )


def _endpoints(work: _Normaliser, file: str, document: Mapping[str, Any]) -> Iterable[NormalEndpoint]:
    namespace = document["namespace"]
    for kind, part_names in PARTS.items():
        for name, entry in document.get(kind, {}).items():
            key = f"{namespace}/{kind}/{name}"
            place = Location(file).child(kind, name)
            stem = pascal_case(name)
            parts = {}
            work.root = key
            for part in part_names:
                if entry[part] is False:
                    parts[part] = NormalPart(None, "void")
                    continue
                whole = stem + pascal_part(part)
                arms = (stem, whole) if part in ("toServer", "toClient") else (whole,)
                type_ = work.type_of(entry[part], f"{key}/{part}", (whole,), place.child(part), arms=arms)
                optional = part in entry.get("optional", ())
                parts[part] = NormalPart(type_, "optional" if optional else "required")
            yield NormalEndpoint(
                namespace=namespace, kind=kind, name=name, key=key, place=place, parts=parts,
                serialization=entry.get("serialization", "raw"), writable=bool(entry.get("writable")),
                description=work.words.of(key, entry),
            )  # fmt: skip


class _Normaliser:
    """Turns schemas into types, hoisting definitions as it meets them."""

    def __init__(self, folder: SchemaFolder, problems: Problems) -> None:
        self._folder = folder
        self._problems = problems
        self._shared: dict[tuple[str, str], Type] = {}
        self._open: list[tuple[str, str]] = []
        self.root = ""
        """The shared type or endpoint that is being worked on."""
        self.definitions: Final[dict[str, Definition]] = {}
        self.files: Final[dict[str, str]] = {}
        """The file of each shared type."""
        self.words: Final = Descriptions(folder, problems)
        self.notices: Final[list[str]] = []

    # --- references ---------------------------------------------------------------------------------------------

    def shared(self, file: str, name: str) -> Type:
        """Return the type of a definition in a file; objects, unions and enums keep its name, others are inlined."""
        if (file, name) in self._shared:
            return self._shared[file, name]
        key = f"envelope/{name}" if file == ENVELOPE else name
        self.files[key] = file
        schema = self._folder.documents[file]["$defs"][name]
        place = Location(file).child("$defs", name)
        if (file, name) in self._open:
            return self._inside_itself(schema, key, place)
        self._open.append((file, name))
        outer, self.root = self.root, key
        type_ = self.type_of(schema, key, (pascal_case(name),), place)
        self.root = outer
        self._open.pop()
        self._shared[file, name] = type_
        return type_

    def _inside_itself(self, schema: Any, key: str, place: Location) -> Type:
        """Return the type of a definition that is met while it is being worked on."""
        if isinstance(schema, dict) and "$ref" in schema:
            body, end = self._followed(schema, place)
            target = target_of(place.file, schema["$ref"])
            if body and target is not None and end != place:
                return self.shared(*target)
        elif not self._is_nameless(schema):
            return Named(key)
        self._problems.add(place, "refers to itself without an object in between")
        return AnyType()

    def _is_nameless(self, schema: Any) -> bool:
        """Tell whether a definition is inlined where it is used (then it cannot contain itself)."""
        if not isinstance(schema, dict):
            return True
        if "anyOf" in schema:
            return not all(self._is_object(arm) for arm in schema["anyOf"])
        return not self._is_object(schema) and "enum" not in schema

    def _followed(self, schema: Any, place: Location) -> tuple[Any, Location]:
        """Follow references of ``schema`` to a schema that is none."""
        seen = set()
        while isinstance(schema, dict) and "$ref" in schema:
            target = target_of(place.file, schema["$ref"])
            if target is None or target in seen:
                return {}, place
            seen.add(target)
            file, name = target
            schema = self._folder.documents[file]["$defs"][name]
            place = Location(file).child("$defs", name)
        return schema, place

    # --- types --------------------------------------------------------------------------------------------------

    def type_of(
        self, schema: Any, key: str, names: tuple[str, ...], place: Location, *, arms: tuple[str, ...] = ()
    ) -> Type:
        """Return the type that ``schema`` describes.

        Args:
            schema: A validated JSON Schema.
            key: Where it stands; keys of what is hoisted begin with it.
            names: Candidates for the name of what is hoisted.
            place: For problems.
            arms: Stems of the names of a union's arms, by default ``names``.
        """
        if not isinstance(schema, dict):
            return AnyType()
        if "$ref" in schema:
            target = target_of(place.file, schema["$ref"])
            return AnyType() if target is None else self.shared(*target)
        if "anyOf" in schema:
            return self._choice(schema, key, names, place, arms or names)
        if "enum" in schema:
            return self._enum(schema, key, names, place)
        if "const" in schema:
            return self._constant(schema["const"], place)
        kinds = schema.get("type")
        if isinstance(kinds, list):
            alternatives = [
                {"type": "null"} if kind == "null" else {**schema, "type": kind} for kind in kinds
            ]
            return self._choice({**schema, "anyOf": alternatives}, key, names, place, names)
        if isinstance(kinds, str) and kinds in _SCALARS:
            return Scalar(_SCALARS[kinds], self._limits(schema, place), schema.get("format"))
        if kinds == "array" or (kinds is None and ("items" in schema or "prefixItems" in schema)):
            return self._array(schema, key, names, place)
        if kinds == "object" or (kinds is None and "properties" in schema):
            return self._object(schema, key, names, place)
        if kinds == "null":
            return Nullable(Choice(()))
        return AnyType()

    def _limits(self, schema: Mapping[str, Any], place: Location) -> Limits:
        limits, notice = limits_of(schema, self._folder.repairs)
        if notice:
            self.notices.append(f"{place}: {notice}")
        return limits

    def _constant(self, value: Any, place: Location) -> Type:
        if value is None:
            return Nullable(Choice(()))
        if isinstance(value, bool):
            return Scalar("boolean", Limits(choices=(value,)))
        if isinstance(value, str):
            return Scalar("string", Limits(choices=(value,)))
        if isinstance(value, int):
            return Scalar("integer", Limits(choices=(value,)))
        self._problems.add(
            place, f"a constant that is neither string, integer nor boolean: {value!r:.80}", opaque=True
        )
        return AnyType()

    def _enum(self, schema: Mapping[str, Any], key: str, names: tuple[str, ...], place: Location) -> Type:
        values: list[Any] = [value for value in schema["enum"] if isinstance(value, (str, int))]
        if len(values) == sum(value is not None for value in schema["enum"]):
            values = list(dict.fromkeys(values))
        else:
            values = []  # there is something else, so there is no enum
        nullable = None in schema["enum"]
        type_: Type
        if values and all(isinstance(value, str) for value in values):
            self._hoist(
                EnumDefinition(
                    key=key,
                    place=place,
                    root=self.root,
                    names=names,
                    description=self.words.of(key, schema),
                    members=tuple(values),
                    words=tuple(self.words.of(f"{key}={member}", None) for member in values),
                )
            )
            type_ = Named(key)
        elif values and all(type(value) is int for value in values):
            type_ = Scalar("integer", Limits(choices=tuple(values)))
        else:
            self._problems.add(place, "an enum of anything but strings or integers", opaque=True)
            return AnyType()
        return Nullable(type_) if nullable else type_

    def _array(self, schema: Mapping[str, Any], key: str, names: tuple[str, ...], place: Location) -> Type:
        if "prefixItems" in schema:
            if schema.get("items", True) is not False:
                self._problems.add(place, "an array with both fixed and further items", opaque=True)
            return TupleType(
                tuple(
                    self.type_of(
                        item,
                        f"{key}({index})",
                        self._below(names, f"item{index}"),
                        place.child("prefixItems", index),
                    )
                    for index, item in enumerate(schema["prefixItems"])
                )
            )
        item = self.type_of(
            schema.get("items", True), f"{key}[]", self._below(names, "item"), place.child("items")
        )
        unique = schema.get("uniqueItems") is True
        return ArrayType(item, schema.get("minItems"), schema.get("maxItems"), unique)

    def _object(self, schema: Mapping[str, Any], key: str, names: tuple[str, ...], place: Location) -> Type:
        properties = schema.get("properties")
        values = schema.get("additionalProperties", True)
        if properties is None:
            return MapType(
                self.type_of(
                    values, f"{key}{{}}", self._below(names, "value"), place.child("additionalProperties")
                )
            )
        if isinstance(values, Mapping) and values:
            self._problems.add(
                place.child("additionalProperties"), "an object with both known and arbitrary keys"
            )
        self._message(schema, key, names, place)
        return Named(key)

    def _message(self, schema: Mapping[str, Any], key: str, names: tuple[str, ...], place: Location) -> None:
        required = set(schema.get("required", ()))
        properties = schema["properties"]
        for name in sorted(required - properties.keys()):
            self._problems.add(place.child("required"), f"{name!r} is required but not described")
        fields: list[Field] = []
        tags: list[TagField] = []
        for name, child in properties.items():
            where = place.child("properties", name)
            words = self.words.of(f"{key}.{name}", child)
            body, _ = self._followed(child, where)
            value = body.get("const") if isinstance(body, dict) else None
            if name in required and isinstance(value, (str, bool, int)):
                tags.append(TagField(wire_name=name, value=value, description=words))
                continue
            type_ = self.type_of(child, f"{key}.{name}", self._below(names, name), where)
            secret = name in self._folder.repairs.secrets
            fields.append(
                Field(wire_name=name, type=type_, required=name in required, description=words, secret=secret)
            )
        self._hoist(
            MessageDefinition(
                key=key,
                place=place,
                root=self.root,
                names=names,
                description=self.words.of(key, schema),
                fields=tuple(fields),
                tags=tuple(tags),
                order=tuple(properties),
                tolerant=key in self._folder.repairs.tolerant,
            )
        )

    # --- unions -------------------------------------------------------------------------------------------------

    def _choice(
        self,
        schema: Mapping[str, Any],
        key: str,
        names: tuple[str, ...],
        place: Location,
        stems: tuple[str, ...],
    ) -> Type:
        members = [(arm, place.child("anyOf", index)) for index, arm in enumerate(schema["anyOf"])]
        rest = [
            (arm, where)
            for arm, where in members
            if self._followed(arm, where)[0] not in ({"type": "null"}, {"const": None})
        ]
        nullable = len(rest) < len(members)
        objects = [(arm, where) for arm, where in rest if self._is_object(arm, where)]
        others = [(arm, where) for arm, where in rest if not self._is_object(arm, where)]
        types: list[Type] = []
        if objects and not (len(objects) == 1 and (others or nullable)):
            union_key = f"{key}|object" if others else key
            union_names = self._below(names, "object") if others else names
            types.append(self._union(schema, objects, union_key, union_names, place, stems))
        else:
            types += [self.type_of(arm, f"{key}|object", names, where) for arm, where in objects]
        types += self._scalars_and_arrays(others, key, names)
        type_: Type = types[0] if len(types) == 1 else Choice(tuple(types))
        self._check_disjoint(types, place)
        return Nullable(type_) if nullable else type_

    def _scalars_and_arrays(
        self, arms: Sequence[tuple[Any, Location]], key: str, names: tuple[str, ...]
    ) -> list[Type]:
        """Translate arms that are no objects, merging those of one JSON type as far as that is sound."""
        types: list[Type] = []
        for index, (arm, where) in enumerate(arms):
            type_ = self.type_of(arm, f"{key}|{index}", self._below(names, f"option{index}"), where)
            for position, known in enumerate(types):
                if isinstance(known, Scalar) and isinstance(type_, Scalar) and overlap(known, type_):
                    types[position] = merged(known, type_)
                    break
            else:
                types += type_.members if isinstance(type_, Choice) else (type_,)
        return types

    def _check_disjoint(self, types: Sequence[Type], place: Location) -> None:
        if len(types) < 2:
            return
        kinds = [self._json_type(type_) for type_ in types]
        for kind in sorted({kind for kind in kinds if kinds.count(kind) > 1 or kind == "any"}):
            self._problems.add(
                place,
                f"alternatives that cannot be told apart: more than one may be of type {kind}",
                opaque=True,
            )

    def _json_type(self, type_: Type) -> str:
        if isinstance(type_, Scalar):
            return "number" if type_.kind == "integer" else type_.kind
        if isinstance(type_, (ArrayType, TupleType)):
            return "array"
        if isinstance(type_, MapType):
            return "object"
        if isinstance(type_, Named):
            return "string" if isinstance(self.definitions.get(type_.key), EnumDefinition) else "object"
        return "any"

    def _union(
        self, schema: Mapping[str, Any], arms: Sequence[tuple[Any, Location]], key: str, names: tuple[str, ...],
        place: Location, stems: tuple[str, ...],
    ) -> Type:  # fmt: skip
        flat = self._flattened(arms)
        bodies = [self._followed(arm, where)[0] for arm, where in flat]
        discriminator = discriminator_of(bodies)
        if discriminator is None:
            if len(flat) == 1:
                return self.type_of(*flat[0][:1], key, names, flat[0][1])
            self._problems.add(place, "a union of objects without a tag that tells them apart", opaque=True)
            return AnyType()
        result = []
        for (arm, where), body in zip(flat, bodies, strict=True):
            tag: Tag = body["properties"][discriminator]["const"]
            label = str(tag).lower() if isinstance(tag, bool) else str(tag)
            part = ("" if tag else "not ") + discriminator if isinstance(tag, bool) else str(tag)
            type_ = self.type_of(arm, f"{key}[{label}]", self._below(stems, part), where)
            if isinstance(type_, Named):
                result.append((tag, type_))
        self._hoist(
            UnionDefinition(
                key=key, place=place, root=self.root, names=names, description=self.words.of(key, schema),
                discriminator=discriminator, arms=tuple(result),
            )
        )  # fmt: skip
        return Named(key)

    def _flattened(self, arms: Sequence[tuple[Any, Location]]) -> list[tuple[Any, Location]]:
        """Replace arms that are unions of objects themselves by their arms."""
        flat: list[tuple[Any, Location]] = []
        for arm, where in arms:
            body, place = self._followed(arm, where)
            if "anyOf" in body:
                inner = [(child, place.child("anyOf", index)) for index, child in enumerate(body["anyOf"])]
                flat += self._flattened(inner)
            else:
                flat.append((arm, where))
        return flat

    def _is_object(self, schema: Any, place: Location | None = None, depth: int = 0) -> bool:
        """Tell whether ``schema`` describes objects with known fields, or a union of nothing else."""
        if place is not None:
            schema, place = self._followed(schema, place)
        if not isinstance(schema, dict) or depth > 16:
            return False
        if "anyOf" in schema:
            return all(self._is_object(arm, place, depth + 1) for arm in schema["anyOf"])
        if "$ref" in schema:
            return True
        return "properties" in schema and schema.get("type", "object") == "object"

    # --- keys ---------------------------------------------------------------------------------------------------

    @staticmethod
    def _below(names: tuple[str, ...], part: str) -> tuple[str, ...]:
        return tuple(name + pascal_part(part) for name in names)

    def _hoist(self, definition: Definition) -> None:
        self.definitions[definition.key] = definition
