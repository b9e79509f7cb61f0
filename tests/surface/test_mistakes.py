"""Mistakes of callers that get a sentence instead of a traceback from the inside, over both shells."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from lmwire import CancelledError, StateError, UsageError
from tests.surface.conftest import KEY, Scripted
from tests.surface.shells import Shell

Make = Callable[..., Scripted]

HELLO = {"reply": {"fragments": [" Anna", ".", " Hello"]}}


async def nobody_awaits_this(*_: Any) -> None:
    """A callback that would never run."""


@pytest.mark.parametrize(
    "name", ["on_prediction_fragment", "on_first_token", "on_message", "on_prompt_processing_progress"]
)
def test_coroutine_functions_as_callbacks(scripted: Make, name: str) -> None:
    one = scripted(HELLO)
    with pytest.raises(UsageError, match=f"{name} must be a plain function"):
        one.shell.call(one.model.complete, "x", **{name: nobody_awaits_this})
    assert one.frames.received(type="channelCreate") == []


def test_a_coroutine_function_for_the_progress_of_a_load(scripted: Make) -> None:
    one = scripted(HELLO)
    with pytest.raises(UsageError, match="on_load_progress must be a plain function"):
        one.shell.call(one.client.llm.model, KEY, on_load_progress=nobody_awaits_this)


@pytest.mark.parametrize("text", [5, None, b"abc", [1]])
def test_what_is_no_text_is_not_tokenized(scripted: Make, text: Any) -> None:
    one = scripted(HELLO)
    with pytest.raises(UsageError, match="input must be text"):
        one.shell.call(one.model.tokenize, text)


@pytest.mark.parametrize("options", [{"config": {"contxtLength": 5}}, {"ttl": "x"}])
def test_options_of_a_load_are_judged_though_nothing_is_loaded(scripted: Make, options: Any) -> None:
    one = scripted(HELLO)
    with pytest.raises(UsageError):
        one.shell.call(one.client.llm.model, **options)


@pytest.mark.parametrize("schema", ["nope", None])
def test_a_class_whose_schema_is_none(scripted: Make, schema: Any) -> None:
    class Odd:
        @classmethod
        def model_json_schema(cls) -> Any:
            return schema

    one = scripted(HELLO)
    with pytest.raises(UsageError, match=r"Odd.model_json_schema\(\) must return a JSON Schema"):
        one.shell.call(one.model.complete, "x", response_format=Odd)


def test_a_context_that_is_none(shell: Shell) -> None:
    with pytest.raises(UsageError, match="ssl_context must be"):
        shell.client("wss://127.0.0.1:9", ssl_context=5)


def test_a_stream_that_was_cancelled_before_it_was_started_says_so(scripted: Make) -> None:
    one = scripted(HELLO)
    stream = one.stream("x")
    one.shell.call(stream.cancel)
    with pytest.raises(
        StateError, match=r"without a result.*cancelled before it was started; nothing was sent"
    ):
        list(one.shell.iterate(stream))
    with pytest.raises(CancelledError, match="nothing was sent"):
        stream.result()
    assert one.frames.received(type="channelCreate") == []


def test_the_repr_of_a_result_fits_into_a_line(scripted: Make) -> None:
    one = scripted(HELLO)
    assert repr(one.shell.call(one.model.complete, "x")) == "PredictionResult(content=' Anna. Hello')"
