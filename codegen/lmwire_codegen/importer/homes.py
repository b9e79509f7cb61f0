"""Finds the named type that a reference or an anonymous copy in the export stands for.

Upstream's exporter writes a type's name only where it meets the very object that the name was registered for. A clone
of it appears as an anonymous object whose *properties* refer into the named one (or the other way round), and a name
may have been given to an arm of a union elsewhere. A copy is taken for the named type if both expand to the same
structure and one refers into the other, or both into a third: equal structure alone could be chance.
"""

from __future__ import annotations

import json
from collections import defaultdict
from typing import Any, Final

from lmwire_codegen.importer.export import Address, Export, Node

__all__ = ["Homes"]

_NO_MEANING: Final = frozenset({"$schema", "title", "description", "default", "examples"})


class Homes:
    """Answers which named definition a schema of one export belongs to."""

    def __init__(self, export: Export) -> None:
        self._export = export
        self._named: Final = sorted(key for key in export.definitions if "/" not in key)
        self._alias: Final[dict[int, str]] = {}
        """Bodies, by identity, that stand elsewhere in the export though they have a name of their own."""
        self._by_shape: Final[defaultdict[str, list[str]]] = defaultdict(list)
        for key in self._named:
            body, address = export.follow(export.definitions[key])
            if address is not None and (address[1] or "/" in address[0]):
                self._alias.setdefault(id(body), key)
            if "properties" in body or "anyOf" in body:
                self._by_shape[self._shape(body)].append(key)

    def home(self, node: Node) -> str | None:
        """Return the key of the named definition that ``node`` stands for, None if it stands for itself."""
        body, address = self._export.follow(node)
        if id(body) in self._alias:
            return self._alias[id(body)]
        if address is not None and not address[1] and "/" not in address[0]:
            return address[0]
        if "properties" not in body and "anyOf" not in body:
            return None
        evidence = self._evidence(body) | ({address[0]} if address is not None else set())
        related = [
            key
            for key in self._by_shape.get(self._shape(body), ())
            if key in evidence
            or evidence & (self._evidence(self._export.follow({"$ref": f"#/definitions/{key}"})[0]))
        ]
        return min(related, key=lambda key: (key not in evidence, key), default=None)

    def _evidence(self, body: Node) -> set[str]:
        """Return the keys of the definitions into which the members of ``body`` refer."""
        members: list[Any] = [*body.get("properties", {}).values(), *body.get("anyOf", ())]
        keys: set[str] = set()
        for member in members:
            node, hops = member, 0
            while isinstance(node, dict) and "$ref" in node and hops < 100:
                address = self._export.address_of(node["$ref"])
                if address is None:
                    break
                if address[1] or "/" in address[0]:
                    keys.add(address[0])
                node, hops = self._export.at(address), hops + 1
        return keys

    def _shape(self, node: Node) -> str:
        return json.dumps(self._expand(node, ()), sort_keys=True)

    def _expand(self, node: Any, trail: tuple[Address, ...]) -> Any:
        """Expand references; where a type contains itself, the number of steps back stands for it."""
        if isinstance(node, list):
            return [self._expand(item, trail) for item in node]
        if not isinstance(node, dict):
            return node
        node, address = self._export.follow(node)
        if address is not None and address in trail:
            return {"$back": len(trail) - trail.index(address)}
        inner = trail if address is None else (*trail, address)
        return {
            keyword: self._expand_keyword(keyword, value, inner)
            for keyword, value in node.items()
            if keyword not in _NO_MEANING and not (keyword == "additionalProperties" and value is False)
        }

    def _expand_keyword(self, keyword: str, value: Any, trail: tuple[Address, ...]) -> Any:
        if keyword == "properties":
            return {name: self._expand(child, trail) for name, child in value.items()}
        if keyword == "required":
            return sorted(value)
        if keyword in ("const", "enum"):
            return value
        return self._expand(value, trail)
