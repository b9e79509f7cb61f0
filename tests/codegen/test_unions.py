"""Enums, tags, unions and types that contain themselves: compiled from a snippet, imported, used."""

from __future__ import annotations

import typing
from typing import Any

import pytest

from lmwire_runtime.wire import LENIENT, STRICT, DecodeError, Unknown
from tests.codegen.snippets import INTEGER, STRING, an_object, pointer_of_refusal, survives
from tests.codegen.support import Compiler


def test_enum_is_open(compiler: Compiler) -> None:
    things = compiler.types(
        {
            "Colour": {"type": "string", "enum": ["red", "dark-blue"]},
            "Cup": an_object("colour", colour={"$ref": "#/$defs/Colour"}),
        }
    )
    assert survives(things.Cup, {"colour": "dark-blue"}).colour == "dark-blue"
    assert frozenset({"red", "dark-blue"}) == things.COLOUR_MEMBERS
    assert things.Cup.from_wire({"colour": "pink"}, LENIENT).to_wire() == {"colour": "pink"}
    assert pointer_of_refusal(things.Cup.from_wire, {"colour": "pink"}) == "/colour"
    assert typing.get_args(things.Colour) == (typing.Literal["red", "dark-blue"], str)


def test_enum_of_integers_and_nullable_enum(compiler: Compiler) -> None:
    things = compiler.types(
        {"Cup": an_object("size", "mood", size={"enum": [2, 4]}, mood={"enum": ["glad", None]})}
    )
    assert survives(things.Cup, {"size": 4, "mood": None}).size == 4
    assert survives(things.Cup, {"size": 4, "mood": "glad"}).mood == "glad"
    assert things.Cup.from_wire({"size": 5, "mood": "sad"}).size == 5
    assert pointer_of_refusal(things.Cup.from_wire, {"size": 5, "mood": "glad"}) == "/size"
    assert pointer_of_refusal(things.Cup.from_wire, {"size": 2, "mood": "sad"}) == "/mood"


@pytest.mark.parametrize(
    ("tag", "others"), [("cup", ["mug", 1, True]), (1, [2, "1", True]), (True, [False, 1, "true"])]
)
def test_const_tag_is_no_field_and_is_checked(compiler: Compiler, tag: Any, others: list[Any]) -> None:
    things = compiler.types({"Cup": an_object("kind", "size", kind={"const": tag}, size=INTEGER)})
    cup = survives(things.Cup, {"kind": tag, "size": 1})
    assert cup.kind == things.Cup.kind == tag
    assert cup == things.Cup(size=1)
    with pytest.raises(TypeError):
        things.Cup(kind=tag, size=1)
    for other in others:
        for mode in (LENIENT, STRICT):
            with pytest.raises(DecodeError, match="/kind"):
                things.Cup.from_wire({"kind": other, "size": 1}, mode)
    assert things.Cup.from_wire({"size": 1}, LENIENT) == cup
    assert pointer_of_refusal(things.Cup.from_wire, {"size": 1}) == "/kind"


def test_union_by_tag(compiler: Compiler) -> None:
    things = compiler.types(
        {
            "Vessel": {
                "anyOf": [
                    an_object("type", "size", type={"const": "cup"}, size=INTEGER),
                    an_object("type", type={"const": "tea.pot"}, lid=STRING),
                    {"$ref": "#/$defs/Bowl"},
                ]
            },
            "Bowl": an_object("type", type={"const": "bowl"}),
            "Shelf": an_object("vessels", vessels={"type": "array", "items": {"$ref": "#/$defs/Vessel"}}),
        }
    )
    shelf = survives(
        things.Shelf,
        {"vessels": [{"type": "tea.pot", "lid": "tin"}, {"type": "cup", "size": 2}, {"type": "bowl"}]},
    )
    assert shelf.vessels == [things.VesselTeaPot(lid="tin"), things.VesselCup(size=2), things.Bowl()]
    assert set(typing.get_args(things.Vessel)) == {
        things.VesselCup,
        things.VesselTeaPot,
        things.Bowl,
        Unknown,
    }
    newer = {"vessels": [{"type": "jug", "spout": [1]}]}
    (unknown,) = things.Shelf.from_wire(newer).vessels
    assert (unknown.tag, unknown.raw, unknown.union) == ("jug", newer["vessels"][0], "Vessel")
    assert things.Shelf.from_wire(newer).to_wire() == newer
    assert pointer_of_refusal(things.Shelf.from_wire, newer) == "/vessels/0"
    assert (
        pointer_of_refusal(
            things.Shelf.from_wire, {"vessels": [{"type": "bowl"}, {"type": "cup", "size": "L"}]}
        )
        == "/vessels/1/size"
    )
    odd_tags: list[Any] = [["cup"], {}, None, 1]
    for tag in odd_tags:
        assert things.decode_vessel({"type": tag}).raw == {"type": tag}
    with pytest.raises(DecodeError, match="a member of Vessel"):
        things.decode_vessel("cup")


def test_union_of_one_arm_and_other_tags(compiler: Compiler) -> None:
    things = compiler.types(
        {
            "Only": {"anyOf": [an_object("role", role={"const": "user"})]},
            "Answer": {
                "anyOf": [
                    an_object("success", success={"const": True}),
                    an_object("success", "error", success={"const": False}, error=STRING),
                ]
            },
        }
    )
    assert things.decode_only({"role": "user"}, STRICT) == things.OnlyUser()
    assert isinstance(things.decode_only({"role": "robot"}), Unknown)
    assert things.decode_answer({"success": True}, STRICT) == things.AnswerSuccess()
    assert things.decode_answer({"success": False, "error": "no"}, STRICT) == things.AnswerNotSuccess(
        error="no"
    )
    assert isinstance(things.decode_answer({"success": 1}), Unknown)


def test_union_of_unions_is_flat(compiler: Compiler) -> None:
    def arm(tag: str) -> dict[str, Any]:
        return an_object("type", type={"const": tag})

    things = compiler.types(
        {
            "Small": {"anyOf": [{"$ref": "#/$defs/Cup"}, {"$ref": "#/$defs/Egg"}]},
            "Cup": arm("cup"),
            "Egg": arm("egg"),
            "Pot": arm("pot"),
            "Any": {"anyOf": [{"$ref": "#/$defs/Small"}, {"$ref": "#/$defs/Pot"}]},
        }
    )
    decoded = [things.decode_any({"type": tag}, STRICT) for tag in ("cup", "egg", "pot")]
    assert decoded == [things.Cup(), things.Egg(), things.Pot()]


def test_union_by_json_type(compiler: Compiler) -> None:
    pair = {"type": "array", "prefixItems": [INTEGER, INTEGER], "items": False, "minItems": 2}
    things = compiler.types(
        {
            "Lid": an_object("size", size=INTEGER),
            "Cup": an_object(
                line={"anyOf": [INTEGER, pair]},
                vision={"anyOf": [{"type": "boolean"}, {"const": "mixed"}]},
                hosts={"anyOf": [{"const": "*"}, {"type": "array", "items": STRING}]},
                lid={"anyOf": [STRING, {"$ref": "#/$defs/Lid"}, {"type": "null"}]},
                ratio={"anyOf": [{"type": "number", "maximum": 1}, {"const": "max"}, {"const": "off"}]},
            ),
        }
    )
    accepted: dict[str, list[Any]] = {
        "line": [3, [1, 2]],
        "vision": [True, "mixed"],
        "hosts": ["*", ["a"]],
        "lid": ["tin", {"size": 1}, None],
        "ratio": [0.5, "off"],
    }
    for key, values in accepted.items():
        for value in values:
            survives(things.Cup, {key: value})
    assert things.Cup.from_wire({"line": [1, 2]}).line == (1, 2)
    assert things.Cup.from_wire({"lid": {"size": 1}}).lid == things.Lid(size=1)
    assert things.Cup.from_wire({"vision": "perhaps"}).vision == "perhaps"
    refused: dict[str, Any] = {
        "/line": {"line": "3"},
        "/line/1": {"line": [1, "2"]},
        "/vision": {"vision": "perhaps"},
        "/hosts/0": {"hosts": [1]},
        "/lid/size": {"lid": {"size": "L"}},
        "/ratio": {"ratio": 2},
    }
    for pointer, data in refused.items():
        assert pointer_of_refusal(things.Cup.from_wire, data) == pointer


def test_recursion(compiler: Compiler) -> None:
    things = compiler.types(
        {
            "Tree": an_object(
                "name", name=STRING, children={"type": "array", "items": {"$ref": "#/$defs/Tree"}}
            ),
            "Expression": {"anyOf": [{"$ref": "#/$defs/Number"}, {"$ref": "#/$defs/Sum"}]},
            "Number": an_object("type", "value", type={"const": "number"}, value=INTEGER),
            "Again": {"$ref": "#/$defs/Node"},
            "Node": an_object(next={"$ref": "#/$defs/Again"}),
            "Sum": an_object(
                "type",
                "terms",
                type={"const": "sum"},
                terms={"type": "array", "items": {"$ref": "#/$defs/Expression"}},
            ),
        }
    )
    tree = survives(things.Tree, {"name": "a", "children": [{"name": "b", "children": [{"name": "c"}]}]})
    assert tree.children[0].children[0] == things.Tree(name="c")
    assert survives(things.Node, {"next": {"next": {}}}).next.next == things.Node()
    data = {"type": "sum", "terms": [{"type": "number", "value": 1}, {"type": "sum", "terms": []}]}
    assert things.decode_expression(data, STRICT).to_wire() == data
    bad = {"type": "sum", "terms": [{"type": "sum", "terms": [{"type": "number", "value": ""}]}]}
    assert pointer_of_refusal(things.decode_expression, bad) == "/terms/0/terms/0/value"
