"""Rules that concern several options at once. They see normal values: False is off, absent is not given."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, Protocol

from lmwire_runtime.errors import UsageError

__all__ = ["Clear", "NotTogether", "Ordered", "Requires", "Rule"]


class Rule(Protocol):
    """What every rule has."""

    def check(self, given: Mapping[str, Any]) -> None:
        """Raise UsageError if what is given breaks the rule."""


class NotTogether:
    """At most one of the options may be on: neither False nor empty."""

    def __init__(self, *, options: tuple[str, ...]) -> None:
        self.options: Final = options

    def check(self, given: Mapping[str, Any]) -> None:
        """See ``Rule``."""
        on = [name for name in self.options if given.get(name)]
        if len(on) > 1:
            raise UsageError(f"the options {_listed(on)} cannot go together; give one of them")


class Requires:
    """Who switches ``option`` on has to give ``needs`` too, switched on."""

    def __init__(self, *, option: str, needs: str) -> None:
        self.option: Final = option
        self.needs: Final = needs

    def check(self, given: Mapping[str, Any]) -> None:
        """See ``Rule``."""
        if given.get(self.option) and not given.get(self.needs):
            raise UsageError(f"option {self.option!r} needs option {self.needs!r} to be given as well")


class Ordered:
    """``low`` is at most ``high``, where both are given."""

    def __init__(self, *, low: str, high: str) -> None:
        self.low: Final = low
        self.high: Final = high

    def check(self, given: Mapping[str, Any]) -> None:
        """See ``Rule``."""
        if self.low in given and self.high in given and given[self.low] > given[self.high]:
            raise UsageError(
                f"option {self.low!r} ({given[self.low]}) must not be greater than"
                f" option {self.high!r} ({given[self.high]})"
            )


class Clear:
    """Whoever gives any of the options ``when`` also sends ``fields``, unless the config sets those keys itself."""

    def __init__(self, *, when: tuple[str, ...], fields: Mapping[str, Any]) -> None:
        self.when: Final = when
        self.fields: Final = fields


def _listed(names: list[str]) -> str:
    return " and ".join(map(repr, names))
