"""Pointing programs at the server of a test: environment variables, and default clients that outlive a test."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import pytest

from lmwire_runtime.addresses import HOST_VARIABLES

__all__ = ["pointing_at", "variables"]


def variables(host: str) -> Mapping[str, str]:
    """The environment variables that name a server, in all spellings."""
    return dict.fromkeys(HOST_VARIABLES, host)


@contextmanager
def pointing_at(host: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Name the server in this process's environment; afterwards have SDKs forget their default clients."""
    _forget_default_clients()
    for name, value in variables(host).items():
        monkeypatch.setenv(name, value)
    try:
        yield
    finally:
        _forget_default_clients()


def _forget_default_clients() -> None:
    """Close the default client of ``import lmstudio``, if the test made one: its server is gone, or will be."""
    official = sys.modules.get("lmstudio.sync_api")
    if official is not None and hasattr(official, "_reset_default_client"):
        official._reset_default_client()
    ours: Any = sys.modules.get("lmstudio._default")
    if ours is not None:
        client = ours._default_client
        ours._default_client, ours._arguments = None, (None, None)
        if client is not None:
            client.close()
