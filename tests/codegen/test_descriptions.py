"""What users read of most is described throughout, and what is not is told by area."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from lmwire_codegen.coverage import coverage_of, describable
from lmwire_codegen.descriptions import expanded
from lmwire_codegen.history import keys_of
from lmwire_codegen.pipeline import compile_model
from lmwire_codegen.shapes import EnumDefinition
from tests.codegen.exports import STRING, an_export, an_object, ref, write_export
from tests.codegen.revisions import run
from tests.codegen.support import CHECKOUT, write_schema

MODEL, FOLDER = compile_model(CHECKOUT / "schema", "lmwire")
SCHEMA = MODEL.schema

WHOLE = [
    "llm",
    "embedding",
    "envelope",
    "types/chat",
    "types/errors",
    "types/kv_config",
    "types/models",
    "types/prediction",
]
"""Text completion, models, errors and the envelope."""


@pytest.mark.parametrize("area", WHOLE)
def test_these_are_described_throughout(area: str) -> None:
    described, all_ = coverage_of(SCHEMA)[area]
    assert described == all_ > 0


def test_every_endpoint_is_described() -> None:
    assert [e.key for endpoints in SCHEMA.endpoints.values() for e in endpoints if not e.description] == []


@pytest.mark.parametrize(
    "key", ["LlmPredictionStopReason", "envelope/CommunicationWarningKind", "KvConfigLayerName"]
)
def test_each_member_of_these_is_described(key: str) -> None:
    definition = MODEL.definition(key)
    assert isinstance(definition, EnumDefinition)
    words = {
        name for table in FOLDER.descriptions.values() for written in table for name in expanded(written)
    }
    assert [member for member in definition.members if f"{key}={member}" not in words] == []


def test_no_description_is_of_nothing() -> None:
    """Words for what other revisions had stay; those for what no known revision had are slips."""
    known = keys_of(SCHEMA) | FOLDER.history.partial.keys() | describable(SCHEMA)
    words = [
        name for table in FOLDER.descriptions.values() for written in table for name in expanded(written)
    ]
    assert [name for name in words if name not in known] == []


def test_the_areas_add_up() -> None:
    coverage = coverage_of(SCHEMA)
    assert sum(all_ for _, all_ in coverage.values()) == len(describable(SCHEMA))
    assert sum(part for part, _ in coverage.values()) == len(describable(SCHEMA) & SCHEMA.described)


def test_the_reports_tell_coverage_by_area(tmp_path: Path) -> None:
    thing = {"thing": an_object("name", name=STRING)}
    old = write_export(tmp_path / "2031-01-01.json", an_export(thing, rpc={"buy": {"returns": ref("thing")}}))
    new = write_export(
        tmp_path / "2031-01-02.json", an_export(thing, rpc={"sell": {"parameter": ref("thing")}})
    )
    schema = write_schema(tmp_path / "schema")
    told = run("diff", "--schema", schema, old, new)
    assert told.exit_code == 0, told.output
    assert told.stdout.splitlines()[-1].endswith("(0 %); not whole: shop 0/2")
    answer = json.loads(run("diff", "--schema", schema, old, new, "--format", "json").stdout)
    assert answer["coverage"]["shop"] == {"described": 0, "describable": 2}
    assert answer["describable"] == sum(area["describable"] for area in answer["coverage"].values())
