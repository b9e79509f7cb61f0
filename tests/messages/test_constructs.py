"""The same for constructs that the compiler knows, though today's schema has no use for them."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest

from tests.codegen.support import Compiler, compiler_in, write_schema
from tests.messages.checks import assert_judged, assert_survives, assert_valid
from tests.messages.near_misses import changes, near_misses, places_of
from tests.messages.samples import Sampler, covering
from tests.messages.schemas import SchemaFiles
from tests.messages.targets import Target, targets_of

STRING, INTEGER, NUMBER, BOOLEAN, NULL = (
    {"type": kind} for kind in ("string", "integer", "number", "boolean", "null")
)


def an_object(*required: str, **properties: Any) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "required": list(required)}


def a_list(item: Any, **limits: Any) -> dict[str, Any]:
    return {"type": "array", "items": item, **limits}


def a_map(value: Any) -> dict[str, Any]:
    return {"type": "object", "additionalProperties": value}


def a_pair(first: Any, second: Any) -> dict[str, Any]:
    return {"type": "array", "prefixItems": [first, second], "items": False, "minItems": 2}


def any_of(*members: Any) -> dict[str, Any]:
    return {"anyOf": list(members)}


def the(name: str) -> dict[str, Any]:
    return {"$ref": f"#/$defs/{name}"}


COUNT: Final = {"type": "integer", "minimum": 1, "maximum": 9}
SLUG: Final = {"type": "string", "pattern": "^[a-z0-9]+(?:-[a-z0-9]+)*$", "maxLength": 5}

TYPES: Final[dict[str, Any]] = {
    "Mood": {"type": "string", "enum": ["glad", "sad"]},
    "Lid": an_object("size", size=COUNT, colour=STRING),
    "Cat": an_object("kind", "lives", kind={"const": "cat"}, lives=INTEGER),
    "Dog": an_object("kind", kind={"const": "dog"}, name={"type": ["string", "null"]}),
    "Pet": any_of(the("Cat"), the("Dog")),
    "Fish": an_object("kind", "scales", kind={"const": "fish"}, scales=a_list(INTEGER)),
    "Animal": any_of(the("Pet"), the("Fish")),
    "Flag": any_of(an_object("on", on={"const": True}, by=STRING), an_object("on", on={"const": False})),
    "Version": an_object("major", "exact", major={"const": 2}, exact={"const": True}, minor={"const": 5}),
    "Nullables": an_object(
        "a", "b", "c", "d", "e", "f",
        a={"type": ["string", "null"]}, b={"type": ["integer", "null"]}, c=any_of(the("Lid"), NULL),
        d=any_of(the("Pet"), NULL), e=any_of(a_list(the("Lid")), NULL), f={"enum": ["x", "y", None]},
        g={"type": ["boolean", "null"]}, h={"type": ["number", "null"]}, i=any_of(the("Lid"), NULL),
        j=any_of(the("Pet"), NULL), k=any_of(a_map(INTEGER), NULL), l=any_of(the("Mood"), NULL), m=NULL,
    ),
    "Containers": an_object(
        "a", "b", "c", "d", "e",
        a=a_list(INTEGER, minItems=1, maxItems=3), b=a_map(the("Pet")), c=a_pair(INTEGER, the("Lid")),
        d=a_list(a_list(the("Lid"))), e=a_map(a_list(a_map(NUMBER))),
        f=a_list({"type": ["integer", "null"]}), g=a_list(any_of(the("Lid"), NULL)), h=a_list(the("Mood")),
        i=a_map({}), j=a_list({}), k=a_list(a_pair(the("Pet"), SLUG)), l=a_map(the("Mood")), m=a_list(BOOLEAN),
        n=a_list(SLUG), o=a_list(COUNT), p=a_map(COUNT), q=a_list(an_object("z", z=INTEGER)), r=a_list(NUMBER),
    ),
    "Choices": an_object(
        "a", "b", "c",
        a=any_of(INTEGER, a_pair(INTEGER, INTEGER)), b=any_of(STRING, the("Lid")),
        c=any_of(BOOLEAN, {"const": "mixed"}), d=any_of({"const": "*"}, a_list(STRING)),
        e=any_of(STRING, a_list(the("Lid")), the("Pet"), NULL),
        f=any_of(the("Mood"), a_list(the("Mood"))), g=any_of(INTEGER, STRING, BOOLEAN, NULL),
        h=any_of(NUMBER, a_map(the("Lid"))), i=any_of(COUNT, SLUG), j=a_list(any_of(STRING, the("Pet"))),
        k=any_of(STRING, a_pair(the("Lid"), STRING)), l=a_map(any_of(INTEGER, a_list(INTEGER))),
    ),
    "Limits": an_object(
        "a", "b", "c",
        a={"type": "integer", "exclusiveMinimum": 0}, b={"type": "number", "maximum": 1.5}, c=SLUG,
        d={"type": ["integer", "null"], "minimum": 3}, e={"type": "string", "minLength": 2, "maxLength": 3},
        f={"enum": [2, 4]}, g={"const": "only"}, h={"const": True}, i={"const": 7},
    ),
    "Anything": an_object("a", a={}, b={}),
    "Empty": an_object(),
    "Names": an_object(
        "class", "from-wire", **{
            "class": INTEGER, "self": STRING, "from-wire": STRING, "to_wire": STRING, "data": STRING, "value": INTEGER,
            "wire_names": STRING, "path": STRING, "decoding": STRING, "new": STRING, "": STRING, "a/b~c": COUNT,
            "text_field": STRING, "__dict__": STRING, "number": INTEGER, "cls": STRING, "item": a_list(INTEGER),
        },
    ),
    "Forgiving": an_object(
        "a", "b", "c", "z",
        a=STRING, b={"type": ["integer", "null"]}, c=the("Lid"), z={}, d=INTEGER, e=any_of(the("Lid"), NULL),
        f=the("Pet"), g=a_list(INTEGER), h=SLUG, i={}, j={"type": ["string", "null"]}, k=the("Mood"),
    ),
    "Bag": an_object("forgiving", forgiving=the("Forgiving"), others=a_list(the("Forgiving"))),
}  # fmt: skip

NAMESPACE: Final = {
    "namespace": "shop",
    "rpc": {
        "buy": {"parameter": a_list(the("Lid")), "result": any_of(STRING, the("Pet"), NULL)},
        "look": {"parameter": a_map(the("Pet")), "result": {}, "optional": ["parameter"]},
        "sum": {"parameter": SLUG, "result": a_pair(NUMBER, the("Mood"))},
    },
}


@pytest.fixture(scope="module")
def targets(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Target]]:
    place: Path = tmp_path_factory.mktemp("constructs")
    folder = write_schema(
        place / "schema", types={"things": TYPES}, repairs={"tolerant": ["Forgiving"]},
        namespaces={"shop": _from_elsewhere({**NAMESPACE, "channel": {}, "signal": {}})},
    )  # fmt: skip
    with pytest.MonkeyPatch.context() as monkeypatch:
        for compiler in compiler_in(place, monkeypatch):
            found = targets_of(SchemaFiles(folder), _compiled(compiler, folder))
            yield [*found.classes, *found.unions, *found.parts]


def _compiled(compiler: Compiler, folder: Path) -> str:
    return compiler.compile(folder).name


def _from_elsewhere(value: Any) -> Any:
    """References to shared types, as the file of a namespace writes them."""
    if isinstance(value, list):
        return list(map(_from_elsewhere, value))
    if not isinstance(value, dict):
        return value
    return {
        key: f"../types/things.json{item}" if key == "$ref" else _from_elsewhere(item)
        for key, item in value.items()
    }


def test_valid_instances_survive(targets: list[Target]) -> None:
    for target in targets:
        sampler = Sampler(target.name)
        values = [*covering(target.schema), *(sampler.instance(target.schema) for _ in range(20))]
        assert_valid(target, values)
        for value in values:
            assert_survives(target, value)


def test_near_misses_are_judged(targets: list[Target]) -> None:
    for target in targets:
        for miss in near_misses(target.schema, fields=target.kind is not None):
            assert_judged(target, miss)


def test_near_misses_at_any_depth_are_judged(targets: list[Target]) -> None:
    for target in targets:
        sampler, chance = Sampler(target.name), random.Random(target.name)
        for _ in range(60):
            value = sampler.instance(target.schema)
            at, schema = chance.choice(places_of(target.schema, value))
            assert_judged(target, chance.choice(list(changes(value, at, schema))))
