"""The namespace ``embedding``: models as in ``model_handlers``; texts become vectors."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

from lmwire import embedding
from lmwire_emulator.engines.embedding import HashingEngine
from lmwire_emulator.kv_config import KVConfig
from lmwire_emulator.model_handlers import ModelHandlers
from lmwire_emulator.models import Domain, LoadedModel
from lmwire_emulator.registry import ModelRegistry
from lmwire_emulator.wire_values import error_replies
from lmwire_runtime.server import RequestContext

__all__ = ["EmulatedEmbedding"]


class EmulatedEmbedding(ModelHandlers, embedding.EmbeddingHandlers):
    """Handlers on a registry of models, all of which the one engine serves."""

    domain: ClassVar[Domain] = "embedding"
    messages: ClassVar[Any] = embedding
    busy: ClassVar[embedding.ModelProcessingStateStatus] = "computingEmbedding"

    def __init__(self, registry: ModelRegistry, engine: HashingEngine) -> None:
        super().__init__(registry)
        self._engine = engine

    async def embed_string(
        self, parameter: embedding.EmbedStringParameter, context: RequestContext
    ) -> embedding.EmbedStringResult:
        instance = self._resolve(parameter.model_specifier)
        with error_replies(), self._registry.using(instance):
            vector = self._engine.embed(parameter.input_string, instance.context_length)
        return embedding.EmbedStringResult(embedding=vector)

    def _tokens(self, instance: LoadedModel, text: str) -> Sequence[int]:
        return self._engine.tokenize(text)

    def _base_prediction_config(self) -> KVConfig:
        return KVConfig({})  # an embedding model has nothing to be asked for
