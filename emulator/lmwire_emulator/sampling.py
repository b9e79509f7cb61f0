"""How a prediction samples and how a model is loaded, as typed values read from KV configs.

The order of layers, lowest first: preset, server session, then the layers that the request sent.
``SamplingParameters`` and ``LoadParameters`` hold what the engines act on; everything else stays in the ``KVConfig``
that is reported back.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import attrs

from lmwire_emulator.kv_config import ConfigLayer, Field, KVConfig, read_config
from lmwire_emulator.kv_rules import EMBEDDING_LOAD_RULES, LLM_LOAD_RULES, PREDICTION_RULES

__all__ = [
    "LoadParameters",
    "ReasoningTags",
    "SamplingParameters",
    "read_load_config",
    "read_prediction_config",
]

_PREDICTION = "llm.prediction."
_BUDGET_MESSAGE = "llm.load.llama.reasoningBudgetMessage"


def _positive(value: float | None) -> float | None:
    """Zero and less mean off, where the protocol allows such values at all."""
    return value if value is not None and value > 0 else None


@attrs.frozen
class ReasoningTags:
    """What encloses a section of reasoning; neither is empty."""

    start: str
    end: str


@attrs.frozen(kw_only=True)
class SamplingParameters:
    """What a prediction is asked to do. None means off.

    Attributes:
        temperature: 0 takes the likeliest token; above, likelihoods are raised to its reciprocal.
        max_tokens: Number of tokens after which to stop, at least 1.
        stop_strings: Texts that end the prediction; they are not part of it.
        context_overflow_policy: ``stopAtLimit``, ``truncateMiddle`` or ``rollingWindow``.
        top_k: Consider only this many of the likeliest tokens.
        top_p: Consider only the likeliest tokens that together have this probability, 0..1.
        min_p: Consider only tokens with at least this fraction of the likeliest one's probability, 0..1.
        repeat_penalty: Makes tokens that were there lately less likely; 1 changes nothing.
        presence_penalty, frequency_penalty: Taken off a token's logit once, or for each occurrence.
        seed: Same seed, same prompt, same text.
        log_probs: Report log-probabilities with this many candidates for each token, 0..100.
        structured: The wire's setting of structured output, if its type is not ``none``.
        draft_model: Key of a model for speculative decoding.
        reasoning: Whether a model that reasons shall do so.
        reasoning_budget: Tokens of reasoning after which the answer has to begin.
        reasoning_tags: By what reasoning is found in the text; None: it is not looked for.
    """

    temperature: float = 0.8
    max_tokens: int | None = None
    stop_strings: tuple[str, ...] = ()
    context_overflow_policy: str = "truncateMiddle"
    top_k: int | None = 40
    top_p: float | None = 0.95
    min_p: float | None = 0.05
    repeat_penalty: float | None = 1.1
    presence_penalty: float | None = None
    frequency_penalty: float | None = None
    seed: int | None = None
    log_probs: int | None = None
    structured: Mapping[str, Any] | None = None
    draft_model: str | None = None
    reasoning: bool = True
    reasoning_budget: int | None = None
    reasoning_tags: ReasoningTags | None = ReasoningTags("<think>", "</think>")

    @classmethod
    def from_config(
        cls, config: KVConfig, *, template_stop_strings: Sequence[str] = ()
    ) -> SamplingParameters:
        """Read the parameters from a prediction config.

        Args:
            config: See ``read_prediction_config``.
            template_stop_strings: Those of the prompt template, where one was applied; they count like the others.
        """

        def option(name: str) -> Any:
            return config.option(_PREDICTION + name)

        top_k, seed, structured = option("topKSampling"), option("seed"), option("structured")
        return cls(
            temperature=option("temperature"),
            max_tokens=option("maxPredictedTokens"),
            stop_strings=tuple(dict.fromkeys((*option("stopStrings"), *template_stop_strings))),
            context_overflow_policy=option("contextOverflowPolicy"),
            top_k=top_k if top_k > 0 else None,
            top_p=_positive(option("topPSampling")),
            min_p=_positive(option("minPSampling")),
            repeat_penalty=_positive(option("repeatPenalty")),
            presence_penalty=option("llama.presencePenalty"),
            frequency_penalty=option("llama.frequencyPenalty"),
            seed=seed if seed is not None and seed >= 0 else None,
            log_probs=option("logProbs"),
            structured=None if structured["type"] == "none" else structured,
            draft_model=option("speculativeDecoding.draftModel") or None,
            reasoning=option("reasoning.enableThinking"),
            reasoning_budget=option("reasoning.budgetTokens"),
            reasoning_tags=_reasoning_tags(option("reasoning.parsing")),
        )


def _reasoning_tags(parsing: Mapping[str, Any]) -> ReasoningTags | None:
    start, end = parsing["startString"], parsing["endString"]
    return ReasoningTags(start, end) if parsing["enabled"] and start and end else None


@attrs.frozen(kw_only=True)
class LoadParameters:
    """What loading a model is asked to do.

    Attributes:
        context_length: Tokens of the context.
        seed: The seed of predictions that have none of their own; None for a new one each time.
        reasoning_budget_message: What is put in where a reasoning budget is used up.
    """

    context_length: int
    seed: int | None = None
    reasoning_budget_message: str = ""

    @classmethod
    def from_config(cls, config: KVConfig) -> LoadParameters:
        """Read the parameters from a load config; see ``read_load_config``."""
        is_llm = "llm.load.seed" in config.rules
        prefix = "llm.load." if is_llm else "embedding.load."
        seed = config.option(prefix + "seed")
        return cls(
            context_length=config.option(prefix + "contextLength"),
            seed=seed if seed is not None and seed >= 0 else None,
            reasoning_budget_message=config.option(_BUDGET_MESSAGE) if is_llm else "",
        )


def read_prediction_config(
    layers: Iterable[ConfigLayer], *, preset: Sequence[Field] = (), server_session: Sequence[Field] = ()
) -> KVConfig:
    """Read the config of a prediction: the request's layers over the server session's fields over a preset's."""
    below = (ConfigLayer("preset", preset), ConfigLayer("serverSession", server_session))
    return read_config(PREDICTION_RULES, (*below, *layers))


def read_load_config(
    layers: Iterable[ConfigLayer], *, domain: str, default_context_length: int, max_context_length: int
) -> KVConfig:
    """Read the config that a model is loaded with; the context is never longer than the model's longest."""
    rules, prefix = (
        (LLM_LOAD_RULES, "llm.load.") if domain == "llm" else (EMBEDDING_LOAD_RULES, "embedding.load.")
    )
    key = f"{prefix}contextLength"
    default = ConfigLayer("modelDefault", [{"key": key, "value": default_context_length}])
    config = read_config(rules, (default, *layers))
    return config.with_values({key: min(config.option(key), max_context_length)})
