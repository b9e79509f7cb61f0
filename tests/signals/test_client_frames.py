"""What a client's session makes of frames about signals."""

from __future__ import annotations

from typing import Any

import pytest

from lmwire_runtime.errors import (
    CancelledError,
    ClosedError,
    ConnectionLostError,
    ProtocolError,
    RefusedRequestError,
    SignalError,
    UnsupportedEndpointError,
)
from lmwire_runtime.signal_session import Snapshot, Subscription, Watch, Write
from tests.runtime.session_peer import Peer


class SignalPeer(Peer):
    """A session under test, with what a server sends about signals."""

    def subscribe(self, endpoint: str = "note", **options: Any) -> Subscription:
        return self.session.signals.subscribe(endpoint, **{"writable": True, **options})

    def watch(self, subscription: Subscription) -> Watch:
        return self.session.signals.watch(subscription)

    def update(self, subscription: Subscription, *patches: Any, tags: Any = (), identity: Any = None) -> None:
        self.feed(
            {
                "type": f"{subscription.frames}Update",
                "subscribeId": subscription.id if identity is None else identity,
                "patches": list(patches),
                "tags": list(tags),
            }
        )

    def write(self, subscription: Subscription, *patches: Any, tags: Any = ()) -> Write:
        return self.session.signals.write(subscription, subscription.confirmed, patches, patches, tags)


def root(value: Any) -> dict[str, Any]:
    return {"op": "replace", "path": [], "value": value}


def replace(*path: Any, value: Any) -> dict[str, Any]:
    return {"op": "replace", "path": list(path), "value": value}


def snapshots(watch: Watch) -> list[tuple[Any, tuple[str, ...]]]:
    taken: list[Snapshot] = [watch.take() for _ in range(len(watch.inbox))]
    return [(snapshot.value, snapshot.tags) for snapshot in taken]


@pytest.fixture
def peer() -> SignalPeer:
    return SignalPeer()


class TestSubscriptions:
    def test_frames(self, peer: SignalPeer) -> None:
        first = peer.subscribe("counter", writable=False)
        second = peer.subscribe("note", creation={"a": 1})
        assert peer.sent() == [
            {"type": "signalSubscribe", "endpoint": "counter", "subscribeId": first.id},
            {
                "type": "writableSignalSubscribe",
                "endpoint": "note",
                "subscribeId": second.id,
                "creationParameter": {"a": 1},
            },
        ]
        for subscription in (first, second):
            peer.update(subscription, root(1))
            peer.session.abandon(subscription, CancelledError("enough"))
        assert peer.sent() == [
            {"type": "signalUnsubscribe", "subscribeId": first.id},
            {"type": "writableSignalUnsubscribe", "subscribeId": second.id},
        ]
        assert peer.session.idle

    def test_snapshots_are_the_newest_with_all_tags(self, peer: SignalPeer) -> None:
        subscription = peer.subscribe()
        watch = peer.watch(subscription)
        assert snapshots(watch) == []
        peer.update(subscription, root({"n": 0}), tags=["a"])
        peer.update(subscription, replace("n", value=1), tags=["b", "c"])
        peer.update(subscription, replace("n", value=2))
        assert snapshots(watch) == [({"n": 2}, ("a", "b", "c"))]
        peer.update(subscription, tags=["d"])
        peer.update(subscription)
        assert snapshots(watch) == [({"n": 2}, ("d",))]
        assert snapshots(peer.watch(subscription)) == [({"n": 2}, ())]

    def test_tags_that_nobody_reads_are_not_kept_for_ever(self, peer: SignalPeer) -> None:
        subscription = peer.subscribe()
        watch = peer.watch(subscription)
        peer.update(subscription, root(0))
        for number in range(5000):
            peer.update(subscription, tags=[str(number)])
        ((_, tags),) = snapshots(watch)
        assert tags == tuple(str(number) for number in range(4000, 5000))

    def test_a_value_that_was_read_is_never_changed(self, peer: SignalPeer) -> None:
        subscription = peer.subscribe()
        watch = peer.watch(subscription)
        peer.update(subscription, root({"list": [1], "same": {}}))
        ((first, _),) = snapshots(watch)
        peer.update(subscription, {"op": "add", "path": ["list", 1], "value": 2})
        ((second, _),) = snapshots(watch)
        assert (first, second) == ({"list": [1], "same": {}}, {"list": [1, 2], "same": {}})
        assert first["same"] is second["same"]

    def test_updates_for_others_are_dropped_quietly(self, peer: SignalPeer) -> None:
        subscription = peer.subscribe()
        watch = peer.watch(subscription)
        peer.update(subscription, root(1))
        peer.sent()
        peer.update(subscription, root(2), identity=999)
        peer.feed({"type": "signalUpdate", "subscribeId": subscription.id, "patches": [root(3)], "tags": []})
        assert snapshots(watch) == [(1, ())]
        peer.session.abandon(subscription, CancelledError("enough"))
        peer.update(subscription, root(4))
        peer.update(subscription, {"op": "nonesuch"})
        assert [frame["type"] for frame in peer.sent()] == ["writableSignalUnsubscribe"]
        assert peer.lines == []

    @pytest.mark.parametrize(
        "odd",
        [
            {"patches": None}, {"patches": {}}, {"tags": None}, {"tags": "x"}, {"tags": [1]},
            {"subscribeId": "1"}, {"subscribeId": None},
        ],
    )  # fmt: skip
    def test_odd_frames_are_told_of_once(self, peer: SignalPeer, odd: dict[str, Any]) -> None:
        subscription = peer.subscribe()
        watch = peer.watch(subscription)
        peer.update(subscription, root(1))
        peer.sent()
        frame = {
            "type": "writableSignalUpdate",
            "subscribeId": subscription.id,
            "patches": [root(2)],
            "tags": [],
        }
        peer.feed({**frame, **odd}, {**frame, **odd})
        assert len(peer.lines) == 1
        assert snapshots(watch) == [(1, ())]
        assert peer.sent() == []

    def test_what_ended_it_reaches_every_watch(self, peer: SignalPeer) -> None:
        subscription = peer.subscribe()
        watches = [peer.watch(subscription) for _ in range(3)]
        frame = {"type": "writableSignalError", "subscribeId": subscription.id, "error": {"title": "broken"}}
        peer.sent()
        peer.feed(frame)
        errors = [watch.error for watch in watches]
        assert [str(error) for error in errors] == [f"broken [llm.note #{subscription.id}]"] * 3
        assert len({id(error) for error in errors}) == 3
        assert isinstance(peer.watch(subscription).error, SignalError)
        peer.feed(frame)  # it may have crossed an unsubscribing: no mistake
        assert peer.sent() == []
        peer.feed({**frame, "subscribeId": 999}, {**frame, "subscribeId": 999, "type": "signalError"})
        assert [warning["kind"] for warning in peer.sent()] == ["writableSignalUnknown", "signalUnknown"]

    def test_the_end_of_the_connection(self, peer: SignalPeer) -> None:
        subscription = peer.subscribe()
        watch = peer.watch(subscription)
        peer.update(subscription, root(1))
        write = peer.write(subscription, root(2))
        peer.session.lose(ConnectionLostError("gone"))
        assert isinstance(watch.error, ConnectionLostError)
        assert isinstance(write.error, ConnectionLostError)
        assert subscription.ended
        assert peer.session.idle

    def test_one_that_was_never_sent(self, peer: SignalPeer) -> None:
        subscription = peer.subscribe()
        watch = peer.watch(subscription)
        peer.sent()
        peer.session.retract(subscription, ClosedError("no"))
        assert (watch.ended, peer.sent(), peer.session.idle) == (True, [], True)


class TestRefusals:
    @pytest.mark.parametrize("with_kind", [True, False])
    def test_an_endpoint_that_the_server_lacks(self, peer: SignalPeer, with_kind: bool) -> None:
        call = peer.session.call("note")
        waiting = [peer.watch(peer.subscribe()) for _ in range(3)]
        other = peer.watch(peer.subscribe("other"))
        text = "Received writableSignalSubscribe for unknown endpoint, endpoint = note"
        peer.warning(text, "writableSignalEndpointUnknown" if with_kind else None)
        assert all(isinstance(watch.error, UnsupportedEndpointError) for watch in waiting)
        assert not other.ended
        assert not call.ended
        peer.sent()
        again = peer.watch(peer.subscribe())
        assert isinstance(again.error, UnsupportedEndpointError)
        assert peer.sent() == []
        peer.warning(text, "writableSignalEndpointUnknown")
        assert peer.lines == []

    def test_a_parameter_tells_them_apart(self, peer: SignalPeer) -> None:
        first, second = (peer.watch(peer.subscribe(creation={"name": name})) for name in ("a", "b"))
        peer.warning(
            'Received invalid creationParameter for signal, endpointName = note, creationParameter = {"name":"b"}. x',
            "writableSignalCreationParameterTypeError",
        )
        assert (first.ended, isinstance(second.error, RefusedRequestError)) == (False, True)

    def test_one_that_was_given_up_takes_its_own_refusal(self, peer: SignalPeer) -> None:
        first, second = peer.subscribe(), peer.subscribe()
        peer.session.abandon(first, CancelledError("enough"))
        peer.warning("Received invalid creationParameter for signal, endpointName = note", "signalX")
        assert not second.ended

    def test_what_is_about_nothing_is_told(self, peer: SignalPeer) -> None:
        peer.subscribe()
        peer.warning("Received writableSignalUpdate for unknown subscription, subscribeId = 77")
        assert len(peer.lines) == 1

    def test_a_signal_does_not_take_the_refusal_of_a_call(self, peer: SignalPeer) -> None:
        subscription, call = peer.subscribe(), peer.session.call("note")
        peer.warning("Received rpcCall for unknown endpoint, endpoint = note", "rpcEndpointUnknown")
        assert (subscription.ended, call.ended) == (False, True)


class TestResubscribing:
    @pytest.mark.parametrize(
        ("writable", "kind"),
        [(False, "signalUpdatePatchApplyError"), (True, "writableSignalPatchApplyError")],
    )
    def test_patches_that_do_not_apply(self, peer: SignalPeer, writable: bool, kind: str) -> None:
        subscription = peer.subscribe(creation=5, writable=writable)
        watch = peer.watch(subscription)
        peer.update(subscription, root({"n": 0}))
        snapshots(watch)
        before, (request,) = subscription.id, peer.sent()
        peer.update(subscription, replace("n", value=1), replace("no", "such", value=2))
        assert snapshots(watch) == []
        warning, unsubscribe, again = peer.sent()
        assert (warning["type"], warning["kind"]) == ("communicationWarning", kind)
        assert unsubscribe == {"type": f"{subscription.frames}Unsubscribe", "subscribeId": before}
        assert again == {**request, "subscribeId": subscription.id}
        assert subscription.id != before
        assert len(peer.lines) == 1
        peer.update(subscription, root({"n": 9}), identity=before)
        assert snapshots(peer.watch(subscription)) == []
        peer.update(subscription, root({"n": 2}))
        assert snapshots(watch) == [({"n": 2}, ())]

    def test_a_change_before_the_value(self, peer: SignalPeer) -> None:
        subscription = peer.subscribe()
        peer.sent()
        peer.update(subscription, replace("n", value=1))
        assert [frame["type"] for frame in peer.sent()] == [
            "communicationWarning", "writableSignalUnsubscribe", "writableSignalSubscribe",
        ]  # fmt: skip

    def test_it_is_tried_once(self, peer: SignalPeer) -> None:
        subscription = peer.subscribe()
        watch = peer.watch(subscription)
        for _ in range(2):
            assert not watch.ended
            peer.update(subscription, root({"n": 0}))
            peer.update(subscription, replace("no", "such", value=1))
        assert isinstance(watch.error, ProtocolError)
        assert "no" in str(watch.error)
        assert peer.sent()[-1]["type"] == "writableSignalUnsubscribe"
        assert peer.session.idle

    def test_but_again_after_something_has_fitted(self, peer: SignalPeer) -> None:
        subscription = peer.subscribe()
        watch = peer.watch(subscription)
        for number in range(20):
            peer.update(subscription, root({"n": 0}))
            peer.update(subscription, replace("n", value=number))
            peer.update(subscription, replace("no", "such", value=1))
        assert not watch.ended
        assert len([frame for frame in peer.sent() if frame["type"] == "communicationWarning"]) == 5
        assert len(peer.lines) == 1

    def test_superjson_that_is_none(self, peer: SignalPeer) -> None:
        subscription = peer.subscribe(superjson=True)
        watch = peer.watch(subscription)
        peer.update(subscription, {"json": root([1]), "meta": {"values": {"value": ["set"]}}})
        ((value, _),) = snapshots(watch)
        assert list(value) == [1]
        peer.update(subscription, root([2]))
        peer.update(subscription, {"json": root([1]), "meta": {"values": {"nowhere": ["set"]}}})
        assert snapshots(watch) == []

    def test_hostile_depth(self, peer: SignalPeer) -> None:
        deep: Any = 1
        for _ in range(100_000):
            deep = [deep]
        subscription = peer.subscribe()
        watch = peer.watch(subscription)
        peer.update(subscription, root(deep))
        path = [0] * 99_999
        peer.update(subscription, replace(*path, value=2))
        assert len(watch.inbox) == 1


class TestWrites:
    def test_they_are_shown_at_once_and_settle_by_their_tag(self, peer: SignalPeer) -> None:
        subscription = peer.subscribe()
        watch = peer.watch(subscription)
        peer.update(subscription, root({"a": 1, "b": 1}))
        snapshots(watch)
        peer.sent()
        write = peer.write(subscription, replace("a", value=2), tags=["user"])
        (frame,) = peer.sent()
        assert frame["patches"] == [replace("a", value=2)]
        assert frame["tags"][1:] == ["user"]
        assert snapshots(watch) == [({"a": 2, "b": 1}, ())]
        peer.update(subscription, replace("b", value=5), tags=["other"])
        assert snapshots(watch) == [({"a": 2, "b": 5}, ("other",))]
        assert not write.ended
        peer.update(subscription, replace("a", value=2), tags=frame["tags"])
        assert (write.ended, write.error) == (True, None)
        assert snapshots(watch) == [({"a": 2, "b": 5}, ("user",))]
        assert subscription.confirmed == {"a": 2, "b": 5}

    def test_one_for_an_older_value_is_not_sent(self, peer: SignalPeer) -> None:
        subscription = peer.subscribe()
        peer.update(subscription, root({"a": 1}))
        base = subscription.confirmed
        peer.update(subscription, replace("a", value=2))
        peer.sent()
        write = peer.session.signals.write(subscription, base, [], [], [])
        assert (write.stale, write.ended, peer.sent()) == (True, True, [])

    @pytest.mark.parametrize(
        ("text", "kind"),
        [
            (
                "Error in receivedPatches for writable signal, endpointName = note, error = x",
                "PatchApplyError",
            ),
            ("Received invalid data for writable signal, endpointName = note, data = {}. x", "DataTypeError"),
            ("Received writableSignalUpdate for unknown subscription, subscribeId = ID", "Unknown"),
        ],
    )
    @pytest.mark.parametrize("with_kind", [True, False])
    def test_a_refusal_takes_them_back(self, peer: SignalPeer, text: str, kind: str, with_kind: bool) -> None:
        other = peer.subscribe("other")
        peer.update(other, root(1))
        elsewhere = peer.write(other, root(2))
        subscription = peer.subscribe()
        watch = peer.watch(subscription)
        peer.update(subscription, root({"a": 1}))
        write = peer.write(subscription, replace("a", value=2))
        snapshots(watch)
        told = f"writableSignal{kind}" if with_kind else None
        peer.warning(text.replace("ID", str(subscription.id)), told)
        assert isinstance(write.error, RefusedRequestError)
        assert write.error.kind == told
        assert snapshots(watch) == [({"a": 1}, ())]
        assert not elsewhere.ended
        assert not subscription.ended

    def test_one_that_crosses_a_new_subscription_is_in_the_fresh_value(self, peer: SignalPeer) -> None:
        subscription = peer.subscribe()
        peer.update(subscription, root({"a": 1}))
        write = peer.write(subscription, replace("a", value=2))
        peer.update(subscription, replace("no", "such", value=2))
        assert not write.ended
        peer.update(subscription, root({"a": 2}))
        assert (write.ended, write.error) == (True, None)
        assert subscription.shown == {"a": 2}

    def test_a_foreign_change_that_makes_them_impossible(self, peer: SignalPeer) -> None:
        subscription = peer.subscribe()
        watch = peer.watch(subscription)
        peer.update(subscription, root({"list": [{"x": 1}]}))
        write = peer.write(subscription, replace("list", 0, "x", value=2))
        peer.update(subscription, {"op": "remove", "path": ["list", 0]})
        assert snapshots(watch) == [({"list": []}, ())]
        assert not write.ended
        peer.update(subscription, tags=[write.tag])
        assert write.ended

    def test_one_that_was_given_up(self, peer: SignalPeer) -> None:
        subscription = peer.subscribe()
        peer.update(subscription, root({"a": 1}))
        write = peer.write(subscription, replace("a", value=2))
        peer.session.abandon(write, CancelledError("timed out"))
        assert subscription.shown == {"a": 1}
        peer.update(subscription, replace("a", value=2), tags=[write.tag])
        assert subscription.shown == {"a": 2}

    def test_it_ends_with_its_subscription(self, peer: SignalPeer) -> None:
        subscription = peer.subscribe()
        peer.update(subscription, root({"a": 1}))
        write = peer.write(subscription, replace("a", value=2))
        peer.session.abandon(subscription, CancelledError("enough"))
        assert write.ended
        assert isinstance(peer.write(subscription).error, CancelledError)
