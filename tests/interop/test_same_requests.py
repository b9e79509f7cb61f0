"""Our clients send what the real clients send, frame by frame; ids and credentials aside, numbers by value.

Which real client is held against ours is said by ``peers``, call by call and for each generation.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

import pytest

from lmwire_emulator import Generation
from tests.interop.calls import CALLS, Call
from tests.interop.comparing import assert_same, comparable
from tests.interop.matrix import CELLS, OURS, run
from tests.interop.peers import ALONE, ASIDE, Peer, peer_of
from tests.support import requires

GENERATIONS: Final[Sequence[Generation]] = ("2026", "2025", "2025-07")
REQUIREMENTS: Final = {"js-2.0.0": "official-node", "python-1.5.0": "official-python"}


# What a request may have its options in.
STACKS: Final = frozenset({"predictionConfigStack", "loadConfigStack"})


def _frames(name: str, generation: Generation, call: Call) -> list[Mapping[str, Any]]:
    """What a client sent in a call, but for the attempt at an endpoint that an older server does not have."""
    frames = run(name, generation).frames[call.name]
    if generation == "2026":
        return list(frames)
    attempts = {frame["channelId"] for frame in frames if frame.get("endpoint") == "completeRawText"}
    # Once for each client, which remembers what its server does not have.
    assert len(attempts) <= (call is CALLS[0])
    return [frame for frame in frames if frame.get("channelId") not in attempts]


def _request(frames: Sequence[Mapping[str, Any]]) -> Mapping[str, Any]:
    """The one frame of a call that has a stack of configs."""
    (request,) = (frame for frame in frames if frame.get("creationParameter", {}).keys() & STACKS)
    return request


def _completion(frames: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    (create,) = (frame for frame in frames if "predictionConfigStack" in frame.get("creationParameter", ()))
    return [frame for frame in frames if frame.get("channelId") == create["channelId"]]


def _options(frames: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The config fields that say what the user asked for."""
    parameter = _request(frames)["creationParameter"]
    (stack,) = (parameter[name] for name in STACKS & parameter.keys())
    layer = stack["layers"][0]
    assert layer["layerName"] == "apiOverride"
    return {field["key"]: field["value"] for field in layer["config"]["fields"]}


def _without_asides(sdk: str, options: Mapping[str, Any], others: Mapping[str, Any]) -> dict[str, Any]:
    aside = {key for whose, key, _ in ASIDE if whose == sdk}
    return {key: value for key, value in options.items() if key in others or key not in aside}


def _compare(peer: Peer, call: Call, ours: list[Mapping[str, Any]]) -> None:
    theirs = _frames(peer.client, peer.against, call)
    if peer.part == "options":
        mine, others = _options(ours), _options(theirs)
        assert_same(_without_asides("ours", mine, others), _without_asides(peer.client, others, mine))
    elif peer.part == "the completion":
        assert_same(comparable(_completion(ours)), comparable(_completion(theirs)))
    else:
        assert_same(comparable(ours), comparable(theirs))


def _rows() -> Iterator[Any]:
    for generation in GENERATIONS:
        for call in CALLS:
            peer = peer_of(call, generation)
            marks = [requires(REQUIREMENTS[peer.client])] if peer is not None else []
            yield pytest.param(call, generation, peer, id=f"{call.name}-{generation}", marks=marks)


@pytest.mark.parametrize(("call", "generation", "peer"), [*_rows()])
def test_we_send_what_the_peer_sends(call: Call, generation: Generation, peer: Peer | None) -> None:
    clients = [client for client in OURS if (client, generation) in CELLS]
    assert clients
    for client in clients:
        ours = _frames(client.name, generation, call)
        if peer is not None:
            _compare(peer, call, ours)
        else:
            aside: dict[str, Any] = {"llm.prediction.stopStrings": []}
            expected = {field["key"]: field["value"] for field in ALONE[call.name]}
            assert_same({**aside, **_options(ours)}, {**aside, **expected})


def test_every_call_has_a_peer_or_stands_alone() -> None:
    for generation in GENERATIONS:
        assert {call.name for call in CALLS if peer_of(call, generation) is None} == ALONE.keys()


def test_the_attempt_at_what_an_older_server_lacks_is_made_once() -> None:
    for client, generation in CELLS:
        if client in OURS and generation != "2026":
            asked = [
                name
                for name, frames in run(client.name, generation).frames.items()
                for frame in frames
                if frame.get("endpoint") == "completeRawText"
            ]
            assert asked == [CALLS[0].name]


@requires("official-node", "official-python")
def test_nothing_is_set_aside_for_nothing() -> None:
    used: set[tuple[str, str]] = set()
    for generation in GENERATIONS:
        for call in CALLS:
            peer = peer_of(call, generation)
            if peer is not None and peer.part == "options":
                mine = _options(_frames("lmwire", generation, call))
                others = _options(_frames(peer.client, peer.against, call))
                used |= {("ours", key) for key in mine.keys() - others.keys()}
                used |= {(peer.client, key) for key in others.keys() - mine.keys()}
    assert used == {(whose, key) for whose, key, _ in ASIDE}
