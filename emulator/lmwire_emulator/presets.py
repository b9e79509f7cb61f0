"""Presets: named prediction configs that a request can lie upon (wire: ``fuzzyPresetIdentifier``)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import attrs

from lmwire_emulator.errors import PresetNotFoundError
from lmwire_emulator.kv_config import Field

__all__ = ["DEFAULT_PRESETS", "Preset", "find_preset"]


@attrs.frozen(kw_only=True)
class Preset:
    """A preset: ``identifier`` is ``publisher/name``, ``fields`` are in wire form."""

    identifier: str
    name: str
    fields: Sequence[Field] = ()


def _checked(key: str, value: object) -> Field:
    return {"key": f"llm.prediction.{key}", "value": {"checked": True, "value": value}}


DEFAULT_PRESETS: Final = (
    Preset(
        identifier="emulator/concise",
        name="Concise",
        fields=(
            _checked("maxPredictedTokens", 12),
            {"key": "llm.prediction.stopStrings", "value": ["."]},
        ),
    ),
    Preset(
        identifier="emulator/steady",
        name="Steady",
        fields=(
            _checked("seed", 1),
            {"key": "llm.prediction.temperature", "value": 0},
        ),
    ),
)


def find_preset(presets: Sequence[Preset], wanted: str) -> Preset:
    """Find a preset by its identifier; or else, in any case, by identifier, the last part of it, or name.

    Raises:
        PresetNotFoundError: There is none, or the looser search finds several.
    """
    for preset in presets:
        if preset.identifier == wanted:
            return preset
    folded = wanted.casefold()
    found = [preset for preset in presets if folded in _names(preset)]
    if len(found) != 1:
        raise PresetNotFoundError(wanted, available=[(preset.identifier, preset.name) for preset in presets])
    return found[0]


def _names(preset: Preset) -> set[str]:
    return {
        name.casefold() for name in (preset.identifier, preset.identifier.rsplit("/", 1)[-1], preset.name)
    }
