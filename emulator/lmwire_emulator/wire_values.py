"""From the emulator's plain values to the protocol's messages, and back: the only place that knows both."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final, TypeVar

from lmwire import UNSET, Unset, llm, system
from lmwire.types.models import decode_model_info, decode_model_instance_info
from lmwire_emulator.engines.base import Fragment, PromptProgress, Statistics, Token
from lmwire_emulator.errors import EmulatorError
from lmwire_emulator.kv_config import ConfigLayer, KVConfig
from lmwire_emulator.models import LoadedModel, Model
from lmwire_runtime.server import ErrorReply

__all__ = [
    "MEMORY_BYTES",
    "config_layers",
    "error_replies",
    "estimated_usage",
    "fragment",
    "instance_info",
    "kv_config",
    "model_info",
    "progress_details",
    "stats",
]

T = TypeVar("T")

# Of an invented machine: what it has, and what a token of context takes.
MEMORY_BYTES: Final = 64_000_000
CONTEXT_BYTES_PER_TOKEN: Final = 2_048


@contextmanager
def error_replies() -> Iterator[None]:
    """Turn the emulator's failures into the error replies that clients get."""
    try:
        yield
    except EmulatorError as error:
        raise ErrorReply.verbatim(error.wire) from error


def _unless_none(value: T | None) -> T | Unset:
    return UNSET if value is None else value


def _model_fields(model: Model) -> dict[str, Any]:
    quantization = model.quantization
    return {
        "type": model.domain,
        "modelKey": model.model_key,
        "format": model.format,
        "displayName": model.display_name,
        "publisher": model.publisher,
        "path": model.path,
        "sizeBytes": model.size_bytes,
        "indexedModelIdentifier": model.path,
        "deviceIdentifier": None,
        "maxContextLength": model.max_context_length,
        **(
            {"vision": model.vision, "trainedForToolUse": model.trained_for_tool_use}
            if model.domain == "llm"
            else {}
        ),
        **({} if model.params_string is None else {"paramsString": model.params_string}),
        **({} if model.architecture is None else {"architecture": model.architecture}),
        **(
            {}
            if quantization is None
            else {"quantization": {"name": quantization.name, "bits": quantization.bits}}
        ),
    }


def _instance_fields(instance: LoadedModel) -> dict[str, Any]:
    return {
        **_model_fields(instance.model),
        "identifier": instance.identifier,
        "instanceReference": instance.instance_reference,
        "ttlMs": instance.ttl_ms,
        "lastUsedTime": instance.last_used_ms,
        "contextLength": instance.context_length,
    }


def model_info(model: Model) -> system.ModelInfo:
    """Return what the wire says of a downloaded model of any domain."""
    return decode_model_info(_model_fields(model))


def instance_info(instance: LoadedModel) -> llm.ModelInstanceInfo:
    """Return what the wire says of a loaded model of any domain."""
    return decode_model_instance_info(_instance_fields(instance))


def estimated_usage(model: Model, context_length: int) -> llm.EstimatedResourcesUsage:
    """Return what loading a model with a context of so many tokens would take; all of it on the GPU."""
    of_context = context_length * CONTEXT_BYTES_PER_TOKEN
    total = model.size_bytes + of_context
    memory = llm.EstimatedModelMemoryUsage(
        confidence="high",
        model_vram_bytes=model.size_bytes,
        context_vram_bytes=of_context,
        total_vram_bytes=total,
        model_bytes=model.size_bytes,
        context_bytes=of_context,
        total_bytes=total,
    )
    return llm.EstimatedResourcesUsage(memory=memory, passes_guardrails=total <= MEMORY_BYTES)


def config_layers(stack: llm.KvConfigStack) -> list[ConfigLayer]:
    """Return the layers of a config stack, the first one lowest."""
    return [ConfigLayer(layer.layer_name, layer.config.to_wire()["fields"]) for layer in stack.layers]


def kv_config(config: KVConfig) -> llm.KvConfig:
    """Return a config as the wire has it, defaults included."""
    return llm.KvConfig.from_wire({"fields": config.fields()})


def fragment(value: Fragment) -> llm.LlmPredictionFragment:
    """Return a fragment with every field that any generation of clients requires."""
    return llm.LlmPredictionFragment(
        content=value.content,
        tokens_count=value.tokens_count,
        contains_drafted=value.contains_drafted,
        reasoning_type=value.reasoning_type,
        is_structural=value.is_structural,
        tokens=UNSET if value.tokens is None else _tokens(value.tokens),
    )


def _tokens(tokens: Sequence[Token]) -> list[llm.LlmToken]:
    return [
        llm.LlmToken(
            text=token.text,
            id=token.id,
            log_prob=_unless_none(token.log_prob),
            candidates=UNSET
            if token.candidates is None
            else [
                llm.LlmCandidateToken(text=other.text, id=other.id, log_prob=other.log_prob)
                for other in token.candidates
            ],
        )
        for token in tokens
    ]


def progress_details(value: PromptProgress) -> llm.PromptProcessingDetails:
    """Return the four counters of prompt processing; total = cached + processed + unprocessed."""
    return llm.PromptProcessingDetails(
        cached_token_count=value.cached,
        total_prompt_token_count=value.total,
        processed_prompt_token_count=value.processed,
        unprocessed_prompt_token_count=value.unprocessed,
    )


def stats(value: Statistics) -> llm.LlmPredictionStats:
    """Return the statistics of a generation."""
    return llm.LlmPredictionStats(
        stop_reason=value.stop_reason,
        stop_string=_unless_none(value.stop_string),
        tokens_per_second=_unless_none(value.tokens_per_second),
        num_gpu_layers=-1,  # what LM Studio reports where it does not know
        time_to_first_token_sec=_unless_none(value.time_to_first_token),
        total_time_sec=value.total_time,
        prompt_tokens_count=value.prompt_tokens,
        predicted_tokens_count=value.predicted_tokens,
        total_tokens_count=value.total_tokens,
        used_draft_model_key=_unless_none(value.used_draft_model),
        total_draft_tokens_count=_unless_none(value.drafted_tokens),
        accepted_draft_tokens_count=_unless_none(value.accepted_draft_tokens),
        rejected_draft_tokens_count=_unless_none(value.rejected_draft_tokens),
        ignored_draft_tokens_count=_unless_none(value.ignored_draft_tokens),
    )
