"""Parameters of generated methods: what callers may give, made into the plain JSON that a template is filled with.

What fits is for the schema to judge, by strict decoding of the whole request; here is only what a caller may write in
another form: objects as dicts or messages, things by themselves or by their identifier, files by their path.
"""

from __future__ import annotations

import base64
import os
from collections.abc import Callable, Iterable, Mapping
from pathlib import PurePath
from typing import Any, BinaryIO, Final, TypeAlias, TypeVar

import attrs

from lmwire_runtime.descriptors import Codec, EndpointDescriptor
from lmwire_runtime.errors import UsageError
from lmwire_runtime.surface.chats import plain_object
from lmwire_runtime.surface.handles import check_text
from lmwire_runtime.surface.option_kinds import MisfitError, plain_json
from lmwire_runtime.wire import STRICT, UNSET, DecodeError

__all__ = ["Content", "Input", "checked", "variables_of"]

T = TypeVar("T")

Content: TypeAlias = "str | os.PathLike[str] | bytes | bytearray | memoryview | BinaryIO"
"""What callers may give as a file: its path, its content, or a file that is open for reading bytes."""


@attrs.frozen(kw_only=True, eq=False)
class Input:
    """What one parameter of a method takes.

    Attributes:
        kind: One of ``KINDS``.
        classes: The classes of objects that a ``reference`` takes, beside what their ``attribute`` holds.
        attribute: See ``classes``.
        default: What stands in the template if the caller gives None; UNSET leaves it out.
        required: Whether there has to be a value.
        of: The parameter with the file that this ``name`` is the name of.
    """

    kind: str
    classes: tuple[type, ...] = ()
    attribute: str = ""
    default: Any = UNSET
    required: bool = True
    of: str = ""


def variables_of(inputs: Mapping[str, Input], given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the variables of a template: what a caller gave for these parameters, as plain JSON.

    Raises:
        UsageError: A value is of the wrong kind, or a file cannot be read.
    """
    return {name: _value(input_, name, given) for name, input_ in inputs.items()}


def checked(descriptor: EndpointDescriptor, codec: Codec[T], filled: Any) -> T:
    """Return a request's typed value.

    Raises:
        UsageError: It does not fit the schema; the message says where, as a JSON pointer.
    """
    try:
        return codec.decode(filled, STRICT)
    except DecodeError as error:
        raise UsageError(f"{descriptor.name} does not take this: {error}; nothing was sent") from None


def _value(input_: Input, name: str, given: Mapping[str, Any]) -> Any:
    value = given[name]
    if input_.of:
        return _file_name(value, name, given[input_.of], input_.of)
    if value is None and not input_.required:
        return input_.default
    return KINDS[input_.kind](input_, value, name)


def _text(_: Input, value: Any, name: str) -> str:
    return check_text(value, name)


def _texts(_: Input, value: Any, name: str) -> list[str]:
    return [check_text(item, f"{name}[{index}]") for index, item in enumerate(_listed(value, name))]


def _json(_: Input, value: Any, name: str) -> Any:
    try:
        return plain_json(value, name)
    except MisfitError as error:
        raise UsageError(
            f"{error.path} must be {error.expected}; got {error.value!r:.200}; nothing was sent"
        ) from None


def _object(_: Input, value: Any, name: str) -> dict[str, Any]:
    return plain_object(value, name)


def _path(_: Input, value: Any, name: str) -> str:
    if not isinstance(value, (str, os.PathLike)):
        raise UsageError(f"{name} must be a path; got {type(value).__name__}")
    return os.fsdecode(value)


def _reference(input_: Input, value: Any, name: str) -> Any:
    if isinstance(value, input_.classes):
        value = getattr(value, input_.attribute)
    if isinstance(value, str):
        return value
    if isinstance(value, Mapping) or hasattr(value, "to_wire"):
        return plain_object(value, name)
    known = ", ".join(cls.__name__ for cls in input_.classes)
    raise UsageError(f"{name} must be one of {known}, or its {input_.attribute}; got {type(value).__name__}")


def _references(input_: Input, value: Any, name: str) -> list[Any]:
    items = enumerate(_listed(value, name))
    return [_reference(input_, item, f"{name}[{index}]") for index, item in items]


def _listed(value: Any, name: str) -> Iterable[Any]:
    if isinstance(value, (str, bytes, bytearray, Mapping)) or not isinstance(value, Iterable):
        raise UsageError(f"{name} must be a list; got {type(value).__name__}")
    return value


def _content(_: Input, value: Any, name: str) -> str:
    """Return the content of a file in base 64."""
    try:
        if isinstance(value, (str, os.PathLike)):
            with open(value, "rb") as file:
                value = file.read()
        elif callable(getattr(value, "read", None)):
            value = value.read()
    except OSError as error:
        raise UsageError(f"{name} cannot be read: {error}; nothing was sent") from error
    if not isinstance(value, (bytes, bytearray, memoryview)):
        raise UsageError(
            f"{name} must be a path, bytes, or a file that is open for reading bytes; got {type(value).__name__}"
        )
    return base64.b64encode(value).decode("ascii")


def _file_name(value: Any, name: str, file: Any, parameter: str) -> str:
    """Return the name that a caller gave a file, or else the one that it has on disk."""
    if value is not None:
        return check_text(value, name)
    path = file if isinstance(file, (str, os.PathLike)) else getattr(file, "name", None)
    if not isinstance(path, (str, os.PathLike)):
        raise UsageError(f"{name} is needed: {parameter} has no name of its own")
    return PurePath(os.fsdecode(path)).name


KINDS: Final[Mapping[str, Callable[[Input, Any, str], Any]]] = {
    "text": _text,
    "texts": _texts,
    "integer": _json,
    "flag": _json,
    "json": _json,
    "object": _object,
    "path": _path,
    "reference": _reference,
    "references": _references,
    "content": _content,
}
"""What the kinds of parameters make of a caller's value."""
