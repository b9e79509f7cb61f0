"""What every engine offers, what it is asked for, and the events of a generation.

An engine turns a prompt into an asynchronous generator of events: any number of ``PromptProgress``, then
``Fragment``, and at the end ``Finished`` with statistics. Other ends exist for faults: ``DropConnection``,
``UnloadModel``, and no last event at all, which stands for a channel that closes without a result. A failure is raised
as an ``EmulatorError``. Whoever stops taking events closes the generator (``contextlib.aclosing``).

Cancellation is cooperative: engines look at it between tokens and then finish with the reason it carries.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from typing import Literal, Protocol, TypeAlias

import attrs

from lmwire_emulator.cancellation import Cancellation
from lmwire_emulator.clock import Clock
from lmwire_emulator.sampling import SamplingParameters

__all__ = [
    "Candidate",
    "DropConnection",
    "Engine",
    "Finished",
    "Fragment",
    "GenerationEvent",
    "GenerationRequest",
    "PromptProgress",
    "ReasoningType",
    "Statistics",
    "StopReason",
    "Stopwatch",
    "Token",
    "UnloadModel",
]

StopReason: TypeAlias = Literal[
    "userStopped",
    "modelUnloaded",
    "failed",
    "eosFound",
    "stopStringFound",
    "toolCalls",
    "maxPredictedTokensReached",
    "contextLengthReached",
]

ReasoningType: TypeAlias = Literal["none", "reasoning", "reasoningStartTag", "reasoningEndTag"]


@attrs.frozen(kw_only=True)
class GenerationRequest:
    """What an engine is asked for.

    Attributes:
        prompt: The text to go on from, as the model shall see it.
        parameters: How to sample.
        context_length: Tokens that fit into the context, prompt included.
        load_seed: The seed if the parameters have none; None for a new one each time.
        reasoning_budget_message: What is put in where the reasoning budget is used up.
        model_key: The model that was asked, for scripts that tell models apart.
    """

    prompt: str
    parameters: SamplingParameters = attrs.field(factory=SamplingParameters)
    context_length: int = 4096
    load_seed: int | None = None
    reasoning_budget_message: str = ""
    model_key: str = ""


def _progress_of_the_counts(progress: PromptProgress) -> float:
    return (progress.processed + progress.cached) / progress.total if progress.total else 1.0


@attrs.frozen(kw_only=True)
class PromptProgress:
    """How much of the prompt is processed (wire: ``promptProcessingProgress``).

    Attributes:
        total: Tokens of the prompt.
        processed: Tokens that were processed now.
        cached: Tokens that needed no processing.
        progress: The part that is done, 0..1; what the counts say unless it is given.
    """

    total: int
    processed: int
    cached: int = 0
    progress: float = attrs.field(default=attrs.Factory(_progress_of_the_counts, takes_self=True))

    @property
    def unprocessed(self) -> int:
        """Tokens still to process."""
        return self.total - self.processed - self.cached


@attrs.frozen
class Candidate:
    """A token that could have come, with the natural logarithm of its probability."""

    text: str
    id: int
    log_prob: float


@attrs.frozen
class Token:
    """A token that came (wire: ``llmToken``); ``log_prob`` as the model saw it, before sampling bent it."""

    text: str
    id: int
    log_prob: float | None = None
    candidates: tuple[Candidate, ...] | None = None


@attrs.frozen(kw_only=True)
class Fragment:
    """A piece of text (wire: ``llmPredictionFragment``); ``tokens`` only if log-probabilities were asked for."""

    content: str
    tokens_count: int
    contains_drafted: bool = False
    reasoning_type: ReasoningType = "none"
    is_structural: bool = False
    tokens: tuple[Token, ...] | None = None


@attrs.frozen(kw_only=True)
class Statistics:
    """What a generation did (wire: ``llmPredictionStats``). Times in seconds; None where there is nothing to tell.

    Attributes:
        tokens_per_second: Predicted tokens over the time from the end of prompt processing.
        time_to_first_token: From the request on.
        stop_string: Which one was found, with stop reason ``stopStringFound``.
    """

    stop_reason: StopReason
    prompt_tokens: int
    predicted_tokens: int
    total_time: float
    time_to_first_token: float | None = None
    tokens_per_second: float | None = None
    stop_string: str | None = None
    used_draft_model: str | None = None
    drafted_tokens: int | None = None
    accepted_draft_tokens: int | None = None
    rejected_draft_tokens: int | None = None
    ignored_draft_tokens: int | None = None

    @property
    def total_tokens(self) -> int:
        """Tokens of prompt and prediction."""
        return self.prompt_tokens + self.predicted_tokens


@attrs.frozen
class Finished:
    """The generation has ended in order; the last event."""

    statistics: Statistics


@attrs.frozen
class DropConnection:
    """The whole connection shall be dropped without a word; the last event."""


@attrs.frozen
class UnloadModel:
    """The model shall be unloaded, so that the generation cannot go on; the last event."""


GenerationEvent: TypeAlias = PromptProgress | Fragment | Finished | DropConnection | UnloadModel


class Engine(Protocol):
    """What makes text of a prompt. One engine serves any number of generations at the same time."""

    @property
    def name(self) -> str:
        """The engine's name, as models refer to it."""
        ...

    async def prepare(self) -> None:
        """Get ready, beside the event loop if it takes long; called when a model is loaded."""
        ...

    def tokenize(self, text: str) -> Sequence[int]:
        """Return the token ids of a text."""
        ...

    def generate(
        self, request: GenerationRequest, cancellation: Cancellation
    ) -> AsyncGenerator[GenerationEvent, None]:
        """Begin a generation; nothing happens before the first event is asked for.

        Raises:
            EmulatorError: From the generator: the engine refuses or fails.
        """
        ...


class Stopwatch:
    """Measures one generation, from its own creation on: tell it what happens, read the statistics at the end."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._started = clock.monotonic()
        self._prompt_done = self._started
        self._first_token: float | None = None
        self.predicted_tokens = 0

    def prompt_processed(self) -> None:
        """The prompt is processed; prediction begins."""
        self._prompt_done = self._clock.monotonic()

    def predicted(self, tokens: int = 1) -> None:
        """So many more tokens have been predicted."""
        self.predicted_tokens += tokens
        if self._first_token is None and tokens:
            self._first_token = self._clock.monotonic()

    def statistics(
        self, stop_reason: StopReason, *, prompt_tokens: int, stop_string: str | None = None
    ) -> Statistics:
        """Return what was measured until now."""
        now = self._clock.monotonic()
        duration = now - self._prompt_done
        return Statistics(
            stop_reason=stop_reason,
            stop_string=stop_string,
            prompt_tokens=prompt_tokens,
            predicted_tokens=self.predicted_tokens,
            total_time=now - self._started,
            time_to_first_token=None if self._first_token is None else self._first_token - self._started,
            # Of an instant there is no speed.
            tokens_per_second=self.predicted_tokens / duration
            if duration > 0 and self.predicted_tokens
            else None,
        )
