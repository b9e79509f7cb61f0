"""One way to drive both shells, so that each test is written once."""

from __future__ import annotations

import asyncio
import inspect
import threading
from collections.abc import Callable, Iterator
from typing import Any, TypeAlias

from lmwire import AsyncClient, Client

__all__ = ["AsyncShell", "Shell", "SyncShell"]


class SyncShell:
    """Calls made by the test's own thread."""

    name = "sync"

    def client(self, host: str, **options: Any) -> Any:
        return Client(host, **options)

    def call(self, function: Callable[..., Any], *arguments: Any, **options: Any) -> Any:
        return function(*arguments, **options)

    def iterate(self, stream: Any) -> Iterator[Any]:
        yield from stream

    def leave_after(self, stream: Any, count: int) -> list[Any]:
        """Take ``count`` fragments in a loop, and break out of it."""
        taken = []
        for fragment in stream:
            taken.append(fragment)
            if len(taken) == count:
                break
        return taken

    def leave_context_after(self, stream: Any, count: int) -> list[Any]:
        """The same, leaving the stream's context with the loop."""
        with stream:
            return self.leave_after(stream, count)

    def stop(self) -> None:
        return None


class AsyncShell:
    """Calls made by tasks of an event loop in another thread."""

    name = "async"

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()

    def _run(self, work: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(30)

    def client(self, host: str, **options: Any) -> Any:
        return AsyncClient(host, **options)

    def call(self, function: Callable[..., Any], *arguments: Any, **options: Any) -> Any:
        async def work() -> Any:
            result = function(*arguments, **options)
            return await result if inspect.isawaitable(result) else result

        return self._run(work())

    def iterate(self, stream: Any) -> Iterator[Any]:
        iterator = stream.__aiter__()
        while True:
            try:
                yield self._run(iterator.__anext__())
            except StopAsyncIteration:
                return

    def leave_after(self, stream: Any, count: int) -> list[Any]:
        async def work() -> list[Any]:
            taken = []
            async for fragment in stream:
                taken.append(fragment)
                if len(taken) == count:
                    break
            return taken

        result: list[Any] = self._run(work())
        return result

    def leave_context_after(self, stream: Any, count: int) -> list[Any]:
        async def work() -> list[Any]:
            taken = []
            async with stream:
                async for fragment in stream:
                    taken.append(fragment)
                    if len(taken) == count:
                        return taken
            return taken

        result: list[Any] = self._run(work())
        return result

    def stop(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()


Shell: TypeAlias = "SyncShell | AsyncShell"
