"""The server as raw clients see it: pages, the opening, authentication, handlers, slow and rude clients."""

from __future__ import annotations

import contextlib
import http.client
import json
import logging
import socket
from typing import Any

import pytest

from lmwire_runtime.limits import Limits
from lmwire_runtime.server import ErrorReply, Namespace, RequestContext, Server, WarningReply, unhandled
from tests.runtime.arithmetic import (
    ARITHMETIC,
    DOUBLE,
    PING,
    ArithmeticHandlers,
    RunningServer,
    serve_arithmetic,
)
from tests.runtime.raw_clients import CREDENTIALS, RawClient

CALL = {"type": "rpcCall", "endpoint": "double", "callId": 1, "parameter": 21}
ANSWER = {"type": "rpcResult", "callId": 1, "result": 42}


def get(port: int, path: str, headers: dict[str, str] | None = None) -> tuple[int, str, bytes]:
    """Ask for a page; returns status, content type and body."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        connection.request("GET", path, headers=headers or {})
        response = connection.getresponse()
        return response.status, response.headers["Content-Type"], response.read()
    finally:
        connection.close()


def create(identity: int = 1, **creation: Any) -> dict[str, Any]:
    return {
        "type": "channelCreate",
        "endpoint": "count",
        "channelId": identity,
        "creationParameter": creation,
    }


class TestPages:
    def test_the_greeting(self, server: RunningServer) -> None:
        status, kind, body = get(server.port, "/lmstudio-greeting")
        assert (status, kind, json.loads(body)) == (
            200,
            "application/json; charset=utf-8",
            {"lmstudio": True},
        )

    def test_the_status(self, handlers: ArithmeticHandlers) -> None:
        server = serve_arithmetic(handlers, status={"package": "lmwire", "version": "1"})
        status, _, body = get(server.port, "/lms-status")
        assert (status, json.loads(body)) == (200, {"package": "lmwire", "version": "1"})
        server.close()

    @pytest.mark.parametrize(
        "path", ["/", "/nonesuch", "/arithmetic/", "/lms-status", "//[", "//arithmetic", "/%61rithmetic"]
    )
    def test_there_is_nothing_else(self, server: RunningServer, path: str) -> None:
        assert get(server.port, path)[0] == 404

    def test_a_namespace_is_no_page(self, server: RunningServer) -> None:
        assert get(server.port, "/arithmetic")[0] == 426

    @pytest.mark.parametrize("path", ["/lmstudio-greeting", "/arithmetic", "/nonesuch"])
    @pytest.mark.parametrize(
        "origin", ["https://example.org", "null", "http://[", "http://127.0.0.1.example.org"]
    )
    def test_web_pages_are_refused(self, server: RunningServer, path: str, origin: str) -> None:
        assert get(server.port, path, {"Origin": origin})[0] == 403

    @pytest.mark.parametrize("origin", ["http://localhost:3000", "https://127.0.0.1", "http://[::1]:8080"])
    def test_pages_of_this_machine_are_not(self, server: RunningServer, origin: str) -> None:
        assert get(server.port, "/lmstudio-greeting", {"Origin": origin})[0] == 200

    @pytest.mark.parametrize(
        "request_",
        [
            b"\x00\x01\x02\r\n\r\n",
            b"POST /lmstudio-greeting HTTP/1.1\r\nHost: x\r\n\r\n",
            b"GET /lmstudio-greeting\r\n\r\n",
            b"\r\n" * 1000,
            b"GET / HTTP/1.1\r\n" + b"X: y\r\n" * 1000 + b"\r\n",
            b"GET /" + b"x" * 100_000 + b" HTTP/1.1\r\n\r\n",
        ],
    )
    def test_what_is_no_request_ends_the_connection(self, server: RunningServer, request_: bytes) -> None:
        with socket.create_connection(("127.0.0.1", server.port), 10) as sock:
            sock.sendall(request_)
            answer = b""
            with contextlib.suppress(ConnectionError):
                while data := sock.recv(65536):
                    answer += data
            assert not answer or answer.startswith(b"HTTP/1.1 4")
        assert get(server.port, "/lmstudio-greeting")[0] == 200


class TestOpening:
    def test_an_upgrade(self, server: RunningServer) -> None:
        with RawClient(server.port) as client:
            assert client.authenticate().ask(CALL) == ANSWER

    def test_a_path_with_a_query(self, server: RunningServer) -> None:
        with RawClient(server.port, "/arithmetic?x=/y") as client:
            assert client.shake_hands() == 101

    @pytest.mark.parametrize("path", ["/nonesuch", "/arithmetic/", "/"])
    def test_an_unknown_path(self, server: RunningServer, path: str) -> None:
        with RawClient(server.port, path) as client:
            assert client.shake_hands() == 404

    def test_an_origin_of_a_web_page(self, server: RunningServer) -> None:
        with RawClient(server.port, headers={"Origin": "https://example.org"}) as client:
            assert client.shake_hands() == 403

    def test_two_origins(self, server: RunningServer) -> None:
        headers = {"Origin": "http://localhost", "origin": "https://example.org"}
        with RawClient(server.port, headers=headers) as client:
            assert client.shake_hands() == 403

    def test_an_upgrade_without_a_key(self, server: RunningServer) -> None:
        headers = {"Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13"}
        assert get(server.port, "/arithmetic", headers)[0] == 400

    def test_another_version_of_the_protocol(self, server: RunningServer) -> None:
        headers = {"Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "8"}
        headers["Sec-WebSocket-Key"] = "dGhlIHNhbXBsZSBub25jZQ=="
        assert get(server.port, "/arithmetic", headers)[0] in (400, 426)

    def test_frames_that_do_not_wait_for_the_answer(
        self, server: RunningServer, caplog: pytest.LogCaptureFixture
    ) -> None:
        text = json.dumps(CREDENTIALS).encode()
        early = bytes([0x81, 0x80 | len(text)]) + bytes(4) + text
        with RawClient(server.port) as client:
            assert client.shake_hands(early) == 101
            assert client.receive() == {"success": True}
            assert client.ask(CALL) == ANSWER
        assert caplog.records == []


class TestAuthentication:
    def test_time_runs_out(self, handlers: ArithmeticHandlers) -> None:
        server = serve_arithmetic(handlers, authentication_seconds=0.05)
        with RawClient(server.port) as client:
            assert client.shake_hands() == 101
            assert client.rest() == [{"success": False, "error": "Authentication timed out"}]
            assert client.close_code == 1005
        server.close()

    def test_a_client_that_never_says_anything(self, handlers: ArithmeticHandlers) -> None:
        server = serve_arithmetic(handlers, authentication_seconds=0.05)
        with (
            socket.create_connection(("127.0.0.1", server.port), 10) as sock,
            contextlib.suppress(ConnectionError),
        ):
            assert sock.recv(100) == b""
        server.close()

    def test_malformed_packets_are_ignored(self, server: RunningServer) -> None:
        with RawClient(server.port) as client:
            client.shake_hands()
            client.send({"authVersion": 2}, [], None, CALL)
            client.protocol.send_text(b"{oops")
            client.send(CREDENTIALS)
            assert client.receive() == {"success": True}
            assert client.exchange() == []

    def test_the_packet_twice(self, server: RunningServer) -> None:
        with RawClient(server.port) as client:
            client.shake_hands()
            client.send(CREDENTIALS, CREDENTIALS, CALL)
            assert client.receive() == {"success": True}
            assert client.ask(CALL) == ANSWER
        assert server.accepted == 1

    def test_a_refusal(self, handlers: ArithmeticHandlers) -> None:
        async def refuse(identifier: str, passkey: str) -> str | None:
            return None if passkey == "right" else f"wrong passkey for {identifier}"

        server = serve_arithmetic(handlers, authenticate=refuse)
        with RawClient(server.port) as client:
            client.shake_hands()
            client.send(CREDENTIALS)
            assert client.rest() == [{"success": False, "error": "wrong passkey for me"}]
            assert client.close_code == 1005
        with RawClient(server.port) as client:
            client.shake_hands()
            client.send({**CREDENTIALS, "clientPasskey": "right"})
            assert client.receive() == {"success": True}
        server.close()

    def test_an_authenticator_that_fails(
        self, handlers: ArithmeticHandlers, caplog: pytest.LogCaptureFixture
    ) -> None:
        async def crash(identifier: str, passkey: str) -> str | None:
            raise ZeroDivisionError("secret details")

        server = serve_arithmetic(handlers, authenticate=crash)
        with RawClient(server.port) as client:
            client.shake_hands()
            client.send(CREDENTIALS)
            assert client.rest() == [
                {"success": False, "error": "the server could not check the credentials"}
            ]
        server.close()
        assert "ZeroDivisionError" in caplog.text


class TestHandlers:
    def test_binary_messages_are_frames_too(self, server: RunningServer) -> None:
        with RawClient(server.port).authenticate() as client:
            client.protocol.send_binary(json.dumps(CALL).encode())
            client.flush()
            assert client.receive() == ANSWER

    def test_what_is_no_frame_is_dropped(self, server: RunningServer) -> None:
        with RawClient(server.port).authenticate() as client:
            client.protocol.send_text(b"{oops")
            assert client.exchange([], None, {"type": "nonesuch"}, {"type": "rpcCall"}) == []

    def test_text_that_is_not_utf_8(self, server: RunningServer) -> None:
        with RawClient(server.port).authenticate() as client:
            client.protocol.send_text(b'"\xff"')
            client.flush()
            assert client.rest() == []
            assert client.close_code == 1007

    def test_a_message_over_the_limit(self, handlers: ArithmeticHandlers) -> None:
        server = serve_arithmetic(handlers, limits=Limits(message_bytes=1000))
        with RawClient(server.port).authenticate() as client:
            client.send({"type": "x" * 1000})
            assert client.rest() == []
            assert client.close_code == 1009
        server.close()

    def test_an_error_reply_has_what_it_was_given(self, server: RunningServer) -> None:
        with RawClient(server.port).authenticate() as client:
            client.send({"type": "rpcCall", "endpoint": "fail", "callId": 1})
            assert client.receive() == {
                "type": "rpcError",
                "callId": 1,
                "error": {
                    "title": "it failed",
                    "cause": "it had to",
                    "suggestion": "try again",
                    "displayData": {"code": "test.failed"},
                    "rootTitle": "it failed",
                },
            }
        assert ErrorReply("only a title").error == {"title": "only a title", "rootTitle": "only a title"}

    def test_an_exception_is_told_and_logged(
        self, server: RunningServer, caplog: pytest.LogCaptureFixture
    ) -> None:
        with RawClient(server.port).authenticate() as client:
            client.send({"type": "rpcCall", "endpoint": "crash", "callId": 1})
            error = {"title": "division by zero", "rootTitle": "division by zero"}
            assert client.receive() == {"type": "rpcError", "callId": 1, "error": error}
        assert [record.levelno for record in caplog.records] == [logging.ERROR]

    @pytest.mark.parametrize("error", ["bare text", None, {"title": 5}])
    def test_an_odd_error_is_sent_as_it_is(self, error: Any) -> None:
        class Odd(ArithmeticHandlers):
            async def fail(self, context: RequestContext) -> None:
                raise ErrorReply.verbatim(error)

            async def count(self, creation: dict[str, Any], channel: Any) -> None:
                raise ErrorReply.verbatim(error)

        server = serve_arithmetic(Odd())
        with RawClient(server.port).authenticate() as client:
            assert client.ask({"type": "rpcCall", "endpoint": "fail", "callId": 1})["error"] == error
            assert client.ask(create(upTo=1))["error"] == error
        server.close()

    def test_a_handler_can_refuse_a_request_with_a_warning_alone(self) -> None:
        class Refusing(ArithmeticHandlers):
            async def fail(self, context: RequestContext) -> None:
                raise WarningReply("rpcEndpointUnhandled", "no such call")

            async def count(self, creation: dict[str, Any], channel: Any) -> None:
                raise WarningReply("channelEndpointUnhandled", "no such channel")

        server = serve_arithmetic(Refusing())
        with RawClient(server.port).authenticate() as client:
            call = client.ask({"type": "rpcCall", "endpoint": "fail", "callId": 1})
            assert call == {
                "type": "communicationWarning",
                "warning": "no such call",
                "kind": "rpcEndpointUnhandled",
            }
            assert client.ask(create(3, upTo=1))["kind"] == "channelEndpointUnhandled"
            late = client.ask({"type": "channelSend", "channelId": 3, "message": {}})
            assert late["kind"] == "channelUnknown"
        server.close()

    def test_a_channel_of_a_failing_handler_ends_once(self, server: RunningServer) -> None:
        with RawClient(server.port).authenticate() as client:
            client.send(create(upTo=2, failAt=1))
            frames = [client.receive() for _ in range(2)]
            assert [frame["type"] for frame in frames] == ["channelSend", "channelError"]
            assert client.exchange() == []

    def test_a_channel_id_may_be_used_again(self, server: RunningServer) -> None:
        with RawClient(server.port).authenticate() as client:
            for _ in range(3):
                client.send(create(7, upTo=1))
                assert [client.receive()["type"] for _ in range(2)] == ["channelSend", "channelClose"]

    def test_handlers_run_side_by_side(self, server: RunningServer, handlers: ArithmeticHandlers) -> None:
        with RawClient(server.port).authenticate() as client:
            client.send({"type": "rpcCall", "endpoint": "wait", "callId": 5}, CALL)
            assert client.receive() == ANSWER
            handlers.until("waiting")
            handlers.release()
            assert client.receive() == {"type": "rpcResult", "callId": 5, "result": 1}

    def test_handlers_end_with_their_connection(
        self, server: RunningServer, handlers: ArithmeticHandlers
    ) -> None:
        with RawClient(server.port).authenticate() as client:
            client.send(create(1, upTo=1, waitForCancel=True), create(2, upTo=1, waitForCancel=True))
            handlers.until("waiting", 2)
        handlers.until("dropped", 2)
        server.until_ended(1)

    def test_handlers_end_with_the_server(self, handlers: ArithmeticHandlers) -> None:
        server = serve_arithmetic(handlers)
        client = RawClient(server.port).authenticate()
        client.send(create(1, upTo=1, waitForCancel=True))
        handlers.until("waiting")
        server.close()
        assert handlers.seen["dropped"] == 1
        client.rest()
        client.close()

    def test_methods_may_be_marked_unhandled(self) -> None:
        class Handlers:
            @unhandled
            async def double(self, parameter: int, context: object) -> int:
                raise NotImplementedError

            async def ping(self, context: object) -> None:
                return None

        namespace = Namespace(ARITHMETIC, Handlers())
        assert not namespace.handled(DOUBLE)
        assert namespace.handled(PING)
        assert not Namespace(ARITHMETIC).handled(PING)

    def test_a_tap_sees_frames_without_secrets(self, handlers: ArithmeticHandlers) -> None:
        frames: list[tuple[str, str, Any]] = []
        server = serve_arithmetic(
            handlers,
            on_frame=lambda direction, namespace, text: frames.append(
                (direction, namespace, json.loads(text))
            ),
        )
        with RawClient(server.port).authenticate() as client:
            client.exchange(CALL)
        server.close()
        assert frames[:3] == [
            ("received", "arithmetic", {**CREDENTIALS, "clientPasskey": "<redacted>"}),
            ("sent", "arithmetic", {"success": True}),
            ("received", "arithmetic", CALL),
        ]


class TestSlowClients:
    def test_a_handler_waits_for_a_client_that_does_not_read(self, handlers: ArithmeticHandlers) -> None:
        """What is sent but not taken stays small, and other clients notice nothing."""
        sent = 0

        def tap(direction: str, namespace: str, text: bytes) -> None:
            nonlocal sent
            sent += direction == "sent" and b"padding" in text

        server = serve_arithmetic(handlers, on_frame=tap)
        with RawClient(server.port).authenticate() as slow, RawClient(server.port).authenticate() as other:
            slow.send(create(1, upTo=10**6, padding=10_000))
            while True:
                before = sent
                for _ in range(
                    50
                ):  # each of them a turn of the server's loop, in which the handler could go on
                    other.exchange(CALL)
                if before == sent > 0:
                    break
            assert sent * 10_000 < 50_000_000
            numbers = [slow.receive()["message"]["number"] for _ in range(sent + 100)]
            assert numbers == list(range(sent + 100))[: len(numbers)]
        server.until_ended(2)
        server.close()

    def test_a_client_that_goes_while_a_handler_waits_for_it(self, handlers: ArithmeticHandlers) -> None:
        server = serve_arithmetic(handlers)
        with RawClient(server.port).authenticate() as slow:
            slow.send(create(1, upTo=10**6, padding=10_000))
            assert slow.receive()["message"]["number"] == 0
        handlers.until("dropped")
        server.close()


async def test_a_server_is_a_context_manager() -> None:
    async with Server([Namespace(ARITHMETIC, ArithmeticHandlers())]) as server:
        host, port = await server.start()
        assert host == "127.0.0.1"
        assert port > 0
    with pytest.raises(OSError), socket.create_connection((host, port), 1):  # noqa: PT011  # refused, or worse
        pass


async def test_a_port_that_is_taken_is_an_error() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        server = Server([Namespace(ARITHMETIC)])
        with pytest.raises(OSError):  # noqa: PT011  # which one differs between platforms
            await server.start(port=taken.getsockname()[1])
        await server.close()
