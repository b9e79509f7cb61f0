"""Embedding models under the official SDK's names, raising its exceptions."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, TypeAlias, overload

import lmwire
from lmstudio._downloads import AsyncDownloadedEmbeddingModel, DownloadedEmbeddingModel
from lmstudio._records import EmbeddingModelInfo, EmbeddingModelInstanceInfo, with_none
from lmstudio._specifiers import AnyModelSpecifier, known, specifier_of
from lmstudio._timeouts import Timeout
from lmstudio._translation import speaks_lmstudio
from lmwire import embedding

if TYPE_CHECKING:
    from lmwire.config import EmbeddingLoadModelConfig, EmbeddingLoadModelConfigDict

    LoadConfig: TypeAlias = EmbeddingLoadModelConfig | EmbeddingLoadModelConfigDict | Mapping[str, Any] | None

__all__ = ["AsyncEmbeddingModel", "AsyncEmbeddingModels", "EmbeddingModel", "EmbeddingModels"]


@speaks_lmstudio
class EmbeddingModel(embedding.EmbeddingModel):
    """A loaded embedding model."""

    def get_info(self, *, timeout: Timeout = lmwire.UNSET) -> EmbeddingModelInstanceInfo:
        """Return what the server knows of this model instance; None for what it does not say."""
        return with_none(super().get_info(timeout=timeout), EmbeddingModelInstanceInfo)

    if TYPE_CHECKING:  # the schema has numbers; token ids are whole ones

        @overload  # type: ignore[override]
        def tokenize(  # type: ignore[overload-overlap]
            self, input: str, *, timeout: Timeout = ...
        ) -> list[int]: ...
        @overload
        def tokenize(self, input: Iterable[str], *, timeout: Timeout = ...) -> list[list[int]]: ...
        def tokenize(self, input: Any, *, timeout: Timeout = ...) -> Any: ...  # pyright: ignore[reportIncompatibleMethodOverride]


@speaks_lmstudio
class AsyncEmbeddingModel(embedding.AsyncEmbeddingModel):
    """A loaded embedding model, for asyncio."""

    async def get_info(self, *, timeout: Timeout = lmwire.UNSET) -> EmbeddingModelInstanceInfo:
        """Return what the server knows of this model instance; None for what it does not say."""
        return with_none(await super().get_info(timeout=timeout), EmbeddingModelInstanceInfo)

    if TYPE_CHECKING:

        @overload  # type: ignore[override]
        async def tokenize(  # type: ignore[overload-overlap]
            self, input: str, *, timeout: Timeout = ...
        ) -> list[int]: ...
        @overload
        async def tokenize(self, input: Iterable[str], *, timeout: Timeout = ...) -> list[list[int]]: ...
        async def tokenize(self, input: Any, *, timeout: Timeout = ...) -> Any: ...  # pyright: ignore[reportIncompatibleMethodOverride]


@speaks_lmstudio
class EmbeddingModelLoad(embedding.EmbeddingModelLoad):
    """The load of a model."""


@speaks_lmstudio
class AsyncEmbeddingModelLoad(embedding.AsyncEmbeddingModelLoad):
    """The load of a model, for asyncio."""


@speaks_lmstudio
class EmbeddingModels(embedding.EmbeddingModels):
    """The namespace ``embedding``."""

    handle_class = EmbeddingModel
    load_class = EmbeddingModelLoad

    if TYPE_CHECKING:

        def model(
            self,
            model_key: str | None = None,
            /,
            *,
            ttl: float | None = ...,
            config: LoadConfig = None,
            on_load_progress: Callable[[float], Any] | None = None,
            timeout: Timeout = ...,
        ) -> EmbeddingModel: ...
        def load_new_instance(
            self,
            model_key: str,
            instance_identifier: str | None = None,
            *,
            ttl: float | None = ...,
            config: LoadConfig = None,
            on_load_progress: Callable[[float], Any] | None = None,
            timeout: Timeout = ...,
        ) -> EmbeddingModel: ...
        def list_loaded(self, *, timeout: Timeout = ...) -> list[EmbeddingModel]: ...  # type: ignore[override]

    def unload(  # pyright: ignore[reportIncompatibleMethodOverride]  # the official name of the parameter
        self, model_identifier: str, *, timeout: Timeout = lmwire.UNSET
    ) -> None:
        """Unload the model that is loaded under this identifier."""
        super().unload(model_identifier, timeout=timeout)

    def list_downloaded(  # type: ignore[override]
        self, *, timeout: Timeout = lmwire.UNSET
    ) -> list[DownloadedEmbeddingModel]:
        """Return the embedding models on the server's disk."""
        found = super().list_downloaded(timeout=timeout)
        return [DownloadedEmbeddingModel(with_none(info, EmbeddingModelInfo), self) for info in found]

    def get_model_info(self, model_specifier: AnyModelSpecifier) -> EmbeddingModelInstanceInfo:
        """Return what the server knows of a loaded model: one with this identifier, or that fits a query."""
        info = self.rpc.get_model_info(specifier=specifier_of(model_specifier), throw_if_not_found=True)
        return known(info, model_specifier, EmbeddingModelInstanceInfo)


@speaks_lmstudio
class AsyncEmbeddingModels(embedding.AsyncEmbeddingModels):
    """The namespace ``embedding``, for asyncio."""

    handle_class = AsyncEmbeddingModel
    load_class = AsyncEmbeddingModelLoad

    if TYPE_CHECKING:

        async def model(
            self,
            model_key: str | None = None,
            /,
            *,
            ttl: float | None = ...,
            config: LoadConfig = None,
            on_load_progress: Callable[[float], Any] | None = None,
            timeout: Timeout = ...,
        ) -> AsyncEmbeddingModel: ...
        async def load_new_instance(
            self,
            model_key: str,
            instance_identifier: str | None = None,
            *,
            ttl: float | None = ...,
            config: LoadConfig = None,
            on_load_progress: Callable[[float], Any] | None = None,
            timeout: Timeout = ...,
        ) -> AsyncEmbeddingModel: ...
        async def list_loaded(self, *, timeout: Timeout = ...) -> list[AsyncEmbeddingModel]: ...  # type: ignore[override]

    async def unload(  # pyright: ignore[reportIncompatibleMethodOverride]  # the official name of the parameter
        self, model_identifier: str, *, timeout: Timeout = lmwire.UNSET
    ) -> None:
        """Unload the model that is loaded under this identifier."""
        await super().unload(model_identifier, timeout=timeout)

    async def list_downloaded(  # type: ignore[override]
        self, *, timeout: Timeout = lmwire.UNSET
    ) -> list[AsyncDownloadedEmbeddingModel]:
        """Return the embedding models on the server's disk."""
        found = await super().list_downloaded(timeout=timeout)
        return [AsyncDownloadedEmbeddingModel(with_none(info, EmbeddingModelInfo), self) for info in found]

    async def get_model_info(self, model_specifier: AnyModelSpecifier) -> EmbeddingModelInstanceInfo:
        """Return what the server knows of a loaded model: one with this identifier, or that fits a query."""
        info = await self.rpc.get_model_info(specifier=specifier_of(model_specifier), throw_if_not_found=True)
        return known(info, model_specifier, EmbeddingModelInstanceInfo)
