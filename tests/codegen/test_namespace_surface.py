"""What surface files without a handle may say, and what becomes of them in packages and revisions that have less."""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import Any

import pytest

from lmwire_codegen import pipeline
from lmwire_codegen.load import SchemaFolder
from lmwire_codegen.model import Model
from lmwire_codegen.options import build_options, check_references
from lmwire_codegen.problems import SchemaProblems
from lmwire_codegen.surface import build_namespaces
from tests.codegen.support import CHECKOUT
from tests.codegen.test_surface import changed

UPLOAD = {"endpoint": "uploadFileBase64", "description": "x"}
VERSION = {"endpoint": "version", "description": "x"}
PROGRESS = {"packet": "progress", "gives": [], "description": "x"}


@pytest.fixture(scope="module")
def compiled() -> tuple[Model, SchemaFolder]:
    return pipeline.compile_model(CHECKOUT / "schema", "lmwire")


@pytest.mark.parametrize(
    ("file", "path", "value", "words"),
    [
        ("files", "calls/upload/endpoint", "uploadFile", "upload/endpoint: files has no rpc endpoint 'uploadFile'"),
        ("files", "calls/upload/template/title", "$name", "#/calls/upload/template/title: there is no field 'title'"),
        ("files", "calls/upload/template/name", "$title", "#/calls/upload/template/name: no such variable '$title'"),
        ("files", "calls/upload/makes/type", "File", "#/calls/upload/makes/type: the schema has no type 'File'"),
        ("files", "calls/upload/makes/template/size", "$size", "makes/template/size: no such variable '$size'"),
        ("files", "calls/upload/returns", "identifier", "#/calls/upload: "),
        ("files", "calls/path_of/returns", "paths", "#/calls/path_of/returns: there is no field 'paths'"),
        ("files", "calls/path_of/parameters/other", {"kind": "flag", "description": "x"},
         "#/calls/path_of/parameters/other: nothing is made of this parameter"),
        ("files", "calls/path_of/parameters/file/types", ["Nothing"], "file/types/0: the schema has no type 'Nothing'"),
        ("files", "calls/path_of/parameters/file/field", "sizes", "file/field: there is no field 'sizes'"),
        ("files", "calls/path_of/parameters/file/kind", "file", "'file' is not one of"),
        ("files", "calls/rpc", UPLOAD, "needs a parameter, so a template"),
        ("system", "calls/client", VERSION, "the namespace has 'client' already"),
        ("system", "calls/rpc", VERSION, "#/calls/rpc: the namespace has 'rpc' already"),
        ("files", "operations/parse/result/packet", "end", "result/packet: parseDocument sends no packet 'end'"),
        ("files", "operations/parse/result/field", "text", "result/field: there is no field 'text'"),
        ("files", "operations/parse/result", "never", "is not valid under any of the given schemas"),
        ("files", "operations/parse/tells/on_progress/packet", "percent", "parseDocument sends no packet 'percent'"),
        ("files", "operations/parse/tells/on_progress/gives", ["value"], "gives: there is no field 'value'"),
        ("files", "operations/parse/tells/on_progress/gives", [], "[] should be non-empty"),
        ("files", "operations/parse/tells/progress", PROGRESS, "does not match"),
        ("files", "operations/retrieve/options", "retrievals", "retrieve/options: there is no table 'retrievals'"),
        ("diagnostics", "events/stream_logs/yields", {"line": "log"}, "streamLogs sends no packet 'line'"),
        ("diagnostics", "events/stream_logs/yields", {"log": "line"}, "there is no field 'line'"),
        ("diagnostics", "namespace", "logs", "#/namespace: the schema has no namespace 'logs'"),
        ("diagnostics", "streams", {}, "Additional properties are not allowed ('streams' was unexpected)"),
    ],
)  # fmt: skip
def test_a_wrong_name_is_a_problem_with_its_place(
    compiled: tuple[Model, SchemaFolder], file: str, path: str, value: Any, words: str
) -> None:
    model, folder = compiled
    name = f"surface/{file}.yaml"
    surface = changed(folder.surface[name], path, value)

    with pytest.raises(SchemaProblems) as caught:
        build_namespaces(model, {name: surface})

    problems = [*map(str, caught.value.problems)]
    assert any(problem.startswith(name) and words in problem for problem in problems), problems


def test_a_method_may_not_be_called_like_a_way_to_follow_another(
    compiled: tuple[Model, SchemaFolder],
) -> None:
    model, folder = compiled
    name = "surface/files.yaml"
    surface = changed(
        folder.surface[name], "operations/parse_stream", folder.surface[name]["operations"]["parse"]
    )

    with pytest.raises(
        SchemaProblems, match="#/operations/parse_stream: the namespace has 'parse_stream' already"
    ):
        build_namespaces(model, {name: surface})


def test_a_class_may_not_be_called_like_a_message(compiled: tuple[Model, SchemaFolder]) -> None:
    model, folder = compiled
    name = "surface/diagnostics.yaml"
    operation = {
        "endpoint": "streamLogs",
        "description": "x",
        "tells": {"on_log": {"packet": "log", "gives": "packet", "description": "x"}},
        "result": "close",
    }
    surface = changed({**folder.surface[name], "operations": {}}, "operations/diagnostics_log", operation)

    with pytest.raises(
        SchemaProblems, match="diagnostics has something called 'DiagnosticsLogEvent' already"
    ):
        build_namespaces(model, {name: surface})


def test_a_table_of_options_has_to_be_there(compiled: tuple[Model, SchemaFolder]) -> None:
    model, folder = compiled
    name = "surface/files.yaml"
    surface = changed(folder.surface[name], "options/retrieval/table", "RETRIEVALS")

    with pytest.raises(
        SchemaProblems, match="#/options/retrieval: no file of options has the table RETRIEVALS"
    ):
        check_references(build_options(folder.options), build_namespaces(model, {name: surface}))


def test_the_stubs_stay_under_their_names() -> None:
    from lmwire import AsyncClient, Client

    for client in (Client("127.0.0.1:1"), AsyncClient("127.0.0.1:1")):
        for name in ("system", "files", "repository", "runtime"):
            namespace = getattr(client, name)
            assert type(namespace.rpc).__name__.endswith("Rpc")
        assert type(client.files.channel).__name__.endswith("FilesChannels")
        assert type(client.diagnostics.channel).__name__.endswith("DiagnosticsChannels")


def test_every_method_names_its_endpoint_in_its_docstring() -> None:
    from lmwire import files, repository, runtime, system

    for cls in (files.Files, repository.AsyncRepository, runtime.Runtime, system.AsyncSystem):
        methods = [
            method
            for name, method in inspect.getmembers(cls, inspect.isfunction)
            if not name.startswith("_") and not name.endswith("_stream")
        ]
        assert len(methods) >= 5
        for method in methods:
            assert "Wire: " in (method.__doc__ or ""), method


def test_a_package_with_one_namespace_has_all_its_methods(tmp_path: Path) -> None:
    package = tmp_path / "small"
    pipeline.generate(CHECKOUT / "schema", package, "small", only=["files"])

    methods = (package / "files" / "methods.py").read_text("utf-8")
    for name in ("upload", "parse", "parse_stream", "retrieve"):
        assert f"def {name}(" in methods
    assert "class ChatMessagePartFileData" in (package / "types" / "chat.py").read_text("utf-8")
    assert "LlmTool" not in (package / "types" / "chat.py").read_text("utf-8")
    assert (package / "config" / "retrieval.py").exists()
    assert not (package / "config" / "llm_prediction.py").exists()
