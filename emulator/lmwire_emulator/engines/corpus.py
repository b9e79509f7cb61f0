"""The text that the small model is made of: the primer, and what this Python brings along about itself.

``pydoc_data.topics``, the language reference that ``help()`` shows, is the same on every platform, and for one
version of Python it never changes. Where it is missing (stripped installs), docstrings of modules written in Python
take its place; where those are missing too (``-OO``), the primer is all there is.
"""

from __future__ import annotations

import importlib
import inspect
import re
from collections.abc import Iterable, Iterator
from typing import Final

from lmwire_emulator.engines.primer import PRIMER

__all__ = ["documents"]

_CHARACTERS: Final = 150_000
# Each paragraph of the primer counts as so many: it is good English, and there is little of it.
_PRIMER_WEIGHT: Final = 3
# Short paragraphs of a text are put together until they are this long, or the model would end too soon.
_DOCUMENT: Final = 300
_DOCUMENTED_MODULES: Final = (
    "argparse",
    "collections",
    "contextlib",
    "datetime",
    "email.message",
    "logging",
    "random",
    "string",
)
_BLANK_LINES: Final = re.compile(r"\n\s*\n")
_SENTENCE_END: Final = re.compile(r"(?<=[a-z)][.?!]) (?=[A-Z])")
# A sentence of prose: words, none of the signs of programs, grammars and tables.
_PROSE: Final = re.compile(r"[A-Z](?:[A-Za-z0-9 ,;:'()-]|[.](?=\w))+[.?!]")
_EMPHASIS: Final = re.compile(r'["*“”]')
_SHORTEST: Final = 30


def documents() -> list[str]:
    """Return the paragraphs of the model's text, the same ones in the same order each time."""
    chosen = _paragraphs(PRIMER) * _PRIMER_WEIGHT
    left = _CHARACTERS
    seen: set[str] = set()
    for text in _python_texts():
        document = ""
        for paragraph in _prose_of(text):
            if paragraph not in seen:
                seen.add(paragraph)
                document = f"{document} {paragraph}".lstrip()
            if len(document) >= _DOCUMENT:
                chosen.append(document)
                left -= len(document)
                document = ""
        if document:
            chosen.append(document)
            left -= len(document)
        if left <= 0:
            break
    return chosen


def _prose_of(text: str) -> Iterator[str]:
    """The sentences of prose, paragraph by paragraph."""
    plain = _EMPHASIS.sub("", text).replace("\N{RIGHT SINGLE QUOTATION MARK}", "'")
    for paragraph in _paragraphs(plain):
        prose = " ".join(filter(_is_prose, _SENTENCE_END.split(paragraph)))
        if prose:
            yield prose


def _python_texts() -> Iterator[str]:
    try:
        topics: dict[str, str] = importlib.import_module("pydoc_data.topics").topics
    except (ImportError, AttributeError):
        yield from _docstrings(_DOCUMENTED_MODULES)
    else:
        yield from (topics[name] for name in sorted(topics))


def _docstrings(modules: Iterable[str]) -> Iterator[str]:
    for name in modules:
        try:
            module = importlib.import_module(name)
        except ImportError:  # a stripped install; the other modules do
            continue
        for _, thing in sorted(vars(module).items()):
            if inspect.isclass(thing) or inspect.isfunction(thing):
                things = (
                    [thing, *(vars(thing)[key] for key in sorted(vars(thing)))]
                    if inspect.isclass(thing)
                    else [thing]
                )
                yield from (text for text in map(inspect.getdoc, things) if text)


def _paragraphs(text: str) -> list[str]:
    return [" ".join(paragraph.split()) for paragraph in _BLANK_LINES.split(text) if paragraph.strip()]


def _is_prose(sentence: str) -> bool:
    return len(sentence) >= _SHORTEST and "  " not in sentence and _PROSE.fullmatch(sentence) is not None
