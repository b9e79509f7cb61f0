"""The engine ``ngram`` predicts text, stops for the right reason, and tells the truth about it."""

from __future__ import annotations

import math
from typing import Any

import attrs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lmwire_emulator.cancellation import Cancellation, CancelReason
from lmwire_emulator.engines.base import Fragment, GenerationEvent, GenerationRequest, PromptProgress
from lmwire_emulator.engines.ngram import NgramEngine
from lmwire_emulator.engines.ngram_model import NgramModel
from lmwire_emulator.sampling import SamplingParameters
from tests.emulator.clocks import JumpingClock
from tests.emulator.generations import Generation, generated

PROMPT = "My name is"


def request(prompt: str = PROMPT, **parameters: Any) -> GenerationRequest:
    """A request with seed 1 unless the parameters say otherwise."""
    return GenerationRequest(prompt=prompt, parameters=SamplingParameters(**{"seed": 1, **parameters}))


async def completed(prompt: str = PROMPT, **parameters: Any) -> Generation:
    return await generated(NgramEngine(), request(prompt, **parameters))


class TestText:
    @pytest.mark.parametrize("seed", range(8))
    async def test_is_plausible_english(self, seed: int) -> None:
        generation = await completed(seed=seed)
        words = generation.text.split()

        assert generation.text.startswith(" ")
        assert len(words) > 3
        assert generation.text.isascii()
        assert generation.statistics.stop_reason == "eosFound"

    async def test_comes_in_fragments(self) -> None:
        assert len((await completed()).fragments) > 3

    async def test_same_seed_same_text(self) -> None:
        assert (await completed(seed=5)).events[:-1] == (await completed(seed=5)).events[:-1]
        assert len({(await completed(seed=seed)).text for seed in range(20)}) > 5

    async def test_without_a_seed_texts_differ(self) -> None:
        assert len({(await completed("The", seed=None)).text for _ in range(10)}) > 1

    async def test_the_seed_of_the_load_is_used_where_there_is_no_other(self) -> None:
        engine = NgramEngine()

        async def text(load_seed: int, seed: int | None) -> str:
            asked = attrs.evolve(request("The", seed=seed), load_seed=load_seed)
            return (await generated(engine, asked)).text

        assert await text(3, None) == await text(3, None) == await text(99, 3)
        assert await text(4, 5) == await text(6, 5)

    async def test_greedy_text_needs_no_seed_and_ends(self) -> None:
        for prompt in (PROMPT, "The", "", "€"):
            first = await completed(prompt, temperature=0, seed=None, repeat_penalty=None)
            second = await completed(prompt, temperature=0, seed=None, repeat_penalty=None)

            assert first.text == second.text
            assert first.statistics.stop_reason == "eosFound"

    @pytest.mark.parametrize(
        "prompt", ["", " ", "\n\n", "\ud83d", "👩‍🔬", "def f(x):\n    return", "a" * 5000]
    )
    async def test_any_prompt_can_be_gone_on_from(self, prompt: str) -> None:
        generation = await completed(prompt, max_tokens=5)

        assert generation.text

    async def test_an_engine_serves_several_at_once(self) -> None:
        engine = NgramEngine()
        alone = [(await generated(engine, request(seed=seed))).text for seed in (1, 2)]
        first, second = (
            engine.generate(request(seed=1), Cancellation()),
            engine.generate(request(seed=2), Cancellation()),
        )
        texts = ["", ""]
        for _ in range(10_000):
            events = [await anext(first, None), await anext(second, None)]
            if events == [None, None]:
                break
            for number, event in enumerate(events):
                texts[number] += event.content if isinstance(event, Fragment) else ""

        assert texts == alone


class TestMaxTokens:
    @pytest.mark.parametrize("count", [1, 2, 7])
    async def test_are_predicted_and_no_more(self, count: int) -> None:
        generation = await completed(max_tokens=count)

        assert generation.statistics.stop_reason == "maxPredictedTokensReached"
        assert generation.statistics.predicted_tokens == count
        assert sum(fragment.tokens_count for fragment in generation.fragments) == count

    async def test_do_not_change_the_text_before_them(self) -> None:
        assert (await completed()).text.startswith((await completed(max_tokens=4)).text)

    async def test_text_held_back_for_a_stop_string_comes_out(self) -> None:
        whole = await completed()
        held = whole.fragments[2].content

        assert (await completed(max_tokens=3, stop_strings=(held + "\0",))).text == "".join(
            fragment.content for fragment in whole.fragments[:3]
        )


class TestStopStrings:
    @settings(max_examples=40, deadline=None)
    @given(data=st.data())
    async def test_end_the_text_wherever_they_are(self, data: st.DataObject) -> None:
        text = (await completed(seed=3)).text
        start = data.draw(st.integers(0, len(text) - 1))
        stop_string = text[start : start + data.draw(st.integers(1, 12))]
        generation = await completed(seed=3, stop_strings=("\0", stop_string))

        assert generation.text == text[: text.index(stop_string)]
        assert generation.statistics.stop_reason == "stopStringFound"
        assert generation.statistics.stop_string == stop_string
        assert all(fragment.content for fragment in generation.fragments)

    async def test_tokens_of_a_stop_string_are_counted_as_predicted(self) -> None:
        whole = await completed(seed=3)
        fourth = whole.fragments[3].content
        generation = await completed(seed=3, stop_strings=(fourth,))

        assert generation.statistics.predicted_tokens == 4
        assert sum(fragment.tokens_count for fragment in generation.fragments) == 3

    async def test_a_stop_string_that_never_comes_changes_nothing(self) -> None:
        generation = await completed(seed=3, stop_strings=("\0",))

        assert generation.text == (await completed(seed=3)).text
        assert generation.statistics.stop_string is None


class TestContext:
    def limited(self, length: int, policy: str) -> GenerationRequest:
        return attrs.evolve(request(context_overflow_policy=policy), context_length=length)

    async def test_stop_at_limit_stops_there(self) -> None:
        generation = await generated(NgramEngine(), self.limited(7, "stopAtLimit"))

        assert generation.statistics.stop_reason == "contextLengthReached"
        assert generation.statistics.total_tokens == 7
        assert generation.statistics.prompt_tokens == 3

    async def test_a_prompt_that_fills_the_context_leaves_no_room(self) -> None:
        generation = await generated(NgramEngine(), self.limited(2, "stopAtLimit"))

        assert generation.statistics.stop_reason == "contextLengthReached"
        assert generation.text == ""
        assert generation.statistics.time_to_first_token is None

    @pytest.mark.parametrize("policy", ["truncateMiddle", "rollingWindow"])
    async def test_other_policies_go_on(self, policy: str) -> None:
        generation = await generated(NgramEngine(), self.limited(4, policy))

        assert generation.statistics.stop_reason == "eosFound"
        assert generation.statistics.total_tokens > 4


class TestCancelling:
    @pytest.mark.parametrize("reason", ["userStopped", "modelUnloaded"])
    async def test_stops_soon_and_tells_why(self, reason: CancelReason) -> None:
        cancellation = Cancellation()

        def cancel_at_third(event: GenerationEvent) -> None:
            if isinstance(event, Fragment):
                seen.append(event)
                if len(seen) == 3:
                    cancellation.cancel(reason)

        seen: list[Fragment] = []
        generation = await generated(
            NgramEngine(), request(), cancellation=cancellation, on_event=cancel_at_third
        )

        assert len(generation.fragments) == 3
        assert generation.statistics.stop_reason == reason
        assert generation.statistics.predicted_tokens == 3

    async def test_before_the_beginning(self) -> None:
        cancellation = Cancellation()
        cancellation.cancel()
        generation = await generated(NgramEngine(), request(), cancellation=cancellation)

        assert generation.fragments == []
        assert generation.statistics.stop_reason == "userStopped"

    async def test_while_the_prompt_is_processed(self) -> None:
        cancellation = Cancellation()

        def cancel_at_once(event: GenerationEvent) -> None:
            if isinstance(event, PromptProgress):
                cancellation.cancel()

        generation = await generated(
            NgramEngine(), request("word " * 5000), cancellation=cancellation, on_event=cancel_at_once
        )

        assert generation.progress[-1].progress < 1
        assert generation.statistics.stop_reason == "userStopped"

    async def test_text_held_back_comes_out(self) -> None:
        whole = await completed()
        cancellation = Cancellation()

        def cancel_at_second(event: GenerationEvent) -> None:
            if isinstance(event, Fragment):
                cancellation.cancel()

        waiting = (whole.fragments[0].content[-1:] + "\0",)
        generation = await generated(
            NgramEngine(), request(stop_strings=waiting), cancellation=cancellation, on_event=cancel_at_second
        )

        assert whole.text.startswith(generation.text)


class TestProgress:
    @pytest.mark.parametrize("words", [0, 1, 600, 3000])
    async def test_goes_from_nothing_to_all(self, words: int) -> None:
        engine = NgramEngine()
        asked = attrs.evolve(request(" word" * words, max_tokens=1), context_length=10_000)
        generation = await generated(engine, asked)
        total = len(engine.tokenize(asked.prompt))

        assert [event.total for event in generation.progress] == [total] * len(generation.progress)
        assert generation.progress[-1].progress == 1
        assert generation.progress[-1].unprocessed == 0
        assert [event.processed for event in generation.progress] == sorted(
            event.processed for event in generation.progress
        )
        if words:
            assert generation.progress[0].progress == 0

    async def test_comes_before_all_text(self) -> None:
        kinds = [type(event) for event in (await completed()).events]

        assert kinds == sorted(kinds, key=lambda kind: kind is not PromptProgress)


class TestStatistics:
    async def test_tokens(self) -> None:
        generation = await completed()
        engine = NgramEngine()

        assert generation.statistics.prompt_tokens == len(engine.tokenize(PROMPT))
        assert generation.statistics.predicted_tokens == len(engine.tokenize(generation.text))
        assert generation.statistics.total_tokens == 3 + generation.statistics.predicted_tokens

    async def test_times(self) -> None:
        clock = JumpingClock()
        generation = await generated(NgramEngine(clock=clock, seconds_per_token=0.25), request(max_tokens=4))
        statistics = generation.statistics

        assert clock.slept == [0.25] * 4
        assert statistics.time_to_first_token == 0
        assert statistics.total_time == 1.0
        assert statistics.tokens_per_second == 4.0

    async def test_there_is_no_speed_of_an_instant(self) -> None:
        generation = await generated(NgramEngine(clock=JumpingClock()), request())

        assert generation.statistics.tokens_per_second is None


class TestLogProbabilities:
    async def test_are_left_out_unless_asked_for(self) -> None:
        assert all(fragment.tokens is None for fragment in (await completed()).fragments)

    async def test_of_each_token_with_candidates(self) -> None:
        engine = NgramEngine()
        generation = await generated(engine, request(log_probs=3, top_k=1))
        tokens = [token for fragment in generation.fragments for token in fragment.tokens or ()]

        assert "".join(token.text for token in tokens) == generation.text
        assert [token.id for token in tokens] == engine.tokenize(generation.text)
        for token in tokens:
            assert token.log_prob is not None
            assert token.log_prob <= 0
            assert token.candidates is not None
            assert 1 <= len(token.candidates) <= 3
            logs = [candidate.log_prob for candidate in token.candidates]
            assert logs == sorted(logs, reverse=True)
            assert math.fsum(map(math.exp, logs)) <= 1.0000001
            assert token.log_prob <= logs[0]

    async def test_without_candidates(self) -> None:
        tokens = [
            token for fragment in (await completed(log_probs=0)).fragments for token in fragment.tokens or ()
        ]

        assert tokens
        assert all(token.candidates == () for token in tokens)

    async def test_sampling_does_not_bend_them(self) -> None:
        cold = await completed(log_probs=1, top_k=1)
        hot = await completed(log_probs=1, top_k=1, temperature=2.0, min_p=None, top_p=None)

        assert cold.fragments[0].tokens == hot.fragments[0].tokens


async def test_the_model_is_made_when_it_is_needed() -> None:
    made: list[NgramModel] = []

    def make() -> NgramModel:
        made.append(NgramModel(["tick tock"]))
        return made[-1]

    engine = NgramEngine(model=make)
    assert made == []
    await engine.prepare()
    assert len(made) == 1
