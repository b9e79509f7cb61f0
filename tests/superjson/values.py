"""Values that superjson carries, for hypothesis."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Any

from hypothesis import strategies as st

from lmwire_runtime.js_values import TYPED_ARRAYS, BigInt, ErrorValue, Map, RegExp, Set, TypedArray, Url
from lmwire_runtime.wire import UNSET

__all__ = ["KEYS", "SCALARS", "VALUES"]

# Dots and backslashes are what paths are about; JavaScript's decoder refuses three names.
KEYS = st.text(st.sampled_from("ab.\\0é"), max_size=4) | st.text(max_size=5).filter(
    lambda key: key not in ("__proto__", "constructor", "prototype")
)

_DATES = st.datetimes(datetime(1, 1, 2), datetime(9999, 12, 30), timezones=st.just(timezone.utc)).map(
    lambda date: date.replace(microsecond=date.microsecond // 1000 * 1000)
)

SCALARS: st.SearchStrategy[Any] = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**53) + 1, 2**53 - 1),
    st.floats(),
    st.text(max_size=5),
    st.just(UNSET),
    st.integers().map(BigInt),
    _DATES,
    st.builds(RegExp, st.sampled_from(["a.b", "a/b", "\\."]), st.sampled_from(["", "gi"])),
    st.builds(Url, st.just("https://x.y/z")),
    st.builds(ErrorValue, st.text(max_size=3), st.text(max_size=3)),
    st.builds(TypedArray, st.sampled_from(sorted(TYPED_ARRAYS)), st.lists(st.integers(0, 127), max_size=3)),
)


def _containers(parts: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.one_of(
        st.lists(parts, max_size=4),
        st.dictionaries(KEYS, parts, max_size=4),
        st.lists(st.tuples(parts, parts), max_size=3).map(Map),
        st.lists(parts, max_size=3).map(Set),
    )


VALUES: st.SearchStrategy[Any] = st.recursive(SCALARS, _containers, max_leaves=12)
