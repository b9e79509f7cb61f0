"""Clients, handles and streams under the official SDK's names, raising its exceptions."""

from __future__ import annotations

from functools import cached_property
from typing import Any

import lmwire
from lmstudio._translation import speaks_lmstudio
from lmwire import llm

__all__ = ["LLM", "AsyncClient", "AsyncLLM", "AsyncPredictionStream", "Client", "PredictionStream"]


@speaks_lmstudio
class PredictionStream(llm.PredictionStream):
    """A completion as it is made: iterate it, or wait for its result."""


@speaks_lmstudio
class AsyncPredictionStream(llm.AsyncPredictionStream):
    """A completion as it is made: ``async for``, or await its result."""


@speaks_lmstudio
class LLM(llm.LLM):
    """A loaded language model."""

    complete_stream_class = PredictionStream


@speaks_lmstudio
class AsyncLLM(llm.AsyncLLM):
    """A loaded language model, for asyncio."""

    complete_stream_class = AsyncPredictionStream


@speaks_lmstudio
class _SyncModels(llm.LlmModels):
    handle_class = LLM


@speaks_lmstudio
class _AsyncModels(llm.AsyncLlmModels):
    handle_class = AsyncLLM


@speaks_lmstudio
class Client(lmwire.Client):
    """A client for threads; connects on first use. A context manager, or closed by ``close``."""

    def __init__(self, api_host: str | None = None, api_token: str | None = None, **options: Any) -> None:
        super().__init__(api_host, api_token=api_token, **options)

    @cached_property
    def llm(self) -> _SyncModels:
        """Language models."""
        return _SyncModels(self)

    def list_loaded_models(self, namespace: str | None = None) -> list[LLM]:
        """Return a handle for each loaded language model."""
        if namespace not in (None, "llm"):
            raise lmwire.UsageError(f"namespace must be 'llm' or None; got {namespace!r}")
        return [handle for handle in self.llm.list_loaded() if isinstance(handle, LLM)]


@speaks_lmstudio
class AsyncClient(lmwire.AsyncClient):
    """A client for asyncio; connects on first use. An asynchronous context manager, or closed by ``close``."""

    def __init__(self, api_host: str | None = None, api_token: str | None = None, **options: Any) -> None:
        super().__init__(api_host, api_token=api_token, **options)

    @cached_property
    def llm(self) -> _AsyncModels:
        """Language models."""
        return _AsyncModels(self)
