"""The second list of calls: what the official SDKs can do beside the calls of ``calls``, as data.

Each call is made by the SDKs that have it, in their own words (``namespaces_python.py`` and ``namespaces_node.cjs`` in
``programs``), against both generations unless it needs an endpoint that is newer. A call can bring rules for the
emulator's script, which hold for the clients that make it: what is given up hangs until it is. Later calls see what
earlier ones did.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import attrs

from lmwire_emulator import Generation, Script, parse_script
from tests.interop.calls import EMBEDDING, MODEL, OTHER, Call
from tests.interop.frames import Omission
from tests.interop.scripts import RULES

__all__ = [
    "ENGINE",
    "FOLDER",
    "IMAGE",
    "LOGS",
    "NAMESPACE_CALLS",
    "NAMESPACE_OMISSIONS",
    "NOTE",
    "NamespaceCall",
    "namespace_calls_of",
    "namespace_script",
]

PYTHON: Final = "python-1.5.0"
JS: Final = ("js-1.5.0", "js-2.0.0")
ALL: Final = (PYTHON, *JS)

REASONING: Final = "emulator/ngram-reasoning"
FOLDER: Final = "/artifacts/calculator"
ENGINE: Final = "ngram-linux-x86_64-avx2"
NOTE: Final = "The cat sat on the mat.\nDogs bark at night.\n"
# One pixel.
IMAGE: Final = (
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5ErkJggg=="
)
_NOTE_BASE64: Final = "VGhlIGNhdCBzYXQgb24gdGhlIG1hdC4KRG9ncyBiYXJrIGF0IG5pZ2h0Lgo="
_PDF_BASE64: Final = "JVBERi0xLjcK"
LOGS: Final[Mapping[Generation, Sequence[str]]] = {
    "2026": ["llm.prediction.input", "llm.prediction.output"],
    "2025": ["llm.prediction.input"],
}

NAMESPACE_OMISSIONS: Final[Mapping[Generation, frozenset[Omission]]] = {
    "2026": frozenset(),
    "2025": frozenset({("ModelSearchResultDownloadOptionData", "compatibilityType")}),
}


@attrs.frozen(kw_only=True)
class NamespaceCall(Call):
    """One call.

    Attributes:
        sdks: Which SDKs have it.
        newer: Whether servers of 2025 do not have its endpoints.
        impossible: By SDK and generation, why the SDK cannot make it there although it has it.
        rules: Of the script.
    """

    sdks: Sequence[str] = ALL
    newer: bool = False
    impossible: Mapping[tuple[str, Generation], str] = attrs.field(factory=dict)
    rules: Sequence[Mapping[str, Any]] = ()

    def made_by_on(self, sdk: str, generation: Generation) -> bool:
        """Whether this SDK makes it against this generation."""
        return (
            sdk in self.sdks
            and not (self.newer and generation != "2026")
            and (sdk, generation) not in self.impossible
        )


def _hanging(endpoint: str, *packets: Mapping[str, Any]) -> Mapping[str, Any]:
    return {"endpoint": endpoint, "times": 1, "reply": {"packets": [*packets], "end": "hang"}}


_DOWNLOADING: Final = {
    "type": "downloadProgress",
    "update": {"downloadedBytes": 1, "totalBytes": 10, "speedBytesPerSecond": 0.5},
}
_NEEDS_FACTS: Final = {
    ("js-2.0.0", "2025"): "it drops all that lacks new facts about a model, and waits for ever"
}
_NEEDS_PREDICTIONS: Final = {
    ("js-2.0.0", "2025"): "it drops the fragments' and the model's older facts, and waits"
}


def _call(
    name: str, do: str | None = None, given: Mapping[str, Any] | None = None, **facts: Any
) -> NamespaceCall:
    return NamespaceCall(name=name, do=do or name, given=given or {}, **facts)


def _js(
    name: str, do: str | None = None, given: Mapping[str, Any] | None = None, **facts: Any
) -> NamespaceCall:
    return _call(name, do, given, sdks=JS, **facts)


def _newest(name: str, do: str | None = None, given: Mapping[str, Any] | None = None) -> NamespaceCall:
    return _call(name, do, given, sdks=["js-2.0.0"], newer=True)


_MODEL_INFO: Final = {
    "type": "llm",
    "modelKey": MODEL,
    "format": "gguf",
    "displayName": "Ngram Small",
    "publisher": "emulator",
    "path": "emulator/ngram-small-GGUF/ngram-small-Q8_0.gguf",
    "sizeBytes": 1_000_000,
    "indexedModelIdentifier": MODEL,
    "deviceIdentifier": None,
    "identifier": MODEL,
    "instanceReference": "instance",
    "ttlMs": None,
    "lastUsedTime": None,
    "vision": False,
    "trainedForToolUse": False,
    "maxContextLength": 32768,
    "contextLength": 4096,
}
_ADD: Final = {"id": "call-1", "type": "function", "name": "add", "arguments": {"a": 1, "b": 2}}
_USING_A_TOOL: Final = {
    "endpoint": "llm.predict",
    "times": 1,
    "reply": {
        "packets": [
            {
                "type": "fragment",
                "fragment": {
                    "content": "Let me see.",
                    "tokensCount": 3,
                    "containsDrafted": False,
                    "reasoningType": "none",
                    "isStructural": False,
                },
            },
            {"type": "toolCallGenerationStart", "toolCallId": "call-1"},
            {"type": "toolCallGenerationNameReceived", "name": "add"},
            {"type": "toolCallGenerationArgumentFragmentGenerated", "content": '{"a": 1, "b": 2}'},
            {"type": "toolCallGenerationEnd", "toolCallRequest": _ADD, "rawContent": "add(1, 2)"},
            {
                "type": "success",
                "stats": {"stopReason": "toolCalls"},
                "modelInfo": _MODEL_INFO,
                "loadModelConfig": {"fields": []},
                "predictionConfig": {"fields": []},
            },
        ],
        "end": "close",
    },
}

_CHATS: Final = (
    # The first prediction, so that the rule is for it.
    _call("act", given={"chat": "What is 1 + 2?"}, rules=[_USING_A_TOOL], impossible=_NEEDS_PREDICTIONS),
    _call("prepare an image", "prepare", {"name": "dot.png", "base64": IMAGE, "image": True, "from": "path"}),
    _call(
        "prepare an image in memory",
        "prepare",
        {"name": "x.png", "base64": IMAGE, "image": True, "from": "data"},
    ),
    _call(
        "respond to an image", given={"text": "What is it?", "file": "dot.png"}, impossible=_NEEDS_PREDICTIONS
    ),
    _call(
        "respond to data",
        given={
            "messages": [
                {"role": "system", "content": [{"type": "text", "text": "Be brief."}]},
                {"role": "user", "content": [{"type": "text", "text": "Look: "}, {"file": "x.png"}]},
                {
                    "role": "assistant",
                    "content": [
                        {"type": "text", "text": "Hm."},
                        {"type": "toolCallRequest", "toolCallRequest": _ADD},
                    ],
                },
                {
                    "role": "tool",
                    "content": [{"type": "toolCallResult", "content": "three", "toolCallId": "call-1"}],
                },
            ],
            "options": {"omitBosToken": True, "omitEosToken": False},
        },
        impossible=_NEEDS_PREDICTIONS,
    ),
)

_MODELS: Final = (
    *(
        _js(
            f"{'get' if just_in_time else 'load'} and cancel, {namespace}",
            "load and cancel",
            {"namespace": namespace, "key": key, "just_in_time": just_in_time},
            rules=[{"load": key, "times": 1, "reply": {"progress": [0.25], "end": "hang"}}],
            impossible=_NEEDS_FACTS,
        )
        for namespace, key in (("llm", REASONING), ("embedding", EMBEDDING))
        for just_in_time in (False, True)
    ),
    _call(
        "life of a language model",
        "life of a model",
        {"namespace": "llm", "key": OTHER, "identifier": "mine", "config": {"contextLength": 512}, "ttl": 60},
        impossible=_NEEDS_FACTS,
    ),
    _call(
        "life of an embedding model",
        "life of a model",
        {"namespace": "embedding", "key": EMBEDDING, "identifier": "mine", "config": {"contextLength": 256}},
        impossible=_NEEDS_FACTS,
    ),
    _js("use an embedding model that is gone", "use a model that is gone", {"namespace": "embedding"}),
    _js("use a language model that is gone", "use a model that is gone", {"namespace": "llm"}),
    _js("use any model of a path", given={"path": _MODEL_INFO["path"]}),
    _js("use any model of no such path", "use any model of a path", {"path": "no/such"}),
    _call("unknown embedding model", "load into", {"namespace": "embedding", "key": "nobody/nothing"}),
    _call("language model for embedding", "load into", {"namespace": "embedding", "key": MODEL}),
    _call(
        "unload an unknown embedding model",
        "unload from",
        {"namespace": "embedding", "identifier": "nonesuch"},
    ),
    _call("downloaded", given={}, impossible=_NEEDS_FACTS),
    _call("downloaded language models", "downloaded", {"namespace": "llm"}, impossible=_NEEDS_FACTS),
    _call("downloaded embedding models", "downloaded", {"namespace": "embedding"}, impossible=_NEEDS_FACTS),
    *(
        _call(f"use what is downloaded, {namespace}", "use what is downloaded", given, sdks=[PYTHON])
        for namespace, key in (("llm", OTHER), ("embedding", EMBEDDING))
        for given in [{"namespace": namespace, "key": key}]
    ),
    _newest("variants of a model", given={"key": MODEL}),
    _newest("state of a model", given={"namespace": "llm", "key": MODEL}),
    _newest("base prediction config"),
    _newest("estimate", given={"namespace": "llm", "key": MODEL, "config": {"contextLength": 1024}}),
    _newest(
        "estimate of an embedding model",
        "estimate",
        {"namespace": "embedding", "key": EMBEDDING, "config": {}},
    ),
    _js("preload a draft model", given={"key": OTHER}, impossible=_NEEDS_FACTS),
    _js(
        "unload the draft model",
        "unload from",
        {"namespace": "llm", "identifier": OTHER},
        impossible=_NEEDS_FACTS,
    ),
)

_FILES: Final = (
    _js("prepare a file", "prepare", {"name": "note.txt", "base64": _NOTE_BASE64, "from": "path"}),
    _js("prepare a file in memory", "prepare", {"name": "x.pdf", "base64": _PDF_BASE64, "from": "data"}),
    _js("path of a file", given={"file": "note.txt"}),
    _js("parser of a file", given={"file": "note.txt"}),
    _js("parser of a file that none reads", "parser of a file", {"file": "x.pdf"}),
    _js(
        "parse and cancel",
        given={"file": "note.txt"},
        rules=[_hanging("files.parseDocument", {"type": "progress", "progress": 0.5})],
    ),
    _js("parse", given={"file": "note.txt"}),
    _js("parse what nothing reads", "parse", {"file": "x.pdf"}),
    _js(
        "retrieve and cancel",
        given={"files": ["note.txt"], "query": "cat", "model": EMBEDDING},
        rules=[_hanging("files.retrieve", {"type": "onSearchingStart"})],
        impossible=_NEEDS_FACTS,
    ),
    _newest("state of an embedding model", "state of a model", {"namespace": "embedding", "key": EMBEDDING}),
    _js(
        "retrieve",
        given={
            "files": ["note.txt"],
            "query": "the cat",
            "model": EMBEDDING,
            "limit": 1,
            "chunking": {"type": "recursive-v1", "chunkSize": 8, "chunkOverlap": 0},
        },
        impossible=_NEEDS_FACTS,
    ),
)

_NO_FORMATS: Final = {("js-2.0.0", "2025"): "it wants the format of each option, and waits for ever"}
_ARTIFACT: Final = {"owner": "emulator", "name": "calculator", "revisionNumber": 3, "path": FOLDER}

_REPOSITORY: Final = (
    _call("search", given={"options": {"searchTerm": "ngram"}}),
    _call("search for one", "search", {"options": {"searchTerm": "ngram-mlx", "limit": 1}}),
    _call("search for a format", "search", {"options": {"compatibilityTypes": ["safetensors"]}}),
    _call("download options", given={"term": "ngram-large"}, impossible=_NO_FORMATS),
    _js(
        "download and cancel",
        given={"term": "ngram-large", "quantization": "Q8_0"},
        rules=[_hanging("repository.downloadModel", _DOWNLOADING)],
        impossible=_NO_FORMATS,
    ),
    _call("download", given={"term": "ngram-large", "quantization": "Q8_0"}, impossible=_NO_FORMATS),
    _js(
        "download artifact and cancel",
        given={"options": _ARTIFACT},
        rules=[_hanging("repository.downloadArtifact", _DOWNLOADING)],
    ),
    _js("download artifact", given={"options": _ARTIFACT}),
    _js("download an unknown artifact", "download artifact", {"options": {**_ARTIFACT, "name": "nonesuch"}}),
    _js("files of an unknown artifact", "files of an artifact", {"path": "/nowhere"}),
    _js("push an artifact of nobody", "push artifact", {"options": {"path": FOLDER}}),
    _js("install dependencies", given={"path": FOLDER}),
    _newest("install plugin", given={"path": FOLDER}),
    _newest("account of nobody", "account"),
    _js(
        "sign in",
        impossible={
            ("js-1.5.0", "2026"): "it expects an address, where servers have shown a code since January 2026"
        },
    ),
    _newest("account"),
    _newest("sign out"),
    _newest("become a compute device"),
    _js("sign in by keys"),
    _js("sign in again", "sign in"),
    _js("push artifact", given={"options": {"path": FOLDER, "description": "Adds.", "makePrivate": True}}),
    _newest("catalogue"),
    _newest("staff picks", given={"options": {"searchTerm": "ngram-larg", "limit": 1}}),
    _newest("link"),
    _newest(
        "plan a model",
        "plan",
        {
            "options": {"source": {"type": "huggingface", "user": "emulator", "repo": "ngram-large"}},
            "choice": {"nodeIndex": 0, "downloadOptionIndex": 0},
        },
    ),
    _newest(
        "plan given up",
        "plan",
        {
            "options": {"source": {"type": "huggingface", "user": "emulator", "repo": "ngram-mlx"}},
            "given_up": True,
        },
    ),
    _newest(
        "plan an artifact",
        "plan",
        {"artifact": True, "options": {"owner": "emulator", "name": "calculator"}},
    ),
)

_SYSTEM: Final = (
    _js(
        "wait for the end",
        rules=[{"endpoint": "system.alive", "times": 1, "reply": {"packets": [], "end": "drop"}}],
    ),
    _js("version"),
    _newest("application"),
    _js("notify", given={"title": "Done", "description": "All of it.", "noAutoDismiss": True}),
    _js("flags"),
    _js("HTTP server"),
    _js("stop the HTTP server"),
    _newest("shut down"),
)

_LOGS: Final = tuple(
    _js(
        f"logs of servers of {generation}",
        "logs",
        {"kinds": kinds},
        impossible={
            **dict.fromkeys(
                ((sdk, other) for sdk in JS for other in LOGS if other != generation), "for others"
            ),
            **_NEEDS_PREDICTIONS,
            ("js-1.5.0", "2026"): "it does not know the kinds of events that came after it",
        },
    )
    for generation, kinds in LOGS.items()
)

_NEW_ENGINE: Final = {"name": ENGINE, "version": "1.1.0"}
_RUNTIME: Final = (
    _newest("engines"),
    _newest("search engines", given={"query": ENGINE}),
    _newest(
        "search engines of a channel", "search engines", {"query": ENGINE, "options": {"channel": "beta"}}
    ),
    attrs.evolve(
        _newest("download engine and cancel", given={"engine": _NEW_ENGINE}),
        rules=[_hanging("runtime.downloadRuntimeExtension", _DOWNLOADING)],
    ),
    _newest("download engine", given={"engine": _NEW_ENGINE, "options": {"updateSelections": True}}),
    _newest(
        "download an unknown engine", "download engine", {"engine": {"name": "nonesuch", "version": "1"}}
    ),
    _newest("engines now", "engines"),
    _newest("select engine", given={"engine": {"name": ENGINE, "version": "1.0.0"}, "format": "GGUF"}),
    _newest(
        "select an engine that is not there",
        "select engine",
        {"engine": {"name": ENGINE, "version": "9"}, "format": "GGUF"},
    ),
    _newest("engines selected", "engines"),
    _newest("remove engine", given={"engine": _NEW_ENGINE}),
    _newest("engines at the end", "engines"),
    _newest("hardware"),
    _newest("hardware for all engines", "hardware", {"scope": {"type": "all"}}),
)

NAMESPACE_CALLS: Final = (*_CHATS, *_MODELS, *_FILES, *_REPOSITORY, *_SYSTEM, *_LOGS, *_RUNTIME)


def namespace_calls_of(sdk: str, generation: Generation) -> list[NamespaceCall]:
    """The calls that an SDK makes against a generation."""
    return [call for call in NAMESPACE_CALLS if call.made_by_on(sdk, generation)]


def namespace_script(calls: Sequence[Call]) -> Script:
    """What the emulator replies to a client that makes these calls."""
    own = [rule for call in calls if isinstance(call, NamespaceCall) for rule in call.rules]
    # What a tool has answered is in the prompt.
    added = {"match": {"regex": "Human: 3\n"}, "reply": {"fragments": [" It is", " 3."]}}
    return parse_script({"rules": [*own, added, *RULES]})
