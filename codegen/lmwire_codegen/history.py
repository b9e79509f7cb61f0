"""``schema/history.json``: which of the known revisions had what, so far as not all of them did.

``sync`` keeps it. It is how the compiler tells a name that this revision lacks (a surface written for a newer protocol,
compiled for an older one) from a name that is misspelt, and how documents say since when a thing exists. A key names a
namespace (``runtime``), an endpoint (``llm/channel/predict``), a type (``LlmInfo``), a field (``LlmInfo.vision``), a
packet or variant (``llm/channel/predict/toClient[success]``) or a word of an enum (``ModelDomainType=llm``). What all
known revisions have is not in the file. Beside that it says which places of the surface name what there is and yet do
not fit the present revision (``unfit``), so that they can be left out.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from typing import Any, Final

import attrs

from lmwire_codegen.problems import Location, Problems
from lmwire_codegen.shapes import EnumDefinition, MessageDefinition, NormalSchema, UnionDefinition

__all__ = ["HISTORY_FILE", "History", "keys_of", "revision_name"]

HISTORY_FILE: Final = "history.json"
_ODD: Final = re.compile(r"[^A-Za-z0-9_-]+")
_TO: Final = ".."


def revision_name(text: str) -> str:
    """Return ``text`` as the name of a revision: letters, digits, hyphens and underscores."""
    return _ODD.sub("-", text).strip("-") or "unnamed"


@attrs.frozen
class History:
    """What was when.

    Attributes:
        revisions: All revisions that were ever synced, in order of their names (which are dates).
        partial: Key -> the revisions that have it; keys that all revisions have are left out.
        unfit: The places of the surface that do not fit the revision that the schema folder is about.
    """

    revisions: tuple[str, ...] = ()
    partial: Mapping[str, tuple[str, ...]] = attrs.field(factory=dict)
    unfit: tuple[str, ...] = ()

    def knows(self, key: str) -> bool:
        """Tell whether some known revision has ``key``, but not every one."""
        return key in self.partial

    def revisions_of(self, key: str) -> tuple[str, ...]:
        """Return the known revisions that have ``key``, which must exist in one of them."""
        return self.partial.get(key, self.revisions)

    def with_revision(self, revision: str, had: Collection[str], has: Collection[str]) -> History:
        """Return the history that knows one revision more, or knows it better.

        Args:
            revision: Its name.
            had: The keys of the schema that this history goes with.
            has: The keys of the revision.
        """
        revisions = tuple(sorted({*self.revisions, revision}))
        partial = {}
        for key in sorted({*had, *has, *self.partial}):
            before = set(self.partial.get(key, self.revisions if key in had else ())) - {revision}
            after = tuple(sorted(before | {revision} if key in has else before))
            if after and after != revisions:
                partial[key] = after
        return History(revisions, partial)

    def as_json(self) -> dict[str, Any]:
        """Return the content of the file; neighbouring revisions are written as ``first..last``."""
        return {
            "revisions": list(self.revisions),
            "partial": {key: " ".join(self._ranges(has)) for key, has in self.partial.items()},
            **({"unfit": list(self.unfit)} if self.unfit else {}),
        }

    def _ranges(self, has: tuple[str, ...]) -> Iterator[str]:
        numbers = [self.revisions.index(revision) for revision in has]
        starts = [n for n in numbers if n - 1 not in numbers]
        ends = [n for n in numbers if n + 1 not in numbers]
        for start, end in zip(starts, ends, strict=True):
            first, last = self.revisions[start], self.revisions[end]
            yield first if start == end else f"{first}{_TO}{last}"

    @classmethod
    def from_json(cls, content: Any, problems: Problems) -> History:
        """Read the content of the file, reporting what is wrong with it."""
        place = Location(HISTORY_FILE)
        table = content.get("partial") if isinstance(content, dict) else None
        names = content.get("revisions") if isinstance(content, dict) else None
        unfit = content.get("unfit", []) if isinstance(content, dict) else None
        if (
            not isinstance(table, dict)
            or not isinstance(names, list)
            or names != sorted(set(map(str, names)))
            or not isinstance(unfit, list)
        ):
            problems.add(place, 'must have "revisions", sorted, and "partial", and may have a list "unfit"')
            return cls()
        partial = {}
        for key, text in table.items():
            try:
                partial[key] = tuple(_spread(str(text), names))
            except ValueError:
                problems.add(
                    place.child("partial", key), f"{text!r} names a revision that is not in the list"
                )
        return cls(tuple(names), partial, tuple(map(str, unfit)))


def _spread(text: str, revisions: list[str]) -> Iterator[str]:
    for part in text.split():
        first, _, last = part.partition(_TO)
        yield from revisions[revisions.index(first) : revisions.index(last or first) + 1]


def keys_of(schema: NormalSchema) -> set[str]:
    """Return the keys of everything that ``schema`` has."""
    keys = {*schema.endpoints, *schema.definitions}
    keys |= {endpoint.key for endpoints in schema.endpoints.values() for endpoint in endpoints}
    for key, definition in schema.definitions.items():
        if isinstance(definition, MessageDefinition):
            keys |= {f"{key}.{name}" for name in definition.order}
        elif isinstance(definition, UnionDefinition):
            keys |= {f"{key}[{_label(tag)}]" for tag, _ in definition.arms}
        elif isinstance(definition, EnumDefinition):
            keys |= {f"{key}={member}" for member in definition.members}
    return keys


def _label(tag: str | bool | int) -> str:
    return str(tag).lower() if isinstance(tag, bool) else str(tag)
