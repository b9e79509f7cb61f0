"""Real conversations of the official clients with upstream's own server code: all decodes strictly and comes back.

The recordings are no part of the project; the tests run where they lie beside the checkout.
"""

from __future__ import annotations

import importlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from lmwire import envelope
from lmwire_runtime.descriptors import ChannelDescriptor, Codec, NamespaceDescriptor, RpcDescriptor
from lmwire_runtime.wire import STRICT, UNSET
from tests.codegen.support import CHECKOUT

TRANSCRIPTS = sorted((CHECKOUT.parent / "shared" / "transcripts").glob("*.jsonl"))

DECODERS = {"in": envelope.decode_client_frame, "out": envelope.decode_server_frame}


def comes_back(codec: Codec[Any], value: Any) -> None:
    decoded = codec.decode(value, STRICT)
    assert codec.encode(decoded) == value


class Conversation:
    """One connection: knows which endpoint a number stands for."""

    def __init__(self, namespace: NamespaceDescriptor) -> None:
        self.namespace = namespace
        self.calls: dict[int, RpcDescriptor[Any, Any]] = {}
        self.channels: dict[int, ChannelDescriptor[Any, Any, Any]] = {}
        self.payloads = 0

    def check(self, direction: str, data: Any) -> None:
        """Decode a frame and what it carries; both have to come back unchanged."""
        frame = DECODERS[direction](data, STRICT)
        assert frame.to_wire() == data
        codec, value = self.payload(direction, frame)
        if codec is not None:
            comes_back(codec, value)
            self.payloads += 1

    def payload(self, direction: str, frame: Any) -> tuple[Codec[Any] | None, Any]:
        if isinstance(frame, envelope.RpcCall):
            self.calls[frame.call_id] = self.namespace.rpc[frame.endpoint]
            return self.calls[frame.call_id].parameter, frame.parameter
        if isinstance(frame, envelope.RpcResult):
            return self.calls[frame.call_id].result, frame.result
        if isinstance(frame, envelope.ChannelCreate):
            self.channels[frame.channel_id] = self.namespace.channel[frame.endpoint]
            return self.channels[frame.channel_id].creation, frame.creation_parameter
        if isinstance(frame, envelope.ChannelSend):
            channel = self.channels[frame.channel_id]
            return channel.to_server if direction == "in" else channel.to_client, frame.message
        return None, UNSET


def records(path: Path) -> Iterator[dict[str, Any]]:
    for line in path.read_text(encoding="utf-8").splitlines():
        yield json.loads(line)


@pytest.mark.skipif(
    not TRANSCRIPTS, reason="the recordings are not beside the checkout (../shared/transcripts)"
)
def test_there_are_recordings() -> None:
    assert {path.name.split("-")[0] for path in TRANSCRIPTS} == {"js", "python"}


@pytest.mark.parametrize("path", TRANSCRIPTS, ids=lambda path: path.stem)
def test_every_frame_decodes_strictly_and_comes_back(path: Path) -> None:
    conversations: dict[int, Conversation] = {}
    authenticated: set[int] = set()
    for record in records(path):
        if "frame" not in record:
            continue
        connection, direction, frame = record["conn"], record["dir"], record["frame"]
        if connection not in authenticated:
            if direction == "in":
                message: Any = envelope.AuthenticationPacket.from_wire(frame, STRICT)
            else:
                message = envelope.decode_authentication_result(frame, STRICT)
                authenticated.add(connection)
            assert message.to_wire() == frame
            continue
        if connection not in conversations:
            namespace = importlib.import_module(f"lmwire.{record['path'].strip('/')}.descriptor")
            conversations[connection] = Conversation(namespace.NAMESPACE)
        conversations[connection].check(direction, frame)
    assert sum(conversation.payloads for conversation in conversations.values())
