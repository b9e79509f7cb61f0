"""The registry: which models are downloaded, which are loaded, how they get loaded, found and unloaded.

Theory of operation. Two tables: ``_loaded``, in the order of loading, and ``_loading``, the identifiers that a load
in progress has reserved, each with an event that its end sets. Together they hold every identifier in use, so that
two loads at the same time never take the same one, and a second ``get_or_load`` of a model waits for the first
instead of loading it twice. Loads are asynchronous generators of load events; closing one early
(``contextlib.aclosing``) or cancelling it gives the identifier back. Instances whose idle time is over are dropped
before each look at the table: nobody can see one that should be gone, and no task or timer is needed. A prediction
registers with ``using``; an instance in use neither expires nor is evicted, and unloading it tells its predictions to
stop with ``modelUnloaded``.

All of it runs in one event loop; between two awaits the tables are consistent.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
from collections.abc import AsyncGenerator, Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from lmwire_emulator.cancellation import Cancellation, first_of
from lmwire_emulator.catalogue import DEFAULT_CATALOGUE
from lmwire_emulator.clock import SYSTEM_CLOCK, Clock
from lmwire_emulator.errors import (
    DeviceNotFoundError,
    DomainMismatchError,
    IdentifierNotFoundError,
    IdentifierTakenError,
    InstanceUnloadedError,
    LoadFailedError,
    ModelNotFoundError,
    NoMatchingModelError,
)
from lmwire_emulator.faults import CloseWithoutResult, DropTheConnection, Fail, Hang, LoadFault
from lmwire_emulator.kv_config import ConfigLayer, KVConfig
from lmwire_emulator.load_events import (
    AlreadyLoaded,
    ConnectionDropped,
    Loaded,
    LoadEvent,
    LoadProgress,
    Resolved,
    StartLoading,
    UnloadingOther,
)
from lmwire_emulator.models import Domain, LoadedModel, LoadPlan, Model
from lmwire_emulator.sampling import LoadParameters, read_load_config

__all__ = [
    "AlreadyLoaded",
    "LoadEvent",
    "LoadProgress",
    "Loaded",
    "ModelRegistry",
    "Resolved",
    "StartLoading",
    "UnloadingOther",
]


class ModelRegistry:
    """Downloaded and loaded models of one emulator.

    Args:
        catalogue: The downloaded models; keys and paths are unique.
        clock: Measures idle times and the duration of loads.
        evict_just_in_time: Keep at most one idle instance that was loaded just in time, as the application does.
        plan_of: How a load of this model goes this time; each model's own plan if None.
        defaults: The load config below the one that a client sends.

    Raises:
        ValueError: Two models have the same key or path.
    """

    def __init__(
        self,
        catalogue: Iterable[Model] = DEFAULT_CATALOGUE,
        *,
        clock: Clock = SYSTEM_CLOCK,
        evict_just_in_time: bool = True,
        plan_of: Callable[[Model], LoadPlan] | None = None,
        defaults: ConfigLayer | None = None,
    ) -> None:
        self.downloaded: tuple[Model, ...] = tuple(catalogue)
        for names in (
            [model.model_key for model in self.downloaded],
            [model.path for model in self.downloaded],
        ):
            if len(set(names)) != len(names):
                raise ValueError(f"models of a catalogue must differ in key and path: {', '.join(names)}")
        self.evict_just_in_time = evict_just_in_time
        self._clock = clock
        self._plan_of = plan_of or (lambda model: model.loading)
        self._defaults = () if defaults is None else (defaults,)
        self._loaded: list[LoadedModel] = []
        self._loading: dict[str, asyncio.Event] = {}
        self._numbers = itertools.count(1)

    # Finding.

    def find_downloaded(self, key: str, domain: Domain) -> list[Model]:
        """Return the downloaded models with this key or path, the first one being the one to load.

        Args:
            key: A model key, ``publisher/repository/file`` or ``publisher/repository``, which may match several.
            domain: What the models must be.

        Raises:
            ModelNotFoundError: Nothing matches.
            DomainMismatchError: What matches is of another domain.
        """
        found = [model for model in self.downloaded if key == model.model_key or model.has_path(key)]
        if not found:
            raise ModelNotFoundError(key, available=[model.path for model in self.downloaded])
        fitting = [model for model in found if model.domain == domain]
        if not fitting:
            raise DomainMismatchError(key, actual=found[0].domain, expected=domain)
        return fitting

    def add(self, model: Model) -> None:
        """Add a model to the downloaded ones, unless it is one."""
        if all(model.model_key != other.model_key for other in self.downloaded):
            self.downloaded = (*self.downloaded, model)

    def loaded(self, domain: Domain | None = None) -> list[LoadedModel]:
        """Return the loaded instances, the one loaded first in front (wire: ``listLoaded``)."""
        self._expire()
        return [instance for instance in self._loaded if domain in (None, instance.model.domain)]

    def find(self, query: Mapping[str, Any], domain: Domain) -> list[LoadedModel]:
        """Return the loaded instances that match a query in wire spelling; all fields given must match.

        Fields are ``domain``, ``deviceIdentifier`` (a string is a remote device, and there is none), ``identifier``,
        ``path`` and ``vision``; others are ignored, as upstream does. An empty query matches all.
        """
        return [instance for instance in self.loaded(domain) if _matches(instance, query)]

    def resolve(self, query: Mapping[str, Any], domain: Domain) -> LoadedModel:
        """Return the first loaded instance that matches a query; see ``find``.

        Raises:
            NoMatchingModelError: None does.
            DomainMismatchError: One does that is of another domain, and the query names it.
        """
        found = self.find(query, domain)
        if found:
            return found[0]
        if "identifier" in query or "path" in query:
            for instance in self.loaded():
                if _matches(instance, query):
                    raise DomainMismatchError(
                        instance.model.path, actual=instance.model.domain, expected=domain
                    )
        known = {
            key: query[key] for key in ("deviceIdentifier", "identifier", "path", "vision") if key in query
        }
        searched = {"domain": query.get("domain", domain), **known}
        raise NoMatchingModelError(searched, loaded=self._identifiers(domain))

    def by_reference(self, instance_reference: str, domain: Domain) -> LoadedModel:
        """Return the loaded instance that a reference names.

        Raises:
            InstanceUnloadedError: It is no longer loaded, or never was.
            DomainMismatchError: It is of another domain.
        """
        for instance in self.loaded():
            if instance.instance_reference == instance_reference:
                return self._of_domain(instance, domain)
        raise InstanceUnloadedError(instance_reference)

    # Loading.

    async def get_or_load(
        self,
        key: str,
        domain: Domain,
        *,
        device_identifier: str | None = None,
        ttl_ms: int | None = None,
        layers: Sequence[ConfigLayer] = (),
        cancellation: Cancellation | None = None,
    ) -> AsyncGenerator[LoadEvent, None]:
        """Use the instance with this identifier, or load the model with this key just in time (wire: ``getOrLoad``).

        Yields ``AlreadyLoaded``; or, if there was one to evict, ``UnloadingOther``, then ``StartLoading``, any number
        of ``LoadProgress`` and ``Loaded``. If cancelled, or made to go wrong, it ends without ``Loaded``.

        Args:
            key: An identifier, model key or path.
            domain: The namespace that asks.
            device_identifier: Of a remote device; the emulator has none.
            ttl_ms: Idle time of an instance that this call loads, at least 1 ms; None for ever.
            layers: The load config.
            cancellation: Stops loading.

        Raises:
            ModelNotFoundError, DomainMismatchError, DeviceNotFoundError: There is nothing to load.
            LoadFailedError: The load is made to fail.
        """
        cancellation = cancellation or Cancellation()
        refuse_devices(device_identifier)
        while not cancellation.requested:
            instance = self._identified(key)
            if instance is not None:
                yield AlreadyLoaded(self._of_domain(instance, domain))
                return
            model = self.find_downloaded(key, domain)[0]
            instance = self._identified(model.model_key)
            if instance is not None and instance.model is model:
                yield AlreadyLoaded(instance)
                return
            if model.model_key not in self._loading:
                load = self._load(model, model.model_key, ttl_ms, layers, cancellation, just_in_time=True)
                async with contextlib.aclosing(load) as events:
                    async for event in events:
                        yield event
                return
            await first_of(self._loading[model.model_key].wait(), cancellation.wait())

    async def load(
        self,
        key: str,
        domain: Domain,
        *,
        identifier: str | None = None,
        device_identifier: str | None = None,
        ttl_ms: int | None = None,
        layers: Sequence[ConfigLayer] = (),
        cancellation: Cancellation | None = None,
    ) -> AsyncGenerator[LoadEvent, None]:
        """Load another instance of a model, whatever is loaded (wire: ``loadModel``).

        Yields ``Resolved``, ``StartLoading``, any number of ``LoadProgress``, and ``Loaded`` unless it is cancelled
        or made to go wrong.

        Args:
            key: A model key or path.
            domain: The namespace that asks.
            identifier: Under which to load it; None makes one of the model key.
            device_identifier, ttl_ms, layers, cancellation: See ``get_or_load``.

        Raises:
            ModelNotFoundError, DomainMismatchError, DeviceNotFoundError: There is nothing to load.
            IdentifierTakenError: The identifier is in use.
            LoadFailedError: The load is made to fail.
        """
        refuse_devices(device_identifier)
        found = self.find_downloaded(key, domain)
        self._expire()
        if identifier is not None and self._taken(identifier):
            raise IdentifierTakenError(identifier)
        yield Resolved(found[0], tuple(model.model_key for model in found) if len(found) > 1 else None)
        load = self._load(
            found[0], identifier, ttl_ms, layers, cancellation or Cancellation(), just_in_time=False
        )
        async with contextlib.aclosing(load) as events:
            async for event in events:
                yield event

    async def _load(
        self,
        model: Model,
        identifier: str | None,
        ttl_ms: int | None,
        layers: Sequence[ConfigLayer],
        cancellation: Cancellation,
        *,
        just_in_time: bool,
    ) -> AsyncGenerator[LoadEvent, None]:
        # Whoever asked has been away since: only now is an identifier free for sure.
        if identifier is None:
            identifier = self._free_identifier(model.model_key)
        elif self._taken(identifier):
            if not just_in_time:
                raise IdentifierTakenError(identifier)
            identifier = self._free_identifier(identifier)
        ended = self._loading[identifier] = asyncio.Event()
        plan = self._plan_of(model)
        try:
            if plan.begins:
                if just_in_time and self.evict_just_in_time:
                    # Anything may happen while an event is taken, so the table is looked at again each time.
                    while evictable := self._evictable():
                        self._remove(evictable[0])
                        yield UnloadingOther(evictable[0])
                yield StartLoading(identifier, model)
            for progress in plan.progress:
                if not await cancellation.pause(self._clock, plan.delay):
                    return
                yield LoadProgress(progress)
            if cancellation.requested:
                return
            if plan.fault is not None:
                async for event in _gone_wrong(plan.fault, cancellation):
                    yield event
                return
            instance = self._instance(model, identifier, ttl_ms, layers, just_in_time)
            self._loaded.append(instance)
        finally:
            del self._loading[identifier]
            ended.set()
        yield Loaded(instance)

    def _instance(
        self,
        model: Model,
        identifier: str,
        ttl_ms: int | None,
        layers: Sequence[ConfigLayer],
        just_in_time: bool,
    ) -> LoadedModel:
        config = self.load_config(model, layers)
        return LoadedModel(
            model=model,
            identifier=identifier,
            instance_reference=f"instance-{next(self._numbers)}",
            just_in_time=just_in_time,
            ttl_ms=ttl_ms,
            context_length=LoadParameters.from_config(config).context_length,
            load_config=config,
            idle_since=self._clock.monotonic(),
        )

    def load_config(self, model: Model, layers: Sequence[ConfigLayer]) -> KVConfig:
        """Return the config that a model is, or would be, loaded with."""
        return read_load_config(
            (*self._defaults, *layers),
            domain=model.domain,
            default_context_length=model.default_context_length,
            max_context_length=model.max_context_length,
        )

    # Use and unloading.

    @contextlib.contextmanager
    def using(
        self, instance: LoadedModel, cancellation: Cancellation | None = None
    ) -> Iterator[Cancellation]:
        """Hold an instance in use; gives the cancellation that unloading it asks to stop.

        Raises:
            InstanceUnloadedError: It has been unloaded since it was found.
        """
        if instance not in self._loaded:
            raise InstanceUnloadedError(instance.instance_reference)
        cancellation = cancellation or Cancellation()
        instance.predictions.add(cancellation)
        self._touch(instance)
        try:
            yield cancellation
        finally:
            instance.predictions.discard(cancellation)
            self._touch(instance)

    def unload(self, identifier: str, domain: Domain, *, device_identifier: str | None = None) -> LoadedModel:
        """Unload the instance with this identifier; its predictions are asked to stop (wire: ``unloadModel``).

        Raises:
            IdentifierNotFoundError: No instance has it.
            DomainMismatchError: The one that has it is of another domain.
            DeviceNotFoundError: A remote device was named.
        """
        refuse_devices(device_identifier)
        instance = self._identified(identifier)
        if instance is None:
            raise IdentifierNotFoundError(identifier, loaded=self._identifiers(domain))
        self._remove(self._of_domain(instance, domain))
        return instance

    # The tables.

    def _touch(self, instance: LoadedModel) -> None:
        instance.last_used_ms = self._clock.unix_ms()
        instance.idle_since = self._clock.monotonic()

    def _expire(self) -> None:
        now = self._clock.monotonic()
        for instance in list(self._loaded):
            idle_ms = (now - instance.idle_since) * 1000
            if instance.ttl_ms is not None and not instance.predictions and idle_ms >= instance.ttl_ms:
                self._remove(instance)

    def _evictable(self) -> list[LoadedModel]:
        return [instance for instance in self.loaded() if instance.just_in_time and not instance.predictions]

    def _remove(self, instance: LoadedModel) -> None:
        self._loaded.remove(instance)
        for prediction in instance.predictions:
            prediction.cancel("modelUnloaded")

    def _identified(self, identifier: str) -> LoadedModel | None:
        return next((instance for instance in self.loaded() if instance.identifier == identifier), None)

    def _identifiers(self, domain: Domain) -> list[str]:
        return [instance.identifier for instance in self.loaded(domain)]

    def _taken(self, identifier: str) -> bool:
        return identifier in self._loading or self._identified(identifier) is not None

    def _free_identifier(self, name: str) -> str:
        candidates = itertools.chain([name], (f"{name}:{number}" for number in itertools.count(2)))
        return next(candidate for candidate in candidates if not self._taken(candidate))

    def _of_domain(self, instance: LoadedModel, domain: Domain) -> LoadedModel:
        if instance.model.domain != domain:
            raise DomainMismatchError(instance.model.path, actual=instance.model.domain, expected=domain)
        return instance


def _matches(instance: LoadedModel, query: Mapping[str, Any]) -> bool:
    facts = {
        "domain": instance.model.domain,
        "deviceIdentifier": None,
        "identifier": instance.identifier,
        "vision": instance.model.vision,
    }
    if any(key in query and query[key] != fact for key, fact in facts.items()):
        return False
    return "path" not in query or instance.model.has_path(query["path"])


async def _gone_wrong(fault: LoadFault, cancellation: Cancellation) -> AsyncGenerator[LoadEvent, None]:
    """End a load without a model."""
    if isinstance(fault, Fail):
        raise LoadFailedError.told(fault.error)
    if isinstance(fault, Hang):
        await cancellation.wait()
    elif isinstance(fault, DropTheConnection):
        yield ConnectionDropped()
    else:
        assert isinstance(fault, CloseWithoutResult)


def refuse_devices(device_identifier: str | None) -> None:
    """Raise DeviceNotFoundError if a remote device was named: the emulator has none."""
    if device_identifier is not None:
        raise DeviceNotFoundError(device_identifier)
