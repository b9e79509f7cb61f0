"""``lmwire-codegen selftest``: passes on what the compiler made, and finds what was broken since, with its place."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from lmwire_codegen.cli import main
from lmwire_codegen.problems import Location
from lmwire_codegen.repairs import Repairs
from lmwire_codegen.samples import NoSampleError, Sampler
from tests.codegen.support import CHECKOUT, Compiler, Package, namespace_file, write_schema

STRING, INTEGER = {"type": "string"}, {"type": "integer"}


@pytest.fixture(scope="module")
def package(module_compiler: Compiler) -> Package:
    cup = {
        "type": "object",
        "properties": {
            "kind": {"const": "cup"}, "size": {"type": "integer", "minimum": 3}, "in": {"$ref": "#/$defs/Cup"},
        },
        "required": ["kind", "size"],
    }  # fmt: skip
    arms = [
        {"type": "object", "properties": {"type": {"const": tag}, "cup": cup_ref()}, "required": ["type"]}
        for tag in ("full", "empty")
    ]
    shop = namespace_file(
        "shop",
        rpc={
            "get": {"result": cup_ref()},
            "put": {"parameter": INTEGER, "result": STRING, "optional": ["result"]},
        },
        channel={"watch": {"toClient": {"anyOf": arms}}},
        signal={"stock": {"value": {"type": "array", "items": INTEGER}}},
    )
    pairs = {
        "type": "array",
        "maxItems": 125,
        "items": {"type": "array", "prefixItems": [STRING, INTEGER], "items": False},
    }
    shop["rpc"]["table"] = {"parameter": False, "result": pairs, "serialization": "superjson"}
    folder = module_compiler.place / "schema"
    return module_compiler.compile(
        write_schema(folder, types={"things": {"Cup": cup}}, namespaces={"shop": shop})
    )


def cup_ref() -> dict[str, str]:
    return {"$ref": "../types/things.json#/$defs/Cup"}


def selftest(package: Package, *more: str) -> Result:
    arguments = [
        "selftest",
        "--schema",
        str(package.schema),
        "--out",
        str(package.folder),
        "--package",
        package.name,
    ]
    return CliRunner().invoke(main, [*arguments, *more])


@pytest.fixture
def edited(package: Package) -> Any:
    """Edits a file of the package, for one test."""
    before: dict[Path, str] = {}

    def edit(name: str, old: str, new: str) -> None:
        path = package.folder / name
        text = before.setdefault(path, path.read_text("utf-8"))
        assert old in text
        path.write_text(text.replace(old, new), encoding="utf-8")

    yield edit
    for path, text in before.items():
        path.write_text(text, encoding="utf-8")


def test_what_the_compiler_made_passes(package: Package) -> None:
    done = selftest(package)
    assert done.exit_code == 0, done.output
    assert "5 endpoints, 3 messages" in done.stdout
    assert done.stdout.endswith("all well\n")


def test_a_module_that_does_not_import(package: Package, edited: Any) -> None:
    edited("shop/stubs.py", "from __future__ import annotations", "from __future__ import annotations\n1 / 0")
    done = selftest(package)
    assert done.exit_code == 1
    assert f"{package.name}.shop.stubs: ZeroDivisionError: division by zero" in done.stderr


def test_an_endpoint_without_a_descriptor(package: Package, edited: Any) -> None:
    edited("shop/descriptor.py", '"get": GET,', "")
    done = selftest(package)
    assert done.exit_code == 1
    assert "wire/namespaces/shop.json#/rpc/get" in done.stderr
    assert "has no descriptor of shop/rpc/get" in done.stderr


def test_a_decoder_that_refuses_valid_data(package: Package, edited: Any) -> None:
    edited("types/things.py", "minimum=3", "minimum=4")
    done = selftest(package)
    assert done.exit_code == 1
    assert "wire/types/things.json#/$defs/Cup: strict decoding of" in done.stderr
    assert "wire/namespaces/shop.json#/rpc/get/result: strict decoding of" in done.stderr


def test_an_encoder_that_changes_data(package: Package, edited: Any) -> None:
    text = (package.folder / "shop/endpoints/put.py").read_text("utf-8")
    assert "return value" in text
    edited("shop/endpoints/put.py", "return value", "return value and 7")
    done = selftest(package)
    assert done.exit_code == 1
    assert "wire/namespaces/shop.json#/rpc/put/" in done.stderr


def test_a_package_that_ends_the_interpreter(package: Package, edited: Any) -> None:
    edited(
        "shop/stubs.py",
        "from __future__ import annotations",
        "from __future__ import annotations\nraise SystemExit(3)",
    )
    done = selftest(package)
    assert done.exit_code == 1
    assert "the interpreter ended with code 3" in done.stderr


def test_no_package_at_all(package: Package, tmp_path: Path) -> None:
    done = CliRunner().invoke(
        main, ["selftest", "--schema", str(package.schema), "--out", str(tmp_path / "x")]
    )
    assert done.exit_code == 1
    assert "there is no package here; run `lmwire-codegen generate`" in done.stderr


def test_the_committed_package_passes() -> None:
    """Whatever package of the same name this interpreter has imported, or would find first."""
    done = CliRunner().invoke(main, ["selftest"])
    assert done.exit_code == 0, done.output
    endpoints = sum(
        len(document.get(kind, {}))
        for path in (CHECKOUT / "schema/wire/namespaces").glob("*.json")
        for document in [json.loads(path.read_text("utf-8"))]
        for kind in ("rpc", "channel", "signal")
    )
    assert f" {endpoints} endpoints, " in done.stdout


def samples_of(schema: Any) -> list[Any]:
    return Sampler({"wire/types/x.json": {"$defs": {"X": schema}}}, Repairs()).samples(
        Location("wire/types/x.json", "/$defs/X")
    )


@pytest.mark.parametrize(
    ("schema", "expected"),
    [
        ({"type": "integer", "minimum": 5}, 5),
        ({"type": "integer", "exclusiveMinimum": 5}, 6),
        ({"type": "integer", "maximum": -3}, -3),
        ({"type": "integer", "exclusiveMaximum": 0}, -1),
        ({"type": "integer", "minimum": 5, "multipleOf": 4}, 8),
        ({"type": "number", "exclusiveMinimum": 0, "maximum": 0.5}, 0.5),
        ({"type": "string", "minLength": 40}, "a" * 40),
        ({"type": "string", "maxLength": 0}, ""),
        ({"type": "string", "pattern": "^#[a-f]+$"}, "#aabbcc"),
        ({"type": "array", "items": {"type": "integer"}, "minItems": 3}, [0, 0, 0]),
        ({"const": None}, None),
    ],
    ids=str,
)
def test_samples_keep_the_limits(schema: Any, expected: Any) -> None:
    assert expected in samples_of(schema)


def test_a_sample_for_each_alternative() -> None:
    found = samples_of({"anyOf": [{"type": "string", "enum": ["a", "b"]}, {"type": ["integer", "null"]}]})
    assert found == ["a", "b", 0, None] * 2


@pytest.mark.parametrize(
    "schema",
    [{"type": "string", "pattern": "^(never){9}$"}, {"type": "integer", "minimum": 2, "maximum": 1}],
    ids=str,
)
def test_what_has_no_sample_is_said(schema: Any) -> None:
    with pytest.raises(NoSampleError, match="of"):
        samples_of(schema)


def test_types_that_contain_themselves() -> None:
    tree = {
        "type": "object",
        "properties": {"in": {"$ref": "#/$defs/X"}, "n": {"type": "integer"}},
        "required": ["n"],
    }
    assert samples_of(tree) == [{"n": 0}, {"in": {"n": 0, "in": {"n": 0}}, "n": 0}]
    endless = {"type": "object", "properties": {"in": {"$ref": "#/$defs/X"}}, "required": ["in"]}
    with pytest.raises(NoSampleError, match="contains itself without end"):
        samples_of(endless)
