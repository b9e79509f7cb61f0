"""What options hold, in the forms that the compiler needs: expression, type hint, JSON Schema, words."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from lmwire_codegen.naming import constant_case
from lmwire_codegen.problems import Location, Problems
from lmwire_codegen.text import literal

__all__ = [
    "check_kind",
    "class_hint",
    "dict_hint",
    "kind_expression",
    "kind_schema",
    "kind_words",
    "record_constant",
]

_SORTS: Final = ("type", "enum", "prefixItems", "anyOf", "setting")
# What goes with which `type` only.
_DETAILS: Final = {
    "minimum": ("integer", "number"),
    "maximum": ("integer", "number"),
    "minLength": ("string",),
    "items": ("array",),
}
_HINTS: Final = {
    "boolean": "bool",
    "integer": "int",
    "number": "float",
    "string": "str",
    "object": "dict[str, Any]",
}


def record_constant(setting: str) -> str:
    """Return the name of a setting's record."""
    return f"{constant_case(setting)}_RECORD"


def check_kind(
    kind: Mapping[str, Any], settings: Mapping[str, Any], place: Location, problems: Problems
) -> bool:
    """Report what the files' JSON Schema cannot say about a kind; returns whether all is well."""
    said = [sort for sort in _SORTS if sort in kind]
    faults: list[tuple[Location, str]] = []
    if len(said) > 1:
        faults.append((place, f"{' and '.join(said)} exclude one another"))
    for detail, types in _DETAILS.items():
        if detail in kind and kind.get("type") not in types:
            faults.append((place.child(detail), f"goes with the type {' or '.join(types)} only"))
    if kind.get("minimum", 0) > kind.get("maximum", kind.get("minimum", 0)):
        faults.append((place.child("minimum"), "is greater than the maximum"))
    if kind.get("type") == "integer" and not all(
        isinstance(kind.get(bound, 0), int) for bound in ("minimum", "maximum")
    ):
        faults.append((place, "bounds of an integer must be integers"))
    if "setting" in kind and kind["setting"] not in settings:
        faults.append((place.child("setting"), f"there is no setting {kind['setting']!r}"))
    if any("setting" in option for option in kind.get("anyOf", ())):
        faults.append((place.child("anyOf"), "settings cannot be told apart in it"))
    for where, message in faults:
        problems.add(where, message)
    inner = [
        (place.child(sort, number), item)
        for sort in ("anyOf", "prefixItems")
        for number, item in enumerate(kind.get(sort, ()))
    ]
    if "items" in kind:
        inner.append((place.child("items"), kind["items"]))
    return all([not faults, *(check_kind(item, settings, where, problems) for where, item in inner)])


def kind_expression(kind: Mapping[str, Any]) -> str:
    """Return the Python expression of a kind of ``lmwire_runtime.surface.option_kinds``."""
    if "enum" in kind:
        return f"Choice({literal(tuple(kind['enum']))})"
    if "anyOf" in kind:
        return f"AnyOf(({', '.join(map(kind_expression, kind['anyOf']))},))"
    if "prefixItems" in kind:
        return f"TupleOf(({', '.join(map(kind_expression, kind['prefixItems']))},))"
    if "setting" in kind:
        return record_constant(kind["setting"])
    sort = kind.get("type")
    if sort == "array" and "items" in kind:
        return f"ListOf({kind_expression(kind['items'])})"
    if sort in ("integer", "number"):
        bounds = [f"{name}={literal(kind[name])}" for name in ("minimum", "maximum") if name in kind]
        return f"{sort.title()}({', '.join(bounds)})"
    if sort == "string":
        return f"Text(min_length={literal(kind['minLength'])})" if "minLength" in kind else "Text()"
    return {"boolean": "Boolean()", "array": "Json(list)", "object": "Json(dict)"}.get(sort or "", "Json()")


def class_hint(kind: Mapping[str, Any]) -> str:
    """Return the type hint of an attribute."""
    return _hint(kind, lambda setting: setting)


def dict_hint(kind: Mapping[str, Any]) -> str:
    """Return the type hint of an item of a dict: settings may be dicts themselves."""
    return _hint(kind, lambda setting: f"{setting} | {setting}Dict")


def _hint(kind: Mapping[str, Any], of_setting: Callable[[str], str]) -> str:
    if "enum" in kind:
        return f"Literal[{', '.join(map(literal, kind['enum']))}]"
    if "anyOf" in kind:
        return " | ".join(_hint(item, of_setting) for item in kind["anyOf"])
    if "prefixItems" in kind:
        return f"tuple[{', '.join(_hint(item, of_setting) for item in kind['prefixItems'])}]"
    if "setting" in kind:
        return of_setting(kind["setting"])
    if kind.get("type") == "array":
        item = _hint(kind["items"], of_setting) if "items" in kind else "Any"
        return f"list[{item}] | tuple[{item}, ...]"
    return _HINTS.get(kind.get("type", ""), "Any")


def kind_schema(kind: Mapping[str, Any], settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return the JSON Schema of a kind, settings written out."""
    if "setting" in kind:
        fields = settings[kind["setting"]]["fields"]
        return {
            "type": "object",
            "properties": {name: kind_schema(field, settings) for name, field in fields.items()},
            "required": [name for name, field in fields.items() if field.get("required")],
            "additionalProperties": False,
        }
    schema = {
        name: kind[name] for name in ("type", "enum", "minimum", "maximum", "minLength") if name in kind
    }
    if "items" in kind:
        schema["items"] = kind_schema(kind["items"], settings)
    for sort in ("anyOf", "prefixItems"):
        if sort in kind:
            schema[sort] = [kind_schema(item, settings) for item in kind[sort]]
    if "prefixItems" in kind:
        schema |= {"type": "array", "items": False, "minItems": len(kind["prefixItems"])}
    return schema


def kind_words(kind: Mapping[str, Any]) -> str:
    """Return what a kind takes, in words for a docstring; nothing where the type hint says it all."""
    if kind.get("type") in ("integer", "number") and ("minimum" in kind or "maximum" in kind):
        low, high = kind.get("minimum"), kind.get("maximum")
        if low is not None and high is not None:
            return f"From {low} to {high}."
        return f"At least {low}." if high is None else f"At most {high}."
    if "minLength" in kind.get("items", {}):
        return "Empty texts are refused."
    return ""
