"""What happens while a model is loaded, in the order of ``ModelRegistry.load`` and ``ModelRegistry.get_or_load``."""

from __future__ import annotations

from typing import TypeAlias

import attrs

from lmwire_emulator.models import LoadedModel, Model

__all__ = [
    "AlreadyLoaded",
    "ConnectionDropped",
    "LoadEvent",
    "LoadProgress",
    "Loaded",
    "Resolved",
    "StartLoading",
    "UnloadingOther",
]


@attrs.frozen
class AlreadyLoaded:
    """Nothing had to be loaded; the last event."""

    instance: LoadedModel


@attrs.frozen
class Resolved:
    """Which model will be loaded, and the keys of all that matched if it was not the only one."""

    model: Model
    ambiguous: tuple[str, ...] | None = None


@attrs.frozen
class UnloadingOther:
    """An instance that was loaded just in time had to make room; it is unloaded."""

    instance: LoadedModel


@attrs.frozen
class StartLoading:
    """Loading begins, under this identifier."""

    identifier: str
    model: Model


@attrs.frozen
class LoadProgress:
    """How much is loaded, 0..1."""

    progress: float


@attrs.frozen
class Loaded:
    """The model is loaded; the last event."""

    instance: LoadedModel


@attrs.frozen
class ConnectionDropped:
    """The whole connection shall be dropped without a word; the last event."""


LoadEvent: TypeAlias = (
    AlreadyLoaded | Resolved | UnloadingOther | StartLoading | LoadProgress | Loaded | ConnectionDropped
)
