"""``lmwire replay``: plays a recording, as a server or as a client."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Sequence
from pathlib import Path

import click

from lmwire_runtime.access import AccessRule, is_loopback
from lmwire_runtime.addresses import parse_address
from lmwire_tools.access_options import access_options
from lmwire_tools.conformance.checks import Failed
from lmwire_tools.conformance.raw import Server
from lmwire_tools.replay_client import Compared, drive
from lmwire_tools.replay_server import ReplayServer
from lmwire_tools.replay_stories import Story, UnusableRecordingError, stories_of_file

__all__ = ["replay"]


def _checked_patterns(
    context: click.Context, parameter: click.Parameter, patterns: tuple[str, ...]
) -> tuple[str, ...]:
    for pattern in patterns:
        try:
            re.compile(pattern)
        except re.error as error:
            raise click.BadParameter(f"{pattern!r} is no regular expression: {error}") from None
    return patterns


@click.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option(
    "--to", "target", metavar="HOST:PORT", help="Be the client: drive this server, and compare its answers."
)
@click.option(
    "--host", default="127.0.0.1", show_default=True, help="As a server: the loopback address to listen on."
)
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=0,
    help="As a server: the port to listen on, 0 for any free one.",
)
@click.option("--api-token", metavar="TOKEN", help="With --to: the API token that the server wants.")
@click.option(
    "--ignore",
    multiple=True,
    metavar="REGEX",
    callback=_checked_patterns,
    help="With --to: set differences aside whose JSON pointer matches; may be repeated.",
)
@click.option(
    "--timeout",
    type=click.FloatRange(min=0, min_open=True),
    default=60.0,
    show_default=True,
    help="With --to: seconds to wait for each frame.",
)
@click.option("--json", "as_json", is_flag=True, help="With --to: print one JSON object.")
@access_options
@click.pass_context
def replay(
    context: click.Context,
    file: Path,
    target: str | None,
    host: str,
    port: int,
    api_token: str | None,
    ignore: tuple[str, ...],
    timeout: float,
    as_json: bool,
    access: AccessRule,
) -> None:
    """Play the recording FILE, to a client or to a server.

    Without --to it is a server, which answers clients from the recording. Ends with 1 if a server's answers differ, or
    if a client asked for what was not recorded.
    """
    try:
        stories = stories_of_file(file)
    except UnusableRecordingError as error:
        raise click.ClickException(str(error)) from None
    if target is None:
        _serve(context, stories, host, port, access)
        return
    server = Server.at(parse_address(target), api_token=api_token, timeout=timeout)
    try:
        compared = list(drive(server, stories, ignore=ignore))
    except Failed as failure:
        raise click.ClickException(str(failure)) from None
    if as_json:
        click.echo(json.dumps(_as_data(compared), ensure_ascii=False, indent=2))
    else:
        _show(compared)
    if any(one.differences for one in compared):
        context.exit(1)


def _serve(
    context: click.Context, stories: Sequence[Story], host: str, port: int, access: AccessRule
) -> None:
    if not is_loopback(host):
        told = f"{host}: recordings are replayed on this machine alone, since nobody is asked for a token"
        raise click.BadParameter(told, param_hint="--host")
    server = ReplayServer(stories, host=host, port=port, access=access)
    with server:
        click.echo(f"replaying {len(stories)} requests on ws://{server.api_host}; Ctrl-C ends")
        try:
            threading.Event().wait()
        except KeyboardInterrupt:
            click.echo("", err=True)
    for mismatch in server.mismatches:
        click.echo(mismatch, err=True)
    if server.mismatches:
        context.exit(1)


def _show(compared: Sequence[Compared]) -> None:
    for one in compared:
        mark = click.style("differs", fg="red") if one.differences else click.style("same", fg="green")
        aside = f" ({one.aside} set aside)" if one.aside else ""
        click.echo(f"{mark}  {one.name}{aside}")
        for difference in one.differences:
            click.echo(f"    {difference.pointer or '/'}")
            click.echo(click.style(f"      - {difference.recorded_text}", fg="red"))
            click.echo(click.style(f"      + {difference.actual_text}", fg="green"))
    bad = sum(bool(one.differences) for one in compared)
    click.echo(f"{len(compared)} requests, {bad} answered otherwise than recorded")


def _as_data(compared: Sequence[Compared]) -> dict[str, object]:
    return {
        "requests": [
            {
                "request": one.name,
                "set_aside": one.aside,
                "differences": [
                    {
                        "pointer": difference.pointer,
                        "recorded": difference.recorded_text,
                        "actual": difference.actual_text,
                    }
                    for difference in one.differences
                ],
            }
            for one in compared
        ]
    }
