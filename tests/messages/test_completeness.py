"""Nothing is left out: the schema and the package have the same, so that the tests beside see all of it."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterator
from types import ModuleType
from typing import Any

import pytest

import lmwire
from lmwire_runtime.descriptors import NamespaceDescriptor
from lmwire_runtime.wire import Message
from tests.messages.schemas import KINDS, PARTS
from tests.messages.targets import FILES, LMWIRE, EnumTarget


def modules() -> Iterator[ModuleType]:
    """Every module of the package."""
    for found in pkgutil.walk_packages(lmwire.__path__, "lmwire."):
        yield importlib.import_module(found.name)


def defined(module: ModuleType) -> Iterator[tuple[str, Any]]:
    """What a module defines itself."""
    for name, value in vars(module).items():
        if getattr(value, "__module__", module.__name__) == module.__name__:
            yield f"{module.__name__.removeprefix('lmwire.')}.{name}", value


def test_every_class_is_a_target() -> None:
    classes = {
        name
        for module in modules()
        for name, value in defined(module)
        if isinstance(value, type) and issubclass(value, Message) and module.__name__ != "lmwire.message"
    }
    assert classes == {target.name for target in LMWIRE.classes}
    assert len(classes) > 300


def test_every_union_is_a_target() -> None:
    functions = sum(
        name.rpartition(".")[2].startswith("decode_") for module in modules() for name, _ in defined(module)
    )
    assert functions == len(LMWIRE.unions)
    assert functions > 50


@pytest.mark.parametrize("target", LMWIRE.enums, ids=lambda target: target.name)
def test_enums_have_the_members_of_the_schema(target: EnumTarget) -> None:
    assert target.members == set(target.schema["enum"])


def test_every_object_of_the_schema_is_a_class() -> None:
    places = {(file, pointer) for file, pointer, schema in FILES.places() if "properties" in schema}
    assert places == {target.place for target in LMWIRE.classes}


def test_every_enum_of_the_schema_has_a_name() -> None:
    places = {(file, pointer) for file, pointer, schema in FILES.places() if "enum" in schema}
    assert places == {target.place for target in LMWIRE.enums}


def test_every_part_of_every_endpoint_has_a_codec() -> None:
    wanted = {}
    for document in FILES.documents.values():
        for kind in KINDS:
            for name, endpoint in document.get(kind, {}).items():
                for part in PARTS.keys() & endpoint.keys():
                    optional = part in endpoint.get("optional", ())
                    presence = "void" if endpoint[part] is False else "optional" if optional else "required"
                    wanted[document["namespace"], kind, name, PARTS[part]] = presence
    found = {}
    for module in modules():
        table = getattr(module, "NAMESPACE", None)
        if module.__name__.endswith(".descriptor") and isinstance(table, NamespaceDescriptor):
            for kind in KINDS:
                for name, endpoint in getattr(table, kind).items():
                    for part in set(PARTS.values()):
                        if hasattr(endpoint, part):
                            found[table.name, kind, name, part] = getattr(endpoint, part).presence
    assert found == wanted
    assert len({namespace for namespace, *_ in found}) == 8


def test_names_are_unique() -> None:
    everything = [*LMWIRE.classes, *LMWIRE.unions, *LMWIRE.parts]
    assert len({target.name for target in everything}) == len(everything)
