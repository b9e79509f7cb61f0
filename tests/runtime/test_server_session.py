"""The server's session without I/O: what upstream's own server was observed to answer, frames in -> frames out."""

from __future__ import annotations

from typing import Any, NamedTuple

import pytest

from tests.runtime.server_host import (
    PARAMETER,
    Host,
    answer,
    call,
    create,
    send,
)


class Warned(NamedTuple):
    """Stands for a ``communicationWarning`` of this kind whose text begins so."""

    kind: str
    text: str


LOADED = [
    {"type": "channelSend", "channelId": 1, "message": {"type": "alreadyLoaded"}},
    {"type": "channelClose", "channelId": 1},
]

# The titles are those of observed.md.
OBSERVED: list[tuple[str, list[Any], list[Any]]] = [
    ("keepAlive", [{"type": "keepAlive"}], [{"type": "keepAliveAck"}]),
    ("a void call without parameter", [call("version")], [answer()]),
    (
        "a void call with parameter null",
        [call("version", parameter=None)],
        [
            Warned(
                "rpcParameterTypeError",
                "Received invalid parameter for rpcCall, endpointName = version, parameter = null. ",
            )
        ],
    ),
    (
        "a void call with parameter {}",
        [call("version", parameter={})],
        [
            Warned(
                "rpcParameterTypeError",
                "Received invalid parameter for rpcCall, endpointName = version, parameter = {}. ",
            )
        ],
    ),
    (
        "a void channel with creationParameter null",
        [create("alive", creationParameter=None)],
        [
            Warned(
                "channelCreationParameterTypeError",
                "Received invalid creationParameter for channel, endpointName = alive, creationParameter = null. ",
            )
        ],
    ),
    (
        "null for an optional field",
        [create("getOrLoad", creationParameter={"inputString": "x", "ttlMs": None})],
        [
            Warned(
                "channelCreationParameterTypeError",
                "Received invalid creationParameter for channel, endpointName = getOrLoad, creationParameter ="
                ' {"inputString":"x","ttlMs":null}. ',
            )
        ],
    ),
    (
        "an invalid parameter",
        [call("tokenize", parameter={"specifier": {"type": "query"}})],
        [
            Warned(
                "rpcParameterTypeError",
                "Received invalid parameter for rpcCall, endpointName = tokenize, parameter ="
                ' {"specifier":{"type":"query"}}. ',
            )
        ],
    ),
    (
        "a parameter that is absent",
        [call("tokenize")],
        [
            Warned(
                "rpcParameterTypeError",
                "Received invalid parameter for rpcCall, endpointName = tokenize, parameter = undefined. ",
            )
        ],
    ),
    (
        "an unknown call",
        [call("nonesuch", parameter={})],
        [Warned("rpcEndpointUnknown", "Received rpcCall for unknown endpoint, endpoint = nonesuch")],
    ),
    (
        "a handled name with no handler",
        [call("getLocalFileAbsolutePath", parameter={"fileName": "x"})],
        [
            Warned(
                "rpcEndpointUnhandled",
                "Received rpcCall for unhandled endpoint, endpoint = getLocalFileAbsolutePath",
            )
        ],
    ),
    (
        "an unknown channel endpoint",
        [create("nonesuch")],
        [Warned("channelEndpointUnknown", "Received channelCreate for unknown endpoint, endpoint = nonesuch")],
    ),
    (
        "a channel endpoint with no handler",
        [create("unhandled")],
        [Warned("channelEndpointUnhandled", "Received channelCreate for unhandled endpoint, endpoint = unhandled")],
    ),
    (
        "six unknown calls (at most five warnings a connection)",
        [call("nonesuch", number) for number in range(6)],
        [Warned("rpcEndpointUnknown", "Received rpcCall for unknown endpoint, endpoint = nonesuch")] * 5,
    ),
    (
        "an unknown type; no channelId; a fractional callId; then a good call",
        [{"type": "nonesuch"}, {"type": "channelCreate", "endpoint": "alive"}, call("version", 1.5), call("version")],
        [answer()],
    ),
    ("a negative callId, twice the same callId", [call("version", -5)] * 2, [answer(-5)] * 2),
    ("an integral callId", [call("version", 3.0)], [answer(3)]),
    ("a call and a channel with the same id", [create("alive", 7), call("version", 7)], [answer(7)]),
    (
        "a channel id that is already open",
        [create("alive"), create("alive")],
        [Warned("channelAlreadyOpen", "Received channelCreate for already open channel, channelId = 1")],
    ),
    (
        "cancel to a channel that has closed",
        [create("getOrLoad", creationParameter=PARAMETER), send(message={"type": "cancel"})],
        [*LOADED, Warned("channelUnknown", "Received channelSend for unknown channel, channelId = 1")],
    ),
    (
        "the same channelId again after it closed",
        [create("getOrLoad", creationParameter=PARAMETER)] * 2,
        LOADED * 2,
    ),
    (
        "a channelSend with an ackId",
        [create("streamLogs"), send(ackId=9, message={"type": "stop"})],
        # Upstream's server leaves the acknowledgement out.
        [{"type": "channelAck", "channelId": 1, "ackId": 9}, {"type": "channelClose", "channelId": 1}],
    ),
    ("a channelSend with an odd ackId", [create("streamLogs"), send(ackId="9", message={"type": "stop"})], []),
    (
        "a packet that does not fit",
        [create("streamLogs"), send(message={"type": "nonesuch"}), send(message={"type": "stop"})],
        [
            Warned(
                "channelMessageTypeError",
                'Received invalid message for channel, endpointName = streamLogs, message = {"type":"nonesuch"}. ',
            ),
            {"type": "channelClose", "channelId": 1},
        ],
    ),
    ("a void packet", [create("alive"), send()], []),
    (
        "a packet where void is due",
        [create("alive"), send(message=None)],
        [
            Warned(
                "channelMessageTypeError",
                "Received invalid message for channel, endpointName = alive, message = null. ",
            )
        ],
    ),
    ("an extra key", [call("tokenize", parameter={**PARAMETER, "identifer": "typo"})], [answer()]),
    ("extra keys in the frame", [{**call("version"), "more": 1}], [answer()]),
    ("an optional parameter, absent", [call("surveyHardware")], [answer()]),
    (
        "an optional parameter, null",
        [call("surveyHardware", parameter=None)],
        [
            Warned(
                "rpcParameterTypeError",
                "Received invalid parameter for rpcCall, endpointName = surveyHardware, parameter = null. ",
            )
        ],
    ),
    ("a void result", [call("notify")], [{"type": "rpcResult", "callId": 1}]),
    ("an acknowledgement", [create("alive"), {"type": "channelAck", "channelId": 1, "ackId": 0}], []),
    (
        "an acknowledgement for no channel",
        [{"type": "channelAck", "channelId": 1, "ackId": 0}],
        [Warned("channelUnknown", "Received channelAck for unknown channel, channelId = 1")],
    ),
    ("an acknowledgement without ackId", [{"type": "channelAck", "channelId": 1}], []),
    (
        "signal of an unknown endpoint",
        [{"type": "signalSubscribe", "endpoint": "nonesuch", "subscribeId": 1}],
        [Warned("signalEndpointUnknown", "Received signalSubscribe for unknown endpoint, endpoint = nonesuch")],
    ),
    (
        "writable signal of an unknown endpoint",
        [{"type": "writableSignalSubscribe", "endpoint": "nonesuch", "subscribeId": 1}],
        [
            Warned(
                "writableSignalEndpointUnknown",
                "Received writableSignalSubscribe for unknown endpoint, endpoint = nonesuch",
            )
        ],
    ),
    (
        "writable signal, an unknown subscription",
        [{"type": "writableSignalUpdate", "subscribeId": 9, "patches": [], "tags": ["x"]}],
        [
            Warned(
                "writableSignalUnknown", "Received writableSignalUpdate for unknown subscription, subscribeId = 9"
            )
        ],
    ),
    ("writable signal, no tags key", [{"type": "writableSignalUpdate", "subscribeId": 1, "patches": []}], []),
    (
        "writable signal, odd tags",
        [{"type": "writableSignalUpdate", "subscribeId": 1, "patches": [], "tags": [1]}],
        [],
    ),
    ("unsubscribe of none", [{"type": "signalUnsubscribe", "subscribeId": 99}], []),
    ("a client's warning", [{"type": "communicationWarning", "warning": "x", "kind": "rpcUnknown"}], []),
]  # fmt: skip


def matches(frame: dict[str, Any], expected: Any, *, with_kind: bool) -> bool:
    if not isinstance(expected, Warned):
        return bool(frame == expected)
    keys = {"type", "warning", "kind"} if with_kind else {"type", "warning"}
    return (
        set(frame) == keys
        and frame["type"] == "communicationWarning"
        and frame.get("kind", expected.kind) == expected.kind
        and frame["warning"].startswith(expected.text)
    )


@pytest.mark.parametrize("with_kind", [True, False], ids=["kind", "no kind"])
@pytest.mark.parametrize(
    ("frames", "expected"), [row[1:] for row in OBSERVED], ids=[row[0] for row in OBSERVED]
)
def test_what_upstreams_server_was_observed_to_answer(
    frames: list[Any], expected: list[Any], with_kind: bool
) -> None:
    received = Host(warning_kinds=with_kind).exchange(*frames)
    assert len(received) == len(expected), received
    for frame, wanted in zip(received, expected, strict=True):
        assert matches(frame, wanted, with_kind=with_kind), (frame, wanted)


WRONG: list[Any] = [None, "1", [], {}, True, 1.5, float("inf"), float("nan")]
ODD: list[Any] = [
    None, True, 1, "x", [], {}, {"type": None}, {"type": []}, {"type": {}}, {"type": 1},
    *[
        {**frame, key: value}
        for frame in (call("version"), create("alive"), send(), {"type": "channelAck", "channelId": 1, "ackId": 1})
        for key in frame if key != "type"
        for value in WRONG if not (key == "endpoint" and isinstance(value, str))
    ],
    *[{"type": kind} for kind in (
        "rpcCall", "channelCreate", "channelSend", "channelAck", "signalSubscribe", "writableSignalSubscribe",
        "writableSignalUpdate", "signalUnsubscribe", "writableSignalUnsubscribe", "communicationWarning",
    )],
]  # fmt: skip


@pytest.mark.parametrize("authenticated", [True, False])
@pytest.mark.parametrize("frame", ODD, ids=repr)
def test_frames_that_are_not_understood_are_dropped_without_a_word(frame: Any, authenticated: bool) -> None:
    host = Host(authenticated=authenticated)
    assert host.exchange(frame, frame) == []
    if authenticated:
        assert host.exchange(call("version")) == [answer()]
