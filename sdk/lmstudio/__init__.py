"""The official LM Studio SDK's import name, on lmwire.

>>> import lmstudio as lm >>> llm = lm.llm() >>> for content_fragment in llm.complete_stream("My name is"):
...     print(content_fragment, end="", flush=True)

The module-level functions share one default client, made on first use. What this package does not have
(chat, agents, files) raises AttributeError: install the official ``lmstudio`` for those.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from typing import Any

from lmstudio._clients import LLM, AsyncClient, AsyncLLM, AsyncPredictionStream, Client, PredictionStream
from lmstudio._translation import translated
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
)
from lmwire.config import LlmLoadModelConfig, LlmPredictionConfig
from lmwire.llm import LlmPredictionFragment, LlmPredictionStats, PredictionResult

__all__ = [
    "LLM",
    "AsyncClient",
    "AsyncLLM",
    "AsyncPredictionStream",
    "Client",
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
    "LlmLoadModelConfig",
    "LlmPredictionConfig",
    "LlmPredictionFragment",
    "LlmPredictionStats",
    "PredictionResult",
    "PredictionStream",
    "configure_default_client",
    "get_default_client",
    "list_loaded_models",
    "llm",
]

_lock = threading.Lock()
_default_client: Client | None = None


@translated
def configure_default_client(api_host: str | None = None, api_token: str | None = None) -> None:
    """Say which server the module-level functions talk to, before their first use.

    Raises:
        LMStudioClientError: The default client exists already.
        LMStudioValueError: The address or token is malformed.
    """
    global _default_client
    with _lock:
        if _default_client is not None:
            raise LMStudioClientError(
                "the default client is in use already; configure it before the first call"
            )
        _default_client = Client(api_host, api_token)


@translated
def get_default_client(api_host: str | None = None) -> Client:
    """Return the client of the module-level functions, making it if there is none.

    Raises:
        LMStudioClientError: ``api_host`` is given, and the default client exists already.
    """
    global _default_client
    with _lock:
        if _default_client is None:
            _default_client = Client(api_host)
        elif api_host is not None:
            raise LMStudioClientError(
                "the default client is in use already; configure it before the first call"
            )
        return _default_client


def llm(
    model_key: str | None = None,
    /,
    *,
    ttl: float | None = 3600,
    config: LlmLoadModelConfig | Mapping[str, Any] | None = None,
    on_load_progress: Callable[[float], Any] | None = None,
) -> LLM:
    """Return a handle of a language model of the default client: any loaded one, or the one named, loading it
    if need be.

    Args:
        model_key: The model; None takes the first one that is loaded.
        ttl: Seconds without use after which the server may unload what this call loaded, None for never.
        config: Options of the load.
        on_load_progress: Called with rising values from 0.0 to 1.0.
    """
    handle = get_default_client().llm.model(
        model_key,
        ttl=ttl,
        config=config,  # type: ignore[arg-type]  # any mapping is checked by name and value
        on_load_progress=on_load_progress,
    )
    assert isinstance(handle, LLM)
    return handle


def list_loaded_models(namespace: str | None = None) -> list[LLM]:
    """Return a handle for each language model that the default client's server has loaded."""
    return get_default_client().list_loaded_models(namespace)
