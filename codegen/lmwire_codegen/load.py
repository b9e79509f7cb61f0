"""First stage: reads every file of the schema folder.

A checkout's own ``schema/`` comes before the copy that the wheel carries inside this package. Files are read as they
are; what they say is judged by ``validate``.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import attrs
import yaml

from lmwire_codegen.history import HISTORY_FILE, History
from lmwire_codegen.problems import Location, Problems
from lmwire_codegen.repairs import Repairs
from lmwire_codegen.yaml_text import load_yaml

__all__ = ["SchemaFolder", "default_schema_folder", "is_shipped", "load", "load_repairs"]

_PACKAGE: Final = Path(__file__).resolve().parent


def default_schema_folder() -> Path:
    """Return the ``schema/`` of the checkout that this package runs from, else the copy inside the package."""
    checkout = _PACKAGE.parent.parent / "schema"
    return checkout if (checkout / "revision.json").is_file() else _PACKAGE / "schema"


def is_shipped(root: Path) -> bool:
    """Tell whether ``root`` is the copy inside the installed package, which is nobody's to change."""
    return root.resolve() == _PACKAGE / "schema"


@attrs.frozen(kw_only=True)
class SchemaFolder:
    """The parsed files.

    Attributes:
        root: The folder, for reading further files (surface) and for the lock file.
        revision: Name of the protocol revision.
        documents: Parsed JSON below ``wire/``, by path relative to ``root`` with forward slashes, sorted.
        surface: Content of ``surface/*.yaml``, by the same kind of path.
        options: Content of ``surface/options/*.yaml``, by the same kind of path.
        descriptions: Content of ``descriptions/*.yaml``, by the same kind of path.
        repairs: The table of repairs.
        lock: Structural key -> Python name.
        history: Which of the known revisions had what.
        examples: Field -> what may stand there, for example frames (``examples.yaml``).
        introductions: What begins the reference's pages, in Markdown, by the name of the page (``descriptions/*.md``).
    """

    root: Path
    revision: str
    documents: Mapping[str, Any]
    descriptions: Mapping[str, Any]
    surface: Mapping[str, Any]
    options: Mapping[str, Any]
    repairs: Repairs
    lock: Mapping[str, str]
    history: History = attrs.field(factory=History)
    examples: Mapping[str, Sequence[Any]] = attrs.field(factory=dict)
    introductions: Mapping[str, str] = attrs.field(factory=dict)


def load(root: Path) -> SchemaFolder:
    """Read the schema folder ``root``.

    Raises:
        SchemaProblems: Files are missing, cannot be parsed, or the tables among them have the wrong shape.
    """
    problems = Problems()
    if not (root / "revision.json").is_file():
        there = "is no schema folder: it has no revision.json" if root.is_dir() else "there is no such folder"
        problems.add(Location(root.as_posix()), there)
        problems.raise_if_any()
    documents = {
        path.relative_to(root).as_posix(): _read_json(root, path, problems)
        for path in sorted(root.glob("wire/**/*.json"))
    }
    descriptions = {
        path.relative_to(root).as_posix(): _read_yaml(root, path, problems)
        for path in sorted(root.glob("descriptions/*.yaml"))
    }
    surface = {
        path.relative_to(root).as_posix(): _read_yaml(root, path, problems)
        for path in sorted(root.glob("surface/*.yaml"))
    }
    options = {
        path.relative_to(root).as_posix(): _read_yaml(root, path, problems)
        for path in sorted(root.glob("surface/options/*.yaml"))
    }
    revision = _revision(root, problems)
    lock_path = root / "names.lock.json"
    lock = _read_json(root, lock_path, problems) if lock_path.exists() else {}
    if not isinstance(lock, dict) or not all(isinstance(name, str) for name in lock.values()):
        problems.add(Location("names.lock.json"), "must map keys to names")
        lock = {}
    repairs = _repairs(root, problems)
    history_path = root / HISTORY_FILE
    history = History()
    if history_path.exists():
        history = History.from_json(_read_json(root, history_path, problems), problems)
    examples = _examples(root, problems)
    problems.raise_if_any()
    return SchemaFolder(
        root=root,
        revision=revision,
        documents=documents,
        descriptions=descriptions,
        surface=surface,
        options=options,
        repairs=repairs,
        lock=lock,
        history=history,
        examples=examples,
        introductions={
            path.stem: path.read_text(encoding="utf-8") for path in sorted(root.glob("descriptions/*.md"))
        },
    )


def load_repairs(root: Path) -> Repairs:
    """Read ``repairs.yaml`` alone; a folder without one needs no repairs.

    Raises:
        SchemaProblems: The table has the wrong shape.
    """
    problems = Problems()
    repairs = _repairs(root, problems)
    problems.raise_if_any()
    return repairs


def _examples(root: Path, problems: Problems) -> dict[str, list[Any]]:
    path = root / "examples.yaml"
    content = _read_yaml(root, path, problems) if path.exists() else {}
    if not isinstance(content, dict):
        problems.add(Location(path.name), "must be a table")
        return {}
    examples = {name: values if isinstance(values, list) else [values] for name, values in content.items()}
    for name, values in examples.items():
        if not all(isinstance(value, (str, int, float)) for value in values):
            problems.add(Location(path.name).child(name), "must be a scalar, or a list of scalars")
    return examples


def _revision(root: Path, problems: Problems) -> str:
    path = root / "revision.json"
    content = _read_json(root, path, problems)
    revision = content.get("revision") if isinstance(content, dict) else None
    if not isinstance(revision, str) and content is not None:
        problems.add(Location("revision.json"), 'must be an object with a string "revision"')
    return str(revision)


def _repairs(root: Path, problems: Problems) -> Repairs:
    path = root / "repairs.yaml"
    content = _read_yaml(root, path, problems) if path.exists() else None
    if content is None:
        return Repairs()
    place = Location("repairs.yaml")
    shapes: dict[str, tuple[type, ...]] = {
        "definitions": (dict,), "serialization": (dict,), "topics": (dict,), "tolerant": (list,),
        "cancel_tags": (list,), "secrets": (list,), "patterns": (dict,),
    }  # fmt: skip
    if not isinstance(content, dict):
        problems.add(place, "must be a table")
        return Repairs()
    for key in content.keys() - shapes.keys():
        problems.add(place.child(key), "no such repair")
    for key, shape in shapes.items():
        if key in content and not isinstance(content[key], shape):
            problems.add(place.child(key), f"must be a {shape[0].__name__}")
            return Repairs()
    return Repairs(
        definitions=content.get("definitions", {}),
        serialization=content.get("serialization", {}),
        topics={
            topic: tuple(patterns or ()) for topic, patterns in content.get("topics", {"common": ()}).items()
        },
        tolerant=frozenset(content.get("tolerant", ())),
        cancel_tags=tuple(content.get("cancel_tags", ())),
        secrets=frozenset(content.get("secrets", ())),
        patterns=content.get("patterns", {}),
    )


def _read_json(root: Path, path: Path, problems: Problems) -> Any:
    place = Location(path.relative_to(root).as_posix())

    def no_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        result = dict(pairs)
        if len(result) < len(pairs):
            names = [name for name, _ in pairs]
            problems.add(place, f"duplicate keys {sorted({name for name in names if names.count(name) > 1})}")
        return result

    try:
        return json.loads(path.read_text(encoding="utf-8"), object_pairs_hook=no_duplicates)
    except (OSError, ValueError, RecursionError) as error:
        problems.add(place, f"cannot be read as JSON: {_reason(error, path)}")
        return None


def _read_yaml(root: Path, path: Path, problems: Problems) -> Any:
    try:
        return load_yaml(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, yaml.YAMLError, RecursionError) as error:
        place = Location(path.relative_to(root).as_posix())
        problems.add(place, f"cannot be read as YAML: {_reason(error, path)}")
        return None


def _reason(error: Exception, path: Path) -> str:
    """Say why a file cannot be read, without the machine's paths."""
    if isinstance(error, OSError):
        return error.strerror or type(error).__name__
    return " ".join(str(error).split()).replace(str(path), path.name)
