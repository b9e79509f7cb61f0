"""Every construct of a schema: compiled from a snippet, imported, used."""

from __future__ import annotations

import copy
import pickle
from pathlib import Path
from typing import Any

import pytest

from lmwire_runtime.wire import LENIENT, STRICT, UNSET
from tests.codegen.snippets import INTEGER, STRING, an_object, pointer_of_refusal, survives
from tests.codegen.support import Compiler, namespace_file, write_schema


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
