"""What lenient and strict mode have to do with a value, worked out from its schema: the oracle of these tests.

It walks the plain JSON Schema and knows the rules of the project's documents; it shares nothing with the compiler or
with ``lmwire_runtime.wire``. ``judge`` gives all that deviates, so that data with several deviations can be judged as
well: strict mode has to refuse at one of them, lenient mode at one of those that are fatal.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Final, TypeAlias

import attrs

from tests.messages.schemas import PATTERNS, TOLERANT, Schema, escaped

Segments: TypeAlias = "tuple[str | int, ...]"

ABSENT: Final = object()


@attrs.frozen
class Deviation:
    """Something that strict mode refuses. ``fatal`` ones lenient mode refuses as well; ``extra`` is an unknown key."""

    at: Segments
    fatal: bool = False
    extra: bool = False


@attrs.frozen
class Judgement:
    """What has to happen.

    Attributes:
        deviations: All of them.
        wire: What lenient mode's result is when it is encoded again.
        warnings: One entry for each line that lenient mode has to write.
        possible: The same for lines about what is inside of a field that is dropped, if they are met before the reason.
        missing: Objects (by their place) and the wire names of their fields whose slots stay empty.
    """

    deviations: tuple[Deviation, ...]
    wire: Any
    warnings: frozenset[Any]
    possible: frozenset[Any]
    missing: tuple[tuple[Segments, str], ...]

    def strict(self, *, extra_keys: bool = False) -> set[str]:
        """The JSON pointers of which strict mode names one; none if it accepts."""
        return {pointer(each.at) for each in self.deviations if not (each.extra and extra_keys)}

    def lenient(self) -> set[str]:
        """The JSON pointers of which lenient mode names one; none if it accepts."""
        return {pointer(each.at) for each in self.deviations if each.fatal}


def pointer(segments: Segments) -> str:
    """``segments`` as a JSON pointer."""
    return "".join(f"/{escaped(segment)}" for segment in segments)


def judge(schema: Schema, value: Any, at: Segments = ()) -> Judgement:
    """Say what both modes have to make of ``value``."""
    work = _Judge()
    wire = work.value(schema, value, at)
    return Judgement(
        tuple(work.deviations), wire, frozenset(work.warnings), frozenset(work.possible), tuple(work.missing)
    )


def json_kind(value: Any) -> str:
    """The JSON type of a value; integers are numbers."""
    if isinstance(value, bool):
        return "boolean"
    return {str: "string", int: "number", float: "number", list: "array", dict: "object", type(None): "null"}[
        type(value)
    ]


def same(first: Any, second: Any) -> bool:
    """Whether two values are the same JSON: numbers by value, truth values no numbers."""
    # No recursion: they may be nested as deep as a parser takes them.
    pending = [(first, second)]
    while pending:
        one, other = pending.pop()
        if json_kind(one) != json_kind(other):
            return False
        if isinstance(one, dict):
            if one.keys() != other.keys():
                return False
            pending.extend((one[key], other[key]) for key in one)
        elif isinstance(one, list):
            if len(one) != len(other):
                return False
            pending.extend(zip(one, other, strict=True))
        elif one != other:
            return False
    return True


def allows_null(schema: Schema) -> bool:
    """Whether null is legal."""
    if "anyOf" in schema:
        return any(map(allows_null, schema["anyOf"]))
    if "enum" in schema:
        return None in schema["enum"]
    if "const" in schema:
        return schema["const"] is None
    return "null" in schema["type"] if "type" in schema else True


def objects_of(schema: Schema) -> list[Schema]:
    """The alternatives of ``schema`` that are objects with known fields, unions among them replaced by theirs."""
    found: list[Schema] = []
    for arm in schema.get("anyOf", ()):
        found += objects_of(arm) or ([arm] if "properties" in arm else [])
    return found


def discriminator(arms: list[Schema]) -> str:
    """The one field by whose value the objects are told apart."""

    def tags(arm: Schema) -> dict[str, Any]:
        fields = arm["properties"].items()
        return {
            name: child["const"] for name, child in fields if "const" in child and name in arm["required"]
        }

    tables = [tags(arm) for arm in arms]
    fit = [
        name
        for name in tables[0]
        if all(name in table for table in tables) and len({table[name] for table in tables}) == len(tables)
    ]
    if len(fit) != 1:
        raise LookupError(f"{fit} could tell these objects apart")
    return fit[0]


class _Judge:
    """One judgement in the making. Its methods return what the value is when it is encoded again."""

    def __init__(self) -> None:
        self.deviations: list[Deviation] = []
        self.warnings: set[Any] = set()
        self.possible: set[Any] = set()
        self.missing: list[tuple[Segments, str]] = []

    def _fatal(self, at: Segments) -> None:
        self.deviations.append(Deviation(at, fatal=True))

    def _kept(self, at: Segments, *, extra: bool = False) -> None:
        self.deviations.append(Deviation(at, extra=extra))

    def value(self, schema: Schema, value: Any, at: Segments) -> Any:
        if "anyOf" in schema:
            return self._choice(schema, schema["anyOf"], value, at)
        if isinstance(schema.get("type"), list):
            return self._choice(schema, [{**schema, "type": kind} for kind in schema["type"]], value, at)
        if "enum" in schema or "const" in schema:
            return self._listed(schema.get("enum", [schema.get("const")]), value, at)
        if "properties" in schema:
            return self._object(schema, value, at)
        kind = schema.get("type")
        if kind is None:
            return value
        if json_kind(value) != {"integer": "number"}.get(kind, kind) or (
            kind == "integer" and not float(value).is_integer()
        ):
            self._fatal(at)
        elif kind == "object":
            inside = schema["additionalProperties"]
            return {key: self.value(inside, item, (*at, key)) for key, item in value.items()}
        elif kind == "array":
            return self._array(schema, value, at)
        elif not self._within(schema, value):
            self._kept(at)
        return value

    def _listed(self, values: list[Any], value: Any, at: Segments) -> Any:
        """A value that has to be one of ``values``; others of the same type are kept."""
        fraction = json_kind(value) == "number" and not float(value).is_integer()  # constants are integers
        if fraction or json_kind(value) not in {json_kind(known) for known in values}:
            self._fatal(at)
        elif not any(same(value, known) for known in values):
            self._kept(at)
        return value

    @staticmethod
    def _within(schema: Schema, value: Any) -> bool:
        if isinstance(value, str):
            pattern = schema.get("pattern")
            return (
                schema.get("minLength", 0) <= len(value) <= schema.get("maxLength", math.inf)
                and (pattern is None or PATTERNS[pattern](value))
            )  # fmt: skip
        return isinstance(value, bool) or value is None or bool(
            schema.get("minimum", -math.inf) <= value <= schema.get("maximum", math.inf)
            and value > schema.get("exclusiveMinimum", -math.inf)
        )  # fmt: skip

    def _array(self, schema: Schema, value: list[Any], at: Segments) -> Any:
        fixed = schema.get("prefixItems")
        if fixed is None:
            if not schema.get("minItems", 0) <= len(value) <= schema.get("maxItems", math.inf):
                self._kept(at)
            return [self.value(schema["items"], item, (*at, index)) for index, item in enumerate(value)]
        if len(value) != len(fixed):  # a tuple of another length is another type
            self._fatal(at)
            return value
        return [
            self.value(child, item, (*at, index))
            for index, (child, item) in enumerate(zip(fixed, value, strict=True))
        ]

    def _object(self, schema: Schema, value: Any, at: Segments) -> Any:
        if not isinstance(value, dict):
            self._fatal(at)
            return value
        wire: dict[str, Any] = {}
        required = schema.get("required", ())
        for name, child in schema["properties"].items():
            where = (*at, name)
            item = value.get(name, ABSENT)
            tag = name in required and "const" in child
            if tag:
                wire[name] = child["const"]
                if item is not ABSENT and item is not None and not same(item, child["const"]):
                    self._fatal(where)
                    continue
            if schema.get(TOLERANT) and item is not ABSENT:
                self._tolerated(schema, name, item, at, wire)
            elif item is ABSENT and name not in required:
                pass
            elif item is ABSENT or (item is None and not allows_null(child)):
                self._kept(where)
                self.warnings.add((id(schema), name, item is ABSENT))
                if name in required and not tag:
                    self.missing.append((at, name))
            elif not tag:
                wire[name] = self.value(child, item, where)
        for key in value.keys() - schema["properties"].keys():
            self._kept((*at, key), extra=True)
        return wire

    def _tolerated(self, schema: Schema, name: str, item: Any, at: Segments, wire: dict[str, Any]) -> None:
        """A field that is dropped if it does not fit."""
        inside = judge(schema["properties"][name], item, (*at, name))
        if inside.lenient():
            self.deviations += [Deviation(each.at, extra=each.extra) for each in inside.deviations]
            self.warnings.add((id(schema), name, "dropped"))
            self.possible |= inside.warnings
            return
        self.deviations += inside.deviations
        self.warnings |= inside.warnings
        self.missing += inside.missing
        wire[name] = inside.wire

    def _choice(self, schema: Schema, arms: list[Schema], value: Any, at: Segments) -> Any:
        if value is None and any(map(allows_null, arms)):
            return value
        objects = objects_of(schema)
        others = [arm for arm in arms if arm not in objects and not objects_of(arm)]
        if isinstance(value, dict) and objects:
            return self._member(schema, objects, value, at) if len(objects) > 1 or len(arms) == 1 else (
                self._object(objects[0], value, at)
            )  # fmt: skip
        fit = [arm for arm in others if self._kind_of(arm) == json_kind(value)]
        if not fit:
            self._fatal(at)
            return value
        if len(fit) > 1:
            raise LookupError(f"more than one alternative for {value!r} in {schema}")
        return self.value(fit[0], value, at)

    @staticmethod
    def _kind_of(arm: Schema) -> str:
        if "enum" in arm or "const" in arm:
            return json_kind(arm.get("enum", [arm.get("const")])[0])
        return {"integer": "number"}.get(arm["type"], str(arm["type"]))

    def _member(self, schema: Schema, objects: list[Schema], value: Mapping[str, Any], at: Segments) -> Any:
        name = discriminator(objects)
        tag = value.get(name)
        for arm in objects:
            if same(tag, arm["properties"][name]["const"]):
                return self._object(arm, value, at)
        self._kept(at)
        self.warnings.add((id(schema), repr(tag)))
        return value
