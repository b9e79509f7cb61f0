"""``lmwire watch``: any channel or signal from the shell."""

from __future__ import annotations

import itertools
import sys
from collections.abc import Iterable
from typing import Any

import click

from lmwire_runtime.descriptors import ChannelDescriptor, SignalDescriptor
from lmwire_runtime.sync_shell import SyncChannel
from lmwire_runtime.sync_signals import SyncSignal
from lmwire_tools.requests import (
    Deviating,
    ServerOptions,
    complete_endpoint,
    complete_namespace,
    find_endpoint,
    json_text,
    plain,
    raw,
    read_json,
    server_options,
)

__all__ = ["watch"]


@click.command()
@click.argument("namespace", shell_complete=complete_namespace)
@click.argument("endpoint", shell_complete=complete_endpoint)
@click.argument("creation", required=False, metavar="[JSON]")
@click.option(
    "--send",
    "packets",
    multiple=True,
    metavar="JSON",
    help="Send this packet into the channel once it is open; may be given several times.",
)
@click.option("--count", type=click.IntRange(min=1), metavar="N", help="End after so many packets or values.")
@server_options
def watch(
    namespace: str,
    endpoint: str,
    creation: str | None,
    packets: tuple[str, ...],
    count: int | None,
    **given: Any,
) -> None:
    """Print what the channel or signal ENDPOINT of NAMESPACE sends.

    Names are those of the protocol, such as `diagnostics streamLogs`. JSON is the creation parameter: text, @FILE, or -
    for the standard input. Packets of a channel are printed until it ends, values of a signal until Ctrl-C, one a line.
    Ctrl-C has the server cancel a channel, and prints what it still sends; a second Ctrl-C leaves at once.

    \b
    Exit codes: 0; 1 if the server ends it with an error, or with --strict if it
    deviates; 2 for wrong usage, wrong JSON included; 130 after Ctrl-C.
    """
    options = ServerOptions(**given)
    descriptor = find_endpoint("watch", namespace, endpoint)
    assert isinstance(descriptor, (ChannelDescriptor, SignalDescriptor))
    unchecked = options.unchecked
    value = read_json(
        creation, plain(descriptor.creation), f"the creation parameter of {endpoint}", unchecked=unchecked
    )
    to_send = []
    if packets:
        if isinstance(descriptor, SignalDescriptor):
            raise click.UsageError(f"{endpoint} is a signal; --send is for channels")
        packet_codec, what = plain(descriptor.to_server), f"a packet to {endpoint}"
        to_send = [read_json(packet, packet_codec, what, unchecked=unchecked) for packet in packets]
    tap = Deviating(frames=options.frames)
    with options.client(tap) as client:
        connection = client.connection(namespace)
        if isinstance(descriptor, SignalDescriptor):
            with SyncSignal(connection, raw(descriptor), value) as signal:
                _print_all(itertools.islice(signal, count), options)
        else:
            with connection.open(raw(descriptor), value) as channel:
                _watch_channel(channel, to_send, options, count)
    if options.strict and tap.found:
        sys.exit(1)


def _print_all(values: Iterable[Any], options: ServerOptions) -> None:
    for value in values:
        click.echo(json_text(value, pretty=options.pretty))
        sys.stdout.flush()


def _watch_channel(
    channel: SyncChannel[Any, Any], packets: Iterable[Any], options: ServerOptions, count: int | None
) -> None:
    """Print the packets; when interrupted, cancel, print what still comes, and be interrupted then."""
    try:
        for packet in packets:
            channel.send(packet)
        _print_all(itertools.islice(channel, count), options)
    except KeyboardInterrupt:
        if channel.cancel():
            _print_all(channel, options)
        raise
