"""Calls whose requests ours are compared with, as data: each is made by a real client, and by both of our shells.

The tables say what a user writes. ``PYTHON_CALLS`` are calls of the official Python SDK, whose names and parameters
ours share; ``NODE_CALLS`` are completions by the JavaScript SDK, whose options are our ``config``.
"""

from __future__ import annotations

from typing import Any, Final

import attrs

__all__ = ["NODE_CALLS", "PYTHON_CALLS", "NodeCall", "PythonCall"]

MODEL: Final = "emulator/ngram-small"
OTHER: Final = "emulator/ngram-vision"
PROMPT: Final = "My name is"
SCHEMA: Final = {"type": "object", "properties": {"x": {"type": "integer"}}, "required": ["x"]}


@attrs.frozen(kw_only=True)
class PythonCall:
    """A call of a method.

    Attributes:
        name: What the row is called.
        on: ``llm`` for ``client.llm``, ``model`` for what ``client.llm.model()`` gives.
        method: The method's name.
        arguments: Its positional arguments.
        options: Its keyword arguments.
        cancel: Cancel the stream at the first fragment.
    """

    name: str
    on: str
    method: str
    arguments: tuple[Any, ...] = ()
    options: dict[str, Any] = attrs.field(factory=dict)
    cancel: bool = False


@attrs.frozen(kw_only=True)
class NodeCall:
    """``client.llm.createDynamicHandle(identifier).complete(prompt, options)``.

    ``cancel`` means: cancel at the first fragment.
    """

    name: str
    identifier: str = MODEL
    prompt: str = PROMPT
    options: dict[str, Any] = attrs.field(factory=dict)
    cancel: bool = False


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

# Options that both SDKs have, with the same meaning.
_SHARED_OPTIONS: Final[tuple[dict[str, Any], ...]] = (
    {"maxTokens": 30},
    {"temperature": 0.5},
    {"temperature": 0},
    {"stopStrings": ["zzz", "yyy"]},
    {"stopStrings": []},
    {"toolCallStopStrings": ["</call>"]},
    {"contextOverflowPolicy": "stopAtLimit"},
    {"contextOverflowPolicy": "truncateMiddle"},
    {"contextOverflowPolicy": "rollingWindow"},
    {"structured": {"type": "json", "jsonSchema": SCHEMA}},
    {"structured": {"type": "gbnf", "gbnfGrammar": 'root ::= "x"'}},
    {"topKSampling": 10},
    {"repeatPenalty": 1.2},
    {"minPSampling": 0.1},
    {"topPSampling": 0.9},
    {"cpuThreads": 2},
    {"promptTemplate": _TEMPLATE},
    {"draftModel": "emulator/ngram-small@q4_k_m"},
    {"speculativeDecodingNumDraftTokensExact": 3},
    {"speculativeDecodingMinDraftLengthToConsider": 4},
    {"speculativeDecodingMinContinueDraftingProbability": 0.5},
    {"reasoningParsing": {"enabled": True, "startString": "<t>", "endString": "</t>"}},
    {
        "temperature": 0.5,
        "maxTokens": 30,
        "stopStrings": ["zzz"],
        "topKSampling": 10,
        "topPSampling": 0.9,
        "minPSampling": 0.1,
        "repeatPenalty": 1.2,
        "contextOverflowPolicy": "rollingWindow",
        "cpuThreads": 2,
    },
)

# Options that the Python SDK 1.5.0 does not know, or cannot switch off.
_NODE_OPTIONS: Final[tuple[dict[str, Any], ...]] = (
    {"maxTokens": False},
    {"repeatPenalty": False},
    {"minPSampling": False},
    {"topPSampling": False},
    {"presencePenalty": 0.3},
    {"presencePenalty": False},
    {"logProbs": 3},
    {"logProbs": False},
    {"enableThinking": False},
    {"toolNaming": "snakeCase"},
    {"reasoningBudget": False},
    {"userMaxImageDimensionPixels": 512},
    {"userMaxImageDimensionPixels": False},
    {"ignoreModelPreferredMaxImageDimension": True},
    {"structured": {"type": "none"}},
    {
        "raw": {
            "fields": [
                {"key": "llm.prediction.seed", "value": {"checked": True, "value": 7}},
                {"key": "llm.prediction.temperature", "value": 0.1},
            ]
        },
        "temperature": 0.5,
    },
)

_LOAD_OPTIONS: Final[tuple[dict[str, Any], ...]] = (
    {"contextLength": 512},
    {"gpu": {"ratio": 0.5}},
    {"gpu": {"ratio": "off"}},
    {"gpu": {"mainGpu": 1, "splitStrategy": "favorMainGpu", "disabledGpus": [0]}},
    {"gpu": {"splitStrategy": "evenly"}},
    {"gpuStrictVramCap": True},
    {"offloadKVCacheToGpu": False},
    {"ropeFrequencyBase": 10000.0},
    {"ropeFrequencyScale": 0.5},
    {"evalBatchSize": 256},
    {"flashAttention": True},
    {"keepModelInMemory": False},
    {"seed": 7},
    {"useFp16ForKVCache": False},
    {"tryMmap": False},
    {"numExperts": 2},
    {"llamaKCacheQuantizationType": "q8_0"},
    {"llamaVCacheQuantizationType": "f16"},
    {"contextLength": 512, "gpu": {"ratio": 0.5}, "flashAttention": True, "seed": 7},
)


def _named(prefix: str, options: dict[str, Any]) -> str:
    shown = ", ".join(f"{name}={value}" for name, value in options.items())
    return f"{prefix} {shown}" if len(shown) <= 60 else f"{prefix} {', '.join(options)}"


def _llm(name: str, method: str, *arguments: Any, **options: Any) -> PythonCall:
    return PythonCall(name=name, on="llm", method=method, arguments=arguments, options=options)


def _model(name: str, method: str, *arguments: Any, **options: Any) -> PythonCall:
    return PythonCall(name=name, on="model", method=method, arguments=arguments, options=options)


PYTHON_CALLS: Final[tuple[PythonCall, ...]] = (
    _llm("any model", "model"),
    _llm("list loaded", "list_loaded"),
    _llm("model", "model", MODEL),
    _llm("model ttl=60", "model", OTHER, ttl=60),
    _llm("model ttl=90.5", "model", OTHER, ttl=90.5),
    _llm("model ttl=None", "model", OTHER, ttl=None),
    *(_llm(_named("model", options), "model", OTHER, config=options) for options in _LOAD_OPTIONS),
    _llm("new instance", "load_new_instance", MODEL),
    _llm("new instance with a name", "load_new_instance", MODEL, "named", ttl=None, config={"seed": 7}),
    _llm("unload", "unload", "named"),
    _model("info", "get_info"),
    _model("load config", "get_load_config"),
    _model("context length", "get_context_length"),
    _model("tokenize", "tokenize", PROMPT),
    _model("tokenize several", "tokenize", [PROMPT, "", "Zürich 🙂"]),
    _model("count tokens", "count_tokens", PROMPT),
    _model("complete", "complete", PROMPT),
    _model("complete nothing", "complete", ""),
    _model("complete Zürich", "complete", 'Zürich 🙂\n\t"\\\u2028'),
    *(_model(_named("complete", options), "complete", PROMPT, config=options) for options in _SHARED_OPTIONS),
    _model("complete with a preset", "complete", PROMPT, preset="concise"),
    _model("complete with a response format", "complete", PROMPT, response_format=SCHEMA),
    _model("stream", "complete_stream", PROMPT),
    PythonCall(
        name="stream and cancel",
        on="model",
        method="complete_stream",
        arguments=("Count for ever:",),
        cancel=True,
    ),
)

NODE_CALLS: Final[tuple[NodeCall, ...]] = (
    NodeCall(name="complete"),
    NodeCall(name="complete Zürich", prompt='Zürich 🙂\n\t"\\\u2028'),
    *(
        NodeCall(name=_named("complete", options), options=options)
        for options in (*_SHARED_OPTIONS, *_NODE_OPTIONS)
    ),
    NodeCall(name="complete with a preset", options={"preset": "concise"}),
    NodeCall(name="cancel", prompt="Count for ever:", cancel=True),
)
