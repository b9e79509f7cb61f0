"""The conformance kit against clients: ours keeps to the protocol, official SDKs deviate where it is known."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import pytest
from click.testing import CliRunner

from lmwire_tools.cli import main
from lmwire_tools.conformance.checks import Outcome, Result, run_all
from lmwire_tools.conformance.client_checks import CLIENT_CHECKS
from lmwire_tools.conformance.client_runs import TEXT, Client
from lmwire_tools.conformance.known import KNOWN, with_known
from tests.interop.environments import NODE_SDKS, NodeProject
from tests.support.emulators import run_program

HERE = Path(__file__).parent
NAMES = [check.name for check in CLIENT_CHECKS]
PROGRAM = """
import sys, lmwire
try:
    with lmwire.Client(sys.argv[1]) as client:
        print(client.llm.model().complete("x").content)
except lmwire.LMWireError as error:
    sys.exit(str(error))
"""
LMWIRE = [sys.executable, "-c", PROGRAM, "{host}"]

# Who has to end may take long; who is known not to end, need not be waited for.
ENOUGH = 45.0
SOON = 3.0
# Some of what official SDKs do right; LMWIRE_EFFORT has all tried.
RIGHT = ["frames-fit"]

pytestmark = pytest.mark.timeout(180)


def outcomes(results: Sequence[Result], outcome: Outcome) -> dict[str, str]:
    return {result.name: result.reason for result in results if result.outcome is outcome}


def checked(command: Sequence[str], known: Mapping[str, str], cwd: Path | None = None) -> list[Result]:
    """Run an official SDK through what it is known to do wrong, and some of what it does right."""
    everything = float(os.environ.get("LMWIRE_EFFORT", "1")) > 1
    right = [name for name in NAMES if name not in known and (everything or name in RIGHT)]
    folder = None if cwd is None else str(cwd)
    with Client(command, timeout=ENOUGH, cwd=folder) as client:
        results = list(run_all(CLIENT_CHECKS, client, right, jobs=2))
    with Client(command, timeout=SOON, cwd=folder) as client:
        wrong = [check for check in CLIENT_CHECKS if check.name in known]
        for check in wrong:
            assert check.needs == ("completes",)
        independent = [type(check)(check.name, check.section, check.does, check.run) for check in wrong]
        results += run_all(independent, client, jobs=4)
    return list(with_known(results, known))


def test_lmwire_keeps_to_the_protocol() -> None:
    with Client(LMWIRE, timeout=ENOUGH) as client:
        results = list(run_all(CLIENT_CHECKS, client, jobs=2))

    assert outcomes(results, Outcome.FAIL) == {}
    assert set(outcomes(results, Outcome.PASS)) == set(NAMES)


def test_the_official_python_sdk_deviates_where_it_is_known(official_python: Path) -> None:
    command = [str(official_python), str(HERE / "conformance_client.py"), "{host}"]
    results = checked(command, KNOWN["python-1.5.0"])

    assert {result.name: result.reason for result in results if result.outcome.is_bad} == {}
    assert set(outcomes(results, Outcome.KNOWN)) == set(KNOWN["python-1.5.0"])
    assert {"completes", *RIGHT} <= set(outcomes(results, Outcome.PASS))


@pytest.mark.parametrize("version", NODE_SDKS)
def test_the_official_javascript_sdks_deviate_where_it_is_known(
    version: str, official_node: Callable[[str], NodeProject]
) -> None:
    project = official_node(version)
    command = [str(project.node.node), str(HERE / "conformance_client.cjs"), "{url}"]
    results = checked(command, KNOWN[f"js-{version}"], project.directory)

    assert {result.name: result.reason for result in results if result.outcome.is_bad} == {}
    assert set(outcomes(results, Outcome.KNOWN)) == set(KNOWN[f"js-{version}"])
    assert {"completes", *RIGHT} <= set(outcomes(results, Outcome.PASS))


# Clients that are all wrong.


def result_of(name: str, program: str, timeout: float = ENOUGH) -> Result:
    command = [sys.executable, "-c", program, "{host}"]
    (check,) = (check for check in CLIENT_CHECKS if check.name == name)
    with Client(command, timeout=timeout) as client:
        (result,) = run_all([type(check)(check.name, check.section, check.does, check.run)], client)
    return result


TALKING = f"""
import json, sys
from websockets.sync.client import connect
with connect("ws://" + sys.argv[1] + "/llm", proxy=None) as socket:
    socket.send(json.dumps(FIRST))
    SECOND
print({TEXT!r})
"""
PACKET = {"authVersion": 1, "clientIdentifier": "me", "clientPasskey": "x"}
CALL = {"type": "rpcCall", "endpoint": "listLoaded", "callId": 1}


def talking(first: object, *frames: object) -> str:
    """A client that says this, waiting for an answer each time, and pretends that all was well."""
    second = "; ".join(f"socket.recv(); socket.send(json.dumps({frame!r}))" for frame in frames) or "pass"
    return TALKING.replace("FIRST", repr(first)).replace("SECOND", f"{second}; socket.send('[]')")


HASTY = TALKING.replace("FIRST", repr(PACKET)).replace(
    "SECOND", f"socket.send(json.dumps({CALL!r})); socket.recv()"
)


@pytest.mark.parametrize(
    ("check", "program", "told"),
    [
        ("completes", "print('nothing')", "it printed 'nothing' instead of 'One two three.'"),
        ("completes", "raise SystemExit('no server')", "it ended with 1: no server"),
        ("channel-error", f"print({TEXT!r})", "it ended well, and printed 'One two three.'"),
        ("channel-error", "raise SystemExit('oops')", 'it did not say "the kit\'s own failure", but oops'),
        ("authentication", talking({**PACKET, "authVersion": 2}), 'on /llm it began with {"authVersion": 2'),
        ("ids", talking(PACKET, CALL, CALL), "an id is used twice"),
        ("ids", talking(PACKET, {**CALL, "callId": 1.5}), "an id is no integer"),
        ("frames-fit", talking(PACKET, {**CALL, "parameter": None}, CALL), "no key at all"),
        ("frames-fit", talking(PACKET, {**CALL, "endpoint": "nonesuch"}, CALL), "nonesuch"),
        ("waits-to-be-accepted", HASTY, "it did not wait to be accepted"),
    ],
)
def test_what_is_wrong_is_told(check: str, program: str, told: str) -> None:
    result = result_of(check, program)

    assert result.outcome is Outcome.FAIL
    assert told in result.reason


def test_who_does_not_end_is_told() -> None:
    result = result_of("completes", "import time; time.sleep(60)", 0.5)

    assert (result.outcome, result.reason) == (Outcome.FAIL, "it did not end within 0.5 s")


def test_known_deviations_that_are_gone_are_noticed() -> None:
    passed = Result("warning", "11", "does", Outcome.PASS)
    failed = Result("refused", "2", "does", Outcome.FAIL, "said nothing")
    known = {"warning": "was so", "refused": "a slip"}

    assert [(one.outcome, one.reason) for one in with_known([passed, failed], known)] == [
        (Outcome.UNEXPECTED, "was known to fail: was so"),
        (Outcome.KNOWN, "a slip: said nothing"),
    ]
    assert list(with_known([passed, failed], {})) == [passed, failed]


@pytest.mark.parametrize("client", KNOWN)
def test_known_deviations_are_of_checks_that_there_are(client: str) -> None:
    assert set(KNOWN[client]) <= set(NAMES)


# The command.


def test_the_command_checks_a_client() -> None:
    command = f'"{Path(sys.executable).as_posix()}" -m lmwire_tools complete x --api-host {{host}}'
    done = run_program(
        ["-m", "lmwire_tools", "conformance", "--client", command, "--check", "extra-keys"], check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "unknown keys of frames and packets are ignored" in done.stdout
    assert "2 pass" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--client", "there-is-no-such-program {host}"], "there is no program 'there-is-no-such-program'"),
        (["--client", "", "127.0.0.1:9"], "say what to check"),
        (["--client", "python", "--check", "void-null"], "there is no check 'void-null'"),
    ],
)
def test_wrong_usage_is_said_in_a_line(arguments: list[str], told: str) -> None:
    done = CliRunner().invoke(main, ["conformance", *arguments])

    assert done.exit_code == 2
    assert told in done.output
