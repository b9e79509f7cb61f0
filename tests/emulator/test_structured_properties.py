"""Whatever the schema of supported keywords, and however tokens are sampled: the text is a value of it, and it ends."""

from __future__ import annotations

from typing import Any

import jsonschema
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.strategies import DrawFn, SearchStrategy

from tests.emulator.structures import read, written

NAMES = st.sampled_from(["name", "größe", 'a "quoted" one', "", "x/y~z", "\ud83d", "line\nbreak"])
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**20), 10**20)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(NAMES, inner, max_size=2),
    max_leaves=4,
)


def annotated(schemas: SearchStrategy[dict[str, Any]]) -> SearchStrategy[dict[str, Any]]:
    notes = st.dictionaries(
        st.sampled_from(["title", "description", "$comment", "x-note"]), st.text(max_size=3)
    )
    return st.builds(lambda note, schema: {**note, **schema}, notes, schemas)


@st.composite
def strings(draw: DrawFn) -> dict[str, Any]:
    schema: dict[str, Any] = {"type": "string"}
    shortest = draw(st.integers(0, 30))
    if draw(st.booleans()):
        schema["minLength"] = shortest
    if draw(st.booleans()):
        schema["maxLength"] = shortest + draw(st.integers(0, 30))
    if draw(st.booleans()):
        schema["format"] = draw(st.sampled_from(["date", "uuid", "email", "no-such-format"]))
    return schema


@st.composite
def numbers(draw: DrawFn) -> dict[str, Any]:
    schema: dict[str, Any] = {"type": draw(st.sampled_from(["integer", "number"]))}
    multiple = draw(st.sampled_from([None, 1, 3, 0.5, 0.1, 1.5, 100, 1e-3]))
    lowest = draw(st.integers(-(10**15), 10**15) | st.floats(-1e6, 1e6))
    if multiple is not None:
        schema["multipleOf"] = multiple
    if draw(st.booleans()):
        schema[draw(st.sampled_from(["minimum", "exclusiveMinimum"]))] = lowest
    if draw(st.booleans()):
        span = 3 * (multiple or 1) + draw(st.integers(0, 10**12))
        schema[draw(st.sampled_from(["maximum", "exclusiveMaximum"]))] = lowest + max(span, 3)
    return schema


@st.composite
def arrays(draw: DrawFn, inner: SearchStrategy[Any]) -> dict[str, Any]:
    schema: dict[str, Any] = {"type": "array"}
    shortest = draw(st.integers(0, 3))
    if draw(st.booleans()):
        schema["prefixItems"] = draw(st.lists(inner, min_size=1, max_size=2))
    if draw(st.booleans()):
        schema["items"] = draw(inner)
    if draw(st.booleans()):
        schema["minItems"] = shortest
    if draw(st.booleans()):
        schema["maxItems"] = shortest + draw(st.integers(0, 3))
    return schema


@st.composite
def objects(draw: DrawFn, inner: SearchStrategy[Any]) -> dict[str, Any]:
    schema: dict[str, Any] = {"type": "object"}
    members = draw(st.dictionaries(NAMES, inner, max_size=4))
    if draw(st.booleans()) or members:
        schema["properties"] = members
    others: Any = draw(st.sampled_from([None, True, False]))
    if others is None:
        others = draw(st.none() | inner)
    if others is not None:
        schema["additionalProperties"] = others
    if draw(st.booleans()):
        possible = [*members, *(["undeclared"] if others is not False else [])]
        schema["required"] = draw(st.lists(st.sampled_from(possible), unique=True)) if possible else []
    return schema


LEAVES = st.one_of(
    strings(),
    numbers(),
    st.builds(lambda value: {"const": value}, JSON),
    st.builds(lambda listed: {"enum": listed}, st.lists(JSON, min_size=1, max_size=4)),
    st.sampled_from([{"type": "boolean"}, {"type": "null"}, {}]),
    st.builds(
        lambda words: {"type": words},
        st.lists(
            st.sampled_from(["string", "integer", "number", "null", "array", "object"]),
            min_size=1,
            unique=True,
        ),
    ),
    st.just({"anyOf": [{"$ref": "#/$defs/again"}, {"type": "null"}]}),
    st.just({"type": "array", "items": {"$ref": "#/$defs/again"}}),
    st.just({"$ref": "#/$defs/again"}),
)


def containers(inner: SearchStrategy[dict[str, Any]]) -> SearchStrategy[dict[str, Any]]:
    schemas = annotated(inner) | st.just(True)
    return st.one_of(
        arrays(schemas),
        objects(schemas),
        st.builds(lambda arms: {"anyOf": arms}, st.lists(schemas, min_size=1, max_size=3)),
        st.builds(lambda arm: {"allOf": [arm]}, schemas),
        st.builds(lambda arm: {"oneOf": [{**arm, "type": "object"}, {"type": "null"}]}, objects(schemas)),
    )


SCHEMAS = st.recursive(LEAVES, containers, max_leaves=6)
# What refers to itself does so from inside a value, or the oracle would never return; and it has something that ends.
AGAIN = st.builds(
    lambda schema: {"anyOf": [{"type": "array", "items": schema}, {"type": "string"}]}, SCHEMAS
) | st.builds(
    lambda schema: {"type": "object", "properties": {"again": schema}, "additionalProperties": False}, SCHEMAS
)
SAMPLING = st.fixed_dictionaries(
    {},
    optional={
        "temperature": st.sampled_from([0, 0.8, 5.0]),
        "top_k": st.sampled_from([1, 2, 40, None]),
        "top_p": st.sampled_from([0.1, 0.95, None]),
        "min_p": st.sampled_from([0.05, 1.0, None]),
        "repeat_penalty": st.sampled_from([0.5, 1.1, 20.0, None]),
        "presence_penalty": st.sampled_from([-50, 2.0, 50]),
        "frequency_penalty": st.sampled_from([-50, 2.0, 50]),
        "seed": st.integers(0, 5),
    },
)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(SCHEMAS, AGAIN, SAMPLING)
async def test_the_text_is_a_value_of_the_schema(
    schema: dict[str, Any], again: dict[str, Any], sampling: dict[str, Any]
) -> None:
    document = {
        **schema,
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$defs": {"again": again},
    }
    jsonschema.Draft202012Validator.check_schema(document)
    generation = await written(document, **sampling)

    jsonschema.Draft202012Validator(document).validate(read(generation.text))
    assert generation.statistics.stop_reason == "eosFound"
    assert generation.statistics.predicted_tokens == sum(one.tokens_count for one in generation.fragments)
