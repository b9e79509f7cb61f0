"""Servers with one fault each, as relays in front of an emulator: which check of the kit has to notice it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from tests.tools.faulty_twists import (
    Deaf,
    Fault,
    FaultyTwist,
    InOnePiece,
    Insatiable,
    Refusing,
    ShortOfBreath,
    Vulnerable,
    Welcoming,
    WithoutFiles,
    ack_all,
    answering,
    answers_twice,
    before_success,
    changed,
    closes_after_an_error,
    counts_bad_calls,
    drops_cancels_of,
    drops_the_second_of,
    frames_with,
    gives,
    is_success,
    keeps,
    kind,
    mixes_channels,
    notes_ends,
    null_result,
    once_only,
    one_for_true,
    only_if,
    only_the_first_of,
    parameter_of,
    pipelined_kills,
    result,
    says,
    says_more_after_the_close,
    spoils,
    takes,
    too_early,
    warning,
)

__all__ = ["FAULTS"]

FAULTS: Final[Sequence[Fault]] = (
    # Connecting.
    gives("handshake", "says yes for true", changed(lambda frame: "success" in frame, one_for_true)),
    gives(
        "call",
        "fails simple calls",
        changed(lambda frame: says(frame, type="rpcResult"), lambda frame: frame.update(type="rpcError")),
    ),
    Fault("greeting", "greets with text", answering("/lmstudio-greeting", (200, {"lmstudio": "true"}))),
    Fault("status-page", "has no version", answering("/lms-status", (200, {"package": "x"}))),
    Fault("namespaces", "has no files", WithoutFiles),
    Fault("unknown-path", "opens any path", Welcoming),
    Fault("ping", "never pongs", Deaf),
    Fault("fragmented-message", "takes no fragments", InOnePiece),
    takes("binary-message", "drops binary messages", lambda _, message: isinstance(message, bytes)),
    Fault("large-message", "takes a thousand bytes", ShortOfBreath),
    Fault("oversize-message", "waits for any message", Insatiable),
    Fault(
        "frames-before-authentication", "answers too early", lambda: FaultyTwist(too_early, before_success)
    ),
    takes(
        "malformed-authentication",
        "refuses version 2 for good",
        frames_with(authVersion=2),
        {"success": False, "error": "version"},
    ),
    takes(
        "authentication-extra-keys",
        "is strict",
        frames_with(nonesuch=True),
        {"success": False, "error": "nonesuch"},
    ),
    Fault("pipelined-frames", "drops who is hasty", lambda: FaultyTwist(pipelined_kills, before_success)),
    Fault("passkey-mismatch", "refuses without a text", Refusing),
    # Odd frames.
    gives("keep-alive", "does not know keepAlive", keeps(lambda frame: says(frame, type="keepAliveAck"))),
    takes("not-json", "warns of text", lambda _, message: message == "", warning()),
    takes("not-an-object", "warns of null", lambda _, message: message == "null", warning()),
    takes("unknown-frame-type", "warns of unknown frames", frames_with(type="nonesuch"), warning()),
    takes("frames-of-the-other-side", "echoes", frames_with(type="keepAliveAck"), {"type": "keepAliveAck"}),
    takes(
        "missing-keys",
        "warns of missing ids",
        lambda frame, _: says(frame, type="channelCreate") and "channelId" not in frame,
        warning(),
    ),
    takes("fractional-id", "answers a half", frames_with(callId=1.5), result(1.5)),
    takes("wrong-id-types", "answers text", frames_with(callId="1"), result("1")),
    takes(
        "integral-float-id",
        "drops 3.0",
        lambda _, message: isinstance(message, str) and '"callId":3.0' in message,
    ),
    takes("negative-id", "drops negative ids", frames_with(callId=-5)),
    takes("large-id", "has 32 bits", frames_with(callId=2**53 - 1)),
    takes(
        "extra-keys",
        "is strict about frames",
        lambda frame, _: says(frame, type="rpcCall") and "nonesuch" in frame,
    ),
    Fault("duplicate-call-ids", "answers an id once", lambda: FaultyTwist(drops_the_second_of(4))),
    takes("separate-id-spaces", "shares ids", frames_with(callId=777)),
    gives("many-calls", "answers call 42 twice", answers_twice),
    takes("void-null", "takes null for void", parameter_of(None, "version", "parameter"), result(1)),
    takes("void-object", "takes {} for void", parameter_of({}, "version", "parameter"), result(1)),
    takes(
        "wrong-parameter-type",
        "takes text for an object",
        lambda frame, _: says(frame, endpoint="countTokens", parameter="text"),
        result(2),
    ),
    takes(
        "unknown-endpoint",
        "answers unknown endpoints",
        lambda frame, _: says(frame, type="rpcCall", endpoint="nonesuch"),
        result(1),
    ),
    takes(
        "unknown-channel-endpoint",
        "closes unknown channels without a warning",
        frames_with(type="channelCreate", endpoint="nonesuch"),
        {"type": "channelClose", "channelId": 1},
    ),
    takes("rpc-name-as-channel", "calls channels", frames_with(type="rpcCall", endpoint="alive"), result(1)),
    gives("unknown-signal", "ignores signals", keeps(kind("writableSignalEndpointUnknown"))),
    takes(
        "unknown-subscription",
        "warns of unsubscribing",
        frames_with(type="signalUnsubscribe"),
        warning("signalUnknown"),
    ),
    gives("write-to-unknown-signal", "ignores writes", keeps(kind("writableSignalUnknown"))),
    takes("client-warning", "warns of warnings", frames_with(type="communicationWarning"), warning()),
    takes(
        "void-channel-null",
        "makes a channel of null",
        parameter_of(None, "alive", "creationParameter"),
        {"type": "channelClose", "channelId": 1},
    ),
    gives(
        "channel-already-open",
        "opens channels twice",
        only_if(kind("channelAlreadyOpen"), lambda line, frame: "odd" not in line.memory),
        also=["invalid-packet"],
    ),
    takes("unknown-channel", "ignores packets to nobody", frames_with(type="channelSend", channelId=5)),
    takes("ack-of-unknown-channel", "ignores acks to nobody", frames_with(type="channelAck", channelId=5)),
    takes(
        "stray-ack", "warns of acks", frames_with(type="channelAck", channelId=1), warning("channelUnknown")
    ),
    gives("invalid-packet", "ignores invalid packets", keeps(kind("channelMessageTypeError"))),
    gives("warning-limit", "sends a sixth warning", counts_bad_calls),
    takes(
        "extra-parameter-keys",
        "is strict about parameters",
        lambda frame, _: says(frame, type="rpcCall") and "nonesuch" in (frame.get("parameter") or {}),
        warning("rpcParameterTypeError"),
    ),
    gives(
        "rpc-error",
        "has texts as errors",
        changed(lambda frame: says(frame, type="rpcError"), lambda frame: frame.update(error="failed")),
    ),
    gives(
        "void-result",
        "has null for nothing",
        changed(lambda frame: says(frame, type="rpcResult") and "result" not in frame, null_result),
    ),
    gives(
        "superjson",
        "has no envelope",
        changed(lambda frame: "meta" in str(frame.get("result")), lambda frame: frame.update(result=[])),
    ),
    takes(
        "superjson-absent",
        "cuts who leaves undefined out",
        lambda frame, _: says(frame, endpoint="getEngineSelections") and "parameter" not in frame,
        {"type": "channelClose", "channelId": 1},
    ),
    # Channels.
    gives("completion", "has no success", keeps(lambda frame: is_success(frame))),
    gives("packet-types", "counts in words", changed(is_success, spoils)),
    gives("late-frames", "says more after the close", says_more_after_the_close),
    Fault("channel-id-again", "knows ids for ever", lambda: FaultyTwist(once_only, notes_ends)),
    gives("interleaved-channels", "mixes channels", mixes_channels),
    Fault("cancel-at-once", "drops early cancels", lambda: FaultyTwist(drops_cancels_of(11))),
    Fault(
        "cancel-in-mid-stream",
        "drops late cancels",
        lambda: FaultyTwist(drops_cancels_of(12), only_the_first_of(12)),
    ),
    gives(
        "cancel-after-close",
        "ignores cancels to nobody",
        keeps(lambda frame: "channelId = 1" in frame.get("warning", "") and "Send" in frame["warning"]),
    ),
    Fault("packet-with-ack-id", "warns of ackId", lambda: FaultyTwist(ack_all)),
    gives("channel-error", "closes after an error", closes_after_an_error),
    takes(
        "wrong-creation-type",
        "fails for wrong types",
        lambda frame, _: (
            says(frame, type="channelCreate")
            and list(frame.get("creationParameter") or ()) == ["modelSpecifier"]
        ),
        {"type": "channelError", "channelId": 1, "error": {"title": "wrong"}},
    ),
    takes(
        "null-for-optional",
        "fails for null",
        lambda _, message: "fuzzyPresetIdentifier" in str(message),
        {"type": "channelError", "channelId": 1, "error": {"title": "null"}},
    ),
    takes(
        "unknown-config-key",
        "refuses unknown keys",
        lambda _, message: "lmwire.nonesuch" in str(message),
        warning("channelCreationParameterTypeError"),
    ),
    Fault("left-in-mid-stream", "does not survive who leaves", Vulnerable),
)
