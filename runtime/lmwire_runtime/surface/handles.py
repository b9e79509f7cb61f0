"""What the generated handles of loaded models stand on: an identifier, and requests built from a caller's
arguments.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from lmwire_runtime.errors import UsageError
from lmwire_runtime.limits import Timeout
from lmwire_runtime.surface.stream_plans import Request

if TYPE_CHECKING:
    from lmwire_runtime.surface.options import OptionTable

__all__ = ["HandleCore", "check_callback", "check_text", "check_texts", "text_request"]


class HandleCore:
    """A loaded model, addressed by its identifier. Making a handle sends nothing."""

    def __init__(self, identifier: str) -> None:
        self._identifier = check_text(identifier, "identifier")

    @property
    def identifier(self) -> str:
        """The name under which the model is loaded; whatever is loaded under it answers."""
        return self._identifier

    def __repr__(self) -> str:
        return f"{type(self).__name__}(identifier={self._identifier!r})"


def check_text(value: Any, name: str) -> str:
    """Return ``value`` if it is text.

    Raises:
        UsageError: It is not.
    """
    if not isinstance(value, str):
        raise UsageError(f"{name} must be text (str); got {type(value).__name__}")
    return value


def check_texts(values: Any, name: str) -> Iterable[str]:
    """Return ``values`` if it can be iterated, each of its items to be checked in turn.

    Raises:
        UsageError: It is neither text nor an iterable of text.
    """
    if isinstance(values, (bytes, bytearray)) or not isinstance(values, Iterable):
        raise UsageError(f"{name} must be text (str), or a list of texts; got {type(values).__name__}")
    return values


def check_callback(callback: Any, name: str) -> None:
    """Judge what a caller wants to be told by.

    Raises:
        UsageError: It is no plain function: nobody would await a coroutine function.
    """
    if callback is None:
        return
    if not callable(callback):
        raise UsageError(f"{name} must be a function; got {callback!r}")
    if inspect.iscoroutinefunction(callback):
        raise UsageError(
            f"{name} must be a plain function, which is not awaited; got the coroutine function {callback!r}"
        )


def text_request(
    *,
    table: Callable[[], OptionTable[Any]],
    structured_option: str,
    refuses: Sequence[str],
    variables: Mapping[str, Any],
    config: Any,
    response_format: Any,
    tools: tuple[str, Any] | None = None,
    timeout: Timeout,
) -> Request:
    """Make the request of a stream of text of what its caller gave.

    Args:
        table: Returns the options that ``config`` may hold; asked only if something was given.
        structured_option: Name of the option that ``response_format`` is another way to give.
        refuses: Options that this kind of request does not take.
        variables: The templates' variables.
        config, response_format, timeout: As the caller gave them.
        tools: What the parameter ``tools`` is another way to give: the name of an option, and its value.

    Raises:
        UsageError: An option is unknown, out of range or refused, or something was asked for in both ways.
    """
    if config is None and response_format is None and tools is None:
        return Request(variables=variables, timeout=timeout)
    options = table()
    fields = options.to_fields(config, refuses=refuses)
    if tools is not None:
        option, value = tools
        fields = _with_field(fields, options.to_fields({option: value})[0], "tools", option)
    key = options.key_of(structured_option)
    if response_format is not None:
        from lmwire_runtime.surface.structured import as_setting

        field = {"key": key, "value": as_setting(response_format)}
        fields = _with_field(fields, field, "response_format", structured_option)
    setting = next((field["value"] for field in fields if field["key"] == key), None)
    structured = isinstance(setting, Mapping) and setting.get("type") in ("json", "gbnf")
    return Request(variables=variables, fields=fields, structured=structured, timeout=timeout)


def _with_field(
    fields: list[dict[str, Any]], field: dict[str, Any], parameter: str, option: str
) -> list[dict[str, Any]]:
    if any(given["key"] == field["key"] for given in fields):
        raise UsageError(f"give either {parameter} or the option {option!r} in config, not both")
    return [*fields, field]
