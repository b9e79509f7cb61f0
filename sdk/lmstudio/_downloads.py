"""Models on the server's disk, as the official SDK shows them: a description that can be made a handle."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from lmwire import UsageError
from lmwire.llm import LlmInfo

if TYPE_CHECKING:
    from lmstudio._clients import LLM, AsyncLLM, AsyncLlmModels, LlmModels
    from lmwire.config import LlmLoadModelConfig, LlmLoadModelConfigDict

__all__ = ["AsyncDownloadedLlm", "DownloadedLlm", "check_namespace"]


def check_namespace(namespace: str | None) -> None:
    """Raise UsageError unless models of this namespace can be listed."""
    if namespace == "embedding":
        raise UsageError("embedding models are later work in lmwire; language models are namespace 'llm'")
    if namespace not in (None, "llm"):
        raise UsageError(f"namespace must be 'llm', or None for all that there is; got {namespace!r}")


class _Downloaded:
    def __init__(self, model_info: LlmInfo) -> None:
        self._info = model_info

    @property
    def info(self) -> LlmInfo:
        """What the server knows of the model."""
        return self._info

    @property
    def model_key(self) -> str:
        """What ``llm`` takes to load it."""
        return self._info.model_key

    @property
    def path(self) -> str:
        """Where it lies, relative to the server's folder of models."""
        return self._info.path

    @property
    def type(self) -> str:
        """The kind of model, ``llm``."""
        return self._info.type

    def __repr__(self) -> str:
        names = ("model_key", "display_name", "architecture", "vision")
        shown = ", ".join(f"{name}={getattr(self._info, name, None)!r}" for name in names)
        return f"{type(self).__name__}({shown})"

    def __eq__(self, other: object) -> bool:
        return type(other) is type(self) and self._info == other._info

    __hash__ = None  # type: ignore[assignment]  # what it holds is mutable


class DownloadedLlm(_Downloaded):
    """A language model on the server's disk."""

    def __init__(self, model_info: LlmInfo, models: LlmModels) -> None:
        super().__init__(model_info)
        self._models = models

    def model(
        self,
        *,
        ttl: float | None = 3600,
        config: LlmLoadModelConfig | LlmLoadModelConfigDict | Mapping[str, Any] | None = None,
        on_load_progress: Callable[[float], Any] | None = None,
    ) -> LLM:
        """Return a handle of it, loading it if need be; parameters as of ``lmstudio.llm``."""
        return self._models.model(self.model_key, ttl=ttl, config=config, on_load_progress=on_load_progress)

    def load_new_instance(
        self,
        *,
        ttl: float | None = 3600,
        instance_identifier: str | None = None,
        config: LlmLoadModelConfig | LlmLoadModelConfigDict | Mapping[str, Any] | None = None,
        on_load_progress: Callable[[float], Any] | None = None,
    ) -> LLM:
        """Load another instance of it, and return its handle; parameters as of ``client.llm.load_new_instance``."""
        return self._models.load_new_instance(
            self.model_key, instance_identifier, ttl=ttl, config=config, on_load_progress=on_load_progress
        )


class AsyncDownloadedLlm(_Downloaded):
    """A language model on the server's disk, for asyncio."""

    def __init__(self, model_info: LlmInfo, models: AsyncLlmModels) -> None:
        super().__init__(model_info)
        self._models = models

    async def model(
        self,
        *,
        ttl: float | None = 3600,
        config: LlmLoadModelConfig | LlmLoadModelConfigDict | Mapping[str, Any] | None = None,
        on_load_progress: Callable[[float], Any] | None = None,
    ) -> AsyncLLM:
        """Return a handle of it, loading it if need be."""
        return await self._models.model(
            self.model_key, ttl=ttl, config=config, on_load_progress=on_load_progress
        )

    async def load_new_instance(
        self,
        *,
        ttl: float | None = 3600,
        instance_identifier: str | None = None,
        config: LlmLoadModelConfig | LlmLoadModelConfigDict | Mapping[str, Any] | None = None,
        on_load_progress: Callable[[float], Any] | None = None,
    ) -> AsyncLLM:
        """Load another instance of it, and return its handle."""
        return await self._models.load_new_instance(
            self.model_key, instance_identifier, ttl=ttl, config=config, on_load_progress=on_load_progress
        )
