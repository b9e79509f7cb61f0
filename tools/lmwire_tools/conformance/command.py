"""``lmwire conformance``: holds a server, or a client, against the protocol."""

from __future__ import annotations

import socket
from collections.abc import Sequence
from typing import Any

import click

from lmwire_runtime.addresses import Address, parse_address
from lmwire_tools.conformance.checks import Check, run_all
from lmwire_tools.conformance.raw import Server
from lmwire_tools.conformance.report import list_checks, report, report_json
from lmwire_tools.conformance.server_checks import SERVER_CHECKS

__all__ = ["conformance"]


@click.command()
@click.argument("server", required=False, metavar="[HOST:PORT]")
@click.option(
    "--check",
    "wanted",
    multiple=True,
    metavar="NAME",
    help="Only this check, and those that it needs; may be repeated.",
)
@click.option("--list", "only_list", is_flag=True, help="Say what would be checked, and do nothing.")
@click.option("--api-token", metavar="TOKEN", help="The API token that the server wants.")
@click.option("--model", metavar="IDENTIFIER", help="The loaded model to complete with; by default any one.")
@click.option(
    "--timeout",
    type=click.FloatRange(min=0, min_open=True),
    default=10.0,
    show_default=True,
    help="Seconds to wait for whatever has to come.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead of a table.")
@click.pass_context
def conformance(
    context: click.Context,
    server: str | None,
    wanted: tuple[str, ...],
    only_list: bool,
    api_token: str | None,
    model: str | None,
    timeout: float,
    as_json: bool,
) -> None:
    """Hold the server at HOST:PORT against the protocol.

    Each check sends raw frames on a connection of its own. Ends with 1 if one of them fails.
    """
    checks = SERVER_CHECKS
    _check_names(wanted, checks)
    if only_list:
        list_checks([check for check in checks if not wanted or check.name in wanted])
        return
    if server is None:
        raise click.UsageError("say which server: lmwire conformance HOST:PORT")
    address = parse_address(server)
    _check_reachable(address, timeout)
    peer = Server.at(address, api_token=api_token, model=model, timeout=timeout)
    results = list(run_all(checks, peer, wanted))
    if as_json:
        report_json({"server": str(address)}, results)
    else:
        report(f"{address} and the protocol", results)
    if any(result.outcome.is_bad for result in results):
        context.exit(1)


def _check_names(wanted: Sequence[str], checks: Sequence[Check[Any]]) -> None:
    known = [check.name for check in checks]
    for name in wanted:
        if name not in known:
            raise click.BadParameter(f"there is no check {name!r}; see --list", param_hint="--check")


def _check_reachable(address: Address, timeout: float) -> None:
    try:
        socket.create_connection((address.connect_host, address.port), timeout).close()
    except OSError as error:
        raise click.ClickException(f"nothing answers at {address}: {error}") from None
