"""A key that several models have: the server takes the first, and the user is told."""

from __future__ import annotations

from typing import Any

import pytest

from lmwire_emulator import EmulatorThread
from tests.surface.shells import Shell


def load(shell: Shell, client: Any, key: str) -> Any:
    return shell.call(client.llm.load_new_instance, key)


def test_the_matches_are_named_in_one_warning(shell: Shell, caplog: pytest.LogCaptureFixture) -> None:
    with EmulatorThread() as emulator:
        client = shell.client(emulator.api_host)
        for _ in range(2):
            load(shell, client, "emulator/ngram-small-GGUF")
        shell.call(client.close)

    (line,) = [record.getMessage() for record in caplog.records]
    assert "emulator/ngram-small, emulator/ngram-small@q4_k_m" in line
    assert "Name one of them" in line


def test_a_key_of_one_model_is_no_reason_for_a_warning(
    shell: Shell, caplog: pytest.LogCaptureFixture
) -> None:
    with EmulatorThread() as emulator:
        client = shell.client(emulator.api_host)
        load(shell, client, "emulator/ngram-vision")
        shell.call(client.close)

    assert caplog.records == []
