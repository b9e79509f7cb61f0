"""Last stage: puts the tree where it belongs, all of it or nothing.

The new tree is complete beside the old one before the old one is moved away. A folder that was not made by this
command is never replaced.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import Final

import attrs

from lmwire_codegen.render import MARKER, Files

__all__ = ["Difference", "ForeignFolderError", "compare", "replaced", "scratch_folder", "write_files"]

_IGNORED: Final = frozenset({"__pycache__"})


class ForeignFolderError(RuntimeError):
    """The output folder has content that this command did not make."""


@attrs.frozen(order=True)
class Difference:
    """A file that is not as it would be generated; ``kind`` is edited, missing or extra."""

    path: str
    kind: str

    def __str__(self) -> str:
        return f"{self.kind}: {self.path}"


@contextmanager
def scratch_folder(beside: Path | None = None) -> Iterator[Path]:
    """Make a folder that goes away again, on the same file system as ``beside``."""
    parent = None
    if beside is not None:
        beside.mkdir(parents=True, exist_ok=True)
        parent = beside
    folder = Path(tempfile.mkdtemp(prefix=".lmwire-codegen-", dir=parent))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def write_files(folder: Path, files: Files) -> None:
    """Write files below ``folder``, with line feeds on every system."""
    for name, text in files.items():
        path = folder.joinpath(*name.parts)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8", newline="\n")


@contextmanager
def replaced(old: Path, new: Path) -> Iterator[None]:
    """Put the folder ``new`` in the place of ``old``, and back if what is done then fails or is interrupted.

    Raises:
        ForeignFolderError: ``old`` is no folder, or has files that do not say that they were generated.
    """
    if old.exists() and not old.is_dir():
        raise ForeignFolderError(f"{old} is no folder; nothing was written")
    foreign = sorted(str(name) for name, path in _files(old).items() if not _is_ours(path))
    if foreign:
        shown = ", ".join(foreign[:5]) + (f" and {len(foreign) - 5} more" if len(foreign) > 5 else "")
        raise ForeignFolderError(
            f"{old} has files that lmwire-codegen did not make ({shown}); move them elsewhere. Nothing was written"
        )
    retired = new.with_name(f"{new.name}.old")
    try:
        if old.exists():
            old.rename(retired)
        new.rename(old)
        yield
    except BaseException:
        if not new.exists():
            old.rename(new)
        if retired.exists():
            retired.rename(old)
        raise


def _is_ours(path: Path) -> bool:
    if path.name == "py.typed":
        return True
    with path.open(encoding="utf-8", errors="replace") as file:
        return file.readline().startswith(MARKER)


def compare(actual: Path, expected: Path) -> list[Difference]:
    """Compare two trees byte by byte, in both directions."""
    have, want = _files(actual), _files(expected)
    differences = [Difference(str(name), "missing") for name in want.keys() - have.keys()]
    differences += [Difference(str(name), "extra") for name in have.keys() - want.keys()]
    differences += [
        Difference(str(name), "edited")
        for name in have.keys() & want.keys()
        if have[name].read_bytes() != want[name].read_bytes()
    ]
    return sorted(differences)


def _files(folder: Path) -> dict[PurePosixPath, Path]:
    if not folder.is_dir():
        return {}
    return {
        PurePosixPath(path.relative_to(folder).as_posix()): path
        for path in folder.rglob("*")
        if path.is_file() and not _IGNORED & set(path.relative_to(folder).parts)
    }
