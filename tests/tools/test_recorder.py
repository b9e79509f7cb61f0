"""Recordings that clients and servers make by their taps, and what may not be in them."""

from __future__ import annotations

import asyncio
import io
import json
from pathlib import Path
from typing import Any

import pytest

from lmwire import AsyncClient, Client, UsageError
from lmwire_emulator import EmulatorThread
from lmwire_runtime.credentials import Credentials
from lmwire_tools.recorder import Recorder
from lmwire_tools.recordings import (
    Closed,
    Opened,
    Record,
    RecordedFrame,
    RecordingError,
    RecordingWriter,
    read_recording,
)
from tests.runtime.arithmetic import ENOUGH
from tests.tools.transcripts import TRANSCRIPTS

TOKEN = "sk-lm-AbCd1234:0123456789abcdefghij"


def recorded(data: bytes) -> list[Record]:
    return list(read_recording(data.splitlines()))


def shape(records: list[Record], connection: int) -> list[str]:
    """What happened on one connection: direction and type of each frame."""
    happened = []
    for record in records:
        if record.connection != connection:
            continue
        if isinstance(record, RecordedFrame):
            happened.append(f"{record.direction} {record.data.get('type', 'authentication')}")
        else:
            happened.append(type(record).__name__)
    return happened


UNLOADED = [
    "Opened",
    "to_server authentication",
    "to_client authentication",
    "to_server rpcCall",
    "to_client rpcResult",
    "Closed",
]


def test_a_client_records_each_of_its_connections() -> None:
    file = io.BytesIO()
    with EmulatorThread() as emulator:
        for _ in range(2):
            with Client(emulator.api_host, on_frame=Recorder(file)) as client:
                client.llm.rpc.list_loaded()

    first, second = (recorded(part) for part in _recordings(file.getvalue()))

    assert shape(first, 1) == shape(second, 1) == UNLOADED


def _recordings(data: bytes) -> list[bytes]:
    """Part a file to which several recorders wrote one after the other."""
    head = b'{"time":'
    parts: list[bytes] = []
    for line in data.splitlines(keepends=True):
        assert line.startswith(head)
        if b'"event":"recording"' in line:
            parts.append(b"")
        parts[-1] += line
    return parts


def test_an_asyncio_client_records() -> None:
    file = io.BytesIO()

    async def ask(host: str) -> None:
        async with AsyncClient(host, on_frame=Recorder(file)) as client:
            await client.llm.rpc.list_loaded()

    with EmulatorThread() as emulator:
        asyncio.run(asyncio.wait_for(ask(emulator.api_host), ENOUGH))

    assert shape(recorded(file.getvalue()), 1) == UNLOADED


def test_a_server_tells_connections_of_one_namespace_apart() -> None:
    file = io.BytesIO()
    with (
        EmulatorThread(on_frame=Recorder(file)) as emulator,
        Client(emulator.api_host) as one,
        Client(emulator.api_host) as other,
    ):
        for client in (one, other, one):
            client.llm.rpc.list_loaded()

    records = recorded(file.getvalue())

    twice = [*UNLOADED[:-1], *UNLOADED[3:]]
    assert sorted([shape(records, 1), shape(records, 2)], key=len) == [UNLOADED, twice]
    assert {record.namespace for record in records} == {"llm"}
    assert [record.time for record in records] == sorted(record.time for record in records)


def test_both_ends_record_the_same_frames() -> None:
    of_client, of_server = io.BytesIO(), io.BytesIO()
    with (
        EmulatorThread(on_frame=Recorder(of_server)) as emulator,
        Client(emulator.api_host, on_frame=Recorder(of_client)) as client,
    ):
        client.llm.model().complete("My name is", config={"maxTokens": 3})
        client.llm.rpc.list_loaded()  # its answer comes after the channel's close

    def frames(data: bytes, direction: str) -> list[Any]:
        records = [record for record in recorded(data) if isinstance(record, RecordedFrame)]
        return [record.data for record in records if record.direction == direction]

    # Frames of the two directions may cross on their way.
    for direction in ("to_server", "to_client"):
        seen = frames(of_client.getvalue(), direction)
        assert seen == frames(of_server.getvalue(), direction)
        assert len(seen) >= 4


def test_no_secret_gets_into_a_recording(tmp_path: Path) -> None:
    path = tmp_path / "recording.jsonl"
    credentials = Credentials.from_token(TOKEN)
    with (
        Recorder(path) as recorder,
        EmulatorThread(api_tokens=[TOKEN], on_frame=recorder) as emulator,
        Client(emulator.api_host, api_token=credentials, on_frame=recorder) as client,
    ):
        client.llm.rpc.list_loaded()
        client.llm.model().complete(f"The token {TOKEN} is", config={"maxTokens": 2})

    text = path.read_text(encoding="utf-8")

    assert text.count("<redacted>") >= 4  # the authentication and the prompt, at both ends
    assert credentials.passkey not in text


@pytest.mark.parametrize(
    "frame",
    [
        {
            "type": "rpcCall",
            "endpoint": "x",
            "callId": 1,
            "parameter": {"privateKey": "secret", "keyId": "k"},
        },
        {"type": "rpcResult", "callId": 1, "result": [{"clientPasskey": "secret"}]},
        {"type": "rpcResult", "callId": 1, "result": f"Bearer {TOKEN.replace('0123456789', 'secretsecr')}"},
    ],
)
@pytest.mark.parametrize("elide", [None, 500])
def test_secrets_at_any_depth_are_redacted(frame: Any, elide: int | None) -> None:
    written = write(json.dumps(frame).encode(), elide=elide)

    assert b"<redacted>" in written
    assert b"secret" not in written


def write(text: bytes, *, elide: int | None = None) -> bytes:
    file = io.BytesIO()
    with RecordingWriter(file, elide=elide) as writer:
        writer.write(RecordedFrame(time=1.5, connection=3, namespace="llm", direction="to_server", text=text))
    return file.getvalue()


@pytest.mark.parametrize(
    "text",
    [
        b'{"type":"keepAlive"}',
        b'{"a": 3.0,\r\n "b": 123456789012345678901234567890}',
        b'{"a": "\\ud83d"}',
        b"[" * 50 + b"]" * 50,
        b"no JSON at all",
        b'"frame":',
        b"\xff\xfe",
        b"",
    ],
)
def test_any_frame_is_written_and_read_back(text: bytes) -> None:
    written = write(text)

    (record,) = recorded(written)

    assert written.count(b"\n") == 2
    assert isinstance(record, RecordedFrame)
    try:
        meant = json.loads(text)
    except ValueError:
        assert record.text == text
    else:
        assert json.loads(written.splitlines()[1])["frame"] == meant
        assert record.data == meant or isinstance(meant, dict)  # orjson reads large integers as floats
    assert (record.time, record.connection, record.namespace) == (1.5, 3, "llm")


def test_long_parts_are_elided_on_request() -> None:
    frame = {
        "prompt": "x" * 300,
        "vector": list(range(500)),
        "messages": [{"text": "y"}] * 200,
        "a/b": ["z" * 101],
    }

    (record,) = recorded(write(json.dumps(frame).encode(), elide=100))

    assert isinstance(record, RecordedFrame)
    assert record.data == {**frame, "prompt": "x" * 100, "vector": list(range(100)), "a/b": ["z" * 100]}
    assert record.elided == {"/prompt": 300, "/vector": 500, "/a~1b/0": 101}


def test_an_elided_recording_can_be_written_again() -> None:
    (record,) = recorded(write(json.dumps({"prompt": "x" * 300}).encode(), elide=100))
    file = io.BytesIO()
    RecordingWriter(file).write(record)

    assert recorded(file.getvalue()) == [record]


@pytest.mark.parametrize(
    ("line", "fault"),
    [
        ("{", "line 2: "),
        ("[]", "line 2: not a record"),
        ('{"type":"keepAlive"}', "line 2: not a record"),
        ('{"connection":1,"namespace":"llm","frame":{}}', "line 2: time"),
        ('{"time":1,"connection":true,"namespace":"llm","frame":{}}', "line 2: connection"),
        ('{"time":1,"connection":1,"frame":{}}', "line 2: namespace"),
        ('{"time":1,"connection":1,"namespace":"llm","direction":"up","frame":{}}', "line 2: direction"),
        ('{"time":1,"connection":1,"namespace":"llm","direction":"to_server"}', "line 2: it has no frame"),
        ('{"event":"recording","format":2}', "line 2: a recording of format 2"),
    ],
)
def test_what_is_no_record_is_refused(line: str, fault: str) -> None:
    with pytest.raises(RecordingError) as caught:
        list(read_recording(["", line]))

    assert str(caught.value).startswith(fault)


def test_events_of_later_versions_are_skipped() -> None:
    assert list(read_recording(['{"event":"ping","time":1,"connection":1,"namespace":"llm"}'])) == []


@pytest.mark.parametrize("path", TRANSCRIPTS, ids=lambda path: path.stem)
def test_transcripts_are_read_and_written_again(path: Path) -> None:
    lines = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    lines = [line for line in lines if line.get("event", "open") in ("open", "close")]  # others are notes
    records = list(read_recording(path.read_bytes().splitlines()))
    file = io.BytesIO()
    with RecordingWriter(file) as writer:
        for record in records:
            writer.write(record)
    again = recorded(file.getvalue())

    assert len(records) == len(again) == len(lines)
    for line, record, copy in zip(lines, records, again, strict=True):
        assert copy.time == record.time == pytest.approx(line["t"] / 1000)
        assert copy.namespace == line["path"].removeprefix("/")
        if isinstance(record, RecordedFrame):
            assert isinstance(copy, RecordedFrame)
            assert record.data == line["frame"]
            assert copy.direction == record.direction == {"in": "to_server", "out": "to_client"}[line["dir"]]
        else:
            assert record == copy
            assert isinstance(record, Opened if line["event"] == "open" else Closed)


def test_what_is_no_tap_is_refused() -> None:
    with pytest.raises(UsageError, match="on_frame"):
        Client("127.0.0.1:1", on_frame=object())  # type: ignore[arg-type]
