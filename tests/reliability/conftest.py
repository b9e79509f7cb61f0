"""The server of a small namespace and the clients of either kind, as the tests of the runtime have them."""

from __future__ import annotations

from tests.runtime.conftest import handlers, peers, server, shell, shells

__all__ = ["handlers", "peers", "server", "shell", "shells"]
