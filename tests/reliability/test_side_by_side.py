"""Streams beside large uploads and beside slow readers, over the generated clients of both shells."""

from __future__ import annotations

import re
import threading
from collections.abc import AsyncIterator, Awaitable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from lmwire import AsyncClient, Client
from lmwire.llm import KvConfigStack, ModelSpecifierInstanceReference
from lmwire_emulator import EmulatorThread
from lmwire_emulator.script_reader import parse_script
from lmwire_runtime.errors import SlowConsumerError
from lmwire_runtime.limits import Limits, Timeouts
from tests.reliability.clocks import ManualClock
from tests.reliability.leftovers import nothing_left
from tests.reliability.stages import Stage
from tests.runtime.arithmetic import ENOUGH, LoopThread
from tests.runtime.scripted_peers import ScriptedConnection, ScriptedPeers

KINDS = ("sync", "asyncio")
MIB = 1024 * 1024
# A file of 50 MB, in base 64.
CONTENT = 50_000_000 // 3 * 4
STATUS = Path("/proc/self/status")


def resident(*, reset: bool = False) -> int:
    """Return the most memory that this process had since the last reset, in bytes; 0 where the system does not tell.

    What Python counts would not do: orjson reserves sixteen times as much as it uses.
    """
    if not STATUS.is_file():
        return 0
    if reset:
        (STATUS.parent / "clear_refs").write_text("5")
    found = re.search(r"VmHWM:\s+(\d+) kB", STATUS.read_text())
    assert found is not None
    return int(found[1]) * 1024


class Server:
    """Sends a fragment of a stream whenever it is told to, and takes half of an upload before it is told to go on."""

    def __init__(self) -> None:
        self.fragments = threading.Semaphore(0)
        self.half_way, self.go_on, self.ended = threading.Event(), threading.Event(), threading.Event()

    def script(self, connection: ScriptedConnection) -> None:
        connection.authenticate()
        assert connection.request is not None
        if connection.request.path == "/llm":
            self._stream(connection)
        else:
            self._upload(connection)

    def _stream(self, connection: ScriptedConnection) -> None:
        identity = connection.receive()["channelId"]
        while self.fragments.acquire(timeout=ENOUGH) and not self.ended.is_set():
            message = {
                "type": "fragment",
                "fragment": {
                    "content": "x",
                    "tokensCount": 1,
                    "containsDrafted": False,
                    "reasoningType": "none",
                    "isStructural": False,
                },
            }
            connection.send({"type": "channelSend", "channelId": identity, "message": message})
        connection.until_gone()

    def _upload(self, connection: ScriptedConnection) -> None:
        """The upload is one frame; its bytes are counted, and thrown away."""
        taken, length = 0, CONTENT
        while taken < length:
            data = connection.sock.recv(MIB)
            if not taken:
                assert data[1] == 0x80 | 127  # masked, with a length of eight bytes
                length = 14 + int.from_bytes(data[2:10], "big")
            taken += len(data)
            if taken > length // 2 and not self.half_way.is_set():
                self.half_way.set()
                assert self.go_on.wait(ENOUGH)
        assert length > CONTENT
        connection.send(
            {
                "type": "rpcResult",
                "callId": 1,
                "result": {"identifier": "a", "fileType": "image", "sizeBytes": 5},
            }
        )
        connection.until_gone()


class Packets:
    """A raw stream and an upload of either shell, in blocking calls."""

    def __init__(self, kind: str, host: str) -> None:
        self._threads = ThreadPoolExecutor(1)
        self._loop = None if kind == "sync" else LoopThread()
        self._timeouts = Timeouts(rpc=None)
        if self._loop is None:
            self.client: Client | AsyncClient = Client(host, timeouts=self._timeouts)
        else:
            self.client = AsyncClient(host, timeouts=self._timeouts)
        self.channel: Any = self.client.llm.channel.complete_raw_text(
            model_specifier=ModelSpecifierInstanceReference(instance_reference="a"),
            raw_prompt="My name is",
            prediction_config_stack=KvConfigStack(layers=[]),
        )

    def begin(self) -> None:
        self.channel.start() if self._loop is None else self._loop.run(self.channel.start())

    def next(self) -> Any:
        return self.channel.receive() if self._loop is None else self._loop.run(self.channel.receive())

    def upload(self, content: str) -> Future[Any]:
        if self._loop is None:
            return self._threads.submit(
                lambda: self.client.files.rpc.upload_file_base64(name="a.png", content_base64=content)
            )
        return self._loop.submit(self._upload(content))

    async def _upload(self, content: str) -> Any:
        client = self.client
        assert isinstance(client, AsyncClient)
        return await client.files.rpc.upload_file_base64(name="a.png", content_base64=content)

    def close(self) -> None:
        if self._loop is None:
            self.channel.close()
            self.client.close()
        else:
            self._loop.run(self._end())
            self._loop.stop()
        self._threads.shutdown()

    async def _end(self) -> None:
        await self.channel.close()
        await self.client.close()  # type: ignore[misc]  # the asyncio client's


@pytest.mark.parametrize("kind", KINDS)
def test_a_stream_goes_on_beside_a_large_upload(kind: str) -> None:
    """The server has taken half of the file, and takes no more for a while."""
    with nothing_left():
        _upload_beside_a_stream(kind)


def _upload_beside_a_stream(kind: str) -> None:
    server, content = Server(), "QUJD" * (CONTENT // 4)
    with ScriptedPeers() as peers:
        packets = Packets(kind, peers.serve(server.script).host)
        packets.begin()
        before = resident(reset=True)
        uploading = packets.upload(content)
        assert server.half_way.wait(ENOUGH)
        for _ in range(100):
            server.fragments.release()
            assert packets.next().fragment.content == "x"
        assert not uploading.done()
        server.go_on.set()
        assert uploading.result(ENOUGH).size_bytes == 5
        # The frame's text, its masked form, and what waits to be sent.
        assert resident() - before < 4.5 * CONTENT
        server.ended.set()
        server.fragments.release()
        packets.close()


SCRIPT = {
    "rules": [
        {"match": {"exact": "slow"}, "reply": {"fragments": ["s" * 1000] * 10_000}},
        {"match": {"exact": "fast"}, "reply": {"fragments": ["f" * 1000] * 300}},
    ]
}


@pytest.mark.parametrize("kind", KINDS)
def test_a_slow_reader_beside_a_fast_one(kind: str) -> None:
    """The fast one waits for the slow one as long as the stall timeout; then the slow one alone is given up."""
    stage, clock = Stage(), ManualClock()
    with nothing_left(), EmulatorThread(script=parse_script(SCRIPT), on_frame=stage.tap) as emulator:
        (_read_both if kind == "sync" else _read_both_async)(emulator.api_host, stage, clock)


OPTIONS: Any = {
    "limits": Limits(channel_bytes=50_000),
    "timeouts": Timeouts(connect=None, rpc=None, channel=None, stall=31),
}


def _read_both(host: str, stage: Stage, clock: ManualClock) -> None:
    with ThreadPoolExecutor(1) as threads, Client(host, clock=clock, **OPTIONS) as client:
        model = client.llm.model()
        slow = iter(model.complete_stream("slow"))
        assert next(slow).content == "s" * 1000
        fast = threads.submit(lambda: str(model.complete("fast")))
        assert clock.until_done(fast, 10) >= 31
        assert fast.result() == "f" * 300_000
        with pytest.raises(SlowConsumerError, match="for 31 s"):
            list(slow)
        stage.until_cancelled()
        assert len(client.llm.list_loaded()) == 1


def _read_both_async(host: str, stage: Stage, clock: ManualClock) -> None:
    loop = LoopThread()

    async def begin() -> tuple[AsyncClient, Any, AsyncIterator[Any]]:
        client = AsyncClient(host, clock=clock, **OPTIONS)
        model = await client.llm.model()
        slow = aiter_of(model.complete_stream("slow"))
        assert (await anext_of(slow)).content == "s" * 1000
        return client, model, slow

    async def read_fast() -> str:
        return str(await model.complete("fast"))

    async def end() -> None:
        with pytest.raises(SlowConsumerError, match="for 31 s"):
            async for _ in slow:
                pass
        assert len(await client.llm.list_loaded()) == 1
        await client.close()

    client, model, slow = loop.run(begin())
    fast = loop.submit(read_fast())
    assert clock.until_done(fast, 10) >= 31
    assert fast.result() == "f" * 300_000
    stage.until_cancelled()
    loop.run(end())
    loop.stop()


def aiter_of(stream: Any) -> AsyncIterator[Any]:
    return stream.__aiter__()  # type: ignore[no-any-return]


def anext_of(stream: AsyncIterator[Any]) -> Awaitable[Any]:
    return stream.__anext__()
