"""``python -m benchmarks``: measures, compares, prints."""

from __future__ import annotations

import sys
from pathlib import Path

import click
from rich.console import Console
from rich.progress import Progress

from benchmarks import report
from benchmarks.figures import FIGURES
from benchmarks.measuring import measure
from benchmarks.running import blast_server


@click.command()
@click.argument("figures", nargs=-1, type=click.Choice(list(FIGURES)), metavar="[FIGURE]...")
@click.option(
    "--quick", is_flag=True, help="A small fraction of the work: shows that everything runs, not how fast."
)
@click.option("--json", "json_file", type=click.Path(path_type=Path), help="Write everything to this file.")
@click.option(
    "--markdown",
    "markdown_file",
    type=click.Path(path_type=Path),
    help="Write the table as it stands in benchmarks/README.md to this file.",
)
@click.option(
    "--plot", "plot_file", type=click.Path(path_type=Path), help="Draw the comparisons into this PNG."
)
def main(
    figures: tuple[str, ...],
    quick: bool,
    json_file: Path | None,
    markdown_file: Path | None,
    plot_file: Path | None,
) -> None:
    """Measure FIGUREs, by default all of them, and print a table of ratios."""
    console = Console() if sys.stdout.isatty() else Console(width=140)
    with blast_server() as host, Progress(console=Console(stderr=True)) as progress:
        measured = measure(list(figures or FIGURES), host, quick=quick, progress=progress)
    report.print_table(measured, console)
    if json_file is not None:
        json_file.write_text(report.as_json(measured), encoding="utf-8")
    if markdown_file is not None:
        markdown_file.write_text(report.as_markdown(measured), encoding="utf-8")
    if plot_file is not None:
        report.draw(measured, plot_file)
    missed = [
        name for name in measured if not all(verdict.met for verdict in report.verdicts(name, measured))
    ]
    console.print(f"missed: {', '.join(missed)}" if missed else "every reach was met")


if __name__ == "__main__":
    sys.exit(main())
