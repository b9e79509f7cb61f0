"""Limits of scalars, regular expressions among them: JavaScript's in the schema, Python's in generated code."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from lmwire_codegen.repairs import Repairs
from lmwire_codegen.shapes import Limits

__all__ = ["limits_of", "translated_pattern"]


def limits_of(schema: Mapping[str, Any], repairs: Repairs) -> tuple[Limits, str]:
    """Return the limits that ``schema`` sets, and a notice if one of them cannot be checked."""
    pattern, notice = None, ""
    source = schema.get("pattern")
    if source is not None and source in repairs.patterns:
        pattern = repairs.patterns[source]
    elif source is not None:
        pattern = translated_pattern(source)
        if pattern is None:
            notice = f"the pattern {source!r} is not checked, Python's re does not know it"
    limits = Limits(
        minimum=schema.get("minimum"),
        maximum=schema.get("maximum"),
        exclusive_minimum=schema.get("exclusiveMinimum"),
        exclusive_maximum=schema.get("exclusiveMaximum"),
        min_length=schema.get("minLength"),
        max_length=schema.get("maxLength"),
        pattern=pattern,
    )
    return limits, notice


def translated_pattern(pattern: str) -> str | None:
    """Translate a regular expression of JavaScript, None if Python has no such thing.

    There ``$`` never matches before a final newline, and ``\\w``, ``\\d`` and ``\\b`` know ASCII only.
    """
    pieces = re.split(r"(\\.|\[(?:\\.|[^\]\\])*\])", pattern)
    translated = "(?a)" + "".join(
        piece if index % 2 else piece.replace("$", r"\Z") for index, piece in enumerate(pieces)
    )
    try:
        re.compile(translated)
    except (re.error, OverflowError, RecursionError):
        return None
    return translated
