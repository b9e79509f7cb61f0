"""Models on the server's disk, as the official SDK shows them: a description that can be made a handle."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Generic, TypeAlias, TypeVar

from lmstudio._records import EmbeddingModelInfo, LlmInfo
from lmwire import UsageError

if TYPE_CHECKING:
    from lmstudio._clients import LLM, AsyncLLM
    from lmstudio._embedding import AsyncEmbeddingModel, EmbeddingModel
    from lmwire.config import (
        EmbeddingLoadModelConfig,
        EmbeddingLoadModelConfigDict,
        LlmLoadModelConfig,
        LlmLoadModelConfigDict,
    )

    LlmConfig: TypeAlias = LlmLoadModelConfig | LlmLoadModelConfigDict | Mapping[str, Any]
    EmbeddingConfig: TypeAlias = EmbeddingLoadModelConfig | EmbeddingLoadModelConfigDict | Mapping[str, Any]

__all__ = [
    "AsyncDownloadedEmbeddingModel",
    "AsyncDownloadedLlm",
    "DownloadedEmbeddingModel",
    "DownloadedLlm",
    "namespaces_of",
]

Info = TypeVar("Info", bound=LlmInfo | EmbeddingModelInfo)
Handle = TypeVar("Handle")
Config = TypeVar("Config")


def namespaces_of(namespace: str | None) -> tuple[str, ...]:
    """Return which namespaces are meant, all that have models for None.

    Raises:
        UsageError: There is no such namespace.
    """
    both = ("llm", "embedding")
    if namespace is None:
        return both
    if namespace not in both:
        raise UsageError(f"namespace must be 'llm', 'embedding', or None for both; got {namespace!r}")
    return (namespace,)


class _Downloaded(Generic[Info]):
    def __init__(self, model_info: Info, models: Any) -> None:
        self._info = model_info
        self._models = models

    @property
    def info(self) -> Info:
        """What the server knows of the model."""
        return self._info

    @property
    def model_key(self) -> str:
        """What ``llm`` or ``embedding_model`` takes to load it."""
        return self._info.model_key

    @property
    def path(self) -> str:
        """Where it lies, relative to the server's folder of models."""
        return self._info.path

    @property
    def type(self) -> str:
        """The kind of model, ``llm`` or ``embedding``."""
        return self._info.type

    def __repr__(self) -> str:
        names = ("model_key", "display_name", "architecture", "vision")
        shown = ", ".join(
            f"{name}={getattr(self._info, name)!r}" for name in names if hasattr(self._info, name)
        )
        return f"{type(self).__name__}({shown})"

    def __eq__(self, other: object) -> bool:
        return type(other) is type(self) and self._info == other._info

    __hash__ = None  # type: ignore[assignment]  # what it holds is mutable


class _DownloadedForThreads(_Downloaded[Info], Generic[Info, Handle, Config]):
    def model(
        self,
        *,
        ttl: float | None = 3600,
        config: Config | None = None,
        on_load_progress: Callable[[float], Any] | None = None,
    ) -> Handle:
        """Return a handle of it, loading it if need be; parameters as of ``lmstudio.llm``."""
        handle: Handle = self._models.model(
            self.model_key, ttl=ttl, config=config, on_load_progress=on_load_progress
        )
        return handle

    def load_new_instance(
        self,
        *,
        ttl: float | None = 3600,
        instance_identifier: str | None = None,
        config: Config | None = None,
        on_load_progress: Callable[[float], Any] | None = None,
    ) -> Handle:
        """Load another instance of it, and return its handle; parameters as of ``client.llm.load_new_instance``."""
        handle: Handle = self._models.load_new_instance(
            self.model_key, instance_identifier, ttl=ttl, config=config, on_load_progress=on_load_progress
        )
        return handle


class _DownloadedForTasks(_Downloaded[Info], Generic[Info, Handle, Config]):
    async def model(
        self,
        *,
        ttl: float | None = 3600,
        config: Config | None = None,
        on_load_progress: Callable[[float], Any] | None = None,
    ) -> Handle:
        """Return a handle of it, loading it if need be."""
        handle: Handle = await self._models.model(
            self.model_key, ttl=ttl, config=config, on_load_progress=on_load_progress
        )
        return handle

    async def load_new_instance(
        self,
        *,
        ttl: float | None = 3600,
        instance_identifier: str | None = None,
        config: Config | None = None,
        on_load_progress: Callable[[float], Any] | None = None,
    ) -> Handle:
        """Load another instance of it, and return its handle."""
        handle: Handle = await self._models.load_new_instance(
            self.model_key, instance_identifier, ttl=ttl, config=config, on_load_progress=on_load_progress
        )
        return handle


if TYPE_CHECKING:
    _LlmForThreads: TypeAlias = _DownloadedForThreads[LlmInfo, LLM, LlmConfig]
    _EmbeddingForThreads: TypeAlias = _DownloadedForThreads[
        EmbeddingModelInfo, EmbeddingModel, EmbeddingConfig
    ]
    _LlmForTasks: TypeAlias = _DownloadedForTasks[LlmInfo, AsyncLLM, LlmConfig]
    _EmbeddingForTasks: TypeAlias = _DownloadedForTasks[
        EmbeddingModelInfo, AsyncEmbeddingModel, EmbeddingConfig
    ]
else:  # handles import this module
    _LlmForThreads = _EmbeddingForThreads = _DownloadedForThreads
    _LlmForTasks = _EmbeddingForTasks = _DownloadedForTasks


class DownloadedLlm(_LlmForThreads):
    """A language model on the server's disk."""


class DownloadedEmbeddingModel(_EmbeddingForThreads):
    """An embedding model on the server's disk."""


class AsyncDownloadedLlm(_LlmForTasks):
    """A language model on the server's disk, for asyncio."""


class AsyncDownloadedEmbeddingModel(_EmbeddingForTasks):
    """An embedding model on the server's disk, for asyncio."""
