"""Spreads a translated export over the files of ``schema/wire``: types by topic, endpoints by namespace.

Topics come from the table in ``schema/repairs.yaml``, whose order is the order in which topics may use each other. A
type that uses one of a later topic moves to that topic, so the files never refer to each other in a circle, whatever
upstream does. What files written by hand refer to stays where they look for it, and what it uses comes to it.
"""

from __future__ import annotations

from collections.abc import Mapping
from fnmatch import fnmatchcase
from typing import Any, Final

from lmwire_codegen.importer.export import Export
from lmwire_codegen.importer.homes import Homes
from lmwire_codegen.importer.translate import Schema, Translator
from lmwire_codegen.keywords import references_in, with_references
from lmwire_codegen.naming import pascal_case
from lmwire_codegen.problems import Location, Problems
from lmwire_codegen.repairs import Repairs

__all__ = ["translate_export"]

_DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"
_REFERENCE: Final = "type:"


def translate_export(
    export: Export, repairs: Repairs, pinned: Mapping[str, str] | None = None
) -> dict[str, Any]:
    """Translate the export; the result maps paths below ``schema/`` to the content of the files.

    Args:
        export: What upstream says.
        repairs: What it gets wrong, and the topics of types.
        pinned: Types that files written by hand refer to -> the topic where they look for them.

    Raises:
        SchemaProblems: The export cannot be understood.
    """
    problems = Problems()
    translator = Translator(export, Homes(export), problems)
    namespaces = {
        namespace: _namespace(export, namespace, translator, repairs)
        for namespace in sorted(export.namespaces)
    }
    pinned = pinned or {}
    for key in sorted({*export.definitions, *repairs.definitions}):
        if "/" not in key and pascal_case(key) in pinned:
            translator.used.setdefault(key)
    types = _types(export, translator, repairs, problems)
    problems.raise_if_any()
    topics = _topics(types, repairs, pinned)
    files: dict[str, Any] = {}
    for topic in sorted(set(topics.values())):
        definitions = {
            name: _resolved(types[name], topics, f"types/{topic}")
            for name in sorted(types)
            if topics[name] == topic
        }
        files[f"wire/types/{topic}.json"] = {"$schema": _DIALECT, "$defs": definitions}
    for namespace, content in namespaces.items():
        files[f"wire/namespaces/{namespace}.json"] = _resolved(content, topics, f"namespaces/{namespace}")
    return files


def _namespace(export: Export, namespace: str, translator: Translator, repairs: Repairs) -> Schema:
    content: Schema = {"namespace": namespace, "rpc": {}, "channel": {}, "signal": {}}
    for endpoint in export.namespaces[namespace]:
        entry: Schema = {}
        optional = []
        place = Location(export.file).child("definitions", endpoint.key)
        names = {"rpc": ("parameter", "result"), "channel": ("creation", "toServer", "toClient")}
        for name in names.get(endpoint.kind, ("creation", "value")):
            part = translator.part(endpoint.parts.get(name), name, place)
            entry[name] = part.schema
            if part.optional:
                optional.append(name)
        if optional:
            entry["optional"] = optional
        if endpoint.kind == "writableSignal":
            entry["writable"] = True
        serialization = repairs.serialization.get(endpoint.key)
        if serialization is not None:
            entry["serialization"] = serialization
        content["signal" if endpoint.kind == "writableSignal" else endpoint.kind][endpoint.name] = entry
    return content


def _types(export: Export, translator: Translator, repairs: Repairs, problems: Problems) -> dict[str, Schema]:
    """Translate every named definition in use, until no new one turns up."""
    types: dict[str, Schema] = {}
    keys: dict[str, str] = {}
    done: set[str] = set()
    while todo := [key for key in translator.used if key not in done]:
        for key in todo:
            done.add(key)
            place = Location(export.file).child("definitions", key)
            name = pascal_case(key)
            if name in keys:
                problems.add(
                    place, f"{key!r} and {keys[name]!r} both become {name}; rename one of them in the export"
                )
            keys[name] = key
            replacement = repairs.definitions.get(key)
            body = export.definitions[key] if replacement is None else replacement
            types[name] = translator.schema(body, place, own=True)
    return types


def _topics(types: Mapping[str, Schema], repairs: Repairs, pinned: Mapping[str, str]) -> dict[str, str]:
    """Return the topic of each type: its own, or that of what it uses, or that of what is pinned and uses it."""
    order = list(repairs.topics)

    def wanted(name: str) -> int:
        for rank, patterns in enumerate(repairs.topics.values()):
            if any(fnmatchcase(name, pattern) for pattern in patterns):
                return rank
        return 0

    ranks = {name: wanted(name) for name in types}
    used = {
        name: {reference.removeprefix(_REFERENCE) for _, reference in references_in(schema)}
        for name, schema in types.items()
    }
    todo = [(name, order.index(topic)) for name, topic in pinned.items() if name in types and topic in order]
    settled: set[str] = set()
    while todo:
        name, rank = todo.pop()
        if name not in settled or ranks[name] > rank:
            ranks[name] = rank if name in pinned else min(ranks[name], rank)
            settled.add(name)
            todo += [(other, rank) for other in used[name]]
    moved = True
    while moved:
        moved = False
        for name in types.keys() - settled:
            lowest = max((ranks[other] for other in used[name]), default=0)
            if ranks[name] < lowest:
                ranks[name], moved = lowest, True
    return {name: order[rank] for name, rank in ranks.items()}


def _resolved(schema: Any, topics: Mapping[str, str], file: str) -> Any:
    """Replace ``type:Name`` by a reference that is relative to ``file`` (without its suffix)."""
    return with_references(schema, lambda name: _reference(name.removeprefix(_REFERENCE), topics, file))


def _reference(name: str, topics: Mapping[str, str], file: str) -> str:
    target = f"types/{topics[name]}"
    if target == file:
        return f"#/$defs/{name}"
    prefix = "" if file.startswith("types/") else "../types/"
    return f"{prefix}{topics[name]}.json#/$defs/{name}"
