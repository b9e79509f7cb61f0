"""What can be wrong with a schema, always with the JSON pointer of the place."""

from __future__ import annotations

from typing import TypeAlias

__all__ = ["InvalidSchemaError", "Path", "UnsupportedKeywordError", "pointer"]

Path: TypeAlias = tuple[str, ...]
"""The way from the root of a schema to a place in it."""


def pointer(path: Path) -> str:
    """Return the JSON pointer of a place, as a URI fragment like in ``$ref``, with nothing percent-encoded."""
    return "#" + "".join("/" + step.replace("~", "~0").replace("/", "~1") for step in path)


class UnsupportedKeywordError(Exception):
    """The schema restricts values by something that the engine cannot heed.

    Args:
        keyword: The JSON Schema keyword.
        at: Where it stands, the keyword itself included.
        detail: What about it, unless it is the keyword as such.
    """

    def __init__(self, keyword: str, at: Path, detail: str = "") -> None:
        super().__init__(f'the JSON Schema keyword "{keyword}"{detail and " " + detail} (at {pointer(at)})')
        self.keyword = keyword
        self.pointer = pointer(at)


class InvalidSchemaError(Exception):
    """The schema is none, or no value satisfies it.

    Args:
        problem: What is wrong, to be read after the place.
        at: The place.
    """

    def __init__(self, problem: str, at: Path) -> None:
        super().__init__(f"at {pointer(at)}: {problem}")
        self.problem = problem
        self.pointer = pointer(at)
