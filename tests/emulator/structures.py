"""Structured output of the n-gram engine, for tests: asked for, and read strictly."""

from __future__ import annotations

import json
from typing import Any

from lmwire_emulator.engines.base import GenerationRequest
from lmwire_emulator.engines.ngram import NgramEngine
from lmwire_emulator.sampling import SamplingParameters
from tests.emulator.generations import Generation, generated

__all__ = ["read", "values", "written"]


async def written(schema: Any, *, prompt: str = "My name is", **parameters: Any) -> Generation:
    """Have JSON of a schema written; with seed 1 unless the parameters say otherwise."""
    structured = {"type": "json", "jsonSchema": schema}
    sampling = SamplingParameters(**{"seed": 1, "structured": structured, **parameters})
    return await generated(NgramEngine(), GenerationRequest(prompt=prompt, parameters=sampling))


async def values(schema: Any, count: int = 20, **parameters: Any) -> list[Any]:
    """Values of a schema, of one seed after the other."""
    return [read((await written(schema, seed=seed, **parameters)).text) for seed in range(count)]


def read(text: str) -> Any:
    """Read JSON; an object with the same name twice, ``NaN`` and the like are errors."""
    return json.loads(text, object_pairs_hook=_members, parse_constant=_no_constant)


def _members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    assert len({name for name, _ in pairs}) == len(pairs), f"a name is there twice: {pairs}"
    return dict(pairs)


def _no_constant(text: str) -> Any:
    raise AssertionError(f"{text} is no JSON")
