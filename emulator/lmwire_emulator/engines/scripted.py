"""The engine ``scripted``: exact replies, timings and faults, as a script has them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from typing import Final

import attrs

from lmwire_emulator.cancellation import Cancellation
from lmwire_emulator.clock import SYSTEM_CLOCK, Clock
from lmwire_emulator.engines.base import (
    DropConnection,
    Finished,
    Fragment,
    GenerationEvent,
    GenerationRequest,
    PromptProgress,
    Stopwatch,
    UnloadModel,
)
from lmwire_emulator.engines.tokenizer import primer_tokenizer
from lmwire_emulator.errors import PredictionFailedError
from lmwire_emulator.faults import DropTheConnection, Fail, Hang, UnloadTheModel
from lmwire_emulator.scripts import Playlist, Reply, Script, ScriptRule, Stop

__all__ = ["ScriptedEngine"]

_SHOWN: Final = 60


class ScriptedEngine:
    """Replies as its script says. Sampling parameters change nothing; cancelling ends a reply unless it forbids that.

    Its token ids are the same on every Python.

    Args:
        script: Who gets which reply.
        clock: Measures times, and waits where the script has delays.
    """

    def __init__(self, script: Script, *, clock: Clock = SYSTEM_CLOCK) -> None:
        self._rules = Playlist(script, ScriptRule)
        self._clock = clock

    @property
    def name(self) -> str:
        """The engine's name."""
        return "scripted"

    async def prepare(self) -> None:
        """There is nothing to prepare."""

    def tokenize(self, text: str) -> list[int]:
        """Return the token ids of a text."""
        return primer_tokenizer().tokenize(text)

    async def generate(
        self, request: GenerationRequest, cancellation: Cancellation
    ) -> AsyncGenerator[GenerationEvent, None]:
        """Reply; see ``Engine.generate``.

        Raises:
            PredictionFailedError: The script has no rule for this prompt, or it has a failure.
        """
        reply = self._reply(request)
        watch = Stopwatch(self._clock)
        prompt_tokens = reply.prompt_tokens
        if prompt_tokens is None:
            prompt_tokens = len(self.tokenize(request.prompt))

        going_on = True
        for progress in reply.progress:
            going_on = await self._pause(reply, cancellation, reply.progress_delay)
            if not going_on:
                break
            yield PromptProgress(
                total=prompt_tokens, processed=int(progress * prompt_tokens), progress=progress
            )
        watch.prompt_processed()

        drafted = 0
        for fragment in reply.fragments:
            going_on = going_on and await self._pause(reply, cancellation, fragment.delay)
            if not going_on:
                break
            watch.predicted(fragment.tokens)
            drafted += fragment.tokens if fragment.drafted else 0
            yield Fragment(
                content=fragment.text,
                tokens_count=fragment.tokens,
                contains_drafted=fragment.drafted,
                reasoning_type=fragment.reasoning,
                is_structural=fragment.structural,
                tokens=fragment.details,
            )

        stop = await self._stop(reply, cancellation, going_on)
        if isinstance(stop, (DropConnection, UnloadModel)):
            yield stop
        if not isinstance(stop, Stop):
            return
        statistics = watch.statistics(stop.reason, prompt_tokens=prompt_tokens, stop_string=stop.stop_string)
        if drafted:
            statistics = attrs.evolve(
                statistics,
                used_draft_model=request.parameters.draft_model,
                drafted_tokens=drafted,
                accepted_draft_tokens=drafted,
                rejected_draft_tokens=0,
                ignored_draft_tokens=0,
            )
        yield Finished(attrs.evolve(statistics, **reply.statistics))

    def _reply(self, request: GenerationRequest) -> Reply:
        rule = self._rules.take(lambda rule: rule.fits(request.prompt, request.model_key))
        if rule is not None:
            return rule.reply
        shown = request.prompt if len(request.prompt) <= _SHOWN else f"{request.prompt[:_SHOWN]}..."
        raise PredictionFailedError(
            "The script has no reply to this prompt",
            cause=f"No rule that is not used up fits the model {request.model_key!r} and the prompt {shown!r}.",
            suggestion="Add a rule to the script; one without a prompt fits all.",
        )

    async def _pause(self, reply: Reply, cancellation: Cancellation, seconds: float) -> bool:
        if not reply.ignore_cancel:
            return await cancellation.pause(self._clock, seconds)
        await self._clock.sleep(seconds)
        return True

    async def _stop(
        self, reply: Reply, cancellation: Cancellation, going_on: bool
    ) -> Stop | DropConnection | UnloadModel | None:
        """What the reply ends with; None for nothing at all."""
        if going_on and isinstance(reply.end, Hang):
            await (asyncio.Event().wait() if reply.ignore_cancel else cancellation.wait())
            going_on = False
        if not going_on or (cancellation.requested and not reply.ignore_cancel):
            return Stop(cancellation.reason or "userStopped")
        if isinstance(reply.end, Fail):
            raise PredictionFailedError.told(reply.end.error)
        if isinstance(reply.end, DropTheConnection):
            return DropConnection()
        if isinstance(reply.end, UnloadTheModel):
            return UnloadModel()
        return reply.end if isinstance(reply.end, Stop) else None
