"""The commands ``reference`` and ``asyncapi``: the documents of any schema folder, anywhere.

A checkout's own are made by ``generate`` and compared by ``check``.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import NoReturn

import click

from lmwire_codegen.load import default_schema_folder
from lmwire_codegen.problems import SchemaProblems
from lmwire_codegen.write import ForeignFolderError

__all__ = ["asyncapi", "reference"]

_schema_option = click.option(
    "--schema", type=click.Path(file_okay=False, path_type=Path), default=None,
    help="The schema folder. Default: the checkout's schema/, else the copy shipped here.",
)  # fmt: skip


@click.command()
@_schema_option
@click.option(
    "--out", required=True, type=click.Path(file_okay=False, path_type=Path), help="The folder of its pages."
)
def reference(schema: Path | None, out: Path) -> None:
    """Write the protocol's reference in Markdown.

    `generate` does that for docs/reference of a checkout.
    """
    from lmwire_codegen.documents import write_reference
    from lmwire_codegen.pipeline import compile_model

    try:
        model, folder = compile_model(schema or default_schema_folder(), "lmwire")
        count = write_reference(out, model, folder)
    except SchemaProblems as error:
        _fail(error)
    except (ForeignFolderError, OSError) as error:
        raise click.ClickException(str(error)) from error
    click.echo(f"{count} pages in {out}")


@click.command()
@_schema_option
@click.option(
    "--out", type=click.Path(dir_okay=False, path_type=Path), default=None, help="The file. Default: stdout."
)
def asyncapi(schema: Path | None, out: Path | None) -> None:
    """Write the protocol as an AsyncAPI 3 document.

    `generate` does that for docs/asyncapi.json of a checkout.
    """
    from lmwire_codegen.asyncapi import asyncapi_text
    from lmwire_codegen.pipeline import compile_model

    try:
        text = asyncapi_text(*compile_model(schema or default_schema_folder(), "lmwire"))
    except SchemaProblems as error:
        _fail(error)
    if out is None:
        click.echo(text, nl=False)
        return
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        out.write_text(text, encoding="utf-8", newline="\n")
    except OSError as error:
        raise click.ClickException(str(error)) from error
    click.echo(f"1 document in {out}")


def _fail(problems: SchemaProblems) -> NoReturn:
    for problem in problems.problems:
        click.echo(str(problem), err=True)
    count = len(problems.problems)
    click.echo(
        f"Error: {count} problem{'s' if count > 1 else ''} in the schema; nothing was written", err=True
    )
    sys.exit(1)
