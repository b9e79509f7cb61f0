"""The namespace ``llm``: models as in ``model_handlers``; texts are tokenized and completed."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar, Final, cast

import attrs

from lmwire import llm
from lmwire.types.diagnostics import (
    DiagnosticsLogEventDataLlmPredictionInput,
    DiagnosticsLogEventDataLlmPredictionOutput,
)
from lmwire_emulator import wire_values
from lmwire_emulator.engines.base import (
    DropConnection,
    Engine,
    Finished,
    Fragment,
    GenerationEvent,
    GenerationRequest,
    PromptProgress,
    UnloadModel,
)
from lmwire_emulator.errors import InstanceUnloadedError
from lmwire_emulator.kv_config import KVConfig
from lmwire_emulator.log_book import LogBook
from lmwire_emulator.model_handlers import ModelHandlers, cancelled_by, or_none, taken
from lmwire_emulator.models import Domain, LoadedModel
from lmwire_emulator.presets import Preset, find_preset
from lmwire_emulator.prompts import RenderedPrompt, render_prompt
from lmwire_emulator.registry import ModelRegistry
from lmwire_emulator.sampling import LoadParameters, SamplingParameters, read_prediction_config
from lmwire_emulator.wire_values import config_layers, error_replies, instance_info, kv_config
from lmwire_runtime.server import RequestContext, ServerChannel

__all__ = ["EmulatedLlm"]


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


class EmulatedLlm(ModelHandlers, llm.LlmHandlers):
    """Handlers on a registry of models and on engines by name; ``presets`` may lie below a prediction's
    config. Models that are made to fail are served by the engine ``faulty``.
    """

    domain: ClassVar[Domain] = "llm"
    messages: ClassVar[Any] = llm
    busy: ClassVar[llm.ModelProcessingStateStatus] = "generating"

    def __init__(
        self,
        registry: ModelRegistry,
        engines: Mapping[str, Engine],
        presets: Sequence[Preset],
        *,
        faulty: Engine,
        log: LogBook,
    ) -> None:
        super().__init__(registry)
        self._engines = engines
        self._faulty = faulty
        self._presets = presets
        self._log = log

    async def apply_prompt_template(
        self, parameter: llm.ApplyPromptTemplateParameter, context: RequestContext
    ) -> llm.ApplyPromptTemplateResult:
        self._resolve(parameter.specifier)
        config = read_prediction_config(config_layers(parameter.prediction_config_stack))
        prompt = render_prompt(parameter.history.to_wire()["messages"], config)
        return llm.ApplyPromptTemplateResult(formatted=prompt.text)

    async def preload_draft_model(
        self, parameter: llm.PreloadDraftModelParameter, context: RequestContext
    ) -> None:
        instance = self._resolve(parameter.specifier)
        with error_replies():
            # Just as a prediction that names it would: it is there already, or gets loaded.
            load = self._registry.get_or_load(parameter.draft_model_key, self.domain, ttl_ms=instance.ttl_ms)
            async for _ in taken(load):
                pass

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
            preset = or_none(creation.fuzzy_preset_identifier)
            fields = () if preset is None else find_preset(self._presets, preset).fields
            config = read_prediction_config(config_layers(creation.prediction_config_stack), preset=fields)
            prompt = render(config)
            load = LoadParameters.from_config(instance.load_config)
            request = GenerationRequest(
                prompt=prompt.text,
                parameters=SamplingParameters.from_config(config, template_stop_strings=prompt.stop_strings),
                context_length=instance.context_length,
                load_seed=load.seed,
                reasoning_budget_message=load.reasoning_budget_message,
                model_key=instance.model.model_key,
            )
            engine, told = self._engine_of(instance), _Told(self._log, instance)
            told.begin(prompt.text)
            async with cancelled_by(channel) as cancellation:
                with self._registry.using(instance, cancellation):
                    async for event in taken(engine.generate(request, cancellation)):
                        if isinstance(event, DropConnection):
                            channel.context.abort()
                        elif isinstance(event, UnloadModel):
                            self._registry.unload(instance.identifier, self.domain)
                            raise InstanceUnloadedError(instance.instance_reference)
                        else:
                            told.add(event)
                            await channel.send(_packet(packets, event, instance, config))

    def _tokens(self, instance: LoadedModel, text: str) -> Sequence[int]:
        return self._engine_of(instance).tokenize(text)

    def _base_prediction_config(self) -> KVConfig:
        return read_prediction_config(())

    def _engine_of(self, instance: LoadedModel) -> Engine:
        if instance.model.fault is not None:
            return self._faulty
        name = instance.model.engine
        assert name is not None, "only language models get here, and each has an engine"
        return self._engines[name]


class _Told:
    """What the log is told of one prediction: what goes in, and all that came out."""

    def __init__(self, log: LogBook, instance: LoadedModel) -> None:
        self._log = log
        self._instance = instance
        self._parts: list[str] = []

    def begin(self, text: str) -> None:
        instance = self._instance
        self._log.note(
            DiagnosticsLogEventDataLlmPredictionInput(
                input=text, model_path=instance.model.path, model_identifier=instance.identifier
            )
        )

    def add(self, event: GenerationEvent) -> None:
        if isinstance(event, Fragment):
            self._parts.append(event.content)
        elif isinstance(event, Finished):
            self._log.note(
                DiagnosticsLogEventDataLlmPredictionOutput(
                    output="".join(self._parts),
                    model_identifier=self._instance.identifier,
                    stats=wire_values.stats(event.statistics),
                )
            )


def _packet(
    packets: _PredictionPackets, event: GenerationEvent, instance: LoadedModel, config: KVConfig
) -> Any:
    if isinstance(event, Fragment):
        return packets.fragment(fragment=wire_values.fragment(event))
    if isinstance(event, PromptProgress):
        return packets.progress(progress=event.progress, details=wire_values.progress_details(event))
    assert isinstance(event, Finished), "the other events make no packet"
    return packets.success(
        stats=wire_values.stats(event.statistics),
        model_info=cast(llm.LlmInstanceInfo, instance_info(instance)),
        load_model_config=kv_config(instance.load_config),
        prediction_config=kv_config(config),
    )
