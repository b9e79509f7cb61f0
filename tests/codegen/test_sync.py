"""``lmwire-codegen sync`` and ``diff``: what they keep, write, print and refuse, on exports of our own making."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import attrs
import pytest
from click.testing import CliRunner, Result

from lmwire_codegen.cli import main
from lmwire_codegen.history import HISTORY_FILE
from lmwire_codegen.importer.export import read_export
from lmwire_codegen.schema_files import replace_files
from lmwire_codegen.sync import sync
from tests.codegen.exports import INTEGER, STRING, an_export, an_object, packet, ref, write_export

CUP = an_object("size", size=INTEGER, note=STRING)
FIRST = an_export({"cup": CUP}, rpc={"get": {"returns": ref("cup")}})
SECOND = an_export(
    {"mug": an_object("size", "colour", size=INTEGER, note=STRING, colour=STRING)},
    rpc={"get": {"returns": ref("mug")}, "list": {"returns": {"type": "array", "items": ref("mug")}}},
    channel={"watch": {"toClientPacket": {"anyOf": [packet("a"), packet("b")]}}},
)
WORDS = "Cup: A cup.\nCup.size: Its size.\n"


@pytest.fixture
def schema(tmp_path: Path) -> Path:
    """A schema folder with things written by hand, at the first revision."""
    folder = tmp_path / "schema"
    write_export(folder / "revision.json", {"revision": "2000-01-01"})
    write_export(folder / "repairs.yaml", "topics: {vessels: [Cup]}\n")
    write_export(folder / "descriptions" / "words.yaml", WORDS)
    write_export(folder / "wire" / "envelope.json", {"$defs": {"Frame": an_object("type", type=STRING)}})
    sync(exported(folder, FIRST, "2001-01-01"), folder)
    return folder


def exported(schema: Path, export: Any, revision: str = "2002-02-02") -> Path:
    return write_export(schema.parent / f"{revision}.json", export)


def tree(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()
    }


def run(*arguments: object) -> Result:
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


class TestSync:
    def test_it_keeps_what_is_written_by_hand(self, schema: Path) -> None:
        before = tree(schema)
        done = run("sync", exported(schema, SECOND), "--schema", schema)
        assert done.exit_code == 0, done.output
        after = tree(schema)
        for name in ("repairs.yaml", "descriptions/words.yaml", "wire/envelope.json"):
            assert after[name] == before[name]
        assert json.loads(after["revision.json"]) == {"revision": "2002-02-02"}
        assert sorted(after) == [
            "descriptions/words.yaml", "history.json", "names.lock.json", "repairs.yaml", "revision.json",
            "wire/envelope.json", "wire/namespaces/shop.json", "wire/types/vessels.json",
        ]  # fmt: skip

    def test_it_names_what_is_new_and_keeps_the_name_of_what_is_renamed(self, schema: Path) -> None:
        sync(exported(schema, SECOND), schema)
        lock = json.loads((schema / "names.lock.json").read_text("utf-8"))
        assert lock["Cup"] == "Cup"
        assert lock["Mug"] == "Cup"
        assert lock["shop/channel/watch/toClient[a]"] == "WatchA"

    def test_a_type_that_comes_back_beside_its_new_self_gets_a_name_of_its_own(self, schema: Path) -> None:
        sync(exported(schema, SECOND), schema)
        both = an_export(
            {"cup": CUP, "mug": CUP}, rpc={"get": {"returns": ref("mug")}, "old": {"returns": ref("cup")}}
        )
        sync(exported(schema, both, "2003-03-03"), schema)
        lock = json.loads((schema / "names.lock.json").read_text("utf-8"))
        assert (lock["Cup"], lock["Mug"]) == ("Cup", "Mug")

    def test_what_has_no_name_of_its_own_gives_way_to_what_has(self, schema: Path) -> None:
        cup = an_object("lid", lid=an_object("size", size=INTEGER))
        export = an_export(
            {"cup": cup, "cupLid": an_object(a=STRING)},
            rpc={"get": {"returns": ref("cup")}, "lid": {"returns": ref("cupLid")}},
        )
        report = sync(exported(schema, export), schema).report
        assert report.names == {"CupLid": "CupLid", "Cup.lid": "CupLidInline"} | {
            key: name for key, name in report.names.items() if key.startswith("shop/")
        }

    def test_going_back_and_forth_ends_where_it_began(self, schema: Path) -> None:
        one, two = exported(schema, FIRST, "2001-01-01"), exported(schema, SECOND)
        sync(two, schema)
        at_two = tree(schema)
        sync(one, schema)
        at_one = tree(schema)
        sync(two, schema)
        assert tree(schema) == at_two
        sync(one, schema)
        assert tree(schema) == at_one

    def test_a_second_time_changes_nothing(self, schema: Path) -> None:
        before = tree(schema)
        outcome = sync(exported(schema, FIRST, "2001-01-01"), schema)
        assert outcome.changed == ()
        assert outcome.report.changes == ()
        assert tree(schema) == before

    def test_a_dry_run_says_the_same_and_writes_nothing(self, schema: Path) -> None:
        before, export = tree(schema), exported(schema, SECOND)
        dry = run("sync", export, "--schema", schema, "--dry-run")
        assert tree(schema) == before
        wet = run("sync", export, "--schema", schema)
        assert dry.stdout == wet.stdout
        assert dry.stderr.replace("would change", "changed") == wet.stderr

    def test_the_revision_is_the_name_of_the_file_or_what_one_says(self, schema: Path) -> None:
        export = write_export(schema.parent / "lms schema (1).json", SECOND)
        assert run("sync", export, "--schema", schema).exit_code == 0
        assert json.loads((schema / "revision.json").read_text("utf-8")) == {"revision": "lms-schema-1"}
        assert run("sync", export, "--schema", schema, "--revision", "2005-05-05").exit_code == 0
        assert json.loads((schema / "revision.json").read_text("utf-8")) == {"revision": "2005-05-05"}
        refused = run("sync", export, "--schema", schema, "--revision", "../x")
        assert refused.exit_code == 2
        assert "letters, digits" in refused.stderr

    def test_it_remembers_which_revision_had_what(self, schema: Path) -> None:
        sync(exported(schema, SECOND), schema)
        history = json.loads((schema / HISTORY_FILE).read_text("utf-8"))
        assert history["revisions"] == ["2000-01-01", "2001-01-01", "2002-02-02"]
        partial = history["partial"]
        assert partial["shop/rpc/get"] == "2001-01-01..2002-02-02"
        assert partial["Cup"] == "2001-01-01"
        assert partial["shop/rpc/list"] == "2002-02-02"
        assert partial["shop/channel/watch/toClient[a]"] == "2002-02-02"

    def test_what_cannot_be_told_apart_becomes_any_value_and_a_human_hears_of_it(self, schema: Path) -> None:
        odd = {"anyOf": [an_object(a=STRING), an_object(b=STRING)]}
        export = an_export({"cup": an_object(v=odd)}, rpc={"get": {"returns": ref("cup")}})
        outcome = sync(exported(schema, export), schema)
        (note,) = [note for note in outcome.report.human if "any JSON value" in note.message]
        assert note.subject == "wire/types/vessels.json#/$defs/Cup/properties/v"
        assert "without a tag" in note.message
        wire = json.loads((schema / "wire/types/vessels.json").read_text("utf-8"))
        assert list(wire["$defs"]["Cup"]["properties"]["v"]) == ["$comment"]

    def test_what_needs_a_human(self, schema: Path) -> None:
        pairs = {"type": "array", "maxItems": 125, "items": {"type": "array", "items": [STRING, STRING]}}
        export = an_export(
            {"cup": CUP},
            rpc={
                "get": {"returns": {"anyOf": [{"not": {}}, ref("cup")]}},
                "table": {"returns": pairs},
                "pot": {"returns": ref("pot")},
            },
        )
        export["definitions"]["pot"] = an_object(lid=STRING)
        report = sync(exported(schema, export), schema).report
        notes = {note.subject: note.message for note in report.human}
        assert "either sent or not" in notes["shop/rpc/get/result"]
        assert "superjson" in notes["shop/rpc/table/result"]
        assert "map" in notes["shop/rpc/table/result"]
        assert "Pot" in notes["topics"]
        assert notes["descriptions"].startswith("4 new things have no words")
        assert (report.described, report.describable) == (2, 10)


class TestExitCodes:
    def test_without_being_asked_changes_are_no_failure(self, schema: Path) -> None:
        assert run("sync", exported(schema, SECOND), "--schema", schema).exit_code == 0

    @pytest.mark.parametrize(
        ("export", "code"),
        [
            (FIRST, 0),
            (
                an_export(
                    {"cup": {**CUP, "required": ["size"]}}, rpc={"get": {"returns": ref("cup")}, "x": {}}
                ),
                3,
            ),
            (SECOND, 4),
        ],
        ids=["nothing changed", "compatible", "breaking"],
    )
    def test_asked_the_code_says_what_changed(self, schema: Path, export: Any, code: int) -> None:
        path = exported(schema, export)
        assert run("diff", schema, path, "--schema", schema, "--exit-code").exit_code == code
        assert run("sync", path, "--schema", schema, "--exit-code").exit_code == code


class TestDiff:
    def test_files_and_folders_in_any_pairing(self, schema: Path) -> None:
        first, second = exported(schema, FIRST, "2001-01-01"), exported(schema, SECOND)
        folder = schema.parent / "second"
        shutil.copytree(schema, folder)
        sync(second, folder)
        reports = [
            run("diff", old, new, "--schema", schema, "--format", "json")
            for old in (first, schema)
            for new in (second, folder)
        ]
        assert {report.exit_code for report in reports} == {0}
        changes = [json.loads(report.stdout)["changes"] for report in reports]
        assert len(changes[0]) == 4
        assert all(one == changes[0] for one in changes)

    def test_text_names_the_sides_that_break(self, schema: Path) -> None:
        said = run("diff", schema, exported(schema, SECOND), "--schema", schema).stdout
        assert (
            "2001-01-01 -> 2002-02-02: 4 changes in meaning, 0 breaking for clients, 1 breaking for servers"
            in said
        )
        assert "compatible | BREAKING   field Mug.colour added, required: str" in said
        assert "servers: older servers do not send it" in said
        assert "type Cup renamed: Mug, in Python Cup" in said

    def test_json_has_all_of_it(self, schema: Path) -> None:
        done = run("diff", schema, exported(schema, SECOND), "--schema", schema, "--format", "json")
        report = json.loads(done.stdout)
        change = next(change for change in report["changes"] if change["subject"] == "Mug.colour")
        assert change == {
            "kind": "added-required", "noun": "field", "subject": "Mug.colour", "old": None, "new": "str",
            "file": "wire/types/vessels.json", "pointer": "/$defs/Mug/properties/colour",
            "directions": ["to client"], "endpoints": ["shop/rpc/get"],
            "clients": {"breaking": False, "reason": "older clients pass over what they do not know"},
            "servers": {"breaking": True, "reason": "older servers do not send it"}, "python": None,
        }  # fmt: skip

    def test_markdown_fits_a_changelog(self, schema: Path) -> None:
        said = run(
            "diff", schema, exported(schema, SECOND), "--schema", schema, "--format", "markdown"
        ).stdout
        assert said.startswith("## Protocol 2002-02-02 (after 2001-01-01)\n\n")
        field = "- field `Mug.colour` added, required: `str` (to client)"
        assert f"{field} - **breaks servers**: older servers do not send it" in said.splitlines()
        assert "- type `Cup` renamed: `Mug`, in Python `Cup`" in said.splitlines()

    def test_hostile_text_stays_inside_its_markup(self, schema: Path) -> None:
        def export(member: str) -> dict[str, Any]:
            kind = {"type": "string", "enum": [member]}
            return an_export({"kind": kind}, rpc={"kind": {"returns": ref("kind")}})

        old = exported(schema, export("`*x*`\n# Heading\n<script>"))
        new = exported(schema, export("a"), "2003-03-03")
        said = {
            form: run("diff", old, new, "--schema", schema, "--format", form).stdout
            for form in ("text", "markdown")
        }
        assert "- enum member ``Kind=`*x*` # Heading <script>`` removed (to client)" in said["markdown"]
        for text in said.values():
            assert not any(line.startswith(("# Heading", "<script>")) for line in text.splitlines())


@attrs.frozen
class Wrong:
    """An input that is refused, where it is wrong, and what is said."""

    title: str
    export: Any
    said: str


def with_definition(key: str, schema: Any) -> Mapping[str, Any]:
    return an_export({key: schema}, rpc={"get": {"returns": ref(key)}})


def named_endpoint(name: str) -> Mapping[str, Any]:
    return an_export({}, rpc={name: {}})


WRONG = [
    Wrong("no JSON", "{", "2002-02-02.json#: cannot be read as JSON"),
    Wrong("another JSON", "[1]", "2002-02-02.json#: is no export of the protocol"),
    Wrong("a key twice", '{"a": 1, "a": 2}', "cannot be read as JSON: an object has the keys ['a'] twice"),
    Wrong("NaN", '{"a": NaN}', "cannot be read as JSON: NaN is no JSON"),
    Wrong("too deep", "[" * 5000 + "]" * 5000, "2002-02-02.json#"),
    Wrong("deep", '{"a":' * 200 + "1" + "}" * 200, "is nested beyond reason"),
    Wrong(
        "a dangling reference",
        with_definition("cup", an_object(a=ref("nowhere"))),
        "2002-02-02.json#/definitions/cup/properties/a: dangling $ref '#/definitions/nowhere'",
    ),
    Wrong("a circle", with_definition("cup", ref("cup")), "#/definitions/cup: $ref '#/definitions/cup' leads back"),
    Wrong(
        "an array of itself",
        with_definition("cup", {"type": "array", "items": ref("cup")}),
        "wire/types/vessels.json#/$defs/Cup: refers to itself without an object in between",
    ),
    Wrong(
        "an unsupported keyword",
        with_definition("cup", an_object(a={"patternProperties": {}})),
        "2002-02-02.json#/definitions/cup/properties/a: unsupported keyword 'patternProperties'",
    ),
    Wrong(
        "two types of one name",
        an_export(
            {"two-words": CUP, "twoWords": CUP},
            rpc={"a": {"returns": ref("two-words")}, "b": {"returns": ref("twoWords")}},
        ),
        "'twoWords' and 'two-words' both become TwoWords",
    ),
    Wrong(
        "two fields of one name",
        with_definition("cup", an_object(fooBar=STRING, foo_bar=STRING)),
        "wire/types/vessels.json#/$defs/Cup/properties/foo_bar: 'foo_bar' and 'fooBar' both become the attribute",
    ),
    Wrong("an odd type", with_definition("cup", {"type": "strnig"}), "#/definitions/cup/type: must be one of array"),
    Wrong("odd fields", with_definition("cup", {"properties": 3}), "#/definitions/cup/properties: must be an object"),
    Wrong("an odd list", with_definition("cup", {"anyOf": []}), "#/definitions/cup/anyOf: must be an array with"),
    Wrong("half a character", with_definition("cup", {"const": "\ud800"}), "#/definitions/cup/const: has half of"),
    Wrong("no number", '{"definitions": {"a": {"minimum": 1e999}}}', "#/definitions/a/minimum: is no finite number"),
    Wrong("an endpoint with code", named_endpoint('x"\nimport os'), "is no name of an endpoint"),
    Wrong("an endpoint like a path", named_endpoint("..\\x"), "is no name of an endpoint"),
]  # fmt: skip


@pytest.mark.parametrize("case", WRONG, ids=lambda case: case.title)
@pytest.mark.parametrize("command", ["sync", "diff"])
def test_wrong_input_is_one_clear_report_and_nothing_is_written(
    command: str, case: Wrong, schema: Path
) -> None:
    export, before = exported(schema, case.export), tree(schema)
    paths = [export] if command == "sync" else [schema, export]
    done = run(command, *paths, "--schema", schema)
    assert done.exit_code == 2, done.output
    assert isinstance(done.exception, SystemExit)
    assert case.said in done.stderr
    assert "nothing was written" in done.stderr
    assert done.stdout == ""
    assert tree(schema) == before


@pytest.mark.parametrize("name", ["../../x", "a/b", "", "con", "COM1", "x.y", "ä", "-"])
def test_a_namespace_names_a_file_and_a_package(name: str, schema: Path) -> None:
    export = an_export({}, rpc={"a": {}})
    export["properties"] = {name: ref("pseudo/shop")}
    export["definitions"][f"pseudo/{name}"] = export["definitions"].pop("pseudo/shop")
    done = run("sync", exported(schema, export), "--schema", schema)
    assert done.exit_code == 2
    assert "is no name of a namespace" in done.stderr


def test_the_copy_that_is_shipped_is_not_changed(schema: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As an installed distribution has it: the package lies where no checkout is around it."""
    from lmwire_codegen import load

    shipped = Path(shutil.move(schema, schema.parent / "site-packages" / "lmwire_codegen" / "schema"))
    monkeypatch.setattr(load, "_PACKAGE", shipped.parent.resolve())
    export, before = exported(schema, SECOND), tree(shipped)
    refused = run("sync", export)
    assert refused.exit_code == 2
    assert "say with --schema which folder to change" in refused.stderr
    assert run("sync", export, "--dry-run").exit_code == 0
    assert tree(shipped) == before


def test_a_file_that_is_not_there(schema: Path) -> None:
    done = run("sync", schema.parent / "none.json", "--schema", schema)
    assert done.exit_code == 2
    assert "none.json#: cannot be read as JSON" in done.stderr
    done = run("diff", schema.parent, schema, "--schema", schema)
    assert done.exit_code == 2
    assert "no schema folder" in done.stderr


def test_text_of_an_export_is_never_code(schema: Path, compiler: Any) -> None:
    """Quotes, newlines and Python in every place that a revision may fill with what it likes."""
    evil = "\"\"\"\nraise SystemExit\n'''\\"
    cup = {
        **an_object(evil, **{evil: {**STRING, "title": evil, "default": evil}}),
        "title": evil,
        "description": evil,
    }
    kinds = {"type": "string", "enum": [evil, "a", "", "__import__('os')"], "description": evil}
    export = an_export(
        {"../../cup": cup, "kind": kinds},
        rpc={
            "get": {"parameter": ref("../../cup"), "returns": {"anyOf": [{"const": evil}, {"type": "null"}]}}
        },
        channel={
            "watch": {
                "creationParameter": an_object(kind=ref("kind")),
                "toClientPacket": {"anyOf": [packet(evil), packet("b")]},
            }
        },
    )
    assert run("sync", exported(schema, export), "--schema", schema).exit_code == 0
    package = compiler.compile(schema)
    tried = run("selftest", "--schema", schema, "--out", package.folder, "--package", package.name)
    assert tried.exit_code == 0, tried.output


def test_bytes_that_are_no_text(schema: Path) -> None:
    path = schema.parent / "2002-02-02.json"
    path.write_bytes(b"\xff\xfe{}")
    done = run("sync", path, "--schema", schema)
    assert done.exit_code == 2
    assert "2002-02-02.json#: cannot be read as JSON" in done.stderr


def test_upstreams_marks_of_encoding_are_read(schema: Path) -> None:
    path = schema.parent / "2002-02-02.json"
    path.write_bytes(b"\xef\xbb\xbf" + json.dumps(SECOND).encode())
    assert read_export(path).namespaces.keys() == {"shop"}


def test_files_are_replaced_all_or_none(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("old", encoding="utf-8")
    (tmp_path / "b").write_text("a file", encoding="utf-8")
    before = tree(tmp_path)
    with pytest.raises(OSError, match="b"):
        replace_files(tmp_path, {"a": "new", "b/c": "no folder"})
    assert tree(tmp_path) == before
    assert replace_files(tmp_path, {"a": "new", "b": None, "c/d": "x"}) == ["a", "b", "c/d"]
    assert tree(tmp_path) == {"a": b"new", "c/d": b"x"}
