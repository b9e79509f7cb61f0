"""The committed package: complete against the schema, importable in every corner, cheap until it is used."""

from __future__ import annotations

import importlib
import inspect
import json
import pkgutil
import subprocess
import sys
from typing import Any

import pytest

import lmwire
from lmwire_codegen import pipeline
from lmwire_codegen.descriptions import expanded
from lmwire_codegen.load import default_schema_folder
from lmwire_codegen.model import Model
from lmwire_codegen.validate import PARTS
from lmwire_runtime.descriptors import VOID, EndpointDescriptor, NamespaceDescriptor
from lmwire_runtime.wire import Message, Unknown
from tests.codegen.support import CHECKOUT

SCHEMA = CHECKOUT / "schema"
NAMESPACES = sorted(path.stem for path in (SCHEMA / "wire" / "namespaces").glob("*.json"))
ENDPOINTS = [
    (namespace, kind, name, entry)
    for namespace in NAMESPACES
    for kind in PARTS
    for name, entry in json.loads((SCHEMA / f"wire/namespaces/{namespace}.json").read_text("utf-8"))[
        kind
    ].items()
]
MODULES = sorted(info.name for info in pkgutil.walk_packages(lmwire.__path__, "lmwire."))


def descriptor_of(namespace: str, kind: str, name: str) -> EndpointDescriptor:
    table: NamespaceDescriptor = importlib.import_module(f"lmwire.{namespace}").NAMESPACE
    endpoint: EndpointDescriptor = getattr(table, kind)[name]
    return endpoint


@pytest.fixture(scope="module")
def model() -> Model:
    return pipeline.compile_model(default_schema_folder(), "lmwire")[0]


def test_the_checkouts_own_schema_is_compiled() -> None:
    assert default_schema_folder() == SCHEMA


def test_all_namespaces_of_the_protocol_are_there() -> None:
    assert NAMESPACES == [
        "diagnostics",
        "embedding",
        "files",
        "llm",
        "plugins",
        "repository",
        "runtime",
        "system",
    ]
    assert len(ENDPOINTS) == 70 + 23


@pytest.mark.parametrize(("namespace", "kind", "name", "entry"), ENDPOINTS, ids=lambda value: str(value)[:40])
def test_every_endpoint_has_descriptor_stubs_and_handler(
    namespace: str, kind: str, name: str, entry: Any
) -> None:
    endpoint = descriptor_of(namespace, kind, name)
    assert (endpoint.namespace, endpoint.name) == (namespace, name)
    assert endpoint.serialization == entry.get("serialization", "raw")
    assert endpoint.description
    attributes = {"toServer": "to_server", "toClient": "to_client"}
    for part in PARTS[kind]:
        codec = getattr(endpoint, attributes.get(part, part))
        assert (codec.presence == VOID.presence) == (entry[part] is False)
        assert (codec.presence == "optional") == (part in entry.get("optional", ()))
    stem = namespace.capitalize()
    facade = importlib.import_module(f"lmwire.{namespace}")
    suffix = {"rpc": "Rpc", "channel": "Channels"}[kind]
    for prefix in ("", "Async"):
        stub = getattr(getattr(facade, f"{prefix}{stem}{suffix}"), endpoint.method)
        assert inspect.iscoroutinefunction(stub) == (kind == "rpc" and prefix == "Async")
        assert list(inspect.signature(stub).parameters)[-1] == "timeout"
    handler = getattr(getattr(facade, f"{stem}Handlers"), endpoint.method)
    assert handler.__dict__["lmwire_unhandled"] is True


def test_cancel_packets_are_members_of_their_unions() -> None:
    tags = {}
    for namespace, kind, name, _ in ENDPOINTS:
        if kind == "channel":
            endpoint: Any = descriptor_of(namespace, kind, name)
            if endpoint.cancel is not None:
                packet = endpoint.to_server.decode(endpoint.cancel)
                assert not isinstance(packet, Unknown)
                assert packet.to_wire() == endpoint.cancel
                tags[f"{namespace}/{name}"] = endpoint.cancel["type"]
    assert tags.pop("diagnostics/streamLogs") == tags.pop("files/retrieve") == "stop"
    assert tags.pop("repository/createDownloadPlan") == "cancelPlan"
    assert tags.pop("plugins/startToolUseSession") == "discardSession"
    assert tags.pop("plugins/registerDevelopmentPlugin") == "end"
    assert set(tags.values()) == {"cancel"}
    assert {"llm/completeRawText", "llm/predict", "llm/getOrLoad", "files/parseDocument"} <= tags.keys()


@pytest.mark.parametrize("name", MODULES)
def test_every_name_that_a_module_promises_is_there(name: str) -> None:
    module = importlib.import_module(name)
    promised = getattr(module, "__all__", [])
    assert len(set(promised)) == len(promised)
    for member in promised:
        assert getattr(module, member) is not None


@pytest.mark.parametrize("name", ["lmwire", *(f"lmwire.{namespace}" for namespace in NAMESPACES)])
def test_facades_say_no_to_names_they_do_not_have(name: str) -> None:
    facade = importlib.import_module(name)
    assert set(facade.__all__) <= set(dir(facade))
    with pytest.raises(AttributeError, match="no_such_name"):
        facade.no_such_name  # noqa: B018


def test_a_facade_shows_all_that_its_endpoints_use(model: Model) -> None:
    from lmwire import llm

    own = {"COMPLETE_RAW_TEXT", "CompleteRawTextFragment", "CompleteRawTextToClient", "LlmRpc", "AsyncLlmRpc"}
    shared = {
        "LlmPredictionFragment",
        "LlmToken",
        "KvConfig",
        "ModelSpecifier",
        "ModelSpecifierQuery",
        "Quantization",
    }
    assert own | shared | {"NAMESPACE", "LlmHandlers", "SerializedLMSExtendedError"} <= set(llm.__all__)
    assert "ProcessingUpdate" not in llm.__all__


def test_messages_know_their_revision() -> None:
    from lmwire import llm

    assert issubclass(llm.LlmPredictionFragment, Message)
    assert llm.LlmPredictionFragment.wire_revision == lmwire.REVISION == llm.NAMESPACE.revision


def run_fresh(program: str) -> Any:
    """Run a program in a new interpreter; it prints JSON."""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    return json.loads(done.stdout)


LOADED = "import json, sys; print(json.dumps(sorted(sys.modules)))"


def test_importing_the_package_imports_next_to_nothing() -> None:
    loaded = run_fresh(f"import lmwire; {LOADED}")
    assert not [
        name
        for name in loaded
        if name.split(".")[0] in ("attr", "attrs", "websockets", "asyncio", "lmwire_runtime")
    ]
    assert [name for name in loaded if name.startswith("lmwire")] == ["lmwire"]


def test_using_one_message_imports_its_group_only() -> None:
    loaded = run_fresh(f"from lmwire import llm; llm.LlmPredictionFragment; {LOADED}")
    groups = [name for name in loaded if name.startswith("lmwire.types.")]
    assert groups == ["lmwire.types.kv_config", "lmwire.types.prediction"]
    assert not [name for name in loaded if name.startswith(("lmwire.llm.", "websockets", "asyncio"))]


def test_a_completion_needs_few_groups() -> None:
    loaded = run_fresh(f"from lmwire import llm; llm.COMPLETE_RAW_TEXT; {LOADED}")
    groups = {name for name in loaded if name.startswith("lmwire.types.")}
    assert groups == {f"lmwire.types.{topic}" for topic in ("kv_config", "models", "prediction")}


def test_a_namespace_called_runtime_does_not_hide_ours() -> None:
    assert lmwire.runtime.LIST_ENGINES.namespace == "runtime"
    assert importlib.import_module("lmwire_runtime").__name__ == "lmwire_runtime"


def test_descriptions_describe_what_there_is(model: Model) -> None:
    folder = pipeline.compile_model(SCHEMA, "lmwire")[1]
    keys = {key for table in folder.descriptions.values() for entry in table for key in expanded(entry)}
    assert keys - model.schema.described == set()
    assert not [
        source.key
        for sources in model.schema.endpoints.values()
        for source in sources
        if not source.description
    ]


@pytest.mark.parametrize("topic", ["models", "prediction", "errors"])
def test_fields_of_models_completion_and_errors_are_described(model: Model, topic: str) -> None:
    from lmwire_codegen.shapes import MessageDefinition

    plugins_only = {"LlmGenInfo", "LlmPredictionFragmentInputOpts"}
    for key, definition in model.schema.definitions.items():
        if model.module_of[key] == ("types", topic) and isinstance(definition, MessageDefinition):
            bare = [field.wire_name for field in definition.fields if not field.description]
            assert key in plugins_only or not bare, (key, bare)


def test_the_lock_file_has_every_name(model: Model) -> None:
    assert json.loads((SCHEMA / "names.lock.json").read_text("utf-8")) == dict(model.lock)
    assert set(model.names) <= set(model.lock)


def test_schema_is_plain_json_schema_without_traces_of_the_export() -> None:
    for path in sorted((SCHEMA / "wire").rglob("*.json")):
        text = path.read_text("utf-8")
        for trace in ('"definitions"', "pseudo", '"not"', 'additionalProperties": false', '"default"'):
            assert trace not in text or (trace == '"default"' and path.stem in ("errors", "processing")), (
                path.name,
                trace,
            )
