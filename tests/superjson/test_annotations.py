"""What the compiler finds out about a superjson endpoint, by the traces that zod-to-json-schema leaves."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Any

from lmwire_runtime import superjson
from lmwire_runtime.js_values import BigInt, Map, Set
from tests.codegen.snippets import INTEGER, STRING, an_object
from tests.codegen.support import Compiler, namespace_file, write_schema

PAIR = {"type": "array", "minItems": 2, "prefixItems": [STRING, INTEGER], "items": False}
A_MAP = {"type": "array", "maxItems": 125, "items": PAIR}
A_SET = {"type": "array", "uniqueItems": True, "items": STRING}
A_DATE = {"type": "string", "format": "date-time"}
A_BIGINT = {"type": "integer", "format": "int64"}


def _compiled(compiler: Compiler, serialization: str, result: Any) -> Any:
    things = {
        "Tree": an_object("at", at=A_DATE, below={"type": "array", "items": {"$ref": "#/$defs/Tree"}}),
        "Size": {
            "anyOf": [
                an_object("kind", "bytes", kind={"const": "known"}, bytes=A_BIGINT),
                an_object("kind", kind={"const": "unknown"}),
            ]
        },
    }
    endpoint = {"parameter": False, "result": result, "serialization": serialization}
    schema = write_schema(
        compiler.place / f"schema-{serialization}",
        types={"things": things},
        namespaces={"shop": namespace_file("shop", rpc={"find": endpoint})},
    )
    return compiler.compile(schema).module("shop").FIND


RESULT = an_object(
    "table", "names", "tree", "size", "plain",
    table=A_MAP, names=A_SET, when={"anyOf": [A_DATE, {"type": "null"}]},
    tree={"$ref": "../types/things.json#/$defs/Tree"}, size={"$ref": "../types/things.json#/$defs/Size"},
    by_name={"type": "object", "additionalProperties": A_MAP}, plain={"type": "array", "items": PAIR},
)  # fmt: skip


def test_what_is_no_json_is_found(compiler: Compiler) -> None:
    found = _compiled(compiler, "superjson", RESULT)
    value = {
        "table": [["a", 1]],
        "names": ["x"],
        "when": "1970-01-01T00:00:00.000Z",
        "tree": {"at": "1970-01-01T00:00:00.000Z", "below": []},
        "size": {"kind": "known", "bytes": 3},
        "by_name": {"k": [["b", 2]]},
        "plain": [["c", 3]],
    }
    envelope = found.result.encode(found.result.decode({"json": value}))
    epoch = datetime(1970, 1, 1, tzinfo=timezone.utc)
    assert superjson.decode(envelope) == {
        "table": Map({"a": 1}),
        "names": Set(["x"]),
        "when": epoch,
        "tree": {"at": epoch, "below": []},
        "size": {"kind": "known", "bytes": BigInt(3)},
        "by_name": {"k": Map({"b": 2})},
        "plain": [["c", 3]],
    }
    assert found.result.decode(envelope).to_wire() == value
    assert found.result.decode(envelope).table == [("a", 1)]


def test_raw_endpoints_have_no_annotations(compiler: Compiler) -> None:
    found = _compiled(compiler, "raw", A_MAP)
    assert found.result.annotations == ()
    assert found.result.encode([("a", 1)]) == [["a", 1]]


def test_an_absent_or_undefined_field_is_absent(compiler: Compiler) -> None:
    found = _compiled(compiler, "superjson", an_object("a", a=STRING, b=A_DATE))
    sent = {"json": {"a": "x", "b": None}, "meta": {"values": {"b": ["undefined"]}}}
    assert found.result.decode(sent).to_wire() == {"a": "x"}
