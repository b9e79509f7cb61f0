"""The one timeout of the official SDK's synchronous calls."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import pytest

import lmstudio
import lmwire
from lmwire_emulator import EmulatorThread, parse_script


@pytest.fixture(autouse=True)
def _restored() -> Iterator[None]:
    before = lmstudio.get_sync_api_timeout()
    yield
    lmstudio.set_sync_api_timeout(before)


@pytest.fixture
def hanging() -> Iterator[EmulatorThread]:
    script = parse_script({"rules": [{"reply": {"fragments": [" a"], "end": "hang"}}]})
    with EmulatorThread(script=script) as emulator:
        yield emulator


def test_what_holds_before_anybody_sets_it() -> None:
    assert lmstudio.get_sync_api_timeout() == 60
    assert lmstudio.Client("127.0.0.1:9").timeouts == lmwire.Timeouts()


def test_clients_made_before_and_after_follow_it(hanging: EmulatorThread) -> None:
    before = lmstudio.Client(hanging.api_host)
    model = before.llm.model()
    lmstudio.set_sync_api_timeout(0.2)
    with lmstudio.Client(hanging.api_host) as after:
        for handle in (model, after.llm.model()):
            with pytest.raises(lmstudio.LMStudioTimeoutError):
                handle.complete("x")
    before.close()

    assert lmstudio.get_sync_api_timeout() == 0.2


def test_a_call_s_own_timeout_goes_first(hanging: EmulatorThread) -> None:
    lmstudio.set_sync_api_timeout(1000)
    with lmstudio.Client(hanging.api_host) as client, pytest.raises(TimeoutError):
        client.llm.model().complete("x", timeout=0.2)


@pytest.mark.parametrize("seconds", [5, 2.5, 0, None, "7"])
def test_what_is_set_is_what_is_got(seconds: Any) -> None:
    client = lmstudio.Client("127.0.0.1:9")
    lmstudio.set_sync_api_timeout(seconds)
    expected = None if seconds is None else float(seconds)

    assert lmstudio.get_sync_api_timeout() == expected
    assert (client.timeouts.rpc, client.timeouts.channel) == (expected, expected)
    assert client.timeouts.connect == lmwire.Timeouts().connect


@pytest.mark.parametrize("seconds", [-1, True, False, math.inf, -math.inf, math.nan, "soon", [], object()])
def test_what_is_no_timeout_is_refused_and_changes_nothing(seconds: Any) -> None:
    lmstudio.set_sync_api_timeout(5)
    client = lmstudio.Client("127.0.0.1:9")
    with pytest.raises(lmstudio.LMStudioValueError, match="set_sync_api_timeout: timeout must be"):
        lmstudio.set_sync_api_timeout(seconds)

    assert lmstudio.get_sync_api_timeout() == 5
    assert client.timeouts.rpc == 5


def test_handing_the_first_one_back_restores_what_held() -> None:
    client = lmstudio.Client("127.0.0.1:9")
    first = lmstudio.get_sync_api_timeout()
    lmstudio.set_sync_api_timeout(5)
    lmstudio.set_sync_api_timeout(first)

    assert client.timeouts == lmwire.Timeouts()


def test_clients_with_timeouts_of_their_own_and_asyncio_do_not_follow() -> None:
    own = lmstudio.Client("127.0.0.1:9", timeouts=lmwire.Timeouts(rpc=9))
    asynchronous = lmstudio.AsyncClient("127.0.0.1:9")
    lmstudio.set_sync_api_timeout(5)

    assert own.timeouts.rpc == 9
    assert asynchronous.timeouts == lmwire.Timeouts()


def test_lmwire_s_clients_can_be_told_too(hanging: EmulatorThread) -> None:
    with lmwire.Client(hanging.api_host) as client:
        model = client.llm.model()
        client.timeouts = lmwire.Timeouts(channel=0.2)
        with pytest.raises(lmwire.RequestTimeoutError):
            model.complete("x")
        with pytest.raises(lmwire.UsageError, match="timeouts must be a Timeouts"):
            client.timeouts = 5  # type: ignore[assignment]
