"""The server's session without I/O: what upstream's own server was observed to answer, frames in -> frames out."""

from __future__ import annotations

import asyncio
import logging
from typing import Any, ClassVar, NamedTuple

import pytest

from lmwire_runtime import json_codec
from lmwire_runtime.descriptors import VOID, ChannelDescriptor, Codec, NamespaceDescriptor, RpcDescriptor
from lmwire_runtime.server_session import (
    AuthenticationAttempt,
    CallReceived,
    ChannelCreated,
    ChannelEvent,
    ServerEvent,
    ServerSession,
)
from lmwire_runtime.wire import Decoding, Path


def _specifier(value: Any, decoding: Decoding, path: Path) -> Any:
    """A parameter as the compiler would decode it: one required string, one optional number."""
    if type(value) is not dict:
        decoding.deviation(path, "an object", value)
    if type(value.get("inputString")) is not str:
        decoding.deviation((path, "inputString"), "a string", value.get("inputString"))
    if "ttlMs" in value and type(value["ttlMs"]) is not int:
        decoding.deviation((path, "ttlMs"), "a number", value["ttlMs"])
    if decoding.strict:
        decoding.check_keys(path, value, frozenset({"inputString", "ttlMs"}))
    return value


def _packet(value: Any, decoding: Decoding, path: Path) -> Any:
    if type(value) is not dict or value.get("type") not in ("cancel", "stop"):
        decoding.deviation(path, "a packet", value)
    return value


def _bottomless(value: Any, decoding: Decoding, path: Path) -> Any:
    raise RecursionError


SPECIFIER: Codec[Any] = Codec(_specifier, lambda value: value)
OPTIONAL: Codec[Any] = Codec(_specifier, lambda value: value, presence="optional")
PACKET: Codec[Any] = Codec(_packet, lambda value: value)
ANYTHING: Codec[Any] = Codec(lambda value, decoding, path: value, lambda value: value)


def rpc(name: str, parameter: Codec[Any], result: Codec[Any] = ANYTHING) -> RpcDescriptor[Any, Any]:
    return RpcDescriptor(namespace="system", name=name, method=name, parameter=parameter, result=result)


def channel(
    name: str, creation: Codec[Any], to_server: Codec[Any] = PACKET
) -> ChannelDescriptor[Any, Any, Any]:
    return ChannelDescriptor(
        namespace="system", name=name, method=name, creation=creation, to_server=to_server, to_client=ANYTHING
    )


SYSTEM = NamespaceDescriptor(
    name="system",
    revision="test",
    rpc={
        endpoint.name: endpoint
        for endpoint in (
            rpc("version", VOID),
            rpc("notify", VOID, VOID),
            rpc("tokenize", SPECIFIER),
            rpc("surveyHardware", OPTIONAL, OPTIONAL),
            rpc("getLocalFileAbsolutePath", ANYTHING),
            rpc("bottomless", Codec(_bottomless, lambda value: value)),
        )
    },
    channel={
        endpoint.name: endpoint
        for endpoint in (
            channel("alive", VOID, VOID),
            channel("getOrLoad", SPECIFIER),
            channel("streamLogs", VOID),
            channel("unhandled", VOID),
        )
    },
)
UNHANDLED = {"getLocalFileAbsolutePath", "unhandled"}
VERSION = {"version": "0.4.99", "build": 1}


class Host:
    """A session with handlers that answer at once."""

    def __init__(self, *, warning_kinds: bool = True, authenticated: bool = True) -> None:
        self.session = ServerSession(
            SYSTEM, handled=lambda endpoint: endpoint.name not in UNHANDLED, warning_kinds=warning_kinds
        )
        self.packets: list[Any] = []
        if authenticated:
            self.session.accept()
            self.sent()

    def sent(self) -> list[dict[str, Any]]:
        frames, self.session.outgoing = self.session.outgoing, []
        return frames

    def exchange(self, *frames: Any) -> list[dict[str, Any]]:
        """Send frames; returns what comes back."""
        for frame in frames:
            self.handle(self.session.receive(frame))
        return self.sent()

    def handle(self, event: ServerEvent | None) -> None:
        if isinstance(event, CallReceived):
            self.session.answer_call(event, None if event.descriptor.name == "notify" else VERSION)
        elif isinstance(event, ChannelCreated) and event.descriptor.name == "getOrLoad":
            self.session.send_packet(event.channel_id, {"type": "alreadyLoaded"})
            self.session.close_channel(event.channel_id)
        elif isinstance(event, ChannelEvent):
            self.packets.append(event.packet)
            if event.packet == {"type": "stop"}:
                self.session.close_channel(event.channel_id)


def call(name: str, identity: Any = 1, **keys: Any) -> dict[str, Any]:
    return {"type": "rpcCall", "endpoint": name, "callId": identity, **keys}


def create(name: str, identity: Any = 1, **keys: Any) -> dict[str, Any]:
    return {"type": "channelCreate", "endpoint": name, "channelId": identity, **keys}


def send(identity: Any = 1, **keys: Any) -> dict[str, Any]:
    return {"type": "channelSend", "channelId": identity, **keys}


def answer(identity: Any = 1) -> dict[str, Any]:
    return {"type": "rpcResult", "callId": identity, "result": VERSION}


class Warned(NamedTuple):
    """Stands for a ``communicationWarning`` of this kind whose text begins so."""

    kind: str
    text: str


LOADED = [
    {"type": "channelSend", "channelId": 1, "message": {"type": "alreadyLoaded"}},
    {"type": "channelClose", "channelId": 1},
]
PARAMETER = {"inputString": "x"}

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
        [{"type": "channelClose", "channelId": 1}],
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


class TestAuthentication:
    PACKET: ClassVar[dict[str, Any]] = {"authVersion": 1, "clientIdentifier": "me", "clientPasskey": "secret"}

    @pytest.mark.parametrize(
        "change",
        [{}, {"authVersion": 1.0}, {"more": 1}, {"clientIdentifier": "x" * 256}, {"clientPasskey": ""}],
    )
    def test_a_well_formed_attempt(self, change: dict[str, Any]) -> None:
        packet = {**self.PACKET, **change}
        event = Host(authenticated=False).session.receive(packet)
        assert event == AuthenticationAttempt(packet["clientIdentifier"], packet["clientPasskey"])

    @pytest.mark.parametrize(
        "change",
        [
            {"authVersion": 2}, {"authVersion": "1"}, {"authVersion": True}, {"authVersion": None},
            {"clientIdentifier": 1}, {"clientIdentifier": None}, {"clientIdentifier": "x" * 257},
            {"clientPasskey": 1}, {"clientPasskey": "x" * 257},
        ],
    )  # fmt: skip
    def test_a_malformed_one_is_ignored_and_another_may_follow(self, change: dict[str, Any]) -> None:
        host = Host(authenticated=False)
        assert host.session.receive({**self.PACKET, **change}) is None
        assert host.session.receive({}) is None
        assert host.sent() == []
        assert isinstance(host.session.receive(self.PACKET), AuthenticationAttempt)

    def test_what_comes_before_the_answer_is_lost(self) -> None:
        host = Host(authenticated=False)
        host.session.receive(self.PACKET)
        assert host.exchange(call("version"), create("alive"), {"type": "keepAlive"}) == []
        host.session.accept()
        assert host.sent() == [{"success": True}]
        assert host.exchange(call("version")) == [answer()]

    def test_a_packet_after_the_answer_is_no_frame(self) -> None:
        host = Host()
        assert host.session.receive(self.PACKET) is None
        assert host.sent() == []

    def test_a_refusal(self) -> None:
        host = Host(authenticated=False)
        host.session.refuse("Failed to validate client")
        assert host.sent() == [{"success": False, "error": "Failed to validate client"}]
        assert host.session.receive(self.PACKET) is None


class TestReplies:
    def open(self, name: str = "alive", **keys: Any) -> Host:
        host = Host()
        assert host.exchange(create(name, **keys)) == []
        return host

    def test_packets_then_exactly_one_terminal_frame(self) -> None:
        host = self.open()
        assert host.session.send_packet(1, {"n": 1})
        host.session.close_channel(1)
        host.session.close_channel(1)
        host.session.fail_channel(1, {"title": "late"})
        assert not host.session.send_packet(1, {"n": 2})
        assert host.sent() == [
            {"type": "channelSend", "channelId": 1, "message": {"n": 1}},
            {"type": "channelClose", "channelId": 1},
        ]

    def test_an_error_is_terminal_too(self) -> None:
        host = self.open()
        host.session.fail_channel(1, {"title": "Out of memory"})
        host.session.close_channel(1)
        assert host.sent() == [{"type": "channelError", "channelId": 1, "error": {"title": "Out of memory"}}]

    def test_a_failed_call(self) -> None:
        host = Host()
        event = host.session.receive(call("version", 4))
        assert isinstance(event, CallReceived)
        host.session.fail_call(event, {"title": "No"})
        assert host.sent() == [{"type": "rpcError", "callId": 4, "error": {"title": "No"}}]

    def test_events_are_typed(self) -> None:
        host = Host()
        event = host.session.receive(create("getOrLoad", 5, creationParameter=PARAMETER))
        assert event == ChannelCreated(SYSTEM.channel["getOrLoad"], 5, PARAMETER)
        assert host.session.receive(send(5, message={"type": "cancel"})) == ChannelEvent(
            5, {"type": "cancel"}
        )
        event = host.session.receive(call("tokenize", 6, parameter=PARAMETER))
        assert event == CallReceived(SYSTEM.rpc["tokenize"], 6, PARAMETER)

    def test_an_absent_optional_result_has_no_key(self) -> None:
        host = Host()
        event = host.session.receive(call("surveyHardware"))
        assert isinstance(event, CallReceived)
        host.session.answer_call(event, None)
        assert host.sent() == [{"type": "rpcResult", "callId": 1}]


class TestWhatCannotBeWritten:
    """A handler's data may hold what JSON cannot express; nobody may wait for it for ever."""

    ERROR = ValueError("nan cannot be expressed in JSON")

    @pytest.mark.parametrize(
        ("frame", "instead"),
        [
            ({"type": "rpcResult", "callId": 1, "result": float("nan")}, {"type": "rpcError", "callId": 1}),
            ({"type": "rpcError", "callId": 1, "error": {"x": {1}}}, {"type": "rpcError", "callId": 1}),
            ({"type": "channelError", "channelId": 1, "error": {}}, {"type": "channelError", "channelId": 1}),
        ],
    )
    def test_an_answer_becomes_an_error(self, frame: dict[str, Any], instead: dict[str, Any]) -> None:
        host = Host()
        host.session.replace(frame, self.ERROR)
        told = {"title": "the server's data cannot be expressed in JSON", "cause": str(self.ERROR)}
        assert host.sent() == [{**instead, "error": told}]

    def test_a_packet_becomes_a_warning(self) -> None:
        host = Host()
        host.session.replace({"type": "channelSend", "channelId": 1, "message": {1}}, self.ERROR)
        assert [frame["kind"] for frame in host.sent()] == ["channelMessageTypeError"]


class TestHostileInput:
    def test_a_parameter_that_is_nested_beyond_reason(self) -> None:
        deep = json_codec.loads(b'{"a":' * 900 + b"1" + b"}" * 900)
        host = Host()
        [warning] = host.exchange(call("bottomless", parameter=deep))
        assert warning["kind"] == "rpcParameterTypeError"
        [warning] = host.exchange(call("version", parameter=deep))
        assert warning["kind"] == "rpcParameterTypeError"

    def test_a_parameter_that_cannot_be_quoted(self) -> None:
        [warning] = Host().exchange(call("version", parameter=float("inf")))
        assert "parameter = .... " in warning["warning"]

    def test_half_a_surrogate_pair_is_quoted(self) -> None:
        [warning] = Host().exchange(call("version", parameter="\ud83d"))
        assert "parameter = " in warning["warning"]
        assert json_codec.dumps(warning)

    def test_a_clients_warning_is_logged_short(self, caplog: pytest.LogCaptureFixture) -> None:
        Host().exchange({"type": "communicationWarning", "warning": "x" * 10_000})
        assert len(caplog.records) == 1
        assert caplog.records[0].levelno == logging.WARNING
        assert len(caplog.records[0].getMessage()) < 1000


def test_the_session_needs_no_event_loop() -> None:
    with pytest.raises(RuntimeError):
        asyncio.get_running_loop()
    assert Host().exchange(call("version")) == [answer()]
