"""Models as the emulator knows them: downloaded ones, and the instances that are loaded.

The classes hold facts; who may be loaded, found and unloaded is the business of ``registry``.
"""

from __future__ import annotations

from typing import Literal, TypeAlias

import attrs

from lmwire_emulator.cancellation import Cancellation
from lmwire_emulator.faults import Fault, LoadFault
from lmwire_emulator.kv_config import KVConfig

__all__ = ["Domain", "LoadPlan", "LoadedModel", "Model", "Quantization"]

Domain: TypeAlias = Literal["llm", "embedding"]


@attrs.frozen(kw_only=True)
class Quantization:
    """How a model's weights were made smaller: ``Q4_K_M`` of 4 bits."""

    name: str
    bits: int


@attrs.frozen(kw_only=True)
class LoadPlan:
    """How loading a model goes.

    Attributes:
        progress: What is reported, each 0..1, in this order.
        delay: Seconds to wait before each of them.
        fault: What it ends with instead of the loaded model. Where no progress is reported before it, the load is
            refused at once: it does not even begin.
    """

    progress: tuple[float, ...] = (0.0, 0.25, 0.5, 0.75, 1.0)
    delay: float = 0.0
    fault: LoadFault | None = None

    @property
    def begins(self) -> bool:
        """Whether anything is told before the end."""
        return self.fault is None or bool(self.progress)


@attrs.frozen(kw_only=True)
class Model:
    """A downloaded model (wire: ``llmInfo``, ``embeddingModelInfo``).

    Attributes:
        model_key: What a user asks for; unique.
        path: ``publisher/repository/file``; also the wire's ``indexedModelIdentifier``.
        params_string: Number of parameters as people write it, ``1B``.
        max_context_length: Tokens of the largest context that can be asked for.
        default_context_length: Tokens of the context if nothing is asked for.
        engine: Name of the engine that makes the text; None for models that make none.
        loading: How loading it goes.
        fault: What each of its predictions ends with instead of a result.
    """

    model_key: str
    path: str
    display_name: str
    publisher: str
    format: str
    size_bytes: int
    domain: Domain
    max_context_length: int
    default_context_length: int = 4096
    params_string: str | None = None
    architecture: str | None = None
    quantization: Quantization | None = None
    vision: bool = False
    trained_for_tool_use: bool = False
    engine: str | None = None
    loading: LoadPlan = attrs.field(factory=LoadPlan)
    fault: Fault | None = None

    @property
    def repository(self) -> str:
        """The path without the file, ``publisher/repository``."""
        return self.path.rsplit("/", 1)[0]

    def has_path(self, path: str) -> bool:
        """Whether ``path`` names this model, with the file or, whatever the quantization, without it."""
        return path in (self.path, self.repository)


@attrs.define(eq=False, kw_only=True)
class LoadedModel:
    """A loaded instance of a model (wire: ``llmInstanceInfo``, ``embeddingModelInstanceInfo``).

    Attributes:
        identifier: Under which it is addressed; unique among all loaded instances.
        instance_reference: Names this very instance, never another one.
        just_in_time: Loaded because somebody asked for the model, so that the next such load may evict it.
        ttl_ms: Idle time after which it is unloaded, None for never.
        last_used_ms: Unix time of its last use, None before the first.
        context_length: Tokens that fit into its context.
        load_config: With what it was loaded.
        predictions: The predictions that run on it.
        idle_since: Reading of the monotonic clock when it was loaded or last used.
    """

    model: Model
    identifier: str
    instance_reference: str
    just_in_time: bool
    ttl_ms: int | None
    context_length: int
    load_config: KVConfig
    idle_since: float
    last_used_ms: int | None = None
    predictions: set[Cancellation] = attrs.field(factory=set)
