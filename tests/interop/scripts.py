"""What the emulator replies to the real clients' programs."""

from __future__ import annotations

from typing import Final

from lmwire_emulator import Script, parse_script

__all__ = ["SCRIPT"]

SCRIPT: Final[Script] = parse_script(
    {
        "rules": [
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
    }
)
