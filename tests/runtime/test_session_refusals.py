"""The warnings of a server: which pending request each ends, and when a server has gone mute."""

from __future__ import annotations

import pytest

from lmwire_runtime.errors import (
    CancelledError,
    RefusedRequestError,
    UnsupportedEndpointError,
)
from lmwire_runtime.session import WARNING_LIMIT, Exchange
from tests.runtime.session_peer import CANCEL, Peer, has_ended

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
        text, kind, _ = CALL_REFUSALS[2]
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
        text, kind, _ = CALL_REFUSALS[2]
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

    def test_all_who_wait_for_a_lacking_endpoint_are_told(self) -> None:
        """The server warns five times and no more: with six waiting, one would wait for ever."""
        peer = Peer()
        calls = [peer.session.call("tokenize", {"number": number}) for number in range(6)]
        channel = peer.session.open("tokenize")
        for _ in range(WARNING_LIMIT):
            peer.warning(*CALL_REFUSALS[0][:2])
        assert [type(call.error) for call in calls] == [UnsupportedEndpointError] * 6
        assert not channel.ended
        assert peer.lines == []

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
