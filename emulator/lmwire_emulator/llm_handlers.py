"""The namespace ``llm``: models are found, loaded and unloaded; texts are tokenized and completed."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping, Sequence
from typing import Any, Final, TypeAlias

import attrs

from lmwire import UNSET, Unset, llm
from lmwire_emulator import wire_values
from lmwire_emulator.cancellation import Cancellation
from lmwire_emulator.engines.base import (
    DropConnection,
    Engine,
    Finished,
    Fragment,
    GenerationRequest,
    PromptProgress,
)
from lmwire_emulator.kv_config import KVConfig
from lmwire_emulator.models import LoadedModel
from lmwire_emulator.presets import Preset, find_preset
from lmwire_emulator.prompts import RenderedPrompt, render_prompt
from lmwire_emulator.registry import (
    AlreadyLoaded,
    Loaded,
    LoadEvent,
    LoadProgress,
    ModelRegistry,
    Resolved,
    StartLoading,
    UnloadingOther,
)
from lmwire_emulator.sampling import LoadParameters, SamplingParameters, read_prediction_config
from lmwire_emulator.wire_values import config_layers, error_replies, instance_info, kv_config, model_info
from lmwire_runtime.server import RequestContext, ServerChannel

__all__ = ["EmulatedLlm"]

DOMAIN: Final = "llm"

Packets: TypeAlias = "Callable[[LoadEvent], Any]"


@attrs.frozen
class _PredictionPackets:
    """The packet classes of one of the two completion endpoints."""

    fragment: type[llm.CompleteRawTextFragment] | type[llm.PredictFragment]
    progress: type[llm.CompleteRawTextPromptProcessingProgress] | type[llm.PredictPromptProcessingProgress]
    success: type[llm.CompleteRawTextSuccess] | type[llm.PredictSuccess]


_RAW_TEXT: Final = _PredictionPackets(
    llm.CompleteRawTextFragment, llm.CompleteRawTextPromptProcessingProgress, llm.CompleteRawTextSuccess
)
_CHAT: Final = _PredictionPackets(
    llm.PredictFragment, llm.PredictPromptProcessingProgress, llm.PredictSuccess
)


class EmulatedLlm(llm.LlmHandlers):
    """Handlers on a registry of models and on engines by name; ``presets`` may lie below a prediction's
    config.

    Without ``progress_details`` prompt progress is reported as servers of 2025 did, by one number.
    """

    def __init__(
        self,
        registry: ModelRegistry,
        engines: Mapping[str, Engine],
        presets: Sequence[Preset],
        *,
        progress_details: bool = True,
    ) -> None:
        self._progress_details = progress_details
        self._registry = registry
        self._engines = engines
        self._presets = presets

    # Models.

    async def list_loaded(self, context: RequestContext) -> list[llm.LlmInstanceInfo]:
        return [instance_info(instance) for instance in self._registry.loaded(DOMAIN)]

    async def get_model_info(
        self, parameter: llm.GetModelInfoParameter, context: RequestContext
    ) -> llm.LlmInstanceInfo | None:
        if not parameter.throw_if_not_found and not self._matching(parameter.specifier):
            return None
        return instance_info(self._resolve(parameter.specifier))

    async def get_load_config(
        self, parameter: llm.GetLoadConfigParameter, context: RequestContext
    ) -> llm.KvConfig:
        return kv_config(self._resolve(parameter.specifier).load_config)

    async def unload_model(self, parameter: llm.UnloadModelParameter, context: RequestContext) -> None:
        with error_replies():
            self._registry.unload(
                parameter.identifier, DOMAIN, device_identifier=_or_none(parameter.device_identifier)
            )

    async def get_or_load(
        self,
        creation: llm.GetOrLoadCreation,
        channel: ServerChannel[llm.GetOrLoadToServer, llm.GetOrLoadToClient],
    ) -> None:
        async with _cancelled_by(channel) as cancellation:
            events = self._registry.get_or_load(
                creation.identifier,
                DOMAIN,
                device_identifier=_or_none(creation.device_identifier),
                ttl_ms=_or_none(creation.load_ttl_ms),
                layers=config_layers(creation.load_config_stack),
                cancellation=cancellation,
            )
            async for event in _taken(events):
                packet = _get_or_load_packet(event)
                if packet is not None:
                    await channel.send(packet)

    async def load_model(
        self,
        creation: llm.LoadModelCreation,
        channel: ServerChannel[llm.LoadModelToServer, llm.LoadModelToClient],
    ) -> None:
        async with _cancelled_by(channel) as cancellation:
            events = self._registry.load(
                creation.model_key,
                DOMAIN,
                identifier=_or_none(creation.identifier),
                device_identifier=_or_none(creation.device_identifier),
                ttl_ms=_or_none(creation.ttl_ms),
                layers=config_layers(creation.load_config_stack),
                cancellation=cancellation,
            )
            async for event in _taken(events):
                packet = _load_packet(event)
                if packet is not None:
                    await channel.send(packet)

    # Texts.

    async def tokenize(self, parameter: llm.TokenizeParameter, context: RequestContext) -> llm.TokenizeResult:
        engine = self._engine_of(self._resolve(parameter.specifier))
        return llm.TokenizeResult(tokens=list(engine.tokenize(parameter.input_string)))

    async def count_tokens(
        self, parameter: llm.CountTokensParameter, context: RequestContext
    ) -> llm.CountTokensResult:
        engine = self._engine_of(self._resolve(parameter.specifier))
        return llm.CountTokensResult(token_count=len(engine.tokenize(parameter.input_string)))

    async def apply_prompt_template(
        self, parameter: llm.ApplyPromptTemplateParameter, context: RequestContext
    ) -> llm.ApplyPromptTemplateResult:
        self._resolve(parameter.specifier)
        config = read_prediction_config(config_layers(parameter.prediction_config_stack))
        prompt = render_prompt(parameter.history.to_wire()["messages"], config)
        return llm.ApplyPromptTemplateResult(formatted=prompt.text)

    async def complete_raw_text(
        self,
        creation: llm.CompleteRawTextCreation,
        channel: ServerChannel[llm.CompleteRawTextToServer, llm.CompleteRawTextToClient],
    ) -> None:
        await self._complete(creation, channel, _RAW_TEXT, lambda config: RenderedPrompt(creation.raw_prompt))

    async def predict(
        self, creation: llm.PredictCreation, channel: ServerChannel[llm.PredictToServer, llm.PredictToClient]
    ) -> None:
        messages = creation.history.to_wire()["messages"]
        await self._complete(creation, channel, _CHAT, lambda config: render_prompt(messages, config))

    async def _complete(
        self,
        creation: llm.CompleteRawTextCreation | llm.PredictCreation,
        channel: ServerChannel[Any, Any],
        packets: _PredictionPackets,
        render: Callable[[KVConfig], RenderedPrompt],
    ) -> None:
        with error_replies():
            instance = self._resolve(creation.model_specifier)
            preset = _or_none(creation.fuzzy_preset_identifier)
            fields = () if preset is None else find_preset(self._presets, preset).fields
            config = read_prediction_config(config_layers(creation.prediction_config_stack), preset=fields)
            prompt = render(config)
            request = GenerationRequest(
                prompt=prompt.text,
                parameters=SamplingParameters.from_config(config, template_stop_strings=prompt.stop_strings),
                context_length=instance.context_length,
                load_seed=LoadParameters.from_config(instance.load_config).seed,
                model_key=instance.model.model_key,
            )
            engine = self._engine_of(instance)
            async with _cancelled_by(channel) as cancellation:
                with self._registry.using(instance, cancellation):
                    async for event in _taken(engine.generate(request, cancellation)):
                        if isinstance(event, Fragment):
                            await channel.send(packets.fragment(fragment=wire_values.fragment(event)))
                        elif isinstance(event, PromptProgress):
                            await channel.send(self._progress_packet(packets, event))
                        elif isinstance(event, Finished):
                            await channel.send(
                                packets.success(
                                    stats=wire_values.stats(event.statistics),
                                    model_info=instance_info(instance),
                                    load_model_config=kv_config(instance.load_config),
                                    prediction_config=kv_config(config),
                                )
                            )
                        elif isinstance(event, DropConnection):
                            channel.context.abort()

    # Helpers.

    def _progress_packet(self, packets: _PredictionPackets, event: PromptProgress) -> Any:
        packet = packets.progress(progress=event.progress, details=wire_values.progress_details(event))
        if not self._progress_details:
            del packet.details  # an empty slot is left out on the wire
        return packet

    def _engine_of(self, instance: LoadedModel) -> Engine:
        name = instance.model.engine
        assert name is not None, "only language models get here, and each has an engine"
        return self._engines[name]

    def _matching(self, specifier: llm.ModelSpecifier) -> list[LoadedModel]:
        if isinstance(specifier, llm.ModelSpecifierQuery):
            return self._registry.find(specifier.query.to_wire(), DOMAIN)
        reference = specifier.to_wire()["instanceReference"]
        return [one for one in self._registry.loaded(DOMAIN) if one.instance_reference == reference]

    def _resolve(self, specifier: llm.ModelSpecifier) -> LoadedModel:
        with error_replies():
            if isinstance(specifier, llm.ModelSpecifierQuery):
                return self._registry.resolve(specifier.query.to_wire(), DOMAIN)
            return self._registry.by_reference(specifier.to_wire()["instanceReference"], DOMAIN)


def _or_none(value: Any | Unset) -> Any:
    return None if value is UNSET else value


@contextlib.asynccontextmanager
async def _cancelled_by(channel: ServerChannel[Any, Any]) -> AsyncIterator[Cancellation]:
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


async def _taken(events: AsyncGenerator[Any, None]) -> AsyncIterator[Any]:
    """Iterate a generator and close it, however the loop ends."""
    async with contextlib.aclosing(events) as opened:
        async for event in opened:
            yield event


def _get_or_load_packet(event: LoadEvent) -> llm.GetOrLoadToClient | None:
    if isinstance(event, AlreadyLoaded):
        return llm.GetOrLoadAlreadyLoaded(info=instance_info(event.instance))
    if isinstance(event, UnloadingOther):
        return llm.GetOrLoadUnloadingOtherJITModel(info=wire_values.any_instance_info(event.instance))
    if isinstance(event, StartLoading):
        return llm.GetOrLoadStartLoading(identifier=event.identifier, info=model_info(event.model))
    if isinstance(event, LoadProgress):
        return llm.GetOrLoadLoadProgress(progress=event.progress)
    if isinstance(event, Loaded):
        return llm.GetOrLoadLoadSuccess(info=instance_info(event.instance))
    return None


def _load_packet(event: LoadEvent) -> llm.LoadModelToClient | None:
    if isinstance(event, Resolved):
        ambiguous = UNSET if event.ambiguous is None else list(event.ambiguous)
        return llm.LoadModelResolved(info=model_info(event.model), ambiguous=ambiguous)
    if isinstance(event, LoadProgress):
        return llm.LoadModelProgress(progress=event.progress)
    if isinstance(event, Loaded):
        return llm.LoadModelSuccess(info=instance_info(event.instance))
    return None
