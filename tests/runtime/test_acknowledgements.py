"""Acknowledgements, keep-alive frames and warnings over real sockets, both shells."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from lmwire_runtime.descriptors import VOID, ChannelDescriptor, NamespaceDescriptor
from lmwire_runtime.errors import (
    ConnectionLostError,
    IncompleteError,
    ProtocolMismatchError,
    RequestTimeoutError,
)
from lmwire_runtime.server import Namespace, Server, ServerChannel
from tests.runtime.arithmetic import ANYTHING, COUNT, DOUBLE, ECHO, LIE, RunningServer, channel
from tests.runtime.scripted_peers import ScriptedConnection, ScriptedPeers
from tests.runtime.shells import Shell, Shells

ASKING: ChannelDescriptor[None, Any, Any] = channel("asking", VOID, ANYTHING)


class Asking:
    """A server that waits for the receipt of what it sends."""

    async def asking(self, channel: ServerChannel[Any, Any]) -> None:
        for number in range(3):
            assert await channel.send_acknowledged(number)
        await channel.send("all were acknowledged")


@pytest.fixture
def asking() -> Iterator[RunningServer]:
    namespace = NamespaceDescriptor(name="arithmetic", revision="test", channel={"asking": ASKING})
    running = RunningServer(lambda **hooks: Server([Namespace(namespace, Asking())], **hooks))
    yield running
    running.close()


def test_the_client_acknowledges(asking: RunningServer, shells: Shells) -> None:
    with shells.make(asking.host).open(ASKING) as stream:
        assert list(stream) == [0, 1, 2, "all were acknowledged"]


def test_the_server_acknowledges(shell: Shell) -> None:
    with shell.open(ECHO) as stream:
        for number in range(3):
            stream.send_acknowledged(number)
        assert [stream.receive() for _ in range(3)] == [0, 1, 2]
        stream.send("stop")
        assert list(stream) == []
        with pytest.raises(IncompleteError):
            stream.send_acknowledged("too late")


def test_a_server_of_upstreams_making_never_does(shells: Shells, peers: ScriptedPeers) -> None:
    def script(connection: ScriptedConnection) -> None:
        connection.authenticate()
        created = connection.receive()
        assert connection.receive()["message"] == "x"
        connection.send({"type": "channelClose", "channelId": created["channelId"]})
        connection.receive()
        assert connection.receive()["message"] == "y"
        connection.until_gone()

    shell = shells.make(peers.serve(script).host)
    with pytest.raises(IncompleteError):
        shell.open(ECHO).send_acknowledged("x")
    with pytest.raises(RequestTimeoutError):
        shell.open(ECHO, timeout=0.05).send_acknowledged("y")
    shell.close()


def test_keep_alive(shell: Shell, server: RunningServer) -> None:
    for _ in range(3):
        shell.keep_alive()
    assert server.accepted == 1


def test_a_server_that_does_not_answer_is_noticed(shells: Shells, peers: ScriptedPeers) -> None:
    def script(connection: ScriptedConnection) -> None:
        connection.authenticate()
        assert connection.receive() == {"type": "keepAlive"}
        assert connection.receive() == {"type": "keepAlive"}

    shell = shells.make(peers.serve(script).host)
    with pytest.raises(RequestTimeoutError):
        shell.keep_alive(timeout=0.05)
    with pytest.raises(ConnectionLostError):
        shell.keep_alive()


def test_the_server_is_warned_of_what_does_not_fit(shells: Shells, peers: ScriptedPeers) -> None:
    warned: list[Any] = []

    def script(connection: ScriptedConnection) -> None:
        connection.authenticate()
        call = connection.receive()
        connection.send({"type": "rpcResult", "callId": call["callId"], "result": "not a number"})
        warned.append(connection.receive())
        created = connection.receive()
        connection.send({"type": "channelSend", "channelId": created["channelId"], "message": 5})
        assert connection.receive()["message"] == {"type": "cancel"}
        warned.append(connection.receive())
        for _ in range(9):
            connection.send({"type": "rpcResult", "callId": 77})
        # Nobody need read them before the next call is sent.
        frames = [connection.receive() for _ in range(4)]
        (call,) = [frame for frame in frames if frame["type"] == "rpcCall"]
        warned.extend(frame for frame in frames if frame is not call)
        connection.ping_pong()
        warned.extend(connection.pending())
        connection.send({"type": "rpcResult", "callId": call["callId"], "result": 4})
        connection.until_gone()

    shell = shells.make(peers.serve(script).host)
    with pytest.raises(ProtocolMismatchError):
        shell.call(LIE)
    with pytest.raises(ProtocolMismatchError):
        shell.open(COUNT, {}).receive()
    assert shell.call(DOUBLE, 2) == 4
    shell.close()
    kinds = [(frame["type"], frame["kind"]) for frame in warned]
    assert kinds[:2] == [
        ("communicationWarning", "rpcResultTypeError"),
        ("communicationWarning", "channelMessageTypeError"),
    ]
    assert kinds[2:] == [("communicationWarning", "rpcUnknown")] * 3
