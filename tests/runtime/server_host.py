"""A server session under test, the endpoints it knows, and the frames that clients send it."""

from __future__ import annotations

from typing import Any

from lmwire_runtime.descriptors import VOID, ChannelDescriptor, Codec, NamespaceDescriptor, RpcDescriptor
from lmwire_runtime.server_session import (
    CallReceived,
    ChannelCreated,
    ChannelEvent,
    ServerEvent,
    ServerSession,
)
from lmwire_runtime.wire import Decoding, Path


def _specifier(value: Any, decoding: Decoding, path: Path) -> Any:
    """A parameter as the compiler would decode it: one required string, one optional number."""
    if type(value) is not dict:
        decoding.deviation(path, "an object", value)
    if type(value.get("inputString")) is not str:
        decoding.deviation((path, "inputString"), "a string", value.get("inputString"))
    if "ttlMs" in value and type(value["ttlMs"]) is not int:
        decoding.deviation((path, "ttlMs"), "a number", value["ttlMs"])
    if decoding.strict:
        decoding.check_keys(path, value, frozenset({"inputString", "ttlMs"}))
    return value


def _packet(value: Any, decoding: Decoding, path: Path) -> Any:
    if type(value) is not dict or value.get("type") not in ("cancel", "stop"):
        decoding.deviation(path, "a packet", value)
    return value


def _bottomless(value: Any, decoding: Decoding, path: Path) -> Any:
    raise RecursionError


SPECIFIER: Codec[Any] = Codec(_specifier, lambda value: value)
OPTIONAL: Codec[Any] = Codec(_specifier, lambda value: value, presence="optional")
PACKET: Codec[Any] = Codec(_packet, lambda value: value)
ANYTHING: Codec[Any] = Codec(lambda value, decoding, path: value, lambda value: value)


def rpc(name: str, parameter: Codec[Any], result: Codec[Any] = ANYTHING) -> RpcDescriptor[Any, Any]:
    return RpcDescriptor(namespace="system", name=name, method=name, parameter=parameter, result=result)


def channel(
    name: str, creation: Codec[Any], to_server: Codec[Any] = PACKET
) -> ChannelDescriptor[Any, Any, Any]:
    return ChannelDescriptor(
        namespace="system", name=name, method=name, creation=creation, to_server=to_server, to_client=ANYTHING
    )


SYSTEM = NamespaceDescriptor(
    name="system",
    revision="test",
    rpc={
        endpoint.name: endpoint
        for endpoint in (
            rpc("version", VOID),
            rpc("notify", VOID, VOID),
            rpc("tokenize", SPECIFIER),
            rpc("surveyHardware", OPTIONAL, OPTIONAL),
            rpc("getLocalFileAbsolutePath", ANYTHING),
            rpc("bottomless", Codec(_bottomless, lambda value: value)),
        )
    },
    channel={
        endpoint.name: endpoint
        for endpoint in (
            channel("alive", VOID, VOID),
            channel("getOrLoad", SPECIFIER),
            channel("streamLogs", VOID),
            channel("unhandled", VOID),
        )
    },
)
UNHANDLED = {"getLocalFileAbsolutePath", "unhandled"}
PARAMETER = {"inputString": "x"}
VERSION = {"version": "0.4.99", "build": 1}


class Host:
    """A session with handlers that answer at once."""

    def __init__(self, *, warning_kinds: bool = True, authenticated: bool = True) -> None:
        self.session = ServerSession(
            SYSTEM, handled=lambda endpoint: endpoint.name not in UNHANDLED, warning_kinds=warning_kinds
        )
        self.packets: list[Any] = []
        if authenticated:
            self.session.accept()
            self.sent()

    def sent(self) -> list[dict[str, Any]]:
        frames, self.session.outgoing = self.session.outgoing, []
        return frames

    def exchange(self, *frames: Any) -> list[dict[str, Any]]:
        """Send frames; returns what comes back."""
        for frame in frames:
            self.handle(self.session.receive(frame))
        return self.sent()

    def handle(self, event: ServerEvent | None) -> None:
        if isinstance(event, CallReceived):
            self.session.answer_call(event, None if event.descriptor.name == "notify" else VERSION)
        elif isinstance(event, ChannelCreated) and event.descriptor.name == "getOrLoad":
            self.session.send_packet(event.channel_id, {"type": "alreadyLoaded"})
            self.session.close_channel(event.channel_id)
        elif isinstance(event, ChannelEvent):
            self.packets.append(event.packet)
            if event.packet == {"type": "stop"}:
                self.session.close_channel(event.channel_id)


def call(name: str, identity: Any = 1, **keys: Any) -> dict[str, Any]:
    return {"type": "rpcCall", "endpoint": name, "callId": identity, **keys}


def create(name: str, identity: Any = 1, **keys: Any) -> dict[str, Any]:
    return {"type": "channelCreate", "endpoint": name, "channelId": identity, **keys}


def send(identity: Any = 1, **keys: Any) -> dict[str, Any]:
    return {"type": "channelSend", "channelId": identity, **keys}


def answer(identity: Any = 1) -> dict[str, Any]:
    return {"type": "rpcResult", "callId": identity, "result": VERSION}
