"""Option files: what the compiler makes of them, and what it says of those that are wrong."""

from __future__ import annotations

import copy
import itertools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from lmwire_codegen import pipeline
from lmwire_codegen.options import build_options, check_references
from lmwire_codegen.problems import SchemaProblems
from lmwire_codegen.surface import build_surfaces
from lmwire_codegen.yaml_text import load_yaml
from lmwire_runtime.errors import UsageError
from lmwire_runtime.wire import UNSET
from tests.codegen.support import CHECKOUT, Compiler, Package, write_schema

_numbers = itertools.count()

TYPES: dict[str, Any] = {
    "types": {
        "Inner": {"description": "Inside.", "fields": {"deep": {"type": "string", "description": "Deep."}}},
        "Box": {
            "description": "A box.",
            "fields": {
                "isOpen": {"type": "boolean", "required": True, "description": "Whether it is."},
                "inner": {"setting": "Inner", "description": "What is in it."},
                "items": {"type": "array", "items": {"setting": "Inner"}, "description": "More of it."},
            },
        },
        "Pair": {
            "description": "Two things.",
            "fields": {
                "left": {"type": "integer", "description": "One."},
                "right": {"enum": ["a", "b"], "description": "Another."},
            },
        },
    }
}
TABLE: dict[str, Any] = {
    "table": "SHOP",
    "config_class": "ShopConfig",
    "description": "Options of a shop.",
    "options": {
        "maxItems": {
            "key": "shop.maxItems",
            "encoding": "checkbox",
            "type": "integer",
            "minimum": 1,
            "default": False,
            "sent_when_off": 5,
            "description": "How many.",
        },
        "mood": {
            "key": "shop.mood",
            "encoding": "plain",
            "enum": ["good", "bad"],
            "default": "good",
            "description": "How it is.",
        },
        "box": {
            "key": "shop.box",
            "encoding": "plain",
            "setting": "Box",
            "description": "The box.",
            "sent_when_off": {"isOpen": False},
            "read_as_off": {"isOpen": False},
        },
        "pair": {
            "encoding": "multi-part",
            "setting": "Pair",
            "description": "The pair.",
            "parts": [
                {"key": "shop.left", "member": "left"},
                {
                    "key": "shop.right",
                    "pieces": {"word": {"member": "right", "words": {"a": "A", "b": "B"}, "default": "A"}},
                },
            ],
        },
        "whole": {"encoding": "config", "description": "All."},
    },
    "reported": {"state": {"key": "shop.state", "encoding": "plain", "description": "What it is like."}},
    "rules": [{"not_together": ["maxItems", "mood"]}],
    "clears": [{"when": ["mood"], "fields": {"shop.state": None}}],
}


def documents() -> dict[str, Any]:
    return {
        "surface/options/shared.yaml": copy.deepcopy(TYPES),
        "surface/options/shop.yaml": copy.deepcopy(TABLE),
    }


@pytest.fixture(scope="module")
def shop(module_compiler: Compiler) -> Package:
    folder = write_schema(module_compiler.place / f"options{next(_numbers)}")
    for file, document in documents().items():
        path = folder / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(yaml.safe_dump(document, sort_keys=False), encoding="utf-8")
    return module_compiler.compile(folder)


# What is made.


def test_a_table_and_its_classes_are_made(shop: Package) -> None:
    config = shop.module("config")
    made = config.ShopConfig(max_items=3, box=config.Box(is_open=True, items=[config.Inner(deep="x")]))
    assert config.SHOP.to_fields(made) == [
        {"key": "shop.maxItems", "value": {"checked": True, "value": 3}},
        {"key": "shop.box", "value": {"isOpen": True, "items": [{"deep": "x"}]}},
    ]
    assert config.SHOP.from_fields(config.SHOP.to_fields(made)) == made
    assert made.mood is UNSET


def test_every_encoding_rule_and_clear_arrives(shop: Package) -> None:
    table = shop.module("config").SHOP
    assert table.to_fields(
        {"mood": "bad", "box": False, "pair": {"right": "b"}, "whole": {"fields": [{"key": "z"}]}}
    ) == [
        {"key": "z"},
        {"key": "shop.mood", "value": "bad"},
        {"key": "shop.box", "value": {"isOpen": False}},
        {"key": "shop.right", "value": {"word": "B"}},
        {"key": "shop.state", "value": None},
    ]
    with pytest.raises(UsageError, match="cannot go together"):
        table.to_fields({"mood": "bad", "maxItems": 1})
    with pytest.raises(UsageError, match="servers only report it"):
        table.to_fields({"state": 1})


def test_dicts_have_both_spellings_and_nothing_that_servers_report(shop: Package) -> None:
    config = shop.module("config")
    assert set(config.ShopConfigDict.__annotations__) == {
        "maxItems",
        "max_items",
        "mood",
        "box",
        "pair",
        "whole",
    }
    assert set(config.BoxDict.__annotations__) == {"isOpen", "is_open", "inner", "items"}
    assert not config.ShopConfigDict.__required_keys__


def test_rows_carry_what_a_reference_page_needs(shop: Package) -> None:
    option = shop.module("config").SHOP.option("maxItems")
    assert (option.attribute, option.keys, option.default, option.off) == (
        "max_items",
        ("shop.maxItems",),
        False,
        5,
    )
    assert option.description == "How many."
    assert option.kind.words == "an integer of at least 1"


def test_the_package_shows_its_options(shop: Package) -> None:
    assert "config" in shop.module().__all__
    assert shop.module("config").__all__ == [
        "Box",
        "BoxDict",
        "Inner",
        "InnerDict",
        "Pair",
        "PairDict",
        "SHOP",
        "ShopConfig",
        "ShopConfigDict",
    ]


def test_a_schema_without_options_has_no_such_package(module_compiler: Compiler) -> None:
    package = module_compiler.compile(write_schema(module_compiler.place / f"options{next(_numbers)}"))
    assert not (package.folder / "config").exists()


@pytest.mark.parametrize("text", ['"""', "\\", 'x"', "a\nb", '"""\nraise SystemExit\n"""'])
def test_hostile_words_stay_words(module_compiler: Compiler, text: str) -> None:
    folder = write_schema(module_compiler.place / f"options{next(_numbers)}")
    files = documents()
    options = files["surface/options/shop.yaml"]["options"]
    options["mood"] |= {"enum": [text, "other"], "default": text, "description": text, "key": text}
    files["surface/options/shop.yaml"]["description"] = text
    for file, document in files.items():
        path = folder / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(yaml.safe_dump(document), encoding="utf-8")
    config = module_compiler.compile(folder).module("config")
    assert {"key": text, "value": text} in config.SHOP.to_fields({"mood": text})


# What is refused.


def problems_of(files: dict[str, Any]) -> list[str]:
    with pytest.raises(SchemaProblems) as caught:
        build_options(files)
    return [str(problem) for problem in caught.value.problems]


def change(path: str, value: Any) -> Callable[[dict[str, Any]], None]:
    """A change of the shop's table; ``...`` deletes."""

    def apply(table: dict[str, Any]) -> None:
        *parents, last = path.split("/")
        place: Any = table
        for segment in parents:
            place = place[int(segment) if isinstance(place, list) else segment]
        if value is ...:
            del place[last]
        else:
            place[last] = value

    return apply


SHOP = "surface/options/shop.yaml"
WRONG: list[tuple[str, Any, str]] = [
    ("options/mood/encoding", "secret", "#/options/mood/encoding: 'secret' is not one of"),
    (
        "options/mood/minimun",
        1,
        "#/options/mood: Unevaluated properties are not allowed ('minimun' was unexpected)",
    ),
    ("options/mood/description", ..., "#/options/mood: 'description' is a required property"),
    ("options/Mood", {}, "#/options: 'Mood' does not match"),
    ("options/mood/key", ..., "#/options/mood: a plain option needs 'key'"),
    ("options/maxItems/sent_when_off", ..., "#/options/maxItems: a checkbox option needs 'sent_when_off'"),
    ("options/maxItems/read_as_off", {}, "#/options/maxItems/read_as_off: goes with no checkbox option"),
    ("options/whole/key", "x", "#/options/whole/key: goes with no config option"),
    ("options/pair/key", "x", "#/options/pair/key: goes with no multi-part option"),
    (
        "options/box/read_as_off",
        ...,
        "#/options/box: a plain setting with sent_when_off, and nothing else, has read_as_off",
    ),
    ("options/maxItems/type", "boolean", "#/options/maxItems: a boolean cannot be off"),
    ("options/maxItems/minimum", 0.5, "#/options/maxItems: bounds of an integer must be integers"),
    ("options/maxItems/maximum", 0, "#/options/maxItems/minimum: is greater than the maximum"),
    ("options/maxItems/minLength", 1, "#/options/maxItems/minLength: goes with the type string only"),
    ("options/maxItems/default", 0, "#/options/maxItems/default: 0 is less than the minimum of 1"),
    ("options/maxItems/sent_when_off", "x", "#/options/maxItems/sent_when_off: 'x' is not of type 'integer'"),
    ("options/mood/default", "odd", "#/options/mood/default: 'odd' is not one of"),
    ("options/mood/default", False, "#/options/mood/default: False is not one of"),
    ("options/mood/type", "string", "#/options/mood: type and enum exclude one another"),
    ("options/mood/enum", [], "#/options/mood/enum: [] should be non-empty"),
    ("options/box/setting", "Bax", "#/options/box/setting: there is no setting 'Bax'"),
    ("options/box/sent_when_off", {}, "#/options/box/sent_when_off: 'isOpen' is a required property"),
    ("options/mood/key", "shop.box", "#/options/box: the key 'shop.box' belongs to 'mood'"),
    ("options/max_items", {"encoding": "config", "description": ""}, "#/options: 'max_items' does not match"),
    (
        "reported/mood",
        {"key": "x", "encoding": "plain", "description": ""},
        "#/reported/mood: is an option as well",
    ),
    ("options/pair/setting", "Box", "#/options/pair/parts: Box has required fields"),
    ("options/pair/parts/0/member", "middle", "#/options/pair/parts/0/member: Pair has no field 'middle'"),
    (
        "options/pair/parts/1/pieces/word/words",
        {"a": "A"},
        "#/options/pair/parts/1/pieces/word/words: must have each word",
    ),
    (
        "options/pair/parts/1/pieces/word/words",
        {"a": "A", "b": "A"},
        "#/options/pair/parts/1/pieces/word/words: two words mean the same",
    ),
    ("rules", [{"not_together": ["mood", "moot"]}], "#/rules/0/not_together: there is no option 'moot'"),
    ("rules", [{"option": "mood"}], "#/rules/0: {'option': 'mood'} is not valid"),
    ("rules", [{"low": "mood", "high": "maxItems"}], "#/rules/0/low: 'mood' is not always a number"),
    ("clears", [{"when": ["mod"], "fields": {}}], "#/clears/0/when: there is no option 'mod'"),
    (
        "clears",
        [{"when": ["mood"], "fields": {"shop.stat": 1}}],
        "#/clears/0/fields/shop.stat: no row has this key",
    ),
    ("config_class", "Box", "#: the name Box is taken by surface/options/shared.yaml#/types/Box"),
    ("table", "shop", "#/table: 'shop' does not match"),
]


@pytest.mark.parametrize(("path", "value", "expected"), WRONG)
def test_a_wrong_table_is_refused_with_its_place(path: str, value: Any, expected: str) -> None:
    files = documents()
    change(path, value)(files[SHOP])
    found = problems_of(files)
    assert any(line.startswith(f"{SHOP}{expected}") for line in found), found


def test_two_names_with_one_spelling_are_refused() -> None:
    files = documents()
    row = {"encoding": "plain", "type": "string", "description": ""}
    files[SHOP]["options"] |= {"fooBAR": {**row, "key": "1"}, "fooBar": {**row, "key": "2"}}
    assert problems_of(files) == [f"{SHOP}#/fooBar: 'fooBar' and 'fooBAR' are both spelled 'foo_bar'"]


def test_settings_that_contain_each_other_are_refused() -> None:
    files = documents()
    fields = files["surface/options/shared.yaml"]["types"]["Inner"]["fields"]
    fields["box"] = {"type": "array", "items": {"setting": "Box"}, "description": ""}
    assert [line.partition("#")[2] for line in problems_of(files)] == [
        "/types/Box: contains itself",
        "/types/Inner: contains itself",
    ]


def test_a_setting_inside_a_setting_has_to_exist() -> None:
    files = documents()
    files["surface/options/shared.yaml"]["types"]["Inner"]["fields"]["box"] = {
        "setting": "Bax",
        "description": "",
    }
    assert problems_of(files) == [
        "surface/options/shared.yaml#/types/Inner/fields/box/setting: there is no setting 'Bax'"
    ]


def test_several_problems_are_told_at_once() -> None:
    files = documents()
    change("options/mood/default", "odd")(files[SHOP])
    change("options/box/setting", "Bax")(files[SHOP])
    assert len(problems_of(files)) == 2


def test_a_row_that_is_there_twice_is_refused(tmp_path: Path) -> None:
    folder = write_schema(tmp_path / "schema")
    path = folder / "surface/options/twice.yaml"
    path.parent.mkdir(parents=True)
    path.write_text("table: A\nconfig_class: B\ndescription: C\noptions: {}\noptions: {}\n", encoding="utf-8")
    with pytest.raises(
        SchemaProblems, match=r"surface/options/twice\.yaml#: .*found the key 'options' twice"
    ):
        pipeline.generate(folder, tmp_path / "out", "out")
    assert not (tmp_path / "out").exists()


# The checkout's own files.


@pytest.mark.parametrize(
    ("path", "value", "expected"),
    [
        ("options/load/table", "NOPE", "#/options/load: no file of options has the table NOPE"),
        (
            "streams/complete/refuses",
            ["rawTool"],
            "#/streams/complete: the table 'prediction' has no option 'rawTool'",
        ),
        (
            "text/structured_option",
            "shape",
            "#/text: the table 'prediction' has no option 'shape'",
        ),
        (
            "streams/complete/refuses",
            ["systemPrompt"],
            "#/streams/complete: the table 'prediction' has no option 'systemPrompt'",
        ),
        (
            "streams/respond/tools/option",
            "tools",
            "#/streams/respond: the table 'prediction' has no option 'tools'",
        ),
    ],
)
def test_what_a_surface_says_of_options_is_looked_up(path: str, value: Any, expected: str) -> None:
    model, folder = pipeline.compile_model(CHECKOUT / "schema", "lmwire")
    surface = copy.deepcopy(folder.surface)
    change(path, value)(surface["surface/llm.yaml"])
    with pytest.raises(SchemaProblems) as caught:
        check_references(build_options(folder.options), build_surfaces(model, surface))
    assert [str(problem).startswith(f"surface/llm.yaml{expected}") for problem in caught.value.problems] == [
        True
    ]


def test_yaml_with_more_than_plain_data_is_refused() -> None:
    with pytest.raises(yaml.YAMLError):
        load_yaml("!!python/object/apply:os.getcwd []")
