"""The forms of a chat that the official SDK takes beside lmwire's: messages as pairs, parts of them without a type."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Mapping
from typing import Any, Final, TypeVar

__all__ = ["spelled_out", "taking_chats"]

F = TypeVar("F", bound=Callable[..., Any])

# What tells the type of a part that does not name it.
_TYPES: Final[Mapping[str, str]] = {
    "text": "text",
    "identifier": "file",
    "toolCallRequest": "toolCallRequest",
    "tool_call_request": "toolCallRequest",
    "toolCallId": "toolCallResult",
    "tool_call_id": "toolCallResult",
}


def spelled_out(history: Any) -> Any:
    """Return a chat with each message as a dict of role and content, and with the type of each part; nothing that was
    given is changed, and what is no such chat is for lmwire to refuse.
    """
    if isinstance(history, (list, tuple)):
        return [_message(message) for message in history]
    if isinstance(history, Mapping) and isinstance(history.get("messages"), (list, tuple)):
        return {**history, "messages": [_message(message) for message in history["messages"]]}
    return history


def _message(message: Any) -> Any:
    if isinstance(message, tuple) and len(message) == 2:
        message = {"role": message[0], "content": message[1]}
    if not isinstance(message, Mapping) or "content" not in message:
        return message
    content = message["content"]
    parts = [_part(part) for part in content] if isinstance(content, (list, tuple)) else _part(content)
    return {**message, "content": parts}


def _part(part: Any) -> Any:
    if not isinstance(part, Mapping) or "type" in part:
        return part
    found = next((kind for key, kind in _TYPES.items() if key in part), None)
    return part if found is None else {"type": found, **part}


def taking_chats(method: F) -> F:
    """Wrap a method, or coroutine method, whose first argument ``history`` is a chat."""
    if inspect.iscoroutinefunction(method):

        @functools.wraps(method)
        async def coroutine(self: Any, history: Any, *arguments: Any, **options: Any) -> Any:
            return await method(self, spelled_out(history), *arguments, **options)

        return coroutine  # type: ignore[return-value]

    @functools.wraps(method)
    def plain(self: Any, history: Any, *arguments: Any, **options: Any) -> Any:
        return method(self, spelled_out(history), *arguments, **options)

    return plain  # type: ignore[return-value]
