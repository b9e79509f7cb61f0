"""Where a schema can come from: a schema folder, or an export of upstream's, read as if it were in one.

An export takes everything that it does not have itself (repairs, lock, surface, envelope) from a schema folder. What
cannot be told apart in it becomes any JSON value, and is said: a new quirk of upstream's must not stop a bump.
"""

from __future__ import annotations

import copy
from collections.abc import Collection, Mapping
from pathlib import Path, PurePosixPath
from typing import Any, Final

import attrs

from lmwire_codegen.history import revision_name
from lmwire_codegen.importer import read_export, translate_export
from lmwire_codegen.keywords import references_in
from lmwire_codegen.load import SchemaFolder, load
from lmwire_codegen.normalise import normalise
from lmwire_codegen.problems import Location, Problems, SchemaProblem, SchemaProblems
from lmwire_codegen.shapes import NormalSchema
from lmwire_codegen.validate import is_namespace_file, is_types_file, target_of, validate

__all__ = ["Source", "read_export_file", "read_source"]

_ROUNDS: Final = 100


@attrs.frozen(kw_only=True)
class Source:
    """A schema that was read.

    Attributes:
        folder: Its files.
        schema: What they say.
        opaque: Places that became any JSON value, and why.
    """

    folder: SchemaFolder
    schema: NormalSchema
    opaque: Mapping[Location, str] = attrs.field(factory=dict)

    @property
    def machine_made(self) -> dict[str, Any]:
        """The files that an import makes, by path below the schema folder."""
        return {
            name: document
            for name, document in self.folder.documents.items()
            if is_types_file(name) or is_namespace_file(name)
        }


def read_source(path: Path, base: SchemaFolder) -> Source:
    """Read a schema folder or an export.

    Args:
        path: A schema folder, or the file of an export.
        base: Has what an export lacks.

    Raises:
        SchemaProblems: It is neither, or something is wrong with it.
    """
    if not path.is_dir():
        return read_export_file(path, base)
    if not (path / "revision.json").is_file():
        words = "is a folder, but no schema folder: it has no revision.json"
        raise SchemaProblems([SchemaProblem(Location(path.name), words)])
    folder = load(path)
    validate(folder)
    return Source(folder=folder, schema=normalise(folder))


def read_export_file(path: Path, base: SchemaFolder, *, revision: str | None = None) -> Source:
    """Read upstream's export from the file ``path``; see ``read_source``.

    Args:
        path: The file.
        base: Has what an export lacks.
        revision: Name of the revision, by default made of the file's name.
    """
    others = {name: document for name, document in base.documents.items() if name not in _imported(base)}
    files = translate_export(read_export(path), base.repairs, _pinned(others))
    documents: dict[str, Any] = dict(sorted({**others, **files}.items()))
    folder = attrs.evolve(base, documents=documents, revision=revision or revision_name(path.stem))
    validate(folder)
    return _softened(folder)


def _pinned(documents: Mapping[str, Any]) -> dict[str, str]:
    """Return the types that these files refer to -> the topics where they look for them."""
    targets = [
        target_of(file, reference)
        for file, document in documents.items()
        for _, reference in references_in(document)
    ]
    return {name: PurePosixPath(file).stem for file, name in filter(None, targets) if is_types_file(file)}


def _imported(folder: SchemaFolder) -> set[str]:
    return {name for name in folder.documents if is_types_file(name) or is_namespace_file(name)}


def _softened(folder: SchemaFolder) -> Source:
    """Normalise; where only the kind of a value cannot be told, allow any value and try again."""
    opaque: dict[Location, str] = {}
    for _ in range(_ROUNDS):
        try:
            return Source(folder=folder, schema=normalise(folder), opaque=opaque)
        except SchemaProblems as error:
            found = {problem.location: problem.message for problem in error.problems}
            fresh = {place: words for place, words in found.items() if not _has_inside(place, found)}
            if not all(problem.opaque for problem in error.problems) or fresh.keys() <= opaque.keys():
                raise
            opaque |= fresh
            documents = copy.deepcopy(dict(folder.documents))
            for place, message in fresh.items():
                _allow_anything(documents[place.file], place, message)
            folder = attrs.evolve(folder, documents=documents)
    problems = Problems()
    problems.add(Location(""), "the schema has too many places that cannot be told apart")
    problems.raise_if_any()
    raise AssertionError("unreachable")


def _has_inside(place: Location, others: Collection[Location]) -> bool:
    """Tell whether one of ``others`` lies inside ``place``; it may be all that is wrong there."""
    return any(other.file == place.file and other.pointer.startswith(f"{place.pointer}/") for other in others)


def _allow_anything(document: Any, place: Location, message: str) -> None:
    """Replace the schema at ``place``."""
    *path, last = [part.replace("~1", "/").replace("~0", "~") for part in place.pointer.split("/")[1:]]
    node = document
    for step in path:
        node = node[int(step)] if isinstance(node, list) else node[step]
    node[int(last) if isinstance(node, list) else last] = {"$comment": f"any JSON value: {message}"}
