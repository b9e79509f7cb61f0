"""What the official SDK has and this package has not yet: every name, and what it belongs to."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, Final, NoReturn

__all__ = ["LATER_NAMES", "LacksAgents", "LacksFiles", "LacksNamespaceMethods", "refuse"]

_GROUPS: Final[Mapping[str, Iterable[str]]] = {
    "agents": (
        "ActResult", "PredictionRoundResult", "ToolDefinition", "ToolFunctionDef", "ToolFunctionDefDict",
    ),
    "files": ("LocalFileInput", "prepare_image"),
    "downloads": ("DownloadFinalizedCallback", "DownloadProgressCallback", "DownloadProgressUpdate"),
    "plugins": ("plugin",),
}  # fmt: skip

LATER_NAMES: Final[Mapping[str, str]] = {name: group for group, names in _GROUPS.items() for name in names}
"""Name -> what it belongs to."""

_AGENT_METHODS: Final[Mapping[str, str]] = {"act": "agents"}
_FILE_METHODS: Final[Mapping[str, str]] = {"prepare_image": "files"}
_NAMESPACE_METHODS: Final[Mapping[str, str]] = {
    "list_downloaded_models": "system",
    "prepare_image": "files",
    "search_models": "repository",
}


def refuse(owner: str, name: str, group: str | None) -> NoReturn:
    """Raise the AttributeError for a missing name, with the reason if it is one of the official SDK's."""
    message = f"{owner} has no attribute {name!r}"
    if group is not None:
        message += (
            f": {group} is later work in lmwire, LM Studio's own SDK has it"
            " (in an environment of its own: pip install lmstudio)"
        )
    raise AttributeError(message, name=name)


class LacksAgents:
    """Base of handles, whose official namesakes also call tools."""

    if not TYPE_CHECKING:

        def __getattr__(self, name: str) -> Any:
            refuse(f"{type(self).__name__!r} object", name, _AGENT_METHODS.get(name))


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
