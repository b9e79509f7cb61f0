"""Rules that concern several options at once. They see normal values: False is off, absent is not given."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

import attrs

from lmwire_runtime.errors import UsageError

__all__ = ["Clear", "NotTogether", "Ordered", "Requires", "Rule"]


class Rule(Protocol):
    """What every rule has."""

    def check(self, given: Mapping[str, Any]) -> None:
        """Raise UsageError if what is given breaks the rule."""


@attrs.frozen(kw_only=True)
class NotTogether:
    """At most one of the options may be on: neither False nor empty."""

    options: tuple[str, ...]

    def check(self, given: Mapping[str, Any]) -> None:
        """See ``Rule``."""
        on = [name for name in self.options if given.get(name)]
        if len(on) > 1:
            raise UsageError(f"the options {_listed(on)} cannot go together; give one of them")


@attrs.frozen(kw_only=True)
class Requires:
    """Who switches ``option`` on has to give ``needs`` too, switched on."""

    option: str
    needs: str

    def check(self, given: Mapping[str, Any]) -> None:
        """See ``Rule``."""
        if given.get(self.option) and not given.get(self.needs):
            raise UsageError(f"option {self.option!r} needs option {self.needs!r} to be given as well")


@attrs.frozen(kw_only=True)
class Ordered:
    """``low`` is at most ``high``, where both are given."""

    low: str
    high: str

    def check(self, given: Mapping[str, Any]) -> None:
        """See ``Rule``."""
        if self.low in given and self.high in given and given[self.low] > given[self.high]:
            raise UsageError(
                f"option {self.low!r} ({given[self.low]}) must not be greater than"
                f" option {self.high!r} ({given[self.high]})"
            )


@attrs.frozen(kw_only=True)
class Clear:
    """Whoever gives any of the options ``when`` also sends ``fields``, unless the config sets those keys itself."""

    when: tuple[str, ...]
    fields: Mapping[str, Any]


def _listed(names: list[str]) -> str:
    return " and ".join(map(repr, names))
