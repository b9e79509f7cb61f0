"""Renders the options: the package ``config`` with settings, tables, dicts and a lazy facade."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from pathlib import PurePosixPath
from typing import Any, Final

import jinja2

from lmwire_codegen.options import OptionPackage

__all__ = ["OPTIONS_PACKAGE", "render_options"]

OPTIONS_PACKAGE: Final = "config"
"""Name of the package of options below the generated one."""


def render_options(
    package: str, environment: jinja2.Environment, header: Callable[..., str], options: OptionPackage
) -> dict[PurePosixPath, str]:
    """Return the files by path relative to the generated package.

    Args:
        package: Import name of the generated package.
        environment: Of the templates.
        header: Makes the comment that begins a file, of the names of its sources.
        options: What the option files say.
    """
    templates: Any = environment.get_template("options.jinja2").module
    records = [name for setting in options.settings for name in (setting.name, setting.record)]
    modules = {"settings": records, "dicts": _dicts(options)}
    modules |= {table.module: [table.constant, table.config_class] for table in options.tables}
    text = {
        "settings": templates.settings_module(package, options.settings, sorted(records)),
        "dicts": templates.dicts_module(package, options, sorted(modules["dicts"])),
    }
    text |= {
        table.module: templates.table_module(package, table, sorted(records), sorted(modules[table.module]))
        for table in options.tables
    }
    shown = {
        name: f"{package}.{OPTIONS_PACKAGE}.{module}"
        for module, exported in modules.items()
        for name in exported
        if name not in {setting.record for setting in options.settings}
    }
    shown = dict(sorted(shown.items()))
    text["__init__"] = templates.facade(package, shown, _by_module(shown))
    sources = _sources(options)
    return {
        PurePosixPath(OPTIONS_PACKAGE, f"{module}.py"): header(*sources.get(module, options.sources)) + body
        for module, body in text.items()
    }


def _dicts(options: OptionPackage) -> list[str]:
    return [
        *(setting.dict_class for setting in options.settings),
        *(table.dict_class for table in options.tables),
    ]


def _sources(options: OptionPackage) -> Mapping[str, Iterable[str]]:
    return {table.module: [table.source] for table in options.tables}


def _by_module(exports: Mapping[str, str]) -> dict[str, list[str]]:
    modules: dict[str, list[str]] = {}
    for name, module in exports.items():
        modules.setdefault(module, []).append(name)
    return dict(sorted(modules.items()))
