"""What goes wrong on purpose: the ends that a load or a prediction can have instead of its result."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeAlias

import attrs

__all__ = [
    "CloseWithoutResult",
    "DropTheConnection",
    "Fail",
    "Fault",
    "Hang",
    "LoadFault",
    "UnloadTheModel",
]


@attrs.frozen
class Fail:
    """It ends with an error: an error object in wire spelling, or the bare text or null that odd servers send."""

    error: Mapping[str, Any] | str | None


@attrs.frozen
class CloseWithoutResult:
    """The channel closes without a result."""


@attrs.frozen
class Hang:
    """Nothing more comes until the client cancels."""


@attrs.frozen
class DropTheConnection:
    """The connection drops."""


@attrs.frozen
class UnloadTheModel:
    """The model is unloaded, so that the prediction fails with ``generic.specificModelUnloaded``."""


LoadFault: TypeAlias = Fail | CloseWithoutResult | Hang | DropTheConnection
Fault: TypeAlias = LoadFault | UnloadTheModel
