"""The client's session without I/O: transcripts in both directions, and every rule of its module."""

from __future__ import annotations

from typing import Any

import pytest

from lmwire_runtime.errors import (
    AuthenticationError,
    CancelledError,
    ChannelError,
    ClosedError,
    ConnectionLostError,
    LMWireError,
    RefusedRequestError,
    RpcError,
    SlowConsumerError,
    UnsupportedEndpointError,
)
from lmwire_runtime.limits import Limits
from lmwire_runtime.session import WARNING_LIMIT, Call, Channel, ClientSession, Exchange
from lmwire_runtime.wire import UNSET, WarningSink

CANCEL = {"type": "cancel"}


class Peer:
    """A session under test: what it sent, what it warned of, and the frames that a server sends it."""

    def __init__(self, limits: Limits | None = None, *, authenticated: bool = True) -> None:
        self.lines: list[str] = []
        self.session = ClientSession("llm", limits=limits or Limits(), sink=WarningSink(self.lines.append))
        if authenticated:
            self.session.authenticate("me", "secret")
            self.feed({"success": True})
            self.sent()

    def feed(self, *frames: Any, size: int = 10) -> None:
        for frame in frames:
            self.session.receive(frame, size)

    def sent(self) -> list[dict[str, Any]]:
        frames, self.session.outgoing = self.session.outgoing, []
        return frames

    def paused(self) -> Channel | None:
        return self.session.paused

    def packet(self, channel: Channel, message: Any, size: int = 10) -> None:
        self.feed({"type": "channelSend", "channelId": channel.id, "message": message}, size=size)

    def warning(self, text: str, kind: str | None = None) -> None:
        frame = {"type": "communicationWarning", "warning": text}
        self.feed(frame if kind is None else {**frame, "kind": kind})


def read(exchange: Exchange) -> list[Any]:
    """Take what has arrived."""
    return [exchange.take() for _ in range(len(exchange.inbox))]


def has_ended(exchange: Exchange) -> bool:
    return exchange.ended


class TestAuthentication:
    def test_it_is_the_only_frame_until_the_answer(self) -> None:
        peer = Peer(authenticated=False)
        peer.session.authenticate("me", "secret")
        assert peer.sent() == [{"authVersion": 1, "clientIdentifier": "me", "clientPasskey": "secret"}]
        peer.feed({"success": True})
        assert peer.session.authenticated
        assert peer.session.lost is None

    @pytest.mark.parametrize(
        ("answer", "text"),
        [
            (
                {"success": False, "error": "Invalid passkey"},
                "the server refused the credentials: Invalid passkey",
            ),
            ({"success": False}, "the server refused the credentials: no reason given"),
            (
                {"success": False, "error": {"title": "x"}},
                "the server refused the credentials: no reason given",
            ),
            ({"success": "yes"}, "the server did not answer the authentication as LM Studio does"),
            ({"success": 1}, "the server did not answer the authentication as LM Studio does"),
            ({}, "the server did not answer the authentication as LM Studio does"),
            (None, "the server did not answer the authentication as LM Studio does"),
            ("true", "the server did not answer the authentication as LM Studio does"),
            ([True], "the server did not answer the authentication as LM Studio does"),
            ({"type": "welcome"}, "the server did not answer the authentication as LM Studio does"),
        ],
    )
    def test_anything_but_success_ends_the_connection(self, answer: Any, text: str) -> None:
        peer = Peer(authenticated=False)
        peer.session.authenticate("me", "secret")
        peer.feed(answer, {"success": True})
        assert isinstance(peer.session.lost, AuthenticationError)
        assert str(peer.session.lost) == text

    def test_a_second_success_is_an_oddity(self) -> None:
        peer = Peer()
        peer.feed({"success": True})
        assert peer.session.lost is None
        assert peer.lines == ["llm: a frame of no type (dict) was received and dropped"]


class TestCalls:
    def test_a_call_and_its_answer(self) -> None:
        peer = Peer()
        call = peer.session.call("tokenize", {"inputString": "x"})
        assert peer.sent() == [
            {"type": "rpcCall", "endpoint": "tokenize", "callId": call.id, "parameter": {"inputString": "x"}}
        ]
        assert not has_ended(call)
        peer.feed({"type": "rpcResult", "callId": call.id, "result": {"tokens": [1]}})
        assert call.ended
        assert call.error is None
        assert read(call) == [{"tokens": [1]}]
        assert peer.session.idle

    def test_void_has_no_key_in_either_direction(self) -> None:
        peer = Peer()
        call = peer.session.call("version")
        assert peer.sent() == [{"type": "rpcCall", "endpoint": "version", "callId": call.id}]
        peer.feed({"type": "rpcResult", "callId": call.id})
        assert read(call) == [UNSET]

    def test_a_null_parameter_and_result_are_kept_apart_from_void(self) -> None:
        peer = Peer()
        call = peer.session.call("version", None)
        assert peer.sent()[0]["parameter"] is None
        peer.feed({"type": "rpcResult", "callId": call.id, "result": None})
        assert read(call) == [None]

    def test_an_error(self) -> None:
        peer = Peer()
        call = peer.session.call("getModelInfo")
        peer.feed(
            {"type": "rpcError", "callId": call.id, "error": {"title": "No model", "suggestion": "Load one"}}
        )
        assert isinstance(call.error, RpcError)
        assert str(call.error) == f"No model [llm.getModelInfo #{call.id}]\nSuggestion: Load one"

    @pytest.mark.parametrize("error", [{}, None, "text", 5])
    def test_a_malformed_error_fails_its_own_call(self, error: Any) -> None:
        peer = Peer()
        call, other = peer.session.call("a"), peer.session.call("b")
        peer.feed({"type": "rpcError", "callId": call.id, "error": error})
        assert isinstance(call.error, RpcError)
        assert not other.ended

    def test_answers_come_in_any_order(self) -> None:
        peer = Peer()
        calls = [peer.session.call("double", number) for number in range(5)]
        for call in reversed(calls):
            peer.feed({"type": "rpcResult", "callId": call.id, "result": call.id * 10})
        assert [read(call) for call in calls] == [[call.id * 10] for call in calls]

    def test_an_integral_float_is_an_id(self) -> None:
        peer = Peer()
        call = peer.session.call("version")
        peer.feed({"type": "rpcResult", "callId": float(call.id), "result": 1})
        assert read(call) == [1]

    def test_a_second_answer_is_dropped(self) -> None:
        peer = Peer()
        call = peer.session.call("version")
        peer.feed({"type": "rpcResult", "callId": call.id, "result": 1})
        peer.feed({"type": "rpcResult", "callId": call.id, "result": 2})
        peer.feed({"type": "rpcError", "callId": call.id, "error": {"title": "late"}})
        assert read(call) == [1]
        assert call.error is None
        assert peer.lines == []


class TestChannels:
    def test_a_channel_from_creation_to_close(self) -> None:
        peer = Peer()
        channel = peer.session.open("completeRawText", {"rawPrompt": "x"}, CANCEL)
        peer.packet(channel, {"type": "fragment"})
        assert peer.session.send(channel, {"type": "more"})
        assert peer.session.send(channel)
        assert peer.sent() == [
            {
                "type": "channelCreate",
                "endpoint": "completeRawText",
                "channelId": channel.id,
                "creationParameter": {"rawPrompt": "x"},
            },
            {"type": "channelSend", "channelId": channel.id, "message": {"type": "more"}},
            {"type": "channelSend", "channelId": channel.id},
        ]
        peer.packet(channel, {"type": "success"})
        assert not has_ended(channel)
        peer.feed({"type": "channelClose", "channelId": channel.id})
        assert channel.ended
        assert channel.error is None
        assert read(channel) == [{"type": "fragment"}, {"type": "success"}]

    def test_a_void_creation_and_a_void_packet(self) -> None:
        peer = Peer()
        channel = peer.session.open("alive")
        assert peer.sent() == [{"type": "channelCreate", "endpoint": "alive", "channelId": channel.id}]
        peer.feed({"type": "channelSend", "channelId": channel.id})
        assert read(channel) == [UNSET]

    def test_an_error_comes_after_what_was_sent_before(self) -> None:
        peer = Peer()
        channel = peer.session.open("predict")
        peer.packet(channel, 1)
        peer.feed({"type": "channelError", "channelId": channel.id, "error": {"title": "Out of memory"}})
        assert channel.ended
        assert read(channel) == [1]
        assert isinstance(channel.error, ChannelError)
        assert str(channel.error) == f"Out of memory [llm.predict #{channel.id}]"

    def test_nothing_is_sent_after_the_end(self) -> None:
        peer = Peer()
        channel = peer.session.open("predict", cancel=CANCEL)
        peer.feed({"type": "channelClose", "channelId": channel.id})
        peer.sent()
        assert not peer.session.send(channel, 1)
        assert not peer.session.cancel(channel)
        peer.session.abandon(channel, CancelledError("x"))
        assert peer.sent() == []
        assert channel.error is None

    @pytest.mark.parametrize("kind", ["channelSend", "channelClose", "channelError"])
    def test_late_frames_are_dropped_quietly(self, kind: str) -> None:
        peer = Peer()
        channel = peer.session.open("predict")
        peer.feed({"type": "channelClose", "channelId": channel.id})
        peer.feed({"type": kind, "channelId": channel.id, "message": 1, "error": {"title": "late"}})
        peer.feed({"type": kind, "channelId": 999, "message": 1, "error": {"title": "nobody's"}})
        assert read(channel) == []
        assert channel.error is None
        assert peer.lines == []
        assert [frame["type"] for frame in peer.sent()] == ["channelCreate"]

    def test_waiters_are_told_of_every_change(self) -> None:
        peer = Peer()
        channel = peer.session.open("predict")
        seen: list[tuple[int, bool]] = []
        channel.on_change = lambda: seen.append((len(channel.inbox), channel.ended))
        peer.packet(channel, 1)
        peer.packet(channel, 2)
        peer.feed({"type": "channelClose", "channelId": channel.id})
        assert seen == [(1, False), (2, False), (2, True)]

    def test_a_channel_error_without_an_error_object_still_ends_it(self) -> None:
        peer = Peer()
        channel = peer.session.open("predict")
        peer.feed({"type": "channelError", "channelId": channel.id})
        assert str(channel.error) == f"Unknown error [llm.predict #{channel.id}]"

    def test_acknowledgements_are_reserved_and_ignored(self) -> None:
        peer = Peer()
        channel = peer.session.open("predict")
        peer.feed({"type": "channelAck", "channelId": channel.id, "ackId": 1}, {"type": "keepAliveAck"})
        peer.feed({"type": "channelSend", "channelId": channel.id, "message": 1, "ackId": 5})
        assert read(channel) == [1]
        assert peer.lines == []


class TestIdentities:
    def test_ids_are_never_used_again(self) -> None:
        peer = Peer()
        seen = set()
        for _ in range(50):
            call, channel = peer.session.call("version"), peer.session.open("predict")
            peer.feed(
                {"type": "rpcResult", "callId": call.id}, {"type": "channelClose", "channelId": channel.id}
            )
            seen |= {call.id, channel.id}
        assert len(seen) == 100

    def test_calls_and_channels_are_told_apart_by_the_frame_not_the_number(self) -> None:
        peer = Peer()
        call, channel = peer.session.call("version"), peer.session.open("predict")
        peer.feed({"type": "channelClose", "channelId": call.id}, {"type": "rpcResult", "callId": channel.id})
        assert not has_ended(call)
        assert not has_ended(channel)


ODD_FRAMES: list[Any] = [
    None, True, 3, 2.5, "text", [], [{"type": "rpcResult"}], {},
    {"type": None}, {"type": 7}, {"type": {}}, {"type": []}, {"type": "nonesuch"}, {"type": "nonesuch", "channelId": 1},
    {"type": "rpcResult"}, {"type": "rpcResult", "callId": None}, {"type": "rpcResult", "callId": [1]},
    {"type": "rpcResult", "callId": {}}, {"type": "rpcResult", "callId": "1"}, {"type": "rpcResult", "callId": 1.5},
    {"type": "rpcError"}, {"type": "rpcError", "callId": {}},
    {"type": "channelSend"}, {"type": "channelSend", "channelId": []}, {"type": "channelSend", "channelId": "1"},
    {"type": "channelClose"}, {"type": "channelClose", "channelId": {}},
    {"type": "channelError"}, {"type": "channelError", "channelId": [], "error": {}},
    {"type": "communicationWarning"}, {"type": "communicationWarning", "warning": 7, "kind": []},
    {"type": "signalUpdate", "subscribeId": 1, "patches": [], "tags": []}, {"type": "signalError", "subscribeId": 1},
    {"type": "keepAlive"}, {"type": "channelAck"},
]  # fmt: skip


class TestOddFrames:
    @pytest.mark.parametrize("frame", ODD_FRAMES, ids=repr)
    def test_none_of_them_hurts(self, frame: Any) -> None:
        peer = Peer()
        call, channel = peer.session.call("version"), peer.session.open("predict")
        peer.feed(frame, frame)
        assert not has_ended(call)
        assert not has_ended(channel)
        assert len(peer.lines) <= 1
        assert all(line.startswith("llm: ") and len(line) < 200 for line in peer.lines)
        peer.feed(
            {"type": "rpcResult", "callId": call.id, "result": 1},
            {"type": "channelClose", "channelId": channel.id},
        )
        assert read(call) == [1]
        assert channel.ended

    @pytest.mark.parametrize("frame", ODD_FRAMES, ids=repr)
    def test_nor_before_the_authentication(self, frame: Any) -> None:
        peer = Peer(authenticated=False)
        peer.feed(frame)
        assert not peer.session.authenticated

    def test_a_long_name_is_cut(self) -> None:
        peer = Peer()
        peer.feed({"type": "x" * 1_000_000})
        assert len(peer.lines[0]) < 200

    def test_what_cannot_be_placed_is_told_once_for_each_kind(self) -> None:
        peer = Peer()
        for _ in range(100):
            peer.feed({"type": "novelty"}, {"type": "channelSend"}, {"type": "rpcResult"})
        assert peer.lines == [
            "llm: a frame of type 'novelty' was received and dropped",
            "llm: a channelSend frame without a usable id was dropped",
            "llm: a rpcResult frame without a usable id was dropped",
        ]


# How upstream's own server words its refusals: text, the wire's kind, whether the endpoint is lacking.
CALL_REFUSALS = [
    ("Received rpcCall for unknown endpoint, endpoint = tokenize", "rpcEndpointUnknown", True),
    ("Received rpcCall for unhandled endpoint, endpoint = tokenize", "rpcEndpointUnhandled", True),
    (
        (
            'Received invalid parameter for rpcCall, endpointName = tokenize, parameter = {"text":"unknown"}.'
            " Zod error:\n\n- parameter.inputString: Required"
        ),
        "rpcParameterTypeError",
        False,
    ),
]
CHANNEL_REFUSALS = [
    ("Received channelCreate for unknown endpoint, endpoint = predict", "channelEndpointUnknown", True),
    ("Received channelCreate for unhandled endpoint, endpoint = predict", "channelEndpointUnhandled", True),
    (
        (
            "Received invalid creationParameter for channel, endpointName = predict, creationParameter ="
            ' {"a":"unhandled"}. Zod error:\n\n- creationParameter.history: Required'
        ),
        "channelCreationParameterTypeError",
        False,
    ),
]
KINDS = [True, "unknown", False]


@pytest.mark.parametrize("with_kind", KINDS, ids=["kind", "kind unknown", "no kind"])
class TestRefusals:
    def kind_of(self, kind: str, with_kind: bool | str) -> str | None:
        return kind if with_kind is True else with_kind or None

    @pytest.mark.parametrize(("text", "kind", "lacking"), CALL_REFUSALS)
    def test_of_a_call(self, text: str, kind: str, lacking: bool, with_kind: bool | str) -> None:
        peer = Peer()
        bystanders: list[Exchange] = [peer.session.call("version"), peer.session.open("predict")]
        call = peer.session.call("tokenize", {"text": "unknown"})
        peer.warning(text, self.kind_of(kind, with_kind))
        self.check(call, text, lacking)
        assert [exchange.ended for exchange in bystanders] == [False, False]
        assert peer.lines == []

    @pytest.mark.parametrize(("text", "kind", "lacking"), CHANNEL_REFUSALS)
    def test_of_a_channel(self, text: str, kind: str, lacking: bool, with_kind: bool | str) -> None:
        peer = Peer()
        bystanders: list[Exchange] = [peer.session.open("getOrLoad"), peer.session.call("predict")]
        channel = peer.session.open("predict", {"a": "unhandled"}, CANCEL)
        peer.sent()
        peer.warning(text, self.kind_of(kind, with_kind))
        self.check(channel, text, lacking)
        assert [exchange.ended for exchange in bystanders] == [False, False]
        assert peer.sent() == []  # no cancel for a channel that does not exist

    def check(self, exchange: Exchange, text: str, lacking: bool) -> None:
        assert exchange.ended
        assert isinstance(exchange.error, UnsupportedEndpointError if lacking else RefusedRequestError)
        assert text in str(exchange.error)
        assert exchange.error.request_id == exchange.id

    def test_the_oldest_of_several_is_meant(self, with_kind: bool | str) -> None:
        peer = Peer()
        calls = [peer.session.call("tokenize"), peer.session.call("tokenize")]
        text, kind, _ = CALL_REFUSALS[0]
        peer.warning(text, self.kind_of(kind, with_kind))
        assert [call.ended for call in calls] == [True, False]

    def test_the_quoted_parameter_tells_requests_apart(self, with_kind: bool | str) -> None:
        peer = Peer()
        calls = [
            peer.session.call("double", parameter)
            for parameter in (1, 12, "1", {"b": [1, "ß"], "a": None}, 2.0)
        ]
        quoted = {1: "12", 3: '{ "a": null, "b": [1.0, "\\u00df"] }', 2: '"1"', 0: "1"}
        for number, text in quoted.items():
            peer.warning(
                f"Received invalid parameter for rpcCall, endpointName = double, parameter = {text}. Zod error:\n\n- x",
                self.kind_of("rpcParameterTypeError", with_kind),
            )
            assert calls[number].ended, text
        assert not calls[4].ended

    def test_a_late_refusal_does_not_hit_the_next_request(self, with_kind: bool | str) -> None:
        peer = Peer()
        first, second = peer.session.call("tokenize", 1), peer.session.call("tokenize", 2)
        peer.session.abandon(first, CancelledError("timed out"))
        text, kind, _ = CALL_REFUSALS[0]
        peer.warning(text, self.kind_of(kind, with_kind))
        assert not second.ended
        peer.warning(text, self.kind_of(kind, with_kind))
        assert second.ended

    def test_an_answered_channel_is_not_meant(self, with_kind: bool | str) -> None:
        peer = Peer()
        first, second = peer.session.open("predict"), peer.session.open("predict")
        peer.packet(first, 1)
        text, kind, _ = CHANNEL_REFUSALS[0]
        peer.warning(text, self.kind_of(kind, with_kind))
        assert [first.ended, second.ended] == [False, True]

    @pytest.mark.parametrize("begun", [False, True])
    def test_an_unknown_channel_that_has_ended_is_a_normal_race(
        self, begun: bool, with_kind: bool | str
    ) -> None:
        peer = Peer()
        channel, other = peer.session.open("predict", cancel=CANCEL), peer.session.open("predict")
        if begun:
            peer.feed({"type": "channelClose", "channelId": channel.id})
        else:
            peer.session.abandon(channel, CancelledError("left"))
        text = f"Received channelSend for unknown channel, channelId = {channel.id}"
        peer.warning(text, self.kind_of("channelUnknown", with_kind))
        assert peer.lines == []
        assert not other.ended
        assert peer.session.warnings_received == 1

    def test_an_unknown_channel_that_is_waited_for_ends(self, with_kind: bool | str) -> None:
        peer = Peer()
        other, channel = peer.session.open("predict"), peer.session.open("predict")
        text = f"Received channelSend for unknown channel, channelId = {channel.id}"
        peer.warning(text, self.kind_of("channelUnknown", with_kind))
        assert isinstance(channel.error, RefusedRequestError)
        assert not other.ended


class TestOtherWarnings:
    @pytest.mark.parametrize(
        ("text", "kind"),
        [
            (
                "Received invalid message for channel, endpointName = predict, message = {}",
                "channelMessageTypeError",
            ),
            ("Received rpcCall for unknown endpoint, endpoint = other", "rpcEndpointUnknown"),
            ("Something about tokenize", "brandNewKind"),
            ("All is well", None),
        ],
    )
    def test_what_names_no_pending_request_is_a_line(self, text: str, kind: str | None) -> None:
        peer = Peer()
        exchanges: list[Exchange] = [peer.session.call("tokenize"), peer.session.open("predict")]
        peer.warning(text, kind)
        peer.warning(text, kind)
        assert not any(exchange.ended for exchange in exchanges)
        assert peer.lines == [f"llm: the server warns: {text}"]

    @pytest.mark.parametrize(
        "text",
        ['Unknown endpoint "tokenize"', "There is no endpoint tokenize: unknown", "tokenize is unhandled"],
    )
    def test_the_name_is_found_in_other_wordings(self, text: str) -> None:
        peer = Peer()
        call, other = peer.session.call("tokenize"), peer.session.call("token")
        peer.warning(text)
        assert isinstance(call.error, UnsupportedEndpointError)
        assert not other.ended

    def test_an_endpoint_that_is_lacking_is_asked_for_once(self) -> None:
        peer = Peer()
        peer.session.call("tokenize")
        peer.warning(*CALL_REFUSALS[0][:2])
        peer.sent()
        again, channel = peer.session.call("tokenize"), peer.session.open("tokenize")
        assert isinstance(again.error, UnsupportedEndpointError)
        assert again.ended
        assert not has_ended(channel)
        assert [frame["type"] for frame in peer.sent()] == ["channelCreate"]

    def test_a_refused_parameter_may_be_mended(self) -> None:
        peer = Peer()
        peer.session.call("tokenize", {"text": "unknown"})
        peer.warning(*CALL_REFUSALS[2][:2])
        peer.sent()
        assert not peer.session.call("tokenize", {}).ended
        assert len(peer.sent()) == 1

    def test_five_warnings_and_the_peer_is_mute(self) -> None:
        peer = Peer()
        for number in range(WARNING_LIMIT):
            assert peer.session.mute is False
            peer.warning(f"warning {number}")
        assert peer.session.mute is True
        assert peer.session.lost is None  # what is in flight goes on

    def test_a_huge_warning_is_cut(self) -> None:
        peer = Peer()
        call = peer.session.call("tokenize", "x" * 100_000)
        peer.warning(
            f'Received invalid parameter for rpcCall, endpointName = tokenize, parameter = "{"x" * 100_000}". Zod'
        )
        assert len(str(call.error)) < 3000


class TestLeavingEarly:
    def test_abandoning_asks_the_server_to_stop_once(self) -> None:
        peer = Peer()
        channel = peer.session.open("predict", cancel=CANCEL)
        peer.packet(channel, 1)
        peer.sent()
        error = CancelledError("left")
        for _ in range(3):
            peer.session.abandon(channel, error)
        assert peer.sent() == [{"type": "channelSend", "channelId": channel.id, "message": CANCEL}]
        assert channel.ended
        assert channel.error is error
        assert read(channel) == []

    def test_a_cancel_is_sent_once_and_the_channel_goes_on(self) -> None:
        peer = Peer()
        channel = peer.session.open("predict", cancel=CANCEL)
        peer.sent()
        assert peer.session.cancel(channel)
        assert peer.session.cancel(channel)
        assert len(peer.sent()) == 1
        peer.packet(channel, {"type": "success"})
        assert read(channel) == [{"type": "success"}]
        peer.session.abandon(channel, CancelledError("left"))
        assert peer.sent() == []

    def test_an_endpoint_without_a_cancel_packet(self) -> None:
        peer = Peer()
        channel = peer.session.open("alive")
        peer.sent()
        assert not peer.session.cancel(channel)
        peer.session.abandon(channel, CancelledError("left"))
        assert peer.sent() == []
        assert channel.ended

    def test_an_abandoned_channel_drains_until_its_close(self) -> None:
        peer = Peer(Limits(channel_bytes=100))
        channel = peer.session.open("predict", cancel=CANCEL)
        peer.session.abandon(channel, CancelledError("left"))
        assert peer.session.idle
        for _ in range(100):
            peer.packet(channel, "late", size=1000)
        peer.feed({"type": "channelClose", "channelId": channel.id})
        assert read(channel) == []
        assert peer.paused() is None
        assert peer.lines == []
        assert isinstance(channel.error, CancelledError)

    def test_a_released_channel_is_not_asked_to_stop(self) -> None:
        peer = Peer()
        channel = peer.session.open("predict", cancel=CANCEL)
        peer.packet(channel, {"type": "success"})
        peer.sent()
        assert read(channel)
        peer.session.release(channel)
        peer.packet(channel, "late")
        peer.feed({"type": "channelClose", "channelId": channel.id})
        assert (channel.ended, channel.error, read(channel), peer.sent()) == (True, None, [], [])

    def test_an_abandoned_call_drops_its_answer(self) -> None:
        peer = Peer()
        call = peer.session.call("version")
        error = CancelledError("timed out")
        peer.session.abandon(call, error)
        assert peer.session.idle
        peer.feed({"type": "rpcResult", "callId": call.id, "result": 1})
        assert read(call) == []
        assert call.error is error
        assert peer.lines == []

    def test_abandoned_calls_that_are_never_answered_are_forgotten(self) -> None:
        peer = Peer()
        for number in range(10_000):
            peer.session.abandon(peer.session.call("version", number), CancelledError("timed out"))
        assert len(peer.session._calls) < 100

    def test_a_request_that_was_never_sent_is_retracted_without_a_word(self) -> None:
        peer = Peer()
        channel = peer.session.open("predict", cancel=CANCEL)
        peer.sent()
        error = CancelledError("it cannot be written")
        peer.session.retract(channel, error)
        assert channel.error is error
        assert peer.sent() == []
        assert peer.session.idle


class TestLoss:
    def test_everything_that_waits_ends(self) -> None:
        peer = Peer()
        exchanges: list[Exchange] = [
            *[peer.session.call("a") for _ in range(5)],
            *[peer.session.open("b") for _ in range(5)],
        ]
        told: list[int] = []
        for exchange in exchanges:
            exchange.on_change = lambda number=exchange.id: told.append(number)
        peer.session.lose(ConnectionLostError("the connection was lost: reset"))
        assert all(exchange.ended for exchange in exchanges)
        assert told == [exchange.id for exchange in exchanges]
        errors = [exchange.error for exchange in exchanges]
        assert len(set(map(id, errors))) == len(errors)  # one each, or tracebacks would mix
        for exchange in exchanges:
            assert isinstance(exchange.error, ConnectionLostError)
            assert (
                str(exchange.error)
                == f"the connection was lost: reset [llm.{exchange.endpoint} #{exchange.id}]"
            )

    def test_what_has_arrived_stays_readable(self) -> None:
        peer = Peer()
        channel = peer.session.open("predict")
        peer.packet(channel, 1)
        peer.session.lose(ConnectionLostError("reset"))
        assert read(channel) == [1]
        assert isinstance(channel.error, ConnectionLostError)

    def test_what_has_ended_well_stays_well(self) -> None:
        peer = Peer()
        call, channel = peer.session.call("a"), peer.session.open("b")
        peer.feed(
            {"type": "rpcResult", "callId": call.id, "result": 1},
            {"type": "channelClose", "channelId": channel.id},
        )
        peer.session.lose(ConnectionLostError("reset"))
        assert (call.error, channel.error) == (None, None)

    def test_the_first_reason_counts(self) -> None:
        peer = Peer()
        first: LMWireError = ClosedError("closed by its user")
        peer.session.lose(first)
        peer.session.lose(ConnectionLostError("reset"))
        assert peer.session.lost is first

    def test_nothing_is_sent_or_replayed(self) -> None:
        peer = Peer()
        channel = peer.session.open("predict", cancel=CANCEL)
        peer.session.lose(ConnectionLostError("reset"))
        peer.session.abandon(channel, CancelledError("left"))
        assert peer.sent() == []

    def test_a_loss_ends_a_pause(self) -> None:
        peer = Peer(Limits(channel_bytes=100))
        channel = peer.session.open("predict")
        peer.packet(channel, 1, size=1000)
        assert peer.paused() is channel
        peer.session.lose(ConnectionLostError("reset"))
        assert peer.paused() is None


class TestBudgets:
    """Bytes on the wire, received but not yet taken, of each channel and of all of them."""

    def make(self, count: int = 2) -> tuple[Peer, list[Channel]]:
        peer = Peer(Limits(channel_bytes=100, connection_bytes=250))
        return peer, [peer.session.open(f"channel{number}", cancel=CANCEL) for number in range(count)]

    def test_one_channel_over_its_budget_pauses_reading(self) -> None:
        peer, (one, two) = self.make()
        peer.packet(two, 1, size=50)
        peer.packet(one, 1, size=100)
        assert peer.paused() is None
        peer.packet(one, 2, size=1)
        assert peer.paused() is one
        assert peer.session.buffered(one) == 101

    def test_taking_resumes_it(self) -> None:
        peer, (one, _) = self.make()
        for number in range(3):
            peer.packet(one, number, size=40)
        assert peer.paused() is one
        assert one.take() == 0
        peer.session.check_budgets()
        assert peer.paused() is None
        peer.packet(one, 3, size=20)
        assert peer.paused() is None
        peer.packet(one, 4, size=1)
        assert peer.paused() is one

    def test_many_small_channels_share_the_connections_budget(self) -> None:
        peer, channels = self.make(4)
        for number, channel in enumerate(channels):
            peer.packet(channel, 1, size=65 + number)
        assert peer.paused() is channels[-1]  # the largest

    def test_calls_do_not_count(self) -> None:
        peer, _ = self.make()
        call = peer.session.call("listLoaded")
        peer.feed({"type": "rpcResult", "callId": call.id, "result": 1}, size=10_000)
        assert peer.paused() is None

    def test_a_reader_that_keeps_up_is_never_paused(self) -> None:
        peer, (one, _) = self.make()
        for number in range(1000):
            peer.packet(one, number, size=90)
            assert peer.paused() is None
            assert one.take() == number

    def test_the_stalled_channel_alone_is_given_up(self) -> None:
        peer, (one, two) = self.make()
        peer.packet(two, "kept", size=10)
        peer.packet(one, 1, size=200)
        peer.sent()
        peer.session.drop_stalled(30)
        assert isinstance(one.error, SlowConsumerError)
        assert one.error.buffered_bytes == 200
        assert "200 bytes lay unread for 30 s" in str(one.error)
        assert read(one) == []
        assert peer.sent() == [{"type": "channelSend", "channelId": one.id, "message": CANCEL}]
        assert peer.paused() is None
        assert not two.ended
        assert read(two) == ["kept"]

    def test_the_next_largest_is_looked_at_afterwards(self) -> None:
        peer, channels = self.make(4)
        for channel in channels:
            peer.packet(channel, 1, size=99)
        peer.packet(channels[0], 2, size=500)
        assert peer.paused() is channels[0]
        peer.session.drop_stalled(1)
        assert peer.paused() is channels[1]

    @pytest.mark.parametrize("kind", ["channelClose", "channelError"])
    def test_what_has_ended_keeps_nobody_waiting_and_loses_nothing(self, kind: str) -> None:
        peer, (one, _) = self.make()
        peer.packet(one, 1, size=500)
        peer.feed({"type": kind, "channelId": one.id, "error": {"title": "over"}})
        assert peer.paused() is None
        peer.session.drop_stalled(1)
        assert read(one) == [1]
        assert not isinstance(one.error, SlowConsumerError)

    @pytest.mark.parametrize("leave", ["abandon", "release"])
    def test_leaving_the_full_channel_resumes_reading(self, leave: str) -> None:
        peer, (one, _) = self.make()
        peer.packet(one, 1, size=500)
        if leave == "abandon":
            peer.session.abandon(one, CancelledError("left"))
        else:
            peer.session.release(one)
        assert peer.paused() is None

    def test_taking_from_an_emptied_inbox_says_so(self) -> None:
        """The housekeeping thread may give a channel up while its reader is about to take."""
        peer, (one, _) = self.make()
        peer.packet(one, 1, size=500)
        peer.session.drop_stalled(1)
        with pytest.raises(IndexError):
            one.take()


def test_the_kinds_of_exchange() -> None:
    peer = Peer()
    assert type(peer.session.call("a")) is Call
    assert type(peer.session.open("a")) is Channel
    assert not peer.session.idle
