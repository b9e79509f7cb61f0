"""Checks of servers: frames that are odd, calls, warnings and signals. Most are frames and what has to come back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import attrs

from lmwire_tools.conformance.checks import Check, Failed, NotApplicable
from lmwire_tools.conformance.raw import ANYTHING, WARNING, Connection, Server, abbreviated

__all__ = ["CHECKS"]

_WARNING_LIMIT: Final = 5


@attrs.frozen
class Exchange:
    """Frames that are sent on a new connection, and all that may come back.

    Attributes:
        send: The frames.
        expect: What has to come back, in any order; nothing else may.
        path: The namespace.
    """

    send: Sequence[Any]
    expect: Sequence[Mapping[str, Any]] = ()
    path: str = "system"

    def __call__(self, server: Server) -> None:
        """Run it."""
        with server.open(self.path) as connection:
            connection.exchange(*self.send, expect=self.expect)


def _call(call_id: Any, endpoint: str = "version", **more: Any) -> dict[str, Any]:
    return {"type": "rpcCall", "endpoint": endpoint, "callId": call_id, **more}


def _result(call_id: int) -> dict[str, Any]:
    return {"type": "rpcResult", "callId": call_id, "result": ANYTHING}


def _warning(kind: str) -> dict[str, Any]:
    return {"type": WARNING, "warning": ANYTHING, "kind": kind}


def _alive(channel_id: Any, **more: Any) -> dict[str, Any]:
    return {"type": "channelCreate", "endpoint": "alive", "channelId": channel_id, **more}


def _subscribe(prefix: str = "signal") -> dict[str, Any]:
    return {"type": f"{prefix}Subscribe", "endpoint": "nonesuch", "subscribeId": 1}


_ODD: Final[Sequence[tuple[str, str, str, Exchange]]] = (
    (
        "keep-alive",
        "10",
        "keepAlive gets keepAliveAck",
        Exchange([{"type": "keepAlive"}], [{"type": "keepAliveAck"}]),
    ),
    ("not-json", "17", "a text that is no JSON is dropped without a word", Exchange(["{oops", ""])),
    (
        "not-an-object",
        "17",
        "JSON that is no object is dropped",
        Exchange(["[]", "5", "null", '"rpcCall"', "true"]),
    ),
    (
        "unknown-frame-type",
        "3",
        "frames of unknown types, or of none, are dropped",
        Exchange([{"type": "nonesuch", "callId": 1}, {}, {"type": 5}, {"type": None}]),
    ),
    (
        "frames-of-the-other-side",
        "4",
        "frames that only servers send are dropped",
        Exchange(
            [
                {"type": "rpcResult", "callId": 1},
                {"type": "channelClose", "channelId": 1},
                {"type": "keepAliveAck"},
                {"type": "signalUpdate", "subscribeId": 1, "patches": [], "tags": []},
            ]
        ),
    ),
    (
        "missing-keys",
        "3",
        "frames without a required key are dropped",
        Exchange(
            [
                {"type": "rpcCall", "endpoint": "version"},
                {"type": "rpcCall", "callId": 1},
                {"type": "channelCreate", "endpoint": "alive"},
                {"type": "channelSend", "message": {"type": "cancel"}},
                {"type": "writableSignalUpdate", "subscribeId": 1, "patches": []},
            ]
        ),
    ),
    (
        "fractional-id",
        "3",
        "an id of 1.5 makes the frame invalid: dropped",
        Exchange([_call(1.5), _alive(1.5)]),
    ),
    (
        "wrong-id-types",
        "3",
        "ids that are no numbers make the frame invalid: dropped",
        Exchange([_call("1"), _call(None), _call(True), _call([1]), _alive("1")]),
    ),
    (
        "integral-float-id",
        "3",
        "an id of 3.0 is 3",
        Exchange(['{"type":"rpcCall","endpoint":"version","callId":3.0}'], [_result(3)]),
    ),
    ("negative-id", "3", "an id may be negative", Exchange([_call(-5)], [_result(-5)])),
    ("large-id", "3", "an id may have 53 bits", Exchange([_call(2**53 - 1)], [_result(2**53 - 1)])),
    (
        "extra-keys",
        "3",
        "unknown keys of a frame are ignored",
        Exchange([_call(1, nonesuch={"a": None})], [_result(1)]),
    ),
    (
        "duplicate-call-ids",
        "5",
        "two calls with one id are each answered",
        Exchange([_call(4), _call(4)], [_result(4), _result(4)]),
    ),
    (
        "separate-id-spaces",
        "5",
        "a call and a channel may have the same id",
        Exchange([_alive(777), _call(777)], [_result(777)]),
    ),
    (
        "many-calls",
        "16",
        "a hundred calls in one go are each answered once",
        Exchange([_call(number) for number in range(100)], [_result(number) for number in range(100)]),
    ),
    (
        "void-null",
        "13",
        "null as a void parameter is refused with a warning, without an answer",
        Exchange([_call(1, parameter=None)], [_warning("rpcParameterTypeError")]),
    ),
    (
        "void-object",
        "13",
        "{} as a void parameter is refused likewise",
        Exchange([_call(1, parameter={})], [_warning("rpcParameterTypeError")]),
    ),
    (
        "wrong-parameter-type",
        "6",
        "parameters that do not fit get one warning each, and no answer",
        Exchange(
            [
                _call(1, "countTokens", parameter={"specifier": {"type": "query", "query": {}}}),
                _call(2, "countTokens", parameter="text"),
                _call(3, "countTokens"),
            ],
            [_warning("rpcParameterTypeError")] * 3,
            "llm",
        ),
    ),
    (
        "unknown-endpoint",
        "6",
        "a call of an unknown endpoint gets one warning",
        Exchange([_call(1, "nonesuch", parameter={})], [_warning("rpcEndpointUnknown")]),
    ),
    (
        "unknown-channel-endpoint",
        "7",
        "a channel of an unknown endpoint gets one warning",
        Exchange(
            [{"type": "channelCreate", "endpoint": "nonesuch", "channelId": 1}],
            [_warning("channelEndpointUnknown")],
        ),
    ),
    (
        "rpc-name-as-channel",
        "6",
        "calls and channels are named apart",
        Exchange(
            [_call(1, "alive"), {"type": "channelCreate", "endpoint": "version", "channelId": 1}],
            [_warning("rpcEndpointUnknown"), _warning("channelEndpointUnknown")],
        ),
    ),
    (
        "unknown-signal",
        "8",
        "subscribing to unknown signals gets a warning each",
        Exchange(
            [_subscribe(), _subscribe("writableSignal")],
            [_warning("signalEndpointUnknown"), _warning("writableSignalEndpointUnknown")],
        ),
    ),
    (
        "unknown-subscription",
        "8.3",
        "unsubscribing from nothing is silent",
        Exchange([{"type": "signalUnsubscribe", "subscribeId": 99}]),
    ),
    (
        "write-to-unknown-signal",
        "9",
        "a write to an unknown signal gets a warning",
        Exchange(
            [{"type": "writableSignalUpdate", "subscribeId": 9, "patches": [], "tags": ["x"]}],
            [_warning("writableSignalUnknown")],
        ),
    ),
    (
        "client-warning",
        "11",
        "a warning of the client is taken without a word",
        Exchange(
            [
                {"type": WARNING, "warning": "just trying", "kind": "rpcUnknown"},
                {"type": WARNING, "warning": "of a newer kind", "kind": "nonesuch"},
            ]
        ),
    ),
    # Channels that never do anything by themselves.
    (
        "void-channel-null",
        "13",
        "null as a void creation parameter is refused, and no channel is made",
        Exchange(
            [_alive(1, creationParameter=None), _alive(1)], [_warning("channelCreationParameterTypeError")]
        ),
    ),
    (
        "channel-already-open",
        "7",
        "an id that is open already gets a warning",
        Exchange([_alive(1), _alive(1)], [_warning("channelAlreadyOpen")]),
    ),
    (
        "unknown-channel",
        "11",
        "a packet for a channel that is not open gets a warning",
        Exchange(
            [{"type": "channelSend", "channelId": 5, "message": {"type": "cancel"}}],
            [_warning("channelUnknown")],
        ),
    ),
    (
        "ack-of-unknown-channel",
        "11",
        "an acknowledgement for a channel that is not open gets a warning",
        Exchange([{"type": "channelAck", "channelId": 5, "ackId": 0}], [_warning("channelUnknown")]),
    ),
    (
        "stray-ack",
        "7",
        "an acknowledgement that nobody waits for is taken without a word",
        Exchange([_alive(1), {"type": "channelAck", "channelId": 1, "ackId": 3}]),
    ),
    (
        "invalid-packet",
        "7",
        "a packet that does not fit gets a warning, and the channel goes on",
        Exchange(
            [
                _alive(1),
                {"type": "channelSend", "channelId": 1, "message": {"type": "nonesuch"}},
                {"type": "channelSend", "channelId": 1},
                _alive(1),
            ],
            [_warning("channelMessageTypeError"), _warning("channelAlreadyOpen")],
        ),
    ),
)


def _warning_limit(server: Server) -> None:
    with server.open() as connection:
        calls = [_call(number, "nonesuch") for number in range(_WARNING_LIMIT + 2)]
        connection.send(*calls)
        came = connection.settle([{"type": WARNING}] * _WARNING_LIMIT)
        warnings = [frame for frame in came if frame.get("type") == WARNING]
        if len(warnings) != _WARNING_LIMIT:
            raise Failed(f"{len(calls)} bad calls got {len(warnings)} warnings, not {_WARNING_LIMIT}")


def _extra_parameter_keys(server: Server) -> None:
    server.need_a_model()
    specifier = {**server.specifier, "query": {**server.specifier["query"], "nonesuch": 1}}
    parameter = {"specifier": specifier, "inputString": "x", "nonesuch": 1}
    Exchange([_call(1, "countTokens", parameter=parameter)], [_result(1)], "llm")(server)


def _unknown_model(throw: bool) -> dict[str, Any]:
    query = {"identifier": "lmwire/there-is-no-such-model"}
    parameter = {"specifier": {"type": "query", "query": query}, "throwIfNotFound": throw}
    return _call(1, "getModelInfo", parameter=parameter)


def _rpc_error(server: Server) -> None:
    with server.open("llm") as connection:
        (reply,) = connection.exchange(
            _unknown_model(True), expect=[{"type": "rpcError", "callId": 1, "error": ANYTHING}]
        )
    check_error(reply["error"])


def check_error(error: Any) -> None:
    """Raise Failed unless it is an error object."""
    if not isinstance(error, dict):
        raise Failed(f"an error is an object: {abbreviated(error)}")
    for key in ("title", "rootTitle", "cause", "suggestion", "stack"):
        if not isinstance(error.get(key, ""), str):
            raise Failed(f"{key} of an error is text: {abbreviated(error[key])}")
    if not isinstance(error.get("displayData", {}), dict):
        raise Failed(f"displayData of an error is an object: {abbreviated(error['displayData'])}")


def _void_result(server: Server) -> None:
    with server.open("llm") as connection:
        (reply,) = connection.exchange(_unknown_model(False), expect=[{"type": "rpcResult", "callId": 1}])
    if "result" in reply:
        raise Failed(f"nothing was found, and result is {abbreviated(reply['result'])} instead of absent")


def _superjson_call(server: Server, **parameter: Any) -> list[Any]:
    with Connection(server, "runtime") as connection:
        if connection.shake_hands() is not None:
            raise NotApplicable("no namespace runtime: it came in September 2025")
        connection.authenticate()
        connection.send(_call(1, "getEngineSelections", **parameter))
        # The namespace has no call that all servers answer, so that keepAlive has to tell when it is done.
        came: list[Any] = []
        connection.send({"type": "keepAlive"})
        while {"type": "keepAliveAck"} not in came or (parameter and len(came) < 2):
            came.append(connection.receive("the answer to getEngineSelections"))
        came.remove({"type": "keepAliveAck"})
        return came


_UNDEFINED: Final = {"json": None, "meta": {"values": ["undefined"]}}


def _superjson(server: Server) -> None:
    (reply,) = _superjson_call(server, parameter=_UNDEFINED)
    if reply.get("type") == WARNING:
        raise NotApplicable("the server does not handle getEngineSelections, the one endpoint of superjson")
    if reply.get("type") == "rpcError":
        raise NotApplicable(f"getEngineSelections failed: {abbreviated(reply['error'])}")
    result = reply.get("result")
    if not isinstance(result, dict) or "json" not in result:
        raise Failed(f"the result is in no envelope: {abbreviated(reply)}")
    if result.get("meta", {}).get("values") != ["map"] or not isinstance(result["json"], list):
        raise Failed(f"the result is no map: {abbreviated(result)}")


def _superjson_absent(server: Server) -> None:
    for frame in _superjson_call(server):
        if frame.get("type") not in ("rpcResult", "rpcError"):
            raise Failed(f"a call without parameter got {abbreviated(frame)}")


_NEEDS_MORE: Final[Mapping[str, Sequence[str]]] = {"ack-of-unknown-channel": ["unknown-channel"]}

CHECKS: Final = (
    *(
        Check(name, section, does, run, ["call", *_NEEDS_MORE.get(name, ())])
        for name, section, does, run in _ODD
    ),
    Check(
        "warning-limit",
        "11",
        "of seven bad calls five get a warning; after that the server is mute, and goes on",
        _warning_limit,
        ["unknown-endpoint"],
    ),
    Check(
        "extra-parameter-keys",
        "6",
        "unknown keys of a parameter are ignored",
        _extra_parameter_keys,
        ["call"],
    ),
    Check(
        "rpc-error", "14", "a call that fails gets one rpcError with an error object", _rpc_error, ["call"]
    ),
    Check(
        "void-result", "13", "a result that there is not has no key, and is not null", _void_result, ["call"]
    ),
    Check("superjson", "12", "a superjson endpoint answers in its envelope", _superjson, ["keep-alive"]),
    Check(
        "superjson-absent",
        "12",
        "a superjson call without parameter does no harm",
        _superjson_absent,
        ["superjson"],
    ),
)
