"""Endpoints that speak superjson, between real servers and clients of both shells."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from lmwire import runtime
from lmwire_runtime.descriptors import VOID, ChannelDescriptor, Codec, NamespaceDescriptor, RpcDescriptor
from lmwire_runtime.errors import ProtocolMismatchError, RefusedRequestError
from lmwire_runtime.server import Namespace, RequestContext, Server, ServerChannel
from lmwire_runtime.wire import Decoding, Path
from tests.runtime.arithmetic import ENOUGH, RunningServer
from tests.runtime.raw_clients import RawClient
from tests.runtime.scripted_peers import ScriptedConnection, ScriptedPeers
from tests.runtime.shells import KINDS, Shells, shells_of

SELECTIONS = [("GGUF", runtime.RuntimeExtensionSpecifier(name="engine-a", version="1.2.3"))]
CALL = {
    "type": "rpcCall",
    "endpoint": "getEngineSelections",
    "callId": 1,
    "parameter": {"json": None, "meta": {"values": ["undefined"]}},
}
RESULT = {
    "type": "rpcResult",
    "callId": 1,
    "result": {"json": [["GGUF", {"name": "engine-a", "version": "1.2.3"}]], "meta": {"values": ["map"]}},
}


def _number(value: Any, decoding: Decoding, path: Path) -> float:
    if type(value) not in (int, float):
        decoding.deviation(path, "a number", value)
    return float(value)


NUMBER: Codec[float] = Codec(_number, lambda value: value, type_name="a number")
STOP: Codec[None] = Codec(lambda value, decoding, path: None, lambda value: {"type": "stop"})
HALVES: ChannelDescriptor[float, None, float] = ChannelDescriptor(
    namespace="lab", name="halves", method="halves", serialization="superjson",
    creation=NUMBER, to_server=STOP, to_client=NUMBER, cancel={"type": "stop"},
)  # fmt: skip
NEGATE: RpcDescriptor[float, float] = RpcDescriptor(
    namespace="lab", name="negate", method="negate", serialization="superjson",
    parameter=NUMBER, result=Codec(_number, lambda value: value, presence="optional"),
)  # fmt: skip
FORGET: RpcDescriptor[None, None] = RpcDescriptor(
    namespace="lab", name="forget", method="forget", serialization="superjson", parameter=VOID, result=VOID
)
LAB = NamespaceDescriptor(
    name="lab", revision="test", rpc={"negate": NEGATE, "forget": FORGET}, channel={"halves": HALVES}
)


class Engines(runtime.RuntimeHandlers):
    async def get_engine_selections(
        self, context: RequestContext
    ) -> list[tuple[runtime.ModelFormatName, runtime.RuntimeExtensionSpecifier]]:
        return list(SELECTIONS)


class LabHandlers:
    async def negate(self, parameter: float, context: RequestContext) -> float | None:
        return None if parameter == 0 else -parameter

    async def forget(self, context: RequestContext) -> None:
        return None

    async def halves(self, creation: float, channel: ServerChannel[None, float]) -> None:
        await channel.send(creation)
        await channel.send(creation / 2)
        await channel.receive()


@pytest.fixture
def frames() -> list[tuple[str, dict[str, Any]]]:
    """What the server has sent and received."""
    return []


@pytest.fixture
def server(frames: list[tuple[str, dict[str, Any]]]) -> Iterator[RunningServer]:
    def make(**hooks: Any) -> Server:
        namespaces = [Namespace(runtime.NAMESPACE, Engines()), Namespace(LAB, LabHandlers())]
        return Server(
            namespaces, on_frame=lambda way, _, text: frames.append((way, json.loads(text))), **hooks
        )

    running = RunningServer(make)
    yield running
    running.close()


@pytest.fixture(params=KINDS)
def shells(request: pytest.FixtureRequest) -> Iterator[Shells]:
    with shells_of(request.param) as shells:
        yield shells


def test_engine_selections_arrive_typed(
    shells: Shells, server: RunningServer, frames: list[tuple[str, dict[str, Any]]]
) -> None:
    shell = shells.make(server.host)
    assert shell.call(runtime.GET_ENGINE_SELECTIONS) == SELECTIONS
    assert frames[-2:] == [("received", CALL), ("sent", RESULT)]


def test_numbers_that_json_lacks(shells: Shells, server: RunningServer) -> None:
    shell = shells.make(server.host)
    assert shell.call(NEGATE, float("inf")) == float("-inf")
    assert shell.call(NEGATE, 0.0) is None
    assert shell.call(FORGET) is None


def test_channels_and_their_cancel_packet(
    shells: Shells, server: RunningServer, frames: list[tuple[str, dict[str, Any]]]
) -> None:
    shell = shells.make(server.host)
    with shell.open(HALVES, float("inf")) as stream:
        assert [stream.receive(), stream.receive()] == [float("inf"), float("inf")]
        assert stream.cancel()
        assert list(stream) == []
    assert (
        "received",
        {"type": "channelSend", "channelId": 1, "message": {"json": {"type": "stop"}}},
    ) in frames


def test_a_client_that_leaves_the_void_parameter_out(server: RunningServer) -> None:
    with RawClient(server.port, "/runtime") as client:
        client.authenticate()
        call = {key: value for key, value in CALL.items() if key != "parameter"}
        assert client.ask(call) == RESULT
        assert client.ask({**CALL, "parameter": {}}) == RESULT


def test_a_parameter_that_is_no_envelope_is_refused(shells: Shells, server: RunningServer) -> None:
    raw: RpcDescriptor[Any, Any] = RpcDescriptor(
        namespace="lab", name="negate", method="negate",
        parameter=Codec(lambda value, decoding, path: value, lambda value: value), result=NUMBER,
    )  # fmt: skip
    shell = shells.make(server.host)
    for parameter in (1, {"json": 1, "meta": {"values": ["nothing"]}}, {"json": "x"}):
        with pytest.raises(RefusedRequestError):
            shell.call(raw, parameter, timeout=ENOUGH)


def test_a_result_that_is_no_envelope_has_a_pointer(shells: Shells, peers: ScriptedPeers) -> None:
    def script(connection: ScriptedConnection) -> None:
        connection.authenticate()
        odd: list[Any] = [[], {"json": [["GGUF"]], "meta": {"values": ["map"]}}, {"json": [["GGUF", 1]]}]
        for result in odd:
            call = connection.receive()
            while call["type"] != "rpcCall":
                call = connection.receive()
            connection.send({"type": "rpcResult", "callId": call["callId"], "result": result})
        connection.until_gone()

    shell = shells.make(peers.serve(script).host)
    for pointer in ("", "/json/0", "/json/0/1"):
        with pytest.raises(ProtocolMismatchError) as caught:
            shell.call(runtime.GET_ENGINE_SELECTIONS)
        assert caught.value.pointer == pointer
    shell.close()


@pytest.fixture
def peers() -> Iterator[ScriptedPeers]:
    with ScriptedPeers() as peers:
        yield peers
