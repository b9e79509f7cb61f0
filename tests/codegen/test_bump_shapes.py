"""What a bump means to ``schema/surface`` where names stay and shapes change: methods that do not fit are left out."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from lmwire_codegen import pipeline
from lmwire_codegen.problems import SchemaProblems
from lmwire_codegen.selftest import selftest
from lmwire_codegen.surface_model import Surface
from lmwire_codegen.sync import SyncOutcome, diff, sync
from tests.codegen.exports import INTEGER, STRING, an_object, export_of_schema, packet, ref, write_export
from tests.codegen.support import CHECKOUT

NEXT = "2031-01-02"
NULL = {"type": "null"}


@pytest.fixture
def schema(tmp_path: Path) -> Path:
    """A copy of the checkout's schema folder."""
    return Path(shutil.copytree(CHECKOUT / "schema", tmp_path / "schema"))


@pytest.fixture
def export(schema: Path) -> dict[str, Any]:
    """The protocol of the checkout as an export."""
    return export_of_schema(schema)


def synced(schema: Path, export: Any, name: str = NEXT) -> SyncOutcome:
    return sync(write_export(schema.parent / f"{name}.json", export), schema)


def left_out(outcome: SyncOutcome) -> dict[str, str]:
    return {
        f"{touched.place.file.removeprefix('surface/')}{touched.place.pointer}": touched.reason
        for touched in outcome.report.touched
        if touched.reason.startswith("left out")
    }


def surface_of(schema: Path, namespace: str) -> Surface:
    job, _ = pipeline.compile_job(schema, "lmwire")
    (surface,) = (surface for surface in job.surfaces if surface.namespace.name == namespace)
    return surface


def or_null(definition: Any) -> dict[str, Any]:
    return {"anyOf": [definition, NULL]}


def test_methods_that_do_not_fit_are_left_out_and_all_else_works(
    schema: Path, export: dict[str, Any], tmp_path: Path
) -> None:
    changed = export["definitions"]
    for key in ("llm/rpc/countTokens/returns", "llm/rpc/getModelInfo/parameter"):
        changed[key] = or_null(changed[key])
    changed["llm/rpc/getLoadConfig/parameter"]["properties"]["specifier"] = STRING
    changed["repository/rpc/searchModels/parameter"] = INTEGER
    changed["files/rpc/uploadFileBase64/returns"] = STRING
    changed["llm/channel/completeRawText/creationParameter"] = or_null(
        {"anyOf": [packet("text", rawPrompt=STRING), packet("tokens", tokens=STRING)]}
    )

    found = left_out(synced(schema, export))

    assert found.keys() >= {
        "llm.yaml/methods/count_tokens",
        "llm.yaml/methods/get_info",
        "llm.yaml/methods/get_load_config",
        "llm.yaml/methods/get_context_length",
        "llm.yaml/streams/complete/attempts/0",
        "repository.yaml/calls/search",
        "files.yaml/calls/upload",
    }
    assert not any("/template/" in place for place in found)
    assert found["llm.yaml/methods/count_tokens"] == (
        "left out, what should have the field 'tokenCount' is CountTokensResult | None"
    )
    methods = {method.name for method in surface_of(schema, "llm").methods}
    assert "tokenize" in methods
    assert not methods & {"count_tokens", "get_info", "get_load_config"}
    out = tmp_path / "fresh"
    assert pipeline.generate(schema, out, "fresh").notices
    assert pipeline.check(schema, out, "fresh") == []
    assert selftest(schema, out, "fresh").failures == []


def test_a_namespace_may_be_left_without_methods(
    schema: Path, export: dict[str, Any], tmp_path: Path
) -> None:
    (log,) = export["definitions"]["diagnostics/channel/streamLogs/toClientPacket"]["anyOf"]
    log["properties"]["entry"] = log["properties"].pop("log")
    log["required"] = ["type", "entry"]
    assert "diagnostics.yaml/events/stream_logs" in left_out(synced(schema, export))
    pipeline.generate(schema, tmp_path / "fresh", "fresh", ["diagnostics"])
    assert selftest(schema, tmp_path / "fresh", "fresh", ["diagnostics"]).failures == []


def test_results_of_streams_may_have_a_field_of_two_types(
    schema: Path, export: dict[str, Any], tmp_path: Path
) -> None:
    definitions = export["definitions"]
    (stats,) = (key for key in definitions if key.lower() == "llmpredictionstats")
    definitions["rawTextStats"] = {**definitions[stats], "properties": {"tokens": INTEGER}, "required": []}
    packets = definitions["llm/channel/completeRawText/toClientPacket"]["anyOf"]
    (success,) = (arm for arm in packets if "success" in json.dumps(arm["properties"]["type"]))
    success["properties"]["stats"] = ref("rawTextStats")

    assert not left_out(synced(schema, export))

    text = surface_of(schema, "llm").text
    assert text is not None
    assert {"LlmPredictionStats", "RawTextStats"} in [
        {ref.name for ref in field.hints} for field in text.results
    ]
    pipeline.generate(schema, tmp_path / "fresh", "fresh", ["llm"])
    handles = (tmp_path / "fresh" / "llm" / "handles.py").read_text("utf-8")
    assert "def stats(self) -> RawTextStats | LlmPredictionStats:" in handles


def test_what_fits_again_is_used_again(schema: Path, export: dict[str, Any]) -> None:
    whole = write_export(schema.parent / "2031-01-04.json", export)
    counting = export["definitions"]["llm/rpc/countTokens/returns"]
    export["definitions"]["llm/rpc/countTokens/returns"] = STRING
    synced(schema, export)
    export["definitions"]["llm/rpc/countTokens/returns"] = INTEGER
    assert "llm.yaml/methods/count_tokens" in left_out(synced(schema, export, "2031-01-03"))
    assert counting != INTEGER
    assert not left_out(sync(whole, schema))
    assert "unfit" not in (schema / "history.json").read_text("utf-8")
    assert "count_tokens" in {method.name for method in surface_of(schema, "llm").methods}


def test_a_wrong_surface_is_an_error_still_and_nothing_is_written(
    schema: Path, export: dict[str, Any]
) -> None:
    path = schema / "surface" / "llm.yaml"
    text = path.read_text("utf-8").replace("returns: tokenCount", "returns: tokenKount")
    path.write_text(text, encoding="utf-8")
    before = {file: file.read_bytes() for file in schema.rglob("*") if file.is_file()}
    export["definitions"]["llm/rpc/getLoadConfig/parameter"]["properties"]["specifier"] = STRING
    with pytest.raises(SchemaProblems, match="there is no field 'tokenKount'"):
        synced(schema, export)
    assert {file: file.read_bytes() for file in schema.rglob("*") if file.is_file()} == before


def test_a_surface_for_what_the_export_brings_may_be_there_before_it(
    schema: Path, export: dict[str, Any]
) -> None:
    path = schema / "surface" / "system.yaml"
    text = path.read_text("utf-8").replace(
        "  info:\n", "  fresh:\n    endpoint: fresh\n    description: New.\n  info:\n"
    )
    path.write_text(text, encoding="utf-8")
    definitions = export["definitions"]
    definitions["system/rpc/fresh/returns"] = an_object("a", a=STRING)
    definitions["pseudo/system/rpc/fresh"] = an_object(returns=ref("system/rpc/fresh/returns"))
    definitions["pseudo/system"]["properties"]["rpcFresh"] = ref("pseudo/system/rpc/fresh")
    assert not left_out(synced(schema, export))
    job, _ = pipeline.compile_job(schema, "lmwire")
    (system,) = (found for found in job.namespaces if found.namespace.name == "system")
    assert "fresh" in {call.name for call in system.calls}


def test_a_comparison_says_what_would_be_left_out(schema: Path, export: dict[str, Any]) -> None:
    export["definitions"]["llm/rpc/countTokens/returns"] = STRING
    report = diff(schema, write_export(schema.parent / f"{NEXT}.json", export), schema)
    assert any("left out, " in touched.reason for touched in report.touched)


def test_words_go_with_a_type_that_has_another_name_now(schema: Path, export: dict[str, Any]) -> None:
    definitions = export["definitions"]
    (old,) = (key for key in definitions if key.lower() == "llmpredictionstats")
    text = json.dumps(export).replace(f'"{old}"', '"rawStats"').replace(f'/{old}"', '/rawStats"')
    before, _ = pipeline.compile_model(schema, "lmwire")
    words = {key for key in before.schema.described if key.startswith("LlmPredictionStats")}
    assert words

    outcome = synced(schema, json.loads(text))

    notes = [note.message for note in outcome.report.human if note.subject == "descriptions"]
    assert not any(
        key in note for note in notes for key in ("RawStats.stopReason", "RawStats.tokensPerSecond")
    )
    after, _ = pipeline.compile_model(schema, "lmwire")
    assert {key for key in after.schema.described if key.startswith("RawStats")} == {
        key.replace("LlmPredictionStats", "RawStats") for key in words
    }
    stats = after.definition("RawStats")
    assert after.names["RawStats"] == "LlmPredictionStats"
    assert stats.description == before.definition("LlmPredictionStats").description != ""
