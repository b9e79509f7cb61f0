"""Completions from a server that has no ``completeRawText``: found out once, then asked the older way."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from lmwire import RefusedRequestError, llm
from tests.surface.conftest import Scripted

Make = Callable[..., Scripted]

HELLO = {"reply": {"fragments": [" Anna", ".", " Hello"], "progress": [0.25, 0.75, 0.5]}}


def test_many_first_completions_at_once(scripted: Make, caplog: pytest.LogCaptureFixture) -> None:
    """More of them than the warnings that the server has, so that most are never answered themselves."""
    one = scripted(HELLO, generation="2025")

    with ThreadPoolExecutor(20) as pool:
        texts = list(pool.map(lambda _: str(one.shell.call(one.model.complete, "My name is")), range(20)))

    assert texts == [" Anna. Hello"] * 20
    assert len(one.frames.received(type="channelCreate", endpoint="predict")) == 20
    assert "the server warns" not in caplog.text


def test_a_mute_connection_is_replaced_and_what_was_learnt_is_kept(scripted: Make) -> None:
    one = scripted(HELLO, generation="2025")
    wrong = llm.KvConfigStack(
        layers=[llm.KvConfigStackLayer(layer_name="mine", config=llm.KvConfig(fields=[]))]
    )
    specifier = llm.ModelSpecifierQuery(query=llm.ModelQuery(identifier=one.model.identifier))
    one.shell.call(one.model.complete, "My name is")
    for _ in range(4):
        with pytest.raises(RefusedRequestError):
            one.shell.call(
                one.client.llm.rpc.apply_prompt_template,
                specifier=specifier,
                history=llm.ChatHistoryData(messages=[]),
                prediction_config_stack=wrong,
                opts=llm.LlmApplyPromptTemplateOpts(),
            )

    assert str(one.shell.call(one.model.complete, "My name is")) == " Anna. Hello"

    assert len(one.frames.received(authVersion=1)) == 2
    assert len(one.frames.received(type="channelCreate", endpoint="completeRawText")) == 1


def test_fragments_of_a_server_of_july_2025_lack_a_field_and_none_is_lost(scripted: Make) -> None:
    one = scripted(HELLO, generation="2025-07")
    stream = one.stream("My name is")

    fragments = list(one.shell.iterate(stream))

    assert [fragment.content for fragment in fragments] == [" Anna", ".", " Hello"]
    assert str(stream.result()) == " Anna. Hello"
    with pytest.raises(AttributeError, match="isStructural"):
        _ = fragments[0].is_structural
