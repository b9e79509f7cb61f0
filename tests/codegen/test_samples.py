"""Samples made from the schema's own JSON, without the compiler: each decodes strictly and encodes back unchanged.

Every part of every endpoint and every shared type gets its smallest sample (required fields only, empty containers),
its fullest, and one for each arm of its unions.
"""

from __future__ import annotations

import importlib
import json
import posixpath
from collections.abc import Iterator
from typing import Any, Final

import pytest

from lmwire_codegen.naming import pascal_case, snake_case
from lmwire_runtime.wire import STRICT, UNSET
from tests.codegen.support import CHECKOUT

WIRE = CHECKOUT / "schema" / "wire"
DOCUMENTS: Final = {
    path.relative_to(WIRE).as_posix(): json.loads(path.read_text("utf-8")) for path in WIRE.rglob("*.json")
}
PARTS: Final = {
    "rpc": {"parameter": "parameter", "result": "result"},
    "channel": {"creation": "creation", "toServer": "to_server", "toClient": "to_client"},
}


def resolved(schema: Any, file: str) -> tuple[Any, str]:
    while "$ref" in schema:
        path, _, name = schema["$ref"].partition("#/$defs/")
        file = posixpath.normpath(posixpath.join(posixpath.dirname(file), path)) if path else file
        schema = DOCUMENTS[file]["$defs"][name]
    return schema, file


def samples(schema: Any, file: str, *, full: bool) -> Iterator[Any]:
    """Yield samples of a schema: one, or one for each alternative."""
    schema, file = resolved(schema, file)
    if "anyOf" in schema:
        for arm in schema["anyOf"]:
            yield from samples(arm, file, full=full)
    elif "const" in schema:
        yield schema["const"]
    elif "enum" in schema:
        yield from schema["enum"]
    elif isinstance(schema.get("type"), list):
        for kind in schema["type"]:
            yield from samples({**schema, "type": kind}, file, full=full)
    elif "properties" in schema:
        yield from objects(schema, file, full=full)
    elif schema.get("type") == "array":
        yield from arrays(schema, file, full=full)
    elif schema.get("type") == "object":
        values = schema.get("additionalProperties", {})
        yield {"key/~": next(samples(values, file, full=full))} if full else {}
    else:
        yield scalar(schema)


def objects(schema: Any, file: str, *, full: bool) -> Iterator[Any]:
    names = [name for name in schema["properties"] if full or name in schema.get("required", ())]
    choices = {name: list(samples(schema["properties"][name], file, full=full)) for name in names}
    yield {name: values[0] for name, values in choices.items()}
    for name, values in choices.items():
        for value in values[1:]:
            yield {**{other: first[0] for other, first in choices.items()}, name: value}


def arrays(schema: Any, file: str, *, full: bool) -> Iterator[Any]:
    if "prefixItems" in schema:
        yield [next(samples(item, file, full=full)) for item in schema["prefixItems"]]
    elif full:
        yield list(samples(schema["items"], file, full=True))[: schema.get("maxItems")]
    else:
        yield []


def scalar(schema: Any) -> Any:
    kind = schema.get("type")
    if kind == "string":
        return "a" * max(schema.get("minLength", 1), 1)
    if kind in ("integer", "number"):
        whole = max(schema.get("minimum", 0), schema.get("exclusiveMinimum", -1) + 1)
        return whole if kind == "integer" else whole + 0.5
    return {"boolean": True, "null": None, None: {"anything": [1, None]}}[kind]


def check(codec: Any, schema: Any, file: str, serialization: str = "raw") -> int:
    count = 0
    for full in (False, True):
        for sample in samples(schema, file, full=full):
            if serialization == "superjson":
                sample = codec.encode(codec.decode({"json": sample}, STRICT))
            before = json.dumps(sample)
            decoded = codec.decode(sample, STRICT)
            assert codec.encode(decoded) == sample
            assert json.dumps(sample) == before
            assert codec.encode(codec.decode(json.loads(before))) == sample
            count += 1
    return count


ENDPOINTS: Final = [
    (document["namespace"], kind, name)
    for file, document in sorted(DOCUMENTS.items())
    if file.startswith("namespaces/")
    for kind in PARTS
    for name in document[kind]
]


@pytest.mark.parametrize(("namespace", "kind", "name"), ENDPOINTS, ids="/".join)
def test_every_part_of_every_endpoint(namespace: str, kind: str, name: str) -> None:
    file = f"namespaces/{namespace}.json"
    entry = DOCUMENTS[file][kind][name]
    endpoint = getattr(importlib.import_module(f"lmwire.{namespace}").NAMESPACE, kind)[name]
    for part, attribute in PARTS[kind].items():
        codec = getattr(endpoint, attribute)
        if entry[part] is False or part in entry.get("optional", ()):
            assert codec.decode(UNSET, STRICT) is None
            # superjson says even "nothing" in so many words.
            nothing = {"raw": UNSET, "superjson": {"json": None, "meta": {"values": ["undefined"]}}}
            assert codec.encode(None) == nothing[endpoint.serialization]
        if entry[part] is not False:
            assert check(codec, entry[part], file, endpoint.serialization) >= 2


SHARED: Final = [
    (file, name)
    for file, document in sorted(DOCUMENTS.items())
    if not file.startswith("namespaces/")
    for name, schema in document["$defs"].items()
    if "properties" in schema
]


@pytest.mark.parametrize(("file", "name"), SHARED, ids=" ".join)
def test_every_shared_message(file: str, name: str) -> None:
    stem = snake_case(posixpath.splitext(posixpath.basename(file))[0])
    module = importlib.import_module(
        f"lmwire.types.{stem}" if file.startswith("types/") else f"lmwire.{stem}"
    )
    kind = getattr(module, pascal_case(name))
    for full in (False, True):
        for sample in samples({"$ref": f"#/$defs/{name}"}, file, full=full):
            assert kind.from_wire(sample, STRICT).to_wire() == sample
