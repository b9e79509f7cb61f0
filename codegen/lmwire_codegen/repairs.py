"""``schema/repairs.yaml`` as a value: what upstream's export gets wrong or cannot say, in one commented table."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import attrs

__all__ = ["Repairs"]


@attrs.frozen(kw_only=True)
class Repairs:
    """The table of repairs.

    Attributes:
        definitions: Upstream's definitions that are replaced before they are translated, by key.
        serialization: Serialization mode of endpoints (``namespace/kind/name``) that are not plain JSON.
        topics: Topic -> patterns of type names, in the order in which topics may use each other.
        tolerant: Types whose ill-typed fields are dropped one by one instead of failing the whole value.
        cancel_tags: Tags of the packets by which clients end a channel early, the one to prefer first.
        secrets: Wire names of fields whose values are shown nowhere.
        patterns: Regular expressions of the schema that Python does not understand -> what it uses instead; None if
            the value is not checked.
    """

    definitions: Mapping[str, Mapping[str, Any]] = attrs.field(factory=dict)
    serialization: Mapping[str, str] = attrs.field(factory=dict)
    topics: Mapping[str, tuple[str, ...]] = attrs.field(factory=lambda: {"common": ()})
    tolerant: frozenset[str] = frozenset()
    cancel_tags: tuple[str, ...] = ()
    secrets: frozenset[str] = frozenset()
    patterns: Mapping[str, str | None] = attrs.field(factory=dict)
