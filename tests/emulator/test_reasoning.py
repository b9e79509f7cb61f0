"""Reasoning is written by models that reason, told apart by the tags of the config, and bounded by a budget."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lmwire_emulator.engines.base import Fragment, GenerationRequest
from lmwire_emulator.engines.ngram import NgramEngine
from lmwire_emulator.engines.reasoning import ReasoningParser, Section
from lmwire_emulator.engines.tokenizer import END_OF_TEXT
from lmwire_emulator.kv_config import ConfigLayer
from lmwire_emulator.sampling import (
    LoadParameters,
    ReasoningTags,
    SamplingParameters,
    read_load_config,
    read_prediction_config,
)
from tests.emulator.generations import Generation, generated
from tests.emulator.structures import read

TAGS = ReasoningTags("<think>", "</think>")
START, END = "<think>", "</think>"


async def reasoned(*, message: str = "", reasons: bool = True, **parameters: Any) -> Generation:
    request = GenerationRequest(
        prompt="My name is",
        parameters=SamplingParameters(**{"seed": 1, **parameters}),
        reasoning_budget_message=message,
    )
    return await generated(NgramEngine(reasons=reasons), request)


def text_of(generation: Generation, *types: str) -> str:
    return "".join(one.content for one in generation.fragments if one.reasoning_type in types)


class TestText:
    async def test_begins_with_a_section_between_tags(self) -> None:
        generation = await reasoned()
        types = [one.reasoning_type for one in generation.fragments]

        assert types[0] == "reasoningStartTag"
        assert types[1] == "reasoning"
        assert types[-1] == "none"
        assert [kind for kind, before in zip(types, [None, *types], strict=False) if kind != before] == [
            "reasoningStartTag",
            "reasoning",
            "reasoningEndTag",
            "none",
        ]
        assert generation.text.startswith(START)
        assert generation.statistics.stop_reason == "eosFound"

    async def test_tags_are_fragments_of_their_own_and_structural(self) -> None:
        tags = [one for one in (await reasoned()).fragments if one.is_structural]

        assert [(one.content, one.reasoning_type) for one in tags] == [
            (START, "reasoningStartTag"),
            (END, "reasoningEndTag"),
        ]

    async def test_the_answer_goes_on_from_the_prompt(self) -> None:
        without = await reasoned(reasons=False, temperature=0, repeat_penalty=None)
        generation = await reasoned(temperature=0, repeat_penalty=None)

        assert text_of(generation, "none") == "\n\n" + without.text

    async def test_all_tokens_are_counted_tags_included(self) -> None:
        generation = await reasoned(log_probs=0)
        tokens = [token for one in generation.fragments for token in one.tokens or ()]

        assert generation.statistics.predicted_tokens == len(tokens)
        assert len(tokens) == sum(one.tokens_count for one in generation.fragments)
        assert "".join(token.text for token in tokens) == generation.text
        assert END_OF_TEXT not in {token.id for token in tokens}

    async def test_same_seed_same_text(self) -> None:
        assert (await reasoned(seed=3)).text == (await reasoned(seed=3)).text
        assert len({text_of(await reasoned(seed=seed), "reasoning") for seed in range(8)}) > 3

    async def test_other_models_do_not_reason(self) -> None:
        assert {one.reasoning_type for one in (await reasoned(reasons=False)).fragments} == {"none"}

    async def test_structured_output_comes_behind_it(self) -> None:
        schema = {"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"]}
        generation = await reasoned(structured={"type": "json", "jsonSchema": schema})

        assert text_of(generation, "reasoning").strip()
        assert isinstance(read(text_of(generation, "none"))["a"], int)

    async def test_a_limit_may_cut_it(self) -> None:
        generation = await reasoned(max_tokens=10)

        assert generation.statistics.stop_reason == "maxPredictedTokensReached"
        assert text_of(generation, "none") == ""
        assert generation.fragments[-1].reasoning_type == "reasoning"

    async def test_a_stop_string_may_cut_it(self) -> None:
        generation = await reasoned(stop_strings=(END,))

        assert generation.statistics.stop_reason == "stopStringFound"
        assert "reasoningEndTag" not in {one.reasoning_type for one in generation.fragments}


class TestOptions:
    async def test_thinking_can_be_switched_off(self) -> None:
        assert (await reasoned(reasoning=False)).text == (await reasoned(reasons=False)).text

    @pytest.mark.parametrize(
        "tags", [None, ReasoningTags("[[", "]]"), ReasoningTags("<thinking>", "</thinking>")]
    )
    async def test_a_section_that_is_not_looked_for_is_a_part_of_the_answer(
        self, tags: ReasoningTags | None
    ) -> None:
        generation = await reasoned(reasoning_tags=tags)

        assert generation.text == (await reasoned()).text
        assert {(one.reasoning_type, one.is_structural) for one in generation.fragments} == {("none", False)}

    async def test_other_tags_find_what_is_between_them(self) -> None:
        generation = await reasoned(reasons=False, reasoning_tags=ReasoningTags(" ", "."))

        assert generation.fragments[0] == Fragment(
            content=" ", tokens_count=0, reasoning_type="reasoningStartTag", is_structural=True
        )
        assert "reasoning" in {one.reasoning_type for one in generation.fragments}

    @pytest.mark.parametrize("budget", [0, 1, 5])
    async def test_a_budget_ends_it(self, budget: int) -> None:
        whole, generation = await reasoned(), await reasoned(reasoning_budget=budget)
        spent = [one for one in generation.fragments if one.reasoning_type == "reasoning"]

        assert sum(one.tokens_count for one in spent) == budget
        assert text_of(whole, "reasoning").startswith(text_of(generation, "reasoning"))
        assert text_of(generation, "reasoningEndTag") == END
        assert len(text_of(generation, "none")) > 2

    async def test_a_budget_that_suffices_changes_nothing(self) -> None:
        generation = await reasoned(reasoning_budget=10_000, message=" Enough.")

        assert generation.text == (await reasoned()).text

    async def test_a_message_says_that_the_budget_is_used_up(self) -> None:
        generation = await reasoned(reasoning_budget=4, message=" Enough of this.")

        assert text_of(generation, "reasoning").endswith(" Enough of this.")

    def test_are_read_from_configs(self) -> None:
        def parameters(**fields: Any) -> SamplingParameters:
            prefixed = [
                {"key": f"llm.prediction.reasoning.{key}", "value": value} for key, value in fields.items()
            ]
            return SamplingParameters.from_config(
                read_prediction_config([ConfigLayer("apiOverride", prefixed)])
            )

        def parsing(enabled: bool, start: str, end: str) -> dict[str, Any]:
            return {"enabled": enabled, "startString": start, "endString": end}

        assert parameters().reasoning
        assert parameters().reasoning_tags == TAGS
        assert parameters().reasoning_budget is None
        assert not parameters(enableThinking=False).reasoning
        assert parameters(budgetTokens={"checked": True, "value": 7}).reasoning_budget == 7
        assert parameters(budgetTokens={"checked": False, "value": 7}).reasoning_budget is None
        assert parameters(parsing=parsing(True, "[", "]")).reasoning_tags == ReasoningTags("[", "]")
        for off in (parsing(False, "[", "]"), parsing(True, "", "]"), parsing(True, "[", "")):
            assert parameters(parsing=off).reasoning_tags is None

    def test_the_message_is_read_from_the_load_config(self) -> None:
        key = "llm.load.llama.reasoningBudgetMessage"
        layers = [ConfigLayer("apiOverride", [{"key": key, "value": "Now."}])]
        sizes = {"default_context_length": 10, "max_context_length": 10}
        llm = LoadParameters.from_config(read_load_config(layers, domain="llm", **sizes))
        embedding = LoadParameters.from_config(read_load_config([], domain="embedding", **sizes))

        assert llm.reasoning_budget_message == "Now."
        assert embedding.reasoning_budget_message == ""


class TestParser:
    @given(
        st.lists(st.sampled_from(["<think>", "</think>", "<", "a", "</", "think>"]), max_size=8).map("".join),
        st.lists(st.integers(1, 5), min_size=1, max_size=30),
    )
    def test_sections_do_not_depend_on_the_pieces(self, text: str, lengths: list[int]) -> None:
        def sections(pieces: list[str]) -> list[Section]:
            parser = ReasoningParser(TAGS)
            found = [one for piece in pieces for one in parser.feed(piece)] + parser.flush()
            joined: list[Section] = []
            for one in found:
                if joined and joined[-1].reasoning_type == one.reasoning_type and not one.is_tag:
                    joined[-1] = Section(joined[-1].text + one.text, one.reasoning_type)
                else:
                    joined.append(one)
            return joined

        pieces, rest = [], text
        for length in lengths * len(text):
            pieces.append(rest[:length])
            rest = rest[length:]
        found = sections([*pieces, rest])

        assert found == sections([text])
        assert "".join(one.text for one in found) == text
        for one in found:
            if one.reasoning_type == "reasoning":
                assert END not in one.text
            elif one.reasoning_type == "none":
                assert START not in one.text

    def test_what_may_begin_a_tag_waits(self) -> None:
        parser = ReasoningParser(TAGS)

        assert parser.feed("a <thi") == [Section("a ", "none")]
        assert parser.feed("s") == [Section("<this", "none")]
        assert parser.feed("<think>b") == [Section(START, "reasoningStartTag"), Section("b", "reasoning")]
        assert parser.feed("</thin") == []
        assert parser.flush() == [Section("</thin", "reasoning")]
