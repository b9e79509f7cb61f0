"""Verdicts on whatever a port may answer, without I/O and over a socket."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from lmwire_runtime.addresses import Address
from lmwire_runtime.discovery import probe
from lmwire_runtime.greeting import GreetingReader, ProbeOutcome
from tests.runtime.probe_peers import BODY, GREETING, LONG, Listen, answering, peers


@pytest.fixture
def listen() -> Iterator[Listen]:
    with peers() as start:
        yield start


REPLIES: list[tuple[bytes, ProbeOutcome, str]] = [
    (GREETING, "found", "LM Studio"),
    (b"HTTP/1.0 200 OK\r\n\r\n" + BODY, "found", "LM Studio"),
    (b"HTTP/1.1 200\r\ncontent-LENGTH:17\r\n\r\n" + BODY, "found", "LM Studio"),
    (
        b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" + GREETING,
        "found",
        "LM Studio",
    ),
    (
        b'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n8;note=1\r\n{"lmstud\r\n9\r\nio":true}\r\n0\r\n\r\n',
        "found",
        "LM Studio",
    ),
    (
        b'HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n11\r\n{"lmstudio":true}\r\n0\r\nT: x\r\n\r\n',
        "found",
        "LM Studio",
    ),
    (b'HTTP/1.1 200 OK\r\n\r\n{"lmstudio": true, "more": [1]}', "found", "LM Studio"),
    (b'HTTP/1.1 200 OK\r\n\r\n{"lmstudio": 1}', "not_lm_studio", "does not say so"),
    (b'HTTP/1.1 200 OK\r\n\r\n{"lmstudio": "true"}', "not_lm_studio", "does not say so"),
    (b'HTTP/1.1 200 OK\r\n\r\n{"lmstudio": false}', "not_lm_studio", "does not say so"),
    (b"HTTP/1.1 200 OK\r\n\r\n[true]", "not_lm_studio", "does not say so"),
    (b"HTTP/1.1 200 OK\r\n\r\nnull", "not_lm_studio", "does not say so"),
    (b"HTTP/1.1 200 OK\r\n\r\n<html>Hi</html>", "not_lm_studio", "not JSON: '<html>Hi</html>'"),
    (b"HTTP/1.1 200 OK\r\n\r\n", "not_lm_studio", "not JSON: ''"),
    (b"HTTP/1.1 200 OK\r\n\r\n\xff\xfe", "not_lm_studio", "not JSON"),
    (b"HTTP/1.1 200 OK\r\n\r\n" + b"[" * 50_000, "not_lm_studio", "not JSON"),
    (b"HTTP/1.1 200 OK\r\nContent-Length: 18\r\n\r\n" + BODY, "not_lm_studio", "incomplete (it hung up)"),
    (b"HTTP/1.1 200 OK\r\nContent-Length: many\r\n\r\n" + BODY, "not_lm_studio", "incomplete (it hung up)"),
    (b"HTTP/1.1 200 OK\r\nContent-Length: " + b"9" * 5000 + b"\r\n\r\n", "not_lm_studio", "incomplete"),
    (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n\r\n", "not_lm_studio", "incomplete"),
    (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n-5\r\n\r\n", "not_lm_studio", "incomplete"),
    (b"HTTP/1.1 200 OK\r\nContent-", "not_lm_studio", "incomplete (it hung up)"),
    (b"HTT", "not_lm_studio", "incomplete (it hung up)"),
    (b"HTTP/1.1 abc OK\r\n\r\n", "not_lm_studio", "not HTTP"),
    (b"HTTP/1.1\r\n\r\n", "not_lm_studio", "not HTTP"),
    (
        b"HTTP/1.1 404 Not Found\r\nContent-Length: 4\r\n\r\nnope",
        "not_lm_studio",
        "HTTP status 404, body 'nope'",
    ),
    (b"HTTP/1.1 204 No Content\r\n\r\n", "not_lm_studio", "HTTP status 204, body ''"),
    (b"HTTP/1.1 500 Oh\r\nContent-Length: 9\r\n\r\nnope", "not_lm_studio", "HTTP status 500, body 'nope'"),
    (
        b"HTTP/1.1 308 Moved\r\nLocation: https://example.org/\r\nContent-Length: 0\r\n\r\n",
        "not_lm_studio",
        "HTTP status 308, location 'https://example.org/'",
    ),
    (b"HTTP/1.1 101 Switching\r\n\r\n", "not_lm_studio", "HTTP status 101"),
    (b"SSH-2.0-OpenSSH_9.6\r\n", "not_lm_studio", "not HTTP: 'SSH-2.0-OpenSSH_9.6\\r\\n'"),
    (b"\x1b[31mred" + b"." * 100, "not_lm_studio", "'\\x1b[31mred" + "." * 72 + "'..."),
    (b"\x15\x03\x01\x00\x02\x02\x16", "tls", "wss://"),
    (b"", "closed", "it hung up"),
]


class TestReplies:
    @pytest.mark.parametrize("size", [1, 7, 1_000_000], ids=["byte by byte", "in pieces", "at once"])
    @pytest.mark.parametrize(("reply", "outcome", "reason"), REPLIES)
    def test_the_verdict(self, reply: bytes, outcome: ProbeOutcome, reason: str, size: int) -> None:
        address = Address("ws", "127.0.0.1", 1234)
        reader = GreetingReader()
        for start in range(0, len(reply), size):
            if reader.feed(reply[start : start + size]):
                result = reader.verdict(address)
                break
        else:
            result = reader.verdict(address, ending="it hung up")
        assert result.outcome == outcome
        # What is quoted of a reply that can be told from its beginning depends on how much of it came.
        assert reason in result.reason or (size < 10 and "not HTTP" in result.reason)

    @pytest.mark.parametrize(("reply", "outcome", "reason"), REPLIES)
    def test_the_verdict_over_a_socket(
        self, listen: Listen, reply: bytes, outcome: ProbeOutcome, reason: str
    ) -> None:
        result = probe([listen(answering(reply))], timeout=LONG)[0]
        assert result.outcome == outcome
        assert reason.replace("it hung up", "it ended the connection") in result.reason
