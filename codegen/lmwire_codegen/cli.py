"""The command ``lmwire-codegen``."""

from __future__ import annotations

import keyword
import sys
from pathlib import Path
from typing import Any, NoReturn

import click

from lmwire_codegen.cli_bump import diff, sync
from lmwire_codegen.cli_documents import asyncapi, reference
from lmwire_codegen.load import default_schema_folder
from lmwire_codegen.problems import SchemaProblems
from lmwire_codegen.write import ForeignFolderError

__all__ = ["main"]

_FOLDER = click.Path(file_okay=False, path_type=Path)
_schema_option = click.option(
    "--schema",
    type=_FOLDER,
    default=None,
    help="The schema folder. Default: the checkout's schema/, else the copy shipped here.",
)
_out_option = click.option(
    "--out", type=_FOLDER, default=None, help="The package's folder. Default: generated/lmwire."
)
_only_option = click.option(
    "--only", multiple=True, metavar="NAMESPACE", help="Have this namespace and no others; may be repeated."
)
_package_option = click.option(
    "--package", default="lmwire", show_default=True, help="Import name of the package."
)


class _Commands(click.Group):
    """Says in one line what the machine refuses: a folder that cannot be read or made, a full disk."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except BrokenPipeError:
            raise
        except OSError as error:
            raise click.ClickException(str(error)) from error


@click.group(cls=_Commands)
def main() -> None:
    """Compile the protocol's schema into Python bindings."""


@main.command()
@_schema_option
@_out_option
@_package_option
@_only_option
def generate(schema: Path | None, out: Path | None, package: str, only: tuple[str, ...]) -> None:
    """Replace the generated package by what the schema says now.

    The checkout's own package brings docs/reference and docs/asyncapi.json with it.
    """
    from lmwire_codegen import pipeline

    folder = schema or default_schema_folder()
    target = _target(folder, out, package)
    try:
        outcome = pipeline.generate(folder, target, package, only, _docs(folder, out, only))
    except SchemaProblems as error:
        _fail(error)
    except ForeignFolderError as error:
        raise click.ClickException(str(error)) from error
    except OSError as error:
        raise click.ClickException(f"{error}; nothing was written") from error
    for notice in outcome.notices:
        click.echo(f"note: {notice}", err=True)
    click.echo(
        f"{outcome.files} files in {target}"
        + (f", {outcome.documents} documents in {folder.parent / 'docs'}" if outcome.documents else "")
        + (", new names in names.lock.json" if outcome.lock_changed else "")
    )


@main.command()
@_schema_option
@_out_option
@_package_option
@_only_option
def selftest(schema: Path | None, out: Path | None, package: str, only: tuple[str, ...]) -> None:
    """Import every module of the generated package, and send samples of every message there and back."""
    from lmwire_codegen.selftest import selftest as run

    folder = schema or default_schema_folder()
    target = _target(folder, out, package)
    try:
        result = run(folder, target, package, only)
    except SchemaProblems as error:
        _fail(error)
    for words in result.untried:
        click.echo(f"note: {words}", err=True)
    for words in result.failures:
        click.echo(words, err=True)
    if result.failures:
        raise click.ClickException(f"{len(result.failures)} failures of the package in {target}")
    click.echo(
        f"{result.modules} modules, {result.endpoints} endpoints, {result.messages} messages, "
        f"{result.samples} samples: all well"
    )


@main.command()
@_schema_option
@_out_option
@_package_option
@_only_option
def check(schema: Path | None, out: Path | None, package: str, only: tuple[str, ...]) -> None:
    """Fail unless what is generated is what the schema says.

    That is the package and, of a checkout, docs/reference and docs/asyncapi.json.
    """
    from lmwire_codegen import pipeline

    folder = schema or default_schema_folder()
    target = _target(folder, out, package)
    try:
        differences = pipeline.check(folder, target, package, only, _docs(folder, out, only))
    except SchemaProblems as error:
        _fail(error)
    for difference in differences:
        click.echo(str(difference), err=True)
    if differences:
        raise click.ClickException(
            f"{len(differences)} files differ from the schema; run `lmwire-codegen generate`"
        )
    click.echo(f"{target} is up to date")


main.add_command(sync)
main.add_command(diff)
main.add_command(reference)
main.add_command(asyncapi)


def _target(schema: Path, out: Path | None, package: str) -> Path:
    if not all(part.isidentifier() and not keyword.iskeyword(part) for part in package.split(".")):
        raise click.BadParameter(f"{package!r} is no import name", param_hint="--package")
    if out is not None:
        return out
    if package != "lmwire":
        raise click.UsageError("--package needs --out: where shall the package's folder be?")
    if not (schema.parent / "generated").is_dir():
        raise click.UsageError(
            "no checkout around the schema: say with --out where the package's folder shall be"
        )
    return schema.parent / "generated" / "lmwire"


def _docs(schema: Path, out: Path | None, only: tuple[str, ...]) -> Path | None:
    """Return the folder of documents: only the whole package of a checkout has one."""
    return schema.parent / "docs" if out is None and not only else None


def _fail(problems: SchemaProblems) -> NoReturn:
    for problem in problems.problems:
        click.echo(str(problem), err=True)
    count = len(problems.problems)
    click.echo(
        f"Error: {count} problem{'s' if count > 1 else ''} in the schema; nothing was written", err=True
    )
    sys.exit(1)


if __name__ == "__main__":
    main()
