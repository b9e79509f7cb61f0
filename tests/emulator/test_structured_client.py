"""What clients get of the n-gram models: structured output, its refusals, reasoning. Over the wire, both endpoints."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Literal

import pydantic
import pytest

from lmwire import ChannelError, Client
from lmwire.llm import LLM
from lmwire_emulator import EmulatorThread
from lmwire_emulator.presets import Preset
from tests.emulator.structures import read

REASONING = "emulator/ngram-reasoning"
HASTY = Preset(
    identifier="test/hasty",
    name="Hasty",
    fields=({"key": "llm.prediction.reasoning.budgetTokens", "value": {"checked": True, "value": 2}},),
)


class Book(pydantic.BaseModel):
    title: str = pydantic.Field(min_length=1)
    year: int = pydantic.Field(ge=1450, le=2026)
    kind: Literal["novel", "poetry"]
    sequel: Book | None = None


@pytest.fixture(scope="module", params=["2026", "2025"])
def client(request: pytest.FixtureRequest) -> Iterator[Client]:
    """A client of an emulator that has ``completeRawText``, and of one that has not."""
    options: dict[str, Any] = {"generation": request.param, "presets": (HASTY,)}
    with EmulatorThread(**options) as emulator, Client(emulator.api_host) as client:
        yield client


@pytest.fixture
def model(client: Client) -> LLM:
    return client.llm.model("emulator/ngram-small", config={"seed": 5})


@pytest.fixture
def thinker(client: Client) -> LLM:
    return client.llm.model(REASONING, config={"seed": 5, "reasoningBudgetMessage": " Time is up."})


class TestStructured:
    def test_a_class_gets_its_objects(self, model: LLM) -> None:
        fragments = list(stream := model.complete_stream("A book:", response_format=Book))
        result = stream.result()

        assert len(fragments) > 5
        assert result.structured
        assert result.parsed == read(result.content)
        assert isinstance(result.parse_as(Book), Book)
        assert result.stats.stop_reason == "eosFound"
        assert result.stats.predicted_tokens_count == sum(one.tokens_count for one in fragments)

    def test_text_that_is_cut_is_no_structure_and_says_why(self, model: LLM) -> None:
        result = model.complete("A book:", response_format=Book, config={"maxTokens": 3})

        assert not result.structured
        assert result.parsed == result.content
        assert result.stats.stop_reason == "maxPredictedTokensReached"

    def test_json_without_schema_is_an_object(self, model: LLM) -> None:
        assert model.complete("x", response_format={"type": "json"}).structured

    def test_an_unsupported_keyword_is_named_with_its_place(self, model: LLM) -> None:
        schema = {"type": "object", "properties": {"a": {"type": "string", "pattern": "^a"}}}
        with pytest.raises(
            ChannelError, match=r"ngram does not support .*pattern.*#/properties/a/pattern"
        ) as caught:
            model.complete("x", response_format=schema)

        assert caught.value.code == "generic.engineDoesNotSupportFeature"

    def test_a_grammar_is_refused(self, model: LLM) -> None:
        with pytest.raises(ChannelError, match="GBNF") as caught:
            model.complete("x", response_format={"type": "gbnf", "gbnfGrammar": "root ::= 'a'"})

        assert caught.value.code == "generic.engineDoesNotSupportFeature"

    def test_a_wrong_schema_is_refused_with_its_place(self, model: LLM) -> None:
        schema = {"type": "object", "properties": {"a": {"minimum": 2, "maximum": 1}}, "required": ["a"]}
        with pytest.raises(ChannelError, match="#/properties/a"):
            model.complete("x", response_format=schema)

        assert str(model.complete("My name is", config={"maxTokens": 1}))  # and the next request is served


class TestReasoning:
    def test_fragments_say_what_they_are(self, thinker: LLM) -> None:
        stream = thinker.complete_stream("My name is")
        fragments = list(stream)
        result = stream.result()

        def text(*types: str) -> str:
            return "".join(one.content for one in fragments if one.reasoning_type in types)

        assert {one.reasoning_type for one in fragments} == {
            "reasoningStartTag",
            "reasoning",
            "reasoningEndTag",
            "none",
        }
        assert {one.content for one in fragments if one.is_structural} == {"<think>", "</think>"}
        assert text("reasoning").strip()
        assert text("none").strip()
        # The content is everything, reasoning and tags included.
        assert result.content == str(result) == "".join(one.content for one in fragments)
        assert result.content == f"<think>{text('reasoning')}</think>{text('none')}"
        assert result.stats.predicted_tokens_count == sum(one.tokens_count for one in fragments)

    def test_parsing_off_makes_it_a_part_of_the_answer(self, thinker: LLM) -> None:
        parsing: Any = {"enabled": False, "startString": "<think>", "endString": "</think>"}
        fragments = list(thinker.complete_stream("My name is", config={"reasoningParsing": parsing}))

        assert {one.reasoning_type for one in fragments} == {"none"}
        assert "".join(one.content for one in fragments).startswith("<think>")

    @pytest.mark.parametrize("client", ["2026"], indirect=True)  # newer than servers of 2025
    def test_thinking_can_be_switched_off(self, thinker: LLM) -> None:
        result = thinker.complete("My name is", config={"enableThinking": False})

        assert "<think>" not in result.content

    @pytest.mark.parametrize("client", ["2026"], indirect=True)  # newer than servers of 2025
    def test_a_budget_is_kept_and_its_message_put_in(self, thinker: LLM) -> None:
        fragments = list(thinker.complete_stream("My name is", preset="hasty"))
        reasoning = "".join(one.content for one in fragments if one.reasoning_type == "reasoning")

        assert reasoning == "\nI Time is up."

    def test_structured_output_behind_it_is_not_parsed(self, thinker: LLM) -> None:
        stream = thinker.complete_stream("A book:", response_format=Book)
        answer = "".join(one.content for one in stream if one.reasoning_type == "none")
        result = stream.result()

        Book.model_validate_json(answer)
        assert not result.structured
        assert result.parsed == result.content
