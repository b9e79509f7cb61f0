"""Ctrl-C and signal handlers in the main thread, and forks, while the synchronous shell is at work."""

from __future__ import annotations

import _thread
import os
import random
import select
import signal
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from functools import partial
from types import FrameType

import pytest

from lmwire_runtime.errors import ConnectionLostError, LMWireError
from tests.runtime.arithmetic import COUNT, DOUBLE, ENOUGH, HANG, SILENT, ArithmeticHandlers, RunningServer
from tests.runtime.shells import Shell, Shells, result_of, shells_of


@pytest.fixture
def shells() -> Iterator[Shells]:
    with shells_of("sync") as shells:
        yield shells


@pytest.fixture(autouse=True)
def ctrl_c_raises() -> Iterator[None]:
    """A run that was started in the background ignores Ctrl-C."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


class Interrupts:
    """Ctrl-C that hits the main thread only while it is ``armed``, and once for each time."""

    def __init__(self) -> None:
        self.armed = False

    def __enter__(self) -> Interrupts:
        self._before = signal.signal(signal.SIGINT, self._handle)
        return self

    def __exit__(self, *_: object) -> None:
        signal.signal(signal.SIGINT, self._before)

    def _handle(self, number: int, frame: FrameType | None) -> None:
        if self.armed:
            self.armed = False
            raise KeyboardInterrupt

    def press_later(self, delay: float) -> threading.Thread:
        """Press Ctrl-C so many seconds after it has been armed.

        The main thread arms by an assignment alone: the standard library's own locks do not stand interrupts.
        """

        def press() -> None:
            while not self.armed:
                time.sleep(0.0002)
            time.sleep(delay)
            press_ctrl_c()

        thread = threading.Thread(target=press)
        thread.start()
        return thread


def press_ctrl_c() -> None:
    main = threading.main_thread().ident
    assert main is not None
    if hasattr(signal, "pthread_kill"):
        signal.pthread_kill(main, signal.SIGINT)
    else:
        _thread.interrupt_main()


def after(happened: Callable[[], None], then: Callable[[], None]) -> threading.Thread:
    """Do something in another thread as soon as something has happened."""

    def wait() -> None:
        happened()
        then()

    thread = threading.Thread(target=wait)
    thread.start()
    return thread


class TestCtrlC:
    def test_in_a_call(self, shell: Shell, server: RunningServer, handlers: ArithmeticHandlers) -> None:
        for number in range(1, 11):
            thread = after(partial(handlers.until, "hanging", number), press_ctrl_c)
            with pytest.raises(KeyboardInterrupt):
                shell.call(HANG)
            thread.join()
            assert shell.call(DOUBLE, number) == number * 2
        assert server.accepted == 1

    def test_in_a_call_that_follows_another_threads(
        self, shell: Shell, shells: Shells, server: RunningServer, handlers: ArithmeticHandlers
    ) -> None:
        leader = shells.submit(shell.call, HANG)
        handlers.until("hanging", 1)
        for number in range(2, 8):
            thread = after(partial(handlers.until, "hanging", number), press_ctrl_c)
            with pytest.raises(KeyboardInterrupt):
                shell.call(HANG)
            thread.join()
            assert shell.call(DOUBLE, number) == number * 2
        assert server.accepted == 1
        assert not leader.done()
        shell.close()
        with pytest.raises(LMWireError):
            result_of(leader)

    def test_a_leader_that_is_interrupted_hands_over(
        self, shell: Shell, shells: Shells, server: RunningServer, handlers: ArithmeticHandlers
    ) -> None:
        thread = after(partial(handlers.until, "hanging", 5), press_ctrl_c)
        followers: list[Future[None]] = []

        def follow() -> None:
            handlers.until("hanging", 1)
            followers.extend(shells.submit(shell.call, HANG) for _ in range(4))

        starter = threading.Thread(target=follow)
        starter.start()
        with pytest.raises(KeyboardInterrupt):
            shell.call(HANG)
        thread.join()
        starter.join()
        assert shell.call(DOUBLE, 1) == 2
        server.drop_connections()
        assert {type(future.exception(ENOUGH)) for future in followers} == {ConnectionLostError}

    def test_in_a_stream(self, shell: Shell, server: RunningServer, handlers: ArithmeticHandlers) -> None:
        def use() -> None:
            with shell.open(SILENT) as stream:
                next(stream)

        for number in range(1, 6):
            thread = after(partial(handlers.until, "silent", number), press_ctrl_c)
            with pytest.raises(KeyboardInterrupt):
                use()
            thread.join()
            handlers.until("cancelled", number)
        assert shell.call(DOUBLE, 1) == 2
        assert server.accepted == 1

    def test_at_any_moment_of_busy_traffic(self, shell: Shell, shells: Shells) -> None:
        """The connection may be given up, if bytes were half-way into it; nothing hangs, and the next call works."""
        chance = random.Random(7)
        stop = threading.Event()

        def bystander() -> int:
            answered = 0
            while not stop.is_set():
                try:
                    assert shell.call(DOUBLE, 3, timeout=ENOUGH) == 6
                    answered += 1
                except ConnectionLostError:
                    pass
            return answered

        def use(interrupts: Interrupts) -> None:
            interrupts.armed = True
            with shell.open(COUNT, {"upTo": 10**9, "padding": 200}, timeout=ENOUGH) as stream:
                for _packet in stream:
                    pass

        others = [shells.submit(bystander) for _ in range(3)]
        with Interrupts() as interrupts:
            for _ in range(40):
                presser = interrupts.press_later(chance.random() * 0.01)
                with pytest.raises(KeyboardInterrupt):
                    use(interrupts)
                presser.join()
                try:
                    assert shell.call(DOUBLE, 1, timeout=ENOUGH) == 2
                except ConnectionLostError:
                    assert shell.call(DOUBLE, 1, timeout=ENOUGH) == 2
        stop.set()
        assert all(result_of(other) > 0 for other in others)


class TestSignalHandlers:
    def test_a_handler_may_cancel_the_stream_that_it_interrupts(
        self, shell: Shell, server: RunningServer
    ) -> None:
        """Whatever lock the interrupted code holds: it does not wait."""
        chance = random.Random(7)
        before = signal.getsignal(signal.SIGINT)
        try:
            for _ in range(40):
                stream = shell.open(COUNT, {"upTo": 10**9, "padding": 100})
                signal.signal(signal.SIGINT, lambda *_, stream=stream: stream.cancel())
                next(stream)
                timer = threading.Timer(chance.random() * 0.01, press_ctrl_c)
                timer.start()
                last = None
                for packet in stream:
                    last = packet
                timer.join()
                assert last is not None
                assert "cancelledAt" in last
        finally:
            signal.signal(signal.SIGINT, before)
        assert shell.call(DOUBLE, 1) == 2


class TestWithoutPoll:
    """Windows has no poll, and Ctrl-C does not interrupt its select."""

    @pytest.fixture(autouse=True)
    def no_poll(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.delattr(select, "poll", raising=False)

    def test_calls_and_streams(self, shell: Shell, shells: Shells) -> None:
        def use() -> None:
            for number in range(20):
                assert shell.call(DOUBLE, number) == number * 2
                assert len(shells.read(shell.open(COUNT, {"upTo": 20}))) == 20

        for future in [shells.submit(use) for _ in range(4)]:
            result_of(future)

    def test_ctrl_c(self, shell: Shell, server: RunningServer, handlers: ArithmeticHandlers) -> None:
        thread = after(partial(handlers.until, "hanging"), _thread.interrupt_main)
        with pytest.raises(KeyboardInterrupt):
            shell.call(HANG)
        thread.join()
        assert shell.call(DOUBLE, 1) == 2
        assert server.accepted == 1


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this platform does not fork")
class TestFork:
    def test_a_child_is_told_and_the_parent_goes_on(self, server: RunningServer) -> None:
        program = textwrap.dedent(
            """
            import os, sys
            from lmwire_runtime.client_core import ClientCore
            from lmwire_runtime.errors import UsageError
            from lmwire_runtime.sync_shell import SyncClient
            from tests.runtime.arithmetic import COUNT, DOUBLE

            client = SyncClient(ClientCore(revision="test", api_host=sys.argv[1]))
            connection = client.connection("arithmetic")
            assert connection.call(DOUBLE, 1) == 2
            stream = connection.open(COUNT, {"upTo": 3, "waitForCancel": True})
            assert next(stream)["number"] == 0
            child = os.fork()
            if child == 0:
                told = []
                for use in (
                    lambda: connection.call(DOUBLE, 1),
                    lambda: connection.open(COUNT, {"upTo": 1}).start(),
                    lambda: list(stream),
                    lambda: stream.send({}),
                ):
                    try:
                        use()
                    except UsageError as error:
                        told.append("before a fork" in str(error))
                stream.cancel()
                stream.close()
                client.close()
                fresh = SyncClient(ClientCore(revision="test", api_host=sys.argv[1]))
                told.append(fresh.connection("arithmetic").call(DOUBLE, 2) == 4)
                fresh.close()
                os._exit(0 if told == [True] * 5 else 1)
            _, status = os.waitpid(child, 0)
            assert status == 0, status
            assert connection.call(DOUBLE, 3) == 6
            assert [next(stream)["number"] for _ in range(2)] == [1, 2]
            stream.close()
            client.close()
            """
        )
        done = subprocess.run(
            [sys.executable, "-W", "ignore::DeprecationWarning", "-c", program, server.host],
            cwd=os.path.dirname(os.path.dirname(os.path.dirname(__file__))),
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )
        assert (done.returncode, done.stderr) == (0, "")
        assert server.accepted == 2
