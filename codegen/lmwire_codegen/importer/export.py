"""Reads upstream's export and follows its references.

The export is one file. Its definitions are keyed by names that contain raw slashes (``llm/rpc/tokenize/parameter``),
and a reference is such a name, perhaps followed by a path *into* the definition
(``#/definitions/kvConfig/properties/fields``): neither is escaped, so a reference is resolved by the longest key that
it starts with. Which definition holds the body and which ones refer into it depends on nothing but the order in which
upstream's exporter met them, and differs from revision to revision.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final, TypeAlias

import attrs

from lmwire_codegen.importer.shape import check_shape, check_values
from lmwire_codegen.keywords import references_in
from lmwire_codegen.problems import Location, Problems, SchemaProblem, SchemaProblems, pointer

__all__ = ["SLOTS", "Address", "Endpoint", "Export", "Node", "read_export"]

Node: TypeAlias = Mapping[str, Any]
Address: TypeAlias = "tuple[str, tuple[str, ...]]"
"""The key of a definition and the path inside it."""

_PREFIX: Final = "#/definitions/"
_PSEUDO: Final = "pseudo/"
_NAMESPACE: Final = re.compile(r"[A-Za-z][A-Za-z0-9_-]*")
"""A namespace names a file and a package."""
_DEVICES: Final = frozenset(
    {"con", "prn", "aux", "nul", *(f"{port}{n}" for port in ("com", "lpt") for n in range(10))}
)
"""Names that no file can have on Windows."""
_ENDPOINT: Final = re.compile(r"[A-Za-z][A-Za-z0-9_.:-]*")

SLOTS: Final[Mapping[str, Mapping[str, str]]] = {
    "rpc": {"parameter": "parameter", "returns": "result"},
    "channel": {"creationParameter": "creation", "toServerPacket": "toServer", "toClientPacket": "toClient"},
    "signal": {"creationParameter": "creation", "signalData": "value"},
    "writableSignal": {"creationParameter": "creation", "signalData": "value"},
}
"""For each kind of endpoint, the parts that upstream's export has and what they are called in our schema."""


@attrs.frozen
class Endpoint:
    """One endpoint of the export: ``parts`` maps our names of its parts to their schemas; void parts are left out."""

    namespace: str
    kind: str
    name: str
    parts: Mapping[str, Node]

    @property
    def key(self) -> str:
        """The name by which tables speak of the endpoint."""
        return f"{self.namespace}/{self.kind}/{self.name}"


@attrs.frozen
class Export:
    """The parsed export."""

    file: str
    definitions: Mapping[str, Node]
    namespaces: Mapping[str, tuple[Endpoint, ...]]

    def address_of(self, reference: str) -> Address | None:
        """Return what ``reference`` points at, by the longest matching key; None if nothing is there."""
        if not reference.startswith(_PREFIX):
            return None
        parts = reference.removeprefix(_PREFIX).split("/")
        for length in range(len(parts), 0, -1):
            key = "/".join(parts[:length])
            if key in self.definitions:
                return key, tuple(parts[length:])
        return None

    def place(self, address: Address) -> Location:
        """Return where in the file ``address`` is."""
        key, path = address
        return Location(self.file, pointer(("definitions", key, *path)))

    def at(self, address: Address) -> Node | None:
        """Return the schema at ``address``, None if there is none."""
        key, path = address
        node: Any = self.definitions.get(key)
        for segment in path:
            if isinstance(node, Mapping):
                node = node.get(segment)
            elif isinstance(node, list) and segment.isdigit() and int(segment) < len(node):
                node = node[int(segment)]
            else:
                return None
        return node if isinstance(node, Mapping) else None

    def follow(self, node: Node) -> tuple[Node, Address | None]:
        """Follow pure references to the end; the address is that of the last one, None if ``node`` is no reference."""
        address: Address | None = None
        seen: set[Address] = set()
        while "$ref" in node:
            address = self.address_of(node["$ref"])
            target = None if address is None or address in seen else self.at(address)
            if address is None or target is None:
                return {}, address
            seen.add(address)
            node = target
        return node, address


def read_export(path: Path) -> Export:
    """Read upstream's export from the file ``path``.

    Raises:
        SchemaProblems: The file is not JSON, not such an export, or has references that lead nowhere.
    """
    problems = Problems()
    file = path.name
    try:
        text = path.read_text(encoding="utf-8-sig")
        document = json.loads(text, object_pairs_hook=_object, parse_constant=_no_constant)
    except (OSError, ValueError, RecursionError) as error:
        reason = error.strerror if isinstance(error, OSError) else " ".join(str(error).split())
        raise SchemaProblems([SchemaProblem(Location(file), f"cannot be read as JSON: {reason}")]) from error
    check_values(document, Location(file), problems)
    problems.raise_if_any()
    export = _parse(file, document, problems)
    problems.raise_if_any()
    _check_references(export, document, problems)
    problems.raise_if_any()
    return export


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result = dict(pairs)
    if len(result) < len(pairs):
        names = [name for name, _ in pairs]
        twice = sorted({name for name in names if names.count(name) > 1})
        raise ValueError(f"an object has the keys {twice} twice")
    return result


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is no JSON")


def _parse(file: str, document: Any, problems: Problems) -> Export:
    root = Location(file)
    namespaces = document.get("properties") if isinstance(document, dict) else None
    definitions = document.get("definitions") if isinstance(document, dict) else None
    if not isinstance(namespaces, dict) or not isinstance(definitions, dict) or not namespaces:
        problems.add(
            root, "is no export of the protocol: it has no 'properties' (namespaces) and 'definitions'"
        )
        return Export(file=file, definitions={}, namespaces={})
    fine = check_shape(document, root, problems)
    for namespace in namespaces:
        if not _NAMESPACE.fullmatch(namespace) or namespace.lower() in _DEVICES:
            problems.add(root.child("properties", namespace), "is no name of a namespace")
    if not fine:
        return Export(file=file, definitions={}, namespaces={})
    bare = Export(file=file, definitions=definitions, namespaces={})
    return attrs.evolve(
        bare,
        namespaces={namespace: tuple(_endpoints(bare, namespace, problems)) for namespace in namespaces},
    )


def _endpoints(export: Export, namespace: str, problems: Problems) -> Iterator[Endpoint]:
    key = _PSEUDO + namespace
    root = Location(export.file).child("definitions", key)
    table = export.definitions.get(key)
    if table is None or not isinstance(table.get("properties", {}), Mapping):
        problems.add(root, f"namespace {namespace!r} has no table of endpoints here")
        return
    for field, reference in table.get("properties", {}).items():
        address = export.address_of(reference.get("$ref", "")) if isinstance(reference, Mapping) else None
        segments = address[0].removeprefix(key + "/").split("/") if address and not address[1] else []
        if len(segments) != 2 or segments[0] not in SLOTS:
            problems.add(root.child("properties", field), "does not refer to an endpoint of this namespace")
            continue
        kind, name = segments
        if not _ENDPOINT.fullmatch(name):
            problems.add(root.child("properties", field), f"{name!r} is no name of an endpoint")
            continue
        parts = export.definitions["/".join((key, kind, name))].get("properties", {})
        names = SLOTS[kind]
        for part in parts.keys() - names.keys():
            problems.add(
                root.child("properties", field), f"endpoint {kind}/{name} has an unknown part {part!r}"
            )
        yield Endpoint(
            namespace, kind, name, {ours: parts[theirs] for theirs, ours in names.items() if theirs in parts}
        )


def _check_references(export: Export, document: Any, problems: Problems) -> None:
    """Report references that lead nowhere or in a circle."""
    for path, reference in references_in(document):
        place = Location(export.file, pointer(path))
        address = export.address_of(reference)
        if address is None or export.at(address) is None:
            problems.add(place, f"dangling $ref {reference!r}")
        elif _runs_in_a_circle(export, {"$ref": reference}):
            problems.add(place, f"$ref {reference!r} leads back to itself")


def _runs_in_a_circle(export: Export, node: Node) -> bool:
    seen: set[Address] = set()
    while "$ref" in node:
        address = export.address_of(node["$ref"])
        target = None if address is None else export.at(address)
        if address is None or target is None:
            return False
        if address in seen:
            return True
        seen.add(address)
        node = target
    return False
