"""Wire names and the Python names that become of them."""

from __future__ import annotations

import pytest

from lmwire_codegen.naming import (
    FIELD_RESERVED,
    NameBook,
    constant_case,
    field_names,
    pascal_case,
    safe_name,
    snake_case,
)
from lmwire_codegen.problems import Location, Problems, SchemaProblems

PLACE = Location("wire/types/things.json", "/$defs/Thing/properties")

NAMES = [
    # wire name, attribute, class
    ("content", "content", "Content"),
    ("tokensCount", "tokens_count", "TokensCount"),
    ("completeRawText", "complete_raw_text", "CompleteRawText"),
    ("unloadingOtherJITModel", "unloading_other_jit_model", "UnloadingOtherJITModel"),
    ("serializedLMSExtendedError", "serialized_lms_extended_error", "SerializedLMSExtendedError"),
    ("serializedKVConfigSchematics", "serialized_kv_config_schematics", "SerializedKVConfigSchematics"),
    ("llm.prediction.input", "llm_prediction_input", "LlmPredictionInput"),
    ("llm/rpc/tokenize", "llm_rpc_tokenize", "LlmRpcTokenize"),
    ("contentBlock.appendText", "content_block_append_text", "ContentBlockAppendText"),
    ("text/plain", "text_plain", "TextPlain"),
    ("kebab-case", "kebab_case", "KebabCase"),
    ("snake_case", "snake_case", "SnakeCase"),
    ("contentBase64", "content_base64", "ContentBase64"),
    ("sha256Sum", "sha256_sum", "Sha256Sum"),
    ("fullGPUOffload", "full_gpu_offload", "FullGPUOffload"),
    ("GGUF", "gguf", "GGUF"),
    ("$defs", "defs", "Defs"),
    ("__proto__", "proto", "Proto"),
    ("_private", "private", "Private"),
    ("2fast", "n2_fast", "T2Fast"),
    ("x86_64", "x86_64", "X8664"),
    ("ARM64", "arm64", "ARM64"),
    ("a", "a", "A"),
    ("*", "x2a", "X2a"),
    ("\N{HIRAGANA LETTER A}", "x3042", "X3042"),
]


@pytest.mark.parametrize(("wire", "attribute", "name"), NAMES)
def test_wire_names_become_python_names(wire: str, attribute: str, name: str) -> None:
    assert snake_case(wire) == attribute
    assert pascal_case(wire) == name
    assert constant_case(wire) == attribute.upper()


@pytest.mark.parametrize("wire", ["class", "from", "import", "None", "lambda", "async"])
def test_keywords_get_an_underscore(wire: str) -> None:
    assert safe_name(wire) == f"{wire}_"


@pytest.mark.parametrize("wire", ["None", "True", "False"])
def test_a_class_is_never_called_like_a_constant_of_python(wire: str) -> None:
    assert pascal_case(wire) == f"{wire}_"


def test_what_is_no_keyword_stays() -> None:
    assert [safe_name(name) for name in ("type", "match", "case", "id", "format", "data")] == [
        "type", "match", "case", "id", "format", "data",
    ]  # fmt: skip


@pytest.mark.parametrize("name", sorted(FIELD_RESERVED))
def test_a_field_cannot_hide_what_its_class_needs(name: str) -> None:
    assert field_names([name], PLACE, Problems()) == {name: f"{name}_"}


def test_two_wire_names_that_become_one_are_an_error_with_its_place() -> None:
    problems = Problems()
    field_names(["fooBar", "other", "foo_bar"], PLACE, problems)
    with pytest.raises(SchemaProblems) as caught:
        problems.raise_if_any()
    (problem,) = caught.value.problems
    assert str(problem.location) == "wire/types/things.json#/$defs/Thing/properties/foo_bar"
    assert "'foo_bar' and 'fooBar'" in problem.message


class TestNameBook:
    def test_the_lock_decides_before_the_rules(self) -> None:
        book = NameBook({"Thing": "OldThing"})
        assert book.claim("", "Thing", ["Thing"], PLACE, Problems()) == "OldThing"

    def test_a_taken_name_gives_way_to_the_next_candidate(self) -> None:
        book, problems = NameBook({}), Problems()
        book.claim(
            "llm",
            "llm/channel/predict/toClient[stop]",
            ["PredictStop", "PredictToClientStop"],
            PLACE,
            problems,
        )
        second = book.claim(
            "llm",
            "llm/channel/predict/toServer[stop]",
            ["PredictStop", "PredictToServerStop"],
            PLACE,
            problems,
        )
        assert second == "PredictToServerStop"
        problems.raise_if_any()

    def test_namespaces_do_not_see_each_other(self) -> None:
        book, problems = NameBook({}), Problems()
        names = [
            book.claim(scope, scope, ["LoadModelCreation"], PLACE, problems) for scope in ("llm", "embedding")
        ]
        assert names == ["LoadModelCreation"] * 2
        problems.raise_if_any()

    @pytest.mark.parametrize("scopes", [("", "llm"), ("llm", ""), ("", "")])
    def test_shared_names_are_seen_everywhere(self, scopes: tuple[str, str]) -> None:
        book, problems = NameBook({}), Problems()
        for number, scope in enumerate(scopes):
            book.claim(scope, f"key{number}", ["Thing"], PLACE, problems)
        with pytest.raises(SchemaProblems, match=r"the name Thing is taken by 'key0'"):
            problems.raise_if_any()

    def test_the_lock_keeps_what_older_revisions_used(self) -> None:
        book = NameBook({"Gone": "Gone", "Thing": "OldThing"})
        book.claim("", "Thing", ["Thing"], PLACE, Problems())
        book.claim("", "New", ["New"], PLACE, Problems())
        assert list(book.lock().items()) == [("Gone", "Gone"), ("New", "New"), ("Thing", "OldThing")]
