"""What a bump means to ``schema/surface``, tried on the protocol of the checkout as an export, something changed."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from lmwire_codegen import pipeline
from lmwire_codegen.changes.values import Touched
from lmwire_codegen.cli import main
from lmwire_codegen.problems import SchemaProblems
from lmwire_codegen.render import Job
from lmwire_codegen.surface_model import AttemptPlan
from lmwire_codegen.sync import SyncOutcome, sync
from tests.codegen.exports import STRING, an_object, export_of_schema, write_export
from tests.codegen.support import CHECKOUT

SURFACE = "surface/llm.yaml"
NEXT = "2031-01-02"


@pytest.fixture
def schema(tmp_path: Path) -> Path:
    """A copy of the checkout's schema folder."""
    return Path(shutil.copytree(CHECKOUT / "schema", tmp_path / "schema"))


@pytest.fixture
def export(schema: Path) -> dict[str, Any]:
    """The protocol of the checkout as an export."""
    return export_of_schema(schema)


def synced(schema: Path, export: Any) -> SyncOutcome:
    return sync(write_export(schema.parent / f"{NEXT}.json", export), schema)


def remove(export: Any, namespace: str, kind: str, name: str) -> None:
    table = export["definitions"][f"pseudo/{namespace}"]
    field = f"{kind}{name[0].upper()}{name[1:]}"
    del table["properties"][field]


def part(export: Any, key: str) -> Any:
    return export["definitions"][key]


def line_with(schema: Path, text: str) -> int:
    lines = (schema / SURFACE).read_text("utf-8").splitlines()
    (number,) = [number for number, line in enumerate(lines, start=1) if text in line]
    return number


def attempts_of(job: Job) -> Sequence[AttemptPlan]:
    (surface,) = [surface for surface in job.surfaces if surface.namespace.name == "llm"]
    (stream,) = [stream for stream in surface.streams if stream.name == "complete"]
    return stream.attempts


def touched(outcome: SyncOutcome) -> dict[str, Touched]:
    return {place.place.pointer: place for place in outcome.report.touched if place.place.file == SURFACE}


def test_the_protocol_of_the_checkout_changes_nothing(schema: Path, export: Any) -> None:
    revision = json.loads((schema / "revision.json").read_text("utf-8"))["revision"]
    outcome = sync(write_export(schema.parent / f"{revision}.json", export), schema)
    assert outcome.changed == ()
    assert outcome.report.changes == ()
    assert outcome.report.touched == ()


def test_an_attempt_whose_endpoint_is_gone_is_left_out(schema: Path, export: Any) -> None:
    remove(export, "llm", "channel", "completeRawText")
    outcome = synced(schema, export)
    place = touched(outcome)["/streams/complete/attempts/0"]
    assert place.reason == "left out, llm has no channel endpoint 'completeRawText'"
    assert place.line == line_with(schema, "endpoint: completeRawText")
    assert [pointer for pointer in touched(outcome) if "attempts/0" in pointer] == [place.place.pointer]
    job, _ = pipeline.compile_job(schema, "lmwire")
    (note,) = job.notices
    assert note.startswith(f"{SURFACE}#/streams/complete/attempts/0: left out, llm has no channel endpoint")
    (attempt,) = attempts_of(job)
    assert attempt.descriptor.name == "PREDICT"


def test_an_event_that_is_gone_is_left_out(schema: Path, export: Any) -> None:
    packets = part(export, "llm/channel/predict/toClientPacket")["anyOf"]
    packets[:] = [packet for packet in packets if "toolCallGenerationFailed" not in json.dumps(packet)]

    outcome = synced(schema, export)

    place = touched(outcome)["/streams/respond/attempts/0/events/toolCallGenerationFailed"]
    assert "predict sends no packet 'toolCallGenerationFailed'" in place.reason
    job, _ = pipeline.compile_job(schema, "lmwire")
    (surface,) = (surface for surface in job.surfaces if surface.namespace.name == "llm")
    assert {event.name for event in surface.events} == {
        f"PredictToolCallGeneration{what}"
        for what in ("Start", "NameReceived", "ArgumentFragmentGenerated", "End")
    }


def test_a_method_whose_field_is_gone_is_left_out(schema: Path, export: Any) -> None:
    result = part(export, "llm/rpc/countTokens/returns")
    result["properties"]["count"] = result["properties"].pop("tokenCount")
    result["required"] = ["count"]
    outcome = synced(schema, export)
    assert "there is no field 'tokenCount'" in touched(outcome)["/methods/count_tokens"].reason
    job, _ = pipeline.compile_job(schema, "lmwire")
    (surface,) = (surface for surface in job.surfaces if surface.namespace.name == "llm")
    methods = {method.name for method in surface.methods}
    assert "count_tokens" not in methods
    assert "tokenize" in methods


def test_a_field_of_a_template_that_is_gone_is_not_sent(schema: Path, export: Any) -> None:
    creation = part(export, "llm/channel/predict/creationParameter")
    del creation["properties"]["fuzzyPresetIdentifier"]
    outcome = synced(schema, export)
    assert "/streams/complete/attempts/1/template/fuzzyPresetIdentifier" in touched(outcome)
    job, _ = pipeline.compile_job(schema, "lmwire")
    attempts = attempts_of(job)
    assert "fuzzyPresetIdentifier" in attempts[0].template
    assert "fuzzyPresetIdentifier" not in attempts[1].template


def test_a_new_required_field_concerns_the_templates_that_do_not_fill_it(schema: Path, export: Any) -> None:
    creation = part(export, "llm/channel/predict/creationParameter")
    creation["properties"]["purpose"] = STRING
    creation["required"].append("purpose")
    found = touched(synced(schema, export))
    place = found["/streams/complete/attempts/1/template"]
    assert place.reason == "field llm/channel/predict/creation.purpose added, required"
    assert "/streams/complete/attempts/0/template" not in found


def test_a_field_that_changes_its_type_concerns_the_method_that_returns_it(schema: Path, export: Any) -> None:
    part(export, "llm/rpc/countTokens/returns")["properties"]["tokenCount"] = STRING
    found = touched(synced(schema, export))
    assert (
        "field llm/rpc/countTokens/result.tokenCount has another type"
        in found["/methods/count_tokens/returns"].reason
    )


def test_a_namespace_that_is_gone_takes_its_surface_with_it(schema: Path, export: Any) -> None:
    del export["properties"]["llm"]
    outcome = synced(schema, export)
    assert touched(outcome)[""].reason == "left out, the schema has no namespace 'llm'"
    job, _ = pipeline.compile_job(schema, "lmwire")
    assert "llm" not in {surface.namespace.name for surface in job.surfaces}


def test_a_word_that_no_revision_ever_had_is_an_error_still(schema: Path) -> None:
    path = schema / SURFACE
    text = path.read_text("utf-8").replace("endpoint: completeRawText", "endpoint: completeRowText")
    path.write_text(text, encoding="utf-8")
    with pytest.raises(SchemaProblems, match="llm has no channel endpoint 'completeRowText'"):
        pipeline.compile_job(schema, "lmwire")


def test_what_comes_back_is_used_again(schema: Path, export: Any) -> None:
    whole = write_export(schema.parent / "whole.json", export)
    remove(export, "llm", "channel", "completeRawText")
    synced(schema, export)
    sync(whole, schema)
    job, _ = pipeline.compile_job(schema, "lmwire")
    assert job.notices == ()
    assert len(attempts_of(job)) == 2


def test_a_new_namespace_and_its_types_need_no_table(schema: Path, export: Any) -> None:
    export["definitions"] |= {
        "weather": an_object("degrees", degrees={"type": "number"}),
        "sky/rpc/look/parameter": {"not": {}},
        "sky/rpc/look/returns": {"$ref": "#/definitions/weather"},
        "pseudo/sky/rpc/look": an_object(
            parameter={"$ref": "#/definitions/sky/rpc/look/parameter"},
            returns={"$ref": "#/definitions/sky/rpc/look/returns"},
        ),
        "pseudo/sky": an_object(rpcLook={"$ref": "#/definitions/pseudo/sky/rpc/look"}),
    }
    export["properties"]["sky"] = {"$ref": "#/definitions/pseudo/sky"}
    report = synced(schema, export).report
    assert [change.kind for change in report.changes] == ["namespace-added", "type-added"]
    assert not report.breaking
    assert report.names == {"Weather": "Weather"}
    assert any(note.subject == "topics" and "Weather" in note.message for note in report.human)


def test_text_names_file_and_line(schema: Path, export: Any) -> None:
    remove(export, "llm", "channel", "completeRawText")
    path = write_export(schema.parent / f"{NEXT}.json", export)
    said = CliRunner().invoke(main, ["diff", str(schema), str(path), "--schema", str(schema)]).stdout
    line = line_with(schema, "endpoint: completeRawText")
    assert f"  schema/{SURFACE}:{line} (/streams/complete/attempts/0): left out, " in said
