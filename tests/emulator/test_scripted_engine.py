"""The engine ``scripted`` plays exactly what the script says, faults included."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from lmwire_emulator.cancellation import Cancellation
from lmwire_emulator.engines.base import (
    DropConnection,
    Finished,
    Fragment,
    GenerationEvent,
    GenerationRequest,
    PromptProgress,
    Statistics,
    Token,
)
from lmwire_emulator.engines.scripted import ScriptedEngine
from lmwire_emulator.errors import PredictionFailedError
from lmwire_emulator.sampling import SamplingParameters
from lmwire_emulator.script_reader import parse_script
from tests.emulator.clocks import JumpingClock, StandingClock
from tests.emulator.generations import Generation, generated


def engine(*rules: dict[str, Any], clock: JumpingClock | None = None) -> ScriptedEngine:
    return ScriptedEngine(parse_script({"rules": list(rules)}), clock=clock or JumpingClock())


def request(prompt: str = "x", *, model_key: str = "", **parameters: Any) -> GenerationRequest:
    return GenerationRequest(prompt=prompt, model_key=model_key, parameters=SamplingParameters(**parameters))


async def played(reply: dict[str, Any], **parameters: Any) -> Generation:
    return await generated(engine({"reply": reply}), request(**parameters))


class TestRules:
    @pytest.mark.parametrize(
        ("match", "prompt", "fits"),
        [
            ({"exact": "My name is"}, "My name is", True),
            ({"exact": "My name is"}, "My name is ", False),
            ({"exact": ""}, "", True),
            ({"exact": ""}, "x", False),
            ({"regex": "name"}, "My name is", True),
            ({"regex": "^name"}, "My name is", False),
            ({"regex": "(?i)NAME"}, "My name is", True),
            ({"any": True}, "anything", True),
        ],
    )
    async def test_prompts(self, match: dict[str, Any], prompt: str, fits: bool) -> None:
        rules: list[dict[str, Any]] = [
            {"match": match, "reply": {"fragments": ["first"]}},
            {"reply": {"fragments": ["second"]}},
        ]
        generation = await generated(engine(*rules), request(prompt))

        assert generation.text == ("first" if fits else "second")

    async def test_models(self) -> None:
        rules: list[dict[str, Any]] = [
            {"model": "a/b", "reply": {"fragments": ["ab"]}},
            {"reply": {"fragments": ["other"]}},
        ]

        assert (await generated(engine(*rules), request(model_key="a/b"))).text == "ab"
        assert (await generated(engine(*rules), request(model_key="a/c"))).text == "other"

    async def test_a_rule_is_used_up(self) -> None:
        scripted = engine({"times": 2, "reply": {"fragments": ["first"]}}, {"reply": {"fragments": ["then"]}})

        assert [(await generated(scripted, request())).text for _ in range(4)] == [
            "first",
            "first",
            "then",
            "then",
        ]

    async def test_a_prompt_without_a_rule_fails(self) -> None:
        scripted = engine({"match": {"exact": "y"}})

        with pytest.raises(PredictionFailedError, match="no reply to this prompt") as caught:
            await generated(scripted, request("x", model_key="a/b"))
        assert caught.value.cause is not None
        assert "'x'" in caught.value.cause
        assert "'a/b'" in caught.value.cause


class TestReplies:
    async def test_the_shortest_script(self) -> None:
        generation = await played({})

        assert [event.progress for event in generation.progress] == [0.0, 1.0]
        assert generation.fragments == []
        assert generation.statistics.stop_reason == "eosFound"

    async def test_fragments_are_played_as_they_are_written(self) -> None:
        generation = await played(
            {
                "fragments": [
                    "a",
                    {"text": "<think>", "tokens": 2, "reasoning": "reasoningStartTag", "structural": True},
                    {"text": "", "tokens": 0},
                    {"text": "b", "drafted": True, "details": [{"text": "b", "id": 5, "log_prob": -1}]},
                ]
            }
        )

        assert generation.fragments == [
            Fragment(content="a", tokens_count=1),
            Fragment(
                content="<think>", tokens_count=2, reasoning_type="reasoningStartTag", is_structural=True
            ),
            Fragment(content="", tokens_count=0),
            Fragment(content="b", tokens_count=1, contains_drafted=True, tokens=(Token("b", 5, -1),)),
        ]

    async def test_sampling_parameters_change_nothing(self) -> None:
        generation = await played(
            {"fragments": ["one.", " two."]}, max_tokens=1, stop_strings=(".",), structured={"type": "json"}
        )

        assert generation.text == "one. two."

    async def test_progress_is_played_as_it_is_written(self) -> None:
        generation = await played({"progress": [0.3, 0.1, 1], "prompt_tokens": 4})

        assert [(event.progress, event.total, event.processed) for event in generation.progress] == [
            (0.3, 4, 1),
            (0.1, 4, 0),
            (1, 4, 4),
        ]
        assert (await played({"progress": []})).progress == []

    async def test_delays_are_kept(self) -> None:
        clock = JumpingClock()
        reply = {
            "progress": [0.5, 1],
            "progress_delay": 2,
            "fragments": [{"text": "a", "delay": 0.5}, "b", {"text": "c", "delay": 0.25}],
        }
        generation = await generated(engine({"reply": reply}, clock=clock), request())

        assert clock.slept == [2, 2, 0.5, 0.25]
        assert generation.statistics == Statistics(
            stop_reason="eosFound",
            prompt_tokens=1,
            predicted_tokens=3,
            total_time=4.75,
            time_to_first_token=4.5,
            tokens_per_second=3 / 0.75,
        )

    async def test_the_prompt_is_counted_unless_the_script_says_how_long_it_is(self) -> None:
        assert (await generated(engine({}), request("My name is"))).statistics.prompt_tokens == 3
        assert (await played({"prompt_tokens": 77})).statistics.prompt_tokens == 77

    async def test_statistics_can_be_written(self) -> None:
        written = {
            "predicted_tokens": 9,
            "tokens_per_second": 41.7,
            "total_time": 2,
            "time_to_first_token": None,
        }
        statistics = (await played({"fragments": ["a"], "statistics": written})).statistics

        assert {name: getattr(statistics, name) for name in written} == written

    async def test_drafted_tokens_are_counted(self) -> None:
        reply = {"fragments": ["a", {"text": "b", "tokens": 3, "drafted": True}]}
        statistics = (await played(reply, draft_model="a/draft")).statistics

        assert statistics.used_draft_model == "a/draft"
        assert (statistics.drafted_tokens, statistics.accepted_draft_tokens) == (3, 3)
        assert (await played({"fragments": ["a"]})).statistics.drafted_tokens is None

    @pytest.mark.parametrize(
        "reason", ["eosFound", "failed", "contextLengthReached", "modelUnloaded", "toolCalls"]
    )
    async def test_any_stop_reason(self, reason: str) -> None:
        assert (await played({"end": reason})).statistics.stop_reason == reason

    async def test_a_stop_string(self) -> None:
        statistics = (await played({"end": {"stop": "stopStringFound", "stop_string": "."}})).statistics

        assert (statistics.stop_reason, statistics.stop_string) == ("stopStringFound", ".")


class TestFaults:
    async def test_failure_half_way(self) -> None:
        error = {
            "title": "Out of memory",
            "cause": "c",
            "suggestion": "s",
            "display_data": {"code": "generic.x"},
        }
        seen = Generation()
        with pytest.raises(PredictionFailedError, match="Out of memory") as caught:
            await generated(
                engine({"reply": {"fragments": ["a", "b"], "end": {"error": error}}}), request(), into=seen
            )

        assert seen.text == "ab"
        failure = caught.value
        assert (failure.title, failure.cause, failure.suggestion) == ("Out of memory", "c", "s")
        assert failure.display_data == {"code": "generic.x"}

    async def test_a_channel_that_closes_without_a_result(self) -> None:
        generation = await played({"fragments": ["a"], "end": "close"})

        assert generation.events[-1] == generation.fragments[0]

    async def test_a_connection_that_drops(self) -> None:
        generation = await played({"fragments": ["a"], "end": "drop"})

        assert generation.text == "a"
        assert generation.events[-1] == DropConnection()

    async def test_hanging_until_cancelled(self) -> None:
        cancellation = Cancellation()
        asyncio.get_running_loop().call_later(0.01, cancellation.cancel)
        generation = await generated(
            engine({"reply": {"fragments": ["a"], "end": "hang"}}), request(), cancellation=cancellation
        )

        assert generation.text == "a"
        assert generation.statistics.stop_reason == "userStopped"

    async def test_hanging_for_good(self) -> None:
        cancellation = Cancellation()
        cancellation.cancel()
        scripted = engine({"reply": {"end": "hang", "ignore_cancel": True}})
        task = asyncio.create_task(generated(scripted, request(), cancellation=cancellation))
        for _ in range(50):
            await asyncio.sleep(0)

        assert not task.done()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task


class TestCancelling:
    async def test_ends_the_reply_between_fragments(self) -> None:
        cancellation = Cancellation()

        def cancel_at_b(event: GenerationEvent) -> None:
            if isinstance(event, Fragment) and event.content == "b":
                cancellation.cancel("modelUnloaded")

        generation = await generated(
            engine({"reply": {"fragments": ["a", "b", "c"], "end": "drop"}}),
            request(),
            cancellation=cancellation,
            on_event=cancel_at_b,
        )

        assert generation.text == "ab"
        assert generation.statistics.stop_reason == "modelUnloaded"
        assert generation.statistics.predicted_tokens == 2

    @pytest.mark.parametrize(
        "reply", [{"fragments": [{"text": "a", "delay": 3600}]}, {"progress": [1], "progress_delay": 3600}]
    )
    async def test_ends_a_delay(self, reply: dict[str, Any]) -> None:
        clock, cancellation = StandingClock(), Cancellation()
        scripted = engine({"reply": reply}, clock=clock)
        task = asyncio.create_task(generated(scripted, request(), cancellation=cancellation))
        await clock.sleeping.wait()
        cancellation.cancel()

        assert isinstance((await task).events[-1], Finished)

    async def test_at_the_last_fragment(self) -> None:
        cancellation = Cancellation()

        def cancel_at_the_end(event: GenerationEvent) -> None:
            if isinstance(event, Fragment):
                cancellation.cancel()

        generation = await generated(
            engine({"reply": {"fragments": ["a"], "end": "eosFound"}}),
            request(),
            cancellation=cancellation,
            on_event=cancel_at_the_end,
        )

        assert generation.statistics.stop_reason == "userStopped"

    async def test_can_be_ignored(self) -> None:
        cancellation = Cancellation()
        cancellation.cancel()
        clock = JumpingClock()
        scripted = engine(
            {"reply": {"fragments": ["a", {"text": "b", "delay": 2}], "ignore_cancel": True}}, clock=clock
        )
        generation = await generated(scripted, request(), cancellation=cancellation)

        assert generation.text == "ab"
        assert clock.slept == [2]
        assert generation.statistics.stop_reason == "eosFound"

    async def test_during_the_progress(self) -> None:
        cancellation = Cancellation()

        def cancel_at_once(event: GenerationEvent) -> None:
            if isinstance(event, PromptProgress):
                cancellation.cancel()

        generation = await generated(
            engine({"reply": {"progress": [0, 0.5, 1], "fragments": ["a"]}}),
            request(),
            cancellation=cancellation,
            on_event=cancel_at_once,
        )

        assert len(generation.progress) == 1
        assert generation.text == ""


def test_tokenize_is_the_same_everywhere() -> None:
    assert engine().tokenize("My name is") == [728, 363, 356]
