"""The client's session without I/O: transcripts in both directions, and every rule of its module."""

from __future__ import annotations

from typing import Any

import pytest

from lmwire_runtime.errors import (
    AuthenticationError,
    CancelledError,
    ChannelError,
    RpcError,
)
from lmwire_runtime.session import Call, Channel
from lmwire_runtime.wire import UNSET
from tests.runtime.session_peer import CANCEL, Peer, has_ended, read


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
        assert str(peer.session.lost).startswith(text)

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
    def test_late_frames_are_dropped_and_the_server_is_told(self, kind: str) -> None:
        peer = Peer()
        channel = peer.session.open("predict")
        peer.feed({"type": "channelClose", "channelId": channel.id})
        peer.feed({"type": kind, "channelId": channel.id, "message": 1, "error": {"title": "late"}})
        peer.feed({"type": kind, "channelId": 999, "message": 1, "error": {"title": "nobody's"}})
        assert read(channel) == []
        assert channel.error is None
        assert peer.lines == []
        assert [frame.get("warning") for frame in peer.sent()] == [
            None,
            f"Received {kind} for unknown channel, channelId = {channel.id}",
            f"Received {kind} for unknown channel, channelId = 999",
        ]

    def test_whoever_waits_is_told_of_one_change_and_may_wait_again(self) -> None:
        peer = Peer()
        channel = peer.session.open("predict")
        seen: list[tuple[int, bool]] = []

        def wait() -> None:
            channel.on_change = lambda: seen.append((len(channel.inbox), channel.ended))

        wait()
        peer.packet(channel, 1)
        peer.packet(channel, 2)
        assert seen == [(1, False)]
        wait()
        peer.feed({"type": "channelClose", "channelId": channel.id})
        assert seen == [(1, False), (2, True)]

    def test_a_channel_error_without_an_error_object_still_ends_it(self) -> None:
        peer = Peer()
        channel = peer.session.open("predict")
        peer.feed({"type": "channelError", "channelId": channel.id})
        assert str(channel.error) == f"Unknown error [llm.predict #{channel.id}]"

    def test_answers_that_nobody_waits_for_are_ignored(self) -> None:
        peer = Peer()
        channel = peer.session.open("predict")
        peer.sent()
        peer.feed({"type": "channelAck", "channelId": channel.id, "ackId": 1}, {"type": "keepAliveAck"})
        assert peer.sent() == []
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


def test_the_kinds_of_exchange() -> None:
    peer = Peer()
    assert type(peer.session.call("a")) is Call
    assert type(peer.session.open("a")) is Channel
    assert not peer.session.idle
