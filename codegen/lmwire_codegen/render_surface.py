"""Renders the friendly side of namespaces: plans of loads and streams, and handles for threads and tasks."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import PurePosixPath
from typing import Any

import jinja2

from lmwire_codegen.model import Model
from lmwire_codegen.surface_model import ClassRef, Surface

__all__ = ["render_surface", "surface_exports"]


def surface_exports(model: Model, surface: Surface) -> dict[str, str]:
    """Return the names that the namespace's facade shows beside its own -> the module that has each."""
    package = f"{model.package}.{surface.namespace.package}"
    exports = dict.fromkeys(_handle_names(surface), f"{package}.handles")
    if surface.text is not None:
        exports[surface.text.event_type] = f"{package}.plans"
    return exports


def render_surface(
    model: Model, environment: jinja2.Environment, header: str, surface: Surface
) -> dict[PurePosixPath, str]:
    """Return the files of one surface by path relative to the package."""
    shared: dict[str, Any] = {
        "header": header,
        "package": model.package,
        "surface": surface,
        "stem": surface.namespace.stem,
        "tables": surface.options,
        "grouped": lambda refs: _grouped(model, refs, {}),
    }
    plans = environment.get_template("surface_plans.jinja2").render(
        shared,
        imports=_grouped(model, [] if surface.text is None else [surface.text.fragment, *surface.events], {}),
        exports=_plan_names(surface),
        callbacks={}
        if surface.text is None
        else {kept.name: kept.callback for kept in surface.text.collected},
    )
    handles = environment.get_template("surface_handles.jinja2").render(
        shared, imports=_handle_imports(model, surface), exports=_handle_names(surface)
    )
    folder = surface.namespace.package
    return {PurePosixPath(folder, "plans.py"): plans, PurePosixPath(folder, "handles.py"): handles}


def _plan_names(surface: Surface) -> list[str]:
    plans = [f"{stream.name}_plan" for stream in surface.streams]
    plans += [f"{load.name}_plan" for load in surface.loads]
    others = ["chat"] if surface.chat else []
    others += ["message", surface.text.event_type] if surface.text else []
    calls = [name for name, _ in surface.plans]
    refuses = [f"{stream.name.upper()}_REFUSES" for stream in surface.streams]
    return sorted(["SPECIFIER", *plans, *others, *calls, *refuses])


def _handle_names(surface: Surface) -> list[str]:
    text = surface.text
    both = [
        surface.handle,
        f"{surface.handle}Load",
        f"{surface.namespace.stem}Models",
        *([] if text is None else [text.stream_class]),
    ]
    results = [] if text is None else [text.result_class]
    return sorted([*both, *(f"Async{name}" for name in both), *results])


def _handle_imports(model: Model, surface: Surface) -> list[tuple[str, list[str]]]:
    refs: list[ClassRef] = [
        surface.specifier_type,
        *(ref for method in (*surface.methods, *surface.calls) for ref in method.uses),
        *(input.type for _, call in surface.plans for input in call.inputs if input.type is not None),
    ]
    if surface.downloaded is not None:
        refs.append(surface.downloaded.type)
    others = {f"{model.package}.client": ["AsyncClient", "Client"]}
    if surface.text is not None:
        refs += [surface.text.fragment, surface.text.message.type]
        refs += [ref for field in surface.text.results if not field.reads for ref in field.hints]
        refs += [kept.type for kept in surface.text.collected]
        others[f"{model.package}.{surface.namespace.package}.plans"] = [surface.text.event_type]
    refs += [stream.tools.type for stream in surface.streams if stream.tools is not None]
    config = [name for table in surface.options.values() for name in (table.config_class, table.dict_class)]
    return _grouped(model, refs, {f"{model.package}.config": config, **others})


def _grouped(
    model: Model, refs: Iterable[ClassRef], others: Mapping[str, Iterable[str]]
) -> list[tuple[str, list[str]]]:
    modules: dict[str, set[str]] = {module: set(names) for module, names in others.items()}
    for ref in refs:
        modules.setdefault(".".join((model.package, *ref.module)), set()).add(ref.name)
    return [(module, sorted(names)) for module, names in sorted(modules.items())]
