"""Exports of our own making, as upstream writes them: small ones by hand, and the whole protocol of ``schema/wire``."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

STRING: Final[dict[str, Any]] = {"type": "string"}
INTEGER: Final[dict[str, Any]] = {"type": "integer"}
NOTHING: Final[dict[str, Any]] = {"not": {}}

_PARTS: Final = {
    "rpc": {"parameter": "parameter", "result": "returns"},
    "channel": {"creation": "creationParameter", "toServer": "toServerPacket", "toClient": "toClientPacket"},
    "signal": {"creation": "creationParameter", "value": "signalData"},
}


def ref(target: str) -> dict[str, str]:
    return {"$ref": f"#/definitions/{target}"}


def an_object(*required: str, **properties: Any) -> dict[str, Any]:
    """An object as the export writes it."""
    return {
        "type": "object",
        "properties": properties,
        "required": list(required),
        "additionalProperties": False,
    }


def packet(tag: str, *required: str, **properties: Any) -> dict[str, Any]:
    """A packet of a channel."""
    return an_object("type", *required, type={"type": "string", "const": tag}, **properties)


def an_export(definitions: Mapping[str, Any], **endpoints: Mapping[str, Any]) -> dict[str, Any]:
    """An export with one namespace, ``shop``; ``rpc={"buy": {"parameter": ...}}`` as upstream spreads it."""
    return export_of_namespaces(definitions, {"shop": endpoints})


def export_of_namespaces(
    definitions: Mapping[str, Any], namespaces: Mapping[str, Mapping[str, Mapping[str, Any]]]
) -> dict[str, Any]:
    """The same with any namespaces."""
    flat: dict[str, Any] = dict(definitions)
    for namespace, endpoints in namespaces.items():
        table = {}
        for kind, entries in endpoints.items():
            for name, parts in entries.items():
                key = f"{namespace}/{kind}/{name}"
                flat |= {f"{key}/{part}": schema for part, schema in parts.items()}
                properties = {part: ref(f"{key}/{part}") for part in parts}
                flat[f"pseudo/{key}"] = an_object(**properties)
                table[f"{kind}{name[0].upper()}{name[1:]}"] = ref(f"pseudo/{key}")
        flat[f"pseudo/{namespace}"] = an_object(**table)
    tables = {namespace: ref(f"pseudo/{namespace}") for namespace in namespaces}
    return {**an_object(*namespaces, **tables), "definitions": flat}


def write_export(path: Path, export: Any) -> Path:
    """Write an export, or any text."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(export if isinstance(export, str) else json.dumps(export), encoding="utf-8")
    return path


def export_of_schema(schema: Path) -> dict[str, Any]:
    """Return the export that ``schema/wire`` could have come from."""
    definitions: dict[str, Any] = {}
    for path in sorted(schema.glob("wire/types/*.json")):
        for name, body in json.loads(path.read_text("utf-8"))["$defs"].items():
            definitions[_key(name)] = _exported(body)
    namespaces: dict[str, dict[str, dict[str, Any]]] = {}
    for path in sorted(schema.glob("wire/namespaces/*.json")):
        document = json.loads(path.read_text("utf-8"))
        namespaces[document["namespace"]] = {
            _kind(kind, entry): {} for kind in _PARTS for entry in document.get(kind, {}).values()
        }
        for kind, names in _PARTS.items():
            for name, entry in document.get(kind, {}).items():
                parts = {theirs: _part(entry, ours) for ours, theirs in names.items()}
                namespaces[document["namespace"]][_kind(kind, entry)][name] = parts
    return export_of_namespaces(definitions, namespaces)


def _kind(kind: str, entry: Mapping[str, Any]) -> str:
    return "writableSignal" if entry.get("writable") else kind


def _part(entry: Mapping[str, Any], name: str) -> Any:
    if entry[name] is False:
        return NOTHING
    body = _exported(entry[name])
    return {"anyOf": [NOTHING, body]} if name in entry.get("optional", ()) else body


def _key(name: str) -> str:
    return name[0].lower() + name[1:]


def _exported(schema: Any) -> Any:
    """Write an ordinary schema as the export does."""
    if isinstance(schema, list):
        return [_exported(child) for child in schema]
    if not isinstance(schema, dict):
        return schema
    if "$ref" in schema:
        return ref(_key(schema["$ref"].rpartition("/")[2]))
    result = {key: _exported(value) for key, value in schema.items()}
    if "properties" in schema:
        result["properties"] = {name: _exported(child) for name, child in schema["properties"].items()}
        result["additionalProperties"] = False
    if "prefixItems" in schema:
        result["items"] = result.pop("prefixItems")
        result["maxItems"] = len(schema["prefixItems"])
    return result
