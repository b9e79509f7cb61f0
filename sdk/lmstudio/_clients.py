"""Clients, handles and streams under the official SDK's names, raising its exceptions."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any, overload

import lmwire
from lmstudio._chat_forms import taking_chats
from lmstudio._downloads import (
    AsyncDownloadedEmbeddingModel,
    AsyncDownloadedLlm,
    DownloadedEmbeddingModel,
    DownloadedLlm,
    namespaces_of,
)
from lmstudio._embedding import (
    AsyncEmbeddingModel,
    AsyncEmbeddingModels,
    EmbeddingModel,
    EmbeddingModels,
)
from lmstudio._later import LacksAgents
from lmstudio._predictions import AsyncPredictionStream, PredictionResult, PredictionStream, like
from lmstudio._records import LlmInfo, LlmInstanceInfo, with_none
from lmstudio._specifiers import AnyModelSpecifier, known, specifier_of
from lmstudio._timeouts import Timeout, register
from lmstudio._translation import speaks_lmstudio
from lmwire import llm

if TYPE_CHECKING:
    from typing_extensions import Self

    from lmstudio._files import AsyncFiles, Files
    from lmstudio._repository import AsyncRepository, Repository
    from lmstudio._system import AsyncSystem, System
    from lmstudio.history import FileHandle, LocalFileInput
    from lmwire.config import LlmLoadModelConfig, LlmLoadModelConfigDict

__all__ = [
    "LLM",
    "AsyncClient",
    "AsyncLLM",
    "AsyncPredictionStream",
    "Client",
    "PredictionResult",
    "PredictionStream",
]


@speaks_lmstudio
class LLM(llm.LLM, LacksAgents):
    """A loaded language model."""

    complete_stream_class = PredictionStream
    respond_stream_class = PredictionStream
    apply_prompt_template = taking_chats(llm.LLM.apply_prompt_template)

    def get_info(self, *, timeout: Timeout = lmwire.UNSET) -> LlmInstanceInfo:
        """Return what the server knows of this model instance; None for what it does not say."""
        return with_none(super().get_info(timeout=timeout), LlmInstanceInfo)

    if TYPE_CHECKING:

        @like(llm.LLM.complete_stream)
        def complete_stream(self) -> PredictionStream: ...
        @like(llm.LLM.complete)
        def complete(self) -> PredictionResult: ...
        @like(llm.LLM.respond_stream)
        def respond_stream(self) -> PredictionStream: ...
        @like(llm.LLM.respond)
        def respond(self) -> PredictionResult: ...
        # The schema has numbers; token ids are whole ones.
        @overload  # type: ignore[override]
        def tokenize(  # type: ignore[overload-overlap]
            self, input: str, *, timeout: Timeout = ...
        ) -> list[int]: ...
        @overload
        def tokenize(self, input: Iterable[str], *, timeout: Timeout = ...) -> list[list[int]]: ...
        def tokenize(self, input: Any, *, timeout: Timeout = ...) -> Any: ...  # pyright: ignore[reportIncompatibleMethodOverride]
    else:
        respond_stream = taking_chats(llm.LLM.respond_stream)


@speaks_lmstudio
class AsyncLLM(llm.AsyncLLM, LacksAgents):
    """A loaded language model, for asyncio."""

    complete_stream_class = AsyncPredictionStream
    respond_stream_class = AsyncPredictionStream
    apply_prompt_template = taking_chats(llm.AsyncLLM.apply_prompt_template)

    async def get_info(self, *, timeout: Timeout = lmwire.UNSET) -> LlmInstanceInfo:
        """Return what the server knows of this model instance; None for what it does not say."""
        return with_none(await super().get_info(timeout=timeout), LlmInstanceInfo)

    if TYPE_CHECKING:

        @like(llm.AsyncLLM.complete_stream)
        def complete_stream(self) -> AsyncPredictionStream: ...
        @like(llm.AsyncLLM.complete)
        async def complete(self) -> PredictionResult: ...
        @like(llm.AsyncLLM.respond_stream)
        def respond_stream(self) -> AsyncPredictionStream: ...
        @like(llm.AsyncLLM.respond)
        async def respond(self) -> PredictionResult: ...
        @overload  # type: ignore[override]
        async def tokenize(  # type: ignore[overload-overlap]
            self, input: str, *, timeout: Timeout = ...
        ) -> list[int]: ...
        @overload
        async def tokenize(self, input: Iterable[str], *, timeout: Timeout = ...) -> list[list[int]]: ...
        async def tokenize(self, input: Any, *, timeout: Timeout = ...) -> Any: ...  # pyright: ignore[reportIncompatibleMethodOverride]
    else:
        respond_stream = taking_chats(llm.AsyncLLM.respond_stream)


@speaks_lmstudio
class LLMLoad(llm.LLMLoad):
    """The load of a model."""


@speaks_lmstudio
class AsyncLLMLoad(llm.AsyncLLMLoad):
    """The load of a model, for asyncio."""


@speaks_lmstudio
class LlmModels(llm.LlmModels):
    """The namespace ``llm``."""

    handle_class = LLM
    load_class = LLMLoad

    if TYPE_CHECKING:

        def model(
            self,
            model_key: str | None = None,
            /,
            *,
            ttl: float | None = ...,
            config: LlmLoadModelConfig | LlmLoadModelConfigDict | Mapping[str, Any] | None = None,
            on_load_progress: Callable[[float], Any] | None = None,
            timeout: Timeout = ...,
        ) -> LLM: ...
        def load_new_instance(
            self,
            model_key: str,
            instance_identifier: str | None = None,
            *,
            ttl: float | None = ...,
            config: LlmLoadModelConfig | LlmLoadModelConfigDict | Mapping[str, Any] | None = None,
            on_load_progress: Callable[[float], Any] | None = None,
            timeout: Timeout = ...,
        ) -> LLM: ...
        def list_loaded(self, *, timeout: Timeout = ...) -> list[LLM]: ...  # type: ignore[override]

    def unload(  # pyright: ignore[reportIncompatibleMethodOverride]  # the official name of the parameter
        self, model_identifier: str, *, timeout: Timeout = lmwire.UNSET
    ) -> None:
        """Unload the model that is loaded under this identifier."""
        super().unload(model_identifier, timeout=timeout)

    def list_downloaded(  # type: ignore[override]
        self, *, timeout: Timeout = lmwire.UNSET
    ) -> list[DownloadedLlm]:
        """Return the language models on the server's disk."""
        return [
            DownloadedLlm(with_none(info, LlmInfo), self) for info in super().list_downloaded(timeout=timeout)
        ]

    def get_model_info(self, model_specifier: AnyModelSpecifier) -> LlmInstanceInfo:
        """Return what the server knows of a loaded model: one with this identifier, or that fits a query."""
        info = self.rpc.get_model_info(specifier=specifier_of(model_specifier), throw_if_not_found=True)
        return known(info, model_specifier, LlmInstanceInfo)


@speaks_lmstudio
class AsyncLlmModels(llm.AsyncLlmModels):
    """The namespace ``llm``, for asyncio."""

    handle_class = AsyncLLM
    load_class = AsyncLLMLoad

    if TYPE_CHECKING:

        async def model(
            self,
            model_key: str | None = None,
            /,
            *,
            ttl: float | None = ...,
            config: LlmLoadModelConfig | LlmLoadModelConfigDict | Mapping[str, Any] | None = None,
            on_load_progress: Callable[[float], Any] | None = None,
            timeout: Timeout = ...,
        ) -> AsyncLLM: ...
        async def load_new_instance(
            self,
            model_key: str,
            instance_identifier: str | None = None,
            *,
            ttl: float | None = ...,
            config: LlmLoadModelConfig | LlmLoadModelConfigDict | Mapping[str, Any] | None = None,
            on_load_progress: Callable[[float], Any] | None = None,
            timeout: Timeout = ...,
        ) -> AsyncLLM: ...
        async def list_loaded(self, *, timeout: Timeout = ...) -> list[AsyncLLM]: ...  # type: ignore[override]

    async def unload(  # pyright: ignore[reportIncompatibleMethodOverride]  # the official name of the parameter
        self, model_identifier: str, *, timeout: Timeout = lmwire.UNSET
    ) -> None:
        """Unload the model that is loaded under this identifier."""
        await super().unload(model_identifier, timeout=timeout)

    async def list_downloaded(  # type: ignore[override]
        self, *, timeout: Timeout = lmwire.UNSET
    ) -> list[AsyncDownloadedLlm]:
        """Return the language models on the server's disk."""
        found = await super().list_downloaded(timeout=timeout)
        return [AsyncDownloadedLlm(with_none(info, LlmInfo), self) for info in found]

    async def get_model_info(self, model_specifier: AnyModelSpecifier) -> LlmInstanceInfo:
        """Return what the server knows of a loaded model: one with this identifier, or that fits a query."""
        info = await self.rpc.get_model_info(specifier=specifier_of(model_specifier), throw_if_not_found=True)
        return known(info, model_specifier, LlmInstanceInfo)


@speaks_lmstudio
class Client(lmwire.Client):
    """A client for threads. A context manager, which looks at once whether the server is there, or closed by ``close``.

    Args:
        api_host: ``host``, ``host:port``, or a ``ws``, ``wss``, ``http`` or ``https`` URL; by default the
            environment's, else LM Studio's own ports on this machine are tried.
        api_token: ``sk-lm-...``; by default the environment's, else the client is an anonymous guest.
        options: What ``lmwire.Client`` takes besides.

    Raises:
        LMStudioValueError: An address or token is malformed. Nothing is connected yet.
    """

    def __init__(self, api_host: str | None = None, api_token: str | None = None, **options: Any) -> None:
        super().__init__(api_host, api_token=api_token, **options)
        if "timeouts" not in options:
            register(self)

    def __enter__(self) -> Self:
        super().__enter__()
        self.check_server()
        return self

    @property
    def api_host(self) -> str:
        """The server's address, such as ``127.0.0.1:1234``."""
        return _resolved(super().api_host)

    @cached_property
    def llm(self) -> LlmModels:
        """Language models."""
        return LlmModels(self)

    @cached_property
    def embedding(self) -> EmbeddingModels:
        """Embedding models."""
        return EmbeddingModels(self)

    @cached_property
    def files(self) -> Files:
        """The namespace ``files``: images for chats, and lmwire's own methods."""
        from lmstudio._files import Files

        return Files(self)

    @cached_property
    def repository(self) -> Repository:
        """The namespace ``repository``: search and download of models, and lmwire's own methods."""
        from lmstudio._repository import Repository

        return Repository(self)

    @cached_property
    def system(self) -> System:
        """The namespace ``system``: what is on disk, and lmwire's own methods."""
        from lmstudio._system import System

        return System(self)

    def list_loaded_models(self, namespace: str | None = None) -> list[LLM | EmbeddingModel]:
        """Return a handle for each loaded model, of the namespace ``llm`` or ``embedding`` if one is named."""
        found: list[LLM | EmbeddingModel] = []
        for name in namespaces_of(namespace):
            found += (self.llm if name == "llm" else self.embedding).list_loaded()
        return found

    def list_downloaded_models(
        self, namespace: str | None = None
    ) -> list[DownloadedLlm | DownloadedEmbeddingModel]:
        """Return the models on the server's disk, of the namespace ``llm`` or ``embedding`` if one is named."""
        wanted = namespaces_of(namespace)
        return [model for model in self.system.list_downloaded_models() if model.type in wanted]

    def prepare_image(self, src: LocalFileInput, name: str | None = None) -> FileHandle:
        """Store an image on the server, for a message of a chat; see ``client.files.prepare_image``."""
        return self.files.prepare_image(src, name)


@speaks_lmstudio
class AsyncClient(lmwire.AsyncClient):
    """A client for asyncio. An asynchronous context manager, which looks at once whether the server is there, or closed
    by ``aclose``. Arguments and errors are those of ``Client``.
    """

    def __init__(self, api_host: str | None = None, api_token: str | None = None, **options: Any) -> None:
        super().__init__(api_host, api_token=api_token, **options)

    async def __aenter__(self) -> Self:
        await super().__aenter__()
        await self.check_server()
        return self

    @property
    def api_host(self) -> str:
        """The server's address, such as ``127.0.0.1:1234``."""
        return _resolved(super().api_host)

    @cached_property
    def llm(self) -> AsyncLlmModels:
        """Language models."""
        return AsyncLlmModels(self)

    @cached_property
    def embedding(self) -> AsyncEmbeddingModels:
        """Embedding models."""
        return AsyncEmbeddingModels(self)

    @cached_property
    def files(self) -> AsyncFiles:
        """The namespace ``files``: images for chats, and lmwire's own methods."""
        from lmstudio._files import AsyncFiles

        return AsyncFiles(self)

    @cached_property
    def repository(self) -> AsyncRepository:
        """The namespace ``repository``: search and download of models, and lmwire's own methods."""
        from lmstudio._repository import AsyncRepository

        return AsyncRepository(self)

    @cached_property
    def system(self) -> AsyncSystem:
        """The namespace ``system``: what is on disk, and lmwire's own methods."""
        from lmstudio._system import AsyncSystem

        return AsyncSystem(self)

    async def list_loaded_models(self, namespace: str | None = None) -> list[AsyncLLM | AsyncEmbeddingModel]:
        """Return a handle for each loaded model, of the namespace ``llm`` or ``embedding`` if one is named."""
        found: list[AsyncLLM | AsyncEmbeddingModel] = []
        for name in namespaces_of(namespace):
            found += await (self.llm if name == "llm" else self.embedding).list_loaded()
        return found

    async def list_downloaded_models(
        self, namespace: str | None = None
    ) -> list[AsyncDownloadedLlm | AsyncDownloadedEmbeddingModel]:
        """Return the models on the server's disk, of the namespace ``llm`` or ``embedding`` if one is named."""
        wanted = namespaces_of(namespace)
        return [model for model in await self.system.list_downloaded_models() if model.type in wanted]

    async def prepare_image(self, src: LocalFileInput, name: str | None = None) -> FileHandle:
        """Store an image on the server, for a message of a chat; see ``client.files.prepare_image``."""
        return await self.files.prepare_image(src, name)


def _resolved(api_host: str | None) -> str:
    if api_host is None:
        raise lmwire.StateError(
            "the server has not been looked for yet; enter the client, or call a model first"
        )
    return api_host
