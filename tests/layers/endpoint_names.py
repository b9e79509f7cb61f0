"""Finds names of endpoints in sources that must work for any protocol."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterable, Iterator
from pathlib import Path, PurePosixPath

KINDS = ("rpc", "channel", "signal", "writableSignal")
_WORD = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def endpoint_names(schema: Path) -> set[str]:
    """The names of all endpoints in ``schema/wire/namespaces/*.json``."""
    names: set[str] = set()
    for path in schema.glob("wire/namespaces/*.json"):
        namespace = json.loads(path.read_text(encoding="utf-8"))
        for kind in KINDS:
            names.update(namespace.get(kind, {}))
    return names


def mentions(root: Path, files: Iterable[Path], names: set[str]) -> list[str]:
    """Strings that are an endpoint's name, or hold one that no ordinary word looks like (getModelInfo), one line each.

    Docstrings are left out: an example in prose binds nothing.
    """
    telling = {name for name in names if not name.islower()}
    found: list[str] = []
    for path in files:
        where = PurePosixPath(path.relative_to(root))
        for text, line in _strings(ast.parse(path.read_text(encoding="utf-8"))):
            hits = {text} & names | set(_WORD.findall(text)) & telling
            found += [f"{where}:{line} names the endpoint {name}" for name in sorted(hits)]
    return found


def _strings(tree: ast.Module) -> Iterator[tuple[str, int]]:
    prose = {
        id(node.value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in prose:
            yield node.value, node.lineno
