"""Our superjson against the npm package that upstream uses: each reads what the other writes, and means the same."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lmwire_runtime import superjson
from lmwire_runtime.js_values import BigInt, ErrorValue, Map, RegExp, Set, TypedArray, Url, date_text, same
from lmwire_runtime.wire import UNSET
from tests.interop import environments
from tests.superjson.values import KEYS, SCALARS
from tests.support.requirements import requires

pytestmark = requires("superjson")

_PROGRAM: Final = Path(__file__).with_name("programs") / "superjson.cjs"

# The npm package loses track of the members of a Set, and the keys of a Map, that are no plain JSON.
_SIMPLE = st.booleans() | st.integers(-99, 99) | st.text(max_size=3)
# It makes an escape of a slash in a regular expression.
_SCALARS = SCALARS.filter(lambda value: not isinstance(value, RegExp) or "/" not in value.source)


def _containers(parts: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.one_of(
        st.lists(parts, max_size=4),
        st.dictionaries(KEYS, parts, max_size=4),
        st.lists(st.tuples(_SIMPLE, parts), max_size=3).map(Map),
        st.lists(_SIMPLE, max_size=3).map(Set),
    )


_VALUES: Final[st.SearchStrategy[Any]] = st.recursive(_SCALARS, _containers, max_leaves=12)


class Library:
    """The npm package, in a process of its own."""

    def __init__(self) -> None:
        project = environments.npm_project(environments.SUPERJSON)
        self._process = subprocess.Popen(
            [project.node.node, _PROGRAM],
            cwd=project.directory,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )

    def ask(self, question: Any) -> Any:
        """Send a line and return the answer."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        # In ASCII, because Node.js ends lines at U+2028 too.
        self._process.stdin.write(json.dumps(question).encode("ascii") + b"\n")
        self._process.stdin.flush()
        answer = json.loads(self._process.stdout.readline(), parse_int=float)
        assert "error" not in answer, answer
        return answer

    def close(self) -> None:
        self._process.communicate(timeout=20)


@pytest.fixture(scope="module")
def library() -> Iterator[Library]:
    library = Library()
    yield library
    library.close()


def _described(value: Any) -> list[Any]:
    """Describe a value as the program does."""
    if value is UNSET:
        return ["undefined"]
    if isinstance(value, BigInt):
        return ["bigint", str(int(value))]
    envelope = superjson.encode(value)
    if envelope.get("meta", {}).get("values") == ["number"]:
        return ["number", envelope["json"]]
    if isinstance(value, (list, Set)):
        return ["array" if isinstance(value, list) else "set", [_described(item) for item in value]]
    if isinstance(value, Map):
        return ["map", [[_described(part) for part in pair] for pair in value.pairs()]]
    if isinstance(value, dict):
        order = sorted(value, key=lambda key: key.encode("utf-16-be"))
        return ["object", [[key, _described(value[key])] for key in order]]
    return _described_scalar(value)


def _described_scalar(value: Any) -> list[Any]:
    if isinstance(value, RegExp):
        return ["regexp", value.source, value.flags]
    if isinstance(value, Url):
        return ["url", value.href]
    if isinstance(value, ErrorValue):
        return ["error", value.name, value.message]
    if isinstance(value, TypedArray):
        return ["typed", value.kind, list(value.values)]
    if value is None or isinstance(value, (bool, str, int, float)):
        return ["plain", value]
    return ["date", date_text(value)]


def test_we_read_what_it_writes(library: Library) -> None:
    examples = library.ask("examples")
    assert len(examples) > 25
    for example in examples:
        assert _described(superjson.decode(example["envelope"])) == example["description"]


def test_we_write_what_it_writes(library: Library) -> None:
    for example in library.ask("examples"):
        envelope = example["envelope"]
        if "leaf.with.dots" not in str(envelope):  # it cannot read that one itself
            assert superjson.encode(superjson.decode(envelope)) == envelope


@given(value=_VALUES)
def test_it_reads_what_we_write(library: Library, value: Any) -> None:
    assert library.ask(superjson.encode(value))["description"] == _described(value)


@given(value=_VALUES.filter(lambda value: "\\\\" not in repr(value) and "." not in repr(value)))
def test_nothing_is_lost_on_the_way_there_and_back(library: Library, value: Any) -> None:
    assert same(superjson.decode(library.ask(superjson.encode(value))["envelope"]), value)


def test_sharing_goes_there_and_back(library: Library) -> None:
    shared = {"x": [1]}
    envelope = superjson.encode({"a.b": shared, "rest": [shared, Map([("k", shared)])]})
    assert library.ask(envelope)["envelope"] == envelope
