"""No option is forgotten: neither of those that the real clients declare, nor of ours."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import pytest

from lmwire.config import LLM_LOAD, LLM_PREDICTION
from lmwire_runtime.surface.options import OptionTable
from tests.interop import programs
from tests.interop.calls import CALLS, Kind
from tests.interop.environments import NODE_SDKS, NodeProject
from tests.interop.options import (
    KNOWN_LOAD,
    KNOWN_PREDICTION,
    LOAD_SET_ASIDE,
    PREDICTION_SET_ASIDE,
)
from tests.support import requires


def _called(sdk: str, kind: Kind) -> set[str]:
    """The options that an SDK is called with."""
    return {name for call in CALLS if call.kind == kind and call.made_by(sdk) for name in call.config}


def _lacking(sdk: str, kind: Kind) -> set[str]:
    """Options in calls that an SDK cannot make, each for a reason that the call gives."""
    return {name for call in CALLS if call.kind == kind and sdk in call.lacks for name in call.config}


@pytest.mark.parametrize(
    ("table", "kind", "aside"),
    [(LLM_PREDICTION, "completion", PREDICTION_SET_ASIDE), (LLM_LOAD, "models", LOAD_SET_ASIDE)],
    ids=["prediction", "load"],
)
def test_each_of_our_options_is_called(table: OptionTable[Any], kind: Kind, aside: Iterable[str]) -> None:
    ours = {option.name for option in table.options if not option.reported}
    assert ours - {*aside} == _called("ours", kind)


@pytest.mark.parametrize("sdk", KNOWN_PREDICTION)
@pytest.mark.parametrize(
    ("known", "kind", "aside"),
    [(KNOWN_PREDICTION, "completion", PREDICTION_SET_ASIDE), (KNOWN_LOAD, "models", LOAD_SET_ASIDE)],
    ids=["prediction", "load"],
)
def test_each_option_of_an_sdk_is_called_or_has_a_reason(
    sdk: str, known: Mapping[str, frozenset[str]], kind: Kind, aside: Iterable[str]
) -> None:
    reasons = {*aside} | _lacking(sdk, kind)
    assert known[sdk] - _called(sdk, kind) <= reasons


@requires("official-python")
def test_what_the_python_sdk_declares(official_python: Path) -> None:
    declared = programs.run_python(official_python, "declares")
    assert set(declared["prediction"]) == KNOWN_PREDICTION["python-1.5.0"]
    assert set(declared["load"]) == KNOWN_LOAD["python-1.5.0"]


@requires("official-node")
@pytest.mark.parametrize("version", NODE_SDKS)
def test_what_the_javascript_sdk_declares(version: str, official_node: Callable[[str], NodeProject]) -> None:
    types = official_node(version).directory / "node_modules/@lmstudio/sdk/dist/index.d.ts"
    text = types.read_text(encoding="utf-8")
    assert _members(text, "LLMPredictionConfigInput") == KNOWN_PREDICTION[f"js-{version}"]
    assert _members(text, "LLMLoadModelConfig") == KNOWN_LOAD[f"js-{version}"]


def _members(declarations: str, interface: str) -> set[str]:
    """The members of an interface in a file of TypeScript declarations, each indented by four spaces."""
    found = re.search(rf"interface {interface}\b[^{{]*\{{(.*?)\n\}}", declarations, re.DOTALL)
    assert found is not None
    return set(re.findall(r"^ {4}(\w+)\??:", found[1], re.MULTILINE))
