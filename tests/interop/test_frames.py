"""The judge of frames judges: what fits passes, and each kind of fault is found."""

from __future__ import annotations

import json
from typing import Any

import attrs
import pytest

from lmwire import llm
from tests.interop.frames import FrameTap, Traffic, same

AUTHENTICATION = {"authVersion": 1, "clientIdentifier": "guest:x", "clientPasskey": "REDACTED"}
ACCEPTED = {"success": True}
SPECIFIER = {"type": "query", "query": {"identifier": "m"}}
COUNT: dict[str, Any] = {
    "type": "rpcCall",
    "endpoint": "countTokens",
    "callId": 1,
    "parameter": {"specifier": SPECIFIER, "inputString": "x"},
}
COUNTED = {"type": "rpcResult", "callId": 1, "result": {"tokenCount": 1}}
STACK = {
    "layers": [
        {
            "layerName": "apiOverride",
            "config": {"fields": [{"key": "llm.prediction.topKSampling", "value": 10.0}]},
        }
    ]
}
COMPLETE = {
    "type": "channelCreate",
    "endpoint": "completeRawText",
    "channelId": 1,
    "creationParameter": {"modelSpecifier": SPECIFIER, "rawPrompt": "x", "predictionConfigStack": STACK},
}
CANCEL = {"type": "channelSend", "channelId": 1, "message": {"type": "cancel"}}
CLOSE = {"type": "channelClose", "channelId": 1}


def heard(*frames: tuple[bool, Any], namespace: str = "llm") -> Traffic:
    """What is made of these frames, each with whether the client sent it."""
    tap = FrameTap()
    for from_client, data in frames:
        tap("received" if from_client else "sent", namespace, json.dumps(data).encode())
    return tap.traffic()


def after_handshake(*frames: tuple[bool, Any]) -> Traffic:
    return heard((True, AUTHENTICATION), (False, ACCEPTED), *frames)


def test_what_fits_passes() -> None:
    traffic = after_handshake(
        (True, COUNT), (True, COMPLETE), (False, COUNTED), (True, CANCEL), (False, CLOSE), (True, COMPLETE)
    )
    traffic.check()
    assert traffic.endpoints() == ["llm/countTokens", "llm/completeRawText", "llm/completeRawText"]
    assert traffic.connections[0].sent_by_client() == [COUNT, COMPLETE, CANCEL, COMPLETE]


def test_each_authentication_begins_a_connection() -> None:
    traffic = after_handshake(
        (True, COUNT), (True, AUTHENTICATION), (False, ACCEPTED), (True, COUNT), (False, COUNTED)
    )
    traffic.check()
    assert traffic.namespaces() == ["llm", "llm"]


@pytest.mark.parametrize(
    ("frames", "fault"),
    [
        ([(True, {"type": "rpcCall", "endpoint": "countTokens"})], "/callId"),
        ([(True, {**COUNT, "extra": 1})], "no such key"),
        (
            [(True, {**COUNT, "parameter": {"specifier": SPECIFIER}})],
            "parameter of countTokens does not decode",
        ),
        ([(True, {**COUNT, "parameter": {**COUNT["parameter"], "typo": 1}})], "no such key"),
        ([(True, {**COUNT, "endpoint": "nonesuch"})], "a call that the schema does not have"),
        ([(True, {**COMPLETE, "endpoint": "nonesuch"})], "a channel that the schema does not have"),
        ([(True, COUNT), (True, COUNT)], "still open"),
        ([(True, COMPLETE), (True, COMPLETE)], "still open"),
        ([(False, COUNTED)], "answers no open call"),
        ([(False, CLOSE)], "belongs to no open channel"),
        ([(True, COMPLETE), (False, CLOSE), (True, CANCEL)], "belongs to no open channel"),
        ([(True, COMPLETE), (True, {**CANCEL, "message": {"type": "stop"}})], "message of completeRawText"),
        ([(True, COMPLETE), (False, CANCEL)], "message of completeRawText"),
        ([(True, COUNT), (False, {**COUNTED, "result": {"tokenCount": 1.5}})], "result of countTokens"),
        ([(True, {"type": "signalSubscribe", "endpoint": "x", "subscribeId": 1})], "no public endpoint"),
        ([(True, {"type": "nonesuch"})], "a member of ClientFrame"),
        ([(False, COUNT)], "a member of ServerFrame"),
        ([(True, "text")], "does not decode"),
    ],
)
def test_each_fault_is_found(frames: list[tuple[bool, Any]], fault: str) -> None:
    traffic = after_handshake(*frames)
    assert len(traffic.problems) == 1
    assert fault in traffic.problems[0].fault
    with pytest.raises(AssertionError):
        traffic.check()


@pytest.mark.parametrize(
    "frames",
    [
        [(True, COUNT)],
        [(True, {**AUTHENTICATION, "authVersion": 2})],
        [(True, AUTHENTICATION), (True, COUNT)],
        [(True, AUTHENTICATION), (False, {"success": False})],
    ],
)
def test_each_fault_of_the_handshake_is_found(frames: list[tuple[bool, Any]]) -> None:
    assert len(heard(*frames).problems) == 1


def test_warnings_have_to_be_those_that_are_expected() -> None:
    traffic = after_handshake(
        (True, {"type": "communicationWarning", "warning": "odd"}),
        (False, {"type": "communicationWarning", "warning": "no such thing"}),
    )
    traffic.check(["client: odd", "no such"])
    for others in ([], ["client: odd"], ["no such", "client: odd"]):
        with pytest.raises(AssertionError):
            traffic.check(others)


def test_what_may_be_left_out_is_told_from_what_may_not() -> None:
    packet = {"type": "fragment", "fragment": {"content": "", "tokensCount": 1, "reasoningType": "none"}}
    sent = {"type": "channelSend", "channelId": 1, "message": packet}
    tap = FrameTap()
    for from_client, data in ((True, AUTHENTICATION), (False, ACCEPTED), (True, COMPLETE), (False, sent)):
        tap("received" if from_client else "sent", "llm", json.dumps(data).encode())
    (problem,) = tap.traffic([("LlmPredictionFragment", "isStructural")]).problems
    assert "containsDrafted" in problem.fault
    lacking = [("LlmPredictionFragment", "isStructural"), ("LlmPredictionFragment", "containsDrafted")]
    traffic = tap.traffic([*lacking, ("LlmPredictionFragment", "content")])
    traffic.check()
    assert traffic.omitted == {*lacking}


def test_what_encoding_changes_is_found() -> None:
    count_tokens = llm.NAMESPACE.rpc["countTokens"]
    forgetful = attrs.evolve(
        count_tokens, parameter=attrs.evolve(count_tokens.parameter, encoder=lambda value: {"specifier": {}})
    )
    namespace = attrs.evolve(llm.NAMESPACE, rpc={"countTokens": forgetful})
    tap = FrameTap()
    for from_client, data in ((True, AUTHENTICATION), (False, ACCEPTED), (True, COUNT)):
        tap("received" if from_client else "sent", "llm", json.dumps(data).encode())
    assert "is changed by decoding and encoding" in tap.traffic(namespaces=[namespace]).problems[0].fault


def test_silence_is_no_success() -> None:
    with pytest.raises(AssertionError, match="no frames"):
        heard().check()


def test_numbers_are_equal_by_value_and_to_nothing_else() -> None:
    assert same({"a": [10, 1.0]}, {"a": [10.0, 1]})
    for other in (True, "1", None, [1], {"a": 1}):
        assert not same(1, other)
    assert not same({"a": 1}, {"a": 1, "b": None})
    assert not same([1, 2], [2, 1])
