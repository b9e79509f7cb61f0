"""The one list of calls that every client makes, against both generations of the emulator, as data.

A call says what a user does; each client's program says it in its SDK's words (``programs``). What is given has the
names of the official Python SDK, options those of the wire's registry:

========================  ==========================================================================================
``do``                    what is given
========================  ==========================================================================================
any model
model                     key, ttl?, config?; ``unload``: afterwards its load config is read and it is unloaded
new instance              key, identifier?, ttl?, config?; likewise
list loaded
unload                    identifier
info, context length,
load config
tokenize, count tokens    text
complete, stream          prompt, config?, preset?, schema?; ``cancel`` after so many fragments
respond, respond stream   chat (text, or a list of messages), and the rest as for completions
apply prompt template     chat
embedding model           key, config?; the model stays loaded
embed, embedding tokens   text, or a list of texts
embedding info
list downloaded           namespace?
========================  ==========================================================================================

All but the first four and the last five are made on a handle of the small model, or, ``gone``, of one that has been
unloaded; those about embedding on one of the embedding model.

``lacks`` says which SDKs cannot make a call as it is meant, and why; their slips are made on purpose elsewhere
(``slips``). A call with options is not made by an SDK that does not know one of them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, Literal, TypeAlias

import attrs

from tests.interop.options import (
    KNOWN_LOAD,
    KNOWN_PREDICTION,
    LOAD_OPTIONS,
    PREDICTION_OPTIONS,
    SCHEMA,
)

__all__ = [
    "BROKEN",
    "CALLS",
    "COUNTING",
    "EMBEDDING",
    "MODEL",
    "ODD_TEXT",
    "OTHER",
    "PROMPT",
    "Call",
    "Kind",
    "by_name",
]

MODEL: Final = "emulator/ngram-small"
OTHER: Final = "emulator/ngram-vision"
BROKEN: Final = "emulator/fails-to-load"
EMBEDDING: Final = "emulator/embed-small"
PROMPT: Final = "My name is"
COUNTING: Final = "Count for ever:"
CHAT: Final = [
    {"role": "system", "content": "Be brief."},
    {"role": "user", "content": "Hi"},
    {"role": "assistant", "content": "Hello."},
    {"role": "user", "content": PROMPT},
]
ODD_TEXT: Final = 'Zürich 🙂\n\t"\\\u2028'


Kind: TypeAlias = Literal["completion", "chat", "embedding", "models"]

_KINDS: Final[Mapping[str, Kind]] = {
    "complete": "completion",
    "stream": "completion",
    "respond": "chat",
    "respond stream": "chat",
    "apply prompt template": "chat",
    "embedding model": "embedding",
    "embed": "embedding",
    "embedding tokens": "embedding",
    "embedding info": "embedding",
    "list downloaded": "embedding",
}


# Of embedding models every SDK knows all options.
_KNOWN: Final[Mapping[Kind, Mapping[str, frozenset[str]]]] = {
    "completion": KNOWN_PREDICTION,
    "chat": KNOWN_PREDICTION,
    "models": KNOWN_LOAD,
}


@attrs.frozen(kw_only=True)
class Call:
    """One call; see the head of this module."""

    name: str
    do: str
    given: Mapping[str, Any] = attrs.field(factory=dict)
    lacks: Mapping[str, str] = attrs.field(factory=dict)

    @property
    def config(self) -> Mapping[str, Any]:
        """The options."""
        options: Mapping[str, Any] = self.given.get("config", {})
        return options

    @property
    def kind(self) -> Kind:
        """What it is about, which decides what its options are and whose frames ours are compared with."""
        return _KINDS.get(self.do, "models")

    def made_by(self, sdk: str) -> bool:
        """Whether this SDK can make it; ours can make all."""
        known = _KNOWN.get(self.kind, {}).get(sdk)
        return sdk not in self.lacks and (known is None or known >= self.config.keys())


# Options for which false is a value like any other; for the others it says off.
_BOOLEAN: Final = frozenset(
    {
        "enableThinking",
        "ignoreModelPreferredMaxImageDimension",
        "gpuStrictVramCap",
        "useUnifiedKvCache",
        "offloadKVCacheToGpu",
        "flashAttention",
        "keepModelInMemory",
        "useFp16ForKVCache",
        "tryMmap",
        "tryDirectIO",
        "mlxDiskCache",
    }
)
_NO_FALSE: Final = {
    "python-1.5.0": (None, "refuses false, or sends it as a value: {checked: true, value: false}"),
    "js-1.5.0": (("ropeFrequencyBase", "ropeFrequencyScale", "seed"), "refuses false"),
}
_DROPPED: Final = {
    "js-1.5.0": ("logProbs", "xtcProbability", "xtcThreshold", "gpuStrictVramCap", "offloadKVCacheToGpu"),
    "js-2.0.0": ("xtcProbability", "xtcThreshold"),
}
_DROPS: Final = "declares it, but drops it without a word"


def _lacking(options: Mapping[str, Any]) -> dict[str, str]:
    """Which SDKs cannot give these options although they declare them, and why."""
    lacks = {sdk: _DROPS for sdk, names in _DROPPED.items() if options.keys() & names}
    off = {name for name, value in options.items() if value is False and name not in _BOOLEAN}
    for sdk, (names, reason) in _NO_FALSE.items():
        if off and (names is None or off & {*names}):
            lacks[sdk] = reason
    gpu = options.get("gpu", {})
    if "numCpuExpertLayersRatio" in gpu:
        lacks.update({"python-1.5.0": _DROPS, "js-1.5.0": _DROPS})
    if "mainGpu" in gpu and gpu["splitStrategy"] != "favorMainGpu":
        lacks["python-1.5.0"] = "sends mainGpu only with the strategy favorMainGpu"
    if "raw" in options:
        lacks["python-1.5.0"] = "refuses raw"
    return lacks


def _named(prefix: str, options: Mapping[str, Any]) -> str:
    shown = ", ".join(f"{name}={value}" for name, value in options.items())
    return f"{prefix} {shown}" if len(shown) <= 60 else f"{prefix} {', '.join(options)}"


def _together(rows: tuple[dict[str, Any], ...], sdk: str) -> dict[str, Any]:
    """All options that an SDK can give, each with the first of its values, in one config."""
    config: dict[str, Any] = {}
    for row in rows:
        if (
            row.keys() <= KNOWN_PREDICTION[sdk]
            and sdk not in _lacking(row)
            and not config.keys() & row.keys()
        ):
            config.update(row)
    return config


def _option_calls() -> tuple[Call, ...]:
    return (
        *(
            Call(
                name=_named("complete", options),
                do="complete",
                given={"prompt": PROMPT, "config": options},
                lacks=_lacking(options),
            )
            for options in PREDICTION_OPTIONS
        ),
        *(
            Call(
                name=f"stream with every option of {sdk}",
                do="stream",
                given={"prompt": PROMPT, "config": _together(PREDICTION_OPTIONS, sdk)},
            )
            for sdk in KNOWN_PREDICTION
        ),
        *(
            Call(
                name=_named("model", options),
                do="model",
                given={"key": OTHER, "config": options, "unload": True},
                lacks=_lacking(options),
            )
            for options in LOAD_OPTIONS
        ),
    )


def _call(name: str, do: str, **given: Any) -> Call:
    return Call(name=name, do=do, given=given)


def _python_only(call: Call) -> Call:
    return attrs.evolve(call, lacks=dict.fromkeys(("js-1.5.0", "js-2.0.0"), "has no such parameter"))


CALLS: Final[tuple[Call, ...]] = (
    # Completions: the first asks the server whether it knows completeRawText.
    _call("complete", "complete", prompt=PROMPT),
    _call("complete nothing", "complete", prompt=""),
    _call("complete Zürich", "complete", prompt=ODD_TEXT),
    _call("stream", "stream", prompt=PROMPT),
    _call("stream and cancel", "stream", prompt=COUNTING, cancel=2),
    _call("preset", "complete", prompt=PROMPT, preset="concise"),
    _call("unknown preset", "complete", prompt=PROMPT, preset="nonesuch"),
    _call("structured", "complete", prompt="A point:", schema=SCHEMA),
    _call("failure in mid-stream", "stream", prompt="Fail half way:"),
    attrs.evolve(
        _call("closed in mid-stream", "stream", prompt="Close half way:"),
        lacks=dict.fromkeys(("js-1.5.0", "js-2.0.0"), "waits for ever"),
    ),
    *_option_calls(),
    _call("complete after failures", "complete", prompt=PROMPT),
    # Chats.
    _call("respond", "respond", chat=PROMPT),
    _call("respond to a chat", "respond", chat=CHAT),
    _call("respond with options", "respond", chat=CHAT, config={"temperature": 0.5, "stopStrings": ["zzz"]}),
    _call("respond with a preset", "respond", chat=PROMPT, preset="concise"),
    _call("respond structured", "respond", chat="A point:", schema=SCHEMA),
    _call("respond stream", "respond stream", chat=CHAT),
    _call("respond stream and cancel", "respond stream", chat=COUNTING, cancel=2),
    _call("respond with a model that is gone", "respond", chat=PROMPT, gone=True),
    _call("apply prompt template", "apply prompt template", chat=CHAT),
    # Embedding.
    _call(
        "embedding model", "embedding model", key=EMBEDDING, config={"contextLength": 256, "tryMmap": False}
    ),
    _call("embed", "embed", text=ODD_TEXT),
    _call("embed several", "embed", text=[PROMPT, "", ODD_TEXT]),
    _call("embedding tokens", "embedding tokens", text=[PROMPT, ODD_TEXT]),
    _call("embedding info", "embedding info"),
    _call("list downloaded", "list downloaded"),
    # Tokens and facts.
    _call("tokenize", "tokenize", text=PROMPT),
    _call("tokenize several", "tokenize", text=[PROMPT, "", "Zürich 🙂"]),
    _call("count tokens", "count tokens", text=PROMPT),
    _call("info", "info"),
    _call("context length", "context length"),
    _call("load config", "load config"),
    _call("count tokens of a model that is gone", "count tokens", text=PROMPT, gone=True),
    _call("info of a model that is gone", "info", gone=True),
    _call("complete with a model that is gone", "complete", prompt=PROMPT, gone=True),
    # Models.
    _call("any model", "any model"),
    _call("list loaded", "list loaded"),
    _call("model that is loaded", "model", key=MODEL),
    _call("model", "model", key=OTHER, unload=True),
    _call("model by its path", "model", key="emulator/ngram-vision-MLX/model.safetensors", unload=True),
    _call("model ttl=60", "model", key=OTHER, ttl=60, unload=True),
    _call("model ttl=90.5", "model", key=OTHER, ttl=90.5, unload=True),
    _python_only(_call("model ttl=None", "model", key=OTHER, ttl=None, unload=True)),
    _call("new instance", "new instance", key=MODEL, unload=True),
    _call(
        "new instance with a name",
        "new instance",
        key=MODEL,
        identifier="named",
        config={"seed": 7},
        unload=True,
    ),
    _call("new instance ttl=60", "new instance", key=MODEL, identifier="named", ttl=60, unload=True),
    _call("new instance under a name that is taken", "new instance", key=MODEL, identifier=MODEL),
    _call("unknown model", "model", key="nobody/nothing"),
    _call("new instance of an unknown model", "new instance", key="nobody/nothing"),
    _call("model of another namespace", "model", key=EMBEDDING),
    _call("load failure", "model", key=BROKEN),
    _call("new instance that fails", "new instance", key=BROKEN),
    _call("load that is refused", "model", key="emulator/too-large"),
    _call("new instance of several that match", "new instance", key="emulator/ngram-small-GGUF", unload=True),
    _call("unload what is not loaded", "unload", identifier="nonesuch"),
    _call("list loaded at the end", "list loaded"),
)

by_name: Final[Mapping[str, Call]] = {call.name: call for call in CALLS}
