"""What a server does not say is None, as in the official SDK; reading it never fails."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

import lmstudio
import lmwire
from lmstudio._records import with_none
from lmwire_emulator import EmulatorThread


@pytest.fixture
def client() -> Iterator[lmstudio.Client]:
    with EmulatorThread() as emulator, lmstudio.Client(emulator.api_host) as client:
        yield client


def drafted(stats: lmstudio.LlmPredictionStats | None) -> int:
    """What programs do with the statistics of a draft model; type checkers see that it may be done."""
    if stats is None or stats.used_draft_model_key is None or stats.total_draft_tokens_count is None:
        return 0
    return len(stats.used_draft_model_key) + stats.total_draft_tokens_count


def test_statistics_without_a_draft_model(client: lmstudio.Client) -> None:
    stream = client.llm.model().complete_stream("My name is")
    result = stream.wait_for_result()

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
    received: Any = lmwire.llm.LlmInstanceInfo.from_wire({"modelKey": "a/b", "identifier": "a/b"})
    with pytest.raises(AttributeError, match="was not sent by the server"):
        _ = received.instance_reference

    info: Any = with_none(received, lmstudio.LlmInstanceInfo)
    assert info.instance_reference is None
    assert info.identifier == "a/b"


def test_records_are_dicts_and_back(client: lmstudio.Client) -> None:
    result = client.llm.model().complete("My name is")
    records: list[Any] = [
        result.stats,
        result.model_info,
        *client.embedding.list_downloaded(),
        *client.repository.search_models("ngram"),
    ]
    for record in [getattr(each, "info", getattr(each, "search_result", each)) for each in records]:
        written = record.to_dict()
        assert None not in written.values()
        assert type(record).from_dict(written) == record
        assert str(record).startswith(f"{type(record).__name__}.from_dict({{")
        assert json.loads(str(record).partition("(")[2][:-1]) == written


def test_records_of_dicts_in_snake_case() -> None:
    stats = lmstudio.LlmPredictionStats.from_dict({"stop_reason": "eosFound", "totalTimeSec": None})

    assert stats.to_dict() == {"stopReason": "eosFound"}
    assert stats.total_time_sec is stats.tokens_per_second is None
    with pytest.raises(lmstudio.ValidationError, match="LlmPredictionStats does not take this"):
        lmstudio.LlmPredictionStats.from_dict({"stopReason": 5})


def test_messages_inside_that_a_server_leaves_out() -> None:
    info = lmstudio.LlmInfo.from_dict(
        {"type": "llm", "modelKey": "a/b", "quantization": {"name": "Q4", "bits": 4}}
    )
    assert info.quantization is not None
    assert info.quantization.bits == 4

    without = lmstudio.LlmInfo.from_dict({"type": "llm", "modelKey": "a/b"})
    assert without.quantization is None
    assert without.to_dict() == {"type": "llm", "modelKey": "a/b"}


def test_what_is_handed_out_is_of_the_named_classes(client: lmstudio.Client) -> None:
    result = client.llm.model().complete("My name is")
    instances = [result.model_info, client.llm.model().get_info()]

    assert all(isinstance(info, lmstudio.LlmInstanceInfo) for info in instances)
    assert all(isinstance(info, lmwire.llm.LlmInstanceInfo) for info in instances)
    assert isinstance(result.stats, lmstudio.LlmPredictionStats)
    assert {type(model.info) for model in client.list_downloaded_models()} == {
        lmstudio.LlmInfo,
        lmstudio.EmbeddingModelInfo,
    }


def test_a_result_that_lacks_whole_messages(client: lmstudio.Client) -> None:
    result: Any = client.llm.model().complete("My name is")
    del result.packet.model_info

    assert result.model_info is None
    assert result.stats.stop_reason


def test_the_package_shows_what_it_has() -> None:
    assert sorted(lmstudio.__all__) == dir(lmstudio)
    assert lmstudio.__version__[0].isdigit()
