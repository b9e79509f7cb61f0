"""The default client: who may choose its server, until when, and what happens where none is."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

import lmstudio
from lmstudio import _default
from lmwire_emulator import EmulatorThread

TOKEN = "sk-lm-abcdefgh:ABCDEFGHIJKLMNOPQRST"


@pytest.fixture(autouse=True)
def _fresh(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Each test begins as a program does."""
    for variable in ("LMSTUDIO_API_HOST", "LM_API_HOST", "LMSTUDIO_API_TOKEN", "LM_API_TOKEN"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setattr(_default, "_default_client", None)
    monkeypatch.setattr(_default, "_arguments", (None, None))
    yield
    if _default._default_client is not None:
        _default._default_client.close()


def test_configured_and_used(emulator: EmulatorThread) -> None:
    lmstudio.configure_default_client(emulator.api_host)

    assert str(lmstudio.llm().complete("My name is", config={"maxTokens": 2}))
    assert lmstudio.get_default_client() is lmstudio.get_default_client()
    assert lmstudio.get_default_client().api_host == emulator.api_host
    assert [model.identifier for model in lmstudio.list_loaded_models()] == [lmstudio.llm().identifier]
    assert [model.identifier for model in lmstudio.list_loaded_models("llm")] == [lmstudio.llm().identifier]


def test_it_may_be_configured_again_until_it_is_used(emulator: EmulatorThread, unused_port: int) -> None:
    lmstudio.configure_default_client(f"127.0.0.1:{unused_port}")
    lmstudio.configure_default_client(emulator.api_host)
    lmstudio.llm()
    for change in (lmstudio.configure_default_client, lmstudio.get_default_client):
        with pytest.raises(lmstudio.LMStudioClientError, match="exists already"):
            change(emulator.api_host)


def test_the_first_use_may_name_the_server(emulator: EmulatorThread) -> None:
    client = lmstudio.get_default_client(emulator.api_host)

    assert client is lmstudio.get_default_client()
    assert lmstudio.llm().identifier


def test_no_server_is_no_client(emulator: EmulatorThread, unused_port: int) -> None:
    with pytest.raises(lmstudio.LMStudioClientError, match="connection refused"):
        lmstudio.get_default_client(f"127.0.0.1:{unused_port}")
    with pytest.raises(lmstudio.LMStudioClientError, match="connection refused"):
        lmstudio.llm()

    assert lmstudio.get_default_client(emulator.api_host).llm.model().identifier


def test_what_is_malformed_is_refused_when_it_is_configured() -> None:
    with pytest.raises(lmstudio.LMStudioValueError, match="no server address"):
        lmstudio.configure_default_client("ftp://host")
    with pytest.raises(lmstudio.LMStudioValueError, match="malformed"):
        lmstudio.configure_default_client(api_token="your-token-here")


def test_a_token_stays_when_the_host_is_named_later() -> None:
    with EmulatorThread(api_tokens=[TOKEN]) as emulator:
        lmstudio.configure_default_client(api_token=TOKEN)

        assert lmstudio.get_default_client(emulator.api_host).llm.model().identifier


def test_a_closed_one_is_replaced(emulator: EmulatorThread) -> None:
    lmstudio.configure_default_client(emulator.api_host)
    with lmstudio.get_default_client() as client:
        assert client.llm.model().identifier

    assert lmstudio.get_default_client() is not client
    assert lmstudio.llm().identifier


def test_once_closed_it_may_be_configured_again(emulator: EmulatorThread) -> None:
    lmstudio.configure_default_client(emulator.api_host)
    lmstudio.get_default_client().close()
    with EmulatorThread() as other:
        lmstudio.configure_default_client(other.api_host)
        assert lmstudio.get_default_client().api_host == other.api_host
        lmstudio.get_default_client().close()
    assert lmstudio.get_default_client(emulator.api_host).api_host == emulator.api_host


def test_threads_share_one(emulator: EmulatorThread) -> None:
    lmstudio.configure_default_client(emulator.api_host)
    clients: list[lmstudio.Client] = []
    threads = [
        threading.Thread(target=lambda: clients.append(lmstudio.get_default_client())) for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)

    assert len(clients) == 8
    assert len(set(map(id, clients))) == 1
