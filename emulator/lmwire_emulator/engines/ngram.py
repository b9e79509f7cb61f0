"""The engine ``ngram``: real predictions by the small model of ``ngram_model``."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from typing import Final

from lmwire_emulator.cancellation import Cancellation
from lmwire_emulator.clock import SYSTEM_CLOCK, Clock
from lmwire_emulator.engines.assembly import FragmentAssembler
from lmwire_emulator.engines.base import (
    Candidate,
    Finished,
    GenerationEvent,
    GenerationRequest,
    PromptProgress,
    StopReason,
    Stopwatch,
    Token,
)
from lmwire_emulator.engines.ngram_model import Distribution, NgramModel, default_model
from lmwire_emulator.engines.sampler import Sampler
from lmwire_emulator.engines.tokenizer import END_OF_TEXT
from lmwire_emulator.errors import UnsupportedFeatureError

__all__ = ["NgramEngine"]

_VERSION: Final = "1.0"
_PROMPT_CHUNK: Final = 512


class NgramEngine:
    """Predicts with a small model of the English that Python ships with.

    Args:
        clock: Measures times, and waits between tokens.
        seconds_per_token: Pause after each token, for output at the pace of a large model; 0 for none.
        model: Returns the model; it is asked when it is first needed.
    """

    def __init__(
        self,
        *,
        clock: Clock = SYSTEM_CLOCK,
        seconds_per_token: float = 0.0,
        model: Callable[[], NgramModel] = default_model,
    ) -> None:
        self._clock = clock
        self._seconds_per_token = seconds_per_token
        self._make_model = model
        self._model: NgramModel | None = None

    @property
    def name(self) -> str:
        """The engine's name."""
        return "ngram"

    async def prepare(self) -> None:
        """Make the model, beside the event loop; after that nothing waits for it."""
        if self._model is None:
            self._model = await asyncio.to_thread(self._make_model)

    def tokenize(self, text: str) -> list[int]:
        """Return the token ids of a text."""
        return self._made_model().tokenizer.tokenize(text)

    async def generate(
        self, request: GenerationRequest, cancellation: Cancellation
    ) -> AsyncGenerator[GenerationEvent, None]:
        """Predict; see ``Engine.generate``.

        Raises:
            UnsupportedFeatureError: Structured output was asked for.
        """
        parameters = request.parameters
        if parameters.structured is not None:
            raise UnsupportedFeatureError("structured output", engine=self.name, version=_VERSION)
        await self.prepare()
        watch = Stopwatch(self._clock)
        model = self._made_model()
        # What the overflow policies cut out of a long prompt is out of this model's sight anyway.
        prompt = model.tokenizer.tokenize(request.prompt)[-request.context_length :]

        processed = 0
        yield PromptProgress(total=len(prompt), processed=0)
        while processed < len(prompt) and await cancellation.pause(self._clock, 0):
            processed = min(processed + _PROMPT_CHUNK, len(prompt))
            yield PromptProgress(total=len(prompt), processed=processed)
        watch.prompt_processed()

        assembler = FragmentAssembler(parameters.stop_strings, with_tokens=parameters.log_probs is not None)
        seed = parameters.seed if parameters.seed is not None else request.load_seed
        sampler = Sampler(parameters, seed=seed, prompt=prompt)
        context = [END_OF_TEXT, *prompt]
        reason = self._stop_before(request, cancellation, len(prompt), watch)
        while reason is None:
            distribution = model.distribution(context, length=watch.predicted_tokens)
            chosen = sampler.choose(distribution)
            if chosen == END_OF_TEXT:
                reason = "eosFound"
                break
            watch.predicted()
            context.append(chosen)
            fragment = assembler.add(self._token(model, chosen, distribution, parameters.log_probs))
            if fragment is not None:
                yield fragment
            if assembler.stop_string is not None:
                reason = "stopStringFound"
            else:
                await cancellation.pause(self._clock, self._seconds_per_token)
                reason = self._stop_before(request, cancellation, len(prompt), watch)
        held = assembler.flush()
        if held is not None:
            yield held
        yield Finished(watch.statistics(reason, prompt_tokens=len(prompt), stop_string=assembler.stop_string))

    def _made_model(self) -> NgramModel:
        if self._model is None:
            self._model = self._make_model()
        return self._model

    def _stop_before(
        self, request: GenerationRequest, cancellation: Cancellation, prompt_tokens: int, watch: Stopwatch
    ) -> StopReason | None:
        """The reason not to predict another token."""
        parameters = request.parameters
        if watch.predicted_tokens == parameters.max_tokens:
            return "maxPredictedTokensReached"
        if (
            parameters.context_overflow_policy == "stopAtLimit"
            and prompt_tokens + watch.predicted_tokens >= request.context_length
        ):
            return "contextLengthReached"
        return cancellation.reason

    def _token(
        self, model: NgramModel, chosen: int, distribution: Distribution, candidates: int | None
    ) -> Token:
        piece = model.tokenizer.piece
        if candidates is None:
            return Token(piece(chosen), chosen)
        likeliest = sorted(distribution.items(), key=lambda entry: (-entry[1], entry[0]))[:candidates]
        return Token(
            piece(chosen),
            chosen,
            distribution[chosen],
            tuple(Candidate(piece(token), token, log) for token, log in likeliest),
        )
