"""The rules for data that deviates from the schema, in both modes, on a message written as the compiler writes them."""

from __future__ import annotations

import copy
import logging
import operator
import pickle
import re
from collections.abc import Callable, Mapping
from typing import Any, ClassVar

import attrs
import pytest

from lmwire_runtime.descriptors import VOID, Codec
from lmwire_runtime.wire import (
    KINDS_REPORTED,
    ROOT,
    UNSET,
    DecodeError,
    Decoding,
    Message,
    MissingFieldError,
    Path,
    Unknown,
    Unset,
    WarningSink,
    encode_list,
    encode_map,
    pointer_of,
)

PATTERN = re.compile(r"^[a-z/]*$")


@attrs.define(eq=False, repr=False, kw_only=True)
class Report(Message):
    """One field of each rule."""

    wire_names: ClassVar[Mapping[str, str]] = {
        "content": "content",
        "tokens_count": "tokensCount",
        "stop_string": "stopString",
        "ttl_ms": "ttlMs",
        "mood": "mood",
    }
    wire_revision: ClassVar[str] = "2026-08-21"

    content: str
    tokens_count: int
    stop_string: str | Unset = UNSET
    ttl_ms: int | Unset | None = UNSET
    mood: str | Unset = UNSET

    @classmethod
    def from_wire(cls, data: Any, decoding: Decoding, path: Path = ROOT) -> Report:
        if type(data) is not dict:
            decoding.deviation(path, "an object", data)
        new = cls.__new__(cls)
        value = data.get("content", UNSET)
        if type(value) is str:
            new.content = value
        else:
            decoding.absent((path, "content"), "Report", "a string", value)
        value = data.get("tokensCount", UNSET)
        if type(value) is int:
            new.tokens_count = value
        elif (number := decoding.integer((path, "tokensCount"), value)) is not None:
            new.tokens_count = number
        else:
            decoding.absent((path, "tokensCount"), "Report", "an integer", value)
        value = data.get("stopString", UNSET)
        if value is UNSET or type(value) is str:
            new.stop_string = value
        else:
            new.stop_string = decoding.unset((path, "stopString"), "Report", "a string", value)
        value = data.get("ttlMs", UNSET)
        if value is UNSET or value is None or type(value) is int:
            new.ttl_ms = value
        else:
            new.ttl_ms = decoding.unset((path, "ttlMs"), "Report", "an integer or null", value)
        value = data.get("mood", UNSET)
        if value is UNSET or type(value) is str:
            new.mood = value
        else:
            new.mood = decoding.unset((path, "mood"), "Report", "a string", value)
        if decoding.strict:
            decoding.check_keys(path, data, frozenset(cls.wire_names.values()))
            decoding.check_bounds((path, "tokensCount"), new.tokens_count, minimum=0, exclusive_maximum=1000)
            decoding.check_text((path, "content"), new.content, maximum=5, pattern=PATTERN)
            if isinstance(new.mood, str):
                decoding.check_enum((path, "mood"), new.mood, frozenset({"good", "bad"}))
        return new

    def to_wire(self) -> dict[str, Any]:
        values = {wire: getattr(self, name, UNSET) for name, wire in self.wire_names.items()}
        return {wire: value for wire, value in values.items() if value is not UNSET}


def decode_packet(data: Any, decoding: Decoding, path: Path = ROOT) -> Report | Unknown:
    tag = data.get("type") if type(data) is dict else None
    if tag == "report":
        return Report.from_wire({key: data[key] for key in data if key != "type"}, decoding, path)
    return decoding.unknown_member(path, "Packet", tag, data, ["report", "success"])


GOOD: dict[str, Any] = {"content": "abc", "tokensCount": 3}


class Lines(list[str]):
    """A warning sink's lines."""

    def lenient(self) -> Decoding:
        return Decoding(sink=WarningSink(self.append))


STRICT = Decoding(strict=True)

# deviation, data, what lenient mode makes of it (None: refused as well), lenient warning, strict pointer and finding
DEVIATIONS: list[tuple[str, Any, dict[str, Any] | None, str | None, str, str]] = [
    (
        "required field absent",
        {"content": "abc"},
        {"content": "abc"},
        "Report: field 'tokensCount' is left out, though the schema says it is required",
        "/tokensCount",
        "nothing",
    ),
    (
        "required field null",
        {"content": None, "tokensCount": 3},
        {"tokensCount": 3},
        "Report: field 'content' is null, though the schema says it is required",
        "/content",
        "null",
    ),
    (
        "optional field null",
        {**GOOD, "stopString": None},
        GOOD,
        "Report: field 'stopString' is null, though the schema says it is optional, not nullable",
        "/stopString",
        "null",
    ),
    ("wrong type", {**GOOD, "content": 7}, None, None, "/content", "an integer (7)"),
    ("wrong type of an optional field", {**GOOD, "stopString": []}, None, None, "/stopString", "an array"),
    ("a fraction for an integer", {**GOOD, "tokensCount": 3.5}, None, None, "/tokensCount", "a number (3.5)"),
    ("true for an integer", {**GOOD, "tokensCount": True}, None, None, "/tokensCount", "a boolean (true)"),
    ("no object", ["abc"], None, None, "", "an array"),
    ("unknown key", {**GOOD, "a/b~c": 1}, GOOD, None, "/a~1b~0c", "an unknown key"),
    ("unknown string of an enum", {**GOOD, "mood": "odd"}, {**GOOD, "mood": "odd"}, None, "/mood", "'odd'"),
    ("below a bound", {**GOOD, "tokensCount": -1}, {**GOOD, "tokensCount": -1}, None, "/tokensCount", "-1"),
    (
        "at an exclusive bound",
        {**GOOD, "tokensCount": 1000},
        {**GOOD, "tokensCount": 1000},
        None,
        "/tokensCount",
        "1000",
    ),
    ("too long", {**GOOD, "content": "abcdef"}, {**GOOD, "content": "abcdef"}, None, "/content", "'abcdef'"),
    ("outside a pattern", {**GOOD, "content": "A"}, {**GOOD, "content": "A"}, None, "/content", "'A'"),
]


@pytest.mark.parametrize(
    ("data", "made", "warning"), [row[1:4] for row in DEVIATIONS], ids=[row[0] for row in DEVIATIONS]
)
def test_lenient(data: Any, made: dict[str, Any] | None, warning: str | None) -> None:
    lines = Lines()
    decoding = lines.lenient()
    if made is None:
        with pytest.raises(DecodeError):
            Report.from_wire(data, decoding)
        return
    assert Report.from_wire(data, decoding).to_wire() == made
    assert Report.from_wire(data, decoding).to_wire() == made
    assert len(lines) == (0 if warning is None else 1)  # once per kind
    assert warning is None or lines[0].startswith(warning)


@pytest.mark.parametrize(
    ("data", "pointer", "found"),
    [(row[1], *row[4:]) for row in DEVIATIONS],
    ids=[row[0] for row in DEVIATIONS],
)
def test_strict(data: Any, pointer: str, found: str) -> None:
    with pytest.raises(DecodeError) as caught:
        Report.from_wire(data, STRICT)
    assert caught.value.pointer == pointer
    assert found in caught.value.found


@pytest.mark.parametrize("decoding", [Lines().lenient(), STRICT])
@pytest.mark.parametrize(
    "data", [GOOD, {**GOOD, "ttlMs": None}, {**GOOD, "ttlMs": 5, "mood": "good", "stopString": ""}]
)
def test_valid_data_comes_back_as_it_was(decoding: Decoding, data: dict[str, Any]) -> None:
    assert Report.from_wire(data, decoding).to_wire() == data


@pytest.mark.parametrize("decoding", [Lines().lenient(), STRICT])
def test_an_integral_float_is_an_integer(decoding: Decoding) -> None:
    report = Report.from_wire({**GOOD, "tokensCount": 3.0}, decoding)
    assert report.tokens_count == 3
    assert type(report.tokens_count) is int


def test_extra_keys_may_pass_a_strict_decoder() -> None:
    decoding = Decoding(strict=True, extra_keys=True)
    assert Report.from_wire({**GOOD, "other": 1}, decoding).to_wire() == GOOD
    with pytest.raises(DecodeError):
        Report.from_wire({"content": "abc", "other": 1}, decoding)


class TestMissingFields:
    def make(self) -> Report:
        return Report.from_wire({"content": "abc"}, Lines().lenient())

    def test_reading_one_names_field_and_revision(self) -> None:
        with pytest.raises(MissingFieldError, match=r"Report.tokens_count was not sent") as caught:
            _ = self.make().tokens_count
        assert isinstance(caught.value, AttributeError)
        assert (caught.value.wire_name, caught.value.revision) == ("tokensCount", "2026-08-21")

    def test_a_default_can_be_given(self) -> None:
        assert getattr(self.make(), "tokens_count", 0) == 0
        assert not hasattr(self.make(), "tokens_count")

    def test_repr_equality_and_encoding_skip_it(self) -> None:
        assert repr(self.make()) == "Report(content='abc')"
        assert self.make() == self.make()
        assert self.make() != Report(content="abc", tokens_count=1)
        assert self.make().to_wire() == {"content": "abc"}

    def test_it_can_be_set(self) -> None:
        report = self.make()
        report.tokens_count = 4
        assert report == Report(content="abc", tokens_count=4)

    def test_another_attribute_is_an_ordinary_attribute_error(self) -> None:
        with pytest.raises(AttributeError, match="no attribute 'tokens'") as caught:
            operator.attrgetter("tokens")(self.make())
        assert not isinstance(caught.value, MissingFieldError)

    @pytest.mark.parametrize(
        "clone", [copy.copy, copy.deepcopy, lambda report: pickle.loads(pickle.dumps(report))]
    )
    def test_a_copy_has_the_same_fields_and_gaps(self, clone: Callable[[Report], Report]) -> None:
        for report in (self.make(), Report(content="abc", tokens_count=1, ttl_ms=None)):
            assert clone(report) == report
            assert clone(report).to_wire() == report.to_wire()
        with pytest.raises(MissingFieldError):
            _ = clone(self.make()).tokens_count


class TestUnknownMembers:
    def test_a_new_member_is_kept_raw_with_one_warning(self) -> None:
        lines = Lines()
        decoding = lines.lenient()
        raw = {"type": "progress", "value": 0.5}
        packet = decode_packet(raw, decoding)
        assert packet == Unknown("Packet", "progress", raw)
        assert decode_packet({"type": "progress", "value": 0.7}, decoding) != packet
        assert isinstance(packet, Unknown)
        assert (packet.tag, packet.raw, packet.to_wire()) == ("progress", raw, raw)
        assert lines == ["unknown Packet 'progress' received; a newer server? It is kept raw"]

    def test_it_matches_by_tag_and_raw(self) -> None:
        match decode_packet({"type": "new", "a": 1}, Lines().lenient()):
            case Unknown("new", {"a": value}):
                assert value == 1
            case other:
                pytest.fail(repr(other))

    @pytest.mark.parametrize("tag", [None, 7, {"a": 1}, [1]])
    def test_an_odd_tag_is_unknown_too(self, tag: Any) -> None:
        packet = decode_packet({"type": tag}, Lines().lenient())
        assert isinstance(packet, Unknown)
        assert packet.tag == tag

    def test_a_member_that_is_no_object_is_refused(self) -> None:
        with pytest.raises(DecodeError, match=r"a member of Packet \(report, success\), found a string"):
            decode_packet("report", Lines().lenient())

    def test_strict_mode_lists_what_is_known(self) -> None:
        with pytest.raises(
            DecodeError, match=r"a member of Packet \(report, success\), found a string \('new'\)"
        ):
            decode_packet({"type": "new"}, STRICT)


class TestFaultTolerantFields:
    def test_an_ill_typed_field_of_an_error_object_is_dropped_alone(self) -> None:
        lines = Lines()
        error = DecodeError("/error/cause", "a string", "an integer (1)")
        for _ in range(2):
            assert lines.lenient().dropped((ROOT, "cause"), "ErrorObject", error) is UNSET
        assert lines[0] == "ErrorObject: field 'cause' is dropped: " + str(error)

    def test_strict_mode_raises_it(self) -> None:
        error = DecodeError("/error/cause", "a string", "an integer (1)")
        with pytest.raises(DecodeError) as caught:
            STRICT.dropped((ROOT, "cause"), "ErrorObject", error)
        assert caught.value is error


class TestWarningSink:
    def test_each_kind_is_told_once(self) -> None:
        lines: list[str] = []
        sink = WarningSink(lines.append)
        for number in range(1_000_000 // 1000):
            sink.warn(("field", "a"), f"a {number}")
            sink.warn(("field", "b"), f"b {number}")
        assert lines == ["a 0", "b 0"]

    def test_a_peer_that_invents_kinds_is_cut_short(self) -> None:
        lines: list[str] = []
        sink = WarningSink(lines.append)
        for number in range(KINDS_REPORTED * 2):
            sink.warn(("member", str(number)), str(number))
        assert len(lines) == KINDS_REPORTED + 1
        assert lines[-1] == "the peer deviates in too many ways to report more of them"

    def test_it_logs_by_default(self, caplog: pytest.LogCaptureFixture) -> None:
        WarningSink().warn(("kind",), "something odd")
        assert caplog.record_tuples == [("lmwire", logging.WARNING, "something odd")]


@pytest.mark.parametrize(
    ("path", "segments", "pointer"),
    [
        (ROOT, (), ""),
        ((ROOT, "a"), (), "/a"),
        (((ROOT, "layers"), 0), ("a/b", "c~d"), "/layers/0/a~1b/c~0d"),
        ((ROOT, ""), (), "/"),
    ],
)
def test_pointers(path: Path, segments: tuple[str | int, ...], pointer: str) -> None:
    assert pointer_of(path, *segments) == pointer


def test_long_values_are_shortened_in_errors() -> None:
    with pytest.raises(DecodeError) as caught:
        Report.from_wire({**GOOD, "tokensCount": "x" * 100_000}, STRICT)
    assert len(str(caught.value)) < 200


def test_unset_is_falsy_and_one_of_its_kind() -> None:
    assert not UNSET
    assert repr(UNSET) == "UNSET"
    assert copy.deepcopy(UNSET) is UNSET


def test_lists_and_maps_of_messages_are_encoded() -> None:
    report = Report(content="a", tokens_count=1)
    assert encode_list([report, Unknown("Packet", "x", {"type": "x"})]) == [report.to_wire(), {"type": "x"}]
    assert encode_map({"one": report}) == {"one": report.to_wire()}


def integer(value: Any, decoding: Decoding, path: Path) -> int:
    if type(value) is not int:
        decoding.deviation(path, "an integer", value)
    return int(value)


def nullable(value: Any, decoding: Decoding, path: Path) -> int | None:
    return None if value is None else integer(value, decoding, path)


class TestPresence:
    """Void, optional and required values of the envelope's opaque fields; an absent key is UNSET."""

    REQUIRED = Codec(integer, lambda value: value, type_name="an integer")
    NULLABLE = Codec(nullable, lambda value: value, type_name="an integer or null")
    OPTIONAL: Codec[int | None] = Codec(integer, lambda value: value, presence="optional")

    @pytest.mark.parametrize("decoding", [Lines().lenient(), STRICT])
    @pytest.mark.parametrize(
        ("codec", "raw", "value"),
        [
            (REQUIRED, 3, 3),
            (NULLABLE, None, None),
            (OPTIONAL, 3, 3),
            (OPTIONAL, UNSET, None),
            (VOID, UNSET, None),
        ],
    )
    def test_accepted_in_both_modes(
        self, decoding: Decoding, codec: Codec[Any], raw: Any, value: Any
    ) -> None:
        assert codec.decode(raw, decoding) == value
        assert codec.encode(value) == raw

    @pytest.mark.parametrize(("codec", "raw"), [(OPTIONAL, None), (VOID, None), (VOID, {}), (VOID, 3)])
    def test_null_for_absent_is_accepted_by_the_lenient_only(self, codec: Codec[Any], raw: Any) -> None:
        assert codec.decode(raw, Lines().lenient()) is None
        with pytest.raises(DecodeError, match="no key at all"):
            codec.decode(raw, STRICT)

    @pytest.mark.parametrize("decoding", [Lines().lenient(), STRICT])
    @pytest.mark.parametrize(
        ("codec", "raw"), [(REQUIRED, UNSET), (REQUIRED, None), (OPTIONAL, "x"), (NULLABLE, "x")]
    )
    def test_refused_in_both_modes(self, decoding: Decoding, codec: Codec[Any], raw: Any) -> None:
        with pytest.raises(DecodeError):
            codec.decode(raw, decoding)
