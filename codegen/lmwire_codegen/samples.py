"""Valid instances of the schemas in ``schema/wire``, made from the JSON of the files alone.

For every schema the smallest instance (what is required, empty containers), the fullest, and in both of them each
alternative once. Text that has to match a pattern is looked for in a list of usual words.

An example is one instance to be read by people: values come from a table of what usually stands in a field.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from typing import Any, Final

from lmwire_codegen.limits import limits_of
from lmwire_codegen.problems import Location
from lmwire_codegen.repairs import Repairs
from lmwire_codegen.shapes import Limits
from lmwire_codegen.validate import target_of

__all__ = ["NoSampleError", "Sampler"]

_MOST: Final = 400
_DEEPEST: Final = 60
_WORDS: Final = (
    "a", "ab", "abc-def", "abc/def", "0", "42", "1.2.3", "v1.2.3", "a1b2c3d4", "A", "Abc", "ABC", "a_b", "a.b", "/a/b",
    "./a", "@a/b", "$a", "{}", "#aabbcc", "YWJj", "2026-01-02", "2026-01-02T03:04:05.678Z", "12:34:56", "a@b.cd",
    "https://example.com/a", "127.0.0.1", "localhost:1234", "1f0c8a2e-9b8d-4c6a-8f3e-2d1b0a9c8e7f",
    "0123456789abcdef0123456789abcdef",
)  # fmt: skip
_KINDS: Final[Mapping[type, frozenset[str]]] = {
    str: frozenset({"string"}), bool: frozenset({"boolean"}), float: frozenset({"number"}),
    int: frozenset({"integer", "number"}),
}  # fmt: skip
_FORMATS: Final = {
    "date-time": "2026-01-02T03:04:05.678Z", "date": "2026-01-02", "time": "03:04:05Z", "email": "a@b.cd",
    "uri": "https://example.com/a", "uuid": "1f0c8a2e-9b8d-4c6a-8f3e-2d1b0a9c8e7f", "ipv4": "127.0.0.1", "ipv6": "::1",
}  # fmt: skip


class NoSampleError(Exception):
    """No instance was found; the message says of what."""


class Sampler:
    """Makes instances of schemas of one folder."""

    def __init__(
        self,
        documents: Mapping[str, Any],
        repairs: Repairs,
        usual: Mapping[str, Sequence[Any]] | None = None,
    ) -> None:
        """Remember the files.

        Args:
            documents: Parsed files, by path.
            repairs: The table of repairs, for patterns.
            usual: Field -> scalars that usually stand there; the first that is valid is used.
        """
        self._documents = documents
        self._repairs = repairs
        self._usual = usual or {}
        self._most = _MOST

    def example(self, place: Location, most: int) -> Any:
        """Return one instance of the schema at ``place``: the fullest, but if its JSON is too long, the smallest.

        Args:
            place: Where the schema is.
            most: How many characters its JSON may have.

        Raises:
            NoSampleError: No instance was found.
        """
        schema = self._at(place)
        self._most = 1
        try:
            full = next(self._of(schema, place.file, True, ()))
            return full if len(json.dumps(full)) <= most else next(self._of(schema, place.file, False, ()))
        finally:
            self._most = _MOST

    def samples(self, place: Location) -> list[Any]:
        """Return instances of the schema at ``place``.

        Raises:
            NoSampleError: There is a schema of which no instance was found.
        """
        schema = self._at(place)
        found: list[Any] = []
        for full in (False, True):
            for number, sample in enumerate(self._of(schema, place.file, full, ())):
                found.append(sample)
                if number > _MOST:
                    break
        return found

    def _at(self, place: Location) -> Any:
        schema: Any = self._documents[place.file]
        for step in place.pointer.split("/")[1:]:
            name = step.replace("~1", "/").replace("~0", "~")
            schema = schema[int(name)] if isinstance(schema, list) else schema[name]
        return schema

    def _of(self, schema: Any, file: str, full: bool, trail: tuple[tuple[str, str], ...]) -> Iterator[Any]:
        while isinstance(schema, dict) and "$ref" in schema:
            target = target_of(file, schema["$ref"])
            if target is None or len(trail) > _DEEPEST:
                raise NoSampleError(f"a type that contains itself without end ({schema['$ref']})")
            full = full and trail.count(target) < 1  # a type inside itself is as small as can be
            trail = (*trail, target)
            file, name = target
            schema = self._documents[file]["$defs"][name]
        if not isinstance(schema, dict):
            yield {"anything": [1, None]}
        elif "anyOf" in schema:
            yield from self._alternatives(schema["anyOf"], file, full, trail)
        elif "const" in schema:
            yield schema["const"]
        elif "enum" in schema:
            yield from dict.fromkeys(schema["enum"])
        elif isinstance(schema.get("type"), list):
            kinds = [{**schema, "type": kind} for kind in schema["type"]]
            yield from self._alternatives(kinds, file, full, trail)
        elif "properties" in schema:
            yield from self._objects(schema, file, full, trail)
        elif "prefixItems" in schema:
            yield [next(self._of(item, file, full, trail)) for item in schema["prefixItems"]]
        elif schema.get("type") == "array" or "items" in schema:
            yield self._array(schema, file, full, trail)
        elif schema.get("type") == "object":
            values = schema.get("additionalProperties", True)
            key = "key/~" if self._most > 1 else "key"
            yield {key: next(self._of(values, file, True, trail))} if full else {}
        else:
            yield self._scalar(schema)

    def _alternatives(self, arms: list[Any], file: str, full: bool, trail: Any) -> Iterator[Any]:
        """Yield samples of all alternatives but those that would contain themselves without end."""
        failed: NoSampleError | None = None
        count = 0
        for arm in arms:
            try:
                for sample in self._of(arm, file, full, trail):
                    count += 1
                    yield sample
            except NoSampleError as error:
                failed = error
        if failed is not None and not count:
            raise failed

    def _objects(self, schema: Any, file: str, full: bool, trail: Any) -> Iterator[Any]:
        required = schema.get("required", ())
        choices: dict[str, list[Any]] = {}
        for name, child in schema["properties"].items():
            if full or name in required:
                try:
                    choices[name] = self._values_of(name, child, file, full, trail)
                except NoSampleError:
                    if name in required:
                        raise
        base = {name: values[0] for name, values in choices.items()}
        yield base
        for name, values in choices.items():
            for value in values[1:]:
                yield {**base, name: value}

    def _values_of(self, name: str, child: Any, file: str, full: bool, trail: Any) -> list[Any]:
        """Return values of a field."""
        for value in self._usual.get(name, ()):
            if self._fits(child, file, value):
                return [value]
        return list(islice(self._of(child, file, full, trail), self._most))

    def _fits(self, schema: Any, file: str, value: Any) -> bool:
        """Tell whether ``value`` is valid; only scalars ever are."""
        for _ in range(_DEEPEST):
            target = (
                target_of(file, schema["$ref"]) if isinstance(schema, dict) and "$ref" in schema else None
            )
            if target is None:
                break
            file, name = target
            schema = self._documents[file]["$defs"][name]
        if not isinstance(schema, dict):
            return True
        if "anyOf" in schema:
            return any(self._fits(arm, file, value) for arm in schema["anyOf"])
        if "enum" in schema or "const" in schema:
            return value in schema.get("enum", [schema.get("const")])
        kinds = schema.get("type", [])
        limits, _ = limits_of(schema, self._repairs)
        return bool(
            _KINDS[type(value)].intersection([kinds] if isinstance(kinds, str) else kinds)
        ) and _allowed(value, limits)

    def _array(self, schema: Any, file: str, full: bool, trail: Any) -> list[Any]:
        least, most = int(schema.get("minItems", 0)), int(schema.get("maxItems", 8))
        if not full and not least:
            return []
        wanted = max(least, min(most, 8, self._most))
        items = list(islice(self._of(schema.get("items", True), file, full, trail), wanted))
        if len(items) < least and schema.get("uniqueItems"):
            raise NoSampleError(f"an array of {least} different items")
        return items + items[:1] * (least - len(items))

    def _scalar(self, schema: Any) -> Any:
        kind = schema.get("type")
        if kind == "string":
            return self._text(schema)
        if kind in ("integer", "number"):
            return _number(schema, kind)
        return {"boolean": True, "null": None}.get(kind, {"anything": [1, None]})

    def _text(self, schema: Any) -> str:
        least, most = int(schema.get("minLength", 0)), schema.get("maxLength")
        limits, _ = limits_of(schema, self._repairs)
        usual: str = _FORMATS.get(schema.get("format"), "")
        for word in (*filter(None, [usual]), *_WORDS, "a" * least, ""):
            fits = least <= len(word) and (most is None or len(word) <= most)
            if fits and (limits.pattern is None or re.search(limits.pattern, word)):
                return word
        raise NoSampleError(f"text of {schema}")


def _allowed(value: Any, limits: Limits) -> bool:
    """Tell whether a scalar is within limits."""
    if isinstance(value, str):
        longest = len(value) if limits.max_length is None else limits.max_length
        fits = (limits.min_length or 0) <= len(value) <= longest
        return fits and (limits.pattern is None or re.search(limits.pattern, value) is not None)
    return not any(
        (edge is not None and (edge > value if least else edge < value))
        or (equal is not None and equal == value)
        for least, edge, equal in (
            (True, limits.minimum, limits.exclusive_minimum),
            (True, limits.exclusive_minimum, None),
            (False, limits.maximum, limits.exclusive_maximum),
            (False, limits.exclusive_maximum, None),
        )
    )


def _number(schema: Any, kind: str) -> int | float:
    step = schema.get("multipleOf", 1 if kind == "integer" else 0.5)
    edges = [
        schema[name]
        for name in ("minimum", "exclusiveMinimum", "maximum", "exclusiveMaximum")
        if name in schema
    ]
    for edge in (0, *edges):
        for count in (0, 1, -1):
            value = (edge // step + count) * step
            above = value >= schema.get("minimum", value) and value > schema.get(
                "exclusiveMinimum", value - 1
            )
            below = value <= schema.get("maximum", value) and value < schema.get(
                "exclusiveMaximum", value + 1
            )
            if above and below and value == (int(value) if kind == "integer" else value):
                return int(value) if kind == "integer" else value
    raise NoSampleError(f"a number of {schema}")
