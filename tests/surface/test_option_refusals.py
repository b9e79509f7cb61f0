"""What option tables refuse, before anything is sent."""

from __future__ import annotations

from typing import Any

import pytest

from lmwire import UNSET, Client, UsageError
from lmwire.config import (
    EMBEDDING_LOAD,
    LLM_LOAD,
    LLM_PREDICTION,
    LlmLoadModelConfig,
    LlmLoadModelConfigDict,
    LlmPredictionConfig,
)
from lmwire_emulator import EmulatorThread
from lmwire_runtime.surface.options import OptionTable
from tests.surface.option_helpers import DRAFT, refusal, sent

NEAR_MISSES = {
    "maxToken": "maxTokens",
    "max_token": "max_tokens",
    "max-tokens": "maxTokens",
    "MaxTokens": "maxTokens",
    "maxPredictedTokens": "maxTokens",
    "llm.prediction.maxPredictedTokens": "maxTokens",
    "top_p": "top_p_sampling",
    "topK": "topKSampling",
    "stop": "stopStrings",
    "temprature": "temperature",
    "budget_tokens": "reasoning_budget",
    "repetition_penalty": "repeat_penalty",
    "draftmodel": "draftModel",
}


@pytest.mark.parametrize(("wrong", "right"), NEAR_MISSES.items())
def test_a_wrong_name_is_answered_with_the_nearest_right_one(wrong: str, right: str) -> None:
    assert refusal(LLM_PREDICTION, {wrong: 1}) == f"unknown option {wrong!r}; did you mean {right!r}?"


def test_a_wrong_name_near_to_nothing_is_answered_with_all_names() -> None:
    message = refusal(EMBEDDING_LOAD, {"zzzzzz": 1})
    assert message == (
        "unknown option 'zzzzzz'; there are: gpu, contextLength, ropeFrequencyBase, ropeFrequencyScale,"
        " keepModelInMemory, tryMmap"
    )


def test_all_wrong_names_are_told_at_once() -> None:
    message = refusal(LLM_PREDICTION, {"maxToken": 1, "temperature": 1, "stopString": ["a"]})
    assert (
        message == "unknown option 'maxToken'; did you mean 'maxTokens'?;"
        " unknown option 'stopString'; did you mean 'stopStrings'?"
    )


def test_a_wrong_name_inside_a_setting_is_answered_with_its_place() -> None:
    assert (
        refusal(LLM_LOAD, {"gpu": {"mainGPU": 1}})
        == "unknown option 'gpu.mainGPU'; did you mean 'gpu.mainGpu'?"
    )
    template = {"type": "jinja", "stopStrings": [], "jinja_prompt_template": {"templat": "x"}}
    assert "did you mean 'promptTemplate.jinjaPromptTemplate.template'?" in refusal(
        LLM_PREDICTION, {"promptTemplate": template}
    )


OFF = ", or False for off"
MISFITS: list[tuple[OptionTable[Any], object, str, str, str]] = [
    (LLM_PREDICTION, {"maxTokens": 0}, "maxTokens", "an integer of at least 1" + OFF, "0"),
    (LLM_PREDICTION, {"maxTokens": True}, "maxTokens", "an integer of at least 1" + OFF, "True"),
    (LLM_PREDICTION, {"maxTokens": 2.5}, "maxTokens", "an integer of at least 1" + OFF, "2.5"),
    (LLM_PREDICTION, {"maxTokens": "9"}, "maxTokens", "an integer of at least 1" + OFF, "'9'"),
    (
        LLM_PREDICTION,
        {"temperature": False},
        "temperature",
        "a number of at least 0 (it cannot be switched off)",
        "False",
    ),
    (LLM_PREDICTION, {"temperature": True}, "temperature", "a number of at least 0", "True"),
    (LLM_PREDICTION, {"temperature": -0.1}, "temperature", "a number of at least 0", "-0.1"),
    (LLM_PREDICTION, {"temperature": float("nan")}, "temperature", "a number of at least 0", "nan"),
    (LLM_PREDICTION, {"temperature": float("inf")}, "temperature", "a number of at least 0", "inf"),
    (LLM_PREDICTION, {"topKSampling": 501}, "topKSampling", "an integer from -1 to 500", "501"),
    (LLM_PREDICTION, {"topKSampling": -2}, "topKSampling", "an integer from -1 to 500", "-2"),
    (LLM_PREDICTION, {"topPSampling": 1.01}, "topPSampling", "a number from 0 to 1" + OFF, "1.01"),
    (LLM_PREDICTION, {"repeatPenalty": -2}, "repeatPenalty", "a number of at least -1" + OFF, "-2"),
    (LLM_PREDICTION, {"logProbs": 101}, "logProbs", "an integer from 0 to 100" + OFF, "101"),
    (LLM_PREDICTION, {"seed": -2}, "seed", "an integer of at least -1" + OFF, "-2"),
    (
        LLM_PREDICTION,
        {"stopStrings": ["a", ""]},
        "stopStrings[1]",
        "text (str) of at least 1 character",
        "''",
    ),
    (
        LLM_PREDICTION,
        {"stopStrings": "end"},
        "stopStrings",
        "a list, each item text (str) of at least 1 character",
        "'end'",
    ),
    (LLM_PREDICTION, {"enableThinking": 1}, "enableThinking", "True or False", "1"),
    (
        LLM_PREDICTION,
        {"toolNaming": "kebab"},
        "toolNaming",
        "one of 'passThrough', 'removeSpecial', 'snakeCase', 'camelCase'",
        "'kebab'",
    ),
    (
        LLM_PREDICTION,
        {"structured": "json"},
        "structured",
        "a LlmStructuredPredictionSetting or a dict",
        "'json'",
    ),
    (LLM_PREDICTION, {"structured": {}}, "structured", "a LlmStructuredPredictionSetting with 'type'", "{}"),
    (
        LLM_PREDICTION,
        {"structured": {"type": "json", "jsonSchema": {"a": {1}}}},
        "structured.jsonSchema.a",
        "a JSON value",
        "{1}",
    ),
    (
        LLM_PREDICTION,
        {"raw": {"fields": [{"value": 1}]}},
        "raw.fields[0]",
        "{'key': ..., 'value': ...}",
        "{'value': 1}",
    ),
    (
        LLM_PREDICTION,
        {"raw": {"temperature": 1}},
        "raw",
        "a KV config {'fields': [{'key': ..., 'value': ...}]}",
        "{'temperature': 1}",
    ),
    (LLM_LOAD, {"gpu": {"ratio": 1.5}}, "gpu.ratio", "a number from 0 to 1, or one of 'max', 'off'", "1.5"),
    (
        LLM_LOAD,
        {"gpu": {"ratio": False}},
        "gpu.ratio",
        "a number from 0 to 1, or one of 'max', 'off'",
        "False",
    ),
    (
        LLM_LOAD,
        {"gpu": {"splitStrategy": "priorityOrder"}},
        "gpu.splitStrategy",
        "one of 'evenly', 'favorMainGpu'",
        "'priorityOrder'",
    ),
    (LLM_LOAD, {"gpu": {"disabledGpus": [-1]}}, "gpu.disabledGpus[0]", "an integer of at least 0", "-1"),
    (LLM_LOAD, {"gpu": "max"}, "gpu", "a GpuSetting or a dict", "'max'"),
    (
        LLM_LOAD,
        {"maxParallelPredictions": 1024},
        "maxParallelPredictions",
        "an integer from 1 to 1023",
        "1024",
    ),
    (
        LLM_LOAD,
        {"llamaKCacheQuantizationType": "f8"},
        "llamaKCacheQuantizationType",
        "one of 'f32', 'f16', 'q8_0', 'q4_0', 'q4_1', 'iq4_nl', 'q5_0', 'q5_1'" + OFF,
        "'f8'",
    ),
    (
        LLM_LOAD,
        {"mlxKvCacheQuantization": True},
        "mlxKvCacheQuantization",
        "a MlxKvCacheQuantization or a dict" + OFF,
        "True",
    ),
    (
        LLM_LOAD,
        {"mlxKvCacheQuantization": {"enabled": True, "bits": 5, "groupSize": 64, "quantizedStart": 0}},
        "mlxKvCacheQuantization.bits",
        "one of 8, 6, 4, 3, 2",
        "5",
    ),
    (
        EMBEDDING_LOAD,
        {"gpu": {"numCpuExpertLayersRatio": 0}},
        "gpu",
        "a GpuSetting without 'numCpuExpertLayersRatio', which has no key here",
        "{'numCpuExpertLayersRatio': 0}",
    ),
]


@pytest.mark.parametrize(("table", "config", "place", "expected", "found"), MISFITS)
def test_values_of_the_wrong_kind_are_refused_in_words(
    table: OptionTable[Any], config: object, place: str, expected: str, found: str
) -> None:
    assert refusal(table, config) == f"option {place!r} must be {expected}; got {found}"


@pytest.mark.parametrize(
    ("table", "config", "message"),
    [
        (
            LLM_PREDICTION,
            {"maxTokens": 1, "max_tokens": 1},
            "option 'maxTokens' is given twice, as 'maxTokens' and as 'max_tokens'",
        ),
        (
            LLM_LOAD,
            {"gpu": {"mainGpu": 1, "main_gpu": 1}},
            "option 'gpu.mainGpu' is given twice, as 'mainGpu' and as 'main_gpu'",
        ),
        (LLM_PREDICTION, {"systemPrompt": "x"}, "'systemPrompt' cannot be given; servers only report it"),
        (LLM_PREDICTION, {1: 2}, "names of options must be text (str); got 1"),
        (LLM_PREDICTION, 5, "config must be a LlmPredictionConfig, a dict or None; got int"),
        (
            LLM_PREDICTION,
            LlmLoadModelConfig(),
            "config must be a LlmPredictionConfig, a dict or None; got LlmLoadModelConfig",
        ),
    ],
)
def test_other_mistakes_are_refused_in_words(table: OptionTable[Any], config: object, message: str) -> None:
    assert refusal(table, config) == message


def test_an_object_is_checked_like_a_dict() -> None:
    config = LlmPredictionConfig(max_tokens=0)
    assert refusal(LLM_PREDICTION, config) == refusal(LLM_PREDICTION, {"maxTokens": 0})
    with pytest.raises(TypeError):
        LlmPredictionConfig(system_prompt="x")  # type: ignore[call-arg]  # servers only report it


def test_the_slip_of_the_official_sdk_is_not_repeated() -> None:
    assert sent(LLM_PREDICTION, {"maxTokens": False}) == {
        "llm.prediction.maxPredictedTokens": {"checked": False, "value": 1}
    }


# Rules that concern several options.


@pytest.mark.parametrize(
    ("config", "message"),
    [
        (
            {"speculativeDraftMtp": True, "speculativeDraftSimple": True, "speculativeDraftModel": "m"},
            "the options 'speculativeDraftMtp' and 'speculativeDraftSimple' cannot go together; give one of them",
        ),
        (
            {"speculativeDraftSimple": True},
            "option 'speculativeDraftSimple' needs option 'speculativeDraftModel' to be given as well",
        ),
        (
            {"speculativeDraftSimple": True, "speculativeDraftModel": ""},
            "option 'speculativeDraftSimple' needs option 'speculativeDraftModel' to be given as well",
        ),
        (
            {"speculativeDraftModel": "m"},
            "option 'speculativeDraftModel' needs option 'speculativeDraftSimple' to be given as well",
        ),
        (
            {"speculativeDraftMinTokens": 3, "speculativeDraftMaxTokens": 2},
            "option 'speculativeDraftMinTokens' (3) must not be greater than option 'speculativeDraftMaxTokens' (2)",
        ),
    ],
)
def test_options_of_speculative_decoding_that_contradict_each_other_are_refused(
    config: LlmLoadModelConfigDict, message: str
) -> None:
    assert refusal(LLM_LOAD, config) == message


def test_saying_how_to_draft_clears_the_ways_without_an_option() -> None:
    fields = sent(LLM_LOAD, {"speculativeDraftSimple": True, "speculativeDraftModel": "m"})
    assert fields == {
        f"{DRAFT}.draftSimple": True,
        f"{DRAFT}.draftModel": "m",
        f"{DRAFT}.draftDflashSidecar": False,
        f"{DRAFT}.draftDsparkSidecar": False,
        f"{DRAFT}.draftMtpSidecar": False,
    }
    assert f"{DRAFT}.draftMtpSidecar" not in sent(LLM_LOAD, {"speculativeDraftMaxTokens": 2})


def test_a_config_that_was_read_back_is_not_cleared() -> None:
    fields = [
        {"key": f"{DRAFT}.draftMtp", "value": False},
        {"key": f"{DRAFT}.draftMtpSidecar", "value": True},
    ]
    assert sent(LLM_LOAD, LLM_LOAD.from_fields(fields))[f"{DRAFT}.draftMtpSidecar"] is True


# Refusing options.


@pytest.mark.parametrize(
    ("config", "named"),
    [
        ({"rawTools": {"type": "toolArray", "tools": []}}, "the option 'rawTools'"),
        (
            {"toolChoice": {"type": "generic", "mode": "required"}, "raw_tools": {"type": "toolArray"}},
            "the options 'rawTools', 'toolChoice'",
        ),
        ({"rawTools": 5}, "the option 'rawTools'"),
        ({"reasoningBudget": 0}, "the option 'reasoningBudget'"),
        (LlmPredictionConfig(reasoning_budget=5, max_tokens=3), "the option 'reasoningBudget'"),
    ],
)
def test_options_that_a_request_does_not_take_are_named(config: object, named: str) -> None:
    with pytest.raises(UsageError, match=f"this request does not take {named};"):
        LLM_PREDICTION.to_fields(config, refuses=["rawTools", "toolChoice", "reasoningBudget"])


@pytest.mark.parametrize(
    "config",
    [None, {}, {"reasoningBudget": False}, {"reasoning_budget": None}, {"rawTools": None}, {"maxTokens": 1}],
)
def test_options_that_are_off_or_not_given_are_not_refused(config: object) -> None:
    fields = LLM_PREDICTION.to_fields(config)
    assert LLM_PREDICTION.to_fields(config, refuses=["rawTools", "toolChoice", "reasoningBudget"]) == fields


def test_options_that_say_what_holds_without_them_are_left_out() -> None:
    config = {"rawTools": {"type": "none"}, "toolChoice": {"type": "generic", "mode": "auto"}}
    assert LLM_PREDICTION.to_fields(config, refuses=["rawTools", "toolChoice", "reasoningBudget"]) == []


@pytest.mark.parametrize("generation", ["2025", "2026"])
def test_the_config_of_a_result_can_be_used_again(generation: str) -> None:
    with EmulatorThread(generation=generation) as emulator, Client(emulator.api_host) as client:
        model = client.llm.model()
        config = model.complete("My name is", config={"maxTokens": 3}).prediction_config
        assert config.raw_tools is not UNSET
        again = model.complete("My name is", config=config)
        assert again.prediction_config.max_tokens == 3
        if generation == "2026":
            assert model.complete("x", config=model.get_base_prediction_config()).content


def test_a_name_that_does_not_exist_is_not_passed_over_by_refusing() -> None:
    with pytest.raises(UsageError, match="did you mean 'rawTools'"):
        LLM_PREDICTION.to_fields({"rawTool": {}}, refuses=["rawTools"])
