"""What the namespaces ``llm`` and ``embedding`` have in common: models are listed, found, loaded, unloaded, estimated
and looked at, and texts become tokens.

Both have the same endpoints for that, with packets of their own that have the same names, so that the handlers below
take the packet classes from the module of their namespace.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from typing import Any, ClassVar

from lmwire import UNSET, Unset, llm
from lmwire_emulator.cancellation import Cancellation
from lmwire_emulator.kv_config import KVConfig
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
from lmwire_emulator.models import Domain, LoadedModel
from lmwire_emulator.registry import ModelRegistry, refuse_devices
from lmwire_emulator.sampling import LoadParameters
from lmwire_emulator.wire_values import (
    config_layers,
    error_replies,
    estimated_usage,
    instance_info,
    kv_config,
    model_info,
)
from lmwire_runtime.server import RequestContext, ServerChannel

__all__ = ["ModelHandlers", "cancelled_by", "or_none", "taken"]


class ModelHandlers:
    """Handlers on a registry of models; a base of the handlers of one namespace."""

    domain: ClassVar[Domain]
    messages: ClassVar[Any]
    """The module of the namespace."""
    busy: ClassVar[llm.ModelProcessingStateStatus]
    """What an instance does while it works."""

    def __init__(self, registry: ModelRegistry) -> None:
        self._registry = registry

    async def list_loaded(self, context: RequestContext) -> list[Any]:
        return [instance_info(instance) for instance in self._registry.loaded(self.domain)]

    async def get_model_info(self, parameter: Any, context: RequestContext) -> Any:
        if not parameter.throw_if_not_found and not self._matching(parameter.specifier):
            return None
        return instance_info(self._resolve(parameter.specifier))

    async def get_load_config(self, parameter: Any, context: RequestContext) -> llm.KvConfig:
        return kv_config(self._resolve(parameter.specifier).load_config)

    async def unload_model(self, parameter: Any, context: RequestContext) -> None:
        with error_replies():
            self._registry.unload(
                parameter.identifier, self.domain, device_identifier=or_none(parameter.device_identifier)
            )

    async def get_base_prediction_config(self, parameter: Any, context: RequestContext) -> llm.KvConfig:
        self._resolve(parameter.specifier)
        return kv_config(self._base_prediction_config())

    async def get_instance_processing_state(
        self, parameter: Any, context: RequestContext
    ) -> llm.ModelProcessingState:
        running = len(self._resolve(parameter.specifier).predictions)
        status: llm.ModelProcessingStateStatus = self.busy if running else "idle"
        return llm.ModelProcessingState(status=status, queued=running)

    async def estimate_model_usage(
        self, parameter: Any, context: RequestContext
    ) -> llm.EstimatedResourcesUsage:
        with error_replies():
            refuse_devices(or_none(parameter.device_identifier))
            model = self._registry.find_downloaded(parameter.model_key, self.domain)[0]
        layers = config_layers(parameter.load_config_stack)
        context_length = LoadParameters.from_config(self._registry.load_config(model, layers)).context_length
        return estimated_usage(model, context_length)

    async def tokenize(self, parameter: Any, context: RequestContext) -> Any:
        tokens = self._tokens(self._resolve(parameter.specifier), parameter.input_string)
        return self.messages.TokenizeResult(tokens=list(tokens))

    async def count_tokens(self, parameter: Any, context: RequestContext) -> Any:
        tokens = self._tokens(self._resolve(parameter.specifier), parameter.input_string)
        return self.messages.CountTokensResult(token_count=len(tokens))

    async def get_or_load(self, creation: Any, channel: ServerChannel[Any, Any]) -> None:
        async with cancelled_by(channel) as cancellation:
            events = self._registry.get_or_load(
                creation.identifier,
                self.domain,
                device_identifier=or_none(creation.device_identifier),
                ttl_ms=or_none(creation.load_ttl_ms),
                layers=config_layers(creation.load_config_stack),
                cancellation=cancellation,
            )
            await self._tell(events, self._get_or_load_packet, channel)

    async def load_model(self, creation: Any, channel: ServerChannel[Any, Any]) -> None:
        async with cancelled_by(channel) as cancellation:
            events = self._registry.load(
                creation.model_key,
                self.domain,
                identifier=or_none(creation.identifier),
                device_identifier=or_none(creation.device_identifier),
                ttl_ms=or_none(creation.ttl_ms),
                layers=config_layers(creation.load_config_stack),
                cancellation=cancellation,
            )
            await self._tell(events, self._load_packet, channel)

    async def _tell(
        self,
        events: AsyncGenerator[LoadEvent, None],
        packet_of: Callable[[LoadEvent], Any],
        channel: ServerChannel[Any, Any],
    ) -> None:
        async for event in taken(events):
            if isinstance(event, ConnectionDropped):
                channel.context.abort()
            packet = packet_of(event)
            if packet is not None:
                await channel.send(packet)

    def _get_or_load_packet(self, event: LoadEvent) -> Any:
        if isinstance(event, AlreadyLoaded):
            return self.messages.GetOrLoadAlreadyLoaded(info=instance_info(event.instance))
        if isinstance(event, UnloadingOther):
            return self.messages.GetOrLoadUnloadingOtherJITModel(info=instance_info(event.instance))
        if isinstance(event, StartLoading):
            return self.messages.GetOrLoadStartLoading(
                identifier=event.identifier, info=model_info(event.model)
            )
        if isinstance(event, LoadProgress):
            return self.messages.GetOrLoadLoadProgress(progress=event.progress)
        if isinstance(event, Loaded):
            return self.messages.GetOrLoadLoadSuccess(info=instance_info(event.instance))
        return None

    def _load_packet(self, event: LoadEvent) -> Any:
        if isinstance(event, Resolved):
            ambiguous = UNSET if event.ambiguous is None else list(event.ambiguous)
            return self.messages.LoadModelResolved(info=model_info(event.model), ambiguous=ambiguous)
        if isinstance(event, LoadProgress):
            return self.messages.LoadModelProgress(progress=event.progress)
        if isinstance(event, Loaded):
            return self.messages.LoadModelSuccess(info=instance_info(event.instance))
        return None

    def _tokens(self, instance: LoadedModel, text: str) -> Sequence[int]:
        """Return the token ids of a text, as this model has them."""
        raise NotImplementedError

    def _base_prediction_config(self) -> KVConfig:
        """Return what holds for a prediction where nobody asks for anything."""
        raise NotImplementedError

    def _matching(self, specifier: llm.ModelSpecifier) -> list[LoadedModel]:
        if isinstance(specifier, llm.ModelSpecifierQuery):
            return self._registry.find(specifier.query.to_wire(), self.domain)
        reference = specifier.to_wire()["instanceReference"]
        return [one for one in self._registry.loaded(self.domain) if one.instance_reference == reference]

    def _resolve(self, specifier: llm.ModelSpecifier) -> LoadedModel:
        with error_replies():
            if isinstance(specifier, llm.ModelSpecifierQuery):
                return self._registry.resolve(specifier.query.to_wire(), self.domain)
            return self._registry.by_reference(specifier.to_wire()["instanceReference"], self.domain)


def or_none(value: Any | Unset) -> Any:
    """Return None for what was left out."""
    return None if value is UNSET else value


@contextlib.asynccontextmanager
async def cancelled_by(channel: ServerChannel[Any, Any]) -> AsyncIterator[Cancellation]:
    """Give a cancellation that any packet of the client requests: all these channels know is ``cancel``."""
    cancellation = Cancellation()

    async def watch() -> None:
        async for _ in channel:
            cancellation.cancel()

    watcher = asyncio.ensure_future(watch())
    try:
        with error_replies():
            yield cancellation
    finally:
        watcher.cancel()


async def taken(events: AsyncGenerator[Any, None]) -> AsyncIterator[Any]:
    """Iterate a generator and close it, however the loop ends."""
    async with contextlib.aclosing(events) as opened:
        async for event in opened:
            yield event
