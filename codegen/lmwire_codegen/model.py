"""Fourth stage: the schema as a Python package: names, modules, and what each namespace shows its users.

This is the value that templates read, together with the plans that ``plan`` derives from it. ``Namespace`` and
``Surface`` stand side by side: the first is what the wire has, the second what hand-written ``schema/surface`` makes
of it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import PurePosixPath
from typing import Any, Final, TypeAlias

import attrs

from lmwire_codegen.load import SchemaFolder
from lmwire_codegen.naming import (
    METHOD_RESERVED,
    PARAMETER_RESERVED,
    NameBook,
    constant_case,
    field_names,
    pascal_case,
    safe_name,
    snake_case,
)
from lmwire_codegen.problems import Location, Problems
from lmwire_codegen.shapes import (
    AnyType,
    ArrayType,
    Choice,
    Definition,
    MapType,
    MessageDefinition,
    Named,
    NormalEndpoint,
    NormalPart,
    NormalSchema,
    Nullable,
    Scalar,
    TupleType,
    Type,
    UnionDefinition,
    named_in,
)

__all__ = [
    "ENVELOPE_MODULE",
    "Endpoint",
    "Model",
    "ModulePath",
    "Namespace",
    "Parameter",
    "build_model",
    "hint_of",
]

ModulePath: TypeAlias = "tuple[str, ...]"
"""A module inside the generated package: ``("llm", "endpoints", "predict")``."""

ENVELOPE_MODULE: Final[ModulePath] = ("envelope",)
_TOP_LEVEL: Final = frozenset(
    {
        "client",
        "config",
        "envelope",
        "message",
        "revision",
        "surface",
        "types",
        "Client",
        "AsyncClient",
        "UNSET",
        "Unknown",
        "Unset",
        "errors",
    }
)


@attrs.frozen(kw_only=True)
class Parameter:
    """A parameter of a stub: the field of the endpoint's parameter object that it fills."""

    name: str
    attribute: str
    type: Type
    required: bool
    description: str


@attrs.frozen(kw_only=True)
class Endpoint:
    """An endpoint with its Python names.

    Attributes:
        source: What the schema says of it.
        method: Name of its stub and handler methods, and of its module.
        constant: Name of its descriptor.
        module: The module that holds its messages and its descriptor.
        parameters: Parameters of its stub, required ones first; None if its request is void or no object.
        cancel: The packet by which a client ends the channel early.
    """

    source: NormalEndpoint
    method: str
    constant: str
    module: ModulePath
    parameters: tuple[Parameter, ...] | None
    cancel: Mapping[str, Any] | None = None

    @property
    def request(self) -> NormalPart:
        """What the client sends to begin: an rpc's parameter, a channel's or signal's creation parameter."""
        return self.source.parts["parameter" if self.source.kind == "rpc" else "creation"]


@attrs.frozen(kw_only=True)
class Namespace:
    """A namespace with its Python names.

    Attributes:
        name: The wire's name.
        package: Name of the package.
        stem: What the names of its classes begin with.
        endpoints: Its endpoints, as the schema orders them.
        exports: Every name its facade shows -> the module that has it.
    """

    name: str
    package: str
    stem: str
    endpoints: tuple[Endpoint, ...]
    exports: Mapping[str, ModulePath]

    def of_kind(self, kind: str) -> tuple[Endpoint, ...]:
        """Return its endpoints of one kind."""
        return tuple(endpoint for endpoint in self.endpoints if endpoint.source.kind == kind)


@attrs.frozen(kw_only=True)
class Model:
    """The generated package before any text of it is written.

    Attributes:
        package: Import name of the package.
        schema: What the schema says.
        names: Key of a definition -> its Python name.
        attributes: Key of a message -> wire name -> attribute name.
        modules: Module -> keys of the definitions it holds.
        module_of: Key of a definition -> its module.
        namespaces: All namespaces, by name.
        cyclic: Keys of definitions that contain themselves.
        lock: The content that the lock file should have.
    """

    package: str
    schema: NormalSchema
    names: Mapping[str, str]
    attributes: Mapping[str, Mapping[str, str]]
    modules: Mapping[ModulePath, tuple[str, ...]]
    module_of: Mapping[str, ModulePath]
    namespaces: tuple[Namespace, ...]
    cyclic: frozenset[str]
    lock: Mapping[str, str]

    def definition(self, key: str) -> Definition:
        """Return a definition by its key."""
        return self.schema.definitions[key]

    def hint(self, type_: Type | None, prefix: str = "") -> str:
        """Return the type hint of ``type_``, names of classes prefixed; no type is None."""
        return "None" if type_ is None else hint_of(type_, lambda key: prefix + self.names[key])


def hint_of(type_: Type, name: Any) -> str:
    """Return a type hint; ``name`` turns the key of a definition into what it is called."""
    if isinstance(type_, Scalar):
        plain = {"string": "str", "integer": "int", "number": "float", "boolean": "bool"}[type_.kind]
        if type_.kind == "string" and type_.limits.choices:
            return f"Literal[{', '.join(map(repr, type_.limits.choices))}] | str"
        return plain
    if isinstance(type_, AnyType):
        return "Any"
    if isinstance(type_, Nullable):
        inner = hint_of(type_.inner, name)
        return f"{inner} | None" if inner else "None"
    if isinstance(type_, ArrayType):
        return f"list[{hint_of(type_.item, name)}]"
    if isinstance(type_, TupleType):
        return f"tuple[{', '.join(hint_of(item, name) for item in type_.items) or '()'}]"
    if isinstance(type_, MapType):
        return f"dict[str, {hint_of(type_.value, name)}]"
    if isinstance(type_, Choice):
        return " | ".join(hint_of(member, name) for member in type_.members)
    return str(name(type_.key))


def build_model(
    schema: NormalSchema, folder: SchemaFolder, package: str, *, kept: Mapping[str, str] | None = None
) -> Model:
    """Decide names and modules of everything in ``schema``.

    Args:
        schema: What to name.
        folder: Where it comes from; its lock has names of old.
        package: Import name of the package.
        kept: Names that definitions would like to take over from others, by key.

    Raises:
        SchemaProblems: Names collide, or modules would have to import each other.
    """
    problems = Problems()
    places = _Places(schema, problems)
    module_of = {key: places.module_of(definition) for key, definition in schema.definitions.items()}
    modules: dict[ModulePath, list[str]] = {}
    for key, module in module_of.items():
        modules.setdefault(module, []).append(key)
    for namespace_endpoints in schema.endpoints.values():
        for endpoint in namespace_endpoints:
            modules.setdefault(places.endpoint_modules[endpoint.key], [])
    book = NameBook(folder.lock)
    names = _name_definitions(schema, places, book, kept or {}, problems)
    attributes = {
        key: _attributes(definition, problems)
        for key, definition in schema.definitions.items()
        if isinstance(definition, MessageDefinition)
    }
    reach = _Reach(schema)
    _check_module_order(module_of, reach, schema, problems)
    model = Model(
        package=package, schema=schema, names=names, attributes=attributes,
        modules={module: tuple(keys) for module, keys in sorted(modules.items())},
        module_of=module_of, namespaces=(), cyclic=reach.cyclic(), lock=book.lock(),
    )  # fmt: skip
    namespaces = tuple(
        _namespace(model, name, endpoints, places, reach, folder, problems)
        for name, endpoints in schema.endpoints.items()
    )
    problems.raise_if_any()
    return attrs.evolve(model, namespaces=namespaces)


class _Places:
    """Where in the package things stand."""

    def __init__(self, schema: NormalSchema, problems: Problems) -> None:
        self._schema = schema
        self.packages: Final = {name: safe_name(snake_case(name), _TOP_LEVEL) for name in schema.endpoints}
        self._report_equal_packages(problems)
        self.endpoint_modules: Final[dict[str, ModulePath]] = {}
        self.methods: Final[dict[str, str]] = {}
        for name, endpoints in schema.endpoints.items():
            taken: set[str] = set()
            for endpoint in endpoints:
                method = safe_name(snake_case(endpoint.name), METHOD_RESERVED)
                if method in taken:  # the same name as another kind of endpoint
                    method = f"{method}_{snake_case(endpoint.kind)}"
                if method in taken:
                    problems.add(endpoint.place, f"another endpoint's method is called {method!r} as well")
                taken.add(method)
                self.methods[endpoint.key] = method
                self.endpoint_modules[endpoint.key] = (self.packages[name], "endpoints", method)

    def _report_equal_packages(self, problems: Problems) -> None:
        owners: dict[str, str] = {}
        for name, package in self.packages.items():
            owner = owners.setdefault(package, name)
            if owner != name:
                place = Location(f"wire/namespaces/{name}.json").child("namespace")
                problems.add(place, f"{name!r} and {owner!r} both become the package {package!r}")

    def module_of(self, definition: Definition) -> ModulePath:
        """Return the module that holds a definition."""
        if definition.root in self.endpoint_modules:
            return self.endpoint_modules[definition.root]
        if definition.root.startswith("envelope/"):
            return ENVELOPE_MODULE
        return ("types", safe_name(snake_case(PurePosixPath(self._schema.files[definition.root]).stem)))

    def scope_of(self, definition: Definition) -> str:
        """Return the scope in which a definition's name must be unique: shared, the envelope, or one namespace."""
        module = self.module_of(definition)
        return "" if module[0] == "types" else module[0]


def _name_definitions(
    schema: NormalSchema, places: _Places, book: NameBook, kept: Mapping[str, str], problems: Problems
) -> dict[str, str]:
    """Name what is locked; then shared types, the envelope and each namespace, whole endpoints before their parts."""
    for name, package in places.packages.items():
        stem = pascal_case(name)
        for suffix in ("Rpc", "Channels", "Signals", "Handlers", "Namespace"):
            for prefix in ("", "Async"):
                taken = f"{prefix}{stem}{suffix}"
                book.claim(
                    package, f"{name}/{taken}", [taken], Location(f"wire/namespaces/{name}.json"), problems
                )
    reserved = dict(book.names)
    ordered = sorted(
        schema.definitions.items(),
        key=lambda item: (
            book.order(item[0], item[1].names), places.scope_of(item[1]), item[0] != item[1].root,
            item[0].count("["), item[0],
        ),
    )  # fmt: skip
    names = {}
    for key, definition in ordered:
        candidates = [*([kept[key]] if key in kept else ()), *definition.names]
        if key != definition.root:  # it has no name of its own, so any will do
            candidates.append(f"{definition.names[-1]}Inline")
        names[key] = book.claim(places.scope_of(definition), key, candidates, definition.place, problems)
    for key in reserved:
        book.names.pop(key)
    return names


def _attributes(definition: MessageDefinition, problems: Problems) -> dict[str, str]:
    place = definition.place.child("properties")
    return field_names(definition.order, place, problems)


class _Reach:
    """Which definitions use which."""

    def __init__(self, schema: NormalSchema) -> None:
        self.direct: Final = {
            key: tuple(_used_by(definition)) for key, definition in schema.definitions.items()
        }

    def closure(self, keys: Iterable[str]) -> set[str]:
        """Return ``keys`` and everything that they use."""
        reached: set[str] = set()
        todo = list(keys)
        while todo:
            key = todo.pop()
            if key not in reached:
                reached.add(key)
                todo += self.direct.get(key, ())
        return reached

    def cyclic(self) -> frozenset[str]:
        """Return the keys of definitions that contain themselves."""
        return frozenset(key for key, used in self.direct.items() if key in self.closure(used))


def _used_by(definition: Definition) -> Iterator[str]:
    if isinstance(definition, MessageDefinition):
        for field in definition.fields:
            yield from named_in(field.type)
    elif isinstance(definition, UnionDefinition):
        for _, arm in definition.arms:
            yield arm.key


def _check_module_order(
    module_of: Mapping[str, ModulePath], reach: _Reach, schema: NormalSchema, problems: Problems
) -> None:
    """Report modules that would import each other in a circle."""
    uses: dict[ModulePath, dict[ModulePath, str]] = {}
    for key, used in reach.direct.items():
        for target in {module_of[other] for other in used} - {module_of[key]}:
            uses.setdefault(module_of[key], {}).setdefault(target, key)
    for module in sorted(uses):
        reached: set[ModulePath] = set()
        todo = list(uses[module])
        while todo:
            step = todo.pop()
            if step not in reached:
                reached.add(step)
                todo += uses.get(step, {})
        if module in reached:
            guilty = min(user for target, user in uses[module].items() if target in reached)
            place = schema.definitions[guilty].place
            problems.add(place, "its file and another one refer to each other; put these types into one file")


def _namespace(
    model: Model, name: str, sources: Iterable[NormalEndpoint], places: _Places, reach: _Reach,
    folder: SchemaFolder, problems: Problems,
) -> Namespace:  # fmt: skip
    package, stem = places.packages[name], pascal_case(name)
    endpoints = tuple(_endpoint(model, source, places, folder, problems) for source in sources)
    exports: dict[str, ModulePath] = {}
    used: list[str] = []
    for endpoint in endpoints:
        exports[endpoint.constant] = endpoint.module
        for part in endpoint.source.parts.values():
            used += named_in(part.type) if part.type is not None else ()
    exports |= {model.names[key]: model.module_of[key] for key in reach.closure(used)}
    for kind, suffix in (("rpc", "Rpc"), ("channel", "Channels"), ("signal", "Signals")):
        if any(endpoint.source.kind == kind for endpoint in endpoints):
            exports |= {f"{prefix}{stem}{suffix}": (package, "stubs") for prefix in ("", "Async")}
    exports[f"{stem}Handlers"] = (package, "handlers")
    exports["NAMESPACE"] = (package, "descriptor")
    return Namespace(
        name=name, package=package, stem=stem, endpoints=endpoints, exports=dict(sorted(exports.items()))
    )


def _endpoint(
    model: Model, source: NormalEndpoint, places: _Places, folder: SchemaFolder, problems: Problems
) -> Endpoint:
    method = places.methods[source.key]
    endpoint = Endpoint(
        source=source,
        method=method,
        constant=safe_name(constant_case(method.rstrip("_")), {"NAMESPACE"}),
        module=places.endpoint_modules[source.key],
        parameters=None,
        cancel=_cancel(model, source, folder.repairs.cancel_tags),
    )
    return attrs.evolve(endpoint, parameters=_parameters(model, endpoint, places, problems))


def _parameters(
    model: Model, endpoint: Endpoint, places: _Places, problems: Problems
) -> tuple[Parameter, ...] | None:
    request = endpoint.request
    if not isinstance(request.type, Named) or request.presence != "required":
        return None
    definition = model.definition(request.type.key)
    if not isinstance(definition, MessageDefinition):
        return None
    reserved = PARAMETER_RESERVED | {places.packages[endpoint.source.namespace]}
    attributes = model.attributes[definition.key]
    parameters = [
        Parameter(
            name=safe_name(attributes[field.wire_name], reserved),
            attribute=attributes[field.wire_name],
            type=field.type,
            required=field.required,
            description=field.description,
        )
        for field in definition.fields
    ]
    names = [parameter.name for parameter in parameters]
    for name in sorted({name for name in names if names.count(name) > 1}):
        problems.add(definition.place, f"two parameters of the stub would be called {name!r}")
    return tuple(sorted(parameters, key=lambda parameter: not parameter.required))


def _cancel(model: Model, source: NormalEndpoint, tags: Iterable[str]) -> Mapping[str, Any] | None:
    """Return the packet that ends a channel early: the first of ``tags`` that its to-server union has."""
    part = source.parts.get("toServer")
    if part is None or not isinstance(part.type, Named):
        return None
    definition = model.definition(part.type.key)
    if not isinstance(definition, UnionDefinition):
        return None
    arms = dict(definition.arms)
    for tag in tags:
        arm = model.definition(arms[tag].key) if tag in arms else None
        if isinstance(arm, MessageDefinition) and not any(field.required for field in arm.fields):
            return {field.wire_name: field.value for field in arm.tags}
    return None
