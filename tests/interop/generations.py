"""What tells the older generation of servers from the current one on the wire, as data.

The schema is that of August 2026. ``OMISSIONS`` are its required fields that a server may lack, ``expected_warnings``
what a server says to whom, and ``GAPS`` which calls a client cannot make with servers of a generation;
``test_gaps`` shows what happens to who tries.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import attrs

from lmwire_emulator import Generation
from tests.interop.calls import CALLS, Call
from tests.interop.frames import Omission

__all__ = ["GAPS", "OMISSIONS", "Gap", "expected_warnings", "why_impossible"]

_MODEL: Final = ("publisher", "indexedModelIdentifier", "deviceIdentifier")
_BY_AUGUST_2025: Final = frozenset(
    {
        *((kind, field) for kind in ("LlmInfo", "EmbeddingModelInfo") for field in _MODEL),
        *(
            (kind, field)
            for kind in ("LlmInstanceInfo", "EmbeddingModelInstanceInfo")
            for field in (*_MODEL, "ttlMs", "lastUsedTime")
        ),
        ("PredictPromptProcessingProgress", "details"),
    }
)

OMISSIONS: Final[Mapping[Generation, frozenset[Omission]]] = {
    "2026": frozenset(),
    "2025": _BY_AUGUST_2025,
    "2025-07": _BY_AUGUST_2025 | {("LlmPredictionFragment", "isStructural")},
}


@attrs.frozen
class Gap:
    """Calls that a client cannot make with servers of a generation, by name, and why."""

    reason: str
    calls: frozenset[str]


# Neither depends on facts about models, which are sent in packets of success.
_WITHOUT_MODEL_INFO: Final = frozenset(
    {
        "apply prompt template",
        "tokenize",
        "tokenize several",
        "count tokens",
        "context length",
        "unknown model",
        "new instance of an unknown model",
        "new instance under a name that is taken",
        "model of another namespace",
        "unload what is not loaded",
    }
)

GAPS: Final[Mapping[tuple[str, Generation], Gap]] = {
    ("js-2.0.0", "2025"): Gap(
        "it knows no way to complete but completeRawText, and drops all that lacks new facts about a model;"
        " it waits for ever",
        frozenset(call.name for call in CALLS) - _WITHOUT_MODEL_INFO,
    ),
}


def why_impossible(sdk: str, generation: Generation, call: Call) -> str | None:
    """Why this SDK cannot make a call with servers of a generation; None if it can."""
    gap = GAPS.get((sdk, generation))
    return gap.reason if gap is not None and call.name in gap.calls else None


def expected_warnings(sdk: str, generation: Generation) -> Sequence[str]:
    """What the two sides warn each other of while this SDK makes all its calls."""
    if sdk == "ours" and generation != "2026":
        # Asked once: the client remembers what a server does not have.
        return ("server: Received channelCreate for unknown endpoint, endpoint = completeRawText",)
    return ()
