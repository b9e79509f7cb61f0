"""Every option of August 2026, row by row: what a caller writes, and the fields that go out for it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeAlias

import pytest

from lmwire.config import EMBEDDING_LOAD, LLM_LOAD, LLM_PREDICTION
from lmwire_runtime.surface.option_kinds import Setting
from lmwire_runtime.surface.options import OptionTable

Row: TypeAlias = "tuple[str, Any, dict[str, Any]]"


def checked(value: Any) -> dict[str, Any]:
    return {"checked": True, "value": value}


def unchecked(value: Any) -> dict[str, Any]:
    return {"checked": False, "value": value}


SCHEMA = {"type": "object", "properties": {"my_x": {"type": "integer"}}, "required": ["my_x"]}
MANUAL = {
    "beforeSystem": "<s>",
    "afterSystem": "",
    "beforeUser": "U:",
    "afterUser": "",
    "beforeAssistant": "A:",
    "afterAssistant": "",
}

PREDICTION: Sequence[Row] = [
    ("maxTokens", 32, {"llm.prediction.maxPredictedTokens": checked(32)}),
    ("maxTokens", 32.0, {"llm.prediction.maxPredictedTokens": checked(32)}),
    ("maxTokens", False, {"llm.prediction.maxPredictedTokens": unchecked(1)}),
    ("reasoningBudget", 0, {"llm.prediction.reasoning.budgetTokens": checked(0)}),
    ("reasoningBudget", False, {"llm.prediction.reasoning.budgetTokens": unchecked(1024)}),
    ("temperature", 0.2, {"llm.prediction.temperature": 0.2}),
    ("temperature", 0, {"llm.prediction.temperature": 0}),
    ("stopStrings", ["\n", "END"], {"llm.prediction.stopStrings": ["\n", "END"]}),
    ("stopStrings", (), {"llm.prediction.stopStrings": []}),
    ("toolCallStopStrings", ["<call>"], {"llm.prediction.toolCallStopStrings": ["<call>"]}),
    ("contextOverflowPolicy", "stopAtLimit", {"llm.prediction.contextOverflowPolicy": "stopAtLimit"}),
    ("contextOverflowPolicy", "truncateMiddle", {"llm.prediction.contextOverflowPolicy": "truncateMiddle"}),
    ("contextOverflowPolicy", "rollingWindow", {"llm.prediction.contextOverflowPolicy": "rollingWindow"}),
    ("structured", {"type": "none"}, {"llm.prediction.structured": {"type": "none"}}),
    (
        "structured",
        {"type": "json", "jsonSchema": SCHEMA},
        {"llm.prediction.structured": {"type": "json", "jsonSchema": SCHEMA}},
    ),
    (
        "structured",
        {"type": "json", "json_schema": SCHEMA},
        {"llm.prediction.structured": {"type": "json", "jsonSchema": SCHEMA}},
    ),
    (
        "structured",
        {"type": "gbnf", "gbnfGrammar": 'root ::= "a"'},
        {"llm.prediction.structured": {"type": "gbnf", "gbnfGrammar": 'root ::= "a"'}},
    ),
    ("rawTools", {"type": "none"}, {"llm.prediction.tools": {"type": "none"}}),
    (
        "rawTools",
        {"type": "toolArray", "tools": [{"type": "function", "function": {"name": "f"}}]},
        {
            "llm.prediction.tools": {
                "type": "toolArray",
                "tools": [{"type": "function", "function": {"name": "f"}}],
            }
        },
    ),
    (
        "toolChoice",
        {"type": "generic", "mode": "required"},
        {"llm.prediction.toolChoice": {"type": "generic", "mode": "required"}},
    ),
    ("toolNaming", "snakeCase", {"llm.prediction.toolNaming": "snakeCase"}),
    ("topKSampling", 40, {"llm.prediction.topKSampling": 40}),
    ("topKSampling", 40.0, {"llm.prediction.topKSampling": 40}),
    ("topKSampling", -1, {"llm.prediction.topKSampling": -1}),
    ("topKSampling", 500, {"llm.prediction.topKSampling": 500}),
    ("repeatPenalty", 1.3, {"llm.prediction.repeatPenalty": checked(1.3)}),
    ("repeatPenalty", False, {"llm.prediction.repeatPenalty": unchecked(1.1)}),
    ("presencePenalty", -0.5, {"llm.prediction.llama.presencePenalty": checked(-0.5)}),
    ("presencePenalty", False, {"llm.prediction.llama.presencePenalty": unchecked(0)}),
    ("minPSampling", 0.1, {"llm.prediction.minPSampling": checked(0.1)}),
    ("minPSampling", False, {"llm.prediction.minPSampling": unchecked(0.05)}),
    ("topPSampling", 1, {"llm.prediction.topPSampling": checked(1)}),
    ("topPSampling", False, {"llm.prediction.topPSampling": unchecked(0.95)}),
    ("xtcProbability", 0.5, {"llm.prediction.llama.xtcProbability": checked(0.5)}),
    ("xtcProbability", False, {"llm.prediction.llama.xtcProbability": unchecked(0.5)}),
    ("xtcThreshold", 0.1, {"llm.prediction.llama.xtcThreshold": checked(0.1)}),
    ("xtcThreshold", False, {"llm.prediction.llama.xtcThreshold": unchecked(0.1)}),
    ("logProbs", 5, {"llm.prediction.logProbs": checked(5)}),
    ("logProbs", False, {"llm.prediction.logProbs": unchecked(0)}),
    ("cpuThreads", 8, {"llm.prediction.llama.cpuThreads": 8}),
    ("enableThinking", False, {"llm.prediction.reasoning.enableThinking": False}),
    (
        "promptTemplate",
        {"type": "jinja", "stopStrings": [], "jinjaPromptTemplate": {"template": "{{ messages }}"}},
        {
            "llm.prediction.promptTemplate": {
                "type": "jinja",
                "stopStrings": [],
                "jinjaPromptTemplate": {"template": "{{ messages }}"},
            }
        },
    ),
    (
        "promptTemplate",
        {"type": "manual", "stop_strings": ["U:"], "manual_prompt_template": MANUAL},
        {
            "llm.prediction.promptTemplate": {
                "type": "manual",
                "stopStrings": ["U:"],
                "manualPromptTemplate": MANUAL,
            }
        },
    ),
    ("draftModel", "acme/tiny", {"llm.prediction.speculativeDecoding.draftModel": "acme/tiny"}),
    ("draftModel", "", {"llm.prediction.speculativeDecoding.draftModel": ""}),
    (
        "speculativeDecodingNumDraftTokensExact",
        3,
        {"llm.prediction.speculativeDecoding.numDraftTokensExact": 3},
    ),
    (
        "speculativeDecodingMinDraftLengthToConsider",
        0,
        {"llm.prediction.speculativeDecoding.minDraftLengthToConsider": 0},
    ),
    (
        "speculativeDecodingMinContinueDraftingProbability",
        0.5,
        {"llm.prediction.speculativeDecoding.minContinueDraftingProbability": 0.5},
    ),
    (
        "reasoningParsing",
        {"enabled": True, "startString": "<t>", "end_string": "</t>"},
        {"llm.prediction.reasoning.parsing": {"enabled": True, "startString": "<t>", "endString": "</t>"}},
    ),
    ("userMaxImageDimensionPixels", 512, {"llm.prediction.vision.userMaxImageDimensionPixels": checked(512)}),
    (
        "userMaxImageDimensionPixels",
        False,
        {"llm.prediction.vision.userMaxImageDimensionPixels": unchecked(1024)},
    ),
    (
        "ignoreModelPreferredMaxImageDimension",
        True,
        {"llm.prediction.vision.ignoreModelPreferredMaxImageDimension": True},
    ),
    ("seed", 42, {"llm.prediction.seed": checked(42)}),
    ("seed", -1, {"llm.prediction.seed": checked(-1)}),
    ("seed", False, {"llm.prediction.seed": unchecked(-1)}),
    (
        "raw",
        {"fields": [{"key": "llm.prediction.systemPrompt", "value": "hi"}]},
        {"llm.prediction.systemPrompt": "hi"},
    ),
]

SPLIT = "load.gpuSplitConfig"
EVENLY = {"strategy": "evenly", "disabledGpus": [], "priority": [], "customRatio": []}
RATIO = "llm.load.llama.acceleration.offloadRatio"
EXPERTS = "llm.load.numCpuExpertLayersRatio"
DRAFT = "llm.load.llama.speculativeDecoding"
SIDECARS = {
    f"{DRAFT}.{name}": False for name in ("draftDflashSidecar", "draftDsparkSidecar", "draftMtpSidecar")
}
CACHE = {"enabled": True, "bits": 4, "groupSize": 32, "quantizedStart": 0}

LOAD: Sequence[Row] = [
    ("gpu", {}, {SPLIT: EVENLY}),
    ("gpu", {"ratio": 0.5}, {SPLIT: EVENLY, RATIO: 0.5}),
    (
        "gpu",
        {"ratio": "max", "num_cpu_expert_layers_ratio": "off"},
        {SPLIT: EVENLY, RATIO: "max", EXPERTS: "off"},
    ),
    ("gpu", {"splitStrategy": "evenly"}, {SPLIT: EVENLY}),
    ("gpu", {"mainGpu": 1}, {SPLIT: {**EVENLY, "priority": [1]}}),
    (
        "gpu",
        {"mainGpu": 0, "splitStrategy": "favorMainGpu"},
        {SPLIT: {**EVENLY, "strategy": "priorityOrder", "priority": [0]}},
    ),
    ("gpu", {"splitStrategy": "favorMainGpu"}, {SPLIT: {**EVENLY, "strategy": "priorityOrder"}}),
    ("gpu", {"disabled_gpus": (1, 2)}, {SPLIT: {**EVENLY, "disabledGpus": [1, 2]}}),
    ("gpuStrictVramCap", True, {"load.gpuStrictVramCap": True}),
    ("maxParallelPredictions", 1023, {"llm.load.numParallelSessions": 1023}),
    ("useUnifiedKvCache", False, {"llm.load.useUnifiedKvCache": False}),
    ("offloadKVCacheToGpu", False, {"llm.load.offloadKVCacheToGpu": False}),
    ("contextLength", 4096, {"llm.load.contextLength": 4096}),
    (
        "promptTemplate",
        {"type": "jinja", "jinjaPromptTemplate": {"template": "x"}},
        {"llm.load.promptTemplate": {"type": "jinja", "jinjaPromptTemplate": {"template": "x"}}},
    ),
    ("ropeFrequencyBase", 10000.5, {"llm.load.llama.ropeFrequencyBase": checked(10000.5)}),
    ("ropeFrequencyBase", False, {"llm.load.llama.ropeFrequencyBase": unchecked(0)}),
    ("ropeFrequencyScale", 1, {"llm.load.llama.ropeFrequencyScale": checked(1)}),
    ("ropeFrequencyScale", False, {"llm.load.llama.ropeFrequencyScale": unchecked(0)}),
    ("evalBatchSize", 256, {"llm.load.llama.evalBatchSize": 256}),
    ("physicalBatchSize", 256, {"llm.load.llama.physicalBatchSize": 256}),
    ("flashAttention", True, {"llm.load.llama.flashAttention": True}),
    ("contextCheckpoints", 0, {"llm.load.llama.contextCheckpoints": 0}),
    ("reasoningBudgetMessage", "Enough.", {"llm.load.llama.reasoningBudgetMessage": "Enough."}),
    ("speculativeDraftMtp", True, {f"{DRAFT}.draftMtp": True, **SIDECARS}),
    ("speculativeDraftMtp", False, {f"{DRAFT}.draftMtp": False, **SIDECARS}),
    ("speculativeDraftSimple", False, {f"{DRAFT}.draftSimple": False, **SIDECARS}),
    ("speculativeDraftModel", "", {f"{DRAFT}.draftModel": "", **SIDECARS}),
    ("speculativeDraftMaxTokens", 5, {f"{DRAFT}.draftMaxTokens": 5}),
    ("speculativeDraftMinTokens", 0, {f"{DRAFT}.draftMinTokens": 0}),
    ("speculativeDraftMinContinueProbability", 0.25, {f"{DRAFT}.draftMinContinueProbability": 0.25}),
    ("keepModelInMemory", False, {"llm.load.llama.keepModelInMemory": False}),
    ("seed", 7, {"llm.load.seed": checked(7)}),
    ("seed", False, {"llm.load.seed": unchecked(0)}),
    ("useFp16ForKVCache", False, {"llm.load.llama.useFp16ForKVCache": False}),
    ("tryMmap", False, {"llm.load.llama.tryMmap": False}),
    ("tryDirectIO", True, {"llm.load.llama.tryDirectIO": True}),
    ("numExperts", 0, {"llm.load.numExperts": 0}),
    ("llamaKCacheQuantizationType", "q8_0", {"llm.load.llama.kCacheQuantizationType": checked("q8_0")}),
    ("llamaKCacheQuantizationType", False, {"llm.load.llama.kCacheQuantizationType": unchecked("f16")}),
    ("llamaVCacheQuantizationType", "iq4_nl", {"llm.load.llama.vCacheQuantizationType": checked("iq4_nl")}),
    ("llamaVCacheQuantizationType", False, {"llm.load.llama.vCacheQuantizationType": unchecked("f16")}),
    ("mlxDiskCache", False, {"llm.load.mlx.diskCache": False}),
    ("mlxKvCacheQuantization", CACHE, {"llm.load.mlx.kvCacheQuantization": CACHE}),
    (
        "mlxKvCacheQuantization",
        False,
        {
            "llm.load.mlx.kvCacheQuantization": {
                "enabled": False,
                "bits": 8,
                "groupSize": 64,
                "quantizedStart": 5000,
            }
        },
    ),
]

EMBEDDING: Sequence[Row] = [
    (
        "gpu",
        {"ratio": "off", "mainGpu": 1},
        {SPLIT: {**EVENLY, "priority": [1]}, "embedding.load.llama.acceleration.offloadRatio": "off"},
    ),
    ("contextLength", 512, {"embedding.load.contextLength": 512}),
    ("ropeFrequencyBase", 2, {"embedding.load.llama.ropeFrequencyBase": checked(2)}),
    ("ropeFrequencyBase", False, {"embedding.load.llama.ropeFrequencyBase": unchecked(0)}),
    ("ropeFrequencyScale", 0.5, {"embedding.load.llama.ropeFrequencyScale": checked(0.5)}),
    ("ropeFrequencyScale", False, {"embedding.load.llama.ropeFrequencyScale": unchecked(0)}),
    ("keepModelInMemory", True, {"embedding.load.llama.keepModelInMemory": True}),
    ("tryMmap", True, {"embedding.load.llama.tryMmap": True}),
]

TABLES: dict[str, tuple[OptionTable[Any], Sequence[Row]]] = {
    "prediction": (LLM_PREDICTION, PREDICTION),
    "load": (LLM_LOAD, LOAD),
    "embedding": (EMBEDDING_LOAD, EMBEDDING),
}
ROWS = [
    pytest.param(table, *row, id=f"{name}-{row[0]}-{number}")
    for name, (table, rows) in TABLES.items()
    for number, row in enumerate(rows)
]


def as_dict(fields: list[dict[str, Any]]) -> dict[str, Any]:
    assert all(field.keys() == {"key", "value"} for field in fields)
    assert len({field["key"] for field in fields}) == len(fields)
    return {field["key"]: field["value"] for field in fields}


def typed(value: Any) -> Any:
    """A value that tells 40 from 40.0 and True from 1."""
    if isinstance(value, dict):
        return {key: typed(item) for key, item in value.items()}
    if isinstance(value, list):
        return [typed(item) for item in value]
    return type(value), value


@pytest.mark.parametrize(("table", "option", "value", "expected"), ROWS)
def test_an_option_is_sent_alike_in_both_spellings_and_as_an_object(
    table: OptionTable[Any], option: str, value: Any, expected: dict[str, Any]
) -> None:
    attribute = table.option(option).attribute
    for config in ({option: value}, {attribute: value}, table.config_class(**{attribute: value})):
        assert typed(as_dict(table.to_fields(config))) == typed(expected)


@pytest.mark.parametrize(("table", "option", "value", "expected"), ROWS)
def test_an_option_is_read_back_as_what_was_given(
    table: OptionTable[Any], option: str, value: Any, expected: dict[str, Any]
) -> None:
    fields = [{"key": key, "value": item} for key, item in expected.items()]
    config = table.from_fields(fields)
    assert config.extra == {}
    assert as_dict(table.to_fields(config)) == expected
    read = getattr(config, table.option(option).attribute)
    if option == "raw":  # its keys are options, or reported
        return
    if value is False:
        assert read is False
    elif isinstance(read, Setting) and option != "gpu":
        assert read.to_wire() == next(iter(expected.values()))
    elif not isinstance(read, Setting):
        assert read == (list(value) if isinstance(value, tuple) else value)


@pytest.mark.parametrize(("table", "rows"), TABLES.values(), ids=TABLES)
def test_every_option_has_a_row(table: OptionTable[Any], rows: Sequence[Row]) -> None:
    assert {row[0] for row in rows} == {option.name for option in table.options if not option.reported}


@pytest.mark.parametrize(("table", "rows"), TABLES.values(), ids=TABLES)
def test_none_switches_off_what_can_be_off_and_is_nothing_elsewhere(
    table: OptionTable[Any], rows: Sequence[Row]
) -> None:
    for option in table.options:
        if option.reported:
            continue
        expected = table.to_fields({option.name: False}) if option.can_be_off else []
        assert table.to_fields({option.name: None}) == expected
    off = {row[0] for row in rows if row[1] is False}
    plain_booleans = {
        option.name for option in table.options if option.default in (True, False) and not option.can_be_off
    }
    assert {
        option.name for option in table.options if option.can_be_off and not option.reported
    } == off - plain_booleans


REPORTED: Sequence[tuple[OptionTable[Any], str, str, Any, Any]] = [
    (LLM_PREDICTION, "system_prompt", "llm.prediction.systemPrompt", "Be kind.", "Be kind."),
    (
        LLM_PREDICTION,
        "context_prefill",
        "llm.prediction.contextPrefill",
        [{"role": "user"}],
        [{"role": "user"}],
    ),
    (
        LLM_PREDICTION,
        "speculative_decoding_num_reuse_tokens",
        "llm.prediction.speculativeDecoding.numReuseTokens",
        256,
        256,
    ),
    (
        LLM_PREDICTION,
        "speculative_decoding_max_tokens_to_draft",
        "llm.prediction.speculativeDecoding.maxTokensToDraft",
        16,
        16,
    ),
    (LLM_PREDICTION, "frequency_penalty", "llm.prediction.llama.frequencyPenalty", unchecked(0), False),
    (LLM_PREDICTION, "tail_free_sampling", "llm.prediction.llama.tailFreeSampling", unchecked(0.95), False),
    (
        LLM_PREDICTION,
        "locally_typical_sampling",
        "llm.prediction.llama.locallyTypicalSampling",
        checked(0.9),
        0.9,
    ),
    (
        LLM_PREDICTION,
        "logit_bias",
        "llm.prediction.llama.logitBias",
        [[5, -1.5], [7, "-inf"]],
        [(5, -1.5), (7, "-inf")],
    ),
    (LLM_LOAD, "auto_fit_min_context_length", "llm.load.autoFitMinContextLength", 0, 0),
    (LLM_LOAD, "llama_auto_fit", "llm.load.llama.autoFit", True, True),
    (LLM_LOAD, "mlx_auto_fit", "llm.load.mlx.autoFit", True, True),
    (LLM_LOAD, "cpu_thread_pool_size", "llm.load.llama.cpuThreadPoolSize", 4, 4),
    (LLM_LOAD, "speculative_draft_dflash_sidecar", f"{DRAFT}.draftDflashSidecar", True, True),
    (LLM_LOAD, "speculative_draft_dspark_sidecar", f"{DRAFT}.draftDsparkSidecar", True, True),
    (LLM_LOAD, "speculative_draft_mtp_sidecar", f"{DRAFT}.draftMtpSidecar", True, True),
    (LLM_LOAD, "env_vars", "envVars", {"HSA_OVERRIDE_GFX_VERSION": "11"}, {"HSA_OVERRIDE_GFX_VERSION": "11"}),
    (EMBEDDING_LOAD, "seed", "embedding.load.seed", unchecked(-1), False),
    (EMBEDDING_LOAD, "eval_batch_size", "embedding.load.llama.evalBatchSize", 2048, 2048),
]


@pytest.mark.parametrize(
    ("table", "attribute", "key", "wire", "value"), REPORTED, ids=[row[2] for row in REPORTED]
)
def test_keys_without_an_option_are_known_when_read_back(
    table: OptionTable[Any], attribute: str, key: str, wire: Any, value: Any
) -> None:
    config = table.from_fields([{"key": key, "value": wire}])
    assert getattr(config, attribute) == value
    assert config.extra == {}
    assert table.to_fields(config) == [{"key": key, "value": wire}]


def test_mirostat_is_read_back_as_an_object() -> None:
    wire = {"version": 0, "learningRate": 0.1, "targetEntropy": 5}
    config = LLM_PREDICTION.from_fields([{"key": "llm.prediction.llama.mirostatSampling", "value": wire}])
    assert isinstance(config.mirostat_sampling, Setting)
    assert config.mirostat_sampling.target_entropy == 5


def test_all_reported_keys_were_tried() -> None:
    for table, _ in TABLES.values():
        tried = {row[1] for row in REPORTED if row[0] is table} | {"mirostat_sampling"}
        assert {option.attribute for option in table.options if option.reported} <= tried
