"""The models that go wrong, and the documentation of all of them."""

from __future__ import annotations

import re

from lmwire_emulator.catalogue import DEFAULT_CATALOGUE
from lmwire_emulator.faults import CloseWithoutResult, DropTheConnection, Fail, Hang, UnloadTheModel
from tests.support.emulators import ROOT

FAULTS = {
    "emulator/fails-in-mid-stream": Fail,
    "emulator/closes-in-mid-stream": CloseWithoutResult,
    "emulator/hangs-in-mid-stream": Hang,
    "emulator/drops-in-mid-stream": DropTheConnection,
    "emulator/unloads-in-mid-stream": UnloadTheModel,
}


def test_the_documented_models_are_those_there_are() -> None:
    text = (ROOT / "docs" / "emulator.md").read_text(encoding="utf-8")
    section = text.partition("\n## Models\n")[2].partition("\n## ")[0]

    assert re.findall(r"^\| `([^`]+)`", section, re.MULTILINE) == [
        model.model_key for model in DEFAULT_CATALOGUE
    ]


def test_keys_say_what_goes_wrong() -> None:
    models = {model.model_key: model for model in DEFAULT_CATALOGUE}

    assert {key: type(model.fault) for key, model in models.items() if model.fault} == FAULTS
    assert {key for key, model in models.items() if model.loading.fault} == {
        "emulator/fails-to-load",
        "emulator/too-large",
    }
    assert models["emulator/fails-to-load"].loading.begins
    assert not models["emulator/too-large"].loading.begins


def test_the_others_are_healthy() -> None:
    healthy = [model for model in DEFAULT_CATALOGUE if not model.fault and not model.loading.fault]

    assert {model.model_key for model in healthy if model.domain == "llm"} == {
        "emulator/ngram-small",
        "emulator/ngram-small@q4_k_m",
        "emulator/ngram-vision",
        "emulator/ngram-reasoning",
    }
