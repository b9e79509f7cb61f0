"""The server session's own rules: authentication, replies, what cannot be written, hostile input."""

from __future__ import annotations

import asyncio
import logging
from typing import Any, ClassVar

import pytest

from lmwire_runtime import json_codec
from lmwire_runtime.server_session import (
    AuthenticationAttempt,
    CallReceived,
    ChannelCreated,
    ChannelEvent,
)
from tests.runtime.server_host import (
    PARAMETER,
    SYSTEM,
    Host,
    answer,
    call,
    create,
    send,
)


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
