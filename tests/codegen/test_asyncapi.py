"""The AsyncAPI document: whole, no reference leads nowhere, its schemas take what those of ``schema/wire`` take."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from typing import Any, Final

import pytest
from jsonschema import Draft7Validator, ValidationError, validators

from lmwire_codegen.asyncapi import asyncapi_document
from lmwire_codegen.pipeline import compile_model
from lmwire_codegen.samples import Sampler
from lmwire_codegen.shapes import MessageDefinition
from tests.codegen.support import CHECKOUT
from tests.messages.schemas import PATTERNS

DOCUMENT: Final[Any] = json.loads((CHECKOUT / "docs" / "asyncapi.json").read_text(encoding="utf-8"))
MODEL, FOLDER = compile_model(CHECKOUT / "schema", "lmwire")
SAMPLER: Final = Sampler(FOLDER.documents, FOLDER.repairs)
MESSAGES: Final[dict[str, Any]] = DOCUMENT["components"]["messages"]
SIGNALS: Final = asyncapi_document(*compile_model(CHECKOUT / "tests" / "signals" / "schema", "lab"))


def _pattern(validator: Any, pattern: str, instance: Any, schema: Any) -> Iterator[Any]:
    if isinstance(instance, str) and not PATTERNS[pattern](instance):
        yield ValidationError(f"{instance!r} does not match {pattern!r}")


_extend: Any = validators.extend  # untyped
_VALIDATOR: Final = _extend(Draft7Validator, {"pattern": _pattern})  # the draft that AsyncAPI uses
_IN_PROTOCOL: Final = _VALIDATOR(DOCUMENT)
_IN_SIGNALS: Final = _VALIDATOR(SIGNALS)


def is_valid(value: Any, schema: Any, whole: Any = _IN_PROTOCOL) -> bool:
    """Tell whether ``value`` is an instance of a schema inside a document."""
    return bool(whole.evolve(schema=schema).is_valid(value))


def references(node: Any) -> Iterator[str]:
    if isinstance(node, dict):
        if isinstance(node.get("$ref"), str):
            yield node["$ref"]
        for child in node.values():
            yield from references(child)
    elif isinstance(node, list):
        for child in node:
            yield from references(child)


def at(document: Any, reference: str) -> Any:
    assert reference.startswith("#/")
    for step in reference[2:].split("/"):
        document = document[step]
    return document


@pytest.mark.parametrize("document", [DOCUMENT, SIGNALS], ids=["protocol", "signals"])
def test_every_reference_leads_somewhere(document: Any) -> None:
    found = set(references(document))
    assert found
    for reference in found:
        at(document, reference)


def test_each_namespace_is_a_channel_and_each_endpoint_has_operations() -> None:
    assert {channel["address"] for channel in DOCUMENT["channels"].values()} == {
        f"/{namespace.name}" for namespace in MODEL.namespaces
    }
    for namespace in MODEL.namespaces:
        for endpoint in namespace.endpoints:
            source = endpoint.source
            stem = f"{namespace.name}.{source.kind}.{source.name}"
            if source.kind == "rpc":
                operation = DOCUMENT["operations"][stem]
                assert operation["action"] == "receive"
                assert operation["summary"] == source.description
                (call,) = operation["messages"]
                result, error = operation["reply"]["messages"]
                assert at(DOCUMENT, at(DOCUMENT, call["$ref"])["$ref"])["name"] == "rpcCall"
                assert at(DOCUMENT, at(DOCUMENT, result["$ref"])["$ref"])["name"] == "rpcResult"
                assert error["$ref"].endswith("/envelope.RpcError")
            else:
                assert DOCUMENT["operations"][f"{stem}.create"]["action"] == "receive"
                assert DOCUMENT["operations"][f"{stem}.toClient"]["action"] == "send"
                has_packets = source.parts["toServer"].type is not None
                assert (f"{stem}.toServer" in DOCUMENT["operations"]) == has_packets


def test_operations_use_messages_of_their_own_channel() -> None:
    for name, operation in DOCUMENT["operations"].items():
        channel = operation["channel"]["$ref"]
        for message in [*operation["messages"], *operation.get("reply", {}).get("messages", [])]:
            assert message["$ref"].startswith(f"{channel}/messages/"), name
    used = {reference for channel in DOCUMENT["channels"].values() for reference in references(channel)}
    assert used == {f"#/components/messages/{name}" for name in MESSAGES}


@pytest.mark.parametrize("name", sorted(MESSAGES))
def test_the_example_of_a_message_is_valid(name: str) -> None:
    (example,) = MESSAGES[name]["examples"]
    payload = MESSAGES[name]["payload"]
    assert is_valid(example["payload"], payload)
    required = at(DOCUMENT, payload["$ref"])["required"] if "$ref" in payload else payload["required"]
    for field in required:
        without = {key: value for key, value in example["payload"].items() if key != field}
        assert not is_valid(without, payload)


def component(key: str) -> Any:
    name, module = MODEL.names[key], MODEL.module_of[key]
    prefix = "" if module[0] == "types" else f"{module[0]}."
    return DOCUMENT["components"]["schemas"][f"{prefix}{name}"]


@pytest.mark.parametrize("key", sorted(MODEL.schema.definitions))
def test_a_component_takes_what_the_schema_takes(key: str) -> None:
    definition = MODEL.definition(key)
    schema = component(key)
    samples = SAMPLER.samples(definition.place)
    assert samples
    for sample in samples[:20]:
        assert is_valid(sample, schema)
    assert not is_valid(["what no definition is"], schema)
    if isinstance(definition, MessageDefinition):
        assert schema.get("description", "") == definition.description
        for part in definition.parts:
            if getattr(part, "required", True):
                without = {name: value for name, value in samples[0].items() if name != part.wire_name}
                assert not is_valid(without, schema)


def test_limits_survive() -> None:
    schemas = DOCUMENT["components"]["schemas"]
    assert schemas["ModelQuery"]["properties"]["path"]["maxLength"] == 1024
    assert schemas["llm.LoadModelCreation"]["properties"]["ttlMs"]["minimum"] == 1
    assert "prefixItems" not in json.dumps(DOCUMENT)
    pairs = MESSAGES["runtime.rpc.getEngineSelections.result"]["payload"]["properties"]["result"][
        "properties"
    ]["json"]
    assert pairs["items"]["additionalItems"] is False
    assert len(pairs["items"]["items"]) == 2


def test_void_and_superjson() -> None:
    void = MESSAGES["llm.rpc.listLoaded.call"]["payload"]
    assert set(void["properties"]) == {"type", "endpoint", "callId"}
    optional = MESSAGES["llm.rpc.getModelInfo.result"]["payload"]
    assert "result" in optional["properties"]
    assert "result" not in optional["required"]
    wrapped = MESSAGES["runtime.rpc.getEngineSelections.call"]
    assert wrapped["payload"]["required"] == ["type", "endpoint", "callId", "parameter"]
    assert wrapped["examples"][0]["payload"]["parameter"] == {"json": None, "meta": {"values": ["undefined"]}}


def test_signals() -> None:
    operations = SIGNALS["operations"]
    ways = {"subscribe": "receive", "update": "send", "write": "receive", "unsubscribe": "receive"}
    assert {name: operations[f"lab.signal.note.{name}"]["action"] for name in ways} == ways
    assert "lab.signal.counter.write" not in operations
    for name, message in SIGNALS["components"]["messages"].items():
        for example in message["examples"]:
            assert is_valid(example["payload"], message["payload"], _IN_SIGNALS), name


def test_nothing_of_the_schema_is_changed_by_writing() -> None:
    before = copy.deepcopy(FOLDER.documents)
    asyncapi_document(MODEL, FOLDER)
    assert before == FOLDER.documents


def test_the_file_is_ascii() -> None:
    assert (CHECKOUT / "docs" / "asyncapi.json").read_bytes().isascii()
