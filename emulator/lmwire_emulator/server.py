"""The emulator as a server: all eight namespaces, the handlers that there are, models and engines."""

from __future__ import annotations

import asyncio
import functools
import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import aclosing
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final

from lmwire_emulator.authentication import Gatekeeper
from lmwire_emulator.catalogue import DEFAULT_CATALOGUE, DEFAULT_MODEL_KEY
from lmwire_emulator.clock import SYSTEM_CLOCK, Clock
from lmwire_emulator.diagnostics_handlers import EmulatedDiagnostics
from lmwire_emulator.downloads import Downloader
from lmwire_emulator.embedding_handlers import EmulatedEmbedding
from lmwire_emulator.endpoints import NAMESPACES
from lmwire_emulator.engine_store import EngineStore
from lmwire_emulator.engines.base import Engine
from lmwire_emulator.engines.embedding import HashingEngine
from lmwire_emulator.engines.ngram import NgramEngine
from lmwire_emulator.engines.scripted import ScriptedEngine
from lmwire_emulator.files_handlers import EmulatedFiles
from lmwire_emulator.generations import GENERATIONS, Generation, ServerGeneration
from lmwire_emulator.hub import Hub
from lmwire_emulator.llm_handlers import EmulatedLlm
from lmwire_emulator.log_book import LogBook
from lmwire_emulator.models import Domain, LoadPlan, Model
from lmwire_emulator.presets import DEFAULT_PRESETS, Preset
from lmwire_emulator.registry import ModelRegistry
from lmwire_emulator.repository_handlers import EmulatedRepository
from lmwire_emulator.runtime_handlers import EmulatedRuntime
from lmwire_emulator.scripted_handlers import ScriptedHandlers, taking_verbatim
from lmwire_emulator.scripts import (
    EndpointRule,
    LoadRule,
    Playlist,
    Reply,
    Script,
    ScriptedFragment,
    ScriptRule,
)
from lmwire_emulator.system_handlers import EmulatedSystem
from lmwire_runtime.access import DEFAULT_ACCESS, AccessRule
from lmwire_runtime.errors import UsageError
from lmwire_runtime.server import Namespace, Server

if TYPE_CHECKING:
    from typing_extensions import Self

    from lmwire_runtime.connection import Tap

__all__ = ["Emulator", "EmulatorThread", "Generation"]


class Emulator:
    """A stand-in for LM Studio, for one event loop. An asynchronous context manager; ``start`` listens.

    Args:
        script: What goes by script. If it has replies to prompts, every language model answers by script, but
            those that are made to fail; without it, the ``ngram`` engine makes the texts.
        loaded: Keys of models, language or embedding models, that are loaded at the start.
        generation: Which servers to resemble: those of August ``2026``, August ``2025`` or July 2025 (``2025-07``).
            Older ones lack ``completeRawText``, ``details`` of prompt progress, ``kind`` of warnings and more, see
            ``history``.
        seconds_per_token: Pause of the ``ngram`` engine after each token, to look like a large model; 0 for
            none.
        seconds_per_download: How long every download takes.
        api_tokens: Tokens of which one is demanded; none makes an open server, for this machine only.
        access: Which web pages may use it, and under which names it may be asked for; by default pages of this machine.
        catalogue: The downloaded models.
        presets: Presets that predictions can name.
        clock: Measures and waits.
        on_frame: A tap: called with direction, namespace and JSON text of every frame, secrets redacted.

    Raises:
        UsageError: A token is malformed, or there is no such generation.
    """

    def __init__(
        self,
        *,
        script: Script | None = None,
        loaded: Sequence[str] = (),
        generation: Generation = "2026",
        seconds_per_token: float = 0.0,
        seconds_per_download: float = 0.0,
        api_tokens: Iterable[str] = (),
        access: AccessRule = DEFAULT_ACCESS,
        catalogue: Iterable[Model] = DEFAULT_CATALOGUE,
        presets: Sequence[Preset] = DEFAULT_PRESETS,
        clock: Clock = SYSTEM_CLOCK,
        on_frame: Tap | None = None,
    ) -> None:
        if generation not in GENERATIONS:
            known = ", ".join(GENERATIONS)
            raise UsageError(f"there is no generation {generation!r} of servers; there are {known}")
        servers = GENERATIONS[generation]
        script = script or Script(())
        loads = Playlist(script, LoadRule)
        self.registry = ModelRegistry(
            catalogue,
            clock=clock,
            plan_of=functools.partial(_plan_of, loads),
            defaults=servers.load_defaults(),
        )
        engines: dict[str, Engine]
        if Playlist(script, ScriptRule):
            engines = dict.fromkeys(("ngram", "ngram-reasoning"), ScriptedEngine(script, clock=clock))
        else:
            ngram = functools.partial(NgramEngine, clock=clock, seconds_per_token=seconds_per_token)
            engines = {"ngram": ngram(), "ngram-reasoning": ngram(reasons=True)}
        faulty = ScriptedEngine(_faults_of(self.registry.downloaded), clock=clock)
        self._engines = set(engines.values())
        self._loaded = loaded
        log = LogBook(clock, servers.lacking_variants)
        self.hub = Hub()
        self.engine_store = EngineStore()
        gatekeeper = Gatekeeper(api_tokens)
        hashing, downloader = HashingEngine(), Downloader(clock, seconds_per_download)
        handlers: dict[str, object] = {
            "llm": EmulatedLlm(self.registry, engines, presets, faulty=faulty, log=log),
            "embedding": EmulatedEmbedding(self.registry, hashing),
            "files": EmulatedFiles(self.registry, hashing, clock),
            "repository": EmulatedRepository(self.registry, downloader, self.hub, servers.lacking_variants),
            "runtime": EmulatedRuntime(downloader, self.engine_store),
            "diagnostics": EmulatedDiagnostics(log),
            "system": EmulatedSystem(self.registry, log, version=servers.version, build=servers.build),
        }
        status = {"package": "lmwire-emulator", "version": f"{servers.version}+{servers.build}"}
        self.namespaces = list(_namespaces(servers, handlers, Playlist(script, EndpointRule), clock))
        self._server = Server(
            self.namespaces,
            warning_kinds=servers.warning_kinds,
            authenticate=gatekeeper.authenticate,
            guarded=gatekeeper.demands_tokens,
            access=access,
            released=gatekeeper.released,
            status=status if servers.status_page else None,
            on_frame=on_frame,
        )

    async def start(self, host: str = "127.0.0.1", port: int = 0) -> tuple[str, int]:
        """Load what shall be loaded, then listen; returns host and port, a free one if 0 was given.

        Raises:
            UsageError: Other machines could use it, and no token is demanded.
            EmulatorError: A model that shall be loaded is not in the catalogue.
            OSError: The address cannot be used.
        """
        for engine in self._engines:
            await engine.prepare()
        domains: dict[str, Domain] = {model.model_key: model.domain for model in self.registry.downloaded}
        for key in self._loaded:
            async with aclosing(self.registry.load(key, domains.get(key, EmulatedLlm.domain))) as events:
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


def _plan_of(loads: Playlist[LoadRule], model: Model) -> LoadPlan:
    rule = loads.take(lambda rule: rule.fits(model.model_key))
    return model.loading if rule is None else rule.reply


def _faults_of(models: Iterable[Model]) -> Script:
    """Make the script of models that are made to fail: a little text, and their fault."""
    fragments = tuple(ScriptedFragment(text=text) for text in (" This", " goes", " wrong"))
    return Script(
        tuple(
            ScriptRule(model=model.model_key, reply=Reply(fragments=fragments, end=model.fault))
            for model in models
            if model.fault is not None
        )
    )


def _namespaces(
    servers: ServerGeneration, handlers: dict[str, object], rules: Playlist[EndpointRule], clock: Clock
) -> Iterator[Namespace]:
    for name, today in NAMESPACES.items():
        if not servers.has(today):
            continue
        namespace, handler = servers.namespace(today), handlers.get(name)
        if rules:
            yield Namespace(taking_verbatim(namespace), ScriptedHandlers(namespace, handler, rules, clock))
        else:
            yield Namespace(namespace, handler)


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
