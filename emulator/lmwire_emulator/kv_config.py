"""KV configs as the wire has them: lists of ``{"key", "value"}`` in layers, read the lenient way.

A stack of layers becomes one ``KVConfig``. Each field is cleaned by the rule of its key before the layers are laid
over each other, later over earlier, so that an ill-typed value in a high layer does not hide a good one below it.
Unknown keys and ill-typed values are dropped without a word, as upstream's server does it.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypeAlias

import attrs

from lmwire_emulator.kv_rules import CUSTOM_FIELD_PREFIX, IllTypedError, Rules

__all__ = ["ConfigLayer", "Field", "KVConfig", "read_config"]

Field: TypeAlias = Mapping[str, Any]
"""``{"key": ..., "value": ...}``; ``value`` may be absent."""


@attrs.frozen
class ConfigLayer:
    """One layer of a config stack: its name (``apiOverride``, ``preset``, ...) and its fields."""

    name: str
    fields: Sequence[Field] = ()


@attrs.frozen
class KVConfig:
    """A config in force: what somebody set, over the defaults of the rules.

    Attributes:
        rules: The keys that there are.
        values: What somebody set, in wire form.
        origins: Which layer a set value came from, by key.
    """

    rules: Rules
    values: Mapping[str, Any] = attrs.field(factory=dict)
    origins: Mapping[str, str] = attrs.field(factory=dict)

    def wire_value(self, key: str) -> Any:
        """The value of a key in wire form, its default if nobody set it.

        Raises:
            KeyError: There is no such key.
        """
        return self.values[key] if key in self.values else self.rules[key].default

    def option(self, key: str) -> Any:
        """The value of a key as an option: of a checkbox the value if it is checked, None if it is off.

        Raises:
            KeyError: There is no such key.
        """
        value = self.wire_value(key)
        if not self.rules[key].checkbox:
            return value
        return value["value"] if value["checked"] else None

    def fields(self) -> list[dict[str, Any]]:
        """All fields in wire form, defaults included: what ``success`` and ``getLoadConfig`` report."""
        keys = [*self.rules, *(key for key in self.values if key not in self.rules)]
        return [{"key": key, "value": copy.deepcopy(self.wire_value(key))} for key in keys]

    def with_values(self, values: Mapping[str, Any]) -> KVConfig:
        """Return a config in which these keys, in wire form, are set."""
        return attrs.evolve(self, values={**self.values, **values})


def read_config(rules: Rules, layers: Iterable[ConfigLayer]) -> KVConfig:
    """Lay the layers over each other, the first one lowest; inside a layer the last field of a key counts."""
    values: dict[str, Any] = {}
    origins: dict[str, str] = {}
    for layer in layers:
        for field in layer.fields:
            key = field.get("key")
            if not isinstance(key, str) or "value" not in field:
                continue
            if key in rules:
                try:
                    values[key] = rules[key].clean(field["value"])
                except IllTypedError:
                    continue
            elif key.startswith(CUSTOM_FIELD_PREFIX):
                values[key] = field["value"]
            else:
                continue
            origins[key] = layer.name
    return KVConfig(rules, values, origins)
