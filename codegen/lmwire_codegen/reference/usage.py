"""Where shared types travel: in which endpoints, and in which direction."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

import attrs

from lmwire_codegen.model import Endpoint, Model, Namespace
from lmwire_codegen.shapes import MessageDefinition, NormalEndpoint, UnionDefinition, named_in

__all__ = ["Usage", "usage_of"]

_TO_SERVER: Final = "client to server"
_TO_CLIENT: Final = "server to client"
_DIRECTIONS: Final[Mapping[str, str]] = {
    "parameter": _TO_SERVER, "creation": _TO_SERVER, "toServer": _TO_SERVER,
    "result": _TO_CLIENT, "toClient": _TO_CLIENT, "value": _TO_CLIENT,
}  # fmt: skip


@attrs.frozen
class Usage:
    """In which directions a type travels, and with which endpoints; both without repetition, in order."""

    directions: dict[str, None] = attrs.field(factory=dict)
    endpoints: dict[str, tuple[Namespace, Endpoint]] = attrs.field(factory=dict)


def usage_of(model: Model) -> dict[str, Usage]:
    """Return the usage of every definition that some endpoint uses, by key."""
    found: dict[str, Usage] = {}
    for namespace in model.namespaces:
        for endpoint in namespace.endpoints:
            for key, direction in _travellers(model, endpoint.source):
                usage = found.setdefault(key, Usage())
                usage.directions[direction] = None
                usage.endpoints[endpoint.source.key] = (namespace, endpoint)
    return found


def _travellers(model: Model, source: NormalEndpoint) -> Iterator[tuple[str, str]]:
    """Yield every definition that travels with an endpoint, and where to."""
    for part, content in source.parts.items():
        keys = [] if content.type is None else list(named_in(content.type))
        reached: set[str] = set()
        while keys:
            key = keys.pop()
            if key in reached:
                continue
            reached.add(key)
            yield key, _DIRECTIONS[part]
            if part == "value" and source.writable:
                yield key, _TO_SERVER
            definition = model.definition(key)
            if isinstance(definition, MessageDefinition):
                keys += [other for field in definition.fields for other in named_in(field.type)]
            elif isinstance(definition, UnionDefinition):
                keys += [arm.key for _, arm in definition.arms]
