"""What no source may do, and no committed file may hold: run text as code, unpickle, and secrets."""

from __future__ import annotations

import ast
import math
import re
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Final

__all__ = ["ALLOWED_SECRETS", "CAUTIOUS", "code_runners", "secrets_in", "texts_of"]

_MODULES: Final = {"pickle", "cPickle", "dill", "shelve", "marshal", "jsonpickle", "cloudpickle"}
_FUNCTIONS: Final = {"eval", "exec", "compile", "__import__"}
_YAML: Final = {"load", "load_all", "unsafe_load", "full_load", "Loader", "UnsafeLoader", "FullLoader"}


CAUTIOUS: Final = {"codegen/lmwire_codegen/yaml_text.py": {"yaml.load"}}
"""Files that may do it, and what: that one loads with a loader that is a ``yaml.SafeLoader``, which its tests hold."""


_WORDS: Final = re.compile("|".join((*_MODULES, *_FUNCTIONS, "yaml", "builtins", "shell")))


def code_runners(source: str) -> list[str]:
    """What in a Python source runs text as code or unpickles, one line each."""
    found: list[str] = []
    if not _WORDS.search(source):
        return found  # reading the text is much quicker than parsing it
    for node in ast.walk(ast.parse(source)):
        names: list[str] = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names if alias.name.partition(".")[0] in _MODULES]
        elif isinstance(node, ast.ImportFrom) and (node.module or "").partition(".")[0] in _MODULES:
            names = [node.module or ""]
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in _FUNCTIONS:
            names = [node.func.id]
        elif isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            if (node.value.id == "yaml" and node.attr in _YAML) or node.value.id == "builtins":
                names = [f"{node.value.id}.{node.attr}"]
        elif isinstance(node, ast.keyword) and node.arg == "shell":
            names = ["shell="]
        found += [f"line {getattr(node, 'lineno', 0)}: {name}" for name in names]
    return found


# Put together from pieces, so that this file does not break its own rule.
_PATTERNS: Final = {
    "an API token": ("sk-lm-", re.compile(r"sk-lm-[A-Za-z0-9]{8}:[A-Za-z0-9]{20}")),
    "a private key": ("PRIVATE", re.compile(r"-----BEGIN [A-Z ]*PRIVATE " + r"KEY-----")),
    "a key of a service": (
        "",
        re.compile(
            r"(?<![A-Za-z0-9])(?:AKIA[0-9A-Z]{16}|gh[pousr]_[A-Za-z0-9]{36}|sk-[A-Za-z0-9]{40,}|xox[abp]-[0-9A-Za-z-]{20,}"
            r"|hf_[A-Za-z]{30,}|npm_[A-Za-z0-9]{36}|pypi-[A-Za-z0-9_-]{50,})"
        ),
    ),
    "a password in an address": ("://", re.compile(r"://[^/\s:@'\"`{}<>*]+:[^/\s:@'\"`{}<>*]{6,}@")),
    "long random text": (
        "",
        re.compile(r"(?<![A-Za-z0-9+/_.-])[A-Za-z0-9+/_-]{60,}={0,2}(?![A-Za-z0-9+/_-])"),
    ),
}
"""What a secret looks like, behind a text that is in each and quickly sought."""

ALLOWED_SECRETS: Final = {
    "tests/interop/environments/npm/asyncapi-parser-3.6.3/package-lock.json": "check sums of packages",
    "tests/interop/environments/npm/superjson-1.13.3/package-lock.json": "check sums of packages",
    "tests/interop/environments/npm/sdk-1.5.0/package-lock.json": "check sums of packages",
    "tests/interop/environments/npm/sdk-2.0.0/package-lock.json": "check sums of packages",
}
"""Files that hold what looks like random text, and why; all other patterns are sought there too."""

_HARMLESS: Final = re.compile(
    r"0123456789|abcdefghij|AbCd|example|ABCDEFGHIJ|XXXX|secret|passw|hunter2|(.)\1{7}", re.IGNORECASE
)
"""What made-up tokens of tests and documents are made of."""


def secrets_in(name: str, text: str) -> list[str]:
    """What in a committed file looks like a secret, one line each, without the secret."""
    found: list[str] = []
    for what, (needle, pattern) in _PATTERNS.items():
        if needle not in text:
            continue
        for hit in pattern.finditer(text):
            if what == "long random text" and (name in ALLOWED_SECRETS or not _is_random(hit.group())):
                continue
            if what != "a private key" and _HARMLESS.search(hit.group()):
                continue
            number = text.count("\n", 0, hit.start()) + 1
            found.append(f"{name}:{number} has what looks like {what}")
    return found


def _is_random(text: str) -> bool:
    """Whether letters are as even as chance has them; names and paths are not."""
    if not (re.search(r"[a-z]", text) and re.search(r"[A-Z]", text) and re.search(r"[0-9]", text)):
        return False
    counts = Counter(text)
    return -sum(n / len(text) * math.log2(n / len(text)) for n in counts.values()) > 4.5


def texts_of(root: Path, names: Iterable[str]) -> Iterable[tuple[str, str]]:
    """Name and text of each file that is text."""
    for name in names:
        data = (root / name).read_bytes()
        if b"\0" not in data:
            yield name, data.decode("utf-8", "replace")
