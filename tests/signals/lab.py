"""The namespace ``lab``, compiled of ``schema/``, its server, and a way to drive the signals of both shells alike."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Coroutine, Iterator, Sequence
from types import TracebackType
from typing import Any, Protocol, TypeVar

from lmwire_runtime.server import ErrorReply, RequestContext, ServerSignal
from tests.runtime.arithmetic import ENOUGH, LoopThread, RunningServer
from tests.runtime.shells import Shells

T = TypeVar("T")

START = {"title": "start", "tags": ["a"], "nested": {"flag": False, "values": {"one": 1.0}}}
STOCK = {
    "amounts": [["nails", 3], ["screws", 4.5]],
    "places": ["left", "right"],
    "since": "2026-01-02T03:04:05.006Z",
    "total": 2**60,
}


def lab_handlers(lab: Any) -> Any:
    """Make handlers of the compiled namespace; their signals are shared by all clients."""

    class Handlers(lab.LabHandlers):  # type: ignore[misc]  # compiled at run time
        def __init__(self) -> None:
            self.counter_signal = ServerSignal(lab.COUNTER, lab.CounterValue(count=0, items=[]))
            self.note_signal = ServerSignal(lab.NOTE, lab.NOTE.value.decode(START))
            self.pause_signal: ServerSignal[Any] = ServerSignal(lab.PAUSE, None)
            self.stock_signal = ServerSignal(lab.STOCK, lab.STOCK.value.decode(STOCK))
            self.late_signal: ServerSignal[Any] = ServerSignal(lab.LATE)
            self.rooms: dict[str, ServerSignal[Any]] = {}
            self.seen: Counter[str] = Counter()
            self._changed = threading.Condition()

        def saw(self, what: str) -> None:
            with self._changed:
                self.seen[what] += 1
                self._changed.notify_all()

        def until(self, what: str, count: int = 1) -> None:
            """Wait until a handler was called so often."""
            with self._changed:
                assert self._changed.wait_for(lambda: self.seen[what] >= count, ENOUGH), (what, self.seen)

        async def counter(self, context: RequestContext) -> Any:
            self.saw("counter")
            return self.counter_signal

        async def room(self, creation: Any, context: RequestContext) -> Any:
            if creation.name == "locked":
                raise ErrorReply("the room is locked", suggestion="Find the key.")
            return self.rooms.setdefault(creation.name, ServerSignal(lab.ROOM, [f"host of {creation.name}"]))

        async def note(self, context: RequestContext) -> Any:
            self.saw("note")
            return self.note_signal

        async def pause(self, context: RequestContext) -> Any:
            return self.pause_signal

        async def stock(self, creation: str | None, context: RequestContext) -> Any:
            return self.stock_signal

        async def late(self, context: RequestContext) -> Any:
            self.saw("late")
            return self.late_signal

        async def failing(self, context: RequestContext) -> Any:
            raise ErrorReply("This signal always fails", cause="It is made to fail.")

        def tick(self, count: int, tags: Sequence[str] = ()) -> None:
            """Count to a number, as one change."""
            items = [f"item-{number}" for number in range(max(1, count - 4), count + 1)]
            self.counter_signal.set(lab.CounterValue(count=count, items=items), tags=tags)

    return Handlers()


class Lab:
    """A running server of the namespace, and what its handlers hold."""

    def __init__(self, lab: Any, server: RunningServer, handlers: Any) -> None:
        self.lab = lab
        self.server = server
        self.handlers = handlers

    @property
    def host(self) -> str:
        return self.server.host

    def do(self, work: Callable[[], T]) -> T:
        """Run something on the server's loop."""

        async def wrapper() -> T:
            return work()

        return self.server.run(wrapper)

    def tick(self, count: int, *tags: str) -> None:
        self.do(lambda: self.handlers.tick(count, tags))


class Updates(Protocol):
    """An iterator of either shell, driven from outside."""

    def __iter__(self) -> Iterator[Any]: ...
    def __next__(self) -> Any: ...
    def close(self) -> None: ...


class Signal(Protocol):
    """A signal of either shell; all methods may be called from any thread."""

    @property
    def subscribed(self) -> bool: ...
    @property
    def request_id(self) -> int | None: ...
    def __enter__(self) -> Any: ...
    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None: ...
    def __iter__(self) -> Updates: ...
    def start(self) -> Any: ...
    def get(self) -> Any: ...
    def pull(self) -> Any: ...
    def updates(self, *, timeout: float | None = None) -> Updates: ...
    def set(self, value: Any, *, tags: Sequence[str] = ()) -> None: ...
    def update(self, change: Callable[[Any], Any], *, tags: Sequence[str] = ()) -> Any: ...
    def close(self) -> None: ...


class _AsyncUpdates:
    def __init__(self, updates: Any, run: Callable[[Coroutine[Any, Any, Any]], Any]) -> None:
        self._updates = updates
        self._run = run

    def __iter__(self) -> Iterator[Any]:
        return self

    def __next__(self) -> Any:
        try:
            return self._run(self._updates.__anext__())
        except StopAsyncIteration:
            raise StopIteration from None

    def close(self) -> None:
        async def close() -> None:
            self._updates.close()

        self._run(close())


class _AsyncSignal:
    def __init__(self, signal: Any, run: Callable[[Coroutine[Any, Any, Any]], Any]) -> None:
        self._signal = signal
        self._run = run

    @property
    def subscribed(self) -> bool:
        return bool(self._signal.subscribed)

    @property
    def request_id(self) -> Any:
        return self._signal.request_id

    def __enter__(self) -> _AsyncSignal:
        self._run(self._signal.__aenter__())
        return self

    def __exit__(self, *details: object) -> None:
        self._run(self._signal.__aexit__(*details))

    def __iter__(self) -> _AsyncUpdates:
        return _AsyncUpdates(self._signal.__aiter__(), self._run)

    def updates(self, *, timeout: float | None = None) -> _AsyncUpdates:
        return _AsyncUpdates(self._signal.updates(timeout=timeout), self._run)

    def start(self) -> Any:
        return self._run(self._signal.start())

    def get(self) -> Any:
        return self._run(self._signal.get())

    def pull(self) -> Any:
        return self._run(self._signal.pull())

    def set(self, value: Any, *, tags: Sequence[str] = ()) -> None:
        self._run(self._signal.set(value, tags=tags))

    def update(self, change: Callable[[Any], Any], *, tags: Sequence[str] = ()) -> Any:
        return self._run(self._signal.update(change, tags=tags))

    def close(self) -> None:
        self._run(self._signal.close())


class LabClient:
    """A client of the compiled package, of either shell; ``signal(endpoint)`` calls its stub."""

    def __init__(
        self, package: Any, shells: Shells, loop: LoopThread | None, host: str, **options: Any
    ) -> None:
        self._loop = loop
        self._client = (package.Client if loop is None else package.AsyncClient)(host, **options)
        self._shells = shells

    def signal(self, endpoint: str, **parameters: Any) -> Any:
        made = getattr(self._client.lab.signal, endpoint)(**parameters)
        return made if self._loop is None else _AsyncSignal(made, self._loop.run)

    def close(self) -> None:
        if self._loop is None:
            self._client.close()
        else:
            self._loop.run(self._client.close())


class LabClients:
    """Makes clients of one kind, and threads that use them."""

    def __init__(self, package: Any, kind: str, shells: Shells) -> None:
        self.kind = kind
        self.shells = shells
        self._package = package
        self._loop = LoopThread() if kind == "asyncio" else None
        self._made: list[LabClient] = []

    def make(self, host: str, **options: Any) -> LabClient:
        client = LabClient(self._package, self.shells, self._loop, host, **options)
        self._made.append(client)
        return client

    def close(self) -> None:
        for client in self._made:
            client.close()
        if self._loop is not None:
            self._loop.stop()
