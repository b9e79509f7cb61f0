"""What is fuzzed: each target takes bytes, does with them what the program would, and asserts what has to hold.

Whatever the bytes: nothing but the typed errors that the function promises, the exchanges of others go on, nothing
grows beyond its limit, and what was decoded survives encoding.
"""

from __future__ import annotations

import base64
import functools
import hashlib
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final, TypeAlias

import attrs

from lmwire_emulator.endpoints import NAMESPACES
from lmwire_runtime import json_codec, patches
from lmwire_runtime.errors import LMWireError
from lmwire_runtime.js_values import same
from lmwire_runtime.limits import Limits
from lmwire_runtime.server_session import CallReceived, ChannelCreated, ServerSession
from lmwire_runtime.session import ClientSession
from lmwire_runtime.superjson_decoding import decode
from lmwire_runtime.superjson_encoding import encode
from lmwire_runtime.transport import ClientTransport, ServerTransport
from lmwire_runtime.wire import STRICT, DecodeError, Decoding, MissingFieldError, WarningSink
from lmwire_tools.analysis import ConnectionAnalysis
from lmwire_tools.recordings import RecordedFrame, RecordingError, read_recording
from lmwire_tools.wiretap import Wiretap
from tests.fuzzing.emulated import Emulated
from tests.fuzzing.proxied import Proxied
from tests.messages.reference import same as same_json
from tests.messages.samples import Sampler
from tests.messages.targets import LMWIRE

__all__ = ["TARGETS", "FuzzTarget"]

Run: TypeAlias = Callable[[bytes], None]

_MESSAGE_BYTES: Final = 4096
_KEY: Final = b"dGhlIHNhbXBsZSBub25jZQ=="
# Lenient, without the warnings on stderr.
_QUIET: Final = Decoding(sink=WarningSink(lambda line: None))


@attrs.frozen
class FuzzTarget:
    """Something to fuzz.

    Attributes:
        name: Names it on the command line, and in the corpus.
        seeds: Makes valid inputs.
        opened: A context manager that gives the function to call with each input.
        rounds: How many inputs a bounded run tries.
    """

    name: str
    seeds: Callable[[], list[bytes]]
    opened: Callable[[], Any]
    rounds: int


def _json_of(data: bytes) -> Any:
    """Parse as the program does; what is no JSON goes no further."""
    try:
        return json_codec.loads(data)
    except ValueError:
        return None


def _list_of(data: bytes) -> list[Any]:
    value = _json_of(data)
    return value if isinstance(value, list) else [value]


# Seeds: all endpoints of the schema.


@functools.cache
def _parts() -> dict[str, Any]:
    return {target.name: target for target in (*LMWIRE.parts, *LMWIRE.classes)}


def _requests() -> list[bytes]:
    found = []
    for name, target in _parts().items():
        namespace, _, rest = name.partition("/")
        _, _, rest = rest.partition("/")
        endpoint, _, part = rest.partition("/")
        if namespace != "llm":
            continue
        value = Sampler(name).instance(target.schema)
        if part == "parameter":
            found.append([{"type": "rpcCall", "endpoint": endpoint, "callId": 1, "parameter": value}])
        elif part in ("creation", "creationParameter"):
            create = {
                "type": "channelCreate",
                "endpoint": endpoint,
                "channelId": 2,
                "creationParameter": value,
            }
            found.append([create, {"type": "channelSend", "channelId": 2, "message": {"type": "cancel"}}])
    found.append([{"type": "rpcCall", "endpoint": "listLoaded", "callId": 3}, {"type": "keepAlive"}])
    found.append(
        [{"type": "communicationWarning", "warning": "x"}, {"type": "channelAck", "channelId": 2, "ackId": 1}]
    )
    return [json_codec.dumps(frames) for frames in found]


def _answers() -> list[bytes]:
    error = {"title": "a", "rootTitle": "b", "cause": "c", "displayData": {"code": "generic.pathNotFound"}}
    frames = [
        {"type": "rpcResult", "callId": 1, "result": {"identifier": "x"}},
        {"type": "rpcError", "callId": 1, "error": error},
        {"type": "channelSend", "channelId": 2, "message": {"type": "progress", "progress": 0.5}},
        {"type": "channelSend", "channelId": 2, "message": {"type": "success"}, "ackId": 4},
        {"type": "channelError", "channelId": 2, "error": error},
        {"type": "channelClose", "channelId": 2},
        {
            "type": "communicationWarning",
            "warning": 'Received invalid rpc call "r"',
            "kind": "rpcEndpointUnknown",
        },
        {"type": "signalUpdate", "subscribeId": 5, "patches": [], "tags": []},
        {"type": "keepAliveAck"},
    ]
    pairs = [[one, other] for one in frames for other in frames]
    return [json_codec.dumps(chosen) for chosen in [*pairs, frames]]


def _values() -> list[bytes]:
    sampler = Sampler("fuzzing")
    parts = [target for target in _parts().values() if not target.wrapped]
    return [
        json_codec.dumps({"target": target.name, "value": sampler.instance(target.schema)})
        for target in parts
    ]


# Targets.


def _client_session(data: bytes) -> None:
    frames = _list_of(data)
    session = ClientSession("llm", limits=Limits(), sink=WarningSink(lambda line: None))
    session.authenticate("me", "secret")
    session.receive([{"success": True}], [10])
    asked = [session.call("r", {}), session.open("c", {}, {"type": "cancel"}), session.call("r", {})]
    other = session.open("nobodyElseUsesThisName", {})
    session.receive(frames, [10] * len(frames))
    assert len(session.outgoing) <= 2 * len(frames) + 8, "it says more than it is told"
    for frame in session.outgoing:
        json_codec.dumps(frame)
    for exchange in asked:
        assert exchange.error is None or isinstance(exchange.error, LMWireError)
    if not _mentions(frames, other.id) and b"nobodyElse" not in data and session.lost is None:
        session.receive([{"type": "channelSend", "channelId": other.id, "message": "mine"}], [10])
        assert other.take() == "mine"


def _mentions(value: Any, number: int) -> bool:
    pending = [value]
    while pending:
        item = pending.pop()
        if isinstance(item, (dict, list)):
            pending += item.values() if isinstance(item, dict) else item
        elif type(item) in (int, float) and item == number:
            return True
    return False


def _server_session(data: bytes) -> None:
    session = ServerSession(NAMESPACES["llm"], handled=lambda endpoint: True)
    session.accept()
    session.outgoing.clear()
    for frame in _list_of(data):
        event = session.receive(frame)
        if isinstance(event, CallReceived):
            session.fail_call(event, {"title": "x"})
        elif isinstance(event, ChannelCreated) and event.channel_id % 2:
            session.close_channel(event.channel_id)
    session.receive({"type": "keepAlive"})
    assert session.outgoing[-1] == {"type": "keepAliveAck"}
    for answer in session.outgoing:
        json_codec.dumps(answer)


def _decoders(data: bytes) -> None:
    given = _json_of(data)
    if not isinstance(given, dict) or given.get("target") not in tuple(_parts()) or "value" not in given:
        return
    target = _parts()[given["target"]]
    for decoding in (_QUIET, STRICT):
        try:
            decoded = target.decode(given["value"], decoding)
        except DecodeError:
            continue
        try:
            once = target.encode(decoded)
        except MissingFieldError:
            assert decoding is _QUIET
            continue
        assert same_json(target.encode(target.decode(once, _QUIET)), once)


def _superjson(data: bytes) -> None:
    value = _json_of(data)
    try:
        decoded = decode(value)
    except DecodeError:
        return
    try:
        envelope = encode(decoded)
    except ValueError:
        return  # keys that JavaScript's decoder refuses
    assert same(decode(envelope), decoded)


def _superjson_seeds() -> list[bytes]:
    nested = {"json": {"a": {"b": "1970-01-01T00:00:00.000Z"}, "c": [[1]], "d": "1"}}
    meta = {"a.b": ["Date"], "c.0": ["set"], "d": ["bigint"]}
    seeds: list[Any] = [
        {**nested, "meta": {"values": meta, "referentialEqualities": {"a": ["c"]}}},
        {"json": [["a", None]], "meta": {"values": ["map", {"0.1": ["undefined"]}]}},
        {"json": {"name": "E", "message": "m"}, "meta": {"values": ["Error"]}},
        {"json": "/a/gi", "meta": {"values": ["regexp"]}},
        {"json": ["NaN"], "meta": {"values": {"0": ["number"]}}},
        {"json": [1, 2], "meta": {"values": [["typed-array", "Uint8Array"]]}},
    ]
    return [json_codec.dumps(seed) for seed in seeds]


def _patches(data: bytes) -> None:
    given = _json_of(data)
    if not isinstance(given, dict) or not isinstance(given.get("patches"), list):
        return
    value = given.get("value")
    before = json.dumps(value)
    try:
        changed = patches.apply(value, given["patches"])
    except patches.PatchError:
        changed = None
    assert json.dumps(value) == before
    assert same(patches.apply(value, patches.diff(value, changed)), changed)


def _patches_seeds() -> list[bytes]:
    value = {"a": {"b": [1, 2, {"c": None}]}, "": 0}
    steps: list[tuple[str, list[Any]]] = [
        *(("replace", ["a", "b", 1]), ("add", ["a", "b", 3]), ("remove", ["a", "b", 0])),
        *(("add", ["x"]), ("remove", [""]), ("replace", []), ("replace", ["a", "b", "length"])),
    ]
    every = [{"op": operation, "path": path, "value": 5} for operation, path in steps]
    return [
        json_codec.dumps({"value": value, "patches": chosen}) for chosen in (every, *([one] for one in every))
    ]


def _transport(data: bytes) -> None:
    """The bytes behind both ends' handshakes, in one piece and in crumbs."""
    server = ServerTransport(message_bytes=_MESSAGE_BYTES)
    server.receive(
        b"GET /llm HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
        b"Sec-WebSocket-Key: " + _KEY + b"\r\n\r\n"
    )
    assert server.accept()
    client = ClientTransport("ws://127.0.0.1:1/llm", message_bytes=_MESSAGE_BYTES)
    key = client.output()[0].partition(b"Sec-WebSocket-Key: ")[2].partition(b"\r\n")[0]
    guid = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
    accept = base64.b64encode(hashlib.sha1(key + guid).digest())
    client.receive(
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: "
        + accept
        + b"\r\n\r\n"
    )
    assert client.open
    for end in (server, client):
        heard = [bytes(message) for piece in _crumbs(data) for message in end.receive(piece)]
        assert all(len(message) <= _MESSAGE_BYTES for message in heard)
        assert sum(map(len, heard)) <= len(data)
        end.receive_eof()
        end.output()
        assert end.close_reason
    for sender in ("client", "server"):
        tap = Wiretap(sender, _MESSAGE_BYTES)
        for piece in _crumbs(data):
            tap.feed(piece)
    # And as the head of a request.
    stranger = ServerTransport(message_bytes=_MESSAGE_BYTES)
    for piece in _crumbs(data):
        stranger.receive(piece)
    stranger.receive_eof()
    stranger.output()


def _crumbs(data: bytes) -> Iterator[bytes]:
    size = max(1, len(data) // 3)
    for start in range(0, len(data), size):
        yield data[start : start + size]


def _transport_seeds() -> list[bytes]:
    masked = b"\x81\x85\x01\x02\x03\x04" + bytes(byte ^ (i % 4 + 1) for i, byte in enumerate(b"[1,2]"))
    plain = b"\x81\x05[1,2]"
    fragments = b"\x01\x02[1\x89\x00\x80\x03,2]"
    close = b"\x88\x02\x03\xe8"
    head = b"GET /llm HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n"
    return [
        masked,
        plain,
        plain + fragments,
        fragments + close,
        masked * 3,
        b"\x81\x7e\x20\x00" + b"x" * 9000,
        head,
    ]


def _recordings(data: bytes) -> None:
    try:
        lines = b"\n".join(map(json_codec.dumps, _list_of(data)))
    except ValueError:  # an infinity can be read, but not written
        lines = data
    connections: dict[int, ConnectionAnalysis] = {}
    try:
        for record in read_recording(lines.split(b"\n")):
            if isinstance(record, RecordedFrame):
                analysis = connections.setdefault(
                    record.connection, ConnectionAnalysis(record.connection, record.namespace)
                )
                analysis.frame(record.direction, json_codec.dumps(record.data), record.time)
    except RecordingError:
        return


def _recordings_seeds() -> list[bytes]:
    head = {"event": "recording", "format": 1}
    found = []
    for asked in _requests():
        opening = [
            ("to_server", {"authVersion": 1, "clientIdentifier": "me", "clientPasskey": "<redacted>"}),
            ("to_client", {"success": True}),
            *(("to_server", frame) for frame in json_codec.loads(asked)),
            ("to_client", {"type": "channelSend", "channelId": 2, "message": {"type": "fragment"}}),
            ("to_client", {"type": "rpcResult", "callId": 1, "result": 1}),
        ]
        lines = [
            {
                "event": "frame",
                "time": 1.5,
                "connection": 1,
                "namespace": "llm",
                "direction": way,
                "frame": frame,
            }
            for way, frame in opening
        ]
        found.append(json_codec.dumps([head, *lines]))
    return found


def _plainly(run: Run) -> Callable[[], Any]:
    @contextmanager
    def opened() -> Iterator[Run]:
        yield run

    return opened


@contextmanager
def _emulator() -> Iterator[Run]:
    with Emulated() as emulated:
        yield lambda data: emulated.play(_list_of(data) if _json_of(data) is not None else [data])


@contextmanager
def _proxy() -> Iterator[Run]:
    with Proxied() as proxied:

        def run(data: bytes) -> None:
            frames = _json_of(data)
            if isinstance(frames, list):
                proxied.play(frames)
            else:
                proxied.send_raw(data)

        yield run


TARGETS: Final = {
    target.name: target
    for target in (
        FuzzTarget("client-session", _answers, _plainly(_client_session), 1000),
        FuzzTarget("server-session", _requests, _plainly(_server_session), 600),
        FuzzTarget("decoders", _values, _plainly(_decoders), 1500),
        FuzzTarget("superjson", _superjson_seeds, _plainly(_superjson), 1500),
        FuzzTarget("patches", _patches_seeds, _plainly(_patches), 1500),
        FuzzTarget("transport", _transport_seeds, _plainly(_transport), 400),
        FuzzTarget("recordings", _recordings_seeds, _plainly(_recordings), 300),
        FuzzTarget("emulator", _requests, _emulator, 60),
        FuzzTarget("proxy", lambda: [*_requests(), *_transport_seeds()], _proxy, 60),
    )
}
