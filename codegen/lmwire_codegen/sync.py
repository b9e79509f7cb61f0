"""A protocol bump: reads an export into the schema folder and says what that means; and compares any two revisions.

Everything is worked out in memory, names and surface included, before the first file is written.
"""

from __future__ import annotations

from pathlib import Path

import attrs

from lmwire_codegen.changes.compare import Comparison, compare
from lmwire_codegen.changes.human import human_notes
from lmwire_codegen.changes.touched import touched_by
from lmwire_codegen.changes.values import Report
from lmwire_codegen.coverage import coverage_of
from lmwire_codegen.fitting import misfits, resolve_surface
from lmwire_codegen.history import HISTORY_FILE, History, keys_of
from lmwire_codegen.load import SchemaFolder, load
from lmwire_codegen.model import Model, build_model
from lmwire_codegen.normalise import normalise
from lmwire_codegen.pipeline import LOCK_FILE
from lmwire_codegen.schema_files import json_text, replace_files
from lmwire_codegen.sources import Source, read_export_file, read_source
from lmwire_codegen.surface_names import SurfaceNames
from lmwire_codegen.validate import validate

__all__ = ["SyncOutcome", "diff", "sync"]

_PACKAGE = "lmwire"


@attrs.frozen(kw_only=True)
class SyncOutcome:
    """What ``sync`` found, and the files below the schema folder that it changed (or would change)."""

    report: Report
    changed: tuple[str, ...]


@attrs.frozen(kw_only=True)
class _Bump:
    """An old and a new revision, compiled as far as names go."""

    old: Model
    new: Model
    source: Source
    history: History
    comparison: Comparison


def sync(export: Path, root: Path, *, revision: str | None = None, dry_run: bool = False) -> SyncOutcome:
    """Make the schema folder say what upstream's export says; what is written by hand in it stays.

    Args:
        export: Upstream's JSON Schema export.
        root: The schema folder.
        revision: Name of the revision, by default made of the export's file name.
        dry_run: Whether to write nothing.

    Raises:
        SchemaProblems: The export, or the folder, cannot be compiled; nothing was written.
        OSError: A file could not be written; all are as they were.
    """
    folder = load(root)
    validate(folder)
    old = Source(folder=folder, schema=normalise(folder))
    bump = _bump(old, read_export_file(export, folder, revision=revision))
    unfit = misfits(bump.old, bump.new, folder, bump.history)
    bump = attrs.evolve(bump, history=attrs.evolve(bump.history, unfit=unfit))
    report = _report(bump, folder, SurfaceNames(history=bump.history))
    texts: dict[str, str | None] = dict.fromkeys(old.machine_made)
    texts |= {name: json_text(document) for name, document in bump.source.machine_made.items()}
    texts["revision.json"] = json_text({"revision": bump.source.folder.revision})
    texts[LOCK_FILE] = json_text(dict(bump.new.lock))
    texts[HISTORY_FILE] = json_text(bump.history.as_json())
    changed = replace_files(root, texts, dry_run=dry_run)
    return SyncOutcome(report=report, changed=tuple(changed))


def diff(old: Path, new: Path, base: Path) -> Report:
    """Compare two exports or schema folders.

    Args:
        old, new: Each an export's file or a schema folder.
        base: A schema folder, for what exports lack; a folder ``new`` brings its own.

    Raises:
        SchemaProblems: One of them cannot be compiled.
    """
    folder = load(base)
    validate(folder)
    before, after = read_source(old, folder), read_source(new, folder)
    bump = _bump(before, after)
    return _report(bump, after.folder, SurfaceNames(history=bump.history, excused=None))


def _bump(old: Source, new: Source) -> _Bump:
    """Name what is new; types that only have another key now keep the name that they had."""
    before = build_model(old.schema, old.folder, _PACKAGE)
    folder = attrs.evolve(new.folder, lock={**before.lock, **new.folder.lock})
    after = build_model(new.schema, folder, _PACKAGE)
    comparison = compare(before, after)
    kept = {key: before.names[was] for key, was in comparison.renamed.items() if key not in folder.lock}
    if kept:
        named = attrs.evolve(new.folder, lock={**new.folder.lock, **kept})
        new = attrs.evolve(new, schema=normalise(named))
        after = build_model(new.schema, folder, _PACKAGE, kept=kept)
        comparison = compare(before, after)
    known = new.folder.history
    if not known.revisions:
        known = History((old.folder.revision,))
    history = known.with_revision(new.folder.revision, keys_of(old.schema), keys_of(new.schema))
    return _Bump(old=before, new=after, source=new, history=history, comparison=comparison)


def _report(bump: _Bump, folder: SchemaFolder, names: SurfaceNames) -> Report:
    resolve_surface(bump.new, folder, names)
    schema, lock = bump.new.schema, bump.old.lock
    return Report(
        old=bump.old.schema.revision,
        new=schema.revision,
        changes=bump.comparison.changes,
        touched=touched_by(bump.comparison.changes, names, folder.options, folder.root),
        human=human_notes(bump.old, bump.new, folder.repairs, bump.source.opaque),
        names={key: name for key, name in bump.new.lock.items() if key not in lock},
        coverage=coverage_of(schema),
    )
