"""A schema folder with some of its namespaces: for a package of bindings that has no others.

What the namespaces do not use goes too: shared types, surfaces, tables of options.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Any

import attrs

from lmwire_codegen.keywords import references_in
from lmwire_codegen.load import SchemaFolder
from lmwire_codegen.problems import Location, Problems
from lmwire_codegen.validate import is_namespace_file, is_types_file, target_of

__all__ = ["with_only"]


def with_only(folder: SchemaFolder, namespaces: Collection[str]) -> SchemaFolder:
    """Return the validated ``folder`` with these namespaces alone; with all if there are none.

    Raises:
        SchemaProblems: The schema has no such namespace.
    """
    if not namespaces:
        return folder
    known = {
        document["namespace"]: file for file, document in folder.documents.items() if is_namespace_file(file)
    }
    problems = Problems()
    for name in sorted(set(namespaces) - known.keys()):
        words = f"the schema has no namespace {name!r}; it has {', '.join(sorted(known))}"
        problems.add(Location("wire/namespaces"), words)
    problems.raise_if_any()
    surface = {
        file: _without_others(content, namespaces)
        for file, content in folder.surface.items()
        if _member(content, "namespace") in namespaces
    }
    return attrs.evolve(
        folder,
        documents=dict(
            _documents(folder.documents, {known[name] for name in namespaces}, _types_of(folder, surface))
        ),
        surface=surface,
        options=_options(folder.options, surface),
    )


def _without_others(surface: Any, namespaces: Collection[str]) -> Any:
    """Drop the entries of a surface that are about a namespace which is not chosen."""
    return {
        key: entry
        for key, entry in surface.items()
        if key == "namespace" or _member(entry, "namespace") in (None, *namespaces)
    }


def _types_of(folder: SchemaFolder, surface: Mapping[str, Any]) -> set[str]:
    """Return the shared types that methods of namespaces name beside those of their endpoints."""
    named: set[Any] = set()
    for content in surface.values():
        for kind in ("calls", "operations", "events"):
            for method in _values(content, kind):
                for entry in (*_values(method, "parameters"), _member(method, "makes")):
                    types = _member(entry, "types")
                    named.update(types if isinstance(types, list) else (), [_member(entry, "type")])
    return named | {key for key, name in folder.lock.items() if name in named}


def _documents(
    documents: Mapping[str, Any], chosen: Collection[str], types: Collection[str]
) -> Iterator[tuple[str, Any]]:
    """Yield the chosen files, and of the types what they use, and these."""
    kept = {
        file: document
        for file, document in documents.items()
        if file in chosen or not (is_namespace_file(file) or is_types_file(file))
    }
    named = [
        (file, name)
        for file, document in documents.items()
        if is_types_file(file)
        for name in document["$defs"]
        if name in types
    ]
    used = _used(documents, kept, named)
    for file, document in documents.items():
        if file in kept:
            yield file, document
        elif is_types_file(file):
            definitions = {name: body for name, body in document["$defs"].items() if (file, name) in used}
            if definitions:
                yield file, {**document, "$defs": definitions}


def _used(
    documents: Mapping[str, Any], start: Mapping[str, Any], named: Collection[tuple[str, str]]
) -> set[tuple[str, str]]:
    """Return file and name of every type that ``start`` uses, directly or not, and of those that are ``named``."""
    used: set[tuple[str, str]] = set()
    todo = [*named, *(target for file, document in start.items() for target in _targets(document, file))]
    while todo:
        target = todo.pop()
        if target not in used:
            used.add(target)
            file, name = target
            todo += _targets(documents[file]["$defs"][name], file)
    return used


def _targets(schema: Any, file: str) -> list[tuple[str, str]]:
    targets = [target_of(file, reference) for _, reference in references_in(schema)]
    return [target for target in targets if target is not None]


def _options(options: Mapping[str, Any], surface: Mapping[str, Any]) -> dict[str, Any]:
    """Return the tables that the surfaces name, and the settings of all tables if there are any."""
    named = {
        _member(entry, "table")
        for content in surface.values()
        for entry in (_member(content, "options") or {}).values()
    }
    tables = {file: content for file, content in options.items() if _member(content, "table") in named}
    settings = {file: content for file, content in options.items() if _member(content, "table") is None}
    return dict(sorted({**tables, **settings}.items())) if tables else {}


def _values(content: Any, name: str) -> list[Any]:
    member = _member(content, name)
    return list(member.values()) if isinstance(member, Mapping) else []


def _member(content: Any, name: str) -> Any:
    return content.get(name) if isinstance(content, Mapping) else None
