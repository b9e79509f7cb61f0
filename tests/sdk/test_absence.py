"""What a server does not say is None, as in the official SDK; reading it never fails."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

import lmstudio
from lmstudio._absence import with_none
from lmwire_emulator import EmulatorThread


@pytest.fixture
def client() -> Iterator[lmstudio.Client]:
    with EmulatorThread() as emulator, lmstudio.Client(emulator.api_host) as client:
        yield client


def drafted(stats: Any) -> int:
    """What programs do with the statistics of a draft model."""
    if stats.used_draft_model_key is not None:
        return 1 + int(stats.total_draft_tokens_count)
    return 0


def test_statistics_without_a_draft_model(client: lmstudio.Client) -> None:
    stream = client.llm.model().complete_stream("My name is")
    result: Any = stream.wait_for_result()

    assert drafted(result.stats) == drafted(stream.stats) == 0
    assert result.stats.total_draft_tokens_count is None
    assert result.stats.stop_reason
    assert result.model_info.identifier == client.llm.model().identifier


def test_no_message_has_unset(client: lmstudio.Client) -> None:
    model = client.llm.model()
    stream = model.complete_stream("My name is")
    result = stream.wait_for_result()
    messages = [
        result.stats,
        stream.stats,
        result.model_info,
        stream.model_info,
        model.get_info(),
        client.llm.get_model_info(model.identifier),
        *(downloaded.info for downloaded in client.list_downloaded_models()),
    ]
    for message in messages:
        assert message is not None
        values = [getattr(message, name) for name in message.wire_names]
        assert all(repr(value) != "UNSET" for value in values), message


async def test_asyncio_too() -> None:
    with EmulatorThread() as emulator:
        async with lmstudio.AsyncClient(emulator.api_host) as client:
            model = await client.llm.model()
            stream = model.complete_stream("My name is")
            result = await stream.wait_for_result()
            info = await model.get_info()
            downloaded = await client.list_downloaded_models()

    assert drafted(result.stats) == drafted(stream.stats) == 0
    for message in (info, *(one.info for one in downloaded)):
        assert all(repr(getattr(message, name)) != "UNSET" for name in message.wire_names)


def test_required_fields_of_an_older_server_are_none() -> None:
    received: Any = lmstudio.LlmInstanceInfo.from_wire({"modelKey": "a/b", "identifier": "a/b"})
    with pytest.raises(AttributeError, match="was not sent by the server"):
        _ = received.instance_reference

    assert with_none(received).instance_reference is None
    assert with_none(received).identifier == "a/b"


def test_a_result_that_lacks_whole_messages(client: lmstudio.Client) -> None:
    result: Any = client.llm.model().complete("My name is")
    del result.packet.model_info

    assert result.model_info is None
    assert result.stats.stop_reason


def test_the_package_shows_what_it_has() -> None:
    assert sorted(lmstudio.__all__) == dir(lmstudio)
    assert lmstudio.__version__[0].isdigit()
