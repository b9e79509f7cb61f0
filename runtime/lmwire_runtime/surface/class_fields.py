"""Classes with fields, whoever made them: dataclasses, attrs classes, ``BaseModel``, TypedDicts.

``json_schemas`` and ``typed_values`` see them through ``fields_of`` and ``hints_of`` alone. Pydantic models and
msgspec Structs are not read here: both describe and build themselves.
"""

from __future__ import annotations

import dataclasses
import re
import typing
from typing import Any, Final

import attrs

from lmwire_runtime.errors import UsageError
from lmwire_runtime.wire import UNSET

__all__ = [
    "RESOLVED_HINTS",
    "UNRESOLVED",
    "ClassField",
    "fields_of",
    "hints_of",
    "unwrapped",
    "written_docstring",
]

RESOLVED_HINTS: Final = "__lmwire_hints__"
"""Class attribute: the hints as resolved where the class was made, with the local names of that place."""

UNRESOLVED: Final = (NameError, TypeError, SyntaxError, AttributeError)
"""What evaluating an annotation raises that says nothing, or nothing known yet."""

_QUALIFIERS: Final = frozenset({"Required", "NotRequired", "ReadOnly"})
_GENERATED_DOCSTRING: Final = re.compile(r"[A-Za-z_0-9]+\(.*\)(?: -> None)?", re.DOTALL)


@attrs.frozen(kw_only=True, eq=False)
class ClassField:
    """One field.

    Attributes:
        name: Of the annotation.
        key: Of the JSON property, and of the constructor's keyword; attrs strips leading underscores for it.
        required: Whether JSON has to have it.
        default: UNSET where there is none, or where a factory makes it.
        annotation: As written: a type, or text. Only for error messages.
    """

    name: str
    key: str
    required: bool
    default: Any = UNSET
    annotation: Any = None


def fields_of(cls: Any) -> tuple[ClassField, ...] | None:
    """Return the fields that a class's constructor takes; None for classes of another kind."""
    if not isinstance(cls, type) or typing.get_origin(cls) is not None:
        return None
    # Not inherited: a plain subclass of an attrs class or dataclass has the fields of its base.
    if attrs.has(cls):
        return tuple(map(_of_attribute, filter(lambda field: field.init, attrs.fields(cls))))
    if dataclasses.is_dataclass(cls):
        return tuple(map(_of_dataclass_field, filter(lambda field: field.init, dataclasses.fields(cls))))
    return _of_typed_dict(cls) if _is_typed_dict(cls) else None


def hints_of(cls: type) -> dict[str, Any]:
    """Return the resolved annotations of a class by name, ``Annotated`` kept.

    Raises:
        UsageError: One cannot be resolved; the message names class and field.
    """
    resolved: dict[str, Any] | None = cls.__dict__.get(RESOLVED_HINTS)
    if resolved is not None:
        return resolved
    try:
        return typing.get_type_hints(cls, include_extras=True)
    except UNRESOLVED as error:
        raise UsageError(
            f"{_culprit(cls, error)} has an annotation that cannot be resolved: {error};"
            " it has to name types of the class's module"
        ) from error


def unwrapped(hint: Any) -> Any:
    """Return a hint without what changes nothing about its values: NewType, type aliases, field qualifiers."""
    while True:
        if getattr(typing.get_origin(hint), "_name", None) in _QUALIFIERS:
            hint = typing.get_args(hint)[0]
        elif hasattr(hint, "__supertype__"):
            hint = hint.__supertype__
        elif type(hint).__name__ == "TypeAliasType":
            hint = hint.__value__
        else:
            return hint


def written_docstring(cls: type) -> str | None:
    """Return the class's own docstring as one paragraph; None if there is none, or if a generator wrote it."""
    text = cls.__dict__.get("__doc__")
    if not isinstance(text, str) or not text.strip() or _GENERATED_DOCSTRING.fullmatch(text.strip()):
        return None
    return " ".join(text.split())


def _is_typed_dict(cls: type) -> bool:
    # Not typing.is_typeddict, which does not know those of typing_extensions.
    return issubclass(cls, dict) and hasattr(cls, "__required_keys__")


def _of_attribute(field: attrs.Attribute[Any]) -> ClassField:
    without = field.default is attrs.NOTHING
    made = isinstance(field.default, attrs.Factory)  # type: ignore[arg-type]  # a class, called a function in its stub
    return ClassField(
        name=field.name,
        key=field.alias or field.name,
        required=without,
        default=UNSET if without or made else field.default,
        annotation=field.type,
    )


def _of_dataclass_field(field: dataclasses.Field[Any]) -> ClassField:
    missing = dataclasses.MISSING
    return ClassField(
        name=field.name,
        key=field.name,
        required=field.default is missing and field.default_factory is missing,
        default=UNSET if field.default is missing else field.default,
        annotation=field.type,
    )


def _of_typed_dict(cls: type) -> tuple[ClassField, ...]:
    hints = hints_of(cls)
    required: frozenset[str] = cls.__required_keys__  # type: ignore[attr-defined]  # every TypedDict has it
    # Under postponed annotations Python does not see the qualifiers when it makes the class.
    qualified = {name: getattr(typing.get_origin(hint), "_name", None) for name, hint in hints.items()}
    return tuple(
        ClassField(
            name=name,
            key=name,
            required=qualified[name] == "Required" or (name in required and qualified[name] != "NotRequired"),
        )
        for name in hints
    )


def _culprit(cls: type, error: Exception) -> str:
    """Name the class and, if it can be told, the field whose annotation is wrong."""
    name = getattr(error, "name", None)
    if _is_typed_dict(cls) or not isinstance(name, str):
        return cls.__name__
    word = re.compile(rf"\b{re.escape(name)}\b")
    for field in fields_of(cls) or ():
        if word.search(str(field.annotation)):
            return f"{cls.__name__}.{field.name}"
    return cls.__name__
