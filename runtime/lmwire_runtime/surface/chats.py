"""Chats as callers write them, made into the wire's plain JSON and held against the schema before anything is sent.

A chat is a text (one message), a list of messages, a mapping that has such a list, or an object with a wire form, such
as a generated message; messages and their parts may be objects too. What the schema calls them is in a ``ChatPlan``.
Beside the wire's own form a message may have a text, or one part, for its content, and its own keys in snake_case.
Nothing that the caller gave is kept or changed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Protocol, TypeAlias, TypeGuard

import attrs

from lmwire_runtime.errors import UsageError
from lmwire_runtime.surface.option_kinds import MisfitError, plain_json
from lmwire_runtime.surface.templates import fill
from lmwire_runtime.wire import STRICT, UNSET, DecodeError, Decoding

__all__ = ["ChatInput", "ChatPlan", "HasWireForm", "plain_object", "plain_objects"]


class HasWireForm(Protocol):
    """Anything that can say what it looks like on the wire, such as every generated message."""

    def to_wire(self) -> Any:
        """Return plain JSON data."""
        ...


ChatInput: TypeAlias = "str | HasWireForm | Mapping[str, Any] | Iterable[HasWireForm | Mapping[str, Any]]"
"""What callers may give as a chat."""


@attrs.frozen(kw_only=True, eq=False)
class ChatPlan:
    """What the schema calls the parts of a chat.

    Attributes:
        decode: Reads a whole chat; in strict mode it judges what is to be sent.
        messages: The field of a chat that lists its messages.
        role: The role of a bare text.
        role_field: The field of a message that has its role.
        content: The field of a message that lists its parts.
        text: Template of the part that is a text, ``$text``.
        texts: The same for some roles, made with the message's other fields too.
        wraps: ``type`` of things that may stand in place of a part -> template of the part, with ``$part``.
    """

    decode: Callable[[Any, Decoding], Any]
    messages: str
    role: str
    role_field: str
    content: str
    text: Mapping[str, Any]
    texts: Mapping[str, Mapping[str, Any]] = attrs.field(factory=dict)
    wraps: Mapping[str, Mapping[str, Any]] = attrs.field(factory=dict)

    def to_wire(self, chat: Any, name: str) -> dict[str, Any]:
        """Return a caller's chat as plain JSON.

        Args:
            chat: What was given.
            name: What the parameter is called, for errors.

        Raises:
            UsageError: It is no chat; the message says where, as a JSON pointer.
        """
        messages = [self._message(message, name) for message in self._messages_of(chat, name)]
        try:
            data: dict[str, Any] = plain_json({self.messages: messages}, name)
            self.decode(data, STRICT)
        except (MisfitError, DecodeError) as error:
            raise UsageError(f"{name} does not fit: {error}; nothing was sent") from None
        return data

    def _messages_of(self, chat: Any, name: str) -> Iterable[Any]:
        if isinstance(chat, str):
            return [{self.role_field: self.role, self.content: chat}]
        whole = _unwrapped(chat)
        if isinstance(whole, Mapping):
            listed = whole.get(self.messages)
            if len(whole) == 1 and _is_list(listed):
                return listed
            if self.role_field in whole:
                return [whole]
        elif _is_list(whole):
            return whole
        raise UsageError(
            f"{name} must be text, a list of messages such as"
            f" {{{self.role_field!r}: {self.role!r}, {self.content!r}: ...}}, or {{{self.messages!r}: [...]}};"
            f" got {chat!r:.200}"
        )

    def _message(self, given: Any, name: str) -> dict[str, Any]:
        message = _unwrapped(given)
        if not isinstance(message, Mapping):
            raise UsageError(
                f"each message of {name} must be a dict with {self.role_field!r} and {self.content!r},"
                f" or a message object; got {given!r:.200}"
            )
        message = _in_camel_case(message)
        content = message.get(self.content)
        template = self.texts.get(str(message.get(self.role_field)), None)
        if isinstance(content, str) and template is not None:
            part = fill(template, _Given({**message, "text": content}))
            return {self.role_field: message[self.role_field], self.content: [part]}
        if isinstance(content, (str, Mapping)) or hasattr(content, "to_wire"):
            content = [content]
        if _is_list(content):
            message[self.content] = [self._part(part) for part in content]
        return message

    def _part(self, given: Any) -> Any:
        if isinstance(given, str):
            return fill(self.text, {"text": given})
        part = _unwrapped(given)
        if not isinstance(part, Mapping):
            return part  # for the schema to judge
        wrap = self.wraps.get(str(part.get("type")))
        return _in_camel_case(part) if wrap is None else fill(wrap, {"part": part})


class _Given(dict[str, Any]):
    """Variables, of which those that were not given are left out."""

    def __missing__(self, name: str) -> Any:
        return UNSET


def plain_object(given: Any, name: str) -> dict[str, Any]:
    """Return an object that a caller gave as a dict, its keys in either spelling, or as a message; {} for None.

    Raises:
        UsageError: It is neither, or holds what is no JSON.
    """
    value = {} if given is None else _unwrapped(given)
    if not isinstance(value, Mapping):
        raise UsageError(f"{name} must be a dict or a message object; got {given!r:.200}")
    try:
        plain: dict[str, Any] = plain_json(_in_camel_case(value), name)
    except MisfitError as error:
        raise UsageError(str(error)) from None
    return plain


def plain_objects(given: Any, name: str) -> list[dict[str, Any]]:
    """Return a list of such objects.

    Raises:
        UsageError: It is no list, or one of them is none.
    """
    if not _is_list(given):
        raise UsageError(f"{name} must be a list of dicts or message objects; got {given!r:.200}")
    return [plain_object(each, f"{name}[{number}]") for number, each in enumerate(given)]


def _unwrapped(value: Any) -> Any:
    to_wire = getattr(value, "to_wire", None)
    return to_wire() if callable(to_wire) else value


def _is_list(value: Any) -> TypeGuard[Iterable[Any]]:
    return isinstance(value, Iterable) and not isinstance(value, (str, bytes, bytearray, Mapping))


def _in_camel_case(given: Mapping[Any, Any]) -> dict[Any, Any]:
    return {_camel(key) if isinstance(key, str) else key: value for key, value in given.items()}


def _camel(name: str) -> str:
    first, *others = name.split("_")
    return first + "".join(other.capitalize() for other in others)
