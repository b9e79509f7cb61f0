"""What a stream of text is asked for, and what its packets mean: values that the compiler and callers fill in."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Generic, TypeVar

import attrs

from lmwire_runtime.descriptors import ChannelDescriptor
from lmwire_runtime.limits import Timeout
from lmwire_runtime.surface.templates import fill

__all__ = ["Attempt", "Callbacks", "Request", "StreamPlan"]

F = TypeVar("F")


@attrs.frozen(kw_only=True)
class Attempt:
    """One endpoint that can serve a stream.

    Attributes:
        descriptor: The endpoint.
        template: Its creation parameter, see ``surface.templates``.
        fragment: The packet class that yields, and the attribute that is yielded.
        progress: Packet classes that report progress, and the attribute that holds it (0.0 to 1.0).
        result: The packet class that ends the stream with its result.
        default_fields: Config fields that are sent where the caller has not set their key.
    """

    descriptor: ChannelDescriptor[Any, Any, Any]
    template: Mapping[str, Any]
    fragment: tuple[type, str]
    progress: Mapping[type, str]
    result: type
    default_fields: Sequence[Mapping[str, Any]] = ()


@attrs.frozen(kw_only=True)
class StreamPlan:
    """How a stream is asked for and what becomes of it.

    Attributes:
        attempts: The endpoints, best first.
        text: The attribute of a fragment that holds its text.
        message: Makes of the whole text what ``on_message`` gets.
    """

    attempts: Sequence[Attempt]
    text: str
    message: Callable[[str], Any]


@attrs.frozen(kw_only=True)
class Request:
    """What a caller asked for.

    Attributes:
        variables: The templates' variables.
        fields: The config fields, plain JSON.
        structured: Whether the text is to be read as JSON.
    """

    variables: Mapping[str, Any]
    fields: Sequence[Mapping[str, Any]] = ()
    structured: bool = False
    timeout: Timeout = attrs.field(kw_only=True)

    def creation(self, attempt: Attempt) -> Any:
        """Return the creation parameter of one attempt."""
        given = {field["key"] for field in self.fields}
        defaults = [dict(field) for field in attempt.default_fields if field["key"] not in given]
        return fill(attempt.template, {**self.variables, "options": [*self.fields, *defaults]})


@attrs.frozen(kw_only=True)
class Callbacks(Generic[F]):
    """What a caller wants to be told, in the thread or task that reads the stream.

    A callback that raises ends the stream with its exception, and the server is asked to stop.
    """

    on_prediction_fragment: Callable[[F], Any] | None = None
    on_first_token: Callable[[], Any] | None = None
    on_prompt_processing_progress: Callable[[float], Any] | None = None
    on_message: Callable[[Any], Any] | None = None
