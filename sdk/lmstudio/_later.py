"""What the official SDK has and this package has not yet: every name, and what it belongs to."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, Final, NoReturn

__all__ = ["LATER_NAMES", "LacksChat", "LacksFiles", "LacksNamespaceMethods", "refuse"]

_GROUPS: Final[Mapping[str, Iterable[str]]] = {
    "chat": (
        "AnyChatMessage", "AnyChatMessageDict", "AssistantResponseContent", "Chat", "ChatHistoryData",
        "ChatHistoryDataDict", "SystemPrompt", "SystemPromptContent", "TextData", "TextDataDict", "UserMessage",
        "UserMessageContent", "UserMessageDict", "history",
    ),
    "agents": (
        "ActResult", "PredictionRoundResult", "ToolCallRequest", "ToolCallResultData", "ToolDefinition",
        "ToolFunctionDef", "ToolFunctionDefDict", "ToolResultMessage",
    ),
    "embedding": (
        "AsyncDownloadedEmbeddingModel", "AsyncEmbeddingModel", "DownloadedEmbeddingModel", "EmbeddingModel",
        "embedding_model",
    ),
    "files": (
        "FileHandle", "FileHandleDict", "FileHandleInput", "FileType", "LocalFileInput", "prepare_image",
    ),
    "downloads": ("DownloadFinalizedCallback", "DownloadProgressCallback", "DownloadProgressUpdate"),
    "plugins": ("plugin",),
}  # fmt: skip

LATER_NAMES: Final[Mapping[str, str]] = {name: group for group, names in _GROUPS.items() for name in names}
"""Name -> what it belongs to."""

_CHAT_METHODS: Final[Mapping[str, str]] = {
    "act": "agents",
    "apply_prompt_template": "chat",
    "respond": "chat",
    "respond_stream": "chat",
}
_FILE_METHODS: Final[Mapping[str, str]] = {"prepare_image": "files"}
_NAMESPACE_METHODS: Final[Mapping[str, str]] = {
    "get_model_info": "embedding",
    "list_downloaded": "embedding",
    "list_downloaded_models": "system",
    "list_loaded": "embedding",
    "load_new_instance": "embedding",
    "model": "embedding",
    "prepare_image": "files",
    "search_models": "repository",
    "unload": "embedding",
}


def refuse(owner: str, name: str, group: str | None) -> NoReturn:
    """Raise the AttributeError for a missing name, with the reason if it is one of the official SDK's."""
    message = f"{owner} has no attribute {name!r}"
    if group is not None:
        message += (
            f": {group} is later work in lmwire, whose lmstudio has text completion; LM Studio's own SDK has it"
            " (in an environment of its own: pip install lmstudio)"
        )
    raise AttributeError(message, name=name)


class LacksChat:
    """Base of handles, whose official namesakes also chat."""

    if not TYPE_CHECKING:

        def __getattr__(self, name: str) -> Any:
            refuse(f"{type(self).__name__!r} object", name, _CHAT_METHODS.get(name))


class LacksNamespaceMethods:
    """Base of namespaces, each with those of the official methods that belong to it."""

    if not TYPE_CHECKING:

        def __getattr__(self, name: str) -> Any:
            owner = type(self).__name__
            group = _NAMESPACE_METHODS.get(name)
            refuse(f"{owner!r} object", name, group if group == owner.removeprefix("Async").lower() else None)


class LacksFiles:
    """Base of clients, whose official namesakes also upload files."""

    if not TYPE_CHECKING:

        def __getattr__(self, name: str) -> Any:
            refuse(f"{type(self).__name__!r} object", name, _FILE_METHODS.get(name))
