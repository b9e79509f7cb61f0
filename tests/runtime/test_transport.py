"""The WebSocket layer, by literal bytes: what comes in, what goes out, and why a connection ended."""

from __future__ import annotations

import base64
import hashlib
import re

import pytest

from lmwire_runtime.transport import ClientTransport, ServerTransport

REQUEST = (
    b"GET /llm HTTP/1.1\r\nHost: 127.0.0.1:1234\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
)
# The answer to that key in RFC 6455, section 1.3.
ACCEPT = b"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"
KEY = re.compile(rb"Sec-WebSocket-Key: (\S+)\r\n")


def response_to(request: bytes) -> bytes:
    found = KEY.search(request)
    assert found is not None
    accept = base64.b64encode(hashlib.sha1(found[1] + b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11").digest())
    return (
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Accept: " + accept + b"\r\n\r\n"
    )


def open_client(message_bytes: int | None = 1000) -> ClientTransport:
    client = ClientTransport("ws://127.0.0.1:1234/llm", message_bytes=message_bytes)
    request, _ = client.output()
    assert client.receive(response_to(request)) == []
    assert client.open
    return client


def open_server(message_bytes: int | None = 1000) -> ServerTransport:
    server = ServerTransport(message_bytes=message_bytes)
    server.receive(REQUEST)
    assert server.accept()
    server.output()
    return server


def unmasked(frames: bytes) -> list[tuple[int, bytes]]:
    """Take a client's short frames apart: first byte (FIN and opcode) and payload."""
    found = []
    while frames:
        assert frames[1] & 0x80, "a client has to mask its frames"
        length = frames[1] & 0x7F
        assert length < 126
        mask, payload = frames[2:6], frames[6 : 6 + length]
        found.append((frames[0], bytes(byte ^ mask[i % 4] for i, byte in enumerate(payload))))
        frames = frames[6 + length :]
    return found


def masked(first: int, payload: bytes) -> bytes:
    """A client's short frame with a mask of zeros."""
    return bytes([first, 0x80 | len(payload)]) + bytes(4) + payload


class TestOpening:
    def test_the_request_of_a_client(self) -> None:
        request, ended = ClientTransport("ws://127.0.0.1:1234/tools/llm", message_bytes=None).output()
        assert not ended
        lines = request.split(b"\r\n")
        assert lines[0] == b"GET /tools/llm HTTP/1.1"
        assert b"Host: 127.0.0.1:1234" in lines
        assert b"User-Agent: lmwire" in lines
        headers = {line.split(b":")[0].lower() for line in lines[1:] if line}
        # No subprotocol, no compression, no origin, no authorization: upstream's clients send none.
        assert headers == {
            b"host",
            b"upgrade",
            b"connection",
            b"sec-websocket-key",
            b"sec-websocket-version",
            b"user-agent",
        }

    def test_the_answer_of_a_server(self) -> None:
        server = ServerTransport(message_bytes=None)
        server.receive(REQUEST)
        assert server.request is not None
        assert server.request.path == "/llm"
        opened = [server.open, server.accept(), server.open]
        assert opened == [False, True, True]
        answer, ended = server.output()
        assert answer.startswith(b"HTTP/1.1 101 Switching Protocols\r\n")
        assert ACCEPT in answer
        assert not ended

    def test_a_page_is_answered_with_plain_http(self) -> None:
        server = ServerTransport(message_bytes=None)
        server.receive(b"GET /lmstudio-greeting HTTP/1.1\r\nHost: localhost\r\n\r\n")
        server.respond(200, '{"lmstudio": true}', "application/json")
        answer, ended = server.output()
        assert answer.startswith(b"HTTP/1.1 200 OK\r\n")
        assert b"\r\nContent-Type: application/json\r\n" in answer
        assert b"\r\nContent-Length: 18\r\n" in answer
        assert answer.endswith(b'\r\n\r\n{"lmstudio": true}')
        assert ended
        assert not server.open

    def test_a_request_that_is_no_upgrade_is_refused(self) -> None:
        server = ServerTransport(message_bytes=None)
        server.receive(b"GET /llm HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert not server.accept()
        answer, ended = server.output()
        assert answer.startswith(b"HTTP/1.1 426 ")
        assert ended

    @pytest.mark.parametrize(
        ("answer", "reason"),
        [
            (b"HTTP/1.1 404 Not Found\r\nContent-Length: 4\r\n\r\nnope", "404"),
            (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi", "200"),
            (
                b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n",
                "Accept",
            ),
            (b"220 mail.example.org ESMTP\r\n", "HTTP"),
            (b"\x00\x01\x02\r\n", "HTTP"),
        ],
    )
    def test_a_client_says_why_the_handshake_failed(self, answer: bytes, reason: str) -> None:
        client = ClientTransport("ws://127.0.0.1:1234/llm", message_bytes=None)
        client.output()
        client.receive(answer)
        client.receive_eof()
        assert not client.open
        assert client.closed
        assert client.handshake_error is not None
        assert reason in client.handshake_error

    def test_there_is_no_handshake_error_before_the_answer(self) -> None:
        client = ClientTransport("ws://127.0.0.1:1234/llm", message_bytes=None)
        client.receive(b"HTTP/1.1 404 Not")
        assert client.handshake_error is None

    def test_the_first_messages_may_arrive_with_the_response(self) -> None:
        client = ClientTransport("ws://127.0.0.1:1234/llm", message_bytes=None)
        request, _ = client.output()
        assert client.receive(response_to(request) + b"\x81\x02{}\x81\x02[]") == [b"{}", b"[]"]


class TestMessages:
    def test_a_client_sends_masked_text(self) -> None:
        client = open_client()
        client.send(b'{"type":"keepAlive"}')
        data, ended = client.output()
        assert unmasked(data) == [(0x81, b'{"type":"keepAlive"}')]
        assert not ended
        assert client.output() == (b"", False)

    def test_a_server_sends_text(self) -> None:
        server = open_server()
        server.send(b'{"type":"keepAliveAck"}')
        server.send("größe".encode())
        assert server.output() == (b'\x81\x17{"type":"keepAliveAck"}\x81\x07gr\xc3\xb6\xc3\x9fe', False)

    def test_lengths_of_every_form(self) -> None:
        client = open_client(message_bytes=None)
        for length, head in [
            (125, b"\x81\x7d"),
            (126, b"\x81\x7e\x00\x7e"),
            (70_000, b"\x81\x7f" + (70_000).to_bytes(8, "big")),
        ]:
            assert client.receive(head + b"x" * length) == [b"x" * length]

    def test_text_and_binary_are_both_taken(self) -> None:
        """Upstream's server and JavaScript client read binary messages as UTF-8 JSON too."""
        assert open_client().receive(b"\x81\x02{}\x82\x02[]") == [b"{}", b"[]"]
        assert open_server().receive(masked(0x82, b"{}")) == [b"{}"]

    def test_a_fragmented_message_is_put_together(self) -> None:
        client = open_client()
        assert client.receive(b"\x01\x02ab\x00\x02cd\x80\x02ef\x81\x01g") == [b"abcdef", b"g"]

    def test_a_fragmented_message_over_several_reads_with_a_ping_in_between(self) -> None:
        client = open_client()
        assert client.receive(b"\x01\x02ab") == []
        assert client.receive(b"\x89\x02hi") == []
        assert unmasked(client.output()[0]) == [(0x8A, b"hi")]  # the pong
        assert client.receive(b"\x00\x00") == []
        assert client.receive(b"\x80\x02ef") == [b"abef"]

    def test_pings_are_answered_and_pongs_ignored(self) -> None:
        client = open_client()
        assert client.receive(b"\x89\x00\x8a\x03abc\x81\x02{}") == [b"{}"]
        assert unmasked(client.output()[0]) == [(0x8A, b"")]

    def test_empty_messages(self) -> None:
        assert open_client().receive(b"\x81\x00\x01\x00\x80\x00") == [b"", b""]


STREAM = (
    b"\x81\x03abc\x01\x02de\x89\x01p\x00\x01f\x80\x00\x82\x02gh\x81\x7e\x00\x80"
    + b"i" * 128
    + b"\x88\x02\x03\xe8"
)
MESSAGES = [b"abc", b"def", b"gh", b"i" * 128]


class TestCuts:
    def test_a_byte_at_a_time(self) -> None:
        client = open_client()
        messages = []
        for byte in STREAM:
            messages += [bytes(message) for message in client.receive(bytes([byte]))]
        assert messages == MESSAGES
        assert client.close_reason == "the peer closed it with code 1000"

    @pytest.mark.parametrize("cut", range(len(STREAM) + 1))
    def test_two_reads_cut_anywhere(self, cut: int) -> None:
        client = open_client()
        first, second = client.receive(STREAM[:cut]), client.receive(STREAM[cut:])
        assert [bytes(message) for message in [*first, *second]] == MESSAGES

    @pytest.mark.parametrize("cut", range(len(STREAM) + 1))
    def test_the_network_may_end_anywhere(self, cut: int) -> None:
        client = open_client()
        messages = [bytes(message) for message in client.receive(STREAM[:cut])]
        client.receive_eof()
        assert messages == MESSAGES[: len(messages)]
        assert client.closed
        assert not client.open
        closed = cut == len(STREAM)
        assert client.close_reason == (
            "the peer closed it with code 1000" if closed else "the peer ended it without a closing handshake"
        )

    @pytest.mark.parametrize("cut", range(len(REQUEST)))
    def test_a_request_may_end_anywhere(self, cut: int) -> None:
        server = ServerTransport(message_bytes=None)
        assert server.receive(REQUEST[:cut]) == []
        assert server.request is None
        server.receive_eof()
        assert server.closed

    @pytest.mark.parametrize("cut", range(0, 129, 3))
    def test_a_response_may_end_anywhere(self, cut: int) -> None:
        client = ClientTransport("ws://127.0.0.1:1234/llm", message_bytes=None)
        response = response_to(client.output()[0])
        assert cut < len(response)
        assert client.receive(response[:cut]) == []
        client.receive_eof()
        assert client.closed
        assert not client.open


class TestClosing:
    @pytest.mark.parametrize(
        ("frame", "reason"),
        [
            (b"\x88\x00", "the peer closed it without a code"),
            (b"\x88\x02\x03\xe8", "the peer closed it with code 1000"),
            (b"\x88\x05\x03\xe9bye", "the peer closed it with code 1001 (bye)"),
            (b"\x88\x02\x0f\xa0", "the peer closed it with code 4000"),
        ],
    )
    def test_a_close_is_answered_and_explained(self, frame: bytes, reason: str) -> None:
        client = open_client()
        client.receive(frame)
        assert client.closing
        assert not client.open
        assert unmasked(client.output()[0]) == [(0x88, frame[2:])]
        assert client.close_reason == reason
        client.receive_eof()
        assert client.closed
        assert client.close_reason == reason

    def test_a_client_that_closes_waits_for_the_server(self) -> None:
        client = open_client()
        client.close()
        assert unmasked(client.output()[0]) == [(0x88, b"\x03\xe8")]
        assert client.closing
        assert not client.closed
        client.close()  # begun already
        assert client.output() == (b"", False)
        client.receive(b"\x81\x02{}\x88\x02\x03\xe8")
        client.receive_eof()
        assert client.closed

    def test_a_server_ends_the_stream_after_its_answer(self) -> None:
        server = open_server()
        server.receive(masked(0x88, b"\x03\xe8"))
        assert server.output() == (b"\x88\x02\x03\xe8", True)

    def test_a_close_without_code(self) -> None:
        server = open_server()
        server.close(None)
        assert server.output() == (b"\x88\x00", False)

    def test_the_network_can_fail(self) -> None:
        client = open_client()
        client.abort()
        assert client.closed
        assert client.close_reason == "the peer ended it without a closing handshake"


class TestFaults:
    @pytest.mark.parametrize(
        ("data", "code"),
        [
            (b"\x83\x00", 1002),  # an opcode that does not exist
            (b"\xc1\x00", 1002),  # a reserved bit
            (b"\x80\x01x", 1002),  # a continuation of nothing
            (b"\x01\x01x\x81\x01y", 1002),  # a message inside another
            (b"\x09\x01x", 1002),  # a fragmented ping
            (b"\x89\x7e\x00\x7e" + b"x" * 126, 1002),  # a ping that is too long
            (b"\x81\x81\x00\x00\x00\x00x", 1002),  # a masked frame of a server
            (b"\x88\x01\x03", 1002),  # a close with half a code
            (b"\x88\x02\x03\xed", 1002),  # a close code that must not be sent
            (b"\x88\x03\x03\xe8\xff", 1007),  # a close reason that is not UTF-8
        ],
    )
    def test_a_peer_that_breaks_the_rules_is_told_and_blamed(self, data: bytes, code: int) -> None:
        client = open_client()
        assert client.receive(b"\x81\x02{}" + data + b"\x81\x02[]") == [b"{}"]
        first, payload = unmasked(client.output()[0])[-1]
        assert (first, int.from_bytes(payload[:2], "big")) == (0x88, code)
        assert client.close_reason.startswith("the peer broke the WebSocket protocol or a limit: ")
        assert not client.open
        client.receive(b"\x81\x02{}")
        client.receive_eof()
        assert client.closed

    def test_a_message_at_the_limit_passes(self) -> None:
        assert open_client(message_bytes=100).receive(b"\x81\x64" + b"x" * 100) == [b"x" * 100]

    @pytest.mark.parametrize(
        "data",
        [
            b"\x81\x65" + b"x" * 101,
            b"\x81\x7f\x7f\xff\xff\xff\xff\xff\xff\xff",  # announced alone, nothing is held in memory for it
            b"\x01\x64" + b"x" * 100 + b"\x80\x01x",  # in fragments
        ],
    )
    def test_a_message_over_the_limit_ends_the_connection(self, data: bytes) -> None:
        client = open_client(message_bytes=100)
        assert client.receive(data) == []
        assert unmasked(client.output()[0])[0][1][:2] == (1009).to_bytes(2, "big")
        assert "limit" in client.close_reason
        assert not client.open

    def test_a_fault_in_what_the_messages_say(self) -> None:
        client = open_client()
        client.fail(1007, "a message was not UTF-8")
        assert unmasked(client.output()[0]) == [(0x88, b"\x03\xefa message was not UTF-8")]
        assert client.closing
        assert client.close_reason.endswith(": a message was not UTF-8")
        assert client.receive(b"\x81\x02{}") == []
        client.fail(1007, "again")
        assert client.output() == (b"", False)
        assert client.close_reason.endswith(": a message was not UTF-8")

    def test_a_server_is_strict_about_masks(self) -> None:
        server = open_server()
        assert server.receive(b"\x81\x02{}") == []
        data, ended = server.output()
        assert data[:4] == b"\x88" + data[1:2] + (1002).to_bytes(2, "big")
        assert ended
