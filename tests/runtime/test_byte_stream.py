"""Bytes over plain TCP and TLS without blocking: nothing is lost, doubled or forgotten half-way."""

from __future__ import annotations

import socket
import ssl
import threading
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
import trustme

from lmwire_runtime.byte_stream import ByteStream, PlainStream
from lmwire_runtime.poller import Poller
from lmwire_runtime.tls_stream import TlsStream
from tests.runtime.arithmetic import ENOUGH

DATA = bytes(range(256)) * 12_000  # 3 MB, more than the buffers of a socket pair hold


class Ends:
    """A stream and the blocking socket at its other end."""

    def __init__(self, stream: ByteStream, peer: socket.socket) -> None:
        self.stream = stream
        self.peer = peer
        self.arrived: deque[bytes] = deque()
        self.poller = Poller(stream)

    def receive(self, count: int) -> bytes:
        """Receive exactly so many bytes, and only when there is something to receive."""
        taken = b""
        while len(taken) < count:
            with self.poller:
                if self.stream.buffered or self.poller.readable():
                    self.stream.receive(1000, self.arrived)
                if not self.arrived:
                    self.poller.wait(ENOUGH, read=True, write=False)
            while self.arrived:
                taken += self.arrived.popleft()
        return taken


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture(params=["plain", "tls"])
def ends(request: pytest.FixtureRequest, authority: trustme.CA) -> Iterator[Ends]:
    ours, theirs = socket.socketpair()
    theirs.settimeout(ENOUGH)
    stream: ByteStream
    if request.param == "plain":
        stream, peer = PlainStream(ours), theirs
    else:
        server, client = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), ssl.create_default_context()
        authority.issue_cert("peer.test").configure_cert(server)
        authority.configure_trust(client)
        with ThreadPoolExecutor(1) as thread:
            shaken = thread.submit(server.wrap_socket, theirs, server_side=True)
            stream = TlsStream(ours, client, "peer.test")
            peer = shaken.result(ENOUGH)
    ends = Ends(stream, peer)
    yield ends
    ends.poller.close()
    stream.close()
    peer.close()


def read_all(peer: socket.socket, count: int) -> bytes:
    taken = bytearray()
    while len(taken) < count:
        data = peer.recv(65536)
        if not data:
            break
        taken += data
    return bytes(taken)


def in_thread(work: Callable[[], object]) -> threading.Thread:
    thread = threading.Thread(target=work)
    thread.start()
    return thread


def test_a_little_in_both_directions(ends: Ends) -> None:
    data = bytearray(b"hello")
    assert ends.stream.send(data)
    assert data == b""
    assert ends.peer.recv(100) == b"hello"
    ends.peer.sendall(b"good day")
    assert ends.receive(8) == b"good day"
    ends.stream.receive(1000, ends.arrived)
    assert not ends.arrived  # nothing is there, and it does not block


def test_a_peer_that_takes_nothing_for_a_while(ends: Ends) -> None:
    """What counts as sent has left; what has not stays with the caller, who comes again until all has."""
    backlog = bytearray(DATA)
    while ends.stream.send(backlog):
        pass
    assert backlog  # or the buffers hold more than this test believes
    received: list[bytes] = []
    reader = in_thread(lambda: received.append(read_all(ends.peer, len(DATA) + 3)))
    backlog += b"end"
    while backlog:
        with ends.poller:
            ends.poller.wait(ENOUGH, read=False, write=True)
        while backlog and ends.stream.send(backlog):
            pass
    reader.join(ENOUGH)
    assert received == [DATA + b"end"]


def test_much_to_receive(ends: Ends) -> None:
    writer = in_thread(lambda: ends.peer.sendall(DATA))
    assert ends.receive(len(DATA)) == DATA
    writer.join(ENOUGH)


def test_the_end_of_the_stream_is_empty_bytes(ends: Ends) -> None:
    ends.peer.sendall(b"last")
    ends.peer.close()
    assert ends.receive(4) == b"last"
    with ends.poller:
        ends.poller.wait(ENOUGH, read=True, write=False)
    for _ in range(2):
        ends.stream.receive(1000, ends.arrived)
    assert set(ends.arrived) == {b""}


def test_a_closed_stream(ends: Ends) -> None:
    closed = [ends.stream.closed]
    for _ in range(2):
        ends.stream.close()
        closed.append(ends.stream.closed)
    assert closed == [False, True, True]
    assert ends.stream.fileno() == -1
    with pytest.raises(OSError):  # noqa: PT011  # which one differs between platforms
        ends.stream.send(bytearray(b"x"))
    with pytest.raises(OSError):  # noqa: PT011
        ends.stream.receive(100, ends.arrived)


class TestPoller:
    @pytest.fixture
    def pair(self) -> Iterator[tuple[PlainStream, socket.socket, Poller]]:
        ours, theirs = socket.socketpair()
        stream = PlainStream(ours)
        poller = Poller(stream)
        yield stream, theirs, poller
        poller.close()
        stream.close()
        theirs.close()

    def test_it_says_what_can_be_read(self, pair: tuple[PlainStream, socket.socket, Poller]) -> None:
        stream, theirs, poller = pair
        told = [poller.readable()]
        theirs.sendall(b"x")
        with poller:
            poller.wait(ENOUGH, read=True, write=False)
        told += [poller.readable(), poller.readable()]
        stream.receive(10, deque())
        told.append(poller.readable())
        theirs.close()
        told.append(poller.readable())
        stream.close()
        assert [*told, poller.readable()] == [False, True, True, False, True, True]

    def test_it_can_be_woken(self, pair: tuple[PlainStream, socket.socket, Poller]) -> None:
        _, _, poller = pair
        with poller:
            waker = in_thread(poller.wake)
            poller.wait(None, read=True, write=False)
            waker.join()

    def test_a_wake_up_before_the_wait_is_not_lost(
        self, pair: tuple[PlainStream, socket.socket, Poller]
    ) -> None:
        _, _, poller = pair
        with poller:
            poller.wake()
            poller.wait(None, read=True, write=False)

    def test_many_wake_ups_do_not_block(self, pair: tuple[PlainStream, socket.socket, Poller]) -> None:
        _, theirs, poller = pair
        with poller:
            for _ in range(100_000):
                poller.wake()
        theirs.send(b"x")
        with poller:
            poller.wait(None, read=True, write=False)

    def test_nobody_is_woken_who_does_not_wait(self, pair: tuple[PlainStream, socket.socket, Poller]) -> None:
        _, _, poller = pair
        poller.wake()
        with poller:
            poller.wait(0.01, read=True, write=False)  # returns by its time alone

    def test_a_peer_that_hung_up_does_not_wake_who_does_not_read(
        self, pair: tuple[PlainStream, socket.socket, Poller], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Reading may be paused: a hang-up must not turn waiting into spinning."""
        _, theirs, poller = pair
        theirs.close()
        with poller:
            waker = threading.Event()

            def wake() -> None:
                waker.set()
                poller.wake()

            timer = threading.Timer(0.05, wake)
            timer.start()
            poller.wait(ENOUGH, read=False, write=False)
            assert waker.is_set()
            timer.join()

    @pytest.mark.parametrize("timeout", [-1.0, 0.0, 1e-9])
    def test_short_times(self, pair: tuple[PlainStream, socket.socket, Poller], timeout: float) -> None:
        _, _, poller = pair
        with poller:
            poller.wait(timeout, read=True, write=False)

    def test_very_long_times(self, pair: tuple[PlainStream, socket.socket, Poller]) -> None:
        _, theirs, poller = pair
        theirs.send(b"x")
        with poller:
            poller.wait(1e12, read=True, write=False)

    def test_a_closed_stream_is_not_waited_for(self, pair: tuple[PlainStream, socket.socket, Poller]) -> None:
        stream, _, poller = pair
        stream.close()
        with poller:
            poller.wait(None, read=True, write=True)
