"""Every valid instance of every type survives decode -> encode, in every mode, and without a warning."""

from __future__ import annotations

from typing import Any, Final

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis_jsonschema import from_schema

from lmwire_runtime.wire import STRICT, Message
from tests.messages.checks import EFFORT, assert_survives, assert_valid, for_each
from tests.messages.samples import Sampler, covering
from tests.messages.schemas import Schema
from tests.messages.targets import EVERYTHING, LMWIRE, Target

FOREIGN: Final = [*LMWIRE.parts, *LMWIRE.unions][:: 16 if EFFORT == 1 else 1]
"""Targets whose instances another library makes; it takes its time, so that a short run sees few."""


@for_each(EVERYTHING)
def test_chosen_instances(target: Target) -> None:
    for value in covering(target.schema):
        assert_survives(target, value)


@for_each(LMWIRE.parts)
def test_random_instances(target: Target) -> None:
    sampler = Sampler(target.name)
    for _ in range(10 * EFFORT):
        assert_survives(target, sampler.instance(target.schema))


@pytest.mark.parametrize("target", FOREIGN, ids=lambda target: target.name)
def test_instances_of_another_maker(target: Target) -> None:
    """hypothesis-jsonschema reads the schemas independently of us, and finds the smallest instance that fails."""

    @settings(
        max_examples=3 * EFFORT, database=None, deadline=None, derandomize=True,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large], phases=(Phase.generate, Phase.shrink),
    )  # fmt: skip
    @given(from_schema(_of_draft_7(target.schema)))
    def survive(value: Any) -> None:
        assert_survives(target, value)

    survive()


def _of_draft_7(schema: Schema) -> Schema:
    """Translate into what hypothesis-jsonschema knows: JSON Schema's draft 7, with patterns of Python."""
    made: Schema = {}
    for key, value in schema.items():
        if key == "properties":
            made[key] = {name: _of_draft_7(child) for name, child in value.items()}
        elif key == "prefixItems":
            count = len(value)
            made |= {"items": list(map(_of_draft_7, value)), "minItems": count, "maxItems": count}
        elif key == "anyOf":
            made[key] = list(map(_of_draft_7, value))
        elif key in ("items", "additionalProperties") and isinstance(value, dict):
            made[key] = _of_draft_7(value)
        elif key == "pattern":
            made[key] = r"^\w+\Z" if r"\p" in value else value.replace("$", r"\Z")
        elif key != "items":
            made[key] = value
    return made


@for_each(EVERYTHING)
def test_what_is_taken_for_valid_is_valid(target: Target) -> None:
    assert_valid(target, covering(target.schema))
    if target.codec is not None:
        sampler = Sampler(target.name)
        assert_valid(target, [sampler.instance(target.schema) for _ in range(2 * EFFORT)])


@for_each(LMWIRE.unions)
def test_members_of_unions_are_known(target: Target) -> None:
    for value in covering(target.schema):
        assert isinstance(target.decode(value, STRICT), Message)
