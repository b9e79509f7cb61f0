"""The default client, and the functions that use it.

It is made on first use. Until then ``configure_default_client`` may say, as often as one likes, what it will be.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import lmwire
from lmstudio._clients import LLM, Client
from lmstudio._downloads import DownloadedEmbeddingModel, DownloadedLlm
from lmstudio._embedding import EmbeddingModel
from lmstudio._translation import translated
from lmstudio.exceptions import LMStudioClientError
from lmwire.config import (
    EmbeddingLoadModelConfig,
    EmbeddingLoadModelConfigDict,
    LlmLoadModelConfig,
    LlmLoadModelConfigDict,
)

if TYPE_CHECKING:
    from lmstudio.history import FileHandle, LocalFileInput

__all__ = [
    "configure_default_client",
    "embedding_model",
    "find_default_local_api_host",
    "get_default_client",
    "is_valid_api_host",
    "list_downloaded_models",
    "list_loaded_models",
    "llm",
    "prepare_image",
]

_lock = threading.Lock()
_arguments: tuple[str | None, str | None] = (None, None)
_default_client: Client | None = None


def configure_default_client(api_host: str | None = None, api_token: str | None = None) -> None:
    """Say which server the module-level functions talk to, before their first use, or after the client was closed.

    Connects to nothing.

    Raises:
        LMStudioClientError: The default client exists already.
        LMStudioValueError: The address or token is malformed.
    """
    with _lock:
        _configure(api_host, api_token)


def get_default_client(api_host: str | None = None) -> Client:
    """Return the client of the module-level functions, making it if there is none, or if it was closed.

    Raises:
        LMStudioClientError: No server answers; or ``api_host`` is given and the default client exists already.
        LMStudioValueError: The address is malformed.
    """
    global _default_client
    with _lock:
        if api_host is not None:
            _configure(api_host, _arguments[1])
        if _default_client is None or _default_client.closed:
            client = Client(*_arguments)
            client.check_server()
            _default_client = client
        return _default_client


def _configure(api_host: str | None, api_token: str | None) -> None:
    global _arguments
    if _default_client is not None and not _default_client.closed:
        raise LMStudioClientError(
            "the default client exists already, so that its server can no longer be chosen; do that before anything"
            " else, close it first by get_default_client().close(), or make a Client of its own"
        )
    Client(api_host, api_token)  # refuses what is malformed
    _arguments = (api_host, api_token)


def llm(
    model_key: str | None = None,
    /,
    *,
    ttl: float | None = 3600,
    config: LlmLoadModelConfig | LlmLoadModelConfigDict | Mapping[str, Any] | None = None,
    on_load_progress: Callable[[float], Any] | None = None,
) -> LLM:
    """Return a handle of a language model of the default client: any loaded one, or the one named, loading it
    if need be.

    Args:
        model_key: The model; None takes the first one that is loaded.
        ttl: Seconds without use after which the server may unload what this call loaded, None for never.
        config: Options of the load; a model that is loaded already stays as it is.
        on_load_progress: Called with rising values from 0.0 to 1.0.

    Raises:
        LMStudioModelNotFoundError: The server does not have the model.
        LMStudioClientError: No server answers; or no key was given, and no model is loaded.
        LMStudioServerError: The model cannot be loaded.
        LMStudioValueError: An option is unknown or out of range; nothing was sent.
    """
    models = get_default_client().llm
    return models.model(model_key, ttl=ttl, config=config, on_load_progress=on_load_progress)


def embedding_model(
    model_key: str | None = None,
    /,
    *,
    ttl: float | None = 3600,
    config: EmbeddingLoadModelConfig | EmbeddingLoadModelConfigDict | Mapping[str, Any] | None = None,
    on_load_progress: Callable[[float], Any] | None = None,
) -> EmbeddingModel:
    """Return a handle of an embedding model of the default client: any loaded one, or the one named, loading it if need
    be. Everything else is as for ``llm``.
    """
    models = get_default_client().embedding
    return models.model(model_key, ttl=ttl, config=config, on_load_progress=on_load_progress)


def list_loaded_models(namespace: str | None = None) -> list[LLM | EmbeddingModel]:
    """Return a handle for each model that the default client's server has loaded, of one namespace if one is named."""
    return get_default_client().list_loaded_models(namespace)


def list_downloaded_models(namespace: str | None = None) -> list[DownloadedLlm | DownloadedEmbeddingModel]:
    """Return the models on the disk of the default client's server, of one namespace if one is named."""
    return get_default_client().list_downloaded_models(namespace)


def prepare_image(src: LocalFileInput, name: str | None = None) -> FileHandle:
    """Store an image on the default client's server, and return the handle that ``Chat.add_user_message(images=[...])``
    takes; parameters and errors are those of ``client.files.prepare_image``.
    """
    return get_default_client().prepare_image(src, name)


@translated
def find_default_local_api_host() -> str | None:
    """Return the address of LM Studio on this machine, such as ``127.0.0.1:41343``; None if it does not run."""
    return lmwire.find_default_local_api_host()


@translated
def is_valid_api_host(api_host: str) -> bool:
    """Return whether LM Studio answers at an address, within a second; False also for text that is no address."""
    return lmwire.is_valid_api_host(api_host)
