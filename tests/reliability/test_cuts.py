"""A connection that is cut after every single byte of a completion, or closed after every frame, over both shells.

Whatever had arrived whole is delivered, the rest ends in one error, and the next completion works on the same client.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Iterator

import pytest
from websockets.frames import Close, Frame, Opcode

import lmwire
from lmwire_runtime.errors import ConnectError, ConnectionLostError, LMWireError
from lmwire_runtime.limits import Timeouts
from tests.reliability.recording import CuttingPeer, Recording, complete, cutting, record
from tests.runtime.shells import KINDS

# The recording has no end of the WebSocket to wait for.
HURRIED = Timeouts(close=0.01)


@pytest.fixture(scope="module")
def recording() -> Recording:
    return record()


class Cuts:
    """Completes once for each cut, and compares what arrives with what was sent."""

    def __init__(self, recording: Recording, peer: CuttingPeer) -> None:
        self.recording = recording
        self.peer = peer
        self.seen: dict[str, int] = {}

    def expect(self, cut: int) -> tuple[type[LMWireError] | None, list[str]]:
        """Return the error and the fragments of a connection that ends after ``cut`` bytes."""
        reached = self.recording.reached(cut - self.peer.handshake)
        messages = [frame["message"] for frame in reached if frame.get("type") == "channelSend"]
        fragments = [message["fragment"]["content"] for message in messages if message["type"] == "fragment"]
        if any(message["type"] == "success" for message in messages):
            return None, fragments
        return (ConnectError if cut < self.peer.handshake else ConnectionLostError), fragments

    def check(self, cut: int, error: LMWireError | None, arrived: list[str]) -> None:
        expected, fragments = self.expect(cut)
        assert type(error) is (expected or type(None)), (cut, error)
        assert arrived == fragments, cut
        name = expected.__name__ if expected else "complete"
        self.seen[name] = self.seen.get(name, 0) + 1
        if isinstance(error, ConnectionLostError) and fragments:
            assert (error.endpoint, error.request_id) == ("completeRawText", 2)

    def check_all(self) -> None:
        """Every kind of end was seen, as often as there are bytes for it."""
        assert self.seen["ConnectError"] == self.peer.handshake
        assert self.seen["ConnectionLostError"] > 1500
        assert self.seen["complete"] > 1


@pytest.mark.timeout(240)
@pytest.mark.parametrize("kind", KINDS)
def test_a_cut_after_every_byte(kind: str, recording: Recording) -> None:
    with cutting(recording) as peer:
        cuts = Cuts(recording, peer)
        _cut(kind, cuts, lambda: range(peer.handshake + recording.size))
        cuts.check_all()


@pytest.mark.parametrize("kind", KINDS)
def test_a_close_after_every_frame(kind: str, recording: Recording) -> None:
    """The closing handshake instead of a cut; the last frame of all is followed by nothing that could be closed."""
    with cutting(recording) as peer:
        cuts = Cuts(recording, peer)
        peer.farewell = Frame(Opcode.CLOSE, Close(1000, "").serialize()).serialize(mask=False)
        _cut(kind, cuts, lambda: [peer.handshake + place for place in recording.boundaries[:-1]])
        assert sum(cuts.seen.values()) == len(recording.boundaries) - 1


Places = Callable[[], Iterable[int]]


def _cut(kind: str, cuts: Cuts, places: Places) -> None:
    if kind == "sync":
        _cut_sync(cuts, places)
    else:
        asyncio.run(_cut_asyncio(cuts, places))


def _rounds(cuts: Cuts, places: Places) -> Iterator[int]:
    # Asked for now, because the length of the handshake is known only after the first connection.
    for number, cut in enumerate(places()):
        cuts.peer.cut = cut
        yield cut
        cuts.peer.until_ended(number + 1)


def _cut_sync(cuts: Cuts, places: Places) -> None:
    with lmwire.Client(cuts.peer.host, timeouts=HURRIED) as client:
        assert tuple(complete(client)) == cuts.recording.fragments
    with lmwire.Client(cuts.peer.host) as client:
        for cut in _rounds(cuts, places):
            arrived: list[str] = []
            error: LMWireError | None = None
            try:
                arrived.extend(complete(client))
            except LMWireError as caught:
                error = caught
            cuts.check(cut, error, arrived)


async def _complete_async(client: lmwire.AsyncClient) -> AsyncIterator[str]:
    model = await client.llm.model()
    stream = model.complete_stream("My name is", config={"maxTokens": 3})
    async for fragment in stream:
        yield fragment.content
    stream.result()


async def _cut_asyncio(cuts: Cuts, places: Places) -> None:
    async with lmwire.AsyncClient(cuts.peer.host, timeouts=HURRIED) as client:
        assert [part async for part in _complete_async(client)] == list(cuts.recording.fragments)
    async with lmwire.AsyncClient(cuts.peer.host) as client:
        for cut in _rounds(cuts, places):
            arrived: list[str] = []
            error: LMWireError | None = None
            try:
                async for part in _complete_async(client):
                    arrived.append(part)
            except LMWireError as caught:
                error = caught
            cuts.check(cut, error, arrived)
