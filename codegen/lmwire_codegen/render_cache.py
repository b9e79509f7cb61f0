"""Remembers, on the user's disk, what datamodel-code-generator made of which input.

It takes most of the compiler's time, ``check`` asks for the same as ``generate`` just did, and from one revision to
the next most modules are equal. An entry's name is the hash of all that its text depends on, so nothing goes stale; an
entry that is damaged is made anew. ``LMWIRE_CODEGEN_CACHE`` names another folder, or is ``off``.
"""

from __future__ import annotations

import functools
import hashlib
import importlib.metadata
import json
import os
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

__all__ = ["remembered"]

_VARIABLE: Final = "LMWIRE_CODEGEN_CACHE"
_MOST: Final = 4000
_HERE: Final = Path(__file__).resolve().parent
_MAKERS: Final = ("datamodel-code-generator", "jinja2", "pydantic")


def remembered(inputs: Any, make: Callable[[], str]) -> str:
    """Return what ``make`` makes of ``inputs`` (plain JSON), from the cache if it is there."""
    folder = _folder()
    if folder is None:
        return make()
    key = hashlib.sha256(f"{_fingerprint()}\n{json.dumps(inputs)}".encode()).hexdigest()
    path = folder / key
    text = _read(path)
    if text is None:
        text = make()
        _write(path, text)
    return text


@functools.cache
def _folder() -> Path | None:
    """Return the cache's folder; None if there shall be none, or none can be."""
    wanted = os.environ.get(_VARIABLE)
    if wanted == "off":
        return None
    try:
        folder = Path(wanted) if wanted else _user_caches() / "lmwire-codegen"
        folder.mkdir(parents=True, exist_ok=True)
        _prune(folder)
    except (OSError, RuntimeError):  # a home that is read-only, or none
        return None
    return folder


def _user_caches() -> Path:
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local")
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches"
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")


def _prune(folder: Path) -> None:
    """Remove the older half of too many entries."""
    entries = list(folder.iterdir())
    if len(entries) > _MOST:
        for path in sorted(entries, key=lambda path: path.stat().st_mtime)[: len(entries) // 2]:
            path.unlink(missing_ok=True)


@functools.cache
def _fingerprint() -> str:
    """Return what every entry depends on beside its inputs."""
    versions = [f"{name} {importlib.metadata.version(name)}" for name in _MAKERS]
    sources = [_HERE / "messages.py", *sorted((_HERE / "templates" / "messages").rglob("*.jinja2"))]
    digests = [hashlib.sha256(path.read_bytes()).hexdigest() for path in sources]
    return "\n".join([sys.version, *versions, *digests])


def _read(path: Path) -> str | None:
    """Return the text of an entry, None if it is missing or damaged."""
    try:
        checksum, _, content = path.read_bytes().partition(b"\n")
    except OSError:
        return None
    return content.decode("utf-8") if checksum == _checksum(content) else None


def _write(path: Path, text: str) -> None:
    """Write an entry so that nobody ever reads half of it."""
    content = text.encode("utf-8")
    try:
        number, name = tempfile.mkstemp(dir=path.parent)
        with os.fdopen(number, "wb") as file:
            file.write(_checksum(content) + b"\n" + content)
        os.replace(name, path)
    except OSError:  # a full or read-only disk costs the cache, not the result
        return


def _checksum(content: bytes) -> bytes:
    return hashlib.sha256(content).hexdigest().encode()
