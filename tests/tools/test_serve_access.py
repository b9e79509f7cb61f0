"""Who may use ``lmwire serve`` and ``EmulatorThread``: this machine, or holders of tokens."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from lmwire_emulator import EmulatorThread
from lmwire_runtime.access import AccessRule
from lmwire_runtime.errors import UsageError
from lmwire_tools.cli import main
from lmwire_tools.raw_server import RawServer
from lmwire_tools.replay_server import ReplayServer
from lmwire_tools.serve import serve
from tests.runtime.raw_clients import RawClient

TOKEN = "sk-lm-AbCd1234:0123456789abcdefghij"


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1"])
def test_serve_beyond_this_machine_wants_a_token(host: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("LMWIRE_SERVE_TOKEN", raising=False)
    done = CliRunner().invoke(serve, ["--host", host, "--port", "0"])
    assert done.exit_code == 2
    assert "--token-file FILE" in done.output


def test_a_token_file_without_tokens_does_not_open_the_server(tmp_path: Path) -> None:
    file = tmp_path / "tokens"
    file.write_text("# none\n", encoding="utf-8")
    done = CliRunner().invoke(serve, ["--host", "0.0.0.0", "--port", "0", "--token-file", str(file)])
    assert isinstance(done.exception, UsageError)


@pytest.mark.parametrize(
    "arguments", [["serve"], ["proxy", "--listen", "0", "--to", "127.0.0.1:9"], ["replay", __file__]]
)
def test_what_is_no_origin_is_not_let_in(arguments: list[str]) -> None:
    done = CliRunner().invoke(main, [*arguments, "--allow-origin", "example.org"])
    assert done.exit_code == 2
    assert "'example.org' is no origin that can be let in" in done.output


@pytest.mark.parametrize(("origin", "status"), [("https://example.org", 101), ("https://example.com", 403)])
def test_pages_that_were_let_in_reach_a_replay(origin: str, status: int) -> None:
    access = AccessRule(origins=["https://example.org"])
    with ReplayServer([], access=access) as server:
        port = int(server.api_host.rpartition(":")[2])
        with RawClient(port, "/llm", headers={"Origin": origin}) as client:
            assert client.shake_hands() == status


@pytest.mark.parametrize("make", [EmulatorThread, RawServer])
def test_servers_in_programs_want_one_too(make: Any) -> None:
    with pytest.raises(UsageError, match="other machines"), make(host="0.0.0.0"):
        pass


def test_with_a_token_an_emulator_listens_anywhere() -> None:
    with EmulatorThread(host="0.0.0.0", api_tokens=[TOKEN]) as emulator:
        assert emulator.api_host.startswith("0.0.0.0:")
