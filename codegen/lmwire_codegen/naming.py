"""Every Python name in generated code is decided here.

Wire names are camelCase, sometimes with dots, slashes, dashes or acronyms; Python names follow PEP 8. A name that
Python, attrs or the generated code itself needs gets an underscore appended. Two wire names that become the same
Python name are an error of the schema, never silently renumbered. Names of types are kept in
``schema/names.lock.json`` by a key that says where in the schema the type stands, so that they survive changes of
these rules and of the schema around them.
"""

from __future__ import annotations

import keyword
import re
from collections.abc import Iterable, Mapping
from typing import Final

from lmwire_codegen.problems import Location, Problems

__all__ = [
    "FIELD_RESERVED",
    "METHOD_RESERVED",
    "PARAMETER_RESERVED",
    "NameBook",
    "constant_case",
    "field_names",
    "pascal_case",
    "pascal_part",
    "safe_name",
    "snake_case",
    "words",
]

_WORD: Final = re.compile(r"[A-Z]+(?![a-z])[0-9]*|[A-Z]?[a-z]+[0-9]*|[A-Z]+[0-9]*|[0-9]+")

FIELD_RESERVED: Final = frozenset(
    {
        "bool",
        "classmethod",
        "dict",
        "float",
        "from_wire",
        "int",
        "list",
        "self",
        "str",
        "text_field",
        "to_wire",
        "tuple",
        "wire_names",
        "wire_revision",
    }
)
"""Names that a field cannot have: members of ``Message``, and builtins that the hints of later fields use."""

METHOD_RESERVED: Final = frozenset({"bool", "dict", "float", "int", "list", "str", "tuple"})
"""Names that a method of a stub cannot have: builtins that the hints of later methods use."""

PARAMETER_RESERVED: Final = frozenset({"self", "timeout"})
"""Names that a parameter of a stub cannot have: the stub's own."""


def words(name: str) -> list[str]:
    """Split a wire name into words: ``unloadingOtherJITModel`` -> ``unloading``, ``Other``, ``JIT``, ``Model``.

    A name without ASCII letters and digits is spelt by the codes of its characters.
    """
    return _WORD.findall(name) or ["x" + "".join(f"{ord(character):02x}" for character in name)]


def pascal_case(name: str) -> str:
    """Return a class name: ``llm.prediction.input`` -> ``LlmPredictionInput``; acronyms stay as they are written."""
    joined = pascal_part(name)
    return safe_name(joined if joined[:1].isalpha() else f"T{joined}")


def pascal_part(name: str) -> str:
    """Return a piece of a class name, which need not be a name by itself."""
    return "".join(word[0].upper() + word[1:] for word in words(name))


def snake_case(name: str) -> str:
    """Return an attribute, method or module name: ``unloadingOtherJITModel`` -> ``unloading_other_jit_model``."""
    joined = "_".join(word.lower() for word in words(name))
    return joined if joined[:1].isalpha() else f"n{joined}"


def constant_case(name: str) -> str:
    """Return a constant's name: ``completeRawText`` -> ``COMPLETE_RAW_TEXT``."""
    return snake_case(name).upper()


def safe_name(name: str, reserved: Iterable[str] = ()) -> str:
    """Append an underscore to a name that is a keyword of Python or ``reserved``."""
    return f"{name}_" if keyword.iskeyword(name) or name in reserved else name


def field_names(wire_names: Iterable[str], place: Location, problems: Problems) -> dict[str, str]:
    """Return the attribute name of each wire name; report two that become the same."""
    taken: dict[str, str] = {}
    result: dict[str, str] = {}
    for wire_name in wire_names:
        name = safe_name(snake_case(wire_name), FIELD_RESERVED)
        if name in taken:
            problems.add(
                place.child(wire_name),
                f"{wire_name!r} and {taken[name]!r} both become the attribute {name!r}",
            )
        taken[name] = wire_name
        result[wire_name] = name
    return result


class NameBook:
    """Gives types their names, first from the lock file, then by the rules, unique within each scope.

    A scope is a set of names that one user sees side by side: the shared types, and each namespace with what it adds.
    """

    def __init__(self, locked: Mapping[str, str]) -> None:
        self._locked = dict(locked)
        self._owners: dict[tuple[str, str], str] = {}
        self.names: Final[dict[str, str]] = {}
        """Structural key -> Python name, of everything that was named in this run."""

    def order(self, key: str, candidates: Iterable[str]) -> int:
        """Return when ``key`` shall claim its name: locked names first, those by the rules before those by history."""
        if key not in self._locked:
            return 2
        return 0 if self._locked[key] in candidates else 1

    def claim(
        self, scope: str, key: str, candidates: Iterable[str], place: Location, problems: Problems
    ) -> str:
        """Return the name of the type ``key``: the locked one, else the first of ``candidates`` that is free.

        Shared names (scope ``""``) are seen in every scope. A collision that no candidate avoids is reported. A locked
        name is taken only where two types that no revision had together were given the same one.
        """
        wanted: list[str] = [*([self._locked[key]] if key in self._locked else ()), *candidates]
        for name in wanted:
            if self._owner(scope, name) in (None, key):
                self._owners[scope, name] = key
                self.names[key] = name
                return name
        owner = self._owner(scope, wanted[0])
        problems.add(
            place, f"the name {wanted[0]} is taken by {owner!r}; rename one of them in names.lock.json"
        )
        self.names[key] = wanted[0]
        return wanted[0]

    def _owner(self, scope: str, name: str) -> str | None:
        if scope == "":
            return next((owner for (_, taken), owner in self._owners.items() if taken == name), None)
        return self._owners.get((scope, name)) or self._owners.get(("", name))

    def lock(self) -> dict[str, str]:
        """Return the content of the lock file: what is in use, and what older revisions used, sorted by key."""
        return dict(sorted({**self._locked, **self.names}.items()))
