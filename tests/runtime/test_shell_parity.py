"""Whoever knows one shell knows the other: same names, same parameters, same types."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable
from typing import Any

import pytest

from lmwire_runtime.async_link import AsyncLink
from lmwire_runtime.async_shell import AsyncChannel, AsyncClient, AsyncConnection, AsyncNamespace
from lmwire_runtime.async_signals import (
    AsyncSignal,
    AsyncSignalUpdates,
    AsyncSignalValues,
    AsyncWritableSignal,
)
from lmwire_runtime.sync_link import SyncLink
from lmwire_runtime.sync_shell import SyncChannel, SyncClient, SyncConnection, SyncNamespace
from lmwire_runtime.sync_signals import SyncSignal, SyncSignalUpdates, SyncSignalValues, SyncWritableSignal

PAIRS: list[tuple[type, type]] = [
    (SyncConnection, AsyncConnection),
    (SyncChannel, AsyncChannel),
    (SyncNamespace, AsyncNamespace),
    (SyncClient, AsyncClient),
    (SyncLink, AsyncLink),
    (SyncSignal, AsyncSignal),
    (SyncWritableSignal, AsyncWritableSignal),
    (SyncSignalUpdates, AsyncSignalUpdates),
    (SyncSignalValues, AsyncSignalValues),
]

# What only one of the two has, and why.
ONLY: dict[type, dict[str, str]] = {
    SyncConnection: {
        "tick": "housekeeping, which an event loop does by itself",
        "begin": "retries where another thread has noticed a loss; no task can come between",
    },
    SyncClient: {
        "tick": "housekeeping",
        "start_housekeeping": "housekeeping",
    },
    SyncLink: {
        "__init__": "made by connect",
        "tick": "housekeeping",
    },
    AsyncClient: {"aclose": "the name that contextlib.aclosing calls"},
    AsyncLink: {
        "in_its_loop": "a thread may use any link",
        "__init__": "made by connect",
        "loop": "an attribute",
        "connection_made": "asyncio.BufferedProtocol",
        "connection_lost": "asyncio.BufferedProtocol",
        "get_buffer": "asyncio.BufferedProtocol",
        "buffer_updated": "asyncio.BufferedProtocol",
        "eof_received": "asyncio.BufferedProtocol",
        "pause_writing": "asyncio.BufferedProtocol",
        "resume_writing": "asyncio.BufferedProtocol",
    },
}
SPECIAL = {
    "__enter__": "__aenter__",
    "__exit__": "__aexit__",
    "__iter__": "__aiter__",
    "__next__": "__anext__",
    "__init__": "__init__",
}


def public(kind: type) -> dict[str, Any]:
    """Public members of the class itself, special methods under the sync name."""
    names = {member: name for name, member in SPECIAL.items()} | {name: name for name in SPECIAL}
    return {
        names.get(name, name): member
        for name, member in vars(kind).items()
        if not name.startswith("_") or name in names
    }


def shape(function: Callable[..., Any]) -> list[tuple[str, Any, Any, str]]:
    return [
        (
            parameter.name,
            parameter.kind,
            parameter.default,
            str(parameter.annotation).replace("Async", "Sync"),
        )
        for parameter in inspect.signature(function).parameters.values()
    ]


def returned(function: Callable[..., Any]) -> str:
    annotation = str(inspect.signature(function).return_annotation)
    annotation = re.sub(r"^Coroutine\[Any, Any, (.*)\]$", r"\1", annotation)  # what is awaited comes to
    for asynchronous, synchronous in (("AsyncIterator", "Iterator"), ("Async", "Sync")):
        annotation = annotation.replace(asynchronous, synchronous)
    return annotation


@pytest.mark.parametrize(("sync", "asynchronous"), PAIRS, ids=lambda kind: kind.__name__)
class TestParity:
    def test_names(self, sync: type, asynchronous: type) -> None:
        left = set(public(sync)) - set(ONLY.get(sync, {}))
        right = set(public(asynchronous)) - set(ONLY.get(asynchronous, {}))
        assert left == right

    def test_exceptions_exist(self, sync: type, asynchronous: type) -> None:
        for kind in (sync, asynchronous):
            names = {name for name, why in ONLY.get(kind, {}).items() if why != "an attribute"}
            assert names <= set(public(kind))

    def test_signatures(self, sync: type, asynchronous: type) -> None:
        theirs = public(asynchronous)
        for name, member in public(sync).items():
            if name in ONLY.get(sync, {}) or isinstance(member, (property, classmethod)):
                continue
            assert shape(member) == shape(theirs[name]), name
            assert returned(member) == returned(theirs[name]), name

    def test_properties(self, sync: type, asynchronous: type) -> None:
        theirs = public(asynchronous)
        for name, member in public(sync).items():
            assert isinstance(member, property) == isinstance(theirs.get(name, member), property), name

    def test_documentation(self, sync: type, asynchronous: type) -> None:
        for kind in (sync, asynchronous):
            assert inspect.getdoc(kind)
            protocol = {name for name, why in ONLY.get(kind, {}).items() if why.startswith("asyncio")}
            for name, member in public(kind).items():
                if name not in SPECIAL and name not in protocol:
                    assert inspect.getdoc(member), f"{kind.__name__}.{name}"
