"""What ``schema/surface`` may say: each name in it is looked up, and what a revision or a package lacks is left out."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from lmwire_codegen import pipeline
from lmwire_codegen.problems import SchemaProblems
from lmwire_codegen.surface import build_surfaces
from tests.codegen.support import CHECKOUT

LLM = "surface/llm.yaml"


def changed(document: Mapping[str, Any], path: str, value: Any) -> Any:
    """A copy of a surface file in which a value is another one."""
    result = copy.deepcopy(document)
    *parents, last = path.split("/")
    place: Any = result
    for step in parents:
        place = place[int(step) if step.isdigit() else step]
    place[last] = value
    return result


@pytest.mark.parametrize(
    ("path", "value", "words"),
    [
        ("streams/respond/attempts/0/events", ["toolCall"], "/attempts/0/events/toolCall: predict sends no packet"),
        ("streams/respond/attempts/0/collects/toolCallGenerationEnd/field", "call", "there is no field 'call'"),
        ("streams/respond/attempts/0/template/history", "$chat", "no such variable '$chat'; there are "),
        ("streams/respond/tools/type", "Tool", "#/streams/respond/tools/type: the schema has no type 'Tool'"),
        ("streams/respond/input/kind", "json", "is not one of ['text', 'chat']"),
        ("text/collected/tool_calls/type", "Call", "#/text/collected/tool_calls/type: the schema has no type 'Call'"),
        ("text/results/stats/field", "figures", "there is no field 'figures'"),
        ("text/event_type", "no name", "does not match"),
        ("chat/type", "ChatHistory", "#/chat/type: the schema has no type 'ChatHistory'"),
        ("chat/messages", "turns", "#/chat/messages: there is no field 'turns'"),
        ("text/options", "predictions", "#/text/options: there is no table 'predictions'"),
        ("loads/get_or_load/options", "loading", "#/loads/get_or_load/options: there is no table 'loading'"),
        ("methods/tokenize/endpoint", "listLoaded", "what should have the field 'tokens' is list["),
        ("methods/get_info/endpoint", "unloadModel", "there is no field 'throwIfNotFound'"),
        ("methods/apply_prompt_template/arguments", {"x": "opts"}, "#/methods/apply_prompt_template: "),
        ("methods/apply_prompt_template/layer/config", {"fields": "$option"}, "no such variable '$option'"),
        ("methods/apply_prompt_template/parameters/opts", {"kind": "object", "description": ""}, "'type' is"),
        ("calls/estimate/template/device", "x", "#/calls/estimate/template/device: there is no field 'device'"),
        ("downloaded/endpoint", "listModels", "#/downloaded/endpoint: system has no rpc endpoint 'listModels'"),
        ("downloaded/type", "Model", "#/downloaded/type: the schema has no type 'Model'"),
    ],
)  # fmt: skip
def test_a_wrong_name_is_a_problem_with_its_place(path: str, value: Any, words: str) -> None:
    model, folder = pipeline.compile_model(CHECKOUT / "schema", "lmwire")
    surface = changed(folder.surface[LLM], path, value)

    with pytest.raises(SchemaProblems) as caught:
        build_surfaces(model, {LLM: surface})

    assert any(str(problem).startswith(LLM) and words in str(problem) for problem in caught.value.problems), [
        *map(str, caught.value.problems)
    ]


def test_a_method_needs_a_parameter_for_the_model() -> None:
    model, folder = pipeline.compile_model(CHECKOUT / "schema", "lmwire")
    method = {"endpoint": "unloadModel", "description": "x", "arguments": {"identifier": "identifier"}}
    surface = changed(folder.surface[LLM], "methods/unload_it", method)

    with pytest.raises(SchemaProblems, match="#/methods/unload_it: unloadModel takes no ModelSpecifier"):
        build_surfaces(model, {LLM: surface})


def test_streams_need_what_they_have_in_common() -> None:
    model, folder = pipeline.compile_model(CHECKOUT / "schema", "lmwire")
    surface = {key: value for key, value in folder.surface[LLM].items() if key != "text"}

    with pytest.raises(SchemaProblems, match="'text' is a dependency of 'streams'"):
        build_surfaces(model, {LLM: surface})


def test_a_package_without_the_other_namespace_lists_nothing_on_disk(tmp_path: Path) -> None:
    package = tmp_path / "small"
    pipeline.generate(CHECKOUT / "schema", package, "small", only=["llm"])

    handles = (package / "llm" / "handles.py").read_text("utf-8")
    assert "def estimate(" in handles
    assert "def list_downloaded(" not in handles
    assert not (package / "embedding").exists()
