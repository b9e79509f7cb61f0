"""Checks of servers: the life of channels that send packets. They complete a few tokens with a loaded model."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from lmwire import llm
from lmwire_runtime.wire import DecodeError, Decoding, WarningSink
from lmwire_tools.conformance.checks import Check, Failed
from lmwire_tools.conformance.raw import ANYTHING, WARNING, Connection, Server, abbreviated
from lmwire_tools.conformance.server_checks_envelope import check_error

__all__ = ["CHECKS"]

_FEW: Final = 4
_MANY: Final = 200
# Older servers leave out what they do not know: only wrong types are failures.
_LENIENT: Final = Decoding(sink=WarningSink(lambda *_: None))
_UNKNOWN_MODEL: Final = {"type": "query", "query": {"identifier": "lmwire/there-is-no-such-model"}}


def _cancel(channel_id: int) -> dict[str, Any]:
    return {"type": "channelSend", "channelId": channel_id, "message": {"type": "cancel"}}


def _packets(frames: Sequence[Any], channel_id: int) -> list[Any]:
    """The packets of a channel that ended well, of which all frames are given; checks them.

    Raises:
        Failed: Something is not as a completion has it.
    """
    packets = []
    for frame in frames:
        if not isinstance(frame, dict) or frame.get("channelId") != channel_id:
            raise Failed(f"among the frames of channel {channel_id} came {abbreviated(frame)}")
        if frame["type"] == "channelSend":
            packets.append(frame.get("message"))
    if frames[-1]["type"] != "channelClose":
        raise Failed(f"the completion ended with {abbreviated(frames[-1])}")
    kinds = [packet.get("type") if isinstance(packet, dict) else None for packet in packets]
    if kinds.count("success") != 1:
        raise Failed(f"a completion has one success, this one has {kinds.count('success')}")
    if kinds[-1] != "success":
        raise Failed(f"after success came {abbreviated(packets[-1])}")
    return packets


def _complete(connection: Connection, create: dict[str, Any], *more: Any) -> list[Any]:
    connection.send(create, *more)
    return _packets(connection.until_end_of(create["channelId"]), create["channelId"])


def _completion(server: Server) -> None:
    create = server.completion(1, tokens=_FEW)
    with server.open("llm") as connection:
        _complete(connection, create)


def _packet_types(server: Server) -> None:
    create = server.completion(1, tokens=_FEW)
    decode = llm.NAMESPACE.channel[create["endpoint"]].to_client.decode
    with server.open("llm") as connection:
        for packet in _complete(connection, create):
            try:
                decode(packet, _LENIENT)
            except DecodeError as error:
                raise Failed(f"a packet does not fit the schema: {error}") from None


def _late_frames(server: Server) -> None:
    create = server.completion(1, tokens=_FEW)
    with server.open("llm") as connection:
        _complete(connection, create)
        late = connection.settle()
        if late:
            raise Failed(f"after channelClose came {abbreviated(late[0])}")


def _id_again(server: Server) -> None:
    create = server.completion(1, tokens=_FEW)
    with server.open("llm") as connection:
        _complete(connection, create)
        _complete(connection, create)


def _interleaved(server: Server) -> None:
    creates = [server.completion(number, tokens=_FEW) for number in range(3)]
    with server.open("llm") as connection:
        connection.send(*creates)
        frames: list[Any] = []
        while sum(frame.get("type") in ("channelClose", "channelError") for frame in frames) < len(creates):
            frames.append(connection.receive("the end of three channels"))
    for number in range(len(creates)):
        _packets([frame for frame in frames if frame.get("channelId") == number], number)


def _was_stopped(packets: Sequence[Any]) -> None:
    reason = packets[-1].get("stats", {}).get("stopReason")
    # Who is quick enough has finished before the cancel came.
    if reason not in ("userStopped", "eosFound", "maxPredictedTokensReached", "contextLengthReached"):
        raise Failed(f"after a cancel the stop reason is {reason!r}")


def _cancelled_at_once(server: Server) -> None:
    create = server.completion(11, tokens=_MANY)
    with server.open("llm") as connection:
        _was_stopped(_complete(connection, create, _cancel(11)))


def _cancelled_in_mid_stream(server: Server) -> None:
    create = server.completion(12, tokens=_MANY)
    with server.open("llm") as connection:
        connection.send(create)
        frames = [connection.receive("the first packet")]
        connection.send(_cancel(12))
        if frames[0].get("type") not in ("channelClose", "channelError"):
            frames += _until_end(connection, 12)
        _was_stopped(_packets(frames, 12))


def _until_end(connection: Connection, channel_id: int) -> list[Any]:
    """As ``until_end_of``; a cancel that has crossed the end may have cost a warning."""
    return [frame for frame in connection.until_end_of(channel_id) if frame.get("type") != WARNING]


def _cancel_after_close(server: Server) -> None:
    create = server.completion(1, tokens=_FEW)
    with server.open("llm") as connection:
        _complete(connection, create)
        connection.exchange(_cancel(1), expect=[{"type": WARNING, "kind": "channelUnknown"}])


def _ack_id(server: Server) -> None:
    create = server.completion(1, tokens=_MANY)
    with server.open("llm") as connection:
        connection.send(create, {**_cancel(1), "ackId": 9})
        frames = connection.until_end_of(1)
        kept = [frame for frame in frames if frame.get("type") != "channelAck"]
        _was_stopped(_packets(kept, 1))


def _channel_error(server: Server) -> None:
    create = server.completion(1, tokens=_FEW, modelSpecifier=_UNKNOWN_MODEL)
    with server.open("llm") as connection:
        (reply,) = connection.exchange(
            create, expect=[{"type": "channelError", "channelId": 1, "error": ANYTHING}]
        )
    check_error(reply["error"])


def _bad_creation(server: Server) -> None:
    create = server.completion(1, tokens=_FEW)
    bad = {**create, "creationParameter": {"modelSpecifier": server.specifier}}
    with server.open("llm") as connection:
        connection.exchange(bad, expect=[{"type": WARNING, "kind": "channelCreationParameterTypeError"}])
        _complete(connection, create)


def _null_for_optional(server: Server) -> None:
    create = server.completion(1, tokens=_FEW, fuzzyPresetIdentifier=None)
    with server.open("llm") as connection:
        connection.exchange(create, expect=[{"type": WARNING, "kind": "channelCreationParameterTypeError"}])


def _unknown_config_key(server: Server) -> None:
    create = server.completion(1, tokens=_FEW)
    field = {"key": "lmwire.nonesuch", "value": {"a": None}}
    create["creationParameter"]["predictionConfigStack"]["layers"][0]["config"]["fields"].append(field)
    with server.open("llm") as connection:
        _complete(connection, create)


def _left_in_mid_stream(server: Server) -> None:
    create = server.completion(1, tokens=_MANY)
    with server.open("llm") as connection:
        connection.send(create)
        connection.receive("the first packet")
    with server.open("llm") as connection:
        _complete(connection, server.completion(1, tokens=_FEW))


CHECKS: Final = (
    Check("completion", "7", "a completion has one success, and is closed after it", _completion, ["call"]),
    Check("packet-types", "7", "all packets of a completion fit the schema", _packet_types, ["completion"]),
    Check("late-frames", "7", "nothing follows channelClose", _late_frames, ["completion"]),
    Check(
        "channel-id-again",
        "5",
        "the id of a channel that has ended may be used again",
        _id_again,
        ["late-frames"],
    ),
    Check(
        "interleaved-channels",
        "16",
        "three channels at once each get their own",
        _interleaved,
        ["late-frames"],
    ),
    Check(
        "cancel-at-once",
        "7",
        "a cancel right behind the channelCreate ends in success and channelClose",
        _cancelled_at_once,
        ["completion"],
    ),
    Check(
        "cancel-in-mid-stream",
        "7",
        "a cancel after the first packet ends in success and channelClose",
        _cancelled_in_mid_stream,
        ["completion"],
    ),
    Check(
        "cancel-after-close",
        "7",
        "a cancel for a channel that has ended costs a warning, no more",
        _cancel_after_close,
        ["late-frames", "unknown-channel"],
    ),
    Check("packet-with-ack-id", "7", "a packet with an ackId is taken", _ack_id, ["cancel-at-once"]),
    Check(
        "channel-error",
        "14",
        "a channel that fails gets one channelError, no more",
        _channel_error,
        ["completion"],
    ),
    Check(
        "wrong-creation-type",
        "7",
        "a creation parameter that does not fit gets a warning, and no channel is made",
        _bad_creation,
        ["completion"],
    ),
    Check(
        "null-for-optional",
        "13",
        "null for what is only optional does not fit",
        _null_for_optional,
        ["wrong-creation-type"],
    ),
    Check(
        "unknown-config-key",
        "6",
        "unknown keys of a KV config are ignored",
        _unknown_config_key,
        ["completion"],
    ),
    Check(
        "left-in-mid-stream",
        "15",
        "a connection that drops in mid-stream harms no other",
        _left_in_mid_stream,
        ["completion"],
    ),
)
