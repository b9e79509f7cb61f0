"""What makes servers faulty: twists of a relay, and how rows of ``faulty_servers`` say them."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, TypeAlias

import attrs
from websockets.frames import Frame, Opcode

from lmwire_tools.conformance.relay import Line, Message, Twist

__all__ = [
    "ack_all",
    "answering",
    "answers_twice",
    "before_success",
    "changed",
    "closes_after_an_error",
    "counts_bad_calls",
    "Deaf",
    "drops_cancels_of",
    "drops_the_second_of",
    "Fault",
    "FaultyTwist",
    "frames_with",
    "gives",
    "InOnePiece",
    "Insatiable",
    "is_success",
    "keeps",
    "kind",
    "mixes_channels",
    "notes_ends",
    "null_result",
    "once_only",
    "only_the_first_of",
    "one_for_true",
    "only_if",
    "parameter_of",
    "pipelined_kills",
    "Refusing",
    "result",
    "says",
    "says_more_after_the_close",
    "ShortOfBreath",
    "spoils",
    "takes",
    "too_early",
    "Vulnerable",
    "warning",
    "Welcoming",
    "WithoutFiles",
]

Taking: TypeAlias = "Callable[[Line, Any, Message], Awaitable[bool] | bool]"
"""Takes a client's frame (None if it is no JSON) and message; True keeps it from the server."""
Giving: TypeAlias = "Callable[[Line, Any], Awaitable[bool] | bool]"
"""Takes a server's frame, which it may change; True keeps it from the client."""


class FaultyTwist(Twist):
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


def says(frame: Any, **keys: Any) -> bool:
    return isinstance(frame, dict) and all(frame.get(key) == value for key, value in keys.items())


def takes(
    check: str, what: str, wanted: Callable[[Any, Message], bool], *reply: Any, also: Sequence[str] = ()
) -> Fault:
    """Messages of a kind are kept from the server, and answered with these frames."""

    async def take(line: Line, frame: Any, message: Message) -> bool:
        if not wanted(frame, message):
            return False
        for one in reply:
            await line.to_client(one)
        return True

    return Fault(check, what, lambda: FaultyTwist(take), also)


def frames_with(**keys: Any) -> Callable[[Any, Message], bool]:
    return lambda frame, _: says(frame, **keys)


def parameter_of(value: Any, endpoint: str, key: str) -> Callable[[Any, Message], bool]:
    return lambda frame, _: says(frame, endpoint=endpoint) and key in frame and frame[key] == value


def gives(check: str, what: str, give: Giving, also: Sequence[str] = ()) -> Fault:
    return Fault(check, what, lambda: FaultyTwist(None, give), also)


def keeps(wanted: Callable[[Any], bool]) -> Giving:
    """Frames that never arrive."""
    return lambda line, frame: wanted(frame)


def changed(wanted: Callable[[Any], bool], change: Callable[[Any], object]) -> Giving:
    def give(line: Line, frame: Any) -> bool:
        if wanted(frame):
            change(frame)
        return False

    return give


def kind(kind: str) -> Callable[[Any], bool]:
    return lambda frame: frame.get("kind") == kind


def warning(kind: str = "unknown") -> dict[str, Any]:
    return {"type": "communicationWarning", "warning": "what is that?", "kind": kind}


def result(call_id: Any) -> dict[str, Any]:
    return {"type": "rpcResult", "callId": call_id, "result": {}}


def answering(changed: str, reply: tuple[int, Any] | None) -> Callable[[], Twist]:
    class Paged(Twist):
        def page(self, path: str, usual: tuple[int, Any] | None) -> tuple[int, Any] | None:
            return reply if path == changed else usual

    return Paged


class Welcoming(Twist):
    def namespace(self, path: str, usual: str | None) -> str | None:
        return usual or "system"


class InOnePiece(Twist):
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


class Vulnerable(Twist):
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


class WithoutFiles(Twist):
    def namespace(self, path: str, usual: str | None) -> str | None:
        return None if path == "/files" else usual


class Deaf(Twist):
    """Never sends a pong."""

    async def opened(self, line: Line) -> None:
        protocol = line.client.protocol
        send = protocol.send_frame
        protocol.send_frame = lambda frame: None if frame.opcode is Opcode.PONG else send(frame)  # type: ignore[method-assign]


async def ack_all(line: Line, frame: Any, message: Message) -> bool:
    if says(frame, type="channelSend") and "ackId" in frame:
        await line.to_client(warning())
        return True
    return False


async def counts_bad_calls(line: Line, frame: Any) -> bool:
    """Goes on warning beyond the limit: each warning twice, once there are several."""
    if says(frame, type="communicationWarning"):
        line.memory["warnings"] = line.memory.get("warnings", 0) + 1
        if line.memory["warnings"] == 5:
            await line.to_client(frame)
    return False


async def says_more_after_the_close(line: Line, frame: Any) -> bool:
    if not says(frame, type="channelClose"):
        return False
    await line.to_client(frame)
    await line.to_client(
        {"type": "channelSend", "channelId": frame["channelId"], "message": {"type": "late"}}
    )
    return True


async def answers_twice(line: Line, frame: Any) -> bool:
    if says(frame, type="rpcResult", callId=42):
        await line.to_client(frame)
    return False


async def closes_after_an_error(line: Line, frame: Any) -> bool:
    if says(frame, type="channelError"):
        await line.to_client(frame)
        frame["type"] = "channelClose"
        del frame["error"]
    return False


def drops_cancels_of(channel_id: int) -> Taking:
    def take(line: Line, frame: Any, message: Message) -> bool:
        dropped = says(frame, type="channelSend", channelId=channel_id)
        if dropped:
            line.drop()
        return dropped

    return take


def only_the_first_of(channel_id: int) -> Giving:
    """What was still to come cannot overtake what happens next."""

    def give(line: Line, frame: Any) -> bool:
        of_it = frame.get("channelId") == channel_id
        held = of_it and "begun" in line.memory
        if of_it:
            line.memory["begun"] = True
        return held

    return give


def once_only(line: Line, frame: Any, message: Message) -> bool:
    again = says(frame, type="channelCreate") and frame.get("channelId") in line.memory.get("used", ())
    if again:
        line.drop()
    return again


def notes_ends(line: Line, frame: Any) -> bool:
    if says(frame, type="channelClose"):
        line.memory.setdefault("used", set()).add(frame["channelId"])
    return False


def mixes_channels(line: Line, frame: Any) -> bool:
    if frame.get("channelId") == 2 and frame.get("type") == "channelSend":
        frame["channelId"] = 0
    return False


def is_success(frame: Any) -> bool:
    return says(frame, type="channelSend") and frame["message"].get("type") == "success"


def one_for_true(frame: Any) -> None:
    frame["success"] = "yes"


def spoils(frame: Any) -> None:
    frame["message"]["stats"]["promptTokensCount"] = "four"


def null_result(frame: Any) -> None:
    frame["result"] = None


class Refusing(Twist):
    """Refuses in its own way."""

    def __init__(self, **refusal: Any) -> None:
        self._refusal = refusal

    async def from_server(self, line: Line, message: Message) -> None:
        frame = json.loads(message)
        if says(frame, success=False):
            await line.to_client({"success": False, **self._refusal})
            return
        await line.to_client(frame)


class ShortOfBreath(Twist):
    max_size = 1000


class Insatiable(Twist):
    max_size = None


def drops_the_second_of(call_id: int) -> Taking:
    def take(line: Line, frame: Any, message: Message) -> bool:
        if says(frame, callId=call_id):
            line.memory["calls"] = line.memory.get("calls", 0) + 1
        return says(frame, callId=call_id) and line.memory["calls"] > 1

    return take


def before_success(line: Line, frame: Any) -> bool:
    if says(frame, success=True):
        line.memory["in"] = True
    return False


async def too_early(line: Line, frame: Any, message: Message) -> bool:
    if "in" not in line.memory and says(frame, type="rpcCall") and not line.memory.get("asked"):
        await line.to_client(result(frame["callId"]))
        return True
    if says(frame, authVersion=1):
        line.memory["asked"] = True
    return False


async def pipelined_kills(line: Line, frame: Any, message: Message) -> bool:
    if says(frame, authVersion=1):
        line.memory["asked"] = True
    elif "in" not in line.memory and line.memory.get("asked"):
        line.drop()
        return True
    return False


def only_if(condition: Callable[[Any], bool], then: Giving) -> Giving:
    return lambda line, frame: then(line, frame) if condition(frame) else False
