"""Beside the fourth stage: ``schema/surface/options/*.yaml``, checked and made ready for templates.

One file is one table of options; the settings that options hold may stand in a file of their own, and belong to all.
The rows' keys are the wire's; every Python name comes from ``naming``.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from importlib import resources
from pathlib import PurePosixPath
from typing import Any, Final

import attrs
import jsonschema

from lmwire_codegen.namespace_model import NamespaceSurface
from lmwire_codegen.naming import FIELD_RESERVED, safe_name, snake_case
from lmwire_codegen.option_kinds import (
    check_kind,
    class_hint,
    dict_hint,
    kind_expression,
    kind_schema,
    kind_words,
    record_constant,
)
from lmwire_codegen.problems import Location, Problems
from lmwire_codegen.surface_model import Surface, TextShape
from lmwire_codegen.text import literal

__all__ = ["Entry", "OptionPackage", "OptionSetting", "OptionTable", "build_options", "check_references"]

_RESERVED: Final = FIELD_RESERVED | {"extra", "wire_form"}
_CLASSES: Final = {
    "plain": "PlainOption",
    "checkbox": "CheckboxOption",
    "multi-part": "MultiPartOption",
    "config": "WholeConfig",
}
_KIND_OF_CONFIG: Final = "SupportsWire | Mapping[str, Any]"


@attrs.frozen(kw_only=True)
class Entry:
    """An option of a table, or a field of a setting.

    Attributes:
        name, attribute: In camelCase and in snake_case.
        description: For its docstring.
        class_hint, dict_hint: Type hints of the attribute and of the item of a dict.
        required: Whether the attribute has no default.
        reported: Whether callers cannot give it.
        expression: The Python expression of its row.
    """

    name: str
    attribute: str
    description: str
    class_hint: str
    dict_hint: str
    required: bool = False
    reported: bool = False
    expression: str


@attrs.frozen(kw_only=True)
class OptionSetting:
    """A setting with its classes; ``uses`` are the settings inside it."""

    name: str
    dict_class: str
    record: str
    description: str
    entries: Sequence[Entry]
    uses: Sequence[str]


@attrs.frozen(kw_only=True)
class OptionTable:
    """A table with its classes; ``rules`` and ``clears`` are Python expressions."""

    source: str
    module: str
    constant: str
    config_class: str
    dict_class: str
    description: str
    entries: Sequence[Entry]
    rules: Sequence[str]
    clears: Sequence[str]


@attrs.frozen(kw_only=True)
class OptionPackage:
    """Everything that the option files say; settings come after those that they use."""

    sources: Sequence[str] = ()
    settings: Sequence[OptionSetting] = ()
    tables: Sequence[OptionTable] = ()


def build_options(documents: Mapping[str, Any]) -> OptionPackage:
    """Check the option files and make them ready.

    Args:
        documents: Parsed YAML below ``surface/options/``, by path relative to the schema folder.

    Raises:
        SchemaProblems: A file has the wrong shape, or contradicts itself or another.
    """
    problems = Problems()
    text = resources.files("lmwire_codegen").joinpath("options.schema.json").read_text(encoding="utf-8")
    validator = jsonschema.Draft202012Validator(json.loads(text))
    for file, document in sorted(documents.items()):
        for fault in validator.iter_errors(document):
            problems.add(Location(file).child(*fault.absolute_path), fault.message)
    problems.raise_if_any()
    package = _Builder(documents, problems).build()
    problems.raise_if_any()
    return package


def check_references(options: OptionPackage, surfaces: Sequence[Surface | NamespaceSurface]) -> None:
    """Look up the tables and options that surfaces name.

    Raises:
        SchemaProblems: One of them does not exist.
    """
    problems = Problems()
    tables = {(table.constant, table.config_class, table.dict_class): table for table in options.tables}
    for surface in surfaces:
        found = {}
        for alias, wanted in surface.options.items():
            found[alias] = tables.get((wanted.constant, wanted.config_class, wanted.dict_class))
            if found[alias] is None:
                words = f"no file of options has the table {wanted.constant} with its class and dict"
                problems.add(Location(surface.source).child("options", alias), words)
        if isinstance(surface, Surface) and surface.text is not None:
            _check_streams(surface, surface.text, found.get(surface.text.options), problems)
    problems.raise_if_any()


def _check_streams(surface: Surface, text: TextShape, table: OptionTable | None, problems: Problems) -> None:
    if table is None:
        return
    known = {entry.name for entry in table.entries if not entry.reported}
    place = Location(surface.source)
    named = {place.child("text"): {text.structured_option}}
    for stream in surface.streams:
        tools = set() if stream.tools is None else {stream.tools.option}
        named[place.child("streams", stream.name)] = {*stream.refuses, *tools}
    for where, names in named.items():
        for name in sorted(names - known):
            problems.add(where, f"the table {text.options!r} has no option {name!r}")


class _Builder:
    """Makes the package of files of the right shape."""

    def __init__(self, documents: Mapping[str, Any], problems: Problems) -> None:
        self._documents = dict(sorted(documents.items()))
        self._problems = problems
        self._settings: dict[str, Any] = {}
        self._setting_places: dict[str, Location] = {}
        self._taken: dict[str, Location] = {}

    def build(self) -> OptionPackage:
        for file, document in self._documents.items():
            for name, setting in document.get("types", {}).items():
                place = Location(file).child("types", name)
                self._claim(name, place)
                self._settings[name] = setting
                self._setting_places[name] = place
        settings = [self._setting(name) for name in self._in_order()]
        self._problems.raise_if_any()  # values of options are checked against settings that are sound
        tables = [
            self._table(file, document) for file, document in self._documents.items() if "table" in document
        ]
        return OptionPackage(sources=list(self._documents), settings=settings, tables=tables)

    def _claim(self, name: str, place: Location) -> None:
        if name in self._taken:
            self._problems.add(place, f"the name {name} is taken by {self._taken[name]}")
        self._taken[name] = place

    # Settings.

    def _in_order(self) -> list[str]:
        """Return the names of settings, each after those it uses; report circles."""
        ordered: list[str] = []
        waiting = {name: set(self._used_by(name)) for name in self._settings}
        while waiting:
            ready = [name for name, uses in waiting.items() if not uses & waiting.keys()]
            if not ready:
                for name in waiting:
                    self._problems.add(self._setting_places[name], "contains itself")
                return ordered
            ordered += ready
            waiting = {name: uses for name, uses in waiting.items() if name not in ready}
        return ordered

    def _used_by(self, name: str) -> Iterator[str]:
        stack = list(self._settings[name]["fields"].values())
        while stack:
            kind = stack.pop()
            if "setting" in kind:
                yield kind["setting"]
            stack += [
                *kind.get("anyOf", ()),
                *kind.get("prefixItems", ()),
                *([kind["items"]] if "items" in kind else []),
            ]

    def _setting(self, name: str) -> OptionSetting:
        setting, place = self._settings[name], self._setting_places[name]
        attributes = self._attributes(setting["fields"], place.child("fields"))
        entries = [
            self._field(field, attributes[field], kind, place.child("fields", field))
            for field, kind in setting["fields"].items()
        ]
        return OptionSetting(
            name=name,
            dict_class=f"{name}Dict",
            record=record_constant(name),
            description=setting["description"],
            entries=sorted(entries, key=lambda entry: not entry.required),
            uses=sorted(set(self._used_by(name))),
        )

    def _field(self, name: str, attribute: str, kind: Mapping[str, Any], place: Location) -> Entry:
        check_kind(kind, self._settings, place, self._problems)
        required = bool(kind.get("required"))
        words = f"name={literal(name)}, attribute={literal(attribute)}, kind={kind_expression(kind)}"
        return Entry(
            name=name,
            attribute=attribute,
            description=_joined(kind["description"], kind_words(kind)),
            class_hint=class_hint(kind) + ("" if required else " | Unset"),
            dict_hint=dict_hint(kind),
            required=required,
            expression=f"Member({words}{', required=True' if required else ''})",
        )

    # Tables.

    def _table(self, file: str, document: Mapping[str, Any]) -> OptionTable:
        place = Location(file)
        config_class = document["config_class"]
        for name in (config_class, f"{config_class}Dict", document["table"]):
            self._claim(name, place)
        rows = {**document["options"], **document.get("reported", {})}
        for name in document["options"].keys() & document.get("reported", {}).keys():
            self._problems.add(place.child("reported", name), "is an option as well")
        attributes = self._attributes(rows, place)
        entries = [
            self._option(name, attributes[name], row, part == "reported", place.child(part, name))
            for part in ("options", "reported")
            for name, row in document.get(part, {}).items()
        ]
        keys = self._keys(document, place)
        return OptionTable(
            source=file,
            module=snake_case(PurePosixPath(file).stem),
            constant=document["table"],
            config_class=config_class,
            dict_class=f"{config_class}Dict",
            description=document["description"],
            entries=entries,
            rules=[
                self._rule(rule, document["options"], place.child("rules", number))
                for number, rule in enumerate(document.get("rules", ()))
            ],
            clears=[
                self._clear(clear, document["options"], keys, place.child("clears", number))
                for number, clear in enumerate(document.get("clears", ()))
            ],
        )

    def _attributes(self, names: Mapping[str, Any], place: Location) -> dict[str, str]:
        """Return the attribute of each name; report two names with a spelling in common."""
        owners: dict[str, str] = {}
        attributes: dict[str, str] = {}
        for name in names:
            attributes[name] = safe_name(snake_case(name), _RESERVED)
            for spelling in {name, attributes[name]}:
                owner = owners.setdefault(spelling, name)
                if owner != name:
                    self._problems.add(
                        place.child(name), f"{name!r} and {owner!r} are both spelled {spelling!r}"
                    )
        return attributes

    def _keys(self, document: Mapping[str, Any], place: Location) -> set[str]:
        """Return all keys of a table; report a key that two rows set."""
        owners: dict[str, str] = {}
        for part in ("options", "reported"):
            for name, row in document.get(part, {}).items():
                for key in [row["key"]] if "key" in row else [part["key"] for part in row.get("parts", ())]:
                    owner = owners.setdefault(key, name)
                    if owner != name:
                        self._problems.add(place.child(part, name), f"the key {key!r} belongs to {owner!r}")
        return set(owners)

    def _option(
        self, name: str, attribute: str, row: Mapping[str, Any], reported: bool, place: Location
    ) -> Entry:
        self._check_row(row, place)
        encoding = row["encoding"]
        is_config = encoding == "config"
        kind = "Json(dict)" if is_config else kind_expression(row)
        off = ("sent_when_off" in row) * " | Literal[False]"
        words = [f"name={literal(name)}", f"attribute={literal(attribute)}", f"kind={kind}"]
        words += [
            f"{target}={literal(row[source])}" for target, source in _ARGUMENTS.items() if source in row
        ]
        if encoding == "multi-part":
            words.append(f"parts=({', '.join(map(_part, row.get('parts', ())))},)")
        words += ["reported=True"] * reported + [f"description={literal(row['description'])}"]
        hint = _KIND_OF_CONFIG if is_config else class_hint(row)
        return Entry(
            name=name,
            attribute=attribute,
            description=_row_words(row, reported),
            class_hint=f"{hint}{off}{'' if reported else ' | None'} | Unset",
            dict_hint=f"{_KIND_OF_CONFIG if is_config else dict_hint(row)}{off} | None",
            reported=reported,
            expression=f"{_CLASSES[encoding]}({', '.join(words)})",
        )

    def _check_row(self, row: Mapping[str, Any], place: Location) -> None:
        encoding = row["encoding"]
        wanted = {
            "plain": {"key"},
            "checkbox": {"key", "sent_when_off"},
            "multi-part": {"setting", "parts"},
            "config": set(),
        }[encoding]
        allowed = wanted | {"encoding", "description", "default"}
        if encoding in ("plain", "checkbox"):
            allowed |= row.keys() - {"parts", *(["read_as_off"] if encoding == "checkbox" else [])}
        faults = [(place.child(name), f"goes with no {encoding} option") for name in row.keys() - allowed]
        faults += [(place, f"a {encoding} option needs {name!r}") for name in wanted - row.keys()]
        if row.get("type") == "boolean" and "sent_when_off" in row:
            faults.append((place, "a boolean cannot be off: what would False mean?"))
        if ("read_as_off" in row) != ("setting" in row and encoding == "plain" and "sent_when_off" in row):
            faults.append((place, "a plain setting with sent_when_off, and nothing else, has read_as_off"))
        for where, message in faults:
            self._problems.add(where, message)
        if check_kind(row, self._settings, place, self._problems) and not faults and encoding != "config":
            self._check_values(row, place)

    def _check_values(self, row: Mapping[str, Any], place: Location) -> None:
        validator = jsonschema.Draft202012Validator(kind_schema(row, self._settings))
        for name in ("default", "sent_when_off"):
            may_be_off = name == "default" and "sent_when_off" in row and row.get(name) is False
            if name in row and not may_be_off:
                for fault in validator.iter_errors(row[name]):
                    self._problems.add(place.child(name, *fault.absolute_path), fault.message)
        if row["encoding"] == "multi-part":
            self._check_parts(row, place.child("parts"))

    def _check_parts(self, row: Mapping[str, Any], place: Location) -> None:
        fields = self._settings[row["setting"]]["fields"]
        if any(field.get("required") for field in fields.values()):
            self._problems.add(
                place, f"{row['setting']} has required fields, so it cannot be read back from its parts"
            )
        for number, part in enumerate(row["parts"]):
            pieces = part.get("pieces", {"": part})
            for name, piece in pieces.items():
                where = place.child(number, *(("pieces", name) if name else ()))
                member = piece.get("member")
                if member is not None and member not in fields:
                    self._problems.add(where.child("member"), f"{row['setting']} has no field {member!r}")
                elif "words" in piece and set(piece["words"]) != set(fields.get(member, {}).get("enum", ())):
                    self._problems.add(
                        where.child("words"), "must have each word of the member's enum, and no other"
                    )
                elif len(set(piece.get("words", {}).values())) != len(piece.get("words", {})):
                    self._problems.add(
                        where.child("words"), "two words mean the same, so it cannot be read back"
                    )

    def _rule(self, rule: Mapping[str, Any], options: Mapping[str, Any], place: Location) -> str:
        for part, names in rule.items():
            self._check_known([names] if isinstance(names, str) else names, options, place.child(part))
        if "not_together" in rule:
            return f"NotTogether(options={literal(tuple(rule['not_together']))})"
        if "needs" in rule:
            return f"Requires(option={literal(rule['option'])}, needs={literal(rule['needs'])})"
        for part in ("low", "high"):
            row = options.get(rule[part], {})
            if row and (row.get("type") not in ("integer", "number") or "sent_when_off" in row):
                self._problems.add(place.child(part), f"{rule[part]!r} is not always a number")
        return f"Ordered(low={literal(rule['low'])}, high={literal(rule['high'])})"

    def _clear(
        self, clear: Mapping[str, Any], options: Mapping[str, Any], keys: set[str], place: Location
    ) -> str:
        self._check_known(clear["when"], options, place.child("when"))
        for key in clear["fields"].keys() - keys:
            self._problems.add(place.child("fields", key), "no row has this key")
        return f"Clear(when={literal(tuple(clear['when']))}, fields={literal(clear['fields'])})"

    def _check_known(self, names: Sequence[str], options: Mapping[str, Any], place: Location) -> None:
        for name in names:
            if name not in options:
                self._problems.add(place, f"there is no option {name!r}")


_ARGUMENTS: Final = {"key": "key", "off": "sent_when_off", "off_when": "read_as_off", "default": "default"}
"""Argument of a row's class -> word of the file."""


def _part(part: Mapping[str, Any]) -> str:
    if "member" in part:
        return f"MemberPart(key={literal(part['key'])}, member={literal(part['member'])})"
    pieces = [
        ", ".join([f"name={literal(name)}", *(f"{word}={literal(value)}" for word, value in piece.items())])
        for name, piece in part["pieces"].items()
    ]
    return f"ComposedPart(key={literal(part['key'])}, pieces=({', '.join(f'Piece({piece})' for piece in pieces)},))"


def _joined(*sentences: str) -> str:
    return " ".join(sentence for sentence in sentences if sentence)


def _row_words(row: Mapping[str, Any], reported: bool) -> str:
    """Return the docstring of an attribute: what it does, what it takes, what holds without it, how it is sent."""
    off = "None or False is off." if "sent_when_off" in row else ""
    default = ""
    if "default" in row and row["encoding"] != "multi-part":
        shown = "off" if row["default"] is False and off else json.dumps(row["default"], ensure_ascii=False)
        default = f"When nothing sets it: {shown}."
    sent = f"Key: {row['key']}{', a checkbox' * (row['encoding'] == 'checkbox')}." if "key" in row else ""
    if "parts" in row:
        sent = f"Keys: {', '.join(part['key'] for part in row['parts'])}."
    told = "Servers report it; it cannot be given." if reported else ""
    return (
        _joined(row["description"], kind_words(row), "" if reported else off, told)
        + "\n\n"
        + _joined(default, sent)
    )
