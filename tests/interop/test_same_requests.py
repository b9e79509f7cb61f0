"""Our client sends what the real clients send, frame by frame; ids and credentials aside, numbers by value.

Like the official Python SDK 1.5.0: finding and loading models, addressing them, tokens, and completion by ``predict``,
on a server that has no ``completeRawText``. Like the official JavaScript SDK 2.0.0: ``completeRawText``.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeAlias

import attrs
import pytest

import lmwire
from lmwire.llm import LLM, AsyncLLM
from lmwire_emulator import EmulatorThread
from tests.interop import programs
from tests.interop.calls import NODE_CALLS, PYTHON_CALLS, NodeCall, PythonCall
from tests.interop.environments import NodeProject
from tests.interop.frames import FrameTap, Traffic, same
from tests.interop.scripts import SCRIPT
from tests.support import requires

SHELLS = ("sync", "async")

Calls: TypeAlias = tuple[PythonCall | NodeCall, ...]
Requests: TypeAlias = "dict[str, list[Any]]"
"""The client's frames of each call, by the call's name."""


def requests(traffic: Traffic, calls: Calls) -> Requests:
    """The frames of each call: each was made on a connection of its own to the namespace ``llm``."""
    assert traffic.namespaces() == ["llm"] * len(calls)
    return {
        call.name: [_comparable(frame) for frame in connection.sent_by_client()]
        for call, connection in zip(calls, traffic.connections, strict=True)
    }


def _comparable(value: Any) -> Any:
    """Drop ids; order config fields, whose order says nothing as long as no key is there twice."""
    if isinstance(value, list):
        return [_comparable(item) for item in value]
    if not isinstance(value, dict):
        return value
    kept = {key: _comparable(item) for key, item in value.items() if key not in ("callId", "channelId")}
    if kept.keys() == {"fields"}:
        keys = [field["key"] for field in kept["fields"]]
        assert len(set(keys)) == len(keys)
        kept["fields"].sort(key=lambda field: field["key"])
    return kept


def assert_same(ours: list[Any], theirs: list[Any]) -> None:
    if not same(ours, theirs):
        assert json.dumps(ours, indent=1, sort_keys=True) == json.dumps(theirs, indent=1, sort_keys=True)
        pytest.fail("they differ in the type of a value")


def _table(calls: Calls, directory: Path) -> str:
    path = directory / "calls.json"
    path.write_text(json.dumps([attrs.asdict(call) for call in calls]), encoding="utf-8")
    return str(path)


def _our_python_call(client: lmwire.Client, call: PythonCall) -> None:
    target: Any = client.llm.model() if call.on == "model" else client.llm
    result = getattr(target, call.method)(*call.arguments, **call.options)
    if call.method == "complete_stream":
        for _ in result:
            if call.cancel:
                result.cancel()


async def _our_async_python_call(client: lmwire.AsyncClient, call: PythonCall) -> None:
    target: Any = await client.llm.model() if call.on == "model" else client.llm
    result = await getattr(target, call.method)(*call.arguments, **call.options)
    if call.method == "complete_stream":
        async for _ in result:
            if call.cancel:
                await result.cancel()


def _arguments(call: NodeCall) -> dict[str, Any]:
    """What our ``complete_stream`` takes for the options of a JavaScript call."""
    config = {name: value for name, value in call.options.items() if name != "preset"}
    return {"config": config or None, "preset": call.options.get("preset")}


def _our_node_call(client: lmwire.Client, call: NodeCall) -> None:
    stream = LLM(client.llm, call.identifier).complete_stream(call.prompt, **_arguments(call))
    for _ in stream:
        if call.cancel:
            stream.cancel()


async def _our_async_node_call(client: lmwire.AsyncClient, call: NodeCall) -> None:
    stream = AsyncLLM(client.llm, call.identifier).complete_stream(call.prompt, **_arguments(call))
    async for _ in stream:
        if call.cancel:
            await stream.cancel()


def _make_our_calls(shell: str, api_host: str, calls: tuple[Any, ...], sync: Any, asynchronous: Any) -> None:
    async def make_async() -> None:
        for call in calls:
            async with lmwire.AsyncClient(api_host) as client:
                await asynchronous(client, call)

    if shell == "async":
        asyncio.run(make_async())
        return
    for call in calls:
        with lmwire.Client(api_host) as client:
            sync(client, call)


# Like the official Python SDK 1.5.0.


@pytest.fixture(scope="module")
def python_requests(official_python: Path, tmp_path_factory: pytest.TempPathFactory) -> Requests:
    tap = FrameTap()
    with EmulatorThread(script=SCRIPT, on_frame=tap) as emulator:
        table = _table(PYTHON_CALLS, tmp_path_factory.mktemp("calls"))
        saw = programs.run_python(official_python, "calls", emulator.api_host, table)
    assert saw["warnings"] == []
    traffic = tap.traffic()
    traffic.check()
    return requests(traffic, PYTHON_CALLS)


@pytest.fixture(scope="module", params=SHELLS)
def our_python_requests(request: pytest.FixtureRequest) -> Requests:
    tap = FrameTap()
    with EmulatorThread(script=SCRIPT, on_frame=tap, generation="2025") as emulator:
        _make_our_calls(
            request.param, emulator.api_host, PYTHON_CALLS, _our_python_call, _our_async_python_call
        )
    traffic = tap.traffic()
    # Servers of 2025 deviate from the schema of 2026, as they should here; the client does not.
    assert not [problem for problem in traffic.problems if problem.frame.from_client]
    return requests(traffic, PYTHON_CALLS)


@requires("official-python")
@pytest.mark.parametrize("name", [call.name for call in PYTHON_CALLS])
def test_we_send_what_the_python_sdk_sends(
    name: str, python_requests: Requests, our_python_requests: Requests
) -> None:
    theirs, ours = python_requests[name], our_python_requests[name]
    asked_first = [frame for frame in ours if frame.get("endpoint") == "completeRawText"]
    assert len(asked_first) == sum(frame.get("endpoint") == "predict" for frame in theirs)
    assert_same([frame for frame in ours if frame not in asked_first], theirs)


# Like the official JavaScript SDK 2.0.0.


@pytest.fixture(scope="module")
def node_requests(
    official_node: Callable[[str], NodeProject], tmp_path_factory: pytest.TempPathFactory
) -> Requests:
    tap = FrameTap()
    with EmulatorThread(script=SCRIPT, on_frame=tap) as emulator:
        table = _table(NODE_CALLS, tmp_path_factory.mktemp("calls"))
        saw = programs.run_node(official_node("2.0.0"), "calls", emulator.api_host, table)
    assert saw["warnings"] == []
    traffic = tap.traffic()
    traffic.check()
    return requests(traffic, NODE_CALLS)


@pytest.fixture(scope="module", params=SHELLS)
def our_node_requests(request: pytest.FixtureRequest) -> Requests:
    tap = FrameTap()
    with EmulatorThread(script=SCRIPT, on_frame=tap) as emulator:
        _make_our_calls(request.param, emulator.api_host, NODE_CALLS, _our_node_call, _our_async_node_call)
    traffic = tap.traffic()
    traffic.check()
    return requests(traffic, NODE_CALLS)


@requires("official-node")
@pytest.mark.parametrize("name", [call.name for call in NODE_CALLS])
def test_we_send_what_the_javascript_sdk_sends(
    name: str, node_requests: Requests, our_node_requests: Requests
) -> None:
    assert_same(our_node_requests[name], node_requests[name])
    if name == "complete":
        (create,) = our_node_requests[name]
        (layer,) = create["creationParameter"]["predictionConfigStack"]["layers"]
        assert layer["config"]["fields"] == [{"key": "llm.prediction.stopStrings", "value": []}]
