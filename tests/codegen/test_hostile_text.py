"""Text of a schema never becomes code, wherever it stands: quotes, newlines, backslashes, whole statements."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import Any

import pytest

from lmwire_codegen.text import docstring, literal
from lmwire_runtime.wire import STRICT
from tests.codegen.support import Compiler, namespace_file, write_schema

TEXTS = [
    '"""',
    "'''",
    'ends with a quote"',
    '""""""""',
    "ends with a backslash\\",
    '\\"""\\',
    '"""\nimport os\nos.environ["LMWIRE_HOSTILE"] = "yes"\n"""',
    "line\nbreak",
    "line\r\nbreak\rand return",
    "form\ffeed\vand\x00null\x1b[31m",
    "\u2028line separator\u2029",
    "{{ 7 * 7 }} {% raw %} {# #}",
    "\N{RIGHT-TO-LEFT OVERRIDE}txet",
    "half a surrogate \ud83d",
    "# noqa\n# type: ignore",
    "{x} %s $x",
    "  class Evil:\n    pass",
    "Größe 日本語 😀",
]


def is_shown(text: str) -> bool:
    """Tell whether a file can hold ``text``."""
    return not any(0xD800 <= ord(character) < 0xE000 for character in text)


@pytest.mark.parametrize("text", TEXTS)
def test_a_literal_is_the_text_and_ascii(text: str) -> None:
    source = literal(text)
    assert ast.literal_eval(source) == text
    assert source.isascii()
    assert "\n" not in source


@pytest.mark.parametrize("text", TEXTS)
@pytest.mark.parametrize("indent", [0, 4])
def test_a_docstring_is_one_literal_with_the_words_of_the_text(text: str, indent: int) -> None:
    source = f"class A:\n{' ' * 4}{docstring(text, 4)}\n" if indent else docstring(text)
    (statement,) = ast.parse(source).body
    if isinstance(statement, ast.ClassDef):
        (statement,) = statement.body
    assert isinstance(statement, ast.Expr)
    assert isinstance(statement.value, ast.Constant)
    assert isinstance(statement.value.value, str)
    assert statement.value.value.split() == text.replace("\r", "\n").split()


def hostile_schema(folder: Path, text: str) -> Path:
    """Write a schema folder that has ``text`` wherever a schema can have text."""
    words = {"description": text, "title": text}
    thing = {
        **words,
        "type": "object",
        "properties": {
            f"a{text}": {**words, "type": "string"},
            "kind": {**words, "const": text},
            "mood": {**words, "enum": [text, "glad"]},
            "pattern": {**words, "type": "string", "pattern": f"^{'x' if text else ''}$"},
            "list": {"type": "array", "items": {"enum": [text]}},
        },
        "required": [f"a{text}", "kind"],
    }
    arms = {
        "anyOf": [
            {"type": "object", "properties": {"type": {"const": text}}, "required": ["type"]},
            {"type": "object", "properties": {"type": {"const": "plain"}}, "required": ["type"]},
        ],
        **words,
    }
    shop = namespace_file(
        "shop",
        rpc={
            f"get {text}": {"parameter": {"$ref": "../types/things.json#/$defs/Thing"}, "description": text}
        },
        channel={"watch": {"toClient": arms, "toServer": {"anyOf": [arms["anyOf"][0]]}}},
    )
    return write_schema(
        folder,
        types={"things": {"Thing": thing}},
        namespaces={"shop": shop},
        descriptions={"Thing.mood": text, "shop/channel/watch": text},
        repairs={"cancel_tags": [text]},
    )


@pytest.mark.parametrize("text", [text for text in TEXTS if is_shown(text)])
def test_hostile_text_everywhere(compiler: Compiler, tmp_path: Path, text: str) -> None:
    schema = hostile_schema(tmp_path / "schema", text)
    package = compiler.compile(schema)
    things, facade = package.module("types.things"), package.module("shop")
    for module in ("shop.stubs", "shop.handlers", "shop.descriptor", "client"):
        package.module(module)
    data: dict[str, Any] = {f"a{text}": "1", "kind": text, "mood": text, "list": [text]}
    message = things.Thing.from_wire(data, STRICT)
    assert message.to_wire() == data
    assert facade.WATCH.to_client.decode({"type": text}, STRICT).to_wire() == {"type": text}
    assert facade.WATCH.cancel == {"type": text}
    (descriptor,) = facade.NAMESPACE.rpc.values()
    assert descriptor.name == f"get {text}"
    assert descriptor.description.split() == text.split()
    for path in package.folder.rglob("*.py"):
        assert path.read_text(encoding="utf-8").isascii(), path.name


def test_a_namespace_called_like_code(compiler: Compiler, tmp_path: Path) -> None:
    name = 'a"b\nimport os'
    schema = write_schema(tmp_path / "schema", namespaces={"odd": namespace_file(name, rpc={"ping": {}})})
    package = compiler.compile(schema)
    assert package.module("a_b_import_os").NAMESPACE.name == name
