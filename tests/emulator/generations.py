"""Runs of engines, taken apart."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import aclosing

import attrs

from lmwire_emulator.cancellation import Cancellation
from lmwire_emulator.engines.base import (
    Engine,
    Finished,
    Fragment,
    GenerationEvent,
    GenerationRequest,
    PromptProgress,
    Statistics,
)

__all__ = ["Generation", "generated"]


@attrs.define
class Generation:
    """All events of one generation."""

    events: list[GenerationEvent] = attrs.field(factory=list)

    @property
    def text(self) -> str:
        return "".join(fragment.content for fragment in self.fragments)

    @property
    def fragments(self) -> list[Fragment]:
        return [event for event in self.events if isinstance(event, Fragment)]

    @property
    def progress(self) -> list[PromptProgress]:
        return [event for event in self.events if isinstance(event, PromptProgress)]

    @property
    def statistics(self) -> Statistics:
        last = self.events[-1]
        assert isinstance(last, Finished)
        return last.statistics


async def generated(
    engine: Engine,
    request: GenerationRequest,
    *,
    cancellation: Cancellation | None = None,
    on_event: Callable[[GenerationEvent], None] = lambda event: None,
    into: Generation | None = None,
) -> Generation:
    """Run a generation to its end; ``into`` keeps the events of one that fails."""
    generation = into or Generation()
    async with aclosing(engine.generate(request, cancellation or Cancellation())) as events:
        async for event in events:
            generation.events.append(event)
            on_event(event)
    return generation
