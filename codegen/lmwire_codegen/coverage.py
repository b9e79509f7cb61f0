"""How much of a schema has words in ``schema/descriptions``, for ``sync`` and for the reference."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import PurePosixPath
from typing import TypeAlias

from lmwire_codegen.describe import is_part
from lmwire_codegen.shapes import MessageDefinition, NormalSchema

__all__ = ["Coverage", "coverage_of", "describable"]

Coverage: TypeAlias = "dict[str, tuple[int, int]]"
"""Area (a namespace, a topic of types, the envelope) -> how many things have words, and how many need some."""


def describable(schema: NormalSchema) -> set[str]:
    """Return the keys of all that needs words in ``schema/descriptions``; parts of endpoints say what they are."""
    return {key for key, _ in _things(schema)}


def coverage_of(schema: NormalSchema) -> Coverage:
    """Return how much of each area has words, areas in alphabetical order."""
    coverage: Coverage = {}
    for key, area in dict(_things(schema)).items():
        described, all_ = coverage.get(area, (0, 0))
        coverage[area] = (described + (key in schema.described), all_ + 1)
    return dict(sorted(coverage.items()))


def _things(schema: NormalSchema) -> Iterator[tuple[str, str]]:
    """Yield the key and the area of everything that needs words."""
    for namespace, endpoints in schema.endpoints.items():
        yield from ((endpoint.key, namespace) for endpoint in endpoints)
    for key, definition in schema.definitions.items():
        file = schema.files.get(definition.root)
        area = definition.root.partition("/")[0]
        if file is not None and file.startswith("wire/types/"):
            area = f"types/{PurePosixPath(file).stem}"
        if not is_part(definition):
            yield key, area
        if isinstance(definition, MessageDefinition):
            yield from ((f"{key}.{field.wire_name}", area) for field in definition.fields)
