"""The n-gram engine writes JSON of a schema: in pieces, plausibly, by seed, to an end, unless something cuts it."""

from __future__ import annotations

import datetime
import enum
import itertools
import math
import uuid
from collections.abc import Iterable
from typing import Annotated, Any, Literal, Union

import pydantic
import pytest

from tests.emulator.structures import read, values, written

PERSON = {
    "type": "object",
    "properties": {
        "name": {"type": "string"},
        "age": {"type": "integer", "minimum": 18, "maximum": 99},
        "nick": {"type": "string"},
    },
    "required": ["name", "age"],
}
TREE = {
    "$ref": "#/$defs/node",
    "$defs": {
        "node": {
            "type": "object",
            "properties": {
                "value": {"type": "integer"},
                "children": {"type": "array", "items": {"$ref": "#/$defs/node"}},
            },
            "required": ["value", "children"],
        }
    },
}


class TestObjects:
    async def test_have_what_is_required_and_sometimes_what_is_not(self) -> None:
        found = await values(PERSON, 30)

        assert all({"name", "age"} <= one.keys() <= {"name", "age", "nick"} for one in found)
        assert {"nick" in one for one in found} == {True, False}
        assert all(18 <= one["age"] <= 99 for one in found)
        assert len({one["age"] for one in found}) > 5

    async def test_members_come_in_the_order_of_the_schema(self) -> None:
        for one in await values(PERSON, 10):
            assert list(one) == sorted(one, key=list(PERSON["properties"]).index)

    async def test_other_members_are_of_the_schema_for_them(self) -> None:
        schema = {
            "type": "object",
            "properties": {"a": {"const": 1}},
            "required": ["a", "b"],
            "additionalProperties": {"type": "boolean"},
        }
        found = await values(schema, 20)

        assert all(type(value) is bool for one in found for name, value in one.items() if name != "a")
        assert all("b" in one for one in found)
        assert any(len(one) > 2 for one in found)

    async def test_no_members_are_made_up_beside_declared_ones(self) -> None:
        assert await values({"type": "object", "properties": {}}, 3) == [{}] * 3

    async def test_an_impossible_member_is_left_out(self) -> None:
        schema = {"type": "object", "properties": {"a": False, "b": {"const": 1}}, "required": ["b"]}

        assert await values(schema, 5) == [{"b": 1}] * 5


class TestArrays:
    async def test_are_of_different_lengths(self) -> None:
        found = await values({"type": "array", "items": {"type": "null"}}, 30)

        assert len({len(one) for one in found}) > 3

    async def test_keep_to_their_bounds(self) -> None:
        found = await values({"type": "array", "items": {"const": 0}, "minItems": 2, "maxItems": 3}, 20)

        assert {len(one) for one in found} == {2, 3}

    @pytest.mark.parametrize("keywords", [("prefixItems", "items"), ("items", "additionalItems")])
    async def test_may_begin_with_something_else(self, keywords: tuple[str, str]) -> None:
        first, rest = keywords
        schema = {"type": "array", first: [{"const": "a"}, {"const": "b"}], rest: {"const": 0}, "minItems": 3}

        for one in await values(schema, 10):
            assert one[:2] == ["a", "b"]
            assert set(one[2:]) == {0}

    async def test_a_long_one_that_is_demanded_is_written(self) -> None:
        (found,) = await values({"type": "array", "items": {"enum": [1, 2]}, "minItems": 500}, 1)

        assert len(found) >= 500

    async def test_end_where_no_further_element_is_possible(self) -> None:
        assert {
            len(one) for one in await values({"type": "array", "prefixItems": [True], "items": False}, 10)
        } == {0, 1}


class TestStrings:
    async def test_are_words_of_the_model(self) -> None:
        found = await values({"type": "string"}, 30)

        assert len(set(found)) > 15
        assert all(one[0].isalnum() and one.isascii() and one.isprintable() for one in found)
        assert any(" " in one for one in found)

    @pytest.mark.parametrize(("shortest", "longest"), [(0, 0), (1, 1), (2, 3), (40, 40), (200, 210)])
    async def test_keep_to_their_bounds(self, shortest: int, longest: int) -> None:
        schema = {"type": "string", "minLength": shortest, "maxLength": longest}

        assert all(shortest <= len(one) <= longest for one in await values(schema, 10))

    async def test_formats_that_readers_parse_can_be_parsed(self) -> None:
        def of(form: str) -> dict[str, str]:
            return {"type": "string", "format": form}

        for text in await values(of("date"), 5):
            datetime.date.fromisoformat(text)
        for text in await values(of("uuid"), 5):
            uuid.UUID(text)
        for text in await values({**of("uuid"), "maxLength": 5}, 5):
            assert len(text) <= 5


class TestNumbers:
    async def test_are_whole_where_they_must_be(self) -> None:
        assert {type(one) for one in await values({"type": "integer"}, 20)} == {int}
        assert float in {type(one) for one in await values({"type": "number"}, 30)}

    @pytest.mark.parametrize(
        ("schema", "possible"),
        [
            ({"type": "integer", "minimum": 3, "maximum": 5}, {3, 4, 5}),
            ({"type": "integer", "exclusiveMinimum": 3, "exclusiveMaximum": 5}, {4}),
            ({"type": "integer", "minimum": 0.5, "maximum": 2.5}, {1, 2}),
            ({"type": "integer", "minimum": -1, "maximum": 1, "multipleOf": 0.5}, {-1, 0, 1}),
            ({"type": "integer", "minimum": 1, "maximum": 7, "multipleOf": 1.5}, {3, 6}),
            ({"type": "number", "minimum": 0, "maximum": 1, "multipleOf": 0.5}, {0, 0.5, 1}),
            ({"type": "number", "minimum": 0.125, "maximum": 0.125}, {0.125}),
            ({"minimum": 7, "maximum": 7}, {7}),
            ({"type": "integer", "minimum": 2**70, "maximum": 2**70}, {2**70}),
        ],
    )
    async def test_keep_to_their_bounds(self, schema: dict[str, Any], possible: set[float]) -> None:
        assert set(await values(schema, 30)) == possible

    @pytest.mark.parametrize("bound", ["minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"])
    @pytest.mark.parametrize("at", [-1e300, -1000, -0.5, 0, 0.001, 12345, 1e18, 1e300])
    async def test_one_bound_is_enough(self, bound: str, at: float) -> None:
        for word in ("number", "integer"):
            for one in await values({"type": word, bound: at}, 3):
                assert one > at or one < at or "exclusive" not in bound
                assert one >= at if bound.lower().endswith("minimum") else one <= at

    async def test_a_narrow_range_of_fractions_is_met(self) -> None:
        schema = {"type": "number", "exclusiveMinimum": 0.1, "exclusiveMaximum": 0.1000001}
        found = await values(schema, 10)

        assert all(0.1 < one < 0.1000001 for one in found)
        assert len(set(found)) > 2


class TestChoices:
    async def test_all_listed_values_come(self) -> None:
        listed = ["red", "green", "größe", None, 3, 2.5, True, {"a": [1]}, ["x"], ""]
        found = await values({"enum": listed}, 150)

        assert all(any(one == other and type(one) is type(other) for other in listed) for one in found)
        assert len({repr(one) for one in found}) == len(listed)

    async def test_other_keywords_choose_among_listed_values(self) -> None:
        schema = {"enum": ["ab", "abcd", 1, 5, True, [1], {}], "type": ["string", "integer"]}

        assert {*map(repr, await values(schema, 60))} == {"'ab'", "'abcd'", "1", "5"}
        assert set(await values({**schema, "minLength": 3, "minimum": 2}, 30)) == {"abcd", 5}
        assert await values({**schema, "const": 5}, 3) == [5, 5, 5]

    async def test_all_arms_come(self) -> None:
        schema = {"anyOf": [{"type": "integer"}, {"type": "string"}, {"type": "null"}, {"type": "boolean"}]}

        assert {type(one) for one in await values(schema, 60)} == {int, str, type(None), bool}

    async def test_arms_that_begin_alike_are_not_mixed(self) -> None:
        def tagged(tag: str) -> dict[str, Any]:
            members = {"kind": {"const": tag}, "of": {"const": tag * 2}}
            return {"type": "object", "properties": members, "required": ["kind", "of"]}

        found = await values({"anyOf": [tagged("a"), tagged("b"), tagged("ab")]}, 40)

        assert {(one["kind"], one["of"]) for one in found} == {("a", "aa"), ("b", "bb"), ("ab", "abab")}

    async def test_ambiguous_arms_do_not_multiply(self) -> None:
        arms: list[dict[str, Any]] = [
            {"type": "object", "properties": {"a": {"type": word}}, "required": ["a"]}
            for word in ("integer", "number", "integer", "number")
        ]
        (found,) = await values({"type": "array", "items": {"anyOf": arms}, "minItems": 60}, 1)

        assert len(found) >= 60

    async def test_type_lists(self) -> None:
        assert {type(one) for one in await values({"type": ["integer", "null"]}, 20)} == {int, type(None)}


class TestEnd:
    async def test_recursion_ends_and_is_used(self) -> None:
        def height(node: Any) -> int:
            return 1 + max(map(height, node["children"]), default=0)

        heights = {height(one) for one in await values(TREE, 20)}

        assert max(heights) > 1
        assert max(heights) < 12

    @pytest.mark.parametrize("temperature", [0, 100.0])
    async def test_comes_however_it_is_sampled(self, temperature: float) -> None:
        schema = {"type": "array", "items": {"$ref": "#/$defs/node"}, "$defs": TREE["$defs"]}
        generation = await written(schema, temperature=temperature, frequency_penalty=-100.0, top_k=None)

        read(generation.text)
        assert generation.statistics.stop_reason == "eosFound"

    async def test_references_that_fan_out_cost_nothing(self) -> None:
        levels = {f"l{number}": {"anyOf": [{"$ref": f"#/$defs/l{number + 1}"}] * 2} for number in range(60)}
        schema = {"$ref": "#/$defs/l0", "$defs": {**levels, "l60": {"const": "deep"}}}

        assert await values(schema, 1) == ["deep"]

    async def test_a_limit_cuts_the_text_and_says_so(self) -> None:
        generation = await written(PERSON, max_tokens=5)

        assert generation.statistics.stop_reason == "maxPredictedTokensReached"
        assert generation.statistics.predicted_tokens == 5
        assert (await written(PERSON)).text.startswith(generation.text)

    async def test_a_stop_string_cuts_the_text_and_says_so(self) -> None:
        generation = await written(PERSON, stop_strings=('"age"',))

        assert generation.statistics.stop_reason == "stopStringFound"
        assert generation.text.endswith(", ")


class TestText:
    async def test_comes_in_fragments(self) -> None:
        generation = await written(PERSON)

        assert len(generation.fragments) > 8
        assert all(one.content and one.reasoning_type == "none" for one in generation.fragments)

    async def test_same_seed_same_text(self) -> None:
        texts = [(await written(TREE, seed=seed)).text for seed in (*range(8), *range(8))]

        assert texts[:8] == texts[8:]
        assert len(set(texts)) > 5

    async def test_greedy_text_needs_no_seed(self) -> None:
        first, second = [(await written(PERSON, temperature=0, seed=None)).text for _ in range(2)]

        assert first == second

    async def test_the_sampler_chooses(self) -> None:
        assert len(set(await values({"type": "string"}, 10, top_k=1))) == 1
        assert len(set(await values({"type": "string"}, 10, top_p=0.01))) == 1
        assert len(set(await values({"type": "string"}, 10, min_p=1.0))) == 1

    async def test_log_probabilities_are_those_among_what_is_allowed(self) -> None:
        generation = await written({"enum": ["yes", "no"]}, log_probs=5, temperature=0)
        tokens = [token for fragment in generation.fragments for token in fragment.tokens or ()]

        assert "".join(token.text for token in tokens) == generation.text
        probabilities = [math.exp(token.log_prob) for token in tokens if token.log_prob is not None]
        assert len(probabilities) == len(tokens)
        assert math.prod(probabilities) == pytest.approx(0.5)
        for token in tokens:
            assert token.candidates is not None
            assert math.fsum(math.exp(one.log_prob) for one in token.candidates) == pytest.approx(1)

    async def test_half_of_a_character_never_comes_alone(self) -> None:
        generation = await written({"const": "größe 👩‍🔬"}, log_probs=0)

        assert read(generation.text) == "größe 👩‍🔬"
        assert "\ufffd" not in generation.text
        assert sum(one.tokens_count for one in generation.fragments) == generation.statistics.predicted_tokens

    async def test_half_a_surrogate_pair_is_escaped(self) -> None:
        generation = await written({"const": "\ud83d"})

        assert generation.text == '"\\ud83d"'
        assert read(generation.text) == "\ud83d"


class TestWithoutSchema:
    @pytest.mark.parametrize("setting", [{"type": "json"}, {"type": "json", "jsonSchema": None}])
    async def test_the_text_is_an_object(self, setting: dict[str, Any]) -> None:
        found = [read((await written(None, structured=setting, seed=seed)).text) for seed in range(10)]

        assert all(isinstance(one, dict) for one in found)
        assert any(found)

    @pytest.mark.parametrize("schema", [True, {}])
    async def test_a_schema_that_allows_everything_gets_everything(self, schema: Any) -> None:
        found = {type(one) for one in await values(schema, 80)}

        assert found >= {dict, list, str, float, bool, type(None)}


class Color(enum.Enum):
    RED = "red"
    BLUE = "blue"


class Cat(pydantic.BaseModel):
    kind: Literal["cat"] = "cat"
    lives: int = pydantic.Field(default=9, ge=1, le=9)


class Dog(pydantic.BaseModel):
    kind: Literal["dog"] = "dog"
    name: str = pydantic.Field(min_length=2, max_length=20)


class Person(pydantic.BaseModel):
    """With what schemas of real programs have: references, optional parts, tags, bounds, recursion."""

    name: str = pydantic.Field(description="The whole name", min_length=1, examples=["Ada"])
    born: datetime.date
    seen: datetime.datetime | None
    id: uuid.UUID
    color: Color
    pet: Annotated[Union[Cat, Dog], pydantic.Field(discriminator="kind")]  # noqa: UP007
    size: tuple[int, float]
    scores: dict[str, float]
    friends: list[Person] = pydantic.Field(default_factory=list, max_length=3)
    parent: Person | None = None


@pytest.mark.parametrize("seed", range(8))
async def test_pydantic_models_can_be_read(seed: int) -> None:
    generation = await written(Person.model_json_schema(), seed=seed)

    Person.model_validate_json(generation.text)


def _everyone(person: Person) -> Iterable[Person]:
    yield person
    for other in itertools.chain(person.friends, [person.parent] if person.parent else []):
        yield from _everyone(other)


async def test_all_parts_of_a_pydantic_model_are_used() -> None:
    texts = [(await written(Person.model_json_schema(), seed=seed)).text for seed in range(12)]
    people = [one for text in texts for one in _everyone(Person.model_validate_json(text))]

    assert {type(one.pet) for one in people} == {Cat, Dog}
    assert {one.color for one in people} == {Color.RED, Color.BLUE}
    assert any(one.friends for one in people)
    assert any(one.parent for one in people)
    assert any(one.scores for one in people)
