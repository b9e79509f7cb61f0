"""Streams of text and their results, under the official SDK's names, raising its exceptions."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec, TypeVar

from lmstudio._records import LlmInstanceInfo, LlmPredictionStats, with_none
from lmstudio._translation import speaks_lmstudio
from lmwire import llm

__all__ = ["AsyncPredictionStream", "PredictionResult", "PredictionStream", "like"]

P = ParamSpec("P")
R = TypeVar("R")


@speaks_lmstudio
class PredictionResult(llm.PredictionResult):
    """The whole text of a finished completion, and what the server said about it. ``str`` of it is the text."""

    __slots__ = ()

    @property
    def stats(self) -> LlmPredictionStats:
        """Counts, times and the reason for stopping; None for what the server does not say."""
        return with_none(getattr(self.packet, "stats", None), LlmPredictionStats)

    @property
    def model_info(self) -> LlmInstanceInfo:
        """The model instance that made the text; None for what the server does not say."""
        return with_none(getattr(self.packet, "model_info", None), LlmInstanceInfo)


@speaks_lmstudio
class PredictionStream(llm.PredictionStream):
    """A completion as it is made: iterate it, or wait for its result."""

    result_class = PredictionResult

    if TYPE_CHECKING:  # what the base class does with ``result_class``

        def result(self) -> PredictionResult: ...
        def wait_for_result(self) -> PredictionResult: ...
        @property
        def stats(self) -> LlmPredictionStats | None: ...
        @property
        def model_info(self) -> LlmInstanceInfo | None: ...


@speaks_lmstudio
class AsyncPredictionStream(llm.AsyncPredictionStream):
    """A completion as it is made: ``async for``, or await its result."""

    result_class = PredictionResult

    if TYPE_CHECKING:

        def result(self) -> PredictionResult: ...
        async def wait_for_result(self) -> PredictionResult: ...
        @property
        def stats(self) -> LlmPredictionStats | None: ...
        @property
        def model_info(self) -> LlmInstanceInfo | None: ...


def like(
    method: Callable[Concatenate[Any, P], Any],
) -> Callable[[Callable[..., R]], Callable[Concatenate[Any, P], R]]:
    """Declare that a method takes what another one takes, and returns something of its own; for type checkers alone."""
    raise NotImplementedError(method)
