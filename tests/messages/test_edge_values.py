"""Values at the edges of JSON, from text to text: odd numbers, strings and keys, nesting, and what refusals say."""

from __future__ import annotations

import json
import logging
import math
from collections.abc import Callable
from typing import Any

import pytest

from lmwire.envelope import ChannelAck, Patch
from lmwire.types.chat import FunctionToolCallRequest, decode_chat_message_data
from lmwire.types.engines import RuntimeHardwareGpuInfo
from lmwire.types.kv_config import KvConfigField
from lmwire.types.models import ModelQuery
from lmwire.types.prediction import LlmPredictionFragment, LlmPredictionStats
from lmwire_runtime.json_codec import dumps, loads
from lmwire_runtime.wire import STRICT, UNSET, DecodeError, Decoding, Message, Unknown, WarningSink
from tests.messages.samples import minimal
from tests.messages.schemas import Schema
from tests.messages.targets import LMWIRE

HALF = "\ud83d"
"""Half a surrogate pair: a server splits an emoji between two fragments."""


TEXTS = [
    "",
    " ",
    "\x00",
    "\u2028\u2029",
    "\ufeff",
    "\U0001f600",
    HALF,
    f"a{HALF}",
    "\ude00",
    "e\u0301",
    "\uffff",
]


def schema_of(kind: type[Message]) -> Schema:
    (schema,) = (target.schema for target in LMWIRE.classes if target.kind is kind)
    return schema


def data_of(kind: type[Message], **changes: Any) -> dict[str, Any]:
    """A small instance with other values."""
    return {**minimal(schema_of(kind)), **changes}


def quiet() -> Decoding:
    """Lenient mode that writes nothing."""
    return Decoding(sink=WarningSink(lambda line: None))


BOTH = pytest.mark.parametrize("mode", [quiet, lambda: STRICT], ids=["lenient", "strict"])


@BOTH
@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("3", 3), ("3.0", 3), ("3e0", 3), ("0.3E1", 3), ("-0", 0), ("-0.0", 0), ("1e3", 1000),
        ("9007199254740993", 2**53 + 1), ("9223372036854775807", 2**63 - 1), ("-9223372036854775808", -(2**63)),
        ("18446744073709551615", 2**64 - 1), ("18446744073709551616", 2**64), ("1e30", int(1e30)),
    ],
)  # fmt: skip
def test_integers(mode: Callable[[], Decoding], text: str, number: int) -> None:
    frame = f'{{"type": "channelAck", "channelId": {text}, "ackId": 1}}'
    message = ChannelAck.from_wire(loads(frame), mode())
    assert (message.channel_id, type(message.channel_id)) == (number, int)
    assert ChannelAck.from_wire(loads(dumps(message.to_wire())), mode()) == message


@BOTH
@pytest.mark.parametrize("text", ["3.5", "1e-9", "1e400", "-1e400", "true", '"3"', "[3]", "5e-324"])
def test_no_integers(mode: Callable[[], Decoding], text: str) -> None:
    with pytest.raises(DecodeError) as caught:
        ChannelAck.from_wire(loads(f'{{"type": "channelAck", "channelId": {text}, "ackId": 1}}'), mode())
    assert caught.value.pointer == "/channelId"
    assert caught.value.expected == "an integer"


@BOTH
@pytest.mark.parametrize(
    "number", [0, 1, -0.0, 1.5, 5e-324, 1.7976931348623157e308, 2**53 + 1, 2**64, -(10**30), 0.1]
)
def test_numbers_are_kept_as_they_are(mode: Callable[[], Decoding], number: float) -> None:
    data = data_of(LlmPredictionStats, tokensPerSecond=number)
    message = LlmPredictionStats.from_wire(data, mode())
    assert message.tokens_per_second is not UNSET
    assert message.tokens_per_second == number
    assert math.copysign(1, message.tokens_per_second) == math.copysign(1, number)  # -0.0
    assert type(message.tokens_per_second) is type(number)
    again = loads(dumps(message.to_wire()))["tokensPerSecond"]
    assert again == number if abs(number) < 2**64 else again == float(number)  # as JavaScript reads it
    assert math.copysign(1, again) == math.copysign(1, number)


def test_a_number_beyond_all_doubles_can_be_read_and_not_be_sent() -> None:
    message = KvConfigField.from_wire(loads('{"key": "a", "value": 1e400}'), STRICT)
    assert message.value == math.inf
    with pytest.raises(ValueError, match="inf"):
        dumps(message.to_wire())


@pytest.mark.parametrize("text", ["NaN", "Infinity", "-Infinity"])
def test_what_is_no_json_is_no_number(text: str) -> None:
    with pytest.raises(ValueError, match="no JSON"):
        loads(f'{{"key": "a", "value": {text}}}')


@BOTH
@pytest.mark.parametrize("text", TEXTS, ids=ascii)
def test_strings_are_kept_letter_by_letter(mode: Callable[[], Decoding], text: str) -> None:
    data = data_of(LlmPredictionFragment, content=text, tokensCount=1)
    message = LlmPredictionFragment.from_wire(loads(json.dumps(data)), mode())
    assert message.content == text
    assert loads(dumps(message.to_wire())) == data
    assert str(message) == text


def test_halves_that_meet_in_one_string_are_one_letter() -> None:
    assert loads(dumps({"content": "\ud83d\ude00"})) == {"content": "\U0001f600"}


@BOTH
def test_open_maps_keep_any_key(mode: Callable[[], Decoding]) -> None:
    keys = [
        "",
        " ",
        "a/b~c",
        "__proto__",
        "__class__",
        "to_wire",
        "wire_names",
        "name",
        "0",
        "\x00",
        HALF,
        "k" * 10**5,
    ]
    arguments = {key: {"": [None]} for key in keys}
    data = data_of(FunctionToolCallRequest, arguments=arguments)
    message = FunctionToolCallRequest.from_wire(loads(json.dumps(data)), mode())
    assert message.arguments == arguments
    assert loads(dumps(message.to_wire())) == data


@BOTH
@pytest.mark.parametrize(
    ("key", "pointer"),
    [
        ("", "/otherInfo/"),
        ("a/b~c", "/otherInfo/a~1b~0c"),
        (HALF, f"/otherInfo/{HALF}"),
        ("a\nb", "/otherInfo/a\nb"),
    ],
)
def test_refusals_name_any_key_and_can_be_printed(
    mode: Callable[[], Decoding], key: str, pointer: str
) -> None:
    with pytest.raises(DecodeError) as caught:
        RuntimeHardwareGpuInfo.from_wire(data_of(RuntimeHardwareGpuInfo, otherInfo={key: 1}), mode())
    assert caught.value.pointer == pointer
    assert str(caught.value).isprintable()
    str(caught.value).encode()


def test_unknown_keys_never_become_attributes() -> None:
    odd = dict.fromkeys(
        ["to_wire", "wire_names", "__class__", "from_wire", "__dict__", "text_field", HALF, ""], 1
    )
    message = ModelQuery.from_wire({"identifier": "a", **odd}, quiet())
    assert message == ModelQuery(identifier="a")
    assert message.to_wire() == {"identifier": "a"}
    for key in odd:
        with pytest.raises(DecodeError) as caught:
            ModelQuery.from_wire({"identifier": "a", key: 1}, STRICT)
        assert caught.value.pointer == f"/{key}"
        str(caught.value).encode()


def test_of_two_equal_keys_the_last_one_counts() -> None:
    assert KvConfigField.from_wire(loads('{"key": "a", "key": "b"}'), STRICT).key == "b"


@BOTH
@pytest.mark.parametrize("depth", [100, 200])
def test_nesting(mode: Callable[[], Decoding], depth: int) -> None:
    text = '{"key": "a", "value": ' + '{"a": [' * depth + "]}" * depth + "}"
    message = KvConfigField.from_wire(loads(text), mode())
    assert dumps(message.to_wire()) == text.replace(" ", "").encode()


def test_nesting_beyond_reason_is_refused_by_one_typed_error() -> None:
    with pytest.raises(ValueError, match="nested too deeply"):
        loads('{"value": ' + "[" * 200_000 + "]" * 200_000 + "}")


def short(value: Any) -> str:
    """An id for a parameter that cannot be one."""
    return type(value).__name__


def deep(depth: int) -> Any:
    value: Any = None
    for _ in range(depth):
        value = [value]
    return value


@pytest.mark.parametrize(
    "tag", [None, 1, True, 1.5, "robot", "r" * 10**6, HALF, {}, [], deep(100_000), 10**5000], ids=short
)
def test_any_tag_of_an_unknown_member_is_kept_and_reported_in_a_short_line(tag: Any) -> None:
    """Also one that Python could not write out."""
    lines: list[str] = []
    decoding = Decoding(sink=WarningSink(lines.append))
    raw = {"role": tag, "content": []}
    unknown = decode_chat_message_data(raw, decoding)
    assert decode_chat_message_data({"content": [], "role": tag}, decoding).to_wire()["role"] is tag
    assert isinstance(unknown, Unknown)
    assert unknown.tag is tag
    assert unknown.to_wire() is raw
    (line,) = lines
    assert "ChatMessageData" in line
    assert len(line) < 250
    line.encode()
    with pytest.raises(DecodeError) as caught:
        decode_chat_message_data(raw, STRICT)
    assert caught.value.pointer == ""
    assert len(str(caught.value)) < 250


@BOTH
@pytest.mark.parametrize(
    "value", [deep(100_000), 10**5000, "x" * 10**6, -(2**2000), {"a": deep(100_000)}], ids=short
)
def test_refusals_are_short(mode: Callable[[], Decoding], value: Any) -> None:
    with pytest.raises(DecodeError) as caught:
        LlmPredictionStats.from_wire(data_of(LlmPredictionStats, numGpuLayers=[value]), mode())
    assert len(str(caught.value)) < 200
    with pytest.raises(DecodeError) as caught:
        Patch.from_wire({"op": "add", "path": value}, mode())
    assert caught.value.pointer == "/path" or type(value) is list
    assert len(str(caught.value)) < 200


def test_warnings_go_to_one_logger_once_per_kind(caplog: pytest.LogCaptureFixture) -> None:
    decoding = Decoding()
    with caplog.at_level(logging.DEBUG):
        for number in range(3):
            KvConfigField.from_wire({"value": number}, decoding)
            KvConfigField.from_wire({"key": None}, decoding)
            decode_chat_message_data({"role": "robot"}, decoding)
            decode_chat_message_data({"role": "android"}, decoding)
    assert [(record.name, record.levelno) for record in caplog.records] == [("lmwire", logging.WARNING)] * 4
    texts = [record.getMessage() for record in caplog.records]
    assert [text.partition(",")[0] for text in texts[:2]] == [
        "KvConfigField: field 'key' is left out", "KvConfigField: field 'key' is null",
    ]  # fmt: skip
    assert "'robot'" in texts[2]
    assert "'android'" in texts[3]
