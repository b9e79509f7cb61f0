"""``lmwire conformance``: holds a server, or a client, against the protocol."""

from __future__ import annotations

import shutil
import socket
from collections.abc import Sequence
from typing import Any, Final

import click

from lmwire_runtime.addresses import Address, parse_address
from lmwire_tools.conformance.checks import Check, Failed, NotApplicable, Result, run_all
from lmwire_tools.conformance.client_checks import CLIENT_CHECKS
from lmwire_tools.conformance.client_runs import Client, parts_of
from lmwire_tools.conformance.known import KNOWN, with_known
from lmwire_tools.conformance.raw import Server
from lmwire_tools.conformance.report import list_checks, list_checks_json, report, report_json
from lmwire_tools.conformance.server_checks import SERVER_CHECKS

__all__ = ["conformance"]

_SERVER_SECONDS: Final = 10.0
_CLIENT_SECONDS: Final = 30.0


@click.command()
@click.argument("server", required=False, metavar="[HOST:PORT]")
@click.option(
    "--client",
    "command",
    metavar="COMMAND",
    help="Check the client that this runs, instead of a server: {host} and {url} in it say where the server is.",
)
@click.option(
    "--known",
    type=click.Choice(list(KNOWN)),
    help="With --client: expect what this SDK is known to do otherwise.",
)
@click.option(
    "--jobs",
    type=click.IntRange(min=1),
    default=2,
    show_default=True,
    help="With --client: how many of it to run at the same time.",
)
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
    help="Seconds to wait for whatever has to come (10), or for the end of the client's command (30).",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead of a table.")
@click.pass_context
def conformance(
    context: click.Context,
    server: str | None,
    command: str | None,
    known: str | None,
    jobs: int,
    wanted: tuple[str, ...],
    only_list: bool,
    api_token: str | None,
    model: str | None,
    timeout: float | None,
    as_json: bool,
) -> None:
    """Hold a server, or a client, against the protocol.

    To the server at HOST:PORT each check sends raw frames on a connection of its own. A client's COMMAND is run once
    for each check, and has to complete one prompt at a server that misbehaves: print the text and end with 0, or say
    what went wrong and end with something else. Ends with 1 if a check fails.
    """
    checks: Sequence[Check[Any]] = SERVER_CHECKS if command is None else CLIENT_CHECKS
    _check_names(wanted, checks)
    if only_list:
        listed = [check for check in checks if not wanted or check.name in wanted]
        (list_checks_json if as_json else list_checks)(listed)
        return
    if (server is None) is (command is None):
        raise click.UsageError("say what to check: either lmwire conformance HOST:PORT, or --client COMMAND")
    if command is not None:
        name, results = command, _of_client(command, wanted, known, jobs, timeout or _CLIENT_SECONDS)
    else:
        assert server is not None
        name, results = _of_server(server, wanted, api_token, model, timeout or _SERVER_SECONDS)
    if as_json:
        report_json({"checked": name}, results)
    else:
        report(f"{name} and the protocol", results)
    if any(result.outcome.is_bad for result in results):
        context.exit(1)


def _of_server(
    text: str, wanted: Sequence[str], api_token: str | None, model: str | None, timeout: float
) -> tuple[str, list[Result]]:
    address = parse_address(text)
    _check_reachable(address, timeout)
    peer = Server.at(address, api_token=api_token, model=model, timeout=timeout)
    if model is not None:
        try:
            peer.need_a_model()  # or else most checks would be no more than not applicable
        except NotApplicable as error:
            raise click.BadParameter(str(error), param_hint="--model") from None
        except Failed as error:
            raise click.ClickException(f"{address} does not say which models are loaded: {error}") from None
    return str(address), list(run_all(SERVER_CHECKS, peer, wanted))


def _of_client(
    text: str, wanted: Sequence[str], known: str | None, jobs: int, timeout: float
) -> list[Result]:
    try:
        command = parts_of(text)
    except ValueError as error:
        raise click.BadParameter(f"{text}: {error}", param_hint="--client") from None
    if not command or shutil.which(command[0]) is None:
        raise click.BadParameter(f"there is no program {' '.join(command[:1])!r}", param_hint="--client")
    with Client(command, timeout=timeout) as client:
        results = list(run_all(CLIENT_CHECKS, client, wanted, jobs=jobs))
    return results if known is None else list(with_known(results, KNOWN[known]))


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
