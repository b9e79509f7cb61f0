"""The checkers of the layers find what they are for, on small trees made for it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.layers.committed import machine_bound, too_long
from tests.layers.endpoint_names import endpoint_names, mentions
from tests.layers.imports import Rule, breaches, imports_of, private_breaches
from tests.layers.rules import RULES, SOURCE_ROOTS


def write(root: Path, files: dict[str, str]) -> None:
    """Write files: path below ``root`` -> text."""
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


@pytest.mark.parametrize(
    ("source", "names"),
    [
        ("import a", ["a"]),
        ("import a.b as c, d", ["a.b", "d"]),
        ("from a import b, c", ["a.b", "a.c"]),
        ("from . import b", ["top.inner.b"]),
        ("from .b import c", ["top.inner.b.c"]),
        ("from ..b import c", ["top.b.c"]),
        ("def f():\n    import late", ["late"]),
        ("if TYPE_CHECKING:\n    from hints import H", ["hints.H"]),
        ("try:\n    import fast\nexcept ImportError:\n    import slow", ["fast", "slow"]),
        ("importlib.import_module('by.name'); import_module('.relative', 'top')", ["by.name"]),
        ("text = 'import nothing'", []),
    ],
)
def test_imports_are_read_from_the_source(source: str, names: list[str]) -> None:
    assert [item.name for item in imports_of(source, "top.inner.module")] == names


def test_a_package_is_its_own_parent() -> None:
    assert [item.name for item in imports_of("from .b import c", "top.inner", is_package=True)] == [
        "top.inner.b.c"
    ]


@pytest.mark.parametrize(
    ("file", "source"),
    [
        ("runtime/lmwire_runtime/wire.py", "import attrs"),
        ("runtime/lmwire_runtime/wire.py", "from lmwire_runtime import errors"),
        ("runtime/lmwire_runtime/surface/tables.py", "from lmwire.llm import COMPLETE_RAW_TEXT"),
        ("runtime/lmwire_runtime/server.py", "import lmwire_emulator"),
        ("runtime/lmwire_runtime/session.py", "import asyncio"),
        ("runtime/lmwire_runtime/session.py", "from time import monotonic"),
        ("runtime/lmwire_runtime/session.py", "from lmwire_runtime.sync_shell import SyncClient"),
        ("runtime/lmwire_runtime/transport.py", "import socket"),
        ("runtime/lmwire_runtime/sync_link.py", "from websockets.sync.client import connect"),
        ("generated/lmwire/types/chat.py", "import websockets"),
        ("generated/lmwire/types/chat.py", "from lmwire.llm import stubs"),
        ("generated/lmwire/types/chat.py", "from lmwire_runtime.session import Session"),
        ("generated/lmwire/llm/endpoints/complete.py", "from lmwire_runtime.server import ServerChannel"),
        ("generated/lmwire/client.py", "import lmwire_tools.cli"),
        ("generated/lmwire/llm/handlers.py", "from lmwire_emulator import server"),
        ("generated/lmwire/client.py", "import lmwire_codegen"),
        ("codegen/lmwire_codegen/model.py", "import lmwire"),
        ("emulator/lmwire_emulator/server.py", "import lmwire_codegen"),
        ("emulator/lmwire_emulator/server.py", "import lmwire_tools"),
        ("tools/lmwire_tools/cli.py", "import lmwire_codegen.cli"),
        ("sdk/lmstudio/__init__.py", "from lmwire_runtime.sync_shell import SyncClient"),
        ("sdk/lmstudio/later.py", "def f():\n    import lmwire_emulator"),
    ],
)
def test_the_table_forbids(tmp_path: Path, file: str, source: str) -> None:
    write(tmp_path, {file: source})
    assert breaches(tmp_path, RULES) != []


@pytest.mark.parametrize(
    ("file", "source"),
    [
        ("runtime/lmwire_runtime/wire.py", "import logging\nfrom typing import Any"),
        ("runtime/lmwire_runtime/session.py", "from lmwire_runtime.wire import UNSET"),
        ("runtime/lmwire_runtime/clock.py", "import time"),
        (
            "generated__lmwire__types__chat",
            "import attrs\nfrom lmwire.types import models\nfrom lmwire_runtime import wire",
        ),
        (
            "generated__lmwire__llm__endpoints__complete",
            "from lmwire_runtime.descriptors import ChannelDescriptor",
        ),
        ("generated/lmwire/llm/stubs.py", "from lmwire_runtime.sync_shell import SyncConnection"),
        ("codegen/lmwire_codegen/cli.py", "from lmwire_codegen import model"),
        ("emulator/lmwire_emulator/server.py", "from lmwire.llm.handlers import LlmHandlers"),
        ("tools/lmwire_tools/demo.py", "from lmwire_emulator.server import Server\nimport lmwire"),
        ("sdk/lmstudio/__init__.py", "from lmwire import Client"),
    ],
)
def test_the_table_allows(tmp_path: Path, file: str, source: str) -> None:
    write(tmp_path, {file: source})
    assert breaches(tmp_path, RULES) == []


def test_a_breach_names_file_line_import_and_layer(tmp_path: Path) -> None:
    write(tmp_path, {"low/pkg/module.py": "import fine\nimport high.part"})
    rule = Rule(files=("low/**/*.py",), because="low stands below high", never=("high",))
    assert breaches(tmp_path, [rule]) == ["low/pkg/module.py:2 imports high.part (low stands below high)"]


def test_a_longer_name_is_another_module(tmp_path: Path) -> None:
    write(tmp_path, {"low/pkg/module.py": "import higher\nfrom high_tea import cake"})
    assert breaches(tmp_path, [Rule(files=("low/**/*.py",), because="", never=("high",))]) == []


def test_private_parts_are_for_their_own_package(tmp_path: Path) -> None:
    write(
        tmp_path,
        {
            "runtime/lmwire_runtime/_inner.py": "from lmwire_runtime.session import _helper",
            "generated/lmwire/client.py": "from lmwire_runtime import _inner",
            "sdk/lmstudio/__init__.py": "from lmwire.client import _Client\nfrom lmwire import __doc__\nimport os._x",
        },
    )
    assert private_breaches(tmp_path, SOURCE_ROOTS) == [
        "generated/lmwire/client.py:1 imports lmwire_runtime._inner (private)",
        "sdk/lmstudio/__init__.py:1 imports lmwire.client._Client (private)",
    ]


def test_endpoint_names_come_from_the_schema(tmp_path: Path) -> None:
    folder = tmp_path / "wire" / "namespaces"
    folder.mkdir(parents=True)
    (folder / "llm.json").write_text(
        json.dumps({"rpc": {"getModelInfo": {}}, "channel": {"predict": {}}, "note": "x"})
    )
    (folder / "system.json").write_text(
        json.dumps({"signal": {"alive": {}}, "writableSignal": {"level": {}}})
    )
    assert endpoint_names(tmp_path) == {"getModelInfo", "predict", "alive", "level"}


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("call('predict')", ["predict"]),
        ("call('llm/getModelInfo now')", ["getModelInfo"]),
        ("f'{space}.getModelInfo'", ["getModelInfo"]),
        ("table = {'predict': 1, 'other': 'getModelInfo'}", ["predict", "getModelInfo"]),
        ("'to predict is hard'", []),
        ("raise ValueError('cannot predict that')", []),
        ("predict(getModelInfo)", []),
        ('"""Like getModelInfo."""\ndef f():\n    "predict"', []),
    ],
)
def test_endpoint_names_are_found_in_strings(tmp_path: Path, source: str, found: list[str]) -> None:
    write(tmp_path, {"runtime/module.py": source})
    path = tmp_path / "runtime" / "module.py"
    hits = mentions(tmp_path, [path], {"predict", "getModelInfo"})
    assert [hit.rpartition(" ")[2] for hit in hits] == found


def test_long_files_are_found_unless_generated(tmp_path: Path) -> None:
    write(
        tmp_path,
        {"tools/long.py": "x\n" * 6, "tools/short.py": "x\n" * 5, "generated/lmwire/long.py": "x\n" * 9},
    )
    names = ["tools/long.py", "tools/short.py", "generated/lmwire/long.py"]
    assert too_long(tmp_path, names, longest=5) == ["tools/long.py has 6 lines"]


@pytest.mark.parametrize(
    ("text", "bound"),
    [
        ("cd /" + "work/main", True),
        ('path = "/' + 'root/.cache"', True),
        ("https://registry.npm" + "js.org/x", True),
        ("index-url = https://pypi" + ".org/simple", True),
        ("see docs/" + "work/notes", False),
        ("a route like https://example.org/" + "root/x", False),
        ("framework/" + "work", False),
    ],
)
def test_machine_paths_and_registry_hosts_are_found(tmp_path: Path, text: str, bound: bool) -> None:
    (tmp_path / "file.txt").write_text(f"first line\n{text}\n")
    assert bool(machine_bound(tmp_path, ["file.txt"])) is bound


def test_files_that_are_no_text_are_passed_over(tmp_path: Path) -> None:
    (tmp_path / "picture.png").write_bytes(b"\x89PNG\0/" + b"root/")
    assert machine_bound(tmp_path, ["picture.png"]) == []
