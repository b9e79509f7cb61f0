"""Structured output by classes: what is asked for, and what is made of the answer."""

from __future__ import annotations

import copy
import json
import subprocess
import sys
from typing import Any, Union

import attrs
import pydantic
import pytest

import lmwire
from lmwire_runtime.surface.structured import as_setting, parse_as
from tests.surface.structured_types import (
    ANSWER,
    BUILT,
    MAKERS,
    Author,
    Book,
    ByBaseModel,
    ByDataclass,
    ByMsgspec,
    ByPydantic,
    Translation,
)


def schema_of(cls: Any) -> Any:
    setting = as_setting(cls)
    assert setting["type"] == "json"
    json.dumps(setting)
    return setting["jsonSchema"]


@pytest.mark.parametrize("cls", MAKERS)
def test_every_kind_of_class_is_asked_for_alike(cls: Any) -> None:
    schema = schema_of(cls)

    assert schema["type"] == "object"
    assert schema["properties"]["year"]["type"] == "integer"
    assert schema["properties"]["tags"]["items"] == {"type": "string"}
    assert set(schema["required"]) == {"title", "year"}
    assert "$ref" not in schema


@pytest.mark.parametrize("cls", MAKERS)
def test_every_kind_of_class_is_made_of_the_answer(cls: Any) -> None:
    made = parse_as('{"title": "Emma", "year": 1815, "tags": ["a"]}', cls)
    expected = {"title": "Emma", "year": 1815, "tags": ["a"]}

    assert made == (cls(**expected))
    assert isinstance(made, dict) or made.title == "Emma"


@pytest.mark.parametrize("cls", MAKERS)
@pytest.mark.parametrize("text", ['{"title": "Emma"}', '{"title": "Emma", "year": "old"}', "[]", "Emma", ""])
def test_what_does_not_fit_is_refused_with_the_text(cls: Any, text: str) -> None:
    with pytest.raises(lmwire.UsageError) as caught:
        parse_as(text, cls)

    assert cls.__name__ in str(caught.value)
    assert text in str(caught.value)


def test_a_schema_says_all_that_the_annotations_say() -> None:
    schema = schema_of(Book)
    properties = schema["properties"]

    assert schema["title"] == "Book"
    assert schema["description"] == "A book, as it was printed."
    assert "shelf" not in properties
    assert properties["title"] == {"type": "string", "description": "as on the cover"}
    assert properties["author"] == {"$ref": "#/$defs/Author"}
    assert properties["pages"] == {"type": "integer", "exclusiveMinimum": 0, "maximum": 5000}
    assert properties["rating"] == {"type": "number", "default": 1.0}
    assert properties["colour"] == {"enum": ["red", "blue"]}
    assert properties["kind"] == {"enum": ["novel", "play", 3, True, None], "default": "novel"}
    assert properties["edition"]["prefixItems"] == [{"type": "integer"}, {"type": "string"}]
    assert properties["edition"]["minItems"] == properties["edition"]["maxItems"] == 2
    assert properties["prices"] == {"type": "object", "additionalProperties": {"type": "number"}}
    assert properties["printed"] == {"type": "string", "format": "date-time"}
    assert properties["sequel"]["anyOf"] == [{"$ref": "#/$defs/Book"}, {"type": "null"}]
    assert properties["anything"] == {"default": None}
    assert schema["required"] == ["title", "author", "pages", "edition", "printed", "code"]
    assert set(schema["$defs"]) == {"Author", "Book"}
    assert schema["$defs"]["Author"]["required"] == ["name"]


def test_objects_are_made_of_the_answer_with_exact_types() -> None:
    made = parse_as(json.dumps(ANSWER), Book)

    assert made == BUILT
    assert type(made.rating) is float
    assert type(made.edition[0]) is int


def test_a_class_may_hold_itself() -> None:
    made = parse_as(json.dumps({**ANSWER, "sequel": ANSWER}), Book)

    assert made.sequel == BUILT


MISFITS: dict[str, tuple[dict[str, Any], str]] = {
    "another type": ({"title": 5}, "Book.title: expected text, found an integer, 5"),
    "null": ({"title": None}, "Book.title: expected text, found null"),
    "inside": ({"author": {"name": 5}}, "Author.name: expected text"),
    "inside, missing": ({"author": {}}, "Author: name missing"),
    "boolean for a number": ({"pages": True}, "Book.pages: expected an integer, found a boolean"),
    "fraction": ({"pages": 1.5}, "Book.pages: expected an integer, found a number, 1.5"),
    "too small": ({"pages": 0}, "Book.pages: expected more than 0, found 0"),
    "too large": ({"pages": 5001}, "Book.pages: expected at most 5000, found 5001"),
    "no member": ({"colour": "green"}, "Book.colour: 'green' is no Colour"),
    "no choice": ({"kind": 1}, "Book.kind: expected one of"),
    "short tuple": ({"edition": [1]}, "Book.edition: expected 2 items, found 1"),
    "item": ({"edition": [1, 2]}, "Book.edition[1]: expected text"),
    "value": ({"prices": {"new": "8"}}, "Book.prices['new']: expected a number"),
    "no arm": ({"sequel": 5}, "Book.sequel: 5 fits none of its types"),
    "no date": ({"printed": "yesterday"}, "Book.printed: 'yesterday' is no datetime"),
}


@pytest.mark.parametrize(("change", "words"), MISFITS.values(), ids=MISFITS)
def test_a_misfit_is_named_with_its_place(change: dict[str, Any], words: str) -> None:
    with pytest.raises(lmwire.UsageError) as caught:
        parse_as(json.dumps({**ANSWER, **change}), Book)

    assert words in str(caught.value)


def test_base_models_behave_as_values() -> None:
    author = Author(name="Jane")

    assert repr(author) == "Author(name='Jane', born=None)"
    assert author == Author(name="Jane", born=None)
    assert author != Author(name="Joan")
    with pytest.raises(TypeError, match="name"):
        Author()  # type: ignore[call-arg]
    with pytest.raises(TypeError, match="nmae"):
        Author(nmae="Jane")  # type: ignore[call-arg]
    with pytest.raises(TypeError):
        Author("Jane")  # type: ignore[call-arg]


def test_defaults_are_not_shared() -> None:
    first, second = ByBaseModel(title="a", year=1), ByBaseModel(title="b", year=2)
    first.tags.append("x")

    assert second.tags == []


def test_subclasses_inherit_fields() -> None:
    made = parse_as(
        json.dumps({**ANSWER, "language": "de", "original": {"title": "Emma", "year": 1815}}), Translation
    )

    assert isinstance(made, Book)
    assert made.title == "Emma"
    assert made.original == ByDataclass("Emma", 1815)
    assert schema_of(Translation)["required"][-2:] == ["language", "original"]


def test_classes_of_functions_find_each_other_and_themselves() -> None:
    class Leaf(lmwire.BaseModel):
        size: int

    class Tree(lmwire.BaseModel):
        leaves: list[Leaf]
        trees: list[Tree]

    made = parse_as('{"leaves": [{"size": 1}], "trees": [{"leaves": [], "trees": []}]}', Tree)

    assert made == Tree(leaves=[Leaf(size=1)], trees=[Tree(leaves=[], trees=[])])


def test_classes_of_other_libraries_nest() -> None:
    class Shelf(lmwire.BaseModel):
        models: list[ByPydantic]
        structs: dict[str, ByMsgspec]
        either: Union[Author, ByPydantic, None] = None  # noqa: UP007 - the older spelling is to work too

    schema = schema_of(Shelf)
    item = {"title": "Emma", "year": 1815}
    made = parse_as(json.dumps({"models": [item], "structs": {"a": item}, "either": item}), Shelf)

    assert schema["properties"]["models"]["items"] == {"$ref": "#/$defs/ByPydantic"}
    assert set(schema["$defs"]) == {"Author", "ByPydantic", "ByMsgspec"}
    assert made.models == [ByPydantic(title="Emma", year=1815)]
    assert made.structs == {"a": ByMsgspec(title="Emma", year=1815)}
    assert isinstance(made.either, ByPydantic)


def test_two_classes_of_one_name_are_told_apart() -> None:
    def other() -> Any:
        class Author(lmwire.BaseModel):
            age: int

        return Author

    pair = attrs.make_class("Pair", {"one": attrs.field(type=Author), "two": attrs.field(type=other())})
    schema = schema_of(pair)

    names = [schema["properties"][name]["$ref"].rpartition("/")[2] for name in ("one", "two")]
    assert [list(schema["$defs"][name]["properties"]) for name in names] == [["name", "born"], ["age"]]


def test_a_recursive_pydantic_model_has_no_reference_at_its_top() -> None:
    schema = schema_of(_Node)

    assert "$ref" not in schema
    assert schema["type"] == "object"
    assert "_Node" in schema["$defs"]


def test_private_attributes_of_attrs_lose_their_underscore() -> None:
    hidden = attrs.make_class("Hidden", {"_key": attrs.field(type=str)})

    assert list(schema_of(hidden)["properties"]) == ["key"]
    assert parse_as('{"key": "a"}', hidden) == hidden(key="a")


class _Node(pydantic.BaseModel):
    after: _Node | None = None


class _Unknown(lmwire.BaseModel):
    fine: int
    wrong: Missing  # type: ignore[name-defined]  # noqa: F821 - that is the point


class _Complex(lmwire.BaseModel):
    inner: list[dict[str, complex]]


class _Keys(lmwire.BaseModel):
    by_number: dict[int, str]


class _Plain:
    title: str


REFUSED: dict[str, tuple[Any, str]] = {
    "unknown name": (_Unknown, "_Unknown.wrong has an annotation that cannot be resolved: name 'Missing'"),
    "no word": (_Complex, "_Complex.inner is annotated with <class 'complex'>"),
    "keys": (_Keys, "_Keys.by_number is annotated with dict[int, str]"),
    "no fields": (_Plain, "_Plain cannot be used as a response format"),
    "a builtin": (int, "int cannot be used as a response format"),
    "a list": (list[int], "response_format must be a JSON Schema"),
    "an object": (BUILT, "response_format must be a JSON Schema"),
    "text": ("{}", "response_format must be a JSON Schema"),
}


@pytest.mark.parametrize(("given", "words"), REFUSED.values(), ids=REFUSED)
def test_wrong_annotations_are_refused_by_class_and_field(given: Any, words: str) -> None:
    with pytest.raises(lmwire.UsageError) as caught:
        as_setting(given)

    assert words in str(caught.value)


def test_a_schema_is_made_anew_each_time() -> None:
    before = copy.deepcopy(schema_of(Book))
    schema_of(Book)["properties"].clear()

    assert schema_of(Book) == before


def test_base_model_costs_no_websockets_and_no_msgspec() -> None:
    program = (
        "import sys, lmwire; lmwire.BaseModel;"
        " print([name for name in ('websockets', 'msgspec', 'pydantic', 'asyncio') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)

    assert done.stdout.strip() == "[]"
