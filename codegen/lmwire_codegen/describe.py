"""Sentences for what the schema has no words for: they say where on the wire a thing stands."""

from __future__ import annotations

import re
from typing import Final

from lmwire_codegen.shapes import Definition, EnumDefinition, NormalEndpoint, UnionDefinition

__all__ = ["describe", "is_part"]

_PARTS: Final = {
    "parameter": "Parameter of the rpc {0}.",
    "result": "Result of the rpc {0}.",
    "creation": "Creation parameter of the {1} {0}.",
    "toServer": "Packets of the channel {0} to the server.",
    "toClient": "Packets of the channel {0} to the client.",
    "value": "Value of the signal {0}.",
}
_ARMS: Final = {
    "toServer": "Packet ``{2}`` of the channel {0}, to the server.",
    "toClient": "Packet ``{2}`` of the channel {0}, to the client.",
}


def describe(thing: Definition | NormalEndpoint) -> str:
    """Return a sentence about a definition or an endpoint that is not described."""
    if isinstance(thing, NormalEndpoint):
        kind = {"rpc": "Rpc", "channel": "Channel", "signal": "Signal"}[thing.kind]
        return f"{kind} ``{thing.name}`` of the namespace ``{thing.namespace}``; not described."
    rest = thing.key.removeprefix(thing.root)
    if "/" in thing.root and not thing.root.startswith("envelope/"):
        namespace, kind, name = thing.root.split("/", 2)
        endpoint = f"``{name}`` (namespace ``{namespace}``)"
        match = re.fullmatch(r"/(\w+)(?:\[(.+)\])?", rest)
        if match is not None:
            part, tag = match.groups()
            words = _PARTS[part] if tag is None else _ARMS.get(part, "Arm ``{2}`` of " + _PARTS[part])
            return words.format(endpoint, kind, tag)
        return f"{_noun(thing)} ``{rest.lstrip('/')}`` of {endpoint}."
    if not rest:
        return f"{_noun(thing)} ``{thing.root.removeprefix('envelope/')}`` of the protocol."
    return f"{_noun(thing)} ``{rest.lstrip('.')}`` in ``{thing.root.removeprefix('envelope/')}``."


def is_part(thing: Definition) -> bool:
    """Tell whether a definition is a whole part of an endpoint, so that its place says what it is."""
    return "/" in thing.root and re.fullmatch(r"/\w+", thing.key.removeprefix(thing.root)) is not None


def _noun(thing: Definition) -> str:
    if isinstance(thing, UnionDefinition):
        return "Union"
    return "Values of" if isinstance(thing, EnumDefinition) else "Message"
