"""A change of the protocol, and the report that ``sync`` and ``diff`` print."""

from __future__ import annotations

import attrs

from lmwire_codegen.changes.rules import Direction, Verdict
from lmwire_codegen.coverage import Coverage
from lmwire_codegen.problems import Location

__all__ = ["Change", "HumanNote", "Report", "Touched"]


@attrs.frozen(kw_only=True)
class Change:
    """One change in meaning.

    Attributes:
        kind: A key of ``RULES``.
        noun: What kind of thing changed: endpoint, field, packet, ...
        subject: Which one, as ``history`` writes it.
        old, new: Its type or name before and after, in words; empty if there was or is none.
        place: Where it stands in the new schema; in the old one if it is gone.
        directions: In which directions it travels; empty for what is no data.
        endpoints: Keys of the endpoints that it belongs to or travels with.
        clients, servers: Whether it breaks them.
        python: Of a type, the name of its class.
    """

    kind: str
    noun: str
    subject: str
    old: str = ""
    new: str = ""
    place: Location
    directions: tuple[Direction, ...] = ()
    endpoints: tuple[str, ...] = ()
    clients: Verdict
    servers: Verdict
    python: str = ""

    @property
    def breaking(self) -> bool:
        """Whether it breaks anybody."""
        return self.clients.breaking or self.servers.breaking


@attrs.frozen(kw_only=True, order=True)
class Touched:
    """A place in ``schema/surface`` that a change concerns, with the line of the file; 0 if it is not known."""

    place: Location
    line: int
    reason: str


@attrs.frozen(kw_only=True, order=True)
class HumanNote:
    """Something that the tool cannot decide: what it is about, and what to do."""

    subject: str
    message: str


@attrs.frozen(kw_only=True)
class Report:
    """What differs between two revisions.

    Attributes:
        old, new: Names of the revisions.
        changes: All changes, removed things first.
        touched: What they mean to the surface.
        human: What needs a human.
        names: Types that got a name now: key -> Python name.
        coverage: How much of the new schema has words in ``schema/descriptions``.
    """

    old: str
    new: str
    changes: tuple[Change, ...]
    touched: tuple[Touched, ...] = ()
    human: tuple[HumanNote, ...] = ()
    names: dict[str, str] = attrs.field(factory=dict)
    coverage: Coverage = attrs.field(factory=dict)

    @property
    def described(self) -> int:
        """Number of things that have words."""
        return sum(described for described, _ in self.coverage.values())

    @property
    def describable(self) -> int:
        """Number of things that need words."""
        return sum(all_ for _, all_ in self.coverage.values())

    @property
    def breaking(self) -> bool:
        """Whether anything breaks anybody."""
        return any(change.breaking for change in self.changes)

    @property
    def breaks_clients(self) -> int:
        """Number of changes that break clients."""
        return sum(change.clients.breaking for change in self.changes)

    @property
    def breaks_servers(self) -> int:
        """Number of changes that break servers."""
        return sum(change.servers.breaking for change in self.changes)
