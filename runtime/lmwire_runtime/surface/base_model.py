"""``BaseModel``: classes with fields for structured output, where no other library for them is at hand.

A subclass is an attrs class, made when its ``class`` statement has run.
"""

from __future__ import annotations

import contextlib
import copy
import inspect
import sys
import typing
from functools import partial
from typing import TYPE_CHECKING, Any

import attrs

from lmwire_runtime.errors import UsageError
from lmwire_runtime.surface.class_fields import RESOLVED_HINTS, UNRESOLVED, hints_of
from lmwire_runtime.surface.json_schemas import fields_schema

if TYPE_CHECKING:
    from typing_extensions import dataclass_transform
else:

    def dataclass_transform(**_: Any) -> Any:
        return lambda cls: cls


__all__ = ["BaseModel"]


def _own_defaults(cls: type, fields: list[attrs.Attribute[Any]]) -> list[attrs.Attribute[Any]]:
    """Give each object a copy of its own of a default that can change, such as a list."""
    return [
        field.evolve(default=attrs.Factory(partial(copy.deepcopy, field.default)))
        if isinstance(field.default, (list, dict, set))
        else field
        for field in fields
    ]


def _resolved(cls: type, names: dict[str, Any]) -> dict[str, Any]:
    """Return the hints of all fields: a base's by the names of its own place, the class's own by ``names``."""
    hints: dict[str, Any] = {}
    for base in reversed(cls.__mro__[1:]):
        if attrs.has(base):
            hints.update(hints_of(base))
    own = {"__module__": cls.__module__, "__annotations__": inspect.get_annotations(cls)}
    hints.update(typing.get_type_hints(type(cls.__name__, (), own), localns=names, include_extras=True))
    return hints


@dataclass_transform(kw_only_default=True, field_specifiers=(attrs.field,))
@attrs.define(slots=False, kw_only=True)
class BaseModel:
    """Base of classes that say what a model's answer has to look like; give the class as ``response_format``.

    >>> class Book(BaseModel):
    ...     title: str
    ...     year: int | None = None
    >>> Book(title="The Hobbit")
    Book(title='The Hobbit', year=None)

    Fields are annotated with str, int, float, bool, None, list, dict, tuple, Optional and Union, Literal, Enum,
    datetime, date, time, UUID, or classes with fields; ``Annotated`` adds bounds (annotated-types, msgspec.Meta,
    pydantic.Field) or, as text, a description. The class's docstring is its description. Objects are made by
    keywords, and are equal if their fields are. ``PredictionResult.parse_as`` makes them of a model's answer.
    """

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        attrs.define(cls, slots=False, kw_only=True, auto_attribs=True, field_transformer=_own_defaults)
        # Names of the function that the class is made in are known now and never again. What is not
        # known yet, such as a class further below, is resolved on first use.
        here = {**sys._getframe(1).f_locals, cls.__name__: cls}
        with contextlib.suppress(UsageError, *UNRESOLVED):
            setattr(cls, RESOLVED_HINTS, _resolved(cls, here))

    @classmethod
    def model_json_schema(cls) -> dict[str, Any]:
        """Return the JSON Schema that an answer has to fit.

        Raises:
            UsageError: A field's annotation cannot be resolved, or JSON has no word for it; the message names
                class and field.
        """
        return fields_schema(cls)

    # Tells json_schemas that asking this class is asking it.
    model_json_schema.__func__.reads_fields = True  # type: ignore[attr-defined]
