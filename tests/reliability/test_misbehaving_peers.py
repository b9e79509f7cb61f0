"""Every row of the table, over both shells: one typed error for those whom it concerns, nothing for anybody else."""

from __future__ import annotations

import contextlib
import logging
import re
from collections.abc import Callable
from threading import Event
from typing import Any

import pytest

from lmwire_runtime.errors import LMWireError
from lmwire_runtime.limits import Timeouts
from tests.reliability.connecting_rows import CONNECTING_ROWS
from tests.reliability.leftovers import nothing_left
from tests.reliability.message_rows import MESSAGE_ROWS
from tests.reliability.table import ConnectingRow, Fails, Incident, Outcome, Row
from tests.reliability.websocket_rows import WEBSOCKET_ROWS
from tests.runtime.arithmetic import COUNT, DOUBLE, INTEGER, rpc
from tests.runtime.scripted_peers import Script, ScriptedConnection, ScriptedPeers, serve_once
from tests.runtime.shells import KINDS, Shell, Shells, Stream, shells_of

ROWS = (*MESSAGE_ROWS, *WEBSOCKET_ROWS)
TOKEN = "sk-lm-abcdefgh:0123456789abcdefghij"
SECRET = "0123456789abcdefghij"


class Scenario:
    """Row by row: a stream on a connection, a request beside it, the incident, and what everybody gets."""

    def __init__(self, row: Row) -> None:
        self.row = row

    def script(self, connection: ScriptedConnection) -> None:
        connection.authenticate()
        neighbour = connection.receive()["channelId"]
        connection.send({"type": "channelSend", "channelId": neighbour, "message": {"number": 1}})
        incident = Incident(connection, connection.receive())
        self.row.does(incident)
        if self.row.reconnects:
            with contextlib.suppress(OSError):  # it may have closed the socket already
                connection.until_cut()
            return
        connection.send({"type": "channelSend", "channelId": neighbour, "message": {"number": 2}})
        connection.send({"type": "channelClose", "channelId": neighbour})
        with contextlib.suppress(ConnectionError):
            self._serve(incident)

    def _serve(self, incident: Incident) -> None:
        while True:
            frame = incident.connection.receive()
            if frame["type"] == "rpcCall":
                incident.send(*incident.before_the_next_answer)
                incident.send(
                    {"type": "rpcResult", "callId": frame["callId"], "result": frame["parameter"] * 2}
                )

    def request(self, shell: Shell, arrived: list[Any]) -> Any:
        row = self.row
        if row.request == "call":
            return shell.call(rpc("double", INTEGER, row.result), 21, timeout=row.timeout)
        with shell.open(row.endpoint, row.creation, timeout=row.timeout) as opened:
            if row.request == "receive":
                return opened.receive()
            arrived.extend(opened)
            return arrived


def check(outcome: Outcome, request: Callable[[list[Any]], Any]) -> LMWireError | None:
    """Compare what a request gets with what it should get; returns its error."""
    arrived: list[Any] = []
    if not isinstance(outcome, Fails):
        assert request(arrived) == outcome.value
        return None
    with pytest.raises(LMWireError) as caught:
        request(arrived)
    assert type(caught.value) is outcome.error, repr(caught.value)
    assert re.search(outcome.says, str(caught.value), re.DOTALL), str(caught.value)
    assert arrived == list(outcome.after)
    return caught.value


def check_quiet(caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str], warnings: int) -> None:
    """Nothing was said but so many warnings of different kinds, and no secret in them."""
    # The event loop says at DEBUG which selector it uses, and the peers of the tests are servers of that library.
    others = {("asyncio", "DEBUG"), ("websockets.server", "DEBUG"), ("websockets.server", "INFO")}
    records = [record for record in caplog.records if (record.name, record.levelname) not in others]
    lines = [record.getMessage() for record in records]
    assert {(record.name, record.levelname) for record in records} <= {("lmwire", "WARNING")}, lines
    assert len(lines) == warnings, lines
    assert not any(SECRET in line for line in lines)
    assert "".join(capfd.readouterr()) == ""


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("row", ROWS, ids=[row.name for row in ROWS])
def test_incident(
    row: Row, kind: str, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.DEBUG)
    with nothing_left():
        play(row, kind)
    check_quiet(caplog, capfd, row.warnings)


def play(row: Row, kind: str) -> None:
    with ScriptedPeers() as peers, shells_of(kind) as shells:
        _play(row, shells, peers)


def _play(row: Row, shells: Shells, peers: ScriptedPeers) -> None:
    scenario = Scenario(row)
    peer = peers.serve(scenario.script, serve_once)
    shell = shells.make(peer.host, **row.options)
    neighbour: Stream = shell.open(COUNT, {"upTo": 2})
    assert next(neighbour) == {"number": 1}

    error = check(row.outcome, lambda arrived: scenario.request(shell, arrived))
    lost = check(row.neighbour, lambda arrived: list(neighbour))
    assert shell.call(DOUBLE, 2) == 4
    assert len(peer.connections) == (2 if row.reconnects else 1)

    if error is not None:
        name = "double" if row.request == "call" else row.endpoint.name
        assert (error.namespace, error.endpoint, error.request_id) == ("arithmetic", name, 2)
        assert str(error).splitlines()[0].endswith(f"[arithmetic.{name} #2]")
    if lost is not None:
        assert (lost.endpoint, lost.request_id) == ("count", 1)
    shell.close()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("row", CONNECTING_ROWS, ids=[row.name for row in CONNECTING_ROWS])
def test_no_connection(
    row: ConnectingRow, kind: str, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.DEBUG)
    with nothing_left():
        fail_to_connect(row, kind)
    check_quiet(caplog, capfd, row.warnings)


def fail_to_connect(row: ConnectingRow, kind: str) -> None:
    with ScriptedPeers() as peers, shells_of(kind) as shells:
        _fail_to_connect(row, shells, peers)


def _fail_to_connect(row: ConnectingRow, shells: Shells, peers: ScriptedPeers) -> None:
    recovered = Event()
    peer = peers.serve(_until(recovered, row.does))
    shell = shells.make(
        f"{row.host}{peer.host}", timeouts=Timeouts(connect=row.connect, close=0.1), api_token=TOKEN
    )
    error = check(row.outcome, lambda arrived: shell.call(DOUBLE, 21))
    if error is not None:
        assert SECRET not in f"{error} {error!r} {error.__dict__} {error.__cause__}"
        assert (error.endpoint, error.request_id) == (None, None)  # it never came to a request
    recovered.set()
    if not row.host:
        assert shell.call(DOUBLE, 2) == 4
    shell.close()


def _until(recovered: Event, does: Script) -> Script:
    """Misbehave, on as many connections as come, until told to behave."""

    def script(connection: ScriptedConnection) -> None:
        # The client may hang up in the middle, or have done so before its connection was accepted.
        with contextlib.suppress(OSError):
            (serve_once if recovered.is_set() else does)(connection)

    return script
