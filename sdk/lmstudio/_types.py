"""Names for type annotations, as the official SDK has them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Protocol, TypeAlias, TypedDict, runtime_checkable

from lmstudio._clients import LLM
from lmstudio._downloads import (
    AsyncDownloadedEmbeddingModel,
    AsyncDownloadedLlm,
    DownloadedEmbeddingModel,
    DownloadedLlm,
)
from lmstudio._embedding import EmbeddingModel
from lmstudio._records import EmbeddingModelInfo, EmbeddingModelInstanceInfo, LlmInfo, LlmInstanceInfo
from lmstudio.history import AssistantResponse
from lmwire.config import (
    EmbeddingLoadModelConfig,
    LlmLoadModelConfig,
    LlmStructuredPredictionSetting,
    LlmStructuredPredictionSettingDict,
)
from lmwire.llm import (
    LlmPredictionFragment,
    ModelQuery,
    ModelSpecifierInstanceReference,
    ModelSpecifierQuery,
)

__all__ = [
    "AnyAsyncDownloadedModel",
    "AnyDownloadedModel",
    "AnyLoadConfig",
    "AnyModelSpecifier",
    "DictObject",
    "DictSchema",
    "ModelInfo",
    "ModelInstanceInfo",
    "ModelQueryDict",
    "ModelSchema",
    "ModelSpecifier",
    "ModelSpecifierDict",
    "PredictionFirstTokenCallback",
    "PredictionFragmentCallback",
    "PredictionMessageCallback",
    "PromptProcessingCallback",
    "ResponseSchema",
    "SyncModelHandle",
]

DictObject: TypeAlias = Mapping[str, Any]
"""Any JSON object."""

DictSchema: TypeAlias = Mapping[str, Any]
"""A JSON Schema."""


@runtime_checkable
class ModelSchema(Protocol):
    """A class that says in what shape it wants an answer: ``BaseModel``'s subclasses, pydantic's, and others."""

    @classmethod
    def model_json_schema(cls) -> DictSchema:
        """Return the JSON Schema."""
        ...


class ModelQueryDict(TypedDict, total=False):
    """Conditions on a loaded model."""

    domain: str
    identifier: str
    path: str
    vision: bool


class _SpecifierDict(TypedDict):
    type: str


class ModelSpecifierDict(_SpecifierDict, total=False):
    """Which loaded model is meant: ``type`` is ``query`` or ``instanceReference``, the other key has that name."""

    query: ModelQueryDict
    instanceReference: str


AnyLoadConfig: TypeAlias = EmbeddingLoadModelConfig | LlmLoadModelConfig
AnyDownloadedModel: TypeAlias = DownloadedLlm | DownloadedEmbeddingModel
AnyAsyncDownloadedModel: TypeAlias = AsyncDownloadedLlm | AsyncDownloadedEmbeddingModel
ModelInfo: TypeAlias = LlmInfo | EmbeddingModelInfo
ModelInstanceInfo: TypeAlias = LlmInstanceInfo | EmbeddingModelInstanceInfo
ModelSpecifier: TypeAlias = ModelSpecifierQuery | ModelSpecifierInstanceReference
AnyModelSpecifier: TypeAlias = str | ModelSpecifier | ModelQuery | DictObject
SyncModelHandle: TypeAlias = LLM | EmbeddingModel
ResponseSchema: TypeAlias = (
    DictSchema | LlmStructuredPredictionSetting | LlmStructuredPredictionSettingDict | type[ModelSchema]
)
PredictionFirstTokenCallback: TypeAlias = Callable[[], Any]
PredictionFragmentCallback: TypeAlias = Callable[[LlmPredictionFragment], Any]
PredictionMessageCallback: TypeAlias = Callable[[AssistantResponse], Any]
PromptProcessingCallback: TypeAlias = Callable[[float], Any]
