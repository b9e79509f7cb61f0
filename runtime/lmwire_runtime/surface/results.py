"""The result of a stream of text: the whole text, and what the result packet says of how it came about."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Generic, TypeVar

from lmwire_runtime.surface.stream_plans import MessagePlan
from lmwire_runtime.surface.structured import parse_as, parse_structured

__all__ = ["TextResult"]

P = TypeVar("P")
T = TypeVar("T")


class TextResult(Generic[P]):
    """Base of the generated result classes, whose properties read the result packet.

    ``str`` of a result is its text; of a structured one its JSON, indented, with sorted keys.
    """

    __slots__ = ("_collected", "_content", "_message_plan", "_packet", "_parsed")

    def __init__(
        self,
        content: str,
        packet: P,
        *,
        structured: bool,
        message: Callable[[], MessagePlan] | None = None,
        collected: Mapping[str, Sequence[Any]] | None = None,
    ) -> None:
        self._content = content
        self._packet = packet
        self._message_plan = message
        self._collected = collected or {}
        self._parsed = parse_structured(content) if structured else None

    @property
    def content(self) -> str:
        """The whole text, reasoning and its tags included."""
        return self._content

    @property
    def parsed(self) -> str | dict[str, Any]:
        """The JSON object that was asked for; the text itself if none was, or if the text is no JSON object."""
        return self._content if self._parsed is None else self._parsed

    @property
    def structured(self) -> bool:
        """Whether ``parsed`` is a JSON object."""
        return self._parsed is not None

    @property
    def packet(self) -> P:
        """The result packet as the server sent it."""
        return self._packet

    def _whole_message(self) -> Any:
        assert self._message_plan is not None
        return self._message_plan().make(self._content, self._collected)

    def _kept(self, name: str) -> list[Any]:
        return list(self._collected.get(name, ()))

    def parse_as(self, cls: type[T]) -> T:
        """Return the text as an object of ``cls``: a pydantic model, attrs class, dataclass or msgspec
        Struct.

        Raises:
            UsageError: The text does not fit; the message says where, and keeps the text.
        """
        return parse_as(self._content, cls)

    def __str__(self) -> str:
        if self._parsed is None:
            return self._content
        return json.dumps(self._parsed, indent=2, sort_keys=True, ensure_ascii=False)

    def __repr__(self) -> str:
        # Not the packet: it is long, and this is what an interactive session shows.
        return f"{type(self).__name__}(content={self._content!r})"
