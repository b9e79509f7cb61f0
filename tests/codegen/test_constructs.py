"""Every construct of a schema: compiled from a snippet, imported, used."""

from __future__ import annotations

import copy
import pickle
import typing
from pathlib import Path
from typing import Any

import pytest

from lmwire_runtime.descriptors import VOID
from lmwire_runtime.wire import LENIENT, STRICT, UNSET, DecodeError, Unknown
from tests.codegen.support import Compiler, namespace_file, write_schema

STRING = {"type": "string"}
INTEGER = {"type": "integer"}


def an_object(*required: str, **properties: Any) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "required": list(required)}


def pointer_of_refusal(decode: Any, data: Any) -> str:
    with pytest.raises(DecodeError) as caught:
        decode(data, STRICT)
    return caught.value.pointer


def survives(message_class: Any, data: Any) -> Any:
    """Decode strictly, check that nothing is lost on the way back, return the message."""
    message = message_class.from_wire(data, STRICT)
    assert message.to_wire() == data
    return message


def test_object(compiler: Compiler) -> None:
    things = compiler.types(
        {"Cup": an_object("wallColour", "volume", wallColour=STRING, volume={"type": "number"})}
    )
    cup = survives(things.Cup, {"wallColour": "blue", "volume": 0.3})
    assert (cup.wall_colour, cup.volume) == ("blue", 0.3)
    assert cup == things.Cup(wall_colour="blue", volume=0.3)
    assert cup != things.Cup(wall_colour="red", volume=0.3)
    assert repr(cup) == "Cup(wall_colour='blue', volume=0.3)"
    assert things.Cup.wire_names == {"wall_colour": "wallColour", "volume": "volume"}
    assert things.Cup.wire_revision == "2001-02-03"
    with pytest.raises(TypeError):
        things.Cup("blue", 0.3)
    with pytest.raises(AttributeError):
        cup.handle = 1
    assert not hasattr(cup, "__dict__")
    assert copy.deepcopy(cup) == pickle.loads(pickle.dumps(cup)) == cup
    cup.volume = 0.4
    assert cup.to_wire()["volume"] == 0.4


def test_wire_order_is_kept_though_required_fields_come_first(compiler: Compiler) -> None:
    things = compiler.types({"Cup": an_object("b", "d", a=STRING, b=STRING, c=STRING, d=STRING)})
    data = {"a": "1", "b": "2", "c": "3", "d": "4"}
    assert list(things.Cup.from_wire(data).to_wire()) == ["a", "b", "c", "d"]
    assert list(things.Cup.wire_names) == ["a", "b", "c", "d"]


def test_optional(compiler: Compiler) -> None:
    things = compiler.types(
        {"Cup": an_object(handle=STRING, size=INTEGER, lids={"type": "array", "items": STRING})}
    )
    empty = survives(things.Cup, {})
    assert empty.handle is UNSET
    assert empty.lids is UNSET
    assert empty == things.Cup()
    assert repr(empty) == "Cup()"
    full = survives(things.Cup, {"handle": "left", "size": 3, "lids": ["tin"]})
    assert full == things.Cup(handle="left", size=3, lids=["tin"])


def test_nullable_and_absent_stay_apart(compiler: Compiler) -> None:
    nullable = {"type": ["string", "null"]}
    things = compiler.types(
        {"Cup": an_object("owner", owner=nullable, guest={"anyOf": [INTEGER, {"type": "null"}]})}
    )
    assert survives(things.Cup, {"owner": None}) == things.Cup(owner=None)
    assert survives(things.Cup, {"owner": None}).guest is UNSET
    assert survives(things.Cup, {"owner": "me", "guest": None}).guest is None
    assert survives(things.Cup, {"owner": "me", "guest": 4}).guest == 4
    assert pointer_of_refusal(things.Cup.from_wire, {"owner": "me", "guest": "no"}) == "/guest"


def test_nullable_reference_and_only_null(compiler: Compiler) -> None:
    things = compiler.types(
        {
            "Lid": an_object("size", size=INTEGER),
            "Cup": an_object(
                "lid",
                "nothing",
                lid={"anyOf": [{"$ref": "#/$defs/Lid"}, {"type": "null"}]},
                nothing={"type": "null"},
            ),
        }
    )
    assert survives(things.Cup, {"lid": None, "nothing": None}).lid is None
    assert survives(things.Cup, {"lid": {"size": 1}, "nothing": None}).lid == things.Lid(size=1)
    assert pointer_of_refusal(things.Cup.from_wire, {"lid": None, "nothing": 0}) == "/nothing"


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


def test_array(compiler: Compiler) -> None:
    things = compiler.types(
        {
            "Lid": an_object("size", size=INTEGER),
            "Cup": an_object(
                names={"type": "array", "items": STRING},
                counts={"type": "array", "items": INTEGER, "minItems": 1, "maxItems": 2},
                weights={"type": "array", "items": {"type": "number"}},
                grid={"type": "array", "items": {"type": "array", "items": {"$ref": "#/$defs/Lid"}}},
                maybe={"type": "array", "items": {"type": ["string", "null"]}},
                whatever={"type": "array"},
            ),
        }
    )
    survives(
        things.Cup,
        {
            "names": ["a"],
            "counts": [1],
            "weights": [1, 2.5],
            "grid": [[{"size": 1}], []],
            "maybe": [None, "b"],
            "whatever": [{}],
        },
    )
    assert things.Cup.from_wire({"counts": [3.0]}, STRICT).counts == [3]
    assert things.Cup.from_wire({"counts": []}).counts == []
    refused: dict[str, Any] = {
        "/names": {"names": "a"},
        "/names/1": {"names": ["a", 1]},
        "/weights/0": {"weights": [True]},
        "/counts": {"counts": []},
        "/grid/1/0/size": {"grid": [[], [{"size": None}]]},
        "/maybe/0": {"maybe": [1]},
    }
    for pointer, data in refused.items():
        assert pointer_of_refusal(things.Cup.from_wire, data) == pointer


def test_tuple(compiler: Compiler) -> None:
    things = compiler.types(
        {
            "Lid": an_object("size", size=INTEGER),
            "Cup": an_object(
                "pair",
                pair={
                    "type": "array",
                    "prefixItems": [STRING, {"$ref": "#/$defs/Lid"}],
                    "items": False,
                    "minItems": 2,
                },
            ),
        }
    )
    assert survives(things.Cup, {"pair": ["a", {"size": 1}]}).pair == ("a", things.Lid(size=1))
    for data, pointer in (
        ({"pair": ["a"]}, "/pair"),
        ({"pair": ["a", {}, 1]}, "/pair"),
        ({"pair": ["a", {}]}, "/pair/1/size"),
    ):
        assert pointer_of_refusal(things.Cup.from_wire, data) == pointer


def test_map(compiler: Compiler) -> None:
    things = compiler.types(
        {
            "Lid": an_object("size", size=INTEGER),
            "Cup": an_object(
                lids={"type": "object", "additionalProperties": {"$ref": "#/$defs/Lid"}},
                names={"type": "object", "additionalProperties": STRING},
                anything={"type": "object", "additionalProperties": {}},
                bare={"type": "object"},
            ),
        }
    )
    cup = survives(
        things.Cup,
        {"lids": {"a/b": {"size": 1}}, "names": {"x": "y"}, "anything": {"x": None}, "bare": {"y": [1]}},
    )
    assert cup.lids == {"a/b": things.Lid(size=1)}
    assert pointer_of_refusal(things.Cup.from_wire, {"lids": {"a/b": {"size": "L"}}}) == "/lids/a~1b/size"
    assert pointer_of_refusal(things.Cup.from_wire, {"names": {"x": 1}}) == "/names/x"
    assert pointer_of_refusal(things.Cup.from_wire, {"bare": []}) == "/bare"


def test_any_keeps_what_comes_null_included(compiler: Compiler) -> None:
    things = compiler.types(
        {"Json": {}, "Cup": an_object("value", value={"$ref": "#/$defs/Json"}, more=True)}
    )
    values: list[Any] = [None, 0, "x", [None], {"a": {}}]
    for value in values:
        assert survives(things.Cup, {"value": value}).value == value
    assert survives(things.Cup, {"value": 1, "more": None}).more is None
    assert survives(things.Cup, {"value": 1}).more is UNSET
    assert pointer_of_refusal(things.Cup.from_wire, {}) == "/value"


def test_void_and_optional_parts(compiler: Compiler) -> None:
    package = compiler.namespace(
        rpc={
            "ping": {},
            "find": {
                "parameter": STRING,
                "result": an_object("size", size=INTEGER),
                "optional": ["parameter", "result"],
            },
            "isOpen": {"result": {"type": "boolean"}},
        },
        channel={"alive": {}},
    )
    shop = package.module("shop")
    assert shop.PING.parameter is shop.PING.result is shop.ALIVE.to_client is VOID
    find = shop.FIND
    assert (find.parameter.presence, find.result.presence) == ("optional", "optional")
    assert find.result.encode(None) is UNSET
    assert find.result.decode(UNSET, STRICT) is None
    assert find.result.decode({"size": 1}, STRICT) == shop.FindResult(size=1)
    assert find.result.encode(shop.FindResult(size=1)) == {"size": 1}
    assert find.parameter.encode("cup") == "cup"
    assert shop.IS_OPEN.result.decode(True, STRICT) is True
    with pytest.raises(DecodeError):
        shop.IS_OPEN.result.decode("yes", STRICT)


def test_reference_across_files_and_inlined_aliases(compiler: Compiler, tmp_path: Path) -> None:
    lid, name = {"$ref": "lids.json#/$defs/Lid"}, {"$ref": "lids.json#/$defs/Name"}
    types = {
        "lids": {
            "Lid": an_object("size", size=INTEGER),
            "Name": {"type": "string", "minLength": 2},
            "Lids": {"type": "array", "items": {"$ref": "#/$defs/Lid"}},
        },
        "cups": {
            "Cup": an_object(
                "lid", "name", "spare", lid=lid, name=name, spare={"$ref": "lids.json#/$defs/Lids"}
            )
        },
    }
    shop = namespace_file("shop", rpc={"buy": {"parameter": {"$ref": "../types/cups.json#/$defs/Cup"}}})
    package = compiler.compile(write_schema(tmp_path / "schema", types=types, namespaces={"shop": shop}))
    cups, lids, facade = package.module("types.cups"), package.module("types.lids"), package.module("shop")
    data = {"lid": {"size": 1}, "name": "ab", "spare": [{"size": 2}]}
    assert survives(cups.Cup, data) == cups.Cup(lid=lids.Lid(size=1), name="ab", spare=[lids.Lid(size=2)])
    assert pointer_of_refusal(cups.Cup.from_wire, {**data, "name": "a"}) == "/name"
    assert (facade.Cup, facade.Lid) == (cups.Cup, lids.Lid)
    assert not hasattr(lids, "Name")


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


@pytest.mark.parametrize(
    ("schema", "inside", "outside"),
    [
        ({"type": "integer", "minimum": 1, "maximum": 3}, [1, 3, 2.0], [0, 4]),
        ({"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 1}, [0.5], [0, 1, 1.5]),
        ({"type": ["integer", "null"], "minimum": 1}, [None, 1], [0]),
        ({"type": "string", "minLength": 2, "maxLength": 3}, ["ab", "abc"], ["a", "abcd"]),
        ({"type": "string", "pattern": "^[a-z]+(?:-[a-z]+)*$"}, ["a", "kebab-case"], ["A", "a-", "a\n", "é"]),
        ({"type": "string", "pattern": r"^\w+\$$"}, ["ab$"], ["ab", "é$"]),
    ],
)  # fmt: skip
def test_limits_hold_in_strict_mode_only(
    compiler: Compiler, schema: Any, inside: list[Any], outside: list[Any]
) -> None:
    things = compiler.types(
        {"Cup": an_object("value", value=schema, many={"type": "array", "items": schema})}
    )
    for value in inside:
        survives(things.Cup, {"value": value, "many": [value]})
    for value in outside:
        assert things.Cup.from_wire({"value": value, "many": [value]}, LENIENT).value == value
        assert pointer_of_refusal(things.Cup.from_wire, {"value": value}) == "/value"
        assert (
            pointer_of_refusal(things.Cup.from_wire, {"value": inside[0], "many": [inside[0], value]})
            == "/many/1"
        )


def test_a_pattern_that_python_does_not_know_is_repaired_or_left_alone(compiler: Compiler) -> None:
    letters, digits = r"^\p{L}+$", r"^\p{N}+$"
    cup = an_object(
        "name",
        "code",
        name={"type": "string", "pattern": letters},
        code={"type": "string", "pattern": digits},
    )
    things = compiler.types({"Cup": cup}, repairs={"patterns": {letters: r"^[^\W\d_]+\Z"}})
    survives(things.Cup, {"name": "Größe", "code": "not digits"})
    assert pointer_of_refusal(things.Cup.from_wire, {"name": "a1", "code": ""}) == "/name"


def test_names_that_python_or_the_generated_code_needs(compiler: Compiler) -> None:
    names = [
        "class",
        "from",
        "self",
        "str",
        "list",
        "classmethod",
        "from_wire",
        "toWire",
        "wireNames",
        "type",
        "data",
        "$ref",
        "2x",
    ]
    things = compiler.types({"None": an_object(*names, **dict.fromkeys(names, STRING))})
    data = {name: name for name in names}
    message = survives(things.None_, data)
    assert (message.class_, message.self_, message.to_wire_, message.ref, message.n2_x) == (
        "class",
        "self",
        "toWire",
        "$ref",
        "2x",
    )
    assert message == things.None_(**things.None_.wire_names)


def test_parameters_of_stubs_give_way_to_the_stub_itself(compiler: Compiler) -> None:
    package = compiler.namespace(
        rpc={
            "buy": {
                "parameter": an_object(
                    "timeout", "shop", "lid", timeout=INTEGER, shop=STRING, lid={"type": ["string", "null"]}
                )
            }
        }
    )
    calls: list[Any] = []

    class Connection:
        def call(self, *arguments: Any, **options: Any) -> None:
            calls.append((*arguments, options))

    package.module("shop.stubs").ShopRpc(Connection()).buy(timeout_=1, shop_="here", lid=None, timeout=9.0)
    ((descriptor, parameter, options),) = calls
    assert descriptor.parameter.encode(parameter) == {"timeout": 1, "shop": "here", "lid": None}
    assert options == {"timeout": 9.0}


def test_a_tolerant_type_drops_odd_fields_one_by_one(compiler: Compiler) -> None:
    things = compiler.types(
        {
            "Reason": {"anyOf": [an_object("code", "size", code={"const": "a"}, size=INTEGER)]},
            "Failure": an_object(
                title=STRING, reason={"$ref": "#/$defs/Reason"}, data={"type": "object"}, odd={}
            ),
        },
        repairs={"tolerant": ["Failure"]},
    )
    odd = {"title": 1, "reason": {"code": "a", "size": "L"}, "data": None, "odd": None}
    assert things.Failure.from_wire(odd, LENIENT).to_wire() == {"odd": None}
    assert (
        things.Failure.from_wire({"title": "x", "reason": {"code": "a", "size": 1}}, LENIENT).reason.size == 1
    )
    assert (
        pointer_of_refusal(things.Failure.from_wire, {"title": "x", "reason": {"code": "a", "size": "L"}})
        == "/reason/size"
    )
    with pytest.raises(DecodeError):
        things.Failure.from_wire("boom", LENIENT)
