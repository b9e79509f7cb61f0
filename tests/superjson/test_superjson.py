"""superjson's envelopes: every type both ways, by examples that upstream has sent, and by values made up."""

from __future__ import annotations

import math
from contextlib import suppress
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lmwire_runtime import json_codec, superjson
from lmwire_runtime.js_values import BigInt, ErrorValue, Map, RegExp, Set, TypedArray, Url, same
from lmwire_runtime.wire import UNSET, DecodeError
from tests.superjson.values import VALUES

DATE = datetime(2026, 1, 2, 3, 4, 5, 6000, tzinfo=timezone.utc)
EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)

# One of each type, as upstream's library writes it.
EXAMPLES: list[tuple[Any, dict[str, Any]]] = [
    (UNSET, {"json": None, "meta": {"values": ["undefined"]}}),
    (None, {"json": None}),
    (3, {"json": 3}),
    ("text", {"json": "text"}),
    (True, {"json": True}),
    (math.nan, {"json": "NaN", "meta": {"values": ["number"]}}),
    (math.inf, {"json": "Infinity", "meta": {"values": ["number"]}}),
    (-math.inf, {"json": "-Infinity", "meta": {"values": ["number"]}}),
    (-0.0, {"json": "-0", "meta": {"values": ["number"]}}),
    (BigInt(123), {"json": "123", "meta": {"values": ["bigint"]}}),
    (DATE, {"json": "2026-01-02T03:04:05.006Z", "meta": {"values": ["Date"]}}),
    (RegExp("a.b", "gi"), {"json": "/a.b/gi", "meta": {"values": ["regexp"]}}),
    (Set([1, "two"]), {"json": [1, "two"], "meta": {"values": ["set"]}}),
    (Map({"a": 1, "b": 2}), {"json": [["a", 1], ["b", 2]], "meta": {"values": ["map"]}}),
    (Url("https://x.y/z"), {"json": "https://x.y/z", "meta": {"values": ["URL"]}}),
    (
        ErrorValue("TypeError", "bad"),
        {"json": {"name": "TypeError", "message": "bad"}, "meta": {"values": ["Error"]}},
    ),
    (
        TypedArray("Uint8Array", (1, 2)),
        {"json": [1, 2], "meta": {"values": [["typed-array", "Uint8Array"]]}},
    ),
    (
        {"a": {"b": EPOCH}, "c": [Set([1])]},
        {
            "json": {"a": {"b": "1970-01-01T00:00:00.000Z"}, "c": [[1]]},
            "meta": {"values": {"a.b": ["Date"], "c.0": ["set"]}},
        },
    ),
    (
        Map([("a", UNSET)]),
        {"json": [["a", None]], "meta": {"values": ["map", {"0.1": ["undefined"]}]}},
    ),
    (
        {"op": "replace", "path": ["m"], "value": Map([("k", 1)])},
        {
            "json": {"op": "replace", "path": ["m"], "value": [["k", 1]]},
            "meta": {"values": {"value": ["map"]}},
        },
    ),
    (
        {"a.b": {"c": UNSET}},
        {"json": {"a.b": {"c": None}}, "meta": {"values": {r"a\.b.c": ["undefined"]}}},
    ),
]


@pytest.mark.parametrize(("value", "envelope"), EXAMPLES, ids=lambda part: repr(part)[:40])
def test_what_upstream_sends(value: Any, envelope: dict[str, Any]) -> None:
    assert superjson.encode(value) == envelope
    decoded = superjson.decode(envelope)
    assert same(decoded, value)
    assert type(decoded) is type(value)


@given(VALUES)
def test_what_is_sent_comes_back(value: Any) -> None:
    envelope = json_codec.loads(json_codec.dumps(superjson.encode(value)))
    assert same(superjson.decode(envelope), value)


@given(VALUES)
def test_the_plain_rendering_is_json_but_for_numbers_that_json_lacks(value: Any) -> None:
    plain = superjson.plain(value)

    def is_plain(part: Any) -> bool:
        if type(part) is dict:
            return all(map(is_plain, part.values()))
        return (
            all(map(is_plain, part))
            if type(part) is list
            else type(part) in (str, int, float, bool, type(None))
        )

    assert is_plain(plain) or plain is value is UNSET


def test_sharing_is_kept() -> None:
    shared = {"x": [1]}
    value = {"first": shared, "rest": [shared, Map([("k", shared)])]}
    envelope = superjson.encode(value)
    assert envelope["meta"]["referentialEqualities"] == {"first": ["rest.0", "rest.1.0.1"]}
    decoded = superjson.decode(envelope)
    assert decoded == value
    assert decoded["first"] is decoded["rest"][0] is decoded["rest"][1]["k"]


def test_what_is_shared_may_be_left_out_but_once() -> None:
    envelope = {
        "json": {"a": None, "b": {"when": "1970-01-01T00:00:00.000Z"}},
        "meta": {"values": {"b.when": ["Date"]}, "referentialEqualities": {"b": ["a"]}},
    }
    decoded = superjson.decode(envelope)
    assert decoded["a"] is decoded["b"] == {"when": EPOCH}


def test_a_leaf_whose_dot_upstream_forgot_to_escape() -> None:
    envelope: dict[str, Any] = {
        "json": {"a": {"b.c": "1", "b": {}}, "x.y.z": "2"},
        "meta": {"values": {"a.b.c": ["bigint"], "x.y.z": ["bigint"]}},
    }
    with pytest.raises(DecodeError):  # b is there too: what is meant cannot be told
        superjson.decode(envelope)
    del envelope["json"]["a"]["b"]
    assert superjson.decode(envelope) == {"a": {"b.c": BigInt(1)}, "x.y.z": BigInt(2)}


def test_newer_versions_escape_backslashes() -> None:
    envelope = {"json": {"a\\": {"b": "1"}}, "meta": {"values": {"a\\\\.b": ["bigint"]}, "v": 1}}
    assert superjson.decode(envelope) == {"a\\": {"b": BigInt(1)}}


@pytest.mark.parametrize("envelope", [UNSET, {}, {"meta": {"values": ["undefined"]}}])
def test_nothing_is_undefined(envelope: Any) -> None:
    assert superjson.decode(envelope) is UNSET


def test_dates_of_other_forms() -> None:
    def decoded(text: str) -> Any:
        return superjson.decode({"json": text, "meta": {"values": ["Date"]}})

    assert decoded("2026-01-02T03:04:05Z") == DATE.replace(microsecond=0)
    assert decoded("2026-01-02T05:04:05.006+02:00") == DATE
    assert decoded("2026-01-02T03:04:05.0069Z") == DATE.replace(microsecond=6900)
    east = timezone(timedelta(hours=2))
    assert superjson.encode(DATE.astimezone(east)) == superjson.encode(DATE)
    with pytest.raises(ValueError, match="timezone"):
        superjson.encode(datetime(2026, 1, 2))


def test_python_values_that_are_no_values_of_javascript_have_their_place() -> None:
    assert superjson.encode((1, frozenset({2}))) == superjson.encode([1, Set([2])])
    for number in (2**53, 10**20, 47052946545363770):  # the last one in JavaScript's digits
        assert superjson.encode(number) == {"json": number}
    for integer in (2**53 + 1, 10**400):
        assert superjson.encode(integer) == {"json": str(integer), "meta": {"values": ["bigint"]}}
    for stranger in (object(), b"", {1: 2}, 1j):
        with pytest.raises(TypeError):
            superjson.encode([stranger])


def test_keys_are_one_where_javascript_takes_them_for_one() -> None:
    members = Set([1, 1.0, True, "1", BigInt(1), None, UNSET, math.nan, float("nan"), [1], [1]])
    assert len(members) == 9
    table: Map[Any, Any] = Map([(1, "one"), (True, "true"), (1.0, "again")])
    assert table.pairs() == [(1.0, "again"), (True, "true")]
    assert table[1] == "again"
    table[True] = 0
    del table[1.0]
    assert table.pairs() == [(True, 0)]
    with pytest.raises(KeyError):
        table["1"]


# Hostile input: what is sent -> where it is wrong.
REFUSED: dict[str, tuple[Any, str]] = {
    "no object": ([1], ""),
    "meta is no object": ({"json": 1, "meta": 2}, "/meta"),
    "values is no tree": ({"json": 1, "meta": {"values": "map"}}, "/meta/values"),
    "no type": ({"json": 1, "meta": {"values": []}}, "/meta/values"),
    "too long a type": ({"json": 1, "meta": {"values": ["map", {}, 1]}}, "/meta/values"),
    "an unknown type": ({"json": 1, "meta": {"values": ["weakmap"]}}, "/meta/values/0"),
    "a type that is no text": ({"json": 1, "meta": {"values": [{"a": 1}]}}, "/meta/values/0"),
    "a class": ({"json": {}, "meta": {"values": [["class", "User"]]}}, "/meta/values/0"),
    "a symbol": ({"json": "x", "meta": {"values": [["symbol", "x"]]}}, "/meta/values/0"),
    "an unknown typed array": (
        {"json": [], "meta": {"values": [["typed-array", "Array"]]}},
        "/meta/values/0/1",
    ),
    "a typed array of text": ({"json": ["a"], "meta": {"values": [["typed-array", "Int8Array"]]}}, "/json"),
    "a path to nothing": ({"json": {"a": {}}, "meta": {"values": {"a.b": ["map"]}}}, "/json/a/b"),
    "a path into text": ({"json": {"a": "x"}, "meta": {"values": {"a.b": ["map"]}}}, "/json/a"),
    "an index beyond": ({"json": [[]], "meta": {"values": {"1": ["map"]}}}, "/json/1"),
    "a negative index": ({"json": [[]], "meta": {"values": {"-1": ["map"]}}}, "/json/-1"),
    "an index in other digits": ({"json": [[], []], "meta": {"values": {"01": ["map"]}}}, "/json/01"),
    "annotated twice": (
        {"json": {"a": {"b": 1}}, "meta": {"values": {"a": {"b": ["undefined"]}, "a.b": ["undefined"]}}},
        "/meta/values/a.b",
    ),
    "__proto__": (
        {"json": {"__proto__": {"x": "1"}}, "meta": {"values": {"__proto__.x": ["bigint"]}}},
        "/meta/values/__proto__.x",
    ),
    "constructor": (
        {"json": {"a": [[]]}, "meta": {"values": {"a.0": ["map"], "constructor": ["map"]}}},
        "/meta/values/constructor",
    ),
    "a map that is no array": ({"json": {}, "meta": {"values": ["map"]}}, "/json"),
    "a map of no pairs": ({"json": [[1, 2], [1]], "meta": {"values": ["map"]}}, "/json/1"),
    "a set that is no array": ({"json": "ab", "meta": {"values": {"": ["set"]}}}, "/json"),
    "a bigint that is none": ({"json": ["1.5"], "meta": {"values": {"0": ["bigint"]}}}, "/json/0"),
    "a bigint of many digits": ({"json": "9" * 5000, "meta": {"values": ["bigint"]}}, "/json"),
    "a number that is none": ({"json": "1e5", "meta": {"values": ["number"]}}, "/json"),
    "a date that is none": ({"json": "2026-02-30T00:00:00.000Z", "meta": {"values": ["Date"]}}, "/json"),
    "a date too far": ({"json": "+275760-09-13T00:00:00.000Z", "meta": {"values": ["Date"]}}, "/json"),
    "a date out of the years": ({"json": "0001-01-01T00:00:00+23:59", "meta": {"values": ["Date"]}}, "/json"),
    "a regular expression without end": ({"json": "/", "meta": {"values": ["regexp"]}}, "/json"),
    "an address that is no text": ({"json": 1, "meta": {"values": ["URL"]}}, "/json"),
    "an error that is no object": ({"json": "bad", "meta": {"values": ["Error"]}}, "/json"),
    "an error with an odd message": (
        {"json": {"message": 1}, "meta": {"values": ["Error"]}},
        "/json/message",
    ),
    "a cycle": ({"json": {"a": None}, "meta": {"referentialEqualities": [["a"]]}}, "/json/a"),
    "a cycle further down": (
        {"json": {"a": {"b": {"c": 1}}}, "meta": {"referentialEqualities": {"a": ["a.b.c"]}}},
        "/json/a/b/c",
    ),
    "two that are each other": (
        {"json": [[0], [0]], "meta": {"referentialEqualities": {"0": ["1.0"], "1": ["0.0"]}}},
        "/json/1/0",
    ),
    "the same as nothing": (
        {"json": {"a": 1}, "meta": {"referentialEqualities": {"b": ["a"]}}},
        "/meta/referentialEqualities/b",
    ),
    "nothing that is the same": (
        {"json": {"a": 1}, "meta": {"referentialEqualities": {"a": ["b"]}}},
        "/meta/referentialEqualities/a/0",
    ),
    "equalities of another form": (
        {"json": {"a": 1}, "meta": {"referentialEqualities": {"a": "b"}}},
        "/meta/referentialEqualities/a",
    ),
}


@pytest.mark.parametrize(("envelope", "pointer"), REFUSED.values(), ids=REFUSED)
def test_hostile_input_is_refused_with_a_pointer(envelope: Any, pointer: str) -> None:
    with pytest.raises(DecodeError) as caught:
        superjson.decode(envelope)
    assert caught.value.pointer == pointer


def test_deep_nesting_is_refused() -> None:
    deep: Any = "1"
    for _ in range(100_000):
        deep = [deep]
    path = ".".join(["0"] * 100_000)
    tree: Any = ["bigint"]
    for _ in range(100_000):
        tree = {"0": tree}
    for values in ({path: ["bigint"]}, tree):
        with pytest.raises(DecodeError):
            superjson.decode({"json": deep, "meta": {"values": values}})
    with pytest.raises(ValueError, match="too deeply"):
        superjson.encode(deep)
    cycle: list[Any] = []
    cycle.append(cycle)
    with pytest.raises(ValueError, match="contains itself"):
        superjson.encode(cycle)
    with pytest.raises(ValueError, match="__proto__"):
        superjson.encode({"__proto__": {"x": UNSET}})


_NAMES = st.sampled_from(["json", "meta", "values", "referentialEqualities", "a", "0", "0.1", ""])
_KINDS = st.sampled_from(
    ["map", "set", "Date", "undefined", "bigint", "Error", "number", "URL", "regexp", "x"]
)
_JSON = st.recursive(
    st.none() | st.integers() | st.text(max_size=3),
    lambda parts: st.lists(parts, max_size=3) | st.dictionaries(_NAMES, parts, max_size=4),
)
_TREES = st.lists(_KINDS, max_size=2) | st.dictionaries(_NAMES, st.lists(_KINDS, min_size=1, max_size=1))
_EQUALITIES = st.dictionaries(_NAMES, st.lists(_NAMES, max_size=2)) | st.lists(st.lists(_NAMES), max_size=2)


@given(_JSON, _TREES, _EQUALITIES)
def test_no_input_raises_anything_else(value: Any, tree: Any, equalities: Any) -> None:
    meta = {"values": tree, "referentialEqualities": equalities}
    for envelope in (value, {"json": value, "meta": {"values": tree}}, {"json": value, "meta": meta}):
        with suppress(DecodeError):
            superjson.decode(envelope)


def test_annotations_say_what_a_plain_rendering_stands_for() -> None:
    annotations: superjson.Annotations = (
        (("items", None, "when"), "Date"),
        (("pair", 1), "bigint"),
        (("table",), "map"),
        (("table", None, 1), "set"),
    )
    plain = {
        "items": [{"when": "1970-01-01T00:00:00.000Z"}, {"when": None}],
        "pair": [1, 2],
        "table": [["k", [1]]],
        "other": [["k", 1]],
    }
    value = superjson.enriched(plain, annotations)
    assert value == {
        "items": [{"when": EPOCH}, {"when": None}],
        "pair": [1, BigInt(2)],
        "table": Map([("k", Set([1]))]),
        "other": [["k", 1]],
    }
    assert type(value["pair"][1]) is BigInt
    assert superjson.plain(value) == plain
