"""Many users of one client over both shells: no cross-talk, back-pressure, cancellation, what is left behind."""

from __future__ import annotations

import asyncio
import gc
import random
import subprocess
import sys
import textwrap
import threading
import weakref
from collections.abc import Iterator
from concurrent.futures import CancelledError as FutureCancelledError
from pathlib import Path

import pytest

from lmwire_runtime import json_codec
from lmwire_runtime.async_shell import AsyncClient
from lmwire_runtime.client_core import ClientCore
from lmwire_runtime.errors import SlowConsumerError, UsageError
from lmwire_runtime.limits import Limits, Timeouts
from lmwire_runtime.sync_shell import SyncClient
from tests.runtime.arithmetic import (
    COUNT,
    DOUBLE,
    ECHO,
    ENOUGH,
    HANG,
    SILENT,
    SIZE,
    ArithmeticHandlers,
    LoopThread,
    RunningServer,
)
from tests.runtime.scripted_peers import ScriptedConnection, ScriptedPeers
from tests.runtime.shells import AsyncShell, Shell, Shells, result_of, shells_of


class TestSharing:
    def test_many_users_do_not_hear_each_other(
        self, shell: Shell, shells: Shells, server: RunningServer
    ) -> None:
        """16 users, 50 requests each, calls and channels, whole and broken off."""

        def use(user: int) -> None:
            chance = random.Random(user)
            for number in range(50):
                what = chance.random()
                if what < 0.5:
                    assert shell.call(DOUBLE, user * 1000 + number) == 2 * (user * 1000 + number)
                elif what < 0.75:
                    count = chance.randrange(1, 30)
                    packets = shells.read(shell.open(COUNT, {"upTo": count, "padding": user}))
                    assert [packet["number"] for packet in packets] == list(range(count))
                    assert {len(packet["padding"]) for packet in packets} == {user}
                elif what < 0.9:
                    with shell.open(ECHO) as stream:
                        stream.send([user, number])
                        assert stream.receive() == [user, number]
                        stream.send("stop")
                        assert list(stream) == []
                else:
                    with shell.open(COUNT, {"upTo": 2, "waitForCancel": True}) as stream:
                        assert next(stream)["number"] == 0

        for future in [shells.submit(use, user) for user in range(16)]:
            result_of(future)
        assert server.accepted == 1

    def test_two_users_of_one_stream_get_each_packet_once(self, shell: Shell, shells: Shells) -> None:
        """Not the intended use of a channel, but it loses and doubles nothing where users take turns."""
        turn = threading.Lock()
        with shell.open(COUNT, {"upTo": 500}) as stream:

            def take() -> list[int]:
                taken = []
                while True:
                    with turn:
                        try:
                            taken.append(next(stream)["number"])
                        except StopIteration:
                            return taken

            futures = [shells.submit(take) for _ in range(4)]
            assert sorted(number for future in futures for number in result_of(future)) == list(range(500))

    def test_large_requests_do_not_hold_up_small_ones(self, peers: ScriptedPeers, shells: Shells) -> None:
        """The server takes its time with a request of 12 MB; meanwhile answers for others arrive."""
        read_on = threading.Event()

        def script(connection: ScriptedConnection) -> None:
            connection.authenticate()
            small = connection.receive()
            answered.wait(ENOUGH)
            connection.send({"type": "rpcResult", "callId": small["callId"], "result": 1})
            assert read_on.wait(ENOUGH)
            large = connection.receive()
            connection.send(
                {"type": "rpcResult", "callId": large["callId"], "result": len(large["parameter"])}
            )
            connection.until_gone()

        answered = threading.Event()
        shell = shells.make(peers.serve(script).host)
        small = shells.submit(shell.call, DOUBLE, 1)
        large = shells.submit(shell.call, SIZE, "x" * 12_000_000)
        answered.set()
        assert result_of(small) == 1
        assert not large.done()
        read_on.set()
        assert result_of(large) == 12_000_000
        shell.close()


class TestBackPressure:
    """Budgets for unread packets: over one, the socket is not read; a stream that stays unread is given up alone."""

    LIMITS = Limits(channel_bytes=20_000, connection_bytes=60_000)

    def test_a_slow_reader_is_given_up_and_the_others_go_on(
        self, server: RunningServer, shells: Shells, handlers: ArithmeticHandlers
    ) -> None:
        shell = shells.make(server.host, limits=self.LIMITS, timeouts=Timeouts(stall=0.4))
        slow = shell.open(COUNT, {"upTo": 10**9, "padding": 1000})
        assert next(slow)["number"] == 0
        fast = shell.open(COUNT, {"upTo": 300, "padding": 1000})
        assert [packet["number"] for packet in fast] == list(range(300))
        handlers.until("cancelled")
        with pytest.raises(SlowConsumerError, match=r"bytes lay unread for 0\.4 s") as caught:
            shells.read(slow)
        assert caught.value.buffered_bytes > 20_000
        assert caught.value.endpoint == "count"
        assert shell.call(DOUBLE, 1) == 2
        assert server.accepted == 1

    def test_a_slow_reader_is_given_up_also_if_nobody_else_waits(
        self, server: RunningServer, shells: Shells, handlers: ArithmeticHandlers
    ) -> None:
        shell = shells.make(server.host, limits=self.LIMITS, timeouts=Timeouts(stall=0.05))
        slow = shell.open(COUNT, {"upTo": 10**9, "padding": 1000})
        assert next(slow)["number"] == 0
        handlers.until("cancelled")
        with pytest.raises(SlowConsumerError):
            shells.read(slow)

    def test_reading_on_in_time_loses_nothing(self, server: RunningServer, shells: Shells) -> None:
        shell = shells.make(server.host, limits=self.LIMITS, timeouts=Timeouts(stall=None))
        streams = [shell.open(COUNT, {"upTo": 200, "padding": 1000}) for _ in range(5)]
        for stream in streams:
            stream.start()
        readers = [shells.submit(shells.read, stream) for stream in streams]
        assert [len(result_of(reader)) for reader in readers] == [200] * 5

    def test_a_packet_over_the_budget_still_arrives(self, server: RunningServer, shells: Shells) -> None:
        shell = shells.make(server.host, limits=self.LIMITS)
        with shell.open(COUNT, {"upTo": 20, "padding": 50_000}) as stream:
            assert [packet["number"] for packet in stream] == list(range(20))

    def test_leaving_a_full_stream_lets_the_others_go_on(
        self, server: RunningServer, shells: Shells, handlers: ArithmeticHandlers
    ) -> None:
        shell = shells.make(server.host, limits=self.LIMITS, timeouts=Timeouts(stall=None))
        full = shell.open(COUNT, {"upTo": 10**9, "padding": 1000})
        next(full)
        waiting = shells.submit(shells.read, shell.open(COUNT, {"upTo": 300, "padding": 1000}))
        full.close()
        assert len(result_of(waiting)) == 300
        handlers.until("cancelled")

    def test_a_full_stream_that_has_ended_is_kept(self, peers: ScriptedPeers, shells: Shells) -> None:
        def script(connection: ScriptedConnection) -> None:
            connection.authenticate()
            identity = connection.receive()["channelId"]
            packet = {"type": "channelSend", "channelId": identity, "message": {"padding": "x" * 900}}
            for frame in (packet, packet, packet, {"type": "channelClose", "channelId": identity}):
                connection.protocol.send_text(json_codec.dumps(frame))
            connection.flush()  # all of it at once
            call = connection.receive()
            connection.send({"type": "rpcResult", "callId": call["callId"], "result": 2})
            connection.until_gone()

        limits, timeouts = Limits(channel_bytes=1000), Timeouts(stall=0.05)
        shell = shells.make(peers.serve(script).host, limits=limits, timeouts=timeouts)
        stream = shell.open(COUNT, {})
        stream.start()
        assert shell.call(DOUBLE, 1) == 2
        assert len(shells.read(stream)) == 3
        shell.close()


class TestTaskCancellation:
    """A task that is cancelled leaves a usable connection, and a server that knows."""

    @pytest.fixture
    def shells(self) -> Iterator[Shells]:
        with shells_of("asyncio") as shells:
            yield shells

    def test_of_a_call(self, shells: Shells, server: RunningServer, handlers: ArithmeticHandlers) -> None:
        shell = shells.make(server.host)
        assert isinstance(shell, AsyncShell)
        connection = shell.client.connection("arithmetic")
        for number in range(1, 21):
            future = shell.loop.submit(connection.call(HANG, None))
            handlers.until("hanging", number)
            future.cancel()
            with pytest.raises(FutureCancelledError):
                future.result(ENOUGH)
        assert shell.call(DOUBLE, 1) == 2
        assert server.accepted == 1

    def test_of_a_stream(self, shells: Shells, server: RunningServer, handlers: ArithmeticHandlers) -> None:
        shell = shells.make(server.host)
        assert isinstance(shell, AsyncShell)
        connection = shell.client.connection("arithmetic")

        async def use() -> None:
            async with connection.open(SILENT, None) as channel:
                await channel.receive()

        for number in range(1, 21):
            future = shell.loop.submit(use())
            handlers.until("silent", number)
            future.cancel()
            handlers.until("cancelled", number)
        assert shell.call(DOUBLE, 1) == 2
        assert server.accepted == 1

    def test_while_connecting(self, peers: ScriptedPeers, shells: Shells) -> None:
        reached = threading.Event()

        def silent(connection: ScriptedConnection) -> None:
            connection.shake_hands()
            connection.receive()
            reached.set()
            connection.until_cut()

        def proper(connection: ScriptedConnection) -> None:
            connection.authenticate()
            call = connection.receive()
            connection.send({"type": "rpcResult", "callId": call["callId"], "result": 2})
            connection.until_gone()

        shell = shells.make(peers.serve(silent, proper).host)
        assert isinstance(shell, AsyncShell)
        future = shell.loop.submit(shell.client.connection("arithmetic").call(DOUBLE, 1))
        assert reached.wait(ENOUGH)
        future.cancel()
        assert shell.call(DOUBLE, 1) == 2
        shell.close()


class SlowClock:
    """Time that passes when a test says so."""

    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        return self.now

    def unix(self) -> float:
        return self.now


class TestEventLoops:
    @pytest.mark.filterwarnings(
        "ignore::ResourceWarning"
    )  # asyncio's own, of a loop closed with open connections
    def test_each_loop_gets_a_connection_of_its_own(self, server: RunningServer) -> None:
        client = AsyncClient(ClientCore(revision="test", api_host=server.host))

        async def use() -> int:
            return await client.connection("arithmetic").call(DOUBLE, 1)

        async def use_and_close() -> int:
            try:
                return await use()
            finally:
                await client.close()

        assert [asyncio.run(use()), asyncio.run(use()), asyncio.run(use_and_close())] == [2, 2, 2]
        gc.collect()
        assert server.accepted == 3
        server.until_ended(3)

    async def test_a_loop_that_was_kept_from_running_while_the_connection_broke(
        self, server: RunningServer
    ) -> None:
        clock = SlowClock()
        client = AsyncClient(ClientCore(revision="test", api_host=server.host, clock=clock))
        connection = client.connection("arithmetic")
        for number in range(1, 4):
            assert await connection.call(DOUBLE, number) == number * 2
            server.drop_connections()  # this thread is the loop's, which does nothing meanwhile
            server.until_ended(number)
            clock.now += 10
        await client.close()

    def test_two_open_loops_are_refused(self, server: RunningServer) -> None:
        client = AsyncClient(ClientCore(revision="test", api_host=server.host))
        first, second = LoopThread(), LoopThread()
        connection = client.connection("arithmetic")
        assert first.run(connection.call(DOUBLE, 1)) == 2
        with pytest.raises(UsageError, match="another event loop"):
            second.run(connection.call(DOUBLE, 1))
        first.run(client.close())
        first.stop()
        second.stop()


class TestForgottenClients:
    """Nobody has to close a client: what is no longer referred to leaves no thread and no socket behind."""

    def test_a_sync_client(self, server: RunningServer) -> None:
        client = SyncClient(ClientCore(revision="test", api_host=server.host))
        assert client.connection("arithmetic").call(DOUBLE, 1) == 2
        [housekeeper] = [thread for thread in threading.enumerate() if thread.name == "lmwire-housekeeping"]
        reference = weakref.ref(client)
        del client
        gc.collect()
        assert reference() is None
        server.until_ended(1)
        housekeeper.join(ENOUGH)
        assert not housekeeper.is_alive()

    def test_an_asyncio_client(self, server: RunningServer) -> None:
        loop = LoopThread()
        client = AsyncClient(ClientCore(revision="test", api_host=server.host))
        assert loop.run(client.connection("arithmetic").call(DOUBLE, 1)) == 2
        del client
        gc.collect()
        server.until_ended(1)
        loop.stop()

    @pytest.mark.parametrize(
        "ending", ["pass", "del client, connection, stream", "raise SystemExit", "client.close()"]
    )
    def test_a_program_that_ends_in_mid_stream(self, ending: str, server: RunningServer) -> None:
        """Without a word on stderr, in development mode too."""
        program = textwrap.dedent(
            """
            import sys
            from lmwire_runtime.client_core import ClientCore
            from lmwire_runtime.sync_shell import SyncClient
            from tests.runtime.arithmetic import COUNT, DOUBLE

            client = SyncClient(ClientCore(revision="test", api_host=sys.argv[1]))
            connection = client.connection("arithmetic")
            assert connection.call(DOUBLE, 1) == 2
            stream = connection.open(COUNT, {"upTo": 10**9})
            assert next(stream)["number"] == 0
            """
        )
        done = subprocess.run(
            [sys.executable, "-X", "dev", "-W", "error", "-c", program + ending, server.host],
            cwd=Path(__file__).parents[2],
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )
        assert (done.returncode, done.stderr) == (0, "")
        server.until_ended(1)

    def test_a_forgotten_stream_is_cancelled(
        self, shell: Shell, handlers: ArithmeticHandlers, server: RunningServer
    ) -> None:
        for packet in shell.open(COUNT, {"upTo": 2, "waitForCancel": True}):
            assert packet["number"] == 0
            break
        gc.collect()
        handlers.until("cancelled")
        assert shell.call(DOUBLE, 1) == 2
        assert server.accepted == 1
