"""Messages as Python objects: made by keyword, compared, shown, copied, pickled; what is absent, and what was left out.

Messages can be pickled and copied, with everything that they lack; they cannot be hashed, because they are mutable.
"""

from __future__ import annotations

import contextlib
import copy
import pickle
from typing import Any, cast

import attrs
import pytest

from lmwire.types.chat import decode_chat_message_data
from lmwire.types.models import LlmInstanceInfo, ModelQuery
from lmwire_runtime.wire import (
    STRICT,
    UNSET,
    DecodeError,
    Decoding,
    Message,
    MissingFieldError,
    Unknown,
    WarningSink,
)
from tests.messages.checks import attribute_of, for_each
from tests.messages.reference import allows_null, discriminator, objects_of, same
from tests.messages.samples import full, minimal, some
from tests.messages.targets import LMWIRE, Target


def kind_of(target: Target) -> type[Message]:
    assert target.kind is not None
    return target.kind


def values_of(message: Message) -> dict[str, Any]:
    """The message's fields as its constructor takes them."""
    return {name: getattr(message, name) for name in message.wire_names}


def tags_of(target: Target) -> dict[str, Any]:
    """The fields that have only one value; they are no parameters."""
    required = target.schema.get("required", ())
    fields = target.schema["properties"].items()
    return {name: child["const"] for name, child in fields if "const" in child and name in required}


def quiet() -> Decoding:
    """Lenient mode that writes nothing."""
    return Decoding(sink=WarningSink(lambda line: None))


@for_each(LMWIRE.classes)
def test_made_by_keyword(target: Target) -> None:
    kind = kind_of(target)
    decoded = target.decode(full(target.schema), STRICT)
    values = values_of(decoded)
    made = kind(**values)
    assert made == decoded
    assert repr(made) == repr(decoded)
    assert same(made.to_wire(), full(target.schema))
    if values:
        with pytest.raises(TypeError):
            kind(*values.values())
        assert attrs.evolve(cast(Any, made), **values) == made
    with pytest.raises(TypeError):
        cast(Any, kind)(**values, no_such_field=1)
    with pytest.raises(AttributeError):
        made.no_such_field = 1  # type: ignore[attr-defined]
    with pytest.raises(TypeError):
        hash(made)
    assert made != object()
    for name in values:
        changed = copy.copy(made)
        setattr(changed, name, object())
        assert changed != made


@for_each(LMWIRE.classes)
def test_what_has_no_default_has_to_be_given(target: Target) -> None:
    kind = kind_of(target)
    tags = tags_of(target)
    required = [name for name in target.schema.get("required", ()) if name not in tags]
    values = values_of(target.decode(minimal(target.schema), STRICT))
    given = {attribute_of(kind, name): values[attribute_of(kind, name)] for name in required}
    made = kind(**given)
    assert made.to_wire().keys() == {*required, *tags}
    assert all(getattr(made, name) is UNSET for name in values.keys() - given.keys())
    for name in given:
        with pytest.raises(TypeError, match=name):
            kind(**{other: value for other, value in given.items() if other != name})


@for_each(LMWIRE.classes)
def test_copied_and_pickled(target: Target) -> None:
    tags = tags_of(target)
    for data in (full(target.schema), minimal(target.schema), tags):
        message = target.decode(data, quiet())
        copies = [copy.copy(message), copy.deepcopy(message)]
        copies += [pickle.loads(pickle.dumps(message, protocol)) for protocol in range(2, 6)]
        for again in copies:
            assert type(again) is type(message)
            assert again == message
            assert repr(again) == repr(message)
            assert same(again.to_wire(), message.to_wire())
            for name in message.wire_names:
                assert hasattr(again, name) == hasattr(message, name)
                assert (getattr(again, name, None) is UNSET) == (getattr(message, name, None) is UNSET)


@for_each(LMWIRE.classes)
def test_everything_left_out(target: Target) -> None:
    """A message of a server that sends nothing but tags can be shown, compared, sent on and completed."""
    tags = tags_of(target)
    message = target.decode(tags, quiet())
    complete = target.decode(full(target.schema), STRICT)
    assert same(message.to_wire(), tags)
    assert repr(message) == f"{type(message).__name__}()"
    assert message == target.decode(tags, quiet())
    required = [name for name in target.schema.get("required", ()) if name not in tags]
    assert (message == complete) == (not message.wire_names)
    for wire_name in required:
        name = attribute_of(type(message), wire_name)
        with pytest.raises(MissingFieldError, match=name):
            getattr(message, name)
        setattr(message, name, getattr(complete, name))
    assert same(message.to_wire(), {name: full(target.schema)[name] for name in (*tags, *required)})


@for_each(LMWIRE.classes)
def test_null_is_not_absence(target: Target) -> None:
    least = minimal(target.schema)
    for wire_name, child in target.schema["properties"].items():
        if wire_name in target.schema.get("required", ()) or not allows_null(child):
            continue
        name = attribute_of(kind_of(target), wire_name)
        null = target.decode({**least, wire_name: None}, STRICT)
        absent = target.decode({key: least[key] for key in least if key != wire_name}, STRICT)
        assert getattr(null, name) is None
        assert getattr(absent, name) is UNSET
        assert null != absent
        assert null.to_wire()[wire_name] is None
        assert wire_name not in absent.to_wire()
        setattr(absent, name, None)
        assert absent == null
        assert f"{name}=None" in repr(absent)


@for_each(LMWIRE.classes)
def test_a_deviating_message_leaves_its_neighbours_alone(target: Target) -> None:
    decoding = quiet()
    good = full(target.schema)
    before, wire = target.decode(good, decoding), target.decode(good, decoding).to_wire()
    for name in good:
        for odd in (
            {**good, name: None},
            {**good, name: [{}]},
            {key: good[key] for key in good if key != name},
        ):
            with contextlib.suppress(DecodeError):
                target.decode(odd, decoding)
            after = target.decode(good, decoding)
            assert after == before
            assert same(before.to_wire(), wire)
            assert same(after.to_wire(), wire)


def test_a_missing_field_does_not_match_a_pattern() -> None:
    message: Any = LlmInstanceInfo.from_wire({"type": "llm", "modelKey": "a"}, quiet())
    match message:
        case LlmInstanceInfo(path=path):
            raise AssertionError(path)
        case LlmInstanceInfo(model_key=key):
            assert key == "a"
        case _:
            raise AssertionError(message)


def test_a_copy_is_shallow_and_a_deep_copy_is_not() -> None:
    (target,) = (target for target in LMWIRE.classes if target.name == "types.chat.ChatHistoryData")
    message = target.decode(full(target.schema), STRICT)
    assert copy.copy(message).messages is message.messages
    deep = copy.deepcopy(message)
    deep.messages.clear()
    assert message.messages


def test_unset() -> None:
    assert not UNSET
    assert UNSET is not None
    assert repr(UNSET) == "UNSET"
    for again in (copy.copy(UNSET), copy.deepcopy(UNSET), pickle.loads(pickle.dumps(UNSET))):
        assert again is UNSET
    assert ModelQuery(identifier=UNSET) == ModelQuery()
    assert ModelQuery(device_identifier=None).to_wire() == {"deviceIdentifier": None}


def test_unknown_members() -> None:
    raw = {"role": "robot", "parts": [1]}
    unknown = decode_chat_message_data(raw, quiet())
    assert isinstance(unknown, Unknown)
    assert unknown.to_wire() is raw
    for again in (copy.copy(unknown), copy.deepcopy(unknown), pickle.loads(pickle.dumps(unknown))):
        assert again == unknown
        assert repr(again) == repr(unknown)
    assert unknown != decode_chat_message_data({**raw, "parts": []}, quiet())
    with pytest.raises(TypeError):
        hash(unknown)
    match unknown:
        case Unknown("robot", {"parts": parts}):
            assert parts == [1]
        case _:
            raise AssertionError(unknown)


@for_each(LMWIRE.unions)
def test_unions_tell_their_members_apart(target: Target) -> None:
    arms = objects_of(target.schema)
    tags = {str(arm["properties"][discriminator(arms)]["const"]) for arm in arms}
    assert (
        len({type(target.decode(value, STRICT)) for value in some(target.schema)}) == len(tags) == len(arms)
    )
    unknown = target.decode({"odd": 1}, quiet())
    assert isinstance(unknown, Unknown)
    assert unknown.union == target.name.rpartition(".")[2]
    assert target.encode(unknown) == {"odd": 1}
