"""What came into the protocol when, as data: servers are older or younger than each of these changes.

The days are those on which upstream's source got a change; applications with it followed within weeks. Changes before
July 2025 are not listed, and changes that an emulated endpoint or field has no part in neither.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import attrs

__all__ = ["HISTORY", "Change"]


@attrs.frozen(kw_only=True)
class Change:
    """What came on one day.

    Attributes:
        day: ISO date.
        namespaces: New namespaces.
        endpoints: New endpoints, ``namespace.name``.
        fields: New fields by message class, all in wire spelling.
        variants: New members of unions, by message class: packets that servers send, or events in them.
        keys: New KV config keys.
        defaults: KV config keys whose default changed, and what it was before.
        warning_kinds: Warnings got a ``kind``.
        status_page: ``GET /lms-status`` came.
    """

    day: str
    namespaces: tuple[str, ...] = ()
    endpoints: tuple[str, ...] = ()
    fields: Mapping[str, tuple[str, ...]] = attrs.field(factory=dict)
    variants: tuple[str, ...] = ()
    keys: tuple[str, ...] = ()
    defaults: Mapping[str, Any] = attrs.field(factory=dict)
    warning_kinds: bool = False
    status_page: bool = False


_INSTANCES: Final = ("LlmInstanceInfo", "EmbeddingModelInstanceInfo")
_INFOS: Final = ("LlmInfo", "EmbeddingModelInfo", *_INSTANCES)
_OF_MODELS: Final = ("llm", "embedding")


def _below(prefix: str, *names: str) -> tuple[str, ...]:
    return tuple(prefix + name for name in names)


HISTORY: Final = (
    Change(day="2025-08-01", fields={"LlmPredictionFragment": ("isStructural",)}),
    Change(day="2025-08-06", endpoints=("system.startHttpServer", "system.stopHttpServer")),
    Change(
        day="2025-08-11",
        fields={**dict.fromkeys(_INFOS, ("quantization",)), "LlmPredictionStats": ("totalTimeSec",)},
    ),
    Change(
        day="2025-08-27",
        endpoints=tuple(f"{name}.getInstanceProcessingState" for name in _OF_MODELS),
        fields=dict.fromkeys(_INSTANCES, ("ttlMs", "lastUsedTime")),
    ),
    Change(
        day="2025-08-28",
        endpoints=("repository.installLocalPlugin",),
        fields=dict.fromkeys(_INFOS, ("publisher",)),
    ),
    # The days of these keys are not known; they came after August 2025.
    Change(
        day="2025-09-01",
        keys=(
            *_below(
                "llm.prediction.",
                "toolChoice",
                "toolNaming",
                "reasoning.enableThinking",
                "reasoning.budgetTokens",
                "vision.userMaxImageDimensionPixels",
                "vision.ignoreModelPreferredMaxImageDimension",
            ),
            *_below(
                "llm.load.",
                "autoFitMinContextLength",
                "promptTemplate",
                "numCpuExpertLayersRatio",
                "numParallelSessions",
                "useUnifiedKvCache",
                "mlx.autoFit",
                "mlx.diskCache",
            ),
            *_below(
                "llm.load.llama.",
                "autoFit",
                "physicalBatchSize",
                "contextCheckpoints",
                "reasoningBudgetMessage",
                "tryDirectIO",
            ),
            *_below(
                "llm.load.llama.speculativeDecoding.",
                "draftMtp",
                "draftSimple",
                "draftDflashSidecar",
                "draftDsparkSidecar",
                "draftMtpSidecar",
                "draftModel",
                "draftMaxTokens",
                "draftMinTokens",
                "draftMinContinueProbability",
            ),
        ),
        defaults={f"{name}.load.llama.evalBatchSize": 512 for name in _OF_MODELS},
    ),
    Change(day="2025-09-11", namespaces=("runtime",), endpoints=("repository.getModelCatalog",)),
    Change(
        day="2025-09-12",
        variants=_below("DiagnosticsLogEventData", "LlmPredictionOutput", "ServerLog"),
    ),
    Change(day="2025-09-19", endpoints=tuple(f"{name}.getBasePredictionConfig" for name in _OF_MODELS)),
    Change(day="2025-09-22", endpoints=tuple(f"{name}.estimateModelUsage" for name in _OF_MODELS)),
    Change(
        day="2025-09-26",
        endpoints=("system.listDownloadedModelVariants",),
        fields=dict.fromkeys(_INFOS, ("variants", "selectedVariant")),
    ),
    Change(day="2025-09-30", fields={"ModelSearchResultDownloadOptionData": ("compatibilityType",)}),
    Change(day="2025-10-02", endpoints=("system.info",)),
    Change(
        day="2025-10-22",
        endpoints=_below("runtime.", "searchRuntimeExtensions", "downloadRuntimeExtension"),
    ),
    Change(day="2025-11-23", endpoints=("runtime.surveyHardware",)),
    Change(day="2025-11-28", status_page=True),
    Change(day="2025-12-02", endpoints=("system.requestShutdown",)),
    Change(day="2025-12-18", fields={"ChatMessagePartToolCallResultData": ("name",)}),
    Change(
        day="2026-01-09",
        endpoints=_below("repository.", "isAuthenticated", "getAuthenticationStatus", "deauthenticate"),
        variants=("EnsureAuthenticatedAuthenticationCode",),
    ),
    Change(
        day="2026-01-15",
        fields={"PredictPromptProcessingProgress": ("details",), "LlmPredictionFragment": ("tokens",)},
    ),
    Change(
        day="2026-01-20",
        endpoints=("repository.lmLinkStatus",),
        fields=dict.fromkeys(_INFOS, ("deviceIdentifier",)),
    ),
    Change(day="2026-01-29", fields={"LlmPredictionStats": ("stopString",)}),
    Change(day="2026-02-05", fields=dict.fromkeys(_INFOS, ("indexedModelIdentifier",))),
    Change(day="2026-02-09", endpoints=("repository.lmLinkUpdateDeviceName",)),
    Change(day="2026-02-10", endpoints=("repository.lmLinkSetDisabled",)),
    Change(
        day="2026-02-11",
        endpoints=("repository.lmLinkSetPreferredDevice",),
        fields=dict.fromkeys(
            ("UnloadModelParameter", "LoadModelCreation", "GetOrLoadCreation", "ModelQuery"),
            ("deviceIdentifier",),
        ),
    ),
    Change(day="2026-03-09", warning_kinds=True),
    Change(day="2026-04-01", endpoints=_below("repository.", "createDownloadPlan", "fuzzyFindStaffPicks")),
    Change(day="2026-04-02", endpoints=("plugins.reportError",)),
    Change(day="2026-04-07", endpoints=("repository.loginAsComputeDevice",)),
    Change(day="2026-07-01", endpoints=("llm.completeRawText",)),
    Change(day="2026-08-13", endpoints=("repository.getWritableArtifactOwners",)),
)
