"""The cells of the matrix that cannot be: what happens to a real client that tries, and that ours can do it."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

import pytest

import lmwire
from lmwire_emulator import EmulatorThread, Generation
from tests.interop import programs
from tests.interop.calls import CALLS, MODEL, PROMPT
from tests.interop.environments import NodeProject
from tests.interop.frames import FrameTap
from tests.interop.generations import GAPS, OMISSIONS
from tests.interop.matrix import CELLS
from tests.interop.scripts import SCRIPT
from tests.support import requires

TEXT: Final = " Ada Lovelace"
OLD: Final[Sequence[str]] = (
    "complete on a server of 2025",
    "model() on a server of 2025",
    "load() on a server of 2025",
    "listLoaded() on a server of 2025",
)


def test_gaps_are_of_cells_and_calls_that_exist() -> None:
    cells = {(client.sdk, generation) for client, generation in CELLS}
    names = {call.name for call in CALLS}
    for cell, gap in GAPS.items():
        assert cell in cells
        assert set() < gap.calls <= names


@requires("official-node")
@pytest.mark.parametrize(
    ("version", "generation", "names"),
    [
        ("2.0.0", "2025", OLD),
        ("1.5.0", "2026", ["a stream that closes without a result"]),
        ("2.0.0", "2026", ["a stream that closes without a result"]),
    ],
)
def test_the_javascript_sdk_waits_for_ever(
    version: str, generation: Generation, names: Sequence[str], official_node: Callable[[str], NodeProject]
) -> None:
    with EmulatorThread(script=SCRIPT, generation=generation) as emulator:
        saw = programs.run_node(official_node(version), "hang", emulator.api_host, json.dumps(names))
    for name in names:
        assert saw[name]["outcome"] == "nothing", saw[name]
        # What it could not use it says in its log, and to nobody else.
        assert bool(saw[name]["logged"]) == (generation == "2025"), saw[name]


@requires("official-node")
def test_javascript_1_5_0_loses_the_text_of_servers_of_july_2025(
    official_node: Callable[[str], NodeProject],
) -> None:
    tap = FrameTap()
    with EmulatorThread(script=SCRIPT, generation="2025-07", on_frame=tap) as emulator:
        saw = programs.run_node(official_node("1.5.0"), "dropped", emulator.api_host)
        with lmwire.Client(emulator.api_host) as client:
            ours = client.llm.model().complete(PROMPT)
    assert (saw["complete"]["content"], saw["complete"]["stop_reason"]) == ("", "eosFound")
    assert (ours.content, ours.model_info.model_key) == (TEXT, MODEL)
    traffic = tap.traffic(OMISSIONS["2025-07"])
    assert ("LlmPredictionFragment", "isStructural") in traffic.omitted
    warned = [warning for warning in traffic.warnings() if warning.startswith("client: ")]
    assert len(warned) == 2
    assert all("isStructural: Required" in warning for warning in warned)


@requires("official-node")
def test_javascript_1_5_0_drops_packets_that_came_later(
    tmp_path: Path, official_node: Callable[[str], NodeProject]
) -> None:
    calls = [
        {"name": "sign in", "do": "sign in", "given": {}},
        {"name": "logs", "do": "logs", "given": {"kinds": ["llm.prediction.input"]}},
    ]
    tmp_path.joinpath("calls.json").write_text(json.dumps(calls), encoding="utf-8")
    tap = FrameTap()
    with EmulatorThread(script=SCRIPT, on_frame=tap) as emulator:
        saw = programs.run_node_calls(official_node("1.5.0"), emulator.api_host, str(tmp_path / "calls.json"))
    assert saw["sign in"] == {"codes": []}
    assert saw["logs"]["texts"].keys() == {"llm.prediction.input"}
    told = tap.traffic().warnings()[0]
    assert told.startswith("client: ")
    assert "authenticationUrl" in told
