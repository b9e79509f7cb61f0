"""Patches by which a signal's value is kept up to date, in the form of upstream's: immer's.

A patch is ``{"op": "add" | "replace" | "remove", "path": [...], "value": ...}``; the path is an array of keys and
indices, and an empty one is the whole value. Values are JSON data, at superjson endpoints those of ``js_values``.

``apply`` never changes what it is given: what a patch touches is copied on the way to it, the rest is shared. Either
all patches apply, or none. Where JavaScript would make something up (a hole in an array, an element out of range), a
patch is refused instead: a mirror is fetched anew rather than guessed. ``diff`` makes the patches that immer would.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final, TypeAlias

from lmwire_runtime.js_values import Map, Set, same
from lmwire_runtime.wire import UNSET, describe

__all__ = ["Patch", "PatchError", "apply", "diff"]

Patch: TypeAlias = "dict[str, Any]"
Steps: TypeAlias = "tuple[Any, ...]"

_OPERATIONS: Final = ("add", "replace", "remove")
_UNSAFE: Final = ("__proto__", "constructor")


class PatchError(ValueError):
    """A patch that cannot be applied; says which one, and why."""


def apply(value: Any, patches: Sequence[Any]) -> Any:
    """Return ``value`` with all ``patches`` applied in order. What precedes a replacement of the whole is skipped.

    Setting a key to undefined (a patch without ``value``) removes it, for JSON has no such thing.

    Raises:
        PatchError: One of them is malformed, or does not fit the value.
    """
    checked = [_check(patch, index) for index, patch in enumerate(patches)]
    begin = 0
    for index, (operation, path, replacement) in enumerate(checked):
        if operation == "replace" and not path:
            value, begin = replacement, index + 1
    work = _Application(value)
    for index in range(begin, len(checked)):
        try:
            work.apply(*checked[index])
        except PatchError as error:
            operation, path, _ = checked[index]
            raise PatchError(f"patch {index} ({operation} at {_shown(path)}): {error}") from None
    return work.value


def _check(patch: Any, index: int) -> tuple[str, list[Any], Any]:
    if type(patch) is not dict:
        raise PatchError(f"patch {index} is {describe(patch)}, not an object")
    operation, path = patch.get("op"), patch.get("path")
    if operation not in _OPERATIONS or type(operation) is not str:
        raise PatchError(f"patch {index}: there is no operation {str(operation)[:50]!r}")
    if type(path) is not list:
        raise PatchError(f"patch {index}: the path is {describe(path)}, not an array")
    return operation, path, patch.get("value", UNSET)


def _shown(path: Sequence[Any]) -> str:
    return "/".join(str(step)[:50] for step in path[:20]) or "the root"


class _Application:
    """Copies each container once, however many patches touch it."""

    def __init__(self, value: Any) -> None:
        self.value = value
        # The containers that were made here, and may be changed: kept, so that their identities stay theirs.
        self._own: dict[int, Any] = {}

    def apply(self, operation: str, path: list[Any], value: Any) -> None:
        if not path:
            raise PatchError("the whole value can only be replaced")
        self.value = container = self._copied(self.value)
        for step in path[:-1]:
            container = self._descend(container, step)
        self._change(container, operation, path[-1], value)

    def _copied(self, container: Any) -> Any:
        if id(container) in self._own:
            return container
        copy: Any
        if type(container) is dict or type(container) is list:
            copy = container.copy()
        elif type(container) is Map or type(container) is Set:
            copy = type(container)(container)
        else:
            raise PatchError(f"the path does not resolve: it leads into {describe(container)}")
        self._own[id(copy)] = copy
        return copy

    def _descend(self, container: Any, step: Any) -> Any:
        """Return the own copy of what lies at ``step``, which is put in the place of the original."""
        if type(container) is dict:
            key = _key(step)
            if key in _UNSAFE or key not in container:
                raise PatchError(f"the path does not resolve: there is no {key[:50]!r}")
            container[key] = child = self._copied(container[key])
        elif type(container) is list:
            index = _index(step, len(container) - 1)
            container[index] = child = self._copied(container[index])
        elif type(container) is Map:
            if step not in container:
                raise PatchError(f"the path does not resolve: the map has no {str(step)[:50]!r}")
            child = self._copied(container[step])
            container[step] = child
        else:
            raise PatchError("the path does not resolve: it leads into a set")
        return child

    def _change(self, container: Any, operation: str, step: Any, value: Any) -> None:
        if type(container) is dict:
            _change_object(container, operation, _key(step), value)
        elif type(container) is list:
            _change_array(container, operation, step, value)
        elif type(container) is Map:
            if operation == "remove":
                container.pop(step, None)
            else:
                container[step] = value
        else:
            _change_set(container, operation, value)


def _change_object(container: dict[str, Any], operation: str, key: str, value: Any) -> None:
    if key == "__proto__":
        raise PatchError("an object has no such key")
    if operation == "remove" or value is UNSET:
        container.pop(key, None)
    else:
        container[key] = value


def _change_array(container: list[Any], operation: str, step: Any, value: Any) -> None:
    size = len(container)
    if step == "length" and operation == "replace":  # immer's older way of shortening an array
        del container[_index(value, size) :]
    elif step == "-" and operation == "add":
        container.append(value)
    elif operation == "add":
        container.insert(_index(step, size), value)
    elif operation == "remove":
        del container[_index(step, size - 1)]
    elif (index := _index(step, size)) == size:
        container.append(value)
    else:
        container[index] = value


def _change_set(container: Set[Any], operation: str, value: Any) -> None:
    if operation == "replace":
        raise PatchError("a set has nothing that can be replaced")
    if operation == "add":
        container.add(value)
    else:
        container.discard(value)


def _key(step: Any) -> str:
    if type(step) is str:
        return step
    if type(step) is int or (type(step) is float and step.is_integer()):
        return str(int(step))
    raise PatchError(f"{describe(step)} is no key")


def _index(step: Any, highest: int) -> int:
    """Return a step as an index from 0 to ``highest``; JavaScript takes digits in text for one."""
    if type(step) is float and step.is_integer():
        step = int(step)
    if type(step) is str and step.isascii() and step.isdigit() and str(int(step[:20])) == step:
        step = int(step)
    if type(step) is not int or not 0 <= step <= highest:
        raise PatchError(f"{str(step)[:50]!r} is no index of an array that ends at {highest}")
    return step


# The other way.


def diff(old: Any, new: Any) -> list[Patch]:
    """Return patches that make ``new`` of ``old``; none if they are the same.

    Like immer's they name each change at its deepest place: an array that shrinks loses its end, highest index first,
    an object's new keys are added. Parts of ``new`` become values of patches as they are.

    Raises:
        RecursionError: The values are nested too deeply.
    """
    return list(_differences(old, new, ()))


def _differences(old: Any, new: Any, path: Steps) -> Iterator[Patch]:
    if old is new:
        return
    kind = type(old)
    if kind is not type(new) or kind not in _DIFFERENCES:
        if not same(old, new):
            yield _patch("replace", path, new)
        return
    yield from _DIFFERENCES[kind](old, new, path)


def _patch(operation: str, path: Steps, value: Any) -> Patch:
    patch: Patch = {"op": operation, "path": list(path)}
    if value is not UNSET:
        patch["value"] = value
    return patch


def _object_differences(old: dict[str, Any], new: dict[str, Any], path: Steps) -> Iterator[Patch]:
    if any(
        (key in old or key in new) and not same(old.get(key, UNSET), new.get(key, UNSET)) for key in _UNSAFE
    ):
        yield _patch("replace", path, new)  # no path may lead through such a key
        return
    for key, value in new.items():
        if key in old:
            yield from _differences(old[key], value, (*path, key))
        else:
            yield _patch("add", (*path, key), value)
    for key in old:
        if key not in new:
            yield _patch("remove", (*path, key), UNSET)


def _array_differences(old: list[Any], new: list[Any], path: Steps) -> Iterator[Patch]:
    for index, (before, after) in enumerate(zip(old, new, strict=False)):
        yield from _differences(before, after, (*path, index))
    for index in range(len(old), len(new)):
        yield _patch("add", (*path, index), new[index])
    for index in range(len(old) - 1, len(new) - 1, -1):
        yield _patch("remove", (*path, index), UNSET)


def _map_differences(old: Map[Any, Any], new: Map[Any, Any], path: Steps) -> Iterator[Patch]:
    stays = [key for key in old if key in new]
    comes = [key for key in new if key not in old]
    if not all(map(_is_path_step, [*old, *new])) or not same([*stays, *comes], list(new)):
        yield _patch("replace", path, new)  # another order, or keys that no path can name
        return
    for key, value in new.pairs():
        if key in old:
            yield from _differences(old[key], value, (*path, key))
        else:
            yield _patch("add", (*path, key), value)
    for key in old:
        if key not in new:
            yield _patch("remove", (*path, key), UNSET)


def _set_differences(old: Set[Any], new: Set[Any], path: Steps) -> Iterator[Patch]:
    goes = [(index, member) for index, member in enumerate(old) if not new.has(member)]
    comes = [(index, member) for index, member in enumerate(new) if not old.has(member)]
    stays = [member for member in old if new.has(member)]
    if not same([*stays, *(member for _, member in comes)], list(new)):
        yield _patch("replace", path, new)  # another order
        return
    yield from (_patch("remove", (*path, index), member) for index, member in goes)
    yield from (_patch("add", (*path, index), member) for index, member in comes)


def _is_path_step(key: Any) -> bool:
    return type(key) is str or type(key) is int


_DIFFERENCES: Final[dict[type, Callable[[Any, Any, Steps], Iterator[Patch]]]] = {
    dict: _object_differences,
    list: _array_differences,
    Map: _map_differences,
    Set: _set_differences,
}
