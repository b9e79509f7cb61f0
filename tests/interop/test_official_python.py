"""The official Python SDK 1.5.0, unmodified, in an environment and a process of its own, against the emulator.

Here is what its users do beside the calls of the one list (``test_calls``).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import attrs
import pytest

import lmwire
from lmwire_emulator import EmulatorThread
from tests.interop import programs
from tests.interop.frames import FrameTap, Traffic
from tests.interop.scripts import SCRIPT
from tests.support import requires

pytestmark = requires("official-python")

TEXT = " Ada Lovelace"
MODEL = "emulator/ngram-small"


@attrs.frozen
class Run:
    """One run of a group of the program: what its user saw, and what passed on the wire."""

    group: str
    saw: dict[str, Any]
    traffic: Traffic


@pytest.fixture(scope="module", params=["sync", "async"])
def run(request: pytest.FixtureRequest, official_python: Path) -> Run:
    tap = FrameTap()
    with EmulatorThread(script=SCRIPT, on_frame=tap) as emulator:
        saw = programs.run_python(official_python, request.param, emulator.api_host)
    return Run(request.param, saw, tap.traffic())


def test_every_frame_decodes_strictly_and_encodes_back(run: Run) -> None:
    run.traffic.check()
    assert run.saw["warnings"] == []


def test_which_connections_it_opens(run: Run) -> None:
    # Two more clients follow in the synchronous program.
    expected = {
        "sync": ["llm", "system", "llm", "llm"],
        "async": ["embedding", "files", "llm", "repository", "system"],
    }
    assert run.traffic.namespaces() == expected[run.group]


def test_it_streams_in_a_context(run: Run) -> None:
    assert run.saw["stream in a context"] == {"text": TEXT, "stop_reason": "eosFound"}


def test_it_lists_models(run: Run) -> None:
    assert run.saw["loaded"] == [MODEL]
    assert {MODEL, "emulator/fails-to-load", "emulator/embed-small"} <= set(run.saw["downloaded"])


def test_what_only_one_of_the_clients_has(run: Run) -> None:
    if run.group == "async":
        assert run.saw["at the same time"] == [TEXT] * 8
    else:
        assert run.saw["valid host"] is True
        assert run.saw["result"]["text"] == run.saw["result"]["result"]["content"] == TEXT
        assert run.saw["without a context"] == TEXT
        assert run.saw["module functions"] == [MODEL, TEXT]
        assert run.saw["module list"] == [MODEL]


def _check_story(saw: dict[str, Any]) -> None:
    story = saw["story"]
    assert "".join(story["fragments"]) == story["result"]["content"]
    assert len(story["fragments"]) > 1
    assert story["result"]["stop_reason"] in ("maxPredictedTokensReached", "eosFound")
    assert 1 <= story["result"]["predicted_tokens"] <= 20
    assert saw["warnings"] == []


def test_it_streams_what_a_language_model_makes(official_python: Path) -> None:
    tap = FrameTap()
    with EmulatorThread(on_frame=tap) as emulator:
        _check_story(programs.run_python(official_python, "story", emulator.api_host))
    tap.traffic().check()


def test_it_finds_the_emulator_on_lm_studios_port(official_python: Path) -> None:
    emulator = EmulatorThread(port=41343)
    try:
        emulator.start()
    except OSError:
        pytest.skip("something else listens on LM Studio's first local port, 41343")
    try:
        _check_story(programs.run_python(official_python, "story"))
    finally:
        emulator.close()


def test_it_notices_that_it_is_refused(official_python: Path) -> None:
    tap = FrameTap()
    with EmulatorThread(on_frame=tap, api_tokens=["sk-lm-AbCd1234:0123456789abcdefghij"]) as emulator:
        saw = programs.run_python(official_python, "refused", emulator.api_host)
        # A slip of this SDK; ours has a class for it.
        with pytest.raises(lmwire.AuthenticationError), lmwire.Client(emulator.api_host) as client:
            client.llm.model()
    assert saw["refused"]["error"] == "ValueError"
    traffic = tap.traffic()
    traffic.check()
    assert [frame.data.get("success") for frame in traffic.connections[0].frames] == [None, False]
