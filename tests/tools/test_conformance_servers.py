"""The conformance kit against servers: our emulator keeps to the protocol, and each fault is noticed by one check."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Sequence

import attrs
import pytest
from click.testing import CliRunner

from lmwire_emulator import EmulatorThread, Generation
from lmwire_runtime.addresses import parse_address
from lmwire_tools.cli import main
from lmwire_tools.conformance.checks import Check, Outcome, Result, judged, run_all
from lmwire_tools.conformance.raw import Server
from lmwire_tools.conformance.relay import Line, Message, Relay, Twist
from lmwire_tools.conformance.server_checks import SERVER_CHECKS
from tests.support.emulators import run_program
from tests.tools.faulty_servers import FAULTS
from tests.tools.faulty_twists import Fault

TOKEN = "sk-lm-AbCd1234:0123456789abcdefghij"
TABLE = {check.name: check for check in SERVER_CHECKS}

# Where all must be well nothing may fail for slowness; where something has to fail, it may fail soon.
ENOUGH = 30.0
SOON = 0.2

# What is too new for a server of 2025.
NEWER = {"status-page", "superjson", "superjson-absent"}


@pytest.fixture(scope="module")
def good() -> Iterator[EmulatorThread]:
    with EmulatorThread() as emulator:
        yield emulator


def server(api_host: str, timeout: float = ENOUGH, api_token: str | None = None) -> Server:
    return Server.at(parse_address(api_host), timeout=timeout, api_token=api_token)


def outcomes(results: Sequence[Result], outcome: Outcome) -> dict[str, str]:
    return {result.name: result.reason for result in results if result.outcome is outcome}


@pytest.mark.parametrize(("generation", "newer"), [("2026", set()), ("2025", NEWER), ("2025-07", NEWER)])
def test_the_emulator_keeps_to_the_protocol(generation: Generation, newer: set[str]) -> None:
    with EmulatorThread(generation=generation) as emulator:
        results = list(run_all(SERVER_CHECKS, server(emulator.api_host)))

    assert outcomes(results, Outcome.FAIL) == {}
    assert set(outcomes(results, Outcome.NOT_APPLICABLE)) == {"refused-token", *newer}


def test_a_server_that_wants_a_token_keeps_to_it() -> None:
    with EmulatorThread(api_tokens=[TOKEN]) as emulator:
        results = list(run_all(SERVER_CHECKS, server(emulator.api_host, api_token=TOKEN)))

    assert outcomes(results, Outcome.FAIL) == {}
    assert set(outcomes(results, Outcome.NOT_APPLICABLE)) == {"passkey-mismatch"}


class Gullible(Twist):
    """Lets everybody in."""

    async def from_server(self, line: Line, message: Message) -> None:
        refused = json.loads(message).get("success") is False
        await line.to_client({"success": True} if refused else message)


def test_who_lets_everybody_in_is_noticed() -> None:
    with EmulatorThread(api_tokens=[TOKEN]) as emulator, Relay(emulator.api_host, Gullible()) as relay:
        peer = server(relay.api_host, api_token=TOKEN)
        results = list(run_all(SERVER_CHECKS, peer, ["refused-token"]))

    (reason,) = outcomes(results, Outcome.FAIL).values()
    assert '{"success": true}' in reason


def test_without_a_model_there_is_nothing_to_complete() -> None:
    with EmulatorThread(loaded=()) as emulator:
        results = list(run_all(SERVER_CHECKS, server(emulator.api_host), ["late-frames", "void-result"]))

    assert outcomes(results, Outcome.FAIL) == {}
    reasons = outcomes(results, Outcome.NOT_APPLICABLE)
    assert "no model is loaded" in reasons["completion"]
    assert reasons["late-frames"] == "needs completion, which did not pass"


def test_every_check_can_fail() -> None:
    assert {fault.check for fault in FAULTS} | {"refused-token"} == set(TABLE)


def independent_of(fault: Fault) -> list[Check[Server]]:
    """The checks that a fault has nothing to do with."""
    broken = {fault.check, *fault.also}
    for check in SERVER_CHECKS:  # needs come first
        if broken & {*check.needs}:
            broken.add(check.name)
    return [check for check in SERVER_CHECKS if check.name not in broken]


def sample(checks: Sequence[Check[Server]], place: int) -> list[str]:
    """Some of the checks, others for each fault; all of them where LMWIRE_EFFORT asks for more than usual."""
    count = len(checks) if float(os.environ.get("LMWIRE_EFFORT", "1")) > 1 else 1
    names = [check.name for check in checks]
    return [names[(place * count + step) % len(names)] for step in range(min(count, len(names)))]


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.check)
def test_a_fault_is_noticed_by_its_check_alone(fault: Fault, good: EmulatorThread) -> None:
    others = independent_of(fault)
    wanted = sample(others, FAULTS.index(fault)) if others else []
    with Relay(good.api_host, fault.twist()) as relay:
        results = list(run_all(others, server(relay.api_host), wanted)) if others else []
        for name in (fault.check, *fault.also):
            assert judged(TABLE[name], server(relay.api_host, SOON)).outcome is Outcome.FAIL

    assert outcomes(results, Outcome.FAIL) == {}
    assert set(wanted) <= {result.name for result in results}


# The command.


def conformance(*arguments: str, check: bool = True) -> tuple[int, str, str]:
    done = run_program(["-m", "lmwire_tools", "conformance", *arguments], check=check)
    return done.returncode, done.stdout, done.stderr


def test_the_command_prints_a_table(good: EmulatorThread) -> None:
    _, printed, _ = conformance(good.api_host, "--check", "void-null", "--check", "refused-token")

    assert "void-null" in printed
    assert "null as a void parameter is refused with a warning" in printed
    assert "3 pass, 1 not applicable" in printed
    assert "unknown-endpoint" not in printed


def test_the_command_fails_where_a_check_does(good: EmulatorThread) -> None:
    fault = next(fault for fault in FAULTS if fault.check == "void-null")
    with Relay(good.api_host, fault.twist()) as relay:
        code, printed, error = conformance(relay.api_host, "--json", "--check", "void-null", check=False)

    told = json.loads(printed)
    assert (code, error) == (1, "")
    assert told["checked"] == relay.api_host
    assert told["summary"] == {"pass": 2, "fail": 1}
    assert told["checks"][-1]["check"] == "void-null"
    assert told["checks"][-1]["section"] == "13"
    assert "rpcResult" in told["checks"][-1]["reason"]


def test_the_command_lists_its_checks() -> None:
    printed = CliRunner().invoke(main, ["conformance", "--list"]).output

    for check in SERVER_CHECKS:
        assert check.name in printed


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ([], "say what to check"),
        (["127.0.0.1:9", "--check", "nonesuch"], "there is no check 'nonesuch'"),
        (["127.0.0.1:9:9"], "127.0.0.1:9:9"),
    ],
)
def test_wrong_usage_is_said_in_a_line(arguments: list[str], told: str) -> None:
    done = CliRunner().invoke(main, ["conformance", *arguments])

    assert done.exit_code in (1, 2)
    assert told in done.output
    assert done.output.startswith(("Error: ", "Usage: "))


def test_an_address_where_nothing_is_is_said_in_a_line(unused_port: int) -> None:
    done = CliRunner().invoke(main, ["conformance", f"127.0.0.1:{unused_port}"])

    assert done.exit_code == 1
    assert done.output.startswith(f"Error: nothing answers at 127.0.0.1:{unused_port}: ")


def test_results_are_plain_data() -> None:
    result = Result("a", "1", "does", Outcome.KNOWN, "why")

    assert attrs.evolve(result, reason="").to_json()["outcome"] == "known deviation"
    assert not Outcome.KNOWN.is_bad
    assert Outcome.UNEXPECTED.is_bad


def test_the_command_lists_its_checks_as_json() -> None:
    listed = json.loads(CliRunner().invoke(main, ["conformance", "--list", "--json"]).stdout)

    assert [one["check"] for one in listed] == [check.name for check in SERVER_CHECKS]


def test_a_model_that_is_not_loaded_is_wrong_usage() -> None:
    with EmulatorThread() as emulator:
        done = CliRunner().invoke(main, ["conformance", emulator.api_host, "--model", "nosuch"])

    assert done.exit_code == 2
    assert "nosuch is not loaded" in done.output
