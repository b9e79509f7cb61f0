"""Plays what a client sent in a transcript to an emulator that is made like the transcript's server.

The emulator gets the models that the transcripts tell of, and a script that replies what was replied. Its answers are
read one for each answer of the transcript, in order.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from websockets.sync.client import ClientConnection, connect

from lmwire_emulator import EmulatorThread, LoadPlan, Model, Quantization, parse_script
from lmwire_emulator.presets import Preset

__all__ = ["Lines", "emulator_like", "frames_of", "played"]

Lines = Sequence[Mapping[str, Any]]
"""The lines of a transcript that are frames, each with direction, connection, path and frame."""

_SECONDS: Final = 20
_PROGRESS: Final = (0.25, 0.5, 0.75, 1.0)  # of every load in the transcripts


def frames_of(path: Path) -> Lines:
    """Read a transcript."""
    lines = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    return [line for line in lines if "frame" in line]


def emulator_like(transcripts: Iterable[Lines], transcript: Lines) -> EmulatorThread:
    """An emulator with the models of all transcripts that says what was said in one of them."""
    models: dict[str, Model] = {}
    loaded: dict[str, None] = {}
    for lines in transcripts:
        for info in _infos([line["frame"] for line in lines]):
            if info.get("ttlMs", 0) is None:
                loaded[info["modelKey"]] = None
                models[info["modelKey"]] = _model(info)
            else:
                models.setdefault(info["modelKey"], _model(info))
    script = parse_script({"rules": [_reply(transcript)]})
    presets = [
        Preset(identifier="oracle/concise", name="Concise"),
        Preset(identifier="oracle/plain", name="Plain"),
    ]
    return EmulatorThread(catalogue=models.values(), loaded=[*loaded], script=script, presets=presets)


def _infos(value: Any) -> Iterator[Mapping[str, Any]]:
    """The facts about models that are anywhere in a value."""
    if isinstance(value, dict) and "modelKey" in value and "path" in value:
        yield value
    children: Iterable[Any] = value.values() if isinstance(value, dict) else value
    if isinstance(value, (dict, list)):
        for child in children:
            yield from _infos(child)


def _model(info: Mapping[str, Any]) -> Model:
    quantization = info.get("quantization")
    return Model(
        model_key=info["modelKey"],
        path=info["path"],
        display_name=info["displayName"],
        publisher=info["publisher"],
        format=info["format"],
        size_bytes=info["sizeBytes"],
        domain=info["type"],
        max_context_length=info["maxContextLength"],
        default_context_length=info.get("contextLength", 2048),
        params_string=info.get("paramsString"),
        architecture=info.get("architecture"),
        quantization=None if quantization is None else Quantization(**quantization),
        vision=info["vision"],
        trained_for_tool_use=info["trainedForToolUse"],
        engine="ngram",
        loading=LoadPlan(progress=_PROGRESS),
    )


def _reply(transcript: Lines) -> dict[str, Any]:
    """A rule that replies as the transcript does."""
    packets = [line["frame"].get("message") for line in transcript if line["dir"] == "out"]
    told: dict[str, list[Any]] = {}
    for packet in packets:
        if isinstance(packet, dict):
            told.setdefault(packet["type"], []).append(packet)
    reply: dict[str, Any] = {
        "progress": [packet["progress"] for packet in told.get("promptProcessingProgress", ())],
        "fragments": [
            {"text": packet["fragment"]["content"], "tokens": packet["fragment"]["tokensCount"]}
            for packet in told.get("fragment", ())
        ],
    }
    for packet in told.get("success", ()):
        if "stats" in packet:
            reason = packet["stats"]["stopReason"]
            reply["end"] = "hang" if reason == "userStopped" else reason
            reply["prompt_tokens"] = packet["stats"]["promptTokensCount"]
    return {"match": {"any": True}, "reply": reply}


def played(transcript: Lines, emulator: EmulatorThread) -> Iterator[tuple[Any, Any]]:
    """Send what the client sent, connection by connection; yields pairs of the recorded and the emulator's answer."""
    for number in dict.fromkeys(line["conn"] for line in transcript):
        lines = [line for line in transcript if line["conn"] == number]
        url = f"ws://{emulator.api_host}{lines[0]['path']}"
        references: dict[str, str] = {}
        with connect(url, compression=None, proxy=None) as connection:
            for line in lines:
                if line["dir"] == "in":
                    connection.send(_translated(json.dumps(line["frame"]), references))
                    continue
                answer = _received(connection)
                ours = {info["modelKey"]: info.get("instanceReference", "") for info in _infos(answer)}
                for info in _infos(line["frame"]):
                    references[info.get("instanceReference", "-")] = ours.get(info["modelKey"], "")
                yield line["frame"], answer


def _translated(text: str, references: Mapping[str, str]) -> str:
    for recorded, actual in references.items():
        text = text.replace(json.dumps(recorded), json.dumps(actual))
    return text


def _received(connection: ClientConnection) -> Any:
    return json.loads(connection.recv(timeout=_SECONDS))
