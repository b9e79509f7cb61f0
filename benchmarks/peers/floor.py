"""The floors: the bare loop over ``websockets``' sans-I/O protocol and the JSON parser, blocking and asyncio.

No routing, no types, no errors: what is faster than this leaves out what every client needs.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import time
from collections.abc import Iterator
from typing import Any

import orjson
from timing import Stopwatch, expect, main
from websockets.client import ClientProtocol
from websockets.frames import Frame, Opcode
from websockets.uri import parse_uri

AUTHENTICATION = {"authVersion": 1, "clientIdentifier": "guest:floor", "clientPasskey": "x"}
READ_SIZE = 1 << 16


def creation(channel: int, prompt: str) -> dict[str, Any]:
    """Return the frame that asks for a completion."""
    return {
        "type": "channelCreate",
        "endpoint": "completeRawText",
        "channelId": channel,
        "creationParameter": {
            "modelSpecifier": {"type": "query", "query": {}},
            "rawPrompt": prompt,
            "predictionConfigStack": {"layers": []},
        },
    }


def call(number: int) -> dict[str, Any]:
    """Return the frame of a call."""
    parameter = {"specifier": {"type": "query", "query": {}}, "inputString": "x"}
    return {"type": "rpcCall", "endpoint": "countTokens", "callId": number, "parameter": parameter}


class Blocking:
    """A socket and the protocol, nothing else."""

    def __init__(self, host: str) -> None:
        name, _, port = host.partition(":")
        self.protocol = ClientProtocol(parse_uri(f"ws://{host}/llm"))
        self.socket = socket.create_connection((name, int(port)))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.protocol.send_request(self.protocol.connect())
        self._flush()
        self._frames = self._received()
        self.send(AUTHENTICATION)
        next(self._frames)

    def send(self, message: Any) -> None:
        """Send one frame; the handshake is over by then, or is finished first."""
        while self.protocol.handshake_exc is None and self.protocol.state.name == "CONNECTING":
            self.protocol.receive_data(self.socket.recv(READ_SIZE))
        self.protocol.send_text(orjson.dumps(message))
        self._flush()

    def _flush(self) -> None:
        for data in self.protocol.data_to_send():
            self.socket.sendall(data)

    def _received(self) -> Iterator[Any]:
        recv, loads, text = self.socket.recv, orjson.loads, Opcode.TEXT
        protocol: Any = self.protocol  # whose events are a union that type checkers cannot narrow by type()
        while True:
            for event in protocol.events_received():
                if type(event) is Frame and event.opcode is text:
                    yield loads(event.data)
            protocol.receive_data(recv(READ_SIZE))

    def blast(self, channel: int, count: int) -> Stopwatch:
        """Ask for fragments and read them all."""
        self.send(creation(channel, f"blast {count}"))
        recv, loads, text = self.socket.recv, orjson.loads, Opcode.TEXT
        protocol: Any = self.protocol  # whose events are a union that type checkers cannot narrow by type()
        watch, left = Stopwatch(), count + 2
        while left > 0:
            protocol.receive_data(recv(READ_SIZE))
            for event in protocol.events_received():
                if type(event) is Frame and event.opcode is text:
                    loads(event.data)
                    left -= 1
        expect(left, 0)
        return watch

    def next_frame(self) -> Any:
        """Return the next frame."""
        return next(self._frames)


def stream(host: str, *, count: int, runs: int) -> list[dict[str, float]]:
    """One stream of ``count`` fragments, ``runs`` times."""
    bare = Blocking(host)
    return [bare.blast(number, count).read() for number in range(runs)]


def rpc(host: str, *, count: int, runs: int) -> list[dict[str, float]]:
    """``count`` calls, one after the other, ``runs`` times."""
    bare, times = Blocking(host), []
    for _ in range(runs):
        watch = Stopwatch()
        for number in range(count):
            bare.send(call(number))
            bare.next_frame()
        times.append(watch.read())
    return times


def paced(host: str, *, count: int, seconds: float) -> list[int]:
    """Nanoseconds between the sending of each fragment and the socket's being readable: what no client can undercut."""
    bare = Blocking(host)
    latencies: list[int] = []
    protocol: Any = bare.protocol
    bare.send(creation(1, f"paced {count} {seconds}"))
    while len(latencies) < count:
        data = bare.socket.recv(READ_SIZE)
        now = time.monotonic_ns()
        protocol.receive_data(data)
        for event in protocol.events_received():
            if isinstance(event, Frame):
                packet = orjson.loads(event.data).get("message", {})
                if packet.get("type") == "fragment":
                    latencies.append(now - int(packet["fragment"]["content"]))
    return latencies


class Bare(asyncio.Protocol):
    """The asyncio floor: counts frames down, and resolves a future at the end."""

    def __init__(self, host: str) -> None:
        self.protocol = ClientProtocol(parse_uri(f"ws://{host}/llm"))
        self.left = 1
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport: Any = transport
        self.protocol.send_request(self.protocol.connect())
        self._flush()

    def data_received(self, data: bytes) -> None:
        loads, text, left = orjson.loads, Opcode.TEXT, self.left
        protocol: Any = self.protocol
        protocol.receive_data(data)
        for event in protocol.events_received():
            if type(event) is Frame:
                if event.opcode is text:
                    loads(event.data)
                    left -= 1
            else:
                self.send(AUTHENTICATION)
        self.left = left
        if left <= 0 and not self.done.done():
            self.done.set_result(None)

    def send(self, message: Any) -> None:
        """Send one frame."""
        self.protocol.send_text(orjson.dumps(message))
        self._flush()

    async def answered(self, frames: int, message: Any) -> None:
        """Send one frame and wait for so many."""
        self.left, self.done = frames, asyncio.get_running_loop().create_future()
        self.send(message)
        await self.done

    def _flush(self) -> None:
        for data in self.protocol.data_to_send():
            self.transport.write(data)


async def connect(host: str) -> Bare:
    """Return an authenticated connection."""
    name, _, port = host.partition(":")
    _, bare = await asyncio.get_running_loop().create_connection(lambda: Bare(host), name, int(port))
    await bare.done
    return bare


async def stream_async(host: str, *, count: int, runs: int) -> list[dict[str, float]]:
    """The same, on an event loop."""
    bare, times = await connect(host), []
    for number in range(runs):
        watch = Stopwatch()
        await bare.answered(count + 2, creation(number, f"blast {count}"))
        times.append(watch.read())
    return times


async def rpc_async(host: str, *, count: int, runs: int) -> list[dict[str, float]]:
    """The same, on an event loop."""
    bare, times = await connect(host), []
    for _ in range(runs):
        watch = Stopwatch()
        for number in range(count):
            await bare.answered(1, call(number))
        times.append(watch.read())
    return times


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        main(
            {
                "stream": stream,
                "stream-async": stream_async,
                "rpc": rpc,
                "rpc-async": rpc_async,
                "paced": paced,
            }
        )
