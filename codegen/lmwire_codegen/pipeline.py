"""Joins the stages: ``generate`` replaces a package, ``check`` tells whether a package is what would be generated."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

import attrs

from lmwire_codegen.documents import check_documents, refuse_foreign, render_documents, write_documents
from lmwire_codegen.fitting import resolve_surface
from lmwire_codegen.format import format_tree
from lmwire_codegen.load import SchemaFolder, load
from lmwire_codegen.model import Model, build_model
from lmwire_codegen.normalise import normalise
from lmwire_codegen.render import Files, Job, render
from lmwire_codegen.schema_files import json_text, replace_files
from lmwire_codegen.subset import with_only
from lmwire_codegen.surface_names import SurfaceNames
from lmwire_codegen.validate import validate
from lmwire_codegen.write import Difference, compare, replaced, scratch_folder, write_files

__all__ = ["LOCK_FILE", "Outcome", "check", "compile_job", "compile_model", "compile_tree", "generate"]

LOCK_FILE = "names.lock.json"


@attrs.frozen(kw_only=True)
class Outcome:
    """What ``generate`` did: how many files and documents there are, whether the lock grew, what deserves a look."""

    files: int
    documents: int
    lock_changed: bool
    notices: tuple[str, ...]


def compile_model(schema: Path, package: str, only: Collection[str] = ()) -> tuple[Model, SchemaFolder]:
    """Run the stages from ``load`` to ``model``; ``surface`` is left to ``compile_job``.

    Raises:
        SchemaProblems: The schema cannot be compiled.
    """
    folder = load(schema)
    validate(folder)
    folder = with_only(folder, only)
    return build_model(normalise(folder), folder, package), folder


def compile_job(schema: Path, package: str, only: Collection[str] = ()) -> tuple[Job, SchemaFolder]:
    """Run all stages before ``render``.

    Args:
        schema: The schema folder.
        package: Import name of the package.
        only: Namespaces that it shall have, by default all.

    Raises:
        SchemaProblems: The schema, or a surface file, cannot be compiled.
    """
    model, folder = compile_model(schema, package, only)
    names = SurfaceNames(history=folder.history)
    found = resolve_surface(model, folder, names)
    job = Job(
        model=model,
        surfaces=found.surfaces,
        namespaces=found.namespaces,
        options=found.options,
        notices=(*model.schema.notices, *map(str, names.left_out)),
    )
    return job, folder


def compile_tree(job: Job, folder: Path) -> Files:
    """Render, write and format the package below ``folder``; return what was rendered."""
    files = render(job)
    write_files(folder, files)
    format_tree(folder, job.model.package)
    return files


def generate(
    schema: Path, out: Path, package: str, only: Collection[str] = (), docs: Path | None = None
) -> Outcome:
    """Compile the folder ``schema`` into the package folder ``out``.

    The lock file in ``schema`` gets the names of what is new, if all namespaces are compiled.

    Args:
        schema: The schema folder.
        out: The package's folder.
        package: Its import name.
        only: Namespaces that it shall have, by default all.
        docs: The folder that gets the reference and the AsyncAPI document; None for no documents.

    Raises:
        SchemaProblems: The schema cannot be compiled; nothing was written.
        ForeignFolderError: ``out`` or ``docs`` has content that this command did not make; nothing was written.
        OSError: Something could not be written; all is as it was.
    """
    job, folder = compile_job(schema, package, only)
    model = job.model
    documents = {} if docs is None else render_documents(model, folder)
    if docs is not None:
        refuse_foreign(docs)
    lock_changed = not only and dict(folder.lock) != dict(model.lock)
    with scratch_folder(out.parent) as scratch:
        tree = scratch / out.name
        files = compile_tree(job, tree)
        with replaced(out, tree):
            if docs is not None:
                write_documents(docs, documents)
            if lock_changed:
                replace_files(schema, {LOCK_FILE: json_text(dict(model.lock))})
    return Outcome(files=len(files), documents=len(documents), lock_changed=lock_changed, notices=job.notices)


def check(
    schema: Path, out: Path, package: str, only: Collection[str] = (), docs: Path | None = None
) -> list[Difference]:
    """Compile elsewhere and compare with the package folder ``out``, and the documents in ``docs`` if that is given.

    What is up to date has no differences.

    Raises:
        SchemaProblems: The schema cannot be compiled, so that nothing can be up to date.
    """
    job, folder = compile_job(schema, package, only)
    model = job.model
    with scratch_folder() as scratch:
        compile_tree(job, scratch)
        differences = compare(out, scratch)
    if docs is not None:
        differences += check_documents(docs, render_documents(model, folder))
    if not only and dict(folder.lock) != dict(model.lock):
        differences.append(Difference(f"schema/{LOCK_FILE}", "edited"))
    return differences
