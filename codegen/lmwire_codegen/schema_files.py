"""Writes several files of a schema folder, all of them or none.

New content is first written beside the old; only when all of it is on the disk the files change places, and the first
one that cannot puts back those before it. Files whose content stays are not touched.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

__all__ = ["json_text", "replace_files"]

_NEW: Final = ".lmwire-new"


def json_text(content: Any) -> str:
    """Return JSON as all files of the schema folder have it."""
    return json.dumps(content, indent=2, ensure_ascii=False) + "\n"


def replace_files(root: Path, texts: Mapping[str, str | None], *, dry_run: bool = False) -> list[str]:
    """Make the files below ``root`` hold ``texts``; None removes a file. Return the names of those that changed.

    Args:
        root: The folder.
        texts: Content by path below ``root``, with forward slashes.
        dry_run: Whether only to tell which would change.

    Raises:
        OSError: A file could not be written; all are as they were.
    """
    before = {name: _content(root / name) for name in texts}
    after = {name: None if text is None else text.encode() for name, text in texts.items()}
    changed = sorted(name for name in after if after[name] != before[name])
    if dry_run:
        return changed
    written: list[Path] = []
    moved: list[str] = []
    try:
        for name in changed:
            content = after[name]
            if content is not None:
                new = _beside(root / name)
                new.parent.mkdir(parents=True, exist_ok=True)
                written.append(new)
                new.write_bytes(content)
        for name in changed:
            moved.append(name)
            if after[name] is None:
                (root / name).unlink()
            else:
                _beside(root / name).replace(root / name)
    except BaseException:
        for name in moved:
            _restore(root / name, before[name])
        for path in written:
            path.unlink(missing_ok=True)
        raise
    return changed


def _beside(path: Path) -> Path:
    return path.with_name(path.name + _NEW)


def _content(path: Path) -> bytes | None:
    return path.read_bytes() if path.exists() else None


def _restore(path: Path, content: bytes | None) -> None:
    if content is None:
        path.unlink(missing_ok=True)
    else:
        path.write_bytes(content)
