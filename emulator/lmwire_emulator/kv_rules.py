"""Which KV config keys the emulator knows, what their values must be like, and what holds when nobody sets them.

The tables at the end are the protocol's registry of keys for predictions and for loading. A ``Rule`` takes a value as
it came over the wire and returns it cleaned (3.0 becomes 3 where an integer is due), or raises ``IllTypedError``.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any, Final, TypeAlias

import attrs

__all__ = [
    "CUSTOM_FIELD_PREFIX",
    "EMBEDDING_LOAD_RULES",
    "LLM_LOAD_RULES",
    "PREDICTION_RULES",
    "IllTypedError",
    "Rule",
    "Rules",
]

CUSTOM_FIELD_PREFIX: Final = "ext.virtualModel.customField."
"""Keys that begin like this belong to the model's author; they are kept whatever they hold."""

Check: TypeAlias = Callable[[Any], Any]


class IllTypedError(ValueError):
    """A value does not fit the rule of its key."""


@attrs.frozen
class Rule:
    """What the value of one key must be like.

    Attributes:
        check: Takes the bare value, returns it cleaned or raises ``IllTypedError``.
        default: In wire form, so with its checkbox if there is one.
        checkbox: Whether the value comes as ``{"checked": bool, "value": ...}``.
    """

    check: Check
    default: Any
    checkbox: bool = False

    def clean(self, value: Any) -> Any:
        """Return a wire value cleaned, still in wire form.

        Raises:
            IllTypedError: It does not fit.
        """
        if not self.checkbox:
            return self.check(value)
        if (
            not isinstance(value, Mapping)
            or not isinstance(value.get("checked"), bool)
            or "value" not in value
        ):
            raise IllTypedError("must be {checked, value}")
        return {"checked": value["checked"], "value": self.check(value["value"])}


Rules: TypeAlias = Mapping[str, Rule]


def _number(minimum: float = -math.inf, maximum: float = math.inf) -> Check:
    def check(value: Any) -> Any:
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not -math.inf < value < math.inf:
            raise IllTypedError("must be a number")
        if not minimum <= value <= maximum:
            raise IllTypedError(f"must be from {minimum} to {maximum}")
        return value

    return check


def _integer(minimum: float = -math.inf, maximum: float = math.inf) -> Check:
    number = _number(minimum, maximum)

    def check(value: Any) -> int:
        number(value)
        if value != int(value):
            raise IllTypedError("must be an integer")
        return int(value)

    return check


def _boolean(value: Any) -> Any:
    if not isinstance(value, bool):
        raise IllTypedError("must be true or false")
    return value


def _text(value: Any) -> Any:
    if not isinstance(value, str):
        raise IllTypedError("must be a string")
    return value


def _one_of(*allowed: str) -> Check:
    def check(value: Any) -> Any:
        if value not in allowed:
            raise IllTypedError(f"must be one of {', '.join(allowed)}")
        return value

    return check


def _array(value: Any) -> list[Any]:
    if not isinstance(value, (list, tuple)):
        raise IllTypedError("must be an array")
    return list(value)


def _texts(value: Any) -> list[Any]:
    items = _array(value)
    if not all(isinstance(item, str) and item for item in items):
        raise IllTypedError("must be an array of strings, none of them empty")
    return items


def _either(first: Check, second: Check) -> Check:
    def check(value: Any) -> Any:
        try:
            return first(value)
        except IllTypedError:
            return second(value)

    return check


def _record(required: Mapping[str, Check], optional: Mapping[str, Check] | None = None) -> Check:
    """An object with these members; others are kept as they are."""

    def check(value: Any) -> dict[str, Any]:
        if not isinstance(value, Mapping):
            raise IllTypedError("must be an object")
        cleaned = dict(value)
        for name, member in required.items():
            if name not in cleaned:
                raise IllTypedError(f"{name} is missing")
            cleaned[name] = member(cleaned[name])
        for name, member in (optional or {}).items():
            if name in cleaned:
                cleaned[name] = member(cleaned[name])
        return cleaned

    return check


def _plain(check: Check, default: Any) -> Rule:
    return Rule(check, default)


def _box(check: Check, checked: bool, value: Any) -> Rule:
    return Rule(check, {"checked": checked, "value": value}, checkbox=True)


_FRACTION = _number(0, 1)
_ROLE_MARKERS = {
    "beforeSystem": "Instruct: ",
    "afterSystem": "\n",
    "beforeUser": "Human: ",
    "afterUser": "\n",
    "beforeAssistant": "AI: ",
    "afterAssistant": "\n",
}
_JINJA = _record({"template": _text})
_PROMPT_TEMPLATE = _record(
    {"type": _one_of("manual", "jinja"), "stopStrings": _texts},
    {"manualPromptTemplate": _record(dict.fromkeys(_ROLE_MARKERS, _text)), "jinjaPromptTemplate": _JINJA},
)
_CACHE_TYPE = _one_of("f32", "f16", "q8_0", "q4_0", "q4_1", "iq4_nl", "q5_0", "q5_1")
_OFFLOAD_RATIO = _either(_FRACTION, _one_of("max", "off"))
_GENERIC_JINJA_TEMPLATE = (
    "{% for message in messages %}{% if message['role'] == 'system' %}Instruct: {{ message['content'] }}\n"
    "{% elif message['role'] == 'user' %}Human: {{ message['content'] }}\n"
    "{% elif message['role'] == 'assistant' %}AI: {{ message['content'] }}\n{% endif %}{% endfor %}AI: "
)


def _prefixed(prefix: str, rules: Rules) -> dict[str, Rule]:
    return {prefix + key: rule for key, rule in rules.items()}


PREDICTION_RULES: Final[Rules] = _prefixed(
    "llm.prediction.",
    {
        "temperature": _plain(_number(0), 0.8),
        "contextOverflowPolicy": _plain(
            _one_of("stopAtLimit", "truncateMiddle", "rollingWindow"), "truncateMiddle"
        ),
        "maxPredictedTokens": _box(_integer(1), False, 1000),
        "stopStrings": _plain(_texts, []),
        "toolCallStopStrings": _plain(_texts, []),
        "structured": _plain(
            _record({"type": _one_of("none", "json", "gbnf")}, {"gbnfGrammar": _text}), {"type": "none"}
        ),
        "tools": _plain(_record({"type": _one_of("none", "toolArray")}, {"tools": _array}), {"type": "none"}),
        "toolChoice": _plain(_record({"type": _text}), {"type": "generic", "mode": "auto"}),
        "toolNaming": _plain(
            _one_of("passThrough", "removeSpecial", "snakeCase", "camelCase"), "removeSpecial"
        ),
        "promptTemplate": _plain(
            _PROMPT_TEMPLATE, {"type": "manual", "manualPromptTemplate": _ROLE_MARKERS, "stopStrings": []}
        ),
        "systemPrompt": _plain(_text, ""),
        "seed": _box(_integer(-1), False, -1),
        "contextPrefill": _plain(_array, []),
        "topKSampling": _plain(_integer(-1, 500), 40),
        "repeatPenalty": _box(_number(-1), True, 1.1),
        "minPSampling": _box(_FRACTION, True, 0.05),
        "topPSampling": _box(_FRACTION, True, 0.95),
        "logProbs": _box(_integer(0, 100), False, 0),
        "reasoning.enableThinking": _plain(_boolean, True),
        "reasoning.budgetTokens": _box(_integer(0), False, 1024),
        "reasoning.parsing": _plain(
            _record({"enabled": _boolean, "startString": _text, "endString": _text}),
            {"enabled": True, "startString": "<think>", "endString": "</think>"},
        ),
        "vision.userMaxImageDimensionPixels": _box(_integer(1), True, 1024),
        "vision.ignoreModelPreferredMaxImageDimension": _plain(_boolean, False),
        "speculativeDecoding.draftModel": _plain(_text, ""),
        "speculativeDecoding.minDraftLengthToConsider": _plain(_integer(0), 0),
        "speculativeDecoding.numReuseTokens": _plain(_integer(1), 256),
        "speculativeDecoding.minContinueDraftingProbability": _plain(_FRACTION, 0.75),
        "speculativeDecoding.maxTokensToDraft": _plain(_integer(1), 16),
        "speculativeDecoding.numDraftTokensExact": _plain(_integer(1), 2),
        "llama.cpuThreads": _plain(_integer(1), 4),
        "llama.frequencyPenalty": _box(_number(), False, 0),
        "llama.presencePenalty": _box(_number(), False, 0),
        "llama.xtcProbability": _box(_FRACTION, False, 0.5),
        "llama.xtcThreshold": _box(_FRACTION, False, 0.1),
        "llama.mirostatSampling": _plain(
            _record({"version": _integer(0, 2), "learningRate": _number(), "targetEntropy": _number()}),
            {"version": 0, "learningRate": 0.1, "targetEntropy": 5},
        ),
        "llama.tailFreeSampling": _box(_FRACTION, False, 0.95),
        "llama.locallyTypicalSampling": _box(_FRACTION, False, 0.9),
        "llama.logitBias": _plain(_array, []),
    },
)

_COMMON_LOAD_RULES: Final[Rules] = {
    "envVars": _plain(_record({}), {}),
    "load.gpuSplitConfig": _plain(
        _record(
            {"strategy": _one_of("evenly", "priorityOrder", "tensor", "custom")},
            dict.fromkeys(("disabledGpus", "priority", "customRatio"), _array),
        ),
        {"strategy": "evenly", "disabledGpus": [], "priority": [], "customRatio": []},
    ),
    "load.gpuStrictVramCap": _plain(_boolean, False),
}

LLM_LOAD_RULES: Final[Rules] = {
    **_prefixed(
        "llm.load.",
        {
            "contextLength": _plain(_integer(1), 2048),
            "seed": _box(_integer(-1), False, -1),
            "promptTemplate": _plain(
                _record({"type": _one_of("jinja"), "jinjaPromptTemplate": _JINJA}),
                {"type": "jinja", "jinjaPromptTemplate": {"template": _GENERIC_JINJA_TEMPLATE}},
            ),
            "autoFitMinContextLength": _plain(_integer(0), 0),
            "numExperts": _plain(_integer(0), 0),
            "offloadKVCacheToGpu": _plain(_boolean, True),
            "numCpuExpertLayersRatio": _plain(_OFFLOAD_RATIO, "off"),
            "numParallelSessions": _plain(_integer(1, 1023), 4),
            "useUnifiedKvCache": _plain(_boolean, True),
            "llama.autoFit": _plain(_boolean, True),
            "llama.acceleration.offloadRatio": _plain(_OFFLOAD_RATIO, "max"),
            "llama.cpuThreadPoolSize": _plain(_number(1), 4),
            "llama.evalBatchSize": _plain(_integer(1), 2048),
            "llama.physicalBatchSize": _plain(_integer(1), 512),
            "llama.flashAttention": _plain(_boolean, False),
            "llama.contextCheckpoints": _plain(_integer(0), 32),
            "llama.reasoningBudgetMessage": _plain(_text, ""),
            "llama.speculativeDecoding.draftMtp": _plain(_boolean, False),
            "llama.speculativeDecoding.draftSimple": _plain(_boolean, False),
            "llama.speculativeDecoding.draftDflashSidecar": _plain(_boolean, False),
            "llama.speculativeDecoding.draftDsparkSidecar": _plain(_boolean, False),
            "llama.speculativeDecoding.draftMtpSidecar": _plain(_boolean, False),
            "llama.speculativeDecoding.draftModel": _plain(_text, ""),
            "llama.speculativeDecoding.draftMaxTokens": _plain(_integer(0), 3),
            "llama.speculativeDecoding.draftMinTokens": _plain(_integer(0), 0),
            "llama.speculativeDecoding.draftMinContinueProbability": _plain(_FRACTION, 0),
            "llama.ropeFrequencyBase": _box(_number(0), False, 0),
            "llama.ropeFrequencyScale": _box(_number(0), False, 0),
            "llama.keepModelInMemory": _plain(_boolean, True),
            "llama.useFp16ForKVCache": _plain(_boolean, True),
            "llama.tryMmap": _plain(_boolean, True),
            "llama.tryDirectIO": _plain(_boolean, False),
            "llama.kCacheQuantizationType": _box(_CACHE_TYPE, False, "f16"),
            "llama.vCacheQuantizationType": _box(_CACHE_TYPE, False, "f16"),
            "mlx.autoFit": _plain(_boolean, True),
            "mlx.diskCache": _plain(_boolean, True),
            "mlx.kvCacheQuantization": _plain(
                _record({"enabled": _boolean}),
                {"enabled": False, "bits": 8, "groupSize": 64, "quantizedStart": 5000},
            ),
        },
    ),
    **_COMMON_LOAD_RULES,
}

EMBEDDING_LOAD_RULES: Final[Rules] = {
    **_prefixed(
        "embedding.load.",
        {
            "contextLength": _plain(_integer(1), 2048),
            "seed": _box(_integer(-1), False, -1),
            "llama.acceleration.offloadRatio": _plain(_OFFLOAD_RATIO, "max"),
            "llama.evalBatchSize": _plain(_integer(1), 2048),
            "llama.ropeFrequencyBase": _box(_number(0), False, 0),
            "llama.ropeFrequencyScale": _box(_number(0), False, 0),
            "llama.keepModelInMemory": _plain(_boolean, True),
            "llama.tryMmap": _plain(_boolean, True),
        },
    ),
    **_COMMON_LOAD_RULES,
}
