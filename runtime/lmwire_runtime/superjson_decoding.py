"""What superjson's envelopes hold: from plain JSON and its annotations to values. ``superjson`` says what that is.

The annotations are read into a tree of places first; then the values are made from the leaves to the root. A place that
holds the same object as another one takes over that one's value.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime, timezone
from typing import Any, Final, NoReturn

from lmwire_runtime.js_values import TYPED_ARRAYS, BigInt, ErrorValue, Map, RegExp, Set, TypedArray, Url
from lmwire_runtime.wire import ROOT, UNSET, DecodeError, Path, describe, pointer_of

__all__ = ["FORBIDDEN_KEYS", "REVIVERS", "decode"]

# Annotated values nested deeper than this are taken for an attack. Real ones nest a few levels.
_DEPTH: Final = 150
FORBIDDEN_KEYS: Final = frozenset({"__proto__", "constructor", "prototype"})
"""JavaScript's decoder refuses these wherever a path has them."""
_BIGINT_DIGITS: Final = 4300
_NUMBERS: Final = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf, "-0": -0.0}
_INDEX: Final = re.compile(r"0|[1-9][0-9]{0,9}", re.ASCII)
_BIGINT: Final = re.compile(r"-?[0-9]+", re.ASCII)
_DATE: Final = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?(?:Z|([+-]\d\d:\d\d))", re.ASCII)
# The pieces of a path: an escaped character, a separator, anything else. superjson 2 escapes backslashes too, and says
# so by a version.
_LEGACY_PIECES: Final = re.compile(r"\\(\.)|(\.)|([^.\\]+|\\)")
_PIECES: Final = re.compile(r"\\([.\\])|(\.)|([^.\\]+|\\)")


def decode(envelope: Any, path: Path = ROOT) -> Any:
    """Decode an envelope; UNSET, the wire's missing field, is undefined, as upstream's decoder has it.

    Raises:
        DecodeError: It is no superjson: with the JSON pointer of the part that is wrong.
    """
    if envelope is UNSET:
        return UNSET
    if type(envelope) is not dict:
        _refuse(path, "an object with the key json", envelope)
    meta = envelope.get("meta")
    if "json" not in envelope:
        return UNSET
    if meta is None:
        return envelope["json"]
    if type(meta) is not dict:
        _refuse((path, "meta"), "an object", meta)
    decoder = _Decoder(envelope["json"], (path, "json"), _PIECES if meta.get("v") == 1 else _LEGACY_PIECES)
    try:
        decoder.annotate(meta.get("values"), (path, "meta"))
        decoder.equate(meta.get("referentialEqualities"), ((path, "meta"), "referentialEqualities"))
        return decoder.value()
    except RecursionError:
        _refuse(path, "a value that is not nested beyond reason", envelope)


def _refuse(path: Path, expected: str, found: Any) -> NoReturn:
    raise DecodeError(pointer_of(path), expected, describe(found))


class _Node:
    """What the annotations say of one place: of the place itself, and of the places below it."""

    __slots__ = ("busy", "children", "done", "kind", "same_as", "value")

    def __init__(self) -> None:
        self.kind: Any = None
        self.children: dict[str, _Node] = {}
        self.same_as: tuple[Any, _Node, Path] | None = None
        self.busy = self.done = False
        self.value: Any = None

    def child(self, segment: str) -> _Node:
        return self.children.setdefault(segment, _Node())


class _Decoder:
    def __init__(self, raw: Any, path: Path, pieces: re.Pattern[str]) -> None:
        self._raw = raw
        self._path = path
        self._pieces = pieces
        self._root = _Node()

    def value(self) -> Any:
        return self._grow(self._raw, self._root, self._path)

    # Reading the annotations.

    def annotate(self, tree: Any, path: Path) -> None:
        if tree is not None:
            self._annotate(tree, self._root, (path, "values"), 0)

    def _annotate(self, tree: Any, node: _Node, path: Path, depth: int) -> None:
        if depth > _DEPTH:
            _refuse(path, f"at most {_DEPTH} levels of annotations", tree)
        branches = tree
        if type(tree) is list:
            if len(tree) not in (1, 2) or node.kind is not None:
                _refuse(path, "one annotation for each place, of a type and its parts", tree)
            node.kind = (tree[0], (path, 0))
            if len(tree) == 1:
                return
            branches, path = tree[1], (path, 1)
        if type(branches) is not dict:
            _refuse(path, "an object or an array of annotations", branches)
        for text, branch in branches.items():
            segments = self._segments(text, (path, text))
            below = node
            for segment in segments:
                below = below.child(segment)
            self._annotate(branch, below, (path, text), depth + len(segments))

    def _segments(self, text: str, path: Path) -> list[str]:
        segments = [""]
        for escaped, dot, literal in self._pieces.findall(text):
            if dot:
                segments.append("")
            else:
                segments[-1] += escaped or literal
        if len(segments) > _DEPTH:
            _refuse(path, f"a path of at most {_DEPTH} steps", text)
        if not FORBIDDEN_KEYS.isdisjoint(segments):
            _refuse(path, f"a path without {', '.join(sorted(FORBIDDEN_KEYS))}", text)
        return segments

    def equate(self, equalities: Any, path: Path) -> None:
        if equalities is None:
            return
        if type(equalities) is list:
            # The first element lists what is the same as the root, which would be a cycle.
            if len(equalities) not in (1, 2):
                _refuse(path, "an array of one or two elements", equalities)
            self._equate([], equalities[0], (path, 0))
            equalities, path = equalities[1] if len(equalities) == 2 else {}, (path, 1)
        if type(equalities) is not dict:
            _refuse(path, "an object", equalities)
        for text, others in equalities.items():
            self._equate(self._segments(text, (path, text)), others, (path, text))

    def _equate(self, segments: Sequence[str], others: Any, path: Path) -> None:
        original = self._find(segments, path)
        if type(others) is not list:
            _refuse(path, "an array of paths", others)
        for index, text in enumerate(others):
            where = (path, index)
            if type(text) is not str:
                _refuse(where, "a path", text)
            _, node, _ = self._find(self._segments(text, where), where)
            if node is not original[1]:
                node.same_as = original

    def _find(self, segments: Sequence[str], path: Path) -> tuple[Any, _Node, Path]:
        """Return the raw value at a place, the node of it, and its path; the place has to exist."""
        raw, node, here = self._raw, self._root, self._path
        for segment in segments:
            key = _key_in(raw, segment)
            if key is None:
                _refuse(path, f"a path that leads to something; {pointer_of(here)} has no {segment!r}", UNSET)
            raw, node, here = raw[key], node.child(segment), (here, key)
        return raw, node, here

    # Making the value.

    def _grow(self, raw: Any, node: _Node, path: Path) -> Any:
        here = path
        if node.same_as is not None:
            raw, node, path = node.same_as
        if node.done:
            return node.value
        if node.busy:
            _refuse(here, "no cycle: a value cannot contain itself", raw)
        node.busy = True
        value = self._with_children(raw, node, path) if node.children else raw
        if node.kind is not None:
            kind, where = node.kind
            value = _revived(kind, where, value, path)
        node.value, node.busy, node.done = value, False, True
        return value

    def _with_children(self, raw: Any, node: _Node, path: Path) -> Any:
        if type(raw) is not dict and type(raw) is not list:
            _refuse(path, "an object or an array, because parts of it are annotated", raw)
        new = raw.copy()
        for segment, child in node.children.items():
            for key, below in self._placed(raw, segment, child, path):
                new[key] = self._grow(raw[key], below, (path, key))
        return new

    def _placed(self, raw: Any, segment: str, node: _Node, path: Path) -> Iterator[tuple[Any, _Node]]:
        """Yield the keys that ``segment`` stands for; several if upstream has forgotten to escape dots in them."""
        key = _key_in(raw, segment)
        if key is not None:
            yield key, node
        elif type(raw) is dict and node.children and node.kind is None and node.same_as is None:
            for more, child in node.children.items():
                yield from self._placed(raw, f"{segment}.{more}", child, path)
        else:
            _refuse((path, segment), "something, because it is annotated", UNSET)


def _key_in(raw: Any, segment: str) -> Any:
    """Return the key of a raw object, or the index of a raw array, that a segment names; None if there is none."""
    if type(raw) is dict:
        return segment if segment in raw else None
    if type(raw) is list and _INDEX.fullmatch(segment) and int(segment) < len(raw):
        return int(segment)
    return None


def _revived(kind: Any, where: Path, value: Any, path: Path) -> Any:
    if type(kind) is list and len(kind) == 2 and kind[0] == "typed-array":
        if type(kind[1]) is not str or kind[1] not in TYPED_ARRAYS:
            _refuse((where, 1), "a typed array of JavaScript", kind[1])
        if type(value) is not list or not all(type(item) in (int, float) for item in value):
            _refuse(path, "an array of numbers", value)
        return TypedArray(kind[1], value)
    reviver = REVIVERS.get(kind) if type(kind) is str else None
    if reviver is None:
        _refuse(where, f"a type of values that superjson has ({', '.join(REVIVERS)})", kind)
    return reviver(value, path)


def _revive_date(value: Any, path: Path) -> datetime:
    found = _DATE.fullmatch(value) if type(value) is str else None
    if found is not None:
        seconds, fraction, offset = found.groups()
        text = f"{seconds}.{(fraction or '')[:6].ljust(6, '0')}{offset or '+00:00'}"
        try:
            return datetime.fromisoformat(text).astimezone(timezone.utc)
        except (ValueError, OverflowError):
            pass
    _refuse(path, "a date between the years 1 and 9999, in ISO 8601", value)


def _revive_bigint(value: Any, path: Path) -> BigInt:
    if type(value) is not str or len(value) > _BIGINT_DIGITS or not _BIGINT.fullmatch(value):
        _refuse(path, f"an integer of at most {_BIGINT_DIGITS} digits, as text", value)
    try:
        return BigInt(value)
    except ValueError:  # this Python was told to allow less
        _refuse(path, "an integer of fewer digits", value)


def _revive_number(value: Any, path: Path) -> float:
    if type(value) is not str or value not in _NUMBERS:
        _refuse(path, "NaN, Infinity, -Infinity or -0, as text", value)
    return _NUMBERS[value]


def _revive_regexp(value: Any, path: Path) -> RegExp:
    if type(value) is not str or not value.startswith("/") or value.rindex("/") == 0:
        _refuse(path, "a regular expression between slashes", value)
    body, _, flags = value[1:].rpartition("/")
    return RegExp(body, flags)


def _revive_map(value: Any, path: Path) -> Map[Any, Any]:
    if type(value) is not list:
        _refuse(path, "an array of pairs", value)
    for index, pair in enumerate(value):
        if type(pair) is not list or len(pair) != 2:
            _refuse((path, index), "a pair of key and value", pair)
    return Map((key, item) for key, item in value)


def _revive_set(value: Any, path: Path) -> Set[Any]:
    if type(value) is not list:
        _refuse(path, "an array", value)
    return Set(value)


def _revive_url(value: Any, path: Path) -> Url:
    if type(value) is not str:
        _refuse(path, "an address, as text", value)
    return Url(value)


def _revive_error(value: Any, path: Path) -> ErrorValue:
    if type(value) is not dict:
        _refuse(path, "an object", value)
    details = dict(value)
    texts = [details.pop(key, "") for key in ("name", "message")]
    for key, text in zip(("name", "message"), texts, strict=True):
        if type(text) is not str:
            _refuse((path, key), "a string", text)
    return ErrorValue(texts[0], texts[1], details)


def _revive_undefined(value: Any, path: Path) -> Any:
    return UNSET


REVIVERS: Final[dict[str, Callable[[Any, Path], Any]]] = {
    "undefined": _revive_undefined,
    "bigint": _revive_bigint,
    "Date": _revive_date,
    "Error": _revive_error,
    "regexp": _revive_regexp,
    "set": _revive_set,
    "map": _revive_map,
    "number": _revive_number,
    "URL": _revive_url,
}
"""Type in an annotation -> what makes the value, children already made; raises DecodeError."""
