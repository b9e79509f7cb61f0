"""Chats, as the official SDK has them: a ``Chat`` collects messages, ``respond`` and ``apply_prompt_template`` take it.

The messages are lmwire's own classes under the official names. What is added is held against the protocol at once.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, BinaryIO, Protocol, TypeAlias, TypedDict, cast

from lmstudio._chat_forms import spelled_out
from lmstudio._translation import speaks_lmstudio
from lmwire import StateError, UsageError
from lmwire.llm import (
    ChatHistoryData,
    ChatMessageDataAssistant,
    ChatMessageDataSystem,
    ChatMessageDataTool,
    ChatMessageDataUser,
    ChatMessagePartFileData,
    ChatMessagePartTextData,
    ChatMessagePartToolCallRequestData,
    ChatMessagePartToolCallResultData,
    FileType,
    FunctionToolCallRequest,
)

if TYPE_CHECKING:
    from typing_extensions import Buffer
else:
    Buffer = bytes | bytearray | memoryview  # and whatever else has its content in one

__all__ = [
    "AnyChatMessage",
    "AnyChatMessageDict",
    "AssistantResponse",
    "AssistantResponseContent",
    "Chat",
    "ChatHistoryData",
    "ChatHistoryDataDict",
    "FileHandle",
    "FileHandleDict",
    "FileHandleInput",
    "FileType",
    "LocalFileInput",
    "SystemPrompt",
    "SystemPromptContent",
    "TextData",
    "TextDataDict",
    "ToolCallRequest",
    "ToolCallResultData",
    "ToolResultMessage",
    "UserMessage",
    "UserMessageContent",
    "UserMessageDict",
]

AssistantResponse: TypeAlias = ChatMessageDataAssistant
UserMessage: TypeAlias = ChatMessageDataUser
SystemPrompt: TypeAlias = ChatMessageDataSystem
ToolResultMessage: TypeAlias = ChatMessageDataTool
AnyChatMessage: TypeAlias = AssistantResponse | UserMessage | SystemPrompt | ToolResultMessage
TextData: TypeAlias = ChatMessagePartTextData
FileHandle: TypeAlias = ChatMessagePartFileData
ToolCallRequest: TypeAlias = FunctionToolCallRequest
ToolCallRequestData: TypeAlias = ChatMessagePartToolCallRequestData
ToolCallResultData: TypeAlias = ChatMessagePartToolCallResultData
AssistantResponseContent: TypeAlias = TextData | FileHandle
UserMessageContent: TypeAlias = TextData | FileHandle
SystemPromptContent: TypeAlias = TextData


class TextDataDict(TypedDict):
    """Text in a message; ``type`` is ``text``."""

    type: str
    text: str


class FileHandleDict(TypedDict):
    """A file that the server has; ``type`` is ``file``."""

    type: str
    name: str
    identifier: str
    sizeBytes: int
    fileType: FileType


class AnyChatMessageDict(TypedDict):
    """A message; ``role`` is ``user``, ``assistant``, ``system`` or ``tool``, ``content`` a text or a list of parts."""

    role: str
    content: Any


UserMessageDict: TypeAlias = AnyChatMessageDict


class ChatHistoryDataDict(TypedDict):
    """A whole chat."""

    messages: Sequence[AnyChatMessageDict]


FileHandleInput: TypeAlias = FileHandle | FileHandleDict
LocalFileInput: TypeAlias = BinaryIO | Buffer | str | os.PathLike[str]
"""What ``prepare_image`` takes: an open file, its content, or its path."""

PartInput: TypeAlias = str | TextData | FileHandle | TextDataDict | FileHandleDict | Mapping[str, Any]
HistoryInput: TypeAlias = (
    "str | Chat | ChatHistoryData | ChatHistoryDataDict | Mapping[str, Any] | Iterable[Any]"
)


class _Response(Protocol):
    """What a prediction results in."""

    @property
    def content(self) -> str: ...


@speaks_lmstudio
class Chat:
    """The messages of a conversation, in order.

    Args:
        initial_prompt: The system prompt, if there is one.

    Raises:
        LMStudioValueError: A message is not as the protocol has it.
    """

    def __init__(self, initial_prompt: str | TextData | TextDataDict | None = None) -> None:
        self._messages: list[Any] = []
        if initial_prompt is not None:
            self.add_system_prompt(initial_prompt)

    @classmethod
    def from_history(cls, history: HistoryInput) -> Chat:
        """Make a chat of a text (one user message), a list of messages, ``{"messages": [...]}``, or another chat.

        Messages may be pairs of role and content; parts of them, as dicts, need no ``type``.
        """
        chat = cls()
        chat._messages = _read(history, "history")
        return chat

    def to_wire(self) -> dict[str, Any]:
        """Return the chat as plain JSON, as the protocol has it."""
        return {"messages": [message.to_wire() for message in self._messages]}

    def copy(self) -> Chat:
        """Return a chat with the same messages; what becomes of one of the two does not change the other."""
        return type(self).from_history(self)

    def __copy__(self) -> Chat:
        return self.copy()

    def __deepcopy__(self, memo: object) -> Chat:
        return self.copy()

    def append(self, message: AnyChatMessage | AnyChatMessageDict | Mapping[str, Any]) -> AnyChatMessage:
        """Add a copy of a message, for instance one that ``on_message`` was called with."""
        return cast("AnyChatMessage", self._add(message))

    def add_entry(self, role: str, content: Any) -> AnyChatMessage:
        """Add a message of a role: ``user``, ``assistant``, ``system`` or ``tool``."""
        return cast("AnyChatMessage", self._add({"role": role, "content": content}))

    def add_system_prompt(self, prompt: str | TextData | TextDataDict) -> SystemPrompt:
        """Add a system prompt."""
        return cast("SystemPrompt", self._add({"role": "system", "content": prompt}))

    def add_user_message(
        self,
        content: PartInput | Iterable[PartInput],
        *,
        images: Sequence[FileHandleInput] = (),
        _files: Sequence[FileHandleInput] = (),
    ) -> UserMessage:
        """Add what the user says: text, images that ``prepare_image`` has returned, or several of them."""
        listed = isinstance(content, Iterable) and not isinstance(content, (str, Mapping))
        parts = [*cast("Iterable[PartInput]", content)] if listed else [content]
        handles = [*_handles(_files, "_files"), *_handles(images, "images")]
        return cast("UserMessage", self._add({"role": "user", "content": [*parts, *handles]}))

    def add_assistant_response(
        self,
        response: PartInput | _Response | AssistantResponse,
        tool_call_requests: Iterable[ToolCallRequest | ToolCallRequestData | Mapping[str, Any]] = (),
    ) -> AssistantResponse:
        """Add what the model said: text, or the result of a prediction, with the calls of tools that it asks for."""
        whole = getattr(response, "message", response)
        content = getattr(whole, "content", whole)
        parts = content if isinstance(content, list) else [content]
        return cast(
            "AssistantResponse", self._add({"role": "assistant", "content": [*parts, *tool_call_requests]})
        )

    def add_tool_result(self, result: ToolCallResultData | Mapping[str, Any]) -> ToolResultMessage:
        """Add what came of a call of a tool."""
        return self.add_tool_results([result])

    def add_tool_results(
        self, results: Iterable[ToolCallResultData | Mapping[str, Any]]
    ) -> ToolResultMessage:
        """Add what came of several calls."""
        return cast("ToolResultMessage", self._add({"role": "tool", "content": [*results]}))

    def _add(self, given: Any) -> Any:
        message: Any = _read([given], "the chat")[0]
        last: Any = self._messages[-1] if self._messages else None
        if isinstance(message, ChatMessageDataUser) and not message.content:
            raise UsageError("a message of the user must not be empty")
        if type(last) is not type(message) or isinstance(message, ChatMessageDataTool):
            self._messages.append(message)
        elif isinstance(message, ChatMessageDataUser):
            # Several in a row become one, as the application shows them; of prompts and answers they are a mistake.
            last.content.extend(message.content)
        else:
            raise StateError(
                f"the chat's last message is of the role {last.role!r} too; it takes one in a row"
            )
        return ChatHistoryData.from_wire({"messages": [self._messages[-1].to_wire()]}).messages[0]

    def __str__(self) -> str:
        return f"Chat.from_history({json.dumps(self.to_wire(), indent=2, sort_keys=True)})"

    def __repr__(self) -> str:
        return f"<Chat of {len(self._messages)} messages>"


def _handles(given: Any, name: str) -> list[Any]:
    """Refuse what would become text of the message, such as a path."""
    given = () if given is None else given
    listed = isinstance(given, Iterable) and not isinstance(given, (str, bytes, Mapping))
    handles = [*given] if listed else []
    if not listed or any(isinstance(handle, (str, bytes, os.PathLike)) for handle in handles):
        raise UsageError(f"{name} must be a list of what prepare_image returns; got {given!r:.200}")
    return handles


def _read(history: Any, name: str) -> list[Any]:
    from lmwire.llm import plans

    return list(ChatHistoryData.from_wire(plans.chat().to_wire(spelled_out(history), name)).messages)
