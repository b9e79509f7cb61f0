"""All checks of servers, in the order in which they run."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from lmwire_tools.conformance import (
    server_checks_channels,
    server_checks_connecting,
    server_checks_envelope,
)
from lmwire_tools.conformance.checks import Check
from lmwire_tools.conformance.raw import Server

__all__ = ["SERVER_CHECKS"]

SERVER_CHECKS: Final[Sequence[Check[Server]]] = (
    *server_checks_connecting.CHECKS,
    *server_checks_envelope.CHECKS,
    *server_checks_channels.CHECKS,
)
