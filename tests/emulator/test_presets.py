"""Presets are found by what people call them."""

from __future__ import annotations

import pytest

from lmwire_emulator.errors import PresetNotFoundError
from lmwire_emulator.presets import DEFAULT_PRESETS, Preset, find_preset
from lmwire_emulator.sampling import SamplingParameters, read_prediction_config

TERSE = Preset(identifier="acme/terse", name="Short and Sweet")
CHATTY = Preset(identifier="acme/chatty", name="Chatty")
OTHER_CHATTY = Preset(identifier="other/chatty", name="More")
PRESETS = (TERSE, CHATTY, OTHER_CHATTY)


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        ("acme/terse", TERSE),
        ("ACME/Terse", TERSE),
        ("terse", TERSE),
        ("short and sweet", TERSE),
        ("acme/chatty", CHATTY),
        ("more", OTHER_CHATTY),
    ],
)
def test_found(wanted: str, found: Preset) -> None:
    assert find_preset(PRESETS, wanted) is found


@pytest.mark.parametrize("wanted", ["", "acme", "ters", "chatty"])
def test_not_found_or_not_only_one(wanted: str) -> None:
    with pytest.raises(PresetNotFoundError) as caught:
        find_preset(PRESETS, wanted)

    assert caught.value.title == f'Cannot find a preset that matches "{wanted}"'
    assert caught.value.display_data == {
        "code": "generic.presetNotFound",
        "specifiedFuzzyPresetIdentifier": wanted,
        "availablePresetsSample": [
            {"identifier": "acme/terse", "name": "Short and Sweet"},
            {"identifier": "acme/chatty", "name": "Chatty"},
            {"identifier": "other/chatty", "name": "More"},
        ],
        "totalAvailablePresets": 3,
    }


def test_the_presets_that_come_along_change_something() -> None:
    for preset in DEFAULT_PRESETS:
        config = read_prediction_config([], preset=preset.fields)
        assert SamplingParameters.from_config(config) != SamplingParameters()
        assert len(config.values) == len(preset.fields)


def test_a_sample_lists_five_at_most() -> None:
    many = [Preset(identifier=f"a/{number}", name=str(number)) for number in range(9)]
    with pytest.raises(PresetNotFoundError) as caught:
        find_preset(many, "nope")

    assert caught.value.display_data is not None
    assert len(caught.value.display_data["availablePresetsSample"]) == 5
    assert caught.value.display_data["totalAvailablePresets"] == 9
