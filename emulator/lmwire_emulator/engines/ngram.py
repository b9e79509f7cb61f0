"""The engines ``ngram`` and ``ngram-reasoning``: real predictions by the small model of ``ngram_model``."""

from __future__ import annotations

import asyncio
import codecs
from collections.abc import AsyncGenerator, Callable, Mapping
from typing import Any, Final

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
from lmwire_emulator.engines.predictions import Prediction, free_text
from lmwire_emulator.engines.reasoning import reasoned_text
from lmwire_emulator.engines.sampler import Sampler
from lmwire_emulator.engines.structured import (
    ANY_OBJECT,
    InvalidSchemaError,
    Node,
    UnsupportedKeywordError,
    compile_schema,
    structured_text,
)
from lmwire_emulator.engines.tokenizer import END_OF_TEXT, Tokenizer
from lmwire_emulator.errors import EmulatorError, UnsupportedFeatureError

__all__ = ["NgramEngine"]

_VERSION: Final = "1.0"
_PROMPT_CHUNK: Final = 512


class NgramEngine:
    """Predicts with a small model of the English that Python ships with.

    Args:
        clock: Measures times, and waits between tokens.
        seconds_per_token: Pause after each token, for output at the pace of a large model; 0 for none.
        reasons: Whether texts begin with a section of reasoning.
        model: Returns the model; it is asked when it is first needed.
    """

    def __init__(
        self,
        *,
        clock: Clock = SYSTEM_CLOCK,
        seconds_per_token: float = 0.0,
        reasons: bool = False,
        model: Callable[[], NgramModel] = default_model,
    ) -> None:
        self._clock = clock
        self._seconds_per_token = seconds_per_token
        self._reasons = reasons
        self._make_model = model
        self._model: NgramModel | None = None

    @property
    def name(self) -> str:
        """The engine's name."""
        return "ngram-reasoning" if self._reasons else "ngram"

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
            UnsupportedFeatureError: Structured output was asked for in a way that cannot be heeded.
            EmulatorError: The schema for structured output is none, or nothing satisfies it.
        """
        parameters = request.parameters
        structure = self._structure(parameters.structured)
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

        assembler = FragmentAssembler(
            parameters.stop_strings,
            reasoning_tags=parameters.reasoning_tags,
            with_tokens=parameters.log_probs is not None,
        )
        seed = parameters.seed if parameters.seed is not None else request.load_seed
        sampler = Sampler(parameters, seed=seed, prompt=prompt)
        texts = _Texts(model.tokenizer)
        prediction = self._prediction(request, model, prompt, structure)
        distribution = next(prediction)
        reason = self._stop_before(request, cancellation, len(prompt), watch)
        while reason is None:
            chosen, offered = sampler.choose(distribution), distribution
            try:
                distribution = prediction.send(chosen)
            except StopIteration:
                reason = "eosFound"
                break
            if chosen == END_OF_TEXT:  # of the reasoning
                continue
            watch.predicted()
            for fragment in assembler.add(texts.token(chosen, offered, parameters.log_probs)):
                yield fragment
            if assembler.stop_string is not None:
                reason = "stopStringFound"
            else:
                await cancellation.pause(self._clock, self._seconds_per_token)
                reason = self._stop_before(request, cancellation, len(prompt), watch)
        for fragment in assembler.flush():
            yield fragment
        yield Finished(watch.statistics(reason, prompt_tokens=len(prompt), stop_string=assembler.stop_string))

    def _structure(self, setting: Mapping[str, Any] | None) -> Node | None:
        """What the text has to be, from the wire's setting; None if it may be anything."""
        if setting is None:
            return None
        if setting["type"] == "gbnf":
            raise UnsupportedFeatureError("GBNF grammars", engine=self.name, version=_VERSION)
        schema = setting.get("jsonSchema")
        try:
            return compile_schema(ANY_OBJECT if schema is None else schema)
        except UnsupportedKeywordError as error:
            raise UnsupportedFeatureError(str(error), engine=self.name, version=_VERSION) from error
        except InvalidSchemaError as error:
            raise EmulatorError(
                "The JSON Schema for structured output cannot be satisfied",
                cause=f"In the schema, {error}.",
                suggestion="Correct the schema.",
            ) from error

    def _prediction(
        self, request: GenerationRequest, model: NgramModel, prompt: list[int], structure: Node | None
    ) -> Prediction:
        """What may come, from the first token to the end of the text."""
        if self._reasons and request.parameters.reasoning:
            yield from reasoned_text(
                model,
                budget=request.parameters.reasoning_budget,
                message=request.reasoning_budget_message,
            )
        if structure is None:
            yield from free_text(model, [END_OF_TEXT, *prompt])
        else:
            yield from structured_text(model, structure)

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


class _Texts:
    """The texts of tokens in their order; those of bytes come out with the last byte of a character."""

    def __init__(self, tokenizer: Tokenizer) -> None:
        self._piece = tokenizer.piece
        self._bytes = codecs.getincrementaldecoder("utf-8")("replace")

    def token(self, chosen: int, offered: Distribution, candidates: int | None) -> Token:
        """Return a token, with so many of those that could have come if log-probabilities are asked for."""
        text = self._bytes.decode(bytes([chosen])) if chosen < END_OF_TEXT else self._piece(chosen)
        if candidates is None:
            return Token(text, chosen)
        likeliest = sorted(offered.items(), key=lambda entry: (-entry[1], entry[0]))[:candidates]
        return Token(
            text,
            chosen,
            offered[chosen],
            tuple(Candidate(self._piece(token), token, log) for token, log in likeliest),
        )
