"""A catalogue of models for tests, and loads taken apart."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import Any

from lmwire_emulator.faults import Fail
from lmwire_emulator.load_events import AlreadyLoaded, Loaded, LoadEvent
from lmwire_emulator.models import LoadedModel, LoadPlan, Model
from lmwire_emulator.registry import ModelRegistry

__all__ = [
    "BROKEN",
    "CATALOGUE",
    "SEEING",
    "SMALL_Q4",
    "SMALL_Q8",
    "TINY",
    "VECTORS",
    "events_of",
    "identifiers",
    "loaded",
]


def model(key: str, **facts: Any) -> Model:
    """A model of the publisher ``acme`` unless the facts say otherwise."""
    known: dict[str, Any] = {
        "path": f"acme/{key}-GGUF/{key}-Q8_0.gguf",
        "display_name": key.title(),
        "publisher": "acme",
        "format": "gguf",
        "size_bytes": 1,
        "domain": "llm",
        "max_context_length": 8192,
    }
    return Model(model_key=key, **{**known, **facts})


TINY = model("tiny")
SMALL_Q8 = model("small", path="acme/small-GGUF/small-Q8_0.gguf")
SMALL_Q4 = model("small@q4", path="acme/small-GGUF/small-Q4_K_M.gguf")
SEEING = model("seeing", vision=True)
VECTORS = model("vectors", domain="embedding", default_context_length=512)
BROKEN = model(
    "broken",
    loading=LoadPlan(progress=(0.0, 0.5), fault=Fail({"title": "no luck", "cause": "c", "suggestion": "s"})),
)
CATALOGUE = (TINY, SMALL_Q8, SMALL_Q4, SEEING, VECTORS, BROKEN)


async def events_of(load: AsyncGenerator[LoadEvent, None]) -> list[LoadEvent]:
    return [event async for event in load]


async def loaded(load: AsyncGenerator[LoadEvent, None]) -> LoadedModel:
    last = (await events_of(load))[-1]
    assert isinstance(last, (Loaded, AlreadyLoaded))
    return last.instance


def identifiers(registry: ModelRegistry) -> list[str]:
    return [instance.identifier for instance in registry.loaded()]
