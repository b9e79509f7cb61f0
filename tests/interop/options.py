"""Every option of a prediction and of a load, with values to call it with, and which SDK knows which option.

``PREDICTION_OPTIONS`` and ``LOAD_OPTIONS`` are configs as users write them; each becomes a call. What an SDK knows is
data here, and held against the SDK's own declarations by ``test_coverage``.
"""

from __future__ import annotations

from typing import Any, Final

__all__ = [
    "KNOWN_LOAD",
    "KNOWN_PREDICTION",
    "LOAD_OPTIONS",
    "LOAD_SET_ASIDE",
    "PREDICTION_OPTIONS",
    "PREDICTION_SET_ASIDE",
    "SCHEMA",
]

SCHEMA: Final = {"type": "object", "properties": {"x": {"type": "integer"}}, "required": ["x"]}

_TEMPLATE: Final = {
    "type": "manual",
    "stopStrings": ["</s>"],
    "manualPromptTemplate": {
        "beforeSystem": "[",
        "afterSystem": "]",
        "beforeUser": "(",
        "afterUser": ")",
        "beforeAssistant": "<",
        "afterAssistant": ">",
    },
}
_RAW: Final = {
    "fields": [
        {"key": "llm.prediction.seed", "value": {"checked": True, "value": 7}},
        {"key": "llm.prediction.temperature", "value": 0.1},
    ]
}

PREDICTION_OPTIONS: Final[tuple[dict[str, Any], ...]] = (
    {"maxTokens": 30},
    {"maxTokens": False},
    {"reasoningBudget": False},
    {"temperature": 0.5},
    {"temperature": 0},
    {"stopStrings": ["zzz", "yyy"]},
    {"stopStrings": []},
    {"toolCallStopStrings": ["</call>"]},
    {"contextOverflowPolicy": "stopAtLimit"},
    {"contextOverflowPolicy": "truncateMiddle"},
    {"contextOverflowPolicy": "rollingWindow"},
    {"structured": {"type": "none"}},
    {"structured": {"type": "json", "jsonSchema": SCHEMA}},
    {"structured": {"type": "gbnf", "gbnfGrammar": 'root ::= "x"'}},
    {"toolNaming": "snakeCase"},
    {"topKSampling": 10},
    {"topKSampling": -1},
    {"repeatPenalty": 1.2},
    {"repeatPenalty": False},
    {"presencePenalty": 0.3},
    {"presencePenalty": False},
    {"minPSampling": 0.1},
    {"minPSampling": False},
    {"topPSampling": 0.9},
    {"topPSampling": False},
    {"xtcProbability": 0.4},
    {"xtcThreshold": 0.2},
    {"logProbs": 3},
    {"logProbs": False},
    {"cpuThreads": 2},
    {"enableThinking": False},
    {"promptTemplate": _TEMPLATE},
    {"draftModel": "emulator/ngram-small@q4_k_m"},
    {"speculativeDecodingNumDraftTokensExact": 3},
    {"speculativeDecodingMinDraftLengthToConsider": 4},
    {"speculativeDecodingMinContinueDraftingProbability": 0.5},
    {"reasoningParsing": {"enabled": True, "startString": "<t>", "endString": "</t>"}},
    {"userMaxImageDimensionPixels": 512},
    {"userMaxImageDimensionPixels": False},
    {"ignoreModelPreferredMaxImageDimension": True},
    {"seed": 7},
    {"seed": False},
    {"raw": _RAW, "temperature": 0.5},
)

_MLX_CACHE: Final = {"enabled": True, "bits": 4, "groupSize": 32, "quantizedStart": 100}
_LOAD_TEMPLATE: Final = {"type": "jinja", "jinjaPromptTemplate": {"template": "{{ messages }}"}}

LOAD_OPTIONS: Final[tuple[dict[str, Any], ...]] = (
    {"gpu": {"ratio": 0.5}},
    {"gpu": {"ratio": "off"}},
    {"gpu": {"mainGpu": 1, "splitStrategy": "favorMainGpu", "disabledGpus": [0]}},
    {"gpu": {"mainGpu": 1, "splitStrategy": "evenly"}},
    {"gpu": {"splitStrategy": "evenly"}},
    {"gpu": {"numCpuExpertLayersRatio": 0.25}},
    {"gpuStrictVramCap": True},
    {"maxParallelPredictions": 2},
    {"useUnifiedKvCache": False},
    {"offloadKVCacheToGpu": False},
    {"contextLength": 512},
    {"promptTemplate": _LOAD_TEMPLATE},
    {"ropeFrequencyBase": 10000.0},
    {"ropeFrequencyBase": False},
    {"ropeFrequencyScale": 0.5},
    {"ropeFrequencyScale": False},
    {"evalBatchSize": 256},
    {"physicalBatchSize": 128},
    {"flashAttention": True},
    {"contextCheckpoints": 8},
    {"reasoningBudgetMessage": "Enough."},
    {"speculativeDraftMtp": True},
    {"speculativeDraftSimple": True, "speculativeDraftModel": "emulator/ngram-small@q4_k_m"},
    {"speculativeDraftMaxTokens": 5, "speculativeDraftMinTokens": 1},
    {"speculativeDraftMinContinueProbability": 0.5},
    {"keepModelInMemory": False},
    {"seed": 7},
    {"seed": False},
    {"useFp16ForKVCache": False},
    {"tryMmap": False},
    {"tryDirectIO": True},
    {"numExperts": 2},
    {"llamaKCacheQuantizationType": "q8_0"},
    {"llamaKCacheQuantizationType": False},
    {"llamaVCacheQuantizationType": "f16"},
    {"llamaVCacheQuantizationType": False},
    {"mlxDiskCache": False},
    {"mlxKvCacheQuantization": _MLX_CACHE},
    {"mlxKvCacheQuantization": False},
)

_PYTHON_PREDICTION: Final = frozenset(
    {
        "maxTokens",
        "temperature",
        "stopStrings",
        "toolCallStopStrings",
        "contextOverflowPolicy",
        "structured",
        "rawTools",
        "topKSampling",
        "repeatPenalty",
        "minPSampling",
        "topPSampling",
        "cpuThreads",
        "promptTemplate",
        "draftModel",
        "speculativeDecodingNumDraftTokensExact",
        "speculativeDecodingMinDraftLengthToConsider",
        "speculativeDecodingMinContinueDraftingProbability",
        "reasoningParsing",
        "raw",
    }
)
_NODE_PREDICTION: Final = _PYTHON_PREDICTION | {"toolNaming", "xtcProbability", "xtcThreshold", "logProbs"}
# What each SDK declares as options of a prediction.
KNOWN_PREDICTION: Final[dict[str, frozenset[str]]] = {
    "python-1.5.0": _PYTHON_PREDICTION,
    "js-1.5.0": _NODE_PREDICTION,
    "js-2.0.0": _NODE_PREDICTION
    | {
        "reasoningBudget",
        "toolChoice",
        "presencePenalty",
        "enableThinking",
        "userMaxImageDimensionPixels",
        "ignoreModelPreferredMaxImageDimension",
    },
}

_COMMON_LOAD: Final = frozenset(
    {
        "gpu",
        "gpuStrictVramCap",
        "offloadKVCacheToGpu",
        "contextLength",
        "ropeFrequencyBase",
        "ropeFrequencyScale",
        "evalBatchSize",
        "flashAttention",
        "keepModelInMemory",
        "seed",
        "useFp16ForKVCache",
        "tryMmap",
        "numExperts",
        "llamaKCacheQuantizationType",
        "llamaVCacheQuantizationType",
    }
)
# What each SDK declares as options of a load.
KNOWN_LOAD: Final[dict[str, frozenset[str]]] = {
    "python-1.5.0": _COMMON_LOAD,
    "js-1.5.0": _COMMON_LOAD,
    "js-2.0.0": _COMMON_LOAD
    | {
        "autoFit",
        "maxParallelPredictions",
        "useUnifiedKvCache",
        "promptTemplate",
        "physicalBatchSize",
        "contextCheckpoints",
        "reasoningBudgetMessage",
        "speculativeDraftMtp",
        "speculativeDraftSimple",
        "speculativeDraftModel",
        "speculativeDraftMaxTokens",
        "speculativeDraftMinTokens",
        "speculativeDraftMinContinueProbability",
        "tryDirectIO",
        "llamaCppArgumentsOverride",
        "mlxDiskCache",
        "mlxKvCacheQuantization",
    },
}

# Options that an SDK declares and that no call has, each with the reason.
PREDICTION_SET_ASIDE: Final[dict[str, str]] = {
    "rawTools": "a raw completion does not take it: ours and the JavaScript SDKs refuse it before anything is sent",
    "toolChoice": "as rawTools",
}
LOAD_SET_ASIDE: Final[dict[str, str]] = {
    "autoFit": "no option of August 2026: it came to npm's 2.0.0 later, which also sends its keys unasked",
    "llamaCppArgumentsOverride": "no option of August 2026: it came to npm's 2.0.0 later",
}
