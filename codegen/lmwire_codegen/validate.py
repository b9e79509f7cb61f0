"""Second stage: every file of ``schema/wire`` is ordinary JSON Schema of the subset that the compiler knows.

Checked are the shape of the files, each schema against the draft's own meta-schema, the keywords in use, and that every
reference stays inside the schema folder and leads to a definition.
"""

from __future__ import annotations

import functools
import posixpath
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

import jsonschema

from lmwire_codegen.keywords import KEYWORDS
from lmwire_codegen.load import SchemaFolder
from lmwire_codegen.problems import Location, Problems

__all__ = ["ENVELOPE", "PARTS", "is_namespace_file", "is_types_file", "target_of", "validate"]

ENVELOPE: Final = "wire/envelope.json"

PARTS: Final[Mapping[str, tuple[str, ...]]] = {
    "rpc": ("parameter", "result"),
    "channel": ("creation", "toServer", "toClient"),
    "signal": ("creation", "value"),
}
"""Kinds of endpoints and the parts of each; a part is a schema, or false for void."""

_SERIALIZATIONS: Final = ("raw", "superjson")
_ANNOTATIONS: Final = frozenset({"title", "description", "default", "examples", "$comment", "deprecated"})
_KEYWORDS: Final = _ANNOTATIONS | {
    "$ref", "type", "const", "enum", "properties", "required", "additionalProperties", "items", "prefixItems", "anyOf",
    "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "minLength", "maxLength", "pattern", "minItems",
    "maxItems", "uniqueItems", "format", "multipleOf",
}  # fmt: skip


def is_types_file(file: str) -> bool:
    """Tell whether ``file`` holds shared types."""
    return file.startswith("wire/types/")


def is_namespace_file(file: str) -> bool:
    """Tell whether ``file`` holds the endpoints of one namespace."""
    return file.startswith("wire/namespaces/")


def target_of(file: str, reference: str) -> tuple[str, str] | None:
    """Return file and name of the definition that a ``$ref`` in ``file`` points at; None if it has another form."""
    path, _, fragment = reference.partition("#")
    prefix = "/$defs/"
    if not fragment.startswith(prefix) or "/" in fragment[len(prefix) :] or "://" in path:
        return None
    target = posixpath.normpath(posixpath.join(posixpath.dirname(file), path)) if path else file
    name = fragment[len(prefix) :].replace("~1", "/").replace("~0", "~")
    return target, name


def validate(folder: SchemaFolder) -> None:
    """Check all files.

    Raises:
        SchemaProblems: Something is wrong; all that was found is in it.
    """
    problems = Problems()
    namespaces: dict[str, str] = {}
    shared: dict[str, str] = {}
    for file, document in folder.documents.items():
        place = Location(file)
        if not isinstance(document, dict):
            problems.add(place, "must be an object")
        elif is_types_file(file) or file == ENVELOPE:
            _check_definitions(folder, document, place, problems, shared)
        elif is_namespace_file(file):
            _check_namespace(folder, document, place, problems, namespaces)
        else:
            problems.add(place, "is neither envelope.json nor in types/ nor in namespaces/")
    problems.raise_if_any()


def _check_definitions(
    folder: SchemaFolder,
    document: dict[str, Any],
    place: Location,
    problems: Problems,
    shared: dict[str, str],
) -> None:
    for key in document.keys() - {"$schema", "$id", "$comment", "$defs"}:
        problems.add(place.child(key), "a file of types has nothing but $defs")
    definitions = document.get("$defs")
    if not isinstance(definitions, dict):
        problems.add(place, "has no $defs")
        return
    for name, schema in definitions.items():
        where = place.child("$defs", name)
        if is_types_file(place.file) and shared.setdefault(name, place.file) != place.file:
            problems.add(where, f"{name!r} is also defined in {shared[name]}")
        _check_schema(folder, schema, where, problems)


def _check_namespace(
    folder: SchemaFolder, document: dict[str, Any], place: Location, problems: Problems, seen: dict[str, str]
) -> None:
    name = document.get("namespace")
    if not isinstance(name, str) or not name:
        problems.add(place.child("namespace"), "must be the wire's name of the namespace")
    elif name in seen:
        problems.add(place.child("namespace"), f"{name!r} is also in {seen[name]}")
    else:
        seen[name] = place.file
    for key in document.keys() - {"namespace", "$comment", *PARTS}:
        problems.add(place.child(key), "no such kind of endpoint")
    for kind, parts in PARTS.items():
        endpoints = document.get(kind, {})
        if not isinstance(endpoints, dict):
            problems.add(place.child(kind), "must map endpoint names to endpoints")
            continue
        for endpoint, entry in endpoints.items():
            _check_endpoint(folder, entry, parts, place.child(kind, endpoint), problems)


def _check_endpoint(
    folder: SchemaFolder, entry: Any, parts: tuple[str, ...], place: Location, problems: Problems
) -> None:
    if not isinstance(entry, dict):
        problems.add(place, "must be an object")
        return
    for key in entry.keys() - {*parts, "optional", "serialization", "writable", "description"}:
        problems.add(place.child(key), "an endpoint has no such part")
    optional = entry.get("optional", [])
    if not isinstance(optional, list) or not set(map(str, optional)) <= {
        part for part in parts if entry.get(part)
    }:
        problems.add(place.child("optional"), "must list parts that have a schema")
    if entry.get("serialization", "raw") not in _SERIALIZATIONS:
        problems.add(place.child("serialization"), f"must be one of {', '.join(_SERIALIZATIONS)}")
    for part in parts:
        if part not in entry:
            problems.add(place.child(part), "is missing; a part that is never sent is false")
        elif entry[part] is not False:
            _check_schema(folder, entry[part], place.child(part), problems)


@functools.cache
def _meta_validator() -> Any:
    return jsonschema.Draft202012Validator(jsonschema.Draft202012Validator.META_SCHEMA)


def _check_schema(folder: SchemaFolder, schema: Any, place: Location, problems: Problems) -> None:
    deep = _too_deep(schema)
    if deep:
        problems.add(place, "is nested beyond reason")
        return
    invalid = False
    for error in () if _surely_valid(schema) else _meta_validator().iter_errors(schema):
        invalid = True
        problems.add(
            place.child(*error.absolute_path), f"is not valid JSON Schema: {_shortened(error.message)}"
        )
    if not invalid:
        _check_node(folder, schema, place, problems)


def _surely_valid(schema: Any) -> bool:
    """Tell quickly that a schema of ordinary keywords is valid; on others the meta-schema decides, and has words."""
    if not isinstance(schema, dict):
        return isinstance(schema, bool)
    for keyword, value in schema.items():
        if keyword in KEYWORDS:
            fine = KEYWORDS[keyword][0](value)
        elif keyword == "properties":
            fine = isinstance(value, dict) and all(map(_surely_valid, value.values()))
        elif keyword in ("anyOf", "prefixItems"):
            fine = isinstance(value, list) and bool(value) and all(map(_surely_valid, value))
        elif keyword in ("items", "additionalProperties"):
            fine = _surely_valid(value)
        else:
            fine = keyword in ("title", "description", "$comment") and isinstance(value, str)
            fine = fine or keyword in ("default", "const")
        if not fine:
            return False
    return True


def _too_deep(schema: Any, limit: int = 64) -> bool:
    layer: list[Any] = [schema]
    for _ in range(limit):
        layer = [
            child
            for node in layer
            for child in (node.values() if isinstance(node, dict) else node if isinstance(node, list) else ())
        ]
        if not layer:
            return False
    return True


def _shortened(text: str, limit: int = 200) -> str:
    text = " ".join(text.split())
    return text if len(text) <= limit else text[: limit - 3] + "..."


def _check_node(folder: SchemaFolder, schema: Any, place: Location, problems: Problems) -> None:
    if not isinstance(schema, dict):
        if schema is False:
            problems.add(place, "false has no meaning here")
        return
    for keyword in schema:
        if keyword not in _KEYWORDS and not keyword.startswith("x-"):
            problems.add(place.child(keyword), f"unsupported keyword {keyword!r}")
    reference = schema.get("$ref")
    if reference is not None:
        _check_reference(folder, reference, place, problems)
        for keyword in schema.keys() - _ANNOTATIONS - {"$ref"}:
            problems.add(place.child(keyword), "stands beside a $ref, which the compiler does not combine")
    for child, where in _children(schema, place):
        _check_node(folder, child, where, problems)


def _children(schema: dict[str, Any], place: Location) -> Iterator[tuple[Any, Location]]:
    for name, child in schema.get("properties", {}).items():
        yield child, place.child("properties", name)
    for keyword in ("anyOf", "prefixItems"):
        for index, child in enumerate(schema.get(keyword, ())):
            yield child, place.child(keyword, index)
    if isinstance(schema.get("additionalProperties"), dict):
        yield schema["additionalProperties"], place.child("additionalProperties")
    if isinstance(schema.get("items"), dict):
        yield schema["items"], place.child("items")


def _check_reference(folder: SchemaFolder, reference: str, place: Location, problems: Problems) -> None:
    report: Callable[[str], None] = functools.partial(problems.add, place.child("$ref"))
    target = target_of(place.file, reference)
    if target is None:
        report(f"{reference!r} is not of the form 'file.json#/$defs/Name' with a file of this schema")
        return
    file, name = target
    if file not in folder.documents:
        report(f"{reference!r} leads to {file}, which is no file of this schema")
        return
    document = folder.documents[file]
    definitions = document.get("$defs", {}) if isinstance(document, dict) else {}
    if not isinstance(definitions, dict) or name not in definitions:
        report(f"dangling $ref {reference!r}: {file} defines no {name!r}")
