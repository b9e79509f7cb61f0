"""A client's and a server's session back to back, without I/O: as frames, and as bytes cut anywhere."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any, Protocol

import pytest

from lmwire_runtime import json_codec
from lmwire_runtime.connection import LinkCore, Settings
from lmwire_runtime.credentials import Credentials
from lmwire_runtime.descriptors import EndpointDescriptor
from lmwire_runtime.errors import (
    AuthenticationError,
    CancelledError,
    ChannelError,
    ConnectionLostError,
    RefusedRequestError,
    RpcError,
    UnsupportedEndpointError,
    UsageError,
)
from lmwire_runtime.exchanges import Call, Channel, Exchange
from lmwire_runtime.limits import Limits
from lmwire_runtime.server_session import (
    AuthenticationAttempt,
    CallReceived,
    ChannelCreated,
    ChannelEvent,
    ServerSession,
)
from lmwire_runtime.session import WARNING_LIMIT, ClientSession
from lmwire_runtime.transport import ClientTransport, ServerTransport
from lmwire_runtime.wire import Decoding, WarningSink
from tests.runtime.arithmetic import ARITHMETIC

CANCEL = {"type": "cancel"}


def handled(endpoint: EndpointDescriptor) -> bool:
    return endpoint.name != "unhandled"


class Wire(Protocol):
    """What carries frames between the two."""

    client: ClientSession
    server: ServerSession
    lines: list[str]

    def carry(self, take: Callable[[Any], None]) -> bool:
        """Move what both have queued; server-side events go to ``take``. Returns whether anything moved."""
        ...


class FrameWire:
    """JSON text, whole frames."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.client = ClientSession("arithmetic", limits=Limits(), sink=WarningSink(self.lines.append))
        self.server = ServerSession(ARITHMETIC, handled=handled)

    def carry(self, take: Callable[[Any], None]) -> bool:
        up, self.client.outgoing = self.client.outgoing, []
        for frame in up:
            take(self.server.receive(json_codec.loads(json_codec.dumps(frame))))
        down, self.server.outgoing = self.server.outgoing, []
        for frame in down:
            text = json_codec.dumps(frame)
            self.client.receive([json_codec.loads(text)], [len(text)])
        return bool(up or down)


class ByteWire:
    """WebSocket bytes with both handshakes, delivered in pieces of any size."""

    def __init__(self, seed: int = 0) -> None:
        self.lines: list[str] = []
        self._random = random.Random(seed)
        settings = Settings(
            credentials=Credentials.guest(),
            revision="test",
            decoding=Decoding(sink=WarningSink(self.lines.append)),
        )
        transport = ClientTransport("ws://127.0.0.1:1/arithmetic", message_bytes=None)
        self.core = LinkCore(transport, "arithmetic", settings)
        self.client = self.core.session
        self.server = ServerSession(ARITHMETIC, handled=handled)
        self.server_transport = ServerTransport(message_bytes=None)
        for piece in self._pieces(self.core.flush()):
            self.server_transport.receive(piece)
        assert self.server_transport.accept()
        for piece in self._pieces(self.server_transport.output()[0]):
            self.core.feed(piece)
        assert self.core.check_handshake("the server")

    def carry(self, take: Callable[[Any], None]) -> bool:
        up = self.core.flush()
        for piece in self._pieces(up):
            for message in self.server_transport.receive(piece):
                take(self.server.receive(json_codec.loads(message)))
        down, self.server.outgoing = self.server.outgoing, []
        for frame in down:
            self.server_transport.send(json_codec.dumps(frame))
        data, _ = self.server_transport.output()
        for piece in self._pieces(data):
            self.core.feed(piece)
            self.core.check_ended()
        return bool(up or data)

    def _pieces(self, data: bytes) -> list[bytes]:
        pieces = []
        while data:
            size = self._random.choice((1, 2, 3, 7, 50, 1000, 100_000))
            pieces.append(data[:size])
            data = data[size:]
        return pieces


class Pair:
    """Both sessions, with handlers for the arithmetic namespace that a test drives by hand."""

    def __init__(self, wire: Wire) -> None:
        self.wire = wire
        self.client = wire.client
        self.server = wire.server
        self.refuse: str | None = None
        self.calls: list[CallReceived] = []
        self.created: list[ChannelCreated] = []
        self.packets: list[tuple[int, Any]] = []

    def settle(self) -> None:
        """Carry until nothing moves."""
        while self.wire.carry(self._take):
            pass

    def authenticate(self) -> None:
        self.client.authenticate("me", "secret")
        self.settle()

    def answer(self) -> None:
        """Answer all pending calls, carry, and carry the answers."""
        self.settle()
        for call in self.calls:
            self.server.answer_call(call, call.parameter * 2 if call.descriptor.name == "double" else None)
        self.calls.clear()
        self.settle()

    def _take(self, event: Any) -> None:
        if isinstance(event, AuthenticationAttempt):
            if self.refuse is None:
                self.server.accept()
            else:
                self.server.refuse(self.refuse)
        elif isinstance(event, CallReceived):
            self.calls.append(event)
        elif isinstance(event, ChannelCreated):
            self.created.append(event)
        elif isinstance(event, ChannelEvent):
            self.packets.append((event.channel_id, event.packet))


@pytest.fixture(params=[FrameWire, ByteWire], ids=["frames", "bytes"])
def pair(request: pytest.FixtureRequest) -> Pair:
    pair = Pair(request.param())
    pair.authenticate()
    assert pair.client.authenticated
    return pair


def read(exchange: Exchange) -> list[Any]:
    return [exchange.take() for _ in range(len(exchange.inbox))]


def test_calls(pair: Pair) -> None:
    double, ping = pair.client.call("double", 21), pair.client.call("ping")
    pair.answer()
    assert read(double) == [42]
    assert len(read(ping)) == 1
    assert (double.error, ping.error) == (None, None)


def test_a_failed_call(pair: Pair) -> None:
    call = pair.client.call("fail")
    pair.settle()
    pair.server.fail_call(pair.calls.pop(), {"title": "it failed"})
    pair.settle()
    assert isinstance(call.error, RpcError)


def test_a_channel_in_both_directions(pair: Pair) -> None:
    channel = pair.client.open("count", {"upTo": 2}, CANCEL)
    pair.client.send(channel, {"hello": "server"})
    pair.settle()
    assert pair.created[0].creation == {"upTo": 2}
    assert pair.packets == [(channel.id, {"hello": "server"})]
    pair.server.send_packet(channel.id, {"number": 0})
    pair.server.send_packet(channel.id, {"number": 1})
    pair.server.close_channel(channel.id)
    pair.settle()
    assert channel.ended
    assert read(channel) == [{"number": 0}, {"number": 1}]
    assert pair.wire.lines == []


def test_a_channel_that_fails(pair: Pair) -> None:
    channel = pair.client.open("count", {"upTo": 2})
    pair.settle()
    pair.server.send_packet(channel.id, {"number": 0})
    pair.server.fail_channel(channel.id, {"title": "the count failed"})
    pair.settle()
    assert read(channel) == [{"number": 0}]
    assert isinstance(channel.error, ChannelError)


def test_every_refusal_of_the_server_finds_its_request(pair: Pair) -> None:
    good, good_channel = pair.client.call("double", 1), pair.client.open("count", {"upTo": 1})
    unknown, unhandled = pair.client.call("nonesuch"), pair.client.call("unhandled")
    refused, unknown_channel = pair.client.call("double", "1"), pair.client.open("nonesuch")
    refused_channel = pair.client.open("count", ["no", "object"], CANCEL)
    pair.answer()
    assert read(good) == [2]
    assert not good_channel.ended
    for exchange, kind in [
        (unknown, UnsupportedEndpointError),
        (unhandled, UnsupportedEndpointError),
        (refused, RefusedRequestError),
        (unknown_channel, UnsupportedEndpointError),
        (refused_channel, RefusedRequestError),
    ]:
        assert type(exchange.error) is kind
    assert pair.wire.lines == []
    assert pair.server.warnings_sent == pair.client.warnings_received == WARNING_LIMIT
    assert pair.client.mute


def test_refused_parameters_of_one_endpoint_are_told_apart(pair: Pair) -> None:
    parameters: list[Any] = [1, "1", 12, {"a": [None, "ß", "😀"]}, 3.5, 4]
    calls = [pair.client.call("double", parameter) for parameter in parameters]
    pair.answer()
    refused = [isinstance(call.error, RefusedRequestError) for call in calls]
    assert refused == [False, True, False, True, True, False]
    assert [read(call) for call in calls if call.error is None] == [[2], [24], [8]]


def test_a_cancel_that_crosses_the_end_is_nobodys_problem(pair: Pair) -> None:
    channel = pair.client.open("count", {"upTo": 1}, CANCEL)
    other = pair.client.open("count", {"upTo": 2}, CANCEL)
    pair.settle()
    pair.server.close_channel(channel.id)
    assert pair.client.cancel(channel)  # the close has not arrived yet
    pair.settle()
    assert (channel.ended, channel.error, other.ended) == (True, None, False)
    assert pair.client.warnings_received == 1
    assert pair.wire.lines == []


def test_an_abandoned_channel_leaves_the_connection_usable(pair: Pair) -> None:
    channel = pair.client.open("count", {"upTo": 9}, CANCEL)
    pair.settle()
    pair.server.send_packet(channel.id, {"number": 0})
    pair.settle()
    pair.client.abandon(channel, CancelledError("left"))
    pair.server.send_packet(channel.id, {"number": 1})
    pair.settle()
    assert pair.packets == [(channel.id, CANCEL)]
    pair.server.close_channel(channel.id)
    call = pair.client.call("double", 4)
    pair.answer()
    assert read(call) == [8]
    assert read(channel) == []
    assert pair.wire.lines == []


@pytest.mark.parametrize("wire", [FrameWire, ByteWire])
def test_refused_credentials(wire: type[FrameWire] | type[ByteWire]) -> None:
    pair = Pair(wire())
    pair.refuse = "Invalid client passkey"
    pair.authenticate()
    assert isinstance(pair.client.lost, AuthenticationError)
    assert "Invalid client passkey" in str(pair.client.lost)


class TestBytes:
    """What only the wire of bytes can do."""

    def make(self) -> tuple[Pair, ByteWire]:
        wire = ByteWire()
        pair = Pair(wire)
        pair.authenticate()
        return pair, wire

    def test_a_closing_server_ends_what_waits(self) -> None:
        pair, wire = self.make()
        call, channel = pair.client.call("hang"), pair.client.open("count", {"upTo": 1})
        pair.settle()
        wire.server_transport.close(1001, "restarting")
        pair.settle()
        for exchange in (call, channel):
            assert isinstance(exchange.error, ConnectionLostError)
            assert "the peer closed it with code 1001 (restarting)" in str(exchange.error)

    def test_text_that_is_not_utf_8_ends_the_connection(self) -> None:
        pair, wire = self.make()
        call = pair.client.call("hang")
        pair.settle()
        wire.server_transport.send(b'{"type":"rpcResult","callId":1,"result":"\xff"}')
        wire.server_transport.send(b'{"type":"rpcResult","callId":1,"result":1}')
        pair.settle()
        assert isinstance(call.error, ConnectionLostError)
        assert "a message was not UTF-8" in str(call.error)

    def test_text_that_is_no_json_is_dropped_with_one_line(self) -> None:
        pair, wire = self.make()
        call = pair.client.call("double", 1)
        for _ in range(3):
            wire.server_transport.send(b"{oops")
        pair.answer()
        assert read(call) == [2]
        assert len(wire.lines) == 1
        assert wire.lines[0].startswith("arithmetic: a message that is no JSON was dropped: b'{oops'")

    @pytest.mark.parametrize("parameter", [{1, 2}, float("nan"), object(), b"bytes"])
    def test_a_request_that_json_cannot_express_costs_nobody_else_anything(self, parameter: Any) -> None:
        pair, wire = self.make()
        before = pair.client.call("double", 1)
        bad = pair.client.call("double", parameter)
        after = pair.client.call("double", 2)
        with pytest.raises(UsageError, match="cannot be expressed in JSON"):
            wire.core.encode_outgoing()
        pair.client.retract(bad, UsageError("x"))
        pair.answer()
        assert (read(before), read(after)) == ([2], [4])

    def test_a_request_over_the_limit_is_refused_before_it_is_sent(self) -> None:
        wire = ByteWire()
        wire.core._settings = Settings(
            credentials=Credentials.guest(), revision="test", limits=Limits(message_bytes=1000)
        )
        wire.client.authenticated = True
        wire.client.call("double", "x" * 1000)
        with pytest.raises(UsageError, match="the limit for one message is 1000"):
            wire.core.encode_outgoing()

    def test_half_an_emoji_passes_through(self) -> None:
        pair, _ = self.make()
        channel = pair.client.open("count", {"text": "\ud83d"})
        pair.settle()
        assert pair.created[0].creation == {"text": "\ud83d"}
        pair.server.send_packet(channel.id, {"content": "\ude00"})
        pair.settle()
        assert read(channel) == [{"content": "\ude00"}]


@pytest.mark.parametrize("seed", range(40))
def test_random_traffic_reaches_whom_it_is_for(seed: int) -> None:
    """Calls and channels are begun, served, cancelled and left in any order; every payload arrives once, in order."""
    chance = random.Random(seed)
    pair = Pair(FrameWire() if seed % 2 else ByteWire(seed))
    pair.authenticate()
    calls: dict[int, Call] = {}
    channels: dict[int, Channel] = {}
    served: dict[int, list[Any]] = {}
    left: set[int] = set()

    def serve() -> None:
        if pair.calls and chance.random() < 0.5:
            call = pair.calls.pop(chance.randrange(len(pair.calls)))
            pair.server.answer_call(call, call.parameter * 2)
        for created in list(pair.created):
            if chance.random() < 0.5:
                packet = {"channel": created.channel_id, "number": len(served[created.channel_id])}
                pair.server.send_packet(created.channel_id, packet)
                served[created.channel_id].append(packet)
            elif chance.random() < 0.2:
                pair.created.remove(created)
                pair.server.close_channel(created.channel_id)

    for _ in range(300):
        what = chance.random()
        if what < 0.15:
            call = pair.client.call("double", chance.randrange(1000))
            calls[call.id] = call
        elif what < 0.3:
            channel = pair.client.open("count", {"upTo": 1}, CANCEL)
            channels[channel.id] = channel
            served[channel.id] = []
        elif what < 0.35 and channels:
            pair.client.cancel(chance.choice(list(channels.values())))
        elif what < 0.4 and channels:
            channel = chance.choice(list(channels.values()))
            pair.client.abandon(channel, CancelledError("left"))
            left.add(channel.id)
        elif what < 0.7:
            serve()
        else:
            pair.wire.carry(pair._take)
    pair.answer()
    for created in pair.created:
        pair.server.close_channel(created.channel_id)
    pair.settle()

    parameters = {identity: (call.inbox[0][0]) for identity, call in calls.items()}
    assert all(call.ended and call.error is None for call in calls.values())
    assert all(value % 2 == 0 for value in parameters.values())
    for identity, channel in channels.items():
        assert channel.ended
        if identity not in left:
            assert channel.error is None
            assert read(channel) == served[identity]
    # A cancel or two may have crossed an end; nothing else is ever warned of.
    assert pair.wire.lines == []
    assert pair.client.idle
