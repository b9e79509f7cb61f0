"""All deviations of a frame, each with its pointer and the schema's word for it."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lmwire import envelope
from lmwire.llm import LlmPredictionFragment
from lmwire.types.downloads import ModelSearchResultDownloadOptionData
from lmwire.types.prediction import LlmPredictionStats
from lmwire_runtime.descriptors import SignalDescriptor
from lmwire_runtime.wire import DecodeError, Decoding
from lmwire_tools.analysis import NAMESPACES, ConnectionAnalysis, FrameEvent
from lmwire_tools.deviations import deviations_of
from lmwire_tools.recordings import Direction, RecordedFrame, read_recording
from tests.codegen.support import Package
from tests.signals.conftest import package as package  # a fixture
from tests.tools.transcripts import TRANSCRIPTS

FRAGMENT = {
    "content": "a",
    "tokensCount": 1,
    "containsDrafted": False,
    "reasoningType": "none",
    "isStructural": False,
}


def told(data: Any, decode: Any = LlmPredictionFragment.from_wire) -> set[tuple[str, str]]:
    return {(deviation.pointer, deviation.expected) for deviation in deviations_of(data, decode)}


def test_what_fits_has_none() -> None:
    assert deviations_of(FRAGMENT, LlmPredictionFragment.from_wire) == []


def test_every_one_is_told_and_not_only_the_first() -> None:
    data = {**FRAGMENT, "content": 3, "tokensCount": "x", "reasoningType": "odd", "more": 1, "else": 2}
    del data["isStructural"]

    assert told(data) == {
        ("/content", "a string"),
        ("/tokensCount", "an integer"),
        ("/reasoningType", "one of none, reasoning, reasoningEndTag, reasoningStartTag"),
        ("/isStructural", "a boolean"),
        ("/more", "no such key"),
        ("/else", "no such key"),
    }


@pytest.mark.parametrize("value", [None, 3, [], "text", True])
def test_a_value_of_another_kind_is_one_deviation(value: Any) -> None:
    assert told(value) == {("", "an object")}


def test_deviations_inside_of_arrays_are_told_once_each() -> None:
    patches = [{"op": "jump", "path": [1]}, {"op": "add"}, {"op": 3, "path": "x"}]

    def decode(data: Any, decoding: Decoding) -> object:
        return [envelope.Patch.from_wire(patch, decoding, (None, index)) for index, patch in enumerate(data)]

    pointers = [deviation.pointer for deviation in deviations_of(patches, decode)]

    assert sorted(pointers) == ["/0/op", "/1/path", "/2/op", "/2/path"]


def test_the_frame_itself_is_left_alone() -> None:
    data = {**FRAGMENT, "content": 3, "more": {"x": [1]}}
    before = copy.deepcopy(data)

    deviations_of(data, LlmPredictionFragment.from_wire)

    assert data == before


def test_no_secret_is_in_a_deviation() -> None:
    packet = {"authVersion": 1, "clientIdentifier": "me", "clientPasskey": "s3cret" * 60}

    (found,) = deviations_of(packet, envelope.AuthenticationPacket.from_wire)

    assert found.pointer == "/clientPasskey"
    assert "s3cret" not in str(found)


def test_what_is_nested_beyond_reason_is_a_deviation() -> None:
    def decode(data: Any, decoding: Decoding) -> object:
        return decode(data, decoding)

    assert told({}, decode) == {("", "a value of some reasonable depth")}


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=10,
)


@given(data=st.dictionaries(st.sampled_from([*FRAGMENT, "more", "stopReason", "x/~"]), JSON, max_size=6))
@settings(max_examples=60, deadline=None)
@pytest.mark.parametrize("kind", [LlmPredictionFragment, LlmPredictionStats])
def test_any_data_is_judged_as_the_strict_decoder_judges_it(kind: Any, data: Any) -> None:
    found = deviations_of(data, kind.from_wire)
    refused = None
    try:
        kind.from_wire(data, Decoding(strict=True))
    except DecodeError as error:
        refused = (error.pointer, error.expected)

    assert bool(found) == (refused is not None)
    assert refused is None or refused in {(each.pointer, each.expected) for each in found}


def test_what_stands_behind_a_missing_field_is_seen() -> None:
    option = {
        "name": "x",
        "sizeBytes": 1,
        "downloadIdentifier": "x",
        "indexedModelIdentifier": "x",
        "compatibilityType": "of tomorrow",
    }
    found = deviations_of(option, ModelSearchResultDownloadOptionData.from_wire)
    assert [each.pointer for each in found] == ["/fitEstimation", "/compatibilityType"]


# Frames.


def judged(*frames: tuple[Direction, Any], **options: Any) -> list[FrameEvent]:
    analysis = ConnectionAnalysis(1, "llm", loose=True, **options)
    return [
        analysis.frame(direction, json.dumps(frame).encode(), number / 10)
        for number, (direction, frame) in enumerate(frames)
    ]


CREATE = (
    "to_server",
    {
        "type": "channelCreate",
        "channelId": 1,
        "endpoint": "completeRawText",
        "creationParameter": {
            "modelSpecifier": {"type": "instanceReference", "instanceReference": "x"},
            "rawPrompt": "a",
            "predictionConfigStack": {"layers": []},
        },
    },
)
FRAGMENT_FRAME = (
    "to_client",
    {"type": "channelSend", "channelId": 1, "message": {"type": "fragment", "fragment": FRAGMENT}},
)
CANCEL = ("to_server", {"type": "channelSend", "channelId": 1, "message": {"type": "cancel"}})
CLOSE = ("to_client", {"type": "channelClose", "channelId": 1})


def test_a_channel_is_followed() -> None:
    events = judged(CREATE, FRAGMENT_FRAME, CANCEL, CLOSE)  # type: ignore[arg-type]

    assert [event.endpoint for event in events] == ["completeRawText"] * 4
    assert [event.packet for event in events] == [None, "fragment", "cancel", None]
    assert [event.latency for event in events] == [None, *map(pytest.approx, (0.1, 0.2, 0.3))]
    assert [event.deviations for event in events] == [()] * 4


def test_a_cancel_that_crosses_the_close_is_late_and_lawful() -> None:
    *_, late = judged(CREATE, CLOSE, CANCEL)  # type: ignore[arg-type]

    assert (late.late, late.endpoint, late.deviations) == (True, "completeRawText", ())


def test_packets_of_the_wrong_direction_deviate() -> None:
    *_, wrong = judged(CREATE, ("to_client", CANCEL[1]))  # type: ignore[arg-type]

    assert [deviation.pointer for deviation in wrong.deviations] == ["/message"]


def test_an_id_in_use_deviates() -> None:
    analysis = ConnectionAnalysis(1, "llm")
    analysis.frame("to_client", b'{"success":true}', 0)

    first, again = (analysis.frame("to_server", json.dumps(CREATE[1]).encode(), 0) for _ in range(2))

    assert first.deviations == ()
    assert [deviation.pointer for deviation in again.deviations] == ["/channelId"]


def test_superjson_endpoints_are_judged_inside_their_envelope() -> None:
    analysis = ConnectionAnalysis(1, "runtime", loose=True)
    call = {"type": "rpcCall", "callId": 1, "endpoint": "getEngineSelections", "parameter": {"json": None}}
    analysis.frame("to_server", json.dumps(call).encode(), 0)
    answer = {"type": "rpcResult", "callId": 1, "result": {"json": [["gguf", {"name": 3}]]}}

    event = analysis.frame("to_client", json.dumps(answer).encode(), 0)

    assert event.deviations
    assert all(deviation.pointer.startswith("/result") for deviation in event.deviations)


def test_signals_are_mirrored(package: Package) -> None:
    namespace = package.module("lab").NAMESPACE
    assert all(isinstance(signal, SignalDescriptor) for signal in namespace.signal.values())
    analysis = ConnectionAnalysis(1, "lab", loose=True, namespaces={"lab": namespace})

    def passed(direction: Direction, **frame: Any) -> FrameEvent:
        return analysis.frame(direction, json.dumps({"subscribeId": 1, **frame}).encode(), 0)

    def update(*patches: Any) -> FrameEvent:
        return passed("to_client", type="signalUpdate", patches=list(patches), tags=[])

    assert passed("to_server", type="signalSubscribe", endpoint="counter").deviations == ()
    assert update({"op": "replace", "path": [], "value": {"count": 1, "items": []}}).deviations == ()
    assert update({"op": "replace", "path": ["count"], "value": 2}).endpoint == "counter"
    (wrong,) = update({"op": "replace", "path": ["count"], "value": "x"}).deviations
    assert "at /count" in wrong.expected
    (unfit,) = update({"op": "remove", "path": ["items", 9]}).deviations
    assert unfit.pointer == "/patches"


def test_transcripts_of_real_clients_do_not_deviate() -> None:
    if not TRANSCRIPTS:
        pytest.skip("there are no transcripts beside the checkout")
    for path in TRANSCRIPTS:
        analyses: dict[int, ConnectionAnalysis] = {}
        for record in read_recording(path.read_bytes().splitlines()):
            if isinstance(record, RecordedFrame):
                analysis = analyses.setdefault(
                    record.connection, ConnectionAnalysis(record.connection, record.namespace)
                )
                assert analysis.frame(record.direction, record.text, record.time).deviations == (), path


def test_a_namespace_that_the_schema_lacks_is_told_once() -> None:
    analysis = ConnectionAnalysis(1, "nowhere")

    first, second = (analysis.frame("to_client", b'{"success":true}', 0) for _ in range(2))

    assert "a namespace of the protocol" in first.deviations[0].expected
    assert all("namespace" not in deviation.expected for deviation in second.deviations)
    assert "llm" in NAMESPACES


@given(data=st.binary(max_size=60) | JSON.map(lambda value: json.dumps(value).encode()))
@settings(max_examples=60, deadline=None)
def test_any_bytes_are_judged(data: bytes) -> None:
    for direction in ("to_server", "to_client"):
        assert isinstance(ConnectionAnalysis(1, "llm").frame(direction, data, 0.0), FrameEvent)


FIELDS = st.fixed_dictionaries(
    {
        "type": st.sampled_from(
            ["rpcCall", "rpcResult", "channelCreate", "channelSend", "signalUpdate", "channelClose"]
        )
    },
    optional={
        "callId": JSON,
        "channelId": JSON,
        "subscribeId": JSON,
        "endpoint": st.sampled_from(["predict", "tokenize", "counter"]) | JSON,
        "parameter": JSON,
        "result": JSON,
        "creationParameter": JSON,
        "message": JSON,
        "patches": JSON,
        "tags": JSON,
    },
)


@given(frames=st.lists(st.tuples(st.sampled_from(["to_server", "to_client"]), FIELDS), max_size=6))
@settings(max_examples=60, deadline=None)
def test_any_order_of_frames_is_judged(frames: list[tuple[Direction, Any]]) -> None:
    assert len(judged(*frames, endpoint="predict")) == len(frames)
