"""What changes mean to ``schema/surface``: which of its lines name a thing that changed or is gone."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from lmwire_codegen.changes.rules import RULES
from lmwire_codegen.changes.values import Change, Touched
from lmwire_codegen.problems import Location
from lmwire_codegen.surface_names import LeftOut, Reference, SurfaceNames
from lmwire_codegen.yaml_text import line_of

__all__ = ["touched_by"]

_NEEDED: Final = frozenset({"added-required", "made-required"})


def touched_by(
    changes: Iterable[Change], names: SurfaceNames, options: Mapping[str, Any], root: Path
) -> tuple[Touched, ...]:
    """Return the places of the surface that ``changes`` concern.

    Args:
        changes: What changed.
        names: What resolving the surface against the new revision looked up and left out.
        options: Files of options, by path below ``root``; their keys are words of the protocol too.
        root: The schema folder, for the lines of its files.
    """
    changes = list(changes)
    found: dict[Location, str] = {absent.place: f"left out, {absent.message}" for absent in names.left_out}
    for reference in names.references:
        for change in changes:
            if _is_gone(change) and any(_is_inside(reference.place, absent) for absent in names.left_out):
                continue
            if change.noun != "type" and _concerns(change, reference):
                found.setdefault(reference.place, _words(change))
    for place, key in _option_keys(options):
        for change in changes:
            if change.noun in ("enum member", "variant") and change.subject.endswith((f"={key}", f"[{key}]")):
                found.setdefault(place, _words(change))
    lines = _Lines(root)
    return tuple(
        sorted(Touched(place=place, line=lines.of(place), reason=reason) for place, reason in found.items())
    )


def _is_gone(change: Change) -> bool:
    return change.kind.startswith("removed-") or change.kind.endswith("-removed")


def _is_inside(place: Location, absent: LeftOut) -> bool:
    """Return whether ``place`` is in what is left out, whose own line says why."""
    whole = absent.place
    return place.file == whole.file and f"{place.pointer}/".startswith(f"{whole.pointer}/")


def _concerns(change: Change, reference: Reference) -> bool:
    if reference.fills is None:
        return change.subject == reference.key or (
            change.noun == "part" and change.subject.rpartition("/")[0] == reference.key
        )
    owner, _, field = change.subject.rpartition(".")
    return change.kind in _NEEDED and owner == reference.key and field not in reference.fills


def _words(change: Change) -> str:
    return f"{change.noun} {change.subject} {RULES[change.kind].words}"


def _option_keys(options: Mapping[str, Any]) -> Iterator[tuple[Location, str]]:
    for file, document in options.items():
        for part in ("options", "reported"):
            for name, row in document.get(part, {}).items():
                place = Location(file).child(part, name)
                keys = [row["key"]] if "key" in row else [piece["key"] for piece in row.get("parts", ())]
                yield from ((place, key) for key in keys)


class _Lines:
    """Finds lines of files, each read once."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._texts: dict[str, str] = {}

    def of(self, place: Location) -> int:
        if place.file not in self._texts:
            path = self._root / place.file
            self._texts[place.file] = path.read_text(encoding="utf-8") if path.is_file() else ""
        return line_of(self._texts[place.file], place.pointer)
