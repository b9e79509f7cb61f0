"""Patches: what upstream has sent applies, what cannot be applied changes nothing, and diff and apply are inverse."""

from __future__ import annotations

import copy
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lmwire_runtime import json_codec
from lmwire_runtime.js_values import Map, Set, same
from lmwire_runtime.patches import PatchError, apply, diff
from lmwire_runtime.wire import UNSET
from tests.superjson.values import VALUES

JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-9, 9)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text("ab", max_size=2),
    lambda parts: (
        st.lists(parts, max_size=4) | st.dictionaries(st.text("abc.", max_size=2), parts, max_size=4)
    ),
    max_leaves=15,
)


def patch(operation: str, *path: Any, **value: Any) -> dict[str, Any]:
    return {"op": operation, "path": list(path), **value}


# What upstream's server was seen to send: the value before, the patches, the value after.
RECORDED: dict[str, tuple[Any, list[dict[str, Any]], Any]] = {
    "the first value": (
        None,
        [patch("replace", value={"count": 0, "items": []})],
        {"count": 0, "items": []},
    ),
    "an array grows": (
        {"count": 1, "items": ["item-1"]},
        [patch("add", "items", 1, value="item-2"), patch("replace", "count", value=2)],
        {"count": 2, "items": ["item-1", "item-2"]},
    ),
    "an array is shifted": (
        {"count": 6, "items": [f"item-{number}" for number in range(1, 7)]},
        [
            *(patch("replace", "items", index, value=f"item-{index + 2}") for index in range(5)),
            patch("remove", "items", 5),
            patch("replace", "count", value=7),
        ],
        {"count": 7, "items": [f"item-{number}" for number in range(2, 7)]},
    ),
    "a field of a note": (
        {"title": "start", "tags": ["a"]},
        [patch("replace", "title", value="t")],
        {"title": "t", "tags": ["a"]},
    ),
    "no patches, only a tag": ({"title": "t"}, [], {"title": "t"}),
    "everything anew": (
        {"title": "t"},
        [
            patch("replace", "nested", "lost", value=1),
            patch("replace", value={"title": "start", "nested": {"values": {"one": 1}}}),
            patch("remove", "nested", "values", "one"),
        ],
        {"title": "start", "nested": {"values": {}}},
    ),
}


@pytest.mark.parametrize(("before", "patches", "after"), RECORDED.values(), ids=RECORDED)
def test_what_upstream_sends(before: Any, patches: list[dict[str, Any]], after: Any) -> None:
    untouched = copy.deepcopy(before)
    assert apply(before, patches) == after
    assert before == untouched


def test_diff_makes_what_upstream_sends() -> None:
    before, patches, after = RECORDED["an array is shifted"]
    assert sorted(diff(before, after), key=str) == sorted(patches, key=str)
    assert diff([1, 2, 3, 4], [1, 9]) == [
        patch("replace", 1, value=9),
        patch("remove", 3),
        patch("remove", 2),
    ]
    assert diff({"a": 1, "b": {"c": 1}}, {"b": {"c": 2}, "d": None}) == [
        patch("replace", "b", "c", value=2),
        patch("add", "d", value=None),
        patch("remove", "a"),
    ]
    assert diff({"a": 1}, [1]) == [patch("replace", value=[1])]
    assert diff({"a": [{"x": 1}]}, {"a": [{"x": 1.0}]}) == []
    assert diff([1], [True]) == [patch("replace", 0, value=True)]


class TestArrays:
    @pytest.mark.parametrize(
        ("patches", "after"),
        [
            ([patch("add", 0, value="x")], ["x", 1, 2, 3]),
            ([patch("add", 3, value="x")], [1, 2, 3, "x"]),
            ([patch("add", "-", value="x")], [1, 2, 3, "x"]),
            ([patch("add", "1", value="x")], [1, "x", 2, 3]),
            ([patch("add", 1.0, value="x")], [1, "x", 2, 3]),
            ([patch("remove", 0), patch("remove", 0)], [3]),
            ([patch("replace", 3, value="x")], [1, 2, 3, "x"]),
            ([patch("replace", "length", value=1)], [1]),
            ([patch("replace", 1)], [1, UNSET, 3]),
        ],
    )
    def test_indices(self, patches: list[dict[str, Any]], after: list[Any]) -> None:
        assert apply([1, 2, 3], patches) == after

    @pytest.mark.parametrize(
        "wrong",
        [
            patch("add", 4, value=1), patch("add", -1, value=1), patch("add", "01", value=1),
            patch("add", True, value=1), patch("add", 0.5, value=1), patch("add", None, value=1),
            patch("remove", 3), patch("remove", "-"), patch("remove", "length"), patch("replace", 4, value=1),
            patch("replace", "-", value=1), patch("replace", "length", value=4), patch("replace", "length"),
            patch("replace", 9**99, value=1), patch("replace", "9" * 5000, value=1), patch("remove", []),
        ],
        ids=str,
    )  # fmt: skip
    def test_what_javascript_would_make_up_is_refused(self, wrong: dict[str, Any]) -> None:
        before = {"list": [1, 2, 3], "other": 1}
        wrong = {**wrong, "path": ["list", *wrong["path"]]}
        with pytest.raises(PatchError, match="patch 1"):
            apply(before, [patch("replace", "other", value=2), wrong])
        assert before == {"list": [1, 2, 3], "other": 1}


class TestObjects:
    def test_keys(self) -> None:
        before = {"a": {"b": 1}, "1": {}}
        assert apply(before, [patch("remove", "a", "nothing")]) == before
        assert apply(before, [patch("replace", "a", "b")]) == {"a": {}, "1": {}}
        assert apply(before, [patch("add", 1, "x", value=2)]) == {"a": {"b": 1}, "1": {"x": 2}}
        assert apply(before, [patch("replace", "constructor", value=2)])["constructor"] == 2

    @pytest.mark.parametrize(
        "wrong",
        [
            patch("replace", "no", "such", "path", value=1), patch("replace", "a", "b", "c", value=1),
            patch("replace", "text", 0, value=1), patch("replace", "__proto__", "x", value=1),
            patch("replace", "constructor", "x", value=1), patch("add", "__proto__", value=1),
            patch("replace", None, value=1), patch("replace", {}, value=1),
            patch("remove"), patch("add", value=1), patch("move", "a"), patch("test", "a", value=1),
            {"op": "replace", "path": "/title", "value": "t"}, {"op": "replace", "value": 1}, {"path": ["a"]},
            {"op": ["add"], "path": ["a"]}, None, [], "replace", 3,
        ],
        ids=str,
    )  # fmt: skip
    def test_what_does_not_fit_is_refused(self, wrong: Any) -> None:
        before: dict[str, Any] = {"a": {"b": 1}, "text": "abc", "__proto__": {}, "constructor": {}}
        untouched = copy.deepcopy(before)
        with pytest.raises(PatchError):
            apply(before, [patch("replace", "text", value=""), wrong])
        assert before == untouched

    def test_a_malformed_patch_before_a_replacement_of_the_whole_is_refused_too(self) -> None:
        with pytest.raises(PatchError, match="patch 0"):
            apply({}, [{"op": "nonesuch", "path": []}, patch("replace", value={})])


class TestMapsAndSets:
    def test_entries(self) -> None:
        before = {"map": Map([("a", {"n": 1}), (1, "one")]), "set": Set(["x", {"y": 1}])}
        after = apply(
            before,
            [
                patch("replace", "map", "a", "n", value=2),
                patch("add", "map", "b", value=3),
                patch("remove", "map", 1),
                patch("add", "set", 0, value="z"),
                patch("remove", "set", 0, value="x"),
                patch("remove", "set", 0, value={"y": 1}),
            ],
        )
        assert after == {"map": Map([("a", {"n": 2}), ("b", 3)]), "set": Set(["z"])}
        assert before == {"map": Map([("a", {"n": 1}), (1, "one")]), "set": Set(["x", {"y": 1}])}

    @pytest.mark.parametrize(
        "wrong",
        [
            patch("replace", "set", 0, value=1), patch("replace", "set", 1, "y", value=1),
            patch("replace", "map", "1", "n", value=1),
        ],
    )  # fmt: skip
    def test_what_does_not_fit_is_refused(self, wrong: dict[str, Any]) -> None:
        with pytest.raises(PatchError):
            apply({"map": Map([(1, {})]), "set": Set(["x", {"y": 1}])}, [wrong])


@given(JSON, JSON)
def test_json_goes_from_any_value_to_any_other(old: Any, new: Any) -> None:
    untouched = json_codec.dumps(old)
    sent = json_codec.loads(json_codec.dumps(diff(old, new)))
    assert same(apply(old, sent), new)
    assert json_codec.dumps(old) == untouched
    assert diff(new, copy.deepcopy(new)) == []


@given(VALUES, VALUES)
def test_so_do_values_that_superjson_carries(old: Any, new: Any) -> None:
    old, new = {"value": old}, {"value": new}
    untouched = copy.deepcopy(old)
    if new["value"] is not UNSET and not _has_undefined_keys(new):
        assert same(apply(old, diff(old, new)), new)
    assert same(old, untouched)


def _has_undefined_keys(value: Any) -> bool:
    if isinstance(value, dict):
        return any(part is UNSET or _has_undefined_keys(part) for part in value.values())
    if isinstance(value, Map):
        return any(_has_undefined_keys(part) for pair in value.pairs() for part in pair)
    return isinstance(value, (list, Set)) and any(map(_has_undefined_keys, value))


_PATHS = JSON | st.lists(st.sampled_from(["a", "b", 0, 1, "-", "length"]), max_size=3)
_PATCHES = st.fixed_dictionaries(
    {"op": st.sampled_from(["add", "replace", "remove", "x"]), "path": _PATHS}, optional={"value": JSON}
)


@given(JSON, st.lists(_PATCHES | JSON, max_size=4))
def test_no_patch_changes_what_it_is_applied_to(value: Any, patches: list[Any]) -> None:
    untouched = json_codec.dumps(value)
    try:
        apply(value, patches)
    except PatchError as error:
        assert str(error).startswith("patch ")  # noqa: PT017
    assert json_codec.dumps(value) == untouched


def test_what_is_not_touched_is_shared() -> None:
    before = {"touched": {"a": 1}, "other": {"b": [1] * 10}}
    after = apply(before, [patch("replace", "touched", "a", value=2)])
    assert after["other"] is before["other"]
    assert after["touched"] is not before["touched"]


def test_a_value_of_a_patch_is_not_changed_by_a_later_patch() -> None:
    sent = {"x": {"y": 1}}
    after = apply({}, [patch("add", "a", value=sent), patch("replace", "a", "x", "y", value=2)])
    assert (after, sent) == ({"a": {"x": {"y": 2}}}, {"x": {"y": 1}})


def test_numbers_that_are_not_themselves() -> None:
    assert diff({"a": math.nan}, {"a": math.nan}) == []
    assert diff(0.0, -0.0) == [patch("replace", value=-0.0)]
