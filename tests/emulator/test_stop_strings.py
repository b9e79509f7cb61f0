"""Stop strings are found across all borders, and no part of one gets out."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from lmwire_emulator.engines.stop_strings import Found, StopStringFilter


def passed_on(pieces: Sequence[str], stop_strings: Sequence[str]) -> tuple[list[str], str | None]:
    """What gets out, piece by piece, and the stop string that was found."""
    stop_filter = StopStringFilter(stop_strings)
    out: list[str] = []
    for piece in pieces:
        result = stop_filter.feed(piece)
        if isinstance(result, Found):
            return [*out, result.text], result.stop_string
        out.append(result)
    return [*out, stop_filter.flush()], None


def expected(text: str, stop_strings: Sequence[str]) -> tuple[str, str | None]:
    """The same by looking at every beginning of the text, the shortest first."""
    for end in range(len(text) + 1):
        complete = [stop_string for stop_string in stop_strings if text[:end].endswith(stop_string)]
        if complete:
            longest = max(complete, key=len)
            return text[: end - len(longest)], longest
    return text, None


@pytest.mark.parametrize(
    ("pieces", "stop_strings", "out", "found"),
    [
        (["Hello"], [], ["Hello", ""], None),
        (["Hello"], ["x"], ["Hello", ""], None),
        (["a", "b", "c"], ["b"], ["a", ""], "b"),
        (["one. two"], ["."], ["one"], "."),
        (["one", ".\n", "two"], [".\n\n"], ["one", "", ".\ntwo", ""], None),
        (["one", ".\n", "\ntwo"], [".\n\n"], ["one", "", ""], ".\n\n"),
        (["aa", "ab"], ["aab"], ["", "a"], "aab"),
        (["ab", "ab", "ac"], ["abac"], ["", "ab", ""], "abac"),
        (["<", "/", "s"], ["</s>"], ["", "", "", "</s"], None),
        (["ab"], ["abcd", "b"], ["a"], "b"),
        (["xab"], ["ab", "b"], ["x"], "ab"),
        (["", "a", ""], ["a"], ["", ""], "a"),
    ],
)
def test_examples(pieces: list[str], stop_strings: list[str], out: list[str], found: str | None) -> None:
    assert passed_on(pieces, stop_strings) == (out, found)


# Two letters, so that stop strings are likely to begin, to overlap, and to be found.
letters = st.text("ab", max_size=6)
stops = st.lists(st.text("ab", min_size=1, max_size=4), max_size=3)


@given(st.lists(letters, max_size=6), stops)
@example(["ab", "c"], ["abcd", "bc"])
def test_the_pieces_do_not_matter(pieces: list[str], stop_strings: list[str]) -> None:
    out, found = passed_on(pieces, stop_strings)

    assert ("".join(out), found) == expected("".join(pieces), stop_strings)


@given(st.lists(letters, max_size=6), stops)
def test_what_got_out_never_has_to_be_taken_back(pieces: list[str], stop_strings: list[str]) -> None:
    """Whatever comes next, the text that is out stays in front of the first stop string."""
    stop_filter = StopStringFilter(stop_strings)
    out = ""
    for piece in pieces:
        result = stop_filter.feed(piece)
        if isinstance(result, Found):
            return
        out += result
        for stop_string in stop_strings:
            for length in range(1, len(stop_string)):
                assert not (out.endswith(stop_string[:length]) and stop_filter.held == "")


@given(st.lists(letters, max_size=6), stops)
def test_nothing_is_held_back_without_need(pieces: list[str], stop_strings: list[str]) -> None:
    stop_filter = StopStringFilter(stop_strings)
    for piece in pieces:
        if isinstance(stop_filter.feed(piece), Found):
            return
        held = stop_filter.held
        assert held == "" or any(stop_string.startswith(held) for stop_string in stop_strings)
        assert held not in stop_strings
