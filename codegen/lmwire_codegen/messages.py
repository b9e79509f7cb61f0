"""Renders the modules of messages: datamodel-code-generator with our template, one run for each module.

It owns the order of classes, their type hints and their imports; the plans own what the classes do. It is shown a
schema made for it, in which every name is already a Python name: a message is an object, a union is an object whose
properties are its arms, an enum is an empty object, and a last object, the tail, depends on all others and carries
the module's helper functions, the tables of unions and an endpoint's descriptor.
"""

from __future__ import annotations

import json
import warnings
from collections import defaultdict
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final, TypeGuard

import attrs
import jinja2

from lmwire_codegen.annotations import annotations_of
from lmwire_codegen.describe import describe
from lmwire_codegen.model import Endpoint, Model, ModulePath
from lmwire_codegen.naming import constant_case
from lmwire_codegen.plan import FieldPlan, ModulePlanner
from lmwire_codegen.render_cache import remembered
from lmwire_codegen.shapes import (
    AnyType,
    ArrayType,
    Choice,
    Definition,
    EnumDefinition,
    MapType,
    MessageDefinition,
    Named,
    Nullable,
    Scalar,
    TupleType,
    Type,
    UnionDefinition,
)
from lmwire_codegen.text import docstring

__all__ = ["MessageRenderer"]

_HEAD: Final = "Head_"
_TAIL: Final = "Tail_"

_ALWAYS: Final = (
    "attrs.define",
    "collections.abc.Callable",
    "collections.abc.Mapping",
    "typing.Any",
    "typing.ClassVar",
    "typing.Final",
    "typing.Literal",
    "typing.TYPE_CHECKING",
    "typing.TypeAlias",
    *(
        f"lmwire_runtime.wire.{name}"
        for name in (
            "LENIENT", "ROOT", "UNSET", "DecodeError", "Decoding", "Path", "Secret", "Unknown", "Unset", "blank",
            "encode_list", "encode_map",
        )
    ),
)  # fmt: skip
"""Imported by every module; ruff drops what a module does not use."""

_DESCRIPTORS: Final = {"rpc": "RpcDescriptor", "channel": "ChannelDescriptor", "signal": "SignalDescriptor"}


@attrs.frozen(kw_only=True)
class _Codec:
    """One codec of a descriptor, for the template."""

    part: str
    presence: str
    decoder: str = ""
    encoder: str = ""
    type_name: str = ""
    annotations: tuple[Any, ...] = ()


class MessageRenderer:
    """Renders modules of one model."""

    def __init__(self, model: Model, environment: jinja2.Environment, texts: Mapping[str, str]) -> None:
        """``texts`` maps classes to the attribute that ``str`` of them is."""
        self._model = model
        self._texts = texts
        self._bodies: Any = environment.get_template("bodies.jinja2").module
        self._endpoints = {
            endpoint.module: endpoint for space in model.namespaces for endpoint in space.endpoints
        }
        self._templates = Path(__file__).resolve().parent / "templates" / "messages"

    def render(self, module: ModulePath, header: str) -> str:
        """Return the source of ``module``, not yet formatted, beginning with ``header``."""
        work = _ModuleWork(self._model, module, self._bodies, self._texts)
        keys = self._model.modules[module]
        for key in keys:
            work.add(self._model.definition(key))
        endpoint = self._endpoints.get(module)
        names = sorted(self._public_names(keys) + ([endpoint.constant] if endpoint else []))
        work.add_head(names)
        work.add_tail(endpoint)
        with warnings.catch_warnings():
            # On Python 3.10 it says that later releases will not run there; this one, which is pinned, does.
            warnings.filterwarnings("ignore", "Running datamodel-code-generator on Python", FutureWarning)
            return self._run(work, header)

    def _public_names(self, keys: Iterable[str]) -> list[str]:
        names = []
        for key in keys:
            name = self._model.names[key]
            names.append(name)
            if isinstance(self._model.definition(key), EnumDefinition):
                names.append(f"{constant_case(name)}_MEMBERS")
        return names

    def _run(self, work: _ModuleWork, header: str) -> str:
        """Return what datamodel-code-generator makes of ``work``; its inputs are all that the text depends on."""
        imports = sorted({*_ALWAYS, *work.planner.imports, *work.imports})
        inputs = [self._model.package, header, work.definitions, work.extra, work.external, imports]
        return remembered(inputs, lambda: self._made(work, header, imports))

    def _made(self, work: _ModuleWork, header: str, imports: list[str]) -> str:
        # Imported here: it takes half a second, which `--help` and failing schemas need not pay.
        from datamodel_code_generator import generate
        from datamodel_code_generator.enums import DataModelType, InputFileType
        from datamodel_code_generator.format import PythonVersion
        from datamodel_code_generator.parser import LiteralType

        schema = {"$schema": "https://json-schema.org/draft/2020-12/schema", "$defs": work.definitions}
        result = generate(
            json.dumps(schema),
            input_file_type=InputFileType.JsonSchema,
            input_filename="module.json",
            output_model_type=DataModelType.DataclassesDataclass,
            base_class=f"{self._model.package}.message.Message",
            custom_template_dir=self._templates,
            extra_template_data=work.extra,
            external_ref_mapping=work.external,
            additional_imports=imports,
            custom_file_header=header,
            custom_class_name_generator=str,
            disable_timestamp=True,
            enum_field_as_literal=LiteralType.All,
            formatters=[],
            skip_root_model=True,
            strict_nullable=True,
            target_python_version=PythonVersion.PY_310,
            use_standard_collections=True,
            use_tuple_for_closed_arrays=True,
            use_tuple_for_fixed_items=True,
            use_union_operator=True,
        )
        if not isinstance(result, str):
            raise AssertionError(f"datamodel-code-generator gave no single module for {work.module}")
        return result


class _ModuleWork:
    """What one run of datamodel-code-generator needs."""

    def __init__(self, model: Model, module: ModulePath, bodies: Any, texts: Mapping[str, str]) -> None:
        self._model = model
        self._texts = texts
        self._bodies = bodies
        self._tables: list[str] = []
        self.module: Final = module
        self.planner: Final = ModulePlanner(model, module)
        self.imports: Final[set[str]] = set()
        self.definitions: Final[dict[str, Any]] = {}
        self.extra: Final[defaultdict[str, dict[str, Any]]] = defaultdict(dict)
        self.external: Final[dict[str, str]] = {}

    def add(self, definition: Definition) -> None:
        """Add a message, union or enum."""
        name = self._model.names[definition.key]
        words = definition.description or describe(definition)
        if isinstance(definition, MessageDefinition):
            self._add_message(definition, name, words)
        elif isinstance(definition, UnionDefinition):
            plan = self.planner.union(definition)
            arms = {f"arm{index}": self._schema(arm) for index, (_, arm) in enumerate(definition.arms)}
            self._add(
                name, arms, kind="union", docstring=docstring(words), body=str(self._bodies.union(plan)),
                quote='"' if plan.quoted else "",
            )  # fmt: skip
            self._tables.append(str(self._bodies.table(plan)))
        elif isinstance(definition, EnumDefinition):
            constant = f"{constant_case(name)}_MEMBERS"
            self._add(
                name, {}, kind="enum", body=str(self._bodies.enum(name, definition.members, constant, words))
            )

    def _add_message(self, definition: MessageDefinition, name: str, words: str) -> None:
        plan = self.planner.message(definition)
        types = {field.wire_name: field.type for field in definition.fields}
        self._add(
            name,
            {field.attribute: self._field_schema(types[field.wire_name], field) for field in plan.fields},
            kind="message",
            docstring=docstring(words, 4),
            constants=str(self._bodies.constants(plan, self._texts.get(name))),
            default={field.attribute: _default(types[field.wire_name], field) for field in plan.fields},
            docstrings={field.attribute: _field_docstring(field) for field in plan.fields},
            body=str(self._bodies.message(plan)),
        )

    def add_head(self, names: list[str]) -> None:
        """Add ``__all__``; the empty object depends on nothing and comes first."""
        has_messages = any(extra["lmwire"]["kind"] == "message" for extra in self.extra.values())
        others = dict(self.definitions)
        self.definitions.clear()
        self.definitions.update({_HEAD: {"type": "object", "properties": {}}, **others})
        self.extra[_HEAD] = {"lmwire": {"kind": "head", "body": str(self._bodies.head(names, has_messages))}}

    def add_tail(self, endpoint: Endpoint | None) -> None:
        """Add helper functions, tables of unions and the endpoint's descriptor, after everything else."""
        parts: dict[str, Any] = {}
        extra: dict[str, Any] = {"descriptor": "", "parts": [], "hints": {}}
        encoders = ""
        if endpoint is not None:
            codecs = [self._codec(endpoint, part) for part in endpoint.source.parts]
            encoders = "".join(self._encoder(endpoint, codec) for codec in codecs)
            extra |= self._descriptor(endpoint, codecs)
            for part, value in endpoint.source.parts.items():
                if value.type is not None and value.presence == "required":
                    parts[_snake(part)] = self._schema(value.type)
                elif value.type is not None:
                    parts[_snake(part)] = {"anyOf": [self._schema(value.type), {"type": "null"}]}
                else:
                    extra["hints"][_snake(part)] = "None"
        dependencies = {
            f"after{index}": {"$ref": f"#/$defs/{name}"}
            for index, name in enumerate(self.definitions)
            if name != _HEAD
        }
        helpers = "".join(str(self._bodies.helper(helper)) for helper in self.planner.helpers.values())
        extra["helpers"] = (
            helpers + encoders + str(self._bodies.bound(self.planner.bound)) + "".join(self._tables)
        )
        self._add(_TAIL, {**parts, **dependencies}, kind="tail", **extra)

    def _descriptor(self, endpoint: Endpoint, codecs: list[_Codec]) -> dict[str, Any]:
        name = _DESCRIPTORS[endpoint.source.kind]
        self.imports.update(f"lmwire_runtime.descriptors.{needed}" for needed in (name, "Codec", "VOID"))
        words = endpoint.source.description or describe(endpoint.source)
        return {
            "descriptor": name,
            "parts": [codec.part for codec in codecs],
            "constant": endpoint.constant,
            "docstring": docstring(words),
            "body": str(
                self._bodies.descriptor(
                    endpoint, codecs, {"descriptor": name, "description": " ".join(words.split())}
                )
            ),
        }

    def _codec(self, endpoint: Endpoint, part: str) -> _Codec:
        value = endpoint.source.parts[part]
        if value.type is None:
            return _Codec(part=_snake(part), presence="void")
        decoder = self.planner.decoder(value.type)
        encoder = f"_encode_{_snake(part)}"
        if isinstance(value.type, Named) and value.presence == "required":
            definition = self._model.definition(value.type.key)
            if isinstance(definition, MessageDefinition):
                encoder = f"{self._model.names[definition.key]}.to_wire"
        return _Codec(
            part=_snake(part), presence=value.presence, decoder=decoder, encoder=encoder,
            type_name=self._model.hint(value.type), annotations=self._annotations(endpoint, value.type),
        )  # fmt: skip

    def _annotations(self, endpoint: Endpoint, type_: Type) -> tuple[Any, ...]:
        return annotations_of(self._model, type_) if endpoint.source.serialization == "superjson" else ()

    def _encoder(self, endpoint: Endpoint, codec: _Codec) -> str:
        if not codec.encoder.startswith("_encode_"):
            return ""
        value = next(value for part, value in endpoint.source.parts.items() if _snake(part) == codec.part)
        type_ = value.type if value.presence == "required" or value.type is None else Nullable(value.type)
        expression = "value" if type_ is None else self.planner.encoded(type_, "value")
        return str(self._bodies.encoder(codec.encoder, self._model.hint(type_), expression))

    def _add(self, name: str, properties: Mapping[str, Any], **extra: Any) -> None:
        self.definitions[name] = {"type": "object", "properties": properties, "required": list(properties)}
        self.extra[name] = {"lmwire": extra}

    # --- the schema as datamodel-code-generator sees it ---------------------------------------------------------

    def _schema(self, type_: Type) -> dict[str, Any]:
        if isinstance(type_, Scalar):
            if type_.kind == "string" and type_.limits.choices:
                return {"anyOf": [{"enum": list(type_.limits.choices)}, {"type": "string"}]}
            return {"type": type_.kind}
        if isinstance(type_, AnyType):
            return {}
        if isinstance(type_, Nullable):
            if type_.inner == Choice(()):
                return {"type": "null"}
            return {"anyOf": [*_alternatives(self._schema(type_.inner)), {"type": "null"}]}
        if isinstance(type_, ArrayType):
            return {"type": "array", "items": self._schema(type_.item)}
        if isinstance(type_, TupleType):
            count = len(type_.items)
            items = [self._schema(item) for item in type_.items]
            return {
                "type": "array",
                "prefixItems": items,
                "items": False,
                "minItems": count,
                "maxItems": count,
            }
        if isinstance(type_, MapType):
            return {"type": "object", "additionalProperties": self._schema(type_.value)}
        if isinstance(type_, Choice):
            return {
                "anyOf": [
                    option for member in type_.members for option in _alternatives(self._schema(member))
                ]
            }
        return self._reference(type_.key)

    def _field_schema(self, type_: Type, field: FieldPlan) -> dict[str, Any]:
        """Return the schema of a field's hint up to where ``_default`` goes on."""
        return self._schema(type_.inner if _null_comes_last(type_, field) else type_)

    def _reference(self, key: str) -> dict[str, Any]:
        module, name = self._model.module_of[key], self._model.names[key]
        if module == self.module:
            return {"$ref": f"#/$defs/{name}"}
        file = "/".join(module) + ".json"
        self.external[file] = ".".join((self._model.package, *module))
        return {"$ref": f"{file}#/$defs/{name}"}


def _alternatives(schema: dict[str, Any]) -> list[dict[str, Any]]:
    options = schema.get("anyOf")
    return options if isinstance(options, list) else [schema]


def _null_comes_last(type_: Type, field: FieldPlan) -> TypeGuard[Nullable]:
    return isinstance(type_, Nullable) and type_.inner != Choice(()) and not field.required


def _default(type_: Type, field: FieldPlan) -> str:
    """Return the end of a field's hint, and its default."""
    if field.required:
        return ""
    return " | Unset | None = UNSET" if _null_comes_last(type_, field) else " | Unset = UNSET"


def _field_docstring(field: FieldPlan) -> str:
    return f"\n    {docstring(field.description, 4)}" if field.description else ""


def _snake(part: str) -> str:
    return {"toServer": "to_server", "toClient": "to_client"}.get(part, part)
