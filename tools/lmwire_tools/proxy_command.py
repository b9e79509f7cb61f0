"""``lmwire proxy``: see what a client and a server say to each other, and where they deviate from the protocol."""

from __future__ import annotations

import asyncio
import shutil
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import FrameType
from typing import Any, Final

import attrs
import click

from lmwire_runtime.access import AccessRule, is_loopback
from lmwire_runtime.addresses import Address, parse_address
from lmwire_runtime.discovery import find_default_local_api_host
from lmwire_tools.access_options import access_options
from lmwire_tools.live_page import LivePage
from lmwire_tools.proxy import Proxy
from lmwire_tools.recordings import RecordingWriter
from lmwire_tools.traffic import Summary, TrafficEvent, Watcher, record_of_event
from lmwire_tools.traffic_text import event_lines, summary_lines

__all__ = ["proxy"]

# Of a line where there is no terminal to say.
_WIDTH: Final = 200


@attrs.frozen(kw_only=True)
class _Options:
    """What the command was told."""

    server: Address
    host: str
    port: int
    token: str | None
    access: AccessRule
    record: Path | None
    elide: int | None
    quiet: bool
    full: bool
    page_port: int | None


@click.command()
@click.option(
    "--listen",
    "port",
    type=click.IntRange(0, 65535),
    required=True,
    metavar="PORT",
    help="The port that clients connect to instead of the server's; 0 for any free one.",
)
@click.option(
    "--to",
    "server",
    metavar="HOST:PORT",
    help="The server; by default LM Studio is looked for on this machine.",
)
@click.option(
    "--host",
    default="127.0.0.1",
    show_default=True,
    help="The address to listen on; any but this machine's own demands --token.",
)
@click.option(
    "--token",
    metavar="TOKEN",
    envvar="LMWIRE_PROXY_TOKEN",
    help="Let only clients in that present this API token; or set LMWIRE_PROXY_TOKEN.",
)
@click.option(
    "--record",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Write a recording: a line of JSON for each frame, secrets redacted.",
)
@click.option(
    "--elide",
    type=click.IntRange(min=64),
    metavar="LENGTH",
    help="Cut strings and lists of numbers in the recording that are longer than this.",
)
@click.option("--ui", is_flag=True, help="Serve a live page on this machine; its address is printed.")
@click.option(
    "--ui-port",
    type=click.IntRange(0, 65535),
    default=0,
    metavar="PORT",
    help="The live page's port; by default any free one.",
)
@click.option("--quiet", "-q", is_flag=True, help="Print deviations and the summary only.")
@click.option("--full", is_flag=True, help="Print whole frames, indented.")
@click.option("--strict", is_flag=True, help="Exit with 1 if anything deviated.")
@access_options
def proxy(
    port: int,
    server: str | None,
    host: str,
    token: str | None,
    record: Path | None,
    elide: int | None,
    ui: bool,
    ui_port: int,
    quiet: bool,
    full: bool,
    strict: bool,
    access: AccessRule,
) -> None:
    """Pass on all that clients and a server say, and print it.

    Clients connect to PORT as if it were the server's. Every frame is printed with its endpoint, packet and the time
    since its request, and held against the schema in both directions. Nothing of it is changed. Ctrl-C ends it with a
    summary.

    \b
    Exit codes: 0; 1 if it could not listen, or with --strict if anything deviated;
    2 for wrong usage.
    """
    host = host.strip().removeprefix("[").removesuffix("]")
    if token is None and not is_loopback(host):
        raise click.UsageError(
            f"on {host or 'all addresses'} other machines could use it: give --token, which clients have to present"
        )
    if elide is not None and record is None:
        raise click.UsageError("--elide goes with --record")
    options = _Options(
        server=parse_address(server or _local_server()),
        host=host,
        port=port,
        token=token,
        access=access,
        record=record,
        elide=elide,
        quiet=quiet,
        full=full,
        page_port=ui_port if ui else None,
    )
    summary = asyncio.run(_run(options))
    for line in summary_lines(summary):
        click.echo(line)
    if strict and summary.deviates:
        sys.exit(1)


def _local_server() -> str:
    found = find_default_local_api_host()
    if found is None:
        raise click.ClickException(
            "no LM Studio server was found on this machine; name one with --to HOST:PORT, or start `lmwire serve`"
        )
    return found


async def _run(options: _Options) -> Summary:
    """Serve until a signal; returns what passed."""
    summary = Summary()
    stop = asyncio.Event()
    watchers: list[Watcher] = [summary, _printer(options, stop.set)]
    with ExitStack() as stack:
        if options.record is not None:
            writer = stack.enter_context(RecordingWriter(options.record, elide=options.elide))
            watchers.append(_recorder(writer))
        stack.enter_context(_signals(asyncio.get_running_loop(), stop.set))

        def watch(event: TrafficEvent) -> None:
            for watcher in watchers:
                watcher(event)

        async with (
            Proxy(options.server, watch, token=options.token, access=options.access) as running,
            LivePage() as page,
        ):
            host, port = await _listening(running, options)
            click.echo(f"listening on ws://{_shown(host, port)}, passing on to {options.server}")
            if options.page_port is not None:
                watchers.append(page)
                click.echo(f"live page: {await page.start(options.page_port)}")
            await stop.wait()
    return summary


async def _listening(running: Proxy, options: _Options) -> tuple[str, int]:
    try:
        return await running.start(options.host, options.port)
    except OSError as error:
        where = _shown(options.host, options.port)
        raise click.ClickException(f"cannot listen on {where}: {error.strerror or error}") from error


def _shown(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _printer(options: _Options, stop: Callable[[], None]) -> Watcher:
    width = shutil.get_terminal_size().columns if sys.stdout.isatty() else _WIDTH

    def show(event: TrafficEvent) -> None:
        deviates = getattr(event, "deviations", ()) or getattr(event, "fault", "")
        if options.quiet and not deviates:
            return
        try:
            for line in event_lines(event, width=width, full=options.full):
                click.echo(line)
        except OSError:
            stop()  # the reader of stdout has left

    return show


def _recorder(writer: RecordingWriter) -> Watcher:
    failed = False

    def record(event: TrafficEvent) -> None:
        nonlocal failed
        kept = record_of_event(event)
        if kept is None or failed:
            return
        try:
            writer.write(kept)
        except OSError as error:
            failed = True  # clients and server go on
            click.echo(f"the recording ends here: {error}", err=True)

    return record


@contextmanager
def _signals(loop: asyncio.AbstractEventLoop, stop: Callable[[], None]) -> Iterator[None]:
    """Have Ctrl-C and termination call ``stop`` in the loop; the second time they do what they always did."""
    former: dict[int, Any] = {}

    def handle(number: int, frame: FrameType | None) -> None:
        signal.signal(number, former[number])
        loop.call_soon_threadsafe(stop)

    for caught in (signal.SIGINT, signal.SIGTERM):
        former[caught] = signal.getsignal(caught)
        signal.signal(caught, handle)
    try:
        yield
    finally:
        for number, handler in former.items():
            signal.signal(number, handler)
