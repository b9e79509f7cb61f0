"""Makes the public methods of lmwire's classes raise this package's exceptions.

A class of this package extends one of lmwire's and is decorated with ``speaks_lmstudio``: every public
method, property and iteration of the base class is then wrapped once, when the class is made. Nothing is
added to the way of a fragment but one frame.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Generator
from typing import Any, Final, TypeVar

from lmstudio.exceptions import translate
from lmwire import LMWireError

__all__ = ["speaks_lmstudio", "translated"]

C = TypeVar("C", bound=type)
F = TypeVar("F", bound=Callable[..., Any])

# Not public by name, but what users reach by `with`, `for` and `await`.
_PROTOCOLS: Final = frozenset({"__aenter__", "__aiter__", "__enter__", "__init__", "__iter__", "_fragments"})
# What the iterator of an asynchronous stream reads from. In a synchronous one `_fragments` is around it, and has to
# see lmwire's own error where the server lacks an endpoint: then it tries another one.
_WITHOUT_FRAGMENTS: Final = frozenset({"_events_of", "_fragments_of"})


def translated(function: F) -> F:
    """Wrap a function, coroutine function or generator function."""
    if inspect.iscoroutinefunction(function):

        @functools.wraps(function)
        async def coroutine(*arguments: Any, **options: Any) -> Any:
            try:
                return await function(*arguments, **options)
            except LMWireError as error:
                raise translate(error) from error

        return coroutine  # type: ignore[return-value]
    if inspect.isgeneratorfunction(function):

        @functools.wraps(function)
        def generator(*arguments: Any, **options: Any) -> Generator[Any, Any, Any]:
            try:
                return (yield from function(*arguments, **options))
            except LMWireError as error:
                raise translate(error) from error

        return generator  # type: ignore[return-value]

    @functools.wraps(function)
    def plain(*arguments: Any, **options: Any) -> Any:
        try:
            return function(*arguments, **options)
        except LMWireError as error:
            raise translate(error) from error

    return plain  # type: ignore[return-value]


def speaks_lmstudio(cls: C) -> C:
    """Class decorator: see the module docstring."""
    protocols = _PROTOCOLS if hasattr(cls, "_fragments") else _PROTOCOLS | _WITHOUT_FRAGMENTS
    for name in dir(cls):
        if name.startswith("_") and name not in protocols:
            continue
        member = inspect.getattr_static(cls, name)
        if inspect.isfunction(member):
            setattr(cls, name, translated(member))
        elif isinstance(member, classmethod):
            setattr(cls, name, classmethod(translated(member.__func__)))
        elif isinstance(member, property) and member.fget is not None:
            setter = None if member.fset is None else translated(member.fset)
            setattr(cls, name, property(translated(member.fget), setter, doc=member.__doc__))
    return cls
