"""Words of the reference for types, limits and revisions, with links to where a type is described."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final, TypeAlias

import attrs

from lmwire_codegen.model import ENVELOPE_MODULE, Model, ModulePath
from lmwire_codegen.reference.markdown import code
from lmwire_codegen.repairs import Repairs
from lmwire_codegen.shapes import (
    AnyType,
    ArrayType,
    Choice,
    Limits,
    MapType,
    NormalPart,
    Nullable,
    Scalar,
    TupleType,
    Type,
)

__all__ = ["Words", "page_of", "since"]

_Bounds: TypeAlias = "tuple[tuple[str, str, Callable[[Any], str]], ...]"

_BOUNDS: Final[_Bounds] = (
    ("minimum", "at least", "{}".format),
    ("exclusive_minimum", "more than", "{}".format),
    ("maximum", "at most", "{}".format),
    ("exclusive_maximum", "less than", "{}".format),
    ("min_length", "at least", "{} characters".format),
    ("max_length", "at most", "{} characters".format),
)


def page_of(module: ModulePath) -> str:
    """Return the page that describes what a module holds, as path below the reference's folder."""
    if module == ENVELOPE_MODULE:
        return "envelope.md"
    return f"types/{module[1]}.md" if module[0] == "types" else f"namespaces/{module[0]}.md"


def since(revisions: tuple[str, ...], known: tuple[str, ...]) -> str:
    """Return when a thing was: the first revision that had it, and where it was not in all later ones, which had.

    Args:
        revisions: The revisions that have it.
        known: All revisions that are known, in order.
    """
    if not revisions or revisions == known[known.index(revisions[0]) :]:
        return revisions[0] if revisions else ""
    return ", ".join(revisions)


@attrs.frozen
class Words:
    """Words on one page.

    Attributes:
        page: The page, as path below the reference's folder.
    """

    model: Model
    repairs: Repairs
    page: str

    def link(self, key: str) -> str:
        """Return a link to the description of a definition."""
        name = self.model.names[key]
        return f"[{code(name)}]({self.path(page_of(self.model.module_of[key]))}#{name})"

    def path(self, page: str) -> str:
        """Return the way to another page; nothing for this one."""
        if page == self.page:
            return ""
        return "../" * self.page.count("/") + page

    def type(self, type_: Type) -> str:
        """Return what a value of ``type_`` is, as JSON."""
        if isinstance(type_, Scalar):
            return self._scalar(type_)
        if isinstance(type_, AnyType):
            return "any JSON value"
        if isinstance(type_, Nullable):
            return f"{self.type(type_.inner)} or null" if type_.inner != Choice(()) else "null"
        if isinstance(type_, ArrayType):
            return f"{' '.join(['array', *_counts(type_), 'of'])} {self._inside(type_.item)}"
        if isinstance(type_, TupleType):
            return f"array of {', '.join(map(self._inside, type_.items))}, in this order"
        if isinstance(type_, MapType):
            return f"object with any keys, values: {self._inside(type_.value)}"
        if isinstance(type_, Choice):
            return " or ".join(map(self.type, type_.members))
        return self.link(type_.key)

    def part(self, part: NormalPart) -> str:
        """Return what a part of an endpoint is."""
        if part.type is None:
            return "void"
        return self.type(part.type) + (", may be absent" if part.presence == "optional" else "")

    def _inside(self, type_: Type) -> str:
        words = self.type(type_)
        return f"({words})" if isinstance(type_, (Nullable, Choice, TupleType, MapType)) else words

    def _scalar(self, type_: Scalar) -> str:
        if type_.limits.choices:
            return " or ".join(code(json.dumps(value)) for value in type_.limits.choices)
        limits = [*_limits(type_.limits)]
        if type_.limits.pattern is not None:
            limits.append(f"matches {code(self._pattern(type_.limits.pattern))}")
        if type_.format:
            limits.append(f"format {code(type_.format)}")
        return f"{type_.kind} ({', '.join(limits)})" if limits else type_.kind

    def _pattern(self, pattern: str) -> str:
        """Return the pattern as the schema has it."""
        for source, replacement in self.repairs.patterns.items():
            if replacement == pattern:
                return source
        return pattern.removeprefix("(?a)").replace(r"\Z", "$")


def _limits(limits: Limits) -> Iterator[str]:
    for name, words, unit in _BOUNDS:
        value = getattr(limits, name)
        if value is not None:
            yield f"{words} {unit(value)}"


def _counts(type_: ArrayType) -> Iterator[str]:
    """Yield what is said of an array itself."""
    words: Mapping[str, int | None] = {"at least": type_.min_items, "at most": type_.max_items}
    counts = [f"{word} {count}" for word, count in words.items() if count is not None]
    if counts or type_.unique:
        different = ["all different"] if type_.unique else []
        yield f"({', '.join([*counts, *different])})"
