"""What the emulator replies to the real clients' programs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from lmwire_emulator import Script, parse_script

__all__ = ["RULES", "SCRIPT"]

RULES: Final[Sequence[Mapping[str, Any]]] = [
    {
        "match": {"regex": "Count for ever:"},
        "reply": {"fragments": [" 1", " 2"], "end": "hang"},
    },
    {
        "match": {"regex": "A point:"},
        "reply": {"fragments": ['{"x":', " 7}"]},
    },
    {
        "match": {"exact": "Close half way:"},
        "reply": {"fragments": [" Well,"], "end": "close"},
    },
    {
        "match": {"exact": "Fail half way:"},
        "reply": {
            "fragments": [" Well,"],
            "end": {
                "error": {
                    "title": "The engine broke",
                    "cause": "It was asked to.",
                    "suggestion": "Ask again.",
                }
            },
        },
    },
    {
        "match": {"any": True},
        "reply": {"progress": [0, 0.5, 1], "fragments": [" Ada", {"text": " Lovelace", "tokens": 2}]},
    },
]

SCRIPT: Final[Script] = parse_script({"rules": [*RULES]})
