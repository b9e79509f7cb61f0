"""superjson: the envelope ``{"json": ..., "meta": ...}`` in which some endpoints send more than JSON can say.

``json`` is a plain rendering. ``meta.values`` names, by dotted paths, the parts that stand for something else; the
values are those of ``js_values``. ``meta.referentialEqualities`` names places that hold one and the same object.

``decode`` and ``encode`` are inverse to each other. ``plain`` and ``enriched`` lead between values and what the schema
of a superjson endpoint describes, which is the plain rendering: a Map is a list of pairs there, a Date is text. Where
that leaves open what is meant (a Map and an array of pairs look the same), the endpoint's codecs have *annotations*.
``opened`` and ``enveloped`` put both together for codecs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any, Final, TypeAlias

from lmwire_runtime.js_values import BigInt, Map, Set
from lmwire_runtime.superjson_decoding import REVIVERS, decode
from lmwire_runtime.superjson_encoding import encode, encode_scalar
from lmwire_runtime.wire import ROOT, UNSET, DecodeError, Path, describe, pointer_of

__all__ = ["Annotations", "decode", "encode", "enriched", "enveloped", "opened", "plain"]

Annotations: TypeAlias = "tuple[tuple[tuple[str | int | None, ...], str], ...]"
"""Where the plain rendering stands for something else: path -> ``map``, ``set``, ``Date`` or ``bigint``. None in a
path is every element of an array, or every value of an object.
"""


def plain(value: Any) -> Any:
    """Return the plain rendering of a value, as the endpoint's schema describes it.

    Keys whose value is undefined are left out, undefined elements of arrays become null; bigints become integers, and
    NaN and the infinities stay floats. Undefined itself stays UNSET.

    Raises:
        RecursionError: It is nested too deeply.
    """
    kind = type(value)
    if kind is dict:
        return {key: plain(item) for key, item in value.items() if item is not UNSET}
    if kind in (list, tuple, Set, set, frozenset):
        return [_element(item) for item in value]
    if kind is Map:
        return [[_element(part) for part in pair] for pair in value.pairs()]
    if kind is BigInt:
        return int(value)
    if kind in (str, int, float, bool) or value is None or value is UNSET:
        return value
    return encode_scalar(value)[0]


def _element(item: Any) -> Any:
    return None if item is UNSET else plain(item)


def opened(envelope: Any, path: Path = ROOT) -> Any:
    """Return the plain rendering of what an envelope holds; raises as ``decode`` does."""
    try:
        return plain(decode(envelope, path))
    except RecursionError:
        raise DecodeError(
            pointer_of(path), "a value that is not nested beyond reason", describe(envelope)
        ) from None


def enveloped(value: Any, annotations: Annotations) -> dict[str, Any]:
    """Return the envelope of a plain rendering; UNSET is undefined. Raises as ``encode`` and ``enriched`` do."""
    return encode(enriched(value, annotations))


class _Node:
    """The annotations of one place, and of the places below it."""

    __slots__ = ("children", "kind")

    def __init__(self) -> None:
        self.kind: str | None = None
        self.children: dict[str | int | None, _Node] = {}


_NOTHING: Final = _Node()


def enriched(value: Any, annotations: Annotations) -> Any:
    """Return the value that a plain rendering stands for at an endpoint with these annotations.

    Raises:
        ValueError: Text that has to be a date is none.
    """
    root = _Node()
    for path, kind in annotations:
        node = root
        for segment in path:
            node = node.children.setdefault(segment, _Node())
        node.kind = kind
    return _enriched(value, root) if annotations else value


def _enriched(value: Any, node: _Node) -> Any:
    if node.children and type(value) is dict:
        value = {key: _enriched(item, child) for key, item, child in _below(value.items(), node)}
    elif node.children and type(value) is list:
        value = [_enriched(item, child) for _, item, child in _below(enumerate(value), node)]
    fitting = _FITTING.get((node.kind, type(value)))
    return value if fitting is None else fitting(value, ROOT)


def _below(items: Iterable[tuple[Any, Any]], node: _Node) -> Iterator[tuple[Any, Any, _Node]]:
    every = node.children.get(None, _NOTHING)
    for key, item in items:
        yield key, item, node.children.get(key, every)


_FITTING: Final[dict[tuple[str | None, type], Callable[[Any, Path], Any]]] = {
    ("map", list): REVIVERS["map"],
    ("set", list): REVIVERS["set"],
    ("Date", str): REVIVERS["Date"],
    ("bigint", int): lambda value, path: BigInt(value),
}
