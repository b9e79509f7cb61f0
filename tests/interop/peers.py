"""Which real client our frames are compared with, for each call and generation of the server.

The rows of ``PEERS`` are tried in order; the first whose client can make the call against that generation is the peer.
What no peer can send is spelled out in ``ALONE``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final, Literal, TypeAlias

import attrs

from lmwire_emulator import Generation
from tests.interop.calls import Call, Kind
from tests.interop.generations import why_impossible

__all__ = ["ALONE", "ASIDE", "PEERS", "Part", "Peer", "peer_of"]

Part: TypeAlias = Literal["all frames", "the completion", "options"]
"""What is compared: all that the client sends; all of its completion, but not how it came to the model; or, of a
request whose rest differs between generations and SDKs, its options as config fields."""


@attrs.frozen(kw_only=True)
class Peer:
    """A row of the table.

    Attributes:
        kind: Of the calls that it is for.
        generations: Of the server that we talk to.
        client: Whose frames.
        against: The generation that the peer talks to.
        part: What is compared.
    """

    kind: Kind
    generations: Sequence[Generation]
    client: str
    against: Generation
    part: Part


_OLDER: Final[Sequence[Generation]] = ("2025", "2025-07")
_LIKE_PYTHON: Final[Sequence[Kind]] = ("chat", "embedding")
_EVERY: Final[Sequence[Generation]] = ("2026", *_OLDER)

PEERS: Final[Sequence[Peer]] = (
    # completeRawText as the JavaScript SDK sends it, predict as the Python SDK does.
    Peer(kind="completion", generations=["2026"], client="js-2.0.0", against="2026", part="the completion"),
    Peer(kind="completion", generations=["2025"], client="python-1.5.0", against="2025", part="all frames"),
    Peer(
        kind="completion",
        generations=["2025-07"],
        client="python-1.5.0",
        against="2025-07",
        part="all frames",
    ),
    # What one of them cannot do, the other can; options are config fields in either way.
    Peer(kind="completion", generations=["2026"], client="python-1.5.0", against="2026", part="options"),
    Peer(kind="completion", generations=_OLDER, client="js-2.0.0", against="2026", part="options"),
    # Chats and embedding as the Python SDK.
    *(
        Peer(
            kind=kind, generations=[generation], client="python-1.5.0", against=generation, part="all frames"
        )
        for kind in _LIKE_PYTHON
        for generation in _EVERY
    ),
    # Models and tokens as the Python SDK; load options that it cannot send as the JavaScript SDK.
    Peer(kind="models", generations=["2026"], client="python-1.5.0", against="2026", part="all frames"),
    Peer(kind="models", generations=["2025"], client="python-1.5.0", against="2025", part="all frames"),
    Peer(kind="models", generations=["2025-07"], client="python-1.5.0", against="2025-07", part="all frames"),
    Peer(kind="models", generations=_EVERY, client="js-2.0.0", against="2026", part="options"),
)

# Config fields that one side sends beside an option, which is no difference in what was asked for:
# where, the key, and why.
ASIDE: Final[Sequence[tuple[str, str, str]]] = (
    *(
        (
            "js-2.0.0",
            f"llm.load.{engine}.autoFit",
            "sent with contextLength and gpu; no option of August 2026",
        )
        for engine in ("llama", "mlx", "yuzu")
    ),
    *(
        (sdk, "llm.prediction.stopStrings", "the empty list that completeRawText has and predict has not")
        for sdk in ("js-2.0.0", "ours")
    ),
    ("ours", "load.gpuSplitConfig", "sent whenever gpu is given, as the Python SDK does"),
)

# Calls that no peer can make as they are meant, and their config fields as the registry of keys has them.
ALONE: Final[Mapping[str, Sequence[Mapping[str, Any]]]] = {
    "complete xtcProbability=0.4": [
        {"key": "llm.prediction.llama.xtcProbability", "value": {"checked": True, "value": 0.4}}
    ],
    "complete xtcThreshold=0.2": [
        {"key": "llm.prediction.llama.xtcThreshold", "value": {"checked": True, "value": 0.2}}
    ],
    "complete seed=7": [{"key": "llm.prediction.seed", "value": {"checked": True, "value": 7}}],
    "complete seed=False": [{"key": "llm.prediction.seed", "value": {"checked": False, "value": -1}}],
}


def peer_of(call: Call, generation: Generation) -> Peer | None:
    """Whose frames ours are compared with when we make a call against a generation."""
    for peer in PEERS:
        sdk = peer.client.removesuffix("-async")
        if (
            peer.kind == call.kind
            and generation in peer.generations
            and call.made_by(sdk)
            and why_impossible(sdk, peer.against, call) is None
        ):
            return peer
    return None
