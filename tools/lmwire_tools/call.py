"""``lmwire call``: any rpc endpoint from the shell."""

from __future__ import annotations

import sys
from typing import Any, cast

import click

from lmwire_runtime.descriptors import RpcDescriptor
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

__all__ = ["call"]


@click.command()
@click.argument("namespace", shell_complete=complete_namespace)
@click.argument("endpoint", shell_complete=complete_endpoint)
@click.argument("parameter", required=False, metavar="[JSON]")
@server_options
def call(namespace: str, endpoint: str, parameter: str | None, **given: Any) -> None:
    """Call the rpc ENDPOINT of NAMESPACE and print its result.

    Names are those of the protocol, such as `llm listLoaded`. JSON is the parameter: text, @FILE, or - for the
    standard input. It is held against the schema before it is sent, and so is what comes back.

    \b
    Exit codes: 0; 1 if the server answers with an error, or with --strict if it
    deviates; 2 for wrong usage, wrong JSON included.
    """
    options = ServerOptions(**given)
    descriptor = cast("RpcDescriptor[Any, Any]", find_endpoint("call", namespace, endpoint))
    what = f"the parameter of {endpoint}"
    value = read_json(parameter, plain(descriptor.parameter), what, unchecked=options.unchecked)
    tap = Deviating(frames=options.frames)
    with options.client(tap) as client:
        result = client.connection(namespace).call(raw(descriptor), value)
    if descriptor.result.presence != "void":
        click.echo(json_text(result, pretty=options.pretty))
    if options.strict and tap.found:
        sys.exit(1)
