"""Parts of endpoints as sessions decode them: present, absent and null, each with its place in the frame."""

from __future__ import annotations

from typing import Any, Final

import pytest

from lmwire_runtime.descriptors import VOID
from lmwire_runtime.wire import LENIENT, STRICT, UNSET, DecodeError, Decoding
from tests.messages.checks import for_each
from tests.messages.near_misses import near_misses
from tests.messages.reference import allows_null, judge, same
from tests.messages.samples import some
from tests.messages.targets import LMWIRE, Target

IN_FRAME: Final = (None, "message")
PLAIN: Final = [target for target in LMWIRE.parts if not target.wrapped]
"""Superjson's envelope has tests of its own."""


@for_each(PLAIN)
def test_present(target: Target) -> None:
    assert target.codec is not None
    for value in some(target.schema):
        for decoding in (LENIENT, STRICT):
            assert same(target.codec.encode(target.codec.decode(value, decoding)), value)


@for_each(PLAIN)
def test_absent(target: Target) -> None:
    assert target.codec is not None
    for decoding in (LENIENT, STRICT):
        if target.optional:
            assert target.codec.decode(UNSET, decoding) is None
            assert target.codec.encode(None) is UNSET
            continue
        with pytest.raises(DecodeError) as caught:
            target.codec.decode(UNSET, decoding, IN_FRAME)
        assert caught.value.pointer == "/message"
        assert caught.value.found == "nothing"


@for_each(PLAIN)
def test_null(target: Target) -> None:
    assert target.codec is not None
    if allows_null(target.schema) and not target.optional:
        assert target.codec.decode(None, STRICT) is None
        return
    if target.optional:
        assert target.codec.decode(None, LENIENT) is None
    for decoding in (STRICT,) if target.optional else (LENIENT, STRICT):
        with pytest.raises(DecodeError) as caught:
            target.codec.decode(None, decoding, IN_FRAME)
        assert caught.value.pointer == "/message"


@for_each(PLAIN)
def test_pointers_begin_where_the_part_begins(target: Target) -> None:
    assert target.codec is not None
    refused = 0
    for miss in near_misses(target.schema, fields=True):
        judgement = judge(target.schema, miss.value)
        if miss.value is not None and judgement.deviations:
            with pytest.raises(DecodeError) as caught:
                target.codec.decode(miss.value, Decoding(strict=True), IN_FRAME)
            assert caught.value.pointer in {"/message" + pointer for pointer in judgement.strict()}
            refused += 1
        if refused == 40:
            break
    assert refused or "type" not in target.schema


def test_void() -> None:
    assert VOID.decode(UNSET, STRICT) is None
    assert VOID.encode(None) is UNSET
    values: tuple[Any, ...] = (None, {}, 1)
    for value in values:
        assert VOID.decode(value, LENIENT) is None
        with pytest.raises(DecodeError) as caught:
            VOID.decode(value, STRICT, IN_FRAME)
        assert caught.value.pointer == "/message"
