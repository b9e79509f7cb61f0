"""Requests as data: plain JSON with ``$name`` where a value goes.

A template is written in schema/surface and checked by the compiler; here it is only filled in. A string
that is exactly ``$name`` becomes the value of that name; a key or list item whose value is UNSET is left
out. ``$$`` at the start stands for one ``$``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lmwire_runtime.wire import UNSET

__all__ = ["fill"]


def fill(template: Any, values: Mapping[str, Any]) -> Any:
    """Return ``template`` with its variables replaced.

    Raises:
        KeyError: The template names a variable that has no value (UNSET is a value).
    """
    if isinstance(template, str):
        if not template.startswith("$"):
            return template
        return template[1:] if template.startswith("$$") else values[template[1:]]
    if isinstance(template, Mapping):
        filled = ((key, fill(value, values)) for key, value in template.items())
        return {key: value for key, value in filled if value is not UNSET}
    if isinstance(template, (list, tuple)):
        items = (fill(value, values) for value in template)
        return [value for value in items if value is not UNSET]
    return template
