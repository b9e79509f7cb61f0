"""The official AsyncAPI parser reads our documents and has nothing to say against them."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any, Final

import pytest

from lmwire_codegen.asyncapi import asyncapi_text
from lmwire_codegen.pipeline import compile_model
from tests.codegen.support import CHECKOUT
from tests.codegen.test_hostile_text import TEXTS, hostile_schema, is_shown
from tests.interop import environments
from tests.support.requirements import requires

pytestmark = [requires("asyncapi"), pytest.mark.timeout(300)]

_PROGRAM: Final = Path(__file__).with_name("programs") / "asyncapi.cjs"

JUDGED: Final = {
    "asyncapi-latest-version": "3.0.0 is said on purpose: the document uses nothing newer, and more tools read it",
}
"""What the parser may say, all of it below an error, and why it stays."""


def parse(*paths: Path) -> list[Any]:
    """Have the parser read documents."""
    project = environments.npm_project(environments.ASYNCAPI)
    told = subprocess.run(
        [project.node.node, _PROGRAM, *paths],
        cwd=project.directory,
        capture_output=True,
        check=True,
        timeout=240,
    )
    answers: list[Any] = json.loads(told.stdout)
    return answers


def unjudged(answer: Any) -> list[Any]:
    """Return what the parser says that is not in the table."""
    return [said for said in answer["diagnostics"] if said["severity"] == 0 or said["code"] not in JUDGED]


def test_the_committed_document_is_valid() -> None:
    path = CHECKOUT / "docs" / "asyncapi.json"
    (answer,) = parse(path)
    assert unjudged(answer) == []
    assert {said["code"] for said in answer["diagnostics"]} == JUDGED.keys()
    document = json.loads(path.read_text(encoding="utf-8"))
    assert set(answer["operations"]) == document["operations"].keys()
    assert sorted(answer["channels"]) == sorted(
        channel["address"] for channel in document["channels"].values()
    )
    assert answer["messages"] == len(document["components"]["messages"])


def test_documents_of_other_schemas_are_valid(tmp_path: Path) -> None:
    schemas = [CHECKOUT / "tests" / "signals" / "schema"]
    hostile = " ".join(text for text in TEXTS if is_shown(text))
    schemas += [
        hostile_schema(tmp_path / name, text) for name, text in (("words", hostile), ("dots", "../$ref#/x"))
    ]
    paths = []
    for number, schema in enumerate(schemas):
        paths.append(tmp_path / f"{number}.json")
        paths[-1].write_text(asyncapi_text(*compile_model(schema, "lmwire")), encoding="utf-8")
    for schema, answer in zip(schemas, parse(*paths), strict=True):
        assert unjudged(answer) == [], schema


def test_the_parser_would_say_what_is_wrong(tmp_path: Path) -> None:
    document = json.loads((CHECKOUT / "docs" / "asyncapi.json").read_text(encoding="utf-8"))
    document["operations"]["llm.rpc.tokenize"]["messages"][0]["$ref"] = "#/channels/llm/messages/nothing"
    document["operations"]["llm.rpc.countTokens"]["action"] = "shout"
    broken = tmp_path / "broken.json"
    broken.write_text(
        json.dumps({**document, "components": {"messages": {}, "schemas": {}}}), encoding="utf-8"
    )
    (answer,) = parse(broken)
    assert unjudged(answer) != []
