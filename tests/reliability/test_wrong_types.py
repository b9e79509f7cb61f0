"""Every key of every frame that a server may send, with every wrong type in its place, over both shells.

The frames come of the schema's envelope, so that a new frame is in the matrix as soon as it is in the schema.
"""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Any, Final

import attrs
import pytest

from lmwire_runtime.errors import ChannelError, LMWireError, ProtocolMismatchError, RpcError
from tests.reliability.leftovers import nothing_left
from tests.runtime.arithmetic import COUNT, DOUBLE
from tests.runtime.scripted_peers import ScriptedConnection, ScriptedPeers
from tests.runtime.shells import KINDS, Shell, shells_of

ENVELOPE: Final = Path(__file__).resolve().parents[2] / "schema" / "wire" / "envelope.json"
DEFINITIONS: Final[dict[str, Any]] = json.loads(ENVELOPE.read_text(encoding="utf-8"))["$defs"]

MISSING: Final = object()
VALUES: Final[tuple[Any, ...]] = (
    MISSING, None, True, False, 0, 1, -1, 1.5, 2**63, 1e300, "", "1", "nonesuch", [], [1], {}, {"type": "error"}
)  # fmt: skip
ONLY_FROM_CLIENTS: Final = {"rpcCall", "channelCreate", "keepAlive"}
# What a request gets whose own frame is wrong in this key; elsewhere the frame is dropped, or the key says nothing.
FAILURES: Final[dict[tuple[str, str], type[LMWireError]]] = {
    ("rpcResult", "result"): ProtocolMismatchError,
    ("channelSend", "message"): ProtocolMismatchError,
    ("rpcError", "error"): RpcError,
    ("channelError", "error"): ChannelError,
}


@attrs.frozen
class Case:
    """One key of one frame."""

    frame: str
    key: str
    schema: Any

    @property
    def wrong(self) -> list[Any]:
        """Return the values that do not fit."""
        kind = "string" if self.key == "kind" else self.schema.get("type")  # an open enumeration
        fitting: dict[str | None, Any] = {
            "integer": lambda value: type(value) is int,
            "string": lambda value: isinstance(value, str) and "const" not in self.schema,
            "array": lambda value: isinstance(value, list),
            None: lambda value: isinstance(value, dict) if self.key == "error" else _fits(self.frame, value),
        }
        return [value for value in VALUES if not fitting[kind](value)]


def _fits(frame: str, value: Any) -> bool:
    """Whether a payload fits the endpoints of this test: a call's integer, a stream's object."""
    return type(value) is int if frame == "rpcResult" else isinstance(value, dict)


def _cases() -> list[Case]:
    cases: list[Case] = []
    for definition in DEFINITIONS.values():
        properties = definition.get("properties", {})
        name = properties.get("type", {}).get("const")
        if (
            name is not None
            and name not in ONLY_FROM_CLIENTS
            and "Subscribe" not in name
            and "Unsub" not in name
        ):
            cases += [Case(name, key, schema) for key, schema in properties.items()]
    return cases


CASES: Final = _cases()


def _good(case: Case, identity: int) -> dict[str, Any]:
    """Return a frame of the case's type that is well-formed, for the request with this id."""
    payloads = {
        "result": 42, "message": {"number": 42}, "error": {"title": "it failed"}, "ackId": 1, "patches": [], "tags": [],
        "warning": "something is odd", "kind": "odd", "callId": identity, "channelId": identity, "subscribeId": 1,
    }  # fmt: skip
    keys = [other.key for other in CASES if other.frame == case.frame and other.key != "type"]
    optional = {"ackId"} if case.key != "ackId" and case.frame == "channelSend" else set()
    return {"type": case.frame, **{key: payloads[key] for key in keys if key not in optional}}


def _spoilt(case: Case, value: Any, identity: int) -> dict[str, Any]:
    frame = _good(case, identity)
    frame[case.key] = value
    if value is MISSING:
        del frame[case.key]
    return frame


def test_the_matrix_has_every_frame_of_a_server() -> None:
    frames = {case.frame for case in CASES}
    assert frames >= {"rpcResult", "rpcError", "channelSend", "channelAck", "channelClose", "channelError"}
    assert frames >= {
        "signalUpdate",
        "signalError",
        "writableSignalUpdate",
        "communicationWarning",
        "keepAliveAck",
    }
    assert all(len(case.wrong) >= 5 for case in CASES)


class Peer:
    """Spoils the answer to every request in another way, while a stream is open beside it."""

    def __init__(self, case: Case, values: list[Any]) -> None:
        self.case = case
        self.values = values

    def script(self, connection: ScriptedConnection) -> None:
        connection.authenticate()
        neighbour = self._next(connection)["channelId"]
        connection.send({"type": "channelSend", "channelId": neighbour, "message": {"number": 1}})
        for value in self.values:
            request = self._next(connection)
            identity = request["callId" if "callId" in request else "channelId"]
            connection.send(_spoilt(self.case, value, identity))
            if (self.case.frame, self.case.key) in FAILURES:
                continue
            if "callId" in request:
                connection.send({"type": "rpcResult", "callId": identity, "result": 42})
            else:
                if (self.case.frame, self.case.key) != (
                    "channelSend",
                    "ackId",
                ):  # which does not make the packet less of a packet
                    connection.send({"type": "channelSend", "channelId": identity, "message": {"number": 42}})
                connection.send({"type": "channelClose", "channelId": identity})
        connection.send({"type": "channelSend", "channelId": neighbour, "message": {"number": 2}})
        connection.send({"type": "channelClose", "channelId": neighbour})
        connection.until_gone()

    def _next(self, connection: ScriptedConnection) -> dict[str, Any]:
        while True:
            frame: dict[str, Any] = connection.receive()
            if frame["type"] in ("rpcCall", "channelCreate"):
                return frame


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("case", CASES, ids=[f"{case.frame}-{case.key}" for case in CASES])
def test_a_wrong_type(case: Case, kind: str, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING)
    # After five warnings a connection is replaced.
    size = 4 if case.frame == "communicationWarning" else len(case.wrong)
    with nothing_left():
        for start in range(0, len(case.wrong), size):
            caplog.clear()
            _spoil(case, case.wrong[start : start + size], kind)
    lines = [record.getMessage() for record in caplog.records]
    assert len(lines) == len(set(lines)), lines
    assert {record.name for record in caplog.records} <= {"lmwire"}
    # One line for each kind; types that nobody knows are kinds of their own.
    assert len(lines) <= (len(case.wrong) if case.key in ("type", "kind", "warning") else 1), lines


def _spoil(case: Case, values: list[Any], kind: str) -> None:
    with ScriptedPeers() as peers, shells_of(kind) as shells:
        peer = peers.serve(Peer(case, values).script)
        shell = shells.make(peer.host)
        neighbour = shell.open(COUNT, {})
        assert next(neighbour) == {"number": 1}
        for value in values:
            _request(shell, case, value)
        assert list(neighbour) == [{"number": 2}]
        assert len(peer.connections) == 1
        shell.close()


def _request(shell: Shell, case: Case, value: Any) -> None:
    error = FAILURES.get((case.frame, case.key))
    stream = case.frame.startswith("channel")
    if error is None:
        got = list(shell.open(COUNT, {})) if stream else shell.call(DOUBLE, 1)
        assert got == ([{"number": 42}] if stream else 42), value
        return
    with pytest.raises(error) as caught:
        list(shell.open(COUNT, {})) if stream else shell.call(DOUBLE, 1)
    assert type(caught.value) is error, value
    assert caught.value.endpoint == ("count" if stream else "double")
    assert str(caught.value)
