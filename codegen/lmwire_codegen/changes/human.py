"""What a bump leaves to a human: what the export cannot say, what could not be kept, and what has no words yet."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from fnmatch import fnmatchcase

from lmwire_codegen.annotations import annotations_of
from lmwire_codegen.changes.values import HumanNote
from lmwire_codegen.coverage import describable
from lmwire_codegen.model import Model
from lmwire_codegen.problems import Location
from lmwire_codegen.repairs import Repairs
from lmwire_codegen.shapes import NormalEndpoint, NormalSchema

__all__ = ["human_notes"]

_SHOWN = 12


def human_notes(
    old: Model, new: Model, repairs: Repairs, opaque: Mapping[Location, str]
) -> tuple[HumanNote, ...]:
    """Return what needs a human in ``new``.

    Args:
        old, new: The models.
        repairs: The table of repairs, which says what endpoints serialize and where types belong.
        opaque: Places that became "any JSON value", and why.
    """
    known = {e.key: e for endpoints in old.schema.endpoints.values() for e in endpoints}
    notes = [
        HumanNote(subject=str(place), message=f"became any JSON value: {why}")
        for place, why in opaque.items()
    ]
    for endpoints in new.schema.endpoints.values():
        for endpoint in endpoints:
            notes += _of_endpoint(old, new, known.get(endpoint.key), endpoint)
    notes += _without_topic(old, new, repairs)
    notes += [HumanNote(subject="schema", message=notice) for notice in new.schema.notices]
    notes += _without_words(old.schema, new.schema)
    return tuple(notes)


def _of_endpoint(
    old: Model, new: Model, before: NormalEndpoint | None, after: NormalEndpoint
) -> Iterator[HumanNote]:
    for part, now in after.parts.items():
        was = before.parts[part] if before else None
        subject = f"{after.key}/{part}"
        if now.presence == "optional" and (was is None or was.presence != "optional"):
            yield HumanNote(
                subject=subject,
                message="is now either sent or not, and None in Python if not: see that callers expect that",
            )
        if now.type is None or after.serialization != "raw":
            continue
        traces = {kind for _, kind in annotations_of(new, now.type)}
        if was is not None and was.type is not None:
            traces -= {kind for _, kind in annotations_of(old, was.type)}
        if traces:
            yield HumanNote(
                subject=subject,
                message=f"may be superjson, it looks like having a {' and a '.join(sorted(traces))}: if so, add the "
                "endpoint to 'serialization' in repairs.yaml",
            )


def _without_topic(old: Model, new: Model, repairs: Repairs) -> Iterator[HumanNote]:
    patterns = [pattern for patterns in repairs.topics.values() for pattern in patterns]
    shared = {key for key, file in new.schema.files.items() if file.startswith("wire/types/")}
    odd = [
        key
        for key in sorted(shared - old.schema.files.keys())
        if not any(fnmatchcase(key, pattern) for pattern in patterns)
    ]
    if odd:
        yield HumanNote(
            subject="topics",
            message=f"new types that belong to no topic of repairs.yaml, so they are where they are used: {_list(odd)}",
        )


def _without_words(old: NormalSchema, new: NormalSchema) -> Iterator[HumanNote]:
    before, now = describable(old), describable(new)
    missing = [key for key in sorted(now - before) if key not in new.described]
    words = f"{len(missing)} new things have" if len(missing) > 1 else "1 new thing has"
    if missing:
        yield HumanNote(
            subject="descriptions",
            message=f"{words} no words in schema/descriptions: {_list(missing)}",
        )


def _list(names: Iterable[str]) -> str:
    names = list(names)
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(names[:_SHOWN]) + more
