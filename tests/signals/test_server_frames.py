"""What the server answers to frames about signals: what upstream's own server was seen to answer."""

from __future__ import annotations

from typing import Any

import pytest

from lmwire_runtime.server import ServerSignal
from lmwire_runtime.server_session import ServerEvent, ServerSession
from lmwire_runtime.server_signals import SubscriptionReceived
from tests.runtime.arithmetic import ENOUGH
from tests.runtime.raw_clients import RawClient
from tests.signals.lab import START, Lab, lab_handlers


def subscribe(endpoint: str, identity: Any = 1, **keys: Any) -> dict[str, Any]:
    return {"type": "signalSubscribe", "endpoint": endpoint, "subscribeId": identity, **keys}


def writable(endpoint: str = "note", identity: Any = 1) -> dict[str, Any]:
    return {**subscribe(endpoint, identity), "type": "writableSignalSubscribe"}


def unsubscribe(identity: Any = 1) -> dict[str, Any]:
    return {"type": "signalUnsubscribe", "subscribeId": identity}


def write(patches: Any, tags: Any = ("x",), identity: Any = 1) -> dict[str, Any]:
    tags = list(tags) if isinstance(tags, tuple) else tags
    return {"type": "writableSignalUpdate", "subscribeId": identity, "patches": patches, "tags": tags}


def patch(operation: str, *path: Any, **value: Any) -> dict[str, Any]:
    return {"op": operation, "path": list(path), **value}


class Host:
    """A session with the handlers of the lab, without I/O: they answer at once, or when told to."""

    def __init__(self, lab: Any, **options: Any) -> None:
        self.lab = lab
        self.handlers = lab_handlers(lab)
        self.session = ServerSession(lab.NAMESPACE, handled=lambda item: item.name != "unhandled", **options)
        self.session.accept()
        self.sent()
        self.ready = True
        self.later: list[SubscriptionReceived] | None = None

    def sent(self) -> list[dict[str, Any]]:
        frames, self.session.outgoing = self.session.outgoing, []
        return frames

    def exchange(self, *frames: Any) -> list[dict[str, Any]]:
        for frame in frames:
            self.handle(self.session.receive(frame))
        return self.sent()

    def handle(self, event: ServerEvent | None) -> None:
        if event is None:
            return
        assert isinstance(event, SubscriptionReceived)
        if self.later is not None:
            self.later.append(event)
        else:
            self.answer(event)

    def answer(self, event: SubscriptionReceived) -> None:
        signal = getattr(self.handlers, f"{event.descriptor.name}_signal", None)
        if signal is None:
            self.session.signals.fail(event, {"title": "This signal always fails"})
        else:
            self.session.signals.attach(event, signal, ready=lambda: self.ready, write=lambda: None)


@pytest.fixture
def host(lab: Any) -> Host:
    return Host(lab)


INITIAL = {
    "type": "signalUpdate",
    "subscribeId": 1,
    "patches": [{"op": "replace", "path": [], "value": {"count": 0, "items": []}}],
    "tags": [],
}
NOTE = {
    "type": "writableSignalUpdate",
    "subscribeId": 1,
    "patches": [{"op": "replace", "path": [], "value": START}],
    "tags": [],
}

APPLY = (
    "writableSignalPatchApplyError",
    "Error in receivedPatches for writable signal, endpointName = note, error = ",
)
DATA = (
    "writableSignalDataTypeError",
    "Received invalid data for writable signal, endpointName = note, data = ",
)


def warnings(frames: list[dict[str, Any]]) -> list[tuple[str, str]]:
    return [(frame["kind"], frame["warning"]) for frame in frames if frame["type"] == "communicationWarning"]


class TestSubscriptions:
    def test_the_first_value_then_patches_with_tags(self, host: Host) -> None:
        assert host.exchange(subscribe("counter")) == [INITIAL]
        host.handlers.tick(1, ["tick-1"])
        (frame,) = host.sent()
        assert frame["tags"] == ["tick-1"]
        assert sorted(frame["patches"], key=str) == [
            {"op": "add", "path": ["items", 0], "value": "item-1"},
            {"op": "replace", "path": ["count"], "value": 1},
        ]
        host.handlers.tick(1, ["again"])
        assert host.sent() == [{**INITIAL, "patches": [], "tags": ["again"]}]
        host.handlers.tick(1)
        assert host.sent() == []

    def test_an_open_id_and_an_id_of_nothing(self, host: Host) -> None:
        assert host.exchange(subscribe("counter"), unsubscribe(99)) == [INITIAL]
        (warning,) = warnings(host.exchange(subscribe("counter")))
        text = "Received signalSubscribe for already open subscription, subscribeId = 1"
        assert warning == ("signalAlreadyOpen", text)

    def test_ids_of_both_kinds_are_independent(self, host: Host) -> None:
        assert host.exchange(subscribe("counter"), writable("note")) == [INITIAL, NOTE]
        assert host.exchange(unsubscribe(1)) == []
        assert host.exchange(write([])) == [{**NOTE, "patches": [], "tags": ["x"]}]

    def test_unsubscribing_ends_it(self, host: Host) -> None:
        host.exchange(subscribe("counter"), unsubscribe())
        host.handlers.tick(1)
        assert host.sent() == []
        assert host.exchange(subscribe("counter"))[0]["patches"][0]["value"]["count"] == 1

    def test_unsubscribing_before_the_handler_has_answered(self, host: Host) -> None:
        host.later = []
        assert host.exchange(subscribe("counter"), unsubscribe(), subscribe("counter")) == []
        first, second = host.later
        host.answer(first)
        assert host.sent() == []
        host.answer(second)
        assert host.sent() == [INITIAL]
        assert host.handlers.counter_signal.subscribers == 1

    def test_an_id_that_was_unsubscribed_before_it_was_subscribed_to(self, host: Host) -> None:
        assert host.exchange(unsubscribe(), subscribe("counter")) == []
        assert host.exchange(subscribe("counter")) == [INITIAL]
        assert host.exchange(*(unsubscribe(identity) for identity in range(10_000))) == []

    @pytest.mark.parametrize(
        ("frame", "kind", "text"),
        [
            (subscribe("nonesuch"), "EndpointUnknown", "unknown endpoint, endpoint = nonesuch"),
            (subscribe("unhandled"), "EndpointUnhandled", "unhandled endpoint, endpoint = unhandled"),
            (subscribe("note"), "EndpointUnknown", "unknown endpoint, endpoint = note"),
            (writable("counter"), "EndpointUnknown", "unknown endpoint, endpoint = counter"),
            (subscribe("room"), "CreationParameterTypeError", "room, creationParameter = undefined. "),
            (
                subscribe("counter", creationParameter=None),
                "CreationParameterTypeError",
                "counter, creationParameter = null. ",
            ),
        ],
    )
    def test_what_is_warned_of(self, host: Host, frame: dict[str, Any], kind: str, text: str) -> None:
        ((found_kind, found_text),) = warnings(host.exchange(frame))
        prefix = frame["type"].removesuffix("Subscribe")
        assert found_kind == f"{prefix}{kind}"
        head = f"Received {frame['type']} for "
        if "creation" in text:
            head = f"Received invalid creationParameter for {prefix}, endpointName = "
        assert found_text.startswith(f"{head}{text}")

    UNSENT = object()

    @pytest.mark.parametrize("identity", [None, "1", 1.5, True, [], UNSENT])
    def test_frames_without_a_usable_id_are_dropped(self, host: Host, identity: Any) -> None:
        frames = [
            subscribe("counter", identity),
            writable("note", identity),
            unsubscribe(identity),
            write([], identity=identity),
        ]
        if identity is self.UNSENT:
            frames = [
                {key: value for key, value in frame.items() if key != "subscribeId"} for frame in frames
            ]
        assert host.exchange(*frames) == []

    def test_a_failing_handler(self, host: Host) -> None:
        error = {"title": "This signal always fails"}
        assert host.exchange(subscribe("failing")) == [
            {"type": "signalError", "subscribeId": 1, "error": error}
        ]

    def test_a_handler_that_returns_something_else(self, host: Host, lab: Any) -> None:
        host.later = []
        host.exchange(subscribe("counter"))
        for signal in (None, 5, ServerSignal(lab.NOTE)):
            with pytest.raises(TypeError, match="counter"):
                host.session.signals.attach(host.later[0], signal, ready=lambda: True, write=lambda: None)

    def test_a_value_that_json_cannot_express(self, host: Host, lab: Any) -> None:
        host.exchange(subscribe("counter"))
        host.handlers.counter_signal.set(lab.CounterValue(count=float("nan"), items=[]))
        (frame,) = host.sent()
        host.session.replace(frame, ValueError("nan"))
        (error,) = host.sent()
        assert (error["type"], error["subscribeId"]) == ("signalError", 1)
        assert host.handlers.counter_signal.subscribers == 0


class TestWrites:
    @pytest.fixture(autouse=True)
    def subscribed(self, host: Host) -> None:
        assert host.exchange(writable()) == [NOTE]

    @pytest.mark.parametrize(
        ("patches", "tags"),
        [
            ([patch("replace", "title", value="t")], ["x", "y"]),
            ([], ["x"]),
            ([patch("replace", value=START)], []),
            ([patch("add", "tags", 1, value="b"), patch("remove", "nested", "values", "one")], []),
        ],
    )
    def test_good_ones_are_published_as_they_are(self, host: Host, patches: Any, tags: list[str]) -> None:
        expected = {**NOTE, "patches": patches, "tags": tags}
        assert host.exchange(write(patches, tags)) == ([expected] if patches or tags else [])

    @pytest.mark.parametrize(
        ("wrong", "kind", "text"),
        [
            ({"op": "replace", "path": "/title", "value": "t"}, *APPLY),
            ({"op": "move", "from": ["title"], "path": ["tags", 0]}, *APPLY),
            (patch("replace", "no", "such", "path", value=1), *APPLY),
            (patch("replace", "title", value=5), DATA[0], DATA[1] + '{"title":5,'),
            (patch("remove", "nested"), *DATA),
        ],
    )
    def test_bad_ones_are_warned_of_and_end(self, host: Host, wrong: Any, kind: str, text: str) -> None:
        warning, update = host.exchange(write([wrong]))
        assert warning["kind"] == kind
        assert warning["warning"].startswith(text)
        assert update == {**NOTE, "patches": [], "tags": ["x"]}  # upstream's server leaves its client waiting
        assert host.handlers.note_signal.value.to_wire() == START

    def test_keys_that_the_schema_does_not_have_reach_nobody(self, host: Host) -> None:
        patches = [patch("add", "colour", value="red"), patch("replace", "title", value="t")]
        assert host.exchange(write(patches)) == [
            {**NOTE, "patches": [patch("replace", "title", value="t")], "tags": ["x"]}
        ]
        assert host.handlers.note_signal.value.to_wire() == {**START, "title": "t"}

    def test_an_unknown_subscription(self, host: Host) -> None:
        ((kind, text),) = warnings(host.exchange(write([], identity=9)))
        assert kind == "writableSignalUnknown"
        assert text == "Received writableSignalUpdate for unknown subscription, subscribeId = 9"

    def test_before_the_handler_has_answered(self, host: Host) -> None:
        host.later = []
        ((kind, _),) = warnings(host.exchange(writable(identity=2), write([], identity=2)))
        assert kind == "writableSignalUnknown"

    def test_before_there_is_a_value(self, host: Host) -> None:
        answer = host.exchange(writable("late", 2), write([patch("replace", value=3)], identity=2))
        assert answer == [{**NOTE, "subscribeId": 2, "patches": [], "tags": ["x"]}]
        assert not host.handlers.late_signal.available
        host.handlers.late_signal.set(5, tags=["now"])
        assert host.sent() == [
            {**NOTE, "subscribeId": 2, "patches": [patch("replace", value=5)], "tags": ["now"]}
        ]

    @pytest.mark.parametrize(
        "odd",
        [
            {"tags": 5}, {"tags": [1]}, {"tags": None}, {"patches": {}}, {"patches": None},
        ],
    )  # fmt: skip
    def test_odd_frames_are_dropped(self, host: Host, odd: dict[str, Any]) -> None:
        assert host.exchange({**write([]), **odd}) == []
        assert host.exchange({key: value for key, value in write([]).items() if key not in odd}) == []

    def test_others_see_foreign_tags(self, host: Host) -> None:
        host.exchange(writable(identity=2))
        frames = host.exchange(write([patch("replace", "title", value="t")], ["mine"]))
        assert [(frame["subscribeId"], frame["tags"]) for frame in frames] == [(1, ["mine"]), (2, ["mine"])]

    def test_a_fault_of_the_handlers_own_is_warned_of(self, host: Host) -> None:
        def broken(note: Any) -> None:
            raise KeyError("oops")

        host.handlers.note_signal._on_write = broken
        warning, _ = host.exchange(write([patch("replace", "title", value="t")]))
        assert warning["kind"] == "writableSignalPatchApplyError"
        assert "oops" in warning["warning"]


class TestSlowClients:
    def test_they_are_told_of_all_changes_at_once(self, host: Host) -> None:
        host.exchange(subscribe("counter"))
        host.ready = False
        for number in range(1, 1001):
            host.handlers.tick(number, [f"tick-{number}"])
        assert host.sent() == []
        host.ready = True
        host.session.signals.catch_up()
        (frame,) = host.sent()
        assert frame["tags"] == [f"tick-{number}" for number in range(1, 1001)]
        assert sorted(frame["patches"], key=str)[-1] == {"op": "replace", "path": ["count"], "value": 1000}
        host.handlers.tick(1001)
        assert len(host.sent()) == 1

    def test_the_first_value_waits_too(self, host: Host) -> None:
        host.ready = False
        assert host.exchange(subscribe("counter")) == []
        host.handlers.tick(3)
        host.ready = True
        host.session.signals.catch_up()
        assert host.sent()[0]["patches"][0]["value"]["count"] == 3

    def test_over_a_socket(self, served: Lab, lab: Any) -> None:
        with RawClient(served.server.port, "/lab") as slow:
            slow.authenticate()
            slow.send(subscribe("counter"))
            assert slow.receive() == INITIAL
            served.do(lambda: _flood(served, lab))
            count, frames = 0, 0
            slow.sock.settimeout(ENOUGH)
            while count < 200:
                for sent in slow.receive()["patches"]:
                    if sent["path"] == ["count"]:
                        count = sent["value"]
                frames += 1
            assert frames < 200


def _flood(served: Lab, lab: Any) -> None:
    """More than buffers hold, without a turn of the event loop."""
    for number in range(1, 201):
        value = lab.CounterValue(count=number, items=[f"{number}" * 100_000])
        served.handlers.counter_signal.set(value)


def test_servers_before_2026_03_send_no_kind(lab: Any) -> None:
    host = Host(lab, warning_kinds=False)
    (warning,) = host.exchange(subscribe("nonesuch"))
    assert "kind" not in warning


def test_five_warnings_at_most(host: Host) -> None:
    assert len(host.exchange(*[subscribe("nonesuch")] * 20)) == 5
