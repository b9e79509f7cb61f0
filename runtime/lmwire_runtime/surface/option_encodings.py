"""How one option becomes fields of a KV config, and how fields become an option again.

====================  ============================================  =======================================
encoding              a value is sent as                            off is sent as
====================  ============================================  =======================================
``PlainOption``       the value itself                              ``off``, if it has one
``CheckboxOption``    ``{"checked": true, "value": v}``             ``{"checked": false, "value": off}``
``MultiPartOption``   several keys, one for each ``part``           cannot be off
``WholeConfig``       each field of the given config                cannot be off
====================  ============================================  =======================================

Off is spelled False or None. Where an option cannot be off, None means that it is not given, and so does UNSET
everywhere.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final, Literal, TypeAlias

import attrs

from lmwire_runtime.surface.option_kinds import Kind, MisfitError, Record, Setting, plain_json
from lmwire_runtime.wire import UNSET

__all__ = [
    "BASE",
    "CHOSEN",
    "IMPLIED",
    "CheckboxOption",
    "ComposedPart",
    "Decoded",
    "Encoded",
    "MemberPart",
    "MultiPartOption",
    "Option",
    "Piece",
    "PlainOption",
    "Strength",
    "WholeConfig",
]

Strength: TypeAlias = Literal[0, 1, 2]
BASE: Final = 0
"""Sent unless an option says otherwise."""
IMPLIED: Final = 1
"""Sent unless anything else has the same key."""
CHOSEN: Final = 2
"""Sent in any case."""

Encoded: TypeAlias = "tuple[str, Any, Strength]"


class Decoded:
    """What became of the fields of one option.

    Attributes:
        value: The option as callers see it; UNSET if the fields say nothing that it can hold.
        left: Keys whose values it cannot hold -> why.
    """

    __slots__ = ("left", "value")

    def __init__(self, value: Any = UNSET, left: Mapping[str, MisfitError] | None = None) -> None:
        self.value: Final = value
        self.left: Final = left or {}


@attrs.frozen(kw_only=True, eq=False)
class Option:
    """One row of a table.

    Attributes:
        name: The option in camelCase.
        attribute: The same in snake_case; the attribute of the config class.
        kind: What values it takes.
        description: What it does, with units.
        default: What holds when nothing sets it, as callers would write it; False is off, UNSET is not known.
        reported: Whether servers report it while callers cannot give it.
    """

    name: str
    attribute: str
    kind: Kind
    description: str = ""
    default: Any = UNSET
    reported: bool = False

    @property
    def keys(self) -> tuple[str, ...]:
        """The keys of the KV config that this option sets."""
        return ()

    @property
    def can_be_off(self) -> bool:
        """Whether False and None switch it off."""
        return False

    def normal(self, value: Any) -> Any:
        """Return what a caller gave with one spelling for off (False) and one for not given (UNSET)."""
        if self.can_be_off:
            return False if value is None else value
        return UNSET if value is None else value

    def encode(self, value: Any) -> Iterator[Encoded]:
        """Yield the fields for a normal value other than UNSET.

        Raises:
            MisfitError: The value is of the wrong kind.
            UsageError: A name inside it is.
        """
        raise NotImplementedError(type(self).__name__)

    def decode(self, values: Mapping[str, Any]) -> Decoded:
        """Read the values of this option's keys, those that a server sent; at least one is there."""
        raise NotImplementedError(type(self).__name__)


@attrs.frozen(kw_only=True, eq=False)
class PlainOption(Option):
    """Sent as it is.

    Attributes:
        key: Its key.
        off: What is sent for off; UNSET if it cannot be off.
        off_when: Members of a received value that say that it is off.
    """

    key: str
    off: Any = UNSET
    off_when: Mapping[str, Any] = attrs.field(factory=dict)

    @property
    def keys(self) -> tuple[str, ...]:
        return (self.key,)

    @property
    def can_be_off(self) -> bool:
        return self.off is not UNSET

    def encode(self, value: Any) -> Iterator[Encoded]:
        if value is False and self.can_be_off:
            yield self.key, plain_json(self.off, self.name), CHOSEN
        else:
            yield self.key, self._checked(value), CHOSEN

    def _checked(self, value: Any) -> Any:
        try:
            return self.kind.to_wire(value, self.name)
        except MisfitError as error:
            if self.can_be_off and error.path == self.name:
                raise _or_off(error) from None
            if value is False:
                raise MisfitError(
                    self.name, f"{self.kind.words} (it cannot be switched off)", value
                ) from None
            raise

    def decode(self, values: Mapping[str, Any]) -> Decoded:
        value = values[self.key]
        try:
            read = self.kind.from_wire(value, self.name)
        except MisfitError as error:
            return Decoded(left={self.key: error})
        is_off = self.can_be_off and all(value.get(name) == wanted for name, wanted in self.off_when.items())
        return Decoded(False if is_off else read)


@attrs.frozen(kw_only=True, eq=False)
class CheckboxOption(Option):
    """Sent with a check mark; ``off`` is the value that goes with an unchecked box, where it only is a memory."""

    key: str
    off: Any

    @property
    def keys(self) -> tuple[str, ...]:
        return (self.key,)

    @property
    def can_be_off(self) -> bool:
        return True

    def encode(self, value: Any) -> Iterator[Encoded]:
        if value is False:
            yield self.key, {"checked": False, "value": plain_json(self.off, self.name)}, CHOSEN
            return
        try:
            wired = self.kind.to_wire(value, self.name)
        except MisfitError as error:
            raise _or_off(error) from None
        yield self.key, {"checked": True, "value": wired}, CHOSEN

    def decode(self, values: Mapping[str, Any]) -> Decoded:
        box = values[self.key]
        if not isinstance(box, Mapping) or not isinstance(box.get("checked"), bool):
            return Decoded(left={self.key: MisfitError(self.name, "a checkbox {checked, value}", box)})
        if not box["checked"]:
            return Decoded(False)
        try:
            return Decoded(self.kind.from_wire(box.get("value"), self.name))
        except MisfitError as error:
            return Decoded(left={self.key: error})


class MemberPart:
    """A key that holds one member of the setting, and is sent if that is set."""

    __slots__ = ("key", "member")

    def __init__(self, *, key: str, member: str) -> None:
        self.key: Final = key
        self.member: Final = member


class Piece:
    """A field of an object that is made of members of the setting.

    Attributes:
        name: Its wire name.
        default: Its value where the member is not set, or where it has none.
        member: The member of the setting that it is made of, or None for a constant.
        words: Words of the member -> words of the wire.
        listed: Whether the wire has a list with the member as its only item.
    """

    __slots__ = ("default", "listed", "member", "name", "words")

    def __init__(
        self,
        *,
        name: str,
        default: Any,
        member: str | None = None,
        words: Mapping[str, str] | None = None,
        listed: bool = False,
    ) -> None:
        self.name: Final = name
        self.default: Final = default
        self.member: Final = member
        self.words: Final = words or {}
        self.listed: Final = listed

    def compose(self, given: Mapping[str, Any]) -> Any:
        """Return the wire value for the members that are given."""
        if self.member is None or self.member not in given:
            return plain_json(self.default, self.name)
        value = given[self.member]
        if self.words:
            value = self.words[value]
        return [value] if self.listed else value

    def member_value(self, value: Any) -> Any:
        """Return the member for a wire value, UNSET if none makes it."""
        if self.listed:
            return value[0] if isinstance(value, list) and len(value) == 1 else UNSET
        if self.words:
            return next((word for word, wired in self.words.items() if wired == value), UNSET)
        return value


class ComposedPart:
    """A key that holds an object made of several members, and is sent whenever the setting is given at all."""

    __slots__ = ("key", "pieces")

    def __init__(self, *, key: str, pieces: tuple[Piece, ...]) -> None:
        self.key: Final = key
        self.pieces: Final = pieces

    def compose(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """Return the object for the members that are given."""
        return {piece.name: piece.compose(given) for piece in self.pieces}

    def members(self, value: Any) -> dict[str, Any] | None:
        """Return the members that make ``value``; None if none do."""
        if not isinstance(value, Mapping):
            return None
        whole = {**{piece.name: piece.default for piece in self.pieces}, **value}
        found = {piece.member: piece.member_value(whole[piece.name]) for piece in self.pieces if piece.member}
        members = {name: item for name, item in found.items() if item is not UNSET}
        return members if self.compose(members) == whole else None


@attrs.frozen(kw_only=True, eq=False)
class MultiPartOption(Option):
    """A setting whose members go to several keys."""

    kind: Record
    parts: tuple[MemberPart | ComposedPart, ...]

    @property
    def keys(self) -> tuple[str, ...]:
        return tuple(part.key for part in self.parts)

    def encode(self, value: Any) -> Iterator[Encoded]:
        given = self.kind.given(value, self.name)
        if isinstance(value, Setting) and value.extra:
            raise MisfitError(self.name, f"a {self.kind.cls.__name__} whose `extra` is empty", value)
        used: set[str | None] = set()
        for part in self.parts:
            if isinstance(part, MemberPart):
                used.add(part.member)
                if part.member in given:
                    yield part.key, given[part.member], CHOSEN
            else:
                made_of = {piece.member for piece in part.pieces}
                used |= made_of
                yield part.key, part.compose(given), CHOSEN if made_of & given.keys() else IMPLIED
        for name in given:
            if name not in used:
                raise MisfitError(
                    self.name, f"a {self.kind.cls.__name__} without {name!r}, which has no key here", value
                )

    def decode(self, values: Mapping[str, Any]) -> Decoded:
        members: dict[str, Any] = {}
        left: dict[str, MisfitError] = {}
        for part in self.parts:
            if part.key not in values:
                continue
            value = values[part.key]
            found = {part.member: value} if isinstance(part, MemberPart) else part.members(value)
            try:
                if found is None:
                    raise MisfitError(self.name, f"what {self.kind.words} can say", value)
                self.kind.from_wire(found, self.name)
                members |= found
            except MisfitError as error:
                left[part.key] = error
        return Decoded(self.kind.from_wire(members, self.name) if members else UNSET, left)


@attrs.frozen(kw_only=True, eq=False)
class WholeConfig(Option):
    """A whole KV config, ``{"fields": [{"key": ..., "value": ...}]}``; the other options override its keys."""

    def encode(self, value: Any) -> Iterator[Encoded]:
        config = self.kind.to_wire(value, self.name)
        fields = config.get("fields")
        if set(config) != {"fields"} or not isinstance(fields, list):
            raise MisfitError(self.name, "a KV config {'fields': [{'key': ..., 'value': ...}]}", value)
        for number, field in enumerate(fields):
            if (
                not isinstance(field, dict)
                or not isinstance(field.get("key"), str)
                or set(field) - {"key", "value"}
            ):
                raise MisfitError(f"{self.name}.fields[{number}]", "{'key': ..., 'value': ...}", field)
            yield field["key"], field.get("value", UNSET), BASE


def _or_off(error: MisfitError) -> MisfitError:
    return MisfitError(error.path, f"{error.expected}, or False for off", error.value)
