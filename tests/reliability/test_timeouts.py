"""Timeouts of every kind, and a laptop's sleep, by a clock that the test turns: nothing here waits for a real limit."""

from __future__ import annotations

import socket
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest

from lmwire import AsyncClient, Client
from lmwire_runtime.errors import RequestTimeoutError, SlowConsumerError
from lmwire_runtime.limits import Limits, Timeouts
from tests.reliability.clocks import HOURS, ManualClock
from tests.reliability.test_deaf_peers import SWALLOW, TOO_MUCH, DeafPeer, unsent, wait_until
from tests.runtime.arithmetic import (
    COUNT,
    DOUBLE,
    ENOUGH,
    HANG,
    SILENT,
    ArithmeticHandlers,
    RunningServer,
)
from tests.runtime.scripted_peers import ScriptedConnection, ScriptedPeers, serve_once
from tests.runtime.shells import Shell, Shells, result_of

# Each is different from all others, so that an error tells which of them it was.
LIMITS = Timeouts(connect=11, rpc=67, channel=613, close=3, stall=31)


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


def never_shakes_hands(connection: ScriptedConnection, reached: threading.Event) -> None:
    connection.read_request()
    reached.set()
    connection.until_cut()


def never_authenticates(connection: ScriptedConnection, reached: threading.Event) -> None:
    connection.shake_hands()
    connection.receive()
    reached.set()
    connection.until_cut()


def never_answers(connection: ScriptedConnection, reached: threading.Event) -> None:
    connection.authenticate()
    connection.receive()
    reached.set()
    connection.until_gone()


def answers_once(connection: ScriptedConnection, reached: threading.Event) -> None:
    connection.authenticate()
    identity = connection.receive()["channelId"]
    connection.send({"type": "channelSend", "channelId": identity, "message": {"number": 1}})
    reached.set()
    connection.until_gone()


def _read_all(shell: Shell) -> None:
    with shell.open(COUNT, {}) as stream:
        for _packet in stream:
            pass


def _send_acknowledged(shell: Shell) -> None:
    with shell.open(COUNT, {}) as stream:
        stream.send_acknowledged({"number": 1})


WAITS: list[Any] = [
    pytest.param(script, wait, limit, says, id=name)
    for name, script, wait, limit, says in (
        ("handshake", never_shakes_hands, lambda shell: shell.call(DOUBLE, 1), 11, "WebSocket handshake"),
        ("authentication", never_authenticates, lambda shell: shell.call(DOUBLE, 1), 11, "authentication"),
        ("handshake-of-a-stream", never_shakes_hands, _read_all, 11, "WebSocket handshake"),
        (
            "hurried-handshake",
            never_shakes_hands,
            lambda shell: shell.call(DOUBLE, 1, timeout=7),
            7,
            "WebSocket handshake",
        ),
        ("rpc", never_answers, lambda shell: shell.call(DOUBLE, 1), 67, "timeouts.rpc"),
        (
            "rpc-of-its-own",
            never_answers,
            lambda shell: shell.call(DOUBLE, 1, timeout=41),
            41,
            "timeouts.rpc",
        ),
        ("keep-alive", never_answers, lambda shell: shell.keep_alive(), 67, "timeouts.rpc"),
        ("first-packet", never_answers, _read_all, 613, "timeouts.channel"),
        ("next-packet", answers_once, _read_all, 613, "timeouts.channel"),
        ("acknowledgement", never_answers, _send_acknowledged, 613, "timeouts.rpc"),
    )
]


@pytest.mark.parametrize(("script", "wait", "limit", "says"), WAITS)
def test_silence_ends_in_one_error(
    script: Callable[[ScriptedConnection, threading.Event], None],
    wait: Callable[[Shell], Any],
    limit: float,
    says: str,
    peers: ScriptedPeers,
    shells: Shells,
    clock: ManualClock,
) -> None:
    """Not before its time, and whoever comes next is served."""
    reached = threading.Event()
    peer = peers.serve(lambda connection: script(connection, reached), serve_once)
    shell = shells.make(peer.host, timeouts=LIMITS, clock=clock)
    waiting = shells.submit(wait, shell)
    assert reached.wait(ENOUGH)
    assert clock.until_done(waiting, limit / 3) >= limit
    with pytest.raises(RequestTimeoutError, match=says) as caught:
        result_of(waiting)
    assert caught.value.seconds == limit
    assert shell.call(DOUBLE, 2) == 4
    assert len(peer.connections) == 2
    closing = shells.submit(shell.close)
    clock.until_done(closing, 1)
    result_of(closing)


def test_a_peer_that_takes_nothing(peers: ScriptedPeers, shells: Shells, clock: ManualClock) -> None:
    deaf = DeafPeer()
    peer = peers.serve(deaf.script, serve_once)
    shell = shells.make(peer.host, timeouts=LIMITS, clock=clock)
    neighbour = shell.open(COUNT, {})
    assert next(neighbour) == {"number": 1}
    sending = shells.submit(shell.call, SWALLOW, "x" * TOO_MUCH)
    wait_until(lambda: unsent(shell) > 0)
    assert clock.until_done(sending, 23) >= 67
    with pytest.raises(RequestTimeoutError, match="has taken nothing"):
        result_of(sending)
    assert shell.call(DOUBLE, 2) == 4
    deaf.hear()
    assert list(neighbour) == [{"number": 2}]
    shells.submit(shell.close)

    def ended() -> bool:
        clock.advance(1)  # it does not answer the closing handshake either
        return peer.connections[0].sock.fileno() == -1

    wait_until(ended)


def test_a_load_that_goes_silent(peers: ScriptedPeers, shells: Shells, clock: ManualClock) -> None:
    """Through the generated clients: the timeout limits the silence between two steps, not the load."""
    moved, all_told = threading.Semaphore(0), threading.Event()

    def script(connection: ScriptedConnection) -> None:
        connection.authenticate()
        identity = connection.receive()["channelId"]
        for progress in (0.1, 0.2, 0.3):
            connection.send(
                {
                    "type": "channelSend",
                    "channelId": identity,
                    "message": {"type": "progress", "progress": progress},
                }
            )
            assert moved.acquire(timeout=ENOUGH)
        with suppress(ConnectionError):
            connection.until_gone()

    told: list[float] = []

    def load(host: str) -> None:
        if shells.kind == "sync":
            with Client(host, clock=clock, timeouts=LIMITS) as client:
                client.llm.load_new_instance("small", on_load_progress=progressed)
        else:
            shells.run(load_async(host))

    async def load_async(host: str) -> None:
        async with AsyncClient(host, clock=clock, timeouts=LIMITS) as client:
            await client.llm.load_new_instance("small", on_load_progress=progressed)

    def progressed(progress: float) -> None:
        told.append(progress)
        clock.advance(500)  # together more than the limit, each silence less
        moved.release()
        if len(told) == 3:
            all_told.set()

    loading = shells.submit(load, peers.serve(script).host)
    assert all_told.wait(ENOUGH)
    assert clock.until_done(loading, 200) >= 613
    with pytest.raises(RequestTimeoutError, match=r"timeouts\.channel") as caught:
        result_of(loading)
    assert (caught.value.seconds, told) == (613, [0.1, 0.2, 0.3])


def test_a_stream_that_is_not_read(
    server: RunningServer, shells: Shells, clock: ManualClock, handlers: ArithmeticHandlers
) -> None:
    """Given up after the stall timeout, while a neighbour waits behind it."""
    timeouts = Timeouts(channel=None, stall=31)
    shell = shells.make(server.host, limits=Limits(channel_bytes=20_000), timeouts=timeouts, clock=clock)
    slow = shell.open(COUNT, {"upTo": 10**9, "padding": 1000})
    assert next(slow)["number"] == 0
    fast = shells.submit(shells.read, shell.open(COUNT, {"upTo": 300, "padding": 1000}))
    assert clock.until_done(fast, 10) >= 31
    assert [packet["number"] for packet in result_of(fast)] == list(range(300))
    with pytest.raises(SlowConsumerError, match="for 31 s") as caught:
        shells.read(slow)
    assert caught.value.buffered_bytes > 20_000
    assert shell.call(DOUBLE, 1) == 2
    assert server.accepted == 1


def test_a_peer_that_does_not_answer_the_close(
    peers: ScriptedPeers, shells: Shells, clock: ManualClock
) -> None:
    def script(connection: ScriptedConnection) -> None:
        connection.authenticate()
        call = connection.receive()
        connection.send({"type": "rpcResult", "callId": call["callId"], "result": 2})
        connection.until_cut()

    shell = shells.make(peers.serve(script).host, timeouts=LIMITS, clock=clock)
    assert shell.call(DOUBLE, 1) == 2
    closing = shells.submit(shell.close)
    assert clock.until_done(closing, 1) >= 3
    result_of(closing)


def test_a_peer_that_vanishes_while_nobody_asks(server: RunningServer, shells: Shells) -> None:
    """What has no limit of its own ends by the system's: it asks a silent peer whether it is there."""
    shell = shells.make(server.host)
    assert shell.call(DOUBLE, 1) == 2
    link = shell.client.connection("arithmetic")._link  # type: ignore[attr-defined]
    sock = link._socket if shells.kind == "asyncio" else link._stream._socket
    assert sock.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
    if sys.platform == "linux":
        assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE) == 60


class TestSleep:
    """The clock jumps by hours, as it does on some systems when a laptop wakes."""

    def test_while_idle(self, server: RunningServer, shells: Shells, clock: ManualClock) -> None:
        shell = shells.make(server.host, clock=clock)
        for number in range(3):
            assert shell.call(DOUBLE, number) == 2 * number
            clock.advance(HOURS)
        assert server.accepted == 1

    def test_while_idle_and_the_connection_is_gone(
        self, server: RunningServer, shells: Shells, clock: ManualClock
    ) -> None:
        shell = shells.make(server.host, clock=clock)
        for number in range(3):
            assert shell.call(DOUBLE, number) == 2 * number
            server.drop_connections()
            clock.advance(HOURS)
        assert server.accepted == 3

    def test_in_a_call(
        self, server: RunningServer, shells: Shells, clock: ManualClock, handlers: ArithmeticHandlers
    ) -> None:
        shell = shells.make(server.host, clock=clock)
        calls = [shells.submit(shell.call, HANG) for _ in range(3)]
        handlers.until("hanging", 3)
        for call in calls:
            clock.until_done(call, HOURS)
            with pytest.raises(RequestTimeoutError, match="within 60 s"):
                result_of(call)
        assert shell.call(DOUBLE, 1) == 2

    def test_in_a_stream(
        self, server: RunningServer, shells: Shells, clock: ManualClock, handlers: ArithmeticHandlers
    ) -> None:
        """What has arrived is delivered first; the server is asked to stop."""
        shell = shells.make(server.host, clock=clock)
        stream = shell.open(COUNT, {"upTo": 3, "waitForCancel": True})
        packets: list[Any] = []

        def read() -> None:
            for packet in stream:
                packets.append(packet)  # what came before the error counts

        reading = shells.submit(read)
        handlers.until("waiting")
        clock.until_done(reading, HOURS)
        with pytest.raises(RequestTimeoutError, match="within 600 s"):
            result_of(reading)
        assert [packet["number"] for packet in packets] == [0, 1, 2]
        handlers.until("cancelled")
        assert shell.call(DOUBLE, 1) == 2

    def test_in_a_stream_that_has_no_limit(
        self, server: RunningServer, shells: Shells, clock: ManualClock, handlers: ArithmeticHandlers
    ) -> None:
        """It goes on, as does a call that has none."""
        shell = shells.make(server.host, clock=clock)
        stream = shell.open(COUNT, {"upTo": 1, "waitForCancel": True}, timeout=None)
        reading = shells.submit(shells.read, stream)
        handlers.until("waiting")
        clock.advance(HOURS)
        assert shell.call(DOUBLE, 1) == 2
        stream.cancel()
        assert result_of(reading)[-1] == {"cancelledAt": 1}

    def test_in_a_stream_while_another_thread_leads(
        self, server: RunningServer, shells: Shells, clock: ManualClock, handlers: ArithmeticHandlers
    ) -> None:
        """The one with a limit is told, the one without goes on."""
        shell = shells.make(server.host, clock=clock)
        patient = shell.open(COUNT, {"upTo": 1, "waitForCancel": True}, timeout=None)
        reading = shells.submit(shells.read, patient)
        handlers.until("waiting")
        hurried = shells.submit(shells.read, shell.open(SILENT))
        handlers.until("silent")
        clock.until_done(hurried, HOURS)
        with pytest.raises(RequestTimeoutError):
            result_of(hurried)
        assert not reading.done()
        patient.cancel()
        assert result_of(reading)[-1] == {"cancelledAt": 1}
