"""Writable signals between a real server and clients of both shells."""

from __future__ import annotations

import copy
import threading
from datetime import datetime, timezone
from typing import Any

import pytest

from lmwire_runtime.errors import RefusedRequestError, RequestTimeoutError, UsageError
from lmwire_runtime.js_values import Map, Set
from lmwire_runtime.server import ErrorReply
from tests.runtime.arithmetic import ENOUGH
from tests.runtime.raw_clients import RawClient
from tests.runtime.shells import result_of
from tests.signals.lab import START, STOCK, Lab, LabClient, LabClients


def with_title(note: Any, title: str) -> Any:
    changed = copy.deepcopy(note)
    changed.title = title
    return changed


def test_a_change_is_confirmed_and_seen_by_all(client: LabClient, clients: LabClients, served: Lab) -> None:
    with client.signal("note") as mine, clients.make(served.host).signal("note") as theirs:
        updates = theirs.updates()
        assert next(updates).value.to_wire() == START
        mine.set(with_title(mine.get(), "t"), tags=["x", "y"])
        assert mine.get().title == served.handlers.note_signal.value.title == "t"
        update = next(updates)
        assert update.value.to_wire() == {**START, "title": "t"}
        assert update.tags[-2:] == ("x", "y")


def test_the_writers_own_tags_are_not_shown_to_its_readers(client: LabClient) -> None:
    with client.signal("note") as note:
        updates = note.updates()
        next(updates)
        note.set(with_title(note.get(), "t"), tags=["mine"])
        seen = [next(updates)]
        while not seen[-1].tags:
            seen.append(next(updates))
        assert {update.value.title for update in seen} == {"t"}
        assert seen[-1].tags == ("mine",)


def test_values_are_yielded_once_though_they_are_shown_before_they_are_confirmed(
    client: LabClient, clients: LabClients
) -> None:
    with client.signal("note") as note:
        values = iter(note)
        assert next(values).title == "start"
        waiting = clients.shells.submit(lambda: [next(values).title, next(values).title])
        note.set(with_title(note.get(), "first"), tags=["a"])
        while not waiting.done() and note.get().title == "first":
            note.set(with_title(note.get(), "second"), tags=["b"])
        assert result_of(waiting) in (["first", "second"], ["second"])


def test_a_change_may_alter_what_it_is_given(client: LabClient, served: Lab) -> None:
    def change(note: Any) -> Any:
        note.tags.append("b")
        note.nested.values["two"] = 2.0
        return note

    with client.signal("note") as note:
        returned = note.update(change)
        assert returned.tags == note.get().tags == served.handlers.note_signal.value.tags == ["a", "b"]
        assert note.get().nested.values == {"one": 1.0, "two": 2.0}
        kept = note.get()
        kept.tags.clear()
        assert note.get().tags == ["a", "b"]


def test_a_change_of_nothing_is_confirmed_too(client: LabClient, served: Lab) -> None:
    with client.signal("note") as note:
        note.set(note.get())
        note.update(lambda value: value, tags=["only a tag"])
        assert note.get().to_wire() == START


def test_many_writers_lose_nothing(client: LabClient, clients: LabClients, served: Lab) -> None:
    def add(name: str) -> None:
        with clients.make(served.host).signal("note") as note:
            for number in range(5):
                note.update(lambda value: _with_tag(value, f"{name}-{number}"))  # noqa: B023

    def _with_tag(value: Any, tag: str) -> Any:
        value.nested.values[tag] = 1.0
        return value

    writers = [clients.shells.submit(add, f"w{index}") for index in range(4)]
    shared = client.signal("note")
    writers += [
        clients.shells.submit(shared.update, lambda value, index=index: _with_tag(value, f"s-{index}"))
        for index in range(5)
    ]
    for writer in writers:
        result_of(writer)
    expected = {f"w{index}-{number}" for index in range(4) for number in range(5)}
    expected |= {f"s-{index}" for index in range(5)} | {"one"}
    assert set(served.handlers.note_signal.value.nested.values) == expected
    assert set(client.signal("note").get().nested.values) == expected
    shared.close()


def test_a_refused_change_is_taken_back(client: LabClient, clients: LabClients, served: Lab) -> None:
    with client.signal("note") as note:
        updates = note.updates()
        next(updates)
        broken = with_title(note.get(), 5)  # type: ignore[arg-type]  # the server judges
        with pytest.raises(RefusedRequestError) as caught:
            note.set(broken, tags=["refused"])
        assert caught.value.kind == "writableSignalDataTypeError"
        assert "/title" in str(caught.value)
        assert note.get().to_wire() == served.handlers.note_signal.value.to_wire() == START
        note.set(with_title(note.get(), "after"))
        assert note.get().title == "after"


def test_a_handler_may_refuse_a_change(client: LabClient, served: Lab) -> None:
    def judge(note: Any) -> None:
        if note.title == "forbidden":
            raise ErrorReply("that title is taken")

    served.handlers.note_signal._on_write = judge
    with client.signal("note") as note:
        with pytest.raises(RefusedRequestError, match="that title is taken"):
            note.set(with_title(note.get(), "forbidden"))
        note.set(with_title(note.get(), "allowed"))
        assert served.handlers.note_signal.value.title == "allowed"


def test_more_refusals_than_a_server_warns_of(client: LabClient, served: Lab) -> None:
    def refused(note: Any) -> type[BaseException] | None:
        try:
            note.set(with_title(note.get(), 5))  # type: ignore[arg-type]
        except (RefusedRequestError, RequestTimeoutError) as error:
            return type(error)
        return None

    with client.signal("note", timeout=ENOUGH) as note:
        for _ in range(5):
            assert refused(note) is RefusedRequestError
        # The server is mute now; it still gives the tags back, and the value is what it was.
        refused(note)
        assert served.handlers.note_signal.value.to_wire() == START
        assert note.get().to_wire() == START


def test_what_cannot_be_sent(client: LabClient) -> None:
    with client.signal("note") as note:
        for value in ("no note", with_title(note.get(), {1, 2})):  # type: ignore[arg-type]
            with pytest.raises(UsageError):
                note.set(value)
        with pytest.raises(UsageError, match="tags"):
            note.set(note.get(), tags="text")
        assert note.get().to_wire() == START


def test_keys_that_the_schema_does_not_know_stay(client: LabClient, served: Lab, lab: Any) -> None:
    newer = {**START, "colour": "red", "nested": {**START["nested"], "depth": 3}}  # type: ignore[dict-item]
    served.do(lambda: setattr(served.handlers.note_signal, "_raw", newer))
    with RawClient(served.server.port, "/lab") as raw, client.signal("note") as note:
        raw.authenticate()
        raw.send({"type": "writableSignalSubscribe", "endpoint": "note", "subscribeId": 1})
        assert raw.receive()["patches"] == [{"op": "replace", "path": [], "value": newer}]
        note.set(with_title(note.get(), "t"))
        patches = raw.receive()["patches"]
        # The server of this revision strips them from what it stores; no client asked for that.
        assert {"op": "replace", "path": ["title"], "value": "t"} in patches
        assert note.get().title == "t"


def test_a_writer_waits_for_the_first_value(client: LabClient, clients: LabClients, served: Lab) -> None:
    late = client.signal("late")
    waiting = clients.shells.submit(late.update, lambda value: value + 1)
    served.handlers.until("late")
    served.do(lambda: served.handlers.late_signal.set(41))
    assert result_of(waiting) == 42
    assert served.handlers.late_signal.value == 42
    late.close()


def test_a_changing_value_under_a_writer(client: LabClient, served: Lab) -> None:
    """The value changes between the reading of it and the write: the change is made again, of the newer value."""
    calls: list[int] = []

    def change(value: int) -> int:
        calls.append(value)
        if len(calls) == 1:
            served.do(lambda: served.handlers.late_signal.set(10))
            while late_reader.get() != 10:
                pass
        return value + 1

    served.do(lambda: served.handlers.late_signal.set(1))
    late = client.signal("late")
    late_reader = late if not hasattr(late, "_signal") else client.signal("late")
    assert late.get() == 1
    if hasattr(late, "_signal"):
        assert late.update(lambda value: value + 1) == 2  # tasks of one loop cannot wait inside a change
        return
    assert late.update(change) == 11
    assert calls == [1, 10]
    assert served.handlers.late_signal.value == 11


def test_an_interrupted_write_is_taken_back(client: LabClient, clients: LabClients, served: Lab) -> None:
    entered, leave = threading.Event(), threading.Event()

    def judge(note: Any) -> None:
        entered.set()
        leave.wait(ENOUGH)

    served.handlers.note_signal._on_write = judge
    with client.signal("note", timeout=0.2) as note:
        assert note.get().title == "start"
        with pytest.raises(RequestTimeoutError):
            note.set(with_title(note.get(), "slow"))
        assert entered.is_set()
        leave.set()
        served.handlers.note_signal._on_write = None
    with client.signal("note") as note:
        assert note.get().title == "slow"  # it was made all the same


def test_superjson(client: LabClient, clients: LabClients, served: Lab) -> None:
    def change(stock: Any) -> Any:
        stock.amounts.append(("bolts", float("inf")))
        stock.places.remove("left")
        stock.since = "2027-01-01T00:00:00.000Z"
        stock.total = 5
        return stock

    with client.signal("stock") as stock, clients.make(served.host).signal("stock", parameter="x") as other:
        updates = other.updates()
        assert next(updates).value.to_wire() == STOCK
        stock.update(change)
        held = served.do(lambda: served.handlers.stock_signal.raw)
        assert held == {
            "amounts": Map([("nails", 3), ("screws", 4.5), ("bolts", float("inf"))]),
            "places": Set(["right"]),
            "since": datetime(2027, 1, 1, tzinfo=timezone.utc),
            "total": 5,
        }
        assert next(updates).value == stock.get()
        assert stock.get().amounts == [("nails", 3), ("screws", 4.5), ("bolts", float("inf"))]
        stock.update(lambda value: _without_total(value))
        assert "total" not in stock.get().to_wire()
        assert "total" not in next(updates).value.to_wire()


def _without_total(stock: Any) -> Any:
    from lmwire_runtime.wire import UNSET

    stock.total = UNSET
    return stock


def test_superjson_on_the_wire(served: Lab) -> None:
    with RawClient(served.server.port, "/lab") as client:
        client.authenticate()
        subscribe = {"type": "writableSignalSubscribe", "endpoint": "stock", "subscribeId": 1}
        client.send({**subscribe, "creationParameter": {"json": None, "meta": {"values": ["undefined"]}}})
        (patch,) = client.receive()["patches"]
        assert patch["json"]["value"] == {**STOCK, "total": str(2**60)}
        assert patch["meta"]["values"] == {
            "value.amounts": ["map"],
            "value.places": ["set"],
            "value.since": ["Date"],
            "value.total": ["bigint"],
        }
        change = {
            "json": {"op": "add", "path": ["amounts", "k"], "value": "Infinity"},
            "meta": {"values": {"value": ["number"]}},
        }
        update = {"type": "writableSignalUpdate", "subscribeId": 1, "patches": [change], "tags": ["x"]}
        client.send(update)
        assert client.receive() == update
