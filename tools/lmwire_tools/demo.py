"""``lmwire demo``: an emulated server, and a completion that streams from it."""

from __future__ import annotations

import click

from lmwire import Client
from lmwire_emulator import EmulatorThread
from lmwire_tools.output import figures, progress_bars, stream_text

__all__ = ["demo"]


@click.command()
@click.option("--prompt", default="My name is", show_default=True, help="The text to complete.")
def demo(prompt: str) -> None:
    """Start an emulated server and stream a completion from it."""
    with EmulatorThread(seconds_per_token=0.03) as emulator, Client(emulator.api_host) as client:
        click.echo(f"An emulated LM Studio listens on ws://{emulator.api_host}", err=True)
        with progress_bars() as bar:
            model = client.llm.model(emulator.default_model_key, on_load_progress=bar("Loading the model"))
        prediction = model.complete_stream(prompt, config={"maxTokens": 60})
        click.echo(prompt, nl=False)
        stream_text(prediction)
        result = prediction.result()
        click.echo()
        for name, value in figures(model, result).items():
            shown = f"{value:.4g}" if isinstance(value, float) else value
            click.echo(f"{name.replace('_', ' ')}: {shown}")
