"""Servers with one fault each, as relays in front of an emulator: which check of the kit has to notice it."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final, TypeAlias

import attrs
from websockets.frames import Frame, Opcode

from lmwire_tools.conformance.relay import Line, Message, Twist

__all__ = ["FAULTS", "Fault"]

Taking: TypeAlias = "Callable[[Line, Any, Message], Awaitable[bool] | bool]"
"""Takes a client's frame (None if it is no JSON) and message; True keeps it from the server."""
Giving: TypeAlias = "Callable[[Line, Any], Awaitable[bool] | bool]"
"""Takes a server's frame, which it may change; True keeps it from the client."""


class _Faulty(Twist):
    def __init__(self, take: Taking | None = None, give: Giving | None = None, **changes: Any) -> None:
        self._take = take
        self._give = give
        for name, value in changes.items():
            setattr(self, name, value)

    async def from_client(self, line: Line, message: Message) -> None:
        if self._take is not None:
            try:
                frame = json.loads(message)
            except ValueError:
                frame = None
            kept = self._take(line, frame, message)
            if kept if isinstance(kept, bool) else await kept:
                return
        await line.to_server(message)

    async def from_server(self, line: Line, message: Message) -> None:
        frame = json.loads(message)
        if self._give is not None:
            kept = self._give(line, frame)
            if kept if isinstance(kept, bool) else await kept:
                return
        await line.to_client(frame)


@attrs.frozen
class Fault:
    """A fault.

    Attributes:
        check: The check that has to fail.
        what: The fault, in words.
        twist: Makes the relay's twist.
        also: Checks that fail with it, because they see the same.
    """

    check: str
    what: str
    twist: Callable[[], Twist]
    also: Sequence[str] = ()


def _says(frame: Any, **keys: Any) -> bool:
    return isinstance(frame, dict) and all(frame.get(key) == value for key, value in keys.items())


def _takes(
    check: str, what: str, wanted: Callable[[Any, Message], bool], *reply: Any, also: Sequence[str] = ()
) -> Fault:
    """Messages of a kind are kept from the server, and answered with these frames."""

    async def take(line: Line, frame: Any, message: Message) -> bool:
        if not wanted(frame, message):
            return False
        for one in reply:
            await line.to_client(one)
        return True

    return Fault(check, what, lambda: _Faulty(take), also)


def _is(**keys: Any) -> Callable[[Any, Message], bool]:
    return lambda frame, _: _says(frame, **keys)


def _void(value: Any, endpoint: str, key: str) -> Callable[[Any, Message], bool]:
    return lambda frame, _: _says(frame, endpoint=endpoint) and key in frame and frame[key] == value


def _gives(check: str, what: str, give: Giving, also: Sequence[str] = ()) -> Fault:
    return Fault(check, what, lambda: _Faulty(None, give), also)


def _keeps(wanted: Callable[[Any], bool]) -> Giving:
    """Frames that never arrive."""
    return lambda line, frame: wanted(frame)


def _changed(wanted: Callable[[Any], bool], change: Callable[[Any], object]) -> Giving:
    def give(line: Line, frame: Any) -> bool:
        if wanted(frame):
            change(frame)
        return False

    return give


def _kind(kind: str) -> Callable[[Any], bool]:
    return lambda frame: frame.get("kind") == kind


def _warning(kind: str = "unknown") -> dict[str, Any]:
    return {"type": "communicationWarning", "warning": "what is that?", "kind": kind}


def _result(call_id: Any) -> dict[str, Any]:
    return {"type": "rpcResult", "callId": call_id, "result": {}}


def _page(path: str, reply: tuple[int, Any] | None) -> Callable[[], Twist]:
    class Paged(Twist):
        def page(self, asked: str, usual: tuple[int, Any] | None) -> tuple[int, Any] | None:
            return reply if asked == path else usual

    return Paged


class _Welcoming(Twist):
    def namespace(self, path: str, usual: str | None) -> str | None:
        return usual or "system"


class _InOnePiece(Twist):
    """Drops who fragments."""

    async def opened(self, line: Line) -> None:
        protocol = line.client.protocol
        take = protocol.recv_frame

        def recv_frame(frame: Frame) -> None:
            if frame.opcode is Opcode.CONT:
                line.drop()
            else:
                take(frame)

        protocol.recv_frame = recv_frame  # type: ignore[method-assign]


class _Vulnerable(Twist):
    """Is of no use any more after a client has left in mid-stream."""

    def __init__(self) -> None:
        self._hurt = False

    async def from_client(self, line: Line, message: Message) -> None:
        if self._hurt:
            line.drop()
            return
        if line.namespace == "llm" and "channelCreate" in str(message):
            line.memory["busy"] = True
        await line.to_server(message)

    async def from_server(self, line: Line, message: Message) -> None:
        frame = json.loads(message)
        if frame.get("type") != "channelSend":
            line.memory["busy"] = False
        await line.to_client(frame)

    async def ended(self, line: Line) -> None:
        self._hurt = self._hurt or line.memory.get("busy", False)


class _WithoutFiles(Twist):
    def namespace(self, path: str, usual: str | None) -> str | None:
        return None if path == "/files" else usual


class _Deaf(Twist):
    """Never sends a pong."""

    async def opened(self, line: Line) -> None:
        protocol = line.client.protocol
        send = protocol.send_frame
        protocol.send_frame = lambda frame: None if frame.opcode is Opcode.PONG else send(frame)  # type: ignore[method-assign]


async def _ack_all(line: Line, frame: Any, message: Message) -> bool:
    if _says(frame, type="channelSend") and "ackId" in frame:
        await line.to_client(_warning())
        return True
    return False


async def _counts_bad_calls(line: Line, frame: Any) -> bool:
    """Goes on warning beyond the limit: each warning twice, once there are several."""
    if _says(frame, type="communicationWarning"):
        line.memory["warnings"] = line.memory.get("warnings", 0) + 1
        if line.memory["warnings"] == 5:
            await line.to_client(frame)
    return False


async def _says_more_after_the_close(line: Line, frame: Any) -> bool:
    if not _says(frame, type="channelClose"):
        return False
    await line.to_client(frame)
    await line.to_client(
        {"type": "channelSend", "channelId": frame["channelId"], "message": {"type": "late"}}
    )
    return True


async def _answers_twice(line: Line, frame: Any) -> bool:
    if _says(frame, type="rpcResult", callId=42):
        await line.to_client(frame)
    return False


async def _closes_after_an_error(line: Line, frame: Any) -> bool:
    if _says(frame, type="channelError"):
        await line.to_client(frame)
        frame["type"] = "channelClose"
        del frame["error"]
    return False


def _drops_cancels_of(channel_id: int) -> Taking:
    def take(line: Line, frame: Any, message: Message) -> bool:
        dropped = _says(frame, type="channelSend", channelId=channel_id)
        if dropped:
            line.drop()
        return dropped

    return take


def _once_only(line: Line, frame: Any, message: Message) -> bool:
    again = _says(frame, type="channelCreate") and frame.get("channelId") in line.memory.get("used", ())
    if again:
        line.drop()
    return again


def _notes_ends(line: Line, frame: Any) -> bool:
    if _says(frame, type="channelClose"):
        line.memory.setdefault("used", set()).add(frame["channelId"])
    return False


def _mixes_channels(line: Line, frame: Any) -> bool:
    if frame.get("channelId") == 2 and frame.get("type") == "channelSend":
        frame["channelId"] = 0
    return False


def _is_success(frame: Any) -> bool:
    return _says(frame, type="channelSend") and frame["message"].get("type") == "success"


def _one_for_true(frame: Any) -> None:
    frame["success"] = "yes"


def _spoils(frame: Any) -> None:
    frame["message"]["stats"]["promptTokensCount"] = "four"


def _null_result(frame: Any) -> None:
    frame["result"] = None


class _Refusing(Twist):
    """Refuses in its own way."""

    def __init__(self, **refusal: Any) -> None:
        self._refusal = refusal

    async def from_server(self, line: Line, message: Message) -> None:
        frame = json.loads(message)
        if _says(frame, success=False):
            await line.to_client({"success": False, **self._refusal})
            return
        await line.to_client(frame)


class _ShortOfBreath(Twist):
    max_size = 1000


class _Insatiable(Twist):
    max_size = None


def _drops_the_second_of(call_id: int) -> Taking:
    def take(line: Line, frame: Any, message: Message) -> bool:
        if _says(frame, callId=call_id):
            line.memory["calls"] = line.memory.get("calls", 0) + 1
        return _says(frame, callId=call_id) and line.memory["calls"] > 1

    return take


def _before_success(line: Line, frame: Any) -> bool:
    if _says(frame, success=True):
        line.memory["in"] = True
    return False


async def _too_early(line: Line, frame: Any, message: Message) -> bool:
    if "in" not in line.memory and _says(frame, type="rpcCall") and not line.memory.get("asked"):
        await line.to_client(_result(frame["callId"]))
        return True
    if _says(frame, authVersion=1):
        line.memory["asked"] = True
    return False


async def _pipelined_kills(line: Line, frame: Any, message: Message) -> bool:
    if _says(frame, authVersion=1):
        line.memory["asked"] = True
    elif "in" not in line.memory and line.memory.get("asked"):
        line.drop()
        return True
    return False


def _only_if(condition: Callable[[Any], bool], then: Giving) -> Giving:
    return lambda line, frame: then(line, frame) if condition(frame) else False


FAULTS: Final[Sequence[Fault]] = (
    # Connecting.
    _gives("handshake", "says yes for true", _changed(lambda frame: "success" in frame, _one_for_true)),
    _gives(
        "call",
        "fails simple calls",
        _changed(lambda frame: _says(frame, type="rpcResult"), lambda frame: frame.update(type="rpcError")),
    ),
    Fault("greeting", "greets with text", _page("/lmstudio-greeting", (200, {"lmstudio": "true"}))),
    Fault("status-page", "has no version", _page("/lms-status", (200, {"package": "x"}))),
    Fault("namespaces", "has no files", _WithoutFiles),
    Fault("unknown-path", "opens any path", _Welcoming),
    Fault("ping", "never pongs", _Deaf),
    Fault("fragmented-message", "takes no fragments", _InOnePiece),
    _takes("binary-message", "drops binary messages", lambda _, message: isinstance(message, bytes)),
    Fault("large-message", "takes a thousand bytes", _ShortOfBreath),
    Fault("oversize-message", "waits for any message", _Insatiable),
    Fault("frames-before-authentication", "answers too early", lambda: _Faulty(_too_early, _before_success)),
    _takes(
        "malformed-authentication",
        "refuses version 2 for good",
        _is(authVersion=2),
        {"success": False, "error": "version"},
    ),
    _takes(
        "authentication-extra-keys", "is strict", _is(nonesuch=True), {"success": False, "error": "nonesuch"}
    ),
    Fault("pipelined-frames", "drops who is hasty", lambda: _Faulty(_pipelined_kills, _before_success)),
    Fault("passkey-mismatch", "refuses without a text", _Refusing),
    # Odd frames.
    _gives("keep-alive", "does not know keepAlive", _keeps(lambda frame: _says(frame, type="keepAliveAck"))),
    _takes("not-json", "warns of text", lambda _, message: message == "", _warning()),
    _takes("not-an-object", "warns of null", lambda _, message: message == "null", _warning()),
    _takes("unknown-frame-type", "warns of unknown frames", _is(type="nonesuch"), _warning()),
    _takes("frames-of-the-other-side", "echoes", _is(type="keepAliveAck"), {"type": "keepAliveAck"}),
    _takes(
        "missing-keys",
        "warns of missing ids",
        lambda frame, _: _says(frame, type="channelCreate") and "channelId" not in frame,
        _warning(),
    ),
    _takes("fractional-id", "answers a half", _is(callId=1.5), _result(1.5)),
    _takes("wrong-id-types", "answers text", _is(callId="1"), _result("1")),
    _takes(
        "integral-float-id",
        "drops 3.0",
        lambda _, message: isinstance(message, str) and '"callId":3.0' in message,
    ),
    _takes("negative-id", "drops negative ids", _is(callId=-5)),
    _takes("large-id", "has 32 bits", _is(callId=2**53 - 1)),
    _takes(
        "extra-keys",
        "is strict about frames",
        lambda frame, _: _says(frame, type="rpcCall") and "nonesuch" in frame,
    ),
    Fault("duplicate-call-ids", "answers an id once", lambda: _Faulty(_drops_the_second_of(4))),
    _takes("separate-id-spaces", "shares ids", _is(callId=777)),
    _gives("many-calls", "answers call 42 twice", _answers_twice),
    _takes("void-null", "takes null for void", _void(None, "version", "parameter"), _result(1)),
    _takes("void-object", "takes {} for void", _void({}, "version", "parameter"), _result(1)),
    _takes(
        "wrong-parameter-type",
        "takes text for an object",
        lambda frame, _: _says(frame, endpoint="countTokens", parameter="text"),
        _result(2),
    ),
    _takes(
        "unknown-endpoint",
        "answers unknown endpoints",
        lambda frame, _: _says(frame, type="rpcCall", endpoint="nonesuch"),
        _result(1),
    ),
    _takes(
        "unknown-channel-endpoint",
        "closes unknown channels without a warning",
        _is(type="channelCreate", endpoint="nonesuch"),
        {"type": "channelClose", "channelId": 1},
    ),
    _takes("rpc-name-as-channel", "calls channels", _is(type="rpcCall", endpoint="alive"), _result(1)),
    _gives("unknown-signal", "ignores signals", _keeps(_kind("writableSignalEndpointUnknown"))),
    _takes(
        "unknown-subscription",
        "warns of unsubscribing",
        _is(type="signalUnsubscribe"),
        _warning("signalUnknown"),
    ),
    _gives("write-to-unknown-signal", "ignores writes", _keeps(_kind("writableSignalUnknown"))),
    _takes("client-warning", "warns of warnings", _is(type="communicationWarning"), _warning()),
    _takes(
        "void-channel-null",
        "makes a channel of null",
        _void(None, "alive", "creationParameter"),
        {"type": "channelClose", "channelId": 1},
    ),
    _gives(
        "channel-already-open",
        "opens channels twice",
        _only_if(_kind("channelAlreadyOpen"), lambda line, frame: "odd" not in line.memory),
        also=["invalid-packet"],
    ),
    _takes("unknown-channel", "ignores packets to nobody", _is(type="channelSend", channelId=5)),
    _takes("ack-of-unknown-channel", "ignores acks to nobody", _is(type="channelAck", channelId=5)),
    _takes("stray-ack", "warns of acks", _is(type="channelAck", channelId=1), _warning("channelUnknown")),
    _gives("invalid-packet", "ignores invalid packets", _keeps(_kind("channelMessageTypeError"))),
    _gives("warning-limit", "sends a sixth warning", _counts_bad_calls),
    _takes(
        "extra-parameter-keys",
        "is strict about parameters",
        lambda frame, _: _says(frame, type="rpcCall") and "nonesuch" in (frame.get("parameter") or {}),
        _warning("rpcParameterTypeError"),
    ),
    _gives(
        "rpc-error",
        "has texts as errors",
        _changed(lambda frame: _says(frame, type="rpcError"), lambda frame: frame.update(error="failed")),
    ),
    _gives(
        "void-result",
        "has null for nothing",
        _changed(lambda frame: _says(frame, type="rpcResult") and "result" not in frame, _null_result),
    ),
    _gives(
        "superjson",
        "has no envelope",
        _changed(lambda frame: "meta" in str(frame.get("result")), lambda frame: frame.update(result=[])),
    ),
    _takes(
        "superjson-absent",
        "cuts who leaves undefined out",
        lambda frame, _: _says(frame, endpoint="getEngineSelections") and "parameter" not in frame,
        {"type": "channelClose", "channelId": 1},
    ),
    # Channels.
    _gives("completion", "has no success", _keeps(lambda frame: _is_success(frame))),
    _gives("packet-types", "counts in words", _changed(_is_success, _spoils)),
    _gives("late-frames", "says more after the close", _says_more_after_the_close),
    Fault("channel-id-again", "knows ids for ever", lambda: _Faulty(_once_only, _notes_ends)),
    _gives("interleaved-channels", "mixes channels", _mixes_channels),
    Fault("cancel-at-once", "drops early cancels", lambda: _Faulty(_drops_cancels_of(11))),
    Fault("cancel-in-mid-stream", "drops late cancels", lambda: _Faulty(_drops_cancels_of(12))),
    _gives(
        "cancel-after-close",
        "ignores cancels to nobody",
        _keeps(lambda frame: "channelId = 1" in frame.get("warning", "") and "Send" in frame["warning"]),
    ),
    Fault("packet-with-ack-id", "warns of ackId", lambda: _Faulty(_ack_all)),
    _gives("channel-error", "closes after an error", _closes_after_an_error),
    _takes(
        "wrong-creation-type",
        "fails for wrong types",
        lambda frame, _: (
            _says(frame, type="channelCreate")
            and list(frame.get("creationParameter") or ()) == ["modelSpecifier"]
        ),
        {"type": "channelError", "channelId": 1, "error": {"title": "wrong"}},
    ),
    _takes(
        "null-for-optional",
        "fails for null",
        lambda _, message: "fuzzyPresetIdentifier" in str(message),
        {"type": "channelError", "channelId": 1, "error": {"title": "null"}},
    ),
    _takes(
        "unknown-config-key",
        "refuses unknown keys",
        lambda _, message: "lmwire.nonesuch" in str(message),
        _warning("channelCreationParameterTypeError"),
    ),
    Fault("left-in-mid-stream", "does not survive who leaves", _Vulnerable),
)
