"""The generated reference: it has everything that the schema has, its examples are valid, its links lead somewhere."""

from __future__ import annotations

import importlib
import json
from collections.abc import Callable, Iterator
from typing import Any, Final

import pytest

from lmwire_codegen.coverage import describable
from lmwire_codegen.model import Endpoint, Model, Namespace
from lmwire_codegen.naming import snake_case
from lmwire_codegen.pipeline import compile_model
from lmwire_codegen.reference.pages import MARKER, Pages
from lmwire_codegen.reference.words import page_of
from lmwire_codegen.shapes import EnumDefinition, MessageDefinition, Named, UnionDefinition
from lmwire_runtime import superjson
from lmwire_runtime.wire import STRICT, UNSET
from tests.codegen.reference_pages import Frame, Page, Section, broken_links
from tests.codegen.revisions import NAMES, Revision
from tests.codegen.support import CHECKOUT, Compiler, Package
from tests.messages.schemas import SchemaFiles, is_valid
from tests.support.requirements import requires

MODEL, FOLDER = compile_model(CHECKOUT / "schema", "lmwire")
PAGES: Final = Page.read_all(CHECKOUT / "docs" / "reference")
FILES: Final = SchemaFiles(CHECKOUT / "schema")
ENDPOINTS: Final = [
    (namespace, endpoint) for namespace in MODEL.namespaces for endpoint in namespace.endpoints
]
BY_ENDPOINT: Final = pytest.mark.parametrize(
    ("namespace", "endpoint"), ENDPOINTS, ids=[endpoint.source.key for _, endpoint in ENDPOINTS]
)


def page(namespace: Namespace) -> Page:
    return PAGES[f"namespaces/{namespace.package}.md"]


def anchor(endpoint: Endpoint) -> str:
    return f"{endpoint.source.kind}-{endpoint.method}"


def rows(section: Section) -> dict[str, dict[str, str]]:
    """Return the only table of a section: first cell -> head -> cell."""
    ((head, *lines),) = section.tables
    return {line[0]: dict(zip(head, line, strict=True)) for line in lines}


# --- what it has ------------------------------------------------------------------------------------------------------


def test_the_pages_are_those_of_the_schema() -> None:
    topics = {module[1] for module in MODEL.modules if module[0] == "types"}
    assert PAGES.keys() == {
        "README.md", "envelope.md", *(f"namespaces/{namespace.package}.md" for namespace in MODEL.namespaces),
        *(f"types/{topic}.md" for topic in topics),
    }  # fmt: skip
    index = [line for table in PAGES["README.md"].sections for lines in table.tables for line in lines]
    assert {line[0] for line in index} >= {namespace.name for namespace in MODEL.namespaces}


@BY_ENDPOINT
def test_an_endpoint_is_on_its_page(namespace: Namespace, endpoint: Endpoint) -> None:
    source = endpoint.source
    overview = {line[0]: line for table in page(namespace).sections[1].tables for line in table}
    assert overview[source.name][1] == source.kind
    section = page(namespace).section(anchor(endpoint))
    assert section.title == f"{source.kind} {source.name}"
    facts = "\n".join(section.text)
    assert source.description in " ".join(facts.replace("`", "").split())
    assert f"Serialization: {source.serialization}" in facts
    assert f"Since: {FOLDER.history.revisions_of(source.key)[0]}" in facts
    assert f"client.{namespace.package}.{source.kind}.{endpoint.method}(" in facts
    assert f"{namespace.stem}Handlers.{endpoint.method}" in facts
    assert f"lmwire.{namespace.package}.{endpoint.constant}" in facts
    for parameter in endpoint.parameters or ():
        assert parameter.name + ("" if parameter.required else "=UNSET") in facts
    for part in source.parts.values():
        if part.type is None:
            assert "void" in facts
        if part.presence == "optional":
            assert "the frame may lack it" in facts
    stub = getattr(
        importlib.import_module(f"lmwire.{namespace.package}.stubs"), _stubs(namespace, source.kind)
    )
    assert hasattr(stub, endpoint.method)


def _stubs(namespace: Namespace, kind: str) -> str:
    return f"{namespace.stem}{ {'rpc': 'Rpc', 'channel': 'Channels', 'signal': 'Signals'}[kind] }"


def test_every_definition_and_field_is_described_or_said_not_to_be() -> None:
    for key, definition in MODEL.schema.definitions.items():
        section = PAGES[page_of(MODEL.module_of[key])].section(MODEL.names[key])
        words = " ".join(definition.description.replace("`", "").split())
        assert words in "\n".join(section.text), key
        if isinstance(definition, MessageDefinition) and definition.order:
            table = rows(section)
            assert list(table) == list(definition.order)
            for part in definition.parts:
                row = table[part.wire_name]
                assert row["Python"] == MODEL.attributes[key][part.wire_name]
                told = " ".join(part.description.replace("`", "").split())
                assert row["Meaning"] == (
                    told or ("not described" if hasattr(part, "required") else "always this value")
                )
                assert row["Presence"] == ("required" if getattr(part, "required", True) else "optional")
                if "Since" in row:
                    assert (
                        row["Since"].split(", ")[0]
                        == FOLDER.history.revisions_of(f"{key}.{part.wire_name}")[0]
                    )
        elif isinstance(definition, UnionDefinition):
            assert list(rows(section)) == [json.dumps(tag) for tag, _ in definition.arms]
        elif isinstance(definition, EnumDefinition):
            told = "\n".join(
                [*section.text, *(cell for table in section.tables for line in table for cell in line)]
            )
            assert all(json.dumps(member) in told for member in definition.members)


def test_constraints_and_null_are_told() -> None:
    creation = rows(PAGES["namespaces/llm.md"].section("LoadModelCreation"))
    assert creation["ttlMs"]["Type"] == "integer (at least 1)"
    assert creation["deviceIdentifier"]["Type"] == "string or null"
    assert rows(PAGES["types/models.md"].section("ModelQuery"))["path"]["Type"] == (
        "string (at least 1 characters, at most 1024 characters)"
    )
    history = rows(PAGES["types/downloads.md"].section("HuggingFaceModelDownloadSource"))
    assert r"[\p{L}\p{N}!@#$%^&()\-_+=,.;'[\]{}~` ]*(?<![. ])$" in history["user"]["Type"]
    selections = PAGES["namespaces/runtime.md"].section("rpc-get_engine_selections").text
    assert any("in superjson it is a map" in line for line in selections)


def test_it_is_told_where_a_shared_type_travels() -> None:
    def travels(path: str, name: str) -> str:
        (line,) = [text for text in PAGES[path].section(name).text if text.startswith("Travels")]
        return line

    assert travels("types/prediction.md", "LlmPredictionStats").startswith(
        "Travels client to server and server to client"
    )
    fragment = travels("types/prediction.md", "LlmPredictionFragment")
    assert "Travels server to client, in llm/channel/predict, llm/channel/completeRawText" in fragment
    stack = travels("types/kv_config.md", "KvConfigStack")
    assert stack.startswith("Travels client to server, in embedding/rpc/estimateModelUsage, ")
    assert stack.endswith(" more")


def test_revisions_are_told() -> None:
    assert (
        rows(PAGES["types/prediction.md"].section("LlmPredictionFragment"))["tokens"]["Since"] == "2026-01-21"
    )
    assert "Since: 2026-08-21" in "\n".join(
        PAGES["namespaces/llm.md"].section("channel-complete_raw_text").text
    )
    gone = [line for section in PAGES["README.md"].sections for table in section.tables for line in table]
    assert ["repository/rpc/lmLinkUp", "2026-01-21"] in gone


def test_the_index_tells_the_coverage_that_sync_tells() -> None:
    things = describable(MODEL.schema)
    words = f"{len(things & MODEL.schema.described)} of {len(things)} endpoints, types and fields have words"
    assert any(words in text for section in PAGES["README.md"].sections for text in section.text)


# --- examples ---------------------------------------------------------------------------------------------------------


class Conversation:
    """Plays the frames of an endpoint and decodes each as its receiver would, strictly."""

    def __init__(self, package: str, namespace: Namespace, endpoint: Endpoint, files: SchemaFiles) -> None:
        facade = importlib.import_module(f"{package}.{namespace.package}")
        self._descriptor = getattr(facade.NAMESPACE, endpoint.source.kind)[endpoint.source.name]
        self._source = endpoint.source
        self._files = files
        self._id: int | None = None

    def check(self, frame: Frame) -> None:
        kind, data = frame.data["type"], dict(frame.data)
        (id_field,) = data.keys() & {"callId", "channelId", "subscribeId"}
        if "endpoint" in data:
            assert (data["endpoint"], self._id) == (self._source.name, None)
            self._id = data[id_field]
        assert data[id_field] == self._id
        assert frame.to == (
            "server" if kind.endswith(("Call", "Create", "Subscribe", "Unsubscribe")) else frame.to
        )
        parts = {
            "rpcCall": ("parameter", "parameter"), "rpcResult": ("result", "result"),
            "channelCreate": ("creationParameter", "creation"),
            "channelSend": ("message", "toServer" if frame.to == "server" else "toClient"),
            "signalSubscribe": ("creationParameter", "creation"),
            "writableSignalSubscribe": ("creationParameter", "creation"),
        }  # fmt: skip
        if kind in parts:
            field, part = parts[kind]
            self._part(part, data.get(field, UNSET))
        elif kind.endswith("Update"):
            (patch,) = data["patches"]
            if self._source.serialization != "raw":
                patch = superjson.opened(patch)
            assert (patch["op"], patch["path"]) == ("replace", [])
            self._descriptor.value.decode(patch["value"], STRICT)

    def _part(self, part: str, value: Any) -> None:
        codec = getattr(self._descriptor, snake_case(part))
        decoded = codec.decode(value, STRICT)
        assert codec.encode(decoded) == value
        if value is UNSET or self._source.parts[part].type is None:
            return
        plain = value if self._source.serialization == "raw" else superjson.opened(value)
        schema = self._files.at(self._source.place.file, self._source.place.child(part).pointer)
        assert is_valid(schema, plain)


def frames_of(page: Page, endpoint: Endpoint) -> Iterator[Frame]:
    for section in page.parts(anchor(endpoint)):
        yield from section.frames


@BY_ENDPOINT
def test_the_frames_of_an_endpoint_are_valid(namespace: Namespace, endpoint: Endpoint) -> None:
    from lmwire.envelope import decode_client_frame, decode_server_frame

    conversation = Conversation("lmwire", namespace, endpoint, FILES)
    frames = list(frames_of(page(namespace), endpoint))
    for frame in frames:
        side = "ClientFrame" if frame.to == "server" else "ServerFrame"
        assert is_valid(FILES.at("wire/envelope.json", f"/$defs/{side}"), frame.data)
        decode = decode_client_frame if frame.to == "server" else decode_server_frame
        assert decode(frame.data, STRICT).to_wire() == frame.data
        conversation.check(frame)
    names = [frame.name for frame in frames]
    assert names == list(dict.fromkeys(names))
    if endpoint.source.kind == "rpc":
        assert names == ["call", "result"]
        return
    expected = {"create", "close"}
    for part in ("toServer", "toClient"):
        type_ = endpoint.source.parts[part].type
        definition = MODEL.definition(type_.key) if isinstance(type_, Named) else None
        if isinstance(definition, UnionDefinition):
            expected |= {f"{part}[{tag}]" for tag, _ in definition.arms}
        elif definition is not None:
            expected.add(part)
    assert set(names) == expected


def test_the_frames_of_the_envelope_are_valid() -> None:
    envelope = importlib.import_module("lmwire.envelope")
    tried = []
    for section in PAGES["envelope.md"].sections:
        if not section.title.startswith("Message "):
            continue
        (data,) = section.blocks
        assert getattr(envelope, section.anchor).from_wire(data, STRICT).to_wire() == data
        assert is_valid(FILES.at("wire/envelope.json", f"/$defs/{section.anchor}"), data)
        tried.append(section.anchor)
    assert len(tried) == len(set(tried)) >= 25


def test_an_example_shows_usual_values() -> None:
    (created, *_) = PAGES["namespaces/llm.md"].parts("channel-complete_raw_text")[-1].frames
    assert created.data["creationParameter"]["rawPrompt"] == "My name is"
    assert created.data["creationParameter"]["modelSpecifier"]["query"]["identifier"] == "qwen3-4b"


# --- signals, which upstream has none of ----------------------------------------------------------------------


def compiled_signals(compiler: Compiler) -> tuple[Package, Model, dict[str, Page]]:
    package = compiler.compile(CHECKOUT / "tests" / "signals" / "schema")
    model, folder = compile_model(package.schema, package.name)
    texts = Pages(model, folder).write()
    return package, model, {str(path): Page.parse(str(path), text) for path, text in texts.items()}


def test_the_frames_of_signals_are_valid(compiler: Compiler) -> None:
    package, model, pages = compiled_signals(compiler)
    assert set(pages) == {"README.md", "namespaces/lab.md"}
    (namespace,) = model.namespaces
    files = SchemaFiles(package.schema)
    for endpoint in namespace.endpoints:
        conversation = Conversation(package.name, namespace, endpoint, files)
        frames = list(frames_of(pages["namespaces/lab.md"], endpoint))
        for frame in frames:
            conversation.check(frame)
        writes = ["write", "settled"] if endpoint.source.writable else []
        assert [frame.name for frame in frames] == ["subscribe", "update", *writes, "unsubscribe"]
        title = pages["namespaces/lab.md"].section(anchor(endpoint)).title
        assert title == ("writable signal " if endpoint.source.writable else "signal ") + endpoint.source.name


# --- other revisions --------------------------------------------------------------------------------------------------


@requires("revisions")
@pytest.mark.parametrize("name", NAMES)
def test_the_reference_of_every_revision_is_whole_and_valid(
    name: str, revisions: Callable[[str], Revision]
) -> None:
    revision = revisions(name)
    model, folder = compile_model(revision.schema, revision.package)
    pages = {str(path): Page.parse(str(path), text) for path, text in Pages(model, folder).write().items()}
    files = SchemaFiles(revision.schema)
    for namespace in model.namespaces:
        page = pages[f"namespaces/{namespace.package}.md"]
        for endpoint in namespace.endpoints:
            conversation = Conversation(revision.package, namespace, endpoint, files)
            frames = list(frames_of(page, endpoint))
            assert frames
            for frame in frames:
                conversation.check(frame)
    for path, page in pages.items():
        assert broken_links(path, pages) == []
        assert page.html == [MARKER]


# --- links ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", sorted(PAGES))
def test_every_link_leads_somewhere(path: str) -> None:
    assert len(PAGES[path].anchors) == len(set(PAGES[path].anchors))
    assert broken_links(path, PAGES) == []


@pytest.mark.parametrize("path", sorted(PAGES))
def test_a_page_is_ascii_and_has_no_html_but_anchors(path: str) -> None:
    assert PAGES[path].html == [MARKER]
    assert (CHECKOUT / "docs" / "reference" / path).read_bytes().isascii()


def test_the_pages_of_no_history_and_no_envelope(compiler: Compiler) -> None:
    _, _, pages = compiled_signals(compiler)
    index = "\n".join(text for section in pages["README.md"].sections for text in section.text)
    assert "envelope" not in index
    assert "Revisions" not in [section.title for section in pages["README.md"].sections]
