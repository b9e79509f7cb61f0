"""Messages as the official SDK hands them out: what the server left out is None there, not lmwire's UNSET.

Configs stay as lmwire makes them, because None in a config switches a checkbox off when the config is used again.
"""

from __future__ import annotations

from typing import Any, TypeVar

from lmwire import UNSET
from lmwire.message import Message

__all__ = ["with_none"]

M = TypeVar("M")


def with_none(message: M) -> M:
    """Return a copy of a message, and of the messages in it, that has None for each field that is absent.

    Required fields that an older server left out are None too, so that reading them raises nothing.
    """
    copied: M = _copied(message)
    return copied


def _copied(value: Any) -> Any:
    if value is UNSET:
        return None
    if isinstance(value, list):
        return [_copied(element) for element in value]
    if isinstance(value, dict):
        return {key: _copied(element) for key, element in value.items()}
    if not isinstance(value, Message):
        return value
    copied = object.__new__(type(value))
    for name in value.wire_names:
        setattr(copied, name, _copied(getattr(value, name, None)))  # None for a slot that is empty
    return copied
