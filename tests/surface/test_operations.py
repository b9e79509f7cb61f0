"""Channels with one result: what they tell, what they return, and everything that can end them before."""

from __future__ import annotations

import _thread
import asyncio
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from lmwire import (
    AsyncClient,
    CancelledError,
    ChannelError,
    Client,
    ConnectionLostError,
    IncompleteError,
    RequestTimeoutError,
    StateError,
    UsageError,
    repository,
)
from tests.surface.namespace_lab import CLOSE, ERROR, HANG, LOSE, Lab
from tests.surface.shells import Shell, SyncShell

CANCEL = {"type": "channelSend", "message": {"type": "cancel"}}
STOP = {"type": "channelSend", "message": {"type": "stop"}}
PARSER = {"library": "a", "version": "1"}


def progress(downloaded: int) -> dict[str, Any]:
    update = {"downloadedBytes": downloaded, "totalBytes": 10, "speedBytesPerSecond": 2.5}
    return {"type": "downloadProgress", "update": update}


DOWNLOAD = [
    progress(0),
    progress(10),
    {"type": "startFinalizing"},
    {"type": "success", "defaultIdentifier": "key"},
    CLOSE,
]


@pytest.fixture
def lab(shell: Shell) -> Iterator[Lab]:
    made = Lab(shell)
    made.plays["downloadModel"] = DOWNLOAD
    yield made
    made.close()


def test_a_download_tells_and_returns_the_key(lab: Lab) -> None:
    told: list[Any] = []
    key = lab.call(
        "repository.download",
        "an option",
        on_progress=lambda update: told.append(update.downloaded_bytes),
        on_finalizing=lambda: told.append("finalizing"),
    )

    assert key == "key"
    assert told == [0, 10, "finalizing"]
    assert lab.sent_parameter("downloadModel") == {"downloadIdentifier": "an option"}


def test_following_yields_what_is_told_and_then_there_is_the_result(lab: Lab) -> None:
    told: list[Any] = []
    download = lab.call("repository.download_stream", "an option", on_progress=told.append)
    with pytest.raises(StateError, match="not started"):
        download.result()
    assert lab.frames.seen == []

    packets = list(lab.shell.iterate(download))

    assert [type(packet) for packet in packets] == [
        repository.DownloadModelDownloadProgress,
        repository.DownloadModelDownloadProgress,
        repository.DownloadModelStartFinalizing,
    ]
    assert [packet.update for packet in packets[:2]] == told
    assert download.result() == lab.shell.call(download.wait_for_result) == "key"
    with pytest.raises(StateError, match="has ended"):
        list(lab.shell.iterate(download))


def test_a_result_may_be_a_whole_packet_and_progress_only_rises(lab: Lab) -> None:
    values = [{"type": "progress", "progress": value} for value in (0, 0.5, 0.25, 0.75)]
    result = {"type": "result", "content": "text", "parser": PARSER}
    lab.plays["parseDocument"] = [{"type": "parserLoaded", "parser": PARSER}, *values, result, CLOSE]
    told: list[Any] = []
    parsed = lab.call(
        "files.parse",
        "f",
        parser=PARSER,
        on_progress=told.append,
        on_parser_loaded=lambda parser: told.append(parser.library),
    )

    assert (parsed.content, parsed.parser.version) == ("text", "1")
    assert told == ["a", 0.0, 0.5, 0.75]
    assert lab.sent_parameter("parseDocument") == {"fileIdentifier": "f", "parseOpts": {"parserId": PARSER}}


def test_a_function_may_be_told_several_fields(lab: Lab) -> None:
    step = {"index": 1, "step": "chunking"}
    lab.plays["retrieve"] = [
        {"type": "onFileProcessList", "indices": [1]},
        {"type": "onFileProcessingStepProgress", **step, "progress": 0.5},
        {"type": "onSearchingStart"},
        {"type": "result", "result": {"entries": [{"content": "c", "score": 0.5, "sourceIndex": 1}]}},
        CLOSE,
    ]
    told: list[Any] = []
    found = lab.call(
        "files.retrieve",
        "q",
        ["a", "b"],
        config={"limit": 2},
        on_progress=lambda *values: told.append(values),
        on_file_process_list=told.append,
    )

    assert [entry.content for entry in found.entries] == ["c"]
    assert told == [[1], (1, "chunking", 0.5)]
    config = {"fields": [{"key": "retrieval.limit", "value": 2}]}
    assert lab.sent_parameter("retrieve") == {"query": "q", "fileIdentifiers": ["a", "b"], "config": config}


def test_nothing_is_a_result_too(lab: Lab) -> None:
    lab.plays["downloadArtifact"] = [progress(10), {"type": "success"}, CLOSE]
    download = lab.call("repository.download_artifact_stream", "owner", "name", "/folder")

    assert lab.shell.call(download.wait_for_result) is None
    assert download.finished
    assert lab.sent_parameter("downloadArtifact") == {
        "artifactOwner": "owner", "artifactName": "name", "path": "/folder", "revisionNumber": None,
    }  # fmt: skip


def test_where_closing_is_the_success(lab: Lab) -> None:
    lab.plays["pushArtifact"] = [
        {"type": "message", "message": "one"},
        {"type": "message", "message": "two"},
        CLOSE,
    ]
    told: list[str] = []

    assert lab.call("repository.push_artifact", "/folder", on_message=told.append, make_private=True) is None
    assert told == ["one", "two"]
    assert lab.sent_parameter("pushArtifact") == {"path": "/folder", "makePrivate": True}
    push = lab.call("repository.push_artifact_stream", "/folder")
    assert [packet.message for packet in lab.shell.iterate(push)] == told
    assert push.result() is None


def test_a_code_to_enter_is_told_as_a_whole(lab: Lab) -> None:
    code = {"type": "authenticationCode", "code": "AB", "manualUrl": "m", "filledUrl": "f"}
    lab.plays["ensureAuthenticated"] = [code, {"type": "authenticated"}, HANG]
    told: list[Any] = []

    assert lab.call("repository.ensure_authenticated", on_code=told.append) is None
    assert [(one.code, one.filled_url) for one in told] == [("AB", "f")]
    assert lab.sent_parameter("ensureAuthenticated") == "void"


@pytest.mark.parametrize("method", ["repository.download", "repository.ensure_authenticated", "files.parse"])
def test_a_close_without_a_result_is_an_error(lab: Lab, method: str) -> None:
    lab.plays |= {
        "downloadModel": [progress(0), CLOSE],
        "ensureAuthenticated": [CLOSE],
        "parseDocument": [CLOSE],
    }

    with pytest.raises(IncompleteError, match="closed the channel without a result"):
        lab.call(method, *(() if "ensure" in method else ("x",)))
    lab.plays["downloadModel"] = DOWNLOAD
    assert lab.call("repository.download", "x") == "key"


@pytest.mark.parametrize(
    ("method", "endpoint"),
    [("repository.download", "downloadModel"), ("repository.push_artifact", "pushArtifact")],
)
def test_the_servers_failure_is_an_error(lab: Lab, method: str, endpoint: str) -> None:
    lab.plays[endpoint] = [ERROR]

    with pytest.raises(ChannelError, match="the Hub is on fire") as caught:
        lab.call(method, "x")
    assert caught.value.endpoint == endpoint


@pytest.mark.parametrize(
    ("method", "endpoint"),
    [("repository.download", "downloadModel"), ("repository.push_artifact", "pushArtifact")],
)
def test_a_lost_connection_is_no_success(lab: Lab, method: str, endpoint: str) -> None:
    lab.plays[endpoint] = [LOSE]

    with pytest.raises(ConnectionLostError):
        lab.call(method, "x")


@pytest.mark.parametrize("way", ["leave_after", "leave_context_after"])
def test_leaving_asks_the_server_to_stop(lab: Lab, way: str) -> None:
    lab.plays["downloadModel"] = [progress(0), progress(1), HANG]
    download = lab.call("repository.download_stream", "x")

    assert len(getattr(lab.shell, way)(download, 2)) == 2
    lab.frames.wait_received(CANCEL)
    with pytest.raises(CancelledError, match="the operation was cancelled"):
        download.result()
    lab.plays["downloadModel"] = DOWNLOAD
    assert lab.call("repository.download", "x") == "key"


def test_each_endpoint_has_its_own_word_for_stopping(lab: Lab) -> None:
    lab.plays["retrieve"] = [{"type": "onSearchingStart"}, HANG]
    assert len(lab.shell.leave_after(lab.call("files.retrieve_stream", "q", ["f"]), 1)) == 1
    lab.frames.wait_received(STOP)


def test_what_cannot_be_stopped_is_not_followed_any_more(lab: Lab) -> None:
    lab.plays["pushArtifact"] = [{"type": "message", "message": "one"}, HANG]
    push = lab.call("repository.push_artifact_stream", "x")

    assert len(lab.shell.leave_after(push, 1)) == 1
    with pytest.raises(CancelledError):
        push.result()
    assert lab.call("repository.download", "x") == "key"
    assert lab.frames.received(type="channelSend") == []


def test_a_function_that_raises_ends_it(lab: Lab) -> None:
    lab.plays["downloadModel"] = [progress(0), HANG]

    def fail(update: Any) -> None:
        raise LookupError("not so far")

    with pytest.raises(LookupError, match="not so far"):
        lab.call("repository.download", "x", on_progress=fail)
    lab.frames.wait_received(CANCEL)


def test_another_thread_or_task_cancels_it(lab: Lab) -> None:
    lab.plays["downloadModel"] = [progress(0), HANG]
    others: list[Any] = []

    def look_on(update: Any) -> None:
        if lab.shell.name == "async":
            others.append(asyncio.get_running_loop().create_task(download.cancel()))
        else:
            others.append(threading.Thread(target=download.cancel))
            others[0].start()

    download = lab.call("repository.download_stream", "x", on_progress=look_on)

    with pytest.raises(CancelledError):
        lab.shell.call(download.wait_for_result)
    lab.frames.wait_received(CANCEL)
    assert len(others) == 1


def test_what_is_cancelled_first_is_never_sent(lab: Lab) -> None:
    download = lab.call("repository.download_stream", "x")
    lab.shell.call(download.cancel)

    with pytest.raises(CancelledError, match="not started"):
        lab.shell.call(download.wait_for_result)
    assert lab.frames.seen == []


def test_silence_ends_it(lab: Lab) -> None:
    lab.plays["downloadModel"] = [progress(0), HANG]

    with pytest.raises(RequestTimeoutError):
        lab.call("repository.download", "x", timeout=0.2)
    lab.frames.wait_received(CANCEL)


def test_ctrl_c_asks_the_server_to_stop() -> None:
    lab = Lab(SyncShell())
    lab.plays["downloadModel"] = [progress(0), HANG]
    try:
        with pytest.raises(KeyboardInterrupt):
            lab.client.repository.download("x", on_progress=lambda _: _thread.interrupt_main())
        lab.frames.wait_received(CANCEL)
        lab.plays["downloadModel"] = DOWNLOAD
        assert lab.client.repository.download("x") == "key"
    finally:
        lab.close()


async def test_a_task_that_is_cancelled_asks_the_server_to_stop() -> None:
    lab = Lab(SyncShell())
    lab.plays["downloadModel"] = [progress(0), HANG]
    begun = asyncio.Event()
    try:
        async with AsyncClient(lab.host) as client:
            task = asyncio.create_task(client.repository.download("x", on_progress=lambda _: begun.set()))
            await asyncio.wait_for(begun.wait(), 30)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            await asyncio.to_thread(lab.frames.wait_received, CANCEL)
    finally:
        lab.close()


@pytest.mark.parametrize(
    ("method", "arguments", "options", "words"),
    [
        ("repository.download", [3], {}, "option must be one of ModelSearchResultDownloadOptionData, or its"),
        ("repository.download", ["x"], {"on_progress": 3}, "on_progress must be a function"),
        ("repository.download_artifact", ["Owner!", "n", "p"], {}, "/artifactOwner"),
        ("repository.download_artifact", ["o", "n", 3], {}, "path must be a path; got int"),
        ("repository.push_artifact", ["p"], {"overrides": {1}}, "overrides must be a JSON value"),
        ("repository.push_artifact", ["p"], {"description": "x" * 1001}, "/description"),
        ("files.retrieve", ["q", "abc"], {}, "files must be a list; got str"),
        ("files.retrieve", ["q", [3]], {}, r"files\[0\] must be one of ChatMessagePartFileData"),
        ("files.retrieve", ["q", ["f"]], {"config": {"limits": 3}}, "limits"),
        ("files.parse", ["f"], {"parser": {"library": "a"}}, "/parseOpts/parserId"),
    ],
)  # fmt: skip
def test_mistakes_are_told_and_nothing_is_sent(
    lab: Lab, method: str, arguments: list[Any], options: dict[str, Any], words: str
) -> None:
    with pytest.raises(UsageError, match=words):
        lab.call(method, *arguments, **options)
    assert lab.frames.seen == []


def test_the_wrong_shell_is_told() -> None:
    with Client("127.0.0.1:1") as client:
        download = client.repository.download_stream("x")
        with pytest.raises(TypeError, match="not for asyncio"):
            asyncio.run(_iterate(download))


async def _iterate(stream: Any) -> None:
    async for _ in stream:
        pass
