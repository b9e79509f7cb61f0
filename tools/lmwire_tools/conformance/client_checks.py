"""Checks of clients: each runs the command once, against a server with one twist."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Sequence
from typing import Any, Final

from lmwire_emulator.endpoints import NAMESPACES
from lmwire_runtime.wire import STRICT, UNSET, DecodeError
from lmwire_tools.conformance.checks import Check, Failed
from lmwire_tools.conformance.client_runs import COMPLETIONS, Client, Run, Watching
from lmwire_tools.conformance.raw import WARNING, abbreviated
from lmwire_tools.conformance.relay import Line, Message

__all__ = ["CLIENT_CHECKS"]

_TITLE: Final = "the kit's own failure"
_HOLD_SECONDS: Final = 0.3
_CREDENTIAL_LENGTH: Final = 256
_ID_KEYS: Final = {"rpcCall": "callId", "channelCreate": "channelId"}


# Servers with a twist.


class _Beside(Watching):
    """Says something more, when the client has authenticated."""

    def __init__(self, *more: Any) -> None:
        super().__init__()
        self._more = more

    async def give(self, line: Line, frame: dict[str, Any]) -> None:
        await line.to_client(frame)
        if "success" in frame:
            for one in self._more:
                await line.to_client(one)


class _Changing(Watching):
    """Changes what the server says; what comes back is sent instead."""

    def __init__(self, change: Callable[[dict[str, Any]], Sequence[Any]]) -> None:
        super().__init__()
        self._change = change

    async def give(self, line: Line, frame: dict[str, Any]) -> None:
        for one in self._change(frame):
            await line.to_client(one)


class _InsteadOfCompleting(Watching):
    """Does something else when a completion is asked for."""

    async def take(self, line: Line, frame: Any, message: Message) -> None:
        if isinstance(frame, dict) and frame.get("endpoint") in COMPLETIONS:
            await self.instead(line, frame)
        elif not (isinstance(frame, dict) and frame.get("type") == "channelSend"):
            await line.to_server(message)

    async def instead(self, line: Line, frame: dict[str, Any]) -> None:
        """Do something else."""
        raise NotImplementedError


class _Answering(_InsteadOfCompleting):
    """Answers completions with frames of its own, which get the channel's id."""

    def __init__(self, *frames: dict[str, Any]) -> None:
        super().__init__()
        self._frames = frames

    async def instead(self, line: Line, frame: dict[str, Any]) -> None:
        for one in self._frames:
            await line.to_client({**one, "channelId": frame["channelId"]})


class _Unknowing(_InsteadOfCompleting):
    """Does not know how to complete: the warning that servers of 2026 send then."""

    async def instead(self, line: Line, frame: dict[str, Any]) -> None:
        text = f"Received channelCreate for unknown endpoint, endpoint = {frame['endpoint']}"
        await line.to_client({"type": WARNING, "warning": text, "kind": "channelEndpointUnknown"})


class _Dropping(Watching):
    """Cuts the connection after the first fragment."""

    async def give(self, line: Line, frame: dict[str, Any]) -> None:
        await line.to_client(frame)
        if _packet_type(frame) == "fragment":
            line.drop()


class _Refusing(Watching):
    """Takes nobody."""

    async def give(self, line: Line, frame: dict[str, Any]) -> None:
        if "success" in frame:
            await line.to_client({"success": False, "error": _TITLE})
            await line.close()


class _Hesitating(Watching):
    """Takes its time to accept, and notes what is said meanwhile."""

    def __init__(self) -> None:
        super().__init__()
        self.early: list[Any] = []

    async def give(self, line: Line, frame: dict[str, Any]) -> None:
        if "success" in frame:
            await asyncio.sleep(_HOLD_SECONDS)
            self.early += line.memory["heard"].frames[1:]
        await line.to_client(frame)


class _Pinging(Watching):
    """Wants a pong before it accepts."""

    async def give(self, line: Line, frame: dict[str, Any]) -> None:
        if "success" in frame:
            await (await line.client.ping())
        await line.to_client(frame)


class _Piecemeal(Watching):
    """Sends each message in several WebSocket fragments."""

    async def give(self, line: Line, frame: dict[str, Any]) -> None:
        text = json.dumps(frame)
        await line.client.send([text[:5], text[5:9], text[9:]])


def _packet_type(frame: dict[str, Any]) -> Any:
    message = frame.get("message")
    return message.get("type") if isinstance(message, dict) else None


def _ahead(*more: Any) -> Callable[[dict[str, Any]], Sequence[Any]]:
    """Packets that come ahead of the first fragment."""

    def change(frame: dict[str, Any]) -> Sequence[Any]:
        if _packet_type(frame) != "fragment" or frame["message"]["fragment"]["content"] != "One":
            return [frame]
        return [
            *({"type": "channelSend", "channelId": frame["channelId"], "message": one} for one in more),
            frame,
        ]

    return change


def _with_more_keys(frame: dict[str, Any]) -> Sequence[Any]:
    message = frame.get("message")
    if isinstance(message, dict):
        frame = {**frame, "message": {**message, "nonesuch": {"a": [None]}}}
    return [{**frame, "nonesuch": 5}]


def _with_ack_ids(frame: dict[str, Any]) -> Sequence[Any]:
    return [{**frame, "ackId": 3} if frame.get("type") == "channelSend" else frame]


def _with_late_frames(frame: dict[str, Any]) -> Sequence[Any]:
    if frame.get("type") != "channelClose":
        return [frame]
    late = {"type": "channelSend", "channelId": frame["channelId"], "message": {"type": "nonesuch"}}
    return [frame, late, frame]


def _with_unknown_reason(frame: dict[str, Any]) -> Sequence[Any]:
    if _packet_type(frame) == "success" and "stats" in frame["message"]:
        frame["message"]["stats"]["stopReason"] = "nonesuch"
    return [frame]


# What is demanded.


def _completes(make: Callable[[], Watching]) -> Callable[[Client], None]:
    def run(client: Client) -> None:
        client.run(make()).completed()

    return run


def _fails(make: Callable[[], Watching], *told: str) -> Callable[[Client], None]:
    def run(client: Client) -> None:
        client.run(make()).failed(*told)

    return run


def _observed(look: Callable[[Run], None]) -> Callable[[Client], None]:
    """What a client says to a good server."""

    def run(client: Client) -> None:
        done = client.run()
        done.completed()
        look(done)

    return run


def _authentication(run: Run) -> None:
    seen = set()
    for heard in run.heard:
        packet = heard.frames[0] if heard.frames else None
        if not isinstance(packet, dict) or packet.get("authVersion") != 1:
            raise Failed(f"on /{heard.namespace} it began with {abbreviated(packet)}")
        pair = (packet.get("clientIdentifier"), packet.get("clientPasskey"))
        if not all(isinstance(part, str) and len(part) <= _CREDENTIAL_LENGTH for part in pair):
            raise Failed(
                f"on /{heard.namespace} its credentials are no texts of at most {_CREDENTIAL_LENGTH}"
            )
        seen.add(pair)
    if len(seen) != 1:
        raise Failed(f"its {len(run.heard)} connections have {len(seen)} identities")


def _ids(run: Run) -> None:
    for heard in run.heard:
        used = set()
        for frame in heard.frames[1:]:
            key = _ID_KEYS.get(frame.get("type"))
            if key is None:
                continue
            if type(frame.get(key)) is not int:
                raise Failed(f"an id is no integer: {abbreviated(frame)}")
            if (key, frame[key]) in used:
                raise Failed(f"an id is used twice: {abbreviated(frame)}")
            used.add((key, frame[key]))


def _frames(run: Run) -> None:
    for heard in run.heard:
        channels: dict[Any, Any] = {}
        for frame in heard.frames[1:]:
            fault = _fault(heard.namespace, frame, channels) if isinstance(frame, dict) else "it is no object"
            if fault is not None:
                raise Failed(f"/{heard.namespace}: {fault}: {abbreviated(frame)}")


def _fault(namespace: str, frame: dict[str, Any], channels: dict[Any, Any]) -> str | None:
    """What is wrong with a client's frame; None for nothing."""
    descriptor, kind = NAMESPACES[namespace], frame.get("type")
    try:
        if kind == "rpcCall":
            descriptor.rpc[frame["endpoint"]].parameter.decode(frame.get("parameter", UNSET), STRICT)
        elif kind == "channelCreate":
            channel = channels[frame["channelId"]] = descriptor.channel[frame["endpoint"]]
            channel.creation.decode(frame.get("creationParameter", UNSET), STRICT)
        elif kind == "channelSend":
            channels[frame["channelId"]].to_server.decode(frame.get("message", UNSET), STRICT)
        elif kind not in ("keepAlive", "channelAck", WARNING):
            return f"frames of type {kind!r} are none of a client"
    except DecodeError as error:
        return str(error)
    except KeyError as error:
        return f"{error} is missing or unknown"
    return None


def _hesitation(client: Client) -> None:
    twist = _Hesitating()
    client.run(twist).completed()
    if twist.early:
        raise Failed(f"it did not wait to be accepted, and sent {abbreviated(twist.early[0])}")


def _older(client: Client) -> None:
    client.run(older=True).completed()


_ERROR: Final = {"type": "channelError", "error": {"title": _TITLE, "rootTitle": _TITLE}}
_TEXT_ERROR: Final = {"type": "channelError", "error": _TITLE}
_CLOSE: Final = {"type": "channelClose"}
_BASIS: Final = "completes"

_TABLE: Final[Sequence[tuple[str, str, str, Callable[[Client], None]]]] = (
    (_BASIS, "7", "it prints what a good server completes, and ends with 0", _completes(Watching)),
    (
        "authentication",
        "2",
        "each connection begins with an authentication packet, all with one identity",
        _observed(_authentication),
    ),
    ("waits-to-be-accepted", "2", "nothing is sent before the server has accepted", _hesitation),
    ("frames-fit", "4", "all its frames fit the schema; what is void is left out", _observed(_frames)),
    ("ids", "5", "ids are integers, and no two calls or channels of a connection share one", _observed(_ids)),
    ("ping", "1.1", "a WebSocket ping gets its pong", _completes(_Pinging)),
    (
        "fragmented-messages",
        "1.1",
        "messages in several WebSocket fragments are taken",
        _completes(_Piecemeal),
    ),
    ("older-server", "19", "it completes at a server of August 2025", _older),
    (
        "unknown-frame-type",
        "17",
        "a frame of an unknown type is ignored",
        _completes(lambda: _Beside({"type": "nonesuch"})),
    ),
    (
        "keep-alive-ack",
        "10",
        "a keepAliveAck that it did not ask for is ignored",
        _completes(lambda: _Beside({"type": "keepAliveAck"})),
    ),
    (
        "warning",
        "11",
        "a warning that concerns nothing is ignored",
        _completes(lambda: _Beside({"type": WARNING, "warning": "just trying", "kind": "nonesuch"})),
    ),
    (
        "answer-to-nobody",
        "6",
        "an answer to a call that it did not make is ignored",
        _completes(
            lambda: _Beside(
                {"type": "rpcResult", "callId": 987654}, {"type": "rpcError", "callId": 987655, "error": {}}
            )
        ),
    ),
    (
        "packet-to-nobody",
        "7",
        "a packet of a channel that it did not open is ignored",
        _completes(lambda: _Beside({"type": "channelSend", "channelId": 987654, "message": {"type": "x"}})),
    ),
    (
        "extra-keys",
        "3",
        "unknown keys of frames and packets are ignored",
        _completes(lambda: _Changing(_with_more_keys)),
    ),
    (
        "unknown-packet-type",
        "17",
        "a packet of an unknown type is ignored",
        _completes(lambda: _Changing(_ahead({"type": "nonesuch"}))),
    ),
    (
        "unknown-enum-value",
        "17",
        "an unknown stop reason does no harm",
        _completes(lambda: _Changing(_with_unknown_reason)),
    ),
    (
        "ack-id",
        "7",
        "packets that want to be acknowledged are taken",
        _completes(lambda: _Changing(_with_ack_ids)),
    ),
    (
        "late-frames",
        "7",
        "what follows channelClose is ignored",
        _completes(lambda: _Changing(_with_late_frames)),
    ),
    ("not-json", "17", "a text that is no JSON is ignored", _completes(lambda: _Beside("{oops"))),
    ("not-an-object", "17", "JSON that is no object is ignored", _completes(lambda: _Beside("5", "[]"))),
    ("refused", "2", "a refusal ends it, and it says why", _fails(_Refusing, _TITLE)),
    (
        "channel-error",
        "14",
        "channelError ends it, and it says why",
        _fails(lambda: _Answering(_ERROR), _TITLE),
    ),
    ("text-as-error", "14", "an error that is a text ends it too", _fails(lambda: _Answering(_TEXT_ERROR))),
    (
        "close-without-result",
        "7",
        "a channelClose without a result ends it",
        _fails(lambda: _Answering(_CLOSE)),
    ),
    (
        "unknown-endpoint",
        "6",
        "the warning that its endpoint is unknown ends it",
        _fails(_Unknowing),
    ),
    ("lost-connection", "15", "a connection that is cut in mid-stream ends it", _fails(_Dropping)),
)

CLIENT_CHECKS: Final[Sequence[Check[Client]]] = tuple(
    Check(name, section, does, run, () if name == _BASIS else (_BASIS,))
    for name, section, does, run in _TABLE
)
