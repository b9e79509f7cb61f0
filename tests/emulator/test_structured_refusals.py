"""Schemas that the n-gram engine cannot heed, or nobody could: refused before a token, with keyword and place."""

from __future__ import annotations

from typing import Any

import pytest

from lmwire_emulator.engines.base import GenerationRequest
from lmwire_emulator.engines.ngram import NgramEngine
from lmwire_emulator.engines.structured import InvalidSchemaError, UnsupportedKeywordError, compile_schema
from lmwire_emulator.errors import EmulatorError, UnsupportedFeatureError
from lmwire_emulator.sampling import SamplingParameters
from tests.emulator.generations import Generation, generated
from tests.emulator.structures import written

NODE = {"type": "object", "properties": {"next": {"$ref": "#/$defs/node"}}, "required": ["next"]}


class TestUnsupported:
    @pytest.mark.parametrize(
        ("keyword", "value"),
        [
            ("pattern", "^a"),
            ("not", {"type": "null"}),
            ("if", {}),
            ("then", {}),
            ("else", {}),
            ("allOf", [{"minLength": 1}, {"maxLength": 3}]),
            ("patternProperties", {"^a": {}}),
            ("propertyNames", {"maxLength": 3}),
            ("minProperties", 1),
            ("maxProperties", 1),
            ("dependencies", {"a": ["b"]}),
            ("dependentRequired", {"a": ["b"]}),
            ("dependentSchemas", {"a": {}}),
            ("unevaluatedProperties", False),
            ("unevaluatedItems", False),
            ("uniqueItems", True),
            ("contains", {}),
            ("minContains", 2),
            ("maxContains", 2),
            ("contentSchema", {}),
            ("$dynamicRef", "#a"),
            ("$recursiveRef", "#"),
        ],
    )
    def test_keywords_are_named_with_their_place(self, keyword: str, value: Any) -> None:
        schema = {"properties": {"a/b~c": {"anyOf": [{"type": "null"}, {keyword: value}]}}}
        with pytest.raises(UnsupportedKeywordError) as caught:
            compile_schema(schema)

        assert caught.value.keyword == keyword
        assert caught.value.pointer == f"#/properties/a~1b~0c/anyOf/1/{keyword}"
        assert f'"{keyword}"' in str(caught.value)
        assert caught.value.pointer in str(caught.value)

    @pytest.mark.parametrize(
        "schema",
        [
            {"type": "array", "uniqueItems": False, "unevaluatedItems": True},
            {
                "type": "object",
                "propertyNames": {"type": "string"},
                "patternProperties": {},
                "minProperties": 0,
            },
            {
                "$id": "x",
                "$schema": "y",
                "$comment": "z",
                "$anchor": "a",
                "$defs": {"a": {"pattern": "unused"}},
            },
            {
                "title": "t",
                "description": "d",
                "default": 1,
                "examples": [1],
                "deprecated": True,
                "readOnly": True,
            },
            {
                "type": "string",
                "contentMediaType": "text/plain",
                "format": "anything",
                "x-own": {"pattern": "a"},
            },
            {"oneOf": [{"type": "string"}, {"type": "null"}], "discriminator": {"propertyName": "a"}},
            {"allOf": [{"type": "string"}], "title": "t", "default": "d"},
            {"$ref": "#/$defs/a", "description": "d", "$defs": {"a": {"type": "null"}}},
        ],
    )
    def test_what_restricts_nothing_does_not_matter(self, schema: dict[str, Any]) -> None:
        compile_schema(schema)

    @pytest.mark.parametrize(
        ("schema", "place"),
        [
            ({"$ref": "#/$defs/a", "minLength": 1, "$defs": {"a": {}}}, "#/minLength"),
            ({"anyOf": [{}], "type": "object"}, "#/type"),
            ({"oneOf": [{"type": "null"}], "required": ["a"]}, "#/required"),
            ({"anyOf": [{}], "oneOf": [{}]}, "#/oneOf"),
        ],
    )
    def test_restrictions_that_would_have_to_be_combined(self, schema: dict[str, Any], place: str) -> None:
        with pytest.raises(UnsupportedKeywordError, match="beside") as caught:
            compile_schema(schema)

        assert caught.value.pointer == place

    @pytest.mark.parametrize("reference", ["other.json", "https://example.com/a", "#anchor", "other#/a"])
    def test_references_to_other_documents(self, reference: str) -> None:
        with pytest.raises(UnsupportedKeywordError, match="same schema") as caught:
            compile_schema({"items": {"$ref": reference}})

        assert caught.value.pointer == "#/items/$ref"


def _tagged(tag: Any, **more: Any) -> dict[str, Any]:
    return {"type": "object", "properties": {"kind": tag, **more}, "required": ["kind"]}


class TestOneOf:
    @pytest.mark.parametrize(
        "arms",
        [
            [{"type": "string"}, {"type": "integer"}, {"type": "null"}],
            [{"enum": ["a", 1]}, {"const": "b"}, {"type": "array"}],
            [_tagged({"const": "a"}), _tagged({"enum": ["b", "c"]})],
            [_tagged({"type": "string"}), _tagged({"type": "integer"})],
            [_tagged(_tagged({"const": 1})), _tagged(_tagged({"const": 2}))],
            [{**_tagged({"const": "a"}), "required": []}, {**_tagged({"const": "b"}), "required": []}],
        ],
    )
    def test_alternatives_that_tell_themselves_apart(self, arms: list[Any]) -> None:
        compile_schema({"oneOf": arms})

    @pytest.mark.parametrize(
        "arms",
        [
            [{"type": "integer"}, {"type": "number"}],
            [{"type": "string", "maxLength": 5}, {"type": "string", "minLength": 3}],
            [{"enum": [1, 2]}, {"enum": [2.0, 3]}],
            [{"const": "a"}, {"type": "string"}],
            [_tagged({"const": "a"}), {"type": "object"}],
            [_tagged({"const": "a"}), _tagged({"type": "string"})],
            [{"minLength": 1}, {"type": "integer"}],
            [{}, {"type": "null"}],
            [
                {**_tagged({"type": "string"}), "required": []},
                {**_tagged({"type": "integer"}), "required": []},
            ],
        ],
    )
    def test_alternatives_that_may_overlap(self, arms: list[Any]) -> None:
        with pytest.raises(UnsupportedKeywordError, match="overlap") as caught:
            compile_schema({"items": {"oneOf": arms}})

        assert caught.value.pointer == "#/items/oneOf"


class TestInvalid:
    @pytest.mark.parametrize(
        ("schema", "place", "said"),
        [
            (7, "#", "must be an object, true or false"),
            ("string", "#", "must be an object, true or false"),
            ({"properties": {"a": []}}, "#/properties/a", "must be an object, true or false"),
            ({"type": "str"}, "#/type", "must be one of string, number"),
            ({"type": []}, "#/type", "must be one of"),
            ({"type": ["string", "text"]}, "#/type", "must be one of"),
            ({"enum": []}, "#/enum", "not empty"),
            ({"enum": "red"}, "#/enum", "must be an array"),
            ({"anyOf": []}, "#/anyOf", "at least one"),
            ({"items": {"minItems": -1}}, "#/items/minItems", "must be an integer, at least 0"),
            ({"minLength": 1.5}, "#/minLength", "must be an integer"),
            ({"maximum": "9"}, "#/maximum", "must be a number"),
            ({"exclusiveMinimum": True}, "#/exclusiveMinimum", "must be a number"),
            ({"multipleOf": 0}, "#/multipleOf", "above 0"),
            ({"required": "a"}, "#/required", "must be an array of strings"),
            ({"$ref": "#/$defs/gone"}, "#/$ref", "refers to nothing"),
            ({"items": {"$ref": "#/items/2"}}, "#/items/$ref", "refers to nothing"),
            ({"enum": ["a"], "$ref": "#/nope"}, "#/$ref", "refers to nothing"),
        ],
    )
    def test_schemas_that_are_none(self, schema: Any, place: str, said: str) -> None:
        with pytest.raises(InvalidSchemaError, match=said) as caught:
            compile_schema(schema)

        assert caught.value.pointer == place

    @pytest.mark.parametrize(
        ("schema", "place"),
        [
            ({"type": "integer", "minimum": 5, "maximum": 3}, "#"),
            ({"type": "integer", "exclusiveMinimum": 3, "exclusiveMaximum": 4}, "#"),
            ({"type": "integer", "minimum": 1, "maximum": 2, "multipleOf": 3}, "#"),
            ({"type": "number", "exclusiveMinimum": 1, "maximum": 1}, "#"),
            ({"items": {"type": "string", "minLength": 3, "maxLength": 2}}, "#/items"),
            ({"minItems": 3, "maxItems": 2}, "#"),
            ({"enum": ["a", "b"], "type": "integer"}, "#/enum"),
            ({"enum": ["a", "b"], "const": "c"}, "#/enum"),
            ({"const": 3, "maximum": 2}, "#/const"),
            ({"type": "object", "required": ["a"], "additionalProperties": False}, "#/required"),
            (False, "#"),
            ({"anyOf": [False, False]}, "#/anyOf/0"),
            ({"properties": {"a": False}, "required": ["a"]}, "#/properties/a"),
            ({"prefixItems": [True], "items": False, "minItems": 2}, "#/items"),
        ],
    )
    def test_schemas_that_nothing_satisfies(self, schema: Any, place: str) -> None:
        with pytest.raises(InvalidSchemaError) as caught:
            compile_schema(schema)

        assert caught.value.pointer == place

    @pytest.mark.parametrize(
        "schema",
        [
            {"$ref": "#/$defs/node", "$defs": {"node": NODE}},
            {"$ref": "#"},
            {"$ref": "#/$defs/a", "$defs": {"a": {"$ref": "#/$defs/b"}, "b": {"$ref": "#/$defs/a"}}},
            {"type": "array", "items": {"$ref": "#"}, "minItems": 1},
            {"anyOf": [{"$ref": "#"}, {"properties": {"a": {"$ref": "#"}}, "required": ["a"]}]},
        ],
    )
    def test_recursion_without_a_way_out(self, schema: Any) -> None:
        with pytest.raises(InvalidSchemaError, match="without end"):
            compile_schema(schema)

    def test_a_schema_that_is_nested_too_deeply(self) -> None:
        schema: dict[str, Any] = {}
        for _ in range(5000):
            schema = {"items": schema, "minItems": 1}

        with pytest.raises(InvalidSchemaError, match="too deeply"):
            compile_schema(schema)

    def test_a_number_that_json_has_not(self) -> None:
        with pytest.raises(InvalidSchemaError, match="not JSON"):
            compile_schema({"const": float("inf")})


class TestEngine:
    async def test_reports_what_it_does_not_support(self) -> None:
        schema = {"type": "object", "properties": {"name": {"type": "string", "pattern": "^A"}}}
        with pytest.raises(UnsupportedFeatureError) as caught:
            await written(schema)

        assert caught.value.title == (
            'The engine ngram does not support the JSON Schema keyword "pattern" (at #/properties/name/pattern)'
        )
        assert caught.value.display_data is not None
        assert caught.value.display_data["code"] == "generic.engineDoesNotSupportFeature"
        assert caught.value.display_data["engineName"] == "ngram"

    async def test_refuses_grammars(self) -> None:
        with pytest.raises(UnsupportedFeatureError, match="GBNF grammars"):
            await written(None, structured={"type": "gbnf", "gbnfGrammar": 'root ::= "a"'})

    async def test_reports_what_is_wrong_with_a_schema(self) -> None:
        with pytest.raises(EmulatorError) as caught:
            await written({"items": {"type": "strin"}})

        assert not isinstance(caught.value, UnsupportedFeatureError)
        assert "JSON Schema" in caught.value.title
        assert "#/items/type" in str(caught.value.cause)

    async def test_refuses_before_anything_happens(self) -> None:
        seen = Generation()
        structured = {"type": "json", "jsonSchema": False}
        request = GenerationRequest(prompt="x", parameters=SamplingParameters(structured=structured))
        with pytest.raises(EmulatorError):
            await generated(NgramEngine(), request, into=seen)

        assert seen.events == []
