"""The emulator as a server: all eight namespaces, the handlers that there are, models and engines."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterable, Sequence
from contextlib import aclosing
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias

import attrs

from lmwire import diagnostics, embedding, files, llm, plugins, repository, runtime, system
from lmwire_emulator.authentication import Gatekeeper
from lmwire_emulator.catalogue import DEFAULT_CATALOGUE, DEFAULT_MODEL_KEY
from lmwire_emulator.clock import SYSTEM_CLOCK, Clock
from lmwire_emulator.engines.base import Engine
from lmwire_emulator.engines.ngram import NgramEngine
from lmwire_emulator.engines.scripted import ScriptedEngine
from lmwire_emulator.llm_handlers import DOMAIN, EmulatedLlm
from lmwire_emulator.models import Model
from lmwire_emulator.presets import DEFAULT_PRESETS, Preset
from lmwire_emulator.registry import ModelRegistry
from lmwire_emulator.system_handlers import BUILD, VERSION, EmulatedSystem
from lmwire_runtime.descriptors import NamespaceDescriptor
from lmwire_runtime.server import Namespace, Server

if TYPE_CHECKING:
    from typing_extensions import Self

    from lmwire_emulator.scripts import Script
    from lmwire_runtime.connection import Tap

__all__ = ["Emulator", "EmulatorThread", "Generation"]

Generation: TypeAlias = Literal["2025", "2026"]

_LATER_CHANNELS: Final = frozenset({"completeRawText"})
"""Channels that servers of 2025 did not know."""

_NAMESPACES: Final = (diagnostics, embedding, files, llm, plugins, repository, runtime, system)


class Emulator:
    """A stand-in for LM Studio, for one event loop. An asynchronous context manager; ``start`` listens.

    Args:
        script: What the scripted engine replies; every language model then answers by script. None: the
            ``ngram`` engine.
        loaded: Keys of models that are loaded at the start.
        generation: Which servers to resemble: those of ``2026``, or those of ``2025``, which had no
            ``completeRawText``, no ``details`` of prompt progress and no ``kind`` of warnings.
        seconds_per_token: Pause of the ``ngram`` engine after each token, to look like a large model; 0 for
            none.
        api_tokens: Tokens of which one is demanded; none makes an open server.
        catalogue: The downloaded models.
        presets: Presets that predictions can name.
        clock: Measures and waits.
        on_frame: A tap: called with direction, namespace and JSON text of every frame, secrets redacted.

    Raises:
        UsageError: A token is malformed.
    """

    def __init__(
        self,
        *,
        script: Script | None = None,
        loaded: Sequence[str] = (),
        generation: Generation = "2026",
        seconds_per_token: float = 0.0,
        api_tokens: Iterable[str] = (),
        catalogue: Iterable[Model] = DEFAULT_CATALOGUE,
        presets: Sequence[Preset] = DEFAULT_PRESETS,
        clock: Clock = SYSTEM_CLOCK,
        on_frame: Tap | None = None,
    ) -> None:
        self.registry = ModelRegistry(catalogue, clock=clock)
        engines: dict[str, Engine] = {"ngram": NgramEngine(clock=clock, seconds_per_token=seconds_per_token)}
        if script is not None:
            engines = dict.fromkeys(engines, ScriptedEngine(script, clock=clock))
        self._engines = set(engines.values())
        self._loaded = loaded
        gatekeeper = Gatekeeper(api_tokens)
        handlers: dict[str, object] = {
            "llm": EmulatedLlm(self.registry, engines, presets, progress_details=generation != "2025"),
            "system": EmulatedSystem(self.registry),
        }
        self._server = Server(
            [
                Namespace(_as_of(generation, module.NAMESPACE), handlers.get(module.NAMESPACE.name))
                for module in _NAMESPACES
            ],
            warning_kinds=generation != "2025",
            authenticate=gatekeeper.authenticate,
            released=gatekeeper.released,
            status={"package": "lmwire-emulator", "version": f"{VERSION}+{BUILD}"},
            on_frame=on_frame,
        )

    async def start(self, host: str = "127.0.0.1", port: int = 0) -> tuple[str, int]:
        """Load what shall be loaded, then listen; returns host and port, a free one if 0 was given.

        Raises:
            EmulatorError: A model that shall be loaded is not in the catalogue.
            OSError: The address cannot be used.
        """
        for engine in self._engines:
            await engine.prepare()
        for key in self._loaded:
            async with aclosing(self.registry.load(key, DOMAIN)) as events:
                async for _ in events:
                    pass
        return await self._server.start(host, port)

    async def close(self) -> None:
        """Stop listening and drop all connections."""
        await self._server.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.close()


def _as_of(generation: Generation, namespace: NamespaceDescriptor) -> NamespaceDescriptor:
    if generation == "2026":
        return namespace
    known = {name: channel for name, channel in namespace.channel.items() if name not in _LATER_CHANNELS}
    return attrs.evolve(namespace, channel=known)


class EmulatorThread:
    """An emulator in a thread of its own, for synchronous programs and tests. A context manager.

    Takes the arguments of ``Emulator``, and ``host`` and ``port`` to listen on. One model is loaded at the
    start unless ``loaded`` says otherwise.
    """

    default_model_key: Final = DEFAULT_MODEL_KEY

    def __init__(self, *, host: str = "127.0.0.1", port: int = 0, **options: Any) -> None:
        options.setdefault("loaded", (DEFAULT_MODEL_KEY,))
        self._options = options
        self._listen = (host, port)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="lmwire-emulator", daemon=True)
        self._emulator: Emulator | None = None
        self._address = ("", 0)

    @property
    def emulator(self) -> Emulator:
        """The emulator; its objects belong to the thread's event loop."""
        assert self._emulator is not None, "the emulator has not been started"
        return self._emulator

    @property
    def api_host(self) -> str:
        """What clients take as ``api_host``."""
        host, port = self._address
        return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"

    def start(self) -> None:
        """Start the thread and listen; raises as ``Emulator.start`` does."""

        async def begin() -> None:
            self._emulator = Emulator(**self._options)
            self._address = await self._emulator.start(*self._listen)

        self._thread.start()
        try:
            asyncio.run_coroutine_threadsafe(begin(), self._loop).result()
        except BaseException:
            self._stop()
            raise

    def close(self) -> None:
        """Drop all connections and end the thread."""
        asyncio.run_coroutine_threadsafe(self.emulator.close(), self._loop).result()
        self._stop()

    def _stop(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()
