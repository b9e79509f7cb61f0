"""Signals between a real server and clients of both shells, by stubs and handlers that the compiler made."""

from __future__ import annotations

import gc
from typing import Any

import pytest

from lmwire_runtime.errors import (
    ClosedError,
    ConnectError,
    RefusedRequestError,
    RequestTimeoutError,
    SignalError,
    UnsupportedEndpointError,
)
from lmwire_runtime.signal_core import SignalUpdate
from tests.runtime.shells import result_of
from tests.signals.lab import Lab, LabClient, LabClients


def subscribers(served: Lab, name: str) -> int:
    return served.do(lambda: int(getattr(served.handlers, f"{name}_signal").subscribers))


class TestReading:
    def test_the_current_value_arrives_typed(self, client: LabClient, served: Lab, lab: Any) -> None:
        with client.signal("counter") as counter:
            assert counter.get() == lab.CounterValue(count=0, items=[])
            assert subscribers(served, "counter") == 1
            served.tick(3)
            assert next(iter(counter)).count in (0, 3)
        assert not counter.subscribed

    def test_changes_arrive_one_by_one_while_the_reader_keeps_up(
        self, client: LabClient, served: Lab
    ) -> None:
        with client.signal("counter") as counter:
            values = iter(counter)
            assert next(values).count == 0
            for number in range(1, 9):
                served.tick(number)
                value = next(values)
                assert value.count == number
                assert value.items == [f"item-{item}" for item in range(max(1, number - 4), number + 1)]

    def test_a_slow_reader_gets_the_newest_value_and_all_tags(self, client: LabClient, served: Lab) -> None:
        with client.signal("counter") as counter:
            updates = counter.updates()
            assert next(updates).value.count == 0
            for number in range(1, 101):
                served.tick(number, f"tick-{number}")
            served.handlers.until("counter")
            seen: list[Any] = []
            while not seen or seen[-1].value.count < 100:
                seen.append(next(updates))
            assert [tag for update in seen for tag in update.tags] == [
                f"tick-{number}" for number in range(1, 101)
            ]
            assert counter.get().count == 100

    def test_a_change_of_nothing_but_tags_is_told_to_those_who_ask(
        self, client: LabClient, served: Lab
    ) -> None:
        with client.signal("counter") as counter:
            updates, values = counter.updates(), iter(counter)
            assert (next(updates).tags, next(values).count) == ((), 0)
            served.tick(0, "nothing")
            served.tick(1)
            tags = next(updates).tags
            assert tags == ("nothing",)
            assert next(values).count == 1

    def test_creation_parameters(self, client: LabClient, served: Lab) -> None:
        with client.signal("room", name="kitchen") as kitchen, client.signal("room", name="hall") as hall:
            assert (kitchen.get(), hall.get()) == (["host of kitchen"], ["host of hall"])
            values = iter(hall)
            next(values)
            served.do(lambda: served.handlers.rooms["hall"].update(lambda names: [*names, "Ada"]))
            assert next(values) == ["host of hall", "Ada"]
            assert kitchen.get() == ["host of kitchen"]

    def test_pull_asks_the_server(self, client: LabClient, served: Lab) -> None:
        counter = client.signal("counter")
        assert counter.pull().count == 0
        served.handlers.until("counter", 1)
        served.tick(5)
        assert counter.pull().count == 5
        served.handlers.until("counter", 2)
        assert not counter.subscribed

    def test_a_value_that_comes_late(self, client: LabClient, clients: LabClients, served: Lab) -> None:
        late = client.signal("late")
        waiting = clients.shells.submit(late.get)
        served.handlers.until("late")
        served.do(lambda: served.handlers.late_signal.set(7))
        assert result_of(waiting) == 7
        assert client.signal("late").get() == 7

    def test_a_value_that_never_comes(self, client: LabClient) -> None:
        with pytest.raises(RequestTimeoutError):
            client.signal("late", timeout=0.05).get()

    def test_the_iterator_goes_on_after_a_timeout(self, client: LabClient, served: Lab) -> None:
        with client.signal("counter") as counter:
            updates = counter.updates(timeout=0.05)
            assert next(updates).value.count == 0
            with pytest.raises(RequestTimeoutError):
                next(updates)
            served.tick(1)
            assert next(updates).value.count == 1

    def test_a_value_that_may_be_nothing(self, client: LabClient, served: Lab) -> None:
        with client.signal("pause") as pause:
            assert pause.get() is None
            pause.set("lunch")
            assert pause.get() == "lunch"
            pause.set(None)
            assert (pause.get(), served.handlers.pause_signal.value) == (None, None)

    def test_several_readers_share_one_subscription(
        self, client: LabClient, clients: LabClients, served: Lab
    ) -> None:
        with client.signal("counter") as counter:
            readers = [counter.updates() for _ in range(4)]
            assert [next(reader).value.count for reader in readers] == [0] * 4
            waiting = [clients.shells.submit(next, reader) for reader in readers]
            served.tick(1)
            results: list[Any] = [result_of(value) for value in waiting]
            assert [result.value.count for result in results] == [1] * 4
            assert subscribers(served, "counter") == 1
        assert [list(reader) for reader in readers] == [[]] * 4


class TestErrors:
    def test_a_handler_that_fails(self, client: LabClient) -> None:
        with pytest.raises(SignalError, match="This signal always fails") as caught:
            client.signal("failing").get()
        assert caught.value.cause == "It is made to fail."
        assert caught.value.endpoint == "failing"
        with pytest.raises(SignalError, match="locked"):
            list(client.signal("room", name="locked"))

    def test_an_endpoint_without_a_handler(self, client: LabClient) -> None:
        for _ in range(9):  # more often than a server warns
            with pytest.raises(UnsupportedEndpointError):
                client.signal("unhandled").get()

    def test_a_signal_that_fails_later(self, client: LabClient, served: Lab) -> None:
        counter = client.signal("counter")
        values = iter(counter)
        assert next(values).count == 0
        served.do(lambda: served.handlers.counter_signal.fail({"title": "the counter broke"}))
        with pytest.raises(SignalError, match="the counter broke"):
            next(values)
        assert next(values).count == 0  # subscribed to anew

    def test_a_closed_client(self, client: LabClient, clients: LabClients, served: Lab) -> None:
        counter = client.signal("counter")
        values = iter(counter)
        next(values)
        waiting = clients.shells.submit(lambda: next(values))
        client.close()
        with pytest.raises(ClosedError):
            result_of(waiting)
        with pytest.raises(ClosedError):
            counter.get()


class TestUnsubscribing:
    def test_leaving_the_block(self, client: LabClient, served: Lab) -> None:
        with client.signal("counter") as counter:
            counter.get()
        with client.signal("counter") as other:
            other.get()  # what was sent before has arrived
            assert subscribers(served, "counter") == 1

    def test_a_reader_in_another_thread_ends(self, client: LabClient, clients: LabClients) -> None:
        counter = client.signal("counter")
        values = iter(counter)
        next(values)
        waiting = clients.shells.submit(lambda: list(values))
        counter.close()
        assert result_of(waiting) == []
        assert counter.get().count == 0  # its next use subscribes anew
        counter.close()

    def test_one_reader_of_several_ends(self, client: LabClient, served: Lab) -> None:
        with client.signal("counter") as counter:
            first, second = counter.updates(), counter.updates()
            assert next(first).value.count == next(second).value.count == 0
            first.close()
            served.tick(1)
            assert list(first) == []
            assert next(second) == SignalUpdate(served.handlers.counter_signal.value)

    def test_before_the_handler_has_answered(self, client: LabClient, served: Lab) -> None:
        for _ in range(20):
            counter = client.signal("counter")
            counter.start()
            counter.close()
        assert client.signal("counter").get().count == 0
        gc.collect()

    def test_a_forgotten_signal(self, client: LabClient, served: Lab) -> None:
        def glance() -> int:
            for value in client.signal("counter"):
                return int(value.count)
            raise AssertionError

        assert glance() == 0
        gc.collect()
        with client.signal("counter") as counter:
            counter.get()
            assert subscribers(served, "counter") == 1

    def test_connections_that_end_leave_nothing(self, client: LabClient, served: Lab) -> None:
        counter = client.signal("counter")
        counter.get()
        served.server.drop_connections()
        served.server.until_ended(1)
        assert subscribers(served, "counter") == 0
        counter.close()


class TestReconnecting:
    def test_readers_go_on_with_the_fresh_value(
        self, client: LabClient, clients: LabClients, served: Lab
    ) -> None:
        counter = client.signal("counter")
        values = iter(counter)
        assert next(values).count == 0
        waiting = clients.shells.submit(lambda: next(values))
        served.do(lambda: served.handlers.tick(4))
        assert result_of(waiting).count == 4
        waiting = clients.shells.submit(lambda: next(values))
        served.server.drop_connections()
        fresh = result_of(waiting)  # the fresh value comes even if it is the same
        assert fresh.count == 4
        served.tick(5)
        assert next(values).count == 5
        assert served.server.accepted == 2
        counter.close()

    def test_a_server_that_is_gone_and_comes_back(self, client: LabClient, served: Lab) -> None:
        counter = client.signal("counter")
        values = iter(counter)
        assert next(values).count == 0
        served.server.stop()
        with pytest.raises(ConnectError):
            next(values)
        served.server.start()
        served.tick(2)
        assert next(values).count == 2
        counter.close()

    def test_a_value_is_fetched_over_a_new_connection(self, client: LabClient, served: Lab) -> None:
        counter = client.signal("counter")
        assert counter.get().count == 0
        served.server.drop_connections()
        served.tick(3)
        assert counter.get().count == 3
        counter.close()


class TestCreationErrors:
    def test_a_parameter_that_the_server_refuses(self, client: LabClient) -> None:
        # Encoders do not judge; the server does.
        with pytest.raises(RefusedRequestError, match="/name"):
            client.signal("room", name=5).get()
