"""Generations of servers: namespaces as servers of some day had them.

The emulator's handlers speak the newest protocol. What came after the day of a generation (``history``) is taken out
on the way, in both directions: endpoints from the tables of a namespace, so that they are unknown; fields from
messages, by message class; keys from KV configs. Packets that came later are not sent. What a server of that day could
say and today's schema has no place for is not said: the optional ``logprobs`` beside a fragment, the packet
``authenticationUrl`` of a sign-in, the channel ``createArtifactDownloadPlan``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, Literal, TypeAlias, cast

import attrs

from lmwire import UNSET, llm
from lmwire.message import Message
from lmwire_emulator.endpoints import with_codecs
from lmwire_emulator.history import HISTORY, Change
from lmwire_emulator.kv_config import ConfigLayer
from lmwire_runtime.descriptors import Codec, NamespaceDescriptor

__all__ = ["GENERATIONS", "Generation", "ServerGeneration"]

Generation: TypeAlias = Literal["2025-07", "2025", "2026"]


@attrs.frozen(eq=False)
class ServerGeneration:
    """Servers of one day.

    Attributes:
        day: ISO date of the protocol that they speak.
        version: What they say of themselves (wire: ``system.version``).
        build: The same.
    """

    day: str
    version: str
    build: int = 1

    @property
    def to_come(self) -> tuple[Change, ...]:
        """The changes that these servers do not know."""
        return tuple(change for change in HISTORY if change.day > self.day)

    @property
    def warning_kinds(self) -> bool:
        """Whether warnings have a ``kind``."""
        return not any(change.warning_kinds for change in self.to_come)

    @property
    def status_page(self) -> bool:
        """Whether there is ``GET /lms-status``."""
        return not any(change.status_page for change in self.to_come)

    @property
    def lacking_fields(self) -> Mapping[str, frozenset[str]]:
        """Fields that do not exist yet, by message class, in wire spelling."""
        lacking: dict[str, frozenset[str]] = {}
        for change in self.to_come:
            for kind, names in change.fields.items():
                lacking[kind] = lacking.get(kind, frozenset()).union(names)
        return lacking

    @property
    def lacking_variants(self) -> frozenset[str]:
        """Packets, and events in packets, that do not exist yet, by message class."""
        return frozenset(name for change in self.to_come for name in change.variants)

    @property
    def lacking_keys(self) -> frozenset[str]:
        """KV config keys that do not exist yet."""
        return frozenset(key for change in self.to_come for key in change.keys)

    def load_defaults(self) -> ConfigLayer:
        """Return the load defaults that differ from today's, as the lowest layer of a config."""
        defaults = {key: value for change in reversed(self.to_come) for key, value in change.defaults.items()}
        return ConfigLayer("modelDefault", [{"key": key, "value": value} for key, value in defaults.items()])

    def has(self, namespace: NamespaceDescriptor) -> bool:
        """Whether the namespace exists."""
        return not any(namespace.name in change.namespaces for change in self.to_come)

    def namespace(self, today: NamespaceDescriptor) -> NamespaceDescriptor:
        """Return a namespace as these servers have it, endpoints and messages."""
        lacking = {name for change in self.to_come for name in change.endpoints}
        kept = attrs.evolve(
            today,
            rpc={name: call for name, call in today.rpc.items() if f"{today.name}.{name}" not in lacking},
            channel={
                name: channel
                for name, channel in today.channel.items()
                if f"{today.name}.{name}" not in lacking
            },
        )
        if not self.to_come:
            return kept
        reducer = _Reducer(self.lacking_fields, self.lacking_keys)
        return with_codecs(kept, reducer.codec)


GENERATIONS: Final[Mapping[Generation, ServerGeneration]] = {
    # The protocol that the official Python SDK 1.5.0 was made for.
    "2025-07": ServerGeneration("2025-07-29", "0.3.20"),
    # That of the official JavaScript SDK 1.5.0, which takes no fragments of servers of July.
    "2025": ServerGeneration("2025-08-14", "0.3.22"),
    "2026": ServerGeneration("2026-08-21", "0.4.99"),
}


@attrs.frozen
class _Reducer:
    """Takes out of messages what does not exist yet."""

    fields: Mapping[str, frozenset[str]]
    keys: frozenset[str]

    def codec(self, codec: Codec[Any]) -> Codec[Any]:
        return attrs.evolve(
            codec,
            decoder=lambda data, decoding, path: self.reduced(codec.decoder(data, decoding, path)),
            encoder=lambda value: codec.encoder(self.reduced(value)),
        )

    def reduced(self, value: Any) -> Any:
        """Reduce a message, or a list of messages, in place; returns it."""
        if isinstance(value, list):
            for item in value:
                self.reduced(item)
        elif isinstance(value, llm.KvConfig):
            value.fields = [field for field in value.fields if field.key not in self.keys]
        elif isinstance(value, Message):
            self._reduce(value)
        return value

    def _reduce(self, message: Message) -> None:
        kind = type(message)
        lacking = self.fields.get(kind.__name__, frozenset())
        attributes: Mapping[str, Any] = attrs.fields_dict(cast(Any, kind))
        for attribute, name in kind.wire_names.items():
            if name not in lacking:
                self.reduced(getattr(message, attribute, UNSET))
            elif attributes[attribute].default is UNSET:
                setattr(message, attribute, UNSET)
            elif hasattr(message, attribute):
                delattr(message, attribute)  # an empty slot is left out on the wire
