"""Prints what becomes of chats, as JSON. Two interpreters run it: one has the official SDK, one has ours."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import lmstudio as lms

IMAGE = {"type": "file", "name": "a.png", "identifier": "f1", "sizeBytes": 3, "fileType": "image"}
UNTYPED = {"name": "a.png", "identifier": "f1", "size_bytes": 3, "file_type": "image"}
UNTYPED_TEXT: Any = {"text": "s"}
RESULT: Any = {"type": "toolCallResult", "content": "3", "toolCallId": "7"}
HISTORY: Any = {
    "messages": [
        {"role": "system", "content": "s"},
        {"role": "user", "content": [{"type": "text", "text": "u"}, IMAGE]},
        {"role": "assistant", "content": "a"},
    ]
}


def handle() -> Any:
    return lms.FileHandle(name="a.png", identifier="f1", size_bytes=3, file_type="image")


def changed_copy(chat: Any) -> None:
    chat.add_user_message("u")
    copy = chat.copy()
    copy.add_user_message("v")
    chat.add_assistant_response("a")


def from_history(history: Any) -> Any:
    return lambda _: lms.Chat.from_history(history)


def taken_over(chat: Any) -> Any:
    chat.add_user_message("u")
    other = lms.Chat.from_history(chat)
    other.add_user_message("v")
    return other


ACTIONS: dict[str, Callable[[Any], Any]] = {
    "nothing": lambda chat: None,
    "a prompt": lambda chat: lms.Chat("s"),
    "an empty prompt": lambda chat: lms.Chat(""),
    "a prompt as an object": lambda chat: lms.Chat(lms.TextData(text="s")),
    "a prompt as a dict": lambda chat: lms.Chat({"type": "text", "text": "s"}),
    "two prompts": lambda chat: (chat.add_system_prompt("s"), chat.add_system_prompt("t")),
    "a user's message": lambda chat: chat.add_user_message("u"),
    "two of them": lambda chat: (chat.add_user_message("u"), chat.add_user_message("v")),
    "several texts": lambda chat: chat.add_user_message(["u", "v"]),
    "a text as an object": lambda chat: chat.add_user_message(lms.TextData(text="u")),
    "a text and an image": lambda chat: chat.add_user_message("u", images=[handle()]),
    "an image as a dict": lambda chat: chat.add_user_message(["u", IMAGE]),
    "an image alone": lambda chat: chat.add_user_message(handle()),
    "a text as a dict without a type": lambda chat: chat.add_user_message({"text": "u"}),
    "parts without types": lambda chat: chat.add_user_message(["u", {"text": "v"}, UNTYPED]),
    "images in snake case": lambda chat: chat.add_user_message("u", images=[UNTYPED, IMAGE]),
    "no images": lambda chat: chat.add_user_message("u", images=None),
    "a prompt without a type": lambda chat: lms.Chat(UNTYPED_TEXT),
    "an answer without a type": lambda chat: chat.add_assistant_response({"text": "a"}),
    "a result without a type": lambda chat: chat.add_tool_result({"content": "3", "toolCallId": "7"}),
    "an entry without types": lambda chat: chat.add_entry("user", [{"text": "u"}, UNTYPED]),
    "a message without types": lambda chat: chat.append({"role": "user", "content": [{"text": "u"}]}),
    "a history of pairs": from_history({"messages": [("system", "s"), ("user", ["u", UNTYPED])]}),
    "nothing said": lambda chat: chat.add_user_message([]),
    "a number": lambda chat: chat.add_user_message(5),
    "an answer": lambda chat: chat.add_assistant_response("a"),
    "two answers": lambda chat: (chat.add_assistant_response("a"), chat.add_assistant_response("b")),
    "an answer as an object": lambda chat: chat.add_assistant_response(lms.TextData(text="a")),
    "a result of a tool": lambda chat: chat.add_tool_result(RESULT),
    "two results": lambda chat: (chat.add_tool_result(RESULT), chat.add_tool_results([RESULT])),
    "a result as an object": lambda chat: chat.add_tool_result(
        lms.ToolCallResultData(content="3", tool_call_id="7")
    ),
    "entries": lambda chat: [chat.add_entry(role, role) for role in ("system", "user", "assistant", "user")],
    "an entry of no role": lambda chat: chat.add_entry("robot", "x"),
    "messages appended": lambda chat: (
        chat.append({"role": "user", "content": "u"}),
        chat.append(lms.UserMessage(content=[lms.TextData(text="v")])),
        chat.append(lms.AssistantResponse(content=[lms.TextData(text="a")])),
    ),
    "text appended": lambda chat: chat.append("u"),
    "a changed copy": changed_copy,
    "a chat taken over": taken_over,
    "a history of text": from_history("u"),
    "a history": from_history(HISTORY),
    "a history of a number": from_history(5),
    "a history of nonsense": from_history({"messages": [{"role": "user", "content": [{"type": "x"}]}]}),
}


def outcome(action: Callable[[Any], Any]) -> dict[str, Any]:
    chat = lms.Chat()
    shown: dict[str, Any] = {}
    try:
        made = action(chat)
    except Exception as error:  # noqa: BLE001  # whatever it is, the user sees it
        made, shown["error"] = None, type(error).__name__
    shown["chat"] = messages_of(made if isinstance(made, lms.Chat) else chat)
    return shown


def messages_of(chat: lms.Chat) -> Any:
    """What the chat prints of itself is a call that makes it."""
    return json.loads(str(chat).removeprefix("Chat.from_history(")[:-1])


print(json.dumps({name: outcome(action) for name, action in ACTIONS.items()}))
