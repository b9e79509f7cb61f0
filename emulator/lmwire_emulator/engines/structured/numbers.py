"""Numbers that a schema allows, as text: all of them if they are few, else a choice from both ends and between."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from fractions import Fraction
from typing import Any, Final

from lmwire_emulator.engines.structured.checks import accepts, exact

__all__ = ["numbers"]

_MOST: Final = 128
_USUAL_SPAN: Final = 100
_FEW: Final = 8
"""Decimals are added until the range holds so many numbers."""
_MOST_DECIMALS: Final = 330
_LONGEST_PLAIN: Final = 10**16
_BOUNDS: Final = ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf")


def numbers(schema: Mapping[str, Any], *, integer: bool) -> Sequence[str]:
    """Return numbers that satisfy a schema's bounds, in ascending order; none if there is none.

    Where there is no bound, small ones are chosen.
    """
    bounds = {key: schema[key] for key in _BOUNDS if key in schema}
    found: dict[str, float] = {}
    for text in _candidates(bounds, integer=integer):
        value = json.loads(text)
        # Readers compare floats, in which the number may be another one than the text says.
        if (isinstance(value, int) or math.isfinite(value)) and accepts(bounds, value, _no_reference):
            found[text] = value
    multiple = bounds.get("multipleOf")
    if multiple is not None:
        # Many readers divide floats: of 0.3 and 0.1 that leaves a rest.
        undisputed = [text for text, value in found.items() if _divides(value, multiple)]
        return undisputed or list(found)
    return list(found)


def _no_reference(reference: str) -> Any:
    raise AssertionError(reference)


def _divides(value: int | float, multiple: int | float) -> bool:
    if not isinstance(multiple, float):
        return value % multiple == 0
    try:
        return float(value / multiple).is_integer()
    except OverflowError:  # an integer that is no float; readers divide it as it is
        return True


def _candidates(bounds: Mapping[str, Any], *, integer: bool) -> Iterator[str]:
    multiple = exact(bounds["multipleOf"]) if "multipleOf" in bounds else None
    if integer:
        # The integers among the multiples of a fraction are the multiples of its numerator.
        steps = [Fraction(1 if multiple is None else multiple.numerator)]
    elif multiple is not None:
        steps = [multiple]
    else:
        steps = [Fraction(1, 10**decimals) for decimals in (1, 2, 4, 8, 16, 32, 64, 128, _MOST_DECIMALS)]
    chosen: Sequence[Fraction] = ()
    for step in steps:
        chosen = _spread(bounds, step)
        if len(chosen) >= _FEW:
            break
    for number in chosen:
        yield _written(number, integer=integer)


def _spread(bounds: Mapping[str, Any], step: Fraction) -> list[Fraction]:
    """Multiples of ``step`` within bounds, spread evenly if they are many."""
    lowest, highest = _range(bounds, step)
    # The ends belong to it unless a bound excludes them; what a bound excludes, the check of the text drops.
    first, last = math.ceil(lowest / step), math.floor(highest / step)
    count = last - first + 1
    if count <= _MOST:
        return [number * step for number in range(first, last + 1)]
    return [(first + index * (count - 1) // (_MOST - 1)) * step for index in range(_MOST)]


def _range(bounds: Mapping[str, Any], step: Fraction) -> tuple[Fraction, Fraction]:
    lower = [exact(bounds[key]) for key in ("minimum", "exclusiveMinimum") if key in bounds]
    upper = [exact(bounds[key]) for key in ("maximum", "exclusiveMaximum") if key in bounds]
    lowest = max(lower) if lower else None
    highest = min(upper) if upper else None
    # Wide enough for some multiples, and beside a large bound for numbers that floats tell apart.
    span = max(Fraction(_USUAL_SPAN), _USUAL_SPAN // 2 * step, *(abs(one) / 100 for one in (*lower, *upper)))
    if lowest is None and highest is None:
        return Fraction(0), span
    if lowest is None:
        assert highest is not None
        return (Fraction(0) if highest > 0 else highest - span), highest
    if highest is None:
        return lowest, max(span, lowest + span)
    return lowest, highest


def _written(number: Fraction, *, integer: bool) -> str:
    if integer or (number.denominator == 1 and abs(number) < _LONGEST_PLAIN):
        return str(number.numerator)
    if abs(number) < _LONGEST_PLAIN and number.denominator <= _LONGEST_PLAIN:
        return format(Decimal(number.numerator) / Decimal(number.denominator), "f")
    try:
        return repr(float(number))
    except OverflowError:
        return str(int(number))
