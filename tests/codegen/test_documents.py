"""``generate`` writes a checkout's documents, ``check`` compares them, and text of a schema cannot break them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any, Final

import pytest
from click.testing import CliRunner, Result

from lmwire_codegen.asyncapi import asyncapi_text
from lmwire_codegen.cli import main
from lmwire_codegen.pipeline import compile_model
from lmwire_codegen.reference.markdown import code, plain, prose, table
from lmwire_codegen.reference.pages import MARKER, Pages
from tests.codegen.reference_pages import Page, broken_links
from tests.codegen.support import CHECKOUT, namespace_file, write_schema
from tests.codegen.test_hostile_text import TEXTS, hostile_schema, is_shown

MARKUP: Final = [
    "a | b | c", "| --- |", "`code", "``` \n# no heading", "# no heading", "- no list", "1. no list", "+ no list",
    "=====", "[no](link.md)", "![no](picture.png)", "<script>alert(1)</script>", "<a id='x'></a>", "&lt;b&gt;", "\\|",
    "\\", "`|`", "*no emphasis* __no__ _no_", "~~~", "> no quote", "a\n\n## b", "-->", "<!-- x", "http://example.com",
    "$x$", " ` ", "``",
]  # fmt: skip
ALL: Final = [*TEXTS, *MARKUP]


class Checkout:
    """A small schema folder with a checkout around it."""

    def __init__(self, place: Path) -> None:
        self.place = place
        rpc = {
            "buy": {
                "parameter": {
                    "type": "object",
                    "properties": {"what": {"type": "string"}},
                    "required": ["what"],
                }
            }
        }
        self.schema = write_schema(place / "schema", namespaces={"shop": namespace_file("shop", rpc=rpc)})
        (place / "generated").mkdir()
        self.page = place / "docs" / "reference" / "namespaces" / "shop.md"
        self.asyncapi = place / "docs" / "asyncapi.json"

    def run(self, command: str, *arguments: object) -> Result:
        return CliRunner().invoke(main, [command, "--schema", str(self.schema), *map(str, arguments)])


@pytest.fixture
def checkout(tmp_path: Path) -> Checkout:
    return Checkout(tmp_path)


# --- the commands -----------------------------------------------------------------------------------------------------


def test_generate_writes_the_documents_and_check_finds_them_well(checkout: Checkout) -> None:
    generated = checkout.run("generate")
    assert generated.exit_code == 0, generated.output
    assert f"documents in {checkout.place / 'docs'}" in generated.output
    assert checkout.page.read_text(encoding="utf-8").startswith(f"{MARKER}\n")
    assert json.loads(checkout.asyncapi.read_text(encoding="utf-8"))["asyncapi"] == "3.0.0"
    assert checkout.run("check").exit_code == 0


def test_check_fails_on_documents_that_are_not_of_the_schema(checkout: Checkout) -> None:
    checkout.run("generate")
    checkout.page.write_text(f"{MARKER}\nmine\n", encoding="utf-8")
    checkout.asyncapi.unlink()
    extra = checkout.page.with_name("gone.md")
    extra.write_text(f"{MARKER}\nof another revision\n", encoding="utf-8")
    checked = checkout.run("check")
    assert checked.exit_code == 1
    assert checked.output.splitlines()[:3] == [
        "missing: docs/asyncapi.json", "extra: docs/reference/namespaces/gone.md",
        "edited: docs/reference/namespaces/shop.md",
    ]  # fmt: skip
    assert checkout.run("generate").exit_code == 0
    assert not extra.exists()
    assert checkout.run("check").exit_code == 0


def test_a_changed_schema_makes_the_documents_stale(checkout: Checkout) -> None:
    checkout.run("generate")
    (checkout.schema / "examples.yaml").write_text("what: tea\n", encoding="utf-8")
    assert "edited: docs/reference/namespaces/shop.md" in checkout.run("check").output
    checkout.run("generate")
    assert '"parameter": {"what": "tea"}' in checkout.page.read_text(encoding="utf-8")


def test_hand_written_pages_are_never_replaced(checkout: Checkout) -> None:
    checkout.page.parent.mkdir(parents=True)
    checkout.page.write_text("# Mine\n", encoding="utf-8")
    generated = checkout.run("generate")
    assert generated.exit_code == 1
    assert "namespaces/shop.md" in generated.output
    assert "Nothing was written" in generated.output
    assert checkout.page.read_text(encoding="utf-8") == "# Mine\n"
    assert not (checkout.place / "generated" / "lmwire").exists()


def test_a_package_elsewhere_and_a_part_of_one_have_no_documents(checkout: Checkout) -> None:
    assert (
        checkout.run("generate", "--package", "mysdk._wire", "--out", checkout.place / "wire").exit_code == 0
    )
    assert checkout.run("generate", "--only", "shop").exit_code == 0
    assert not (checkout.place / "docs").exists()


def test_the_documents_of_any_schema_folder(checkout: Checkout) -> None:
    out = checkout.place / "elsewhere"
    assert checkout.run("reference", "--out", out).exit_code == 0
    checkout.run("generate")
    assert (out / "namespaces" / "shop.md").read_bytes() == checkout.page.read_bytes()
    told = checkout.run("asyncapi")
    assert told.exit_code == 0
    assert told.stdout == checkout.asyncapi.read_text(encoding="utf-8")
    assert checkout.run("asyncapi", "--out", out / "deep" / "a.json").exit_code == 0
    assert (out / "deep" / "a.json").read_text(encoding="utf-8") == told.stdout
    (out / "mine.md").write_text("# Mine\n", encoding="utf-8")
    refused = checkout.run("reference", "--out", out)
    assert refused.exit_code == 1
    assert "mine.md" in refused.output


def test_a_broken_schema_has_no_documents(checkout: Checkout) -> None:
    (checkout.schema / "examples.yaml").write_text("what: {a: b}\n", encoding="utf-8")
    for command in (("reference", "--out", checkout.place / "x"), ("asyncapi",), ("generate",)):
        result = checkout.run(*map(str, command))
        assert result.exit_code == 1
        assert "examples.yaml#/what: must be a scalar, or a list of scalars" in result.output
    assert not (checkout.place / "x").exists()


# --- what a schema says stays what it is ------------------------------------------------------------------------------


def shown_text(markdown: str) -> str:
    """Return what a reader sees of a piece of Markdown, which must be one paragraph."""
    page = Page.parse("x.md", f"{markdown}\n")
    assert page.html == page.links == []
    assert len(page.sections) == 1
    (text,) = page.sections[0].text or [""]
    return text


@pytest.mark.parametrize("text", ALL)
def test_plain_text_is_shown_as_it_is(text: str) -> None:
    shown = shown_text(plain(text))
    assert plain(text).isascii()
    assert all(word in shown.split() for word in text.split() if word.isascii() and word.isprintable())
    assert shown.isprintable()


@pytest.mark.parametrize("text", ALL)
def test_prose_is_one_paragraph_without_links_and_html(text: str) -> None:
    assert prose(text).isascii()
    shown_text(prose(text))


@pytest.mark.parametrize("text", ALL)
def test_code_shows_what_json_writes(text: str) -> None:
    escaped = "".join(letter if " " <= letter <= "~" else json.dumps(letter)[1:-1] for letter in text)
    assert shown_text(f"x {code(text)} y").split() == f"x {escaped} y".split()


@pytest.mark.parametrize("text", ALL)
def test_a_cell_stays_one_cell(text: str) -> None:
    page = Page.parse("x.md", table(("a", "b"), [(code(text), plain(text)), (prose(text), "end")]))
    ((head, first, second),) = page.sections[0].tables
    assert [len(row) for row in (head, first, second)] == [2, 2, 2]
    assert second[1] == "end"
    assert page.html == page.links == []


@pytest.mark.parametrize("text", [*filter(is_shown, TEXTS), " ".join(MARKUP), *MARKUP[:3]])
def test_hostile_text_does_not_break_the_documents(tmp_path: Path, text: str) -> None:
    model, folder = compile_model(hostile_schema(tmp_path / "schema", text), "hostile")
    files = Pages(model, folder).write()
    assert {str(name) for name in files} == {"README.md", "namespaces/shop.md", "types/things.md"}
    pages = {str(name): Page.parse(str(name), page) for name, page in files.items()}
    for path, page in pages.items():
        assert page.html == [MARKER]
        assert broken_links(path, pages) == []
    titles = [section.title for section in pages["types/things.md"].sections[2:]]
    assert titles == [f"{kind} {model.names[key]}" for kind, key in _things(model)]
    ((_, *rows),) = pages["types/things.md"].section("Thing").tables
    assert len(rows) == len({f"a{text}", "kind", "mood", "pattern", "list"})
    assert all(len(row) == 5 for row in rows)
    kinds = [
        section.title.split()[0] for section in pages["namespaces/shop.md"].sections if section.level == 2
    ]
    assert kinds == ["rpc", "channel"]
    written = asyncapi_text(model, folder)
    assert written.isascii()
    document = json.loads(written)
    (thing,) = [schema for name, schema in document["components"]["schemas"].items() if name == "Thing"]
    assert thing["properties"]["kind"]["const"] == text
    for table_ in (
        document["operations"],
        document["components"]["messages"],
        document["components"]["schemas"],
    ):
        assert all(set(name) <= _KEY_LETTERS for name in table_)


_KEY_LETTERS: Final = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-")


def _things(model: Any) -> list[tuple[str, str]]:
    kinds = {"MessageDefinition": "Message", "UnionDefinition": "Union", "EnumDefinition": "Enum"}
    keys = [key for key, definition in model.schema.definitions.items() if definition.root == "Thing"]
    assert len(keys) == 3
    return [
        (kinds[type(model.definition(key)).__name__], key)
        for key in sorted(keys, key=lambda key: key != "Thing")
    ]


_RENDERED: Final = """
import pathlib, sys
from lmwire_codegen.documents import render_documents
from lmwire_codegen.pipeline import compile_model
checkout = pathlib.Path(sys.argv[1])
files = render_documents(*compile_model(checkout / "schema", "lmwire"))
docs = checkout / "docs"
print(len(files), [str(name) for name, text in files.items() if (docs / name).read_bytes() != text.encode()])
"""


def test_the_documents_do_not_depend_on_hashes() -> None:
    run = subprocess.run(
        [sys.executable, "-c", _RENDERED, str(CHECKOUT)],
        capture_output=True, text=True, check=True, env={**os.environ, "PYTHONHASHSEED": "4242"},
    )  # fmt: skip
    count, _, differing = run.stdout.partition(" ")
    assert int(count) > 20
    assert differing.strip() == "[]"
