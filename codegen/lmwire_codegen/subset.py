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
        documents=dict(_documents(folder.documents, {known[name] for name in namespaces})),
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


def _documents(documents: Mapping[str, Any], chosen: Collection[str]) -> Iterator[tuple[str, Any]]:
    """Yield the chosen files, and of the types what they use."""
    kept = {
        file: document
        for file, document in documents.items()
        if file in chosen or not (is_namespace_file(file) or is_types_file(file))
    }
    used = _used(documents, kept)
    for file, document in documents.items():
        if file in kept:
            yield file, document
        elif is_types_file(file):
            definitions = {name: body for name, body in document["$defs"].items() if (file, name) in used}
            if definitions:
                yield file, {**document, "$defs": definitions}


def _used(documents: Mapping[str, Any], start: Mapping[str, Any]) -> set[tuple[str, str]]:
    """Return file and name of every type that ``start`` uses, directly or not."""
    used: set[tuple[str, str]] = set()
    todo = [target for file, document in start.items() for target in _targets(document, file)]
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


def _member(content: Any, name: str) -> Any:
    return content.get(name) if isinstance(content, Mapping) else None
