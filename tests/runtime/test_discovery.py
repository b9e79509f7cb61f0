"""Finding a server: where it is looked for, which one wins, and what a failure tells."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import attrs
import pytest

from lmwire_runtime.addresses import Address
from lmwire_runtime.discovery import LOCAL_ADDRESSES, find_server, find_server_async
from lmwire_runtime.errors import ConnectError, ServerNotFoundError, UsageError
from tests.runtime.probe_peers import (
    ENOUGH,
    GREETING,
    LONG,
    SHORT,
    Listen,
    answering,
    full_listener,
    peers,
    refusing,
    until_closed,
)


@pytest.fixture
def listen() -> Iterator[Listen]:
    with peers() as start:
        yield start


@pytest.fixture
def refused() -> Iterator[Address]:
    with refusing() as address:
        yield address


@pytest.fixture(params=["sync", "asyncio"])
def find(request: pytest.FixtureRequest) -> Callable[..., Address]:
    """``find_server``, in both its forms, with an empty environment."""

    def find_it(api_host: str | Address | None = None, **options: Any) -> Address:
        options = {"environ": {}, **options}
        if request.param == "sync":
            return find_server(api_host, **options)
        return asyncio.run(find_server_async(api_host, **options))

    return find_it


class TestFindServer:
    def test_where_it_looks_by_default(self) -> None:
        ports = (41343, 52993, 16141, 39414, 22931, 1234)
        assert tuple(str(address) for address in LOCAL_ADDRESSES) == tuple(
            f"127.0.0.1:{port}" for port in ports
        )

    def test_the_first_that_answers(
        self, listen: Listen, refused: Address, find: Callable[..., Address]
    ) -> None:
        other = listen(answering(b"220 mail.example ready\r\n"))
        first, second = listen(answering(GREETING)), listen(answering(GREETING))
        assert find(local_addresses=[refused, other, first, second], timeout=LONG) == first

    def test_list_order_goes_before_speed(self, listen: Listen, find: Callable[..., Address]) -> None:
        fast_is_done = threading.Event()

        def answer_fast(connection: socket.socket) -> None:
            answering(GREETING)(connection)
            fast_is_done.set()

        def answer_slowly(connection: socket.socket) -> None:
            assert fast_is_done.wait(30)
            # Longer than a better address without a connection is waited for.
            assert not threading.Event().wait(0.3)
            answering(GREETING)(connection)

        slow, fast = listen(answer_slowly), listen(answer_fast)
        assert find(local_addresses=[slow, fast], timeout=LONG) == slow

    def test_a_port_that_accepts_nothing_is_not_waited_for(
        self, listen: Listen, find: Callable[..., Address]
    ) -> None:
        with full_listener() as full:
            studio = listen(answering(GREETING))
            # With a better address that is waited for, this would take an hour.
            assert find(local_addresses=[full, studio], timeout=LONG) == studio

    def test_a_slow_worse_address_is_not_waited_for(
        self, listen: Listen, find: Callable[..., Address]
    ) -> None:
        studio, silent = listen(answering(GREETING)), listen(until_closed)
        assert find(local_addresses=[studio, silent], timeout=LONG) == studio

    def test_a_named_server(self, listen: Listen, refused: Address, find: Callable[..., Address]) -> None:
        studio = listen(answering(GREETING))
        other = {"LM_API_HOST": str(refused)}
        assert find(f"ws://127.0.0.1:{studio.port}/", environ=other, timeout=LONG) == studio
        assert find(studio, environ=other, timeout=LONG) == studio

    @pytest.mark.parametrize("variable", ["LMSTUDIO_API_HOST", "LM_API_HOST"])
    def test_the_environment_goes_before_local_addresses(
        self, listen: Listen, find: Callable[..., Address], variable: str
    ) -> None:
        named, local = listen(answering(GREETING)), listen(answering(GREETING))
        assert find(environ={variable: str(named)}, local_addresses=[local], timeout=LONG) == named

    def test_nobody_answers(self, listen: Listen, refused: Address, find: Callable[..., Address]) -> None:
        silent = listen(until_closed)
        other = listen(answering(b"HTTP/1.1 404 Not Found\r\nContent-Length: 4\r\n\r\nnope"))
        with pytest.raises(ServerNotFoundError) as caught:
            find(local_addresses=[refused, silent, other], timeout=ENOUGH)
        assert isinstance(caught.value, ConnectError)
        assert [address for address, _ in caught.value.attempts] == [str(refused), str(silent), str(other)]
        lines = str(caught.value).splitlines()
        assert f"  {refused}: connection refused, nothing listens there" in lines
        assert f"  {silent}: connected, but no reply within {ENOUGH:g} s" in lines
        assert f"  {other}: not LM Studio: HTTP status 404, body 'nope'" in lines
        assert "Start LM Studio" in lines[-1]
        assert "lmwire serve" in lines[-1]
        assert "LMSTUDIO_API_HOST" in lines[-1]

    def test_a_named_server_does_not_answer(
        self, listen: Listen, refused: Address, find: Callable[..., Address]
    ) -> None:
        studio = listen(answering(GREETING))
        with pytest.raises(ServerNotFoundError) as caught:
            find(refused, local_addresses=[studio], timeout=LONG)
        assert [address for address, _ in caught.value.attempts] == [str(refused)]
        assert "lmwire serve" in str(caught.value)
        assert "1234 unless changed" in str(caught.value)

    def test_the_environment_s_server_does_not_answer(
        self, refused: Address, find: Callable[..., Address]
    ) -> None:
        with pytest.raises(ServerNotFoundError, match="environment variable LM_API_HOST"):
            find(environ={"LM_API_HOST": str(refused)}, timeout=LONG)

    def test_something_else_answers(self, listen: Listen, find: Callable[..., Address]) -> None:
        other = listen(answering(b"HTTP/1.1 404 Not Found\r\nContent-Length: 4\r\n\r\nnope"))
        with pytest.raises(ServerNotFoundError, match=r"it is not LM Studio: see to the port\."):
            find(other, timeout=LONG)
        with pytest.raises(ServerNotFoundError, match=r"it is not LM Studio: see to the port and path\."):
            find(attrs.evolve(other, prefix="/lm"), timeout=LONG)

    def test_a_remote_server_does_not_answer(self, find: Callable[..., Address]) -> None:
        with pytest.raises(
            ServerNotFoundError, match=r"runs on nowhere\.invalid, that 'Serve on Local Network'"
        ):
            find("nowhere.invalid", timeout=SHORT)

    def test_a_malformed_address(self, find: Callable[..., Address]) -> None:
        with pytest.raises(UsageError, match="HTTP API"):
            find("http://127.0.0.1:1234/v1")


class TestAsyncio:
    async def test_the_event_loop_goes_on(self, listen: Listen) -> None:
        asked, go_on = threading.Event(), threading.Event()

        def handle(connection: socket.socket) -> None:
            asked.set()
            assert go_on.wait(30)
            answering(GREETING)(connection)

        address = listen(handle)
        task = asyncio.create_task(find_server_async(address, timeout=LONG))
        assert await asyncio.to_thread(asked.wait, 30)
        go_on.set()
        assert await task == address

    async def test_cancelling_ends_thread_and_connection(self, listen: Listen) -> None:
        asked, hung_up = threading.Event(), threading.Event()

        def handle(connection: socket.socket) -> None:
            asked.set()
            until_closed(connection)
            hung_up.set()

        task = asyncio.create_task(find_server_async(listen(handle), timeout=LONG))
        assert await asyncio.to_thread(asked.wait, 30)
        threads = [thread for thread in threading.enumerate() if thread.name == "lmwire-probe"]
        assert len(threads) == 1
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert hung_up.wait(30)
        threads[0].join(30)
        assert not threads[0].is_alive()

    async def test_a_busy_executor_does_not_matter(self, listen: Listen) -> None:
        address = listen(answering(GREETING))
        over = threading.Event()
        loop = asyncio.get_running_loop()
        loop.set_default_executor(ThreadPoolExecutor(max_workers=1))
        blocked = loop.run_in_executor(None, over.wait)
        try:
            assert await find_server_async(address, timeout=LONG) == address
        finally:
            over.set()
            await blocked

    async def test_many_rounds_at_once(self, listen: Listen, refused: Address) -> None:
        studio = listen(answering(GREETING))
        found = await asyncio.gather(
            *(find_server_async(environ={}, local_addresses=[refused, studio], timeout=30) for _ in range(20))
        )
        assert found == [studio] * 20
