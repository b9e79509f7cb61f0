"""Acknowledgements, keep-alive frames, and the warnings that a client sends."""

from __future__ import annotations

from typing import Any

import pytest

from lmwire_runtime.errors import CancelledError, ChannelError, ConnectionLostError, IncompleteError
from tests.runtime.session_peer import Peer, has_ended, read


class TestAcknowledgements:
    @pytest.mark.parametrize("ack_id", [0, 5, 5.0])
    def test_a_packet_that_asks_for_it_is_acknowledged(self, ack_id: Any) -> None:
        peer = Peer()
        channel = peer.session.open("predict")
        peer.packet(channel, "first")
        peer.sent()
        peer.feed({"type": "channelSend", "channelId": channel.id, "message": "second", "ackId": ack_id})
        assert peer.sent() == [{"type": "channelAck", "channelId": channel.id, "ackId": ack_id}]
        assert read(channel) == ["first", "second"]

    @pytest.mark.parametrize("ack_id", [None, "1", 1.5, True])
    def test_an_odd_ack_id_is_not(self, ack_id: Any) -> None:
        peer = Peer()
        channel = peer.session.open("predict")
        peer.sent()
        peer.feed({"type": "channelSend", "channelId": channel.id, "message": 1, "ackId": ack_id})
        assert peer.sent() == []
        assert read(channel) == [1]

    def test_also_when_nobody_reads_any_more(self) -> None:
        peer = Peer()
        channel = peer.session.open("predict")
        peer.session.abandon(channel, CancelledError("enough"))
        peer.sent()
        peer.feed({"type": "channelSend", "channelId": channel.id, "message": 1, "ackId": 7})
        assert peer.sent() == [{"type": "channelAck", "channelId": channel.id, "ackId": 7}]

    def test_the_server_acknowledges_ours(self) -> None:
        peer = Peer()
        channel = peer.session.open("predict")
        first = peer.session.receipts.send(channel, "a")
        second = peer.session.receipts.send(channel, "b")
        frames = peer.sent()[1:]
        assert [frame["message"] for frame in frames] == ["a", "b"]
        assert frames[0]["ackId"] != frames[1]["ackId"]
        peer.feed({"type": "channelAck", "channelId": channel.id, "ackId": frames[1]["ackId"]})
        assert (has_ended(first), has_ended(second), second.error) == (False, True, None)
        peer.feed({"type": "channelAck", "channelId": channel.id, "ackId": frames[1]["ackId"]})
        assert not has_ended(first)
        peer.feed({"type": "channelClose", "channelId": channel.id})
        assert isinstance(first.error, IncompleteError)

    def test_they_end_with_their_channel(self) -> None:
        peer = Peer()
        channel, other = peer.session.open("predict"), peer.session.open("predict")
        waiting, elsewhere = (peer.session.receipts.send(which, 1) for which in (channel, other))
        peer.feed({"type": "channelError", "channelId": channel.id, "error": {"title": "broken"}})
        assert isinstance(waiting.error, ChannelError)
        assert not has_ended(elsewhere)
        peer.session.lose(ConnectionLostError("gone"))
        assert isinstance(elsewhere.error, ConnectionLostError)
        late = peer.session.receipts.send(channel, 1)
        assert isinstance(late.error, IncompleteError)

    def test_nobody_elses_channel_acknowledges(self) -> None:
        peer = Peer()
        channel, other = peer.session.open("predict"), peer.session.open("predict")
        waiting = peer.session.receipts.send(channel, 1)
        peer.feed({"type": "channelAck", "channelId": other.id, "ackId": waiting.id})
        assert not has_ended(waiting)


class TestKeepAlive:
    def test_answers_end_them_in_order(self) -> None:
        peer = Peer()
        first, second = peer.session.receipts.keep_alive(), peer.session.receipts.keep_alive()
        assert peer.sent() == [{"type": "keepAlive"}] * 2
        peer.feed({"type": "keepAliveAck"})
        assert (has_ended(first), has_ended(second)) == (True, False)
        peer.feed({"type": "keepAliveAck"}, {"type": "keepAliveAck"})
        assert has_ended(second)
        assert peer.lines == []
        assert peer.session.idle

    def test_they_end_with_the_connection(self) -> None:
        peer = Peer()
        probe = peer.session.receipts.keep_alive()
        peer.session.lose(ConnectionLostError("gone"))
        assert isinstance(probe.error, ConnectionLostError)


class TestComplaints:
    @pytest.mark.parametrize(
        ("frame", "kind"),
        [
            ({"type": "channelSend", "channelId": 9, "message": 1}, "channelUnknown"),
            ({"type": "channelClose", "channelId": 9}, "channelUnknown"),
            ({"type": "channelError", "channelId": 9, "error": {}}, "channelUnknown"),
            ({"type": "channelAck", "channelId": 9, "ackId": 1}, "channelUnknown"),
            ({"type": "rpcResult", "callId": 9}, "rpcUnknown"),
            ({"type": "rpcError", "callId": 9, "error": {}}, "rpcUnknown"),
        ],
        ids=lambda part: part["type"] if isinstance(part, dict) else part,
    )
    def test_frames_that_nothing_waits_for(self, frame: dict[str, Any], kind: str) -> None:
        peer = Peer()
        peer.feed(frame)
        (warning,) = peer.sent()
        assert warning["kind"] == kind
        assert str(frame["type"]) in warning["warning"]
        assert warning["warning"].endswith("Id = 9")

    def test_there_are_five_at_most(self) -> None:
        peer = Peer()
        for _ in range(20):
            peer.feed({"type": "rpcResult", "callId": 9})
        assert len(peer.sent()) == 5

    def test_none_before_the_authentication(self) -> None:
        peer = Peer(authenticated=False)
        peer.feed({"type": "channelClose", "channelId": 9})
        assert peer.sent() == []

    def test_what_was_given_up_and_forgotten_is_no_mistake_of_the_server(self) -> None:
        peer = Peer()
        channels = [peer.session.open("predict") for _ in range(200)]
        for channel in channels:
            peer.session.abandon(channel, CancelledError("enough"))
        peer.sent()
        for channel in channels:
            peer.packet(channel, 1)
            peer.feed({"type": "channelClose", "channelId": channel.id})
        assert peer.sent() == []
