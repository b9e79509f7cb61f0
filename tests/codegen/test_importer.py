"""Upstream's export becomes ordinary JSON Schema: small exports of our own making, and the real ones where they lie."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from lmwire_codegen.importer.export import read_export
from lmwire_codegen.importer.layout import translate_export
from lmwire_codegen.load import load
from lmwire_codegen.problems import SchemaProblems
from lmwire_codegen.repairs import Repairs
from lmwire_codegen.sources import read_export_file
from tests.codegen.exports import INTEGER, STRING, an_export, an_object, ref
from tests.codegen.support import CHECKOUT
from tests.support.requirements import REVISIONS, requires

TOPICS = {"small": ("Lid", "Size"), "large": ("Cup*",)}


@pytest.fixture
def translate(tmp_path: Path) -> Any:
    def run(export: Any, repairs: Repairs | None = None) -> dict[str, Any]:
        path = tmp_path / "export.json"
        path.write_text(json.dumps(export), encoding="utf-8")
        return translate_export(read_export(path), repairs or Repairs(topics=TOPICS))

    return run


def shop(files: Mapping[str, Any]) -> Any:
    return files["wire/namespaces/shop.json"]


def test_references_are_found_by_the_longest_key(translate: Any) -> None:
    export = an_export(
        {"shop": an_object(rpc=INTEGER)},
        rpc={
            "buy": {"returns": an_object("a", "b", a=STRING, b=ref("shop/properties/rpc"))},
            "sell": {"returns": ref("shop/rpc/buy/returns/properties/a")},
        },
    )
    rpc = shop(translate(export))["rpc"]
    assert rpc["buy"]["result"]["properties"] == {"a": STRING, "b": INTEGER}
    assert rpc["sell"]["result"] == STRING


CUP = an_object("name", "size", name=STRING, size=INTEGER, note=STRING)
COPY = an_object(
    "name", "size", name=ref("cup/properties/name"), size=ref("cup/properties/size"), note=STRING
)
REVERSED = an_object(
    "name", "size", name=ref("shop/rpc/get/returns/properties/name"), size=INTEGER, note=STRING
)


@pytest.mark.parametrize(
    ("named", "result"),
    [(CUP, ref("cup")), (CUP, COPY), (REVERSED, CUP), (ref("shop/rpc/get/returns"), CUP)],
    ids=[
        "by name",
        "a copy that refers into it",
        "a body that it refers into",
        "a body that it is another name for",
    ],
)
def test_a_copy_goes_home_whichever_was_seen_first(translate: Any, named: Any, result: Any) -> None:
    files = translate(
        an_export(
            {"cup": named, "other": ref("cup")},
            rpc={"get": {"returns": result}, "list": {"returns": {"type": "array", "items": ref("cup")}}},
        )
    )
    home = {"$ref": "../types/large.json#/$defs/Cup"}
    assert shop(files)["rpc"]["get"]["result"] == home
    assert shop(files)["rpc"]["list"]["result"] == {"type": "array", "items": home}
    assert files["wire/types/large.json"]["$defs"] == {
        "Cup": {
            "type": "object",
            "properties": {"name": STRING, "size": INTEGER, "note": STRING},
            "required": ["name", "size"],
        }
    }


def test_equal_structure_alone_is_no_home(translate: Any) -> None:
    files = translate(an_export({"cup": CUP}, rpc={"get": {"returns": dict(CUP)}}))
    assert "properties" in shop(files)["rpc"]["get"]["result"]


def test_a_request_is_always_a_class_of_its_own(translate: Any) -> None:
    files = translate(
        an_export(
            {"cup": CUP},
            rpc={"put": {"parameter": ref("cup")}},
            channel={"watch": {"creationParameter": COPY}},
        )
    )
    expected = {
        "type": "object",
        "properties": {"name": STRING, "size": INTEGER, "note": STRING},
        "required": ["name", "size"],
    }
    assert shop(files)["rpc"]["put"]["parameter"] == expected
    assert shop(files)["channel"]["watch"]["creation"] == expected
    assert "wire/types/large.json" not in files


def test_an_arm_that_has_a_name_elsewhere_keeps_it(translate: Any) -> None:
    arm = an_object("type", type={"type": "string", "const": "lid"})
    export = an_export(
        {
            "cupPart": {"anyOf": [arm, an_object("type", type={"type": "string", "const": "base"})]},
            "lid": ref("cupPart/anyOf/0"),
        },
        rpc={"get": {"returns": ref("lid")}, "all": {"returns": ref("cupPart")}},
    )
    files = translate(export)
    assert shop(files)["rpc"]["get"]["result"] == {"$ref": "../types/small.json#/$defs/Lid"}
    assert files["wire/types/large.json"]["$defs"]["CupPart"]["anyOf"][0] == {"$ref": "small.json#/$defs/Lid"}


def test_void_and_optional(translate: Any) -> None:
    nothing: dict[str, Any] = {"not": {}}
    files = translate(
        an_export(
            {"lid": an_object("size", size=INTEGER)},
            rpc={
                "absent": {},
                "never": {"parameter": nothing, "returns": {}},
                "maybe": {
                    "parameter": {"anyOf": [nothing, STRING]},
                    "returns": {"anyOf": [nothing, ref("lid")]},
                },
                "alias": {"parameter": ref("shop/rpc/never/parameter"), "returns": {"type": "boolean"}},
                "anything": {"parameter": {}, "returns": nothing},
            },
            channel={
                "alive": {},
                "push": {
                    "creationParameter": an_object("path", path=STRING),
                    "toClientPacket": {"anyOf": [an_object("type", type={"const": "x"})]},
                },
            },
        )
    )
    rpc, channel = shop(files)["rpc"], shop(files)["channel"]
    void = {"parameter": False, "result": False}
    assert rpc["absent"] == rpc["never"] == void
    assert rpc["maybe"] == {
        "parameter": STRING,
        "result": {"$ref": "../types/small.json#/$defs/Lid"},
        "optional": ["parameter", "result"],
    }
    assert rpc["alias"] == {"parameter": False, "result": {"type": "boolean"}}
    assert rpc["anything"] == {"parameter": {}, "result": False}
    assert channel["alive"] == {"creation": False, "toServer": False, "toClient": False}
    assert channel["push"]["toServer"] is False


def test_what_the_export_writes_differently(translate: Any) -> None:
    parameter = an_object(
        "pair", "open", "nullable", "perhaps",
        pair={"type": "array", "items": [STRING, INTEGER], "minItems": 2, "maxItems": 2},
        open={"type": "object", "additionalProperties": {}, "propertyNames": STRING},
        nullable={"type": ["string", "null"]},
        perhaps={"anyOf": [{"not": {}}, INTEGER]},
        either={"oneOf": [STRING, INTEGER]},
        whole={"allOf": [an_object("a", a=STRING), an_object(b=INTEGER)]},
        number={"type": "integer", "exclusiveMinimum": 0, "maximum": 25, "title": "dropped", "description": "dropped"},
    )  # fmt: skip
    schema = shop(translate(an_export({}, rpc={"put": {"parameter": parameter}})))["rpc"]["put"]["parameter"]
    assert schema["required"] == ["pair", "open", "nullable"]
    assert "additionalProperties" not in schema
    assert schema["properties"] == {
        "pair": {"type": "array", "minItems": 2, "prefixItems": [STRING, INTEGER], "items": False},
        "open": {"type": "object", "additionalProperties": {}},
        "nullable": {"type": ["string", "null"]},
        "perhaps": INTEGER,
        "either": {"anyOf": [STRING, INTEGER]},
        "whole": {"type": "object", "properties": {"a": STRING, "b": INTEGER}, "required": ["a"]},
        "number": {"type": "integer", "exclusiveMinimum": 0, "maximum": 25},
    }


def test_signals(translate: Any) -> None:
    files = translate(
        an_export(
            {},
            signal={"count": {"creationParameter": {"not": {}}, "signalData": INTEGER}},
            writableSignal={"note": {"signalData": STRING}},
        )
    )
    assert shop(files)["signal"] == {
        "count": {"creation": False, "value": INTEGER},
        "note": {"creation": False, "value": STRING, "writable": True},
    }


def test_types_that_use_each_other_end_up_where_files_form_no_circle(translate: Any) -> None:
    definitions = {
        "size": {"type": "string", "enum": ["s", "l"]},
        "lid": an_object("cup", cup=ref("cup")),
        "cup": an_object("size", size=ref("size"), lid=ref("lid")),
    }
    files = translate(an_export(definitions, rpc={"get": {"returns": ref("lid")}}))
    assert set(files["wire/types/small.json"]["$defs"]) == {"Size"}
    assert set(files["wire/types/large.json"]["$defs"]) == {"Lid", "Cup"}
    assert files["wire/types/large.json"]["$defs"]["Lid"]["properties"]["cup"] == {"$ref": "#/$defs/Cup"}


def test_only_what_is_used_is_imported(translate: Any) -> None:
    assert set(translate(an_export({"cup": CUP}, rpc={"ping": {}}))) == {"wire/namespaces/shop.json"}


def test_repairs(translate: Any) -> None:
    repairs = Repairs(
        definitions={"failure": an_object(title=STRING, cup=ref("cup"))},
        serialization={"shop/rpc/get": "superjson"},
        topics=TOPICS,
    )
    files = translate(
        an_export({"failure": an_object(title={}), "cup": CUP}, rpc={"get": {"returns": ref("failure")}}),
        repairs,
    )
    assert shop(files)["rpc"]["get"]["serialization"] == "superjson"
    assert files["wire/types/large.json"]["$defs"]["Failure"]["properties"]["title"] == STRING


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", r"export.json#: cannot be read as JSON"),
        ("[]", r"export.json#: is no export of the protocol"),
        ('{"properties": {}, "definitions": {}}', r"export.json#: is no export of the protocol"),
        ('{"properties": {"shop": {}}, "definitions": {}}', r"definitions/pseudo~1shop: namespace 'shop' has no table"),
        ('{"properties": {"shop": {}}, "definitions": {"x": 1}}', r"export.json#/definitions/x: is no schema object"),
    ],
    ids=["no JSON", "an array", "empty", "no table", "no schema"],
)  # fmt: skip
def test_what_is_no_export_is_refused(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "export.json"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(SchemaProblems, match=message):
        read_export(path)


def problems_of(translate: Any, export: Any) -> list[str]:
    with pytest.raises(SchemaProblems) as caught:
        translate(export)
    return [str(problem) for problem in caught.value.problems]


def test_bad_references_are_all_named(translate: Any) -> None:
    definitions = {
        "a": ref("b"),
        "b": ref("a"),
        "cup": an_object(lid=ref("nowhere"), base=ref("cup/properties/none")),
    }
    found = problems_of(translate, an_export(definitions, rpc={"get": {"returns": ref("cup")}}))
    assert found == [
        "export.json#/definitions/a: $ref '#/definitions/b' leads back to itself",
        "export.json#/definitions/b: $ref '#/definitions/a' leads back to itself",
        "export.json#/definitions/cup/properties/base: dangling $ref '#/definitions/cup/properties/none'",
        "export.json#/definitions/cup/properties/lid: dangling $ref '#/definitions/nowhere'",
    ]


def test_unsupported_constructs_and_collisions_are_all_named(translate: Any) -> None:
    definitions = {
        "cup": an_object(a={"type": "object", "patternProperties": {}}, b={"if": {}}),
        "two words": an_object(),
        "two-words": an_object(),
    }
    export = an_export(
        definitions,
        rpc={
            "get": {"returns": {"type": "array", "items": [ref("cup"), ref("two words"), ref("two-words")]}}
        },
    )
    export["definitions"]["pseudo/shop"]["properties"]["rpcOdd"] = ref("cup")
    export["definitions"]["pseudo/shop/rpc/get"]["properties"]["weather"] = {}
    keywords = [
        "export.json#/definitions/cup/properties/a: unsupported keyword 'patternProperties'",
        "export.json#/definitions/cup/properties/b: unsupported keyword 'if'",
    ]
    assert problems_of(translate, export) == [
        *keywords,
        "export.json#/definitions/pseudo~1shop/properties/rpcGet: endpoint rpc/get has an unknown part 'weather'",
        "export.json#/definitions/pseudo~1shop/properties/rpcOdd: does not refer to an endpoint of this namespace",
    ]
    del export["definitions"]["pseudo/shop"]["properties"]["rpcOdd"]
    del export["definitions"]["pseudo/shop/rpc/get"]["properties"]["weather"]
    assert problems_of(translate, export) == keywords
    export["definitions"]["cup"] = an_object()
    assert problems_of(translate, export) == [
        (
            "export.json#/definitions/two-words: 'two-words' and 'two words' both become TwoWords; "
            "rename one of them in the export"
        ),
    ]


def test_what_files_written_by_hand_refer_to_stays_where_they_look(tmp_path: Path) -> None:
    """And so does what it uses; what uses that in turn is where it was."""
    definitions = {
        "lid": an_object(cup=ref("cup"), size=ref("size")),
        "cup": an_object(size=ref("size")),
        "size": {"type": "string", "enum": ["s"]},
        "cupboard": an_object(cup=ref("cup")),
    }
    path = tmp_path / "export.json"
    path.write_text(json.dumps(an_export(definitions, rpc={"get": {"returns": ref("cupboard")}})), "utf-8")
    repairs = Repairs(topics={"small": ("Size", "Lid"), "large": ("Cup*",)})
    files = translate_export(read_export(path), repairs, {"Lid": "small"})
    assert set(files["wire/types/small.json"]["$defs"]) == {"Lid", "Cup", "Size"}
    assert set(files["wire/types/large.json"]["$defs"]) == {"Cupboard"}


@requires("revisions")
def test_the_committed_schema_is_the_newest_export() -> None:
    schema = CHECKOUT / "schema"
    folder = load(schema)
    files = read_export_file(REVISIONS[-1], folder).machine_made
    assert json.loads((schema / "revision.json").read_text("utf-8")) == {"revision": REVISIONS[-1].stem}
    machine_made = [*schema.glob("wire/types/*.json"), *schema.glob("wire/namespaces/*.json")]
    assert sorted(files) == sorted(path.relative_to(schema).as_posix() for path in machine_made)
    for file, content in files.items():
        assert json.loads((schema / file).read_text("utf-8")) == content


MAYBE = {"anyOf": [{"not": {}}, STRING]}
NULLABLE = {"anyOf": [MAYBE, {"type": "null"}]}


def test_what_may_be_left_out_is_found_inside_other_unions(translate: Any) -> None:
    export = an_export(
        {"maybe": MAYBE},
        rpc={
            "get": {
                "parameter": {"anyOf": [ref("maybe"), INTEGER]},
                "returns": an_object("a", "b", a=NULLABLE, b=STRING),
            },
            "list": {"returns": NULLABLE},
        },
    )
    rpc = shop(translate(export))["rpc"]
    either = {"anyOf": [STRING, {"type": "null"}]}
    assert rpc["get"]["parameter"] == {"anyOf": [STRING, INTEGER]}
    assert "parameter" in rpc["get"]["optional"]
    assert rpc["get"]["result"] == {
        "type": "object",
        "properties": {"a": either, "b": STRING},
        "required": ["b"],
    }
    assert rpc["list"] == {"parameter": False, "result": either, "optional": ["result"]}


def test_nothing_is_no_value_of_a_map_and_null_in_an_array(translate: Any) -> None:
    export = an_export(
        {},
        rpc={
            "get": {"returns": {"type": "object", "additionalProperties": MAYBE}},
            "list": {"returns": {"type": "array", "items": MAYBE}},
        },
    )
    rpc = shop(translate(export))["rpc"]
    assert rpc["get"]["result"] == {"type": "object", "additionalProperties": STRING}
    assert rpc["list"]["result"] == {"type": "array", "items": {"anyOf": [STRING, {"type": "null"}]}}


def test_a_required_field_without_a_schema_may_be_anything(translate: Any) -> None:
    returns = {**an_object(a=STRING), "required": ["ghost"]}
    result = shop(translate(an_export({}, rpc={"get": {"returns": returns}})))["rpc"]["get"]["result"]
    assert result == {"type": "object", "properties": {"a": STRING, "ghost": {}}, "required": ["ghost"]}


@pytest.mark.parametrize(
    ("schema", "words"),
    [
        ({"not": STRING}, "'not' has something in it"),
        ({"anyOf": [{"not": {}}, {"not": {}}]}, "'not' stands where no value can be left out"),
    ],
)
def test_what_a_value_is_not_cannot_be_said(translate: Any, schema: Any, words: str) -> None:
    export = an_export({}, rpc={"get": {"returns": an_object(a=schema)}})
    with pytest.raises(SchemaProblems, match=words):
        translate(export)


def test_a_problem_is_reported_where_it_is_written(translate: Any) -> None:
    odd = {"odd": {"not": STRING}}
    export = an_export(
        {"shop/parts": an_object(**odd)},
        rpc={"get": {"returns": an_object(**odd)}, "list": {"returns": an_object(a=ref("shop/parts"))}},
    )
    with pytest.raises(SchemaProblems) as raised:
        translate(export)
    assert [str(problem.location) for problem in raised.value.problems] == [
        "export.json#/definitions/shop~1parts/properties/odd",
        "export.json#/definitions/shop~1rpc~1get~1returns/properties/odd",
    ]


def test_a_union_that_contains_itself_is_a_problem_and_no_endless_loop(translate: Any) -> None:
    export = an_export(
        {"loop": {"anyOf": [{"not": {}}, ref("loop")]}}, rpc={"get": {"returns": an_object(a=ref("loop"))}}
    )
    with pytest.raises(SchemaProblems):
        translate(export)
