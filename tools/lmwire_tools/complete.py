"""``lmwire complete``: a text completion from the shell."""

from __future__ import annotations

import json
from typing import Any

import click

from lmwire import Client
from lmwire_tools.output import figures, progress_bars, stream_text

__all__ = ["complete"]


@click.command()
@click.argument("prompt")
@click.option(
    "--api-host",
    metavar="HOST[:PORT]",
    help="The server to talk to; by default one on this machine is looked for.",
)
@click.option("--api-token", metavar="TOKEN", help="API token, if the server wants one; or set LM_API_TOKEN.")
@click.option(
    "--model",
    "model_key",
    metavar="KEY",
    help="The model, loaded if need be; by default the first one that is loaded.",
)
@click.option("--max-tokens", type=click.IntRange(min=1), help="Stop after this many tokens.")
@click.option("--temperature", type=click.FloatRange(min=0), help="0 always takes the likeliest token.")
@click.option("--seed", type=int, help="Make the choice of tokens repeatable, where the engine can.")
@click.option(
    "--stop",
    "stop_strings",
    multiple=True,
    metavar="TEXT",
    help="Stop before this text; may be given several times.",
)
@click.option(
    "--json", "as_json", is_flag=True, help="Print one JSON object with text and figures instead of the text."
)
def complete(
    prompt: str,
    api_host: str | None,
    api_token: str | None,
    model_key: str | None,
    max_tokens: int | None,
    temperature: float | None,
    seed: int | None,
    stop_strings: tuple[str, ...],
    as_json: bool,
) -> None:
    """Complete PROMPT, printing the text as it is made.

    The prompt goes to the model as it is; no chat template is applied.
    """
    given: dict[str, Any] = {
        "maxTokens": max_tokens,
        "temperature": temperature,
        "seed": seed,
        "stopStrings": list(stop_strings) or None,
    }
    config: Any = {option: value for option, value in given.items() if value is not None}
    with Client(api_host, api_token=api_token) as client:
        with progress_bars() as bar:
            model = client.llm.model(model_key, on_load_progress=bar("Loading the model"))
        prediction = model.complete_stream(prompt, config=config)
        if as_json:
            result = prediction.wait_for_result()
            click.echo(json.dumps({"text": result.content, **figures(model, result)}, ensure_ascii=False))
        else:
            stream_text(prediction)
