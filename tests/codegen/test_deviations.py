"""What decoders make of data that deviates, case by case: the table at the head of ``lmwire_runtime.wire``.

Each row has a deviation, what lenient mode makes of it (a value, or nothing if it refuses too), and the JSON pointer at
which strict mode refuses it.
"""

from __future__ import annotations

import copy
import pickle
from typing import Any

import attrs
import pytest

from lmwire_runtime.wire import STRICT, UNSET, DecodeError, Decoding, MissingFieldError, Unknown, WarningSink
from tests.codegen.support import Compiler

STRING, INTEGER = {"type": "string"}, {"type": "integer"}

SCHEMA = {
    "Mood": {"type": "string", "enum": ["glad", "sad"]},
    "Lid": {"type": "object", "properties": {"size": INTEGER}, "required": ["size"]},
    "Pet": {
        "anyOf": [
            {
                "type": "object",
                "properties": {"kind": {"const": "cat"}, "lives": INTEGER},
                "required": ["kind", "lives"],
            },
            {"type": "object", "properties": {"kind": {"const": "dog"}}, "required": ["kind"]},
        ]
    },
    "Cup": {
        "type": "object",
        "properties": {
            "name": STRING,
            "count": {"type": "integer", "minimum": 1},
            "weight": {"type": "number"},
            "clean": {"type": "boolean"},
            "mood": {"$ref": "#/$defs/Mood"},
            "owner": {"type": ["string", "null"]},
            "lid": {"$ref": "#/$defs/Lid"},
            "pets": {"type": "array", "items": {"$ref": "#/$defs/Pet"}},
            "handle": STRING,
            "spares": {"type": "array", "items": {"$ref": "#/$defs/Lid"}},
            "lines": INTEGER,
        },
        "required": ["name", "count", "weight", "clean", "mood", "owner", "lid", "pets"],
    },
}

VALID: dict[str, Any] = {
    "name": "mug",
    "count": 1,
    "weight": 0.5,
    "clean": True,
    "mood": "glad",
    "owner": None,
    "lid": {"size": 1},
    "pets": [],
}

REFUSED = object()
"""Lenient mode refuses as well."""
EMPTY = object()
"""Lenient mode leaves the slot empty."""
GONE = object()
"""In a row's changes: the key is left out."""


@attrs.frozen
class Row:
    """What is changed in valid data, what lenient mode makes of ``attribute``, and where strict mode refuses."""

    title: str
    changes: dict[str, Any]
    pointer: str
    attribute: str = ""
    lenient: Any = REFUSED
    warnings: int = 0

    def data(self) -> dict[str, Any]:
        """The data that deviates."""
        return {
            key: value for key, value in {**copy.deepcopy(VALID), **self.changes}.items() if value is not GONE
        }


AXOLOTL = {"kind": "axolotl"}

ROWS = [
    Row("required string absent", {"name": GONE}, "/name", "name", EMPTY, 1),
    Row("required string null", {"name": None}, "/name", "name", EMPTY, 1),
    Row("required integer absent", {"count": GONE}, "/count", "count", EMPTY, 1),
    Row("required object absent", {"lid": GONE}, "/lid", "lid", EMPTY, 1),
    Row("required object null", {"lid": None}, "/lid", "lid", EMPTY, 1),
    Row("required array null", {"pets": None}, "/pets", "pets", EMPTY, 1),
    Row("required nullable absent", {"owner": GONE}, "/owner", "owner", EMPTY, 1),
    Row("required enum absent", {"mood": GONE}, "/mood", "mood", EMPTY, 1),
    Row("inside: required absent", {"lid": {}}, "/lid/size", "lid", None, 1),
    Row("optional string null", {"handle": None}, "/handle", "handle", UNSET, 1),
    Row("optional array null", {"spares": None}, "/spares", "spares", UNSET, 1),
    Row("optional integer null", {"lines": None}, "/lines", "lines", UNSET, 1),
    Row("wrong type: string", {"name": 1}, "/name"),
    Row("wrong type: integer", {"count": "1"}, "/count"),
    Row("wrong type: fraction", {"count": 1.5}, "/count"),
    Row("wrong type: boolean for integer", {"count": True}, "/count"),
    Row("wrong type: boolean for number", {"weight": False}, "/weight"),
    Row("wrong type: integer for boolean", {"clean": 1}, "/clean"),
    Row("wrong type: object", {"lid": [1]}, "/lid"),
    Row("wrong type: array", {"pets": {}}, "/pets"),
    Row("wrong type: nullable", {"owner": 1}, "/owner"),
    Row("wrong type: optional", {"handle": 1}, "/handle"),
    Row("wrong type: element of an optional array", {"spares": [{"size": 1}, 7]}, "/spares/1"),
    Row("wrong type: deep inside", {"pets": [{"kind": "dog"}, {"kind": "cat", "lives": "nine"}]}, "/pets/1/lives"),
    Row("unknown key", {"colour": "red"}, "/colour", "name", "mug"),
    Row("unknown key inside", {"lid": {"size": 1, "a/b~c": 1}}, "/lid/a~1b~0c", "name", "mug"),
    Row("unknown union member", {"pets": [AXOLOTL]}, "/pets/0", "pets", [Unknown("Pet", "axolotl", AXOLOTL)], 1),
    Row("union member without a tag", {"pets": [{}]}, "/pets/0", "pets", [Unknown("Pet", None, {})], 1),
    Row("union member that is no object", {"pets": ["cat"]}, "/pets/0"),
    Row("unknown string of an enum", {"mood": "so-so"}, "/mood", "mood", "so-so"),
    Row("enum of the wrong type", {"mood": 1}, "/mood"),
    Row("outside a bound", {"count": 0}, "/count", "count", 0),
]  # fmt: skip

EQUAL = [
    # Not deviations: what was sent, and what is read.
    ({"count": 3.0}, "count", 3, int),
    ({"lines": 4.0}, "lines", 4, int),
    ({"weight": 2}, "weight", 2, int),
    ({"weight": 2.5}, "weight", 2.5, float),
    ({"handle": ""}, "handle", "", str),
]


@pytest.fixture(scope="module")
def things(module_compiler: Compiler) -> Any:
    return module_compiler.types(SCHEMA)


@pytest.fixture
def warnings() -> list[str]:
    return []


@pytest.fixture
def lenient(warnings: list[str]) -> Decoding:
    return Decoding(sink=WarningSink(warnings.append))


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.title)
def test_strict_mode_refuses_at_the_place(things: Any, row: Row) -> None:
    with pytest.raises(DecodeError) as caught:
        things.Cup.from_wire(row.data(), STRICT)
    assert caught.value.pointer == row.pointer


@pytest.mark.parametrize("row", [row for row in ROWS if row.lenient is REFUSED], ids=lambda row: row.title)
def test_lenient_mode_refuses_wrong_types_at_the_same_place(things: Any, lenient: Decoding, row: Row) -> None:
    with pytest.raises(DecodeError) as caught:
        things.Cup.from_wire(row.data(), lenient)
    assert caught.value.pointer == row.pointer


@pytest.mark.parametrize(
    "row", [row for row in ROWS if row.lenient not in (REFUSED, None)], ids=lambda row: row.title
)
def test_lenient_mode_goes_on(things: Any, lenient: Decoding, warnings: list[str], row: Row) -> None:
    cup = things.Cup.from_wire(row.data(), lenient)
    if row.lenient is EMPTY:
        with pytest.raises(MissingFieldError, match=row.attribute) as caught:
            getattr(cup, row.attribute)
        assert "2001-02-03" in str(caught.value)
    else:
        assert getattr(cup, row.attribute) == row.lenient
    assert len(warnings) == row.warnings


@pytest.mark.parametrize("row", [row for row in ROWS if row.warnings], ids=lambda row: row.title)
def test_a_deviation_is_reported_once(things: Any, lenient: Decoding, warnings: list[str], row: Row) -> None:
    for _ in range(3):
        things.Cup.from_wire(row.data(), lenient)
    assert len(warnings) == 1


@pytest.mark.parametrize(("changes", "attribute", "expected", "kind"), EQUAL)
def test_numbers_are_read_by_value(
    things: Any, lenient: Decoding, changes: dict[str, Any], attribute: str, expected: Any, kind: type
) -> None:
    for decoding in (lenient, STRICT):
        value = getattr(things.Cup.from_wire({**VALID, **changes}, decoding), attribute)
        assert (value, type(value)) == (expected, kind)


def test_a_message_with_missing_fields_can_still_be_used(things: Any, lenient: Decoding) -> None:
    data = {key: value for key, value in VALID.items() if key not in ("name", "lid")}
    cup = things.Cup.from_wire(data, lenient)
    assert cup.to_wire() == data
    assert cup == things.Cup.from_wire(data, lenient)
    assert cup != things.Cup.from_wire(VALID, lenient)
    assert "name=" not in repr(cup)
    assert "count=1" in repr(cup)
    assert copy.copy(cup) == copy.deepcopy(cup) == pickle.loads(pickle.dumps(cup)) == cup
    assert not hasattr(cup, "name")
    cup.name = "late"
    assert cup.to_wire()["name"] == "late"


def test_what_is_no_object_at_all(things: Any, lenient: Decoding) -> None:
    values: list[Any] = [None, [], "cup", 1, True]
    for value in values:
        for decoding in (lenient, STRICT):
            with pytest.raises(DecodeError) as caught:
                things.Cup.from_wire(value, decoding)
            assert (caught.value.pointer, caught.value.expected) == ("", "an object")


def test_a_field_that_is_neither_there_nor_known_is_an_ordinary_error(things: Any) -> None:
    with pytest.raises(AttributeError) as caught:
        things.Cup.from_wire(VALID).colour  # noqa: B018
    assert not isinstance(caught.value, MissingFieldError)
