"""Methods of namespaces without handles: what they send, what they return, and what they refuse."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from lmwire import RpcError, UsageError, files, repository, runtime
from lmwire_emulator import EmulatorThread
from tests.surface.namespace_lab import Lab
from tests.surface.shells import Shell

STORED = {"identifier": "id.txt", "fileType": "text/plain", "sizeBytes": 5}
VOID = "void"


@pytest.fixture
def lab(shell: Shell) -> Iterator[Lab]:
    made = Lab(shell)
    made.answers["uploadFileBase64"] = STORED
    yield made
    made.close()


@pytest.fixture
def emulated(shell: Shell) -> Iterator[Any]:
    """Gives a function that calls a method such as ``system.info`` of a client of an emulator."""
    with EmulatorThread() as emulator:
        client = shell.client(emulator.api_host)

        def call(method: str, *arguments: Any, **options: Any) -> Any:
            namespace, _, name = method.partition(".")
            return shell.call(getattr(getattr(client, namespace), name), *arguments, **options)

        yield call
        shell.call(client.close)


@pytest.mark.parametrize(
    ("method", "arguments", "options", "endpoint", "sent"),
    [
        ("system.notify", ["hi"], {}, "notify", {"title": "hi"}),
        ("system.notify", ["hi"], {"description": "d", "no_auto_dismiss": True}, "notify",
         {"title": "hi", "description": "d", "noAutoDismiss": True}),
        ("system.set_experiment_flag", ["x", False], {}, "setExperimentFlag", {"code": "x", "value": False}),
        ("system.start_http_server", [], {}, "startHttpServer", {}),
        ("system.start_http_server", [], {"port": 1, "cors": True, "network_interface": "0.0.0.0"}, "startHttpServer",
         {"port": 1, "cors": True, "networkInterface": "0.0.0.0"}),
        ("system.stop_http_server", [], {}, "stopHttpServer", VOID),
        ("repository.sign_out", [], {}, "deauthenticate", VOID),
        ("repository.set_link_disabled", [True], {}, "lmLinkSetDisabled", {"disabled": True}),
        ("repository.rename_link_device", ["n"], {}, "lmLinkUpdateDeviceName", {"deviceName": "n"}),
        ("repository.prefer_link_device", ["d"], {}, "lmLinkSetPreferredDevice", {"deviceIdentifier": "d"}),
        ("runtime.select", [{"name": "e", "version": "1"}, "GGUF"], {}, "selectEngine",
         {"engine": {"name": "e", "version": "1"}, "modelFormatName": "GGUF"}),
        ("runtime.select", [runtime.RuntimeExtensionSpecifier(name="e", version="1"), "MLX"], {}, "selectEngine",
         {"engine": {"name": "e", "version": "1"}, "modelFormatName": "MLX"}),
        ("runtime.remove", ["e", "1"], {}, "removeEngine", {"name": "e", "version": "1"}),
    ],
)  # fmt: skip
def test_calls_without_a_result(
    lab: Lab, method: str, arguments: list[Any], options: dict[str, Any], endpoint: str, sent: Any
) -> None:
    assert lab.call(method, *arguments, **options) is None
    assert lab.sent_parameter(endpoint) == sent


@pytest.mark.parametrize(
    ("method", "arguments", "options", "endpoint", "sent", "answer", "returned"),
    [
        ("system.experiment_flags", [], {}, "getExperimentFlags", VOID, ["a"], ["a"]),
        ("system.list_variants", ["m"], {}, "listDownloadedModelVariants", {"modelKey": "m"}, [], []),
        ("repository.search", [], {}, "searchModels", {"opts": {}}, {"results": []}, []),
        ("repository.search", ["w"], {"limit": 2, "formats": ("gguf",)}, "searchModels",
         {"opts": {"searchTerm": "w", "limit": 2, "compatibilityTypes": ["gguf"]}}, {"results": []}, []),
        ("repository.download_options", [{"type": "hf", "identifier": "x"}], {}, "getModelDownloadOptions",
         {"modelSearchResultIdentifier": {"type": "hf", "identifier": "x"}}, {"results": []}, []),
        ("repository.find_staff_picks", ["w"], {}, "fuzzyFindStaffPicks", {"searchTerm": "w"}, {"results": []}, []),
        ("repository.catalog", [], {}, "getModelCatalog", VOID, {"models": []}, []),
        ("repository.is_authenticated", [], {}, "isAuthenticated", VOID, {"authenticated": True}, True),
        ("repository.list_artifact_owners", [], {}, "getWritableArtifactOwners", VOID, {"owners": ["a"]}, ["a"]),
        ("files.path_of", ["id"], {}, "getLocalFileAbsolutePath", {"fileName": "id"}, {"path": "/x"}, "/x"),
        ("runtime.engines", [], {}, "listEngines", VOID, [], []),
        ("runtime.search_extensions", ["q"], {}, "searchRuntimeExtensions",
         {"query": "q", "includeIncompatible": False}, {"extensions": []}, []),
        ("runtime.search_extensions", ["q"], {"channel": "beta", "include_incompatible": True},
         "searchRuntimeExtensions", {"query": "q", "channelOverride": "beta", "includeIncompatible": True},
         {"extensions": []}, []),
    ],
)  # fmt: skip
def test_calls_with_a_result(
    lab: Lab,
    method: str,
    arguments: list[Any],
    options: dict[str, Any],
    endpoint: str,
    sent: Any,
    answer: Any,
    returned: Any,
) -> None:
    lab.answers[endpoint] = answer

    assert lab.call(method, *arguments, **options) == returned
    assert lab.sent_parameter(endpoint) == sent


def test_a_parameter_that_is_optional_as_a_whole(lab: Lab) -> None:
    lab.answers["surveyHardware"] = {"status": "ok", "engines": []}

    assert lab.call("runtime.survey_hardware").status == "ok"
    assert lab.sent_parameter("surveyHardware") == VOID
    assert lab.call("runtime.survey_hardware", {"type": "all"}).engines == []
    assert lab.sent_parameter("surveyHardware") == {"type": "all"}


class Opened(io.BytesIO):
    name = "/home/me/c.txt"


def test_files_of_every_kind_are_uploaded(lab: Lab, tmp_path: Path) -> None:
    path = tmp_path / "a b.txt"
    path.write_bytes(b"hello")
    sent = {"name": "a b.txt", "contentBase64": "aGVsbG8="}

    for source in (path, str(path)):
        part = lab.call("files.upload", source)
        assert lab.sent_parameter("uploadFileBase64") == sent
        assert part.to_wire() == {"type": "file", "name": "a b.txt", **STORED}
    with path.open("rb") as opened:
        assert lab.call("files.upload", opened).name == "a b.txt"
    assert lab.call("files.upload", Opened(b"hello")).name == "c.txt"
    for content in (b"hello", bytearray(b"hello"), memoryview(b"hello"), io.BytesIO(b"hello")):
        assert lab.call("files.upload", content, name="b").name == "b"
        assert lab.sent_parameter("uploadFileBase64") == {**sent, "name": "b"}


def test_stored_files_are_named_by_themselves_or_their_identifier(lab: Lab) -> None:
    lab.answers["getDocumentParsingLibrary"] = {"library": "l", "version": "1"}
    part = lab.call("files.upload", b"hello", name="b")
    stored = files.UploadFileBase64Result(identifier="id.txt", file_type="text/plain", size_bytes=5)

    for file in (part, stored, "id.txt"):
        assert lab.call("files.parsing_library", file).library == "l"
        assert lab.sent_parameter("getDocumentParsingLibrary") == {"fileIdentifier": "id.txt"}


@pytest.mark.parametrize(
    ("method", "arguments", "options", "words"),
    [
        ("system.notify", [3], {}, "title must be text"),
        ("system.notify", ["x"], {"no_auto_dismiss": 1}, "/noAutoDismiss"),
        ("system.start_http_server", [], {"port": 70000}, "/port"),
        ("system.start_http_server", [], {"port": float("nan")}, "port must be a JSON value; got nan"),
        ("repository.search", ["x"], {"limit": 26}, "/opts/limit"),
        ("repository.search", ["x"], {"formats": "gguf"}, "formats must be a list; got str"),
        ("repository.search", ["x"], {"formats": [3]}, r"formats\[0\] must be text"),
        ("repository.download_options", [{"type": "other"}], {}, "/modelSearchResultIdentifier"),
        ("repository.download_options", [None], {}, "model must be one of ModelSearchResultEntryData, or its"),
        ("runtime.select", ["engine", "GGUF"], {}, "engine must be a dict or a message object"),
        ("files.upload", [b"x"], {}, "name is needed: source has no name of its own"),
        ("files.upload", [io.StringIO("x")], {"name": "x"}, "source must be a path, bytes, or a file that is open"),
        ("files.upload", [7], {"name": "x"}, "source must be a path"),
        ("files.upload", ["no/such/file"], {}, "source cannot be read: .*no/such/file"),
        ("files.upload", [b"x"], {"name": 3}, "name must be text"),
    ],
)  # fmt: skip
def test_mistakes_are_told_and_nothing_is_sent(
    lab: Lab, method: str, arguments: list[Any], options: dict[str, Any], words: str
) -> None:
    with pytest.raises(UsageError, match=words):
        lab.call(method, *arguments, **options)
    assert lab.frames.seen == []


def test_a_file_is_stored_read_and_put_into_a_chat(emulated: Any, shell: Shell) -> None:
    part = emulated("files.upload", b"The cat sat on the mat.", name="cat.txt")
    assert (part.name, part.file_type, part.size_bytes) == ("cat.txt", "text/plain", 23)

    told: list[float] = []
    parsed = emulated("files.parse", part, on_progress=told.append)
    assert parsed.content == "The cat sat on the mat."
    assert told[-1] == 1.0
    assert emulated("files.parsing_library", part) == parsed.parser

    model = emulated("llm.model", "emulator/ngram-small")
    chat = [{"role": "user", "content": ["What did it do?", part]}]
    assert "What did it do?" in shell.call(model.apply_prompt_template, chat)


def test_a_model_is_found_downloaded_and_loaded(emulated: Any) -> None:
    found = emulated("repository.search", "ngram-large", limit=1)
    options = emulated("repository.download_options", found[0])
    smallest = min(options, key=lambda option: option.size_bytes)
    told: list[repository.DownloadProgressUpdate] = []

    key = emulated("repository.download", smallest, on_progress=told.append)

    assert told[-1].downloaded_bytes == told[-1].total_bytes == smallest.size_bytes
    assert key in {info.model_key for info in emulated("system.list_downloaded")}
    assert emulated("llm.model", key).identifier == key


def test_the_server_tells_what_it_is(emulated: Any) -> None:
    version, info = emulated("system.version"), emulated("system.info")
    assert info.version == version.version
    emulated("system.set_experiment_flag", "x", True)
    assert emulated("system.experiment_flags") == ["x"]
    assert emulated("repository.link_status").device_name
    with pytest.raises(RpcError):
        emulated("runtime.remove", "nothing", "1")


def test_engines_are_listed_selected_and_surveyed(emulated: Any) -> None:
    engine = emulated("runtime.engines")[0]
    specifier = runtime.RuntimeExtensionSpecifier(name=engine.name, version=engine.version)
    emulated("runtime.select", specifier, engine.supported_model_format_names[0])

    assert (engine.supported_model_format_names[0], specifier) in emulated("runtime.selections")
    assert emulated("runtime.survey_hardware").status == "ok"
    assert emulated("runtime.search_extensions", engine.name)[0].name == engine.name
