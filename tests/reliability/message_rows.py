"""Rows about what messages say: text that is no JSON, values beyond reason, frames that nobody expects."""

from __future__ import annotations

from typing import Final

from lmwire_runtime.errors import (
    ChannelError,
    IncompleteError,
    ProtocolMismatchError,
    RefusedRequestError,
    RequestTimeoutError,
    RpcError,
    UnsupportedEndpointError,
)
from tests.reliability.table import DEEP, SOON, Fails, Gives, Incident, Row
from tests.runtime.arithmetic import ANYTHING, SILENT

ONE, TWO = {"number": 1}, {"number": 2}
NO_JSON: Final = (
    b"",
    b"{oops",
    b'{"type":',
    b"undefined",
    b"NaN",
    b'"half',
    b"{}{}",
    b"\xef\xbb\xbf{}",
    b"\x00",
    b"[" * 9,
)
ODD_FRAMES: Final[tuple[object, ...]] = (
    None,
    True,
    7,
    1.5,
    "text",
    [],
    [{"type": "rpcResult"}],
    {},
    {"type": None},
    {"type": ["rpcResult"]},
)


def _number(incident: Incident, digits: int) -> None:
    incident.text(b'{"type":"rpcResult","callId":%d,"result":%s}' % (incident.id, b"9" * digits))


def _nested(incident: Incident, depth: int) -> None:
    incident.text(
        b'{"type":"rpcResult","callId":%d,"result":%s%s}' % (incident.id, b"[" * depth, b"]" * depth)
    )


def _no_json(incident: Incident) -> None:
    incident.text(*NO_JSON * 3)
    incident.answer()


def _beyond_nesting(incident: Incident) -> None:
    _nested(incident, 200_000)
    incident.answer()


def _digits_beyond_reason(incident: Incident) -> None:
    _number(incident, 100_000)
    incident.answer()


def _half_a_surrogate(incident: Incident) -> None:
    incident.text(b'{"type":"rpcResult","callId":%d,"result":"\\ud83d"}' % incident.id)


def _odd_frames(incident: Incident) -> None:
    incident.send(*ODD_FRAMES)
    incident.answer()


def _unknown_frames(incident: Incident) -> None:
    for number in range(100):
        incident.send(
            {"type": "somethingNew", "callId": incident.id, "channelId": incident.id, "number": number}
        )
    incident.answer()


def _signals(incident: Incident) -> None:
    incident.send(
        {"type": "signalUpdate", "subscribeId": incident.id, "patches": [], "tags": []},
        {"type": "signalUpdate", "subscribeId": 1, "patches": [], "tags": []},
    )
    incident.answer()


def _quiet_frames(incident: Incident) -> None:
    incident.send({"type": "keepAliveAck"}, {"type": "channelAck", "channelId": 1, "ackId": 99})
    incident.answer()


def _unknown_ids(incident: Incident) -> None:
    for identity in (0, -1, 99, 2**53, 2**64, -(2**70), 1e300):
        incident.send(
            {"type": "rpcResult", "callId": identity, "result": 1},
            {"type": "rpcError", "callId": identity, "error": {"title": "not yours"}},
            {"type": "channelSend", "channelId": identity, "message": ONE},
            {"type": "channelError", "channelId": identity, "error": {"title": "not yours"}},
            {"type": "channelClose", "channelId": identity},
        )
    incident.answer()


def _ids_of_the_other_kind(incident: Incident) -> None:
    """Calls and channels have numbers of their own."""
    incident.send(
        {"type": "channelSend", "channelId": incident.id, "message": ONE},
        {"type": "channelClose", "channelId": incident.id},
        {"type": "rpcResult", "callId": 1, "result": 1},  # 1 is the neighbour, which is a channel
        {"type": "rpcError", "callId": 1, "error": {"title": "not yours"}},
    )
    incident.answer()


def _float_ids(incident: Incident) -> None:
    incident.text(b'{"type":"rpcResult","callId":%d.0,"result":42}' % incident.id)


def _answers_twice(incident: Incident) -> None:
    incident.send(incident.result(42), incident.result(43))
    incident.send({"type": "rpcError", "callId": incident.id, "error": {"title": "too late"}})


def _fails_and_answers(incident: Incident) -> None:
    incident.send(
        {"type": "rpcError", "callId": incident.id, "error": {"title": "it failed"}}, incident.result(42)
    )


def _answers_late(incident: Incident) -> None:
    incident.before_the_next_answer.append(incident.result(42))


def _stream_goes_on_late(incident: Incident) -> None:
    incident.before_the_next_answer += [
        incident.packet(ONE),
        incident.packet("?"),
        incident.close,
        incident.close,
    ]


def _packets_after_the_close(incident: Incident) -> None:
    incident.send(incident.packet(ONE), incident.close, incident.packet(TWO), incident.close)
    incident.send({"type": "channelError", "channelId": incident.id, "error": {"title": "too late"}})


def _stream_fails(incident: Incident) -> None:
    error = {"title": "it failed", "cause": "it had to", "suggestion": "do not ask"}
    incident.send(
        incident.packet(ONE),
        {"type": "channelError", "channelId": incident.id, "error": error},
        incident.close,
    )


def _warns_about_the_request(incident: Incident) -> None:
    incident.send(
        {
            "type": "communicationWarning",
            "warning": "Received invalid parameter for rpcCall, endpointName = double, parameter = 21. Zod error: no",
            "kind": "rpcParameterTypeError",
        }
    )


def _lacks_the_endpoint(incident: Incident) -> None:
    incident.send(
        {
            "type": "communicationWarning",
            "warning": "Received channelCreate for unknown endpoint, endpoint = silent",
            "kind": "channelEndpointUnknown",
        }
    )


def _warns_of_nothing(incident: Incident) -> None:
    for number in range(4):
        incident.send(
            {"type": "communicationWarning", "warning": f"something is odd: {number}", "kind": "odd"}
        )
    incident.answer()


def _authentication_again(incident: Incident) -> None:
    incident.send({"success": True}, {"success": False, "error": "changed my mind"})
    incident.answer()


MESSAGE_ROWS: Final = (
    Row(
        name="no-json",
        what="Texts that are no JSON: empty, broken, two documents in one, a byte order mark, NaN.",
        does=_no_json,
        warnings=1,
    ),
    Row(
        name="half-a-surrogate",
        what="Half of an emoji, as an escape that stands alone.",
        does=_half_a_surrogate,
        outcome=Gives("\ud83d"),
        result=ANYTHING,
    ),
    Row(
        name="integer-beyond-64-bit",
        what="An integer beyond 64 bit; it is read as JavaScript reads it.",
        does=lambda incident: _number(incident, 25),
        outcome=Gives(1e25),
        result=ANYTHING,
    ),
    Row(
        name="integer-where-it-does-not-fit",
        what="An integer beyond 64 bit where the schema wants an integer.",
        does=lambda incident: _number(incident, 25),
        outcome=Fails(ProtocolMismatchError, r"expected an integer, found a number \(1e\+25\)"),
    ),
    Row(
        name="digits-beyond-reason",
        what="A number of 100,000 digits.",
        does=_digits_beyond_reason,
        warnings=1,
    ),
    Row(
        name="nesting",
        what="Arrays nested 500 deep.",
        does=lambda incident: _nested(incident, 501),
        outcome=Gives(500),
        result=DEEP,
    ),
    Row(
        name="nesting-beyond-the-type",
        what="A value that is nested deeper than its decoder can go.",
        does=lambda incident: _nested(incident, 1000),
        outcome=Fails(ProtocolMismatchError, "nested too deeply"),
        result=DEEP,
    ),
    Row(
        name="nesting-beyond-reason",
        what="Arrays nested 200,000 deep.",
        does=_beyond_nesting,
        warnings=1,
    ),
    Row(
        name="odd-frames",
        what="Frames that are no objects, or have no type.",
        does=_odd_frames,
        warnings=7,
    ),
    Row(
        name="unknown-frames",
        what="A hundred frames of a type of the future.",
        does=_unknown_frames,
        warnings=1,
    ),
    Row(name="signals", what="Updates of a signal that nobody subscribed to.", does=_signals),
    Row(name="quiet-frames", what="Acknowledgements of what was never sent.", does=_quiet_frames),
    Row(name="unknown-ids", what="Frames of every kind for ids that were never used.", does=_unknown_ids),
    Row(
        name="ids-of-the-other-kind",
        what="Packets for a channel with the id of a call, and answers for a call with the id of a channel.",
        does=_ids_of_the_other_kind,
    ),
    Row(name="float-ids", what="An id written as 3.0, which is an integer.", does=_float_ids),
    Row(name="answers-twice", what="Two answers to one call, and an error after them.", does=_answers_twice),
    Row(
        name="fails-and-answers",
        what="An error for a call, and then its answer.",
        does=_fails_and_answers,
        outcome=Fails(RpcError, "it failed"),
    ),
    Row(
        name="silent-call",
        what="No answer; it comes when nobody waits for it any more.",
        does=_answers_late,
        outcome=Fails(RequestTimeoutError, r"no answer arrived within 0.15 s; .*raise .*timeouts\.rpc"),
        timeout=SOON,
    ),
    Row(
        name="silent-stream",
        what="No packet; packets come when nobody waits for them any more.",
        does=_stream_goes_on_late,
        request="stream",
        outcome=Fails(RequestTimeoutError, r"no packet arrived within 0.15 s; .*raise .*timeouts\.channel"),
        timeout=SOON,
    ),
    Row(
        name="silent-in-mid-stream",
        what="A packet, then silence.",
        does=lambda incident: incident.send(incident.packet(ONE)),
        request="stream",
        outcome=Fails(RequestTimeoutError, "no packet arrived within 0.15 s", after=(ONE,)),
        timeout=SOON,
    ),
    Row(
        name="close-without-a-result",
        what="A channel's close, without a packet, while a packet is waited for.",
        does=lambda incident: incident.send(incident.close),
        request="receive",
        outcome=Fails(IncompleteError, "the server closed the channel"),
    ),
    Row(
        name="close-without-packets",
        what="A channel's close, without a packet, while the stream is iterated.",
        does=lambda incident: incident.send(incident.close),
        request="stream",
        outcome=Gives([]),
    ),
    Row(
        name="packets-after-the-close",
        what="Packets, an error and another close after the close of a channel.",
        does=_packets_after_the_close,
        request="stream",
        outcome=Gives([ONE]),
    ),
    Row(
        name="error-in-mid-stream",
        what="An error in mid-stream, and a close after it.",
        does=_stream_fails,
        request="stream",
        outcome=Fails(ChannelError, "it failed.*\nCause: it had to\nSuggestion: do not ask", after=(ONE,)),
    ),
    Row(
        name="wrong-result",
        what="A result that does not fit the schema.",
        does=lambda incident: incident.send(incident.result("forty-two")),
        outcome=Fails(
            ProtocolMismatchError, r"at \(root\): expected an integer, found a string \('forty-two'\)"
        ),
    ),
    Row(
        name="no-result",
        what="An answer without its result.",
        does=lambda incident: incident.send({"type": "rpcResult", "callId": incident.id}),
        outcome=Fails(ProtocolMismatchError, "expected an integer, found nothing"),
    ),
    Row(
        name="wrong-packet",
        what="A packet that does not fit the schema, in mid-stream.",
        does=lambda incident: incident.send(incident.packet(ONE), incident.packet([1]), incident.packet(TWO)),
        request="stream",
        outcome=Fails(ProtocolMismatchError, "expected an object, found an array", after=(ONE,)),
    ),
    Row(
        name="no-packet",
        what="A packet frame without a packet.",
        does=lambda incident: incident.send({"type": "channelSend", "channelId": incident.id}),
        request="stream",
        outcome=Fails(ProtocolMismatchError, "expected an object, found nothing"),
    ),
    Row(
        name="refused-request",
        what="A warning that names the call, instead of an answer.",
        does=_warns_about_the_request,
        outcome=Fails(RefusedRequestError, "the server refused the request: Received invalid parameter"),
    ),
    Row(
        name="lacking-endpoint",
        what="A warning that the endpoint of a stream is unknown.",
        does=_lacks_the_endpoint,
        request="stream",
        endpoint=SILENT,
        creation=None,
        outcome=Fails(UnsupportedEndpointError, "the server has no such endpoint"),
    ),
    Row(
        name="warns-of-nothing", what="Warnings that concern no request.", does=_warns_of_nothing, warnings=1
    ),
    Row(
        name="authenticates-again",
        what="Answers to the authentication, good and bad, long after it.",
        does=_authentication_again,
        warnings=1,
    ),
)
