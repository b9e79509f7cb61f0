"""Judges the shape of an export before anything follows its references: every schema an object, every keyword known.

Afterwards the other modules may take keywords to hold what JSON Schema says they hold. ``keywords`` has those that are
understood, with a check for each; ``IGNORED`` are those that say nothing about which data is valid.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any, Final

from lmwire_codegen.keywords import KEYWORDS, Check
from lmwire_codegen.problems import Location, Problems

__all__ = ["check_shape", "check_values"]

_DEEPEST: Final = 100

IGNORED: Final = frozenset(
    {
        "$schema", "$id", "$comment", "title", "description", "markdownDescription", "default", "examples",
        "deprecated", "readOnly", "writeOnly", "errorMessage", "contentEncoding", "contentMediaType", "propertyNames",
    }
)  # fmt: skip


_BY_NAME: Final = ("properties", "definitions")
_TABLE: Final[Check] = (lambda value: isinstance(value, dict), "an object")
_LIST: Final[Check] = (
    lambda value: isinstance(value, list) and bool(value),
    "an array with something in it",
)
_HOLDERS: Final[Mapping[str, Check]] = {
    **dict.fromkeys(_BY_NAME, _TABLE), **dict.fromkeys(("anyOf", "oneOf", "allOf"), _LIST),
    "not": _TABLE, "items": (lambda value: isinstance(value, (dict, list)), "a schema or an array of them"),
    "additionalProperties": (lambda value: isinstance(value, (bool, dict)), "a schema, true or false"),
}  # fmt: skip
"""The same for keywords that hold schemas."""


def check_values(document: Any, place: Location, problems: Problems) -> None:
    """Report text that no file can hold, numbers that are none, and nesting beyond reason."""
    faults: list[tuple[tuple[str | int, ...], str]] = []
    layer: list[tuple[Any, tuple[str | int, ...]]] = [(document, ())]
    for _ in range(_DEEPEST):
        faults += [(path, fault) for value, path in layer if (fault := _fault_of(value))]
        layer = [
            (child, (*path, step))
            for value, path in layer
            for step, child in (
                value.items()
                if isinstance(value, dict)
                else enumerate(value)
                if isinstance(value, list)
                else ()
            )
        ]
        faults += [
            (path[:-1], "has a key with half of a surrogate pair") for _, path in layer if _fault_of(path[-1])
        ]
        if faults or not layer:
            break
    else:
        faults.append((layer[0][1], "is nested beyond reason"))
    for path, fault in faults:
        problems.add(place.child(*path), fault)


def _fault_of(value: Any) -> str:
    if isinstance(value, str) and not value.isascii() and any("\ud800" <= c <= "\udfff" for c in value):
        return "has half of a surrogate pair"
    if isinstance(value, float) and not math.isfinite(value):
        return "is no finite number"
    return ""


def check_shape(schema: Any, place: Location, problems: Problems) -> bool:
    """Report everything in ``schema`` that is no JSON Schema of the kind that exports have.

    Returns whether its keywords hold what they should; those that are not supported do not count.
    """
    if not isinstance(schema, dict):
        problems.add(place, "is no schema object")
        return False
    fine = True
    for keyword, value in schema.items():
        if keyword in KEYWORDS:
            is_fine, wanted = KEYWORDS[keyword]
        elif keyword in _HOLDERS:
            is_fine, wanted = _HOLDERS[keyword]
        else:
            if keyword not in IGNORED:
                problems.add(place, f"unsupported keyword {keyword!r}")
            continue
        if not is_fine(value):
            problems.add(place.child(keyword), f"must be {wanted}")
            fine = False
    children = (
        [check_shape(child, where, problems) for child, where in _children(schema, place)] if fine else []
    )
    return fine and all(children)


def _children(schema: Mapping[str, Any], place: Location) -> Iterator[tuple[Any, Location]]:
    for keyword in _HOLDERS.keys() & schema.keys():
        value = schema[keyword]
        if keyword in _BY_NAME:
            yield from ((child, place.child(keyword, name)) for name, child in value.items())
        elif isinstance(value, list):
            yield from ((child, place.child(keyword, index)) for index, child in enumerate(value))
        elif not isinstance(value, bool):
            yield value, place.child(keyword)
