"""Clients that make a server hold more and more: it stops reading from them, and nobody else pays."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from lmwire_runtime import json_codec
from lmwire_runtime.limits import Limits
from lmwire_runtime.server import RequestContext, ServerChannel
from tests.reliability.test_deaf_peers import wait_until
from tests.runtime.arithmetic import ENOUGH, ArithmeticHandlers, RunningServer, serve_arithmetic
from tests.runtime.raw_clients import RawClient

KIB, MIB = 1024, 1024 * 1024
LIMITS = Limits(channel_bytes=MIB, connection_bytes=2 * MIB, unsent_bytes=MIB)
# More than the buffers of both ends of a connection hold, so that a server that reads on would be seen.
REQUESTS, REQUEST_BYTES, ANSWER_BYTES = 3000, 10 * KIB, 100 * KIB
CALL = {"type": "rpcCall", "endpoint": "double", "callId": 1, "parameter": 21}
ANSWER = {"type": "rpcResult", "callId": 1, "result": 42}


class Handlers(ArithmeticHandlers):
    """``size`` answers at length; ``silent`` takes nothing before it is let go."""

    async def size(self, parameter: str, context: RequestContext) -> Any:
        return "x" * ANSWER_BYTES

    async def silent(self, channel: ServerChannel[Any, Any]) -> None:
        await self.wait(channel.context)
        async for packet in channel:
            self.note("taken")
            if packet == "stop":
                return


@pytest.fixture
def greedy() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(1) as thread:
        yield thread


def _paused(server: RunningServer) -> list[Any]:
    return [connection for connection in list(server.server.connections) if connection.budgets._paused]


def _bytes_of(client: RawClient, *frames: Any) -> bytes:
    """Return what frames are on the wire: a thread of its own sends them, which must not use the protocol."""
    for frame in frames:
        client.protocol.send_text(json_codec.dumps(frame))
    return b"".join(client.protocol.data_to_send())


def test_a_client_that_asks_and_does_not_read(greedy: ThreadPoolExecutor) -> None:
    server = serve_arithmetic(Handlers(), limits=LIMITS)
    with RawClient(server.port).authenticate() as client, RawClient(server.port).authenticate() as other:
        call = {"type": "rpcCall", "endpoint": "size", "parameter": "y" * REQUEST_BYTES}
        asking = greedy.submit(
            client.sock.sendall, _bytes_of(client, *({**call, "callId": i} for i in range(REQUESTS)))
        )
        wait_until(lambda: bool(_paused(server)))
        for _ in range(50):  # each of them a turn of the server's loop
            assert other.ask(CALL) == ANSWER
            for connection in list(server.server.connections):
                assert connection._unsent() < 10 * MIB
                assert len(connection._tasks) < 100
        assert not asking.done()
        answered = [client.receive() for _ in range(REQUESTS)]
        asking.result(ENOUGH)
        assert sorted(answer["callId"] for answer in answered) == list(range(REQUESTS))
        assert not _paused(server)
    server.close()


def test_packets_that_a_handler_does_not_take(greedy: ThreadPoolExecutor) -> None:
    """They wait for it, as far as the budget goes; what it takes makes room for more, and nothing is lost."""
    handlers = Handlers()
    server = serve_arithmetic(handlers, limits=LIMITS, stall_seconds=None)
    with RawClient(server.port).authenticate() as client, RawClient(server.port).authenticate() as other:
        client.send({"type": "channelCreate", "endpoint": "silent", "channelId": 1})
        packet = {"type": "channelSend", "channelId": 1, "message": "y" * REQUEST_BYTES}
        packets = _bytes_of(client, *[packet] * REQUESTS, {**packet, "message": "stop"})
        sending = greedy.submit(client.sock.sendall, packets)
        wait_until(lambda: bool(_paused(server)))
        assert other.ask(CALL) == ANSWER
        (connection,) = _paused(server)
        assert MIB < connection.budgets._unread[1] < 2 * MIB
        assert not sending.done()
        handlers.release()
        sending.result(ENOUGH)
        assert client.receive() == {"type": "channelClose", "channelId": 1}
        assert handlers.seen["taken"] == REQUESTS + 1
    server.close()


def test_a_channel_whose_handler_takes_nothing_is_given_up(caplog: pytest.LogCaptureFixture) -> None:
    """Alone: what is beside it on the connection goes on."""
    caplog.set_level(logging.WARNING)
    server = serve_arithmetic(Handlers(), limits=LIMITS, stall_seconds=0.05)
    with RawClient(server.port).authenticate() as client:
        client.send({"type": "channelCreate", "endpoint": "silent", "channelId": 1})
        client.send({"type": "channelCreate", "endpoint": "echo", "channelId": 2})
        for _ in range(150):
            client.send({"type": "channelSend", "channelId": 1, "message": "y" * REQUEST_BYTES})
        client.send({"type": "channelSend", "channelId": 2, "message": "still there"})
        frames = [client.receive()]
        while frames[-1].get("channelId") != 2:
            frames.append(client.receive())
        assert [frame["type"] for frame in frames if frame.get("channelId") == 1] == ["channelError"]
        assert "does not take" in frames[0]["error"]["title"]
        assert frames[-1] == {"type": "channelSend", "channelId": 2, "message": "still there"}
        assert not _paused(server)
    server.close()
    assert [record.message for record in caplog.records] == [
        "a handler left its channel's packets unread; the channel was ended"
    ]


def test_a_client_with_more_requests_than_anybody_waits_for() -> None:
    handlers = Handlers()
    server = serve_arithmetic(handlers, limits=Limits(open_requests=50))
    with RawClient(server.port).authenticate() as client, RawClient(server.port).authenticate() as other:
        for number in range(51):
            client.send({"type": "rpcCall", "endpoint": "hang", "callId": number})
        assert client.rest() == []
        assert client.close_code == 1008
        assert other.ask(CALL) == ANSWER
    server.until_ended(2)
    wait_until(lambda: server.run(_tasks) <= 3)
    server.close()


async def _tasks() -> int:
    """Count the tasks of the server's loop, this one included."""
    await asyncio.sleep(0)
    return len(asyncio.all_tasks())
