"""Generations of servers: what the one of 2025 did not have, as data, and namespaces made to be like it.

The emulator's handlers speak the newest protocol. What a client of an older server would not see is taken out on the
way, in both directions: endpoints from the tables of a namespace, so that they are unknown; fields from messages, by
message class; keys from KV configs. A server of 2025 was built from the schema of July 2025; where that schema had
something optional that is gone now (``logprobs`` beside a fragment), it is simply not sent.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, Literal, TypeAlias, cast

import attrs

from lmwire import UNSET, llm
from lmwire.message import Message
from lmwire_emulator.endpoints import with_codecs
from lmwire_emulator.kv_config import ConfigLayer
from lmwire_runtime.descriptors import Codec, NamespaceDescriptor

__all__ = ["GENERATIONS", "Generation", "Traits", "as_of", "load_defaults"]

Generation: TypeAlias = Literal["2025", "2026"]

Fields: TypeAlias = tuple[str, ...]


@attrs.frozen(kw_only=True)
class Traits:
    """What servers of a generation are like.

    Attributes:
        version: What ``system.version`` says.
        warning_kinds: Whether warnings have a ``kind``.
        status_page: Whether there is ``GET /lms-status``.
        load_defaults: Load config that differs from today's.
        lacks_namespaces: Namespaces that do not exist.
        lacks_endpoints: Endpoints that do not exist, by namespace, by wire name.
        lacks_fields: Fields that do not exist, by message class, by wire name.
        lacks_keys: KV config keys that do not exist.
    """

    version: str
    build: int = 1
    warning_kinds: bool = True
    status_page: bool = True
    load_defaults: Mapping[str, Any] = attrs.field(factory=dict)
    lacks_namespaces: frozenset[str] = frozenset()
    lacks_endpoints: Mapping[str, frozenset[str]] = attrs.field(factory=dict)
    lacks_fields: Mapping[str, Fields] = attrs.field(factory=dict)
    lacks_keys: frozenset[str] = frozenset()


_MODEL: Final[Fields] = (
    "publisher",
    "deviceIdentifier",
    "indexedModelIdentifier",
    "quantization",
    "variants",
    "selectedVariant",
)
_INSTANCE: Final[Fields] = (*_MODEL, "ttlMs", "lastUsedTime")
_DEVICE: Final[Fields] = ("deviceIdentifier",)
_MODEL_ENDPOINTS: Final = frozenset(
    {"estimateModelUsage", "getBasePredictionConfig", "getInstanceProcessingState"}
)

GENERATIONS: Final[Mapping[Generation, Traits]] = {
    "2026": Traits(version="0.4.99"),
    "2025": Traits(
        version="0.3.20",
        warning_kinds=False,
        status_page=False,
        load_defaults={
            "llm.load.llama.evalBatchSize": 512,
            "embedding.load.llama.evalBatchSize": 512,
        },
        lacks_namespaces=frozenset({"runtime"}),
        lacks_endpoints={
            "llm": _MODEL_ENDPOINTS | {"completeRawText"},
            "embedding": _MODEL_ENDPOINTS,
            "system": frozenset(
                {
                    "info",
                    "listDownloadedModelVariants",
                    "requestShutdown",
                    "startHttpServer",
                    "stopHttpServer",
                }
            ),
            "repository": frozenset(
                {
                    "createDownloadPlan",
                    "deauthenticate",
                    "fuzzyFindStaffPicks",
                    "getAuthenticationStatus",
                    "getModelCatalog",
                    "getWritableArtifactOwners",
                    "installLocalPlugin",
                    "isAuthenticated",
                    "lmLinkSetDisabled",
                    "lmLinkSetPreferredDevice",
                    "lmLinkStatus",
                    "lmLinkUpdateDeviceName",
                    "loginAsComputeDevice",
                }
            ),
            "plugins": frozenset({"reportError"}),
        },
        lacks_fields={
            "LlmInfo": _MODEL,
            "LlmInstanceInfo": _INSTANCE,
            "EmbeddingModelInfo": _MODEL,
            "EmbeddingModelInstanceInfo": _INSTANCE,
            "LlmPredictionFragment": ("isStructural", "tokens"),
            "LlmPredictionStats": ("stopString", "totalTimeSec"),
            "PredictPromptProcessingProgress": ("details",),
            "ModelQuery": _DEVICE,
            "UnloadModelParameter": _DEVICE,
            "LoadModelCreation": _DEVICE,
            "GetOrLoadCreation": _DEVICE,
        },
        lacks_keys=frozenset(
            {
                *(
                    f"llm.prediction.{key}"
                    for key in (
                        "toolChoice",
                        "toolNaming",
                        "reasoning.enableThinking",
                        "reasoning.budgetTokens",
                        "vision.userMaxImageDimensionPixels",
                        "vision.ignoreModelPreferredMaxImageDimension",
                    )
                ),
                *(
                    f"llm.load.{key}"
                    for key in (
                        "autoFitMinContextLength",
                        "promptTemplate",
                        "numCpuExpertLayersRatio",
                        "numParallelSessions",
                        "useUnifiedKvCache",
                        "llama.autoFit",
                        "llama.physicalBatchSize",
                        "llama.contextCheckpoints",
                        "llama.reasoningBudgetMessage",
                        "llama.tryDirectIO",
                        "mlx.autoFit",
                        "mlx.diskCache",
                    )
                ),
                *(
                    f"llm.load.llama.speculativeDecoding.{key}"
                    for key in (
                        "draftMtp",
                        "draftSimple",
                        "draftDflashSidecar",
                        "draftDsparkSidecar",
                        "draftMtpSidecar",
                        "draftModel",
                        "draftMaxTokens",
                        "draftMinTokens",
                        "draftMinContinueProbability",
                    )
                ),
            }
        ),
    ),
}


def load_defaults(traits: Traits) -> ConfigLayer:
    """Return the load defaults of a generation as the lowest layer of a config."""
    return ConfigLayer(
        "modelDefault", [{"key": key, "value": value} for key, value in traits.load_defaults.items()]
    )


def as_of(traits: Traits, namespace: NamespaceDescriptor) -> NamespaceDescriptor:
    """Return a namespace as servers of a generation have it, endpoints and messages."""
    lacking = traits.lacks_endpoints.get(namespace.name, frozenset())
    kept = attrs.evolve(
        namespace,
        rpc={name: endpoint for name, endpoint in namespace.rpc.items() if name not in lacking},
        channel={name: endpoint for name, endpoint in namespace.channel.items() if name not in lacking},
    )
    if not traits.lacks_fields and not traits.lacks_keys:
        return kept
    return with_codecs(kept, lambda codec: _reduced_codec(codec, traits))


def _reduced_codec(codec: Codec[Any], traits: Traits) -> Codec[Any]:
    return attrs.evolve(
        codec,
        decoder=lambda data, decoding, path: _reduced(codec.decoder(data, decoding, path), traits),
        encoder=lambda value: codec.encoder(_reduced(value, traits)),
    )


def _reduced(value: Any, traits: Traits) -> Any:
    """Take out of a message, in place, what the generation does not have; returns it."""
    if isinstance(value, list):
        for item in value:
            _reduced(item, traits)
    elif isinstance(value, Message):
        _reduce_message(value, traits)
    return value


def _reduce_message(message: Message, traits: Traits) -> None:
    if isinstance(message, llm.KvConfig):
        message.fields = [field for field in message.fields if field.key not in traits.lacks_keys]
        return
    kind = type(message)
    lacking = traits.lacks_fields.get(kind.__name__, ())
    fields: Mapping[str, Any] = attrs.fields_dict(cast(Any, kind))
    for attribute, name in kind.wire_names.items():
        if name not in lacking:
            _reduced(getattr(message, attribute, UNSET), traits)
        elif fields[attribute].default is UNSET:
            setattr(message, attribute, UNSET)
        elif hasattr(message, attribute):
            delattr(message, attribute)  # an empty slot is left out on the wire
