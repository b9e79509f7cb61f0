"""What the real clients do and ours do not, as data: slips, and lawful differences that ``peers`` sets aside.

Each is a call that both make, on servers of 2026. ``theirs`` and ``ours`` say what the request looked like; what they
do not name is not looked at:

``refused``   the class of the error, before anything was sent
``options``   config fields by key; a key without a value (``ABSENT``) was not sent
``ttl``       in milliseconds
``cancels``   how often the client cancelled
``kind``      the Python type of the first option's value, as it stood in the JSON
``error``     the class of the error, after something was sent
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import attrs

from tests.interop.calls import COUNTING, OTHER, PROMPT, Call

__all__ = ["ABSENT", "SLIPS", "Slip"]

ABSENT: Final = "(absent)"


@attrs.frozen(kw_only=True)
class Slip:
    """A call in which an SDK does otherwise than ours.

    Attributes:
        sdk: Whose.
        call: What both do.
        theirs: What comes of it there.
        ours: What comes of it here.
        reason: Why ours is right.
    """

    sdk: str
    call: Call
    theirs: Mapping[str, Any]
    ours: Mapping[str, Any]
    reason: str


def _completion(sdk: str, config: Mapping[str, Any], theirs: Any, ours: Any, reason: str) -> Slip:
    name = f"complete {config}"
    call = Call(name=name, do="complete", given={"prompt": PROMPT, "config": config})
    return Slip(sdk=sdk, call=call, theirs=theirs, ours=ours, reason=reason)


def _load(sdk: str, given: Mapping[str, Any], theirs: Any, ours: Any, reason: str) -> Slip:
    call = Call(name=f"model {given}", do="model", given={"key": OTHER, "unload": True, **given})
    return Slip(sdk=sdk, call=call, theirs=theirs, ours=ours, reason=reason)


_PYTHON: Final = "python-1.5.0"
_OFF: Final = "an option that is off has its box unchecked; a server refuses false as its value"
_PREDICTION: Final = "llm.prediction."
_LLAMA: Final = "llm.load.llama."
_SILENT: Final = "an option that a user gives is sent, or refused"
_EVENLY: Final = {"strategy": "evenly", "disabledGpus": [], "priority": [], "customRatio": []}


def _off(config_name: str, key: str, value: Any) -> tuple[Mapping[str, Any], Any, Any]:
    return (
        {config_name: False},
        {"options": {key: {"checked": True, "value": False}}},
        {"options": {key: {"checked": False, "value": value}}},
    )


def _config(config: Mapping[str, Any]) -> dict[str, Any]:
    return {"config": config}


def _refused_off(name: str, key: str, value: Any) -> Slip:
    ours = {"options": {key: {"checked": False, "value": value}}}
    return _load(_PYTHON, _config({name: False}), {"refused": "ValidationError"}, ours, "it can be off")


def _stream(name: str, theirs: Mapping[str, Any], ours: Mapping[str, Any], reason: str, **given: Any) -> Slip:
    call = Call(name=name, do=given.pop("do", "stream"), given={"prompt": COUNTING, **given})
    return Slip(sdk=_PYTHON, call=call, theirs=theirs, ours=ours, reason=reason)


SLIPS: Final[Sequence[Slip]] = (
    # false.
    _completion(_PYTHON, *_off("maxTokens", f"{_PREDICTION}maxPredictedTokens", 1), _OFF),
    _completion(_PYTHON, *_off("repeatPenalty", f"{_PREDICTION}repeatPenalty", 1.1), _OFF),
    _completion(_PYTHON, *_off("minPSampling", f"{_PREDICTION}minPSampling", 0.05), _OFF),
    _completion(_PYTHON, *_off("topPSampling", f"{_PREDICTION}topPSampling", 0.95), _OFF),
    *(
        _load(
            _PYTHON,
            _config({f"llama{which}CacheQuantizationType": False}),
            {"options": {f"{_LLAMA}{which.lower()}CacheQuantizationType": {"checked": True, "value": False}}},
            {
                "options": {
                    f"{_LLAMA}{which.lower()}CacheQuantizationType": {"checked": False, "value": "f16"}
                }
            },
            _OFF,
        )
        for which in "KV"
    ),
    _refused_off("ropeFrequencyBase", f"{_LLAMA}ropeFrequencyBase", 0),
    _refused_off("ropeFrequencyScale", f"{_LLAMA}ropeFrequencyScale", 0),
    _refused_off("seed", "llm.load.seed", 0),
    # Options that get lost.
    _completion(
        _PYTHON,
        {"maxTokns": 5},
        {"options": {f"{_PREDICTION}maxPredictedTokens": ABSENT}},
        {"refused": "UsageError"},
        "a wrong name is refused, and the nearest right one named",
    ),
    _completion(
        _PYTHON,
        {"logProbs": 2},
        {"options": {f"{_PREDICTION}logProbs": ABSENT}},
        {"options": {f"{_PREDICTION}logProbs": {"checked": True, "value": 2}}},
        _SILENT,
    ),
    _completion(
        "js-2.0.0",
        {"xtcProbability": 0.4},
        {"options": {f"{_PREDICTION}llama.xtcProbability": ABSENT}},
        {"options": {f"{_PREDICTION}llama.xtcProbability": {"checked": True, "value": 0.4}}},
        _SILENT,
    ),
    _completion(
        "js-1.5.0",
        {"logProbs": 3},
        {"options": {f"{_PREDICTION}logProbs": ABSENT}},
        {"options": {f"{_PREDICTION}logProbs": {"checked": True, "value": 3}}},
        _SILENT,
    ),
    _load(
        "js-1.5.0",
        _config({"offloadKVCacheToGpu": False, "gpuStrictVramCap": True}),
        {"options": {"llm.load.offloadKVCacheToGpu": ABSENT, "load.gpuStrictVramCap": ABSENT}},
        {"options": {"llm.load.offloadKVCacheToGpu": False, "load.gpuStrictVramCap": True}},
        _SILENT,
    ),
    _load(
        _PYTHON,
        _config({"gpu": {"mainGpu": 1, "splitStrategy": "evenly"}}),
        {"options": {"load.gpuSplitConfig": _EVENLY}},
        {"options": {"load.gpuSplitConfig": {**_EVENLY, "priority": [1]}}},
        _SILENT,
    ),
    _load(
        _PYTHON,
        _config({"gpu": {"numCpuExpertLayersRatio": 0.25}}),
        {"options": {"llm.load.numCpuExpertLayersRatio": ABSENT}},
        {"options": {"llm.load.numCpuExpertLayersRatio": 0.25}},
        _SILENT,
    ),
    # Values that a server refuses.
    _completion(
        _PYTHON,
        {"stopStrings": [""]},
        {"options": {f"{_PREDICTION}stopStrings": [""]}},
        {"refused": "UsageError"},
        "stop strings must not be empty",
    ),
    _completion(
        _PYTHON,
        {"topKSampling": 1000},
        {"options": {f"{_PREDICTION}topKSampling": 1000}},
        {"refused": "UsageError"},
        "values are held against their ranges before anything is sent",
    ),
    _completion(
        _PYTHON, {"topKSampling": 10}, {"kind": "float"}, {"kind": "int"}, "an integer is written as one"
    ),
    _load(
        _PYTHON,
        {"ttl": 0, "timeout": 0.5},
        {"ttl": 0, "error": "LMStudioTimeoutError"},
        {"refused": "UsageError"},
        "a server takes no time to live below one millisecond, and answers with a warning only",
    ),
    *(
        Slip(
            sdk=_PYTHON,
            call=Call(
                name=f"response_format {format}",
                do="complete",
                given={"prompt": "A point:", "schema": format},
            ),
            theirs={"options": {f"{_PREDICTION}structured": {"type": "json", "jsonSchema": format}}},
            ours={"options": {f"{_PREDICTION}structured": format}},
            reason="a setting without a schema is a setting, not a schema",
        )
        for format in ({"type": "json"}, {"type": "none"})
    ),
    # Who leaves a stream stops the server too, once.
    _stream(
        "leaving a loop", {"cancels": 0}, {"cancels": 1}, "the server would go on for nobody", do="leave"
    ),
    _stream(
        "cancelling twice",
        {"cancels": 2},
        {"cancels": 1},
        "what is cancelled may be closed already",
        cancel=1,
        again=True,
    ),
    # Lawful differences.
    _load(
        "js-2.0.0",
        _config({"contextLength": 512}),
        {"options": {f"llm.load.{engine}.autoFit": False for engine in ("llama", "mlx", "yuzu")}},
        {"options": {f"llm.load.{engine}.autoFit": ABSENT for engine in ("llama", "mlx", "yuzu")}},
        "upstream added it after August 2026",
    ),
    _load(
        "js-2.0.0",
        _config({"gpu": {"ratio": 0.5}}),
        {"options": {"load.gpuSplitConfig": ABSENT}},
        {"options": {"load.gpuSplitConfig": _EVENLY}},
        "the Python SDK and upstream's source of August 2026 send it",
    ),
)
