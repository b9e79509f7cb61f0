"""Decoding and encoding, decided at build time: what each template writes out as straight code.

A ``ModulePlanner`` works for one output module. It answers what decodes a type (a class method, a union's function,
or a helper function that it adds to the module), what encodes it, and which names have to be imported for that. Every
text that comes from the schema passes ``repr`` on its way into an expression.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, Literal, TypeAlias

import attrs

from lmwire_codegen.model import Model, ModulePath
from lmwire_codegen.naming import constant_case, snake_case
from lmwire_codegen.shapes import (
    AnyType,
    ArrayType,
    Choice,
    EnumDefinition,
    Field,
    Limits,
    MapType,
    MessageDefinition,
    Named,
    Nullable,
    Scalar,
    TupleType,
    Type,
    UnionDefinition,
)
from lmwire_codegen.text import literal

__all__ = ["Check", "FieldPlan", "Helper", "MessagePlan", "ModulePlanner", "TagPlan", "UnionPlan"]

Form: TypeAlias = Literal["any", "plain", "nested"]

_TESTS: Final = {
    "string": "type({0}) is str",
    "integer": "type({0}) is int",
    "number": "type({0}) is float or type({0}) is int",
    "boolean": "type({0}) is bool",
}
_MISFITS: Final = {
    "string": "type(item) is not str",
    "number": "type(item) is not float and type(item) is not int",
    "boolean": "type(item) is not bool",
}
_WORDS: Final = {"string": "a string", "integer": "an integer", "number": "a number", "boolean": "a boolean"}


@attrs.frozen(kw_only=True)
class Check:
    """A statement of strict mode; with a ``condition`` it is run only where that holds."""

    statement: str
    condition: str = ""


@attrs.frozen(kw_only=True)
class FieldPlan:
    """How one field is decoded and encoded.

    Attributes:
        form: ``any`` values are kept as they are, ``plain`` ones after a test, ``nested`` ones go through ``decoder``.
        test: Expression on ``value`` that is true for every plain value, null included if it is legal.
        test_of_kind: The same without null.
        integer: Whether integral floats are accepted as well.
        expected: What a reader is told was expected.
        decoder: Expression of the callable that decodes a nested value.
        encoded: Expression that encodes ``value``.
        checks: What strict mode does, on ``value``, with ``where`` for its path.
        secret: Whether its values are shown nowhere.
    """

    attribute: str
    wire_name: str
    required: bool
    nullable: bool
    form: Form
    test: str
    test_of_kind: str
    integer: bool
    expected: str
    decoder: str
    encoded: str
    checks: tuple[Check, ...]
    description: str
    secret: bool

    @property
    def wire_literal(self) -> str:
        """The wire name as an expression."""
        name = literal(self.wire_name)
        return f"Secret({name})" if self.secret else name


@attrs.frozen(kw_only=True)
class TagPlan:
    """A field with one legal value: a class variable that users never write."""

    attribute: str
    wire_name: str
    value: Any
    description: str


@attrs.frozen(kw_only=True)
class MessagePlan:
    """A message class. ``order`` has fields and tags as the schema orders them."""

    name: str
    description: str
    tags: tuple[TagPlan, ...]
    fields: tuple[FieldPlan, ...]
    order: tuple[FieldPlan | TagPlan, ...]
    tolerant: bool

    @property
    def keys(self) -> tuple[str, ...]:
        """All wire names, sorted."""
        return tuple(sorted(item.wire_name for item in self.order))

    @property
    def demanded(self) -> tuple[str, ...]:
        """Wire names that decoding looks up as if they were there; of tolerant types only the tags."""
        fields = [] if self.tolerant else [field.wire_name for field in self.fields if field.required]
        return (*(tag.wire_name for tag in self.tags), *fields)

    @property
    def checked(self) -> tuple[FieldPlan, ...]:
        """The fields for which strict mode checks more than their type."""
        return tuple(field for field in self.fields if field.checks)


@attrs.frozen(kw_only=True)
class UnionPlan:
    """A union of messages: ``table`` maps the value of the tag to the callable that decodes the arm."""

    name: str
    description: str
    discriminator: str
    tag_type: str
    function: str
    table_name: str
    table: tuple[tuple[Any, str], ...]
    quoted: bool


@attrs.frozen(kw_only=True)
class Helper:
    """A function of the module that decodes a type without a name.

    ``kind`` selects the template: scalar, nullable, array, tuple, map or choice. ``items`` are the callables that
    decode what is inside, ``tests`` the expressions on ``data`` that select among them.
    """

    name: str
    kind: str
    hint: str
    expected: str
    items: tuple[str, ...] = ()
    tests: tuple[str, ...] = ()
    integer: bool = False
    checks: tuple[Check, ...] = ()


class ModulePlanner:
    """Plans the definitions of one module.

    Attributes:
        imports: Dotted names that the module's code needs beyond what type hints need.
        helpers: The functions to be added to the module, by name.
        bound: The class methods that the module keeps as globals, and their names.
    """

    def __init__(self, model: Model, module: ModulePath) -> None:
        self._model = model
        self._module = module
        self._known: dict[Type, str] = {}
        self.imports: Final[set[str]] = set()
        self.helpers: Final[dict[str, Helper]] = {}
        self.bound: Final[dict[str, str]] = {}

    # --- definitions --------------------------------------------------------------------------------------------

    def message(self, definition: MessageDefinition) -> MessagePlan:
        """Plan a message class; required fields come first."""
        attributes = self._model.attributes[definition.key]
        ordered = sorted(definition.fields, key=lambda field: not field.required)
        fields = {field.wire_name: self._field(field, attributes[field.wire_name]) for field in ordered}
        tags = {
            tag.wire_name: TagPlan(
                attribute=attributes[tag.wire_name],
                wire_name=tag.wire_name,
                value=tag.value,
                description=tag.description,
            )
            for tag in definition.tags
        }
        everything: Mapping[str, FieldPlan | TagPlan] = {**tags, **fields}
        return MessagePlan(
            name=self._model.names[definition.key],
            description=definition.description,
            tags=tuple(tags.values()),
            fields=tuple(fields.values()),
            order=tuple(everything[name] for name in definition.order),
            tolerant=definition.tolerant,
        )

    def union(self, definition: UnionDefinition) -> UnionPlan:
        """Plan a union's alias, its table and the function that decodes it."""
        name = self._model.names[definition.key]
        return UnionPlan(
            name=name,
            description=definition.description,
            discriminator=definition.discriminator,
            tag_type=type(definition.arms[0][0]).__name__,
            function=_union_function(name),
            table_name=f"_{constant_case(name)}",
            table=tuple((tag, self.decoder(arm)) for tag, arm in definition.arms),
            quoted=definition.key in self._model.cyclic,
        )

    def _field(self, field: Field, attribute: str) -> FieldPlan:
        nullable = isinstance(field.type, Nullable)
        inner = field.type.inner if isinstance(field.type, Nullable) else field.type
        form: Form = "nested"
        test = decoder = ""
        if isinstance(inner, AnyType) or inner == Choice(()):
            form = "any" if isinstance(inner, AnyType) else "plain"
            test = "value is None"
        elif (scalar := self._scalar(inner)) is not None:
            form = "plain"
            test = _TESTS[scalar.kind].format("value") + (" or value is None" if nullable else "")
        else:
            decoder = self._bound(self.decoder(inner))
        return FieldPlan(
            attribute=attribute,
            wire_name=field.wire_name,
            required=field.required,
            nullable=nullable or form == "any",
            form=form,
            test=test,
            test_of_kind=test.removesuffix(" or value is None"),
            integer=isinstance(inner, Scalar) and inner.kind == "integer",
            expected=self.expected(field.type),
            decoder=decoder,
            encoded=self.encoded(field.type, "value"),
            checks=self._checks(inner, "value", "where") if form == "plain" else (),
            description=field.description,
            secret=field.secret,
        )

    # --- types --------------------------------------------------------------------------------------------------

    def _scalar(self, type_: Type) -> Scalar | None:
        """Return ``type_`` if it is a scalar; an enum is a string."""
        if isinstance(type_, Named) and isinstance(self._model.definition(type_.key), EnumDefinition):
            return Scalar("string")
        return type_ if isinstance(type_, Scalar) else None

    def expected(self, type_: Type) -> str:
        """Say in words what a value of ``type_`` is."""
        scalar = self._scalar(type_)
        if scalar is not None:
            return _WORDS[scalar.kind]
        if isinstance(type_, Nullable):
            return f"{self.expected(type_.inner)} or null" if type_.inner != Choice(()) else "null"
        if isinstance(type_, (ArrayType, TupleType)):
            return "an array"
        if isinstance(type_, Choice):
            return " or ".join(dict.fromkeys(self.expected(member) for member in type_.members))
        return "any value" if isinstance(type_, AnyType) else "an object"

    def decoder(self, type_: Type) -> str:
        """Return the expression of a callable ``(data, decoding, path)`` that decodes ``type_``."""
        if isinstance(type_, Named):
            definition = self._model.definition(type_.key)
            name = self._model.names[type_.key]
            if isinstance(definition, MessageDefinition):
                self._import(type_.key, name)
                return f"{name}.from_wire"
            if isinstance(definition, UnionDefinition):
                self._import(type_.key, _union_function(name))
                return _union_function(name)
        if type_ not in self._known:
            self._known[type_] = self._free_name(f"_decode_{self._slug(type_)}")
            self.helpers[self._known[type_]] = self._helper(type_, self._known[type_])
        return self._known[type_]

    def _bound(self, decoder: str) -> str:
        """Return a global of the module for a class method, which saves binding it at each call."""
        class_name, dot, method = decoder.partition(".")
        if not dot:
            return decoder
        return self.bound.setdefault(decoder, f"_{snake_case(class_name)}_{method}")

    def encoded(self, type_: Type, value: str) -> str:
        """Return an expression that encodes the expression ``value``; the same expression if nothing has to be done."""
        if isinstance(type_, Named):
            is_text = isinstance(self._model.definition(type_.key), EnumDefinition)
            return value if is_text else f"{value}.to_wire()"
        if isinstance(type_, Nullable):
            inner = self.encoded(type_.inner, value)
            return value if inner == value else f"None if {value} is None else {inner}"
        if isinstance(type_, ArrayType):
            inner = self.encoded(type_.item, "item")
            if inner == "item":
                return value
            return f"encode_list({value})" if inner == "item.to_wire()" else f"[{inner} for item in {value}]"
        if isinstance(type_, MapType):
            inner = self.encoded(type_.value, "item")
            if inner == "item":
                return value
            return (
                f"encode_map({value})"
                if inner == "item.to_wire()"
                else f"{{key: {inner} for key, item in {value}.items()}}"
            )
        if isinstance(type_, TupleType):
            return f"[{', '.join(self.encoded(item, f'{value}[{index}]') for index, item in enumerate(type_.items))}]"
        if isinstance(type_, Choice):
            return self._encoded_choice(type_, value)
        return value

    def _encoded_choice(self, type_: Choice, value: str) -> str:
        expression = value
        for member in reversed(type_.members):
            encoded = self.encoded(member, value)
            if encoded != value:
                test = {ArrayType: "list", MapType: "dict", TupleType: "tuple"}.get(
                    type(member), "(Message, Unknown)"
                )
                expression = f"{encoded} if isinstance({value}, {test}) else {expression}"
        return expression

    # --- helpers ------------------------------------------------------------------------------------------------

    def _helper(self, type_: Type, name: str) -> Helper:
        hint = self._model.hint(type_)
        expected = self.expected(type_)
        scalar = self._scalar(type_)
        if scalar is not None:
            return Helper(
                name=name, kind="scalar", hint=hint, expected=expected, tests=(_TESTS[scalar.kind].format("data"),),
                integer=scalar.kind == "integer", checks=self._checks(type_, "data", "path"),
            )  # fmt: skip
        if isinstance(type_, Nullable):
            inner = () if type_.inner == Choice(()) else (self.decoder(type_.inner),)
            return Helper(name=name, kind="nullable", hint=hint, expected=expected, items=inner)
        if isinstance(type_, ArrayType):
            return Helper(
                name=name, kind="array", hint=hint, expected=expected, items=self._inside(type_.item),
                tests=self._fast_test(type_.item), checks=_count_checks(type_),
            )  # fmt: skip
        if isinstance(type_, MapType):
            return Helper(
                name=name, kind="map", hint=hint, expected=expected, items=self._inside(type_.value),
                tests=self._fast_test(type_.value),
            )  # fmt: skip
        if isinstance(type_, TupleType):
            decoders = tuple(self.decoder(item) for item in type_.items)
            return Helper(name=name, kind="tuple", hint=hint, expected=expected, items=decoders)
        if isinstance(type_, Choice):
            return Helper(
                name=name, kind="choice", hint=hint, expected=expected,
                items=tuple(self.decoder(member) for member in type_.members),
                tests=tuple(self._json_test(member) for member in type_.members),
            )  # fmt: skip
        return Helper(name=name, kind="any", hint="Any", expected=expected)

    def _inside(self, item: Type) -> tuple[str, ...]:
        """Return the decoder of what is inside a container; nothing for values that are kept as they are."""
        return () if isinstance(item, AnyType) or self._fast_test(item) else (self.decoder(item),)

    def _fast_test(self, item: Type) -> tuple[str, ...]:
        """Return what refuses an item, and words for it, if items that pass are kept as they are."""
        if isinstance(item, Scalar) and item.kind != "integer" and item.limits == Limits():
            return (_MISFITS[item.kind], _WORDS[item.kind])
        return ()

    def _json_test(self, member: Type) -> str:
        """Return an expression that selects a member of a choice by the JSON type of ``data``."""
        scalar = self._scalar(member)
        if scalar is not None:
            kind = "number" if scalar.kind == "integer" else scalar.kind  # 3.0 is an integer
            return _TESTS[kind].format("data")
        return "type(data) is list" if isinstance(member, (ArrayType, TupleType)) else "type(data) is dict"

    def _checks(self, type_: Type, value: str, path: str) -> tuple[Check, ...]:
        """Return the statements by which strict mode judges a scalar that has the right type."""
        if isinstance(type_, Named):
            members = f"{constant_case(self._model.names[type_.key])}_MEMBERS"
            self._import(type_.key, members)
            return (Check(statement=f"decoding.check_enum({path}, {value}, {members})"),)
        if not isinstance(type_, Scalar):
            return ()
        limits, checks = type_.limits, []
        if limits.choices and type_.kind == "string":
            members = f"frozenset({literal(tuple(sorted(map(str, limits.choices))))})"
            checks.append(Check(statement=f"decoding.check_enum({path}, {value}, {members})"))
        elif limits.choices:
            words = literal("one of " + ", ".join(map(str, limits.choices)))
            deviation = f"decoding.deviation({path}, {words}, {value})"
            checks.append(Check(statement=deviation, condition=f"{value} not in {literal(limits.choices)}"))
        bounds = _keywords(limits, "minimum", "maximum", "exclusive_minimum", "exclusive_maximum")
        if bounds and type_.kind in ("integer", "number"):
            checks.append(Check(statement=f"decoding.check_bounds({path}, {value}, {bounds})"))
        text = _keywords(limits, minimum="min_length", maximum="max_length")
        if limits.pattern is not None:
            self.imports.add("re")
            text = ", ".join(filter(None, (text, f"pattern=re.compile({literal(limits.pattern)})")))
        if text and type_.kind == "string":
            checks.append(Check(statement=f"decoding.check_text({path}, {value}, {text})"))
        return tuple(checks)

    # --- names --------------------------------------------------------------------------------------------------

    def _slug(self, type_: Type) -> str:
        if isinstance(type_, Scalar):
            return type_.kind
        if isinstance(type_, Nullable):
            return f"nullable_{self._slug(type_.inner)}" if type_.inner != Choice(()) else "null"
        if isinstance(type_, ArrayType):
            return f"array_of_{self._slug(type_.item)}"
        if isinstance(type_, MapType):
            return f"map_of_{self._slug(type_.value)}"
        if isinstance(type_, TupleType):
            return f"tuple_of_{'_and_'.join(map(self._slug, type_.items))}"
        if isinstance(type_, Choice):
            return "_or_".join(map(self._slug, type_.members))
        return snake_case(self._model.names[type_.key]) if isinstance(type_, Named) else "any"

    def _free_name(self, wanted: str) -> str:
        name, number = wanted, 1
        while name in self._known.values():
            number += 1
            name = f"{wanted}_{number}"
        return name

    def _import(self, key: str, name: str) -> None:
        module = self._model.module_of[key]
        if module != self._module:
            self.imports.add(".".join((self._model.package, *module, name)))


def _union_function(name: str) -> str:
    return f"decode_{snake_case(name)}"


def _keywords(limits: Limits, *names: str, **renamed: str) -> str:
    """Write the limits that are set as keyword arguments."""
    pairs = [(name, name) for name in names] + list(renamed.items())
    found = [(keyword, getattr(limits, name)) for keyword, name in pairs]
    return ", ".join(f"{keyword}={value!r}" for keyword, value in found if value is not None)


def _count_checks(type_: ArrayType) -> tuple[Check, ...]:
    bounds = [("<", "least", type_.min_items), (">", "most", type_.max_items)]
    return tuple(
        Check(
            statement=f"decoding.deviation(path, 'an array of at {word} {count} items', data)",
            condition=f"len(data) {sign} {count}",
        )
        for sign, word, count in bounds
        if count is not None
    )
