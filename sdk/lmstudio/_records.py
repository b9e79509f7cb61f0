"""What a server says of models and predictions, as the official SDK hands it out: lmwire's messages, in which what was
left out is None and not lmwire's UNSET, and with the official ``to_dict`` and ``from_dict``.

Configs stay as lmwire makes them, because None in a config switches a checkbox off when the config is used again.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, TypeVar, cast

from lmstudio.exceptions import LMStudioValueError
from lmwire import UNSET, DecodeError, embedding, llm
from lmwire.message import Message

if TYPE_CHECKING:
    from typing_extensions import Self

    from lmwire.llm import Quantization

__all__ = [
    "EmbeddingModelInfo",
    "EmbeddingModelInstanceInfo",
    "LlmInfo",
    "LlmInstanceInfo",
    "LlmPredictionStats",
    "Record",
    "with_none",
]

R = TypeVar("R", bound="Record")


class Record(Message):
    """Base of the classes here: each extends one of lmwire's, and its objects come from ``with_none``."""

    __slots__ = ()

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """Make it of a dict with camelCase or snake_case names; what is left out is None.

        Raises:
            LMStudioValueError: A value is of the wrong kind.
        """
        plain = {cls.wire_names.get(name, name): value for name, value in data.items() if value is not None}
        try:
            return with_none(cast("Any", cls).from_wire(plain), cls)
        except DecodeError as error:
            raise LMStudioValueError(f"{cls.__name__} does not take this: {error}") from error

    def to_dict(self) -> dict[str, Any]:
        """Return it as a dict with camelCase names; what is None is left out."""
        return self.to_wire()

    def to_wire(self) -> dict[str, Any]:
        """Return it as plain JSON data, as the protocol has it; what is None is left out."""
        whole: Any = super(Record, _copied(self, None, UNSET))
        plain: dict[str, Any] = whole.to_wire()
        return plain

    def __str__(self) -> str:
        return f"{type(self).__name__}.from_dict({json.dumps(self.to_dict(), indent=2, sort_keys=True)})"


def with_none(message: object, kind: type[R]) -> R:
    """Return a copy of a message that is of its subclass ``kind``, with None for each field that is absent in it and in
    the messages in it. What is no message, such as None or a kind that this revision does not know, stays what it is.

    Required fields that an older server left out are None too, so that reading them raises nothing.
    """
    if not isinstance(message, Message):
        return cast("R", message)
    return cast("R", _copied(message, UNSET, None, kind))


def _copied(message: Message, old: object, new: object, kind: type[Message] | None = None) -> Any:
    """Copy a message, with ``new`` in place of fields that are ``old`` or missing."""
    copied = object.__new__(kind or type(message))
    for name in message.wire_names:
        value = getattr(message, name, old)  # a slot may be empty
        setattr(copied, name, new if value is old else _within(value, old, new))
    return copied


def _within(value: Any, old: object, new: object) -> Any:
    if isinstance(value, list):
        return [_within(element, old, new) for element in value]
    if isinstance(value, dict):
        return {key: _within(element, old, new) for key, element in value.items()}
    return _copied(value, old, new) if isinstance(value, Message) else value


class _ModelRecord(Record):
    __slots__ = ()

    params_string: str | None
    architecture: str | None
    quantization: Quantization | None
    variants: list[str] | None
    selected_variant: str | None


class LlmInfo(_ModelRecord, llm.LlmInfo):  # type: ignore[misc]
    """What the server knows of a language model on its disk; None for what it does not say."""

    __slots__ = ()


class LlmInstanceInfo(_ModelRecord, llm.LlmInstanceInfo):  # type: ignore[misc]
    """What the server knows of a loaded language model; None for what it does not say."""

    __slots__ = ()


class EmbeddingModelInfo(_ModelRecord, embedding.EmbeddingModelInfo):  # type: ignore[misc]
    """What the server knows of an embedding model on its disk; None for what it does not say."""

    __slots__ = ()


class EmbeddingModelInstanceInfo(_ModelRecord, embedding.EmbeddingModelInstanceInfo):  # type: ignore[misc]
    """What the server knows of a loaded embedding model; None for what it does not say."""

    __slots__ = ()


class LlmPredictionStats(Record, llm.LlmPredictionStats):
    """Counts, times and the reason for stopping; None for what the server does not say."""

    __slots__ = ()

    stop_string: str | None  # type: ignore[assignment]
    tokens_per_second: float | None  # type: ignore[assignment]
    num_gpu_layers: float | None  # type: ignore[assignment]
    time_to_first_token_sec: float | None  # type: ignore[assignment]
    total_time_sec: float | None  # type: ignore[assignment]
    prompt_tokens_count: int | None  # type: ignore[assignment]
    predicted_tokens_count: int | None  # type: ignore[assignment]
    total_tokens_count: int | None  # type: ignore[assignment]
    used_draft_model_key: str | None  # type: ignore[assignment]
    total_draft_tokens_count: int | None  # type: ignore[assignment]
    accepted_draft_tokens_count: int | None  # type: ignore[assignment]
    rejected_draft_tokens_count: int | None  # type: ignore[assignment]
    ignored_draft_tokens_count: int | None  # type: ignore[assignment]
