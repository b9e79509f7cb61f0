"""The commands of a protocol bump: ``sync``, ``diff`` and ``selftest``. A report goes to stdout, all else to stderr."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Final, NoReturn

import click

from lmwire_codegen.load import default_schema_folder, is_shipped
from lmwire_codegen.problems import SchemaProblems

__all__ = ["EXIT_BREAKING", "EXIT_COMPATIBLE", "EXIT_WRONG_INPUT", "diff", "sync"]

EXIT_WRONG_INPUT: Final = 2
EXIT_COMPATIBLE: Final = 3
EXIT_BREAKING: Final = 4

_EXIT_CODES: Final = (
    "Exit codes: 0; 2 for wrong input. With --exit-code: 0 if nothing changed in meaning, 3 if all changes are "
    "compatible for clients and servers, 4 if any is not."
)

_form_option = click.option(
    "--format", "form", type=click.Choice(["text", "json", "markdown"]), default="text", show_default=True
)
_exit_option = click.option("--exit-code", is_flag=True, help="Tell by the exit code what changed.")
_schema_option = click.option(
    "--schema", type=click.Path(file_okay=False, path_type=Path), default=None,
    help="The schema folder. Default: the checkout's schema/, else the copy shipped here.",
)  # fmt: skip
_NAME: Final = re.compile(r"[A-Za-z0-9_-]+")


def _revision(_: click.Context, __: click.Parameter, value: str | None) -> str | None:
    if value is not None and not _NAME.fullmatch(value):
        raise click.BadParameter("letters, digits, hyphens and underscores only")
    return value


@click.command(epilog=_EXIT_CODES)
@click.argument("export", type=click.Path(path_type=Path))
@click.option(
    "--schema",
    type=click.Path(file_okay=False, path_type=Path),
    default=None,
    help="The schema folder. Default: the checkout's schema/.",
)
@click.option("--dry-run", is_flag=True, help="Write nothing.")
@_form_option
@_exit_option
@click.option(
    "--revision", callback=_revision, default=None, metavar="DATE",
    help="Name of the revision. Default: the name of the file without its ending.",
)  # fmt: skip
def sync(
    export: Path, schema: Path | None, dry_run: bool, form: str, exit_code: bool, revision: str | None
) -> None:
    """Make the schema folder say what upstream's EXPORT says, and tell what changed in meaning.

    Surface, descriptions, repairs and names stay. All files are written, or none.
    """
    from lmwire_codegen.changes.render import render_report
    from lmwire_codegen.sync import sync as run

    root = schema or default_schema_folder()
    if is_shipped(root) and not dry_run:
        raise click.UsageError(
            "say with --schema which folder to change; the one shipped here belongs to the package"
        )
    try:
        outcome = run(export, root, revision=revision, dry_run=dry_run)
    except SchemaProblems as error:
        _fail(error)
    except OSError as error:
        raise click.ClickException(f"{error}; nothing was written") from error
    click.echo(render_report(outcome.report, form), nl=False)
    verb = "would change" if dry_run else "changed"
    click.echo(f"{len(outcome.changed)} files of {root} {verb}", err=True)
    for name in outcome.changed:
        click.echo(f"  {name}", err=True)
    _end(exit_code, len(outcome.report.changes), outcome.report.breaking)


@click.command(epilog=_EXIT_CODES)
@click.argument("old", type=click.Path(path_type=Path))
@click.argument("new", type=click.Path(path_type=Path))
@_schema_option
@_form_option
@_exit_option
def diff(old: Path, new: Path, schema: Path | None, form: str, exit_code: bool) -> None:
    """Tell what changed in meaning from OLD to NEW, each an export or a schema folder."""
    from lmwire_codegen.changes.render import render_report
    from lmwire_codegen.sync import diff as run

    try:
        report = run(old, new, schema or default_schema_folder())
    except SchemaProblems as error:
        _fail(error)
    click.echo(render_report(report, form), nl=False)
    _end(exit_code, len(report.changes), report.breaking)


def _end(exit_code: bool, changes: int, breaking: bool) -> None:
    if exit_code and changes:
        sys.exit(EXIT_BREAKING if breaking else EXIT_COMPATIBLE)


def _fail(problems: SchemaProblems) -> NoReturn:
    for problem in problems.problems:
        click.echo(str(problem), err=True)
    count = len(problems.problems)
    click.echo(f"Error: {count} problem{'s' if count > 1 else ''}; nothing was written", err=True)
    sys.exit(EXIT_WRONG_INPUT)
