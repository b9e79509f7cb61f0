"""Writes small schema folders and compiles them into packages that a test can import."""

from __future__ import annotations

import importlib
import itertools
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import attrs
import pytest
import yaml

from lmwire_codegen import pipeline

__all__ = ["CHECKOUT", "Compiler", "Package", "namespace_file", "write_schema"]

CHECKOUT = Path(__file__).resolve().parents[2]

_numbers = itertools.count()


def write_schema(
    folder: Path,
    *,
    types: Mapping[str, Mapping[str, Any]] | None = None,
    namespaces: Mapping[str, Mapping[str, Any]] | None = None,
    envelope: Mapping[str, Any] | None = None,
    descriptions: Mapping[str, str] | None = None,
    repairs: Mapping[str, Any] | None = None,
    lock: Mapping[str, str] | None = None,
    revision: str = "2001-02-03",
) -> Path:
    """Write a schema folder; ``types`` is topic -> name -> schema, ``namespaces`` name -> content of its file."""
    documents: dict[str, Any] = {"revision.json": {"revision": revision}}
    for topic, definitions in (types or {}).items():
        documents[f"wire/types/{topic}.json"] = {"$defs": definitions}
    for name, content in (namespaces or {}).items():
        documents[f"wire/namespaces/{name}.json"] = content
    if envelope is not None:
        documents["wire/envelope.json"] = {"$defs": envelope}
    if lock is not None:
        documents["names.lock.json"] = lock
    for file, document in documents.items():
        path = folder / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(document, indent=2), encoding="utf-8")
    for file, table in (("descriptions/words.yaml", descriptions), ("repairs.yaml", repairs)):
        if table is not None:
            path = folder / file
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(yaml.safe_dump(dict(table), allow_unicode=True), encoding="utf-8")
    return folder


def namespace_file(name: str, **kinds: Mapping[str, Any]) -> dict[str, Any]:
    """Return the content of a namespace's file; parts that an endpoint does not mention are void."""
    parts = {
        "rpc": ("parameter", "result"),
        "channel": ("creation", "toServer", "toClient"),
        "signal": ("creation", "value"),
    }
    content: dict[str, Any] = {"namespace": name}
    for kind, endpoints in kinds.items():
        content[kind] = {
            endpoint: {**dict.fromkeys(parts[kind], False), **entry} for endpoint, entry in endpoints.items()
        }
    return content


@attrs.frozen
class Package:
    """A compiled package: ``folder`` is where it lies, ``schema`` what it was made from."""

    name: str
    folder: Path
    schema: Path

    def module(self, path: str = "") -> Any:
        """Import a module of it, typed as anything because no type checker has seen it."""
        return importlib.import_module(".".join(filter(None, (self.name, path))))


@attrs.frozen
class Compiler:
    """Compiles schema folders below ``place``, each into a package of its own name."""

    place: Path

    def compile(self, schema: Path) -> Package:
        """Compile a schema folder."""
        name = f"snippet{next(_numbers)}"
        folder = self.place / name
        pipeline.generate(schema, folder, name)
        return Package(name=name, folder=folder, schema=schema)

    def types(self, definitions: Mapping[str, Any], **others: Any) -> Any:
        """Compile shared types of one topic and return their module."""
        schema = write_schema(self.place / f"schema{next(_numbers)}", types={"things": definitions}, **others)
        return self.compile(schema).module("types.things")

    def namespace(self, **kinds: Mapping[str, Any]) -> Package:
        """Compile a namespace called ``shop``."""
        folder = self.place / f"schema{next(_numbers)}"
        return self.compile(write_schema(folder, namespaces={"shop": namespace_file("shop", **kinds)}))


def compiler_in(place: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Compiler]:
    """Yield a compiler whose packages can be imported as long as the fixture lives."""
    monkeypatch.syspath_prepend(str(place))
    importlib.invalidate_caches()
    yield Compiler(place)
