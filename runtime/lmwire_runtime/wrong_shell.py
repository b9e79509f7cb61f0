"""What happens when code for tasks meets objects for threads, or the other way round: a TypeError that says so.

Python's own message names the missing method, not the mistake. Type checkers see none of these methods, and so go on
reporting the mistake themselves.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NoReturn

__all__ = ["ForTasks", "ForThreads"]

_FOR_TASKS: Final = "{kind} is for asyncio: write 'async {word}' in an 'async def' function{instead}"
_FOR_THREADS: Final = "{kind} is not for asyncio: write plain '{word}'{instead}"


def _refuse(mistaken: Any, sentence: str, word: str) -> NoReturn:
    name = type(mistaken).__name__
    bare = name.removeprefix("Async")
    instead = f", or use {bare if bare != name else 'Async' + name}" if name.endswith("Client") else ""
    raise TypeError(sentence.format(kind=name, word=word, instead=instead))


class ForTasks:
    """Base of what is used by ``async with`` and ``async for``."""

    if not TYPE_CHECKING:

        def __enter__(self) -> NoReturn:
            _refuse(self, _FOR_TASKS, "with")

        def __exit__(self, *_: object) -> None:
            """Not reached: Python looks for it before it enters."""

        def __iter__(self) -> NoReturn:
            _refuse(self, _FOR_TASKS, "for")


class ForThreads:
    """Base of what is used by plain ``with`` and ``for``."""

    if not TYPE_CHECKING:

        def __aenter__(self) -> NoReturn:
            _refuse(self, _FOR_THREADS, "with")

        async def __aexit__(self, *_: object) -> None:
            """Not reached: Python looks for it before it enters."""

        def __aiter__(self) -> NoReturn:
            _refuse(self, _FOR_THREADS, "for")
