"""Reads the imports of Python sources, without running them, and holds them against a table of rules.

An import is written as dots: ``from a.b import c`` is ``a.b.c``, relative ones are resolved, ``import_module("a.b")``
with a literal counts. Imports inside functions and under ``TYPE_CHECKING`` count too: a layer that is only named in
hints, or only late, is still a layer that is known.
"""

from __future__ import annotations

import ast
import functools
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath

import attrs


@attrs.frozen(kw_only=True)
class Rule:
    """What files of one layer may import.

    Attributes:
        files: Patterns of paths below the checkout; ``**`` stands for any folders.
        because: The layer, in a few words; printed with a breach.
        only: All that these files may import, as leading modules; None: anything.
        never: Modules that these files, and all below them, must not import.
    """

    files: tuple[str, ...]
    because: str
    only: tuple[str, ...] | None = None
    never: tuple[str, ...] = ()


@attrs.frozen
class Import:
    """One imported name and where the import stands."""

    name: str
    line: int


def imports_of(source: str, module: str, *, is_package: bool = False) -> list[Import]:
    """All imports of a module's source; ``module`` is its dotted name, needed for relative ones."""
    found: list[Import] = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found += [Import(alias.name, node.lineno) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = _absolute(node, module, is_package)
            found += [Import(f"{base}.{alias.name}", node.lineno) for alias in node.names]
        elif isinstance(node, ast.Call):
            found += _called(node)
    return found


def _absolute(node: ast.ImportFrom, module: str, is_package: bool) -> str:
    if node.level == 0:
        return node.module or ""
    parts = module.split(".")
    parents = parts[: len(parts) - node.level + is_package]
    return ".".join([*parents, *filter(None, [node.module])])


def _called(node: ast.Call) -> Iterator[Import]:
    function = node.func
    name = (
        function.attr
        if isinstance(function, ast.Attribute)
        else function.id
        if isinstance(function, ast.Name)
        else ""
    )
    if name in {"import_module", "__import__"} and node.args:
        literal = node.args[0]
        if (
            isinstance(literal, ast.Constant)
            and isinstance(literal.value, str)
            and not literal.value.startswith(".")
        ):
            yield Import(literal.value, node.lineno)


def below(name: str, module: str) -> bool:
    """Whether a dotted name is this module or something in it."""
    return name == module or name.startswith(module + ".")


def files_of(root: Path, pattern: str) -> list[Path]:
    """The Python files below ``root`` that a pattern names, in order."""
    return sorted(path for path in root.glob(pattern) if path.suffix == ".py" and path.is_file())


def dotted(path: Path, root: Path) -> str:
    """The module name of a file whose first folder below ``root`` is a source root."""
    parts = list(path.relative_to(root).with_suffix("").parts[1:])
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


@functools.cache
def _read(path: Path, root: Path) -> tuple[Import, ...]:
    source = path.read_text(encoding="utf-8")
    return tuple(imports_of(source, dotted(path, root), is_package=path.name == "__init__.py"))


def breaches(root: Path, rules: Sequence[Rule]) -> list[str]:
    """Every import below ``root`` that breaks a rule, one line each."""
    found: list[str] = []
    for rule in rules:
        for path in dict.fromkeys(path for pattern in rule.files for path in files_of(root, pattern)):
            found += [
                f"{PurePosixPath(path.relative_to(root))}:{item.line} imports {item.name} ({rule.because})"
                for item in _read(path, root)
                if not _allowed(item.name, rule)
            ]
    return found


def _allowed(name: str, rule: Rule) -> bool:
    if any(below(name, module) for module in rule.never):
        return False
    return rule.only is None or any(below(name, module) for module in rule.only)


def private_breaches(root: Path, source_roots: Sequence[str]) -> list[str]:
    """Imports of another of our packages' private modules or names, one line each."""
    files = [path for source_root in source_roots for path in files_of(root, f"{source_root}/**/*.py")]
    ours = {dotted(path, root).split(".")[0] for path in files}
    found: list[str] = []
    for path in files:
        module = dotted(path, root)
        for item in _read(path, root):
            first, *rest = item.name.split(".")
            private = any(part.startswith("_") and not part.endswith("__") for part in rest)
            if private and first in ours and first != module.split(".")[0]:
                found.append(
                    f"{PurePosixPath(path.relative_to(root))}:{item.line} imports {item.name} (private)"
                )
    return found
