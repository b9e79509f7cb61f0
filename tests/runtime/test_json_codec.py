"""Both implementations of the JSON codec take the same frames: orjson's, and the standard library's alone."""

from __future__ import annotations

import dataclasses
import datetime
import importlib.util
import math
import sys
from types import ModuleType
from typing import Any

import pytest

from lmwire_runtime import json_codec


def _without_orjson() -> ModuleType:
    """Load the module a second time, as on a Python that has no orjson."""
    spec = importlib.util.spec_from_file_location("json_codec_of_the_standard_library", json_codec.__file__)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    hidden = sys.modules.get("orjson")
    sys.modules["orjson"] = None  # type: ignore[assignment]  # makes the import fail
    try:
        spec.loader.exec_module(module)
    finally:
        del sys.modules["orjson"]
        if hidden is not None:
            sys.modules["orjson"] = hidden
    return module


SLOW = _without_orjson()


@pytest.fixture(params=["orjson", "json"])
def codec(request: pytest.FixtureRequest) -> ModuleType:
    if request.param == "json":
        return SLOW
    pytest.importorskip("orjson")
    return json_codec


def test_the_two_implementations_are_two() -> None:
    pytest.importorskip("orjson")
    assert json_codec.loads is not SLOW.loads
    assert json_codec.loads.__name__ != SLOW.loads.__name__


@pytest.mark.parametrize("kind", [bytes, bytearray, memoryview, lambda data: data.decode()])
def test_every_kind_of_text_is_read(codec: ModuleType, kind: Any) -> None:
    data = '{"type":"rpcResult","callId":1,"result":"größe"}'.encode()
    assert codec.loads(kind(data)) == {"type": "rpcResult", "callId": 1, "result": "größe"}


def test_half_a_surrogate_pair_is_read_and_written(codec: ModuleType) -> None:
    """A server that cuts text by UTF-16 units splits an emoji between two fragments."""
    first, second = codec.loads(b'["\\ud83d","\\ude00"]')
    assert (first, second) == ("\ud83d", "\ude00")
    assert codec.loads(codec.dumps({"content": first})) == {"content": first}


def test_integers_beyond_64_bit_are_written(codec: ModuleType) -> None:
    assert codec.dumps({"value": 2**80}) == b'{"value":1208925819614629174706176}'
    assert codec.loads(b'{"value":1208925819614629174706176}') == {"value": 2**80}


def test_integers_within_64_bit_are_exact(codec: ModuleType) -> None:
    for value in (2**63 - 1, -(2**63), 2**53 + 1):
        assert codec.loads(codec.dumps(value)) == value


def test_text_beyond_ascii_survives(codec: ModuleType) -> None:
    value = {"content": 'ß 你好 😀 \u2028 \u0000 " \\'}
    assert codec.loads(codec.dumps(value)) == value


@pytest.mark.parametrize("depth", [10, 300, 600])
def test_deep_nesting_is_read_and_written(codec: ModuleType, depth: int) -> None:
    text = b"[" * depth + b"]" * depth
    assert codec.dumps(codec.loads(text)) == text


@pytest.mark.parametrize("opening", [b"[", b'{"a":'])
def test_nesting_beyond_reason_is_refused_not_crashed_on(codec: ModuleType, opening: bytes) -> None:
    with pytest.raises(ValueError, match=r"nested too deeply|Expecting"):
        codec.loads(opening * 200_000)


def test_a_value_nested_beyond_reason_is_refused(codec: ModuleType) -> None:
    value: list[Any] = []
    for _ in range(200_000):
        value = [value]
    with pytest.raises(ValueError, match="nested too deeply"):
        codec.dumps(value)
    while value:  # or its deallocation would be the deep recursion
        value = value[0]


def test_a_value_that_holds_itself_is_refused(codec: ModuleType) -> None:
    value: list[Any] = []
    value.append(value)
    with pytest.raises(ValueError, match="ircular"):
        codec.dumps(value)


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"{",
        b"{oops",
        b"{'a': 1}",
        b"[1,]",
        b"1 2",
        b"NaN",
        b"[Infinity]",
        b'{"a":-Infinity}',
        b"\xef\xbb\xbf{}",
        b'"\n"',
    ],
)
def test_what_is_no_json_is_a_value_error(codec: ModuleType, text: bytes) -> None:
    with pytest.raises(ValueError, match=r".+"):
        codec.loads(text)


@pytest.mark.parametrize("text", [b'"\xff"', b'{"content":"\xc3"}', b'"\xed\xa0\xbd"'])
def test_what_is_no_utf_8_is_told_apart(codec: ModuleType, text: bytes) -> None:
    with pytest.raises(UnicodeDecodeError):
        codec.loads(text)


@pytest.mark.parametrize(
    "value", [math.nan, math.inf, [{"a": (None, math.nan)}], {"a": None, "b": [-math.inf]}]
)
def test_nan_and_infinity_are_never_written(codec: ModuleType, value: Any) -> None:
    with pytest.raises(ValueError, match=r".+"):
        codec.dumps(value)


def test_null_is_written(codec: ModuleType) -> None:
    assert codec.dumps({"a": None, "b": [None, 1.5, "null"]}) == b'{"a":null,"b":[null,1.5,"null"]}'


@dataclasses.dataclass
class Point:
    x: int


@pytest.mark.parametrize("value", [{1, 2}, b"bytes", Point(1), datetime.datetime(2026, 8, 21), object()])
def test_what_json_has_no_form_for_is_refused_alike(codec: ModuleType, value: Any) -> None:
    with pytest.raises(TypeError):
        codec.dumps({"value": value})
