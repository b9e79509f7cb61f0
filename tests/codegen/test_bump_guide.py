"""The steps of a protocol bump, as CONTRIBUTING and README have them, against a copy of the schema folder."""

from __future__ import annotations

import json
import re
import shlex
import shutil
from pathlib import Path
from typing import Final

import pytest
from click.testing import CliRunner, Result

from lmwire_codegen.cli import main
from tests.codegen.exports import STRING, export_of_schema, write_export
from tests.codegen.support import CHECKOUT

GUIDE: Final = (CHECKOUT / "CONTRIBUTING.md").read_text("utf-8")
SECTION: Final = re.search(r"^## A protocol bump\n(.*?)^## ", GUIDE, re.MULTILINE | re.DOTALL)
assert SECTION is not None


def blocks_of(text: str) -> list[list[str]]:
    """Return the commands of each block of a document."""
    blocks = re.findall(r"^ *```sh\n(.*?)^ *```", text, re.MULTILINE | re.DOTALL)
    return [
        [line.partition("#")[0].strip() for line in block.splitlines() if line.strip()] for block in blocks
    ]


BLOCKS: Final = blocks_of(SECTION[1])
README: Final = [
    block
    for block in blocks_of((CHECKOUT / "README.md").read_text("utf-8"))
    if block[0].startswith("lmwire-codegen sync")
]


class Checkout:
    """A copy of what the commands of the guide read and write."""

    def __init__(self, place: Path) -> None:
        self.place = place
        self.schema = Path(shutil.copytree(CHECKOUT / "schema", place / "schema"))
        (place / "generated").mkdir()
        export = export_of_schema(self.schema)
        loaded = export["definitions"]["llm/rpc/listLoaded/returns"]
        export["definitions"]["llm/rpc/listSleeping/returns"] = loaded
        export["definitions"]["pseudo/llm/rpc/listSleeping"] = {
            "type": "object",
            "properties": {"returns": {"$ref": "#/definitions/llm/rpc/listSleeping/returns"}},
        }
        endpoints = export["definitions"]["pseudo/llm"]["properties"]
        endpoints["rpcListSleeping"] = {"$ref": "#/definitions/pseudo/llm/rpc/listSleeping"}
        version = export["definitions"]["system/rpc/version/returns"]
        version["properties"]["codeName"] = STRING
        version["required"].append("codeName")
        write_export(place / "export.json", export)

    def run(self, line: str, monkeypatch: pytest.MonkeyPatch) -> Result:
        """Run a line of the guide, in this place."""
        monkeypatch.chdir(self.place)
        program, *arguments = shlex.split(line)
        assert program.rpartition("/")[2] == "lmwire-codegen"
        return CliRunner().invoke(main, [*arguments, "--schema", str(self.schema)])


def commands(block: list[str]) -> list[str]:
    return [shlex.split(line)[1] for line in block]


def test_the_guide_has_the_steps() -> None:
    assert [commands(block) for block in BLOCKS] == [
        ["sync", "generate", "check", "selftest"], ["diff"], ["generate", "check"],
    ]  # fmt: skip


def test_the_steps_of_the_readme_do_as_they_say(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    checkout = Checkout(tmp_path)
    (lines,) = README
    assert commands(lines) == ["sync", "sync", "generate", "selftest"]
    said = []
    for line in lines:
        done = checkout.run(line, monkeypatch)
        assert done.exit_code == 0, f"{line}\n{done.output}"
        said.append(done.stdout)
    assert said[0] == said[1]
    assert "endpoint llm/rpc/listSleeping added" in said[0]
    page = (tmp_path / "docs/reference/namespaces/llm.md").read_text("utf-8")
    assert "## rpc `listSleeping`\n\n*not described*\n\n- Since: export\n" in page
    operations = json.loads((tmp_path / "docs/asyncapi.json").read_text("utf-8"))["operations"]
    assert "llm.rpc.listSleeping" in operations


def test_the_steps_do_as_they_say(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    checkout = Checkout(tmp_path)
    bump, changelog, vendored = BLOCKS
    told = checkout.run(changelog[0], monkeypatch)
    assert told.exit_code == 0, told.output
    assert "- endpoint `llm/rpc/listSleeping` added" in told.stdout.splitlines()
    assert (
        "- field `system/rpc/version/result.codeName` added, required: `str` (to client) - **breaks servers**"
        in told.stdout
    )
    dry = checkout.run(f"{bump[0]} --dry-run", monkeypatch)
    for line in bump:
        done = checkout.run(line, monkeypatch)
        assert done.exit_code == 0, f"{line}\n{done.output}"
        if " sync " in line:
            assert done.stdout == dry.stdout
    assert json.loads((checkout.schema / "revision.json").read_text("utf-8")) == {"revision": "2031-01-02"}
    stubs = (tmp_path / "generated/lmwire/llm/stubs.py").read_text("utf-8")
    assert "def list_sleeping(self" in stubs
    for line in vendored:
        done = checkout.run(line, monkeypatch)
        assert done.exit_code == 0, f"{line}\n{done.output}"
    assert not (tmp_path / "src/mysdk/_wire/plugins").exists()


def test_the_exit_codes_are_those_of_the_guide(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = " ".join(GUIDE.split())
    assert "with `--exit-code` also 3 if something changed compatibly, 4 if something breaks" in text
    checkout = Checkout(tmp_path)
    assert checkout.run("lmwire-codegen diff schema export.json --exit-code", monkeypatch).exit_code == 4
    assert checkout.run("lmwire-codegen diff schema schema --exit-code", monkeypatch).exit_code == 0
    assert checkout.run("lmwire-codegen sync nothing.json", monkeypatch).exit_code == 2
