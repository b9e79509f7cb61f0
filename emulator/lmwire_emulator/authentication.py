"""Who may use the emulator: everybody, as long as nobody takes another client's identity, or holders of API
tokens only.
"""

from __future__ import annotations

import hmac
from collections import Counter
from collections.abc import Iterable

from lmwire_runtime.credentials import GUEST_PREFIX, Credentials

__all__ = ["Gatekeeper"]


class Gatekeeper:
    """Judges the credentials of each connection.

    Without tokens, the first connection with a new identifier fixes its passkey, until the last connection
    with it has gone. With tokens, only their holders get in.

    Args:
        api_tokens: The tokens to accept; none makes an open server.

    Raises:
        UsageError: A token is malformed.
    """

    def __init__(self, api_tokens: Iterable[str] = ()) -> None:
        self._demanded = {
            credentials.identifier: credentials.passkey
            for credentials in map(Credentials.from_token, api_tokens)
        }
        self._passkeys: dict[str, str] = {}
        self._connections: Counter[str] = Counter()

    @property
    def demands_tokens(self) -> bool:
        """Whether only holders of API tokens get in."""
        return bool(self._demanded)

    async def authenticate(self, identifier: str, passkey: str) -> str | None:
        """Return None to accept, or why not; passkeys are compared in constant time."""
        if self._demanded:
            known = self._demanded.get(identifier)
            if identifier.startswith(GUEST_PREFIX):
                return "This server wants an API token, and none was given"
            if known is None or not _equal(known, passkey):
                return "This server wants an API token, and the one given is not valid here"
            return None
        known = self._passkeys.setdefault(identifier, passkey)
        if not _equal(known, passkey):
            return f'Failed to validate client: Invalid client passkey for client "{identifier}"'
        self._connections[identifier] += 1
        return None

    def released(self, identifier: str) -> None:
        """Note that a connection of this client has ended."""
        self._connections[identifier] -= 1
        if self._connections[identifier] <= 0:
            del self._connections[identifier]
            self._passkeys.pop(identifier, None)


def _equal(one: str, other: str) -> bool:
    return hmac.compare_digest(one.encode("utf-8", "surrogatepass"), other.encode("utf-8", "surrogatepass"))
