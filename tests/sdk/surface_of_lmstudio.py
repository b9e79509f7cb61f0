"""Prints what ``lmstudio`` shows, as JSON. Two interpreters run it: one has the official SDK, one has ours."""

from __future__ import annotations

import importlib
import inspect
import json
from typing import Any

import lmstudio

CLASSES = (
    "AsyncClient",
    "AsyncDownloadedEmbeddingModel",
    "AsyncDownloadedLlm",
    "AsyncEmbeddingModel",
    "AsyncLLM",
    "AsyncPredictionStream",
    "Chat",
    "Client",
    "DownloadedEmbeddingModel",
    "DownloadedLlm",
    "EmbeddingModel",
    "LLM",
    "PredictionStream",
)
HIDDEN_CLASSES = (
    "AsyncAvailableModel",
    "AsyncModelDownloadOption",
    "AvailableModel",
    "ModelDownloadOption",
)
RECORDS = (
    "AssistantResponse",
    "ChatHistoryData",
    "DownloadProgressUpdate",
    "EmbeddingLoadModelConfig",
    "EmbeddingLoadModelConfigDict",
    "EmbeddingModelInfo",
    "EmbeddingModelInstanceInfo",
    "FileHandle",
    "FileHandleDict",
    "LlmInfo",
    "LlmInstanceInfo",
    "LlmLoadModelConfig",
    "LlmLoadModelConfigDict",
    "LlmPredictionConfig",
    "LlmPredictionConfigDict",
    "LlmPredictionFragment",
    "LlmPredictionStats",
    "ModelQuery",
    "ModelQueryDict",
    "PredictionResult",
    "SerializedLMSExtendedError",
    "SystemPrompt",
    "TextData",
    "TextDataDict",
    "ToolCallResultData",
    "ToolResultMessage",
    "UserMessage",
)


def parameters(function: Any) -> list[list[str]]:
    """Name, kind and whether it is required, of each parameter but ``self``."""
    found = inspect.signature(function).parameters.values()
    return [
        [one.name, one.kind.name, "required" if one.default is inspect.Parameter.empty else "optional"]
        for one in found
        if one.name not in ("self", "cls")
    ]


def methods(kind: type) -> dict[str, Any]:
    shown: dict[str, Any] = {}
    for name in dir(kind):
        if name.startswith("_") and name not in (
            "__init__",
            "__enter__",
            "__aenter__",
            "__iter__",
            "__aiter__",
        ):
            continue
        member = inspect.getattr_static(kind, name)
        function = getattr(member, "__func__", member)
        shown[name] = parameters(function) if inspect.isfunction(function) else None
    return shown


def fields(kind: Any) -> list[str]:
    named = getattr(kind, "__struct_fields__", None) or getattr(kind, "_fields", None)
    if named is None:
        named = getattr(kind, "wire_names", None) or {
            name for base in kind.__mro__ for name in getattr(base, "__annotations__", {})
        }
        named = {*named, *(name for name in dir(kind) if isinstance(getattr(kind, name), property))}
    return sorted(named)


def namespace_of(client: Any, namespace: str) -> type:
    """The class of ``client.llm`` and the like."""
    member: Any = inspect.getattr_static(client, namespace)
    getter = getattr(member, "fget", None) or member.func
    name = str(getter.__annotations__["return"]).rpartition(".")[2].strip("'\"<>")
    return hidden(name)


def hidden(name: str) -> type:
    """A class that users get hold of, but not by a name of ``lmstudio``."""
    for module in (
        "sync_api",
        "async_api",
        "_clients",
        "_embedding",
        "_files",
        "_repository",
        "_system",
    ):
        try:
            return getattr(importlib.import_module(f"lmstudio.{module}"), name)  # type: ignore[no-any-return]
        except (ImportError, AttributeError):
            continue
    raise LookupError(name)


errors = {
    name: value
    for name, value in vars(lmstudio).items()
    if isinstance(value, type) and issubclass(value, BaseException) and name.startswith("LMStudio")
}
print(
    json.dumps(
        {
            "names": sorted(
                name
                for name in {*vars(lmstudio), *getattr(lmstudio, "__all__", ())}
                if not name.startswith("_") and not inspect.ismodule(getattr(lmstudio, name))
            ),
            "functions": {
                name: parameters(value) for name, value in vars(lmstudio).items() if inspect.isfunction(value)
            },
            "classes": {
                **{name: methods(getattr(lmstudio, name)) for name in CLASSES},
                **{name: methods(hidden(name)) for name in HIDDEN_CLASSES},
                **{
                    f"{shell}client.{namespace}": methods(namespace_of(client, namespace))
                    for shell, client in (("", lmstudio.Client), ("async ", lmstudio.AsyncClient))
                    for namespace in ("embedding", "files", "llm", "repository", "system")
                },
            },
            "records": {name: fields(getattr(lmstudio, name)) for name in RECORDS},
            "errors": {name: [base.__name__ for base in value.__mro__] for name, value in errors.items()},
        }
    )
)
