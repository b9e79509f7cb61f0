"""Config stacks are read the lenient way: layers over each other, encodings undone, nonsense dropped."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lmwire_emulator.kv_config import ConfigLayer, Field, KVConfig, read_config
from lmwire_emulator.kv_rules import EMBEDDING_LOAD_RULES, LLM_LOAD_RULES, PREDICTION_RULES, Rules
from lmwire_emulator.sampling import (
    LoadParameters,
    SamplingParameters,
    read_load_config,
    read_prediction_config,
)


def layer(*fields: tuple[str, Any], name: str = "apiOverride") -> ConfigLayer:
    return ConfigLayer(name, [{"key": f"llm.prediction.{key}", "value": value} for key, value in fields])


def parameters(*fields: tuple[str, Any]) -> SamplingParameters:
    return SamplingParameters.from_config(read_prediction_config([layer(*fields)]))


def on(value: Any) -> dict[str, Any]:
    return {"checked": True, "value": value}


def off(value: Any) -> dict[str, Any]:
    return {"checked": False, "value": value}


def test_without_any_field_the_defaults_hold() -> None:
    assert parameters() == SamplingParameters(
        temperature=0.8,
        max_tokens=None,
        stop_strings=(),
        top_k=40,
        top_p=0.95,
        min_p=0.05,
        repeat_penalty=1.1,
    )


@pytest.mark.parametrize(
    ("key", "value", "name", "read"),
    [
        ("temperature", 0, "temperature", 0),
        ("temperature", 1.5, "temperature", 1.5),
        ("maxPredictedTokens", on(12), "max_tokens", 12),
        ("maxPredictedTokens", on(12.0), "max_tokens", 12),
        ("maxPredictedTokens", off(12), "max_tokens", None),
        ("stopStrings", ["a", "b", "a"], "stop_strings", ("a", "b")),
        ("contextOverflowPolicy", "stopAtLimit", "context_overflow_policy", "stopAtLimit"),
        ("topKSampling", 10.0, "top_k", 10),
        ("topKSampling", -1, "top_k", None),
        ("topKSampling", 0, "top_k", None),
        ("topPSampling", on(0.5), "top_p", 0.5),
        ("topPSampling", off(0.5), "top_p", None),
        ("minPSampling", on(0), "min_p", None),
        ("repeatPenalty", off(1.1), "repeat_penalty", None),
        ("repeatPenalty", on(-1), "repeat_penalty", None),
        ("llama.presencePenalty", on(0.5), "presence_penalty", 0.5),
        ("llama.frequencyPenalty", on(0.5), "frequency_penalty", 0.5),
        ("seed", on(7), "seed", 7),
        ("seed", on(-1), "seed", None),
        ("seed", off(7), "seed", None),
        ("logProbs", on(3), "log_probs", 3),
        ("logProbs", on(0), "log_probs", 0),
        ("logProbs", off(3), "log_probs", None),
        ("structured", {"type": "none"}, "structured", None),
        ("structured", {"type": "json"}, "structured", {"type": "json"}),
        ("speculativeDecoding.draftModel", "a/b", "draft_model", "a/b"),
        ("speculativeDecoding.draftModel", "", "draft_model", None),
    ],
)
def test_a_field_becomes_a_parameter(key: str, value: Any, name: str, read: Any) -> None:
    found = parameters((key, value))

    assert getattr(found, name) == read
    assert type(getattr(found, name)) is type(read)
    # Nothing else has changed.
    assert attrs.evolve(found, **{name: getattr(parameters(), name)}) == parameters()


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("temperature", "0.5"),
        ("temperature", -0.1),
        ("temperature", math.inf),
        ("temperature", math.nan),
        ("seed", on(-(10**400))),
        ("temperature", True),
        ("temperature", None),
        ("temperature", on(0.5)),
        ("maxPredictedTokens", 12),
        ("maxPredictedTokens", on(0)),
        ("maxPredictedTokens", on(1.5)),
        ("maxPredictedTokens", on(False)),  # what the official Python SDK sends for maxTokens=False
        ("maxPredictedTokens", {"checked": True}),
        ("maxPredictedTokens", {"checked": "yes", "value": 3}),
        ("stopStrings", "a"),
        ("stopStrings", [1]),
        ("stopStrings", ["a", ""]),
        ("contextOverflowPolicy", "other"),
        ("topKSampling", 10.5),
        ("topKSampling", 501),
        ("topPSampling", on(1.5)),
        ("logProbs", on(101)),
        ("structured", {"type": "yaml"}),
        ("structured", "json"),
        ("promptTemplate", {"type": "jinja"}),
        ("promptTemplate", {"type": "jinja", "stopStrings": [], "jinjaPromptTemplate": {"template": 5}}),
        ("unknown.key", 5),
    ],
)
def test_what_does_not_fit_is_dropped(key: str, value: Any) -> None:
    assert parameters((key, value)) == parameters()


@pytest.mark.parametrize(
    "field",
    [{"key": "llm.prediction.temperature"}, {"value": 5}, {"key": 5, "value": 5}, {}],
)
def test_incomplete_fields_are_dropped(field: Field) -> None:
    config = read_prediction_config([ConfigLayer("apiOverride", [field])])

    assert SamplingParameters.from_config(config) == parameters()


def test_later_layers_lie_over_earlier_ones_key_by_key() -> None:
    config = read_prediction_config(
        [
            layer(("temperature", 0.1), ("topKSampling", 1), name="conversationGlobal"),
            layer(("temperature", 0.2), name="apiOverride"),
        ]
    )

    assert config.option("llm.prediction.temperature") == 0.2
    assert config.option("llm.prediction.topKSampling") == 1
    assert config.origins["llm.prediction.temperature"] == "apiOverride"
    assert config.origins["llm.prediction.topKSampling"] == "conversationGlobal"


def test_inside_a_layer_the_last_field_counts() -> None:
    assert parameters(("temperature", 0.1), ("temperature", 0.2)).temperature == 0.2


def test_an_ill_typed_value_does_not_hide_the_one_below() -> None:
    config = read_prediction_config([layer(("temperature", 0.1)), layer(("temperature", "hot"))])

    assert config.option("llm.prediction.temperature") == 0.1


def test_presets_and_the_server_session_lie_below_the_request() -> None:
    preset = layer(("temperature", 0.1), ("topKSampling", 1), ("seed", on(1))).fields
    session = layer(("temperature", 0.2), ("topKSampling", 2)).fields
    config = read_prediction_config([layer(("temperature", 0.3))], preset=preset, server_session=session)
    found = SamplingParameters.from_config(config)

    assert (found.temperature, found.top_k, found.seed) == (0.3, 2, 1)


def test_the_stop_strings_of_a_template_count_too() -> None:
    config = read_prediction_config([layer(("stopStrings", ["a", "b"]))])

    assert SamplingParameters.from_config(config, template_stop_strings=["b", "c"]).stop_strings == (
        "a",
        "b",
        "c",
    )


def test_what_is_reported_has_every_key_and_what_was_set() -> None:
    config = read_prediction_config(
        [layer(("topKSampling", 3.0), ("maxPredictedTokens", on(5)), ("nonesuch", 1))]
    )
    reported = {field["key"]: field["value"] for field in config.fields()}

    assert set(reported) == set(PREDICTION_RULES)
    assert reported["llm.prediction.topKSampling"] == 3
    assert reported["llm.prediction.maxPredictedTokens"] == on(5)
    assert reported["llm.prediction.temperature"] == 0.8


def test_what_is_reported_is_nobody_elses() -> None:
    config = read_prediction_config([])
    for field in config.fields():
        if isinstance(field["value"], dict):
            field["value"].clear()

    assert config.fields() == read_prediction_config([]).fields() != []
    assert all(field["value"] != {} for field in config.fields())


def test_fields_of_the_models_author_are_kept() -> None:
    custom = {"key": "ext.virtualModel.customField.acme.style", "value": {"any": "thing"}}
    config = read_prediction_config([ConfigLayer("apiOverride", [custom])])

    assert custom in config.fields()


@pytest.mark.parametrize("rules", [PREDICTION_RULES, LLM_LOAD_RULES, EMBEDDING_LOAD_RULES])
def test_every_default_fits_its_own_rule(rules: Rules) -> None:
    assert {key: rule.clean(rule.default) for key, rule in rules.items()} == {
        key: rule.default for key, rule in rules.items()
    }


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)


@given(
    st.lists(
        st.tuples(
            st.sampled_from(sorted({**PREDICTION_RULES, **LLM_LOAD_RULES})),
            json_values | json_values.map(on) | json_values.map(off),
        ),
        max_size=8,
    )
)
def test_no_value_at_all_breaks_the_reader(fields: list[tuple[str, Any]]) -> None:
    layers = [ConfigLayer("apiOverride", [{"key": key, "value": value} for key, value in fields])]

    SamplingParameters.from_config(read_prediction_config(layers))
    LoadParameters.from_config(
        read_load_config(layers, domain="llm", default_context_length=10, max_context_length=100)
    )


def load_parameters(domain: str, *fields: Field) -> LoadParameters:
    config: KVConfig = read_load_config(
        [ConfigLayer("apiOverride", fields)],
        domain=domain,
        default_context_length=300,
        max_context_length=1000,
    )
    return LoadParameters.from_config(config)


@pytest.mark.parametrize("domain", ["llm", "embedding"])
def test_load_configs(domain: str) -> None:
    assert load_parameters(domain) == LoadParameters(context_length=300, seed=None)
    assert load_parameters(
        domain,
        {"key": f"{domain}.load.contextLength", "value": 500.0},
        {"key": f"{domain}.load.seed", "value": on(3)},
    ) == LoadParameters(context_length=500, seed=3)
    assert load_parameters(
        domain,
        {"key": f"{domain}.load.contextLength", "value": 5000},
        {"key": f"{domain}.load.seed", "value": on(-1)},
    ) == LoadParameters(context_length=1000, seed=None)
    assert load_parameters(domain, {"key": f"{domain}.load.contextLength", "value": 0}).context_length == 300


def test_a_load_config_of_another_domain_changes_nothing() -> None:
    assert load_parameters("llm", {"key": "embedding.load.contextLength", "value": 5}).context_length == 300


def test_what_the_official_python_sdk_sends() -> None:
    text = Path(__file__).with_name("prediction_stack.json").read_text(encoding="utf-8")
    layers = [
        ConfigLayer(entry["layerName"], entry["config"]["fields"]) for entry in json.loads(text)["layers"]
    ]
    found = SamplingParameters.from_config(read_config(PREDICTION_RULES, layers))

    assert found == SamplingParameters(
        temperature=0.5,
        max_tokens=3,
        stop_strings=("zzz",),
        context_overflow_policy="rollingWindow",
        top_k=10,
        top_p=0.9,
        min_p=0.1,
        repeat_penalty=1.2,
    )
