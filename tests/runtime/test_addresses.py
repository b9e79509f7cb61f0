"""Addresses as users write them: what is accepted, what it means, and what a refusal tells."""

from __future__ import annotations

import pytest

from lmwire_runtime.addresses import Address, HostSetting, configured_host, parse_address
from lmwire_runtime.errors import UsageError


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("localhost", Address("ws", "localhost", 1234)),
        ("127.0.0.1", Address("ws", "127.0.0.1", 1234)),
        ("127.0.0.1:41343", Address("ws", "127.0.0.1", 41343)),
        ("  127.0.0.1:1234\n", Address("ws", "127.0.0.1", 1234)),
        ("studio-box.local:8080", Address("ws", "studio-box.local", 8080)),
        ("Studio.Example.ORG", Address("ws", "studio.example.org", 1234)),
        ("lm_studio:1234", Address("ws", "lm_studio", 1234)),
        ("ws:1234", Address("ws", "ws", 1234)),
        ("host:1234/lm", Address("ws", "host", 1234, "/lm")),
        ("ws://127.0.0.1:1234", Address("ws", "127.0.0.1", 1234)),
        ("http://127.0.0.1:1234/", Address("ws", "127.0.0.1", 1234)),
        ("HTTP://localhost", Address("ws", "localhost", 80)),
        ("ws://localhost", Address("ws", "localhost", 80)),
        ("wss://example.org", Address("wss", "example.org", 443)),
        ("https://example.org:8443", Address("wss", "example.org", 8443)),
        ("https://example.org/tools/lm///", Address("wss", "example.org", 443, "/tools/lm")),
        ("https://example.org/größe", Address("wss", "example.org", 443, "/gr%C3%B6%C3%9Fe")),
        ("https://example.org/a%20b", Address("wss", "example.org", 443, "/a%20b")),
        ("wss://example.org/llm/", Address("wss", "example.org", 443, "/llm")),
        ("müller.example", Address("ws", "xn--mller-kva.example", 1234)),
        ("[::1]", Address("ws", "::1", 1234)),
        ("[::1]:8080", Address("ws", "::1", 8080)),
        ("::1", Address("ws", "::1", 1234)),
        ("0:0:0:0:0:0:0:1", Address("ws", "::1", 1234)),
        ("wss://[2001:DB8::2]/lm", Address("wss", "2001:db8::2", 443, "/lm")),
        ("http://2001:db8::2", Address("ws", "2001:db8::2", 80)),
        ("[FE80::1%Eth0]:1234", Address("ws", "fe80::1%Eth0", 1234)),
        ("ws://[fe80::1%25Eth0]:1234", Address("ws", "fe80::1%Eth0", 1234)),
    ],
)
def test_accepted_forms(text: str, expected: Address) -> None:
    assert parse_address(text) == expected


@pytest.mark.parametrize(
    ("text", "problem", "remedy"),
    [
        ("", "empty", "127.0.0.1:1234"),
        ("   ", "empty", "127.0.0.1:1234"),
        ("host name:1234", "whitespace", "give one address"),
        ("host\r\nX-Header: 1", "whitespace", "give one address"),
        ("host\u200b:1234", "invisible", "give one address"),
        ("ftp://host", "scheme", "ws://"),
        ("unix:///run/lm.sock", "scheme", "ws://"),
        ("http:/localhost:1234", "not followed by '://'", "http://localhost:1234"),
        ("http:/127.0.0.1:1234", "not followed by '://'", "http://127.0.0.1:1234"),
        ("http:127.0.0.1:1234", "not followed by '://'", "http://127.0.0.1:1234"),
        ("ws:localhost", "not followed by '://'", "ws://localhost"),
        ("https//example.org", "not followed by '://'", "https://example.org"),
        ("ws://user@host:1234", "user information", "leave that out"),
        ("user:word@host:1234", "user information", "leave that out"),
        ("http://host:1234?model=x", "query", "leave out"),
        ("http://host:1234/#top", "fragment", "leave out"),
        ("http://", "host is missing", "127.0.0.1:1234"),
        (":8080", "host is missing", "127.0.0.1:8080"),
        ("8080", "port without a host", "127.0.0.1:8080"),
        ("host:", "nothing follows the colon", "leave out the colon"),
        ("host:http", "port 'http'", "1 to 65535"),
        ("host:0", "port '0'", "1 to 65535"),
        ("host:65536", "port '65536'", "1 to 65535"),
        ("host:-1", "port '-1'", "1 to 65535"),
        ("host:١٢٣٤", "port", "1 to 65535"),
        ("host:" + "9" * 5000, "port", "1 to 65535"),
        ("host:1:2", "several colons", "such as host:1"),
        ("localhost:1234:5", "several colons", "such as localhost:1234"),
        ("http://localhost:1234:5", "several colons", "such as localhost:1234"),
        ("localhost::1234", "several colons", "such as localhost:1234"),
        ("example.org:80:", "several colons", "such as example.org:80"),
        ("a:b:c", "several colons", "such as a:1234"),
        ("::g:1234", "several colons", "[::1]:1234"),
        ("::1:1234", "several colons", "[::1]:1234"),
        ("::1:41343", "several colons", "[::1]:41343"),
        ("[::1", "between [ and ]", "[::1]:1234"),
        ("[::1]1234", "between [ and ]", "[::1]:1234"),
        ("[host]:1234", "no IPv6 address", "brackets"),
        ("[::g]:1234", "no IPv6 address", ""),
        ("[::1%]:1234", "no IPv6 address", ""),
        ("[fe80::1%a b]", "whitespace", "give one address"),
        ("127.0.0.256", "neither a host name nor an IPv4 address", ""),
        ("10.1:1234", "neither a host name nor an IPv4 address", ""),
        ("-host", "no host name", "letters, digits and hyphens"),
        ("a..b", "no host name", "letters, digits and hyphens"),
        ("a" * 64, "no host name", "letters, digits and hyphens"),
        ("http:\\\\host", "not followed", "http://"),
        ("<host>", "no host name", "letters, digits and hyphens"),
        (".".join(["a" * 60] * 5), "neither a host name", ""),
        ("http://host:1234/v1", "HTTP API", "give host:1234"),
        ("https://host/lm/v1/", "HTTP API", "give wss://host/lm"),
        ("host:1234/v1/chat/completions", "HTTP API", "give host:1234"),
        ("http://host:1234/api/v0/models", "HTTP API", "give host:1234"),
        ("http://host:1234/lmstudio-greeting", "HTTP API", "give host:1234"),
        ("ws://host:1234/llm", "adds namespaces", "give host:1234"),
        ("wss://host/lm/embedding", "adds namespaces", "give wss://host/lm"),
    ],
)
def test_refused_forms_say_what_is_wrong_and_what_to_write(text: str, problem: str, remedy: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_address(text)
    assert isinstance(caught.value, ValueError)
    message = str(caught.value)
    assert problem in message
    assert remedy in message
    assert len(message) < 400


def test_a_refused_namespace_tells_how_to_mean_it() -> None:
    with pytest.raises(UsageError, match="end it with a slash: wss://host/llm/"):
        parse_address("wss://host/llm")


@pytest.mark.parametrize(
    "text",
    [
        "ws://somebody:hunter2@host:1234",
        "somebody:hunter2@host",
        "http:/somebody:hunter2@host",
        "ftp://somebody:hunter2@host",
        "http://host/?key=hunter2",
        "http://a b:hunter2@host/#x",
        "sk-lm-hunter2:hunter2",
        "ws://host:1234/sk-lm-hunter2",
    ],
)
def test_refusals_hide_passwords_and_tokens(text: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_address(text)
    assert "hunter2" not in str(caught.value)
    assert caught.value.__suppress_context__


def test_no_text_at_all() -> None:
    with pytest.raises(UsageError, match="not int"):
        parse_address(1234)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("text", "shown", "url", "header", "server_name"),
    [
        ("localhost", "localhost:1234", "ws://localhost:1234/llm", "localhost:1234", "localhost"),
        ("http://localhost", "localhost:80", "ws://localhost/llm", "localhost", "localhost"),
        ("ws://host:1/a/b/", "ws://host:1/a/b", "ws://host:1/a/b/llm", "host:1", "host"),
        ("https://host./", "wss://host.", "wss://host./llm", "host.", "host"),
        ("wss://host:80/", "wss://host:80", "wss://host:80/llm", "host:80", "host"),
        ("wss://host/llm/", "wss://host/llm/", "wss://host/llm/llm", "host", "host"),
        ("host/files/", "ws://host:1234/files/", "ws://host:1234/files/llm", "host:1234", "host"),
        ("::1", "[::1]:1234", "ws://[::1]:1234/llm", "[::1]:1234", "::1"),
        ("[fe80::1%x]", "[fe80::1%25x]:1234", "ws://[fe80::1%25x]:1234/llm", "[fe80::1]:1234", "fe80::1"),
    ],
)
def test_shown_forms(text: str, shown: str, url: str, header: str, server_name: str) -> None:
    address = parse_address(text)
    assert str(address) == shown
    assert parse_address(shown) == address
    assert address.url("llm") == url
    assert address.host_header == header
    assert address.server_name == server_name


@pytest.mark.parametrize(
    ("text", "connect_host", "is_loopback"),
    [
        ("localhost", "127.0.0.1", True),
        ("localhost.", "127.0.0.1", True),
        ("lm.localhost", "127.0.0.1", True),
        ("127.8.9.1", "127.8.9.1", True),
        ("[::1]", "::1", True),
        ("[::ffff:127.0.0.1]", None, True),
        ("0.0.0.0", "127.0.0.1", True),
        ("[::]", "::1", True),
        ("192.168.1.2", "192.168.1.2", False),
        ("notlocalhost", "notlocalhost", False),
        ("[fe80::1%eth0]", "fe80::1%eth0", False),
    ],
)
def test_where_connections_go(text: str, connect_host: str | None, is_loopback: bool) -> None:
    address = parse_address(text)
    assert address.connect_host == (connect_host or address.host)
    assert address.is_loopback is is_loopback


def test_addresses_are_values() -> None:
    address = parse_address("host:1")
    assert len({address, parse_address("ws://host:1/"), parse_address("wss://host:1")}) == 2
    with pytest.raises(AttributeError):
        address.port = 2  # type: ignore[misc]


class TestConfiguredHost:
    def test_nothing_is_configured(self) -> None:
        assert configured_host(environ={}) is None
        assert configured_host(environ={"LMSTUDIO_API_HOST": "", "LM_API_HOST": "  "}) is None

    @pytest.mark.parametrize("variable", ["LMSTUDIO_API_HOST", "LM_API_HOST"])
    def test_either_variable(self, variable: str) -> None:
        assert configured_host(environ={variable: " box:1 "}) == HostSetting(
            Address("ws", "box", 1), variable
        )

    def test_the_process_environment(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.delenv("LMSTUDIO_API_HOST", raising=False)
        monkeypatch.setenv("LM_API_HOST", "box:7")
        assert configured_host() == HostSetting(Address("ws", "box", 7), "LM_API_HOST")

    def test_an_argument_goes_first(self) -> None:
        environ = {"LM_API_HOST": "box:1", "LMSTUDIO_API_HOST": "other:2"}
        assert configured_host("mine:3", environ) == HostSetting(Address("ws", "mine", 3))
        assert configured_host(Address("wss", "mine", 3), environ) == HostSetting(Address("wss", "mine", 3))

    def test_an_empty_argument_is_refused(self) -> None:
        with pytest.raises(UsageError, match="empty"):
            configured_host("", {})

    def test_two_spellings_of_one_server(self) -> None:
        environ = {"LM_API_HOST": "box:80", "LMSTUDIO_API_HOST": "http://BOX/"}
        assert configured_host(environ=environ) == HostSetting(Address("ws", "box", 80), "LMSTUDIO_API_HOST")

    def test_two_servers(self) -> None:
        with pytest.raises(
            UsageError,
            match="LMSTUDIO_API_HOST=box:1234 and LM_API_HOST=box:80 in the environment name different",
        ):
            configured_host(environ={"LM_API_HOST": "http://box", "LMSTUDIO_API_HOST": "box"})

    def test_a_malformed_value_names_its_variable(self) -> None:
        with pytest.raises(
            UsageError, match="environment variable LM_API_HOST: 'box:x' is no server address"
        ):
            configured_host(environ={"LM_API_HOST": "box:x"})
