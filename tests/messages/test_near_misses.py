"""Near-misses of every type: both modes do what the table at the head of ``lmwire_runtime.wire`` says, in place."""

from __future__ import annotations

import json
import random

from tests.messages.checks import EFFORT, assert_judged, for_each
from tests.messages.near_misses import changes, near_misses, places_of
from tests.messages.reference import judge
from tests.messages.samples import Sampler
from tests.messages.schemas import is_valid
from tests.messages.targets import EVERYTHING, LMWIRE, Target


@for_each(EVERYTHING)
def test_one_change(target: Target) -> None:
    for miss in near_misses(target.schema, fields=target.kind is not None):
        assert_judged(target, miss)


@for_each(LMWIRE.classes)
def test_decoding_changes_nothing_of_what_was_received(target: Target) -> None:
    misses = list(near_misses(target.schema, fields=True))[::7]
    before = json.dumps([miss.value for miss in misses])
    for miss in misses:
        assert_judged(target, miss)
    assert json.dumps([miss.value for miss in misses]) == before


@for_each(LMWIRE.parts)
def test_changes_at_any_depth(target: Target) -> None:
    """In random instances, at random places; also a second change, beside the first or inside of it."""
    sampler, chance = Sampler(target.name), random.Random(target.name)
    for _ in range(8 * EFFORT):
        value = sampler.instance(target.schema)
        for _ in range(2):
            at, schema = chance.choice(places_of(target.schema, value))
            miss = chance.choice(list(changes(value, at, schema)))
            if assert_judged(target, miss).lenient():
                break
            value = miss.value


@for_each(EVERYTHING)
def test_the_oracle_agrees_with_jsonschema(target: Target) -> None:
    """What the oracle lets strict mode accept is exactly what the jsonschema library calls valid."""
    misses = list(near_misses(target.schema, fields=target.kind is not None))
    for miss in random.Random(target.name).sample(misses, min(len(misses), 20 * EFFORT)):
        assert is_valid(target.schema, miss.value) == (not judge(target.schema, miss.value).deviations), miss
