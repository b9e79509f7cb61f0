"""Who a client is: API tokens, guests, and keeping their secrets out of sight.

Every connection begins with the wire's authentication packet, ``{"authVersion": 1, "clientIdentifier": ...,
"clientPasskey": ...}``. All connections of one client send the same pair, because a server keeps one context
for each identifier. An API token, ``sk-lm-`` + 8 characters + ``:`` + 20 characters (ASCII letters and
digits), is such a pair in disguise; without a token the client is a guest and makes up its own. Servers that
demand tokens refuse identifiers that begin with ``guest:``.

The passkey is a secret: no ``repr``, error or tap of lmwire shows it.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Mapping
from typing import Any, Final, TypeVar

import attrs

from lmwire_runtime import json_codec
from lmwire_runtime.addresses import environment_settings
from lmwire_runtime.errors import UsageError

__all__ = [
    "GUEST_PREFIX",
    "REDACTED",
    "TOKEN_VARIABLES",
    "Credentials",
    "redact",
    "redact_quoted",
    "redact_text",
    "resolve_credentials",
]

T = TypeVar("T")

TOKEN_VARIABLES: Final = ("LMSTUDIO_API_TOKEN", "LM_API_TOKEN")
"""The environment variables that hold an API token; both mean the same."""

GUEST_PREFIX: Final = "guest:"
"""What the identifier of a client without an API token begins with."""

REDACTED: Final = "<redacted>"
"""What stands in recordings and logs instead of a passkey."""

_TOKEN_PREFIX: Final = "sk-lm-"
_IDENTIFIER_LENGTH: Final = 8
_PASSKEY_LENGTH: Final = 20
_TOKEN_FORM: Final = "sk-lm-, 8 letters or digits, a colon, 20 letters or digits"
# 18 random bytes are 24 characters of text.
_RANDOM_BYTES: Final = 18
_LONGEST_FIELD: Final = 256

_SECRET_KEYS: Final = ("clientPasskey", "privateKey")
_SECRET_KEYS_BYTES: Final = tuple(key.encode() for key in _SECRET_KEYS)
# A key in quoted JSON, which may be quoted again, and its value: to the closing quote, or to where it was cut off.
_QUOTED_SECRET: Final = re.compile(
    rf"((?:{'|'.join(_SECRET_KEYS)})(?:\\*[\"'])?\s*[:=]\s*)"
    r"(?:(\\*[\"'])(?:(?!\2)(?:\\.|.))*(?:\2)?|[^\s,}\]]+)",
    re.DOTALL,
)
_ESCAPED_ASCII: Final = re.compile(rb"\\u00([0-7][0-9A-Fa-f])")


def _check_field(_: Credentials, field: attrs.Attribute[str], value: str) -> None:
    if not isinstance(value, str) or not 0 < len(value) <= _LONGEST_FIELD:
        raise UsageError(f"{field.name} must be text of 1 to {_LONGEST_FIELD} characters")


@attrs.frozen
class Credentials:
    """What a client authenticates with. ``repr`` and ``str`` hide the passkey.

    Attributes:
        identifier: Who it is, the wire's ``clientIdentifier``; 1 to 256 characters.
        passkey: The secret that belongs to it, the wire's ``clientPasskey``; 1 to 256 characters.
    """

    identifier: str = attrs.field(validator=_check_field)
    passkey: str = attrs.field(validator=_check_field, repr=lambda _: REDACTED)

    @classmethod
    def guest(cls) -> Credentials:
        """Return new credentials of nobody in particular: random text, the identifier behind ``guest:``."""
        return cls(
            f"{GUEST_PREFIX}{secrets.token_urlsafe(_RANDOM_BYTES)}", secrets.token_urlsafe(_RANDOM_BYTES)
        )

    @classmethod
    def from_token(cls, token: str, *, source: str = "the API token") -> Credentials:
        """Take an API token apart; surrounding whitespace is ignored.

        Args:
            token: ``sk-lm-XXXXXXXX:YYYYYYYYYYYYYYYYYYYY``; upper and lower case differ.
            source: What an error calls it, such as the name of an environment variable.

        Raises:
            UsageError: It is malformed. The message says in what way, and never shows the token.
        """
        if not isinstance(token, str):
            raise UsageError(f"{source} must be text, not {type(token).__name__}")
        token = token.strip()
        fault = _token_fault(token)
        if fault:
            raise UsageError(f"{source} is malformed: {fault}. A token has the form: {_TOKEN_FORM}")
        identifier, _, passkey = token.removeprefix(_TOKEN_PREFIX).partition(":")
        return cls(identifier, passkey)

    @property
    def is_guest(self) -> bool:
        """Whether servers that demand API tokens refuse these credentials."""
        return self.identifier.startswith(GUEST_PREFIX)


def resolve_credentials(
    api_token: str | Credentials | None = None, environ: Mapping[str, str] | None = None
) -> Credentials:
    """Return what to authenticate with: ``api_token`` if given, else the environment's token, else a guest.

    Args:
        api_token: A token, or ready credentials. Blank text counts as not given, as in the official SDK.
        environ: Read instead of ``os.environ``. Blank variables count as not set.

    Raises:
        UsageError: The token is malformed, or ``TOKEN_VARIABLES`` hold two different ones.
    """
    if isinstance(api_token, Credentials):
        return api_token
    if api_token is not None and not (isinstance(api_token, str) and not api_token.strip()):
        return Credentials.from_token(api_token, source="api_token")
    found = environment_settings(TOKEN_VARIABLES, environ)
    if not found:
        return Credentials.guest()
    if len({token for _, token in found}) > 1:
        named = " and ".join(variable for variable, _ in found)
        raise UsageError(f"the environment variables {named} hold different API tokens; unset one of them")
    variable, token = found[0]
    return Credentials.from_token(token, source=f"the environment variable {variable}")


def redact(frame: T) -> T:
    """Return a parsed frame with every ``clientPasskey`` and ``privateKey``, at any depth, replaced by ``REDACTED``.

    The frame itself stays as it is. Authentication packets have a passkey, so have answers that give out one, and
    warnings quote as text what they are about.
    """
    holder: list[Any] = [frame]
    # Places that still hold the original. A list and no recursion: frames may be nested as deep as they like.
    pending: list[tuple[Any, Any]] = [(holder, 0)]
    while pending:
        container, place = pending.pop()
        value = container[place]
        if isinstance(value, dict):
            copied: Any = {key: REDACTED if key in _SECRET_KEYS else item for key, item in value.items()}
            places: list[Any] = list(copied)
        elif isinstance(value, list):
            copied, places = value.copy(), list(range(len(value)))
        else:
            container[place] = redact_quoted(value) if isinstance(value, str) else value
            continue
        container[place] = copied
        pending.extend((copied, key) for key in places if isinstance(copied[key], (dict, list, str)))
    redacted: T = holder[0]
    return redacted


def redact_quoted(text: str) -> str:
    """Return a text with the ``clientPasskey`` and ``privateKey`` of any JSON it quotes replaced by ``REDACTED``."""
    if not any(key in text for key in _SECRET_KEYS):
        return text
    return _QUOTED_SECRET.sub(lambda match: f"{match[1]}{match[2] or ''}{REDACTED}{match[2] or ''}", text)


def redact_text(text: bytes | bytearray | memoryview) -> bytes:
    """Return a frame's JSON text with every ``clientPasskey`` and ``privateKey`` replaced by ``REDACTED``.

    Text without those keys comes back as it is. Of broken JSON that has it, nothing but the marker comes back.
    """
    data = bytes(text)
    # Names can hide behind JSON escapes.
    plain = _ESCAPED_ASCII.sub(lambda match: bytes([int(match[1], 16)]), data) if rb"\u00" in data else data
    if not any(key in plain for key in _SECRET_KEYS_BYTES):
        return data
    try:
        return json_codec.dumps(redact(json_codec.loads(data)))
    except (ValueError, TypeError, RecursionError):
        return json_codec.dumps(REDACTED)


def _token_fault(token: str) -> str:
    """Say what is wrong with a token, without a character of it; empty if nothing is."""
    if not token:
        return "it is empty"
    if not token.startswith(_TOKEN_PREFIX):
        return f"it does not begin with {_TOKEN_PREFIX}"
    identifier, colon, passkey = token.removeprefix(_TOKEN_PREFIX).partition(":")
    if not colon:
        return "it has no colon"
    for name, part, length in (
        ("before", identifier, _IDENTIFIER_LENGTH),
        ("after", passkey, _PASSKEY_LENGTH),
    ):
        if len(part) != length:
            return f"{len(part)} characters stand {name} the colon instead of {length}"
        if not (part.isascii() and part.isalnum()):
            return f"{name} the colon stands something other than ASCII letters and digits"
    return ""
