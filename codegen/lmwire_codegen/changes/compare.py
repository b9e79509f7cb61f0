"""Compares two models in meaning, along the ways that data goes.

The walk begins at the parts of endpoints that both have and goes on wherever two definitions stand in the same place,
whatever they are called: so a type is found again under another name, and every difference is known with its
direction and the endpoints that it travels with. What differs inside a definition is told once.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

import attrs

from lmwire_codegen.changes.relation import Relator
from lmwire_codegen.changes.rules import RULES, Direction, judge
from lmwire_codegen.changes.values import Change
from lmwire_codegen.changes.words import type_words
from lmwire_codegen.model import Model
from lmwire_codegen.problems import Location
from lmwire_codegen.shapes import (
    Definition,
    EnumDefinition,
    Field,
    Limits,
    MessageDefinition,
    Named,
    NormalEndpoint,
    Scalar,
    ScalarKind,
    Tag,
    TagField,
    Type,
    UnionDefinition,
)

__all__ = ["Comparison", "compare"]

_DIRECTIONS: Final[Mapping[str, Direction]] = {
    "parameter": "to server", "creation": "to server", "toServer": "to server",
    "result": "to client", "toClient": "to client", "value": "to client",
}  # fmt: skip
_ENVELOPE: Final = "envelope/"
_GROUPS: Final = ("removed", "changed", "added")

Pair = tuple[str, str]


@attrs.frozen(kw_only=True)
class Comparison:
    """All changes, and which new definitions are old ones under another key."""

    changes: tuple[Change, ...]
    renamed: Mapping[str, str]


@attrs.frozen(kw_only=True)
class _Raw:
    """A change inside a definition, not yet judged."""

    kind: str
    noun: str
    subject: str
    place: Location
    old: str = ""
    new: str = ""


def compare(old: Model, new: Model) -> Comparison:
    """Compare two models."""
    return _Comparer(old, new).run()


class _Comparer:
    def __init__(self, old: Model, new: Model) -> None:
        self._old = old
        self._new = new
        self._changes: list[Change] = []
        self._found: dict[Pair, tuple[list[_Raw], list[Pair]]] = {}
        self._uses: dict[Pair, set[tuple[Direction, str]]] = {}

    def run(self) -> Comparison:
        self._namespaces()
        was, now = _endpoints(self._old), _endpoints(self._new)
        for key in sorted(was.keys() & now.keys()):
            self._endpoint(was[key], now[key])
        self._envelope()
        for pair in sorted(self._uses):
            uses = self._uses[pair]
            for raw in self._inside(pair)[0]:
                self._tell(
                    raw, {direction for direction, _ in uses}, {endpoint for _, endpoint in uses if endpoint}
                )
        renamed = self._types()
        return Comparison(changes=tuple(sorted(self._changes, key=_order)), renamed=renamed)

    def _tell(
        self, raw: _Raw, directions: Iterable[Direction] = (), endpoints: Iterable[str] = (), python: str = ""
    ) -> None:
        ways = tuple(sorted(set(directions), reverse=True))
        clients, servers = judge(raw.kind, ways)
        self._changes.append(
            Change(
                kind=raw.kind, noun=raw.noun, subject=raw.subject, old=raw.old, new=raw.new, place=raw.place,
                directions=ways, endpoints=tuple(sorted(set(endpoints))), clients=clients, servers=servers,
                python=python,
            )
        )  # fmt: skip

    # --- endpoints ----------------------------------------------------------------------------------------------

    def _namespaces(self) -> None:
        was, now = self._old.schema.endpoints, self._new.schema.endpoints
        for kind, gone, there in (("removed", was, now), ("added", now, was)):
            for name in sorted(gone.keys() - there.keys()):
                place = gone[name][0].place if gone[name] else Location("")
                raw = _Raw(
                    kind=f"namespace-{kind}", noun="namespace", subject=name, place=Location(place.file)
                )
                self._tell(raw, (), [endpoint.key for endpoint in gone[name]])
            for name in sorted(gone.keys() & there.keys()):
                known = {endpoint.key for endpoint in there[name]}
                for endpoint in gone[name]:
                    if endpoint.key not in known:
                        raw = _Raw(
                            kind=f"endpoint-{kind}",
                            noun="endpoint",
                            subject=endpoint.key,
                            place=endpoint.place,
                        )
                        self._tell(raw, (), [endpoint.key])

    def _endpoint(self, old: NormalEndpoint, new: NormalEndpoint) -> None:
        def tell(kind: str, noun: str, subject: str, was: str, now: str, ways: tuple[Direction, ...]) -> None:
            place = new.place if subject == new.key else new.place.child(subject.rpartition("/")[2])
            self._tell(
                _Raw(kind=kind, noun=noun, subject=subject, place=place, old=was, new=now), ways, [new.key]
            )

        if old.serialization != new.serialization:
            tell("serialization-changed", "endpoint", new.key, old.serialization, new.serialization, ())
        if old.writable != new.writable:
            tell("made-writable" if new.writable else "made-read-only", "endpoint", new.key, "", "", ())
        for part, now in new.parts.items():
            was, subject = old.parts[part], f"{new.key}/{part}"
            ways: tuple[Direction, ...] = (_DIRECTIONS[part],)
            if part == "value" and new.writable and old.writable:
                ways = ("to server", "to client")
            before = type_words(self._old, was.type) if was.type is not None else ""
            after = type_words(self._new, now.type) if now.type is not None else ""
            if was.type is None or now.type is None:
                if was.type is not None:
                    tell(f"removed-{was.presence}", "part", subject, before, "", ways)
                elif now.type is not None:
                    tell(f"added-{now.presence}", "part", subject, "", after, ways)
                continue
            if was.presence != now.presence:
                tell(f"made-{now.presence}", "part", subject, before, after, ways)
            relation, pairs = self._relate(was.type, now.type)
            if relation != "same":
                tell(relation, "part", subject, before, after, ways)
            for pair in pairs:
                for way in ways:
                    self._reach(pair, (way, new.key))

    def _envelope(self) -> None:
        keys = [key for key in self._old.schema.definitions if key.startswith(_ENVELOPE)]
        for key in keys:
            if key in self._new.schema.definitions:
                self._reach((key, key), ("to server", ""))
                self._reach((key, key), ("to client", ""))

    def _reach(self, start: Pair, use: tuple[Direction, str]) -> None:
        """Note that ``start`` and everything in it travels so."""
        todo = [start]
        while todo:
            pair = todo.pop()
            uses = self._uses.setdefault(pair, set())
            if use not in uses:
                uses.add(use)
                todo += self._inside(pair)[1]

    # --- definitions --------------------------------------------------------------------------------------------

    def _relate(self, old: Type, new: Type) -> tuple[str, list[Pair]]:
        pairs: list[Pair] = []
        relator = Relator(
            self._old.schema.definitions,
            self._new.schema.definitions,
            lambda was, now: pairs.append((was, now)),
        )
        return relator.relate(old, new), pairs

    def _inside(self, pair: Pair) -> tuple[list[_Raw], list[Pair]]:
        """Return what differs inside two definitions, and the pairs of definitions that they use."""
        if pair not in self._found:
            was, now = self._old.definition(pair[0]), self._new.definition(pair[1])
            raws: list[_Raw] = []
            pairs: list[Pair] = []
            if isinstance(was, MessageDefinition) and isinstance(now, MessageDefinition):
                raws += self._fields(was, now, pairs)
            elif isinstance(was, UnionDefinition) and isinstance(now, UnionDefinition):
                raws += self._arms(was, now, pairs)
            elif isinstance(was, EnumDefinition) and isinstance(now, EnumDefinition):
                raws += _members(was, now)
            self._found[pair] = (raws, pairs)
        return self._found[pair]

    def _fields(self, old: MessageDefinition, new: MessageDefinition, pairs: list[Pair]) -> Iterator[_Raw]:
        was, now = _all_fields(old), _all_fields(new)
        for name in [*now, *(name for name in was if name not in now)]:
            before, after = was.get(name), now.get(name)
            words: dict[str, Any] = {"noun": "field", "subject": f"{new.key}.{name}"}
            words["place"] = (new if after else old).place.child("properties", name)
            words["old"] = type_words(self._old, before.type) if before else ""
            words["new"] = type_words(self._new, after.type) if after else ""
            if before is None and after is not None:
                yield _Raw(kind=f"added-{_presence(after)}", **words)
            elif after is None and before is not None:
                yield _Raw(kind=f"removed-{_presence(before)}", **words)
            elif before is not None and after is not None:
                if before.required != after.required:
                    yield _Raw(kind=f"made-{_presence(after)}", **words)
                relation, below = self._relate(before.type, after.type)
                pairs += below
                if relation != "same":
                    yield _Raw(kind=relation, **words)

    def _arms(self, old: UnionDefinition, new: UnionDefinition, pairs: list[Pair]) -> Iterator[_Raw]:
        if old.discriminator != new.discriminator:
            yield _Raw(
                kind="retagged", noun="union", subject=new.key, place=new.place,
                old=old.discriminator, new=new.discriminator,
            )  # fmt: skip
            return
        was, now = _tagged(old), _tagged(new)
        noun = "packet" if new.key.endswith(("/toServer", "/toClient")) else "variant"
        for tag in [*now, *(tag for tag in was if tag not in now)]:
            subject = f"{new.key}[{tag}]"
            if tag not in was:
                yield _Raw(kind="packet-added", noun=noun, subject=subject, place=self._place(now[tag]))
            elif tag not in now:
                yield _Raw(kind="packet-removed", noun=noun, subject=subject, place=old.place)
            else:
                pairs += self._relate(was[tag], now[tag])[1]

    def _place(self, arm: Named) -> Location:
        return self._new.definition(arm.key).place

    # --- types --------------------------------------------------------------------------------------------------

    def _types(self) -> dict[str, str]:
        """Tell which shared types came and went, and return those that only have another name."""
        was, now = self._old.schema.definitions, self._new.schema.definitions
        moved = sorted(pair for pair in self._uses if pair[0] not in now and pair[1] not in was)
        likeness = {pair: _likeness(was[pair[0]], now[pair[1]]) for pair in moved}
        renamed: dict[str, str] = {}
        for pair in sorted(moved, key=lambda pair: (-likeness[pair], pair)):
            if likeness[pair] >= 0.5 and pair[1] not in renamed and pair[0] not in renamed.values():
                renamed[pair[1]] = pair[0]
        parted = {after for before, after in moved if after not in renamed and likeness[before, after] >= 0.5}
        for before, after in moved:
            if renamed.get(after) == before:
                self._tell_type("type-renamed", self._new, after, before, after)
            elif after in parted and likeness[before, after] >= 0.5:
                self._tell_type("type-split", self._new, after, before, after)
        for key in sorted(was.keys() - now.keys() - set(renamed.values())):
            self._tell_type("type-removed", self._old, key, key, "")
        for key in sorted(now.keys() - was.keys() - renamed.keys() - parted):
            self._tell_type("type-added", self._new, key, "", key)
        return renamed

    def _tell_type(self, kind: str, model: Model, key: str, old: str, new: str) -> None:
        definition = model.definition(key)
        if key == definition.root and not key.startswith(
            _ENVELOPE
        ):  # what is inside something else goes with it
            raw = _Raw(kind=kind, noun="type", subject=key, place=definition.place, old=old, new=new)
            self._tell(raw, python=model.names[key])


def _endpoints(model: Model) -> dict[str, NormalEndpoint]:
    return {endpoint.key: endpoint for endpoints in model.schema.endpoints.values() for endpoint in endpoints}


def _presence(field: Field) -> str:
    return "required" if field.required else "optional"


def _all_fields(message: MessageDefinition) -> dict[str, Field]:
    """Return the fields of a message, a tag being one that has a single legal value."""
    fields = {field.wire_name: field for field in (*message.fields, *map(_as_field, message.tags))}
    return {name: fields[name] for name in message.order}


def _as_field(tag: TagField) -> Field:
    kind: ScalarKind = (
        "boolean" if isinstance(tag.value, bool) else "string" if isinstance(tag.value, str) else "integer"
    )
    return Field(wire_name=tag.wire_name, type=Scalar(kind, Limits(choices=(tag.value,))), required=True)


def _tagged(union: UnionDefinition) -> dict[str, Named]:
    return {_label(tag): arm for tag, arm in union.arms}


def _label(tag: Tag) -> str:
    return str(tag).lower() if isinstance(tag, bool) else str(tag)


def _members(old: EnumDefinition, new: EnumDefinition) -> Iterator[_Raw]:
    for kind, there, gone in (("added", new, old), ("removed", old, new)):
        for member in there.members:
            if member not in gone.members:
                yield _Raw(
                    kind=f"member-{kind}",
                    noun="enum member",
                    subject=f"{new.key}={member}",
                    place=there.place,
                )


def _likeness(old: Definition, new: Definition) -> float:
    """Return how much two definitions have in common, from 0 to 1."""
    was, now = set(_parts_of(old)), set(_parts_of(new))
    if was == now:
        return 1.0
    return len(was & now) / len(was | now)


def _parts_of(definition: Definition) -> Iterable[str]:
    if isinstance(definition, MessageDefinition):
        return definition.order
    if isinstance(definition, UnionDefinition):
        return _tagged(definition)
    return definition.members if isinstance(definition, EnumDefinition) else ()


def _order(change: Change) -> tuple[Any, ...]:
    group = _GROUPS.index(RULES[change.kind].group)
    return (change.noun == "type", not change.breaking, group, change.subject, change.kind)
