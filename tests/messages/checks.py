"""What holds for a value of a type: it survives, or it is treated as the oracle says."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable
from typing import Any, Final

import pytest

from lmwire_runtime.json_codec import dumps, loads
from lmwire_runtime.wire import STRICT, UNSET, DecodeError, Decoding, Message, MissingFieldError, WarningSink
from tests.messages.near_misses import NearMiss
from tests.messages.reference import Judgement, Segments, judge, same
from tests.messages.schemas import is_valid
from tests.messages.targets import Target

EFFORT: Final = int(os.environ.get("LMWIRE_EFFORT", "1"))
"""How many times as many random instances are tried; see CONTRIBUTING.md."""


def for_each(targets: Iterable[Target]) -> Callable[[Callable[[Target], None]], Any]:
    """Make tests of a check: one for each module of the package, because one for each target would cost its time."""
    groups: dict[str, list[Target]] = {}
    for target in targets:
        groups.setdefault(target.group, []).append(target)

    def decorate(check: Callable[[Target], None]) -> Any:
        def test(group: list[Target]) -> None:
            for target in group:
                try:
                    check(target)
                except Exception as error:
                    raise AssertionError(f"{target.name} ({target.place[0]}#{target.place[1]})") from error

        test.__doc__ = check.__doc__
        return pytest.mark.parametrize("group", groups.values(), ids=groups)(test)

    return decorate


def assert_survives(target: Target, value: Any) -> None:
    """Decode and encode a valid ``value``, in each mode: it comes out as it went in, and nothing is written."""
    before = json.dumps(value)
    lines: list[str] = []
    for decoding in (
        Decoding(sink=WarningSink(lines.append)),
        STRICT,
        Decoding(strict=True, extra_keys=True),
    ):
        decoded = target.decode(value, decoding)
        wire = target.encode(decoded)
        assert same(wire, value)
        assert target.decode(loads(dumps(wire)), decoding) == target.decode(loads(before), decoding)
        assert target.kind is None or type(decoded) is target.kind
    assert json.dumps(value) == before
    assert not lines


def assert_valid(target: Target, values: Iterable[Any]) -> None:
    """The jsonschema library and the oracle both call ``values`` valid."""
    for value in values:
        judgement = judge(target.schema, value)
        assert is_valid(target.schema, value), value
        assert not judgement.deviations, value
        assert not judgement.warnings, value
        assert same(judgement.wire, value), value


def assert_judged(target: Target, miss: NearMiss) -> Judgement:
    """Decode ``miss`` in each mode and compare with the oracle."""
    value = miss.value
    judgement = judge(target.schema, value)
    for extra_keys in {False, any(each.extra for each in judgement.deviations)}:
        refused, decoded = _outcome(target, value, Decoding(strict=True, extra_keys=extra_keys))
        deviations = judgement.strict(extra_keys=extra_keys)
        assert refused in deviations if deviations else refused is None, miss
        if refused is None:
            assert same(target.encode(decoded), judgement.wire), miss
    _assert_lenient(target, miss, judgement)
    return judgement


def _assert_lenient(target: Target, miss: NearMiss, judgement: Judgement) -> None:
    lines: list[str] = []
    lenient = Decoding(sink=WarningSink(lines.append))
    refused, decoded = _outcome(target, miss.value, lenient)
    deviations = judgement.lenient()
    assert refused in deviations if deviations else refused is None, miss
    if refused is not None:
        return
    assert same(target.encode(decoded), judgement.wire), miss
    possible = len(judgement.warnings | judgement.possible)
    # One line may name several fields of one message that are left out.
    reported = len(lenient.sink._seen)
    assert len(judgement.warnings) <= reported <= possible, (miss, lines)
    assert bool(reported) <= len(lines) <= reported, (miss, lines)
    before = len(lines)
    assert target.decode(miss.value, lenient) == decoded, miss
    assert len(lines) == before, (miss, lines)  # once per kind
    for at, field in judgement.missing:
        _assert_missing(_found_at(decoded, at), field)


def _outcome(target: Target, value: Any, decoding: Decoding) -> tuple[str | None, Any]:
    """The pointer at which ``value`` is refused, or None and what was decoded."""
    try:
        return None, target.decode(value, decoding)
    except DecodeError as caught:
        error = caught
    assert error.expected
    assert error.found
    assert str(error).isprintable()
    assert (
        str(error).startswith(f"at {error.pointer or '(root)'}: expected ") or not error.pointer.isprintable()
    )
    return error.pointer, None


def _found_at(decoded: Any, at: Segments) -> Any:
    """What of a decoded value stands at a place of the wire's data."""
    for segment in at:
        if isinstance(decoded, Message):
            decoded = getattr(decoded, attribute_of(type(decoded), str(segment)))
        else:
            decoded = decoded[segment]
    return decoded


def attribute_of(kind: type[Message], wire_name: str) -> str:
    """The attribute that holds a field."""
    (attribute,) = (name for name, wire in kind.wire_names.items() if wire == wire_name)
    return attribute


def _assert_missing(message: Message, field: str) -> None:
    """Reading the attribute says what was not sent, and which revision has it."""
    attribute = attribute_of(type(message), field)
    assert not hasattr(message, attribute)
    assert getattr(message, attribute, UNSET) is UNSET
    with pytest.raises(MissingFieldError) as caught:
        getattr(message, attribute)
    error = caught.value
    assert (error.type_name, error.field, error.wire_name) == (type(message).__name__, attribute, field)
    assert error.revision == message.wire_revision
