"""The ways to write a config, and what wins over what."""

from __future__ import annotations

import copy
import enum
import pickle
import subprocess
import sys
from typing import Any

from lmwire import UNSET
from lmwire.config import (
    EMBEDDING_LOAD,
    LLM_LOAD,
    LLM_PREDICTION,
    EmbeddingLoadModelConfigDict,
    GpuSetting,
    LlmLoadModelConfig,
    LlmLoadModelConfigDict,
    LlmPredictionConfig,
    LlmPredictionConfigDict,
    LlmStructuredPredictionSetting,
    MlxKvCacheQuantization,
)
from lmwire.types.kv_config import KvConfig, KvConfigField
from tests.surface.option_helpers import Warnings, sent

# Ways to write a config.


def test_nothing_given_is_nothing_sent() -> None:
    nothings: tuple[object, ...] = (None, {}, LlmPredictionConfig())
    for nothing in nothings:
        assert LLM_PREDICTION.to_fields(nothing) == []
    assert LLM_PREDICTION.to_fields({"temperature": UNSET, "maxTokens": UNSET, "seed": UNSET}) == []


def test_both_spellings_mix_in_one_dict_for_type_checkers_too() -> None:
    prediction: LlmPredictionConfigDict = {
        "maxTokens": False,
        "top_k_sampling": 40,
        "reasoningParsing": {"enabled": True, "start_string": "<t>", "endString": "</t>"},
        "structured": LlmStructuredPredictionSetting(type="json"),
    }
    assert list(sent(LLM_PREDICTION, prediction)) == [
        "llm.prediction.maxPredictedTokens",
        "llm.prediction.structured",
        "llm.prediction.topKSampling",
        "llm.prediction.reasoning.parsing",
    ]
    load: LlmLoadModelConfigDict = {
        "gpu": {"main_gpu": 1, "splitStrategy": "evenly"},
        "offload_kv_cache_to_gpu": True,
    }
    assert sent(LLM_LOAD, load)["llm.load.offloadKVCacheToGpu"] is True
    embedding: EmbeddingLoadModelConfigDict = {"gpu": GpuSetting(ratio=1), "contextLength": 9}
    assert sent(EMBEDDING_LOAD, embedding)["embedding.load.contextLength"] == 9


def test_fields_come_in_the_order_of_the_table() -> None:
    one = LLM_PREDICTION.to_fields({"temperature": 1, "maxTokens": 2})
    assert one == LLM_PREDICTION.to_fields({"max_tokens": 2, "temperature": 1})


def test_words_of_an_enum_and_integers_of_other_libraries_are_sent_as_plain_json() -> None:
    class Policy(str, enum.Enum):
        STOP = "stopAtLimit"

    class Count:
        def __index__(self) -> int:
            return 7

    fields = sent(LLM_PREDICTION, {"contextOverflowPolicy": Policy.STOP, "cpuThreads": Count()})
    assert [type(value) for value in fields.values()] == [str, int]
    assert list(fields.values()) == ["stopAtLimit", 7]


def test_what_is_sent_shares_nothing_with_what_was_given() -> None:
    schema: dict[str, Any] = {"type": "object", "properties": {}}
    stops = ["a"]
    fields = sent(
        LLM_PREDICTION, {"structured": {"type": "json", "jsonSchema": schema}, "stopStrings": stops}
    )
    schema["properties"]["late"] = {}
    stops.append("late")
    assert fields["llm.prediction.structured"]["jsonSchema"] == {"type": "object", "properties": {}}
    assert fields["llm.prediction.stopStrings"] == ["a"]


def test_names_inside_a_json_schema_are_left_alone() -> None:
    schema = {"type": "object", "properties": {"snake_case": {}, "camelCase": {}, "max_tokens": {}}}
    fields = sent(LLM_PREDICTION, {"structured": {"type": "json", "json_schema": schema}})
    assert fields["llm.prediction.structured"] == {"type": "json", "jsonSchema": schema}


def test_configs_and_settings_have_a_wire_form_and_can_be_copied() -> None:
    setting = MlxKvCacheQuantization(enabled=True, bits=8, group_size=64, quantized_start=0)
    assert setting.to_wire() == {"enabled": True, "bits": 8, "groupSize": 64, "quantizedStart": 0}
    config = LlmLoadModelConfig(mlx_kv_cache_quantization=setting, extra={"x": 1})
    assert config.to_wire() == {"fields": LLM_LOAD.to_fields(config)}
    for twin in (copy.deepcopy(config), pickle.loads(pickle.dumps(config))):
        assert twin == config
        assert twin is not config
    assert config != LlmLoadModelConfig(mlx_kv_cache_quantization=setting)
    assert repr(config) == f"LlmLoadModelConfig(mlx_kv_cache_quantization={setting!r}, extra={{'x': 1}})"
    assert repr(LlmPredictionConfig()) == "LlmPredictionConfig()"


# What wins.


def test_options_override_a_raw_config_whose_other_keys_come_first() -> None:
    raw = {
        "fields": [
            {"key": "llm.prediction.temperature", "value": 0.1},
            {"key": "ext.mine", "value": {"a": [1]}},
            {"key": "ext.mine", "value": 2},
            {"key": "bare"},
        ]
    }
    assert LLM_PREDICTION.to_fields({"temperature": 0.9, "raw": raw}) == [
        {"key": "ext.mine", "value": 2},
        {"key": "bare"},
        {"key": "llm.prediction.temperature", "value": 0.9},
    ]


def test_a_raw_config_may_be_a_message_or_a_config_object() -> None:
    message = KvConfig(fields=[KvConfigField(key="a", value=1)])
    assert sent(LLM_PREDICTION, {"raw": message}) == {"a": 1}
    assert sent(LLM_PREDICTION, {"raw": LlmPredictionConfig(temperature=1), "topKSampling": 2}) == {
        "llm.prediction.temperature": 1,
        "llm.prediction.topKSampling": 2,
    }


def test_extra_is_sent_again_unless_an_option_says_otherwise() -> None:
    config = LLM_PREDICTION.from_fields(
        [{"key": "new.key", "value": [1]}, {"key": "llm.prediction.temperature", "value": "warm"}],
        sink=Warnings().sink,
    )
    assert sent(LLM_PREDICTION, config) == {"new.key": [1], "llm.prediction.temperature": "warm"}
    config.temperature = 0.5
    assert sent(LLM_PREDICTION, config) == {"new.key": [1], "llm.prediction.temperature": 0.5}


def test_importing_configs_costs_neither_sockets_nor_json() -> None:
    code = (
        "import sys, lmwire.config\n"
        "assert not {'attrs', 'lmwire.config.settings'} & set(sys.modules)\n"
        "lmwire.config.LLM_PREDICTION, lmwire.config.LlmPredictionConfigDict, lmwire.config.LLM_LOAD\n"
        "assert not {'websockets', 'asyncio', 'orjson', 'difflib', 'lmwire.config.embedding_load'} & set(sys.modules)\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
