"""How exchanges end: left early, lost with their connection, or given up because nobody reads."""

from __future__ import annotations

import pytest

from lmwire_runtime.errors import (
    CancelledError,
    ClosedError,
    ConnectionLostError,
    LMWireError,
    SlowConsumerError,
)
from lmwire_runtime.limits import Limits
from lmwire_runtime.session import Channel, Exchange
from tests.runtime.session_peer import CANCEL, Peer, read


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
        assert len(peer.session.calls) < 100

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
