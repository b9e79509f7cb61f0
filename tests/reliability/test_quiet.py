"""What lmwire says of itself: nothing below WARNING, one line for each kind of oddity, no token, no passkey."""

from __future__ import annotations

import copy
import pickle
import textwrap
import traceback
from typing import Any

import pytest

from lmwire import AsyncClient, Client
from lmwire.envelope import AuthenticationPacket
from lmwire.plugins import RegisterDevelopmentPluginReady
from lmwire_emulator import EmulatorThread
from lmwire_runtime.errors import AuthenticationError, LMWireError, RefusedRequestError, UsageError
from lmwire_runtime.wire import LENIENT, STRICT, DecodeError
from tests.runtime.arithmetic import COUNT, DOUBLE, LoopThread
from tests.runtime.scripted_peers import ScriptedConnection, ScriptedPeers
from tests.runtime.shells import KINDS, shells_of
from tests.support.emulators import run_program

IDENTIFIER, SECRET = "abcdefgh", "0123456789abcdefghij"
TOKEN = f"sk-lm-{IDENTIFIER}:{SECRET}"

PROGRAM = """
import asyncio
import lmwire

def use(client):
    model = client.llm.model()
    for _ in range(3):
        model.complete("My name is", config={"maxTokens": 3})
        model.get_info()
        client.llm.list_loaded()

async def use_async():
    async with lmwire.AsyncClient() as client:
        model = await client.llm.model()
        for _ in range(3):
            await model.complete("My name is", config={"maxTokens": 3})
            await model.get_info()

with lmwire.Client() as client:
    use(client)
if BOTH:
    asyncio.run(use_async())
"""


def _stderr_of(emulator: EmulatorThread, *, both: bool, logging: str = "") -> str:
    program = f"BOTH = {both}\n{textwrap.dedent(logging)}\n{PROGRAM}"
    return run_program(["-c", program], emulator.api_host).stderr


def test_nothing_is_said_of_what_is_in_order() -> None:
    with EmulatorThread() as emulator:
        assert _stderr_of(emulator, both=True) == ""


def test_an_older_server_costs_one_line_for_each_type() -> None:
    """However often it leaves its fields out, and however many."""
    with EmulatorThread(generation="2025") as emulator:
        lines = _stderr_of(emulator, both=False).splitlines()
    assert [line.split(":")[0] for line in lines] == ["LlmInstanceInfo", "PredictPromptProcessingProgress"]
    assert "the fields 'publisher', 'indexedModelIdentifier', 'deviceIdentifier'" in lines[0]


def test_a_program_that_logs_everything_finds_no_secret() -> None:
    logging = """
        import logging, os
        logging.basicConfig(level=logging.DEBUG)
        os.environ["LMSTUDIO_API_TOKEN"] = "sk-lm-abcdefgh:0123456789abcdefghij"
    """
    with EmulatorThread(api_tokens=[TOKEN]) as emulator:
        lines = _stderr_of(emulator, both=True, logging=logging)
    assert SECRET not in lines
    assert {line.split(":")[1] for line in lines.splitlines()} <= {"asyncio"}


SECRETIVE: list[Any] = [
    AuthenticationPacket(client_identifier=IDENTIFIER, client_passkey=SECRET),
    RegisterDevelopmentPluginReady(client_identifier=IDENTIFIER, client_passkey=SECRET),
]


@pytest.mark.parametrize("message", SECRETIVE)
def test_messages_do_not_show_it(message: Any) -> None:
    for text in (repr(message), str(message), f"{message}", repr([message])):
        assert SECRET not in text
        assert IDENTIFIER in text
        assert "client_passkey=<redacted>" in text
    assert message.client_passkey == SECRET
    assert message.to_wire()["clientPasskey"] == SECRET
    for other in (
        copy.deepcopy(message),
        pickle.loads(pickle.dumps(message)),
        type(message).from_wire(message.to_wire()),
    ):
        assert other == message
        assert other.client_passkey == SECRET


@pytest.mark.parametrize("decoding", [LENIENT, STRICT], ids=["lenient", "strict"])
@pytest.mark.parametrize("value", [12345678901234567890, [SECRET], {"a": SECRET}, True])
def test_errors_of_decoding_do_not_show_it(value: Any, decoding: Any) -> None:
    with pytest.raises(DecodeError, match=r"at /clientPasskey: expected a string, found an? \w+$") as caught:
        AuthenticationPacket.from_wire(
            {"authVersion": 1, "clientIdentifier": IDENTIFIER, "clientPasskey": value}, decoding
        )
    assert "1234567890" not in str(caught.value) + repr(caught.value)


def test_a_secret_that_is_too_long_is_not_shown() -> None:
    with pytest.raises(DecodeError, match=r"at most 256 characters, found a string$"):
        AuthenticationPacket.from_wire(
            {"authVersion": 1, "clientIdentifier": IDENTIFIER, "clientPasskey": SECRET * 20}, STRICT
        )


def _use(kind: str, host: str, tap: Any) -> str:
    """Connect with the token; returns all that the client says of itself, its error included."""
    if kind == "sync":
        client: Any = Client(host, api_token=TOKEN, on_frame=tap)
        told = [repr(client), repr(vars(client)), repr(vars(client.core)), repr(client.core.settings)]
        try:
            client.llm.list_loaded()
        except LMWireError:
            told.append(traceback.format_exc())
        client.close()
        return "\n".join(told)
    return _use_async(host, tap)


def _use_async(host: str, tap: Any) -> str:
    loop = LoopThread()

    async def use() -> str:
        async with AsyncClient(host, api_token=TOKEN, on_frame=tap) as client:
            told = [repr(client), repr(vars(client)), repr(vars(client.core)), repr(client.core.settings)]
            try:
                await client.llm.list_loaded()
            except LMWireError:
                told.append(traceback.format_exc())
            return "\n".join(told)

    try:
        return loop.run(use())
    finally:
        loop.stop()


@pytest.mark.parametrize("token", [TOKEN, "sk-lm-zzzzzzzz:zzzzzzzzzzzzzzzzzzzz"], ids=["accepted", "refused"])
@pytest.mark.parametrize("kind", KINDS)
def test_taps_and_clients_do_not_show_it(kind: str, token: str) -> None:
    """Neither the client's tap nor the server's, whether the server accepts it or not."""
    frames: list[bytes] = []

    def tap(direction: str, namespace: str, text: bytes) -> None:
        frames.append(text)

    with EmulatorThread(api_tokens=[token], on_frame=tap) as emulator:
        told = _use(kind, emulator.api_host, tap)
    assert SECRET not in told
    assert (AuthenticationError.__name__ in told) == (token != TOKEN)
    assert not any(SECRET.encode() in frame for frame in frames)
    packets = [frame for frame in frames if b"authVersion" in frame]
    assert len(packets) == 2
    assert all(IDENTIFIER.encode() in packet and b'"<redacted>"' in packet for packet in packets)


@pytest.mark.parametrize("kind", KINDS)
def test_a_server_that_quotes_it_is_not_repeated(kind: str, caplog: pytest.LogCaptureFixture) -> None:
    """In a refusal of the credentials, in a warning of nothing in particular, in the refusal of a request."""

    def refuses(connection: ScriptedConnection) -> None:
        connection.authenticate({"success": False, "error": f"no client has the passkey {SECRET}"})
        connection.until_gone()

    def warns(connection: ScriptedConnection) -> None:
        connection.authenticate()
        connection.receive()
        connection.send({"type": "communicationWarning", "warning": f"I am told that {SECRET}"})
        connection.send(
            {
                "type": "communicationWarning",
                "warning": f"Received invalid creationParameter for channel, endpointName = count, {SECRET}",
            }
        )
        connection.until_gone()

    with ScriptedPeers() as peers, shells_of(kind) as shells:
        shell = shells.make(peers.serve(refuses, warns).host, api_token=TOKEN)
        with pytest.raises(AuthenticationError, match="<redacted>") as refused:
            shell.call(DOUBLE, 1)
        with (
            pytest.raises(RefusedRequestError, match="<redacted>") as warned,
            shell.open(COUNT, {}) as stream,
        ):
            stream.receive()
        shell.close()
    told = "".join(
        "".join(traceback.format_exception(error.type, error.value, error.tb)) for error in (refused, warned)
    )
    assert SECRET not in told + repr(refused.value) + repr(warned.value)
    assert len(caplog.records) == 1
    assert "I am told that <redacted>" in caplog.text
    assert SECRET not in caplog.text


@pytest.mark.parametrize("token", [f"{TOKEN}x", f"sk-lm-{SECRET}", f"{IDENTIFIER}:{SECRET}"])
def test_a_malformed_token_is_not_repeated(token: str) -> None:
    with pytest.raises(UsageError, match="malformed") as caught:
        Client("127.0.0.1:1", api_token=token)
    assert SECRET not in str(caught.value) + repr(caught.value)
