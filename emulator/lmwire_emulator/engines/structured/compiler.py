"""From a JSON Schema to nodes. References become nodes before they are followed, so that schemas may be recursive.

What is heeded and what is refused says ``keywords``. Two keywords are heeded in part. Beside ``$ref``, ``allOf``,
``anyOf`` and ``oneOf`` no other restriction may stand, because nothing here computes what several schemas have in
common; so ``allOf`` has one arm. And the arms of ``oneOf`` must tell themselves apart, by their types, by the values
that they list, or by a required member that does: then exactly one of them fits, as with ``anyOf``.
"""

from __future__ import annotations

import math
import urllib.parse
from collections.abc import Mapping, Sequence
from typing import Any, Final, TypeVar

from lmwire_emulator.engines.structured.checks import accepts, text_of
from lmwire_emulator.engines.structured.disjointness import are_disjoint
from lmwire_emulator.engines.structured.formats import EXAMPLES
from lmwire_emulator.engines.structured.keywords import (
    COMBINERS,
    KEYWORDS_OF_TYPE,
    LISTINGS,
    TYPES,
    check_keywords,
)
from lmwire_emulator.engines.structured.nodes import (
    Array,
    Either,
    Leaf,
    Literals,
    Member,
    Node,
    Object,
    String,
    measure,
)
from lmwire_emulator.engines.structured.numbers import numbers
from lmwire_emulator.engines.structured.problems import InvalidSchemaError, Path, UnsupportedKeywordError

__all__ = ["ANY_OBJECT", "compile_schema"]

ANY_OBJECT: Final[Mapping[str, Any]] = {"type": "object"}


def compile_schema(schema: Any) -> Either:
    """Compile a JSON Schema.

    Args:
        schema: As it was read from JSON.

    Raises:
        UnsupportedKeywordError: It restricts values in a way that is not heeded.
        InvalidSchemaError: It is no schema, or nothing satisfies it.
    """
    try:
        return _Compiler(schema).compiled()
    except RecursionError:
        raise InvalidSchemaError("the schema is nested too deeply", ()) from None


NodeT = TypeVar("NodeT", bound=Node)


class _Compiler:
    def __init__(self, document: Any) -> None:
        self._document = document
        self._nodes: list[Node] = []
        self._references: dict[str, Either] = {}
        self._anything: Either | None = None
        self._exclusive: list[tuple[Sequence[Node], Path]] = []

    def compiled(self) -> Either:
        root = self._add(Either(at=()))
        root.arms.append(self._node(self._document, ()))
        measure(root, self._nodes)
        for arms, at in self._exclusive:
            if not are_disjoint(arms):
                raise UnsupportedKeywordError("oneOf", at, "whose alternatives may overlap")
        return root

    def _add(self, node: NodeT) -> NodeT:
        self._nodes.append(node)
        return node

    def _either(self, arms: Sequence[Node], at: Path) -> Node:
        return arms[0] if len(arms) == 1 else self._add(Either(at=at, arms=list(arms)))

    def _node(self, schema: Any, at: Path) -> Node:
        if schema is True:
            return self._any()
        if schema is False:
            return self._add(Either(at=at))
        if not isinstance(schema, Mapping):
            raise InvalidSchemaError("a schema must be an object, true or false", at)
        check_keywords(schema, at)
        if any(keyword in schema for keyword in LISTINGS):
            return self._listed(schema, at)
        for keyword in COMBINERS:
            if keyword in schema:
                return self._combined(keyword, schema, at)
        return self._typed(schema, at)

    # Values that are listed.

    def _listed(self, schema: Mapping[str, Any], at: Path) -> Node:
        rest = {keyword: value for keyword, value in schema.items() if keyword not in LISTINGS}
        if any(keyword in rest for keyword in _RESTRICTING):
            self._node(rest, at)  # for what it complains about
        values = schema["enum"] if "enum" in schema else [schema["const"]]
        keyword = "enum" if "enum" in schema else "const"
        try:
            texts = dict.fromkeys(
                text_of(value)
                for value in values
                if accepts(schema, value, lambda ref: self._target(ref, at)[0])
            )
        except ValueError as error:
            raise InvalidSchemaError(f"holds what is not JSON: {error}", (*at, keyword)) from None
        if not texts:
            raise InvalidSchemaError("no value here satisfies the rest of the schema", (*at, keyword))
        return self._add(Literals(at=at, texts=tuple(texts), listed=True))

    # Other schemas.

    def _combined(self, keyword: str, schema: Mapping[str, Any], at: Path) -> Node:
        for other in _RESTRICTING:
            if other != keyword and other in schema:
                raise UnsupportedKeywordError(other, (*at, other), f'beside "{keyword}"')
        if keyword == "$ref":
            return self._reference(schema[keyword], (*at, keyword))
        arms = schema[keyword]
        if keyword == "allOf" and len(arms) > 1:
            raise UnsupportedKeywordError(keyword, (*at, keyword), "of more than one schema")
        nodes = [self._node(arm, (*at, keyword, str(number))) for number, arm in enumerate(arms)]
        if keyword == "oneOf":
            self._exclusive.append((nodes, (*at, keyword)))
        return self._either(nodes, (*at, keyword))

    def _reference(self, reference: str, at: Path) -> Node:
        known = self._references.get(reference)
        if known is None:
            target, path = self._target(reference, at)
            known = self._add(Either(at=path))
            self._references[reference] = known
            known.arms.append(self._node(target, path))
        return known

    def _target(self, reference: str, at: Path) -> tuple[Any, Path]:
        """The schema that a reference refers to, and where it is."""
        if reference != "#" and not reference.startswith("#/"):
            raise UnsupportedKeywordError(
                "$ref", at, f"to other than a place in the same schema, {reference!r}"
            )
        steps = urllib.parse.unquote(reference[1:]).split("/")[1:]
        path = tuple(step.replace("~1", "/").replace("~0", "~") for step in steps)
        target = self._document
        for step in path:
            try:
                target = target[int(step) if isinstance(target, list) else step]
            except (KeyError, IndexError, ValueError, TypeError):
                raise InvalidSchemaError(f"{reference!r} refers to nothing", at) from None
        return target, path

    # Types.

    def _typed(self, schema: Mapping[str, Any], at: Path) -> Node:
        words = schema.get("type")
        inferred = words is None
        if words is None:
            words = [word for word, own in KEYWORDS_OF_TYPE.items() if any(one in schema for one in own)]
            if not words:
                return self._any()
        elif isinstance(words, str):
            words = [words]
        chosen = [word for word in TYPES if word in words and not (word == "integer" and "number" in words)]
        leaves: list[Leaf] = [self._add(_MAKERS[word](self, schema, at, word)) for word in chosen]
        for leaf in leaves:
            leaf.inferred = inferred
        return self._either(leaves, at)

    def _any(self) -> Either:
        """Any value at all."""
        if self._anything is None:
            self._anything = self._add(Either(at=()))
            schema: Mapping[str, Any] = {}
            for word in TYPES:
                if word != "integer":
                    leaf = self._add(_MAKERS[word](self, schema, (), word))
                    leaf.inferred = True
                    self._anything.arms.append(leaf)
        return self._anything

    def _fixed(self, schema: Mapping[str, Any], at: Path, word: str) -> Leaf:
        texts = ("null",) if word == "null" else ("true", "false")
        return Literals(at=at, texts=texts, listed=True)

    def _number(self, schema: Mapping[str, Any], at: Path, word: str) -> Leaf:
        texts = numbers(schema, integer=word == "integer")
        if not texts:
            raise InvalidSchemaError(f"no {word} is within these bounds", at)
        return Literals(at=at, texts=texts, listed=False)

    def _string(self, schema: Mapping[str, Any], at: Path, word: str) -> Leaf:
        shortest, longest = self._limits(schema, at, "minLength", "maxLength")
        form = schema.get("format")
        examples = EXAMPLES.get(form, ()) if isinstance(form, str) else ()
        fitting = [text_of(one) for one in examples if shortest <= len(one) <= longest]
        if fitting:
            return Literals(at=at, texts=fitting, listed=False)
        return String(at=at, shortest=shortest, longest=longest)

    def _array(self, schema: Mapping[str, Any], at: Path, word: str) -> Leaf:
        shortest, longest = self._limits(schema, at, "minItems", "maxItems")
        first, rest = ("prefixItems", "items")
        if isinstance(schema.get("items"), list):  # as drafts before 2020 have it
            first, rest = ("items", "additionalItems")
        return Array(
            at=at,
            first=[
                self._node(one, (*at, first, str(number))) for number, one in enumerate(schema.get(first, ()))
            ],
            rest=self._node(schema.get(rest, True), (*at, rest)),
            shortest=shortest,
            longest=longest,
        )

    def _object(self, schema: Mapping[str, Any], at: Path, word: str) -> Leaf:
        properties: Mapping[str, Any] = schema.get("properties", {})
        required: Sequence[str] = schema.get("required", ())
        others = schema.get("additionalProperties", True)
        undeclared = [name for name in dict.fromkeys(required) if name not in properties]
        if undeclared and others is False:
            raise InvalidSchemaError(
                f"{undeclared[0]!r} is required, but not among the properties, and there may be no others",
                (*at, "required"),
            )
        members = [
            Member(name, self._node(one, (*at, "properties", name)), name in required)
            for name, one in properties.items()
        ]
        # Where members are declared, no others are made up, unless the schema says what they are.
        invited = isinstance(others, Mapping) or (others and "properties" not in schema)
        other = self._node(others, (*at, "additionalProperties")) if undeclared or invited else None
        if other is not None:
            members += [Member(name, other, required=True) for name in undeclared]
        return Object(at=at, members=members, others=other if invited else None)

    def _limits(self, schema: Mapping[str, Any], at: Path, lower: str, upper: str) -> tuple[int, float]:
        shortest, longest = int(schema.get(lower, 0)), schema.get(upper, math.inf)
        if shortest > longest:
            raise InvalidSchemaError(f"{lower} is {shortest}, more than {upper}, which is {longest}", at)
        return shortest, longest


_RESTRICTING: Final = (
    "type",
    *LISTINGS,
    *COMBINERS,
    *(keyword for own in KEYWORDS_OF_TYPE.values() for keyword in own if keyword != "format"),
)
_MAKERS: Final = {
    "string": _Compiler._string,
    "number": _Compiler._number,
    "integer": _Compiler._number,
    "boolean": _Compiler._fixed,
    "null": _Compiler._fixed,
    "object": _Compiler._object,
    "array": _Compiler._array,
}
