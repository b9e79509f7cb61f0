"""Which servers there are, as programs ask for it: by ``lmwire`` and ``lmstudio``, for threads and for asyncio."""

from __future__ import annotations

import asyncio
import inspect
import socket
from collections.abc import Callable
from contextlib import ExitStack
from types import ModuleType
from typing import Any

import pytest

import lmstudio
import lmwire
from lmwire_emulator import EmulatorThread
from lmwire_runtime import discovery
from lmwire_runtime.addresses import Address

LIBRARIES = (lmwire, lmstudio)
Ask = Callable[..., Any]


def _askers(name: str) -> dict[str, Ask]:
    """The ways to ask: functions of modules, methods of classes, the same for asyncio."""
    found: dict[str, Ask] = {}
    for library in LIBRARIES:
        found[library.__name__] = getattr(library, name)
        for kind in ("Client", "AsyncClient"):
            found[f"{library.__name__}.{kind}"] = getattr(getattr(library, kind), name)
    return found


def ask(function: Ask, *arguments: Any) -> Any:
    answer = function(*arguments)
    return asyncio.run(_awaited(answer)) if inspect.isawaitable(answer) else answer


async def _awaited(answer: Any) -> Any:
    return await answer


VALID = _askers("is_valid_api_host")
FIND = _askers("find_default_local_api_host")


@pytest.mark.parametrize("function", VALID.values(), ids=VALID)
def test_a_server_is_told_from_what_is_none(
    emulator: EmulatorThread, unused_port: int, function: Ask
) -> None:
    host, port = emulator.api_host.split(":")

    assert ask(function, emulator.api_host) is True
    assert ask(function, f"http://{host}:{port}/") is True
    assert ask(function, f"localhost:{port}") is True
    assert ask(function, f"{host}:{unused_port}") is False
    assert ask(function, f"https://{host}:{port}") is False
    assert ask(function, f"http://{host}:{port}/elsewhere") is False


@pytest.mark.parametrize("function", VALID.values(), ids=VALID)
@pytest.mark.parametrize("text", ["", "http://", "a b", "localhost:1234:5", "http://127.0.0.1:1234/v1"])
def test_what_is_no_address_is_no_valid_one(function: Ask, text: str) -> None:
    assert ask(function, text) is False


@pytest.mark.parametrize("function", FIND.values(), ids=FIND)
def test_the_local_server_is_found(function: Ask) -> None:
    with ExitStack() as stack:
        for port in discovery.APPLICATION_PORTS:
            try:
                stack.enter_context(EmulatorThread(port=port))
            except OSError:
                continue  # something else has it, perhaps LM Studio
            break
        found = ask(function)

        assert found in {str(address) for address in discovery.LOCAL_ADDRESSES}
        assert lmwire.is_valid_api_host(found)


@pytest.mark.parametrize("function", FIND.values(), ids=FIND)
def test_no_local_server(function: Ask, unused_port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    nobody = (Address("ws", "127.0.0.1", unused_port),)
    monkeypatch.setattr(discovery, "LOCAL_ADDRESSES", nobody)

    assert ask(function) is None


FORMS = (
    "{host}",
    " {host} ",
    "localhost:{port}",
    "LOCALHOST:{port}",
    "ws://{host}",
    "http://{host}",
    "http://{host}/",
    "HTTP://{host}",
    "0.0.0.0:{port}",
    "[::ffff:127.0.0.1]:{port}",
)


@pytest.mark.parametrize("library", LIBRARIES, ids=lambda library: library.__name__)
@pytest.mark.parametrize("form", FORMS)
def test_every_form_of_an_address_works(library: ModuleType, form: str, emulator: EmulatorThread) -> None:
    host = emulator.api_host
    with library.Client(form.format(host=host, port=host.rpartition(":")[2])) as client:
        assert str(client.llm.model().complete("My name is", config={"maxTokens": 2}))
        assert client.api_host


def test_ipv6(unused_port: int) -> None:
    try:
        with socket.socket(socket.AF_INET6) as probe:
            probe.bind(("::1", unused_port))
    except OSError:
        pytest.skip("this machine has no IPv6 loopback")
    with EmulatorThread(host="::1", port=unused_port), lmstudio.Client(f"[::1]:{unused_port}") as client:
        assert client.llm.model().identifier


@pytest.mark.parametrize("variable", ["LMSTUDIO_API_HOST", "LM_API_HOST"])
@pytest.mark.parametrize("library", LIBRARIES, ids=lambda library: library.__name__)
def test_both_spellings_of_the_environment(
    library: ModuleType, variable: str, emulator: EmulatorThread, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(variable, emulator.api_host)
    with library.Client() as client:
        assert client.llm.model().identifier


@pytest.mark.parametrize("variable", ["LMSTUDIO_API_HOST", "LM_API_HOST"])
def test_a_wrong_environment_is_named(
    variable: str, unused_port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(variable, f"127.0.0.1:{unused_port}")
    with pytest.raises(lmwire.ServerNotFoundError, match=f"environment variable {variable}"):
        lmwire.Client().llm.model()
    with pytest.raises(lmstudio.LMStudioClientError, match=f"environment variable {variable}"):
        lmstudio.Client().__enter__()


async def test_entering_the_drop_in_s_client_looks_for_the_server(unused_port: int) -> None:
    """As the official clients do, so that programs catch it there."""
    nowhere = f"127.0.0.1:{unused_port}"
    with pytest.raises(lmstudio.LMStudioClientError, match="connection refused"):
        lmstudio.Client(nowhere).__enter__()
    with pytest.raises(lmstudio.LMStudioClientError, match="connection refused"):
        await lmstudio.AsyncClient(nowhere).__aenter__()


def test_the_address_of_a_client_is_known_once_it_is_found(
    emulator: EmulatorThread, monkeypatch: pytest.MonkeyPatch
) -> None:
    for variable in ("LMSTUDIO_API_HOST", "LM_API_HOST"):
        monkeypatch.delenv(variable, raising=False)

    assert lmwire.Client().api_host is None
    assert lmwire.Client(f"http://{emulator.api_host}").api_host == emulator.api_host
    assert lmstudio.Client(emulator.api_host).api_host == emulator.api_host
    with pytest.raises(lmstudio.LMStudioRuntimeError, match="has not been looked for"):
        _ = lmstudio.Client().api_host


def test_a_busy_server_may_take_longer_than_a_search() -> None:
    """A server that is named is waited for as a connection is; only a search has to be quick."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        host = f"127.0.0.1:{listener.getsockname()[1]}"
        for seconds in (0.05, 0.1):
            client = lmwire.Client(host, timeouts=lmwire.Timeouts(connect=seconds))
            with pytest.raises(lmwire.ServerNotFoundError, match=f"no reply within {seconds:g} s"):
                client.check_server()
