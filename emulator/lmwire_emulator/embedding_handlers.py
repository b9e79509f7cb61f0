"""The namespace ``embedding``: models are found, loaded and unloaded. Nothing is embedded yet."""

from __future__ import annotations

from typing import Any, ClassVar

from lmwire import embedding
from lmwire_emulator.model_handlers import ModelHandlers
from lmwire_emulator.models import Domain

__all__ = ["EmulatedEmbedding"]


class EmulatedEmbedding(ModelHandlers, embedding.EmbeddingHandlers):
    """Handlers on a registry of models."""

    domain: ClassVar[Domain] = "embedding"
    messages: ClassVar[Any] = embedding
