"""What is wrong with a schema is said with file and JSON pointer, everything at once, and nothing is written."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import attrs
import pytest
from click.testing import CliRunner

from lmwire_codegen import pipeline
from lmwire_codegen.cli import main
from lmwire_codegen.problems import SchemaProblems
from tests.codegen.support import namespace_file, write_schema

STRING = {"type": "string"}


def an_object(*required: str, **properties: Any) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "required": list(required)}


def arm(tag: str) -> dict[str, Any]:
    return an_object("type", type={"const": tag})


@attrs.frozen
class Case:
    """A schema that cannot be compiled, and what is said of it."""

    title: str
    definitions: Mapping[str, Any]
    pointer: str
    message: str


CASES = [
    # title, definitions of wire/types/things.json, JSON pointer, message
    Case(
        "a dangling reference",
        {"A": {"$ref": "#/$defs/B"}},
        "/$defs/A/$ref",
        "dangling $ref '#/$defs/B': wire/types/things.json defines no 'B'",
    ),
    Case(
        "a reference out of the schema",
        {"A": {"$ref": "../../../etc/passwd#/$defs/B"}},
        "/$defs/A/$ref",
        "'../../../etc/passwd#/$defs/B' leads to ../etc/passwd, which is no file of this schema",
    ),
    Case(
        "a reference to the network",
        {"A": {"$ref": "https://example.com/x.json#/$defs/B"}},
        "/$defs/A/$ref",
        "'https://example.com/x.json#/$defs/B' is not of the form 'file.json#/$defs/Name' with a "
        "file of this schema",
    ),
    Case(
        "a reference with company",
        {"A": {"$ref": "#/$defs/B", "minimum": 1}, "B": {}},
        "/$defs/A/minimum",
        "stands beside a $ref, which the compiler does not combine",
    ),
    Case(
        "an alias of itself",
        {"A": {"$ref": "#/$defs/A"}},
        "/$defs/A",
        "refers to itself without an object in between",
    ),
    Case(
        "an array of itself",
        {"A": {"type": "array", "items": {"$ref": "#/$defs/A"}}},
        "/$defs/A",
        "refers to itself without an object in between",
    ),
    Case(
        "no JSON Schema",
        {"A": {"type": "strnig"}},
        "/$defs/A/type",
        "is not valid JSON Schema: 'strnig' is not valid under any of the given schemas",
    ),
    Case(
        "an unknown keyword",
        {"A": {"dependentRequired": {}}},
        "/$defs/A/dependentRequired",
        "unsupported keyword 'dependentRequired'",
    ),
    Case(
        "an impossible value", {"A": an_object(x=False)}, "/$defs/A/properties/x", "false has no meaning here"
    ),
    Case(
        "a required field that is none",
        {"A": an_object("ghost")},
        "/$defs/A/required",
        "'ghost' is required but not described",
    ),
    Case(
        "two fields of one name",
        {"A": an_object(fooBar={}, foo_bar={})},
        "/$defs/A/properties/foo_bar",
        "'foo_bar' and 'fooBar' both become the attribute 'foo_bar'",
    ),
    Case(
        "two types of one name",
        {"some-thing": an_object(), "someThing": an_object()},
        "/$defs/someThing",
        "the name SomeThing is taken by 'some-thing'; rename one of them in names.lock.json",
    ),
    Case(
        "a union without tags",
        {"A": {"anyOf": [an_object(x={}), an_object(y={})]}},
        "/$defs/A",
        "a union of objects without a tag that tells them apart",
    ),
    Case(
        "a union with equal tags",
        {"A": {"anyOf": [arm("x"), arm("x")]}},
        "/$defs/A",
        "a union of objects without a tag that tells them apart",
    ),
    Case(
        "two arrays",
        {"A": an_object(x={"anyOf": [{"type": "array"}, {"type": "array", "items": STRING}]})},
        "/$defs/A/properties/x",
        "alternatives that cannot be told apart: more than one may be of type array",
    ),
    Case(
        "anything or a string",
        {"A": an_object(x={"anyOf": [{}, STRING]})},
        "/$defs/A/properties/x",
        "alternatives that cannot be told apart: more than one may be of type any",
    ),
    Case(
        "known and arbitrary keys",
        {"A": {**an_object(x={}), "additionalProperties": STRING}},
        "/$defs/A/additionalProperties",
        "an object with both known and arbitrary keys",
    ),
    Case(
        "an open tuple",
        {"A": {"type": "array", "prefixItems": [{}], "items": STRING}},
        "/$defs/A",
        "an array with both fixed and further items",
    ),
    Case(
        "an enum of fractions",
        {"A": {"enum": [0.5]}},
        "/$defs/A",
        "an enum of anything but strings or integers",
    ),
    Case(
        "a constant object",
        {"A": {"const": {}}},
        "/$defs/A",
        "a constant that is neither string, integer nor boolean: {}",
    ),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.title)
def test_a_problem_names_file_and_pointer(tmp_path: Path, case: Case) -> None:
    schema = write_schema(tmp_path / "schema", types={"things": case.definitions})
    out = tmp_path / "generated" / "bindings"
    result = CliRunner().invoke(
        main, ["generate", "--schema", str(schema), "--out", str(out), "--package", "x"]
    )
    assert result.exit_code == 1
    assert f"wire/types/things.json#{case.pointer}: {case.message}" in result.output.splitlines()
    assert not out.exists()


def problems_of(schema: Path) -> list[str]:
    with pytest.raises(SchemaProblems) as caught:
        pipeline.compile_model(schema, "bindings")
    return [str(problem) for problem in caught.value.problems]


def test_several_problems_in_several_files_are_named_at_once(tmp_path: Path) -> None:
    shop = namespace_file(
        "shop", rpc={"get": {"result": {"$ref": "../types/a.json#/$defs/None"}, "serialization": "xml"}}
    )
    schema = write_schema(
        tmp_path / "schema",
        types={"a": {"A": {"if": {}}, "B": {"type": 3}}, "b": {"A": {}}},
        namespaces={
            "shop": {**shop, "weather": {}},
            "other": {"namespace": "shop", "rpc": {"x": {"parameter": False}}},
        },
    )
    (schema / "wire" / "stray.json").write_text("[]", encoding="utf-8")
    assert [problem.split(": ")[0] for problem in problems_of(schema)] == [
        "wire/namespaces/other.json#/rpc/x/result",
        "wire/namespaces/shop.json#/namespace",
        "wire/namespaces/shop.json#/rpc/get/result/$ref",
        "wire/namespaces/shop.json#/rpc/get/serialization",
        "wire/namespaces/shop.json#/weather",
        "wire/stray.json#",
        "wire/types/a.json#/$defs/A/if",
        "wire/types/a.json#/$defs/B/type",
        "wire/types/b.json#/$defs/A",
    ]


def test_unreadable_files_are_all_named(tmp_path: Path) -> None:
    schema = write_schema(tmp_path / "schema", types={"good": {}}, lock={})
    broken = {
        "wire/types/bad.json": '{"$defs": {',
        "wire/types/twice.json": '{"$defs": {"A": {}, "A": {}}}',
        "wire/types/deep.json": "[" * 100_000,
        "descriptions/words.yaml": "a: [",
        "names.lock.json": '{"A": 1}',
        "repairs.yaml": "weather: rain\ntopics: []\n",
        "revision.json": "{}",
    }
    for file, text in broken.items():
        path = schema / file
        path.parent.mkdir(exist_ok=True, parents=True)
        path.write_text(text, encoding="utf-8")
    found = problems_of(schema)
    assert {problem.split("#")[0] for problem in found} == set(broken)
    assert "wire/types/twice.json#: duplicate keys ['A']" in found
    assert not [problem for problem in found if str(tmp_path) in problem]


def test_nesting_beyond_reason_is_a_problem_not_a_crash(tmp_path: Path) -> None:
    schema: dict[str, Any] = {}
    for _ in range(200):
        schema = {"type": "array", "items": schema}
    assert problems_of(write_schema(tmp_path / "schema", types={"a": {"A": schema}})) == [
        "wire/types/a.json#/$defs/A: is nested beyond reason"
    ]


def test_files_that_refer_to_each_other_in_a_circle(tmp_path: Path) -> None:
    types = {
        "a": {"A": an_object(b={"$ref": "b.json#/$defs/B"}), "C": an_object()},
        "b": {"B": an_object(c={"$ref": "a.json#/$defs/C"})},
    }
    found = problems_of(write_schema(tmp_path / "schema", types=types))
    assert [problem.split(": ")[0] for problem in found] == [
        "wire/types/a.json#/$defs/A",
        "wire/types/b.json#/$defs/B",
    ]


@pytest.mark.parametrize("command", ["generate", "check", "selftest", "reference"])
@pytest.mark.parametrize(
    ("name", "words"),
    [("nowhere", "there is no such folder"), ("", "is no schema folder: it has no revision.json")],
)
def test_a_folder_that_is_none_is_named(command: str, name: str, words: str, tmp_path: Path) -> None:
    folder = tmp_path / name
    result = CliRunner().invoke(main, [command, "--schema", str(folder), "--out", str(tmp_path / "out")])
    assert result.exit_code == 1
    assert f"{folder.as_posix()}#: {words}" in result.output.splitlines()
