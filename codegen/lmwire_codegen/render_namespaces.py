"""Renders namespaces without handles: plans of their methods, and the methods for threads and tasks."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import PurePosixPath
from typing import Any

import jinja2

from lmwire_codegen.model import Model
from lmwire_codegen.namespace_model import NamespaceSurface
from lmwire_codegen.surface_model import ClassRef

__all__ = ["namespace_exports", "render_namespace"]


def namespace_exports(model: Model, surface: NamespaceSurface) -> dict[str, str]:
    """Return the names that the namespace's facade shows beside its own -> the module that has each."""
    package = f"{model.package}.{surface.namespace.package}"
    exports = dict.fromkeys(_class_names(surface), f"{package}.methods")
    exports |= dict.fromkeys(_event_types(surface), f"{package}.plans")
    return exports


def render_namespace(
    model: Model, environment: jinja2.Environment, header: str, surface: NamespaceSurface
) -> dict[PurePosixPath, str]:
    """Return the files of one surface by path relative to the package."""
    shared: dict[str, Any] = {"header": header, "package": model.package, "surface": surface}
    plans = environment.get_template("namespace_plans.jinja2").render(
        shared,
        imports=_grouped(model, [ref for method in surface.methods for ref in method.classes], {}),
        exports=sorted([f"{method.name.upper()}_PLAN" for method in surface.methods] + _event_types(surface)),
    )
    methods = environment.get_template("namespace_methods.jinja2").render(
        shared, imports=_hint_imports(model, surface), exports=_class_names(surface)
    )
    folder = surface.namespace.package
    return {PurePosixPath(folder, "plans.py"): plans, PurePosixPath(folder, "methods.py"): methods}


def _class_names(surface: NamespaceSurface) -> list[str]:
    return [f"Async{surface.class_name}", surface.class_name]


def _event_types(surface: NamespaceSurface) -> list[str]:
    return sorted(operation.event_type for operation in surface.operations)


def _hint_imports(model: Model, surface: NamespaceSurface) -> list[tuple[str, list[str]]]:
    refs = [ref for method in surface.methods for ref in method.uses]
    refs += [ref for method in surface.methods for given in method.parameters for ref in given.uses]
    refs += [ref for operation in surface.operations for told in operation.tells for ref in told.uses]
    options = [surface.options[operation.options] for operation in surface.operations if operation.options]
    others = {
        f"{model.package}.{surface.namespace.package}.plans": _event_types(surface),
        f"{model.package}.config": [
            name for table in options for name in (table.config_class, table.dict_class)
        ],
    }
    return _grouped(model, refs, {module: names for module, names in others.items() if names})


def _grouped(
    model: Model, refs: Iterable[ClassRef], others: Mapping[str, Iterable[str]]
) -> list[tuple[str, list[str]]]:
    modules: dict[str, set[str]] = {module: set(names) for module, names in others.items()}
    for ref in refs:
        modules.setdefault(".".join((model.package, *ref.module)), set()).add(ref.name)
    return [(module, sorted(names)) for module, names in sorted(modules.items())]
