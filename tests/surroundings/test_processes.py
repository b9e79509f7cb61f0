"""lmwire inside other people's processes: at exit, in a running event loop, under gevent, in a child of a fork.

Each test is a program of its own, run with warnings as errors; nothing may be on its stderr.
"""

from __future__ import annotations

import os
import textwrap

import pytest

from lmwire_emulator import EmulatorThread
from tests.support.emulators import run_program
from tests.support.requirements import require

HEAD = """
import asyncio, atexit, gc, os, sys, threading
import lmwire
from lmwire import AsyncClient, Client

CONFIG = {"maxTokens": 5, "temperature": 0}
"""


def output_of(program: str, emulator: EmulatorThread, *, quiet: bool = True) -> str:
    """Run a program against the emulator; returns what it printed."""
    done = run_program(["-c", HEAD + textwrap.dedent(program)], emulator.api_host)
    if quiet:
        assert done.stderr == ""
    return done.stdout.strip()


def test_use_from_atexit(emulator: EmulatorThread) -> None:
    """Handlers that were registered later run earlier: the client is used before, and after, it was closed."""
    told = output_of(
        """
        client = Client()
        model = client.llm.model()

        def last_words():
            print(len(str(model.complete("My name is", config=CONFIG))) > 0)
            client.close()

        def after_them():
            try:
                model.complete("My name is")
            except lmwire.ClosedError:
                print("closed")

        atexit.register(after_them)
        atexit.register(last_words)
        """,
        emulator,
    )
    assert told.split() == ["True", "closed"]


def test_a_client_first_used_at_exit(emulator: EmulatorThread) -> None:
    told = output_of(
        """
        @atexit.register
        def last_words():
            with Client() as client:
                print(len(client.llm.list_loaded()))
        """,
        emulator,
    )
    assert told == "1"


@pytest.mark.parametrize("ending", ["end of the program", "sys.exit", "daemon thread", "daemon threads"])
def test_exit_with_open_streams(emulator: EmulatorThread, ending: str) -> None:
    """Nothing hangs, nothing is printed, and the server is asked to stop."""
    endings = {
        "end of the program": "pass",
        "sys.exit": "sys.exit(0)",
        "daemon thread": "threading.Thread(target=lambda: list(stream), daemon=True).start()",
        # Whichever of them reads the socket: a leader, a follower, one that is just sending.
        "daemon threads": "for _ in range(8): threading.Thread(target=calls_for_ever, daemon=True).start()",
    }
    told = output_of(
        f"""
        def calls_for_ever():
            while True:
                client.llm.model().count_tokens("My name is")

        client = Client()
        stream = client.llm.model().complete_stream("My name is", config={{"maxTokens": 100000}})
        fragments = iter(stream)
        print(bool(str(next(fragments))))
        if {ending == "daemon thread"}:
            del fragments
            stream = client.llm.model().complete_stream("My name is", config={{"maxTokens": 100000}})
        {endings[ending]}
        """,
        emulator,
    )
    assert told == "True"


def test_the_synchronous_client_inside_a_running_event_loop(emulator: EmulatorThread) -> None:
    """It blocks the loop, as any call does, and works; the asyncio client works beside it."""
    told = output_of(
        """
        async def main():
            with Client() as client:
                blocking = str(client.llm.model().complete("My name is", config=CONFIG))
            async with AsyncClient() as client:
                model = await client.llm.model()
                print(str(await model.complete("My name is", config=CONFIG)) == blocking)

        asyncio.run(main())
        """,
        emulator,
    )
    assert told == "True"


def test_several_event_loops(emulator: EmulatorThread) -> None:
    """A client for each loop, in threads of their own; and one client in one loop after the other."""
    told = output_of(
        """
        async def complete(client):
            model = await client.llm.model()
            return str(await model.complete("My name is", config=CONFIG))

        async def own_client():
            async with AsyncClient() as client:
                return await complete(client)

        texts = []
        threads = [threading.Thread(target=lambda: texts.append(asyncio.run(own_client()))) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

        # A loop that ends with open connections earns Python's own ResourceWarning, which is off by default.
        import warnings

        warnings.simplefilter("ignore", ResourceWarning)
        client = AsyncClient()
        for _ in range(3):
            texts.append(asyncio.run(complete(client)))
        asyncio.run(client.close())
        print(len(texts), len(set(texts)))
        """,
        emulator,
    )
    assert told == "7 1"


def test_a_stream_that_another_event_loop_reads(emulator: EmulatorThread) -> None:
    """It is lost with the loop that started it; while that loop is open, only that loop reads it."""
    told = output_of(
        """
        import warnings

        warnings.simplefilter("ignore", ResourceWarning)  # Python's own, for a loop that ends with open connections
        client = AsyncClient()

        async def started():
            model = await client.llm.model("emulator/hangs-in-mid-stream")
            stream = model.complete_stream("My name is")
            await stream.start()
            return stream

        async def told(stream):
            try:
                return [fragment async for fragment in stream]
            except lmwire.LMWireError as error:
                return type(error).__name__

        lost = asyncio.run(told(asyncio.run(started())))

        elsewhere = asyncio.new_event_loop()
        stream = elsewhere.run_until_complete(started())
        foreign = asyncio.run(told(stream))
        elsewhere.run_until_complete(stream.close())
        elsewhere.run_until_complete(client.close())
        print(lost, foreign)
        """,
        emulator,
    )
    assert told == "ConnectionLostError StateError"


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this platform does not fork")
def test_a_fork_after_connecting(emulator: EmulatorThread) -> None:
    """The child is told what to do, a client of its own works there, and the parent's goes on."""
    told = output_of(
        """
        import warnings

        warnings.simplefilter("ignore")  # newer Pythons warn of forks beside threads, which is the point here
        client = Client()
        model = client.llm.model()
        before = str(model.complete("My name is", config=CONFIG))
        reader, writer = os.pipe()
        child = os.fork()
        if child == 0:
            try:
                model.complete("My name is")
            except lmwire.UsageError as error:
                os.write(writer, b"told " if "new Client" in str(error) else repr(error).encode())
            with Client() as own:
                text = str(own.llm.model().complete("My name is", config=CONFIG))
                os.write(writer, b"same" if text == before else b"other")
            os._exit(0)
        os.close(writer)
        os.waitpid(child, 0)
        print(os.read(reader, 1000).decode(), str(model.complete("My name is", config=CONFIG)) == before)
        """,
        emulator,
    )
    assert told == "told same True"


def test_a_process_that_gevent_has_patched(emulator: EmulatorThread) -> None:
    """The synchronous client waits cooperatively: other greenlets run while it does, many share it."""
    require("gevent")
    done = run_program(
        [
            "-W",
            "ignore",
            "-c",
            "from gevent import monkey; monkey.patch_all()\nimport gevent\n"
            + HEAD
            + textwrap.dedent(
                """
                ticks = []

                def tick():
                    while True:
                        ticks.append(1)
                        gevent.sleep(0)

                with Client() as client:
                    model = client.llm.model()
                    clock = gevent.spawn(tick)
                    jobs = [
                        gevent.spawn(lambda: str(model.complete("My name is", config=CONFIG))) for _ in range(8)
                    ]
                    gevent.joinall(jobs, timeout=30, raise_error=True)
                    clock.kill()
                print(len({job.value for job in jobs}), len(ticks) > 10)
                """
            ),
        ],
        emulator.api_host,
    )
    assert done.stdout.strip() == "1 True"
    assert "Traceback" not in done.stderr
