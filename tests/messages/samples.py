"""Valid instances of a schema: chosen ones that reach every field, alternative and limit, and random ones.

Both are the same in every run. ``covering`` looks at one object or union with all its own fields; types further inside
are targets of their own and appear in two or three shapes. ``Sampler`` fills whole trees.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Any, Final

from tests.messages.schemas import PATTERN_SAMPLES, Schema

TEXTS: Final = ("", "a", '\u00e4 \U0001f600 \u2028\x00"\\/~', "\ud83d", "null", "-0.0")
INTEGERS: Final = (0, 1, -1, 3.0, -0.0, 2**53 + 1, -(2**63), 2**64, 10**25)
NUMBERS: Final = (0, 1.5, -0.0, 3.0, -7, 5e-324, 1.7976931348623157e308, 2**64 + 1, 0.1)
ANYTHING: Final[tuple[Any, ...]] = (
    {"type": "text", "a/b~c": [None, {"": -0.0}]}, None, False, 0, "", [], {}, [[[]]], 2**70, {"__class__": "x"},
)  # fmt: skip
KEYS: Final = ("", "a/b~c", "\u00e4\U0001f600", "type", "__proto__", "0", "\ud83d", "to_wire")
"""Keys of maps, and unknown keys of objects."""


def scalars(schema: Schema) -> tuple[Any, ...]:
    """Legal values of a schema that is neither object, array nor choice."""
    if "const" in schema:
        return (schema["const"],)
    if "enum" in schema:
        return tuple(schema["enum"])
    kind = schema.get("type")
    if kind is None:
        return ANYTHING
    if kind == "string":
        return _texts(schema)
    if kind in ("integer", "number"):
        edges = [schema[key] for key in ("minimum", "maximum") if key in schema]
        edges += [schema["exclusiveMinimum"] + 1] if "exclusiveMinimum" in schema else []
        return tuple(
            number
            for number in (*edges, *(INTEGERS if kind == "integer" else NUMBERS))
            if schema.get("minimum", number) <= number <= schema.get("maximum", number)
            and ("exclusiveMinimum" not in schema or number > schema["exclusiveMinimum"])
        )
    return {"boolean": (True, False), "null": (None,)}[kind]


def _texts(schema: Schema) -> tuple[str, ...]:
    least, most = schema.get("minLength", 0), schema.get("maxLength")
    if "pattern" in schema:
        texts = PATTERN_SAMPLES[schema["pattern"]]
        return texts if most is None else (*texts, "x" * most)
    edges = [letter * count for count in (least, most) if count for letter in ("x", "\U0001f600")]
    return tuple(text for text in (*TEXTS, *edges) if least <= len(text) <= (most or len(text)))


def alternatives(schema: Schema) -> list[Schema]:
    """The members of a choice, and the types of a list of types; the schema itself if it is none."""
    if "anyOf" in schema:
        return [one for arm in schema["anyOf"] for one in alternatives(arm)]
    if isinstance(schema.get("type"), list):
        return [{**schema, "type": kind} for kind in schema["type"]]
    return [schema]


def some(schema: Schema) -> list[Any]:
    """A few instances, the fullest first."""
    found = []
    for one in alternatives(schema):
        if "properties" in one:
            found += [full(one), minimal(one)]
        elif one.get("type") == "array":
            found += _arrays(one)
        elif one.get("type") == "object":
            values = some(one["additionalProperties"])
            found += [{key: values[index % len(values)] for index, key in enumerate(KEYS)}, {}]
        else:
            found += scalars(one)
    return found


def _arrays(schema: Schema) -> list[Any]:
    if "prefixItems" in schema:
        return [
            [some(item)[0] for item in schema["prefixItems"]],
            [some(item)[-1] for item in schema["prefixItems"]],
        ]
    items = some(schema["items"])
    least = schema.get("minItems", 0)
    many = items[: schema.get("maxItems", 4)]
    return [many + items[:1] * (least - len(many)), (items * least)[-least:] if least else []]


def full(schema: Schema) -> dict[str, Any]:
    """An object with all its fields."""
    return {name: some(child)[0] for name, child in schema["properties"].items()}


def minimal(schema: Schema) -> dict[str, Any]:
    """An object with no more than it has to have."""
    return {name: some(schema["properties"][name])[-1] for name in schema.get("required", ())}


def covering(schema: Schema) -> Iterator[Any]:
    """Instances in which each field is there and not, and has each of its ``some`` values."""
    for one in alternatives(schema):
        if "properties" not in one:
            yield from some(one)
            continue
        least = minimal(one)
        yield full(one)
        yield least
        for name, child in one["properties"].items():
            for value in some(child):
                yield {**least, name: value}


class Sampler:
    """Random instances; equal seeds give equal ones."""

    def __init__(self, seed: int | str) -> None:
        self._random = random.Random(seed)

    def instance(self, schema: Schema, depth: int = 0) -> Any:
        """Return a valid instance."""
        one = self._random.choice(alternatives(schema))
        if "properties" in one:
            required = one.get("required", ())
            return {
                name: self.instance(child, depth + 1)
                for name, child in self._shuffled(one["properties"].items())
                if name in required or self._random.random() < 0.6
            }
        if "prefixItems" in one:
            return [self.instance(item, depth + 1) for item in one["prefixItems"]]
        if one.get("type") == "array":
            count = min(self._count(depth, one.get("minItems", 0)), one.get("maxItems", 4))
            return [self.instance(one["items"], depth + 1) for _ in range(count)]
        if one.get("type") == "object":
            keys = self._random.sample(KEYS, self._count(depth, 0))
            return {key: self.instance(one["additionalProperties"], depth + 1) for key in keys}
        if one.get("type") == "integer" and one.keys() == {"type"} and self._random.random() < 0.5:
            return self._random.randrange(-(10**6), 10**6)
        return self._random.choice(scalars(one))

    def _count(self, depth: int, least: int) -> int:
        return max(least, self._random.randrange(4 if depth < 4 else 2))

    def _shuffled(self, pairs: Any) -> list[Any]:
        items = list(pairs)
        self._random.shuffle(items)
        return items
