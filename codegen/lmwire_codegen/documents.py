"""What a checkout's ``docs/`` gets of the schema: the reference in Markdown, and the AsyncAPI document.

They are written and checked together with the checkout's own package, all files or none; a package elsewhere, or of
some namespaces only, has no documents.
"""

from __future__ import annotations

from pathlib import Path, PurePosixPath
from typing import Final

from lmwire_codegen.asyncapi import asyncapi_text
from lmwire_codegen.load import SchemaFolder
from lmwire_codegen.model import Model
from lmwire_codegen.reference.pages import MARKER, Pages
from lmwire_codegen.render import Files
from lmwire_codegen.schema_files import replace_files
from lmwire_codegen.write import Difference, ForeignFolderError

__all__ = ["check_documents", "refuse_foreign", "render_documents", "write_documents", "write_reference"]

REFERENCE: Final = "reference"
ASYNCAPI: Final = "asyncapi.json"


def render_documents(model: Model, folder: SchemaFolder) -> Files:
    """Return all documents, by path below ``docs/``."""
    files = {PurePosixPath(REFERENCE, page): text for page, text in Pages(model, folder).write().items()}
    return {**files, PurePosixPath(ASYNCAPI): asyncapi_text(model, folder)}


def refuse_foreign(docs: Path) -> None:
    """Look whether ``write_documents`` may write.

    Raises:
        ForeignFolderError: The reference's folder has pages that this command did not make.
    """
    _refuse_foreign(docs / REFERENCE)


def write_documents(docs: Path, files: Files) -> None:
    """Make the folder ``docs`` hold the documents; of what else it has only pages of an earlier reference go."""
    _replace(docs, docs / REFERENCE, files)


def write_reference(out: Path, model: Model, folder: SchemaFolder) -> int:
    """Make the folder ``out`` hold the reference and no page more; return how many it has.

    Raises:
        ForeignFolderError: It has pages that this command did not make; nothing was written.
    """
    files = Pages(model, folder).write()
    _refuse_foreign(out)
    _replace(out, out, files)
    return len(files)


def _refuse_foreign(folder: Path) -> None:
    foreign = sorted(path.relative_to(folder).as_posix() for path in _pages(folder) if not _is_ours(path))
    if foreign:
        raise ForeignFolderError(
            f"{folder} has pages that lmwire-codegen did not make ({', '.join(foreign[:5])}); move them elsewhere. "
            "Nothing was written"
        )


def _replace(root: Path, owned: Path, files: Files) -> None:
    texts: dict[str, str | None] = {path.relative_to(root).as_posix(): None for path in _pages(owned)}
    replace_files(root, texts | {name.as_posix(): text for name, text in files.items()})


def check_documents(docs: Path, files: Files) -> list[Difference]:
    """Compare the folder ``docs`` with what it should have; an up-to-date one has no differences."""
    wanted = {name.as_posix(): text.encode() for name, text in files.items()}
    there = {path.relative_to(docs).as_posix() for path in _pages(docs / REFERENCE)}
    differences = [Difference(f"docs/{name}", "extra") for name in there - wanted.keys()]
    for name, content in wanted.items():
        path = docs / name
        if not path.is_file():
            differences.append(Difference(f"docs/{name}", "missing"))
        elif path.read_bytes() != content:
            differences.append(Difference(f"docs/{name}", "edited"))
    return sorted(differences)


def _pages(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*.md") if path.is_file()]


def _is_ours(path: Path) -> bool:
    with path.open(encoding="utf-8", errors="replace") as file:
        return file.readline().rstrip("\n") == MARKER
