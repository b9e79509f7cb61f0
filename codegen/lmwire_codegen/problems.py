"""Errors of the compiler: collected while a stage runs, raised together, each naming a file and a JSON pointer.

A stage reports to a ``Problems`` list and goes on where it can, so that one run shows everything that is wrong; the
pipeline raises ``SchemaProblems`` at the end of the stage and nothing is written.
"""

from __future__ import annotations

from collections.abc import Iterable

import attrs

__all__ = ["Location", "Problems", "SchemaProblem", "SchemaProblems", "pointer"]


def pointer(segments: Iterable[str | int]) -> str:
    """Return the JSON pointer (RFC 6901) made of ``segments``."""
    return "".join("/" + str(segment).replace("~", "~0").replace("/", "~1") for segment in segments)


@attrs.frozen(order=True)
class Location:
    """A place in a schema file.

    Attributes:
        file: Path of the file relative to the schema folder, with forward slashes.
        pointer: JSON pointer inside the file; the empty string is the whole file.
    """

    file: str
    pointer: str = ""

    def child(self, *segments: str | int) -> Location:
        """Return the location below this one."""
        return Location(self.file, self.pointer + pointer(segments))

    def __str__(self) -> str:
        return f"{self.file}#{self.pointer}"


@attrs.frozen(order=True)
class SchemaProblem:
    """One thing that is wrong with the schema: where and what.

    ``opaque`` says that everything else would work if any JSON value were allowed there.
    """

    location: Location
    message: str
    opaque: bool = False

    def __str__(self) -> str:
        return f"{self.location}: {self.message}"


class SchemaProblems(Exception):
    """The schema cannot be compiled; ``problems`` says everything that is wrong with it, in order of place."""

    def __init__(self, problems: Iterable[SchemaProblem]) -> None:
        self.problems = tuple(sorted(set(problems)))
        super().__init__(self.problems)

    def __str__(self) -> str:
        return "\n".join(map(str, self.problems))


class Problems:
    """Collects problems during one stage."""

    def __init__(self) -> None:
        self._problems: list[SchemaProblem] = []

    def __bool__(self) -> bool:
        return bool(self._problems)

    def add(self, location: Location, message: str, *, opaque: bool = False) -> None:
        """Record that ``message`` is wrong at ``location``; for ``opaque`` see ``SchemaProblem``."""
        self._problems.append(SchemaProblem(location, message, opaque))

    def __len__(self) -> int:
        return len(self._problems)

    def withdraw(self, kept: int) -> tuple[SchemaProblem, ...]:
        """Forget all but the first ``kept`` problems, and return those that were forgotten."""
        withdrawn = tuple(self._problems[kept:])
        del self._problems[kept:]
        return withdrawn

    def raise_if_any(self) -> None:
        """End the stage.

        Raises:
            SchemaProblems: Something was recorded.
        """
        if self._problems:
            raise SchemaProblems(self._problems)
