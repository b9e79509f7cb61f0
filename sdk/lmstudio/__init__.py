"""The official LM Studio SDK's import name, on lmwire.

>>> import lmstudio as lm
>>> llm = lm.llm()
>>> for content_fragment in llm.complete_stream("My name is"):
...     print(content_fragment, end="", flush=True)

The module-level functions share one default client, made on first use. What this package does not have (agents,
plugins) raises an AttributeError that says so; the official ``lmstudio`` has it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lmstudio._clients import (
    LLM,
    AsyncClient,
    AsyncLLM,
    Client,
)
from lmstudio._default import (
    configure_default_client,
    embedding_model,
    find_default_local_api_host,
    get_default_client,
    is_valid_api_host,
    list_downloaded_models,
    list_loaded_models,
    llm,
    prepare_image,
)
from lmstudio._downloads import (
    AsyncDownloadedEmbeddingModel,
    AsyncDownloadedLlm,
    DownloadedEmbeddingModel,
    DownloadedLlm,
)
from lmstudio._embedding import AsyncEmbeddingModel, EmbeddingModel
from lmstudio._later import LATER_NAMES, refuse
from lmstudio._predictions import AsyncPredictionStream, PredictionResult, PredictionStream
from lmstudio._records import (
    EmbeddingModelInfo,
    EmbeddingModelInstanceInfo,
    LlmInfo,
    LlmInstanceInfo,
    LlmPredictionStats,
)
from lmstudio._timeouts import get_sync_api_timeout, set_sync_api_timeout
from lmstudio._types import (
    AnyAsyncDownloadedModel,
    AnyDownloadedModel,
    AnyLoadConfig,
    AnyModelSpecifier,
    DictObject,
    DictSchema,
    ModelInfo,
    ModelInstanceInfo,
    ModelQueryDict,
    ModelSchema,
    ModelSpecifier,
    ModelSpecifierDict,
    PredictionFirstTokenCallback,
    PredictionFragmentCallback,
    PredictionMessageCallback,
    PromptProcessingCallback,
    ResponseSchema,
    SyncModelHandle,
)
from lmstudio.exceptions import (
    LMStudioCancelledError,
    LMStudioChannelClosedError,
    LMStudioClientError,
    LMStudioError,
    LMStudioFileNotFoundError,
    LMStudioModelNotFoundError,
    LMStudioOSError,
    LMStudioPredictionError,
    LMStudioPresetNotFoundError,
    LMStudioRuntimeError,
    LMStudioServerError,
    LMStudioTimeoutError,
    LMStudioUnknownMessageWarning,
    LMStudioValueError,
    LMStudioWebsocketError,
    SerializedLMSExtendedError,
    ValidationError,
)
from lmstudio.history import (
    AnyChatMessage,
    AnyChatMessageDict,
    AssistantResponse,
    AssistantResponseContent,
    Chat,
    ChatHistoryData,
    ChatHistoryDataDict,
    FileHandle,
    FileHandleDict,
    FileHandleInput,
    FileType,
    LocalFileInput,
    SystemPrompt,
    SystemPromptContent,
    TextData,
    TextDataDict,
    ToolCallRequest,
    ToolCallResultData,
    ToolResultMessage,
    UserMessage,
    UserMessageContent,
    UserMessageDict,
)
from lmwire import BaseModel
from lmwire.config import (
    EmbeddingLoadModelConfig,
    EmbeddingLoadModelConfigDict,
    LlmLoadModelConfig,
    LlmLoadModelConfigDict,
    LlmPredictionConfig,
    LlmPredictionConfigDict,
)
from lmwire.llm import (
    LlmPredictionFragment,
    ModelQuery,
)

__all__ = [
    "AnyAsyncDownloadedModel",
    "AnyChatMessage",
    "AnyChatMessageDict",
    "AnyDownloadedModel",
    "AnyLoadConfig",
    "AnyModelSpecifier",
    "AssistantResponse",
    "AssistantResponseContent",
    "AsyncClient",
    "AsyncDownloadedEmbeddingModel",
    "AsyncDownloadedLlm",
    "AsyncEmbeddingModel",
    "AsyncLLM",
    "AsyncPredictionStream",
    "BaseModel",
    "Chat",
    "ChatHistoryData",
    "ChatHistoryDataDict",
    "Client",
    "DictObject",
    "DictSchema",
    "DownloadedEmbeddingModel",
    "DownloadFinalizedCallback",
    "DownloadProgressCallback",
    "DownloadProgressUpdate",
    "DownloadedLlm",
    "EmbeddingLoadModelConfig",
    "EmbeddingLoadModelConfigDict",
    "EmbeddingModel",
    "EmbeddingModelInfo",
    "EmbeddingModelInstanceInfo",
    "FileHandle",
    "FileHandleDict",
    "FileHandleInput",
    "FileType",
    "LLM",
    "LMStudioCancelledError",
    "LMStudioChannelClosedError",
    "LMStudioClientError",
    "LMStudioError",
    "LMStudioFileNotFoundError",
    "LMStudioModelNotFoundError",
    "LMStudioOSError",
    "LMStudioPredictionError",
    "LMStudioPresetNotFoundError",
    "LMStudioRuntimeError",
    "LMStudioServerError",
    "LMStudioTimeoutError",
    "LMStudioUnknownMessageWarning",
    "LMStudioValueError",
    "LMStudioWebsocketError",
    "LlmInfo",
    "LlmInstanceInfo",
    "LlmLoadModelConfig",
    "LlmLoadModelConfigDict",
    "LlmPredictionConfig",
    "LlmPredictionConfigDict",
    "LlmPredictionFragment",
    "LlmPredictionStats",
    "LocalFileInput",
    "ModelInfo",
    "ModelInstanceInfo",
    "ModelQuery",
    "ModelQueryDict",
    "ModelSchema",
    "ModelSpecifier",
    "ModelSpecifierDict",
    "PredictionFirstTokenCallback",
    "PredictionFragmentCallback",
    "PredictionMessageCallback",
    "PredictionResult",
    "PredictionStream",
    "PromptProcessingCallback",
    "ResponseSchema",
    "SerializedLMSExtendedError",
    "SyncModelHandle",
    "SystemPrompt",
    "SystemPromptContent",
    "TextData",
    "TextDataDict",
    "ToolCallRequest",
    "ToolCallResultData",
    "ToolResultMessage",
    "UserMessage",
    "UserMessageContent",
    "UserMessageDict",
    "ValidationError",
    "configure_default_client",
    "embedding_model",
    "find_default_local_api_host",
    "get_default_client",
    "get_sync_api_timeout",
    "is_valid_api_host",
    "list_downloaded_models",
    "list_loaded_models",
    "llm",
    "prepare_image",
    "set_sync_api_timeout",
]

if TYPE_CHECKING:
    from lmstudio._repository import (
        DownloadFinalizedCallback,
        DownloadProgressCallback,
        DownloadProgressUpdate,
    )

    __version__: str
else:

    def __getattr__(name: str) -> Any:
        if name == "__version__":
            from importlib.metadata import version

            return version("lmwire-lmstudio")
        if name.startswith("Download") and name in __all__:  # most programs download nothing
            from lmstudio import _repository

            return getattr(_repository, name)
        refuse(f"module {__name__!r}", name, LATER_NAMES.get(name))


def __dir__() -> list[str]:
    return __all__
