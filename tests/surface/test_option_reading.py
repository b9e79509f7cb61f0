"""Configs read back: what becomes of the odd things that servers send."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from lmwire import UNSET
from lmwire.config import (
    LLM_LOAD,
    LLM_PREDICTION,
    GpuSetting,
    LlmLoadModelConfig,
    LlmPredictionConfig,
    LlmPromptTemplate,
)
from lmwire.types.kv_config import KvConfigField
from tests.surface.option_helpers import SPLIT, Warnings, sent


@pytest.mark.parametrize(
    ("key", "value", "attribute"),
    [
        ("llm.prediction.temperature", "warm", "temperature"),
        ("llm.prediction.temperature", None, "temperature"),
        ("llm.prediction.maxPredictedTokens", 32, "max_tokens"),
        ("llm.prediction.maxPredictedTokens", {"checked": True, "value": False}, "max_tokens"),
        ("llm.prediction.maxPredictedTokens", {"checked": True}, "max_tokens"),
        ("llm.prediction.maxPredictedTokens", {"checked": "yes", "value": 1}, "max_tokens"),
        ("llm.prediction.contextOverflowPolicy", "someday", "context_overflow_policy"),
        ("llm.prediction.topKSampling", 9000, "top_k_sampling"),
        ("llm.prediction.stopStrings", {"a": 1}, "stop_strings"),
        ("llm.prediction.structured", {"jsonSchema": {}}, "structured"),
        (
            "llm.prediction.reasoning.parsing",
            {"enabled": 1, "startString": "", "endString": ""},
            "reasoning_parsing",
        ),
    ],
)
def test_a_value_that_its_option_cannot_hold_is_kept_raw_with_one_warning(
    key: str, value: Any, attribute: str
) -> None:
    warnings = Warnings()
    for _ in range(3):
        fields = [
            {"key": "llm.prediction.seed", "value": {"checked": True, "value": 1}},
            {"key": key, "value": value},
        ]
        config = LLM_PREDICTION.from_fields(fields, sink=warnings.sink)
        assert getattr(config, attribute) is UNSET
        assert config.extra == {key: value}
        assert config.seed == 1
        assert LLM_PREDICTION.to_fields(config) == [fields[1], fields[0]]
    (line,) = warnings.lines
    assert line.startswith(f"config key {key!r}: option ")
    assert line.endswith("; the value is kept in `extra`")


def test_unknown_keys_are_kept_silently_as_they_came() -> None:
    warnings = Warnings()
    fields = [
        {"key": "ext.virtualModel.customField.mood", "value": "blue"},
        {"key": "undefined"},
        {"key": "null", "value": None},
    ]
    config = LLM_PREDICTION.from_fields(fields, sink=warnings.sink)
    assert config.extra == {"ext.virtualModel.customField.mood": "blue", "undefined": UNSET, "null": None}
    assert LLM_PREDICTION.to_fields(config) == fields
    assert warnings.lines == []


def test_unknown_members_of_a_setting_are_kept_in_the_setting() -> None:
    value = {
        "type": "jinja", "stopStrings": [], "future": 1,
        "jinjaPromptTemplate": {"bosToken": "", "eosToken": "", "template": "t", "inputConfig": {"useTools": False}},
    }  # fmt: skip
    config = LLM_PREDICTION.from_fields([{"key": "llm.prediction.promptTemplate", "value": value}])
    template = config.prompt_template
    assert isinstance(template, LlmPromptTemplate)
    assert template.extra == {"future": 1}
    assert template.jinja_prompt_template
    assert template.jinja_prompt_template.template == "t"
    assert template.jinja_prompt_template.extra == {
        "bosToken": "",
        "eosToken": "",
        "inputConfig": {"useTools": False},
    }
    assert sent(LLM_PREDICTION, config) == {"llm.prediction.promptTemplate": value}


def test_fields_that_are_none_are_left_out_with_a_warning() -> None:
    warnings = Warnings()
    config = LLM_PREDICTION.from_fields(
        [{"value": 1}, 5, {"key": 7, "value": 1}, {"key": "llm.prediction.temperature", "value": 1}],
        sink=warnings.sink,
    )
    assert config == LlmPredictionConfig(temperature=1)
    assert len(warnings.lines) == 1


def test_messages_are_read_like_plain_fields_and_the_last_of_equal_keys_counts() -> None:
    fields = [
        KvConfigField(key="llm.load.contextLength", value=1),
        KvConfigField(key="llm.load.contextLength", value=4096.0),
    ]
    config = LLM_LOAD.from_fields(fields)
    assert config.context_length == 4096
    assert type(config.context_length) is int


def test_values_without_a_value_say_nothing() -> None:
    assert LLM_LOAD.from_fields([{"key": "llm.load.contextLength"}, {"key": SPLIT}]) == LlmLoadModelConfig()


@pytest.mark.parametrize(
    ("split", "expected"),
    [
        (
            {"strategy": "evenly", "disabledGpus": [], "priority": [], "customRatio": []},
            {"split_strategy": "evenly", "disabled_gpus": []},
        ),
        (
            {"strategy": "priorityOrder", "disabledGpus": [2], "priority": [1], "customRatio": []},
            {"split_strategy": "favorMainGpu", "main_gpu": 1, "disabled_gpus": [2]},
        ),
        ({"strategy": "evenly", "disabledGpus": []}, {"split_strategy": "evenly", "disabled_gpus": []}),
    ],
)
def test_how_a_model_is_split_is_read_back(split: Mapping[str, Any], expected: Mapping[str, Any]) -> None:
    config = LLM_LOAD.from_fields(
        [{"key": SPLIT, "value": split}, {"key": "llm.load.numCpuExpertLayersRatio", "value": 0.5}]
    )
    assert config.gpu == GpuSetting(**expected, num_cpu_expert_layers_ratio=0.5)
    assert config.extra == {}


@pytest.mark.parametrize(
    "split",
    [
        {"strategy": "tensor", "disabledGpus": [], "priority": [], "customRatio": []},
        {"strategy": "custom", "disabledGpus": [], "priority": [], "customRatio": [1, 2]},
        {"strategy": "priorityOrder", "disabledGpus": [], "priority": [0, 1], "customRatio": []},
        {"strategy": "evenly", "disabledGpus": ["a"], "priority": [], "customRatio": []},
        {"strategy": ["evenly"], "disabledGpus": [], "priority": [], "customRatio": []},
        {"strategy": "evenly", "disabledGpus": [], "priority": [], "customRatio": [], "new": 1},
        "evenly",
    ],
)
def test_a_split_that_gpu_cannot_say_is_kept_and_sent_again_as_it_came(split: object) -> None:
    warnings = Warnings()
    ratio = {"key": "llm.load.llama.acceleration.offloadRatio", "value": 0.5}
    config = LLM_LOAD.from_fields([{"key": SPLIT, "value": split}, ratio], sink=warnings.sink)
    assert config.gpu == GpuSetting(ratio=0.5)
    assert config.extra == {SPLIT: split}
    assert len(warnings.lines) == 1
    assert sent(LLM_LOAD, config) == {SPLIT: split, ratio["key"]: 0.5}
    config.gpu = GpuSetting(main_gpu=1)
    assert sent(LLM_LOAD, config)[SPLIT]["priority"] == [1]


def test_an_unchecked_box_and_a_disabled_setting_are_false() -> None:
    quantization = {"enabled": False, "bits": 4, "groupSize": 32, "quantizedStart": 1}
    config = LLM_LOAD.from_fields(
        [
            {"key": "llm.load.mlx.kvCacheQuantization", "value": quantization},
            {"key": "llm.load.seed", "value": {"checked": False, "value": 9}},
            {"key": "llm.load.llama.ropeFrequencyBase", "value": {"checked": False}},
        ]
    )
    assert config == LlmLoadModelConfig(
        mlx_kv_cache_quantization=False, seed=False, rope_frequency_base=False
    )
