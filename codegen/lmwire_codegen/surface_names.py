"""What resolving ``schema/surface`` leaves behind: which names it looked up, and what it had to leave out.

A surface is written for one revision and compiled for others. What an older or newer revision lacks is left out, with a
note, so long as some known revision had it (``history``); any other unknown name is an error. What has its names but
another shape than a method needs (a result that may be nothing, a parameter that is a union now) is left out where it
is excused: ``sync`` excuses what fitted the revision before, and notes it in the history for ``generate``.
"""

from __future__ import annotations

from collections.abc import Collection

import attrs

from lmwire_codegen.history import History
from lmwire_codegen.problems import Location

__all__ = ["AbsentError", "LeftOut", "Reference", "SurfaceNames"]


@attrs.frozen(order=True)
class Reference:
    """One name in a surface file.

    Attributes:
        place: Where it stands.
        key: What it means, as ``history`` writes it.
        fills: For a message that is sent: the fields that the surface fills; None for everything else.
    """

    place: Location
    key: str
    fills: frozenset[str] | None = None


@attrs.frozen(order=True)
class LeftOut:
    """Something that the surface has and this revision has not."""

    place: Location
    message: str

    def __str__(self) -> str:
        return f"{self.place}: left out, {self.message} in this revision"


class AbsentError(Exception):
    """A name means nothing in this revision, but did in another; what cannot do without it is left out."""

    def __init__(self, left_out: LeftOut) -> None:
        super().__init__(str(left_out))
        self.left_out = left_out


@attrs.frozen(kw_only=True)
class SurfaceNames:
    """Names of all surface files; ``history`` says what other revisions have.

    Attributes:
        history: What other revisions have, and which places do not fit this one.
        excused: Places that may be left out for not fitting this revision, by default those of the history; None: all.
        references: What was looked up.
        left_out: What had to be left out.
        unfit: Those among them that do not fit.
    """

    history: History = attrs.field(factory=History)
    excused: Collection[str] | None = attrs.field(
        default=attrs.Factory(lambda self: self.history.unfit, takes_self=True)
    )
    references: list[Reference] = attrs.field(factory=list)
    left_out: list[LeftOut] = attrs.field(factory=list)
    unfit: list[Location] = attrs.field(factory=list)

    def excuses(self, place: Location) -> bool:
        """Return whether ``place`` may be left out for not fitting this revision."""
        return self.excused is None or str(place) in self.excused

    def refer(self, place: Location, key: str, fills: frozenset[str] | None = None) -> None:
        """Note that ``place`` names ``key``."""
        self.references.append(Reference(place, key, fills))
