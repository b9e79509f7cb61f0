"""``lmwire serve``: the emulator as a server for unmodified clients."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from typing import Final

import click

from lmwire_emulator import Emulator, EmulatorThread, Generation, load_script
from lmwire_runtime.access import AccessRule, is_loopback, tokens_of_file
from lmwire_runtime.discovery import APPLICATION_PORTS, LOCAL_ADDRESSES, probe
from lmwire_tools.access_options import access_options

__all__ = ["serve"]

TOKEN_VARIABLE: Final = "LMWIRE_SERVE_TOKEN"


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="The address to listen on.")
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    help="The port to listen on, 0 for any free one; by default LM Studio's own.",
)
@click.option(
    "--engine",
    type=click.Choice(["ngram", "scripted"]),
    help="What makes the text; scripted if --script is given, else ngram.",
)
@click.option(
    "--script",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Replies of the scripted engine, YAML or JSON.",
)
@click.option(
    "--model",
    "models",
    multiple=True,
    metavar="KEY",
    default=(EmulatorThread.default_model_key,),
    show_default=True,
    help='Have this model loaded at the start; may be given several times, "" for none.',
)
@click.option(
    "--generation",
    type=click.Choice(["2025-07", "2025", "2026"]),
    default="2026",
    show_default=True,
    help="Which servers to resemble: those of July 2025, August 2025 or August 2026.",
)
@click.option(
    "--token",
    "--api-token",
    "api_tokens",
    multiple=True,
    metavar="TOKEN",
    help="Demand this API token; may be given several times. Other users of the machine can read it in the list of"
    f" processes: --token-file and {TOKEN_VARIABLE} keep it to yourself.",
)
@click.option(
    "--token-file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Demand one of the API tokens in this file, one a line.",
)
@access_options
def serve(
    host: str,
    port: int | None,
    engine: str | None,
    script: Path | None,
    models: tuple[str, ...],
    generation: Generation,
    api_tokens: tuple[str, ...],
    token_file: Path | None,
    access: AccessRule,
) -> None:
    """Stand in for LM Studio until Ctrl-C.

    Without --port it takes the first of LM Studio's own ports, so that unmodified clients find it. On an address that
    other machines reach it demands an API token: from --token-file, the environment variable LMWIRE_SERVE_TOKEN, or
    --token. Web pages of elsewhere are refused.
    """
    if engine == "scripted" and script is None:
        raise click.UsageError("the scripted engine needs --script FILE")
    if engine == "ngram" and script is not None:
        raise click.UsageError("--script goes with the scripted engine; leave --engine out")
    host = host.strip().removeprefix("[").removesuffix("]")
    if not host:
        raise click.UsageError("--host needs an address, such as 127.0.0.1, or 0.0.0.0 for all")
    tokens = _tokens(api_tokens, token_file)
    if not tokens and not is_loopback(host):
        raise click.UsageError(
            f"on {host} other machines could use the server: give --token-file FILE (or set {TOKEN_VARIABLE}, or give"
            " --token) with an API token that clients have to present, or leave --host out"
        )
    if port is None:
        _refuse_beside_another()
        port = APPLICATION_PORTS[0]
    replies = None if script is None else load_script(script)
    emulator = Emulator(
        script=replies,
        loaded=[key for key in models if key],
        generation=generation,
        api_tokens=tokens,
        access=access,
    )
    asyncio.run(_serve(emulator, host, port))


def _tokens(given: tuple[str, ...], file: Path | None) -> list[str]:
    """Return the tokens to demand: of the options and the file, else of the environment."""
    tokens = [*given, *(tokens_of_file(file) if file is not None else ())]
    of_environment = os.environ.get(TOKEN_VARIABLE, "").strip()
    return tokens or ([of_environment] if of_environment else [])


def _refuse_beside_another() -> None:
    """Refuse to listen where clients might find another server first."""
    for found in probe(LOCAL_ADDRESSES):
        if found.found:
            raise click.ClickException(
                f"an LM Studio server answers on {found.address} already, and clients would find that one; stop it, or"
                " choose a port of your own with --port and give clients its address"
            )


async def _serve(emulator: Emulator, host: str, port: int) -> None:
    async with emulator:
        try:
            bound_host, bound_port = await emulator.start(host, port)
        except OSError as error:
            raise click.ClickException(f"cannot listen on {host}:{port}: {error}") from error
        shown = f"[{bound_host}]" if ":" in bound_host else bound_host
        click.echo(f"listening on ws://{shown}:{bound_port}")
        await asyncio.Event().wait()
