"""Who may reach a server: where it listens without a token, which web pages and names it takes, and its limits."""

from __future__ import annotations

import contextlib
import http.client
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from lmwire_runtime.access import AccessRule, is_local_host, is_local_origin, is_loopback, tokens_of_file
from lmwire_runtime.errors import UsageError
from lmwire_runtime.limits import Limits
from lmwire_runtime.server import Namespace, Server
from tests.runtime.arithmetic import ARITHMETIC, ENOUGH, ArithmeticHandlers, RunningServer, serve_arithmetic
from tests.runtime.raw_clients import RawClient

CALL = {"type": "rpcCall", "endpoint": "double", "callId": 1, "parameter": 21}
ANSWER = {"type": "rpcResult", "callId": 1, "result": 42}


@contextlib.contextmanager
def running(**options: Any) -> Iterator[RunningServer]:
    server = serve_arithmetic(ArithmeticHandlers(), **options)
    try:
        yield server
    finally:
        server.close()


def status(port: int, headers: dict[str, str], path: str = "/lmstudio-greeting") -> int:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=ENOUGH)
    try:
        connection.putrequest("GET", path, skip_host=True)
        for name, value in headers.items():
            connection.putheader(name, value)
        connection.endheaders()
        return connection.getresponse().status
    finally:
        connection.close()


class TestListening:
    @pytest.mark.parametrize("host", ["0.0.0.0", "::", "", "192.168.0.7", "myhost.example.org"])
    async def test_beyond_this_machine_a_server_wants_an_authenticator(self, host: str) -> None:
        server = Server([Namespace(ARITHMETIC)])
        with pytest.raises(UsageError, match=r"demand an API token, or listen on 127\.0\.0\.1"):
            await server.start(host)

    async def test_with_one_it_listens_anywhere(self) -> None:
        async def judge(identifier: str, passkey: str) -> str | None:
            return "nobody"

        async with Server([Namespace(ARITHMETIC)], authenticate=judge) as server:
            _, port = await server.start("0.0.0.0")
            assert port > 0

    async def test_an_authenticator_that_lets_strangers_in_is_none(self) -> None:
        async def judge(identifier: str, passkey: str) -> str | None:
            return None

        server = Server([Namespace(ARITHMETIC)], authenticate=judge, guarded=False)
        with pytest.raises(UsageError):
            await server.start("0.0.0.0")

    @pytest.mark.parametrize("host", ["127.0.0.1", "127.8.9.10", "::1", "[::1]", "localhost", "LOCALHOST"])
    def test_loopback(self, host: str) -> None:
        assert is_loopback(host)

    @pytest.mark.parametrize(
        "host", ["", "0.0.0.0", "::", "10.0.0.1", "localhost.example.org", "127.0.0.1.nip.io"]
    )
    def test_no_loopback(self, host: str) -> None:
        assert not is_loopback(host)


class TestPages:
    @pytest.mark.parametrize("path", ["/lmstudio-greeting", "/arithmetic"])
    @pytest.mark.parametrize(
        "host", ["attacker.example", "attacker.example:1234", "127.0.0.1.nip.io", "[", ""]
    )
    def test_a_name_of_elsewhere_is_refused(self, path: str, host: str) -> None:
        """DNS rebinding: the attacker's name leads to this machine, and the browser takes the answer for his."""
        with running() as server:
            assert status(server.port, {"Host": host}, path) == 403

    @pytest.mark.parametrize(
        "host", ["127.0.0.1:1", "[::1]:1234", "localhost", "Localhost:9", "a.localhost", "10.1.2.3"]
    )
    def test_addresses_and_names_of_this_machine_are_taken(self, host: str) -> None:
        with running() as server:
            assert status(server.port, {"Host": host}) == 200

    def test_a_websocket_needs_both(self) -> None:
        with running() as server:
            for headers in ({"Origin": "https://attacker.example"}, {"Origin": "http://attacker.example:80"}):
                with RawClient(server.port, headers=headers) as client:
                    assert client.shake_hands() == 403
            with RawClient(server.port, headers={"Origin": "http://localhost:5173"}) as client:
                assert client.shake_hands() == 101

    def test_what_is_allowed_is_taken(self) -> None:
        access = AccessRule(origins=["https://app.example", "app://obsidian.md"], host_names=["LLM.example"])
        with running(access=access) as server:
            for origin in ("https://app.example", "app://obsidian.md"):
                assert status(server.port, {"Origin": origin, "Host": "llm.example:80"}) == 200
            for origin in ("http://app.example", "https://app.example:444", "https://other.example", "null"):
                assert status(server.port, {"Origin": origin}) == 403

    @pytest.mark.parametrize("origin", ["null", "*", "app.example", "https://app.example/"])
    def test_what_is_no_origin_cannot_be_allowed(self, origin: str) -> None:
        with pytest.raises(UsageError, match="no origin that can be let in"):
            AccessRule(origins=[origin])

    def test_behind_a_token_any_name_is_taken(self) -> None:
        assert AccessRule().refusal([], ["box.example"], loopback=False) is None
        assert AccessRule().refusal(["https://x.example"], ["box.example"], loopback=False) is not None
        assert AccessRule().refusal([], ["a", "b"], loopback=False) is not None

    def test_pages_that_are_of_this_machine_alone(self) -> None:
        assert is_local_origin([])
        assert is_local_origin(["http://[::ffff:127.0.0.1]:1"])
        assert not is_local_origin(["http://localhost", "http://x.example"])
        assert is_local_host(["127.0.0.1:1"])
        assert not is_local_host([])
        assert not is_local_host(["10.0.0.1"])


class TestLimits:
    """Whoever goes beyond is refused; the others notice nothing."""

    def test_connections(self) -> None:
        with running(limits=Limits(connections=2)) as server, RawClient(server.port).authenticate() as one:
            with RawClient(server.port).authenticate() as two:
                with socket.create_connection(("127.0.0.1", server.port), ENOUGH) as third:
                    answer = b""
                    while data := third.recv(1000):
                        answer += data
                assert answer.startswith(b"HTTP/1.1 503 ")
                assert answer.endswith(b"too many connections\n")
                assert [one.ask(CALL), two.ask(CALL)] == [ANSWER, ANSWER]
            server.until_ended(1)
            with RawClient(server.port).authenticate() as next_one:
                assert next_one.ask(CALL) == ANSWER

    @pytest.mark.parametrize("nest", [lambda inner: [inner], lambda inner: {"a": inner}])
    def test_depth(self, nest: Any) -> None:
        deep: Any = 1
        for _ in range(20):
            deep = nest(deep)
        limits = Limits(depth=20)
        with running(limits=limits) as server, RawClient(server.port).authenticate() as other:
            with RawClient(server.port).authenticate() as client:
                client.send({**CALL, "parameter": deep})
                assert client.rest() == []
                assert client.close_code == 1008
            inner = deep[0] if isinstance(deep, list) else deep["a"]
            assert other.ask({**CALL, "endpoint": "size", "parameter": inner})["result"] == 1
            # Brackets in text are no nesting.
            assert other.ask({**CALL, "endpoint": "size", "parameter": "[{" * 50})["result"] == 100

    def test_one_message(self) -> None:
        limits = Limits(message_bytes=1000)
        with running(limits=limits) as server, RawClient(server.port).authenticate() as other:
            with RawClient(server.port).authenticate() as client:
                client.send({**CALL, "parameter": "x" * 1000})
                assert client.rest() == []
                assert client.close_code == 1009
            assert other.ask(CALL) == ANSWER

    def test_the_time_to_authenticate(self) -> None:
        with running(authentication_seconds=0.05) as server:
            with RawClient(server.port) as client:
                assert client.shake_hands() == 101
                refused = client.rest()
            assert [frame["success"] for frame in refused] == [False]
            with socket.create_connection(("127.0.0.1", server.port), ENOUGH) as silent:
                silent.sendall(b"GET /arithmetic HTTP/1.1\r\n")
                with contextlib.suppress(ConnectionError):  # another way to say it
                    assert silent.recv(1) == b""

    def test_one_header(self) -> None:
        with running() as server, RawClient(server.port).authenticate() as other:
            assert status(server.port, {"X": "y" * 9_000}) >= 400
            assert other.ask(CALL) == ANSWER

    @pytest.mark.parametrize("name", ["connections", "open_requests", "depth"])
    @pytest.mark.parametrize("value", [0, -1, 1.5, None, True])
    def test_a_number_that_is_none_is_refused_by_name(self, name: str, value: Any) -> None:
        with pytest.raises(UsageError, match=rf"limits\.{name} must be a number > 0"):
            Limits(**{name: value})


class TestTokenFiles:
    def test_one_a_line(self, tmp_path: Path) -> None:
        file = tmp_path / "tokens"
        file.write_text("# ours\n\n one \r\ntwo\n", encoding="utf-8")
        assert tokens_of_file(file) == ["one", "two"]

    @pytest.mark.parametrize("content", [b"", b"# none\n", b"\xff\xfe secret", b"secret\n" * 20_000])
    def test_what_holds_none_is_refused_and_not_shown(self, tmp_path: Path, content: bytes) -> None:
        file = tmp_path / "tokens"
        file.write_bytes(content)
        with pytest.raises(UsageError, match="the token file") as caught:
            tokens_of_file(file)
        assert "secret" not in str(caught.value)

    def test_what_cannot_be_read(self, tmp_path: Path) -> None:
        with pytest.raises(UsageError, match="cannot be read"):
            tokens_of_file(tmp_path / "none")
