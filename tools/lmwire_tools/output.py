"""What several commands print: fragments as they come, progress bars on a terminal, and the figures of a
prediction.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import click
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn

from lmwire.llm import LLM, PredictionResult

__all__ = ["figures", "progress_bars", "stream_text"]


@contextmanager
def progress_bars() -> Iterator[Callable[[str], Callable[[float], None]]]:
    """Yield a function that makes a progress callback with a title; bars are drawn on stderr if that is a
    terminal.
    """
    console = Console(stderr=True)
    if not console.is_terminal:
        yield lambda title: lambda value: None
        return
    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn())
    with Progress(*columns, console=console, transient=True) as progress:

        def make(title: str) -> Callable[[float], None]:
            task = progress.add_task(title, total=1.0, visible=False)
            return lambda value: progress.update(task, completed=value, visible=value < 1.0)

        yield make


def stream_text(fragments: Iterable[Any]) -> None:
    """Print fragments as they come, each flushed, and end the line.

    Half an emoji (servers split some between two fragments) waits for its other half.
    """
    held = ""
    for fragment in fragments:
        text = held + str(fragment)
        held = text[-1:] if "\ud800" <= text[-1:] <= "\udbff" else ""
        text = text[: len(text) - len(held)]
        click.echo(text.encode("utf-16", "surrogatepass").decode("utf-16", "replace"), nl=False)
        if sys.stdout is not None:  # it was closed by whoever started the command
            sys.stdout.flush()
    click.echo()


def figures(model: LLM, result: PredictionResult) -> dict[str, Any]:
    """Return the figures of a prediction; those that the server left out are None."""
    stats = result.stats.to_wire()
    return {
        "model": model.identifier,
        "prompt_tokens": stats.get("promptTokensCount"),
        "predicted_tokens": stats.get("predictedTokensCount"),
        "time_to_first_token_seconds": stats.get("timeToFirstTokenSec"),
        "tokens_per_second": stats.get("tokensPerSecond"),
        "stop_reason": stats.get("stopReason"),
    }
