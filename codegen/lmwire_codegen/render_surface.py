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
    module = f"{model.package}.{surface.namespace.package}.handles"
    return dict.fromkeys(_handle_names(surface), module)


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
    }
    plans = environment.get_template("surface_plans.jinja2").render(
        shared, imports=_plan_imports(model, surface), exports=_plan_names(surface)
    )
    handles = environment.get_template("surface_handles.jinja2").render(
        shared, imports=_handle_imports(model, surface), exports=_handle_names(surface)
    )
    folder = surface.namespace.package
    return {PurePosixPath(folder, "plans.py"): plans, PurePosixPath(folder, "handles.py"): handles}


def _plan_names(surface: Surface) -> list[str]:
    streams = [stream.name.upper() for stream in surface.streams]
    plans = [f"{name}_PLAN" for name in (*streams, *(load.name.upper() for load in surface.loads))]
    return sorted(["SPECIFIER", *plans, *(f"{name}_REFUSES" for name in streams)])


def _handle_names(surface: Surface) -> list[str]:
    both = [
        surface.handle,
        f"{surface.namespace.stem}Models",
        *(stream.stream_class for stream in surface.streams),
    ]
    results = [stream.result_class for stream in surface.streams]
    return sorted([*both, *(f"Async{name}" for name in both), *results])


def _plan_imports(model: Model, surface: Surface) -> list[tuple[str, list[str]]]:
    refs: list[ClassRef] = [ref for load in surface.loads for ref in load.classes]
    for stream in surface.streams:
        decoder = ClassRef(name=stream.message_decoder.partition(".")[0], module=stream.message_type.module)
        refs += [stream.message_type, decoder]
        refs += [ref for attempt in stream.attempts for ref in attempt.classes]
    return _grouped(model, refs, {})


def _handle_imports(model: Model, surface: Surface) -> list[tuple[str, list[str]]]:
    refs: list[ClassRef] = [
        surface.specifier_type,
        *(ref for method in surface.methods for ref in method.uses),
    ]
    for stream in surface.streams:
        refs += [stream.fragment, stream.message_type]
        refs += [field.hint for field in stream.results if not field.reads]
    config = [name for table in surface.options.values() for name in (table.config_class, table.dict_class)]
    return _grouped(model, refs, {f"{model.package}.config": config})


def _grouped(
    model: Model, refs: Iterable[ClassRef], others: Mapping[str, Iterable[str]]
) -> list[tuple[str, list[str]]]:
    modules: dict[str, set[str]] = {module: set(names) for module, names in others.items()}
    for ref in refs:
        modules.setdefault(".".join((model.package, *ref.module)), set()).add(ref.name)
    return [(module, sorted(names)) for module, names in sorted(modules.items())]
