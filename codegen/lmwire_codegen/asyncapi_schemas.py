"""The schemas of ``schema/wire`` as components of an AsyncAPI document, in JSON Schema draft 07.

Each definition of the model is a component; wherever one stands inside another there is a reference to it.
"""

from __future__ import annotations

from typing import Any, Final

from lmwire_codegen.load import SchemaFolder
from lmwire_codegen.model import ENVELOPE_MODULE, Model
from lmwire_codegen.problems import Location
from lmwire_codegen.shapes import MessageDefinition
from lmwire_codegen.validate import target_of

__all__ = ["Schemas"]

_NESTED: Final = ("items", "additionalProperties")
_LISTS: Final = ("anyOf", "prefixItems")
_DROPPED: Final = frozenset({"$comment", "title"})


class Schemas:
    """Translates schemas; names of components are Python names, those of a namespace's own types begin with it."""

    def __init__(self, model: Model, folder: SchemaFolder) -> None:
        self._model = model
        self._documents = folder.documents
        self._at: Final = {definition.place: key for key, definition in model.schema.definitions.items()}

    def components(self) -> dict[str, Any]:
        """Return all components."""
        found = {}
        for key, definition in self._model.schema.definitions.items():
            if self._at[definition.place] == key:
                found[self._name(key)] = self._component(key)
        return dict(sorted(found.items()))

    def reference(self, key: str) -> dict[str, str]:
        """Return a reference to the component of a definition."""
        return {"$ref": f"#/components/schemas/{self._name(self._at[self._model.definition(key).place])}"}

    def of_place(self, place: Location) -> Any:
        """Return the schema that stands at ``place``: a reference if it is a definition."""
        if place in self._at:
            return self.reference(self._at[place])
        return self._translated(self._schema(place), place)

    def _name(self, key: str) -> str:
        module = self._model.module_of[key]
        name = self._model.names[key]
        if module == ENVELOPE_MODULE:
            return f"envelope.{name}"
        return name if module[0] == "types" else f"{module[0]}.{name}"

    def _component(self, key: str) -> Any:
        definition = self._model.definition(key)
        schema = self._translated(self._schema(definition.place), definition.place)
        if isinstance(schema, dict) and definition.description:
            schema["description"] = definition.description
        if isinstance(schema, dict) and isinstance(definition, MessageDefinition):
            for part in definition.parts:
                field = schema["properties"][part.wire_name]
                if part.description and isinstance(field, dict) and "$ref" not in field:
                    field["description"] = part.description
        return schema

    def _schema(self, place: Location) -> Any:
        schema = self._documents[place.file]
        for step in place.pointer.split("/")[1:]:
            name = step.replace("~1", "/").replace("~0", "~")
            schema = schema[int(name)] if isinstance(schema, list) else schema[name]
        return schema

    def _translated(self, schema: Any, place: Location) -> Any:
        """Translate a schema, with references to the definitions inside it."""
        if not isinstance(schema, dict):
            return schema
        if "$ref" in schema:
            target = target_of(place.file, schema["$ref"])
            return {} if target is None else self.of_place(Location(target[0]).child("$defs", target[1]))
        result: dict[str, Any] = {}
        for keyword, value in schema.items():
            if keyword == "properties":
                result[keyword] = {name: self.of_place(place.child(keyword, name)) for name in value}
            elif keyword in _NESTED and isinstance(value, dict):
                result[keyword] = self.of_place(place.child(keyword))
            elif keyword in _LISTS:
                result[keyword] = [
                    self.of_place(place.child(keyword, number)) for number in range(len(value))
                ]
            elif keyword not in _DROPPED:
                result[keyword] = value
        if "prefixItems" in result:
            result["items"] = result.pop("prefixItems")
            result["minItems"] = len(result["items"])
            result["additionalItems"] = False
        return result
