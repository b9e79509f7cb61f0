"""Images, searches and downloads under the official names: what they come to, what is sent, and what goes wrong."""

from __future__ import annotations

import array
import io
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import lmstudio
import lmwire
from lmstudio import _repository
from lmwire_emulator import EmulatorThread
from tests.support.requirements import requires
from tests.surface.namespace_lab import CLOSE, ERROR, HANG, Lab
from tests.surface.shells import AsyncShell, Shell, SyncShell

PROGRAM = Path(__file__).with_name("namespaces_of_lmstudio.py")
PNG = b"\x89PNG\r\n\x1a\nxx"
STORED = {"identifier": "f1", "fileType": "image", "sizeBytes": 10}
MODEL = {"name": "a/b", "identifier": {"type": "hf", "identifier": "a/b"}, "somethingNew": 1}
OPTION = {
    "name": "b", "sizeBytes": 1, "fitEstimation": "willNotFit", "downloadIdentifier": "d",
    "indexedModelIdentifier": "i", "compatibilityType": "gguf",
}  # fmt: skip
UPDATE = {"downloadedBytes": 1, "totalBytes": 2, "speedBytesPerSecond": 0.5}
PROGRESS = {"type": "downloadProgress", "update": UPDATE}
SUCCESS = {"type": "success", "defaultIdentifier": "a/b"}


class ForThreads(SyncShell):
    def client(self, host: str, **options: Any) -> Any:
        return lmstudio.Client(host, **options)


class ForTasks(AsyncShell):
    def client(self, host: str, **options: Any) -> Any:
        return lmstudio.AsyncClient(host, **options)


@pytest.fixture(params=[ForThreads, ForTasks], ids=["sync", "async"])
def shell(request: pytest.FixtureRequest) -> Iterator[Shell]:
    driver: Shell = request.param()
    yield driver
    driver.stop()


@pytest.fixture
def lab(shell: Shell) -> Iterator[Lab]:
    made = Lab(shell)
    made.answers |= {
        "uploadFileBase64": STORED,
        "searchModels": {"results": [MODEL]},
        "getModelDownloadOptions": {"results": [OPTION]},
    }
    yield made
    made.close()


# The same as officially.


def _outcomes(interpreter: Path | str, form: str, folder: Path) -> tuple[dict[str, Any], list[Any]]:
    """What each action came to, and the requests that were made."""
    requests: list[Any] = []

    def on_frame(direction: str, namespace: str, text: bytes) -> None:
        frame = json.loads(text)
        if direction == "received" and frame["type"] in ("rpcCall", "channelCreate"):
            parameter = frame.get("parameter", frame.get("creationParameter"))
            if parameter and parameter.get("name", "").count("-") == 4:
                parameter["name"] = "random"
            requests.append([namespace, frame["endpoint"], parameter])

    with EmulatorThread(on_frame=on_frame) as emulator:
        done = subprocess.run(
            [interpreter, PROGRAM, emulator.api_host, form, folder],
            capture_output=True,
            text=True,
            encoding="utf-8",
            timeout=120,
            check=False,
        )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout), requests


@requires("official-python")
@pytest.mark.parametrize("form", ["sync", "async"])
def test_everything_comes_to_the_same(official_python: Path, form: str, tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(PNG)
    official, official_requests = _outcomes(official_python, form, tmp_path)
    ours, our_requests = _outcomes(sys.executable, form, tmp_path)

    assert len(official) > 20
    for name, outcome in official.items():
        assert ours[name].get("value") == outcome.get("value"), name
        assert set(outcome.get("errors", [])) <= set(ours[name].get("errors", [])), name
    assert our_requests == official_requests


# Images.


class Named(io.BytesIO):
    name = "/folder/e.png"


@pytest.mark.parametrize(
    ("make", "name", "sent"),
    [
        (lambda: b"x", "n", {"name": "n", "contentBase64": "eA=="}),
        (lambda: array.array("B", [120]), "n", {"name": "n", "contentBase64": "eA=="}),
        (lambda: memoryview(b"x-y-")[::2], "n", {"name": "n", "contentBase64": "eHk="}),
        (lambda: Named(b"x"), None, {"name": "e.png", "contentBase64": "eA=="}),
        (lambda: Named(b"x"), "n", {"name": "n", "contentBase64": "eA=="}),
    ],
)
def test_images_from_memory(lab: Lab, make: Any, name: str | None, sent: Any) -> None:
    handle = lab.call("files.prepare_image", make(), name)

    assert lab.sent_parameter("uploadFileBase64") == sent
    assert handle == lmstudio.FileHandle(name=sent["name"], identifier="f1", size_bytes=10, file_type="image")


def test_each_image_without_a_name_gets_one_of_its_own(lab: Lab) -> None:
    names = [lab.call("files.prepare_image", source).name for source in (b"x", io.BytesIO(b"x"), b"x")]

    assert len(set(names)) == 3
    assert all(names)


class Unreadable(io.RawIOBase):
    def read(self, size: int = -1) -> bytes:
        raise PermissionError(13, "not yours")


def test_what_cannot_be_read(lab: Lab, tmp_path: Path) -> None:
    with pytest.raises(lmstudio.LMStudioFileNotFoundError) as missing:
        lab.call("files.prepare_image", tmp_path / "none.png")
    with pytest.raises(lmstudio.LMStudioOSError, match="not yours") as refused:
        lab.call("files.prepare_image", Unreadable())
    with pytest.raises(lmstudio.LMStudioValueError, match="open for reading bytes"):
        lab.call("files.prepare_image", io.StringIO("x"), "n")

    assert isinstance(missing.value, FileNotFoundError)
    assert isinstance(missing.value.__cause__, lmwire.UsageError)
    assert "none.png" in str(missing.value)
    assert type(refused.value) is lmstudio.LMStudioOSError
    assert refused.value.errno == 13
    assert lab.frames.received(endpoint="uploadFileBase64") == []


def test_handles_go_into_chats_and_paths_do_not(lab: Lab) -> None:
    handle = lab.call("files.prepare_image", b"x", "n")
    chat = lmstudio.Chat()

    mistakes: list[Any] = ["a.png", handle, ["a.png"], [Path("a.png")], [b"x"], 5]
    for wrong in mistakes:
        with pytest.raises(
            lmstudio.LMStudioValueError, match="images must be a list of what prepare_image returns"
        ):
            chat.add_user_message("u", images=wrong)
    chat.add_user_message("u", images=(each for each in [handle, handle.to_wire()]))  # type: ignore[arg-type]

    assert [part["type"] for part in chat.to_wire()["messages"][0]["content"]] == ["text", "file", "file"]


# Searches and downloads.


def found_option(lab: Lab) -> Any:
    model = lab.call("repository.search_models", "b")[0]
    return lab.shell.call(model.get_download_options)[0]


def test_what_a_search_finds(lab: Lab) -> None:
    model = lab.call("repository.search_models", "b")[0]

    assert lab.sent_parameter("searchModels") == {"opts": {"searchTerm": "b"}}
    assert (model.search_result.name, model.search_result.exact, model.search_result.staff_pick) == (
        "a/b",
        None,
        None,
    )
    assert repr(model).removeprefix("Async") == (
        "AvailableModel(name='a/b', identifier=ModelSearchResultIdentifierHf(identifier='a/b'),"
        " exact=None, staff_pick=None)"
    )
    assert model == lab.call("repository.search_models", "b")[0]
    assert model != model.search_result


def test_what_can_be_downloaded(lab: Lab) -> None:
    option = found_option(lab)

    assert lab.sent_parameter("getModelDownloadOptions") == {
        "modelSearchResultIdentifier": MODEL["identifier"]
    }
    assert (option.info.quantization, option.info.recommended, option.info.size_bytes) == (None, None, 1)
    assert option == found_option(lab)


def test_a_download(lab: Lab) -> None:
    lab.plays["downloadModel"] = [PROGRESS, {"type": "startFinalizing"}, SUCCESS, HANG]
    told: list[Any] = []

    key = lab.shell.call(found_option(lab).download, told.append, lambda: told.append("finalizing"))

    assert key == "a/b"
    assert told == [lmstudio.DownloadProgressUpdate.from_wire(UPDATE), "finalizing"]
    assert lab.sent_parameter("downloadModel") == {"downloadIdentifier": "d"}


@pytest.mark.parametrize(
    ("ending", "error"),
    [(CLOSE, lmstudio.LMStudioChannelClosedError), (ERROR, lmstudio.LMStudioServerError)],
)
def test_downloads_that_fail(lab: Lab, ending: str, error: type[Exception]) -> None:
    lab.plays["downloadModel"] = [PROGRESS, ending]

    with pytest.raises(error) as caught:
        lab.shell.call(found_option(lab).download)

    assert type(caught.value) is error


def test_a_callback_that_raises_cancels_the_download(lab: Lab) -> None:
    lab.plays["downloadModel"] = [PROGRESS, HANG]

    def refuse(update: Any) -> None:
        raise KeyError(update.total_bytes)

    with pytest.raises(KeyError, match="2"):
        lab.shell.call(found_option(lab).download, on_progress=refuse)

    lab.frames.wait_received({"type": "channelSend", "message": {"type": "cancel"}})


def test_mistakes_are_official_errors(lab: Lab) -> None:
    with pytest.raises(
        lmstudio.LMStudioValueError, match=r"at least one of search_term.*repository\.search\(\)"
    ):
        lab.call("repository.search_models")
    with pytest.raises(lmstudio.LMStudioValueError, match="limit"):
        lab.call("repository.search_models", limit=26)
    with pytest.raises(lmstudio.LMStudioValueError):
        lab.shell.call(found_option(lab).download, on_progress=5)


def test_lmwires_own_methods_raise_official_errors_too(lab: Lab, tmp_path: Path) -> None:
    lab.plays["downloadModel"] = [CLOSE]

    with pytest.raises(lmstudio.LMStudioFileNotFoundError):
        lab.call("files.upload", tmp_path / "none")
    with pytest.raises(lmstudio.LMStudioChannelClosedError):
        lab.call("repository.download", "d")
    with pytest.raises(lmstudio.LMStudioValueError):
        lab.call("system.notify", 5)


def test_an_address_that_nobody_listens_at(shell: Shell, unused_port: int) -> None:
    client = shell.client(f"127.0.0.1:{unused_port}")

    for call in (client.prepare_image, client.files.prepare_image):
        with pytest.raises(lmstudio.LMStudioClientError, match="no LM Studio server was found"):
            shell.call(call, b"x", "n")
    with pytest.raises(lmstudio.LMStudioClientError, match="no LM Studio server was found"):
        shell.call(client.repository.search_models, "x")


def test_models_of_every_kind_are_listed_in_the_servers_order(lab: Lab) -> None:
    known = {
        "modelKey": "a/b",
        "format": "gguf",
        "displayName": "B",
        "path": "p",
        "sizeBytes": 1,
        "architecture": "x",
    }
    lab.answers["listDownloadedModels"] = [
        {"type": "embedding", **known, "maxContextLength": 1},
        {"type": "hologram", **known},
        {"type": "llm", **known, "vision": False, "trainedForToolUse": False, "maxContextLength": 1},
    ]

    listed = lab.call("system.list_downloaded_models")

    assert [model.type for model in listed] == ["embedding", "llm"]
    assert listed[0].info.params_string is None
    assert listed == lab.shell.call(lab.client.list_downloaded_models)
    assert [model.type for model in lab.shell.call(lab.client.list_downloaded_models, "llm")] == ["llm"]


def test_names_for_annotations() -> None:
    assert lmstudio.DownloadProgressCallback is _repository.DownloadProgressCallback
    assert lmstudio.DownloadFinalizedCallback is _repository.DownloadFinalizedCallback
    assert lmstudio.LocalFileInput | None  # a union that programs may widen
    with pytest.raises(AttributeError, match=r"no attribute 'DownloadEverything'$"):
        _ = lmstudio.DownloadEverything  # type: ignore[attr-defined]
