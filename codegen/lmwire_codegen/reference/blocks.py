"""Messages, unions and enums as the reference shows them: a heading, a sentence, a table."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Final

import attrs

from lmwire_codegen.describe import describe, is_part
from lmwire_codegen.examples import label_of
from lmwire_codegen.history import History
from lmwire_codegen.load import SchemaFolder
from lmwire_codegen.model import Model
from lmwire_codegen.reference.markdown import code, plain, prose, table
from lmwire_codegen.reference.words import Words, since
from lmwire_codegen.shapes import (
    Definition,
    EnumDefinition,
    Field,
    MessageDefinition,
    TagField,
    Type,
    UnionDefinition,
    named_in,
)

__all__ = ["NOT_DESCRIBED", "Block", "Blocks"]

NOT_DESCRIBED: Final = "*not described*"
_OPEN: Final = "Peers of other revisions may send others."


@attrs.frozen(kw_only=True)
class Block:
    """A definition, as Markdown.

    Attributes:
        name: Its Python name, which is its anchor.
        kind: Message, union or enum.
        words: Sentences on it.
        facts: Lines on it.
        table: Its fields, arms or members.
        example: An instance; empty if there is none.
    """

    name: str
    kind: str
    words: str
    facts: tuple[str, ...]
    table: str
    example: str = ""


class Blocks:
    """Makes the blocks of one page."""

    def __init__(self, model: Model, folder: SchemaFolder, words: Words) -> None:
        self._model = model
        self._history: History = folder.history
        self._words = words
        self._has_history = bool(folder.history.revisions) and words.page != "envelope.md"

    def since(self, key: str) -> str:
        """Return since when there is what ``key`` names; without a history only this revision is known."""
        if not self._has_history:
            return plain(self._model.schema.revision)
        return plain(since(self._history.revisions_of(key), self._history.revisions))

    def described(self, text: str) -> str:
        """Return a description, or that there is none."""
        return prose(text) if text else NOT_DESCRIBED

    def reachable(self, root: str, types: Iterable[Type]) -> list[str]:
        """Return the definitions below ``root`` that types lead to, each before what it uses."""
        found: dict[str, None] = {}
        todo = [key for type_ in types for key in named_in(type_)]
        while todo:
            key = todo.pop(0)
            definition = self._model.definition(key)
            if key not in found and definition.root == root:
                found[key] = None
                todo = [*_used_by(definition), *todo]
        return list(found)

    def of(self, key: str, *, facts: tuple[str, ...] = (), example: str = "") -> Block:
        """Return the block of a definition."""
        definition = self._model.definition(key)
        kind, lines = "Message", ""
        if isinstance(definition, MessageDefinition):
            lines = self._fields(definition)
        elif isinstance(definition, UnionDefinition):
            kind, lines = "Union", self._arms(definition)
        elif isinstance(definition, EnumDefinition):
            kind, lines = "Enum", self._members(definition)
        return Block(
            name=self._model.names[key], kind=kind, words=self._words_for(definition), facts=facts,
            table=lines, example=example,
        )  # fmt: skip

    def _words_for(self, definition: Definition) -> str:
        if not definition.description and is_part(definition):  # its place says what it is
            return prose(describe(definition).replace("``", "`"))
        return self.described(definition.description)

    def _table(self, head: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> str:
        """Return a table; the column on revisions is left out where nothing is known of them."""
        if not self._has_history:
            column = head.index("Since")
            head = head[:column] + head[column + 1 :]
            rows = [row[:column] + row[column + 1 :] for row in rows]
        return table(head, rows)

    def _fields(self, definition: MessageDefinition) -> str:
        if not definition.order:
            return "No fields."
        rows = [self._field(definition, part) for part in definition.parts]
        return self._table(("Field", "Type", "Presence", "Python", "Since", "Meaning"), rows)

    def _field(self, definition: MessageDefinition, part: Field | TagField) -> tuple[str, ...]:
        name = part.wire_name
        if isinstance(part, TagField):
            kind, presence, words = (
                code(json.dumps(part.value)),
                "required",
                part.description or "always this value",
            )
        else:
            kind, words = self._words.type(part.type), part.description
            presence = "required" if part.required else "optional"
        return (
            code(name), kind, presence, code(self._model.attributes[definition.key][name]),
            self.since(f"{definition.key}.{name}"), self.described(words),
        )  # fmt: skip

    def _arms(self, definition: UnionDefinition) -> str:
        rows = []
        for tag, arm in definition.arms:
            words = self._model.definition(arm.key).description
            here = self.since(f"{definition.key}[{label_of(tag)}]")
            rows.append((code(json.dumps(tag)), self._words.link(arm.key), here, self.described(words)))
        return self._table((code(definition.discriminator), "Message", "Since", "Meaning"), rows)

    def _members(self, definition: EnumDefinition) -> str:
        rows = []
        for member, words in zip(definition.members, definition.words, strict=True):
            when = self.since(f"{definition.key}={member}")
            rows.append((code(json.dumps(member)), when, self.described(words)))
        if any(words != NOT_DESCRIBED for _, _, words in rows):
            return f"{self._table(('Member', 'Since', 'Meaning'), rows)}\n\n{_OPEN}"
        usual = self.since(definition.key)
        names = [name if when == usual else f"{name} (since {when})" for name, when, _ in rows]
        return f"{', '.join(names)}. {_OPEN}"


def _used_by(definition: Definition) -> list[str]:
    """Return the keys that a definition mentions, as its table has them."""
    if isinstance(definition, MessageDefinition):
        return [key for field in definition.fields for key in named_in(field.type)]
    if isinstance(definition, UnionDefinition):
        return [arm.key for _, arm in definition.arms]
    return []
