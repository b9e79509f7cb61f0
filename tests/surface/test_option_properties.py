"""Properties of every table: what is sent is read back, and whatever a server sends is kept."""

from __future__ import annotations

import functools
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lmwire.config import EMBEDDING_LOAD, LLM_LOAD, LLM_PREDICTION
from lmwire_runtime.surface.option_encodings import MultiPartOption, Option, WholeConfig
from lmwire_runtime.surface.option_kinds import (
    AnyOf,
    Boolean,
    Choice,
    Integer,
    Json,
    Kind,
    ListOf,
    MisfitError,
    Number,
    Record,
    Text,
    TupleOf,
)
from lmwire_runtime.surface.options import OptionTable
from lmwire_runtime.wire import WarningSink

TABLES: list[OptionTable[Any]] = [LLM_PREDICTION, LLM_LOAD, EMBEDDING_LOAD]
SPLIT = "load.gpuSplitConfig"
# Three options with rules about each other: given together, as the rules want it, or not at all.
DRAFTING = {
    "speculativeDraftMtp": False, "speculativeDraftSimple": True, "speculativeDraftModel": "m",
    "speculativeDraftMinTokens": 1, "speculativeDraftMaxTokens": 2,
}  # fmt: skip

scalars = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=5)
)
texts = st.text(max_size=5)
json_values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=6,
)


def values_of(kind: Kind) -> st.SearchStrategy[Any]:
    """Values of a kind, as a caller would write them."""
    if isinstance(kind, Boolean):
        return st.booleans()
    if isinstance(kind, Integer):
        return st.integers(kind.minimum, kind.maximum) | st.just(float(kind.minimum or 1))
    if isinstance(kind, Number):
        return st.floats(kind.minimum, kind.maximum, allow_nan=False, allow_infinity=False) | st.just(1)
    if isinstance(kind, Text):
        return st.text(min_size=kind.min_length, max_size=8)
    if isinstance(kind, Choice):
        return st.sampled_from(kind.members)
    if isinstance(kind, ListOf):
        return st.lists(values_of(kind.item), max_size=3)
    if isinstance(kind, TupleOf):
        return st.tuples(*map(values_of, kind.items))
    if isinstance(kind, AnyOf):
        return st.one_of(*map(values_of, kind.kinds))
    if isinstance(kind, Json):
        if kind.shape is dict:
            return st.dictionaries(st.text(max_size=5), json_values, max_size=3)
        return (
            st.lists(json_values, max_size=3)
            if kind.shape is list
            else json_values.filter(lambda value: value is not None)
        )
    assert isinstance(kind, Record)
    required = {member.name: values_of(member.kind) for member in kind.members if member.required}
    optional = {member.name: values_of(member.kind) for member in kind.members if not member.required}
    dicts = st.fixed_dictionaries(required, optional=optional)
    snake = {member.name: member.attribute for member in kind.members}
    return dicts | dicts.map(lambda value: {snake[name]: item for name, item in value.items()})


def has_key(option: MultiPartOption, name: str) -> bool:
    """Whether a member of the setting goes to any key of the option; embeddings lack one."""
    try:
        list(option.encode({name: 0}))
    except MisfitError as error:
        return "has no key here" not in error.expected
    return True


def option_values(option: Option) -> st.SearchStrategy[Any]:
    if isinstance(option, WholeConfig):
        field = st.fixed_dictionaries(
            {"key": st.text(max_size=5).map("ext.".__add__)}, optional={"value": json_values}
        )
        return st.fixed_dictionaries({"fields": st.lists(field, max_size=3)})
    if isinstance(option, MultiPartOption):
        return values_of(option.kind).map(
            lambda value: {name: item for name, item in value.items() if has_key(option, name)}
        )
    off = st.sampled_from([False, None]) if option.can_be_off else st.none()
    return values_of(option.kind) | off


@functools.cache
def configs(table: OptionTable[Any]) -> st.SearchStrategy[dict[str, Any]]:
    """Dicts that the table accepts, in a mixture of spellings."""
    free = [option for option in table.options if not option.reported and option.name not in DRAFTING]
    names = st.sampled_from([0, 1])
    optional = {option.name: st.tuples(names, option_values(option)) for option in free}
    dicts = st.fixed_dictionaries({}, optional=optional).map(
        lambda chosen: {
            (name if which == 0 else table.option(name).attribute): value
            for name, (which, value) in chosen.items()
        }
    )
    drafting = DRAFTING if table is LLM_LOAD else {}
    return st.tuples(dicts, st.booleans()).map(lambda pair: {**pair[0], **(drafting if pair[1] else {})})


@functools.cache
def received(table: OptionTable[Any]) -> st.SearchStrategy[list[Any]]:
    """Fields as a server might send them: right ones, ill-typed ones, unknown ones."""
    keys = [key for option in table.options for key in option.keys]
    boxed = st.fixed_dictionaries({"checked": st.booleans() | scalars}, optional={"value": json_values})
    right = configs(table).flatmap(
        lambda config: st.sampled_from(table.to_fields(config) or [{"key": "ext"}])
    )
    wrong = st.fixed_dictionaries({"key": st.sampled_from(keys)}, optional={"value": json_values | boxed})
    unknown = st.fixed_dictionaries({"key": st.text(max_size=8)}, optional={"value": json_values})
    return st.lists(right | wrong | unknown, max_size=8)


def is_off(value: object) -> bool:
    """Whether a wire value is switched off: what it remembers then is nobody's business."""
    return isinstance(value, dict) and (value.get("checked") is False or value.get("enabled") is False)


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.name)
@settings(max_examples=50)
@given(data=st.data())
def test_what_is_sent_is_read_back_and_sent_alike(table: OptionTable[Any], data: st.DataObject) -> None:
    fields = table.to_fields(data.draw(configs(table)))
    read = table.from_fields(fields)
    first, second = (
        {field["key"]: field.get("value") for field in some} for some in (fields, table.to_fields(read))
    )
    assert first.keys() == second.keys()
    for key, value in first.items():
        assert (is_off(value) and is_off(second[key])) or second[key] == value
    assert table.from_fields(table.to_fields(read)) == read
    assert all(key.startswith("ext.") for key in read.extra)


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.name)
@settings(max_examples=50)
@given(data=st.data())
def test_off_is_read_as_false_and_a_value_as_itself(table: OptionTable[Any], data: st.DataObject) -> None:
    config = data.draw(configs(table))
    read = table.from_fields(table.to_fields(config))
    options = {spelling: option for option in table.options for spelling in (option.name, option.attribute)}
    for spelling, value in config.items():
        option = options[spelling]
        found = getattr(read, option.attribute)
        if option.can_be_off and (value is None or value is False):
            assert found is False
        elif isinstance(value, (int, float, str)):
            assert found == value


@pytest.mark.parametrize("table", [LLM_PREDICTION, EMBEDDING_LOAD], ids=lambda table: table.name)
@settings(max_examples=50)
@given(data=st.data())
def test_whatever_a_server_sends_is_read_kept_and_sent_again(
    table: OptionTable[Any], data: st.DataObject
) -> None:
    fields = data.draw(received(table))
    config = table.from_fields(fields, sink=WarningSink(lambda line: None))
    again = {field["key"]: field.get("value") for field in table.to_fields(config)}
    last = {field["key"]: field for field in fields}
    for key, field in last.items():
        known = any(key in option.keys for option in table.options)
        if "value" not in field:
            assert (key in again) is not known or key == SPLIT
        elif is_off(field["value"]):
            assert again[key] == field["value"] or is_off(again[key])
        elif key != SPLIT:
            assert again[key] == field["value"]
    assert set(again) - set(last) <= {SPLIT}


@settings(max_examples=50)
@given(data=st.data())
def test_reading_the_fields_of_a_load_never_fails(data: st.DataObject) -> None:
    fields = data.draw(received(LLM_LOAD) | st.lists(json_values, max_size=3))
    config = LLM_LOAD.from_fields(fields, sink=WarningSink(lambda line: None))
    assert isinstance(config, LLM_LOAD.config_class)
