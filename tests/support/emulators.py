"""Emulators for tests, and programs that talk to them in processes of their own."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from lmwire_emulator import EmulatorThread

__all__ = ["ROOT", "emulator", "run_program", "unused_port"]

ROOT: Final = Path(__file__).resolve().parent.parent.parent


@pytest.fixture
def emulator() -> Iterator[EmulatorThread]:
    """An emulator with one model loaded."""
    with EmulatorThread() as running:
        yield running


def run_program(
    arguments: list[str], api_host: str | None = None, *, check: bool = True, stdin: str | None = None
) -> subprocess.CompletedProcess[str]:
    """Run ``python ARGUMENTS...``; the environment names the server. Fails, showing its output, on a non-zero exit."""
    environment = {
        key: value for key, value in os.environ.items() if not key.startswith(("LM_", "LMSTUDIO_"))
    }
    environment["PYTHONIOENCODING"] = "utf-8"
    if api_host is not None:
        environment["LMSTUDIO_API_HOST"] = api_host
    done = subprocess.run(
        [sys.executable, "-W", "error", *arguments],
        env=environment,
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=60,
        input=stdin,
        check=False,
    )
    if check and done.returncode != 0:
        pytest.fail(f"exit code {done.returncode}\n--- stdout\n{done.stdout}\n--- stderr\n{done.stderr}")
    return done


@pytest.fixture
def unused_port() -> int:
    """A port of the loopback interface on which nothing listens."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])
