"""What the official SDK has and this package has not: every name, what it belongs to, and what there is instead."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, Final, NoReturn

__all__ = ["LATER_NAMES", "LacksAgents", "refuse"]

_INSTEAD: Final[Mapping[str, str]] = {
    "agents": (
        "lmwire calls no function itself, `respond(..., tools=..., on_tool_call=...)` tells what the model asks for"
    ),
    "plugins": "`client.plugins` of lmwire has the bare endpoints",
}
_GROUPS: Final[Mapping[str, Iterable[str]]] = {
    "agents": (
        "ActResult", "PredictionRoundResult", "ToolDefinition", "ToolFunctionDef", "ToolFunctionDefDict",
    ),
    "plugins": ("plugin",),
}  # fmt: skip

LATER_NAMES: Final[Mapping[str, str]] = {name: group for group, names in _GROUPS.items() for name in names}
"""Name -> what it belongs to."""

_AGENT_METHODS: Final[Mapping[str, str]] = {"act": "agents"}


def refuse(owner: str, name: str, group: str | None) -> NoReturn:
    """Raise the AttributeError for a missing name, with the reason if it is one of the official SDK's."""
    message = f"{owner} has no attribute {name!r}"
    if group is not None:
        message += (
            f": {group} are later work in lmwire; {_INSTEAD[group]}, and LM Studio's own SDK has {group}"
            " (in an environment of its own: pip install lmstudio)"
        )
    raise AttributeError(message, name=name)


class LacksAgents:
    """Base of handles, whose official namesakes also call tools."""

    if not TYPE_CHECKING:

        def __getattr__(self, name: str) -> Any:
            refuse(f"{type(self).__name__!r} object", name, _AGENT_METHODS.get(name))
