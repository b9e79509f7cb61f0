"""Clients of both shells against servers that send what does not fit, refuse without a confirmation, or break off."""

from __future__ import annotations

from typing import Any

import pytest

from lmwire_runtime.errors import ConnectionLostError, ProtocolMismatchError, RefusedRequestError
from tests.runtime.scripted_peers import ScriptedConnection, ScriptedPeers
from tests.runtime.shells import result_of
from tests.signals.lab import START, LabClients


def root(value: Any) -> dict[str, Any]:
    return {"op": "replace", "path": [], "value": value}


class TestValuesThatDoNotFit:
    """A wrong value is never returned."""

    @staticmethod
    def serve(peers: ScriptedPeers, *values: Any) -> Any:
        seen: list[Any] = []

        def script(connection: ScriptedConnection) -> None:
            connection.authenticate()
            for value in values:
                frame = connection.receive()
                while frame["type"] != "writableSignalSubscribe":
                    seen.append(frame)
                    frame = connection.receive()
                seen.append(frame)
                patches = [{"op": "replace", "path": [], "value": part} for part in value]
                update = {"type": "writableSignalUpdate", "subscribeId": frame["subscribeId"], "tags": []}
                for patch in patches:
                    connection.send({**update, "patches": [patch]})
            connection.until_gone()

        return peers.serve(script), seen

    def test_it_is_fetched_anew(self, clients: LabClients, peers: ScriptedPeers) -> None:
        peer, seen = self.serve(peers, [{**START, "title": 5}], [START])
        client = clients.make(peer.host)
        assert client.signal("note").get().to_wire() == START
        client.close()
        assert [frame.get("kind", frame["type"]) for frame in seen] == [
            "writableSignalSubscribe",
            "writableSignalPatchTypeError",
            "writableSignalUnsubscribe",
            "writableSignalSubscribe",
        ]

    def test_once(self, clients: LabClients, peers: ScriptedPeers) -> None:
        peer, _ = self.serve(peers, [{**START, "title": 5}], [{**START, "title": 6}])
        client = clients.make(peer.host)
        with pytest.raises(ProtocolMismatchError) as caught:
            client.signal("note").get()
        assert caught.value.pointer == "/title"
        assert caught.value.endpoint == "note"
        client.close()

    def test_a_reader_never_sees_one(self, clients: LabClients, peers: ScriptedPeers) -> None:
        good = {**START, "title": "good"}
        peer, _ = self.serve(peers, [START, {**START, "tags": "odd"}], [good])
        client = clients.make(peer.host)
        values = iter(client.signal("note"))
        titles = [next(values).title]
        if titles == ["start"]:
            titles.append(next(values).title)
        assert titles[-1] == "good"
        client.close()


def test_a_server_of_upstreams_making_leaves_a_refused_write_unconfirmed(
    clients: LabClients, peers: ScriptedPeers
) -> None:
    def script(connection: ScriptedConnection) -> None:
        connection.authenticate()
        identity = connection.receive()["subscribeId"]
        update = {
            "type": "writableSignalUpdate",
            "subscribeId": identity,
            "patches": [root(START)],
            "tags": [],
        }
        connection.send(update)
        assert connection.receive()["type"] == "writableSignalUpdate"
        text = "Error in receivedPatches for writable signal, endpointName = note, error = [Immer] no"
        connection.send(
            {"type": "communicationWarning", "warning": text, "kind": "writableSignalPatchApplyError"}
        )
        connection.until_gone()

    client = clients.make(peers.serve(script).host)
    note = client.signal("note")
    with pytest.raises(RefusedRequestError, match="Immer"):
        note.update(lambda value: value)
    assert note.get().to_wire() == START
    client.close()


def test_a_connection_that_is_lost_in_the_middle_of_a_write(
    clients: LabClients, peers: ScriptedPeers
) -> None:
    def script(connection: ScriptedConnection) -> None:
        connection.authenticate()
        identity = connection.receive()["subscribeId"]
        update = {
            "type": "writableSignalUpdate",
            "subscribeId": identity,
            "patches": [root(START)],
            "tags": [],
        }
        connection.send(update)
        while connection.receive()["type"] != "writableSignalUpdate":
            pass
        connection.reset()

    client = clients.make(peers.serve(script).host)
    note = client.signal("note")
    with pytest.raises(ConnectionLostError):
        note.update(lambda value: value)  # it may have been made: it is not sent again
    client.close()


def test_a_server_that_drops_every_connection_is_not_tried_for_ever(
    clients: LabClients, peers: ScriptedPeers
) -> None:
    def script(connection: ScriptedConnection) -> None:
        connection.authenticate()
        connection.receive()
        connection.reset()

    peer = peers.serve(script)
    client = clients.make(peer.host)
    waiting = clients.shells.submit(lambda: next(iter(client.signal("counter"))))
    with pytest.raises(ConnectionLostError):
        result_of(waiting)
    assert len(peer.connections) < 12
    client.close()
