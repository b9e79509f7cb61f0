"""Rewrites single schemas of the export as ordinary JSON Schema (draft 2020-12).

What changes: references to named types become ``type:Name`` (``layout`` knows the file), references into other types
are inlined, ``not`` becomes void or optional, fixed arrays use ``prefixItems``, and ``additionalProperties: false``,
an artefact of the export, goes away: objects of this protocol are open.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, Literal, TypeAlias

import attrs

from lmwire_codegen.importer.export import Export, Node
from lmwire_codegen.importer.homes import Homes
from lmwire_codegen.naming import pascal_case
from lmwire_codegen.problems import Location, Problems

__all__ = ["Part", "Schema", "Translator"]

Schema: TypeAlias = "dict[str, Any]"

_COPIED: Final = (
    "type", "const", "enum", "default", "format", "pattern", "minLength", "maxLength", "minimum", "maximum",
    "exclusiveMinimum", "exclusiveMaximum", "multipleOf", "minItems", "maxItems", "uniqueItems",
)  # fmt: skip
_DEEPEST: Final = 64


@attrs.frozen
class Part:
    """A part of an endpoint: void ones have no schema."""

    schema: Schema | Literal[False]
    optional: bool = False


_NULL: Final[Mapping[str, Any]] = {"type": "null"}


def _is_void(node: Node) -> bool:
    return "not" in node and not node["not"]


def _arms(node: Node) -> list[Node] | None:
    arms = node.get("anyOf", node.get("oneOf"))
    return arms if isinstance(arms, list) else None


class Translator:
    """Translates schemas of one export and notes which named types they use."""

    def __init__(self, export: Export, homes: Homes, problems: Problems) -> None:
        self._export = export
        self._homes = homes
        self._problems = problems
        self._depth = 0
        self.used: Final[dict[str, None]] = {}
        """Keys of the named definitions that were referred to, in order of appearance."""

    def part(self, node: Node | None, name: str, place: Location) -> Part:
        """Translate one part of an endpoint, ``name`` being our word for it (``result``, ``toClient``, ...)."""
        if node is None:
            return Part(schema=False)
        body, address = self._export.follow(node)
        place = place if address is None else self._export.place(address)
        if _is_void(body) or (name == "result" and not body):
            return Part(schema=False)
        present = self._present(body)
        if present is not None:
            return Part(self.schema(present, place), optional=True)
        # The fields of a request are its stub's parameters, so it always is a class of its own.
        own = name in ("parameter", "creation") and "properties" in body
        return Part(self.schema(body if own else node, place, own=own))

    def schema(self, node: Node, place: Location, *, own: bool = False) -> Schema:
        """Translate ``node``; ``own`` asks for its body even if it is a copy of a named type."""
        home = None if own else self._homes.home(node)
        if home is not None:
            self.used.setdefault(home)
            return {"$ref": f"type:{pascal_case(home)}"}
        body, address = self._export.follow(node)
        place = place if address is None else self._export.place(address)
        self._depth += 1
        try:
            if self._depth > _DEEPEST:
                self._problems.add(place, "contains itself without ever naming a type")
                return {}
            return self._body(body, place)
        finally:
            self._depth -= 1

    def _present(self, node: Node) -> Node | None:
        """Return what ``node`` is where its value is there; None if it always is, or never."""
        alternatives = self._spread(node)
        rest = [arm for arm in alternatives if not _is_void(self._export.follow(arm)[0])]
        if not rest or len(rest) == len(alternatives):
            return None
        return rest[0] if len(rest) == 1 else {"anyOf": rest}

    def _spread(self, node: Node, above: tuple[Node, ...] = ()) -> list[Node]:
        """Return the alternatives of ``node``, and in place of one that may be left out those inside it."""
        body, _ = self._export.follow(node)
        if any(body is one for one in above):
            return []
        alternatives: list[Node] = []
        for arm in _arms(body) or ():
            inner = self._spread(arm, (*above, body))
            may_be_left_out = any(_is_void(self._export.follow(one)[0]) for one in inner)
            alternatives.extend(inner if may_be_left_out else [arm])
        return alternatives

    def _body(self, body: Node, place: Location) -> Schema:
        arms = _arms(body)
        if arms is not None:
            return {
                "anyOf": [self.schema(arm, place.child("anyOf", index)) for index, arm in enumerate(arms)]
            }
        if "allOf" in body:
            return self._body(self._merged(body, place), place)
        if "not" in body:
            fault = "stands where no value can be left out" if _is_void(body) else "has something in it"
            self._problems.add(place, f"'not' {fault}")
            return {}
        schema: Schema = {keyword: body[keyword] for keyword in _COPIED if keyword in body}
        if body.get("type") == "object":
            self._object(body, schema, place)
        elif "items" in body:
            self._array(body, schema, place)
        return schema

    def _object(self, body: Node, schema: Schema, place: Location) -> None:
        values = body.get("additionalProperties")
        if isinstance(values, Mapping) and not body.get("properties"):
            where = place.child("additionalProperties")
            schema["additionalProperties"] = self.schema(self._present(values) or values, where)
            return
        required = dict.fromkeys(body.get("required", ()))
        properties: dict[str, Schema] = {}
        for name, child in body.get("properties", {}).items():
            where = place.child("properties", name)
            present = self._present(child)
            if present is not None:
                required.pop(name, None)
            properties[name] = self.schema(child if present is None else present, where)
        # What has to be there and is not described may be anything.
        properties |= {name: {} for name in required if name not in properties}
        schema["properties"] = properties
        if required:
            schema["required"] = [name for name in properties if name in required]

    def _array(self, body: Node, schema: Schema, place: Location) -> None:
        items = body["items"]
        if not isinstance(items, list):
            # JSON has null where an array of JavaScript has nothing.
            present = self._present(items)
            item = items if present is None else {"anyOf": [present, _NULL]}
            schema["items"] = self.schema(item, place.child("items"))
            return
        schema["prefixItems"] = [
            self.schema(item, place.child("items", index)) for index, item in enumerate(items)
        ]
        schema["items"] = False
        schema["minItems"] = len(items)
        schema.pop("maxItems", None)

    def _merged(self, body: Node, place: Location) -> Node:
        """Merge an intersection of objects into one object."""
        merged: Schema = {"type": "object", "properties": {}, "required": []}
        for index, arm in enumerate(body["allOf"]):
            node, _ = self._export.follow(arm)
            if "properties" not in node:
                self._problems.add(place.child("allOf", index), "an intersection of anything but objects")
                continue
            merged["properties"].update(node["properties"])
            merged["required"].extend(node.get("required", ()))
        return merged
