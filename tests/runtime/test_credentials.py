"""Tokens, guests, precedence, and secrets that stay out of sight."""

from __future__ import annotations

import copy
import json
import pickle
from typing import Any

import pytest

from lmwire_runtime.credentials import (
    REDACTED,
    Credentials,
    redact,
    redact_quoted,
    redact_text,
    resolve_credentials,
)
from lmwire_runtime.errors import UsageError

IDENTIFIER = "aB3dE6gH"
PASSKEY = "Zy9Xw8Vu7Ts6Rq5Po4Nm"
TOKEN = f"sk-lm-{IDENTIFIER}:{PASSKEY}"
OTHER_TOKEN = f"sk-lm-00000000:{PASSKEY}"


class TestTokens:
    @pytest.mark.parametrize("text", [TOKEN, f"  {TOKEN}\n"])
    def test_a_token_is_identifier_and_passkey(self, text: str) -> None:
        credentials = Credentials.from_token(text)
        assert (credentials.identifier, credentials.passkey) == (IDENTIFIER, PASSKEY)
        assert not credentials.is_guest

    @pytest.mark.parametrize(
        ("token", "problem"),
        [
            ("", "is empty"),
            (f"{IDENTIFIER}:{PASSKEY}", "does not begin with sk-lm-"),
            (f"SK-LM-{IDENTIFIER}:{PASSKEY}", "does not begin with sk-lm-"),
            (f"Bearer {TOKEN}", "does not begin with sk-lm-"),
            (f"sk-lm-{IDENTIFIER}{PASSKEY}", "no colon"),
            (f"sk-lm-{IDENTIFIER}x:{PASSKEY}", "9 characters stand before the colon instead of 8"),
            (f"sk-lm-{IDENTIFIER}:{PASSKEY}x", "21 characters stand after the colon instead of 20"),
            (f"sk-lm-{IDENTIFIER}:{PASSKEY[:19]}:", "after the colon stands something other"),
            (f"sk-lm-{IDENTIFIER[:7]}-:{PASSKEY}", "before the colon stands something other"),
            (f"sk-lm-{IDENTIFIER[:7]}é:{PASSKEY}", "before the colon stands something other"),
        ],
    )
    def test_a_malformed_token_says_how_and_stays_secret(self, token: str, problem: str) -> None:
        with pytest.raises(UsageError) as caught:
            Credentials.from_token(token, source="api_token")
        message = str(caught.value)
        assert message.startswith("api_token is malformed")
        assert problem in message
        assert "sk-lm-, 8 letters or digits" in message
        assert IDENTIFIER[:7] not in message
        assert PASSKEY[:19] not in message

    def test_what_is_no_text_is_refused(self) -> None:
        with pytest.raises(UsageError, match="must be text, not bytes"):
            resolve_credentials(TOKEN.encode(), {})  # type: ignore[arg-type]


class TestCredentials:
    def test_guests_are_recognisable_and_unique(self) -> None:
        first, second = Credentials.guest(), Credentials.guest()
        assert first.identifier.startswith("guest:")
        assert first.is_guest
        assert first.identifier != second.identifier
        assert first.passkey != second.passkey
        assert len(first.passkey) >= 24

    def test_no_text_form_shows_the_passkey(self) -> None:
        credentials = Credentials.from_token(TOKEN)
        for text in (repr(credentials), str(credentials), f"{credentials}", f"{[credentials]}"):
            assert IDENTIFIER in text
            assert PASSKEY not in text
            assert REDACTED in text

    def test_they_are_values(self) -> None:
        credentials = Credentials("plugin-1", "secret")
        assert credentials == Credentials("plugin-1", "secret")
        assert credentials != Credentials("plugin-1", "other")
        assert copy.deepcopy(credentials) == credentials == pickle.loads(pickle.dumps(credentials))
        with pytest.raises(AttributeError):
            credentials.passkey = "x"  # type: ignore[misc]

    @pytest.mark.parametrize(
        ("identifier", "passkey"), [("", "x"), ("x", ""), ("i" * 257, "x"), ("x", "p" * 257)]
    )
    def test_the_limits_of_the_wire(self, identifier: str, passkey: str) -> None:
        with pytest.raises(UsageError, match="1 to 256 characters") as caught:
            Credentials(identifier, passkey)
        assert "ppp" not in str(caught.value)
        assert Credentials("i" * 256, "p" * 256).is_guest is False


class TestPrecedence:
    def test_a_token_goes_before_the_environment(self) -> None:
        assert resolve_credentials(TOKEN, {"LM_API_TOKEN": OTHER_TOKEN}).identifier == IDENTIFIER

    def test_ready_credentials_are_kept(self) -> None:
        credentials = Credentials("plugin-1", "secret")
        assert resolve_credentials(credentials, {"LM_API_TOKEN": "malformed"}) is credentials

    @pytest.mark.parametrize("variable", ["LMSTUDIO_API_TOKEN", "LM_API_TOKEN"])
    @pytest.mark.parametrize("argument", [None, "", "  "])
    def test_the_environment_goes_before_a_guest(self, variable: str, argument: str | None) -> None:
        assert resolve_credentials(argument, {variable: f" {TOKEN} "}).identifier == IDENTIFIER

    def test_the_process_environment(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("LMSTUDIO_API_TOKEN", TOKEN)
        monkeypatch.setenv("LM_API_TOKEN", TOKEN)
        assert resolve_credentials() == Credentials(IDENTIFIER, PASSKEY)

    def test_without_any_token_a_guest(self) -> None:
        assert resolve_credentials(None, {}).is_guest
        assert resolve_credentials("", {"LM_API_TOKEN": " "}).is_guest

    def test_two_different_tokens(self) -> None:
        with pytest.raises(UsageError, match="LMSTUDIO_API_TOKEN and LM_API_TOKEN hold different") as caught:
            resolve_credentials(None, {"LM_API_TOKEN": TOKEN, "LMSTUDIO_API_TOKEN": OTHER_TOKEN})
        assert PASSKEY not in str(caught.value)

    def test_a_malformed_value_names_its_variable(self) -> None:
        with pytest.raises(UsageError, match="environment variable LM_API_TOKEN is malformed") as caught:
            resolve_credentials(None, {"LM_API_TOKEN": PASSKEY})
        assert PASSKEY not in str(caught.value)


class TestRedaction:
    def test_an_authentication_packet(self) -> None:
        frame = {"authVersion": 1, "clientIdentifier": IDENTIFIER, "clientPasskey": PASSKEY}
        original = copy.deepcopy(frame)
        assert redact(frame) == {"authVersion": 1, "clientIdentifier": IDENTIFIER, "clientPasskey": REDACTED}
        assert frame == original

    @pytest.mark.parametrize("secret", [PASSKEY, None, 7, {"a": [PASSKEY]}])
    def test_at_any_depth_whatever_the_value(self, secret: Any) -> None:
        frame = {
            "type": "rpcResult",
            "callId": 1,
            "result": [{"clientPasskey": secret, "other": [1, {"x": "y"}]}],
        }
        original = copy.deepcopy(frame)
        result = [{"clientPasskey": REDACTED, "other": [1, {"x": "y"}]}]
        assert redact(frame) == {"type": "rpcResult", "callId": 1, "result": result}
        assert frame == original

    @pytest.mark.parametrize("frame", [None, 3, "clientPasskey", [], {}, {"type": "keepAlive"}])
    def test_other_frames_are_unchanged(self, frame: Any) -> None:
        assert redact(frame) == frame

    @pytest.mark.parametrize(
        ("quoted", "shown"),
        [
            ('{"privateKey":"%s","k":1}', '{"privateKey":"<redacted>","k":1}'),
            ('{\n  "clientPasskey": "%s\\" and more",\n', '{\n  "clientPasskey": "<redacted>",\n'),
            (r'"{\"privateKey\": \"%s\", \"k\": 1}"', r'"{\"privateKey\": \"<redacted>\", \"k\": 1}"'),
            ('{"privateKey":"cut off: %s', '{"privateKey":"<redacted>"'),
            ("privateKey = %s, k = 1", "privateKey = <redacted>, k = 1"),
            ("{'clientPasskey': '%s'}", "{'clientPasskey': '<redacted>'}"),
        ],
    )
    def test_text_that_quotes_a_frame(self, quoted: str, shown: str) -> None:
        warning = f"Received invalid parameter: {quoted % PASSKEY}"
        assert redact_quoted(warning) == f"Received invalid parameter: {shown}"
        frame = {"type": "communicationWarning", "warning": warning}
        assert PASSKEY not in redact_text(json.dumps(frame).encode()).decode()
        assert json.loads(redact_text(json.dumps(frame).encode())) == redact(frame)

    def test_depth_does_not_matter(self) -> None:
        frame: Any = {"clientPasskey": PASSKEY}
        for _ in range(5000):
            frame = [frame]
        redacted = redact(frame)
        for _ in range(5000):
            redacted = redacted[0]
        assert redacted == {"clientPasskey": REDACTED}

    def test_text_without_passkey_is_unchanged(self) -> None:
        for text in (b'{ "type":"channelSend", "message": "\\u00e9" }', b"", b"no JSON", b"\xff\xfe"):
            assert redact_text(text) == text
            assert redact_text(memoryview(text)) == text

    @pytest.mark.parametrize(
        "key", ["clientPasskey", "client\\u0050asskey", "\\u0063\\u006cientPasske\\u0079"]
    )
    def test_text_with_passkey(self, key: str) -> None:
        text = f'{{"authVersion": 1, "clientIdentifier": "é", "{key}": "{PASSKEY}"}}'
        redacted = redact_text(text.encode())
        assert json.loads(redacted) == {"authVersion": 1, "clientIdentifier": "é", "clientPasskey": REDACTED}

    @pytest.mark.parametrize(
        "text",
        [
            '{"clientPasskey": "%s"',
            '{"client\\u0050asskey": "%s"',
            "[" * 100_000 + '{"clientPasskey": "%s"}' + "]" * 100_000,
        ],
    )
    def test_of_what_cannot_be_redacted_nothing_is_shown(self, text: str) -> None:
        assert redact_text((text % PASSKEY).encode()) == json.dumps(REDACTED).encode()
